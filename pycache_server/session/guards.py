"""The tables of users that may not do everything: checks in front of the commands that need any.

A table is made of one of the server's (modes.py), and stands in front of whatever that does: permissions are looked at
before everything but the number of words. A command that the user may call with whatever arguments keeps its own row,
so that it costs nothing. For the others there are tests, made when they are first wanted: a test knows where a command
has its keys and channels, and compares them with the patterns at once, which takes 50 ns where a key has one of some
beginnings. It says yes where it is sure. Where it is not, the general way is taken, which costs some microseconds: it
finds the keys as the arguments say, asks each selector, and makes the error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pycache_server.acl.selector import Selector
from pycache_server.commands.registry import Command, Flag, Handler
from pycache_server.commands.syntax import KeySpec
from pycache_server.errors import Rejection
from pycache_server.session.modes import Row, Table, counted
from pycache_server.session.permissions import CHANNEL_COMMANDS, rights_of
from pycache_server.store.glob import Matcher, is_literal

if TYPE_CHECKING:
    from pycache_server.acl.user import User
    from pycache_server.session.access import Access
    from pycache_server.session.session import Session

Test = Callable[[list[bytes]], object]
"""Whether a command with these words is permitted, as far as that is known at once."""


class Guard:
    """The tables and tests of one user. It is thrown away when the permissions change."""

    def __init__(self, access: Access, user: User) -> None:
        self._access = access
        self._selectors = user.selectors
        self._words = access.users.vocabulary.words
        self._tables: dict[int, tuple[Table, Table]] = {}
        self._tests: dict[str, Test | None] = {}

    def table(self, base: Table) -> Table:
        """The table with checks that stands for one without."""
        known = self._tables.get(id(base))
        if known is None or known[0] is not base:
            rows = {id(row): self._guarded(row) for row in base.values()}
            known = self._tables[id(base)] = (base, {name: rows[id(row)] for name, row in base.items()})
        return known[1]

    def _guarded(self, row: Row) -> Row:
        command = row.command
        test = self.test(command)
        if test is None and all(self.test(each) is None for each in command.subcommands.values()):
            return row
        checked = _checked(self._access, row)
        if test is None or test is _unsure or command.subcommands:
            return Row(command, checked, row.stats)
        return Row(command, self._with_prefix(row, checked) or _tested(row, test, checked), row.stats)

    def _with_prefix(self, row: Row, checked: Handler) -> Handler | None:
        """The commonest check without a call: one selector, one key, patterns that are the beginnings of keys."""
        (selector, *others), (spec, *more) = self._selectors, (*row.command.keys, KeySpec())
        if others or row.command.name in CHANNEL_COMMANDS or len(more) != 1 or not _is_one(spec):
            return None
        patterns = selector.patterns_for(rights_of(spec.flags))
        if not all(map(_is_prefix, patterns)):
            return None
        return _prefix_tested(row, spec.begin, tuple(pattern[:-1] for pattern in patterns), checked)

    def test(self, command: Command) -> Test | None:
        """The test for a command, None where the user may call it with whatever arguments."""
        if command.name not in self._tests:
            self._tests[command.name] = self._make_test(command)
        return self._tests[command.name]

    def _make_test(self, command: Command) -> Test | None:
        word = self._words[command.name.encode()]
        tests: list[Test] = []
        for selector in self._selectors:
            if word.free or selector.allowed & word.bit:
                test = _test_of(selector, command)
                if test is None:
                    return None
                if test is not _unsure:
                    tests.append(test)
        if not tests:
            return _unsure
        return tests[0] if len(tests) == 1 else lambda argv: any(test(argv) for test in tests)


def _unsure(argv: list[bytes]) -> object:
    return False


def _test_of(selector: Selector, command: Command) -> Test | None:
    """The test of the arguments of a command that a selector permits; None where they do not matter."""
    parts: list[tuple[slice, Matcher]] = []
    if not selector.all_keys:
        for spec in command.keys:
            if spec.counted or spec.keyword or spec.finder or spec.limit:
                return _unsure
            parts.append((_places_of(spec), _any_of(selector, rights_of(spec.flags))))
    if not selector.all_channels and command.name in CHANNEL_COMMANDS:
        is_pattern = command.name == "psubscribe"
        permits: Matcher = selector.channels.__contains__ if is_pattern else selector.permits_channel
        parts.append((CHANNEL_COMMANDS[command.name], permits))
    if not parts:
        return None
    if len(parts) == 1 and len(command.keys) == 1 and _is_one(command.keys[0]):
        place, permits_key = command.keys[0].begin, parts[0][1]
        return lambda argv: permits_key(argv[place])
    return lambda argv: all(permits(word) for places, permits in parts for word in argv[places])


def _is_one(spec: KeySpec) -> bool:
    """Whether a specification is of one key at a fixed place."""
    return not (spec.counted or spec.keyword or spec.finder or spec.limit or spec.last)


def _places_of(spec: KeySpec) -> slice:
    stop = spec.begin + spec.last + 1 if spec.last >= 0 else spec.last + 1 or None
    return slice(spec.begin, stop, spec.step)


def _any_of(selector: Selector, rights: int) -> Matcher:
    """Whether a key matches one of a selector's patterns."""
    tests = selector.tests_for(rights)
    if len(tests) == 1:
        return tests[0]
    patterns = selector.patterns_for(rights)
    keys = frozenset(filter(is_literal, patterns))
    prefixes = tuple(pattern[:-1] for pattern in patterns if _is_prefix(pattern))
    others = [
        test
        for test, pattern in zip(tests, patterns, strict=True)
        if not is_literal(pattern) and not _is_prefix(pattern)
    ]
    if not others:
        return lambda key: key in keys or key.startswith(prefixes)
    return lambda key: key in keys or key.startswith(prefixes) or any(matches(key) for matches in others)


def _is_prefix(pattern: bytes) -> bool:
    """Whether a pattern matches what begins with something, and nothing else."""
    return len(pattern) > 1 and pattern[-1:] == b"*" and is_literal(pattern[:-1])


def _checked(access: Access, row: Row) -> Handler:
    """The check for any command. What is not allowed in a transaction is told so first."""
    call = counted(row)
    name = row.command.name

    def run(session: Session, argv: list[bytes]) -> Any:
        command = access.rows[name].resolve(argv).command
        if session.transaction is None or Flag.NO_MULTI not in command.flags:
            access.demand(session, command, argv)
        return call(session, argv)

    return run


def _tested(row: Row, test: Test, checked: Handler) -> Handler:
    def run(session: Session, argv: list[bytes]) -> Any:
        if not test(argv):
            return checked(session, argv)
        row.calls += 1
        try:
            return row.run(session, argv)
        except Rejection:
            row.calls -= 1
            raise

    return run


def _prefix_tested(row: Row, place: int, prefixes: tuple[bytes, ...], checked: Handler) -> Handler:
    def run(session: Session, argv: list[bytes]) -> Any:
        if not argv[place].startswith(prefixes):
            return checked(session, argv)
        row.calls += 1
        try:
            return row.run(session, argv)
        except Rejection:
            row.calls -= 1
            raise

    return run
