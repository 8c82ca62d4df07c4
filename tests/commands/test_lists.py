"""Lists: what the commands answer, tell and count."""

from __future__ import annotations

from typing import Any

import pytest

from pycache_server.store.events import parse_flags
from pycache_server.testing.inprocess import Client, World


def raw(client: Client, *words: Any) -> bytes:
    """A reply as it is sent."""
    client.raw = b""
    client.call(*words)
    return client.raw


def events_of(world: World, client: Client, *words: Any) -> list[str]:
    """The keyspace events of a command, without the key where it is ``k``."""
    listener = world.connect()
    listener.call("PSUBSCRIBE", "__keyevent@0__:*")
    flags = parse_flags("KEAn")
    assert flags is not None
    world.core.observers.notify(flags)
    client.call(*words)
    world.core.observers.notify(0)
    found = [(message[2].partition(":")[2], message[3]) for message in listener.read_all() if message[0] == "pmessage"]
    listener.close()
    return [event if key == "k" else f"{event} {key}" for event, key in found]


def changes_of(world: World, client: Client, *words: Any) -> int:
    """How many changes a command counts."""
    databases = world.core.keyspace.databases
    before = sum(database.dirty for database in databases)
    client.call(*words)
    return sum(database.dirty for database in databases) - before


def test_pushing_and_popping(client: Client) -> None:
    assert client.call("RPUSH", "k", "b", "c") == 2
    assert client.call("LPUSH", "k", "a", "z") == 4
    assert client.call("LRANGE", "k", 0, -1) == ["z", "a", "b", "c"]
    assert client.call("LLEN", "k") == 4
    assert client.call("LPOP", "k") == "z"
    assert client.call("RPOP", "k") == "c"
    assert client.call("RPUSHX", "k", "c", "d") == 4
    assert client.call("LPUSHX", "k", "y") == 5
    assert client.call("LPOP", "k", 2) == ["y", "a"]
    assert client.call("RPOP", "k", 9) == ["d", "c", "b"]
    assert client.call("EXISTS", "k") == 0
    assert client.call("LPUSHX", "k", "a") == client.call("RPUSHX", "k", "a") == 0
    assert client.call("EXISTS", "k") == 0


def test_nulls_of_missing_lists(client: Client) -> None:
    assert raw(client, "LPOP", "none") == raw(client, "LMOVE", "none", "b", "LEFT", "LEFT") == b"$-1\r\n"
    assert raw(client, "RPOP", "none", 0) == raw(client, "LPOP", "none", 1) == b"*-1\r\n"
    assert raw(client, "LMPOP", 2, "none", "neither", "LEFT") == b"*-1\r\n"
    assert raw(client, "LINDEX", "none", 0) == raw(client, "LPOS", "none", "a") == b"$-1\r\n"
    assert raw(client, "LRANGE", "none", 0, -1) == raw(client, "LPOS", "none", "a", "COUNT", 1) == b"*0\r\n"
    client.call("HELLO", 3)
    for words in (["LPOP", "none"], ["LPOP", "none", "1"], ["LMPOP", "1", "none", "LEFT"], ["LPOS", "none", "a"]):
        assert raw(client, *words) == b"_\r\n"


def test_ranges_and_indices_count_from_either_end(client: Client) -> None:
    client.call("RPUSH", "k", *range(10))
    assert client.call("LRANGE", "k", 2, 4) == ["2", "3", "4"]
    assert client.call("LRANGE", "k", -3, 100) == ["7", "8", "9"]
    assert client.call("LRANGE", "k", -100, 1) == ["0", "1"]
    assert client.call("LRANGE", "k", 5, 4) == client.call("LRANGE", "k", 10, 20) == []
    assert client.call("LINDEX", "k", -1) == "9"
    assert client.call("LINDEX", "k", 10) is None
    assert client.call("LSET", "k", -1, "x") == "OK"
    assert client.call("LTRIM", "k", 1, -2) == "OK"
    assert client.call("LRANGE", "k", 0, -1) == [str(number) for number in range(1, 9)]
    assert client.call("LTRIM", "k", 5, 2) == "OK"
    assert client.call("EXISTS", "k") == 0


def test_a_long_list_is_read_and_trimmed_anywhere(client: Client, world: World) -> None:
    elements = [f"element:{number}" for number in range(20_000)]
    for begin in range(0, len(elements), 1000):
        client.call("RPUSH", "k", *elements[begin : begin + 1000])
    assert client.call("LRANGE", "k", 9_990, 10_010) == elements[9_990:10_011]
    assert client.call("LRANGE", "k", -700, -1) == elements[-700:]
    assert client.call("LINDEX", "k", 12_345) == elements[12_345]
    assert client.call("LPOS", "k", elements[15_000]) == 15_000
    assert client.call("LTRIM", "k", 5_000, -5_001) == "OK"
    assert client.call("LRANGE", "k", 0, -1) == elements[5_000:15_000]
    assert world.core.keyspace.discarded
    assert client.call("OBJECT", "ENCODING", "k") == "quicklist"
    assert client.call("LTRIM", "k", 0, 9) == "OK"
    assert client.call("OBJECT", "ENCODING", "k") == "listpack"


def test_inserting_and_removing(client: Client) -> None:
    client.call("RPUSH", "k", "a", "b", "a", "c", "a")
    assert client.call("LINSERT", "k", "before", "b", "x") == 6
    assert client.call("LINSERT", "k", "AFTER", "c", "y") == 7
    assert client.call("LRANGE", "k", 0, -1) == ["a", "x", "b", "a", "c", "y", "a"]
    assert client.call("LINSERT", "k", "AFTER", "none", "y") == -1
    assert client.call("LINSERT", "none", "AFTER", "a", "y") == 0
    assert client.call("LREM", "k", -2, "a") == 2
    assert client.call("LRANGE", "k", 0, -1) == ["a", "x", "b", "c", "y"]
    assert client.call("LREM", "k", 0, "none") == client.call("LREM", "none", 0, "a") == 0
    assert client.call("LREM", "k", 1, "a") == 1
    client.call("LTRIM", "k", 0, 0)
    assert client.call("LREM", "k", 0, "x") == 1
    assert client.call("EXISTS", "k") == 0


def test_positions(client: Client) -> None:
    client.call("RPUSH", "k", *"abcabca")
    assert client.call("LPOS", "k", "a") == 0
    assert client.call("LPOS", "k", "a", "RANK", 2) == 3
    assert client.call("LPOS", "k", "a", "RANK", -1) == 6
    assert client.call("LPOS", "k", "a", "RANK", 4) is None
    assert client.call("LPOS", "k", "a", "COUNT", 0) == [0, 3, 6]
    assert client.call("LPOS", "k", "a", "COUNT", 2, "RANK", -1) == [6, 3]
    assert client.call("LPOS", "k", "a", "COUNT", 0, "MAXLEN", 4) == [0, 3]
    assert client.call("LPOS", "k", "a", "COUNT", 0, "MAXLEN", 4, "RANK", -1) == [6, 3]
    assert client.call("LPOS", "k", "z", "COUNT", 0) == []


def test_moving(client: Client) -> None:
    client.call("RPUSH", "a", 1, 2, 3)
    assert client.call("LMOVE", "a", "b", "LEFT", "RIGHT") == "1"
    assert client.call("RPOPLPUSH", "a", "b") == "3"
    assert client.call("LRANGE", "b", 0, -1) == ["3", "1"]
    assert client.call("LMOVE", "b", "b", "left", "right") == "3"
    assert client.call("LRANGE", "b", 0, -1) == ["1", "3"]
    assert client.call("RPOPLPUSH", "a", "a") == "2"
    assert client.call("LRANGE", "a", 0, -1) == ["2"]


def test_popping_from_the_first_of_several_lists(client: Client) -> None:
    client.call("RPUSH", "b", 1, 2, 3)
    client.call("RPUSH", "c", 4)
    assert client.call("LMPOP", 3, "a", "b", "c", "RIGHT", "COUNT", 2) == ["b", ["3", "2"]]
    assert client.call("LMPOP", 3, "a", "b", "c", "LEFT") == ["b", ["1"]]
    assert client.call("BLMPOP", 0, 3, "a", "b", "c", "LEFT") == ["c", ["4"]]
    client.call("RPUSH", "b", 1, 2)
    assert client.call("BLPOP", "a", "b", 0) == ["b", "1"]
    assert client.call("BRPOP", "a", "b", 0) == ["b", "2"]


NOT_AN_INTEGER = "ERR value is not an integer or out of range"
WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_POSITIVE = "ERR value is out of range, must be positive"
BEYOND = "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
SYNTAX = "ERR syntax error"
ZERO_RANK = (
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... "
    "or use negative to start from the end of the list"
)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("LPUSH k", "ERR wrong number of arguments for 'lpush' command"),
        ("LPOP k 1 2", "ERR wrong number of arguments for 'lpop' command"),
        ("RPOP none 1 2", "ERR wrong number of arguments for 'rpop' command"),
        ("LPOP none x", NOT_POSITIVE),
        ("LPOP text -1", NOT_POSITIVE),
        ("LPOP text 0", WRONG_TYPE),
        ("LRANGE text x 1", NOT_AN_INTEGER),
        ("LRANGE none 1 1.5", NOT_AN_INTEGER),
        ("LRANGE text 0 1", WRONG_TYPE),
        ("LTRIM text x 1", NOT_AN_INTEGER),
        ("LINDEX k x", NOT_AN_INTEGER),
        ("LINDEX text x", WRONG_TYPE),
        ("LSET none x y", "ERR no such key"),
        ("LSET text x y", WRONG_TYPE),
        ("LSET k x y", NOT_AN_INTEGER),
        ("LSET k 3 y", "ERR index out of range"),
        ("LSET k -4 y", "ERR index out of range"),
        ("LINSERT text BESIDE a b", SYNTAX),
        ("LINSERT text AFTER a b", WRONG_TYPE),
        ("LREM text x a", NOT_AN_INTEGER),
        ("LREM text -9223372036854775808 a", BEYOND),
        ("LREM text 1 a", WRONG_TYPE),
        ("LPOS text a RANK 0", ZERO_RANK),
        ("LPOS text a RANK x", NOT_AN_INTEGER),
        ("LPOS text a RANK -9223372036854775808", BEYOND),
        ("LPOS text a COUNT -1", "ERR COUNT can't be negative"),
        ("LPOS text a COUNT x", "ERR COUNT can't be negative"),
        ("LPOS text a MAXLEN -1", "ERR MAXLEN can't be negative"),
        ("LPOS text a MAXLEN", SYNTAX),
        ("LPOS text a FIRST 1", SYNTAX),
        ("LPOS text a", WRONG_TYPE),
        ("LMOVE text b LEFT UP", SYNTAX),
        ("LMOVE text b LEFT LEFT", WRONG_TYPE),
        ("LMOVE k text LEFT LEFT", WRONG_TYPE),
        ("RPOPLPUSH k text", WRONG_TYPE),
        ("LMPOP x k LEFT", "ERR numkeys should be greater than 0"),
        ("LMPOP 0 k LEFT", "ERR numkeys should be greater than 0"),
        ("LMPOP 2 k LEFT", SYNTAX),
        ("LMPOP 9223372036854775807 k LEFT", SYNTAX),
        ("LMPOP 1 k UP", SYNTAX),
        ("LMPOP 1 k LEFT COUNT", SYNTAX),
        ("LMPOP 1 k LEFT COUNT 1 COUNT 1", SYNTAX),
        ("LMPOP 1 k LEFT COUNT 0", "ERR count should be greater than 0"),
        ("LMPOP 1 k LEFT COUNT x", "ERR count should be greater than 0"),
        ("LMPOP 2 none text LEFT", WRONG_TYPE),
        ("BLMPOP x 1 k UP", SYNTAX),
        ("BLMPOP x 1 k LEFT", "ERR timeout is not a float or out of range"),
        ("BLPOP text x", "ERR timeout is not a float or out of range"),
        ("BLPOP text -1", "ERR timeout is negative"),
        ("BLPOP text nan", "ERR timeout is not a float or out of range"),
        ("BLPOP text 1e17", "ERR timeout is out of range"),
        ("BLPOP text 9223372036854775", "ERR timeout is out of range"),
        ("BLPOP text inf", "ERR timeout is out of range"),
        ("BLPOP text 1e400", "ERR timeout is out of range"),
        ("BLPOP text -inf", "ERR timeout is negative"),
        ("BLPOP none text 0", WRONG_TYPE),
        ("BLMOVE text b UP LEFT x", SYNTAX),
        ("BLMOVE text b LEFT LEFT x", "ERR timeout is not a float or out of range"),
        ("BLMOVE text b LEFT LEFT 0", WRONG_TYPE),
        ("BRPOPLPUSH k text 0", WRONG_TYPE),
        ("LPUSH text a", WRONG_TYPE),
        ("LPUSH text a b", WRONG_TYPE),
        ("RPUSHX text a", WRONG_TYPE),
        ("LPOP text", WRONG_TYPE),
        ("RPOP text", WRONG_TYPE),
        ("LLEN text", WRONG_TYPE),
    ],
)
def test_errors_come_in_the_order_of_redis_and_change_nothing(
    client: Client, world: World, line: str, error: str
) -> None:
    client.call("RPUSH", "k", "a", "b", "c")
    client.call("SET", "text", "t")
    before = world.core.keyspace.databases[0].dirty
    assert str(client.call(*line.split())) == error
    assert world.core.keyspace.databases[0].dirty == before
    assert client.call("LRANGE", "k", 0, -1) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("line", "events", "changes"),
    [
        ("LPUSH new a b", ["new new", "lpush new"], 2),
        ("RPUSH k x y z", ["rpush"], 3),
        ("RPUSHX k x", ["rpush"], 1),
        ("LPUSHX none x", [], 0),
        ("LPOP k", ["lpop"], 1),
        ("RPOP k 2", ["rpop"], 2),
        ("LPOP k 9", ["lpop", "del"], 3),
        ("LPOP one", ["lpop one", "del one"], 1),
        ("LPOP k 0", [], 0),
        ("LMPOP 2 none k RIGHT COUNT 2", ["rpop"], 2),
        ("LMOVE k one LEFT RIGHT", ["rpush one", "lpop"], 1),
        ("LMOVE one k LEFT RIGHT", ["rpush", "lpop one", "del one"], 1),
        ("LMOVE one new RIGHT LEFT", ["new new", "lpush new", "rpop one", "del one"], 1),
        ("RPOPLPUSH one one", ["lpush one", "rpop one"], 1),
        ("RPOPLPUSH k k", ["lpush", "rpop"], 1),
        ("LSET k 0 x", ["lset"], 1),
        ("LINSERT k BEFORE a x", ["linsert"], 1),
        ("LINSERT k BEFORE none x", [], 0),
        ("LREM k 0 a", ["lrem"], 1),
        ("LREM one 0 x", ["lrem one", "del one"], 1),
        ("LREM k 0 none", [], 0),
        ("LTRIM k 1 1", ["ltrim"], 2),
        ("LTRIM k 0 -1", ["ltrim"], 0),
        ("LTRIM k 5 9", ["ltrim", "del"], 3),
        ("BLPOP none one 0", ["lpop one", "del one"], 1),
        ("BLMOVE k one RIGHT LEFT 0", ["lpush one", "rpop"], 1),
    ],
)
def test_events_and_changes(client: Client, world: World, line: str, events: list[str], changes: int) -> None:
    for observed in (False, True):
        client.call("FLUSHALL")
        client.call("RPUSH", "k", "a", "b", "c")
        client.call("RPUSH", "one", "x")
        if observed:
            assert events_of(world, client, *line.split()) == events
        else:
            assert changes_of(world, client, *line.split()) == changes


def test_reads_count_as_hits_and_misses_and_writes_do_not(client: Client, world: World) -> None:
    database = world.core.keyspace.databases[0]
    client.call("RPUSH", "k", "a")
    for line in ("LLEN k", "LRANGE k 0 1", "LINDEX k 0", "LPOS k a", "LLEN none", "LRANGE none 0 1"):
        client.call(*line.split())
    assert (database.hits, database.misses) == (4, 2)
    for line in ("LPUSH k b", "LPOP k", "LSET k 0 x", "LINSERT k AFTER x y", "LREM k 0 y", "LTRIM k 0 5", "LPOP none"):
        client.call(*line.split())
    assert (database.hits, database.misses) == (4, 2)


def test_a_list_keeps_its_time_to_live_while_it_changes(client: Client) -> None:
    client.call("RPUSH", "k", "a", "b")
    client.call("EXPIRE", "k", 100)
    for line in ("RPUSH k c", "LPOP k", "LSET k 0 x", "LTRIM k 0 0", "RPOPLPUSH k k"):
        client.call(*line.split())
        assert client.call("TTL", "k") == 100
    client.call("LMOVE", "k", "new", "LEFT", "LEFT")
    assert client.call("TTL", "new") == -1


def test_encodings_follow_the_limit_of_the_moment(client: Client, world: World) -> None:
    limits = world.core.keyspace.encodings
    client.call("RPUSH", "k", *range(20))
    assert client.call("OBJECT", "ENCODING", "k") == "listpack"
    limits.list_max_listpack_size = 10
    client.call("RPOP", "k")
    assert client.call("OBJECT", "ENCODING", "k") == "listpack"
    client.call("LSET", "k", 0, "x")
    assert client.call("OBJECT", "ENCODING", "k") == "quicklist"
    client.call("COPY", "k", "twin")
    assert client.call("OBJECT", "ENCODING", "twin") == "quicklist"
    limits.list_max_listpack_size = -2
    client.call("LSET", "k", 0, "y")
    assert client.call("OBJECT", "ENCODING", "k") == "listpack"
    assert client.call("OBJECT", "ENCODING", "twin") == "quicklist"
