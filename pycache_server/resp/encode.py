"""Values -> bytes, for both versions of the protocol.

A command returns plain Python: bytes is a bulk string, int an integer, None a null, list or tuple an array, dict a
map, set or frozenset a set, float a double, bool a boolean, an exception from errors.py an error. What Python has no
type for is here: Wire (a reply in its final form), NULL_ARRAY, Verbatim, Push, Pairs, SetReply, Texts, Entries,
Rows, Spot, Scored. The session loop encodes bytes, Wire and int itself; everything else comes through
``encode2`` or ``encode3``, whichever HELLO bound.

Two sentinels are no replies: NO_REPLY (the command has sent what it had to send) and HALT (nothing more may be
executed for this client for now).

Source: the RESP specification of Redis; numbers are written as redis-server 7.2 and later write them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain
from math import copysign
from typing import Any, Final

from pycache_server.errors import RedisError

CRLF = b"\r\n"
HEADERS_UP_TO = 4096
"""Headers of bulk strings below this length, and integers below it, exist as ready bytes."""
BULK_HEADERS: Final = [b"$%d\r\n" % size for size in range(HEADERS_UP_TO)]
INTEGERS: Final = [b":%d\r\n" % value for value in range(HEADERS_UP_TO)]
JOINTS: Final = [b"\r\n$%d\r\n" % size for size in range(HEADERS_UP_TO)]
"""What stands between the end of something and a bulk string of a size."""
joint = JOINTS.__getitem__
"""The same for ``map``; both raise IndexError where that is long."""

_DIGITS: Final = [b"%d" % value for value in range(HEADERS_UP_TO)]

_BYTES_ONLY = {bytes}
_FEW = 4

Encoder = Callable[[Any], bytes]


class Wire(bytes):
    """A reply that is encoded already, the same in both versions of the protocol."""

    __slots__ = ()


class Verbatim:
    """A verbatim string: a bulk string in RESP2. ``kind`` has three letters."""

    __slots__ = ("kind", "text")

    def __init__(self, text: bytes, kind: bytes = b"txt") -> None:
        self.text = text
        self.kind = kind


class Push(list[Any]):
    """An out-of-band message: an array in RESP2."""

    __slots__ = ()


class Texts(list[bytes]):
    """An array that is known to hold nothing but byte strings: nobody has to look."""

    __slots__ = ()


class SetReply(list[Any]):
    """A set in the order of a list: an array in RESP2."""

    __slots__ = ()


class Pairs(list[tuple[Any, Any]]):
    """A map whose keys may be of any kind, as a list of pairs; in RESP2 a flat array."""

    __slots__ = ()


class Entries(list[tuple[bytes, Sequence[bytes]]]):
    """Names with texts that belong to each: an array of arrays of a bulk string and an array of them."""

    __slots__ = ()


class Scored:
    """Members with their scores: one flat array in RESP2, an array of pairs in RESP3."""

    __slots__ = ("members", "scores")

    def __init__(self, members: list[bytes], scores: Iterable[float]) -> None:
        self.members = members
        self.scores = scores


class Rows:
    """Rows with the same fields, given by columns: of byte strings, integers or Spots. An array of arrays."""

    __slots__ = ("columns",)

    def __init__(self, *columns: Sequence[Any]) -> None:
        self.columns = columns


class Spot(bytes):
    """Two coordinates, written without an exponent, with up to 17 digits behind the point: an array of doubles. It is
    what follows the end of something else in RESP2."""

    __slots__ = ()


class _Sentinel:
    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


NO_REPLY: Final = _Sentinel("NO_REPLY")
HALT: Final = _Sentinel("HALT")
NULL_ARRAY: Final = _Sentinel("NULL_ARRAY")

OK: Final = Wire(b"+OK\r\n")
PONG: Final = Wire(b"+PONG\r\n")
QUEUED: Final = Wire(b"+QUEUED\r\n")
EMPTY_ARRAY: Final = Wire(b"*0\r\n")


def status(text: bytes) -> Wire:
    """A status reply with ``text``, which must not hold CR or LF."""
    return Wire(b"+" + text + CRLF)


_WHOLE_LIMIT = 2.0**62


def format_double(value: float) -> bytes:
    """A double as Redis 7.2 and later print it (``d2string``): whole numbers up to 2^62 plainly, others with the
    fewest digits that read back the same. Python's repr finds the same digits; the layout is that of fpconv."""
    if 0.0 < value < HEADERS_UP_TO:
        whole = int(value)
        if whole == value:
            return _DIGITS[whole]
    if value != value:
        return b"nan"
    if -_WHOLE_LIMIT <= value <= _WHOLE_LIMIT:
        whole = int(value)
        if whole == value:
            return b"-0" if not whole and copysign(1.0, value) < 0 else b"%d" % whole
    elif value in (float("inf"), float("-inf")):
        return b"inf" if value > 0 else b"-inf"
    text = repr(value)
    if 0.001 <= value < 10000.0 or (text.find(".", -7) >= 0 and "e" not in text):
        return text.encode()  # both lay out alike
    return _lay_out(text).encode()


def _lay_out(text: str) -> str:
    """Write the number that ``text``, a repr, stands for as ``digits * 10 ** scale`` in fpconv's way: plain while
    few zeros have to be added, else with an exponent that is not padded."""
    sign = "-" if text[0] == "-" else ""
    mantissa, _, exponent = text.lstrip("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    if not exponent and len(whole) > 4 and len(fraction) > 6:  # a time with its microseconds, say
        return f"{sign}{whole[0]}.{whole[1:]}{fraction}e+{len(whole) - 1}"
    digits = (whole + fraction).rstrip("0")
    scale = int(exponent or 0) + len(whole) - len(digits)
    digits = digits.lstrip("0")
    power = scale + len(digits) - 1
    if scale >= 0 and power < len(digits) + 7:
        return sign + digits + "0" * scale
    if scale < 0 and (scale > -7 or abs(power) < 4):
        point = len(digits) + scale
        if point <= 0:
            return sign + "0." + "0" * -point + digits
        return sign + digits[:point] + "." + digits[point:]
    tail = "." + digits[1:] if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{tail}e{power:+d}"


def encode_bulk(value: bytes | bytearray) -> bytes:
    """A bulk string."""
    return b"".join((b"$%d\r\n" % len(value), value, CRLF))


def encode_array(values: Sequence[Any], encode: Encoder) -> bytes:
    """An array. A short one, or one with others than bytes, goes piece by piece: 120 ns for each that is bytes, 250 for
    any other; ``encode_texts`` takes a third of that, but more to begin with."""
    count = len(values)
    if count > _FEW and type(values[0]) is bytes and set(map(type, values)) == _BYTES_ONLY:
        return encode_texts(values)
    parts = [b"*%d\r\n" % count]
    for value in values:
        if type(value) is bytes and len(value) < HEADERS_UP_TO:
            parts += (BULK_HEADERS[len(value)], value, CRLF)
        else:
            parts.append(encode(value))
    return b"".join(parts)


def encode_texts(values: Sequence[bytes]) -> bytes:
    """An array of byte strings, laid out without a step of Python for each."""
    count = len(values)
    if not count:
        return EMPTY_ARRAY
    size = len(values[0])
    if size == len(values[-1]) == len(values[count >> 1]) and list(map(len, values)).count(size) == count:
        between = joint(size) if size < HEADERS_UP_TO else b"\r\n$%d\r\n" % size
        return b"".join((b"*%d" % count, between, between.join(values), CRLF))
    parts: list[bytes] = [CRLF] * (2 * count)
    try:
        parts[::2] = map(joint, map(len, values))
    except IndexError:
        return b"*%d\r\n" % count + b"".join(map(encode_bulk, values))
    parts[1::2] = values
    return b"*%d%b\r\n" % (count, b"".join(parts))


def encode_entries(entries: Sequence[tuple[bytes, Sequence[bytes]]]) -> bytes:
    """Names with texts: 0.4 us for one with two texts, where ``encode_array`` takes 2.8."""
    parts = [b"*%d" % len(entries)]
    for name, texts in entries:
        parts.append(b"\r\n*2\r\n$%d\r\n%b\r\n*%d" % (len(name), name, len(texts)))
        for text in texts:
            size = len(text)
            parts.append(joint(size) if size < HEADERS_UP_TO else CRLF + b"$%d\r\n" % size)
            parts.append(text)
    parts.append(CRLF)
    return b"".join(parts)


def spot(longitude: float, latitude: float) -> Spot:
    """The coordinates of a place as a reply, as Redis prints them."""
    first, second = ((b"%.17f" % value).rstrip(b"0").rstrip(b".") for value in (longitude, latitude))
    return Spot(b"\r\n*2%b%b%b%b" % (joint(len(first)), first, joint(len(second)), second))


def _wide(value: Spot) -> bytes:
    """What follows the end of something else in RESP3."""
    words = value.split(CRLF)
    return b"\r\n*2\r\n,%b\r\n,%b" % (words[3], words[5])


def _encode_rows(value: Rows, wide: bool) -> bytes:
    """Rows, laid out without a step of Python for each text; ``wide`` in RESP3."""
    columns = value.columns
    count = len(columns[0])
    if not count:
        return EMPTY_ARRAY
    size = 1 + len(columns) + sum(type(column[0]) is bytes for column in columns)
    parts: list[bytes] = [b"\r\n*%d" % len(columns)] * (size * count)
    place = 1
    for column in columns:
        kind = type(column[0])
        if kind is bytes:
            if len(max(column, key=len)) < HEADERS_UP_TO:
                parts[place::size] = map(joint, map(len, column))
            else:
                parts[place::size] = [b"\r\n$%d\r\n" % len(text) for text in column]
            place += 1
            parts[place::size] = column
        elif kind is int:
            parts[place::size] = [b"\r\n:%d" % number for number in column]
        else:
            parts[place::size] = map(_wide, column) if wide else column
        place += 1
    return b"*%d%b\r\n" % (count, b"".join(parts))


def _encode_pairs(pairs: Iterable[tuple[Any, Any]], encode: Encoder) -> bytes:
    """Keys and values as a flat array."""
    return encode_array(list(chain.from_iterable(pairs)), encode)


def _encode_map(pairs: Iterable[tuple[Any, Any]], count: int, encode: Encoder) -> bytes:
    """A map: but for its header a flat array."""
    array = _encode_pairs(pairs, encode)
    return b"%%%d" % count + array[array.index(b"\r") :]


def _encode_scored2(value: Scored) -> bytes:
    flat: list[bytes] = [b""] * (2 * len(value.members))
    flat[::2] = value.members
    flat[1::2] = map(format_double, value.scores)
    return encode_texts(flat)


def _encode_scored3(value: Scored) -> bytes:
    pairs = [
        b"*2\r\n$%d\r\n%b\r\n,%b\r\n" % (len(member), member, format_double(score))
        for member, score in zip(value.members, value.scores, strict=True)
    ]
    return b"*%d\r\n%b" % (len(pairs), b"".join(pairs))


def _encode_double2(value: float) -> bytes:
    text = format_double(value)
    return BULK_HEADERS[len(text)] + text + CRLF


def _encode_int(value: int) -> bytes:
    return b":%d\r\n" % value


def _encode_wire(value: bytes) -> bytes:
    return value


def _encoder(encoders: dict[type, Encoder]) -> Encoder:
    def encode(value: Any) -> bytes:
        try:
            encoder = encoders[type(value)]
        except KeyError:
            if isinstance(value, RedisError):
                return value.wire
            raise TypeError(f"a command returned a {type(value).__name__}") from None
        return encoder(value)

    return encode


_ENCODERS2: dict[type, Encoder] = {}
_ENCODERS3: dict[type, Encoder] = {}
encode2: Final = _encoder(_ENCODERS2)
"""Any value as RESP2."""
encode3: Final = _encoder(_ENCODERS3)
"""Any value as RESP3."""


def _set_up_encoders() -> None:
    for encoders, encode in ((_ENCODERS2, encode2), (_ENCODERS3, encode3)):
        encoders.update(dict.fromkeys((bytes, bytearray), encode_bulk))
        encoders[Wire] = _encode_wire
        encoders[Entries] = encode_entries
        encoders[Texts] = encode_texts
        encoders[int] = _encode_int
        encoders.update(dict.fromkeys((list, tuple), partial(encode_array, encode=encode)))
    _ENCODERS2.update(
        {
            type(None): lambda _: b"$-1\r\n",
            type(NULL_ARRAY): lambda _: b"*-1\r\n",
            bool: lambda value: b":1\r\n" if value else b":0\r\n",
            float: _encode_double2,
            Spot: lambda value: value[2:] + CRLF,
            Rows: lambda value: _encode_rows(value, wide=False),
            dict: lambda value: _encode_pairs(value.items(), encode2),
            Pairs: lambda value: _encode_pairs(value, encode2),
            set: lambda value: encode_array(list(value), encode2),
            frozenset: lambda value: encode_array(list(value), encode2),
            Push: lambda value: encode_array(value, encode2),
            SetReply: lambda value: encode_array(value, encode2),
            Verbatim: lambda value: encode_bulk(value.text),
            Scored: _encode_scored2,
        }
    )
    _ENCODERS3.update(
        {
            type(None): lambda _: b"_\r\n",
            type(NULL_ARRAY): lambda _: b"_\r\n",
            bool: lambda value: b"#t\r\n" if value else b"#f\r\n",
            float: lambda value: b",%b\r\n" % format_double(value),
            Spot: lambda value: _wide(value)[2:] + CRLF,
            Rows: lambda value: _encode_rows(value, wide=True),
            dict: lambda value: _encode_map(value.items(), len(value), encode3),
            Pairs: lambda value: _encode_map(value, len(value), encode3),
            set: lambda value: b"~" + encode_array(list(value), encode3)[1:],
            frozenset: lambda value: b"~" + encode_array(list(value), encode3)[1:],
            Push: lambda value: b">" + encode_array(value, encode3)[1:],
            SetReply: lambda value: b"~" + encode_array(value, encode3)[1:],
            Verbatim: lambda value: b"=%d\r\n%b:%b\r\n" % (len(value.text) + 4, value.kind, value.text),
            Scored: _encode_scored3,
        }
    )


_set_up_encoders()
