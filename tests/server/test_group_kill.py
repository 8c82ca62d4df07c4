"""kill -9 of a voter under load, with appendfsync always: what was acknowledged is there after the restart, as data and
as entries of the history, whatever was going on: rewrites, cuts of the file's end, another kill."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest

from pycache_server.persist.group_lines import Reading
from tests.conftest import some_slow
from tests.server.running import Running
from tests.server.test_kill import load

pytestmark = pytest.mark.process

KILLS = 3
OPTIONS = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")


class RunningVoter(Running):
    """A process that is a voter."""

    module = "tests.server.group_voter"


@pytest.mark.parametrize("seed", some_slow(range(40), 2))
def test_what_was_acknowledged_outlives_kills(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    clients = []
    for number in range(KILLS):
        with RunningVoter(tmp_path, "--dir", str(tmp_path), *OPTIONS) as server:
            server.wait_loaded()
            clients += load(server, f"{seed}:{number}", chance)
    tear(tmp_path, chance)
    with RunningVoter(tmp_path, "--dir", str(tmp_path), *OPTIONS) as server:
        server.wait_loaded()
        assert "not whole" not in server.log(), server.log()
        for client in clients:
            found = [int(text) for text in server.call("LRANGE", client.key, 0, -1)]
            assert found == list(range(len(found))), f"seed {seed}"
            assert client.acknowledged <= len(found) <= client.sent, f"seed {seed}"
        server.terminate(signal.SIGTERM)
    assert history_is_whole(tmp_path), f"seed {seed}"


def tear(path: Path, chance: random.Random) -> None:
    """What a kill in the middle of a write leaves: the beginning of an entry."""
    last = max((path / "appendonlydir").glob("*.incr.aof"), key=lambda each: int(each.name.split(".")[-3]))
    entry = b"#PG:WRITE 9 %d 20 00000000\r\n*1\r\n$4\r\nP"
    with last.open("ab") as stream:
        stream.write(entry[: chance.randrange(len(entry))])


def history_is_whole(path: Path) -> bool:
    """Whether the entries of the last file follow one another, without a gap, up to a clean end."""
    last = max((path / "appendonlydir").glob("*.incr.aof"), key=lambda each: int(each.name.split(".")[-3]))
    reading = Reading(last.read_bytes()).begin()
    for _ in reading.entries():
        pass
    return reading.clean and not reading.foreign and reading.cut_off is None
