"""Followers and leaders that are restarted with an append-only file: it tells of no position in the stream, neither a
real server's nor ours, so that everything is sent anew. (An RDB file does tell.)"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RealRedis
from tests.interop.following import QUICK, follow, info, wait_for, wait_same
from tests.server.running import Running, Wire

pytestmark = pytest.mark.interop


def launch(name: str, place: Path, *options: str) -> Any:
    place.mkdir(exist_ok=True)
    options = (*QUICK, "--appendonly", "yes", *options)
    if name == "redis":
        return RealRedis(place, *options)
    return Running(place, *options, "--enable-debug-command", "yes")


def is_at_rest(wire: Wire) -> bool:
    """Whether no file is being rewritten or is about to be: until then a server does not end."""
    found = info(wire, "persistence")
    return found["aof_rewrite_in_progress"] == found["aof_rewrite_scheduled"] == "0"


def end(server: Any) -> None:
    server.process.terminate()
    assert server.process.wait(30) == 0
    server.stop()


@pytest.mark.parametrize("name", ["ours", "redis"])
@pytest.mark.parametrize("rewritten", [False, True], ids=["as it grew", "rewritten"])
def test_a_follower_gets_everything_after_a_restart(tmp_path: Path, name: str, rewritten: bool) -> None:
    leader = launch(name, tmp_path / "leader")
    follower = launch(name, tmp_path / "follower")
    head, wire = Wire(("127.0.0.1", leader.port)), Wire(("127.0.0.1", follower.port))
    follow(wire, leader.port)
    for number in range(100):
        head.call("SET", f"k{number}", "v")
    wait_same(head, wire)
    wait_for(lambda: is_at_rest(wire), "the file of the data set that has come is there")
    if rewritten:
        wire.call("BGREWRITEAOF")
        wait_for(lambda: is_at_rest(wire), "rewritten")
    wire.close()
    end(follower)
    again = launch(name, tmp_path / "follower", "--replicaof", f"127.0.0.1 {leader.port}")
    try:
        with Wire(("127.0.0.1", again.port)) as wire:
            wait_for(lambda: info(wire).get("master_link_status") == "up", "followed again")
            wait_same(head, wire)
            assert (info(head, "stats")["sync_full"], info(head, "stats")["sync_partial_ok"]) == ("2", "0")
    finally:
        head.close()
        again.stop()
        leader.stop()
