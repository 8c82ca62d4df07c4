"""The tables of users that may not do everything: checks in front of the commands that need any.

A table is made of one of the server's (modes.py), and stands in front of whatever that does: permissions are looked at
before everything but the number of words. A command that the user may call with whatever arguments keeps its own row,
so that it costs nothing. For the others each user has tests: a test knows where a command has its keys and channels,
and compares them with the patterns at once, which takes some 100 ns. It says yes where it is sure. Where it is not, the
general way is taken, which costs some microseconds: it finds the keys as the arguments say, asks each selector, and
makes the error.

The rows with checks are the same for all users, since they find the test by way of the session: so that a thousand
users need a thousand tables, but not a thousand times all rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pycache_server.acl.selector import Denial, Selector
from pycache_server.acl.user import User
from pycache_server.acl.vocabulary import Vocabulary
from pycache_server.commands.registry import Command, Flag, Handler
from pycache_server.commands.syntax import KeySpec
from pycache_server.errors import Rejection
from pycache_server.session.modes import counted
from pycache_server.session.permissions import CHANNEL_COMMANDS, call_of, rights_of
from pycache_server.session.rows import Row, Table, row_in_front
from pycache_server.store.glob import Matcher, is_literal

if TYPE_CHECKING:
    from pycache_server.session.session import Session

Test = Callable[[list[bytes]], object]
"""Whether a command with these words is permitted, as far as that is known at once."""


class GuardedRows:
    """The rows with checks that stand for rows without, of all users."""

    def __init__(self) -> None:
        self._rows: dict[int, tuple[Row, Row]] = {}

    def row(self, base: Row) -> Row:
        """The row with a check for one without."""
        known = self._rows.get(id(base))
        if known is None or known[0] is not base:
            run = _checked(base) if base.command.subcommands else _tested(base)
            known = self._rows[id(base)] = (base, row_in_front(base, run))
        return known[1]


class Guard:
    """The tables and tests of one user. It is thrown away when the permissions change."""

    __slots__ = ("__weakref__", "_permitted", "_rows", "_tables", "_user", "_vocabulary", "tests")

    def __init__(self, user: User, vocabulary: Vocabulary, rows: GuardedRows) -> None:
        self._user = user
        self._vocabulary = vocabulary
        self._rows = rows
        self._tables: dict[int, tuple[Table, Table]] = {}
        self._permitted: dict[tuple[Selector, int], Matcher] = {}
        self.tests: dict[str, Test] = {}
        """The tests that there are so far, by the names of commands."""

    def table(self, base: Table) -> Table:
        """The table with checks that stands for one without."""
        known = self._tables.get(id(base))
        if known is None or known[0] is not base:
            rows = {id(row): self._guarded(row) for row in base.values()}
            known = self._tables[id(base)] = (base, {name: rows[id(row)] for name, row in base.items()})
        return known[1]

    def _guarded(self, row: Row) -> Row:
        commands = (row.command, *row.command.subcommands.values())
        tests = [self.test(command) for command in commands]
        return row if all(test is _sure for test in tests) else self._rows.row(row)

    def check(self, command: Command, argv: list[bytes]) -> Denial | None:
        """What the user is not permitted of a command; None where it is all right."""
        if self.test(command)(argv):
            return None
        return self._user.check(call_of(self._vocabulary, command, argv))

    # Tests

    def test(self, command: Command) -> Test:
        """The test for a command."""
        test = self.tests.get(command.name)
        if test is None:
            test = self.tests[command.name] = self._make_test(command)
        return test

    def _make_test(self, command: Command) -> Test:
        word = self._vocabulary.words[command.name.encode()]
        selectors = [each for each in self._user.selectors if word.free or each.allowed & word.bit]
        tests = [self._test_of(selector, command) for selector in selectors]
        tests = [test for test in tests if test is not _unsure]
        if _sure in tests:
            return _sure
        if not tests:
            return _unsure
        return tests[0] if len(tests) == 1 else lambda argv: any(test(argv) for test in tests)

    def _test_of(self, selector: Selector, command: Command) -> Test:
        """The test of the arguments of a command that a selector permits."""
        parts: list[tuple[slice, Matcher]] = []
        if not selector.all_keys:
            for spec in command.keys:
                if spec.counted or spec.keyword or spec.finder or spec.limit:
                    return _unsure
                parts.append((_places_of(spec), self._permits(selector, rights_of(spec.flags))))
        if not selector.all_channels and command.name in CHANNEL_COMMANDS:
            is_pattern = command.name == "psubscribe"
            permits: Matcher = selector.channels.__contains__ if is_pattern else selector.permits_channel
            parts.append((CHANNEL_COMMANDS[command.name], permits))
        if not parts:
            return _sure
        if len(parts) == 1 and parts[0][0] == slice(1, 2, 1):
            return _of_first(parts[0][1])
        return lambda argv: all(permits(word) for places, permits in parts for word in argv[places])

    def _permits(self, selector: Selector, rights: int) -> Matcher:
        place = (selector, rights)
        if place not in self._permitted:
            self._permitted[place] = _any_of(selector, rights)
        return self._permitted[place]


def _sure(argv: list[bytes]) -> object:
    return True


def _unsure(argv: list[bytes]) -> object:
    return False


def _of_first(permits: Matcher) -> Test:
    return lambda argv: permits(argv[1])


def _places_of(spec: KeySpec) -> slice:
    stop = spec.begin + spec.last + 1 if spec.last >= 0 else spec.last + 1 or None
    return slice(spec.begin, stop, spec.step)


def _any_of(selector: Selector, rights: int) -> Matcher:
    """Whether a key matches one of a selector's patterns. Most are the beginnings of keys."""
    tests, patterns = selector.tests_for(rights), selector.patterns_for(rights)
    keys = frozenset(filter(is_literal, patterns))
    prefixes = tuple(pattern[:-1] for pattern in patterns if _is_prefix(pattern))
    others = [
        test for test, pattern in zip(tests, patterns, strict=True) if pattern not in keys and not _is_prefix(pattern)
    ]
    if not others:
        return lambda key: key.startswith(prefixes) or key in keys
    if len(tests) == 1:
        return tests[0]
    return lambda key: key.startswith(prefixes) or key in keys or any(matches(key) for matches in others)


def _is_prefix(pattern: bytes) -> bool:
    """Whether a pattern matches what begins with something, and nothing else."""
    return len(pattern) > 1 and pattern[-1:] == b"*" and is_literal(pattern[:-1])


def _checked(row: Row) -> Handler:
    """The check for any command, in the general way. What is not allowed in a transaction is told so first."""
    call = counted(row)
    name = row.command.name

    def run(session: Session, argv: list[bytes]) -> Any:
        access = session.core.access
        command = access.rows[name].resolve(argv).command
        if session.transaction is None or Flag.NO_MULTI not in command.flags:
            access.demand(session, command, argv)
        return call(session, argv)

    return run


def _tested(row: Row) -> Handler:
    """The same behind a test."""
    name = row.command.name
    checked = _checked(row)

    def run(session: Session, argv: list[bytes]) -> Any:
        if not session.guard.tests[name](argv):  # type: ignore[union-attr]
            return checked(session, argv)
        row.calls += 1
        try:
            return row.run(session, argv)
        except Rejection:
            row.calls -= 1
            raise

    return run
