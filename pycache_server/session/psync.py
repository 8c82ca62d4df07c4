"""How a session becomes a replica: it says what it can do, and asks for the stream.

Contents: REPLCONF PSYNC SYNC. The session has its own table of commands then (modes.py): it may acknowledge, and
nothing that would have to be answered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from pycache_server.commands.args import integer, integer_in
from pycache_server.commands.registry import (
    ADMIN,
    ALLOW_BUSY,
    LOADING,
    NO_ASYNC_LOADING,
    NO_MULTI,
    NOSCRIPT,
    STALE,
    Family,
)
from pycache_server.errors import BadSyntax, RedisError, c_string
from pycache_server.repl.replica import version_of
from pycache_server.resp.encode import NO_REPLY, OK
from pycache_server.session.describe import describe
from pycache_server.session.leading import ReplicaLink
from pycache_server.store.numbers import INT_MAX, INT_MIN, parse_int
from pycache_server.words import split_words

if TYPE_CHECKING:
    from pycache_server.session.session import Session

command = Family("server").command
LONGEST_ADDRESS: Final = 255
"""Bytes of the address that a replica announces."""
MOST_CAPABILITIES: Final = 64
"""So many words about what it can do are kept of a replica."""

Option = Callable[[ReplicaLink, bytes], None]


@command("REPLCONF", ADMIN, NOSCRIPT, LOADING, STALE, ALLOW_BUSY, since="3.0.0", arity=-1)
def replconf(session: Session, argv: list[bytes]) -> Any:
    """Tell a leader what its replica is like, or how far it is."""
    if len(argv) % 2 == 0:
        raise BadSyntax
    link = link_of(session)
    for place in range(1, len(argv), 2):
        name, value = argv[place].lower(), argv[place + 1]
        if name == b"ack":
            _acknowledge(session, argv[place:])
            return NO_REPLY
        if name == b"getack":
            following = session.core.replication.following
            if following is not None:
                following.acknowledge()
            return NO_REPLY
        option = OPTIONS.get(name)
        if option is None:
            raise RedisError(b"ERR Unrecognized REPLCONF option: " + c_string(argv[place]))
        option(link, value)
    return OK


def link_of(session: Session) -> ReplicaLink:
    """What is known of a session as a replica."""
    if session.replica is None:
        session.replica = ReplicaLink(session)
    return session.replica


def _acknowledge(session: Session, words: list[bytes]) -> None:
    """ACK offset [FACK offset]. Nothing is answered: who says what is no offset is no replica any more."""
    link = session.replica
    if link is None or not link.replica.active:
        return
    leading = session.core.replication.leading
    told = [words[1]]
    if len(words) > 3 and words[2].lower() == b"fack":
        told.append(words[3])
    offsets = [_offset(word) for word in told]
    for word, offset in zip(told, offsets, strict=True):
        if offset is None:
            shown = word[:64].decode("ascii", "backslashreplace")
            leading.disbelieve(link, f"has acknowledged '{shown}', which is no offset")
            return
    leading.hear(link, *[offset for offset in offsets if offset is not None])


def _offset(word: bytes) -> int | None:
    offset = parse_int(word)
    return offset if offset is not None and offset >= 0 else None


def _listening_port(link: ReplicaLink, value: bytes) -> None:
    link.replica.port = integer(value)


def _ip_address(link: ReplicaLink, value: bytes) -> None:
    if len(value) > LONGEST_ADDRESS:
        raise RedisError(b"ERR REPLCONF ip-address provided by replica instance is too long: %d bytes" % len(value))
    address = value.decode("utf-8", "backslashreplace")
    if not address.isprintable():  # it stands in INFO, which those who watch read line by line
        raise RedisError(b"ERR REPLCONF ip-address provided by replica instance is not printable")
    link.replica.address = address


def _capa(link: ReplicaLink, value: bytes) -> None:
    """Words that are not known are of later versions: they are taken, and mean nothing."""
    if len(value) <= LONGEST_ADDRESS and len(link.replica.capabilities) < MOST_CAPABILITIES:
        link.replica.capabilities.add(value.lower().decode("utf-8", "backslashreplace"))


def _version(link: ReplicaLink, value: bytes) -> None:
    version = version_of(value.decode("utf-8", "replace"))
    if version is None:
        raise RedisError(b"ERR Unrecognized version format: " + c_string(value))
    link.replica.version = version


def _rdb_only(link: ReplicaLink, value: bytes) -> None:
    link.replica.only_snapshot = bool(integer_in(value, 0, 1))


def _rdb_filter_only(link: ReplicaLink, value: bytes) -> None:
    words = split_words(value)
    if words is None:
        raise RedisError(b"ERR Missing rdb-filter-only values")
    link.replica.filtered, link.replica.with_functions = True, False
    for word in words:
        if word.lower() != b"functions":
            raise RedisError(b"ERR Unsupported rdb-filter-only option: " + word)
        link.replica.with_functions = True


OPTIONS: dict[bytes, Option] = {
    b"listening-port": _listening_port,
    b"ip-address": _ip_address,
    b"capa": _capa,
    b"version": _version,
    b"rdb-only": _rdb_only,
    b"rdb-filter-only": _rdb_filter_only,
}
"""What a replica may say of itself; others may add theirs."""


@command(
    "PSYNC replicationid offset",
    ADMIN,
    NOSCRIPT,
    NO_ASYNC_LOADING,
    NO_MULTI,
    since="2.8.0",
    arity=-3,
    kinds={"offset": "integer"},
)
def psync(session: Session, argv: list[bytes]) -> Any:
    """Become a replica that goes on from an offset of a history, if that can be had."""
    if _is_no_client(session):
        return NO_REPLY
    core = session.core
    replication, leading, log = core.replication, core.replication.leading, core.host.log
    if len(argv) > 3 and argv[3].lower() == b"failover":
        _take_over(session, argv[1])
    link = _checked(session)
    offset = parse_int(argv[2])
    if offset is None:
        name = link.replica.name
        log("warning", f"Replica {name} asks for synchronization but with a wrong offset")
        integer_in(argv[2], INT_MIN, INT_MAX)
        raise AssertionError("what is no integer has been refused")
    replication.empty_start.check(link.replica, offset - 1)
    decision = leading.leader.decide(link.replica, argv[1], offset, replication.backlog)
    for level, text in decision.notes:
        log(level, text)
    if decision.offset is None:
        _synchronize(link)
        return NO_REPLY
    answer = b"+CONTINUE"
    if "psync2" in link.replica.capabilities:
        answer += b" " + replication.history.id
    link.write(answer + b"\r\n")
    leading.come(link, decision.offset)
    return NO_REPLY


@command("SYNC", ADMIN, NOSCRIPT, NO_ASYNC_LOADING, NO_MULTI, since="1.0.0")
def sync(session: Session, argv: list[bytes]) -> Any:
    """Become a replica that gets everything, as those of old ask for it."""
    if _is_no_client(session):
        return NO_REPLY
    link = _checked(session)
    link.replica.old = True
    _synchronize(link)
    return NO_REPLY


def _is_no_client(session: Session) -> bool:
    """Whether it is a replica already, or what Redis takes for one."""
    return "monitor" in session.flags or (session.replica is not None and session.replica.replica.active)


def _take_over(session: Session, replication_id: bytes) -> None:
    """PSYNC FAILOVER: the leader wants to follow this node, which therefore stops following it."""
    core = session.core
    replication = core.replication
    core.host.log("notice", f"Failover request received for replid {replication_id.decode('utf-8', 'replace')}.")
    if replication.leads:
        raise RedisError(b"ERR PSYNC FAILOVER can't be sent to a master.")
    if replication_id.lower() != replication.history.id:
        raise RedisError(b"ERR PSYNC FAILOVER replid must match my replid.")
    replication.unfollow()
    core.host.log("notice", f"MASTER MODE enabled (failover request from '{describe(session)}')")


def _checked(session: Session) -> ReplicaLink:
    """What is known of a session that wants to be a replica. Raises RedisError where that is not possible."""
    core = session.core
    replication = core.replication
    if replication.failover.state:
        raise RedisError(b"NOMASTERLINK Can't SYNC while failing over")
    if replication.following is not None and not replication.following.connected:
        raise RedisError(b"NOMASTERLINK Can't SYNC while not connected with my master")
    if session.written() or session.link.buffered():
        raise RedisError(b"ERR SYNC and PSYNC are invalid with pending output")
    link = link_of(session)
    if link.replica.filtered and not link.replica.takes_streams:
        raise RedisError(b"ERR Filtered replica requires EOF capability")
    core.host.log("notice", f"Replica {link.replica.name} asks for synchronization")
    return link


def _synchronize(link: ReplicaLink) -> None:
    """Give a replica everything."""
    replication = link.session.core.replication
    replication.leading.come(link, None)
    replication.keep_backlog()
    replication.leading.join(link)
