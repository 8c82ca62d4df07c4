"""Consumer groups of streams: making them, reading for them, acknowledging.

Contents: XACK XREADGROUP and XGROUP CREATE, CREATECONSUMER, DELCONSUMER, DESTROY, SETID. What is pending, and claiming
it, is in stream_claims.py.

What groups do to themselves does not count as a change of the stream: it neither ends a WATCH nor wakes a client.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from pycache_server.commands.args import Options, integer, timeout_ms
from pycache_server.commands.context import NOT_READY, Context
from pycache_server.commands.registry import BLOCKING, DENYOOM, FAST, WRITE
from pycache_server.commands.stream_effects import claim_of, claims_of, consumer_made, of_nothing, place_of_group
from pycache_server.commands.streams import bound_of, checked, family, id_of
from pycache_server.commands.syntax import KeySpec
from pycache_server.errors import BadSyntax, RedisError, bad_subcommand, c_string
from pycache_server.resp.encode import NULL_ARRAY, OK, Entries, Pairs
from pycache_server.store.events import QUIET, STREAM, UNHEARD, WAKING, Event
from pycache_server.store.groups import UNKNOWN, Consumer, Group
from pycache_server.store.memory import HEAVY
from pycache_server.store.stream import Stream
from pycache_server.store.stream_id import LARGEST_ID, format_id

command = family.command

XGROUP_CREATE = Event(STREAM | QUIET, b"xgroup-create")
XGROUP_MKSTREAM = Event(STREAM, b"xgroup-create")
XGROUP_CREATECONSUMER = Event(STREAM | QUIET, b"xgroup-createconsumer")
XGROUP_DELCONSUMER = Event(STREAM | QUIET, b"xgroup-delconsumer")
XGROUP_DESTROY = Event(STREAM | QUIET, b"xgroup-destroy")
XGROUP_SETID = Event(STREAM | QUIET, b"xgroup-setid")
GROUP_GONE = Event(WAKING, b"")
NEW_ENTRIES = b">"
_MEANINGLESS = (
    b"ERR The %b ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by "
    b"specifying a proper ID, or use the > ID to get new messages. The %b ID would just return an empty result set."
)


class NoKeyForGroup(RedisError):
    text = (
        b"ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM "
        b"option to create an empty stream automatically."
    )


class GroupExists(RedisError):
    text = b"BUSYGROUP Consumer Group name already exists"


def no_such_group(key: bytes, name: bytes, where: bytes = b"") -> RedisError:
    """The error where a key or a group in it is not there."""
    return RedisError(b"NOGROUP No such key '%b' or consumer group '%b'%b" % (c_string(key), c_string(name), where))


def no_group_of(key: bytes, name: bytes) -> RedisError:
    """The error where a group is not there, but its key is."""
    return RedisError(b"NOGROUP No such consumer group '%b' for key name '%b'" % (c_string(name), c_string(key)))


def consumer_of(session: Context, key: bytes, group: Group, name: bytes) -> Consumer:
    """The consumer who asks for something now, a new one where there is none of the name."""
    now = session.keyspace.clock.today()
    consumer = group.consumer(name)
    if consumer is None:
        consumer = group.add_consumer(name, now)
        session.db.touched(key, XGROUP_CREATECONSUMER)
    consumer.seen_time = now
    return consumer


# Groups

family.container("XGROUP", since="5.0.0", summary="Commands for consumer groups of a stream.")


def _group_of(session: Context, argv: list[bytes]) -> tuple[Stream, Group]:
    """The stream and the group that an XGROUP is about.

    Raises WrongType, NoKeyForGroup, RedisError.
    """
    stream = checked(session.db.find(argv[2]))
    if stream is None:
        raise NoKeyForGroup
    group = stream.group(argv[3])
    if group is None:
        raise no_group_of(argv[2], argv[3])
    return stream, group


@command(
    "XGROUP CREATE key group <id | $> [MKSTREAM] [ENTRIESREAD entries-read]",
    WRITE,
    DENYOOM,
    since="5.0.0",
    keys="RW INSERT",
)
def xgroup_create(session: Context, argv: list[bytes]) -> Any:
    """Create a consumer group that reads what comes behind an id."""
    make, read = _group_options(argv)
    db, key = session.db, argv[2]
    found = stream = checked(db.find(key))
    if stream is None:
        if not make:
            raise NoKeyForGroup
        stream = Stream()
    if len(argv) > 8:
        raise bad_subcommand(argv)
    group = Group(stream.last_id if c_string(argv[4]) == b"$" else id_of(argv[4]), read)
    if not stream.add_group(argv[3], group):
        raise GroupExists
    if found is None:
        db.put(key, stream, XGROUP_MKSTREAM)
    else:
        db.touched(key, XGROUP_CREATE)
    return OK


def _group_options(argv: list[bytes], may_make: bool = True) -> tuple[bool, int]:
    """Whether a stream is to be made, and the number of entries that a group has read.

    Raises RedisError.
    """
    make, read = False, UNKNOWN
    options = Options(argv, 5)
    while (option := options.take()) is not None:
        if option == b"MKSTREAM" and may_make:
            make = True
        elif option == b"ENTRIESREAD" and options.left():
            read = integer(options.value())
            if read < UNKNOWN:
                raise RedisError(b"ERR value for ENTRIESREAD must be positive or -1")
        else:
            raise bad_subcommand(argv)
    return make, read


@command("XGROUP SETID key group <id | $> [ENTRIESREAD entries-read]", WRITE, since="5.0.0", keys="RW UPDATE")
def xgroup_setid(session: Context, argv: list[bytes]) -> Any:
    """Set the id behind which a group reads on."""
    read = _group_options(argv, may_make=False)[1]
    stream, group = _group_of(session, argv)
    if len(argv) > 7:
        raise bad_subcommand(argv)
    group.last_id = stream.last_id if c_string(argv[4]) == b"$" else bound_of(argv[4], 0)
    group.entries_read = read
    session.db.touched(argv[2], XGROUP_SETID)
    return OK


@command("XGROUP DESTROY key group", WRITE, since="5.0.0", complexity="O(N), N = entries pending", keys="RW DELETE")
def xgroup_destroy(session: Context, argv: list[bytes]) -> int:
    """Remove a group; return whether there was one."""
    stream = checked(session.db.find(argv[2]))
    if stream is None:
        raise NoKeyForGroup
    group = stream.remove_group(argv[3])
    if group is None:
        return 0
    if len(group) > HEAVY:
        session.keyspace.discard(group)
    session.db.touched(argv[2], XGROUP_DESTROY)
    session.db.announce(argv[2], GROUP_GONE)
    return 1


@command("XGROUP CREATECONSUMER key group consumer", WRITE, DENYOOM, since="6.2.0", keys="RW INSERT")
def xgroup_createconsumer(session: Context, argv: list[bytes]) -> int:
    """Create a consumer of a group; return whether it is new."""
    _, group = _group_of(session, argv)
    if group.consumer(argv[4]) is not None:
        return 0
    group.add_consumer(argv[4], session.keyspace.clock.today())
    session.db.touched(argv[2], XGROUP_CREATECONSUMER)
    return 1


@command(
    "XGROUP DELCONSUMER key group consumer",
    WRITE,
    since="5.0.0",
    complexity="O(N), N = entries pending in the group",
    keys="RW DELETE",
)
def xgroup_delconsumer(session: Context, argv: list[bytes]) -> int:
    """Remove a consumer, and forget what is pending with it; return how many entries that was."""
    _, group = _group_of(session, argv)
    consumer = group.consumer(argv[4])
    if consumer is None:
        return 0
    pending = group.remove_consumer(consumer)
    session.db.touched(argv[2], XGROUP_DELCONSUMER)
    return pending


# Acknowledging


@command("XACK key group id [id ...]", WRITE, FAST, since="5.0.0", complexity="O(N), N = ids", keys="RW UPDATE")
def xack(session: Context, argv: list[bytes]) -> int:
    """Acknowledge entries: they are pending no more. Return how many were."""
    db = session.db
    stream = checked(db.read(argv[1]))
    group = None if stream is None else stream.group(argv[2])
    if group is None:
        return 0
    if len(argv) == 4:
        acknowledged = int(group.pending.remove(id_of(argv[3])))
    else:
        acknowledged = sum(map(group.pending.remove, [id_of(word) for word in argv[3:]]))
    if acknowledged:
        db.touched(argv[1], UNHEARD, acknowledged)
    return acknowledged


# Reading


class _Request:
    """What an XREADGROUP asks for."""

    __slots__ = ("consumer", "count", "group", "keys", "noack", "places", "timeout")

    def __init__(
        self, group: bytes, consumer: bytes, count: int | None, keys: list[bytes], places: list[bytes]
    ) -> None:
        self.group = group
        self.consumer = consumer
        self.count = count
        self.keys = keys
        self.places = places
        self.timeout: float | None = None
        self.noack = False


@command(
    "XREADGROUP <GROUP group consumer> [COUNT count] [BLOCK milliseconds] [NOACK] <STREAMS key [key ...] id [id ...]>",
    WRITE,
    BLOCKING,
    since="5.0.0",
    complexity="O(log N + M) for each stream, N = entries, M = entries returned",
    keys="RO ACCESS",
    key_specs=(KeySpec(4, last=-1, limit=2, keyword="STREAMS"),),
    effect=of_nothing,
)
def xreadgroup(session: Context, argv: list[bytes]) -> Any:
    """Return entries that no consumer of a group has got yet, or those that are pending with one, and wait for new
    ones where there are none."""
    request = _parse_request(session, argv)
    found = _read(session, request)
    if found or request.timeout is None:
        return found or NULL_ARRAY
    return session.block(request.keys, partial(_serve, session, request), request.timeout, NULL_ARRAY)


def _parse_request(session: Context, argv: list[bytes]) -> _Request:
    if len(argv) == 9 and argv[1] in _GROUP and argv[4] in _COUNT and argv[6] in _STREAMS:  # what is sent most
        return _Request(argv[2], argv[3], _count_of(argv[5]), argv[7:8], argv[8:])
    group: bytes | None = None
    consumer, count, timeout, noack = b"", None, None, False
    options = Options(argv, 1)
    while (option := options.take()) != b"STREAMS" or not options.left():
        if option == b"GROUP" and options.left() > 1:
            group, consumer = options.values(2)
        elif option == b"COUNT" and options.left():
            count = _count_of(options.value())
        elif option == b"BLOCK" and options.left():
            timeout = timeout_ms(options.value(), session.keyspace.clock.today())
        elif option == b"NOACK":
            noack = True
        else:
            raise BadSyntax
    words = options.values(options.left())
    half = len(words) // 2
    if len(words) != 2 * half:
        raise RedisError(
            b"ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified."
        )
    if group is None:
        raise RedisError(b"ERR Missing GROUP option for XREADGROUP")
    request = _Request(group, consumer, count, words[:half], words[half:])
    request.timeout, request.noack = timeout, noack
    return request


_GROUP, _COUNT, _STREAMS = ({word, word.lower()} for word in (b"GROUP", b"COUNT", b"STREAMS"))


def _count_of(word: bytes) -> int | None:
    count = integer(word)
    return count if count > 0 else None


def _read(session: Context, request: _Request) -> list[Any]:
    """What a request gets now, as a reply: streams with their entries; those that hold none for it are left out."""
    db, name = session.db, request.group
    asked: list[tuple[bytes, Stream, int | None]] = []
    for key, place in zip(request.keys, request.places, strict=True):
        stream = checked(db.read(key))
        if stream is None or stream.group(name) is None:
            raise no_such_group(key, name, b" in XREADGROUP with GROUP option")
        asked.append((key, stream, None if place == NEW_ENTRIES else _behind(place)))
    db.hits += len(asked)  # Redis looks twice
    found: list[tuple[bytes, Any]] = Pairs() if session.resp == 3 else []
    for key, stream, behind in asked:
        group = stream.group(name)
        assert group is not None
        known = session.effects is None or group.consumer(request.consumer) is not None
        consumer = consumer_of(session, key, group, request.consumer)
        if session.effects is not None and not known and not _will_claim(stream, group, request, behind):
            session.effects.append(consumer_made(key, name, request.consumer))
        if behind is not None:
            found.append((key, _history(session, stream, key, group, consumer, request, behind)))
        elif stream.length and stream.last_id > group.last_id:
            entries = _deliver(session, stream, key, group, consumer, request)
            if not entries:
                continue
            found.append((key, Entries(entries)))
        else:
            continue
        db.touched(key, UNHEARD)
    return found


def _behind(place: bytes) -> int | None:
    """The id behind which a consumer's history is wanted. Redis takes the last id of all for ``>``."""
    word = c_string(place)
    if word in (b"$", b"+"):
        raise RedisError(_MEANINGLESS % (word, word))
    if word == NEW_ENTRIES:
        return None
    number = id_of(word)
    return None if number == LARGEST_ID else number


def _will_claim(stream: Stream, group: Group, request: _Request, behind: int | None) -> bool:
    """Whether an entry will be delivered that names its consumer to replicas."""
    return behind is None and not request.noack and stream.length > 0 and stream.last_live_id() > group.last_id


def _deliver(
    session: Context, stream: Stream, key: bytes, group: Group, consumer: Consumer, request: _Request
) -> list[tuple[bytes, tuple[bytes, ...]]]:
    """Give new entries to a consumer."""
    numbers, entries = stream.read_behind(group.last_id, request.count)
    if numbers:
        group.advance(stream, numbers)
        if not request.noack:
            now = consumer.active_time = session.keyspace.clock.today()
            add = group.pending.add
            for number in numbers:
                add(number, consumer, now)
        if session.effects is not None:
            session.effects += claims_of(key, request.group, group, () if request.noack else numbers)
            session.effects.append(place_of_group(key, request.group, group))
    return entries


def _history(
    session: Context, stream: Stream, key: bytes, group: Group, consumer: Consumer, request: _Request, behind: int
) -> list[Any]:
    """What is pending with a consumer behind an id: given to it once more. Entries that have been deleted from the
    stream have no fields."""
    pending, now = group.pending, session.keyspace.clock.today()
    found: list[Any] = []
    for entry in pending.range(behind + 1, consumer=consumer):
        record = stream.get(entry.id)
        if record is None:
            found.append((format_id(entry.id), NULL_ARRAY))
        else:
            found.append(record)
            pending.add(entry.id, consumer, now, entry.deliveries + 1)
            if session.effects is not None:
                session.effects.append(claim_of(key, request.group, group, entry.id))
        if len(found) == request.count:
            break
    return found


def _serve(session: Context, request: _Request, key: bytes) -> Any:
    """Read again for a client that waits: something has happened to one of its keys, which may be gone."""
    return _read(session, request) or NOT_READY
