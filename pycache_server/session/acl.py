"""ACL: users and their permissions.

Contents: CAT DELUSER DRYRUN GENPASS GETUSER LIST LOG SETUSER USERS WHOAMI. LOAD and SAVE, which need files, are the
server's (server/commands/acl.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycache_server.acl.log import REASONS, Entry
from pycache_server.acl.rules import BadRule, Unmatched, has_blanks, merged
from pycache_server.acl.selector import Selector
from pycache_server.acl.users import DEFAULT
from pycache_server.commands.args import integer, option_of
from pycache_server.commands.registry import ADMIN, LOADING, NOSCRIPT, STALE, Family
from pycache_server.errors import RedisError, bad_subcommand, c_string, wrong_arity
from pycache_server.resp.encode import OK, SetReply
from pycache_server.session.permissions import refusal_in_dry_run

if TYPE_CHECKING:
    from pycache_server.session.session import Session

family = Family("server")
command = family.command
family.container("ACL", since="6.0.0", help_since="6.0.0", summary="Commands for users and what they may do.")

MOST_BITS = 4096
"""Longest password that ACL GENPASS makes."""
SHOWN = 10
"""So many entries of the log are shown where no number is given."""


@command("ACL CAT [category]", NOSCRIPT, LOADING, STALE, since="6.0.0", complexity="O(1)")
def acl_cat(session: Session, argv: list[bytes]) -> list[bytes]:
    """List the categories of commands, or the commands of a category."""
    if len(argv) > 3:
        raise bad_subcommand(argv)
    vocabulary = session.core.access.users.vocabulary
    if len(argv) == 2:
        return list(vocabulary.categories)
    category = vocabulary.category(argv[2])
    if category is None:
        raise RedisError(b"ERR Unknown category '" + c_string(argv[2]) + b"'")
    return [word.name for word in category.words]


@command(
    "ACL DELUSER username [username ...]",
    ADMIN,
    NOSCRIPT,
    LOADING,
    STALE,
    since="6.0.0",
    complexity="O(1) for each user, and O(N), N = connections",
)
def acl_deluser(session: Session, argv: list[bytes]) -> Any:
    """Remove users and end their connections; return how many there were."""
    if DEFAULT in map(c_string, argv[2:]):
        raise RedisError(b"ERR The 'default' user cannot be removed")
    removed, victims = session.core.access.remove(argv[2:])
    return end_connections(session, victims, removed)


def end_connections(session: Session, victims: list[Session], answer: Any) -> Any:
    """End connections, one's own behind the answer."""
    for victim in victims:
        if victim is not session:
            victim.abort()
    return session.finish(answer) if session in victims else answer


@command(
    "ACL DRYRUN username command [arg [arg ...]]",
    ADMIN,
    NOSCRIPT,
    LOADING,
    STALE,
    since="7.0.0",
    complexity="O(1)",
)
def acl_dryrun(session: Session, argv: list[bytes]) -> Any:
    """Tell whether a user may run a command, without running it."""
    access, words = session.core.access, argv[3:]
    user = access.users.find(argv[2])
    if user is None:
        raise RedisError(b"ERR User '" + c_string(argv[2]) + b"' not found")
    row = session.core.row(words[0])
    if row is not None and len(words) > 1 and row.subrows:
        row = row.subrows.get(words[1].lower())
    if row is None:
        raise RedisError(b"ERR Command '" + c_string(words[0]) + b"' not found")
    if not row.accepts(len(words)):
        raise wrong_arity(row.name)
    denial = access.check(user, row.command, words)
    return OK if denial is None else refusal_in_dry_run(denial, user.name, row.command, words)


@command("ACL GENPASS [bits]", NOSCRIPT, LOADING, STALE, since="6.0.0")
def acl_genpass(session: Session, argv: list[bytes]) -> bytes:
    """Make a password that nobody can guess, of so many bits."""
    if len(argv) > 3:
        raise bad_subcommand(argv)
    bits = integer(argv[2]) if len(argv) == 3 else 256
    if not 0 < bits <= MOST_BITS:
        raise RedisError(
            b"ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to %d"
            % MOST_BITS
        )
    return session.core.host.token((bits + 3) // 4)


@command(
    "ACL GETUSER username",
    ADMIN,
    NOSCRIPT,
    LOADING,
    STALE,
    since="6.0.0",
    complexity="O(N), N = passwords, patterns and categories",
)
def acl_getuser(session: Session, argv: list[bytes]) -> dict[bytes, Any] | None:
    """Describe a user."""
    user = session.core.access.users.find(argv[2])
    if user is None:
        return None
    root, *others = map(_describe, user.selectors)
    return {b"flags": SetReply(user.flags()), b"passwords": list(user.passwords), **root, b"selectors": others}


def _describe(selector: Selector) -> dict[bytes, Any]:
    return {
        b"commands": b" ".join(selector.describe_commands()),
        b"keys": b" ".join(selector.describe_keys()),
        b"channels": b" ".join(selector.describe_channels()),
    }


@command("ACL LIST", ADMIN, NOSCRIPT, LOADING, STALE, since="6.0.0", complexity="O(N), N = users")
def acl_list(session: Session, argv: list[bytes]) -> list[bytes]:
    """Describe all users as they stand in an ACL file."""
    return list(session.core.access.users.describe())


@command(
    "ACL LOG [count | RESET]", ADMIN, NOSCRIPT, LOADING, STALE, since="6.0.0", complexity="O(N), N = entries shown"
)
def acl_log(session: Session, argv: list[bytes]) -> Any:
    """Show what was refused lately, the newest first, or forget it."""
    if len(argv) > 3:
        raise bad_subcommand(argv)
    log = session.core.access.log
    if len(argv) == 3 and option_of(argv[2]) == b"RESET":
        log.clear()
        return OK
    count = integer(argv[2]) if len(argv) == 3 else SHOWN
    now = session.core.clock.time
    return [_show(entry, now) for entry in log.newest(max(0, count))]


def _show(entry: Entry, now: float) -> dict[bytes, Any]:
    return {
        b"count": entry.count,
        b"reason": REASONS[entry.kind].encode(),
        b"context": entry.context.encode(),
        b"object": entry.object,
        b"username": entry.username,
        b"age-seconds": (int(now * 1000) - entry.updated) / 1000,
        b"client-info": entry.client.encode(),
        b"entry-id": entry.number,
        b"timestamp-created": entry.created,
        b"timestamp-last-updated": entry.updated,
    }


@command(
    "ACL SETUSER username [rule [rule ...]]",
    ADMIN,
    NOSCRIPT,
    LOADING,
    STALE,
    since="6.0.0",
    complexity="O(N), N = rules",
)
def acl_setuser(session: Session, argv: list[bytes]) -> Any:
    """Change a user by rules, or make one."""
    if has_blanks(argv[2]):
        raise RedisError(b"ERR Usernames can't contain spaces or null characters")
    try:
        victims = session.core.access.change(argv[2], merged(argv[3:]))
    except Unmatched as error:
        raise RedisError(
            b"ERR Unmatched parenthesis in acl selector starting at '" + c_string(error.word) + b"'."
        ) from None
    except BadRule as error:
        raise RedisError(b"ERR Error in ACL SETUSER modifier '" + c_string(error.rule) + b"': " + error.text) from None
    return end_connections(session, victims, OK)


@command("ACL USERS", ADMIN, NOSCRIPT, LOADING, STALE, since="6.0.0", complexity="O(N), N = users")
def acl_users(session: Session, argv: list[bytes]) -> list[bytes]:
    """List the names of the users."""
    return [user.name for user in session.core.access.users.sorted()]


@command("ACL WHOAMI", NOSCRIPT, LOADING, STALE, since="6.0.0")
def acl_whoami(session: Session, argv: list[bytes]) -> bytes:
    """Return the name of the user that this connection has logged in as."""
    return session.user.name
