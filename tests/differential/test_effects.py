"""Random programs: after each command both servers have announced and counted the same."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.conftest import RealRedis
from tests.differential.effects import Watched
from tests.differential.strategies import programs
from tests.differential.test_programs import FAMILIES, strategy_of
from tests.differential.versions import Command

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("family", FAMILIES)
def test_events_hits_misses_and_changes_agree_with_redis(
    real_redis: RealRedis, family: str, request: pytest.FixtureRequest
) -> None:
    commands = st.one_of(strategy_of(family), strategy_of("generic"))
    watched = Watched(real_redis.port)

    @settings(
        max_examples=600 if request.config.getoption("--slow") else 20,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        database=None,
        print_blob=True,
    )
    @given(st.sampled_from([2, 3]), programs(commands))
    def check(resp: int, program: list[Command]) -> None:
        watched.begin(resp)
        for argv in program:
            watched.run(argv)
            if watched.pair.parted:
                return

    try:
        check()
    finally:
        watched.close()
