"""What an eviction engine is, and how one is found by name.

An engine decides which key of one database goes next; it neither counts bytes nor removes anything. The keyspace
tells it when an entry comes (``admit``), is read or written (``access``) and goes (``discard``), and asks for a
``victim`` while it holds too much. Each call gets the entry, never the key: what an engine remembers lies in the
entry, in slots of the engine's own subclass of SizedEntry (``entry_type``), because a second look-up by key would cost
more than the rest of a read. The keyspace creates the entries, by ``entry_type(key, value, expires)``.

Without a maxmemory there is no engine, no entry for a key without a time to live, and no cost.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import ClassVar

from pycache_server.entry import SizedEntry

NO_EVICTION = "noeviction"
BUILTIN = {
    NO_EVICTION: "pycache_server.evict.noeviction:NoEviction",
    "allkeys-lru": "pycache_server.evict.lru:Lru",
}
"""Names of ``maxmemory-policy`` and the classes behind them, imported when they are chosen."""
ENTRY_POINT_GROUP = "pycache_server.eviction"


class Engine(ABC):
    """The order in which the entries of one database are given up.

    ``now`` gives the time in seconds; an engine must not read any other clock.
    """

    entry_type: ClassVar[type[SizedEntry]] = SizedEntry

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now

    @abstractmethod
    def admit(self, entry: SizedEntry) -> None:
        """A key has come, or was there when the engine was chosen."""

    @abstractmethod
    def access(self, entry: SizedEntry) -> None:
        """A key that was admitted has been read or written."""

    @abstractmethod
    def discard(self, entry: SizedEntry) -> None:
        """A key that was admitted goes, for whatever reason: keep no reference to its entry."""

    @abstractmethod
    def victim(self) -> SizedEntry | None:
        """The entry to give up next, which stays admitted until ``discard``; None where nothing may go."""

    def idle_seconds(self, entry: SizedEntry) -> int | None:
        """How long ago the entry was last accessed, in whole seconds; None where the engine does not know."""
        return None

    def frequency(self, entry: SizedEntry) -> int | None:
        """How often the entry is accessed, as OBJECT FREQ counts; None where the engine does not know."""
        return None

    def _check(self) -> None:  # noqa: B027
        """Assert that the engine's own structures are sound."""


class UnknownPolicy(ValueError):
    """No engine goes by that name."""


def load_engine(name: str) -> type[Engine]:
    """The engine class for a ``maxmemory-policy``: a builtin name, the name of an entry point in ENTRY_POINT_GROUP,
    or ``package.module:Class``.

    Raises UnknownPolicy.
    """
    target = BUILTIN.get(name)
    if target is None:
        for point in entry_points(group=ENTRY_POINT_GROUP):
            if point.name == name:
                target = point.value
    if target is None and ":" in name:
        target = name
    if target is None:
        raise UnknownPolicy(name)
    module, _, attribute = target.partition(":")
    try:
        engine = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UnknownPolicy(f"{name}: {error}") from error
    if not (isinstance(engine, type) and issubclass(engine, Engine)):
        raise UnknownPolicy(f"{name} is not an Engine")
    return engine


def policy_names() -> list[str]:
    """The names that CONFIG SET maxmemory-policy takes without a colon."""
    return [*BUILTIN, *(point.name for point in entry_points(group=ENTRY_POINT_GROUP))]
