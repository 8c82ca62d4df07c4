"""The append-only file of a server in a process of its own: what is there after a restart, beside a real Redis."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import hiredis
import pytest

from tests.conftest import RealRedis, require_program
from tests.server.running import Running, Wire

pytestmark = pytest.mark.process

APPEND = ("--appendonly", "yes", "--enable-debug-command", "yes", "--save", "")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts servers in one directory, the next one when the last has ended."""
    servers: list[Running] = []

    def start(*options: str, wait: bool = True) -> Running:
        server = Running(tmp_path, "--dir", str(tmp_path), *APPEND, *options, wait=wait)
        servers.append(server)
        if wait:
            server.wait_loaded()
        return server

    yield start
    for server in servers:
        server.__exit__()


def until(true: Callable[[], Any], seconds: float = 20.0) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it has not become true"
        time.sleep(0.01)


def rewritten(server: Running, before: int = 0) -> None:
    until(lambda: int(server.info("persistence")["aof_rewrites"]) > before)
    until(lambda: server.info("persistence")["aof_rewrite_in_progress"] == "0")
    assert server.info("persistence")["aof_last_bgrewrite_status"] == "ok", server.log()


def files(path: Path) -> list[str]:
    return sorted(each.name for each in (path / "appendonlydir").iterdir())


def fill(server: Any) -> None:
    call = server.call
    call("SET", "s", "text")
    call("SET", "n", "17", "EX", "10000")
    call("INCR", "n")
    call("RPUSH", "l", *range(200))
    call("SADD", "set", "a", "b", "c")
    call("ZADD", "z", "1", "a", "2.5", "b")
    call("HSET", "h", "f", "v", "g", "w")
    call("XADD", "x", "*", "f", "v")
    call("XGROUP", "CREATE", "x", "group", "0")
    call("XREADGROUP", "GROUP", "group", "me", "STREAMS", "x", ">")
    call("SPOP", "set")
    call("EVAL", "redis.call('SET', 'by', 'script'); redis.call('INCR', 'count')", "0")
    call("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 7 end)")
    with server.connect() as wire:
        for words in (["MULTI"], ["SELECT", "3"], ["SET", "other", "db"], ["EXEC"], ["SET", "there", "too"]):
            wire.call(*words)


def digest(server: Any) -> str:
    return str(server.call("DEBUG", "DIGEST"))


def killed(server: Running) -> None:
    server.terminate(signal.SIGKILL)


@pytest.mark.parametrize("policy", ["always", "everysec", "no"])
def test_everything_is_there_after_kill_9(start: Callable[..., Running], policy: str) -> None:
    server = start("--appendfsync", policy)
    fill(server)
    before = digest(server)
    killed(server)
    again = start("--appendfsync", policy)
    assert digest(again) == before
    assert again.call("FCALL", "f", "0") == 7
    assert again.info("persistence")["rdb_changes_since_last_save"] == "0"


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_a_rewrite_puts_a_base_in_place_of_all_files(
    start: Callable[..., Running], tmp_path: Path, preamble: str
) -> None:
    server = start("--aof-use-rdb-preamble", preamble)
    fill(server)
    assert server.call("BGREWRITEAOF") == "Background append only file rewriting started"
    rewritten(server)
    kind = "rdb" if preamble == "yes" else "aof"
    until(lambda: len(files(tmp_path)) == 3)
    assert files(tmp_path) == [f"appendonly.aof.2.base.{kind}", "appendonly.aof.2.incr.aof", "appendonly.aof.manifest"]
    server.call("SET", "after", "1")
    before = digest(server)
    killed(server)
    again = start()
    assert digest(again) == before and again.call("FCALL", "f", "0") == 7


def test_appending_is_switched_on_and_off_while_the_server_runs(start: Callable[..., Running], tmp_path: Path) -> None:
    server = start("--appendonly", "no")
    fill(server)
    assert server.info("persistence")["aof_enabled"] == "0"
    assert server.call("CONFIG", "SET", "appendonly", "yes") == "OK"
    rewritten(server)
    server.call("SET", "after", "1")
    before = digest(server)
    assert server.call("CONFIG", "SET", "appendonly", "no") == "OK"
    server.call("SET", "lost", "1")
    killed(server)
    again = start()
    assert digest(again) == before
    assert files(tmp_path) == ["appendonly.aof.1.base.rdb", "appendonly.aof.1.incr.aof", "appendonly.aof.manifest"]


def test_it_is_loaded_in_place_of_an_rdb_file(start: Callable[..., Running]) -> None:
    server = start()
    server.call("SET", "k", "1")
    server.call("SAVE")
    server.call("SET", "k", "2")
    killed(server)
    assert start().call("GET", "k") == "2"


def test_a_file_that_is_cut_off_is_mended_or_refused(start: Callable[..., Running], tmp_path: Path) -> None:
    server = start()
    server.call("SET", "k", "1")
    server.call("SET", "k", "2")
    killed(server)
    increment = tmp_path / "appendonlydir" / "appendonly.aof.1.incr.aof"
    whole = increment.read_bytes()
    increment.write_bytes(whole[:-5])
    refusing = start("--aof-load-truncated", "no", wait=False)
    assert refusing.process.wait(timeout=20) == 1
    assert "Unexpected end of file reading the append only file appendonly.aof.1.incr.aof" in refusing.log()
    mending = start()
    assert mending.call("GET", "k") == "1"
    assert "AOF appendonly.aof.1.incr.aof loaded anyway because aof-load-truncated is enabled" in mending.log()
    mending.call("SET", "k", "3")
    killed(mending)
    assert start().call("GET", "k") == "3"


def test_a_transaction_that_is_cut_off_has_never_been(start: Callable[..., Running], tmp_path: Path) -> None:
    server = start()
    with server.connect() as wire:
        for words in (["SET", "k", "1"], ["MULTI"], ["SET", "k", "2"], ["SET", "j", "2"], ["EXEC"]):
            wire.call(*words)
    killed(server)
    increment = tmp_path / "appendonlydir" / "appendonly.aof.1.incr.aof"
    increment.write_bytes(increment.read_bytes()[:-3])
    again = start()
    assert (again.call("GET", "k"), again.call("GET", "j")) == ("1", None)
    assert "Revert incomplete MULTI/EXEC transaction in AOF file appendonly.aof.1.incr.aof" in again.log()


def test_damage_in_the_middle_is_refused(start: Callable[..., Running], tmp_path: Path) -> None:
    server = start()
    for number in range(100):
        server.call("SET", "k", number)
    killed(server)
    increment = tmp_path / "appendonlydir" / "appendonly.aof.1.incr.aof"
    data = increment.read_bytes()
    place = data.index(b"*3", len(data) // 2)
    increment.write_bytes(data[:place] + b"?" + data[place + 1 :])
    refusing = start(wait=False)
    assert refusing.process.wait(timeout=20) == 1
    assert f"AOF appendonly.aof.1.incr.aof is damaged at offset {place}" in refusing.log()
    assert "Bad file format reading the append only file appendonly.aof.1.incr.aof" in refusing.log()
    assert increment.read_bytes()[place : place + 1] == b"?"


def test_a_file_of_the_manifest_that_is_missing_is_refused(start: Callable[..., Running], tmp_path: Path) -> None:
    killed(start())
    (tmp_path / "appendonlydir" / "appendonly.aof.1.base.rdb").unlink()
    refusing = start(wait=False)
    assert refusing.process.wait(timeout=20) == 1
    assert "Unable to obtain the AOF file appendonly.aof.1.base.rdb length" in refusing.log()


def test_the_one_file_of_an_older_redis_is_taken_over(start: Callable[..., Running], tmp_path: Path) -> None:
    words = (b"SELECT", b"0"), (b"SET", b"k", b"old")
    (tmp_path / "appendonly.aof").write_bytes(b"".join(hiredis.pack_command(argv) for argv in words))
    server = start()
    assert server.call("GET", "k") == "old"
    assert "Successfully migrated an old-style AOF file (appendonly.aof) into the AOF directory (appendonlydir)." in (
        server.log()
    )
    server.call("SET", "k", "new")
    killed(server)
    assert start().call("GET", "k") == "new"
    assert files(tmp_path) == ["appendonly.aof", "appendonly.aof.1.incr.aof", "appendonly.aof.manifest"]


def test_waitaof_waits_for_the_disk(start: Callable[..., Running]) -> None:
    server = start("--appendfsync", "everysec")
    with server.connect() as wire:
        assert wire.call("WAITAOF", "1", "0", "0") == [1, 0]
        wire.call("SET", "k", "1")
        assert wire.call("WAITAOF", "1", "0", "0") == [1, 0]
        assert wire.call("WAITAOF", "0", "1", "10") == [1, 0]
        wire.call("CONFIG", "SET", "appendfsync", "no")
        wire.call("SET", "k", "1")
        assert wire.call("WAITAOF", "1", "0", "50") == [0, 0]
        wire.send(hiredis.pack_command(("WAITAOF", "1", "0", "0")))
        until(lambda: server.info("clients")["blocked_clients"] == "1")
        server.call("CONFIG", "SET", "appendonly", "no")
        assert str(wire.read()) == "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."
        assert str(wire.call("WAITAOF", "1", "0", "0")) == (
            "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."
        )
        assert str(wire.call("WAITAOF", "2", "0", "0")) == "ERR value is out of range, value must between 0 and 1"
        assert str(wire.call("WAITAOF", "0", "-1", "0")) == "ERR value is out of range, must be positive"


def test_nothing_is_on_the_disk_before_the_first_base_is(start: Callable[..., Running]) -> None:
    server = start("--appendonly", "no")
    with server.connect() as wire:
        wire.call("DEBUG", "POPULATE", "10")
        wire.call("CONFIG", "SET", "rdb-key-save-delay", "100000")
        assert wire.call("CONFIG", "SET", "appendonly", "yes") == "OK"
        wire.call("SET", "k", "1")
        assert wire.call("WAITAOF", "1", "0", "1") == [0, 0]
        assert server.info("persistence")["aof_rewrite_in_progress"] == "1"
        assert wire.call("WAITAOF", "1", "0", "0") == [1, 0]
        before = digest(server)
        killed(server)
    assert digest(start()) == before


@pytest.mark.parametrize("load", ["disabled", "swapdb"])
def test_the_file_of_a_follower_holds_what_its_master_has_sent(
    start: Callable[..., Running], tmp_path: Path, load: str
) -> None:
    (tmp_path / "master").mkdir()
    with Running(
        tmp_path / "master", "--save", "", "--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0"
    ) as master:
        fill(master)
        follower = start("--repl-diskless-load", load)
        follower.call("SET", "own", "1")
        follower.call("REPLICAOF", "127.0.0.1", master.port)
        until(lambda: follower.info("replication").get("master_link_status") == "up")
        master.call("SET", "after", "1")
        before = digest(master)
        until(lambda: digest(follower) == before)
        until(lambda: follower.info("persistence")["aof_rewrite_in_progress"] == "0")
        until(lambda: len(files(tmp_path)) == 3)
        killed(follower)
    again = start()
    assert digest(again) == before and again.call("FCALL", "f", "0") == 7
    assert again.call("EXISTS", "own") == 0


@pytest.mark.parametrize("policy", ["everysec", "always"])
def test_waitaof_counts_followers_that_have_it_on_the_disk(
    start: Callable[..., Running], tmp_path: Path, policy: str
) -> None:
    (tmp_path / "master").mkdir()
    with Running(tmp_path / "master", "--save", "", "--repl-diskless-sync-delay", "0") as master:
        follower = start("--appendfsync", policy, "--replicaof", f"127.0.0.1 {master.port}")
        with master.connect() as wire:
            wire.call("SET", "k", "1")
            assert wire.call("WAITAOF", "0", "1", "0") == [0, 1]
            killed(follower)
            wire.call("SET", "k", "2")
            assert wire.call("WAITAOF", "0", "1", "50") == [0, 0]
    assert start().call("GET", "k") == "1"


def test_a_follower_that_cannot_take_the_payload_as_its_base_writes_one(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    (tmp_path / "master").mkdir()
    with Running(tmp_path / "master", "--save", "", "--repl-diskless-sync-delay", "0") as master:
        master.call("SET", "k", "1")
        follower = start()
        (tmp_path / "appendonlydir" / "temp-appendonly.aof.manifest").mkdir()  # no manifest can be written
        follower.call("REPLICAOF", "127.0.0.1", master.port)
        until(lambda: "Can't begin the append-only file anew: Is a directory" in follower.log())
        until(lambda: "Error trying to put the new AOF base file" in follower.log())
        follower.call("REPLICAOF", "NO", "ONE")
        follower.call("SET", "after", "1")
        (tmp_path / "appendonlydir" / "temp-appendonly.aof.manifest").rmdir()
        until(lambda: follower.info("persistence")["aof_last_bgrewrite_status"] == "ok")
        until(lambda: follower.call("WAITAOF", "1", "0", "10") == [1, 0])
        killed(follower)
    assert start().call("MGET", "k", "after") == ["1", "1"]


def test_times_are_annotated_where_that_is_wanted(start: Callable[..., Running], tmp_path: Path) -> None:
    server = start("--aof-timestamp-enabled", "yes")
    server.call("SET", "k", "1")
    server.call("SET", "k", "2")
    killed(server)
    assert (tmp_path / "appendonlydir" / "appendonly.aof.1.incr.aof").read_bytes().startswith(b"#TS:")
    assert start().call("GET", "k") == "2"


def test_debug_loadaof_loads_what_is_in_memory_again(start: Callable[..., Running]) -> None:
    server = start()
    fill(server)
    before = digest(server)
    assert server.call("DEBUG", "LOADAOF") == "OK"
    assert digest(server) == before
    server.call("SET", "k", "1")
    before = digest(server)
    killed(server)
    assert digest(start()) == before


def test_the_file_grows_until_it_is_rewritten_by_itself(start: Callable[..., Running]) -> None:
    server = start("--auto-aof-rewrite-min-size", "1kb", "--auto-aof-rewrite-percentage", "100")
    server.call("SET", "k", "x" * 4096)
    rewritten(server)
    assert "Starting automatic rewriting of AOF on" in server.log()
    info = server.info("persistence")
    assert int(info["aof_base_size"]) <= int(info["aof_current_size"]) < 5000


@pytest.mark.interop
@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_redis_loads_what_we_have_written(start: Callable[..., Running], tmp_path: Path, preamble: str) -> None:
    server = start("--aof-use-rdb-preamble", preamble, "--aof-timestamp-enabled", "yes")
    fill(server)
    server.call("BGREWRITEAOF")
    rewritten(server)
    fill(server)
    before = digest(server)
    server.terminate()
    checked = subprocess.run(
        [require_program("redis-check-aof"), str(tmp_path / "appendonlydir" / "appendonly.aof.manifest")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0 and "All AOF files and manifest are valid" in checked.stdout, checked.stdout
    redis = RealRedis(tmp_path, "--appendonly", "yes", *_KEPT)
    try:
        until(lambda: _ask(redis.port, "PING") == b"PONG")
        assert _ask(redis.port, "DEBUG", "DIGEST").decode() == before
    finally:
        redis.stop()


@pytest.mark.interop
@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_we_load_what_redis_has_written(start: Callable[..., Running], tmp_path: Path, preamble: str) -> None:
    redis = RealRedis(tmp_path, "--appendonly", "yes", *_KEPT, "--aof-use-rdb-preamble", preamble)
    try:
        with Connected(redis.port) as peer:
            fill(peer)
            peer.call("BGREWRITEAOF")
            until(lambda: b"aof_rewrite_in_progress:0" in peer.call("INFO", "persistence"))
            fill(peer)
            before = peer.call("DEBUG", "DIGEST").decode()
    finally:
        redis.stop()
    assert digest(start()) == before


@pytest.mark.interop
def test_redis_and_we_take_turns_with_one_directory(start: Callable[..., Running], tmp_path: Path) -> None:
    for turn in range(2):
        server = start()
        server.call("RPUSH", "l", f"ours{turn}")
        server.terminate()
        redis = RealRedis(tmp_path, "--appendonly", "yes", *_KEPT)
        try:
            until(lambda port=redis.port: _ask(port, "PING") == b"PONG")
            _ask(redis.port, "RPUSH", "l", f"redis{turn}")
        finally:
            redis.stop()
    assert start().call("LRANGE", "l", "0", "-1") == ["ours0", "redis0", "ours1", "redis1"]


_KEPT = ("--appendfsync", "always")
"""Otherwise Redis may answer before it has written, for two seconds, while an fsync is slow; and then it is killed."""


class Connected:
    """A Redis as ``fill`` wants it."""

    def __init__(self, port: int) -> None:
        self.port = port

    def __enter__(self) -> Self:
        until(lambda: _ask(self.port, "PING") == b"PONG")
        return self

    def __exit__(self, *details: object) -> None:
        pass

    def call(self, *words: Any) -> Any:
        return _ask(self.port, *words)

    def connect(self) -> Any:
        return Wire(("127.0.0.1", self.port))


def _ask(port: int, *words: Any) -> Any:
    nothing = object()
    reader = hiredis.Reader(notEnoughData=nothing)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(hiredis.pack_command(words))
        while (value := reader.gets()) is nothing:
            reader.feed(connection.recv(1 << 16))
    return value


def test_a_copy_of_the_directory_is_a_backup(start: Callable[..., Running], tmp_path: Path) -> None:
    server = start()
    server.call("SET", "k", "1")
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path / "appendonlydir", copy / "appendonlydir")
    with Running(tmp_path, "--dir", str(copy), *APPEND) as restored:
        restored.wait_loaded()
        assert restored.call("GET", "k") == "1"


def test_a_base_of_commands_tells_when_it_was_begun(start: Callable[..., Running], tmp_path: Path) -> None:
    server = start("--aof-use-rdb-preamble", "no", "--aof-timestamp-enabled", "yes")
    before = int(time.time())
    fill(server)
    server.call("BGREWRITEAOF")
    rewritten(server)
    (base,) = (tmp_path / "appendonlydir").glob("*.base.aof")
    first = base.read_bytes().split(b"\r\n")[0]
    assert first.startswith(b"#TS:") and before <= int(first[4:]) <= int(time.time())
