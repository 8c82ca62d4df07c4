"""The connection's own commands: AUTH ECHO HELLO PING QUIT RESET SELECT. CLIENT is in clients.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycache_server import REDIS_VERSION
from pycache_server.acl.users import DEFAULT
from pycache_server.commands.args import int32, option_of
from pycache_server.commands.registry import (
    ALLOW_BUSY,
    FAST,
    LOADING,
    NO_AUTH,
    NOSCRIPT,
    STALE,
    Family,
)
from pycache_server.errors import BadDatabase, BadSyntax, RedisError, c_string, wrong_arity
from pycache_server.resp.encode import OK, PONG, status
from pycache_server.session.clients import check_name
from pycache_server.session.monitor import stop_monitoring
from pycache_server.session.transactions import end_transaction
from pycache_server.store.numbers import parse_int

if TYPE_CHECKING:
    from pycache_server.session.session import Session

family = Family("connection")
command = family.command

_RESET = status(b"RESET")


@command(
    "AUTH [username] password", NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, ALLOW_BUSY, since="1.0.0", complexity="O(1)"
)
def auth(session: Session, argv: list[bytes]) -> Any:
    """Log in."""
    if len(argv) > 3:
        raise BadSyntax
    if len(argv) == 2 and session.core.access.users.default.no_password:
        raise RedisError(
            b"ERR AUTH <password> called without any password configured for the default user. "
            b"Are you sure your configuration is correct?"
        )
    session.core.access.authenticate(session, argv[1] if len(argv) == 3 else DEFAULT, argv[-1], argv)
    return OK


@command(
    "HELLO [protover [AUTH username password] [SETNAME clientname]]",
    NOSCRIPT,
    LOADING,
    STALE,
    FAST,
    NO_AUTH,
    ALLOW_BUSY,
    since="6.0.0",
)
def hello(session: Session, argv: list[bytes]) -> Any:
    """Choose the version of the protocol, log in and give the connection a name, in one step."""
    version = session.resp
    if len(argv) > 1:
        wanted = parse_int(argv[1])
        if wanted is None:
            raise RedisError(b"ERR Protocol version is not an integer or out of range")
        if wanted not in (2, 3):
            raise RedisError(b"NOPROTO unsupported protocol version")
        version = wanted
    credentials, name = _hello_options(argv)
    if credentials is not None:
        session.core.access.authenticate(session, *credentials, argv)
    if not session.authenticated:
        raise RedisError(
            b"NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH "
            b"<user> <pass> option can be used to authenticate the client and select the RESP protocol version at "
            b"the same time"
        )
    if name is not None:
        session.name = name
    session.speak(version)
    return {
        b"server": b"redis",
        b"version": REDIS_VERSION.encode(),
        b"proto": version,
        b"id": session.id,
        b"mode": b"standalone",
        b"role": b"master",
        b"modules": [],
    }


def _hello_options(argv: list[bytes]) -> tuple[tuple[bytes, bytes] | None, bytes | None]:
    """User and password, and the name for the connection."""
    credentials = name = None
    position = 2
    while position < len(argv):
        option = option_of(argv[position])
        if option == b"AUTH" and position + 2 < len(argv):
            credentials = (argv[position + 1], argv[position + 2])
            position += 3
        elif option == b"SETNAME" and position + 1 < len(argv):
            name = argv[position + 1]
            check_name(name)
            position += 2
        else:
            raise RedisError(b"ERR Syntax error in HELLO option '" + c_string(argv[position]) + b"'")
    return credentials, name


@command("PING [message]", FAST, since="1.0.0", tips=("request_policy:all_shards", "response_policy:all_succeeded"))
def ping(session: Session, argv: list[bytes]) -> Any:
    """Answer, with what was sent or PONG."""
    if len(argv) == 1:
        if (session.subscriptions or session.patterns or session.shard_subscriptions) and session.resp == 2:
            return [b"pong", b""]
        return PONG
    if len(argv) > 2:
        raise wrong_arity(b"ping")
    return [b"pong", argv[1]] if session.is_restricted() else argv[1]


@command("ECHO message", FAST, LOADING, STALE, since="1.0.0")
def echo(session: Session, argv: list[bytes]) -> bytes:
    """Return what was sent."""
    return argv[1]


@command("SELECT index", LOADING, STALE, FAST, since="1.0.0")
def select(session: Session, argv: list[bytes]) -> Any:
    """Use another database from now on."""
    index = int32(argv[1])
    if not 0 <= index < len(session.keyspace.databases):
        raise BadDatabase
    session.select(index)
    return OK


@command("QUIT", NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, ALLOW_BUSY, since="1.0.0", arity=-1)
def quit_(session: Session, argv: list[bytes]) -> Any:
    """End the connection."""
    return session.finish(OK)


@command("RESET", NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, ALLOW_BUSY, since="6.2.0")
def reset(session: Session, argv: list[bytes]) -> Any:
    """Make the connection as good as new."""
    core = session.core
    stop_monitoring(session)
    core.pubsub.forget(session)
    core.tracking.end(session)
    end_transaction(session)
    session.flags.clear()
    if session.silence == "off":
        session.silence = ""
    session.name = b""
    session.select(0)
    session.log_out()
    session.speak(2)
    return _RESET
