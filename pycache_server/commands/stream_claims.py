"""Consumer groups of streams: what is pending, and claiming it from whoever does not get on with it.

Contents: XAUTOCLAIM XCLAIM XPENDING. Entries that are pending and have been deleted from the stream are forgotten when
somebody claims them.
"""

from __future__ import annotations

from typing import Any

from pycache_server.commands.args import Options, integer, integer_in
from pycache_server.commands.context import Context
from pycache_server.commands.registry import FAST, READONLY, WRITE
from pycache_server.commands.stream_effects import claim_of, consumer_made, of_nothing, place_of_group
from pycache_server.commands.stream_groups import consumer_of, no_such_group
from pycache_server.commands.streams import checked, end_of, family, id_of, start_of
from pycache_server.errors import BadSyntax, RedisError, c_string
from pycache_server.resp.encode import NULL_ARRAY
from pycache_server.store.events import UNHEARD
from pycache_server.store.groups import Consumer, Group
from pycache_server.store.numbers import parse_int
from pycache_server.store.pending_chunk import Delivery
from pycache_server.store.stream import Stream
from pycache_server.store.stream_id import LARGEST_ID, format_id, parse_id

command = family.command

_MOST_CLAIMS = (2**63 - 1) // 16
_FEWER_CLAIMS = 1 << 43
"""Redis allocates 16 bytes for each claim beforehand, which no machine does for so many."""
_ATTEMPTS = 10
"""For each entry that is wanted XAUTOCLAIM looks at so many."""


def _find_group(session: Context, key: bytes, name: bytes) -> tuple[Stream, Group]:
    """A stream and a group of it.

    Raises WrongType, RedisError.
    """
    return _group_in(session.db.read(key), key, name)


def _group_in(value: Any, key: bytes, name: bytes) -> tuple[Stream, Group]:
    stream = checked(value)
    group = None if stream is None else stream.group(name)
    if stream is None or group is None:
        raise no_such_group(key, name)
    return stream, group


@command(
    "XPENDING key group [[IDLE min-idle-time] start end count [consumer]]",
    READONLY,
    since="5.0.0",
    complexity="O(N), N = entries returned, and those that are not idle for so long; O(consumers) for the summary",
    keys="RO ACCESS",
    tips=("nondeterministic_output",),
)
def xpending(session: Context, argv: list[bytes]) -> Any:
    """Tell which entries are pending in a group, or how many with whom."""
    if len(argv) == 3:
        return _summary(_find_group(session, argv[1], argv[2])[1])
    if not 6 <= len(argv) <= 9:
        raise BadSyntax
    words, least = argv[3:], 0
    if c_string(words[0]).upper() == b"IDLE":
        least = integer(words[1])
        if len(argv) < 8:
            raise BadSyntax
        words = words[2:]
    count = max(integer(words[2]), 0)
    start, end = start_of(words[0]), end_of(words[1])
    group = _find_group(session, argv[1], argv[2])[1]
    consumer = None
    if len(words) > 3:
        consumer = group.consumer(words[3])
        if consumer is None:
            return []
    return _idle(group, start, end, count, consumer, least, session.keyspace.clock.today())


def _summary(group: Group) -> list[Any]:
    pending = group.pending
    if not pending.length:
        return [0, None, None, NULL_ARRAY]
    counts = [(each.name, b"%d" % each.pending) for each in group.in_order() if each.pending]
    return [pending.length, format_id(pending.first()), format_id(pending.last()), counts]


def _idle(
    group: Group, start: int, end: int, count: int, consumer: Consumer | None, least: int, now: int
) -> list[list[Any]]:
    """Up to ``count`` entries that have been pending for ``least`` ms, as XPENDING tells them."""
    found: list[list[Any]] = []
    for entry in group.pending.range(start, end, consumer) if count else ():
        idle = now - entry.time
        if not least or idle >= least:
            found.append([format_id(entry.id), entry.consumer.name, max(idle, 0), entry.deliveries])
            if len(found) == count:
                break
    return found


# Claiming


class _Claim:
    """What XCLAIM is told but for the ids."""

    __slots__ = ("count", "force", "just_id", "last_id", "time")

    def __init__(self) -> None:
        self.time: int | None = None
        """When the entries have been delivered, None for now."""
        self.count = -1
        """How often, or negative for what follows from before."""
        self.force = False
        self.just_id = False
        self.last_id = 0


@command(
    "XCLAIM key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT count]"
    " [FORCE] [JUSTID] [LASTID lastid]",
    WRITE,
    FAST,
    since="5.0.0",
    complexity="O(N log M), N = ids, M = entries pending",
    keys="RW UPDATE",
    tips=("nondeterministic_output",),
    effect=of_nothing,
)
def xclaim(session: Context, argv: list[bytes]) -> list[Any]:
    """Let entries that are pending be pending with another consumer, and return them."""
    key = argv[1]
    stream, group = _find_group(session, key, argv[2])
    least = max(_number(argv[4], b"Invalid min-idle-time argument for XCLAIM"), 0)
    ids: list[int] = []
    for word in argv[5:]:
        number = parse_id(word)
        if number is None:
            break
        ids.append(number)
    now = session.keyspace.clock.today()
    claim = _parse_claim(Options(argv, 5 + len(ids)), now)
    told = claim.last_id > group.last_id
    if told:
        group.last_id = claim.last_id
    news = _News(session, argv, group)
    consumer = consumer_of(session, key, group, argv[3])
    found: list[Any] = []
    changes = 0
    for number in ids:
        entry = group.pending.get(number)
        record = stream.get(number)
        if record is None:
            news.tell(number if entry is not None else None)
            changes += group.pending.remove(number)
        elif entry is None and not claim.force:
            continue
        elif entry is None or not least or now - entry.time >= least:
            _claim(group, number, consumer, entry, claim, now, session.obeys)
            news.tell(number)
            found.append(record[0] if claim.just_id else record)
            changes += 1
    news.end(told)
    session.db.touched(key, UNHEARD, changes or told)
    return found


class _News:
    """What replicas are told of a claim: each entry that is claimed as it is pending now, or was with whom it was when
    it has been deleted; and the consumer, where there was none of the name."""

    __slots__ = ("_argv", "_effects", "_group", "_new")

    def __init__(self, session: Context, argv: list[bytes], group: Group) -> None:
        self._argv = argv
        self._effects = session.effects
        self._group = group
        self._new = self._effects is not None and group.consumer(argv[3]) is None

    def tell(self, number: int | None) -> None:
        """Tell of an entry; None is of none."""
        if self._effects is not None and number is not None:
            self._effects.append(claim_of(self._argv[1], self._argv[2], self._group, number))

    def end(self, moved: bool) -> None:
        """Tell of the consumer, if no entry has, and of the group's last id where that has ``moved``."""
        effects = self._effects
        if effects is None:
            return
        _, key, name, consumer, *_ = self._argv
        if self._new and not any(words[3] == consumer for words in effects):
            effects.append(consumer_made(key, name, consumer))
        if moved and not any(words[0] == b"XCLAIM" for words in effects):
            effects.append(place_of_group(key, name, self._group))


def _claim(
    group: Group, number: int, consumer: Consumer, entry: Delivery | None, claim: _Claim, now: int, obeys: bool = False
) -> None:
    """Let an entry be pending with a consumer, who has it now."""
    time = claim.time
    if time is None or time < 0 or (time > now and not obeys):
        time = now
    count = claim.count
    if count < 0:
        count = (1 if entry is None else entry.deliveries) + (not claim.just_id)
    group.pending.add(number, consumer, time, count)
    consumer.active_time = now


def _parse_claim(options: Options, now: int) -> _Claim:
    claim = _Claim()
    while (option := options.take()) is not None:
        if option == b"FORCE":
            claim.force = True
        elif option == b"JUSTID":
            claim.just_id = True
        elif option == b"IDLE" and options.left():
            claim.time = now - _number(options.value(), b"Invalid IDLE option argument for XCLAIM")
        elif option == b"TIME" and options.left():
            claim.time = _number(options.value(), b"Invalid TIME option argument for XCLAIM")
        elif option == b"RETRYCOUNT" and options.left():
            claim.count = _number(options.value(), b"Invalid RETRYCOUNT option argument for XCLAIM")
        elif option == b"LASTID" and options.left():
            claim.last_id = id_of(options.value())
        else:
            raise RedisError(b"ERR Unrecognized XCLAIM option '%b'" % c_string(options.word()))
    return claim


def _number(word: bytes, complaint: bytes) -> int:
    number = parse_int(word)
    if number is None:
        raise RedisError(b"ERR " + complaint)
    return number


@command(
    "XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]",
    WRITE,
    FAST,
    since="6.2.0",
    complexity="O(N), N = entries looked at, ten for each that is wanted at most",
    keys="RW DELETE",
    tips=("nondeterministic_output",),
    effect=of_nothing,
)
def xautoclaim(session: Context, argv: list[bytes]) -> list[Any]:
    """Let entries that have been pending for long be pending with a consumer; return where to go on, those entries, and
    which of the others have been deleted."""
    key, now = argv[1], session.keyspace.clock.today()
    value = session.db.read(key)  # which Redis does before it looks at the arguments
    least = max(_number(argv[4], b"Invalid min-idle-time argument for XAUTOCLAIM"), 0)
    start = start_of(argv[5])
    claim, wanted = _Claim(), 100
    options = Options(argv, 6)
    while (option := options.take()) is not None:
        if option == b"COUNT" and options.left():
            wanted = integer_in(options.value(), 1, _MOST_CLAIMS, b"ERR COUNT must be > 0")
        elif option == b"JUSTID":
            claim.just_id = True
        else:
            options.fail()
    stream, group = _group_in(value, key, argv[2])
    if wanted >= _FEWER_CLAIMS:
        raise RedisError(b"ERR Insufficient memory, failed allocating transient memory, COUNT too high.")
    news = _News(session, argv, group)
    consumer = consumer_of(session, key, group, argv[3])
    found: list[Any] = []
    deleted: list[bytes] = []
    following = 0
    for attempt, entry in enumerate(group.pending.range(start, LARGEST_ID)):
        if attempt == wanted * _ATTEMPTS or len(found) + len(deleted) == wanted:
            following = entry.id
            break
        record = stream.get(entry.id)
        if record is None:
            news.tell(entry.id)
            group.pending.remove(entry.id)
            deleted.append(format_id(entry.id))
        elif not least or now - entry.time >= least:
            _claim(group, entry.id, consumer, entry, claim, now)
            news.tell(entry.id)
            found.append(record[0] if claim.just_id else record)
    news.end(False)
    session.db.touched(key, UNHEARD, len(found) + len(deleted))
    return [format_id(following), found, deleted]
