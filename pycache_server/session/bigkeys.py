"""BIGKEYS: which keys take most memory.

The search (store/biggest.py) looks at every key. It goes in slices, between which other clients are served, while the
client that has asked waits like one that is blocked. Within MULTI it answers at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycache_server.commands.args import Options, integer_in
from pycache_server.commands.registry import ADMIN, OWN, READONLY, Family
from pycache_server.store.biggest import Biggest

if TYPE_CHECKING:
    from pycache_server.session.blocking import Waiter
    from pycache_server.session.core import Core
    from pycache_server.session.session import Session

COUNT = 10
MOST = 10_000
SLICE = 8000
"""The effort of a slice (biggest.py): 2000 keys at most, about a millisecond."""
REST = 0.001
"""Seconds between slices, for others."""

family = Family("server")


@family.command(
    "BIGKEYS [COUNT count] [TYPE type]",
    ADMIN,
    READONLY,
    since=OWN,
    complexity="O(N), N = keys, in slices",
    kinds={"type": "string"},
    tips=("nondeterministic_output",),
)
def bigkeys(session: Session, argv: list[bytes]) -> Any:
    """Return the keys of all databases that take most memory."""
    count, kind = COUNT, None
    options = Options(argv, 1)
    while (option := options.take()) is not None:
        if option == b"COUNT" and options.left():
            count = integer_in(options.value(), 1, MOST)
        elif option == b"TYPE" and options.left():
            kind = options.value().lower()
        else:
            options.fail()
    search = Biggest(session.keyspace, count, kind)
    if not session.deny_blocking:
        if not search.step(SLICE):
            return _rows(search)
        core = session.core
        halt = core.blocking.block(session, [], _never, 0, None, object)
        assert session.waiter is not None
        core.host.call_later(REST, _Slices(core, session.waiter, search).go_on)
        return halt
    while search.step(SLICE):
        pass
    return _rows(search)


class _Slices:
    """A search that a client waits for."""

    def __init__(self, core: Core, waiter: Waiter, search: Biggest) -> None:
        self._core = core
        self._waiter = waiter
        self._search = search

    def go_on(self) -> None:
        """Look at a slice, unless the client has gone or has been unblocked."""
        core, session = self._core, self._waiter.session
        if session.waiter is not self._waiter:
            return
        core.clock.time = core.host.time()
        if self._search.step(SLICE):
            core.host.call_later(REST, self.go_on)
            return
        core.blocking.release(self._waiter)
        session.reply(_rows(self._search))


def _never(key: bytes) -> Any:
    raise AssertionError("who waits for no key is served by none")


def _rows(search: Biggest) -> list[dict[bytes, Any]]:
    return [
        {b"key": big.key, b"db": big.database, b"type": big.kind, b"bytes": big.size, b"elements": big.elements}
        for big in search.result()
    ]
