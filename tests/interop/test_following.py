"""Our server follows a real one: whole and in part, through everything that happens to a link."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RealRedis
from tests.interop.following import QUICK, follow, info, is_in_step, play_random_programs, wait_for, wait_same
from tests.proxy import Proxy
from tests.server.running import Running, Wire

pytestmark = pytest.mark.interop
LIBRARY = """#!lua name=lib
redis.register_function{function_name='f', callback=function() return 7 end, flags={'no-writes'}}"""
_WAITS = (b"BLPOP", b"BRPOP", b"BLMOVE", b"BLMPOP", b"BRPOPLPUSH", b"BZPOPMIN", b"BZPOPMAX", b"BZMPOP")


def wire_of(server: RealRedis | Running) -> Wire:
    return Wire(("127.0.0.1", server.port))


@pytest.fixture
def real(tmp_path: Path) -> Iterator[RealRedis]:
    server = RealRedis(tmp_path, *QUICK)
    yield server
    server.stop()


@pytest.fixture
def master(real: RealRedis) -> Iterator[Wire]:
    with wire_of(real) as wire:
        yield wire


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[Running]:
    (tmp_path / "ours").mkdir()
    with Running(tmp_path / "ours", "--enable-debug-command", "yes") as server:
        yield server


@pytest.fixture
def follower(ours: Running) -> Iterator[Wire]:
    with ours.connect() as wire:
        yield wire


def fill(wire: Wire) -> None:
    """A bit of everything."""
    for words in (
        ("SET", "string", "text"),
        ("SET", "later", "text", "EX", 1000),
        ("INCRBY", "number", 12345),
        ("RPUSH", "list", *range(300), "x" * 5000),
        ("SADD", "integers", *range(50)),
        ("SADD", "set", "a", "b", "c" * 100),
        ("ZADD", "zset", 1, "a", "2.5", "b"),
        ("HSET", "hash", "f", "v", "g", "7"),
        ("DEL", "stream"),
        ("XADD", "stream", "1-1", "f", "v"),
        ("XGROUP", "CREATE", "stream", "group", 0),
        ("XREADGROUP", "GROUP", "group", "me", "STREAMS", "stream", ">"),
        ("PFADD", "hll", *range(100)),
        ("FUNCTION", "LOAD", "REPLACE", LIBRARY),
        ("SELECT", 5),
        ("SET", "elsewhere", "1"),
        ("SELECT", 0),
    ):
        answer = wire.call(*words)
        assert not isinstance(answer, Exception), (words, answer)


# Everything


@pytest.mark.parametrize("load", ["disabled", "swapdb", "on-empty-db"])
@pytest.mark.parametrize("diskless", ["yes", "no"])
def test_a_full_resync_brings_everything(
    real: RealRedis, master: Wire, ours: Running, follower: Wire, diskless: str, load: str
) -> None:
    master.call("CONFIG", "SET", "repl-diskless-sync", diskless)
    follower.call("CONFIG", "SET", "repl-diskless-load", load)
    follower.call("SET", "old", "1")
    fill(master)
    follow(follower, real.port)
    wait_same(master, follower)
    assert follower.call("GET", "old") is None
    assert follower.call("FCALL_RO", "f", 0) == 7
    fill(master)
    wait_same(master, follower)
    assert "MASTER <-> REPLICA sync: Finished with success" in ours.log()
    assert list(ours.directory.glob("temp-*")) == []


def test_a_stream_of_everything_is_applied(real: RealRedis, master: Wire, follower: Wire) -> None:
    follow(follower, real.port)
    fill(master)
    master.call("MULTI")
    master.call("SET", "a", "1")
    master.call("SELECT", 3)
    master.call("SET", "b", "1")
    master.call("EXEC")
    master.call("EVAL", "redis.call('set', 'c', 1) redis.call('incr', 'c')", 0)
    master.call("SPOP", "set")
    master.call("SWAPDB", 0, 3)
    master.call("Set", "d", "v" * 200_000)
    wait_same(master, follower)
    master.call("FLUSHALL")
    wait_same(master, follower)


def test_random_commands_of_every_family_end_the_same(
    real: RealRedis, ours: Running, request: pytest.FixtureRequest
) -> None:
    wanted = 100_000 if request.config.getoption("--slow") else 8_000
    with Proxy(real.port) as proxy, wire_of(real) as master, ours.connect() as follower:
        follow(follower, proxy.port)
        play_random_programs(master, follower, proxy, wanted)
        assert info(follower, "stats")["pycache_replication_errors"] == "0"


def test_keys_expire_when_the_master_says_so(real: RealRedis, master: Wire, follower: Wire) -> None:
    follow(follower, real.port)
    master.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    master.call("SET", "a", "1", "PX", 1)
    master.call("SET", "b", "1")
    wait_for(lambda: is_in_step(master, follower), "in step")
    wait_for(lambda: follower.call("GET", "a") is None, "hidden")
    assert follower.call("DBSIZE") == 2
    wait_for(lambda: master.call("GET", "a") is None, "deleted by a read")
    wait_for(lambda: follower.call("DBSIZE") == 1, "deleted")
    wait_same(master, follower)


# Cuts


def test_a_link_that_is_cut_goes_on_where_it_was(real: RealRedis, master: Wire, follower: Wire) -> None:
    with Proxy(real.port) as proxy:
        follow(follower, proxy.port)
        for number in range(10):
            master.call("SELECT", number % 4)
            for each in range(50):
                master.call("RPUSH", f"l{each % 7}", f"{number} {each}")
            proxy.cut()
        wait_same(master, follower)
        stats = info(master, "stats")
        assert stats["sync_full"] == "1" and int(stats["sync_partial_ok"]) >= 1


def test_what_happens_in_the_middle_of_a_transaction_happens_to_all_of_it(
    real: RealRedis, master: Wire, follower: Wire
) -> None:
    with Proxy(real.port) as proxy:
        follow(follower, proxy.port)
        master.call("SET", "a", "0")
        wait_same(master, follower)
        for round_ in range(20):
            proxy.cut_after(100 + 37 * round_)
            master.call("MULTI")
            for number in range(30):
                master.call("INCR", "a")
                master.call("RPUSH", "l", number)
            master.call("EXEC")
            counts = {follower.call("GET", "a"), follower.call("GET", "a")}
            assert all(int(count) % 30 == 0 for count in counts)
            proxy.cut_after(None)
            proxy.cut()
            wait_same(master, follower)
        assert info(master, "stats")["sync_full"] == "1"


def test_a_payload_that_is_cut_changes_nothing(real: RealRedis, master: Wire, ours: Running, follower: Wire) -> None:
    follower.call("SET", "old", "1")
    master.call("DEBUG", "POPULATE", 20000)
    with Proxy(real.port) as proxy:
        proxy.cut_after(100_000)
        assert follower.call("REPLICAOF", "127.0.0.1", proxy.port) == "OK"
        wait_for(lambda: "I/O error trying to sync with MASTER" in ours.log(), "the link is lost")
        assert follower.call("GET", "old") == "1"
        assert follower.call("DBSIZE") == 1
        proxy.cut_after(None)
        wait_same(master, follower)
    assert list(ours.directory.glob("temp-*")) == []


def test_a_master_that_is_another_one_now_sends_everything(
    tmp_path: Path, real: RealRedis, master: Wire, follower: Wire
) -> None:
    (tmp_path / "second").mkdir()
    second = RealRedis(tmp_path / "second", *QUICK)
    try:
        with Proxy(real.port) as proxy, wire_of(second) as other:
            fill(master)
            follow(follower, proxy.port)
            wait_same(master, follower)
            other.call("SET", "mine", "1")
            proxy.target = second.port
            proxy.cut()
            wait_same(other, follower)
            assert follower.call("KEYS", "*") == ["mine"]
    finally:
        second.stop()


def test_replicas_of_one_master_may_follow_each_other(
    tmp_path: Path, real: RealRedis, master: Wire, follower: Wire
) -> None:
    (tmp_path / "second").mkdir()
    second = RealRedis(tmp_path / "second", *QUICK)
    try:
        with wire_of(second) as other:
            fill(master)
            follow(other, real.port)
            follow(follower, real.port)
            wait_same(master, follower)
            wait_same(master, other)
            follow(follower, second.port)
            master.call("SET", "a", "1")
            wait_same(other, follower)
            assert info(other, "stats")["sync_partial_ok"] == "1"
            other.call("REPLICAOF", "NO", "ONE")
            other.call("SET", "b", "1")
            wait_same(other, follower)
            assert info(other, "stats")["sync_full"] == "0"
            assert info(follower)["master_replid2"] == info(master)["master_replid"]
    finally:
        second.stop()


# The roles


def test_a_follower_that_leads_takes_writes_and_an_id_of_its_own(
    real: RealRedis, master: Wire, ours: Running, follower: Wire
) -> None:
    fill(master)
    follow(follower, real.port)
    wait_same(master, follower)
    before = info(follower)
    assert follower.call("REPLICAOF", "NO", "ONE") == "OK"
    after = info(follower)
    assert after["role"] == "master" and after["master_replid2"] == before["master_replid"]
    assert int(after["second_repl_offset"]) == int(before["master_repl_offset"]) + 1
    assert follower.call("SET", "a", "1") == "OK"
    assert follower.call("REPLICAOF", "NO", "ONE") == "OK"
    assert "MASTER MODE enabled (user request from 'id=" in ours.log()
    assert "Setting secondary replication ID to " in ours.log()


def test_a_leader_that_follows_loses_what_was_its_own(real: RealRedis, master: Wire, follower: Wire) -> None:
    fill(master)
    follow(follower, real.port)
    follower.call("REPLICAOF", "NO", "ONE")
    follower.call("SET", "mine", "1")
    follow(follower, real.port)
    wait_same(master, follower)
    assert follower.call("GET", "mine") is None


def test_the_command_says_what_redis_says(tmp_path: Path, real: RealRedis, follower: Wire) -> None:
    (tmp_path / "second").mkdir()
    second = RealRedis(tmp_path / "second", *QUICK)
    try:
        with wire_of(second) as other:
            for words in (
                ("REPLICAOF",),
                ("REPLICAOF", "127.0.0.1"),
                ("REPLICAOF", "127.0.0.1", "x"),
                ("REPLICAOF", "127.0.0.1", "70000"),
                ("REPLICAOF", "127.0.0.1", "-1"),
                ("REPLICAOF", "NO", "ONE"),
                ("REPLICAOF", "127.0.0.1", real.port),
                ("REPLICAOF", "127.0.0.1", real.port),
                ("SLAVEOF", "127.0.0.1", real.port),
                ("CONFIG", "GET", "replicaof"),
                ("CONFIG", "SET", "replicaof", "127.0.0.1 1"),
                ("SET", "a", "1"),
                ("SLAVEOF", "no", "one"),
                ("CONFIG", "GET", "slaveof"),
            ):
                theirs, mine = other.call(*words), follower.call(*words)
                assert str(theirs) == str(mine), words
    finally:
        second.stop()


def test_role_and_info_are_those_of_a_real_replica(
    tmp_path: Path, real: RealRedis, master: Wire, follower: Wire
) -> None:
    (tmp_path / "second").mkdir()
    second = RealRedis(tmp_path / "second", *QUICK)
    try:
        with wire_of(second) as other, Proxy(real.port) as proxy:
            fill(master)
            for wire in (other, follower):
                follow(wire, proxy.port)
            wait_same(master, other)
            wait_same(master, follower)
            _compare_reports(other, follower)
            proxy.refuse(True)
            for wire in (other, follower):
                wait_for(lambda wire=wire: info(wire)["master_link_status"] == "down", "the link is down")
            _compare_reports(other, follower)
            for wire in (other, follower):
                wire.call("REPLICAOF", "127.0.0.1", 1)
            _compare_reports(other, follower)
            for wire in (other, follower):
                wire.call("REPLICAOF", "NO", "ONE")
            _compare_reports(other, follower)
    finally:
        second.stop()


_VARIES = {
    "master_replid",
    "master_last_io_seconds_ago",
    "master_link_down_since_seconds",
    "master_repl_offset",
    "slave_read_repl_offset",
    "slave_repl_offset",
    "repl_backlog_histlen",
    "second_repl_offset",
    "repl_backlog_first_byte_offset",
}


def _compare_reports(theirs: Wire, ours: Wire) -> None:
    expected, found = info(theirs), info(ours)
    assert list(expected) == list(found)
    assert {name: value for name, value in expected.items() if name not in _VARIES} == {
        name: value for name, value in found.items() if name not in _VARIES
    }
    for name in ("master_last_io_seconds_ago", "master_link_down_since_seconds"):
        assert (expected.get(name) == "-1") == (found.get(name) == "-1"), name
    one, other = theirs.call("ROLE"), ours.call("ROLE")
    assert len(one) == len(other)
    assert one[:3] == other[:3]


def test_clients_are_told_that_the_master_is_away(real: RealRedis, master: Wire, follower: Wire) -> None:
    with Proxy(real.port) as proxy:
        master.call("SET", "a", "1")
        follow(follower, proxy.port)
        follower.call("CONFIG", "SET", "replica-serve-stale-data", "no")
        assert follower.call("GET", "a") == "1"
        proxy.refuse(True)
        wait_for(lambda: str(follower.call("GET", "a")).startswith("MASTERDOWN"), "stale")
        follower.call("CONFIG", "SET", "replica-serve-stale-data", "yes")
        assert follower.call("GET", "a") == "1"
        proxy.refuse(False)
        wait_same(master, follower)


def test_a_follower_may_be_written_to_where_it_shall_be(real: RealRedis, master: Wire, follower: Wire) -> None:
    follow(follower, real.port)
    assert str(follower.call("SET", "a", "1")).startswith("READONLY")
    follower.call("CONFIG", "SET", "replica-read-only", "no")
    assert follower.call("SET", "a", "1") == "OK"
    follower.call("CONFIG", "SET", "slave-read-only", "yes")
    assert str(follower.call("SET", "a", "1")).startswith("READONLY")


# Who is who


def test_a_password_and_a_user_are_given(real: RealRedis, master: Wire, ours: Running, follower: Wire) -> None:
    master.call("SET", "a", "1")
    master.call("CONFIG", "SET", "requirepass", "secret")
    assert follower.call("REPLICAOF", "127.0.0.1", real.port) == "OK"
    wait_for(lambda: "NOAUTH" in ours.log(), "the password is missing")
    follower.call("CONFIG", "SET", "masterauth", "wrong")
    wait_for(lambda: "Unable to AUTH to MASTER: -WRONGPASS" in ours.log(), "the password is wrong")
    follower.call("CONFIG", "SET", "masterauth", "secret")
    wait_for(lambda: follower.call("GET", "a") == "1", "the link is up")
    master.call("ACL", "SETUSER", "replica", "on", ">pass", "+psync", "+replconf", "+ping")
    follower.call("REPLICAOF", "NO", "ONE")
    follower.call("CONFIG", "SET", "masteruser", "replica", "masterauth", "pass")
    follow(follower, real.port)
    assert "user=replica" in master.call("CLIENT", "LIST", "TYPE", "replica")


def test_the_master_hears_where_we_are_to_be_found(real: RealRedis, master: Wire, follower: Wire) -> None:
    follower.call("CONFIG", "SET", "replica-announce-ip", "10.1.2.3", "replica-announce-port", 7777)
    follow(follower, real.port)
    wait_for(lambda: "ip=10.1.2.3,port=7777,state=online" in info(master).get("slave0", ""), "announced")


def test_the_master_hears_how_far_we_are(real: RealRedis, master: Wire, follower: Wire) -> None:
    follow(follower, real.port)
    for number in range(20):
        master.call("SET", "a", number)
        assert master.call("WAIT", 1, 20000) == 1


def test_a_killed_link_comes_back(real: RealRedis, master: Wire, ours: Running, follower: Wire) -> None:
    follow(follower, real.port)
    (line,) = follower.call("CLIENT", "LIST", "TYPE", "master").splitlines()
    assert f"addr=127.0.0.1:{real.port} " in line and " flags=M " in line
    assert follower.call("CLIENT", "KILL", "TYPE", "master") == 1
    wait_for(lambda: info(master, "stats")["sync_partial_ok"] == "1", "a partial resync")
    master.call("SET", "a", "1")
    wait_same(master, follower)
    assert "Connection with master lost." in ours.log()


def test_a_master_that_says_nothing_is_left(real: RealRedis, master: Wire, ours: Running, follower: Wire) -> None:
    follow(follower, real.port)
    master.call("CONFIG", "SET", "repl-ping-replica-period", 3600)
    follower.call("CONFIG", "SET", "repl-timeout", 1)
    wait_for(lambda: "MASTER timeout: no data nor PING received..." in ours.log(), "the master is left")


def test_replicaof_is_followed_at_the_start_and_kept_in_the_file(tmp_path: Path, real: RealRedis, master: Wire) -> None:
    master.call("SET", "a", "1")
    path = tmp_path / "pycache.conf"
    path.write_text(f"# mine\nreplicaof 127.0.0.1 {real.port}\nenable-debug-command yes\n")
    with Running(tmp_path, config=str(path)) as ours, ours.connect() as follower:
        wait_same(master, follower)
        follower.call("REPLICAOF", "NO", "ONE")
        assert follower.call("CONFIG", "REWRITE") == "OK"
        assert "replicaof 127" not in path.read_text()
        follow(follower, real.port)
        assert follower.call("CONFIG", "REWRITE") == "OK"
        assert f"replicaof 127.0.0.1 {real.port}\n" in path.read_text()


def test_others_are_answered_while_keys_are_loaded(real: RealRedis, master: Wire, follower: Wire) -> None:
    master.call("DEBUG", "POPULATE", 200_000)
    follower.call("REPLICAOF", "127.0.0.1", real.port)
    wait_for(lambda: str(follower.call("GET", "a")).startswith("LOADING"), "it is being loaded")
    assert follower.call("ROLE")[3] == "sync"
    wait_same(master, follower)


def test_a_restart_asks_only_for_what_has_come_since(tmp_path: Path, real: RealRedis, master: Wire) -> None:
    options = ("--enable-debug-command", "yes", "--save", "3600 1")
    (tmp_path / "ours").mkdir()
    master.call("SELECT", 4)
    master.call("SET", "a", "1")
    with Running(tmp_path / "ours", *options) as ours, ours.connect() as follower:
        follow(follower, real.port)
        master.call("INCR", "a")
        wait_same(master, follower)
        ours.terminate()
    before = info(master, "stats")
    master.call("INCR", "a")
    with (
        Running(tmp_path / "ours", *options, "--replicaof", f"127.0.0.1 {real.port}") as ours,
        ours.connect() as follower,
    ):
        wait_same(master, follower)
    after = info(master, "stats")
    assert after["sync_full"] == before["sync_full"]
    assert int(after["sync_partial_ok"]) == int(before["sync_partial_ok"]) + 1


def test_a_difference_that_redis_makes_itself_is_known(real: RealRedis, master: Wire, follower: Wire) -> None:
    follow(follower, real.port)
    master.call("SET", "kept", "1")
    assert master.call("BITFIELD", "longer", "OVERFLOW", "FAIL", "INCRBY", "u2", 14, 5) == [None]
    master.call("BITFIELD", "kept", "OVERFLOW", "FAIL", "INCRBY", "u2", 30, 5)
    wait_for(lambda: follower.call("GET", "kept") == "1", "the stream")
    assert (master.call("STRLEN", "longer"), follower.call("STRLEN", "longer")) == (2, 0)
    assert (master.call("STRLEN", "kept"), follower.call("STRLEN", "kept")) == (4, 1)
    wait_same(master, follower)
