"""Random programs: a real redis-server and ours must answer and end the same."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.conftest import RealRedis
from tests.differential.oracle import Pair
from tests.differential.strategies import Command, programs

pytestmark = pytest.mark.interop

FAMILIES = sorted(path.stem.removeprefix("family_") for path in Path(__file__).parent.glob("family_*.py"))


def strategy_of(family: str) -> st.SearchStrategy[Command]:
    found: Callable[[], st.SearchStrategy[Command]] = import_module(f"tests.differential.family_{family}").commands
    return found()


def run_program(port: int, resp: int, program: list[Command]) -> None:
    """Run a program on both servers and compare everything."""
    pair = Pair(port, resp)
    try:
        for argv in program:
            compare = [word.upper() for word in argv[:2]] != [b"OBJECT", b"REFCOUNT"]  # 7.0 shares small integers
            pair.run(argv, compare)
        pair.compare_state()
    finally:
        pair.close()


def check_family(real: RealRedis, strategies: list[st.SearchStrategy[Command]], examples: int) -> None:
    commands = st.one_of(strategies)

    @settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        derandomize=False,
        database=None,
        print_blob=True,
    )
    @given(st.sampled_from([2, 3]), programs(commands))
    def check(resp: int, program: list[Command]) -> None:
        run_program(real.port, resp, program)

    check()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_and_the_generic_commands_agree_with_redis(
    real_redis: RealRedis, family: str, request: pytest.FixtureRequest
) -> None:
    examples = 1500 if request.config.getoption("--slow") else 40
    check_family(real_redis, [strategy_of(family), strategy_of("generic")], examples)


def test_all_families_together_agree_with_redis(real_redis: RealRedis, request: pytest.FixtureRequest) -> None:
    examples = 6000 if request.config.getoption("--slow") else 100
    check_family(real_redis, [strategy_of(family) for family in FAMILIES], examples)
