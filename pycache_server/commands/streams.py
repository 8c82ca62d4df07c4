"""Streams: XADD, XREAD and their relatives.

Contents: XADD XDEL XLEN XRANGE XREAD XREVRANGE XSETID XTRIM. What an id is made of is told in store/stream_id.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from pycache_server.commands.args import Options, integer, option_of, timeout_ms
from pycache_server.commands.context import NOT_READY, Context
from pycache_server.commands.registry import BLOCKING, DENYOOM, FAST, READONLY, WRITE, Family
from pycache_server.commands.stream_effects import added_without_trimming, of_xadd, of_xtrim, trimmed_with_references
from pycache_server.commands.syntax import KeySpec
from pycache_server.errors import BadSyntax, NoSuchKey, RedisError, WrongType, c_string, wrong_arity
from pycache_server.resp.encode import NULL_ARRAY, OK, Entries, Pairs
from pycache_server.store.events import QUIET, STREAM, Event
from pycache_server.store.references import REFS, Refs
from pycache_server.store.references import trim as trim_referenced
from pycache_server.store.stream import NoIdLeft, Stream
from pycache_server.store.stream_id import (
    FEW,
    LARGEST_ID,
    LARGEST_SEQ,
    SEQ_BITS,
    SMALL,
    begin_moment,
    format_id,
    latest,
    parse_id,
)

family = Family("stream")
command = family.command

XADD = Event(STREAM, b"xadd")
XTRIM = Event(STREAM, b"xtrim")
XDEL = Event(STREAM, b"xdel")
XSETID = Event(STREAM | QUIET, b"xsetid")


class BadId(RedisError):
    text = b"ERR Invalid stream ID specified as stream command argument"


def checked(value: Any) -> Stream | None:
    """What a key holds, if that is a stream or nothing.

    Raises WrongType.
    """
    if value is None or type(value) is Stream:
        return value
    raise WrongType


def id_of(word: bytes, missing: int = 0) -> int:
    """An id; ``missing`` is its second part where only the first is given.

    Raises BadId.
    """
    number = parse_id(word, missing)
    if number is None:
        raise BadId
    return number


# Adding and trimming


class _Trim:
    """MAXLEN or MINID: how much of a stream shall be left."""

    __slots__ = ("approximate", "by_id", "gone", "holes", "limit", "refs", "threshold")

    def __init__(self, by_id: bool, approximate: bool, threshold: int) -> None:
        self.by_id = by_id
        self.approximate = approximate
        self.threshold = threshold
        self.limit = 0
        self.refs = Refs.KEEP
        self.gone: list[int] | None = None
        """The ids that were removed with regard to references."""
        self.holes = False
        """Whether of those some were behind others that stay."""

    def apply(self, stream: Stream) -> int:
        """Trim a stream; returns how many entries that cost."""
        if self.refs is not Refs.KEEP and stream.groups:
            self.gone = []
            trimmed, self.holes = trim_referenced(
                stream, self.refs, self.by_id, self.threshold, self.approximate, self.limit, self.gone
            )
            return trimmed
        trim = stream.trim_before if self.by_id else stream.trim_to_length
        return trim(self.threshold, self.approximate, self.limit)

    def tell(self, session: Context, key: bytes, stream: Stream) -> None:
        """Tell what has gone with regard to references."""
        if self.gone and session.effects is not None:
            session.effects += trimmed_with_references(key, stream, self.refs, self.gone, self.holes)


class _Addition:
    """What XADD is told but for fields and values."""

    __slots__ = ("create", "id", "in_ms", "trim")

    def __init__(self) -> None:
        self.trim: _Trim | None = None
        self.create = True
        self.id: int | None = None
        """The new id, or None for one by the time."""
        self.in_ms = False
        """Whether of the id only the first part was given."""

    def next_id(self, session: Context, stream: Stream) -> int:
        """The id for the new entry.

        Raises RedisError where there is none left.
        """
        if stream.last_id == LARGEST_ID:
            raise NoIdLeft
        if self.id is None:
            return stream.next_id(session.keyspace.clock.today())
        return stream.next_id_within(self.id >> SEQ_BITS) if self.in_ms else self.id


_BY_TIME = _Addition()


@command(
    "XADD key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [<MAXLEN | MINID> [= | ~] threshold [LIMIT count]] <* | id>"
    " field value [field value ...]",
    WRITE,
    DENYOOM,
    FAST,
    since="5.0.0",
    complexity="O(1), and O(N) to trim, N = entries removed",
    keys="RW UPDATE",
    tips=("nondeterministic_output",),
    effect=of_xadd,
)
def xadd(session: Context, argv: list[bytes]) -> bytes | None:
    """Add an entry to a stream; create the stream where it is not there."""
    if argv[2] != b"*":
        return _add(session, argv, *_parse_addition(session, argv))
    db, key = session.db, argv[1]
    stream, words = db.find(key), argv[3:]
    if type(stream) is not Stream or len(words) & 1:
        return _add(session, argv, _BY_TIME, words)
    keyspace = session.keyspace
    moment, seconds = latest.moment, keyspace.clock.seconds()
    if moment[0] != seconds:
        moment = begin_moment(seconds)
    _, first, text = moment  # all of a batch see one: that spares 0.2 us of 1.6
    number = stream.append(first, words, keyspace.encodings, True)
    db.touched(key, XADD)
    seq = number - first
    return text + SMALL[seq] if 0 <= seq < FEW else format_id(number)


def _add(session: Context, argv: list[bytes], addition: _Addition, words: list[bytes]) -> bytes | None:
    """XADD with everything that may be. Returns the entry's id, or None where no stream was to be made."""
    if len(words) < 2 or len(words) % 2:
        raise wrong_arity(b"xadd")
    if addition.id == 0 and not addition.in_ms:
        raise RedisError(b"ERR The ID specified in XADD must be greater than 0-0")
    db, key = session.db, argv[1]
    stream = found = db.find(key)
    if type(stream) is not Stream and checked(stream) is None:
        if not addition.create:
            return None
        stream = Stream()
    number = addition.next_id(session, stream)
    stream.append(number, words, session.keyspace.encodings)
    trimmed = 0 if addition.trim is None else addition.trim.apply(stream)
    if found is None:
        db.put(key, stream, XADD)
    else:
        db.touched(key, XADD)
    if trimmed:
        db.announce(key, XTRIM)
    if addition.trim is not None and addition.trim.gone is not None and session.effects is not None:
        session.effects.append(added_without_trimming(argv, format_id(number)))
        addition.trim.tell(session, key, stream)
    return format_id(number)


def _parse_addition(session: Context, argv: list[bytes]) -> tuple[_Addition, list[bytes]]:
    """The options and the id of XADD, and the words behind them."""
    addition = _Addition()
    if len(argv) > 6 and argv[5] == b"*" and argv[3] == b"~" and option_of(argv[2]) == b"MAXLEN":
        addition.trim = _Trim(False, True, _length_of(argv[4]))  # what is sent most, without a walk
        addition.trim.limit = _usual_limit(session)
        return addition, argv[6:]
    limit = refs = None
    options = Options(argv, 2)
    while (option := options.take()) is not None:
        if option == b"*":
            break
        if option in (b"MAXLEN", b"MINID") and options.left():
            addition.trim = _parse_trim(options, option, addition.trim)
        elif option == b"LIMIT" and options.left():
            limit = _parse_limit(options)
        elif option == b"NOMKSTREAM":
            addition.create = False
        elif option in REFS and refs is None:
            refs = REFS[option]
        else:
            first, _, second = options.word().partition(b"-")
            addition.in_ms = second == b"*"
            addition.id = id_of(first if addition.in_ms else options.word())
            break
    _set_limit(session, addition.trim, limit, refs)
    return addition, options.values(options.left())


@command(
    "XTRIM key <<MAXLEN | MINID> [= | ~] threshold [LIMIT count]> [KEEPREF | DELREF | ACKED]",
    WRITE,
    since="5.0.0",
    complexity="O(N), N = entries removed",
    keys="RW DELETE",
    tips=("nondeterministic_output",),
    effect=of_xtrim,
)
def xtrim(session: Context, argv: list[bytes]) -> int:
    """Remove the oldest entries of a stream, down to a length or up to an id."""
    trim = limit = refs = None
    options = Options(argv, 2)
    while (option := options.take()) is not None:
        if option in (b"MAXLEN", b"MINID") and options.left():
            trim = _parse_trim(options, option, trim)
        elif option == b"LIMIT" and options.left():
            limit = _parse_limit(options)
        elif option in REFS and refs is None:
            refs = REFS[option]
        else:
            options.fail()
    if trim is None and not limit:
        raise RedisError(b"ERR syntax error, XTRIM must be called with a trimming strategy")
    _set_limit(session, trim, limit, refs)
    stream = checked(session.db.find(argv[1]))
    if stream is None or trim is None:
        return 0
    trimmed = trim.apply(stream)
    if trimmed:
        session.db.touched(argv[1], XTRIM, trimmed)
        trim.tell(session, argv[1], stream)
    return trimmed


def _parse_trim(options: Options, option: bytes, before: _Trim | None) -> _Trim:
    """What follows MAXLEN or MINID; ``before`` is what has been given already.

    Raises RedisError.
    """
    if before is not None:
        raise RedisError(b"ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
    operator = word = options.value()
    if operator in (b"~", b"=") and options.left():
        word = options.value()
    if option == b"MINID":
        return _Trim(True, operator == b"~", id_of(word))
    return _Trim(False, operator == b"~", _length_of(word))


def _length_of(word: bytes) -> int:
    length = integer(word)
    if length < 0:
        raise RedisError(b"ERR The MAXLEN argument must be >= 0.")
    return length


def _parse_limit(options: Options) -> int:
    limit = integer(options.value())
    if limit < 0:
        raise RedisError(b"ERR The LIMIT argument must be >= 0.")
    return limit


def _set_limit(session: Context, trim: _Trim | None, limit: int | None, refs: Refs | None) -> None:
    """Let a trimming go no further than ``limit``, or than a hundred nodes where none was given, and do with references
    what ``refs`` says.

    Raises RedisError where a limit makes no sense.
    """
    if limit and trim is None:
        raise RedisError(b"ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
    if trim is not None and refs is not None:
        trim.refs = refs
    if trim is None or not trim.approximate:
        if limit is not None and not session.obeys:  # it has held already
            raise RedisError(b"ERR syntax error, LIMIT cannot be used without the special ~ option")
    elif limit is not None:
        trim.limit = limit
    else:
        trim.limit = _usual_limit(session)


def _usual_limit(session: Context) -> int:
    """How many entries go at once where nothing is said of it: those of a hundred nodes."""
    return min(100 * session.keyspace.encodings.stream_node_max_entries, 1_000_000) or 10_000


@command(
    "XDEL key id [id ...]", WRITE, FAST, since="5.0.0", complexity="O(N log M), N = ids, M = entries", keys="RW DELETE"
)
def xdel(session: Context, argv: list[bytes]) -> int:
    """Remove entries; return how many were there."""
    stream = checked(session.db.find(argv[1]))
    if stream is None:
        return 0
    deleted = sum(map(stream.delete, [id_of(word) for word in argv[2:]]))
    if deleted:
        session.db.touched(argv[1], XDEL, deleted)
    return deleted


@command(
    "XSETID key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]",
    WRITE,
    DENYOOM,
    FAST,
    since="5.0.0",
    keys="RW UPDATE",
)
def xsetid(session: Context, argv: list[bytes]) -> Any:
    """Set what a stream remembers: its last id, how many entries it has had, the greatest id that was removed."""
    last = id_of(argv[2])
    added, deleted = None, 0
    options = Options(argv, 3)
    while (option := options.take()) is not None:
        if option == b"ENTRIESADDED" and options.left():
            added = integer(options.value())
            if added < 0:
                raise RedisError(b"ERR entries_added must be positive")
        elif option == b"MAXDELETEDID" and options.left():
            deleted = id_of(options.value())
            if last < deleted:
                raise RedisError(b"ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id")
        else:
            options.fail()
    stream = checked(session.db.find(argv[1]))
    if stream is None:
        raise NoSuchKey
    _check_last_id(stream, last, added)
    stream.last_id = last
    stream.added = stream.added if added is None else added
    stream.max_deleted_id = deleted or stream.max_deleted_id
    session.db.touched(argv[1], XSETID)
    return OK


def _check_last_id(stream: Stream, last: int, added: int | None) -> None:
    """Raise RedisError where a stream could not have come to this last id and this number of entries."""
    if last < stream.max_deleted_id:
        raise RedisError(b"ERR The ID specified in XSETID is smaller than current max_deleted_entry_id")
    if stream.length and last < stream.last_live_id():
        raise RedisError(b"ERR The ID specified in XSETID is smaller than the target stream top item")
    if stream.length and added is not None and added < stream.length:
        raise RedisError(b"ERR The entries_added specified in XSETID is smaller than the target stream length")


# Reading


@command("XLEN key", READONLY, FAST, since="5.0.0", keys="RO")
def xlen(session: Context, argv: list[bytes]) -> int:
    """Count the entries of a stream."""
    stream = checked(session.db.read(argv[1]))
    return 0 if stream is None else stream.length


@command(
    "XRANGE key start end [COUNT count]",
    READONLY,
    since="5.0.0",
    complexity="O(log N + M), N = entries, M = entries returned",
    keys="RO ACCESS",
)
def xrange(session: Context, argv: list[bytes]) -> Any:
    """Return the entries between two ids, oldest first."""
    return _range_generic(session, argv, argv[2], argv[3], backwards=False)


@command(
    "XREVRANGE key end start [COUNT count]",
    READONLY,
    since="5.0.0",
    complexity="O(log N + M), N = entries, M = entries returned",
    keys="RO ACCESS",
)
def xrevrange(session: Context, argv: list[bytes]) -> Any:
    """Return the entries between two ids, newest first."""
    return _range_generic(session, argv, argv[3], argv[2], backwards=True)


def _range_generic(session: Context, argv: list[bytes], low: bytes, high: bytes, backwards: bool) -> Any:
    start, end = start_of(low), end_of(high)
    count = _count_of(argv) if len(argv) > 4 else None
    stream = checked(session.db.read(argv[1]))
    if stream is None:
        return []
    return NULL_ARRAY if count == 0 else Entries(stream.range(start, end, count, backwards))


def _count_of(argv: list[bytes]) -> int | None:
    """How many entries XRANGE shall return, at most.

    Raises RedisError.
    """
    count = None
    options = Options(argv, 4)
    while (option := options.take()) is not None:
        if option == b"COUNT" and options.left():
            count = max(integer(options.value()), 0)
        else:
            options.fail()
    return count


def start_of(word: bytes) -> int:
    """The first id of a range; behind ``(`` an id that does not belong to it."""
    if word == b"-":
        return 0
    if word[:1] != b"(" or len(word) == 1:
        return bound_of(word, 0)
    number = id_of(word[1:])
    if number == LARGEST_ID:
        raise RedisError(b"ERR invalid start ID for the interval")
    return number + 1


def end_of(word: bytes) -> int:
    """The last id of a range; behind ``(`` an id that does not belong to it."""
    if word == b"+":
        return LARGEST_ID
    if word[:1] != b"(" or len(word) == 1:
        return bound_of(word, LARGEST_SEQ)
    number = id_of(word[1:], LARGEST_SEQ)
    if number == 0:
        raise RedisError(b"ERR invalid end ID for the interval")
    return number - 1


def bound_of(word: bytes, missing: int) -> int:
    """An id, or one of its ends: ``-`` or ``+``.

    Raises BadId.
    """
    word = c_string(word)
    if word == b"-":
        return 0
    return LARGEST_ID if word == b"+" else id_of(word, missing)


@command(
    "XREAD [COUNT count] [BLOCK milliseconds] <STREAMS key [key ...] id [id ...]>",
    READONLY,
    BLOCKING,
    since="5.0.0",
    complexity="O(log N + M) for each stream, N = entries, M = entries returned",
    keys="RO ACCESS",
    key_specs=(KeySpec(1, last=-1, limit=2, keyword="STREAMS"),),
)
def xread(session: Context, argv: list[bytes]) -> Any:
    """Return what streams hold behind some ids, and wait for it where there is nothing yet."""
    timeout = count = None
    options = Options(argv, 1)
    while (option := options.take()) != b"STREAMS" or not options.left():
        if option == b"BLOCK" and options.left():
            timeout = timeout_ms(options.value(), session.keyspace.clock.today())
        elif option == b"COUNT" and options.left():
            count = max(integer(options.value()), 0) or None
        elif option == b"NOACK" or (option == b"GROUP" and options.left() > 1):
            raise RedisError(
                b"ERR The " + option + b" option is only supported by XREADGROUP. You called XREAD instead."
            )
        else:
            raise BadSyntax
    words = options.values(options.left())
    if len(words) % 2:
        raise RedisError(b"ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.")
    keys, places = words[: len(words) // 2], list(map(c_string, words[len(words) // 2 :]))
    after = _resolve(session, keys, places)
    found = _read_behind(session, keys, after, count)
    if found or timeout is None:
        return found or NULL_ARRAY
    waiting = [word if word == b"+" else number for word, number in zip(places, after, strict=True)]
    return session.block(keys, partial(_serve, session, keys, waiting, count), timeout, NULL_ARRAY, wants=Stream)


def _serve(session: Context, keys: list[bytes], places: Sequence[bytes | int], count: int | None, key: bytes) -> Any:
    """Read again for a client that waits: one of its streams has changed, and perhaps others with it."""
    return _read_behind(session, keys, _resolve(session, keys, places), count) or NOT_READY


def _resolve(session: Context, keys: list[bytes], places: Sequence[bytes | int]) -> list[int]:
    """The ids behind which streams are to be read.

    Raises RedisError.
    """
    read = session.db.read
    return [_place(checked(read(key)), place) for key, place in zip(keys, places, strict=True)]


def _place(stream: Stream | None, place: bytes | int) -> int:
    if isinstance(place, int):
        return place
    if place == b"$":
        return 0 if stream is None else stream.last_id
    if place == b"+":
        return 0 if stream is None else max(stream.last_live_id() - 1, 0)
    if place == b">":
        raise RedisError(
            b"ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
        )
    return id_of(place)


def _read_behind(session: Context, keys: list[bytes], after: list[int], count: int | None) -> list[Any]:
    """Streams with what they hold behind an id each, as a reply; those that hold nothing there are left out."""
    read = session.db.read
    found: list[tuple[bytes, Any]] = Pairs() if session.resp == 3 else []
    for key, number in zip(keys, after, strict=True):
        stream: Stream | None = read(key)
        if stream is not None and stream.last_id > number and stream.last_live_id() > number:
            found.append((key, Entries(stream.range(number + 1, count=count))))
    return found
