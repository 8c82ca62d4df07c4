"""Real followers of ours, ours of ours, and chains: what is told to them makes the same of them, whatever happens to
the link."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RealRedis
from tests.interop.following import QUICK, follow, info, play_random_programs, wait_for, wait_same
from tests.proxy import Proxy
from tests.server.running import Running, Wire

_NEWER = frozenset((b"HEXPIRE", b"HPEXPIRE", b"HEXPIREAT", b"HPEXPIREAT", b"HGETEX", b"HSETEX"))
"""What makes fields expire, which a follower of 7.0 cannot hold."""


@pytest.fixture(autouse=True)
def _empty() -> None:
    """The servers are not those that other tests share."""


@pytest.fixture
def real(tmp_path: Path) -> Iterator[RealRedis]:
    place = tmp_path / "real"
    place.mkdir()
    found = RealRedis(place, *QUICK)
    yield found
    found.stop()


@contextlib.contextmanager
def ours_in(place: Path) -> Iterator[Running]:
    place.mkdir()
    with Running(place, *QUICK, "--enable-debug-command", "yes") as running:
        yield running


def wire_of(server: RealRedis | Running) -> Wire:
    return Wire(("127.0.0.1", server.port))


def test_a_real_follower_ends_the_same_after_random_commands_and_cut_links(
    leader: Running, real: RealRedis, request: pytest.FixtureRequest
) -> None:
    wanted = 100_000 if request.config.getoption("--slow") else 8_000
    with Proxy(leader.port) as proxy, leader.connect() as master, wire_of(real) as follower:
        follow(follower, proxy.port)
        play_random_programs(master, follower, proxy, wanted, without=_NEWER)


def test_a_chain_survives_the_loss_of_its_head_without_a_full_sync(
    leader: Running, real: RealRedis, tmp_path: Path
) -> None:
    with (
        ours_in(tmp_path / "middle") as middle,
        leader.connect() as head,
        middle.connect() as second,
        wire_of(real) as third,
    ):
        follow(second, leader.port)
        follow(third, middle.port)
        for number in range(100):
            head.call("SET", f"k{number}", number)
        wait_same(head, second)
        wait_same(second, third)
        assert info(third)["master_replid"] == info(head)["master_replid"]
        leader.stop()
        assert second.call("REPLICAOF", "NO", "ONE") == "OK"
        second.call("SET", "after", 1)
        wait_for(lambda: third.call("GET", "after") == "1", "the write behind the promotion")
        assert info(second)["role"] == "master"
        assert info(second)["master_replid2"] != "0" * 40
        assert info(second, "stats")["sync_full"] == "1"


def test_siblings_go_on_with_the_one_that_was_promoted(leader: Running, real: RealRedis, tmp_path: Path) -> None:
    with (
        ours_in(tmp_path / "second") as second,
        leader.connect() as head,
        second.connect() as heir,
        wire_of(real) as sibling,
    ):
        follow(heir, leader.port)
        follow(sibling, leader.port)
        head.call("RPUSH", "l", "a", "b")
        wait_same(head, heir)
        wait_same(head, sibling)
        leader.stop()
        heir.call("REPLICAOF", "NO", "ONE")
        heir.call("RPUSH", "l", "c")
        follow(sibling, second.port)
        wait_same(heir, sibling)
        assert info(heir, "stats")["sync_partial_ok"] == "1"
        assert info(heir, "stats")["sync_full"] == "0"


def test_wait_counts_followers_that_have_the_write(leader: Running, real: RealRedis) -> None:
    with leader.connect() as head, wire_of(real) as follower:
        follow(follower, leader.port)
        head.call("SET", "k", "v")
        assert head.call("WAIT", 1, 10_000) == 1
        assert follower.call("GET", "k") == "v"
        assert head.call("WAIT", 2, 100) == 1
        fields = info(head)
        assert fields["connected_slaves"] == "1"
        assert f"port={real.port}" in fields["slave0"]
        assert "state=online" in fields["slave0"]


def test_a_snapshot_by_way_of_the_disk_serves_as_well(leader: Running, real: RealRedis) -> None:
    leader.call("CONFIG", "SET", "repl-diskless-sync", "no")
    with leader.connect() as head, wire_of(real) as follower:
        for number in range(1000):
            head.call("SET", f"k{number}", "x" * 100)
        follow(follower, leader.port)
        wait_same(head, follower)


def test_a_follower_that_knows_no_times_of_fields_hears_of_none(
    leader: Running, real: RealRedis, tmp_path: Path
) -> None:
    with leader.connect() as head, wire_of(real) as follower:
        follow(follower, leader.port)
        head.call("HSET", "h", "f", "v", "g", "w", "rest", "x")
        head.call("HPEXPIRE", "h", 100_000, "FIELDS", 1, "f")
        head.call("HPERSIST", "h", "FIELDS", 1, "f")
        for words in (("MULTI",), ("INCR", "n"), ("HPEXPIRE", "h", 300, "FIELDS", 2, "f", "g"), ("EXEC",)):
            head.call(*words)
        wait_for(lambda: info(follower)["master_repl_offset"] == info(head)["master_repl_offset"], "in step")
        assert follower.call("GET", "n") == "1"
        wait_for(lambda: follower.call("HKEYS", "h") == ["rest"], "the fields go")
        wait_same(head, follower)
        assert info(follower, "stats").get("unexpected_error_replies", "0") == "0"
    assert "to its master" not in (tmp_path / "real" / "redis.log").read_text(errors="replace")
    assert leader.log().count("is not sent the times to live of fields of hashes") == 1
