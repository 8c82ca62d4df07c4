"""Masters that lie, break off and send garbage: the link is dropped, the log says why, and the old data stays.

The masters are scripts, so these need no other program; they stand here because a server in a process of its own is
what is tried."""

from __future__ import annotations

import resource
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import hiredis
import pytest

from pycache_server.persist.saving import save
from pycache_server.testing.inprocess import World
from tests.interop.following import ScriptedConnection, ScriptedMaster, info, wait_for
from tests.server.running import Running, Wire

OFFSET = 1000


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("ours"), "--enable-debug-command", "yes") as server:
        yield server


@pytest.fixture
def follower(ours: Running) -> Iterator[Wire]:
    with ours.connect() as wire:
        wire.call("REPLICAOF", "NO", "ONE")
        wire.call("FLUSHALL")
        wire.call("SET", "old", "1")
        yield wire
        wire.call("REPLICAOF", "NO", "ONE")
    assert list(ours.directory.glob("temp-*")) == []


def payload(keys: int = 500) -> bytes:
    """The data set of a good master."""
    client = (world := World()).connect()
    for number in range(keys):
        client.call("SET", f"key:{number}", "v" * 50)
    client.call("RPUSH", "list", *range(100))
    client.call("HSET", "hash", "f", "v")
    return b"".join(save(world.core.keyspace))


GOOD = payload()


def serve(script: Callable[[ScriptedConnection], None]) -> ScriptedMaster:
    return ScriptedMaster(lambda connection, words: script(connection))


def fresh(ours: Running) -> Callable[[], str]:
    """What the log has got since now."""
    before = len(ours.log())
    return lambda: ours.log()[before:]


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes((data[place] ^ 0x55,)) + data[place + 1 :]


BAD_PAYLOADS = {
    "nothing": b"",
    "no rdb": b"HELLO" * 100,
    "a version of the future": b"REDIS0099" + GOOD[9:],
    "a wrong checksum": GOOD[:-1] + bytes((GOOD[-1] ^ 1,)),
    "a flipped byte": flipped(GOOD, len(GOOD) // 2),
    "cut off": GOOD[: len(GOOD) // 2],
    "cut off in front of its checksum": GOOD[:-8],
    "something behind it": GOOD + b"x",
    "a string of a length that is not there": GOOD[:9] + b"\x00\x80" + struct.pack(">I", 2**31) + b"x",
    "a module's value": GOOD[:9] + b"\xfe\x00\x07\x01k\x81" + b"\0" * 30,
}


@pytest.mark.parametrize("kind", BAD_PAYLOADS)
@pytest.mark.parametrize("load", ["disabled", "swapdb"])
def test_a_corrupt_payload_changes_nothing(ours: Running, follower: Wire, kind: str, load: str) -> None:
    follower.call("CONFIG", "SET", "repl-diskless-load", load)
    log = fresh(ours)
    with serve(lambda master: (master.give(BAD_PAYLOADS[kind]), master.wait_end())) as master:
        follower.call("REPLICAOF", "127.0.0.1", master.port)
        wait_for(lambda: "Failed trying to load the MASTER synchronization DB: " in log(), kind)
        wait_for(lambda: str(follower.call("DBSIZE")) == "1", "not loading any more")
        assert follower.call("GET", "old") == "1"
        assert info(follower)["master_link_status"] == "down"
        assert int(info(follower, "stats")["pycache_replication_errors"]) >= 1


def test_a_payload_that_breaks_off_changes_nothing(ours: Running, follower: Wire) -> None:
    log = fresh(ours)
    with serve(lambda master: master.send(f"+FULLRESYNC {'7' * 40} 0\r\n$100000\r\n".encode() + GOOD)) as master:
        follower.call("REPLICAOF", "127.0.0.1", master.port)
        wait_for(lambda: "I/O error trying to sync with MASTER" in log(), "broken off")
        assert follower.call("GET", "old") == "1"


BAD_STREAMS = {
    "garbage": (b"\x00\x01\x02garbage\r\n" * 10, "offset"),
    "an inline command": (b"PING\r\n", "offset"),
    "a reply": (b"+OK\r\n", "offset"),
    "a huge array": (b"*1000000000\r\n", "offset"),
    "arrays in arrays": (b"*1\r\n*1\r\n$4\r\nPING\r\n", "offset"),
    "a number": (b"*1\r\n:5\r\n", "offset"),
    "an unknown command": (hiredis.pack_command(("NOSUCH", "x")), "command 'NOSUCH'"),
    "a wrong number of words": (hiredis.pack_command(("SET", "x")), "command 'SET'"),
    "a wrong type": (hiredis.pack_command(("LPUSH", "new", "x")), "command 'LPUSH'"),
    "a command that is no write": (hiredis.pack_command(("SHUTDOWN", "NOSAVE")), "command 'SHUTDOWN'"),
}


@pytest.mark.parametrize("kind", BAD_STREAMS)
def test_a_stream_that_cannot_be_applied_drops_the_link(ours: Running, follower: Wire, kind: str) -> None:
    garbage, said = BAD_STREAMS[kind]
    good = hiredis.pack_command(("SET", "new", "1"))

    def script(master: ScriptedConnection) -> None:
        master.give(GOOD, OFFSET)
        master.wait_ack(OFFSET)
        master.send(good + garbage)
        master.wait_end()

    log = fresh(ours)
    errors = int(info(follower, "stats")["pycache_replication_errors"])
    with serve(script) as master:
        follower.call("REPLICAOF", "127.0.0.1", master.port)
        wait_for(lambda: "The stream of the master cannot be applied" in log(), kind)
        assert f"== CRITICAL == The stream of the master cannot be applied at offset {OFFSET + len(good)}: " in log()
        assert said in log()
        assert int(info(follower, "stats")["pycache_replication_errors"]) > errors
        assert info(follower)["slave_repl_offset"] == "1"  # where it stands in the history is not known any more


def test_what_has_failed_is_asked_for_from_the_beginning(ours: Running, follower: Wire) -> None:
    with serve(lambda master: (master.give(b"no"), master.wait_end())) as master:
        follower.call("REPLICAOF", "127.0.0.1", master.port)
        wait_for(lambda: len(master.asked) >= 3, "some tries")
        assert master.asked[0][1] != b"?"
        assert master.asked[1:3] == [[b"PSYNC", b"?", b"-1"]] * 2


def test_a_good_master_is_followed_after_a_bad_one(ours: Running, follower: Wire) -> None:
    payloads = [b"bad", GOOD]

    def script(master: ScriptedConnection) -> None:
        master.give(payloads.pop(0), OFFSET)
        master.say("SET", "behind", "1")
        master.wait_end()

    with serve(script) as master:
        follower.call("REPLICAOF", "127.0.0.1", master.port)
        wait_for(lambda: follower.call("GET", "behind") == "1", "followed")
        assert follower.call("DBSIZE") == 503


@pytest.mark.parametrize(
    "answer",
    [
        b"+FULLRESYNC x\r\n",
        b"x" * 5000,
        b"+FULLRESYNC " + b"7" * 40 + b" 0\r\n$-5\r\n",
        b"+FULLRESYNC " + b"7" * 40 + b" 0\r\n$999999999999999999999\r\n",
        b"+FULLRESYNC " + b"7" * 40 + b" 0\r\n" + b"y" * 5000,
        b"+CONTINUE nonsense\r\n",
        b"\x00" * 3000,
    ],
)
def test_answers_that_make_no_sense_are_left(ours: Running, follower: Wire, answer: bytes) -> None:
    with serve(lambda master: (master.send(answer), master.wait_end())) as master:
        follower.call("REPLICAOF", "127.0.0.1", master.port)
        wait_for(lambda: len(master.asked) >= 2, "another try")
        assert follower.call("GET", "old") == "1"


def test_a_master_that_is_not_able_now_is_asked_again(ours: Running, follower: Wire) -> None:
    log = fresh(ours)
    answers = [b"-LOADING Redis is loading the dataset in memory\r\n", b"-NOMASTERLINK Can't SYNC\r\n"]

    def script(master: ScriptedConnection) -> None:
        if answers:
            master.send(answers.pop(0))
        else:
            master.give(GOOD)
        master.wait_end()

    with serve(script) as master:
        follower.call("REPLICAOF", "127.0.0.1", master.port)
        wait_for(lambda: info(follower).get("master_link_status") == "up", "the link is up")
        assert len(master.asked) == 3
        assert {words[1] for words in master.asked} != {b"?"}  # what was our own history was asked for each time
    assert "Master is currently unable to PSYNC but should be in the future: -LOADING" in log()


def test_the_stream_may_come_in_one_piece_with_the_payload(ours: Running, follower: Wire) -> None:
    mark = b"e" * 40
    stream = b"".join(hiredis.pack_command(("INCR", "n")) for _ in range(5000))

    def script(master: ScriptedConnection) -> None:
        master.send(f"+FULLRESYNC {'7' * 40} 0\r\n\n\n".encode() + b"$EOF:" + mark + b"\r\n" + GOOD + mark + stream)
        master.wait_ack(len(stream))
        master.wait_end()

    with serve(script) as master:
        follower.call("REPLICAOF", "127.0.0.1", master.port)
        wait_for(lambda: follower.call("GET", "n") == "5000", "applied")


SILENCES = {
    "before its answer": b"",
    "behind empty lines": b"\n\n",
    "behind +FULLRESYNC": b"+FULLRESYNC " + b"7" * 40 + b" 0\r\n",
    "within a payload": b"+FULLRESYNC " + b"7" * 40 + b" 0\r\n$%d\r\n" % len(GOOD) + GOOD[: len(GOOD) // 2],
    "without the mark": b"+FULLRESYNC " + b"7" * 40 + b" 0\r\n$EOF:" + b"e" * 40 + b"\r\n" + GOOD,
    "within the mark": b"+FULLRESYNC " + b"7" * 40 + b" 0\r\n$EOF:" + b"e" * 40 + b"\r\n" + GOOD + b"e" * 39,
}


@pytest.mark.parametrize("kind", SILENCES)
@pytest.mark.parametrize("load", ["disabled", "swapdb"])
def test_a_master_that_falls_silent_is_left_and_asked_again(
    ours: Running, follower: Wire, kind: str, load: str
) -> None:
    follower.call("CONFIG", "SET", "repl-diskless-load", load)
    follower.call("CONFIG", "SET", "repl-timeout", 1)
    log = fresh(ours)
    try:
        with serve(lambda master: (master.send(SILENCES[kind]), master.wait_end())) as master:
            follower.call("REPLICAOF", "127.0.0.1", master.port)
            wait_for(lambda: len(master.asked) >= 2, "another try")
            said = "Timeout receiving bulk data" if SILENCES[kind].strip() else "Timeout connecting to the MASTER..."
            assert said in log()
            assert follower.call("GET", "old") == "1"
    finally:
        follower.call("CONFIG", "SET", "repl-timeout", 60)


def test_an_old_master_without_psync_is_followed(ours: Running, follower: Wire) -> None:
    def script(master: ScriptedConnection) -> None:
        master.send(b"-ERR unknown command 'PSYNC'\r\n")
        assert master.line() == b"SYNC\r\n"
        master.send(b"$%d\r\n" % len(GOOD) + GOOD)
        master.say("SET", "behind", "1")
        master.wait_end()

    with serve(script) as master:
        follower.call("REPLICAOF", "127.0.0.1", master.port)
        wait_for(lambda: follower.call("GET", "behind") == "1", "followed")


def test_a_file_that_cannot_be_written_drops_the_link(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    directory.mkdir()
    with (
        Running(tmp_path, "--dir", str(directory)) as ours,
        ours.connect() as follower,
        serve(lambda master: (master.give(GOOD), master.wait_end())) as master,
    ):
        follower.call("SET", "old", "1")
        directory.rmdir()
        follower.call("REPLICAOF", "127.0.0.1", master.port)
        wait_for(lambda: "Opening the temp file needed for MASTER <-> REPLICA synchronization" in ours.log(), "log")
        assert follower.call("GET", "old") == "1"
        directory.mkdir()
        wait_for(lambda: follower.call("DBSIZE") == 502, "loaded")
        assert [path.name for path in directory.iterdir()] == ["dump.rdb"]


@pytest.mark.parametrize("keys", [350, 500])
def test_a_payload_that_a_full_disk_does_not_take_changes_nothing(tmp_path: Path, keys: int) -> None:
    data = payload(keys)  # the smaller one is written when it is whole, the larger one while it comes
    directory = tmp_path / "data"
    directory.mkdir()
    with (
        Running(tmp_path, "--dir", str(directory)) as ours,
        ours.connect() as follower,
        serve(lambda master: (master.give(data), master.wait_end())) as master,
    ):
        follower.call("SET", "old", "1")
        resource.prlimit(ours.process.pid, resource.RLIMIT_FSIZE, (len(data) - 10, resource.RLIM_INFINITY))
        follower.call("REPLICAOF", "127.0.0.1", master.port)
        wait_for(lambda: "Write error or short write writing to the DB dump file" in ours.log(), "log")
        assert follower.call("GET", "old") == "1" and list(directory.iterdir()) == []
        assert info(follower, "stats")["pycache_internal_errors"] == "0"
        wait_for(lambda: len(master.asked) >= 2, "another try")
        assert master.asked[1] == master.asked[0]  # what it holds is the data set of its history still
        resource.prlimit(ours.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        wait_for(lambda: follower.call("DBSIZE") == keys + 2, "loaded")
