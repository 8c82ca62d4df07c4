"""Bitmaps: strings as strings of bits.

Contents: BITCOUNT BITFIELD BITFIELD_RO BITOP BITPOS GETBIT SETBIT. The bit operations themselves are in store/bits.py.

What writes bits edits a bytearray in place, so that a bit of a bitmap of 100 MB costs no more than one of 100 bytes. As
in Redis a string takes the form ``raw`` before anybody knows whether a bit will change, and a key is made; neither
counts as a change.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pycache_server.commands.args import integer, option_of
from pycache_server.commands.context import Context
from pycache_server.commands.registry import DENYOOM, FAST, READONLY, WRITE, Family
from pycache_server.commands.strings import SET
from pycache_server.errors import BadSyntax, RedisError, c_string
from pycache_server.store import bits
from pycache_server.store.events import DEL, STRING, Event
from pycache_server.store.numbers import INT_MAX, INT_MIN, parse_int
from pycache_server.store.strings import editable, grow, readable

family = Family("bitmap")
command = family.command

SETBIT = Event(STRING, b"setbit")


class BadOffset(RedisError):
    text = b"ERR bit offset is not an integer or out of range"


class BadBit(RedisError):
    text = b"ERR bit is not an integer or out of range"


class BadField(RedisError):
    text = b"ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."


# Single bits


@command("SETBIT key offset value", WRITE, DENYOOM, since="2.2.0", keys="RW ACCESS UPDATE", kinds={"value": "integer"})
def setbit(session: Context, argv: list[bytes]) -> int:
    """Set or clear a bit of the string at a key, filling up with zero bytes; return what it was."""
    _, key, offset, word = argv
    place = _offset(session, offset)
    bit = parse_int(word)
    if bit not in (0, 1):
        raise BadBit
    text, grown = _room_for(session, key, place)
    index, mask = place >> 3, 0x80 >> (place & 7)
    old = 1 if text[index] & mask else 0
    if old != bit:
        text[index] ^= mask
    if grown or old != bit:
        session.db.touched(key, SETBIT)
    return old


def _offset(session: Context, word: bytes, unit: int = 1) -> int:
    """The number of a bit; with ``unit`` a number of fields of that many bits.

    Raises BadOffset.
    """
    place = parse_int(word)
    if place is None:
        raise BadOffset
    place *= unit
    if not INT_MIN <= place <= INT_MAX:
        place = (place - INT_MIN) % 2**64 + INT_MIN  # what the product of two long longs comes to
    if not 0 <= place >> 3 < session.keyspace.longest_string:
        raise BadOffset
    return place


def _room_for(session: Context, key: bytes, bit: int) -> tuple[bytearray, bool]:
    """The string at a key, to be edited in place, with room for a bit; and whether that had to be made.

    Raises WrongType.
    """
    value = session.db.find(key)
    length = (bit >> 3) + 1
    if type(value) is bytearray and len(value) >= length:
        return value, False
    text = bytearray() if value is None else editable(value)
    grown = len(text) < length
    grow(text, length)
    session.db.recast(key, text)
    return text, grown


@command("GETBIT key offset", READONLY, FAST, since="2.2.0", keys="RO ACCESS")
def getbit(session: Context, argv: list[bytes]) -> int:
    """Return a bit of the string at a key."""
    place = _offset(session, argv[2])
    value = session.db.read(argv[1])
    if value is None:
        return 0
    text = readable(value)
    index = place >> 3
    return text[index] >> (7 - (place & 7)) & 1 if index < len(text) else 0


# Many bits


@command(
    "BITCOUNT key [start end [BYTE | BIT]]", READONLY, since="2.6.0", complexity="O(N), N = bytes", keys="RO ACCESS"
)
def bitcount(session: Context, argv: list[bytes]) -> int:
    """Count the set bits of the string at a key, or of a part of it."""
    start, end, unit = 0, -1, 8
    if len(argv) > 2:
        if len(argv) not in (4, 5):
            raise BadSyntax
        start, end = integer(argv[2]), integer(argv[3])
        unit = _unit(argv, 4)
    value = session.db.read(argv[1])
    if value is None:
        return 0
    text = readable(value)
    if start < 0 and end < 0 and start > end:
        return 0
    first, last = _bit_range(text, start, end, unit)
    return bits.count_bits(text, first, last) if first <= last else 0


@command(
    "BITPOS key bit [start [end [BYTE | BIT]]]",
    READONLY,
    since="2.8.7",
    complexity="O(N), N = bytes",
    keys="RO ACCESS",
)
def bitpos(session: Context, argv: list[bytes]) -> int:
    """Find the first bit that is set, or clear, in the string at a key or in a part of it."""
    bit = integer(argv[2])
    if bit not in (0, 1):
        raise RedisError(b"ERR The bit argument must be 1 or 0.")
    if len(argv) > 6:
        raise BadSyntax
    start = integer(argv[3]) if len(argv) > 3 else 0
    unit = _unit(argv, 5)
    end = integer(argv[4]) if len(argv) > 4 else -1
    value = session.db.read(argv[1])
    if value is None:
        return -1 if bit else 0
    text = readable(value)
    first, last = _bit_range(text, start, end, unit)
    if first > last:
        return -1
    place = bits.find_bit(text, bool(bit), first, last)
    if place < 0 and not bit and len(argv) < 5:  # without an end, zeros follow the string
        return len(text) * 8
    return place


def _unit(argv: list[bytes], place: int) -> int:
    """How many bits a range counts as one: the word BIT or BYTE, if there is one at ``place``.

    Raises BadSyntax.
    """
    word = option_of(argv[place]) if len(argv) > place else b"BYTE"
    if word not in (b"BYTE", b"BIT"):
        raise BadSyntax
    return 8 if word == b"BYTE" else 1


def _bit_range(text: bits.Text, start: int, end: int, unit: int) -> tuple[int, int]:
    """The first and the last bit of a range of bits or bytes; negative numbers count from the end."""
    count = len(text) * 8 // unit
    start = max(start + count, 0) if start < 0 else start
    end = max(end + count, 0) if end < 0 else end
    return start * unit, (min(end, count - 1) + 1) * unit - 1


_COMBINATIONS = {b"AND": bits.AND, b"OR": bits.OR, b"XOR": bits.XOR}


@command(
    "BITOP <AND | OR | XOR | NOT> destkey key [key ...]",
    WRITE,
    DENYOOM,
    since="2.6.0",
    complexity="O(N), N = bytes",
    keys="OW UPDATE;RO ACCESS",
)
def bitop(session: Context, argv: list[bytes]) -> int:
    """Combine the bits of strings into another string; return its length."""
    operation, target, sources = option_of(argv[1]), argv[2], argv[3:]
    combination = _COMBINATIONS.get(operation)
    if combination is None and operation != b"NOT":
        raise BadSyntax
    if combination is None and len(sources) > 1:
        raise RedisError(b"ERR BITOP NOT must be called with a single source key.")
    db = session.db
    texts = [b"" if (value := db.read(key)) is None else readable(value) for key in sources]
    result = bits.complement(texts[0]) if combination is None else bits.combine(combination, texts)
    if result:
        db.put(target, result, SET)
    else:
        db.delete(target, DEL)
    return len(result)


# Fields


class Field(NamedTuple):
    """One operation of BITFIELD on an integer of ``width`` bits."""

    operation: bytes
    signed: bool
    width: int
    offset: int
    operand: int
    overflow: bytes


def _key_flags_of_bitfield(argv: list[bytes]) -> str:
    """What BITFIELD may do to its key: write it, unless it surely does not."""
    position = 2
    while position < len(argv):
        operation = option_of(argv[position])
        position += 1 + _OPERANDS.get(operation, len(argv))
        if operation not in (b"GET", b"OVERFLOW") or position > len(argv):
            return "RW ACCESS UPDATE"
    return "RO ACCESS"


@command(
    "BITFIELD key [<GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] "
    "<SET encoding offset value | INCRBY encoding offset increment>> ...]",
    WRITE,
    DENYOOM,
    since="3.2.0",
    complexity="O(N), N = operations",
    keys="RW ACCESS UPDATE VARIABLE_FLAGS",
    key_flags=_key_flags_of_bitfield,
    kinds={"value": "integer"},
)
def bitfield(session: Context, argv: list[bytes]) -> list[int | None]:
    """Read, set and add to integers of any width within the string at a key."""
    fields = list(_fields(session, argv))
    writes = [field.offset + field.width - 1 for field in fields if field.operation != b"GET"]
    if not writes:
        return _read_fields(session, argv[1], fields)
    text, grown = _room_for(session, argv[1], max(writes))
    replies: list[int | None] = []
    changes = 0
    for field in fields:
        reply, old, new = _apply(text, field)
        replies.append(reply)
        if new is not None and (grown or old != new):
            changes += 1
    if changes:
        session.db.touched(argv[1], SETBIT, changes)
    elif grown and session.effects is not None:  # by an operation that failed: Redis does not tell its replicas
        session.effects.append([b"SETRANGE", argv[1], b"%d" % (len(text) - 1), bytes(text[-1:])])
    return replies


@command(
    "BITFIELD_RO key [GET encoding offset [GET encoding offset ...]]",
    READONLY,
    FAST,
    since="6.0.0",
    complexity="O(N), N = operations",
    keys="RO ACCESS",
)
def bitfield_ro(session: Context, argv: list[bytes]) -> list[int | None]:
    """Read integers of any width within the string at a key."""
    fields = list(_fields(session, argv))
    if any(field.operation != b"GET" for field in fields):
        raise RedisError(b"ERR BITFIELD_RO only supports the GET subcommand")
    return _read_fields(session, argv[1], fields)


def _read_fields(session: Context, key: bytes, fields: list[Field]) -> list[int | None]:
    value = session.db.read(key)
    text = b"" if value is None else readable(value)
    return [bits.read_field(text, field.offset, field.width, field.signed) for field in fields]


_OPERANDS = {b"GET": 2, b"SET": 3, b"INCRBY": 3, b"OVERFLOW": 1}


def _fields(session: Context, argv: list[bytes]) -> Iterator[Field]:
    """The operations of BITFIELD.

    Raises RedisError.
    """
    overflow = b"WRAP"
    position = 2
    while position < len(argv):
        operation = option_of(argv[position])
        count = _OPERANDS.get(operation)
        if count is None or position + count >= len(argv):
            raise BadSyntax
        words = argv[position + 1 : position + 1 + count]
        position += 1 + count
        if operation == b"OVERFLOW":
            overflow = option_of(words[0])
            if overflow not in (b"WRAP", b"SAT", b"FAIL"):
                raise RedisError(b"ERR Invalid OVERFLOW type specified")
            continue
        signed, width = _encoding(words[0])
        hashed = words[1].startswith(b"#")
        offset = _offset(session, words[1][1:], width) if hashed else _offset(session, words[1])
        operand = integer(words[2]) if count == 3 else 0
        yield Field(operation, signed, width, offset, operand, overflow)


def _encoding(word: bytes) -> tuple[bool, int]:
    """Whether a type like ``i16`` is signed, and its width.

    Raises BadField.
    """
    signed = word[:1] == b"i"
    width = parse_int(c_string(word[1:]))
    if word[:1] not in (b"i", b"u") or width is None or not 1 <= width <= (64 if signed else 63):
        raise BadField
    return signed, width


def _apply(text: bytearray, field: Field) -> tuple[int | None, int, int | None]:
    """Carry out one operation: its reply, and what the field held before and holds now, None where nothing has been
    written to it."""
    operation, signed, width, offset, operand, overflow = field
    old = bits.read_field(text, offset, width, signed)
    if operation == b"GET":
        return old, old, None
    if operation == b"INCRBY":
        wanted = old + operand
    else:
        wanted = operand if signed else operand % 2**64  # a negative number is a huge one to an unsigned field
        if overflow == b"SAT" and width < 64 and (1 << (width - 1)) - 1 - wanted > INT_MAX:
            wanted = -wanted  # the room above it is more than 64 bits hold: to Redis, so small a number is too large
    new = _fitted(wanted, signed, width, overflow)
    if new is None:
        return None, old, None
    bits.write_field(text, offset, width, new)
    return (new if operation == b"INCRBY" else old), old, new


def _fitted(wanted: int, signed: bool, width: int, overflow: bytes) -> int | None:
    """What a field takes for a number that may be too large or too small for it; None where it shall refuse."""
    low, high = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)
    if low <= wanted <= high:
        return wanted
    if overflow == b"WRAP":
        return (wanted - low) % (1 << width) + low
    if overflow == b"SAT":
        return high if wanted > high else low
    return None
