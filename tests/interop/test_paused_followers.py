"""CLIENT PAUSE on a follower: what its master sends comes, is not applied before the pause is over, and is not lost.
A real follower and ours; the master is ours."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pycache_server.server.holding import MOST
from pycache_server.server.wire import BUFFER
from tests.conftest import RealRedis
from tests.interop.following import QUICK, info, wait_for, wait_same
from tests.proxy import Proxy
from tests.server.running import Running, Wire

pytestmark = pytest.mark.interop
LONG = 100_000
"""A pause in ms that nobody waits for."""


@pytest.fixture(autouse=True)
def _empty() -> None:
    """The servers are not those that other tests share."""


@pytest.fixture
def master(leader: Running) -> Iterator[Wire]:
    with leader.connect() as found:
        yield found


@pytest.fixture(params=["ours", "real"])
def follower(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Wire]:
    place = tmp_path / "follower"
    place.mkdir()
    options = (*QUICK, "--enable-debug-command", "yes")
    server = RealRedis(place, *options) if request.param == "real" else Running(place, *options)
    with Wire(("127.0.0.1", server.port)) as found:
        yield found
    server.stop()


def follow(follower: Wire, port: int) -> None:
    follower.call("REPLICAOF", "127.0.0.1", str(port))
    wait_for(lambda: info(follower)["master_link_status"] == "up", "the link")


def number(wire: Wire, name: str) -> int:
    return int(info(wire)[name])


def test_what_comes_in_a_pause_is_applied_behind_it_in_order(leader: Running, master: Wire, follower: Wire) -> None:
    follow(follower, leader.port)
    master.call("SET", "k", "before")
    wait_same(master, follower)
    applied = number(follower, "slave_repl_offset")
    follower.call("CLIENT", "PAUSE", str(LONG), "WRITE")
    for value in range(50):
        master.call("RPUSH", "list", str(value))
    master.call("SET", "k", "after")
    offset = number(master, "master_repl_offset")
    wait_for(lambda: number(follower, "slave_read_repl_offset") >= offset, "the stream has come")
    assert number(follower, "slave_repl_offset") < offset
    assert number(follower, "slave_repl_offset") >= applied
    assert follower.call("GET", "k") == "before"
    assert follower.call("LLEN", "list") == 0
    assert master.call("WAIT", "1", "50") == 0
    follower.call("CLIENT", "UNPAUSE")
    wait_same(master, follower)
    assert follower.call("LRANGE", "list", "0", "-1") == [str(value) for value in range(50)]
    assert master.call("WAIT", "1", "5000") == 1


def test_more_comes_than_is_kept(leader: Running, master: Wire, follower: Wire) -> None:
    follow(follower, leader.port)
    follower.call("CONFIG", "SET", "repl-timeout", "2")
    follower.call("CLIENT", "PAUSE", "4000", "WRITE")
    for value in range(60):
        master.call("SET", f"k{value}", "x" * (MOST // 4))
    if isinstance(info(follower, "server").get("pycache_version"), str):  # a real one keeps all that comes
        offset = number(follower, "slave_repl_offset")
        wait_for(lambda: number(follower, "slave_read_repl_offset") - offset > MOST, "enough has come")
        time.sleep(0.2)
        assert number(follower, "slave_read_repl_offset") - offset <= MOST + BUFFER
    wait_same(master, follower)
    assert (info(master, "stats")["sync_full"], info(master, "stats")["sync_partial_ok"]) == ("1", "0")


@pytest.mark.parametrize("follower", ["ours"], indirect=True)  # a real one hears of the loss when the pause is over
def test_a_link_that_is_lost_in_a_pause_costs_nothing(leader: Running, master: Wire, follower: Wire) -> None:
    with Proxy(leader.port) as proxy:
        follow(follower, proxy.port)
        master.call("SET", "k", "1")
        wait_same(master, follower)
        follower.call("CLIENT", "PAUSE", str(LONG), "WRITE")
        master.call("INCR", "k")
        offset = number(master, "master_repl_offset")
        wait_for(lambda: number(follower, "slave_read_repl_offset") >= offset, "the stream has come")
        proxy.cut()
        wait_for(lambda: info(master, "stats")["sync_partial_ok"] == "1", "the link is made anew")
        master.call("INCR", "k")
        follower.call("CLIENT", "UNPAUSE")
        wait_same(master, follower)
    assert follower.call("GET", "k") == "3"
    assert info(master, "stats")["sync_full"] == "1"


@pytest.mark.parametrize("follower", ["ours"], indirect=True)
def test_who_is_promoted_in_a_pause_has_what_has_come(leader: Running, master: Wire, follower: Wire) -> None:
    follow(follower, leader.port)
    follower.call("CLIENT", "PAUSE", str(LONG), "WRITE")
    for value in range(100):
        master.call("SET", f"k{value}", "x" * 10_000)
    offset = number(master, "master_repl_offset")
    wait_for(lambda: number(follower, "slave_read_repl_offset") >= offset, "the stream has come")
    assert follower.call("DBSIZE") == 0
    follower.call("REPLICAOF", "NO", "ONE")
    assert (follower.call("DBSIZE"), number(follower, "master_repl_offset")) == (100, offset)
    follower.call("CLIENT", "UNPAUSE")
