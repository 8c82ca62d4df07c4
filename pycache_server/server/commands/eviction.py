"""EVICTION: what other policies and other sizes would hit. The theory is in store/simulation.py.

Contents: EVICTION START REPORT RESET STOP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycache_server.commands.args import Options, integer_in
from pycache_server.commands.registry import ADMIN, OWN, Family
from pycache_server.errors import RedisError
from pycache_server.evict.base import Policy, UnknownPolicy, load_policy
from pycache_server.resp.encode import OK
from pycache_server.settings.kinds import Invalid, parse_memory
from pycache_server.store.numbers import parse_float
from pycache_server.store.simulation import Simulation

if TYPE_CHECKING:
    from pycache_server.session.session import Session

family = Family("server")
command = family.command
family.container(
    "EVICTION",
    ADMIN,
    since=OWN,
    help_since=OWN,
    summary="Commands that tell what other eviction policies and sizes would hit.",
)

POLICIES = ("allkeys-lru", "allkeys-lfu", "allkeys-s3fifo", "allkeys-sieve")
"""What is simulated beside the policy in force, unless policies are named."""
PERCENTS = (25, 50, 100, 200, 400)
LARGEST = 10_000
KEYS = 4096
MOST_KEYS = 32_000
RATE = 0.05
"""The share of the keys that is sampled at most, unless it is given."""
SAMPLED = 1024
"""How many of the keys that are there it is enough to sample."""
CURVE_POINTS = 16
NOT_STARTED = b"ERR nothing is simulated, EVICTION START begins"


@command(
    "EVICTION START [MEMORY bytes] [KEYS count] [RATE ratio] [POLICY name [POLICY name ...]]"
    " [SIZE percent [SIZE percent ...]]",
    ADMIN,
    since=OWN,
    complexity="O(P*S), P = policies, S = sizes",
    kinds={"bytes": "string", "ratio": "double", "percent": "integer"},
)
def eviction_start(session: Session, argv: list[bytes]) -> Any:
    """Begin to simulate caches with other policies and sizes, of a sample of the keys."""
    core = session.core
    memory, keys, rate = core.owner.settings["maxmemory"], KEYS, _default_rate(session)
    names: list[bytes] = []
    percents: list[int] = []
    options = Options(argv, 2)
    while (option := options.take()) is not None:
        if option == b"MEMORY" and options.left():
            memory = _memory(options.value())
        elif option == b"KEYS" and options.left():
            keys = integer_in(options.value(), 1, MOST_KEYS)
        elif option == b"RATE" and options.left():
            rate = _rate(options.value())
        elif option == b"POLICY" and options.left():
            names.append(options.value())
        elif option == b"SIZE" and options.left():
            percents.append(integer_in(options.value(), 1, LARGEST))
        else:
            options.fail()
    if not memory:
        raise RedisError(b"ERR there is no maxmemory that the sizes could be parts of: give MEMORY bytes")
    policies = [_policy(name.decode("utf-8", "replace")) for name in names] or _default_policies(session)
    simulation = Simulation(memory, policies, percents or PERCENTS, core.shape.surroundings, keys, rate)
    core.shape.use_shadows(simulation)
    return OK


def _default_rate(session: Session) -> float:
    present = sum(database.size for database in session.keyspace.databases)
    return min(RATE, SAMPLED / present) if present else RATE


def _default_policies(session: Session) -> list[Policy]:
    names = dict.fromkeys((session.core.owner.settings["maxmemory-policy"], *POLICIES))
    return [load_policy(name) for name in names]


def _policy(name: str) -> Policy:
    try:
        return load_policy(name)
    except UnknownPolicy:
        raise RedisError(f"ERR unknown policy '{name}'".encode()) from None


def _memory(word: bytes) -> int:
    try:
        return parse_memory(word.decode("ascii", "replace"))
    except Invalid as error:
        raise RedisError(f"ERR {error}".encode()) from None


def _rate(word: bytes) -> float:
    rate = parse_float(word)
    if rate is None or not 0 < rate <= 1:
        raise RedisError(b"ERR RATE must be greater than 0 and no more than 1")
    return rate


@command(
    "EVICTION REPORT [POLICY name [POLICY name ...]] [SIZE percent [SIZE percent ...]]",
    ADMIN,
    since=OWN,
    complexity="O(P*S), P = policies, S = sizes",
    kinds={"percent": "integer"},
    tips=("nondeterministic_output",),
)
def eviction_report(session: Session, argv: list[bytes]) -> dict[bytes, Any]:
    """Return the hit ratios of the simulated caches, best first, and those of LRU by size."""
    names: set[str] = set()
    percents: set[int] = set()
    options = Options(argv, 2)
    while (option := options.take()) is not None:
        if option == b"POLICY" and options.left():
            names.add(options.value().decode("utf-8", "replace"))
        elif option == b"SIZE" and options.left():
            percents.add(integer_in(options.value(), 1, LARGEST))
        else:
            options.fail()
    simulation = _running(session)
    return {
        b"policy": session.core.owner.settings["maxmemory-policy"].encode(),
        b"memory": simulation.memory,
        b"reads": simulation.asked,
        b"hit-ratio": _rounded(simulation.real_ratio),
        b"sample-rate": simulation.rate,
        b"sample-keys": len(simulation),
        b"caches": _caches(simulation, names, percents),
        b"lru-curve": _curve(simulation),
    }


def _caches(simulation: Simulation, names: set[str], percents: set[int]) -> list[dict[bytes, Any]]:
    """A row for each cache: by size, and the best of a size first."""
    return [
        {
            b"policy": shadow.policy.name.encode(),
            b"size": shadow.percent,
            b"memory": simulation.memory * shadow.percent // 100,
            b"hit-ratio": _rounded(simulation.ratio(shadow.hits)),
            b"full": int(shadow.full),
        }
        for shadow in sorted(simulation.shadows, key=lambda each: (each.percent, -each.hits))
        if (not names or shadow.policy.name in names) and (not percents or shadow.percent in percents)
    ]


def _curve(simulation: Simulation) -> list[dict[bytes, Any]]:
    """The miss ratio of LRU at sizes up to the largest."""
    largest = simulation.percents[-1]
    sizes = [largest * number / CURVE_POINTS for number in range(1, CURVE_POINTS + 1)]
    return [
        {
            b"size": size,
            b"memory": int(simulation.memory * size / 100),
            b"miss-ratio": _rounded(1 - simulation.lru_ratio(size)),
        }
        for size in sizes
    ]


def _rounded(ratio: float) -> float:
    return round(ratio, 4)


@command("EVICTION RESET", ADMIN, since=OWN, complexity="O(P*S), P = policies, S = sizes")
def eviction_reset(session: Session, argv: list[bytes]) -> Any:
    """Count hits from now on; the simulated caches keep what they hold."""
    _running(session).reset()
    return OK


@command("EVICTION STOP", ADMIN, since=OWN)
def eviction_stop(session: Session, argv: list[bytes]) -> Any:
    """End the simulation and forget it."""
    session.core.shape.use_shadows(None)
    return OK


def _running(session: Session) -> Simulation:
    simulation = session.keyspace.shadows
    if simulation is None:
        raise RedisError(NOT_STARTED)
    return simulation
