"""HOTKEYS: what is counted, what is told, and that it leaves nothing behind."""

from __future__ import annotations

import pytest

from pycache_server.session.hotkeys import LONGEST_KEY
from pycache_server.testing.inprocess import Client, World
from tests.evict.simulate import zipf


@pytest.fixture
def client(world: World) -> Client:
    client = world.connect()
    client.call("HELLO", 3)
    return client


def told(client: Client) -> dict[tuple[int, str], int]:
    return {(row["db"], row["key"]): row["accesses"] for row in client.call("HOTKEYS", "GET")["keys"]}


def test_every_key_of_every_command_counts_where_all_are_in_the_sample(client: Client) -> None:
    client.call("SET", "before", "1")
    assert client.call("HOTKEYS", "START", "SAMPLE", "1") == "OK"
    for words in ("SET a 1", "GET a", "MGET a b", "PING", "MULTI", "INCR a", "GET c", "EXEC", "OBJECT ENCODING c"):
        client.call(*words.split())
    client.call("SELECT", 3)
    client.call("GET", "a")
    assert told(client) == {(0, "a"): 4, (0, "b"): 1, (0, "c"): 2, (3, "a"): 1}
    assert client.call("HOTKEYS", "GET")["sampled-accesses"] == 8


def test_the_hottest_come_first_and_time_is_told(world: World, client: Client) -> None:
    client.call("HOTKEYS", "START", "COUNT", "2", "SAMPLE", "1")
    for key in ("a", "b", "b", "c", "c", "c"):
        client.call("GET", key)
    world.advance(2)
    reply = client.call("HOTKEYS", "GET")
    assert reply["keys"] == [
        {"key": "c", "db": 0, "accesses": 3, "error": 0},
        {"key": "b", "db": 0, "accesses": 2, "error": 0},
    ]
    assert (reply["tracking-active"], reply["sample-ratio"]) == (1, 1)
    assert reply["collection-start-time-unix-ms"] == int(world.host.now * 1000) - 2000
    assert reply["collection-duration-ms"] == 2000
    client.call("HOTKEYS", "STOP")
    world.advance(5)
    client.call("GET", "a")
    reply = client.call("HOTKEYS", "GET")
    assert (reply["tracking-active"], reply["collection-duration-ms"], len(reply["keys"])) == (0, 2000, 2)
    assert client.call("HOTKEYS", "RESET") == "OK"
    assert client.call("HOTKEYS", "GET") is None


def test_a_sample_of_the_commands_tells_nearly_the_same(client: Client) -> None:
    client.call("HOTKEYS", "START", "COUNT", "3", "SAMPLE", "7")
    trace = zipf(20_000, 3000, 1.0)
    for number in trace:
        client.call("GET", number)
    rows = client.call("HOTKEYS", "GET")["keys"]
    assert rows[0]["key"] == "0"
    for row in rows:
        assert row["accesses"] == pytest.approx(trace.count(int(row["key"])), rel=0.4)


def test_rows_are_what_they_were_when_it_is_off(world: World, client: Client) -> None:
    rows = world.core.tables.rows
    before = {name: row.run for name, row in rows.items() if not row.subrows}
    client.call("HOTKEYS", "START")
    assert rows["get"].run is not before["get"] and rows["ping"].run is before["ping"]
    client.call("HOTKEYS", "STOP")
    assert rows["get"].run is rows["get"].command.function
    assert rows["get"].run is before["get"]


def test_long_keys_are_not_kept(client: Client) -> None:
    client.call("HOTKEYS", "START", "SAMPLE", "1")
    client.call("MGET", "x" * LONGEST_KEY, "x" * (LONGEST_KEY + 1))
    assert told(client) == {(0, "x" * LONGEST_KEY): 1}


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("START COUNT 0", "ERR value is out of range, value must between 1 and 1000"),
        ("START SAMPLE x", "ERR value is not an integer or out of range"),
        ("START COUNT", "ERR syntax error"),
        ("START NONSENSE", "ERR syntax error"),
        ("GET x", "ERR wrong number of arguments for 'hotkeys|get' command"),
    ],
)
def test_errors(client: Client, words: str, error: str) -> None:
    assert str(client.call("HOTKEYS", *words.split())) == error


def test_what_makes_no_sense_now_is_refused(client: Client) -> None:
    assert client.call("HOTKEYS", "STOP") == "OK"
    client.call("HOTKEYS", "START")
    assert str(client.call("HOTKEYS", "START")) == "ERR keys are counted already, HOTKEYS STOP ends it"
    assert str(client.call("HOTKEYS", "RESET")) == "ERR keys are being counted, HOTKEYS STOP ends it"
