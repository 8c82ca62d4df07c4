"""Random programs: whoever does what the feed tells, at another time, comes to hold the same.

Time passes in these programs, so that keys and fields expire between commands and within transactions. No other server
is needed; that a Redis tells the same is tested in test_propagation.py.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pycache_server.evict.base import load_policy
from pycache_server.store.mortal import Lifetimes
from pycache_server.store.scopes import Scope, Scoped
from pycache_server.testing.inprocess import Client, World
from tests.conftest import more_in_ci
from tests.differential import newer
from tests.differential.strategies import Command, programs
from tests.differential.test_blocking import MODULES, OurStage, play
from tests.differential.test_programs import FAMILIES, strategy_of
from tests.mirror import Mirror

WAIT = b"{wait}"
_WAITS = st.sampled_from([1, 40, 70, 1000, 150_000]).map(lambda ms: [WAIT, b"%d" % ms])
_SHORT = st.sampled_from([b"a", b"b", b"list", b"hash", b"set", b"zset", b"s"]).map(
    lambda key: [b"PEXPIRE", key, b"50"]
)
_FRAMES = st.sampled_from([[b"MULTI"], [b"EXEC"], [b"EXEC"], [b"SELECT", b"1"], [b"SELECT", b"0"]])


@cache
def all_commands() -> st.SearchStrategy[Command]:
    """Commands of all families. There is one such strategy: hypothesis looks through each it is given, for seconds."""
    return st.one_of([newer.commands(), *map(strategy_of, FAMILIES)])


def timed(commands: st.SearchStrategy[Command]) -> st.SearchStrategy[Command]:
    """Commands, between which time passes and transactions begin and end."""
    return st.one_of(*[commands] * 9, _WAITS, _SHORT, _FRAMES)


def run(world: World, client: Client, argv: Command) -> None:
    """A step of a program."""
    if argv[0] == WAIT:
        world.advance(int(argv[1]) / 1000)
        return
    if argv[0].upper() == b"SELECT" and argv[1:] not in ([b"0"], [b"1"]):
        return
    client.start(*argv)
    if client.session.waiter is not None:
        world.advance(0.5)
    client.read_all()


class Course:
    """A server and its mirror, for one program after another."""

    def __init__(self, prepare: Callable[[World], None] = lambda world: None) -> None:
        self.world = World(databases=4)
        prepare(self.world)
        self.mirror = Mirror(self.world)
        self.client = self.world.connect(decode=False)

    def prove(self, program: list[Command]) -> None:
        """Run a program, and compare."""
        for argv in ([b"DISCARD"], [b"RESET"], [b"FLUSHALL"], [b"FUNCTION", b"FLUSH"]):
            run(self.world, self.client, argv)
        for argv in program:
            run(self.world, self.client, argv)
        run(self.world, self.client, [b"EXEC"])
        self.mirror.compare()


def many(request: pytest.FixtureRequest, quick: int, slow: int) -> settings:
    return settings(
        max_examples=slow if request.config.getoption("--slow") else more_in_ci(quick // 12, quick),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        database=None,
        print_blob=True,
    )


@pytest.mark.parametrize("family", [*FAMILIES, "newer"])
def test_what_is_told_makes_the_same_elsewhere(family: str, request: pytest.FixtureRequest) -> None:
    commands, course = newer.commands() if family == "newer" else strategy_of(family), Course()

    @many(request, 60, 1500)
    @given(programs(timed(st.one_of(commands, commands, strategy_of("generic")))))
    def prove(program: list[Command]) -> None:
        course.prove(program)

    prove()


def test_what_all_families_tell_makes_the_same_elsewhere(request: pytest.FixtureRequest) -> None:
    course = Course()
    every = all_commands()

    @many(request, 150, 8000)
    @given(programs(timed(every)))
    def prove(program: list[Command]) -> None:
        course.prove(program)

    prove()


@pytest.mark.parametrize("name", ["allkeys-lru", "volatile-ttl"])
def test_what_is_evicted_is_told(name: str, request: pytest.FixtureRequest) -> None:
    every = all_commands()
    policy = load_policy(name)

    def prepare(world: World) -> None:
        core = world.core
        core.shape.use_engine(policy.engine, policy.volatile)
        while core.shape.step():
            pass
        core.room.limit(3000)
        core.tables.refresh()

    course = Course(prepare)

    @many(request, 60, 2000)
    @given(programs(timed(every)))
    def prove(program: list[Command]) -> None:
        course.prove(program)

    prove()


@pytest.mark.parametrize(("default", "longest"), [(70, 0), (0, 60), (1000, 500), (0, 100_000)])
def test_lifetimes_that_are_configured_are_told(default: int, longest: int, request: pytest.FixtureRequest) -> None:
    every = all_commands()

    def prepare(world: World) -> None:
        world.core.shape.use_lifetimes(Lifetimes(*(Scoped([(Scope(), time)]) for time in (default, longest))))

    course = Course(prepare)

    @many(request, 60, 2000)
    @given(programs(timed(every)))
    def prove(program: list[Command]) -> None:
        course.prove(program)

    prove()


@pytest.mark.parametrize("module", [module for module in MODULES if hasattr(module, "random_line")])
@pytest.mark.parametrize("late", [False, True])
def test_what_waiting_clients_get_is_told(module: object, late: bool, request: pytest.FixtureRequest) -> None:
    """Also where the first listener comes when they wait already."""
    for seed in range(600 if request.config.getoption("--slow") else more_in_ci(5, 30)):
        chance = random.Random(seed)
        stage = OurStage()
        mirror = None if late else Mirror(stage.world)
        try:
            for number in range(60):
                if number == 10 and mirror is None:
                    play(stage, "Z: FLUSHALL")
                    mirror = Mirror(stage.world)
                ready = [name for name in "ABCDE" if not stage.is_waiting(name)]
                play(stage, f"{chance.choice(ready or ['F'])}: {module.random_line(chance, True)}")  # type: ignore[attr-defined]
            assert mirror is not None
            mirror.compare()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        finally:
            stage.end()
