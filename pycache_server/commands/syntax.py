"""A command's syntax line, read: what it requires, where its keys are, how COMMAND DOCS describes its arguments.

The line is written as in Redis's documentation. Lower-case words are arguments, upper-case ones are sent as they are;
``[...]`` is optional, ``<... | ...>`` a choice, ``|`` within brackets separates alternatives, and ``[... ...]`` with
dots repeats what stands before it::

    SET key value [NX | XX] [GET] [EX seconds | PX milliseconds | KEEPTTL]
    ZADD key [NX | XX] score member [score member ...]
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from pycache_server.commands.args import option_of

_WORD = re.compile(r"\.\.\.|[\[\]<>|]|[^\s\[\]<>|]+")
_KEY_NAMES = frozenset(("key", "source", "destination", "destkey", "newkey", "key1", "key2"))
_INTEGER_NAMES = frozenset(
    re.findall(
        r"\S+",
        """
        bit client-id connection-id count cursor db decrement destination-db element-index end entries-added increment
        index index1 index2 len limit max-len-approx maxage maxlen milliseconds min-idle-time min-match-len num-matches
        numfields numkeys offset port protover rank replica-id samples seconds start stop threshold
        """,
    )
)
_DOUBLE_NAMES = frozenset(("timeout", "score", "weight", "longitude", "latitude", "float-increment"))
_TIME_NAMES = frozenset(("unix-time-seconds", "unix-time-milliseconds", "timestamp"))


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a command, as COMMAND DOCS describes it.

    ``kind`` is one of Redis's types: string, integer, double, key, pattern, unix-time, pure-token, oneof, block.
    """

    name: str
    kind: str
    token: str = ""
    optional: bool = False
    multiple: bool = False
    multiple_token: bool = False
    parts: tuple[Argument, ...] = ()

    def least_words(self) -> int:
        """The fewest words that the argument takes."""
        if self.optional:
            return 0
        own = 1 if self.token else 0
        if self.kind == "oneof":
            return own + min(part.least_words() for part in self.parts)
        if self.kind == "block":
            return own + sum(part.least_words() for part in self.parts)
        return 1 if self.kind == "pure-token" else own + 1

    def is_open(self) -> bool:
        """Whether the argument may take more words than its fewest."""
        if self.optional or self.multiple:
            return True
        if any(part.is_open() for part in self.parts):
            return True
        return self.kind == "oneof" and len({part.least_words() for part in self.parts}) > 1


KEY_FLAGS = frozenset(
    ("RO", "RW", "OW", "RM", "ACCESS", "INSERT", "UPDATE", "DELETE", "NOT_KEY", "INCOMPLETE", "VARIABLE_FLAGS")
)
"""What a key specification may say of its keys."""


@dataclass(frozen=True, slots=True)
class KeySpec:
    """Where keys stand among a command's arguments, in the terms of Redis's key specifications.

    ``begin`` is the index of the first one, or of the word behind ``keyword``. The keys reach to ``last`` (relative to
    the first; negative from the end) in steps of ``step``, to one ``limit``-th of the rest where that is not 0; with
    ``counted`` their number stands at ``begin`` instead. Where keys stand as no such terms can say, ``finder`` finds
    them; Redis calls that unknown.
    """

    begin: int = 1
    last: int = 0
    step: int = 1
    limit: int = 0
    counted: bool = False
    keyword: str = ""
    flags: tuple[str, ...] = ()
    notes: str = ""
    finder: Callable[[list[bytes]], list[int]] | None = None

    def __post_init__(self) -> None:
        assert KEY_FLAGS.issuperset(self.flags), self.flags  # a right that has no name is none that ACLs ask for

    def is_no_key(self) -> bool:
        """Whether what stands there is found like a key and is none: a shard channel."""
        return "NOT_KEY" in self.flags

    def find(self, argv: list[bytes]) -> list[int] | None:
        """The indices of the keys in ``argv``; None where the arguments do not fit."""
        if self.finder is not None:
            return self.finder(argv)
        first = self.begin
        if self.keyword:
            keyword = self.keyword.encode()
            first = next((index + 1 for index in range(self.begin, len(argv)) if option_of(argv[index]) == keyword), 0)
            if not 0 < first < len(argv):
                return []
        if not 0 < first < len(argv):
            return None
        if self.counted:
            room = len(argv) - first - 1
            count = int(argv[first]) if argv[first].isdigit() else 0
            if not 0 <= (count - 1) * self.step < room:
                count = c_integer(argv[first])  # Redis tries again, with less care
                if not 0 <= (count - 1) * self.step < room:
                    return None
            return list(range(first + 1, first + 1 + count * self.step, self.step))
        if self.last >= 0:
            last = first + self.last
        elif self.limit > 1:
            last = first + (len(argv) - first) // self.limit + self.last
        else:
            last = len(argv) + self.last
        return list(range(first, last + 1, self.step)) if last < len(argv) else None


_C_INTEGER = re.compile(rb"[ \t-\r]*([+-]?[0-9]+)")


def c_integer(word: bytes) -> int:
    """What C's ``atoi`` makes of a word, with 64 bits for a ``long`` and 32 for an ``int``."""
    found = _C_INTEGER.match(word)
    if found is None:
        return 0
    number = max(-(1 << 63), min(int(found[1][:25]), (1 << 63) - 1))
    return (number + (1 << 31)) % (1 << 32) - (1 << 31)


@dataclass(slots=True)
class _Reader:
    words: list[str]
    position: int = 0

    def peek(self) -> str:
        return self.words[self.position] if self.position < len(self.words) else ""

    def take(self) -> str:
        word = self.peek()
        self.position += 1
        return word


def parse_syntax(line: str) -> tuple[str, tuple[Argument, ...]]:
    """The command's name (lower case, ``container|subcommand``) and its arguments.

    The name is the upper-case words at the beginning, two at most; a literal that follows directly is written in
    brackets (``<STREAMS key ...>``).
    """
    words = _WORD.findall(line)
    count = 0
    while count < len(words) and _is_literal(words[count]) and count < 2:
        count += 1
    reader = _Reader(words, count)
    arguments = _sequence(reader, "")
    return "|".join(word.lower() for word in words[:count]), tuple(arguments)


def _is_literal(word: str) -> bool:
    return bool(re.fullmatch(r"[A-Z0-9_*=~$-][A-Z0-9_.*=~:-]*", word)) and not word.isdigit()


def _sequence(reader: _Reader, closing: str) -> list[Argument]:
    """Arguments up to a closing bracket, a bar, dots or the end."""
    found: list[Argument] = []
    while (word := reader.peek()) and word not in ("|", closing, "..."):
        if word in ("[", "<"):
            _bracket(reader, found)
        elif _is_literal(word):
            found.append(_literal(reader))
        else:
            found.append(_plain(reader.take()))
    return found


def _plain(name: str) -> Argument:
    if name in _KEY_NAMES:
        kind = "key"
    elif name in _INTEGER_NAMES:
        kind = "integer"
    elif name in _DOUBLE_NAMES:
        kind = "double"
    elif name in _TIME_NAMES:
        kind = "unix-time"
    else:
        kind = "pattern" if name == "pattern" else "string"
    return Argument(name, kind)


def _literal(reader: _Reader) -> Argument:
    """A word that is sent as it is, with the plain arguments that belong to it."""
    token = reader.take()
    following: list[Argument] = []
    while (word := reader.peek()) and word not in ("|", "]", ">", "...") and not _is_literal(word):
        if word == "[" and reader.words[reader.position + 1 : reader.position + 2] == [token]:
            break
        if word in ("[", "<"):
            _bracket(reader, following)
        else:
            following.append(_plain(reader.take()))
    name = token.lower()
    if not following:
        return Argument(name, "pure-token", token=token)
    if len(following) == 1 and not following[0].optional:
        return replace(following[0], token=token)
    return Argument(name, "block", token=token, parts=tuple(following))


def _bracket(reader: _Reader, before: list[Argument]) -> None:
    """A bracket: an optional argument, a choice, or the repetition of what stands before it."""
    opening = reader.take()
    closing = "]" if opening == "[" else ">"
    alternatives = [_sequence_with_dots(reader, closing)]
    while reader.peek() == "|":
        reader.take()
        alternatives.append(_sequence_with_dots(reader, closing))
    if reader.take() != closing:
        raise ValueError(f"unbalanced {opening} in syntax")
    parts, repeated = alternatives[0]
    optional = opening == "["
    if repeated and before[-len(parts) :] == parts:
        many = _joined(before[-len(parts) :])
        before[-len(parts) :] = [replace(many, multiple=True, multiple_token=bool(many.token))]
    elif len(alternatives) == 1:
        if optional and len(parts) == 1 and not parts[0].optional:
            before.append(replace(parts[0], optional=True, multiple=parts[0].multiple or repeated))
        else:
            before.append(replace(_joined(parts), optional=optional, multiple=repeated))
    else:
        choices = tuple(_joined(choice, dots) for choice, dots in alternatives)
        before.append(Argument("-or-".join(c.name for c in choices[:3]), "oneof", optional=optional, parts=choices))


def _sequence_with_dots(reader: _Reader, closing: str) -> tuple[list[Argument], bool]:
    parts = _sequence(reader, closing)
    repeated = reader.peek() == "..."
    if repeated:
        reader.take()
    return parts, repeated


def _joined(parts: list[Argument], repeated: bool = False) -> Argument:
    """Several arguments as one."""
    if len(parts) == 1:
        return replace(parts[0], multiple=True) if repeated else parts[0]
    return Argument("-".join(part.name for part in parts), "block", multiple=repeated, parts=tuple(parts))


def with_kinds(arguments: tuple[Argument, ...], kinds: dict[str, str]) -> tuple[Argument, ...]:
    """Arguments of which some, by their names, are of another type than the names say."""
    return tuple(
        replace(each, kind=kinds.get(each.name, each.kind), parts=with_kinds(each.parts, kinds)) for each in arguments
    )


def arity_of(name: str, arguments: tuple[Argument, ...]) -> int:
    """Redis's arity: how many words there are with the name, negative where that is the least."""
    least = len(name.split("|")) + sum(argument.least_words() for argument in arguments)
    return -least if any(argument.is_open() for argument in arguments) else least


def key_specs_of(name: str, arguments: tuple[Argument, ...]) -> tuple[KeySpec, ...]:
    """The key specifications that the syntax implies: of keys at fixed places, lists of them, and counted ones."""
    specs: list[KeySpec] = []
    index = len(name.split("|"))
    for number, argument in enumerate(arguments):
        after = arguments[number + 1 :]
        if argument.name == "numkeys":
            specs.append(KeySpec(index, counted=True))
            break
        if argument.kind == "key" and not argument.token:
            behind = sum(later.least_words() for later in after)
            specs.append(KeySpec(index, last=-1 - behind if argument.multiple else 0))
        elif argument.kind == "block" and argument.multiple and argument.parts[0].kind == "key":
            specs.append(KeySpec(index, last=-1, step=len(argument.parts)))
        if argument.is_open():
            break
        index += argument.least_words()
    return tuple(specs)
