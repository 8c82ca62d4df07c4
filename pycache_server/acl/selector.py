"""A set of permissions: commands, keys, channels. What it refuses needs another selector of the user.

A command may be allowed for some first arguments alone (``+select|0``); that is kept by its name, beside the set.

The rules for commands are remembered as they were given, as Redis does since 7.2: all but those that a later one has
made void by naming the same again. So a description survives a server that knows other commands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from pycache_server.acl.rules import (
    AfterAllChannels,
    AfterAllKeys,
    BadRule,
    FirstArgOfSubcommand,
    UnknownName,
    has_blanks,
)
from pycache_server.acl.vocabulary import ALL, Matcher, Vocabulary, Word
from pycache_server.errors import c_string

READ = 1
WRITE = 2
_RIGHTS = {READ: b"%R~", WRITE: b"%W~", READ | WRITE: b"~"}
_LETTERS = {0x52: READ, 0x57: WRITE}

DENIED_COMMAND = 1
DENIED_KEY = 2
DENIED_AUTH = 3
DENIED_CHANNEL = 4


class Denial(NamedTuple):
    """What is not permitted, and which argument it is. Of several, Redis tells the greatest."""

    kind: int
    place: int


class Call:
    """A command with its arguments, as permissions see it: the places of keys with the rights that they need, and of
    channels; ``patterns`` says that the channels are patterns."""

    __slots__ = ("argv", "channels", "keys", "patterns", "word")

    def __init__(
        self,
        word: Word,
        argv: Sequence[bytes],
        keys: Iterable[tuple[int, int]] = (),
        channels: Iterable[int] = (),
        patterns: bool = False,
    ) -> None:
        self.word = word
        self.argv = argv
        self.keys = keys
        self.channels = channels
        self.patterns = patterns


class Selector:
    """One set of permissions."""

    __slots__ = (
        "_tests",
        "_vocabulary",
        "all_channels",
        "all_keys",
        "allowed",
        "channels",
        "first_args",
        "patterns",
        "rules",
    )

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self.allowed = 0
        """The set of commands."""
        self.first_args: dict[Word, list[bytes]] = {}
        """Commands that may be used with some first arguments, even if they are not in the set."""
        self.rules: list[bytes] = []
        """The rules that have made the set, in lower case, behind all commands or none."""
        self.all_keys = False
        self.patterns: dict[bytes, int] = {}
        """Key patterns with their rights."""
        self.all_channels = vocabulary.open_channels
        self.channels: dict[bytes, None] = {}
        self._tests: dict[int, list[Matcher]] = {}

    def copy(self) -> Selector:
        """Another one with the same permissions."""
        twin = Selector(self._vocabulary)
        twin.allowed = self.allowed
        twin.first_args = {word: list(words) for word, words in self.first_args.items()}
        twin.rules = list(self.rules)
        twin.all_keys, twin.patterns = self.all_keys, dict(self.patterns)
        twin.all_channels, twin.channels = self.all_channels, dict(self.channels)
        return twin

    # Rules

    def apply(self, rule: bytes) -> None:
        """Change the permissions by one rule.

        Raises BadRule.
        """
        name = c_string(rule).lower()
        if name in _PLAIN:
            _PLAIN[name](self)
        elif name[:1] in (b"~", b"%"):
            self._add_pattern(rule)
        elif name[:1] == b"&":
            self._add_channel(rule[1:])
        elif name[:2] in (b"+@", b"-@"):
            self._change_category(name[2:], name[:1] == b"+")
        elif name[:1] == b"+":
            self._allow(c_string(rule)[1:])
        elif name[:1] == b"-":
            self._change(self._find(name[1:]), False)
        else:
            raise BadRule

    def set_all_keys(self) -> None:
        """Give all rights to all keys."""
        self.all_keys = True
        self.patterns.clear()
        self._tests.clear()

    def reset_keys(self) -> None:
        """Give no rights to any key."""
        self.all_keys = False
        self.patterns.clear()
        self._tests.clear()

    def set_all_channels(self) -> None:
        """Allow all channels."""
        self.all_channels = True
        self.channels.clear()

    def reset_channels(self) -> None:
        """Allow no channels."""
        self.all_channels = False
        self.channels.clear()

    def set_all_commands(self) -> None:
        """Allow all commands, future ones included."""
        self.allowed = ALL
        self.first_args.clear()
        self.rules.clear()

    def reset_commands(self) -> None:
        """Allow no commands."""
        self.allowed = 0
        self.first_args.clear()
        self.rules.clear()

    def _add_pattern(self, rule: bytes) -> None:
        if self.all_keys:
            raise AfterAllKeys
        rights, position = READ | WRITE, 1
        if rule[:1] == b"%":
            rights, position = _rights_of(rule)
        pattern = rule[position:]
        if has_blanks(pattern):
            raise BadRule
        self.patterns[pattern] = self.patterns.get(pattern, 0) | rights
        self._tests.clear()

    def _add_channel(self, pattern: bytes) -> None:
        if self.all_channels:
            raise AfterAllChannels
        if has_blanks(pattern):
            raise BadRule
        self.channels[pattern] = None

    def _find(self, name: bytes) -> Word:
        word = self._vocabulary.find(name)
        if word is None:
            raise UnknownName
        return word

    def _allow(self, name: bytes) -> None:
        """Allow a command, a subcommand, or a command with a first argument."""
        command, bar, argument = name.rpartition(b"|")
        if not bar:
            self._change(self._find(name), True)
            return
        word = self._find(command)
        if word.parent is not None:
            raise FirstArgOfSubcommand
        if not argument:
            raise BadRule
        if word.subcommands:
            self._change(self._find(name), True)
            return
        known = self.first_args.setdefault(word, [])
        if argument.lower() not in map(bytes.lower, known):
            known.append(argument)
        self._remember(b"+", name.lower())

    def _change(self, word: Word, allow: bool) -> None:
        self.allowed = self.allowed | word.reach if allow else self.allowed & ~word.reach
        self.first_args.pop(word, None)
        self._remember(b"+" if allow else b"-", word.name)

    def _change_category(self, name: bytes, allow: bool) -> None:
        category = self._vocabulary.category(name)
        if category is None:
            raise UnknownName
        self.allowed = self.allowed | category.reach if allow else self.allowed & ~category.reach
        for word in category.words:
            self.first_args.pop(word, None)
        self._remember(b"+" if allow else b"-", b"@" + name.lower())

    def _remember(self, sign: bytes, name: bytes) -> None:
        """Keep a rule in the place of all that have named the same, or a part of it."""
        part = name + b"|"
        self.rules = [rule for rule in self.rules if rule[1:] != name and not rule.startswith(part, 1)]
        self.rules.append(sign + name)

    # Checks

    @property
    def is_unlimited(self) -> bool:
        """Whether everything is permitted."""
        return self.allowed == ALL and self.all_keys and self.all_channels

    def check(self, call: Call) -> Denial | None:
        """What is not permitted of a call."""
        if not self.permits(call.word, call.argv):
            return Denial(DENIED_COMMAND, 0)
        return self.check_arguments(call)

    def check_arguments(self, call: Call) -> Denial | None:
        """What is not permitted of the keys and channels of a call."""
        argv = call.argv
        if not self.all_keys:
            for place, rights in call.keys:
                if not self.permits_key(argv[place], rights):
                    return Denial(DENIED_KEY, place)
        if not self.all_channels:
            for place in call.channels:
                if not permits_channel(self._vocabulary, self.channels, argv[place], call.patterns):
                    return Denial(DENIED_CHANNEL, place)
        return None

    def permits(self, word: Word, argv: Sequence[bytes]) -> bool:
        """Whether a command is permitted, with any keys and channels."""
        if word.free or self.allowed & word.bit:
            return True
        firsts = self.first_args.get(word)
        return bool(firsts) and len(argv) > 1 and c_string(argv[1]).lower() in map(bytes.lower, firsts or ())

    def permits_key(self, key: bytes, rights: int) -> bool:
        """Whether a key may be used so, where not every key may."""
        return any(matches(key) for matches in self.tests_for(rights))

    def tests_for(self, rights: int) -> list[Matcher]:
        """Matchers of the keys to which there are all of these rights."""
        tests = self._tests.get(rights)
        if tests is None:
            tests = self._tests[rights] = list(map(self._vocabulary.compile_glob, self.patterns_for(rights)))
        return tests

    def patterns_for(self, rights: int) -> list[bytes]:
        """The patterns of keys that give all of these rights."""
        return [pattern for pattern, given in self.patterns.items() if given & rights == rights]

    def permits_channel(self, channel: bytes) -> bool:
        """Whether a channel may be used, where not every channel may."""
        return permits_channel(self._vocabulary, self.channels, channel, False)

    def permits_every_key(self, rights: int) -> bool:
        """Whether any key may be used so."""
        return self.all_keys or self.patterns.get(b"*", 0) & rights == rights

    # Description

    def describe_keys(self) -> list[bytes]:
        """The rules for keys."""
        if self.all_keys:
            return [b"~*"]
        return [_RIGHTS[rights] + pattern for pattern, rights in self.patterns.items()]

    def describe_channels(self) -> list[bytes]:
        """The rules for channels."""
        return [b"&*"] if self.all_channels else [b"&" + channel for channel in self.channels]

    def describe_commands(self) -> list[bytes]:
        """The rules for commands, behind the one that says whether commands which come later are allowed."""
        return [b"+@all" if self.allowed < 0 else b"-@all", *self.rules]

    def describe(self) -> bytes:
        """Rules that make these permissions of none."""
        closed = [] if self.all_channels else [b"resetchannels"]
        return b" ".join((*self.describe_keys(), *closed, *self.describe_channels(), *self.describe_commands()))


_PLAIN: dict[bytes, Callable[[Selector], None]] = {
    b"allkeys": Selector.set_all_keys,
    b"~*": Selector.set_all_keys,
    b"resetkeys": Selector.reset_keys,
    b"allchannels": Selector.set_all_channels,
    b"&*": Selector.set_all_channels,
    b"resetchannels": Selector.reset_channels,
    b"allcommands": Selector.set_all_commands,
    b"+@all": Selector.set_all_commands,
    b"nocommands": Selector.reset_commands,
    b"-@all": Selector.reset_commands,
}


def _rights_of(rule: bytes) -> tuple[int, int]:
    """The rights that a rule with a percent sign gives, and where its pattern begins.

    Raises BadRule.
    """
    rights, position = 0, 1
    for letter in rule[1:].upper():
        position += 1
        right = _LETTERS.get(letter, 0)
        if letter == 0x7E:
            break
        if not right or rights & right:
            raise BadRule
        rights |= right
    if not rights:
        raise BadRule
    return rights, position


def permits_channel(vocabulary: Vocabulary, allowed: Iterable[bytes], channel: bytes, is_pattern: bool) -> bool:
    """Whether patterns of channels allow a channel. To subscribe to a pattern, that very pattern must be among them."""
    if is_pattern:
        return channel in allowed
    return any(vocabulary.compile_glob(pattern)(channel) for pattern in allowed)
