"""Random programs: a real redis-server and ours must answer and end the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pycache_server.evict.base import Policy, load_policy
from tests.compared import COMPARED, RANDOM
from tests.conftest import RealRedis
from tests.differential.oracle import Pair
from tests.differential.strategies import Command, programs

pytestmark = pytest.mark.interop

FAMILIES = sorted(path.stem.removeprefix("family_") for path in Path(__file__).parent.glob("family_*.py"))
AT_ONCE = 100
"""So many programs are drawn in one go of hypothesis."""


@cache
def strategy_of(family: str) -> st.SearchStrategy[Command]:
    found: Callable[[], st.SearchStrategy[Command]] = import_module(f"tests.differential.family_{family}").commands
    return found()


def run_program(pair: Pair, program: list[Command]) -> None:
    """Run a program on both servers and compare everything."""
    for argv in program:
        compare = [word.upper() for word in argv[:2]] != [
            b"OBJECT",
            b"REFCOUNT",
        ]  # a copy of a small integer is not shared
        pair.run(argv, compare)
        COMPARED[RANDOM] += compare
        if pair.parted:
            return
    pair.compare_state()


def check_family(
    real: RealRedis, strategies: list[st.SearchStrategy[Command]], wanted: int, policy: Policy | None = None
) -> None:
    """Run programs until so many commands have been compared; ours under a policy where one is given."""
    pair = Pair(real.port)
    if policy is not None:
        shape = pair.ours.world.core.shape
        shape.use_engine(policy.engine, policy.volatile)
        while shape.step():
            pass

    @settings(
        max_examples=AT_ONCE,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        database=None,
        print_blob=True,
    )
    @given(st.sampled_from([2, 3]), programs(st.one_of(strategies)))
    def check(resp: int, program: list[Command]) -> None:
        pair.begin(resp)
        run_program(pair, program)

    enough = COMPARED[RANDOM] + wanted
    try:
        while COMPARED[RANDOM] < enough:
            check()
    finally:
        pair.close()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_and_the_generic_commands_agree_with_redis(
    real_redis: RealRedis, family: str, request: pytest.FixtureRequest
) -> None:
    wanted = 30_000 if request.config.getoption("--slow") else 1000
    check_family(real_redis, [strategy_of(family), strategy_of("generic")], wanted)


def test_all_families_together_agree_with_redis(real_redis: RealRedis, request: pytest.FixtureRequest) -> None:
    wanted = 700_000 if request.config.getoption("--slow") else 10_000
    check_family(real_redis, [strategy_of(family) for family in FAMILIES], wanted)


@pytest.mark.parametrize("name", ["allkeys-lru", "volatile-lru"])
def test_all_families_agree_with_redis_while_every_key_is_counted(
    real_redis: RealRedis, name: str, request: pytest.FixtureRequest
) -> None:
    wanted = 100_000 if request.config.getoption("--slow") else 1500
    check_family(real_redis, [strategy_of(family) for family in FAMILIES], wanted, load_policy(name))
