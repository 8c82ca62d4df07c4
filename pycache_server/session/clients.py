"""CLIENT: names, who is connected, ending, waking and pausing connections.

Contents: GETNAME ID INFO KILL LIST NO-EVICT NO-TOUCH PAUSE REPLY SETINFO SETNAME UNBLOCK UNPAUSE. Tracking has a
file of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pycache_server.commands.args import Options, integer, integer_in, option_of, timeout_ms
from pycache_server.commands.registry import ADMIN, LOADING, NOSCRIPT, STALE, Family
from pycache_server.errors import BadSyntax, RedisError, bad_subcommand, c_string
from pycache_server.resp.encode import NO_REPLY, OK, Verbatim
from pycache_server.session.describe import describe
from pycache_server.store.numbers import INT_MAX, INT_MIN

if TYPE_CHECKING:
    from pycache_server.session.session import Session

family = Family("connection")
command = family.command
family.container("CLIENT", since="2.4.0", summary="Commands for client connections.")

_TYPES = {b"NORMAL": "normal", b"MASTER": "master", b"SLAVE": "slave", b"REPLICA": "slave", b"PUBSUB": "pubsub"}


def check_name(name: bytes) -> None:
    """Raise where a name for a connection has blanks or anything that is not printable."""
    if not _is_printable(name):
        raise RedisError(b"ERR Client names cannot contain spaces, newlines or special characters.")


def _is_printable(text: bytes) -> bool:
    return all(0x21 <= byte <= 0x7E for byte in c_string(text))


@command("CLIENT GETNAME", NOSCRIPT, LOADING, STALE, since="2.6.9")
def client_getname(session: Session, argv: list[bytes]) -> bytes | None:
    """Return the connection's name."""
    return session.name or None


@command("CLIENT SETNAME connection-name", NOSCRIPT, LOADING, STALE, since="2.6.9")
def client_setname(session: Session, argv: list[bytes]) -> Any:
    """Give the connection a name."""
    check_name(argv[2])
    session.name = argv[2]
    return OK


@command(
    "CLIENT SETINFO <LIB-NAME libname | LIB-VER libver>",
    NOSCRIPT,
    LOADING,
    STALE,
    since="7.2.0",
    arity=4,
    tips=("request_policy:all_nodes", "response_policy:all_succeeded"),
)
def client_setinfo(session: Session, argv: list[bytes]) -> Any:
    """Tell the name or the version of the client library."""
    option = option_of(argv[2])
    if option not in (b"LIB-NAME", b"LIB-VER"):
        raise RedisError(b"ERR Unrecognized option '" + c_string(argv[2]) + b"'")
    if not _is_printable(argv[3]):
        raise RedisError(b"ERR " + c_string(argv[2]) + b" cannot contain spaces, newlines or special characters.")
    if option == b"LIB-NAME":
        session.library = argv[3]
    else:
        session.library_version = argv[3]
    return OK


@command("CLIENT ID", NOSCRIPT, LOADING, STALE, since="5.0.0")
def client_id(session: Session, argv: list[bytes]) -> int:
    """Return the connection's id."""
    return session.id


@command("CLIENT INFO", NOSCRIPT, LOADING, STALE, since="6.2.0", tips=("nondeterministic_output",))
def client_info(session: Session, argv: list[bytes]) -> Any:
    """Return what CLIENT LIST tells of this connection."""
    return Verbatim(describe(session, argv).encode() + b"\n")


@command(
    "CLIENT LIST [TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]",
    ADMIN,
    NOSCRIPT,
    LOADING,
    STALE,
    since="2.4.0",
    complexity="O(N), N = connections",
    tips=("nondeterministic_output",),
)
def client_list(session: Session, argv: list[bytes]) -> Any:
    """List the connections."""
    sessions = list(session.core.sessions.values())
    option = option_of(argv[2]) if len(argv) > 3 else b""
    if option == b"TYPE" and len(argv) == 4:
        kind = _client_type(argv[3])
        sessions = [each for each in sessions if each.kind() == kind]
    elif option == b"ID":
        ids = [integer_in(word, INT_MIN, INT_MAX, b"ERR Invalid client ID") for word in argv[3:]]
        known = session.core.sessions
        sessions = [known[number] for number in ids if number in known]
    elif len(argv) != 2:
        raise BadSyntax
    lines = (describe(each, argv if each is session else None) + "\n" for each in sessions)
    return Verbatim("".join(lines).encode())


def _client_type(word: bytes) -> str:
    kind = _TYPES.get(option_of(word))
    if kind is None:
        raise RedisError(b"ERR Unknown client type '" + c_string(word) + b"'")
    return kind


@command(
    "CLIENT KILL <ip:port | <[ID client-id] | [TYPE <NORMAL | MASTER | SLAVE | REPLICA | PUBSUB>] | [USER username] | "
    "[ADDR ip:port] | [LADDR ip:port] | [SKIPME <YES | NO>] | [MAXAGE maxage]> ...>",
    ADMIN,
    NOSCRIPT,
    LOADING,
    STALE,
    since="2.4.0",
    complexity="O(N), N = connections",
    arity=-3,
)
def client_kill(session: Session, argv: list[bytes]) -> Any:
    """End connections by address, id, type or age."""
    if len(argv) == 3:
        address = c_string(argv[2]).decode("utf-8", "replace")
        victims = [each for each in session.core.sessions.values() if each.address == address]
        if not victims:
            raise RedisError(b"ERR No such client")
    else:
        filters, skip_me = _kill_filters(session, argv)
        victims = [
            each
            for each in list(session.core.sessions.values())
            if all(test(each) for test in filters.values()) and not (skip_me and each is session)
        ]
    for victim in victims:
        if victim is not session:
            victim.abort()
    answer = OK if len(argv) == 3 else len(victims)
    return session.finish(answer) if session in victims else answer


def _kill_filters(session: Session, argv: list[bytes]) -> tuple[dict[bytes, Callable[[Session], bool]], bool]:
    """The tests that a connection must pass to be ended, the last of each kind, and whether the caller is spared."""
    filters: dict[bytes, Callable[[Session], bool]] = {}
    skip_me = True
    options = Options(argv, 2)
    while (option := options.take()) is not None:
        value = options.value()
        if option == b"SKIPME" and option_of(value) in (b"YES", b"NO"):
            skip_me = option_of(value) == b"YES"
        else:
            filters[option] = _kill_filter(session, option, value)
    return filters, skip_me


def _kill_filter(session: Session, option: bytes, value: bytes) -> Callable[[Session], bool]:
    """The test for one filter of CLIENT KILL."""
    text = c_string(value).decode("utf-8", "replace")
    if option == b"ID":
        number = integer_in(value, 1, INT_MAX, b"ERR client-id should be greater than 0")
        return lambda each: each.id == number
    if option == b"TYPE":
        kind = _client_type(value)
        return lambda each: each.kind() == kind
    if option == b"ADDR":
        return lambda each: each.address == text
    if option == b"LADDR":
        return lambda each: each.local_address == text
    if option == b"USER":
        user = session.core.access.users.find(value)
        if user is None:
            raise RedisError(b"ERR No such user '" + c_string(value) + b"'")
        return lambda each: each.user is user
    if option == b"MAXAGE":
        age = integer_in(value, INT_MIN, INT_MAX, b"ERR maxage is not an integer or out of range")
        if age < 1:
            raise RedisError(b"ERR maxage should be greater than 0")
        return lambda each: session.core.host.time() - each.created >= age
    raise BadSyntax


@command("CLIENT REPLY <ON | OFF | SKIP>", NOSCRIPT, LOADING, STALE, since="3.2.0")
def client_reply(session: Session, argv: list[bytes]) -> Any:
    """Turn replies on or off, or off for the next command."""
    mode = option_of(argv[2])
    if mode == b"ON":
        session.silence = ""
        session.choose_table()
        return OK
    if mode == b"OFF":
        session.silence = "off"
    elif mode == b"SKIP":
        if session.silence != "off":
            session.silence = "skip next" if session.silence else "skip"
    else:
        raise BadSyntax
    session.choose_table()
    return NO_REPLY


@command("CLIENT NO-EVICT <ON | OFF>", ADMIN, NOSCRIPT, LOADING, STALE, since="7.0.0")
def client_no_evict(session: Session, argv: list[bytes]) -> Any:
    """Spare the connection when clients are ended for want of memory."""
    _set_flag(session, "no-evict", argv[2])
    return OK


@command("CLIENT NO-TOUCH <ON | OFF>", NOSCRIPT, LOADING, STALE, since="7.2.0")
def client_no_touch(session: Session, argv: list[bytes]) -> Any:
    """Let the connection's commands leave no trace in what decides on eviction."""
    _set_flag(session, "no-touch", argv[2])
    session.choose_table()
    return OK


def _set_flag(session: Session, flag: str, word: bytes) -> None:
    option = option_of(word)
    if option == b"ON":
        session.flags.add(flag)
    elif option == b"OFF":
        session.flags.discard(flag)
    else:
        raise BadSyntax


@command(
    "CLIENT PAUSE timeout [WRITE | ALL]", ADMIN, NOSCRIPT, LOADING, STALE, since="2.9.50", kinds={"timeout": "integer"}
)
def client_pause(session: Session, argv: list[bytes]) -> Any:
    """Let all clients wait for some time, or those that would change something."""
    if len(argv) > 4:
        raise bad_subcommand(argv)
    mode = option_of(argv[3]) if len(argv) == 4 else b"ALL"
    if mode not in (b"WRITE", b"ALL"):
        raise RedisError(b"ERR CLIENT PAUSE mode must be WRITE or ALL")
    seconds = timeout_ms(argv[2], session.keyspace.clock.today())
    session.core.pause.begin(seconds, mode.decode().lower())
    return OK


@command("CLIENT UNPAUSE", ADMIN, NOSCRIPT, LOADING, STALE, since="6.2.0", complexity="O(N), N = paused clients")
def client_unpause(session: Session, argv: list[bytes]) -> Any:
    """Let clients that were paused go on."""
    session.core.pause.end()
    return OK


@command(
    "CLIENT UNBLOCK client-id [TIMEOUT | ERROR]",
    ADMIN,
    NOSCRIPT,
    LOADING,
    STALE,
    since="5.0.0",
    complexity="O(log N), N = connections",
)
def client_unblock(session: Session, argv: list[bytes]) -> int:
    """End the waiting of a client in a blocking command."""
    if len(argv) > 4:
        raise bad_subcommand(argv)
    reason = option_of(argv[3]) if len(argv) == 4 else b"TIMEOUT"
    if reason not in (b"TIMEOUT", b"ERROR"):
        raise RedisError(b"ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
    target = session.core.sessions.get(integer(argv[2]))
    error = RedisError(b"UNBLOCKED client unblocked via CLIENT UNBLOCK") if reason == b"ERROR" else None
    return int(target is not None and session.core.blocking.unblock(target, error))
