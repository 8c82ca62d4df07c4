"""Random programs again: what a command tells of its work besides its reply must be Redis's, too.

After each command both servers are asked which keyspace events they have announced, how many changes they have counted,
and how many reads found their key or did not.
"""

from __future__ import annotations

from typing import Any

import hiredis
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pycache_server.store.events import parse_flags
from tests.conftest import RealRedis
from tests.differential.oracle import Difference, Ours, Pair, Real
from tests.differential.strategies import Command
from tests.differential.test_programs import FAMILIES, PROGRAM, strategy_of

pytestmark = pytest.mark.interop

_FLAGS = "AKEmn"
_END = b"end of the events"


class Ears:
    """Connections that hear the events of both servers."""

    def __init__(self, pair: Pair, port: int) -> None:
        self._pair = pair
        self._real = Real(port, 2)
        self._real.call([b"PSUBSCRIBE", b"__key*__:*", _END])
        self._real.read()
        self._ours = pair.ours.world.connect(decode=False)
        self._ours.start("PSUBSCRIBE", "__key*__:*")
        self._ours.read_all()
        flags = parse_flags(_FLAGS)
        assert flags is not None
        pair.ours.world.core.observers.notify(flags)
        pair.real.call([b"CONFIG", b"SET", b"notify-keyspace-events", _FLAGS.encode()])

    def heard(self) -> tuple[list[Any], list[Any]]:
        """The events of each since the last time, as pairs of channel and message."""
        self._pair.real.call([b"PUBLISH", _END, b""])
        theirs: list[Any] = []
        while (message := self._real.read())[2] != _END:
            theirs.append(message[2:])
        return theirs, [message[2:] for message in self._ours.read_all()]

    def close(self) -> None:
        self._pair.real.call([b"CONFIG", b"SET", b"notify-keyspace-events", b""])
        self._real.close()


def counts_of_redis(real: Real) -> tuple[int, int, int]:
    """Changes, hits and misses since the start of the server."""
    lines = real.call([b"INFO", b"persistence", b"stats"]).decode().splitlines()
    found = dict(line.split(":", 1) for line in lines if ":" in line)
    changes, hits, misses = (
        int(found[name]) for name in ("rdb_changes_since_last_save", "keyspace_hits", "keyspace_misses")
    )
    return changes, hits, misses


def our_counts(ours: Ours) -> tuple[int, int, int]:
    """The same of ours."""
    databases = ours.world.core.keyspace.databases
    return (
        sum(database.dirty for database in databases),
        sum(database.hits for database in databases),
        sum(database.misses for database in databases),
    )


def run_program(port: int, resp: int, program: list[Command]) -> None:
    """Run a program on both servers and compare what it does by the way."""
    pair = Pair(port, resp)
    ears = Ears(pair, port)
    try:
        before = counts_of_redis(pair.real), our_counts(pair.ours)
        for argv in program:
            theirs, mine = pair.run(argv, compare=False)
            if _differ_by_version(argv, theirs, mine):
                return
            events = ears.heard()
            after = counts_of_redis(pair.real), our_counts(pair.ours)
            counts = [
                tuple(now - then for now, then in zip(*pair, strict=True)) for pair in zip(after, before, strict=True)
            ]
            if events[0] != events[1] or counts[0] != counts[1]:
                raise Difference(
                    f"{argv}: changes, hits, misses, events\n  redis: {counts[0]} {events[0]}\n"
                    f"  ours:  {counts[1]} {events[1]}"
                )
            before = after
    finally:
        ears.close()
        pair.close()


def _differ_by_version(argv: Command, theirs: Any, mine: Any) -> bool:
    """Whether 7.0 does not answer as 7.4 does, which test_programs.py knows, or has read a key before its check of the
    arguments."""
    if isinstance(theirs, hiredis.ReplyError) != isinstance(mine, hiredis.ReplyError):
        return True
    return isinstance(mine, hiredis.ReplyError) and argv[0].upper() in (b"BITCOUNT", b"BITPOS")


@pytest.mark.parametrize("family", FAMILIES)
def test_events_changes_hits_and_misses_of_a_family_are_those_of_redis(
    real_redis: RealRedis, family: str, request: pytest.FixtureRequest
) -> None:
    @settings(
        max_examples=1500 if request.config.getoption("--slow") else 30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        database=None,
        print_blob=True,
    )
    @given(
        st.sampled_from([2, 3]),
        st.lists(st.one_of(strategy_of(family), strategy_of("generic")), min_size=5, max_size=PROGRAM),
    )
    def check(resp: int, program: list[Command]) -> None:
        run_program(real_redis.port, resp, program)

    check()
