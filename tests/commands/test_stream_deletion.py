"""Deleting entries of streams with what refers to them, or once nothing does: XACKDEL, XDELEX, and trimming."""

from __future__ import annotations

import random
from typing import Any

import pytest

from pycache_server.store.events import KEYEVENT, STREAM
from pycache_server.testing.inprocess import Client, World
from tests.commands.test_stream_groups import BAD_ID, WRONG_TYPE, fill, group, ids_of, with_group


@pytest.fixture
def filled(client: Client) -> Client:
    """Five entries; of the first three one is acknowledged by both groups, one by one of them, one by none."""
    with_group(client)
    client.call("XGROUP", "CREATE", "s", "h", "0")
    for name in "gh":
        client.call("XREADGROUP", "GROUP", name, "c", "COUNT", 3, "STREAMS", "s", ">")
        client.call("XACK", "s", name, "1-0")
    client.call("XACK", "s", "g", "2-0")
    return client


def pending(client: Client, name: str, key: str = "s") -> list[str]:
    return [row[0] for row in client.call("XPENDING", key, name, "-", "+", 9999)]


# XDELEX


def test_entries_are_deleted_as_ever_unless_something_else_is_wanted(filled: Client) -> None:
    assert filled.call("XDELEX", "s", "IDS", 3, "2-0", "9-9", "2-0") == [1, -1, -1]
    assert filled.call("XDELEX", "s", "keepref", "IDS", 1, "3-0") == [1]
    assert ids_of(filled) == ["1-0", "4-0", "5-0"]
    assert (pending(filled, "g"), pending(filled, "h")) == (["3-0"], ["2-0", "3-0"])


def test_references_go_with_the_entries_also_of_those_that_have_gone_before(filled: Client) -> None:
    filled.call("XDEL", "s", "2-0")
    assert filled.call("XDELEX", "s", "IDS", 2, "2-0", "3-0", "DELREF") == [-1, 1]
    assert (pending(filled, "g"), pending(filled, "h")) == ([], [])
    assert ids_of(filled) == ["1-0", "4-0", "5-0"]


def test_entries_stay_while_a_group_refers_to_them(filled: Client) -> None:
    assert filled.call("XDELEX", "s", "ACKED", "IDS", 5, "1-0", "2-0", "3-0", "4-0", "9-9") == [1, 2, 2, 2, -1]
    filled.call("XGROUP", "DESTROY", "s", "h")
    assert filled.call("XDELEX", "s", "ACKED", "IDS", 3, "2-0", "3-0", "4-0") == [1, 2, 2]
    filled.call("XGROUP", "DESTROY", "s", "g")
    assert filled.call("XDELEX", "s", "ACKED", "IDS", 2, "3-0", "4-0") == [1, 1]
    assert ids_of(filled) == ["5-0"]


# XACKDEL


def test_acknowledging_deletes(filled: Client) -> None:
    assert filled.call("XACKDEL", "s", "g", "IDS", 4, "1-0", "2-0", "3-0", "9-9") == [-1, -1, 1, -1]
    assert (pending(filled, "g"), pending(filled, "h")) == ([], ["2-0", "3-0"])
    assert ids_of(filled) == ["1-0", "2-0", "4-0", "5-0"]
    assert filled.call("XACKDEL", "s", "h", "KEEPREF", "IDS", 1, "3-0") == [1]


def test_acknowledging_deletes_all_references(filled: Client) -> None:
    assert filled.call("XACKDEL", "s", "h", "DELREF", "IDS", 2, "2-0", "3-0") == [1, 1]
    assert (pending(filled, "g"), pending(filled, "h")) == ([], [])
    assert ids_of(filled) == ["1-0", "4-0", "5-0"]


def test_acknowledging_deletes_what_all_groups_have_acknowledged(filled: Client) -> None:
    assert filled.call("XACKDEL", "s", "h", "ACKED", "IDS", 2, "2-0", "3-0") == [1, 2]
    assert (pending(filled, "g"), pending(filled, "h")) == (["3-0"], [])
    assert ids_of(filled) == ["1-0", "3-0", "4-0", "5-0"]
    assert filled.call("XACKDEL", "s", "g", "ACKED", "IDS", 1, "3-0") == [1]


# Both


def test_where_nothing_is_nothing_is_done(client: Client) -> None:
    assert client.call("XDELEX", "s", "IDS", 2, "1-0", "2-0") == [-1, -1]
    assert client.call("XACKDEL", "s", "g", "IDS", 2, "1-0", "2-0") == [-1, -1]
    fill(client, "s", 1)
    assert client.call("XACKDEL", "s", "g", "IDS", 1, "1-0") == [-1]
    assert client.call("XDELEX", "s", "ACKED", "IDS", 1, "1-0") == [1]
    assert client.call("EXISTS", "s") == 1


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("s IDS x 1-0", "ERR Number of IDs must be a positive integer"),
        ("s IDS 0 1-0", "ERR Number of IDs must be a positive integer"),
        ("s IDS -5 1-0", "ERR Number of IDs must be a positive integer"),
        ("s IDS 3 1-0 2-0", "ERR The `numids` parameter must match the number of arguments"),
        ("s IDS 1 1-0 2-0", "ERR syntax error"),
        ("s KEEPREF DELREF IDS 1 1-0", "ERR syntax error"),
        ("s ACKED IDS 1 1-0 ACKED", "ERR syntax error"),
        ("s FOO IDS 1 1-0", "ERR syntax error"),
        ("s KEEPREF IDS 1 x", BAD_ID),
        ("text IDS 1 1-0", WRONG_TYPE),
    ],
)
def test_what_xdelex_and_xackdel_complain_of(filled: Client, words: str, error: str) -> None:
    filled.call("SET", "text", "x")
    key, *rest = words.split()
    assert str(filled.call("XDELEX", key, *rest)) == error
    assert str(filled.call("XACKDEL", key, "g", *rest)) == error
    assert len(ids_of(filled)) == 5
    assert str(filled.call("XDELEX", "s", "IDS", "1")) == "ERR wrong number of arguments for 'xdelex' command"
    assert str(filled.call("XACKDEL", "s", "g", "IDS", "1")) == "ERR wrong number of arguments for 'xackdel' command"


def test_deletions_are_announced_and_count(world: World, filled: Client) -> None:
    world.core.observers.notify(KEYEVENT | STREAM)
    listener = world.connect()
    listener.call("PSUBSCRIBE", "__keyevent@0__:*")
    before = filled.session.db.dirty
    filled.call("XACKDEL", "s", "h", "ACKED", "IDS", 1, "3-0")
    assert (listener.read_all(), filled.session.db.dirty - before) == ([], 1)
    filled.call("XACKDEL", "s", "h", "IDS", 1, "2-0")
    filled.call("XDELEX", "s", "IDS", 1, "4-0")
    filled.call("XDELEX", "s", "IDS", 1, "4-0")
    assert [message[2].partition(":")[2] for message in listener.read_all()] == ["xdel", "xdel"]


# Trimming


def test_trimming_may_forget_references(filled: Client) -> None:
    assert filled.call("XTRIM", "s", "DELREF", "MAXLEN", 2) == 3
    assert (pending(filled, "g"), pending(filled, "h")) == ([], [])
    assert ids_of(filled) == ["4-0", "5-0"]


def test_trimming_may_pass_over_what_is_referred_to(filled: Client) -> None:
    filled.call("XACK", "s", "g", "3-0")
    filled.call("XACK", "s", "h", "3-0")
    assert filled.call("XTRIM", "s", "MINID", "5", "ACKED") == 2
    assert ids_of(filled) == ["2-0", "4-0", "5-0"]
    assert filled.call("XINFO", "STREAM", "s")[9] == "3-0"
    filled.call("XACK", "s", "h", "2-0")
    assert filled.call("XTRIM", "s", "MAXLEN", 0, "ACKED") == 1
    assert ids_of(filled) == ["4-0", "5-0"]


def test_adding_may_trim_what_is_acknowledged(filled: Client) -> None:
    filled.call("XADD", "s", "ACKED", "MAXLEN", "=", 2, "6-0", "f", "v")
    assert ids_of(filled) == ["2-0", "3-0", "4-0", "5-0", "6-0"]
    filled.call("XADD", "s", "MAXLEN", 2, "DELREF", "7-0", "f", "v")
    assert ids_of(filled) == ["6-0", "7-0"]
    assert pending(filled, "h") == []
    assert str(filled.call("XADD", "s", "ACKED", "ACKED", "8-0", "f", "v")) == BAD_ID
    assert str(filled.call("XTRIM", "s", "MAXLEN", 2, "ACKED", "DELREF")) == "ERR syntax error"
    assert str(filled.call("XTRIM", "s", "ACKED")) == "ERR wrong number of arguments for 'xtrim' command"


def test_whole_nodes_are_trimmed_but_for_what_is_referred_to(world: World, client: Client) -> None:
    world.core.keyspace.encodings.stream_node_max_entries = 10
    fill(client, "s", 95)
    client.call("XGROUP", "CREATE", "s", "g", "0")
    client.call("XREADGROUP", "GROUP", "g", "c", "COUNT", 50, "STREAMS", "s", ">")
    client.call("XACK", "s", "g", *(f"{number}-0" for number in range(1, 51) if number % 10))
    assert client.call("XTRIM", "s", "MAXLEN", "~", 40, "LIMIT", 20, "ACKED") == 18
    assert client.call("XTRIM", "s", "MAXLEN", "~", 40, "ACKED") == 27
    assert group(client)["pending"] == 5
    assert client.call("XLEN", "s") == 50
    world.check()


@pytest.mark.parametrize("seed", range(10))
def test_trimming_leaves_what_plain_lists_would(world: World, client: Client, seed: int) -> None:
    chance = random.Random(seed)
    world.core.keyspace.encodings.stream_node_max_entries = chance.choice([1, 3, 100])
    entries: list[int] = []
    client.call("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
    last = 0
    for _ in range(20):
        first = chance.randrange(1, 20)
        fill(client, "s", first, first=last + 1)
        entries += range(last + 1, last + first + 1)
        last += first
        client.call("XREADGROUP", "GROUP", "g", "c", "COUNT", chance.randrange(1, 20), "STREAMS", "s", ">")
        client.call("XACK", "s", "g", *(f"{number}-0" for number in chance.sample(range(last + 1), min(last, 10))))
        delivered = int(group(client)["last-delivered-id"].partition("-")[0])
        held = set(map(int, (number.partition("-")[0] for number in pending(client, "g")))) | {
            *range(delivered + 1, last + 1)
        }
        if chance.random() < 0.5:
            length = chance.randrange(len(entries) + 3)
            gone = [number for number in entries if number not in held][: max(len(entries) - length, 0)]
            option: list[Any] = ["MAXLEN", length]
        else:
            least = chance.randrange(last + 3)
            gone = [number for number in entries if number not in held and number < least]
            option = ["MINID", least]
        assert client.call("XTRIM", "s", *option, "ACKED") == len(gone)
        entries = [number for number in entries if number not in gone]
        assert ids_of(client) == [f"{number}-0" for number in entries]
        world.check()
