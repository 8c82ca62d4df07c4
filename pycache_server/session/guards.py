"""The tables of users that may not do everything: checks in front of the commands that need any.

A table is made of one of the server's (modes.py), and stands in front of whatever that does: permissions are looked at
before everything but the number of words. A command that the user may call with whatever arguments keeps its own row,
so that it costs nothing; one that the user may never call has one that refuses. In between, keys at fixed places are
compared with the patterns at once, which costs a tenth of the general way: that one finds the keys in the arguments and
asks each selector. It also makes the error, and is asked whenever the short way does not say yes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycache_server.commands.registry import Command, Flag, Handler
from pycache_server.commands.syntax import KeySpec
from pycache_server.errors import Rejection
from pycache_server.session.modes import Row, Table, counted
from pycache_server.session.permissions import CHANNEL_COMMANDS, rights_of
from pycache_server.store.glob import Matcher, is_literal

if TYPE_CHECKING:
    from pycache_server.acl.selector import Selector
    from pycache_server.acl.user import User
    from pycache_server.session.access import Access
    from pycache_server.session.session import Session


class Guard:
    """The tables of one user, made when they are first wanted. It is thrown away when the permissions change."""

    def __init__(self, access: Access, user: User) -> None:
        self._access = access
        self._user = user
        self._words = access.users.vocabulary.words
        self._tables: dict[int, tuple[Table, Table]] = {}

    def table(self, base: Table) -> Table:
        """The table with checks that stands for one without."""
        known = self._tables.get(id(base))
        if known is None or known[0] is not base:
            rows = {id(row): self._guarded(row) for row in base.values()}
            known = self._tables[id(base)] = (base, {name: rows[id(row)] for name, row in base.items()})
        return known[1]

    def _guarded(self, row: Row) -> Row:
        command = row.command
        if all(map(self._is_free, (command, *command.subcommands.values()))):
            return row
        checked = _checked(self._access, row)
        return Row(command, self._short_way(row, checked) or checked, row.stats)

    def _is_free(self, command: Command) -> bool:
        """Whether the user may call a command with any arguments."""
        word = self._words[command.name.encode()]
        return any(
            (word.free or selector.allowed & word.bit)
            and (selector.all_keys or not command.keys)
            and (selector.all_channels or command.name not in CHANNEL_COMMANDS)
            for selector in self._user.selectors
        )

    def _short_way(self, row: Row, checked: Handler) -> Handler | None:
        """The check for a command with keys at fixed places, where there is one selector to ask."""
        command, selectors = row.command, self._user.selectors
        if len(selectors) > 1 or command.subcommands or len(command.keys) != 1 or command.key_flags is not None:
            return None
        spec, selector = command.keys[0], selectors[0]
        fixed = not (spec.counted or spec.keyword or spec.finder or spec.limit)
        if not fixed or not selector.allowed & self._words[command.name.encode()].bit:
            return None
        if not selector.all_channels and command.name in CHANNEL_COMMANDS:
            return None
        return _with_keys(row, spec, selector, rights_of(spec.flags), checked)


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


def _with_keys(row: Row, spec: KeySpec, selector: Selector, rights: int, checked: Handler) -> Handler:
    patterns = selector.patterns_for(rights)
    if not all(pattern[-1:] == b"*" and len(pattern) > 1 and is_literal(pattern[:-1]) for pattern in patterns):
        return _with_places(row, spec, _any_of(selector.tests_for(rights)), checked)
    prefixes = tuple(pattern[:-1] for pattern in patterns)
    if spec.last == 0:
        return _with_prefix(row, spec.begin, prefixes, checked)
    return _with_places(row, spec, lambda key: key.startswith(prefixes), checked)


def _any_of(tests: list[Matcher]) -> Matcher:
    if len(tests) == 1:
        return tests[0]
    return lambda key: any(matches(key) for matches in tests)


def _with_prefix(row: Row, place: int, prefixes: tuple[bytes, ...], checked: Handler) -> Handler:
    """One key, and patterns that are the beginnings of keys: what users have most, and commands."""

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


def _with_places(row: Row, spec: KeySpec, permits: Matcher, checked: Handler) -> Handler:
    """Keys in a row."""
    stop = spec.begin + spec.last + 1 if spec.last >= 0 else spec.last + 1 or None
    places = slice(spec.begin, stop, spec.step)
    call = counted(row)

    def run(session: Session, argv: list[bytes]) -> Any:
        for key in argv[places]:
            if not permits(key):
                return checked(session, argv)
        return call(session, argv)

    return run
