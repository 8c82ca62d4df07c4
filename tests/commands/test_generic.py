"""Commands for keys of any type, in process: what each answers, announces and counts, and what time does to keys."""

from __future__ import annotations

from typing import Any

import pytest

from pycache_server.entry import SizedEntry
from pycache_server.evict.lru import Lru
from pycache_server.evict.noeviction import NoEviction
from pycache_server.store.limits import Limit
from pycache_server.store.scopes import Scope
from pycache_server.testing.inprocess import START, Client, World
from tests.commands.conftest import Heard, outcome

NOT_AN_INTEGER = "ERR value is not an integer or out of range"
SYNTAX = "ERR syntax error"
NO_KEY = "ERR no such key"
SAME = "ERR source and destination objects are the same"
BAD_DB = "ERR DB index is out of range"
NOW = int(START)
NOW_MS = NOW * 1000


def dirty(world: World) -> int:
    return sum(database.dirty for database in world.core.keyspace.databases)


def counts(world: World) -> tuple[int, int]:
    db = world.core.keyspace.databases[0]
    return db.hits, db.misses


@pytest.fixture
def filled(client: Client) -> Client:
    """One string, one set, and one key with a time to live."""
    client.call("SET", "a", "1")
    client.call("SADD", "s", "x")
    client.call("SET", "t", "1", "EX", 100)
    return client


# Existence


@pytest.mark.parametrize("command", ["DEL", "UNLINK"])
def test_keys_are_removed(world: World, filled: Client, heard: Heard, command: str) -> None:
    before = dirty(world)
    assert filled.call(command, "a", "none", "s", "a") == 2
    assert heard() == [("a", "del"), ("s", "del")]
    assert dirty(world) == before + 2
    assert filled.call(command, "none") == 0
    assert filled.call("DBSIZE") == 1


def test_keys_are_counted_as_often_as_they_are_named(world: World, filled: Client, heard: Heard) -> None:
    assert filled.call("EXISTS", "a", "s", "a", "none") == 3
    assert filled.call("TOUCH", "a", "s", "a", "none") == 3
    assert counts(world) == (6, 2)
    assert heard() == [("none", "keymiss")] * 2


def test_type(world: World, filled: Client, heard: Heard) -> None:
    filled.raw = b""
    assert [filled.call("TYPE", key) for key in ("a", "s", "none")] == ["string", "set", "none"]
    assert filled.raw == b"+string\r\n+set\r\n+none\r\n"
    assert counts(world) == (2, 1)
    assert heard() == [("none", "keymiss")]


# Time to live


def test_a_key_is_gone_when_its_time_has_come(world: World, client: Client, heard: Heard) -> None:
    client.call("SET", "k", "v")
    assert client.call("PEXPIRE", "k", 1500) == 1
    assert heard()[-1] == ("k", "expire")
    world.advance(1.499)
    assert client.call("EXISTS", "k") == 1
    world.advance(0.001)
    for words in (["GET", "k"], ["TTL", "k"], ["EXISTS", "k"], ["TYPE", "k"], ["DBSIZE"], ["KEYS", "*"], ["SCAN", 0]):
        assert client.call(*words) in (None, -2, 0, "none", [], ["0", []])
    assert ("k", "expired") in heard()


@pytest.mark.parametrize(
    ("command", "time", "left"),
    [
        ("EXPIRE", 100, 100_000),
        ("PEXPIRE", 1234, 1234),
        ("EXPIREAT", NOW + 7, 7000),
        ("PEXPIREAT", NOW_MS + 99, 99),
    ],
)
def test_times_are_set_in_four_ways(filled: Client, command: str, time: int, left: int) -> None:
    assert filled.call(command, "a", time) == 1
    assert filled.call("PTTL", "a") == left
    assert filled.call("TTL", "a") == (left + 500) // 1000
    assert filled.call("PEXPIRETIME", "a") == NOW_MS + left
    assert filled.call("EXPIRETIME", "a") == (NOW_MS + left + 500) // 1000
    assert filled.call(command, "none", time) == 0


@pytest.mark.parametrize("command", ["TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"])
def test_a_key_without_a_time_and_one_that_is_not_there(
    world: World, filled: Client, heard: Heard, command: str
) -> None:
    assert filled.call(command, "a") == -1
    assert filled.call(command, "none") == -2
    assert counts(world) == (1, 1)
    assert heard() == [("none", "keymiss")]


@pytest.mark.parametrize(
    ("command", "time"),
    [
        ("EXPIRE", 0),
        ("EXPIRE", -1),
        ("EXPIREAT", NOW),
        ("EXPIREAT", 1),
        ("PEXPIREAT", NOW_MS),
        ("PEXPIREAT", -9223372036854775808),
    ],
)
def test_a_time_that_has_passed_removes_the_key(
    world: World, filled: Client, heard: Heard, command: str, time: int
) -> None:
    before = dirty(world)
    assert filled.call(command, "a", time) == 1
    assert heard() == [("a", "del")]
    assert dirty(world) == before + 1
    assert filled.call("EXISTS", "a") == 0


@pytest.mark.parametrize(
    ("key", "time", "condition", "done"),
    [
        ("a", 50, "NX", 1),
        ("t", 50, "NX", 0),
        ("a", 50, "XX", 0),
        ("t", 50, "XX", 1),
        ("a", 50, "GT", 0),
        ("t", 50, "GT", 0),
        ("t", 100, "GT", 0),
        ("t", 150, "GT", 1),
        ("a", 50, "LT", 1),
        ("t", 50, "lt", 1),
        ("t", 100, "LT", 0),
        ("t", 150, "LT", 0),
        ("a", 50, "XX LT", 0),
        ("t", 50, "XX LT", 1),
        ("t", 150, "GT XX", 1),
        ("t", 150, "GT GT", 1),
        ("none", 50, "NX", 0),
        ("t", -1, "GT", 0),
        ("a", -1, "LT", 1),
    ],
)
def test_conditions_of_expire(filled: Client, heard: Heard, key: str, time: int, condition: str, done: int) -> None:
    assert filled.call("EXPIRE", key, time, *condition.split()) == done
    assert len(heard()) == done
    if done:
        assert filled.call("TTL", key) == (time if time > 0 else -2)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["EXPIRE", "none", "1", "BAD"], "ERR Unsupported option BAD"),
        (["EXPIRE", "none", "x", "BAD"], "ERR Unsupported option BAD"),
        (["EXPIRE", "a", "1", "NX", "XX"], "ERR NX and XX, GT or LT options at the same time are not compatible"),
        (["EXPIRE", "a", "1", "GT", "NX"], "ERR NX and XX, GT or LT options at the same time are not compatible"),
        (["EXPIRE", "a", "1", "GT", "LT"], "ERR GT and LT options at the same time are not compatible"),
        (["EXPIRE", "a", "1", "NX", "XX", "BAD"], "ERR Unsupported option BAD"),
        (["EXPIRE", "none", "x"], NOT_AN_INTEGER),
        (["EXPIRE", "none", "9223372036854775808"], NOT_AN_INTEGER),
        (["EXPIRE", "none", "9223372036854775807"], "ERR invalid expire time in 'expire' command"),
        (["EXPIRE", "a", "-9223372036854775808"], "ERR invalid expire time in 'expire' command"),
        (["PEXPIRE", "a", "9223372036854775807"], "ERR invalid expire time in 'pexpire' command"),
        (["EXPIREAT", "a", "9223372036854776"], "ERR invalid expire time in 'expireat' command"),
        (["EXPIRE", "a"], "ERR wrong number of arguments for 'expire' command"),
    ],
)
def test_errors_of_expire_come_before_the_key_is_looked_up(
    world: World, filled: Client, words: list[str], error: str
) -> None:
    assert outcome(filled.call(*words)) == error
    assert counts(world) == (0, 0)
    assert filled.call("TTL", "a") == -1


def test_persist(world: World, filled: Client, heard: Heard) -> None:
    before = dirty(world)
    assert filled.call("PERSIST", "t") == 1
    assert filled.call("PERSIST", "t") == 0
    assert filled.call("PERSIST", "none") == 0
    assert heard() == [("t", "persist")]
    assert dirty(world) == before + 1
    world.advance(1000)
    assert filled.call("EXISTS", "t") == 1


# Names


def test_rename(world: World, filled: Client, heard: Heard) -> None:
    before = dirty(world)
    assert filled.call("RENAME", "t", "new") == "OK"
    assert heard() == [("new", "new"), ("t", "rename_from"), ("new", "rename_to")]
    assert dirty(world) == before + 1
    assert filled.call("TTL", "new") == 100
    assert filled.call("RENAME", "s", "new") == "OK"
    assert heard() == [("new", "new"), ("s", "rename_from"), ("new", "rename_to")]
    assert filled.call("TTL", "new") == -1
    assert filled.call("SMEMBERS", "new") == ["x"]
    assert filled.call("RENAME", "new", "new") == "OK"
    assert heard() == []
    assert outcome(filled.call("RENAME", "none", "none")) == NO_KEY
    assert filled.call("DBSIZE") == 2
    world.check()


def test_renamenx(world: World, filled: Client, heard: Heard) -> None:
    assert filled.call("RENAMENX", "a", "s") == 0
    assert filled.call("RENAMENX", "a", "a") == 0
    assert heard() == []
    assert filled.call("RENAMENX", "a", "new") == 1
    assert heard() == [("new", "new"), ("a", "rename_from"), ("new", "rename_to")]
    assert outcome(filled.call("RENAMENX", "none", "a")) == NO_KEY
    world.check()


def test_a_name_is_free_when_its_key_has_expired(world: World, filled: Client) -> None:
    world.advance(100)
    assert filled.call("RENAMENX", "a", "t") == 1
    assert outcome(filled.call("RENAME", "a", "b")) == NO_KEY
    assert filled.call("COPY", "t", "a") == 1
    world.check()


def test_rename_wakes_and_is_watched(world: World, filled: Client) -> None:
    for key in ("a", "b"):
        filled.call("SET", "a", "1")
        filled.call("WATCH", key)
        world.connect().call("RENAME", "a", "b")
        filled.call("MULTI")
        assert filled.call("EXEC") is None


def test_move(world: World, filled: Client, heard: Heard) -> None:
    before = dirty(world)
    assert filled.call("MOVE", "t", 3) == 1
    assert heard() == [("t", "new"), ("t", "move_from"), ("t", "move_to")]
    assert dirty(world) == before + 1
    assert filled.call("MOVE", "t", 3) == 0
    filled.call("SET", "t", "2")
    assert filled.call("MOVE", "t", 3) == 0
    filled.call("SELECT", 3)
    assert (filled.call("GET", "t"), filled.call("TTL", "t")) == ("1", 100)
    world.check()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["MOVE", "none", "0"], SAME),
        (["MOVE", "none", "x"], NOT_AN_INTEGER),
        (["MOVE", "a", "16"], BAD_DB),
        (["MOVE", "a", "-1"], BAD_DB),
        (["MOVE", "a", "2147483648"], "ERR value is out of range, value must between -2147483648 and 2147483647"),
        (["COPY", "a", "a"], SAME),
        (["COPY", "a", "a", "DB", "0"], SAME),
        (["COPY", "none", "none"], SAME),
        (["COPY", "a", "b", "DB", "16"], BAD_DB),
        (["COPY", "a", "b", "DB", "x"], NOT_AN_INTEGER),
        (["COPY", "a", "b", "DB", "x", "BAD"], NOT_AN_INTEGER),
        (["COPY", "a", "b", "DB"], SYNTAX),
        (["COPY", "a", "a", "BAD"], SYNTAX),
    ],
)
def test_errors_of_move_and_copy(filled: Client, words: list[str], error: str) -> None:
    assert outcome(filled.call(*words)) == error


def test_copy(world: World, filled: Client, heard: Heard) -> None:
    before = dirty(world)
    assert filled.call("COPY", "t", "c") == 1
    assert heard() == [("c", "new"), ("c", "copy_to")]
    assert (filled.call("GET", "c"), filled.call("TTL", "c")) == ("1", 100)
    assert filled.call("COPY", "s", "c") == 0
    assert filled.call("COPY", "none", "c", "REPLACE") == 0
    assert heard() == [("none", "keymiss")]
    assert filled.call("COPY", "s", "c", "replace") == 1
    assert heard() == [("c", "new"), ("c", "copy_to")]
    assert filled.call("TTL", "c") == -1
    assert dirty(world) == before + 2
    filled.call("SADD", "c", "y")
    assert filled.call("SMEMBERS", "s") == ["x"]
    assert filled.call("COPY", "s", "s", "DB", 3, "REPLACE") == 1
    filled.call("SELECT", 3)
    assert filled.call("SMEMBERS", "s") == ["x"]
    world.check()


def test_a_copy_of_a_string_does_not_change_with_it(client: Client) -> None:
    client.call("APPEND", "raw", "abc")
    client.call("APPEND", "raw", "def")
    client.call("COPY", "raw", "copy")
    client.call("SETRANGE", "raw", 0, "xyz")
    assert client.call("GET", "copy") == "abcdef"


# All keys


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("*", "abt"), ("a", "a"), ("z", ""), ("?", "abt"), ("[ab]", "ab"), ("[^a]", "bt"), ("\\a", "a"), ("", "")],
)
def test_keys(world: World, client: Client, pattern: str, expected: str) -> None:
    client.call("MSET", "a", "1", "b", "2")
    client.call("SET", "t", "3", "EX", 100)
    assert sorted(client.call("KEYS", pattern)) == list(expected)
    world.advance(100)
    assert sorted(client.call("KEYS", pattern)) == [key for key in expected if key != "t"]


def test_randomkey(world: World, client: Client) -> None:
    assert client.call("RANDOMKEY") is None
    client.call("MSET", "a", "1", "b", "2", "c", "3")
    assert {client.call("RANDOMKEY") for _ in range(100)} == {"a", "b", "c"}
    client.call("PEXPIRE", "a", 1)
    client.call("PEXPIRE", "b", 1)
    world.advance(1)
    assert {client.call("RANDOMKEY") for _ in range(20)} == {"c"}


def scan_all(client: Client, *options: Any) -> list[str]:
    found, cursor, calls = [], "0", 0
    while not calls or cursor != "0":
        cursor, some = client.call("SCAN", cursor, *options)
        found += some
        calls += 1
    return sorted(found)


def test_scan_finds_everything_in_parts(world: World, client: Client) -> None:
    keys = sorted(f"k{number}" for number in range(2000))
    for key in keys:
        client.call("SET", key, "v")
    assert scan_all(client) == keys
    assert scan_all(client, "COUNT", 7) == keys
    assert scan_all(client, "COUNT", 5000) == keys
    assert scan_all(client, "MATCH", "k1?") == [f"k1{digit}" for digit in range(10)]
    assert len(client.call("SCAN", 0, "COUNT", 100)[1]) < 250
    for key in keys[:1000]:
        client.call("PEXPIRE", key, 1)
    world.advance(1)
    assert scan_all(client) == keys[1000:]


def test_scan_by_type_counts_reads_and_is_no_access(world: World, filled: Client, heard: Heard) -> None:
    assert scan_all(filled, "TYPE", "string") == ["a", "t"]
    assert scan_all(filled, "TYPE", "SET") == ["s"]
    assert scan_all(filled, "TYPE", "bogus") == []
    assert counts(world) == (9, 0)
    assert scan_all(filled, "TYPE", "set", "MATCH", "[as]") == ["s"]
    assert counts(world) == (11, 0)
    assert heard() == []


def test_the_last_of_equal_options_counts(filled: Client) -> None:
    assert scan_all(filled, "MATCH", "a", "MATCH", "s", "COUNT", 1, "COUNT", 100) == ["s"]


@pytest.mark.parametrize(
    "cursor", ["0", "00", "+0", "-0", " 0", "\t\n\v\f\r 0", "0\0x", "18446744073709551616"[:-1] + "5"]
)
def test_cursors_that_are_read_as_c_reads_numbers(client: Client, cursor: str) -> None:
    assert client.call("SCAN", cursor)[0] == "0"


@pytest.mark.parametrize(
    "cursor", ["", "x", "-", "+", "0 ", "0x", "1.0", "-1", "- 1", "18446744073709551616", "9" * 30, "9" * 5000, "\0"]
)
def test_cursors_that_are_refused(client: Client, cursor: str) -> None:
    assert outcome(client.call("SCAN", cursor, "BAD")) == "ERR invalid cursor"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["COUNT", "0"], SYNTAX),
        (["COUNT", "-1"], SYNTAX),
        (["COUNT", "x"], NOT_AN_INTEGER),
        (["COUNT"], SYNTAX),
        (["MATCH"], SYNTAX),
        (["TYPE"], SYNTAX),
        (["BAD"], SYNTAX),
        (["COUNT", "x", "BAD"], NOT_AN_INTEGER),
        (["BAD", "COUNT", "x"], SYNTAX),
        (["NOVALUES"], "ERR NOVALUES option can only be used in HSCAN"),
        (["COUNT", "0", "NOVALUES"], SYNTAX),
    ],
)
def test_errors_of_scan(client: Client, words: list[str], error: str) -> None:
    assert outcome(client.call("SCAN", "0", *words)) == error


# OBJECT


def test_object_encoding(world: World, client: Client, heard: Heard) -> None:
    client.call("MSET", "int", "12", "embstr", "x" * 44, "raw", "x" * 45)
    client.call("SADD", "set", "1")
    heard()
    encodings = [client.call("OBJECT", "ENCODING", key) for key in ("int", "embstr", "raw", "set", "none")]
    assert encodings == ["int", "embstr", "raw", "intset", None]
    assert counts(world) == (4, 1)
    assert heard() == [], "who looks behind a value is no reader to be told of"


def test_object_refcount_and_idletime(world: World, filled: Client) -> None:
    filled.call("SET", "a", "text")
    assert filled.call("OBJECT", "REFCOUNT", "a") == 1
    assert filled.call("OBJECT", "REFCOUNT", "none") is None
    assert filled.call("OBJECT", "IDLETIME", "a") == 0
    assert filled.call("OBJECT", "IDLETIME", "none") is None
    assert counts(world) == (2, 2)


def test_small_integers_are_shared_unless_their_use_is_counted(world: World, client: Client) -> None:
    client.call("MSET", "zero", "0", "last", "9999", "more", "10000", "less", "-1", "text", "1x", "counter", "1")
    assert client.call("INCR", "counter") == 2
    keys = ("zero", "last", "counter", "more", "less", "text")
    assert [client.call("OBJECT", "REFCOUNT", key) for key in keys] == [2**31 - 1] * 3 + [1] * 3
    for engine, limit, count in ((Lru, 0, 2**31 - 1), (Lru, 1 << 30, 1), (NoEviction, 1 << 30, 2**31 - 1)):
        world.core.shape.use_engine(engine)
        world.core.room.limit(limit)
        while world.core.shape.step():
            pass
        assert client.call("OBJECT", "REFCOUNT", "zero") == count


def test_object_freq_needs_an_lfu_policy(filled: Client) -> None:
    assert filled.call("OBJECT", "FREQ", "none") is None
    assert str(filled.call("OBJECT", "FREQ", "a")).startswith("ERR An LFU maxmemory policy is not selected, access")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["OBJECT"], "ERR wrong number of arguments for 'object' command"),
        (["OBJECT", "ENCODING"], "ERR wrong number of arguments for 'object|encoding' command"),
        (["OBJECT", "ENCODING", "a", "b"], "ERR wrong number of arguments for 'object|encoding' command"),
        (["OBJECT", "BAD", "a"], "ERR unknown subcommand 'BAD'. Try OBJECT HELP."),
    ],
)
def test_errors_of_object(filled: Client, words: list[str], error: str) -> None:
    assert outcome(filled.call(*words)) == error


# Databases


def test_what_has_expired_is_there_until_it_is_read_where_nothing_removes_it(world: World, filled: Client) -> None:
    world.core.keyspace.expires_actively = False
    for key in ("a", "b", "c"):
        filled.call("SET", key, "1", "PX", 1)
    filled.call("SET", "own", "1")
    everything = filled.call("DBSIZE")
    world.advance(1)
    assert filled.call("DBSIZE") == everything
    assert filled.call("GET", "a") is None
    assert filled.call("DBSIZE") == everything - 1
    while filled.call("DBSIZE") > everything - 3:
        assert filled.call("RANDOMKEY") not in ("a", "b", "c")


def test_dbsize_counts_what_has_not_expired(world: World, filled: Client) -> None:
    assert filled.call("DBSIZE") == 3
    world.advance(100)
    assert filled.call("DBSIZE") == 2


@pytest.mark.parametrize("mode", [[], ["SYNC"], ["async"]])
def test_flushing_one_database_and_all(world: World, filled: Client, heard: Heard, mode: list[str]) -> None:
    filled.call("COPY", "a", "a", "DB", 1)
    heard()
    before = dirty(world)
    assert filled.call("FLUSHDB", *mode) == "OK"
    assert heard() == []
    assert dirty(world) == before + 3
    assert filled.call("DBSIZE") == 0
    filled.call("SELECT", 1)
    assert filled.call("DBSIZE") == 1
    assert filled.call("FLUSHALL", *mode) == "OK"
    assert filled.call("DBSIZE") == 0


@pytest.mark.parametrize("words", [["x"], ["SYNC", "x"], ["SYNC", "ASYNC"]])
def test_flushing_has_two_modes(filled: Client, words: list[str]) -> None:
    for command in ("FLUSHDB", "FLUSHALL"):
        assert outcome(filled.call(command, *words)) == SYNTAX
    assert filled.call("DBSIZE") == 3


def test_swapdb(world: World, filled: Client) -> None:
    before = dirty(world)
    assert filled.call("SWAPDB", 0, 3) == "OK"
    assert filled.call("DBSIZE") == 0
    filled.call("SELECT", 3)
    assert filled.call("DBSIZE") == 3
    assert filled.call("TTL", "t") == 100
    assert filled.call("SWAPDB", 2, 2) == "OK"
    assert dirty(world) == before + 2
    world.check()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["x", "y"], "ERR invalid first DB index"),
        (["99999999999", "0"], "ERR invalid first DB index"),
        (["99", "y"], "ERR invalid second DB index"),
        (["0", "16"], BAD_DB),
        (["-1", "0"], BAD_DB),
    ],
)
def test_errors_of_swapdb(client: Client, words: list[str], error: str) -> None:
    assert outcome(client.call("SWAPDB", *words)) == error


# Eviction


def test_looking_at_a_key_is_no_access_to_it(world: World, client: Client) -> None:
    shape = world.core.shape
    shape.use_engine(Lru)
    while shape.step():
        pass
    client.call("MSET", "a", "1", "b", "2")
    for words in (
        ["EXISTS", "a"],
        ["TYPE", "a"],
        ["TTL", "a"],
        ["OBJECT", "ENCODING", "a"],
        ["SCAN", 0, "TYPE", "set"],
    ):
        client.call(*words)
    client.call("KEYS", "a")
    db = world.core.keyspace.databases[0]
    assert db.engine is not None
    victim = db.engine.victim()
    assert victim is not None and victim.key == b"a"
    client.call("TOUCH", "a")
    victim = db.engine.victim()
    assert victim is not None and victim.key == b"b"


class Counting(Lru):
    """An engine that counts uses, and knows no times."""

    def idle_seconds(self, entry: SizedEntry) -> int | None:
        return None

    def frequency(self, entry: SizedEntry) -> int | None:
        return 7


def test_object_answers_what_the_engine_knows_and_says_so_where_it_does_not(world: World, client: Client) -> None:
    shape = world.core.shape
    shape.use_engine(Lru)
    while shape.step():
        pass
    client.call("SET", "a", "1")
    world.advance(5)
    assert client.call("OBJECT", "IDLETIME", "a") == 5
    assert str(client.call("OBJECT", "FREQ", "a")).startswith("ERR An LFU maxmemory policy is not selected, access")
    shape.use_engine(Counting, volatile=True)
    while shape.step():
        pass
    client.call("SET", "timed", "1", "EX", 100)
    assert client.call("OBJECT", "FREQ", "timed") == 7
    assert client.call("OBJECT", "FREQ", "a") == 0
    assert str(client.call("OBJECT", "IDLETIME", "timed")).startswith("ERR An LFU maxmemory policy is selected, idle")
    limit = Limit(Scope(prefix=b"a"), 1 << 20, "lru", Lru, False)
    shape.use_engine(NoEviction, limits=(limit,))
    while shape.step():
        pass
    world.advance(3)
    assert client.call("OBJECT", "IDLETIME", "a") == 3
    assert client.call("OBJECT", "IDLETIME", "timed") == 0
    shape.use_engine(NoEviction, limits=(limit._replace(engine=Counting),))
    while shape.step():
        pass
    assert client.call("OBJECT", "FREQ", "a") == 7
    assert str(client.call("OBJECT", "IDLETIME", "a")).startswith("ERR An LFU")
    assert str(client.call("OBJECT", "FREQ", "timed")).startswith("ERR An LFU")
