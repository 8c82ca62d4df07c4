"""What only a whole server can answer: MODULE, LASTSAVE, the doctor of memory, the directives of COMMANDLOG, and the
subcommands of DEBUG that look into structures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RealRedis
from tests.differential.oracle import Real
from tests.peers import error_of
from tests.server.running import Running, Wire

pytestmark = pytest.mark.process

NOT_ALLOWED = (
    'ERR MODULE command not allowed. If the enable-module-command option is set to "local", you can run it from a '
    "local connection, otherwise you need to set this option in the configuration file, and then restart the server."
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("odds"), "--enable-debug-command", "yes") as server:
        yield server


@pytest.fixture
def wire(running: Running) -> Iterator[Wire]:
    with running.connect() as found:
        found.call("FLUSHALL")
        yield found


@pytest.mark.parametrize("words", [("LOAD", "/x"), ("LOADEX", "/x"), ("LOADEX", "/x", "ARGS", "a"), ("UNLOAD", "x")])
def test_modules_are_not_for_everybody(wire: Wire, words: tuple[str, ...]) -> None:
    assert error_of(wire.call("MODULE", *words)) == NOT_ALLOWED
    assert wire.call("MODULE", "LIST") == []
    assert wire.call("CONFIG", "GET", "enable-module-command") == ["enable-module-command", "no"]


@pytest.mark.interop
def test_modules_cannot_be_loaded(tmp_path: Path) -> None:
    redis = RealRedis(tmp_path, "--enable-module-command", "yes")
    real = Real(redis.port, 2)
    try:
        with Running(tmp_path, "--enable-module-command", "local") as running, running.connect() as wire:
            for words in ("LOAD /none.so", "LOADEX /none.so CONFIG a b ARGS c", "UNLOAD none", "LIST", "LOAD", "FOO"):
                theirs = real.call([b"MODULE", *words.encode().split()])
                assert str(wire.call("MODULE", *words.split())) == str(theirs)
            assert "cannot be loaded" in running.log()
    finally:
        real.close()
        redis.stop()


def test_lastsave_is_the_start_while_nothing_was_saved(running: Running, wire: Wire) -> None:
    assert str(wire.call("LASTSAVE")) == running.info("persistence")["rdb_last_save_time"]


# Memory


def test_the_doctor_has_nothing_to_look_at(wire: Wire) -> None:
    assert wire.call("MEMORY", "DOCTOR").startswith("Hi Sam, this instance is empty or is using very little memory")


def test_the_doctor_looks_at_data(wire: Wire) -> None:
    wire.call("DEBUG", "POPULATE", 100_000, "key", 100)
    assert "Sam" in wire.call("MEMORY", "DOCTOR")
    assert "is empty" not in wire.call("MEMORY", "DOCTOR")
    wire.call("DEBUG", "POPULATE", 200_000, "more", 100)
    until(lambda: memory_figure(wire, "used_memory_peak") > 40_000_000)  # it is looked at ten times a second
    wire.call("DEL", *(f"more:{number}" for number in range(200_000)))
    until(lambda: "Peak memory" in wire.call("MEMORY", "DOCTOR"))  # and what is used is counted in slices


def memory_figure(wire: Wire, name: str) -> int:
    lines = str(wire.call("INFO", "memory")).splitlines()
    return next(int(line.partition(":")[2]) for line in lines if line.startswith(f"{name}:"))


def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_statistics_of_the_allocator_are_those_of_cpython(wire: Wire) -> None:
    text = wire.call("MEMORY", "MALLOC-STATS")
    assert text.startswith("___ Begin CPython statistics ___\nVersion: 3.")
    assert "Allocated blocks: " in text
    assert "Generation 2: " in text


@pytest.mark.parametrize(("subcommand", "words"), [("DOCTOR", 2), ("MALLOC-STATS", 2), ("PURGE", 2), ("STATS", 2)])
def test_memory_takes_no_more_words(wire: Wire, subcommand: str, words: int) -> None:
    name = f"memory|{subcommand.lower()}"
    assert error_of(wire.call("MEMORY", subcommand, "x")) == f"ERR wrong number of arguments for '{name}' command"


# COMMANDLOG


def test_the_logs_of_sizes_have_directives(wire: Wire) -> None:
    def setting(name: str) -> str:
        found: str = wire.call("CONFIG", "GET", name)[1]
        return found

    assert (setting("commandlog-request-larger-than"), setting("commandlog-reply-larger-than")) == ("-1", "-1")
    assert (
        wire.call("CONFIG", "SET", "commandlog-request-larger-than", 1000, "commandlog-large-request-max-len", 1)
        == "OK"
    )
    assert wire.call("CONFIG", "SET", "commandlog-reply-larger-than", 1000) == "OK"
    for size in (1000, 2000):
        wire.call("ECHO", "x" * size)
    assert [call[2] for call in wire.call("COMMANDLOG", "GET", -1, "large-request")] == [2023]
    assert [call[2] for call in wire.call("COMMANDLOG", "GET", -1, "large-reply")] == [2009, 1009]
    wire.call("CONFIG", "SET", "commandlog-request-larger-than", -1, "commandlog-reply-larger-than", -1)
    wire.call("ECHO", "x" * 3000)
    assert wire.call("COMMANDLOG", "LEN", "large-reply") == 2


def test_the_slow_log_has_the_names_of_valkey_for_its_directives(wire: Wire) -> None:
    assert wire.call("CONFIG", "SET", "commandlog-execution-slower-than", 0, "slowlog-max-len", 7) == "OK"
    assert wire.call("CONFIG", "GET", "slowlog-log-slower-than") == ["slowlog-log-slower-than", "0"]
    assert wire.call("CONFIG", "GET", "commandlog-slow-execution-max-len")[1] == "7"
    assert wire.call("COMMANDLOG", "LEN", "slow") > 0
    wire.call("CONFIG", "SET", "slowlog-log-slower-than", 10000, "slowlog-max-len", 128)


# DEBUG


def prepare(call: Any) -> None:
    call(["FLUSHALL"])
    for line in ("RPUSH list a b", "SADD set a b", "SADD ints 1 2", "ZADD zset 1 a", "HSET hash f v", "SET number 12"):
        call(line.split())
    call(["SET", "string", "value"])


@pytest.mark.interop
@pytest.mark.parametrize(
    "command",
    [
        *[f"LISTPACK {key}" for key in ("zset", "hash", "ints", "string", "none")],
        *[f"HTSTATS-KEY {key}" for key in ("list", "zset", "string", "none")],
        *[f"QUICKLIST {key}" for key in ("string", "none")],
        *[f"SDSLEN {key}" for key in ("number", "set", "none")],
        *[f"QUICKLIST-PACKED-THRESHOLD {size}" for size in ("100", "1b", "2kb", "5gb", "x", "-1")],
        "HTSTATS x",
        "HTSTATS -1",
        "HTSTATS 99",
        "CHANGE-REPL-ID",
        "LISTPACK",
        "SDSLEN",
        "QUICKLIST-PACKED-THRESHOLD",
        "NO-SUCH-SUBCOMMAND",
    ],
)
def test_debug_answers_as_redis(real_redis: RealRedis, wire: Wire, command: str) -> None:
    real = Real(real_redis.port, 2)
    prepare(real.call)
    prepare(lambda words: wire.call(*words))
    theirs, mine = real.call([b"DEBUG", *command.encode().split()]), wire.call("DEBUG", *command.split())
    real.call([b"DEBUG", b"QUICKLIST-PACKED-THRESHOLD", b"0"])
    real.close()
    assert str(mine) == (theirs.decode() if isinstance(theirs, bytes) else str(theirs))


def test_debug_tells_of_our_own_structures(wire: Wire) -> None:
    prepare(lambda words: wire.call(*words))
    assert wire.call("DEBUG", "LISTPACK", "list") == "Listpack structure printed on stdout"
    wire.call("RPUSH", "long", *("x" * 100 for _ in range(200)))
    assert wire.call("DEBUG", "QUICKLIST", "long") == "Quicklist structure printed on stdout"
    assert "key_sds_len:6, key_sds_avail:0" in wire.call("DEBUG", "SDSLEN", "string")
    assert "val_sds_len:5, val_sds_avail:0" in wire.call("DEBUG", "SDSLEN", "string")
    wire.call("SADD", "many", *range(1000), "x")
    assert " number of elements: 1001\n" in wire.call("DEBUG", "HTSTATS-KEY", "many")
    assert " number of elements: 9\n" in wire.call("DEBUG", "HTSTATS", 0)
    assert wire.call("DEBUG", "HTSTATS", 3) == "[Dictionary HT]\n[Expires HT]\n"
    assert wire.call("DEBUG", "DICT-RESIZING", 0) == "OK"


def test_the_id_of_the_data_set_can_be_changed(running: Running, wire: Wire) -> None:
    before = running.info("replication")["master_replid"]
    assert wire.call("DEBUG", "CHANGE-REPL-ID") == "OK"
    assert len(running.info("replication")["master_replid"]) == 40
    assert running.info("replication")["master_replid"] != before


def test_info_counts_shard_channels(running: Running, wire: Wire) -> None:
    wire.call("SSUBSCRIBE", "a", "b")
    wire.read()
    assert running.info("stats")["pubsubshard_channels"] == "2"
    assert running.info("clients")["pubsub_clients"] == "1"


@pytest.mark.interop
def test_statistics_of_memory_have_every_field_of_redis(real_redis: RealRedis, wire: Wire) -> None:
    real = Real(real_redis.port, 2)
    real.call([b"SET", b"k", b"v"])
    theirs = real.call([b"MEMORY", b"STATS"])[::2]
    real.close()
    wire.call("SET", "k", "v")
    mine = wire.call("MEMORY", "STATS")[::2]
    assert {name.decode() for name in theirs} <= {*mine}
    assert {"overhead.db.hashtable.lut", "db.dict.rehashing.count", "allocator.muzzy", "db.0"} <= {*mine}


def test_scripts_may_be_let_call_what_is_not_for_them(wire: Wire) -> None:
    code = "return redis.call('client', 'id')"
    assert "not allowed from script" in str(wire.call("EVAL", code, 0))
    assert wire.call("DEBUG", "SET-DISABLE-DENY-SCRIPTS", 1) == "OK"
    assert isinstance(wire.call("EVAL", code, 0), int)
    assert wire.call("DEBUG", "SET-DISABLE-DENY-SCRIPTS", 0) == "OK"
    assert "not allowed from script" in str(wire.call("EVAL", code, 0))


def test_debug_object_tells_of_what_has_expired_and_was_not_read(wire: Wire) -> None:
    assert wire.call("DEBUG", "SET-ACTIVE-EXPIRE", 0) == "OK"
    wire.call("SET", "k", "v", "PX", 1)
    wire.call("DEBUG", "SLEEP", "0.01")
    assert str(wire.call("DEBUG", "OBJECT", "k")).startswith("Value at:")
    assert wire.call("EXISTS", "k") == 0
    assert "no such key" in str(wire.call("DEBUG", "OBJECT", "k"))
    assert wire.call("DEBUG", "SET-ACTIVE-EXPIRE", 1) == "OK"


def test_scripts_pass_over_attributes(wire: Wire) -> None:
    assert wire.call("DEBUG", "SET-DISABLE-DENY-SCRIPTS", 1) == "OK"
    code = "redis.setresp(3); return redis.call('debug', 'protocol', 'attrib')"
    assert wire.call("EVAL", code, 0) == "Some real reply following the attribute"
    assert wire.call("DEBUG", "SET-DISABLE-DENY-SCRIPTS", 0) == "OK"
