"""SORT and SORT_RO, in process."""

from __future__ import annotations

import pytest

from pycache_server.testing.inprocess import Client, World
from tests.commands.conftest import Heard, outcome

NO_NUMBER = "ERR One or more scores can't be converted into double"
SYNTAX = "ERR syntax error"
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"


@pytest.fixture
def weighed(client: Client) -> Client:
    """A set of a, b, c and d, with weights for the first three, and names for the first two."""
    client.call("SADD", "s", "a", "b", "c", "d")
    client.call("MSET", "w_a", "30", "w_b", "4", "w_c", "-1.5", "n_a", "Anna", "n_b", "Bob")
    return client


# What is sorted by


def test_numbers_are_sorted_as_doubles(client: Client) -> None:
    client.call("SADD", "s", "10", "9", "-3", "1e3", "0x10", "+7", "inf", "-infinity", "3.5", " 8")
    ascending = ["-infinity", "-3", "3.5", "+7", " 8", "9", "10", "0x10", "1e3", "inf"]
    assert client.call("SORT", "s") == ascending
    assert client.call("SORT", "s", "ASC") == ascending
    assert client.call("SORT", "s", "DESC") == ascending[::-1]
    assert client.call("SORT", "s", "desc", "asc") == ascending
    assert client.call("SORT_RO", "s", "DESC") == ascending[::-1]


def test_equal_numbers_follow_their_text(client: Client) -> None:
    client.call("SADD", "s", "1", "1.0", "01", "+1", "")
    assert client.call("SORT", "s") == ["", "+1", "01", "1", "1.0"]
    assert client.call("SORT", "s", "DESC") == ["1.0", "1", "01", "+1", ""]


@pytest.mark.parametrize("element", ["x", "1x", "1 ", "nan", "  ", "1e999", "1e-999", "1e-310", "0x", "1e"])
def test_what_is_no_double_is_an_error(client: Client, element: str) -> None:
    client.call("SADD", "s", "1", element)
    assert outcome(client.call("SORT", "s")) == NO_NUMBER
    assert sorted(client.call("SORT", "s", "ALPHA")) == sorted(["1", element])


def test_a_number_ends_at_a_nul(client: Client) -> None:
    client.call("SADD", "s", "2\0x", "1", "\0")
    assert client.call("SORT", "s") == ["\0", "1", "2\0x"]


def test_text_is_sorted_by_bytes(client: Client) -> None:
    client.call("SADD", "s", "b", "B", "a", "10", "9", "")
    assert client.call("SORT", "s", "ALPHA") == ["", "10", "9", "B", "a", "b"]
    assert client.call("SORT", "s", "alpha", "DESC") == ["b", "a", "B", "9", "10", ""]


def test_by_weights_of_other_keys(weighed: Client) -> None:
    assert weighed.call("SORT", "s", "BY", "w_*") == ["c", "d", "b", "a"], "no weight counts as 0"
    assert weighed.call("SORT", "s", "BY", "w_*", "DESC") == ["a", "b", "d", "c"]
    weighed.call("SADD", "w_d", "x")
    assert weighed.call("SORT", "s", "BY", "w_*") == ["c", "d", "b", "a"], "nor does what is no string"
    weighed.call("SET", "w_d", "x", "EX", 100)
    assert outcome(weighed.call("SORT", "s", "BY", "w_*")) == NO_NUMBER


def test_by_text_of_other_keys(weighed: Client) -> None:
    assert weighed.call("SORT", "s", "BY", "n_*", "ALPHA")[2:] == ["a", "b"]
    assert set(weighed.call("SORT", "s", "BY", "n_*", "ALPHA")[:2]) == {"c", "d"}
    assert weighed.call("SORT", "s", "BY", "n_*", "ALPHA", "DESC")[:2] == ["b", "a"]
    weighed.call("INCR", "n_c")
    assert weighed.call("SORT", "s", "BY", "n_*", "ALPHA") == ["d", "c", "a", "b"]


def test_by_a_constant_sorts_nothing(weighed: Client) -> None:
    weighed.call("SADD", "s", "x")
    assert sorted(weighed.call("SORT", "s", "BY", "nosort")) == ["a", "b", "c", "d", "x"]
    assert sorted(weighed.call("SORT", "s", "BY", "nosort", "BY", "w_*")) == ["a", "b", "c", "d", "x"]
    assert len(weighed.call("SORT", "s", "BY", "nosort", "LIMIT", 1, 2)) == 2


# What is returned


def test_get(weighed: Client) -> None:
    call = weighed.call
    assert call("SORT", "s", "BY", "w_*", "GET", "#") == ["c", "d", "b", "a"]
    assert call("SORT", "s", "BY", "w_*", "GET", "n_*", "GET", "#") == [None, "c", None, "d", "Bob", "b", "Anna", "a"]
    assert call("SORT", "s", "ALPHA", "GET", "constant") == [None] * 4
    assert call("SORT", "s", "ALPHA", "LIMIT", 0, 1, "GET", "w_*", "GET", "w_*") == ["30", "30"]
    weighed.call("SET", "**a", "stars")
    assert call("SORT", "s", "ALPHA", "GET", "**", "LIMIT", 0, 1) == [None]
    assert call("SORT", "s", "ALPHA", "GET", "***", "LIMIT", 0, 1) == [None]
    weighed.call("SET", "a*", "star")
    assert call("SORT", "s", "ALPHA", "GET", "**", "LIMIT", 0, 1) == ["star"], "the first star is replaced"


def test_get_of_what_is_no_hash(weighed: Client) -> None:
    weighed.call("SET", "w_a->", "arrow")
    assert weighed.call("SORT", "s", "ALPHA", "GET", "w_*->f", "LIMIT", 0, 1) == [None]
    assert weighed.call("SORT", "s", "ALPHA", "GET", "w_*->", "LIMIT", 0, 1) == ["arrow"], "without a field, a name"


@pytest.mark.parametrize(
    ("offset", "count", "expected"),
    [
        (0, 2, "ab"),
        (1, 2, "bc"),
        (2, -1, "cd"),
        (2, -7, "cd"),
        (0, 0, ""),
        (-5, 1, "a"),
        (4, 1, ""),
        (9, 9, ""),
        (3, 9223372036854775807, "d"),
        (9223372036854775807, 9223372036854775807, ""),
        (-9223372036854775808, -9223372036854775808, "abcd"),
    ],
)
def test_limit(weighed: Client, offset: int, count: int, expected: str) -> None:
    assert weighed.call("SORT", "s", "ALPHA", "LIMIT", offset, count) == list(expected)
    assert weighed.call("SORT", "s", "LIMIT", 7, 7, "ALPHA", "LIMIT", offset, count) == list(expected)


def test_nothing_is_sorted_to_nothing(client: Client) -> None:
    assert client.call("SORT", "none") == []
    assert client.call("SORT", "none", "GET", "#", "BY", "w_*") == []
    assert client.call("SORT", "none", "LIMIT", 5, 5) == []


def test_every_key_that_is_looked_up_counts(world: World, weighed: Client) -> None:
    db = world.core.keyspace.databases[0]
    weighed.call("SORT", "s", "BY", "w_*", "GET", "n_*", "GET", "#", "GET", "constant")
    assert (db.hits, db.misses) == (1 + 3 + 2, 1 + 2)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["SORT", "string"], WRONG_TYPE),
        (["SORT", "string", "BAD"], SYNTAX),
        (["SORT", "string", "LIMIT", "x", "1"], NOT_AN_INTEGER),
        (["SORT", "s", "LIMIT", "1"], SYNTAX),
        (["SORT", "s", "LIMIT", "1", "x"], NOT_AN_INTEGER),
        (["SORT", "s", "LIMIT", "x", "1", "BAD"], NOT_AN_INTEGER),
        (["SORT", "s", "BY"], SYNTAX),
        (["SORT", "s", "GET"], SYNTAX),
        (["SORT", "s", "STORE"], SYNTAX),
        (["SORT", "s", "BAD", "LIMIT", "x", "1"], SYNTAX),
        (["SORT_RO", "s", "STORE", "d"], SYNTAX),
        (["SORT"], "ERR wrong number of arguments for 'sort' command"),
        (["SORT_RO", "string"], WRONG_TYPE),
    ],
)
def test_errors(weighed: Client, words: list[str], error: str) -> None:
    weighed.call("SET", "string", "x")
    assert outcome(weighed.call(*words)) == error


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (["SORT", "a"], ["a"]),
        (["SORT", "a", "STORE", "d"], ["a", "d"]),
        (["SORT", "a", "STORE", "d", "STORE", "e"], ["a", "e"]),
        (["SORT", "a", "BY", "store", "GET", "store", "LIMIT", "store", "store", "STORE", "d"], ["a", "d"]),
        (["SORT", "a", "STORE"], ["a"]),
        (["SORT_RO", "a", "STORE", "d"], ["a"]),
    ],
)
def test_keys_are_found(client: Client, words: list[str], keys: list[str]) -> None:
    assert client.call("COMMAND", "GETKEYS", *words) == keys


# Other values, and STORE


def test_a_list_is_sorted_and_stays_in_order_where_nothing_is_to_be_sorted(client: Client) -> None:
    client.call("RPUSH", "l", "3", "1", "2", "1")
    assert client.call("SORT", "l") == ["1", "1", "2", "3"]
    assert client.call("SORT", "l", "BY", "nosort") == ["3", "1", "2", "1"]
    assert client.call("SORT", "l", "BY", "nosort", "DESC") == ["1", "2", "1", "3"]
    assert client.call("SORT", "l", "BY", "nosort", "DESC", "LIMIT", 1, 2) == ["2", "1"]
    assert client.call("SORT", "l", "BY", "none_*", "ALPHA") == ["3", "1", "2", "1"], "equal weights"
    assert client.call("LRANGE", "l", 0, -1) == ["3", "1", "2", "1"]


def test_a_sorted_set_is_sorted_or_stays_in_order(client: Client) -> None:
    client.call("ZADD", "z", "1", "10", "2", "9", "3", "x")
    assert client.call("OBJECT", "ENCODING", "z") == "listpack"
    assert client.call("SORT", "z", "BY", "nosort") == ["10", "9", "x"]
    assert client.call("OBJECT", "ENCODING", "z") == "skiplist", "as Redis needs it for this"
    assert client.call("SORT", "z", "BY", "nosort", "DESC", "LIMIT", 0, 2) == ["x", "9"]
    assert client.call("SORT", "z", "ALPHA") == ["10", "9", "x"]
    assert outcome(client.call("SORT", "z")) == NO_NUMBER


def test_fields_of_hashes(client: Client) -> None:
    client.call("SADD", "s", "a", "b", "c")
    client.call("HSET", "h_a_x", "w", "2", "n->", "Anna")
    client.call("HSET", "h_b_x", "w", "1")
    assert client.call("SORT", "s", "BY", "h_*_x->w", "GET", "#", "GET", "h_*_x->n->") == (
        ["c", None, "b", None, "a", "Anna"]
    )
    assert client.call("SORT", "s", "ALPHA", "GET", "h_*_x") == [None] * 3
    assert outcome(client.call("SORT", "h_a_x")) == WRONG_TYPE


def test_store(world: World, weighed: Client, heard: Heard) -> None:
    before = sum(database.dirty for database in world.core.keyspace.databases)
    assert weighed.call("SORT", "s", "BY", "w_*", "GET", "#", "GET", "n_*", "STORE", "d") == 8
    assert heard()[-2:] == [("d", "new"), ("d", "sortstore")]
    assert sum(database.dirty for database in world.core.keyspace.databases) == before + 8
    assert weighed.call("LRANGE", "d", 0, -1) == ["c", "", "d", "", "b", "Bob", "a", "Anna"]
    assert weighed.call("TYPE", "d") == "list"


def test_storing_nothing_deletes_the_destination(client: Client, heard: Heard) -> None:
    client.call("SET", "d", "x")
    heard()
    assert client.call("SORT", "none", "STORE", "d") == 0
    assert heard()[-1] == ("d", "del")
    assert client.call("EXISTS", "d") == 0
    assert client.call("SORT", "none", "STORE", "d") == 0


def test_a_set_that_is_stored_unsorted_is_stored_in_the_order_of_its_text(client: Client) -> None:
    client.call("SADD", "s", "b", "10", "9", "a")
    client.call("SORT", "s", "BY", "nosort", "STORE", "d")
    assert client.call("LRANGE", "d", 0, -1) == ["10", "9", "a", "b"]
    client.call("SORT", "s", "BY", "nosort", "DESC", "STORE", "s")
    assert client.call("LRANGE", "s", 0, -1) == ["b", "a", "9", "10"]


def test_a_client_that_waits_for_the_destination_is_served(world: World, weighed: Client) -> None:
    waiting = world.connect()
    waiting.start("BLPOP", "d", 0)
    assert weighed.call("SORT", "s", "ALPHA", "STORE", "d") == 4
    assert waiting.read() == ["d", "a"]
