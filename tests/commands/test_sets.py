"""Sets, in process: what each command answers, announces and counts."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from pycache_server.store.table import SMALL
from pycache_server.testing.inprocess import Client, World
from tests.commands.conftest import Heard, outcome

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
NOT_POSITIVE = "ERR value is out of range, must be positive"


def dirty(world: World) -> int:
    return sum(database.dirty for database in world.core.keyspace.databases)


def encoding(client: Client, key: str) -> str:
    return str(client.call("OBJECT", "ENCODING", key))


# One set


def test_sadd_counts_what_is_new(world: World, client: Client, heard: Heard) -> None:
    assert client.call("SADD", "s", "a", "b", "a") == 2
    assert heard() == [("s", "new"), ("s", "sadd")]
    assert dirty(world) == 2
    assert client.call("SADD", "s", "a") == 0
    assert heard() == []
    assert client.call("SADD", "s", "c") == 1
    assert client.call("SADD", "s", "b", "d", "e") == 2
    assert heard() == [("s", "sadd"), ("s", "sadd")]
    assert dirty(world) == 5
    assert sorted(client.call("SMEMBERS", "s")) == ["a", "b", "c", "d", "e"]


def test_adding_keeps_the_time_to_live(client: Client) -> None:
    client.call("SADD", "s", "a")
    client.call("EXPIRE", "s", 100)
    client.call("SADD", "s", "b")
    assert client.call("TTL", "s") == 100


def test_srem_deletes_a_set_that_has_become_empty(world: World, client: Client, heard: Heard) -> None:
    client.call("SADD", "s", "a", "b", "c")
    heard()
    before = dirty(world)
    assert client.call("SREM", "s", "x") == 0
    assert client.call("SREM", "s", "a", "a", "x") == 1
    assert heard() == [("s", "srem")]
    assert client.call("SREM", "s", "c", "b", "a") == 2
    assert heard() == [("s", "srem"), ("s", "del")]
    assert dirty(world) == before + 3
    assert client.call("EXISTS", "s") == 0
    assert client.call("SREM", "s", "a") == 0


def test_questions_about_members(client: Client) -> None:
    client.call("SADD", "s", "a", "b")
    assert client.call("SISMEMBER", "s", "a") == 1
    assert client.call("SISMEMBER", "s", "x") == 0
    assert client.call("SISMEMBER", "none", "a") == 0
    assert client.call("SMISMEMBER", "s", "a", "x", "b") == [1, 0, 1]
    assert client.call("SMISMEMBER", "none", "a", "x") == [0, 0]
    assert client.call("SCARD", "s") == 2
    assert client.call("SCARD", "none") == 0
    assert client.call("SMEMBERS", "none") == []


def test_reads_are_counted_and_writes_are_not(world: World, client: Client, heard: Heard) -> None:
    db = world.core.keyspace.databases[0]
    client.call("SADD", "s", "a", "b", "c")
    client.call("SREM", "s", "a")
    client.call("SPOP", "none")
    client.call("SPOP", "s", 1)
    client.call("SMOVE", "none", "s", "a")
    assert (db.hits, db.misses) == (0, 0)
    heard()
    for words in (("SCARD",), ("SISMEMBER", "a"), ("SMISMEMBER", "a"), ("SMEMBERS",), ("SSCAN", 0), ("SRANDMEMBER",)):
        client.call(words[0], "s", *words[1:])
        client.call(words[0], "none", *words[1:])
        assert heard() == [("none", "keymiss")]
    assert (db.hits, db.misses) == (6, 6)
    client.call("SUNIONSTORE", "d", "s", "none", "s")
    assert (db.hits, db.misses) == (8, 7)
    assert heard() == [("none", "keymiss"), ("d", "new"), ("d", "sunionstore")]


def test_smove(world: World, client: Client, heard: Heard) -> None:
    client.call("SADD", "s", "1", "2", "3")
    heard()
    before = dirty(world)
    assert client.call("SMOVE", "s", "t", "1") == 1
    assert heard() == [("s", "srem"), ("t", "new"), ("t", "sadd")]
    assert dirty(world) == before + 2
    assert encoding(client, "t") == "intset"
    assert client.call("SMOVE", "s", "t", "x") == 0
    client.call("SADD", "t", "2")
    heard()
    assert client.call("SMOVE", "s", "t", "2") == 1, "where it is already"
    assert heard() == [("s", "srem")]
    assert client.call("SMOVE", "s", "t", "3") == 1
    assert heard() == [("s", "srem"), ("s", "del"), ("t", "sadd")]
    assert client.call("SMOVE", "t", "t", "3") == 1
    assert client.call("SMOVE", "t", "t", "x") == 0
    assert heard() == []
    assert client.call("SMEMBERS", "t") == ["1", "2", "3"]


def test_smove_looks_at_types_in_order(client: Client) -> None:
    client.call("SET", "string", "x")
    client.call("SADD", "s", "a")
    assert client.call("SMOVE", "none", "string", "a") == 0
    assert outcome(client.call("SMOVE", "string", "s", "a")) == WRONG_TYPE
    assert outcome(client.call("SMOVE", "s", "string", "x")) == WRONG_TYPE
    assert client.call("SCARD", "s") == 1


# Encodings


def test_encodings_follow_the_history(world: World, client: Client) -> None:
    client.call("SADD", "s", "1", "2")
    assert encoding(client, "s") == "intset"
    client.call("SADD", "s", "x")
    assert encoding(client, "s") == "listpack"
    client.call("SREM", "s", "x")
    assert encoding(client, "s") == "listpack"
    client.call("COPY", "s", "copy")
    client.call("SADD", "s", "y" * 65)
    client.call("SREM", "s", "y" * 65)
    assert encoding(client, "s") == "hashtable"
    assert encoding(client, "copy") == "listpack"
    client.call("SUNIONSTORE", "s", "s")
    assert encoding(client, "s") == "intset", "made anew"


def test_limits_of_encodings_can_be_changed(world: World, client: Client) -> None:
    limits = world.core.keyspace.encodings
    client.call("SADD", "s", *range(100))
    limits.set_max_intset_entries = 50
    limits.set_max_listpack_entries = 60
    assert encoding(client, "s") == "intset", "until the next addition"
    client.call("SADD", "s", 1)
    assert encoding(client, "s") == "intset"
    client.call("SADD", "s", 100)
    assert encoding(client, "s") == "hashtable"
    client.call("SADD", "t", *range(55))
    assert encoding(client, "t") == "listpack", "too many integers for an intset"
    client.call("SADD", "u", *range(51, 0, -1), *range(20))
    assert encoding(client, "u") == "hashtable", "counted before it is looked which are equal"


def test_what_store_commands_make(client: Client) -> None:
    client.call("SADD", "ints", *range(300))
    client.call("SADD", "more", *range(250, 600))
    client.call("SADD", "texts", *(f"m{number}" for number in range(200)))
    client.call("SADD", "mixed", "x", *range(100))
    for key, words in {
        "intset": ("SINTERSTORE", "d", "ints", "more"),
        "hashtable": ("SUNIONSTORE", "d", "ints", "more"),
        "listpack": ("SINTERSTORE", "d", "mixed", "mixed"),
    }.items():
        client.call(*words)
        assert encoding(client, "d") == key
    client.call("SDIFFSTORE", "d", "mixed", "ints")
    assert encoding(client, "d") == "listpack"
    client.call("SDIFFSTORE", "d", "texts", "ints")
    assert encoding(client, "d") == "hashtable"


def test_sdiffstore_keeps_the_encoding_of_the_whole_where_redis_takes_members_out_of_it(client: Client) -> None:
    client.call("SADD", "texts", *(f"m{number}" for number in range(130)))
    client.call("SADD", "a", *(f"m{number}" for number in range(2)))
    client.call("SADD", "b", *(f"m{number}" for number in range(5)))
    client.call("SDIFFSTORE", "d", "texts", "b")
    assert (client.call("SCARD", "d"), encoding(client, "d")) == (125, "listpack")
    client.call("SDIFFSTORE", "d", "texts", "a", "b")
    assert (client.call("SCARD", "d"), encoding(client, "d")) == (125, "hashtable")


# Chance


def test_spop_of_one_member(world: World, client: Client, heard: Heard) -> None:
    client.call("SADD", "s", "a", "b")
    heard()
    first = client.call("SPOP", "s")
    assert heard() == [("s", "spop")]
    before = dirty(world)
    second = client.call("SPOP", "s")
    assert heard() == [("s", "spop"), ("s", "del")]
    assert dirty(world) == before + 1
    assert {first, second} == {"a", "b"}
    assert client.call("SPOP", "s") is None


@pytest.mark.parametrize("size", [5, 300, SMALL * 3])
@pytest.mark.parametrize("count", [1, 3, 200, 299, 300, 3000, 10_000])
def test_spop_of_several_members(world: World, client: Client, heard: Heard, size: int, count: int) -> None:
    members = {f"m{number}" for number in range(size)}
    client.call("SADD", "s", *members)
    heard()
    before = dirty(world)
    popped = client.call("SPOP", "s", count)
    assert len(set(popped)) == len(popped) == min(count, size)
    left = set(client.call("SMEMBERS", "s"))
    assert members - set(popped) == left
    assert dirty(world) == before + len(popped)
    assert [name for _, name in heard()] == (["spop"] if left else ["spop", "del", "keymiss"])
    world.check()


def test_spop_keeps_the_time_to_live(client: Client) -> None:
    client.call("SADD", "s", *range(100))
    client.call("EXPIRE", "s", 100)
    client.call("SPOP", "s", 99)
    assert client.call("TTL", "s") == 100


def test_spop_of_none(client: Client, heard: Heard) -> None:
    client.call("SADD", "s", "a")
    heard()
    assert client.call("SPOP", "s", 0) == []
    assert client.call("SPOP", "none", 0) == []
    assert client.call("SPOP", "none", 5) == []
    assert heard() == []


@pytest.mark.parametrize("command", ["SPOP", "SRANDMEMBER"])
@pytest.mark.parametrize("size", [6, SMALL + 500])
def test_each_member_is_as_likely_as_the_others(client: Client, command: str, size: int) -> None:
    client.call("SADD", "s", *range(size))
    counts: Counter[str] = Counter()
    for _ in range(6 * size):
        member = client.call(command, "s")
        counts[member] += 1
        client.call("SADD", "s", member)
    squares = sum((counts[str(member)] - 6) ** 2 / 6 for member in range(size))
    assert squares < size + 6 * (2 * size) ** 0.5


def test_srandmember(client: Client) -> None:
    members = {f"m{number}" for number in range(50)}
    client.call("SADD", "s", *members)
    assert client.call("SRANDMEMBER", "s") in members
    for count in (1, 7, 49, 50, 51, 9223372036854775807):
        found = client.call("SRANDMEMBER", "s", count)
        assert len(set(found)) == len(found) == min(count, 50)
        assert members.issuperset(found)
    found = client.call("SRANDMEMBER", "s", -500)
    assert len(found) == 500
    assert set(found) == members
    assert client.call("SCARD", "s") == 50
    assert client.call("SRANDMEMBER", "s", 0) == []
    assert client.call("SRANDMEMBER", "none") is None
    assert client.call("SRANDMEMBER", "none", -5) == []


def test_no_more_is_drawn_than_a_reply_could_hold(client: Client) -> None:
    assert client.call("SRANDMEMBER", "none", -9223372036854775807) == []
    client.call("SADD", "s", "a")
    client.call("ZADD", "z", 1, "a")
    client.call("HSET", "h", "a", 1)
    for line in (("SRANDMEMBER", "s"), ("ZRANDMEMBER", "z"), ("HRANDFIELD", "h")):
        assert outcome(client.call(*line, -9223372036854775807)) == "ERR value is out of range"
    assert client.call("PING") == "PONG"


def test_replies_are_sets_in_resp3_but_those_of_srandmember(client: Client) -> None:
    client.call("HELLO", 3)
    client.call("SADD", "s", "a", "b")

    def marker(*words: object) -> bytes:
        client.raw = b""
        client.call(*words)
        return client.raw[:2]

    for words in (("SMEMBERS", "s"), ("SINTER", "s"), ("SUNION", "s", "none"), ("SDIFF", "s", "none")):
        assert marker(*words) == b"~2"
    assert marker("SRANDMEMBER", "s", 2) == b"*2"
    assert marker("SRANDMEMBER", "none", 2) == b"*0"
    assert marker("SSCAN", "s", 0) == b"*2"
    assert marker("SPOP", "s", 2) == b"~2"
    assert marker("SPOP", "s", 2) == b"~0"
    assert marker("SMEMBERS", "s") == b"~0"
    assert marker("SINTER", "s", "t") == b"~0"
    assert marker("SPOP", "s") == b"_\r"


# Several sets


@pytest.fixture
def sets(client: Client) -> Client:
    client.call("SADD", "a", "1", "2", "3", "4")
    client.call("SADD", "b", "3", "4", "5")
    client.call("SADD", "c", "4", "x")
    client.call("SET", "string", "x")
    return client


@pytest.mark.parametrize(
    ("words", "members"),
    [
        (["SINTER", "a"], "1234"),
        (["SINTER", "a", "b"], "34"),
        (["SINTER", "b", "a", "c"], "4"),
        (["SINTER", "a", "none"], ""),
        (["SINTER", "none"], ""),
        (["SINTER", "a", "a"], "1234"),
        (["SUNION", "a", "b"], "12345"),
        (["SUNION", "none", "c", "b"], "345x"),
        (["SUNION", "none"], ""),
        (["SDIFF", "a", "b"], "12"),
        (["SDIFF", "a", "none", "c"], "123"),
        (["SDIFF", "none", "a"], ""),
        (["SDIFF", "a", "b", "a"], ""),
        (["SDIFF", "c"], "4x"),
    ],
)
def test_sets_are_combined(sets: Client, heard: Heard, words: list[str], members: str) -> None:
    assert sorted(sets.call(*words)) == list(members)
    command, keys = words[0], words[1:]
    assert sets.call(command + "STORE", "d", *keys) == len(members)
    assert sorted(sets.call("SMEMBERS", "d")) == list(members)
    names = [name for key, name in heard() if key == "d"]
    assert names == (["new", command.lower() + "store"] if members else ["keymiss"])
    if command == "SINTER":
        assert sets.call("SINTERCARD", len(keys), *keys) == len(members)
        assert sets.call("SINTERCARD", len(keys), *keys, "LIMIT", 2) == min(2, len(members))
        assert sets.call("SINTERCARD", len(keys), *keys, "limit", 0) == len(members)


def test_integers_come_in_order_where_redis_has_an_intset(client: Client) -> None:
    client.call("SADD", "a", 10, 9, 100, -5)
    client.call("SADD", "b", 100, 20, 9)
    client.call("SADD", "c", "x", 20, 9, 10)
    assert client.call("SUNION", "a", "b") == ["-5", "9", "10", "20", "100"]
    assert client.call("SINTER", "a", "c") == ["9", "10"]
    assert client.call("SDIFF", "a", "c") == ["-5", "100"]


def test_a_destination_is_overwritten_whatever_it_is(world: World, sets: Client, heard: Heard) -> None:
    sets.call("SET", "d", "x", "EX", 100)
    heard()
    before = dirty(world)
    assert sets.call("SUNIONSTORE", "d", "a", "b") == 5
    assert heard() == [("d", "sunionstore")]
    assert dirty(world) == before + 1
    assert sets.call("TTL", "d") == -1
    assert sets.call("SDIFFSTORE", "a", "a", "b") == 2
    assert sorted(sets.call("SMEMBERS", "a")) == ["1", "2"]
    assert sets.call("SINTERSTORE", "b", "b", "b") == 3


@pytest.mark.parametrize("command", ["SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"])
def test_an_empty_result_deletes_the_destination(world: World, sets: Client, heard: Heard, command: str) -> None:
    sets.call("SET", "d", "x")
    heard()
    before = dirty(world)
    assert sets.call(command, "d", "none", "none") == 0
    assert heard()[-1] == ("d", "del")
    assert sets.call(command, "d", "none") == 0
    assert dirty(world) == before + 1
    assert sets.call("EXISTS", "d") == 0


def test_a_stored_set_shares_nothing_with_its_source(world: World, client: Client) -> None:
    client.call("SADD", "big", *range(SMALL * 2))
    for command in ("SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"):
        client.call(command, "d", "big")
        client.call("SADD", "d", "new")
        assert client.call("SCARD", "big") == SMALL * 2
        assert client.call("SCARD", "d") == SMALL * 2 + 1
    world.check()


@pytest.mark.parametrize("command", ["SINTER", "SUNION", "SDIFF", "SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"])
def test_a_wrong_type_at_any_key_is_an_error_before_anything_is_changed(sets: Client, command: str) -> None:
    sets.call("SET", "d", "x")
    destination = ["d"] if command.endswith("STORE") else []
    for keys in (["string"], ["a", "string"], ["none", "string"], ["a", "b", "none", "string"]):
        assert outcome(sets.call(command, *destination, *keys)) == WRONG_TYPE
    assert sets.call("GET", "d") == "x"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["SINTERCARD", "0", "a"], "ERR numkeys should be greater than 0"),
        (["SINTERCARD", "-1", "a"], "ERR numkeys should be greater than 0"),
        (["SINTERCARD", "x", "a"], "ERR numkeys should be greater than 0"),
        (["SINTERCARD", "3", "a", "b"], "ERR Number of keys can't be greater than number of args"),
        (["SINTERCARD", "1", "a", "LIMIT"], "ERR syntax error"),
        (["SINTERCARD", "1", "a", "b"], "ERR syntax error"),
        (["SINTERCARD", "1", "a", "LIMIT", "-1"], "ERR LIMIT can't be negative"),
        (["SINTERCARD", "1", "a", "LIMIT", "x"], "ERR LIMIT can't be negative"),
        (["SINTERCARD", "1", "string", "LIMIT", "x"], "ERR LIMIT can't be negative"),
        (["SINTERCARD", "2", "none", "string"], WRONG_TYPE),
        (["SINTERCARD", "1"], "ERR wrong number of arguments for 'sintercard' command"),
        (["SADD", "a"], "ERR wrong number of arguments for 'sadd' command"),
        (["SADD", "string", "x"], WRONG_TYPE),
        (["SREM", "string", "x"], WRONG_TYPE),
        (["SCARD", "string"], WRONG_TYPE),
        (["SISMEMBER", "string", "x"], WRONG_TYPE),
        (["SMISMEMBER", "string", "x"], WRONG_TYPE),
        (["SMEMBERS", "string"], WRONG_TYPE),
        (["SPOP", "string"], WRONG_TYPE),
        (["SPOP", "string", "0"], WRONG_TYPE),
        (["SPOP", "string", "-1"], NOT_POSITIVE),
        (["SPOP", "none", "x"], NOT_POSITIVE),
        (["SPOP", "a", "x", "y"], "ERR syntax error"),
        (["SRANDMEMBER", "string"], WRONG_TYPE),
        (["SRANDMEMBER", "string", "x"], NOT_AN_INTEGER),
        (
            ["SRANDMEMBER", "none", "-9223372036854775808"],
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        ),
        (["SRANDMEMBER", "a", "1", "2"], "ERR syntax error"),
        (["SSCAN", "string", "x"], "ERR invalid cursor"),
        (["SSCAN", "string", "0", "COUNT", "0"], WRONG_TYPE),
        (["SSCAN", "a", "0", "COUNT", "0"], "ERR syntax error"),
        (["SSCAN", "a", "0", "COUNT", "x"], NOT_AN_INTEGER),
        (["SSCAN", "a", "0", "TYPE", "set"], "ERR syntax error"),
        (["SSCAN", "a", "0", "MATCH"], "ERR syntax error"),
        (["SSCAN", "a", "0", "NOVALUES"], "ERR NOVALUES option can only be used in HSCAN"),
    ],
)
def test_errors(sets: Client, words: list[str], error: str) -> None:
    assert outcome(sets.call(*words)) == error


# SSCAN


def test_sscan_returns_a_compact_set_at_once(client: Client) -> None:
    client.call("SADD", "s", 3, 1, 2)
    assert client.call("SSCAN", "s", 0) == ["0", ["1", "2", "3"]]
    assert client.call("SSCAN", "s", 77, "COUNT", 1) == ["0", ["1", "2", "3"]]
    assert client.call("SSCAN", "s", 0, "MATCH", "[13]") == ["0", ["1", "3"]]
    assert client.call("SSCAN", "none", 5, "BAD") == ["0", []]


@pytest.mark.parametrize("size", [200, SMALL * 4])
def test_sscan_goes_through_a_big_set_in_parts(client: Client, size: int) -> None:
    members = [f"m{number}" for number in range(size)]
    client.call("SADD", "s", *members)
    seen: list[str] = []
    cursor: Any = "0"
    calls = 0
    while calls == 0 or cursor != "0":
        cursor, found = client.call("SSCAN", "s", cursor, "COUNT", 20)
        assert len(found) <= 60
        seen += found
        calls += 1
    assert sorted(seen) == sorted(members)
    assert calls > size // 40
    found = client.call("SSCAN", "s", 0, "COUNT", 10_000, "MATCH", "m1??")[1]
    assert sorted(found) == [f"m{number}" for number in range(100, 200)]


# Others


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        (["SADD", "s", "d"], True),
        (["SADD", "s", "a"], False),
        (["SREM", "s", "a"], True),
        (["SREM", "s", "x"], False),
        (["SPOP", "s"], True),
        (["SPOP", "s", "2"], True),
        (["SMOVE", "s", "t", "a"], True),
        (["SMOVE", "t", "s", "z"], True),
        (["SMOVE", "t", "s", "a"], False),
        (["SINTERSTORE", "s", "none"], True),
        (["SUNIONSTORE", "s", "t"], True),
        (["SMEMBERS", "s"], False),
    ],
)
def test_a_client_that_watches_a_set_hears_of_its_changes(
    world: World, client: Client, words: list[str], changes: bool
) -> None:
    client.call("SADD", "s", "a", "b", "c")
    client.call("SADD", "t", "a", "z")
    client.call("WATCH", "s")
    world.connect().call(*words)
    client.call("MULTI")
    assert (client.call("EXEC") is None) == changes


def test_memory_is_counted_under_an_eviction_engine_too(world: World, client: Client) -> None:
    client.call("SADD", "s", *range(5000))
    value = world.core.keyspace.databases[0].peek(b"s")
    whole = value.memory()
    client.call("SREM", "s", *range(4990))
    assert value.memory() < whole / 50
    world.check()
