"""Clients that wait for keys: who is served when, and what ends the waiting otherwise.

The same against a real redis-server, with many more scripts: tests/differential/test_blocking.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from pycache_server.commands.context import NOT_READY
from pycache_server.commands.lists import LSET
from pycache_server.store.database import Database
from pycache_server.store.events import parse_flags
from pycache_server.store.list import List
from pycache_server.testing.inprocess import Client, World


def waiting(world: World, *words: Any) -> Client:
    """A client that has sent a command and waits."""
    client = world.connect()
    client.start(*words)
    assert client.read_all() == []
    assert client.session.waiter is not None
    return client


def test_elements_go_to_clients_in_the_order_of_their_arrival(world: World) -> None:
    clients = [waiting(world, "BLPOP", "k", 0) for _ in range(3)]
    assert world.core.blocking.count == 3
    pusher = world.connect()
    assert pusher.call("RPUSH", "k", "a", "b") == 2
    assert [client.read_all() for client in clients] == [[["k", "a"]], [["k", "b"]], []]
    assert pusher.call("EXISTS", "k") == 0
    assert pusher.call("RPUSH", "k", "c", "d") == 2
    assert clients[2].read() == ["k", "c"]
    assert pusher.call("LRANGE", "k", 0, -1) == ["d"]
    assert world.core.blocking.count == 0


def test_a_timeout_is_exact_to_the_millisecond_and_answers_with_the_null_of_the_protocol(world: World) -> None:
    for resp, null in ((2, b"*-1\r\n"), (3, b"_\r\n")):
        for line in ("BLPOP k 0.25", "BRPOPLPUSH k l 0.25", "BLMOVE k l LEFT LEFT 0.25", "BLMPOP 0.25 1 k LEFT"):
            client = world.connect()
            client.call("HELLO", resp)
            client.raw = b""
            client.start(*line.split())
            world.advance(0.249)
            assert client.raw == b""
            world.advance(0.001)
            assert client.raw == null
            client.close()


def test_a_timeout_below_a_millisecond_is_not_for_ever(world: World) -> None:
    client = waiting(world, "BLPOP", "k", "0.0001")
    world.advance(0.001)
    assert client.read() is None
    forever = waiting(world, "BLPOP", "k", "-0.001")  # which Redis rounds up to none
    world.advance(1e6)
    assert forever.read_all() == []


def test_whoever_has_been_served_in_time_hears_nothing_of_the_timeout(world: World) -> None:
    client = waiting(world, "BLPOP", "k", 1)
    world.connect().call("RPUSH", "k", "a")
    world.advance(5)
    assert client.read_all() == [["k", "a"]]
    assert client.call("PING") == "PONG"


def test_a_woken_client_looks_at_its_keys_in_their_order(world: World) -> None:
    client = waiting(world, "BLPOP", "a", "b", 0)
    other = world.connect()
    for words in (["MULTI"], ["RPUSH", "b", "2"], ["RPUSH", "a", "1"], ["EXEC"]):
        other.call(*words)
    assert client.read() == ["a", "1"]
    assert other.call("LRANGE", "b", 0, -1) == ["2"]


def test_a_woken_client_that_meets_another_type_gets_an_error(world: World) -> None:
    client = waiting(world, "BLPOP", "a", "b", 0)
    mover = waiting(world, "BLMOVE", "c", "d", "LEFT", "RIGHT", 0)
    other = world.connect()
    other.call("SET", "a", "text")
    other.call("SET", "d", "text")
    assert client.read_all() == mover.read_all() == []
    other.call("RPUSH", "b", "1")
    other.call("RPUSH", "c", "1")
    assert str(client.read()).startswith("WRONGTYPE")
    assert str(mover.read()).startswith("WRONGTYPE")
    assert other.call("LRANGE", "b", 0, -1) == other.call("LRANGE", "c", 0, -1) == ["1"]


def test_a_list_that_takes_the_place_of_another_value_wakes_nobody(world: World) -> None:
    client = waiting(world, "BLPOP", "k", 0)
    other = world.connect()
    other.call("SET", "k", "text")
    database = world.core.keyspace.databases[0]
    store_as_sort_does(database, b"k")
    other.call("RPUSH", "k", "b")
    assert client.read_all() == []
    other.call("DEL", "k")
    other.call("RPUSH", "k", "c")
    assert client.read() == ["k", "c"]


def store_as_sort_does(database: Database, key: bytes) -> None:
    database.put(key, List.built([b"a"], -2), LSET)


def test_serving_one_client_may_make_another_ready(world: World) -> None:
    movers = [waiting(world, "BLMOVE", source, source + "x", "LEFT", "RIGHT", 0) for source in ("k", "kx", "kxx")]
    popper = waiting(world, "BRPOP", "kxxx", 0)
    world.connect().call("RPUSH", "k", "a")
    assert [client.read() for client in movers] == ["a", "a", "a"]
    assert popper.read() == ["kxxx", "a"]
    assert world.core.keyspace.databases[0].live_size() == 0


def test_a_transaction_is_complete_before_anyone_is_served(world: World) -> None:
    client = waiting(world, "BLPOP", "k", 0)
    other = world.connect()
    for words in (["MULTI"], ["RPUSH", "k", "a", "b"], ["LPOP", "k"], ["LLEN", "k"]):
        other.call(*words)
    assert client.read_all() == []
    assert other.call("EXEC") == [2, "a", 1]
    assert client.read() == ["k", "b"]


def test_nobody_waits_within_a_transaction(world: World) -> None:
    client = world.connect()
    client.call("MULTI")
    for line in ("BLPOP k 0", "BLMOVE k l LEFT LEFT 0", "BRPOPLPUSH k l 0", "BLMPOP 0 1 k LEFT"):
        client.call(*line.split())
    client.raw = b""
    client.call("EXEC")
    assert client.raw == b"*4\r\n*-1\r\n$-1\r\n$-1\r\n*-1\r\n"
    assert world.core.blocking.count == 0


def test_input_that_follows_waits_too_and_runs_behind_the_batch_that_served(world: World) -> None:
    client = waiting(world, "BLPOP", "k", 0)
    client.start("INCR", "n")
    other = world.connect()
    other.send(b"RPUSH k a\r\nGET n\r\n")
    assert other.read_all() == [1, None]
    assert client.read_all() == [["k", "a"], 1]


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ([], None),
        (["TIMEOUT"], None),
        (["ERROR"], "UNBLOCKED client unblocked via CLIENT UNBLOCK"),
    ],
)
def test_client_unblock(world: World, words: list[str], answer: str | None) -> None:
    client = waiting(world, "BLPOP", "k", 0)
    other = world.connect()
    assert other.call("CLIENT", "UNBLOCK", client.session.id, *words) == 1
    reply = client.read()
    assert (str(reply) if reply is not None else None) == answer
    assert other.call("CLIENT", "UNBLOCK", client.session.id, *words) == 0
    assert other.call("RPUSH", "k", "a") == 1
    assert other.call("LLEN", "k") == 1


def test_a_client_that_goes_away_waits_no_longer(world: World) -> None:
    first, second = waiting(world, "BLPOP", "k", "l", 1), waiting(world, "BLPOP", "k", 0)
    first.close()
    assert world.core.blocking.count == 1
    world.connect().call("RPUSH", "k", "a")
    world.advance(5)
    assert second.read() == ["k", "a"]
    assert world.core.blocking.keys() == 0


def test_a_client_that_is_killed_waits_no_longer(world: World) -> None:
    client = waiting(world, "BLPOP", "k", 0)
    assert world.connect().call("CLIENT", "KILL", "ID", client.session.id) == 1
    assert client.closed
    assert world.core.blocking.count == 0


def test_a_client_that_is_being_killed_gets_no_element(world: World) -> None:
    client = waiting(world, "BLPOP", "k", 0)
    client.abort = lambda: None  # type: ignore[method-assign]  # a real link tells of its end a little later
    other = world.connect()
    assert other.call("CLIENT", "KILL", "ID", client.session.id) == 1
    other.call("RPUSH", "k", "a")
    assert other.call("LRANGE", "k", 0, -1) == ["a"]
    client.close()


def test_exchanging_databases_wakes_and_emptying_them_does_not(world: World) -> None:
    client = waiting(world, "BLPOP", "k", 0)
    other = world.connect()
    other.call("FLUSHALL")
    other.call("SELECT", 1)
    other.call("RPUSH", "k", "a", "b")
    assert client.read_all() == []
    other.call("SWAPDB", 1, 0)
    assert client.read() == ["k", "a"]
    other.call("SELECT", 0)
    assert other.call("LRANGE", "k", 0, -1) == ["b"]


def test_a_client_that_waits_for_any_change_is_asked_even_when_the_key_is_gone(world: World) -> None:
    other = world.connect()
    seen: list[Any] = []

    def serve(key: bytes) -> Any:
        value = world.core.keyspace.databases[0].peek(key)
        seen.append(type(value).__name__)
        return NOT_READY if value is not None else b"gone"

    for end in (["DEL", "k"], ["FLUSHALL"], ["EXPIRE", "k", 0]):
        other.call("RPUSH", "k", "a")
        curious = world.connect()
        curious.session.block([b"k"], serve, 0, None)
        waiting(world, "BLPOP", "none", 0)
        other.call("SET", "k", "text")
        assert curious.read_all() == []
        other.call(*end)
        assert curious.read() == "gone"
    assert seen == ["bytes", "NoneType"] * 3


def test_those_who_wait_for_another_type_are_passed_over(world: World) -> None:
    database = world.core.keyspace.databases[0]
    text = world.connect()
    text.session.block([b"k"], lambda key: database.peek(key), 0, None, bytes)
    client = waiting(world, "BLPOP", "k", 0)
    other = world.connect()
    other.call("RPUSH", "k", "a")
    assert client.read() == ["k", "a"]
    assert text.read_all() == []
    other.call("SET", "k", "t")
    assert text.read() == "t"


def test_a_failure_while_serving_ends_the_waiting_of_that_client_alone(world: World) -> None:
    def fail(key: bytes) -> Any:
        raise ZeroDivisionError

    client = world.connect()
    client.session.block([b"k"], fail, 0, None)
    healthy = waiting(world, "BLPOP", "k", 0)
    other = world.connect()
    assert other.call("RPUSH", "k", "a") == 1
    assert str(client.read()).startswith("ERR internal error")
    assert healthy.read() == ["k", "a"]
    assert any("serving a blocked client" in message for _, message in world.host.messages)


def test_a_key_that_is_ready_and_expired_wakes_nobody(world: World) -> None:
    client = waiting(world, "BLPOP", "k", 0)
    other = world.connect()
    for words in (["MULTI"], ["RPUSH", "k", "a"], ["PEXPIRE", "k", 1], ["EXEC"]):
        other.call(*words)
    assert client.read() == ["k", "a"]  # not yet
    client = waiting(world, "BLPOP", "k", 0)
    for words in (["MULTI"], ["RPUSH", "k", "a"], ["PEXPIRE", "k", 0], ["EXEC"]):
        other.call(*words)
    assert client.read_all() == []


def test_nothing_is_observed_when_nobody_has_waited_for_a_while(world: World) -> None:
    database = world.core.keyspace.databases[0]
    assert type(database) is Database
    client = waiting(world, "BLPOP", "k", 0)
    assert type(database) is not Database
    world.core.blocking.rest()
    assert type(database) is not Database
    world.connect().call("RPUSH", "k", "a")
    assert client.read() == ["k", "a"]
    world.core.blocking.rest()
    assert type(database) is Database
    waiting(world, "BLPOP", "k", 0)
    assert type(database) is not Database


def test_serving_one_of_many_does_not_look_at_the_others(world: World) -> None:
    clients = [waiting(world, "BLPOP", "k", 0) for _ in range(500)]
    asked = 0
    for client in clients:
        waiter = client.session.waiter
        assert waiter is not None

        def serve(key: bytes, original: Any = waiter.serve) -> Any:
            nonlocal asked
            asked += 1
            return original(key)

        waiter.serve = serve
    other = world.connect()
    for number in range(100):
        other.call("RPUSH", "k", number)
    assert asked == 100
    assert [client.read_all() for client in clients[:100]] == [[["k", str(number)]] for number in range(100)]


def test_a_client_hears_of_its_own_serving_behind_the_reply(world: World) -> None:
    world.core.observers.notify(parse_flags("EA") or 0)
    client = world.connect()
    client.call("HELLO", 3)
    client.call("PSUBSCRIBE", "__keyevent*")
    client.start("BLPOP", "k", 0)
    world.connect().call("RPUSH", "k", "x")
    heard = [message[2][15:] if message[0] == "pmessage" else message for message in client.read_all()]
    assert heard == ["rpush", ["k", "x"], "lpop", "del"]
    assert client.call("PING") == "PONG"
