"""Kinds of directive: from words to a value and back, with the error texts of Redis.

``parse`` takes the words behind the directive's name and raises Invalid; ``text`` gives what CONFIG GET answers;
``lines`` gives what CONFIG REWRITE writes behind the name, one string for each line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pycache_server.entry import NEVER

INT_MAX = NEVER - 1
_UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1 << 10, "m": 10**6, "mb": 1 << 20, "g": 10**9, "gb": 1 << 30}
_AMOUNT = re.compile(r"(-?\d+)([a-z]*)", re.IGNORECASE)


class Invalid(ValueError):
    """A value that the directive does not take; the text is Redis's."""


class Kind:
    """A directive of one word."""

    def parse(self, words: Sequence[str]) -> Any:
        """The value that the words stand for."""
        if len(words) != 1:
            raise Invalid("wrong number of arguments")
        return self.parse_word(words[0])

    def parse_word(self, word: str) -> Any:
        """The value that one word stands for."""
        return word

    def text(self, value: Any) -> str:
        """The value as CONFIG GET shows it."""
        return str(value)

    def lines(self, value: Any) -> list[str]:
        """The value as CONFIG REWRITE writes it."""
        return [quoted(self.text(value))]


class Text(Kind):
    """Any word."""


class YesNo(Kind):
    """``yes`` or ``no``."""

    def parse_word(self, word: str) -> bool:
        if word.lower() not in ("yes", "no"):
            raise Invalid("argument must be 'yes' or 'no'")
        return word.lower() == "yes"

    def text(self, value: Any) -> str:
        return "yes" if value else "no"


@dataclass(frozen=True)
class Choice(Kind):
    """One of some words; ``many`` allows several of them, with blanks between."""

    names: tuple[str, ...]
    many: bool = False

    def parse(self, words: Sequence[str]) -> Any:
        if self.many:
            return " ".join(self._one(word) for group in words for word in group.split())
        return super().parse(words)

    def parse_word(self, word: str) -> str:
        return self._one(word)

    def _one(self, word: str) -> str:
        if word.lower() not in self.names:
            raise Invalid("argument(s) must be one of the following: " + ", ".join(self.names))
        return word.lower()


@dataclass(frozen=True)
class Number(Kind):
    """An integer within bounds."""

    low: int = 0
    high: int = INT_MAX

    def parse_word(self, word: str) -> int:
        if not re.fullmatch(r"-?\d{1,19}", word):
            raise Invalid("argument couldn't be parsed into an integer")
        return self.bounded(int(word))

    def bounded(self, value: int) -> int:
        """The value, if it is within the bounds."""
        if not self.low <= value <= self.high:
            raise Invalid(f"argument must be between {self.low} and {self.high} inclusive")
        return value


@dataclass(frozen=True)
class Memory(Number):
    """A number of bytes, with a unit if one likes: k, kb, m, mb, g, gb. With ``percent`` also a percentage, which is
    kept as a negative number."""

    percent: bool = False

    def parse_word(self, word: str) -> int:
        if self.percent and word.endswith("%"):
            return -self._percentage(word[:-1])
        return self.bounded(parse_memory(word))

    def _percentage(self, word: str) -> int:
        if not word.isdigit():
            raise Invalid("argument must be a memory or percent value")
        if int(word) > 100:
            raise Invalid("percentage argument must be less or equal to 100")
        return int(word)

    def text(self, value: Any) -> str:
        return f"{-value}%" if value < 0 else str(value)

    def lines(self, value: Any) -> list[str]:
        if value < 0:
            return [self.text(value)]
        for unit in ("gb", "mb", "kb"):
            if value and value % _UNITS[unit] == 0:
                return [f"{value // _UNITS[unit]}{unit}"]
        return [str(value)]


def parse_memory(word: str) -> int:
    """A number of bytes with a unit.

    Raises Invalid.
    """
    found = _AMOUNT.fullmatch(word)
    if found is None or found[2].lower() not in _UNITS or int(found[1]) < 0:
        raise Invalid("argument must be a memory value")
    return int(found[1]) * _UNITS[found[2].lower()]


class Octal(Kind):
    """File permissions."""

    def parse_word(self, word: str) -> int:
        if not re.fullmatch(r"[0-7]{1,4}", word):
            raise Invalid("argument must be between 0 and 777 inclusive")
        return int(word, 8)

    def text(self, value: Any) -> str:
        return f"{value:o}"


@dataclass(frozen=True)
class Words(Kind):
    """Several words, kept as a tuple."""

    least: int = 0
    most: int = 1000

    def parse(self, words: Sequence[str]) -> Any:
        found = tuple(word for group in words for word in group.split())
        if not self.least <= len(found) <= self.most:
            raise Invalid("wrong number of arguments")
        return found

    def text(self, value: Any) -> str:
        return " ".join(value)

    def lines(self, value: Any) -> list[str]:
        return [" ".join(map(quoted, value)) or '""']


_MOST_FIGURE = 2000


class Figures(Words):
    """The figures of oom-score-adj-values."""

    def parse(self, words: Sequence[str]) -> Any:
        found = super().parse(words)
        if not all(re.fullmatch(r"[-+]?\d{1,4}", word) and abs(int(word)) <= _MOST_FIGURE for word in found):
            raise Invalid(f"Invalid oom-score-adj-values, elements must be between -{_MOST_FIGURE} and {_MOST_FIGURE}.")
        return tuple(str(int(word)) for word in found)


class Voters(Words):
    """The seats of a group: host:port, each once."""

    def parse(self, words: Sequence[str]) -> Any:
        found = super().parse(words)
        for seat in found:
            host, _, port = seat.rpartition(":")
            if not host or "," in seat or not port.isdecimal() or not 0 < int(port) < 65536:
                raise Invalid(f"'{seat}' is not host:port")
        if len(set(found)) < len(found):
            raise Invalid("a voter is named twice")
        return found


class Master(Kind):
    """The host and port of a master; nothing for ``no one``."""

    def parse(self, words: Sequence[str]) -> Any:
        found = tuple(word for group in words for word in group.split())
        if not found:
            return ()
        if len(found) != 2:
            raise Invalid("wrong number of arguments")
        if tuple(map(str.lower, found)) == ("no", "one"):
            return ()
        if not re.fullmatch(r"\d{1,5}", found[1]) or int(found[1]) > 65535:
            raise Invalid("Invalid master port")
        return found

    def text(self, value: Any) -> str:
        return " ".join(value)

    def lines(self, value: Any) -> list[str]:
        return [" ".join(map(quoted, value))] if value else []


class Percentiles(Kind):
    """Numbers from 0 to 100."""

    def parse(self, words: Sequence[str]) -> Any:
        found = tuple(word for group in words for word in group.split())
        for word in found:
            if not re.fullmatch(r"\d+(\.\d*)?|\.\d+", word):
                raise Invalid("Invalid latency-tracking-info-percentiles parameters")
            if float(word) > 100:
                raise Invalid("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
        return tuple(map(float, found))

    def text(self, value: Any) -> str:
        return " ".join(f"{number:g}" for number in value)


class SavePoints(Kind):
    """Pairs of seconds and changes; nothing, or an empty word, for no automatic saving."""

    def parse(self, words: Sequence[str]) -> Any:
        found = [word for group in words for word in group.split()]
        if len(found) % 2 or not all(re.fullmatch(r"\d{1,18}", word) for word in found):
            raise Invalid("Invalid save parameters")
        points = tuple(zip(map(int, found[::2]), map(int, found[1::2]), strict=True))
        if any(seconds < 1 for seconds, _ in points):
            raise Invalid("Invalid save parameters")
        return points

    def text(self, value: Any) -> str:
        return " ".join(f"{seconds} {changes}" for seconds, changes in value)

    def lines(self, value: Any) -> list[str]:
        return [f"{seconds} {changes}" for seconds, changes in value] or ['""']


LONGEST_TIME = 10**10
"""Most seconds that a key can be given to live: some 300 years."""


def scoped_words(words: Sequence[str], width: int, what: str) -> Iterator[tuple[str, str, list[str]]]:
    """Groups of words with a scope before each: ``all``, ``db`` or ``prefix``, which one, and ``width`` words.

    Raises Invalid.
    """
    rest = [word for word in words if word]
    while rest:
        scope = rest[0].lower()
        if scope not in ("db", "prefix"):
            yield "all", "", rest[:width]
            rest = rest[width:]
            continue
        if len(rest) < 2 + width:
            raise Invalid(f"'{scope}' must be followed by a {'number' if scope == 'db' else 'prefix'} and {what}")
        if scope == "db" and not re.fullmatch(r"\d{1,9}", rest[1]):
            raise Invalid(f"'{rest[1]}' is not the number of a database")
        yield scope, rest[1], rest[2 : 2 + width]
        rest = rest[2 + width :]


class Times(Kind):
    """Seconds for everything, for databases or for prefixes of keys: ``[db NUMBER | prefix WORD] SECONDS``, as often as
    one likes. Kept as a tuple of (scope, which, seconds), the scope ``all``, ``db`` or ``prefix``."""

    def parse(self, words: Sequence[str]) -> Any:
        found: dict[tuple[str, str], int] = {}
        for scope, which, (amount,) in scoped_words(words, 1, "seconds"):
            if not re.fullmatch(r"\d{1,11}", amount) or int(amount) > LONGEST_TIME:
                raise Invalid(f"'{amount}' must be a number of seconds between 0 and {LONGEST_TIME}")
            found[scope, which] = int(amount)
        return tuple((*place, seconds) for place, seconds in found.items())

    def text(self, value: Any) -> str:
        return " ".join(self.lines(value))

    def lines(self, value: Any) -> list[str]:
        return [
            str(seconds) if scope == "all" else f"{scope} {quoted(which)} {seconds}" for scope, which, seconds in value
        ]


class Limits(Kind):
    """Limits of databases and prefixes of keys: ``db NUMBER | prefix WORD`` SIZE POLICY, as often as one likes. Kept as
    a tuple of (scope, which, bytes, policy)."""

    def parse(self, words: Sequence[str]) -> Any:
        found: dict[tuple[str, str], tuple[int, str]] = {}
        for scope, which, rest in scoped_words(words, 2, "a size and a policy"):
            if scope == "all":
                raise Invalid(f"'{rest[0]}' must be 'db' or 'prefix': maxmemory is the limit of everything")
            found[scope, which] = parse_memory(rest[0]), rest[1]
        return tuple((*place, *limit) for place, limit in found.items())

    def text(self, value: Any) -> str:
        return " ".join(self.lines(value))

    def lines(self, value: Any) -> list[str]:
        return [f"{scope} {quoted(which)} {Memory().lines(size)[0]} {name}" for scope, which, size, name in value]


CLASSES = ("normal", "slave", "pubsub")


class OutputLimits(Kind):
    """Limits of the output buffer of each class of clients: a dict of (hard, soft, seconds)."""

    def parse(self, words: Sequence[str]) -> Any:
        found = [word for group in words for word in group.split()]
        if not found or len(found) % 4:
            raise Invalid("Wrong number of arguments in buffer limit configuration.")
        limits = {}
        for name, hard, soft, seconds in zip(found[::4], found[1::4], found[2::4], found[3::4], strict=True):
            kind = {"replica": "slave"}.get(name.lower(), name.lower())
            if kind not in CLASSES:
                raise Invalid("Invalid client class specified in buffer limit configuration.")
            try:
                limits[kind] = (parse_memory(hard), parse_memory(soft), int(seconds))
            except ValueError:
                raise Invalid("Error in hard, soft or soft_seconds setting in buffer limit configuration.") from None
            if limits[kind][2] < 0:
                raise Invalid("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
        return limits

    def text(self, value: Any) -> str:
        return " ".join(f"{name} {hard} {soft} {seconds}" for name, (hard, soft, seconds) in value.items())

    def lines(self, value: Any) -> list[str]:
        memory = Memory()
        return [
            f"{'replica' if name == 'slave' else name} {memory.lines(hard)[0]} {memory.lines(soft)[0]} {seconds}"
            for name, (hard, soft, seconds) in value.items()
        ]


@dataclass(frozen=True)
class Checked(Kind):
    """A word with a test of its own: ``check`` returns what is wrong, or None."""

    check: Callable[[str], str | None]

    def parse_word(self, word: str) -> str:
        problem = self.check(word)
        if problem is not None:
            raise Invalid(problem)
        return word


@dataclass(frozen=True)
class Letters(Kind):
    """A set of letters of ``known``, told in the order of ``order``; A stands for those of ``all_of``."""

    known: str
    order: str
    all_of: str

    def parse_word(self, word: str) -> str:
        if not set(word) <= set(self.known):
            raise Invalid(f"Invalid event class character. Use '{self.known}'.")
        return word

    def text(self, value: Any) -> str:
        letters = set(value) | set(self.all_of if "A" in value else "")
        short = letters.issuperset(self.all_of)
        told = "A" if short else ""
        return told + "".join(each for each in self.order if each in letters and not (short and each in self.all_of))


def delay_of(value: int) -> float:
    """Seconds for each key of a delay as rdb-key-save-delay has it: microseconds, or keys to a microsecond below 0."""
    return value / 1e6 if value >= 0 else 1e-6 / -value


def quoted(word: str) -> str:
    """A word as it must stand in a configuration file."""
    if word and re.fullmatch(r"[!-&(-~]+", word) and '"' not in word and "\\" not in word and not word.startswith("#"):
        return word
    escaped = "".join(_escape(character) for character in word)
    return f'"{escaped}"'


def _escape(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character == "\n":
        return "\\n"
    if character == "\r":
        return "\\r"
    if character == "\t":
        return "\\t"
    if character.isprintable():
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))
