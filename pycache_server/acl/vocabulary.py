"""What rules can name: commands, subcommands, categories.

A set of commands is an integer with a bit for each command and subcommand. So the empty set is 0, and the set of all
commands, future ones included, is -1: a number that is negative has all bits of commands that are not there yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from pycache_server.errors import c_string

ALL = -1
"""The set of all commands."""
Matcher = Callable[[bytes], object]


class Described(Protocol):
    """A command as the vocabulary is told of it."""

    @property
    def name(self) -> str:
        """In lower case, ``container|subcommand`` for a subcommand."""

    @property
    def categories(self) -> Iterable[str]:
        """The names of its categories."""

    @property
    def is_free(self) -> bool:
        """Whether anybody may use it, even without authentication."""

    @property
    def subcommands(self) -> Mapping[str, Any]:
        """What is described so, too."""


class Word:
    """A command or subcommand. ``bit`` is its own, ``reach`` has those of its subcommands besides. It
    is ``free`` where anybody may use it."""

    __slots__ = ("bit", "free", "name", "parent", "reach", "subcommands")

    def __init__(self, name: bytes, bit: int, parent: Word | None, free: bool) -> None:
        self.name = name
        self.bit = self.reach = bit
        self.parent = parent
        self.free = free
        self.subcommands: dict[bytes, Word] = {}


class Category:
    """``members`` are the commands in it. ``reach`` is what a rule that names it changes: those and all their
    subcommands. ``words`` are the commands, for rules that forget what they had of first arguments."""

    __slots__ = ("members", "reach", "words")

    def __init__(self) -> None:
        self.members = self.reach = 0
        self.words: list[Word] = []

    def add(self, word: Word) -> None:
        """Take in a command whose subcommands are known."""
        self.members |= word.bit
        self.reach |= word.reach
        self.words.append(word)


class Vocabulary:
    """All words of one server, and what rules mean there.

    Commands are taken in when somebody asks for a word: a server without rules never does.

    ``compile_glob`` makes a matcher of a pattern. ``open_channels`` is acl-pubsub-default: whether new selectors may
    use all channels.
    """

    def __init__(
        self,
        commands: Iterable[Described],
        categories: Sequence[str],
        compile_glob: Callable[[bytes], Matcher],
    ) -> None:
        self.compile_glob = compile_glob
        self.open_channels = False
        self._words: dict[bytes, Word] = {}
        self._commands: list[Word] = []
        self._categories: dict[bytes, Category] = {name.encode(): Category() for name in categories}
        self._new = list(commands)

    def add(self, described: Described) -> None:
        """Learn a command. Whoever may use all commands may use this one; nobody else, unless a rule says so."""
        self._new.append(described)

    def _take_in(self) -> None:
        new, self._new = self._new, []
        for described in new:
            if described.name.encode() not in self._words:
                self._commands.append(self._add(described, None))

    @property
    def words(self) -> dict[bytes, Word]:
        """Commands and subcommands by full name."""
        if self._new:
            self._take_in()
        return self._words

    @property
    def commands(self) -> list[Word]:
        """The commands that are no subcommands."""
        if self._new:
            self._take_in()
        return self._commands

    @property
    def categories(self) -> dict[bytes, Category]:
        """All categories by name."""
        if self._new:
            self._take_in()
        return self._categories

    def _add(self, described: Described, parent: Word | None) -> Word:
        name = described.name.encode()
        word = self._words[name] = Word(name, 1 << len(self._words), parent, described.is_free)
        for each in described.subcommands.values():
            subword = self._add(each, word)
            word.subcommands[subword.name.partition(b"|")[2]] = subword
            word.reach |= subword.bit
        for category in described.categories:
            self._categories[category.encode()].add(word)
        return word

    def find(self, name: bytes) -> Word | None:
        """The command ``name`` or ``container|subcommand``, in whatever case."""
        return self.words.get(c_string(name).lower())

    def category(self, name: bytes) -> Category | None:
        """The category, in whatever case."""
        return self.categories.get(c_string(name).lower())
