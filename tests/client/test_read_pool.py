"""ReadPool: reads go to the followers that sentinels name, and ride through the loss of one."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
import redis

from pycache_server.client import ReadPool


class Follower:
    """What a test has in place of a server: it counts what it is asked, and may not answer."""

    asked: Counter[int]
    dead: set[int]

    def __init__(self, host: str, port: int, **options: Any) -> None:
        self.port = port
        self.options = options

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if self.port in self.dead:
            raise redis.exceptions.ConnectionError("it does not answer")
        self.asked[self.port] += 1
        return self.port

    def pipeline(self, transaction: bool, shard_hint: Any) -> int:
        return self.port

    @property
    def connection_pool(self) -> Any:
        return redis.ConnectionPool()

    def close(self) -> None:
        pass


class Sentinels:
    """What redis-py's Sentinel tells of a service."""

    def __init__(self, *followers: int, leader: int = 1) -> None:
        self.followers = list(followers)
        self.leader = leader
        self.questions = 0

    def discover_slaves(self, service: str) -> list[tuple[str, int]]:
        self.questions += 1
        return [("host", port) for port in self.followers]

    def discover_master(self, service: str) -> tuple[str, int]:
        if not self.leader:
            raise redis.sentinel.MasterNotFoundError("none")
        return ("host", self.leader)


class Ticks:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture(autouse=True)
def _followers(monkeypatch: pytest.MonkeyPatch) -> None:
    Follower.asked = Counter()
    Follower.dead = set()
    monkeypatch.setattr("pycache_server.client.pool.redis.Redis", Follower)


def pool_of(sentinels: Sentinels, ticks: Ticks, **options: Any) -> ReadPool:
    return ReadPool(sentinels, "crm", ticks=ticks, **options)  # type: ignore[arg-type]


def test_each_command_goes_to_the_next_follower(ticks: Ticks) -> None:
    pool = pool_of(Sentinels(7, 8, 9), ticks)
    assert [pool.execute_command("GET", "k") for _ in range(4)] == [7, 8, 9, 7]


def test_weights_are_by_address(ticks: Ticks) -> None:
    pool = pool_of(Sentinels(7, 8), ticks, balance="weighted", weights={("host", 8): 3})
    for _ in range(8):
        pool.execute_command("GET", "k")
    assert Follower.asked == {7: 2, 8: 6}


def test_a_command_is_sent_to_another_follower_where_one_does_not_answer(ticks: Ticks) -> None:
    sentinels = Sentinels(7, 8)
    pool = pool_of(sentinels, ticks)
    Follower.dead = {7}
    assert [pool.execute_command("GET", "k") for _ in range(4)] == [8, 8, 8, 8]
    assert sentinels.questions == 2  # once more when it had failed
    Follower.dead = set()
    ticks.now += 1.1
    assert {pool.execute_command("GET", "k") for _ in range(4)} == {7, 8}


def test_the_leader_answers_where_no_follower_is_left(ticks: Ticks) -> None:
    pool = pool_of(Sentinels(7), ticks)
    Follower.dead = {7}
    assert pool.execute_command("GET", "k") == 1


def test_an_error_of_the_leader_is_the_callers(ticks: Ticks) -> None:
    pool = pool_of(Sentinels(leader=1), ticks)
    Follower.dead = {1}
    with pytest.raises(redis.exceptions.ConnectionError):
        pool.execute_command("GET", "k")


def test_without_any_node_there_is_a_clear_error(ticks: Ticks) -> None:
    pool = pool_of(Sentinels(leader=0), ticks)
    with pytest.raises(redis.sentinel.MasterNotFoundError):
        pool.execute_command("GET", "k")


def test_followers_that_come_and_go_are_learned_within_the_time_given(ticks: Ticks) -> None:
    sentinels = Sentinels(7)
    pool = pool_of(sentinels, ticks, refresh=5)
    assert pool.execute_command("GET", "k") == 7
    sentinels.followers = [8]
    assert pool.execute_command("GET", "k") == 7
    ticks.now += 5
    assert pool.execute_command("GET", "k") == 8


def test_a_follower_that_is_busy_is_spared(ticks: Ticks) -> None:
    pool = pool_of(Sentinels(7, 8), ticks, balance="leastconn")
    with pool._busy() as (busy, _):
        assert busy is not None
        assert {pool.execute_command("GET", "k") for _ in range(3)} == {15 - busy.address[1]}


def test_a_pipeline_stays_with_one_follower(ticks: Ticks) -> None:
    pool = pool_of(Sentinels(7, 8), ticks)
    assert [pool.pipeline(), pool.pipeline()] == [7, 8]


def test_what_cannot_be_is_refused_at_once(ticks: Ticks) -> None:
    with pytest.raises(ValueError, match="balance is one of roundrobin, weighted, random, leastconn, not nearest"):
        pool_of(Sentinels(), ticks, balance="nearest")
    with pytest.raises(ValueError, match="a weight is a whole number from 1 on"):
        pool_of(Sentinels(), ticks, weights={("host", 7): 0})


def test_without_redis_py_the_error_says_what_to_install() -> None:
    program = "import sys; sys.modules['redis'] = None; import pycache_server.client"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "ReadPool needs redis-py: pip install 'pycache-server[client]'" in done.stderr
