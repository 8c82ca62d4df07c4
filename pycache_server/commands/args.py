"""Reading arguments: numbers, options, ranges. Everything raises Redis's own errors."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import NoReturn

from pycache_server.errors import BadSyntax, BadTimeout, NotAnInteger, RedisError, c_string
from pycache_server.store.numbers import INT_MAX, INT_MIN, parse_float, parse_int, parse_long_double, round_long_double

_FREQUENT = {b"%d" % value: value for value in range(-100, 1025)}


frequent_integer = _FREQUENT.get
"""The integer that a text stands for, if it is one of those that are met most; None otherwise."""


def integer(text: bytes) -> int:
    """A 64-bit integer. Small ones, which most commands are given, are looked up: 60 ns against 250 to 450.

    Raises NotAnInteger.
    """
    value = _FREQUENT.get(text)
    if value is None:
        value = parse_int(text)
        if value is None:
            raise NotAnInteger
    return value


def integer_in(text: bytes, low: int, high: int, message: bytes | None = None) -> int:
    """An integer within bounds.

    Raises RedisError with ``message``, or with Redis's sentences.
    """
    value = parse_int(text)
    if value is None:
        raise RedisError(message) if message is not None else NotAnInteger
    if not low <= value <= high:
        raise RedisError(message or b"ERR value is out of range, value must between %d and %d" % (low, high))
    return value


def int32(text: bytes) -> int:
    """An integer of 32 bits, as Redis takes database numbers.

    Raises RedisError.
    """
    return integer_in(text, -(2**31), 2**31 - 1)


def positive(text: bytes, message: bytes = b"ERR value is out of range, must be positive") -> int:
    """An integer that is not negative.

    Raises RedisError with ``message``, also where the text is no integer at all, as Redis does.
    """
    return integer_in(text, 0, INT_MAX, message)


def timeout_seconds(text: bytes, now: int) -> float:
    """The timeout of a blocking command in seconds, 0 for ever; ``now`` is in ms.

    Raises RedisError.
    """
    whole = _FREQUENT.get(text)
    if whole is not None:
        return _checked_timeout(whole * 1000, now)
    milliseconds = _milliseconds(text)
    if milliseconds is None:
        raise BadTimeout
    if milliseconds > INT_MAX:
        raise RedisError(b"ERR timeout is out of range")
    return _checked_timeout(-1 if milliseconds == float("-inf") else ceil(milliseconds), now)


def _milliseconds(text: bytes) -> float | Fraction | None:
    """Seconds as milliseconds. Redis calculates in long doubles, which matters where the range of doubles ends, and
    for -0.001, of which a little less than a millisecond remains: then it is no negative timeout but none."""
    value = parse_float(text)
    if value is not None and not -0.01 < value < 0:
        return value * 1000
    wide = parse_long_double(text)
    return round_long_double(wide * 1000) if isinstance(wide, Fraction) else wide


def timeout_ms(text: bytes, now: int) -> float:
    """A timeout given in whole ms, as seconds; ``now`` is in ms.

    Raises RedisError.
    """
    value = parse_int(text)
    if value is None:
        raise RedisError(b"ERR timeout is not an integer or out of range")
    return _checked_timeout(value, now)


def _checked_timeout(milliseconds: int, now: int) -> float:
    if milliseconds < 0:
        raise RedisError(b"ERR timeout is negative")
    if milliseconds > INT_MAX - now:
        raise RedisError(b"ERR timeout is out of range")
    return milliseconds / 1000


def option_of(word: bytes) -> bytes:
    """The name of an option in upper case. C compares it as a string: what follows a NUL does not count."""
    return c_string(word).upper()


class Options:
    """A walk through the optional words behind a command's fixed arguments::

    options = Options(argv, 3)
    while (option := options.take()) is not None:
        if option == b"COUNT":
            count = integer(options.value())
        else:
            options.fail()
    """

    __slots__ = ("_argv", "_position")

    def __init__(self, argv: list[bytes], position: int) -> None:
        self._argv = argv
        self._position = position

    def take(self) -> bytes | None:
        """The next word in upper case, or None at the end."""
        argv, position = self._argv, self._position
        if position >= len(argv):
            return None
        self._position = position + 1
        word = argv[position]
        return option_of(word) if b"\0" in word else word.upper()

    def word(self) -> bytes:
        """The word that ``take`` gave last, as it was sent."""
        return self._argv[self._position - 1]

    def left(self) -> int:
        """How many words follow."""
        return len(self._argv) - self._position

    def value(self) -> bytes:
        """The word that belongs to an option.

        Raises BadSyntax where there is none.
        """
        if self._position >= len(self._argv):
            raise BadSyntax
        self._position += 1
        return self._argv[self._position - 1]

    def values(self, count: int) -> list[bytes]:
        """The next ``count`` words.

        Raises BadSyntax where there are fewer.
        """
        if count > self.left():
            raise BadSyntax
        self._position += count
        return self._argv[self._position - count : self._position]

    def fail(self) -> NoReturn:
        """An option that is not known or not allowed here."""
        raise BadSyntax


def index_range(start: int, stop: int, length: int) -> tuple[int, int]:
    """Redis's inclusive range with negative indices from the end, as a half-open slice within ``length``."""
    if start < 0:
        start += length
        if start < 0:
            start = 0
    if stop < 0:
        stop += length
    elif stop >= length:
        stop = length - 1
    return (start, stop + 1) if start <= stop else (0, 0)


def clamp(value: int) -> int:
    """An integer cut to 64 bits."""
    return max(INT_MIN, min(INT_MAX, value))


MOST_DRAWS = 1 << 28
"""Most elements that are drawn with repetition: replies of gigabytes, where Redis tries as long as there is memory."""


def draws(count: int) -> int:
    """How many elements to draw with repetition, which a negative count asks for.

    Raises RedisError where no memory holds so many.
    """
    if -count > MOST_DRAWS:
        raise RedisError(b"ERR value is out of range")
    return -count
