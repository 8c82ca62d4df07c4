"""The data set and its file: saving, loading, and what goes wrong with both. In processes as users run them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.persist.files import file_of, text
from tests.server.running import Running, Wire

pytestmark = pytest.mark.process

DEBUG = ("--enable-debug-command", "yes")
METHODS = pytest.mark.parametrize("method", ["auto", "slices"])
BIG = 300_000


def eventually(condition: Callable[[], Any], what: str, seconds: float = 20) -> Any:
    """What a condition answers as soon as that is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise TimeoutError(what)


def saved(server: Running) -> bool:
    """Whether no save is going on and the last one has succeeded."""
    info = server.info("persistence")
    return info["rdb_bgsave_in_progress"] == "0" and info["rdb_last_bgsave_status"] == "ok"


def leave_nothing_behind(directory: Path) -> bool:
    return not list(directory.glob("temp-*"))


def populate(server: Running, keys: int) -> None:
    assert server.call("DEBUG", "POPULATE", keys, "key", 50) == "OK"


def fill(wire: Wire) -> None:
    """One value of each type, of which some expire."""
    wire.call("SET", "string", "text")
    wire.call("SET", "session", "text", "EX", 1000)
    wire.call("RPUSH", "list", *range(500))
    wire.call("SADD", "set", "a", "b")
    wire.call("ZADD", "zset", 1, "a", 2, "b")
    wire.call("HSET", "hash", "f", "v", "g", "w")
    wire.call("HEXPIRE", "hash", 1000, "FIELDS", 1, "f")
    wire.call("XADD", "stream", "1-1", "f", "v")
    wire.call("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 7 end)")


@METHODS
def test_a_background_save_is_loaded_by_the_next_server(tmp_path: Path, method: str) -> None:
    with Running(tmp_path, *DEBUG, "--snapshot-method", method) as server, server.connect() as wire:
        fill(wire)
        digest = wire.call("DEBUG", "DIGEST")
        assert server.info("persistence")["rdb_changes_since_last_save"] != "0"
        assert wire.call("BGSAVE") == "Background saving started"
        eventually(lambda: server.info("persistence")["rdb_saves"] == "1", "the save")
        info = server.info("persistence")
        assert (info["rdb_last_bgsave_status"], info["rdb_changes_since_last_save"]) == ("ok", "0")
        assert wire.call("LASTSAVE") == int(info["rdb_last_save_time"])
        assert ("started by pid" in server.log()) == (method == "auto")
        assert server.info("stats")["total_forks"] == ("1" if method == "auto" else "0")
        assert leave_nothing_behind(tmp_path)
    with Running(tmp_path, *DEBUG) as server:
        eventually(lambda: "Ready to accept connections" in server.log(), "the end of the loading")
        assert server.call("DEBUG", "DIGEST") == digest
        assert server.call("FCALL", "f", 0) == 7
        assert server.info("persistence")["rdb_last_load_keys_loaded"] == "7"
        assert "Done loading RDB, keys loaded: 7, keys expired: 0." in server.log()
        assert "DB loaded from disk" in server.log()


@METHODS
def test_a_snapshot_shows_the_moment_of_its_begin_whatever_is_written_meanwhile(tmp_path: Path, method: str) -> None:
    with Running(tmp_path, *DEBUG, "--snapshot-method", method) as server, server.connect() as wire:
        populate(server, 50_000)
        wire.call("SET", "counter", 0)
        digest = wire.call("DEBUG", "DIGEST")
        wire.call("BGSAVE")
        for number in range(2000):
            wire.call("INCR", "counter")
            wire.call("APPEND", f"key:{number * 7}", "x")
            wire.call("DEL", f"key:{number * 11 + 3}")
        eventually(lambda: server.info("persistence")["rdb_saves"] == "1", "the save")
        assert wire.call("DEBUG", "DIGEST") != digest
        assert wire.call("DEBUG", "RELOAD", "NOSAVE") == "OK"
        assert wire.call("DEBUG", "DIGEST") == digest


def test_save_answers_when_the_file_is_there(tmp_path: Path) -> None:
    with Running(tmp_path) as server:
        server.call("SET", "k", "v")
        assert server.call("SAVE") == "OK"
        assert (tmp_path / "dump.rdb").read_bytes()[:9] == b"REDIS0010"
        assert "DB saved on disk" in server.log()


def test_a_second_background_save_is_refused_and_one_may_be_scheduled(tmp_path: Path) -> None:
    with Running(tmp_path, *DEBUG) as server, server.connect() as wire:
        populate(server, BIG)
        wire.call("BGSAVE")
        assert str(wire.call("BGSAVE")) == "ERR Background save already in progress"
        assert str(wire.call("SAVE")) == "ERR Background save already in progress"
        assert str(wire.call("BGSAVE", "WHENEVER")) == "ERR syntax error"
        info = server.info("persistence")
        assert info["rdb_bgsave_in_progress"] == "1"
        assert info["current_save_keys_total"] == str(BIG)
        eventually(lambda: saved(server), "the save")
        wire.call("MULTI")
        wire.call("BGSAVE")
        assert wire.call("EXEC") == ["Background saving scheduled"]
        eventually(lambda: server.info("persistence")["rdb_saves"] == "2", "the scheduled save")


def test_save_points_save(tmp_path: Path) -> None:
    with Running(tmp_path, "--save", "1 3", "--hz", "50") as server:
        server.call("SET", "a", 1)
        server.call("SET", "b", 1)
        assert server.info("persistence")["rdb_changes_since_last_save"] == "2"
        server.call("SET", "c", 1)
        eventually(lambda: server.info("persistence")["rdb_saves"] == "1", "the save")
        assert "3 changes in 1 seconds. Saving..." in server.log()
        assert server.call("CONFIG", "GET", "save") == ["save", "1 3"]
        assert server.call("CONFIG", "SET", "save", "") == "OK"
        server.call("MSET", "a", 1, "b", 1, "c", 1, "d", 1)
        assert server.terminate() == 0
        assert "Saving the final" not in server.log()


def test_the_end_saves_where_there_are_save_points(tmp_path: Path) -> None:
    with Running(tmp_path, "--save", "3600 1") as server:
        server.call("SET", "k", "v")
        assert server.terminate() == 0
        assert "Saving the final RDB snapshot before exiting." in server.log()
    with Running(tmp_path) as server:
        eventually(lambda: server.call("GET", "k") == "v", "the data")
        server.call("SET", "k", "other")
        assert server.terminate() == 0
    with Running(tmp_path, "--save", "3600 1") as server:
        eventually(lambda: server.call("GET", "k") == "v", "the data")
        server.call("SET", "k", "other")
        with server.connect() as wire, pytest.raises(ConnectionError):
            wire.call("SHUTDOWN", "NOSAVE")
        assert server.process.wait(timeout=20) == 0
    with Running(tmp_path) as server:
        eventually(lambda: server.call("GET", "k") == "v", "the data")
        server.call("SET", "k", "other")
        with server.connect() as wire, pytest.raises(ConnectionError):
            wire.call("SHUTDOWN", "SAVE")
        assert server.process.wait(timeout=20) == 0
    with Running(tmp_path, "--save", "3600 1", "--shutdown-on-sigterm", "nosave") as server:
        eventually(lambda: server.call("GET", "k") == "other", "the data")
        server.call("SET", "k", "v")
        assert server.terminate() == 0
        assert "Saving the final" not in server.log()


def test_shutdown_answers_its_errors(tmp_path: Path) -> None:
    with Running(tmp_path) as server:
        assert str(server.call("SHUTDOWN", "ABORT")) == "ERR No shutdown in progress."
        for words in (("SAVE", "NOSAVE"), ("ABORT", "NOW"), ("LATER",)):
            assert str(server.call("SHUTDOWN", *words)) == "ERR syntax error"


@METHODS
def test_a_save_that_fails_stops_writes_until_one_succeeds(tmp_path: Path, method: str) -> None:
    away = tmp_path / "away"
    away.mkdir()
    (away / "in the way").mkdir()
    options = ("--save", "3600 1", "--dir", str(away), "--enable-protected-configs", "yes")
    with Running(tmp_path, *options, "--snapshot-method", method) as server, server.connect() as wire:
        wire.call("SET", "k", "v")
        wire.call("CONFIG", "SET", "dbfilename", "in the way")
        wire.call("BGSAVE")
        eventually(lambda: server.info("persistence")["rdb_last_bgsave_status"] == "err", "the failure")
        assert "Write error while saving DB to the disk(rename): Is a directory" in server.log()
        assert "Background saving error" in server.log()
        refusal = str(wire.call("SET", "k", "w"))
        assert refusal.startswith("MISCONF Redis is configured to save RDB snapshots, but it's currently unable")
        assert refusal.endswith("Please check the Redis logs for details about the RDB error.")
        assert str(wire.call("PING")) == refusal
        assert wire.call("GET", "k") == "v"
        assert "MISCONF" in str(wire.call("EVAL", "return redis.call('SET', 'k', 1)", 0))
        assert wire.call("EVAL", "return redis.call('GET', 'k')", 0) == "v"
        assert str(wire.call("EVAL", "#!lua\nreturn 1", 0)) == refusal
        assert wire.call("EVAL", "#!lua flags=no-writes\nreturn 1", 0) == 1
        wire.call("MULTI")
        assert str(wire.call("SET", "k", 1)) == refusal
        assert "EXECABORT" in str(wire.call("EXEC"))
        wire.call("MULTI")
        wire.call("GET", "k")
        assert wire.call("EXEC") == ["v"]
        wire.call("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
        assert wire.call("SET", "k", "w") == "OK"
        wire.call("CONFIG", "SET", "stop-writes-on-bgsave-error", "yes")
        assert "MISCONF" in str(wire.call("SET", "k", "x"))
        wire.call("CONFIG", "SET", "dbfilename", "fine.rdb")
        wire.call("BGSAVE")
        eventually(lambda: saved(server), "the save")
        assert wire.call("SET", "k", "x") == "OK"
        assert leave_nothing_behind(away)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told(tmp_path: Path) -> None:
    with Running(tmp_path, *DEBUG) as server:
        server.call("SET", "k", "v")
        target = tmp_path / f"temp-{server.process.pid}.rdb"
        target.symlink_to("/dev/full")
        assert str(server.call("SAVE")) == "ERR"
        assert "No space left on device" in server.log()
        assert server.info("persistence")["rdb_last_bgsave_status"] == "err"
        assert server.call("SAVE") == "OK"
        assert server.info("persistence")["rdb_last_bgsave_status"] == "ok"


def test_an_end_that_cannot_save_is_no_end_unless_it_is_forced(tmp_path: Path) -> None:
    with Running(tmp_path, "--save", "3600 1") as server:
        server.call("SET", "k", "v")
        (tmp_path / "dump.rdb").mkdir()
        server.process.send_signal(signal.SIGTERM)
        eventually(lambda: "errors trying to shut down the server" in server.log(), "the refusal")
        assert "Error trying to save the DB, can't exit." in server.log()
        assert server.call("PING") is not None
        with server.connect() as wire:
            assert str(wire.call("SHUTDOWN")) == "ERR Errors trying to SHUTDOWN. Check logs."
            with pytest.raises(ConnectionError):
                wire.call("SHUTDOWN", "FORCE")
        assert server.process.wait(timeout=20) == 0
        assert "Error trying to save the DB. Exit anyway." in server.log()


def test_a_child_that_is_killed_is_a_failure_and_leaves_no_file(tmp_path: Path) -> None:
    with Running(tmp_path, *DEBUG, "--save", "3600 1000000000") as server, server.connect() as wire:
        populate(server, BIG)
        wire.call("BGSAVE")
        pid = int(server.log().split("Background saving started by pid ")[1].split()[0])
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: server.info("persistence")["rdb_last_bgsave_status"] == "err", "the failure")
        assert "Background saving terminated by signal 9" in server.log()
        assert "MISCONF" in str(wire.call("SET", "k", "v"))
        assert leave_nothing_behind(tmp_path)
        assert not (tmp_path / "dump.rdb").exists()


@METHODS
def test_the_end_of_the_server_ends_a_save(tmp_path: Path, method: str) -> None:
    with Running(tmp_path, *DEBUG, "--snapshot-method", method) as server:
        populate(server, BIG)
        server.call("BGSAVE")
        assert server.terminate() == 0
        assert "There is a child saving an .rdb. Killing it!" in server.log()
        assert leave_nothing_behind(tmp_path)


def test_flushall_ends_a_save_and_saves_what_is_left_of_the_data(tmp_path: Path) -> None:
    with Running(tmp_path, *DEBUG, "--save", "3600 1000000000") as server:
        populate(server, BIG)
        server.call("BGSAVE")
        assert server.call("FLUSHALL") == "OK"
        assert (tmp_path / "dump.rdb").stat().st_size < 300
        assert server.info("persistence")["rdb_bgsave_in_progress"] == "0"
        assert server.call("PING") == "PONG"


def test_debug_reload_saves_and_loads(tmp_path: Path) -> None:
    with Running(tmp_path, *DEBUG) as server, server.connect() as wire:
        assert "check server logs" in str(wire.call("DEBUG", "RELOAD", "NOSAVE"))
        fill(wire)
        digest = wire.call("DEBUG", "DIGEST")
        assert wire.call("DEBUG", "RELOAD") == "OK"
        assert wire.call("DEBUG", "DIGEST") == digest
        wire.call("SET", "string", "other")
        wire.call("SET", "mine", "v")
        assert "check server logs" in str(wire.call("DEBUG", "RELOAD", "NOSAVE", "NOFLUSH"))
        assert wire.call("GET", "string") == "other"
        assert wire.call("DEBUG", "RELOAD", "NOSAVE", "NOFLUSH", "MERGE") == "OK"
        assert wire.call("MGET", "string", "mine") == ["text", "v"]
        assert wire.call("DEBUG", "RELOAD", "NOSAVE") == "OK"
        assert wire.call("GET", "mine") is None
        function = "redis.register_function('my_own', function() return 1 end)"
        assert wire.call("FUNCTION", "LOAD", f"#!lua name=mine\n{function}") == "mine"
        assert wire.call("FLUSHALL") == "OK"
        assert "check server logs" in str(wire.call("DEBUG", "RELOAD", "NOFLUSH"))
        assert wire.call("DEBUG", "RELOAD", "NOFLUSH", "MERGE") == "OK"
        assert wire.call("FCALL", "my_own", 0) == 1
        assert "RELOAD only supports" in str(wire.call("DEBUG", "RELOAD", "NONSENSE"))


@pytest.mark.parametrize("damage", ["cut", "bit", "rubbish", "function"])
def test_a_damaged_file_ends_the_start_with_its_offset(tmp_path: Path, damage: str) -> None:
    data = bytearray(file_of(*(b"\x00" + text(b"key %d" % number) + text(b"v" * 40) for number in range(1000))))
    if damage == "cut":
        data = data[: len(data) // 2]
    elif damage == "bit":
        data[len(data) // 2] ^= 1
    elif damage == "rubbish":
        data[:9] = b"RUBBISH!!"
    else:
        data = bytearray(file_of(b"\xf5" + text(b"no code of a library")))
    (tmp_path / "dump.rdb").write_bytes(data)
    server = Running(tmp_path, wait=False)
    assert server.process.wait(timeout=20) == 1
    assert "Internal error in RDB reading offset" in server.log()
    assert "Fatal error loading the DB, check server logs. Exiting." in server.log()
    assert "Ready to accept connections" not in server.log()


def test_while_it_loads_the_server_answers_what_needs_no_data(tmp_path: Path) -> None:
    with Running(tmp_path, *DEBUG) as server:
        populate(server, 2 * BIG)
        server.call("SAVE")
        server.terminate()
    with Running(tmp_path) as server, server.connect() as wire:
        info = server.info("persistence")
        assert info["loading"] == "1"
        assert int(info["loading_total_bytes"]) > 10_000_000
        assert 0 <= float(info["loading_loaded_perc"]) <= 100
        assert {"loading_start_time", "loading_eta_seconds", "loading_loaded_bytes"} <= info.keys()
        assert str(wire.call("GET", "key:1")) == "LOADING Redis is loading the dataset in memory"
        assert str(wire.call("PING")) == "LOADING Redis is loading the dataset in memory"
        assert wire.call("CONFIG", "GET", "port") == ["port", str(server.port)]
        eventually(lambda: wire.call("DBSIZE") == 2 * BIG, "the data")
        assert server.info("persistence")["loading"] == "0"


def test_the_server_ends_while_it_loads(tmp_path: Path) -> None:
    with Running(tmp_path, *DEBUG) as server:
        populate(server, 2 * BIG)
        server.call("SAVE")
        server.terminate()
    before = (tmp_path / "dump.rdb").read_bytes()
    with Running(tmp_path, "--save", "1 1") as server:
        assert server.info("persistence")["loading"] == "1"
        assert server.terminate() == 0
        assert "Ready to accept connections" not in server.log()
    assert (tmp_path / "dump.rdb").read_bytes() == before


def test_expired_keys_are_left_out_at_the_start(tmp_path: Path) -> None:
    with Running(tmp_path) as server, server.connect() as wire:
        wire.call("SET", "short", "v", "PX", 1)
        wire.call("SET", "long", "v")
        wire.call("SAVE")
    late = b"\xfc" + (1000).to_bytes(8, "little") + b"\x00" + text(b"k") + text(b"v")
    (tmp_path / "dump.rdb").write_bytes(file_of(late, b"\x00" + text(b"other") + text(b"v")))
    with Running(tmp_path) as server:
        eventually(lambda: server.call("DBSIZE") == 1, "the data")
        assert server.info("persistence")["rdb_last_load_keys_expired"] == "1"


def test_clients_are_closed_while_a_child_runs(tmp_path: Path) -> None:
    with Running(tmp_path, *DEBUG) as server, server.connect() as wire, server.connect() as other:
        populate(server, 2 * BIG)
        number = other.call("CLIENT", "ID")
        wire.call("BGSAVE")
        assert wire.call("CLIENT", "KILL", "ID", number) == 1
        other.socket.settimeout(5)
        assert other.read_bytes() == b""
        assert server.info("persistence")["rdb_bgsave_in_progress"] == "1"


def test_keys_may_be_slow_to_save_and_to_load(tmp_path: Path) -> None:
    with Running(tmp_path, "--always-show-logo", "yes", *DEBUG) as server, server.connect() as wire:
        assert f" PID: {server.process.pid}" in server.log()
        names = ("rdb-key-save-delay", "key-load-delay")
        shown = wire.call("CONFIG", "GET", "*")
        assert not set(names) & set(shown)
        assert wire.call("CONFIG", "GET", *names) == ["rdb-key-save-delay", "0", "key-load-delay", "0"]
        populate(server, 30)
        assert wire.call("CONFIG", "SET", "rdb-key-save-delay", 10_000_000, "key-load-delay", 1000) == "OK"
        assert "started" in str(wire.call("BGSAVE"))
        assert server.info("persistence")["rdb_bgsave_in_progress"] == "1"  # and for minutes
        assert wire.call("CONFIG", "SET", "rdb-key-save-delay", -1000) == "OK"
        begin = time.monotonic()
        assert wire.call("DEBUG", "RELOAD") == "OK"
        assert time.monotonic() - begin > 0.03
        assert wire.call("DBSIZE") == 30
