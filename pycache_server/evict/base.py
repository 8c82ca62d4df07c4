"""What an engine is, and how a policy is found by name.

An engine decides which key of one database goes next; it neither counts bytes nor removes anything. The keyspace
tells it when an entry comes (``admit``), is read or written (``access``), gets another time to live (``retime``) and
goes (``discard``, or ``evicted`` where it was the engine's own victim), and asks for a ``victim`` while it holds too
much. Each call gets the entry, never the key: what an engine remembers of a key that is there lies in the entry, in
slots of the engine's own subclass of SizedEntry (``entry_type``), because a second look-up by key would cost more than
the rest of a read. The keyspace creates the entries, by ``entry_type(key, value, expires)``, and knows before
``admit`` how many bytes they take (``entry.size``).

A policy is an engine and what it decides on: ``allkeys-lru`` gives Lru all entries, ``volatile-lru`` those with a time
to live alone; an engine cannot tell the difference. Without a maxmemory there is no engine, no entry for a key without
a time to live, and no cost, unless a policy is chosen that clients can ask of a key how long or how often (OBJECT
IDLETIME, OBJECT FREQ).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

from pycache_server.entry import SizedEntry
from pycache_server.plugins import LoadError, entry_point_targets, load_target

NO_EVICTION = "noeviction"
BUILTIN = {
    "adaptive": "pycache_server.evict.adaptive:Adaptive",
    "lru": "pycache_server.evict.lru:Lru",
    "lfu": "pycache_server.evict.lfu:Lfu",
    "random": "pycache_server.evict.random:Random",
    "ttl": "pycache_server.evict.ttl:Ttl",
    "s3fifo": "pycache_server.evict.s3fifo:S3Fifo",
    "sieve": "pycache_server.evict.sieve:Sieve",
    "arc": "pycache_server.evict.arc:Arc",
    "tinylfu": "pycache_server.evict.tinylfu:TinyLfu",
    "timebucket": "pycache_server.evict.timebucket:TimeBucket",
}
"""Names of engines and the classes behind them, imported when they are chosen."""
ENTRY_POINT_GROUP = "pycache_server.eviction"
ALL_KEYS, VOLATILE = "allkeys-", "volatile-"
VOLATILE_ONLY = {"ttl"}
"""Engines that make no sense for keys without a time to live."""
AT_ONCE, AHEAD = 64, 10
"""Once keys must go, room is made for a few more at once, which shares the cost of asking: for so many at most, and
down to this power of two of maxmemory below it, a tenth of a percent. An engine with a queue for newcomers must bear
with that."""


@dataclass(slots=True)
class Surroundings:
    """What an engine may know of the world, and what the operator has set; shared by all engines of a server.

    ``now`` gives the time in seconds, and an engine must not read any other clock; ``choose(n)`` an integer below n by
    chance, and an engine must not use any other source. The rest are the directives of those names, which may change
    at any time: ``decay_time`` is in minutes.
    """

    now: Callable[[], float]
    choose: Callable[[int], int]
    samples: int = 5
    log_factor: int = 10
    decay_time: int = 1


class Marker:
    """What a database writes into ``entry.mark`` in place of a call of ``access``, which is a tenth of a read: where
    the class of the entry is ``plain``, ``mark``, which many entries share, and where it is ``counted``, one more than
    was there. All may change at any time."""

    __slots__ = ("counted", "mark", "plain")

    def __init__(
        self, plain: type[SizedEntry] | None = None, mark: Any = None, counted: type[SizedEntry] | None = None
    ) -> None:
        self.plain = plain
        self.counted = counted
        with suppress(AttributeError):  # of a subclass that works it out
            self.mark = mark


class Engine(ABC):
    """The order in which the entries of one database are given up.

    The entries that an engine is given are of its own ``entry_type``, which its methods may name where these say Any.
    No call may take longer than a millisecond, however many entries there are.
    """

    entry_type: ClassVar[type[SizedEntry]] = SizedEntry
    aside: ClassVar[int] = 0
    """Bytes that the engine keeps for each entry besides the entry, about: in pages, or of keys that went."""
    marker: Marker | None = None
    """Of an engine to which an access is one write: ``access`` must do the same."""

    def __init__(self, surroundings: Surroundings) -> None:
        self.surroundings = surroundings
        self.now = surroundings.now

    @abstractmethod
    def admit(self, entry: Any) -> None:
        """A key has come, or was there when the engine was chosen."""

    @abstractmethod
    def access(self, entry: Any) -> None:
        """A key that was admitted has been read or written."""

    def retime(self, entry: Any) -> None:  # noqa: B027
        """A key that was admitted has got the time to live that ``entry.expires`` tells."""

    @abstractmethod
    def discard(self, entry: Any) -> None:
        """A key that was admitted goes, for whatever reason: keep no reference to its entry."""

    def evicted(self, entry: Any) -> None:
        """A victim goes: ``discard``, and the engine may remember that the key was given up too early."""
        self.discard(entry)

    @abstractmethod
    def victim(self) -> SizedEntry | None:
        """The entry to give up next, which stays admitted until ``evicted``; None where nothing is admitted."""

    def take_victims(self, most: int, size: int) -> Iterable[SizedEntry]:
        """Give up one victim after the other, ``most`` of them or until they have as many bytes as ``size``. There may
        be fewer, but none only where nothing is admitted. It is ``victim`` and ``evicted`` for each, and there for
        engines that can do that for less."""
        return one_by_one(self, most, size)

    def exchange(self, old: Any, new: Any) -> None:
        """Another entry takes the place of one that was admitted, for the same key, which gets a time to live."""
        self.discard(old)
        self.admit(new)

    def remains(self) -> list[Any]:
        """What is left that takes long to free when no entry is admitted any more, and the engine is not used again.
        Each thing has ``free(budget)``, which takes apart about so many parts and returns how many, until its ``len``
        is 0."""
        return []

    def look(self) -> None:  # noqa: B027
        """Called some ten times a second, while nothing else happens as well."""

    def idle_seconds(self, entry: Any) -> int | None:
        """How long ago the entry was last accessed, in whole seconds; None where the engine does not know."""
        return None

    def frequency(self, entry: Any) -> int | None:
        """How often the entry is accessed, as OBJECT FREQ counts; None where the engine does not know."""
        return None

    def was_accessed(self, entry: Any, idle: int | None, frequency: int | None) -> None:  # noqa: B027
        """A key that has just been admitted comes from elsewhere, where it was last accessed ``idle`` seconds ago and
        as often as ``frequency`` tells on the scale of OBJECT FREQ; None is not known. An engine that answers neither
        question need not remember."""

    def report(self) -> dict[str, int | float | str]:
        """What the engine has learned, in words for an operator: fields of INFO."""
        return {}

    def _check(self) -> None:  # noqa: B027
        """Assert that the engine's own structures are sound."""


class _Gives(Protocol):
    def victim(self) -> SizedEntry | None: ...

    def evicted(self, entry: SizedEntry, /) -> None: ...


def one_by_one(source: _Gives, most: int, size: int) -> Iterator[SizedEntry]:
    """What ``Engine.take_victims`` gives, asked for when it is wanted."""
    while most > 0 and size > 0 and (entry := source.victim()) is not None:
        most -= 1
        size -= entry.size
        source.evicted(entry)
        yield entry


def keeps_account(engine: type[Engine]) -> bool:
    """Whether entries of an engine's tell how long ago or how often they were accessed."""
    return engine.idle_seconds is not Engine.idle_seconds or engine.frequency is not Engine.frequency


_SENSELESS = {ALL_KEYS + name for name in VOLATILE_ONLY}


class Policy(NamedTuple):
    """What ``maxmemory-policy`` names. ``volatile`` says that keys without a time to live stay whatever happens."""

    name: str
    engine: type[Engine]
    volatile: bool = False


class UnknownPolicy(ValueError):
    """No policy goes by that name."""


def load_policy(name: str) -> Policy:
    """A policy by its name: ``noeviction``, ``allkeys-X`` or ``volatile-X`` with X the name of a builtin engine, of an
    entry point in ENTRY_POINT_GROUP or ``package.module:Class``, which may also stand alone, for all keys.

    Raises UnknownPolicy.
    """
    if name == NO_EVICTION:
        return Policy(name, _import("pycache_server.evict.noeviction:NoEviction"))
    for prefix in (ALL_KEYS, VOLATILE):
        if name.startswith(prefix) and name not in _SENSELESS:
            return Policy(name, _load(name.removeprefix(prefix)), prefix == VOLATILE)
    if ":" in name:
        return Policy(name, _import(name))
    raise UnknownPolicy(name)


def _load(name: str) -> type[Engine]:
    target = BUILTIN.get(name) or (name if ":" in name else None) or entry_point_targets(ENTRY_POINT_GROUP).get(name)
    if target is None:
        raise UnknownPolicy(name)
    return _import(target)


def _import(target: str) -> type[Engine]:
    try:
        engine = load_target(target)
    except LoadError as error:
        raise UnknownPolicy(str(error)) from error
    if not (isinstance(engine, type) and issubclass(engine, Engine)):
        raise UnknownPolicy(f"{target} is not an Engine")
    return engine


def builtin_engines() -> list[type[Engine]]:
    """All that come with the server, imported."""
    return [_import(target) for target in BUILTIN.values()]


def policy_names() -> list[str]:
    """The names that CONFIG SET maxmemory-policy takes, but for classes of third parties."""
    engines = [*BUILTIN, *entry_point_targets(ENTRY_POINT_GROUP)]
    names = [scope + name for scope in (VOLATILE, ALL_KEYS) for name in engines]
    return [name for name in names if name not in _SENSELESS] + [NO_EVICTION]
