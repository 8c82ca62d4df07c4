"""A command as permissions see it, and the errors for one that is not permitted."""

from __future__ import annotations

from collections.abc import Iterable

from pycache_server.acl.selector import DENIED_CHANNEL, DENIED_COMMAND, DENIED_KEY, READ, WRITE, Call, Denial
from pycache_server.acl.vocabulary import Vocabulary
from pycache_server.commands.registry import Command
from pycache_server.errors import NoPermissionForChannel, NoPermissionForKey, RedisError, Rejection, no_permission

CHANNEL_COMMANDS = {
    "subscribe": slice(1, None),
    "psubscribe": slice(1, None),
    "ssubscribe": slice(1, None),
    "publish": slice(1, 2),
    "spublish": slice(1, 2),
}
"""Where commands have the channels that they need permission for. Whoever listens may always stop."""
_RIGHTS = {"ACCESS": READ, "INSERT": WRITE, "DELETE": WRITE, "UPDATE": WRITE}


def rights_of(flags: Iterable[str]) -> int:
    """The rights to a key that a command with these flags of its key specification needs."""
    rights = 0
    for flag in flags:
        rights |= _RIGHTS.get(flag, 0)
    return rights


def call_of(vocabulary: Vocabulary, command: Command, argv: list[bytes]) -> Call:
    """A command with the keys and channels in its words."""
    word = vocabulary.words[command.name.encode()]
    keys = [(place, rights_of(flags)) for place, flags in command.find_keys(argv) or () if "NOT_KEY" not in flags]
    places = CHANNEL_COMMANDS.get(command.name)
    channels = range(len(argv))[places] if places is not None else ()
    return Call(word, argv, keys, channels, command.name == "psubscribe")


def refusal(denial: Denial, user: bytes, command: Command) -> Rejection:
    """The error for a command that is not permitted."""
    if denial.kind == DENIED_KEY:
        return NoPermissionForKey()
    if denial.kind == DENIED_CHANNEL:
        return NoPermissionForChannel()
    return no_permission(user, command.name.encode())


def refusal_at_exec(denial: Denial) -> RedisError:
    """The error for a queued command that was permitted when it was queued, and is no longer."""
    return RedisError(
        b"NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. "
        b"This command is no longer allowed for the following reason: " + _REASONS_AT_EXEC[denial.kind]
    )


_REASONS_AT_EXEC = {
    DENIED_COMMAND: b"no permission to execute the command or subcommand",
    DENIED_KEY: b"no permission to touch the specified keys",
    DENIED_CHANNEL: b"no permission to access one of the channels used as arguments",
}


def refusal_in_script(denial: Denial, user: bytes, command: Command) -> RedisError:
    """The error for a command of a script that the user who runs the script is not permitted."""
    reason = refusal(denial, user, command).text.removeprefix(b"NOPERM ")
    return RedisError(b"ERR ACL failure in script: " + reason)


def refusal_in_dry_run(denial: Denial, user: bytes, command: Command, argv: list[bytes]) -> bytes:
    """What ACL DRYRUN answers where a command is not permitted."""
    if denial.kind == DENIED_COMMAND:
        return b"User %b has no permissions to run the '%b' command" % (user, command.name.encode())
    what = b"key" if denial.kind == DENIED_KEY else b"channel"
    return b"User %b has no permissions to access the '%b' %b" % (user, argv[denial.place], what)
