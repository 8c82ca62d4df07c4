"""The stream of a master, applied: whole, exactly, or not at all; and what a follower shows its clients meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import hiredis
import pytest

from pycache_server.session import applying
from pycache_server.session.applying import Applier, LinkBroken, MasterSession
from pycache_server.session.following import refuse
from pycache_server.session.host import NO_LINK
from pycache_server.store.events import parse_flags
from pycache_server.testing.inprocess import START, Client, World
from tests.peers import error_of

NOW = int(START * 1000)


class Master:
    """A master that a world follows: what it says is applied."""

    ignores_maxmemory = True
    connected = True
    stream_db = 0

    def __init__(self, world: World) -> None:
        self.world = world
        self.asked = 0
        world.core.replication.become_follower(self)  # type: ignore[arg-type]
        self.session = MasterSession(world.core, NO_LINK, "10.0.0.1:6379", "10.0.0.2:5000")
        self.applier = Applier(world.core, self.session, self.on_asked)

    def role(self) -> list[Any]:
        return []

    def info(self) -> Iterator[tuple[str, Any]]:
        return iter(())

    def on_asked(self) -> None:
        self.asked += 1

    def say(self, *words: Any) -> None:
        self.send(hiredis.pack_command(words))

    def send(self, data: bytes) -> None:
        try:
            self.applier.receive(data)
        finally:
            self.world.host.settle()
            if not self.applier._reader.broken:
                self.applier._check()

    @property
    def offset(self) -> int:
        return self.world.core.replication.history.offset


@pytest.fixture
def world() -> Iterator[World]:
    world = World(databases=4)
    yield world
    world.check()


@pytest.fixture
def client(world: World) -> Client:
    return world.connect()


@pytest.fixture
def master(world: World) -> Master:
    return Master(world)


def packed(*words: Any) -> bytes:
    return hiredis.pack_command(words)


# What is applied


def test_commands_are_applied_and_the_offset_counts_their_bytes(master: Master, client: Client) -> None:
    master.say("SELECT", 2)
    master.say("SET", "a", "1")
    master.say("Incr", "a")
    client.call("SELECT", 2)
    assert client.call("GET", "a") == "2"
    assert master.offset == sum(len(packed(*each)) for each in (("SELECT", 2), ("SET", "a", 1), ("Incr", "a")))


def test_what_was_applied_goes_on_byte_for_byte(master: Master, world: World) -> None:
    data = packed("SET", "a", "1") + packed("PING") + packed("MULTI") + packed("SET", "b", "2")
    master.send(data)
    backlog = world.core.replication.backlog
    assert backlog is not None
    backlog.seal()
    assert backlog.since(0, 1000) == packed("SET", "a", "1") + packed("PING")
    master.send(packed("EXEC"))
    backlog.seal()
    assert backlog.since(0, 1000) == data + packed("EXEC")


def test_a_transaction_is_applied_when_all_of_it_has_come(master: Master, client: Client) -> None:
    master.say("SET", "a", "1")
    before = master.offset
    for each in (["MULTI"], ["INCR", "a"], ["SELECT", 1], ["SET", "b", "2"]):
        master.say(*each)
        assert client.call("GET", "a") == "1" and master.offset == before
    master.say("exec")
    assert client.call("GET", "a") == "2"
    client.call("SELECT", 1)
    assert client.call("GET", "b") == "2"
    assert master.offset == before + sum(
        len(packed(*each)) for each in (["MULTI"], ["INCR", "a"], ["SELECT", 1], ["SET", "b", "2"], ["exec"])
    )


@pytest.mark.parametrize("seed", range(20))
def test_the_reads_make_no_difference(seed: int) -> None:
    random = Random(seed)
    data, ends, inside = b"", [0], False
    for number in range(60):
        word = random.choice(["SET", "LPUSH", "MULTI", "EXEC", "SELECT"])
        if word in ("MULTI", "EXEC") and (word == "EXEC") != inside:
            continue
        inside = {"MULTI": True, "EXEC": False}.get(word, inside)
        words = {"SET": ("SET", number % 5, "\r\n*1" * (number % 4)), "LPUSH": ("LPUSH", f"l{number % 3}", number)}
        data += packed(*words.get(word, (word, *((random.randrange(4),) if word == "SELECT" else ()))))
        if not inside:
            ends.append(len(data))
    world = World(databases=4)
    master = Master(world)
    place = 0
    while place < len(data):
        size = random.choice([1, 3, 30, 200])
        master.send(data[place : place + size])
        place = min(place + size, len(data))
        assert master.offset == max(end for end in ends if end <= place), seed
    world.check()


def test_the_master_asks_how_far_we_are(master: Master) -> None:
    master.say("REPLCONF", "GETACK", "*")
    assert master.asked == 1
    assert master.offset == len(packed("REPLCONF", "GETACK", "*"))


# What breaks the link


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["NOSUCH", "a"], "unknown"),
        (["GET", "a"], "none that a master may send"),
        (["SHUTDOWN"], "none that a master may send"),
        (["CONFIG", "SET", "maxmemory", "1"], "none that a master may send"),
        (["MIGRATE", "h", "1", "a", "0", "1"], "none that a master may send"),
        (["SET", "a"], "wrong number of arguments"),
        (["LPUSH", "a", "x"], "WRONGTYPE"),
        (["SELECT", "99"], "out of range"),
        (["EXEC"], "EXEC without MULTI"),
        (["MULTI", "x"], "wrong number of arguments"),
        (["REPLCONF"], "syntax error"),
        (["REPLCONF", "GETACK"], "syntax error"),
        (["REPLCONF", "capa", "eof"], "Unrecognized REPLCONF option: capa"),
    ],
)
def test_what_cannot_be_applied_is_told_with_name_and_offset(
    master: Master, client: Client, words: list[str], problem: str
) -> None:
    before = packed("SET", "a", "1") + packed("SET", "b", "1")
    with pytest.raises(LinkBroken) as caught:
        master.send(before + packed(*words) + packed("SET", "c", "1"))
    assert problem in caught.value.problem
    assert caught.value.command == words[0].lower()
    assert caught.value.offset == len(before) == master.offset
    assert client.call("MGET", "a", "b", "c") == ["1", "1", None]


def test_a_transaction_that_cannot_be_applied_is_told_as_a_whole(master: Master, client: Client) -> None:
    master.send(packed("SET", "a", "1") + packed("MULTI") + packed("SET", "b", "1"))
    before = len(packed("SET", "a", "1"))
    with pytest.raises(LinkBroken) as caught:
        master.send(packed("LPUSH", "a", "x") + packed("EXEC"))
    assert caught.value.offset == before == master.offset
    assert "within a transaction" in caught.value.problem


@pytest.mark.parametrize(
    "garbage", [b"PING\r\n", b"+OK\r\n", b"*1\r\n:5\r\n", b"*0\r\n", b"*1\r\n*1\r\n$1\r\na\r\n", b"\0" * 9]
)
def test_garbage_breaks_the_link_at_its_offset(master: Master, client: Client, garbage: bytes) -> None:
    good = packed("SET", "a", "1")
    with pytest.raises(LinkBroken) as caught:
        master.send(good + garbage)
    assert caught.value.offset == len(good) == master.offset
    assert client.call("GET", "a") == "1"


def test_a_word_that_is_no_string_breaks_the_link(master: Master, client: Client) -> None:
    with pytest.raises(LinkBroken, match="something else than a command"):
        master.send(packed("SET", "a", "1") + b"*3\r\n$3\r\nSET\r\n$1\r\nb\r\n:5\r\n")
    assert client.call("MGET", "a", "b") == ["1", None]


def test_garbage_within_a_transaction_breaks_it_as_a_whole(master: Master) -> None:
    with pytest.raises(LinkBroken) as caught:
        master.send(packed("SET", "a", "1") + packed("MULTI") + packed("SET", "b", "1") + b"*1\r\n:1\r\n")
    assert caught.value.offset == len(packed("SET", "a", "1")) == master.offset


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["MULTI"], "MULTI calls can not be nested"),
        (["EXEC", "x"], "wrong number of arguments for 'exec' command"),
        (["DISCARD"], "none that a master may send"),
        (["NOSUCH"], "unknown"),
    ],
)
def test_what_no_transaction_holds_breaks_it_before_anything_of_it_is_executed(
    master: Master, client: Client, words: list[str], problem: str
) -> None:
    master.send(packed("SET", "a", "1") + packed("MULTI") + packed("SET", "b", "1"))
    before = master.offset
    with pytest.raises(LinkBroken) as caught:
        master.send(packed(*words))
    assert problem in caught.value.problem and "within a transaction" in caught.value.problem
    assert caught.value.offset == before == master.offset == len(packed("SET", "a", "1"))
    assert client.call("MGET", "a", "b") == ["1", None]


def test_a_transaction_without_an_end_is_not_kept_for_ever(master: Master, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applying, "MOST_OF_TRANSACTION", 10_000)
    master.send(packed("SET", "a", "1") + packed("MULTI"))
    before = master.offset
    for _ in range(9):
        master.say("SET", "b", "x" * 1000)
    with pytest.raises(LinkBroken, match="a transaction without an end") as caught:
        master.say("SET", "b", "x" * 1000)
    assert caught.value.offset == before


def test_a_mistake_of_ours_breaks_the_link_too(master: Master, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(session: Any, argv: list[bytes]) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(world.core.tables.rows["append"], "call", fail)
    with pytest.raises(LinkBroken, match="ZeroDivisionError"):
        master.say("APPEND", "a", "1")
    assert world.core.stats.unexpected_errors == 1


# Keys that expire


def test_what_has_expired_is_hidden_but_stays_until_the_master_says_so(
    master: Master, client: Client, world: World
) -> None:
    master.say("SET", "a", "1", "PXAT", NOW + 1000)
    master.say("SET", "b", "1")
    world.advance(5)
    world.expire()
    assert client.call("GET", "a") is None
    assert client.call("EXISTS", "a") == 0
    assert client.call("TTL", "a") == -2
    assert client.call("TYPE", "a") == "none"
    assert client.call("KEYS", "*") == ["b"]
    assert client.call("SCAN", 0) == ["0", ["b"]]
    assert client.call("DBSIZE") == 2
    assert {client.call("RANDOMKEY") for _ in range(20)} == {"b"}
    master.say("DEL", "a")
    assert client.call("DBSIZE") == 1


def test_a_random_key_is_a_dead_one_where_there_is_no_other(master: Master, client: Client, world: World) -> None:
    master.say("SET", "a", "1", "PXAT", NOW + 1000)
    world.advance(5)
    assert client.call("RANDOMKEY") == "a"


def test_the_master_sees_what_its_own_clock_still_holds(master: Master, client: Client, world: World) -> None:
    master.say("SET", "n", "41", "PXAT", NOW + 1000)
    master.say("RPUSH", "l", "x")
    master.say("PEXPIREAT", "l", NOW + 1000)
    world.advance(5)
    master.say("INCR", "n")
    master.say("RPUSH", "l", "y")
    master.say("PEXPIREAT", "n", NOW + 9000)
    master.say("PERSIST", "l")
    assert client.call("GET", "n") == "42"
    assert client.call("LRANGE", "l", 0, -1) == ["x", "y"]


def test_a_time_in_the_past_is_kept_and_no_removal(master: Master, client: Client) -> None:
    master.say("SET", "a", "1")
    master.say("PEXPIREAT", "a", NOW - 1000)
    master.say("HSET", "h", "f", "1", "g", "2")
    master.say("HPEXPIREAT", "h", NOW - 1000, "FIELDS", 1, "f")
    assert client.call("GET", "a") is None
    assert client.call("DBSIZE") == 2
    assert client.call("HGETALL", "h") == ["g", "2"]
    master.say("HPEXPIREAT", "h", NOW + 1000, "FIELDS", 1, "f")
    assert client.call("HGET", "h", "f") == "1"


def test_fields_that_have_expired_stay_until_the_master_deletes_them(
    master: Master, client: Client, world: World
) -> None:
    master.say("HSET", "h", "f", "1", "g", "2")
    master.say("HPEXPIREAT", "h", NOW + 1000, "FIELDS", 1, "f")
    world.advance(5)
    world.expire()
    assert client.call("HGETALL", "h") == ["g", "2"]
    assert client.call("HGET", "h", "f") is None
    assert client.call("HLEN", "h") == 1
    master.say("HINCRBY", "h", "f", 1)
    master.say("HPERSIST", "h", "FIELDS", 1, "f")
    assert client.call("HGET", "h", "f") == "2"
    master.say("HDEL", "h", "f")
    assert client.call("HGETALL", "h") == ["g", "2"]


def test_relative_times_of_old_masters_count_from_now(master: Master, client: Client, world: World) -> None:
    master.say("SET", "a", "1")
    master.say("EXPIRE", "a", 100)
    assert client.call("TTL", "a") == 100


def test_no_times_of_our_own_are_given(master: Master, client: Client, world: World) -> None:
    from pycache_server.store.mortal import Lifetimes
    from pycache_server.store.scopes import Scope, Scoped

    world.core.shape.use_lifetimes(Lifetimes(Scoped([(Scope(None, None), 5000)]), Scoped([])))
    master.say("SET", "a", "1")
    assert client.call("TTL", "a") == -1


def test_keys_go_again_when_the_node_leads(master: Master, client: Client, world: World) -> None:
    master.say("SET", "a", "1", "PXAT", NOW + 1000)
    world.advance(5)
    world.core.replication.become_leader()
    world.expire()
    assert client.call("DBSIZE") == 0


def test_nothing_is_evicted_unless_the_limit_is_to_hold(master: Master, client: Client, world: World) -> None:
    core = world.core
    for number in range(100):
        master.say("SET", f"k{number}", "x" * 100)
    from pycache_server.evict.base import load_policy

    core.shape.use_engine(load_policy("allkeys-lru").engine, False, ())
    while core.shape.step():
        pass
    core.room.limit(core.keyspace.held // 2)
    assert core.room.make()
    assert client.call("DBSIZE") == 100
    Master.ignores_maxmemory = False
    try:
        core.settle_stillness()
        core.room.make()
        assert client.call("DBSIZE") < 100
    finally:
        Master.ignores_maxmemory = True


# What others hear of it


def test_subscribers_events_and_monitors_hear_of_it(master: Master, client: Client, world: World) -> None:
    listener, monitor = world.connect(), world.connect()
    world.core.observers.notify(parse_flags("KEA") or 0)
    listener.call("SUBSCRIBE", "news")
    listener.start("PSUBSCRIBE", "__keyevent@0__:*")
    listener.read_all()
    monitor.call("MONITOR")
    master.say("PUBLISH", "news", "hello")
    master.say("SET", "a", "1", "PXAT", NOW + 1000)
    world.advance(5)
    master.say("DEL", "a")
    heard = listener.read_all()
    assert ["message", "news", "hello"] in heard
    assert [each[2].partition(":")[2] for each in heard if each[0] == "pmessage"] == ["set", "expire", "del"]
    lines = monitor.read_all()
    assert len(lines) == 3 and '[0 10.0.0.1:6379] "PUBLISH" "news" "hello"' in lines[0]


def test_who_waits_for_a_stream_gets_each_entry_by_itself(master: Master, client: Client) -> None:
    client.start("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    master.send(packed("XADD", "s", "1-1", "f", "v") + packed("XADD", "s", "1-2", "f", "v"))
    assert client.read() == [["s", [["1-1", ["f", "v"]]]]]


def test_a_transaction_wakes_who_waits_when_it_is_complete(master: Master, client: Client) -> None:
    client.start("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    master.send(packed("MULTI") + packed("XADD", "s", "1-1", "f", "v") + packed("XADD", "s", "1-2", "f", "v"))
    master.say("EXEC")
    assert client.read() == [["s", [["1-1", ["f", "v"]], ["1-2", ["f", "v"]]]]]


def test_watch_fails_where_the_master_changes_the_key(master: Master, client: Client) -> None:
    client.call("WATCH", "a")
    client.call("MULTI")
    client.call("GET", "a")
    master.say("SET", "a", "1")
    assert client.call("EXEC") is None


def test_the_master_is_in_the_list_of_clients(master: Master, client: Client) -> None:
    lines = client.call("CLIENT", "LIST", "TYPE", "master").splitlines()
    assert len(lines) == 1
    assert " flags=M " in lines[0] and " user=(superuser) " in lines[0] and " addr=10.0.0.1:6379 " in lines[0]


def test_statistics_count_what_the_master_calls(master: Master, world: World) -> None:
    master.send(packed("SET", "a", "1") * 3 + packed("MULTI") + packed("GETDEL", "a") + packed("EXEC"))
    calls = world.core.tables.calls
    assert [calls(name) for name in ("set", "multi", "getdel", "exec")] == [3, 1, 1, 1]


# What clients are refused


def test_clients_may_not_write_but_the_master_may(master: Master, client: Client, world: World) -> None:
    refuse(world.core, True, False, "")
    assert str(client.call("SET", "a", "1")) == "READONLY You can't write against a read only replica."
    assert str(client.call("XGROUP", "CREATE", "s", "g", "$")) == str(client.call("DEL", "a"))
    assert client.call("GET", "a") is None
    assert client.call("PUBLISH", "c", "m") == 0
    master.say("SET", "a", "1")
    assert client.call("GET", "a") == "1"


def test_a_transaction_with_a_write_is_refused(master: Master, client: Client, world: World) -> None:
    refuse(world.core, True, False, "")
    client.call("MULTI")
    assert str(client.call("SET", "a", "1")).startswith("READONLY ")
    assert str(client.call("EXEC")) == "EXECABORT Transaction discarded because of previous errors."
    client.call("MULTI")
    client.call("GET", "a")
    assert client.call("EXEC") == [None]


def test_a_transaction_that_was_begun_before_the_role_changed_is_refused(
    master: Master, client: Client, world: World
) -> None:
    client.call("MULTI")
    client.call("SET", "a", "1")
    refuse(world.core, True, False, "")
    assert str(client.call("EXEC")) == (
        "EXECABORT Transaction discarded because of: READONLY You can't write against a read only replica."
    )


def test_scripts_may_only_read(master: Master, client: Client, world: World) -> None:
    refuse(world.core, True, False, "")
    assert client.call("EVAL", "return redis.call('get', KEYS[1])", 1, "a") is None
    assert "READONLY You can't write against a read only replica." in str(
        client.call("EVAL", "return redis.call('set', KEYS[1], 1)", 1, "a")
    )
    assert str(client.call("EVAL", "#!lua\nreturn 1", 0)) == ("READONLY You can't write against a read only replica.")
    assert client.call("EVAL", "#!lua flags=no-writes\nreturn 1", 0) == 1
    assert client.call("EVAL", "return redis.call('publish', 'c', 'm')", 0) == 0


def test_stale_data_is_refused_where_it_shall_be(master: Master, client: Client, world: World) -> None:
    refuse(world.core, True, True, "")
    answer = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
    assert str(client.call("GET", "a")) == answer
    assert str(client.call("SET", "a", "1")).startswith("READONLY")
    assert str(client.call("PING")) == answer
    assert client.call("MULTI") == "OK"
    assert str(client.call("GET", "a")) == answer
    client.call("DISCARD")
    refuse(world.core, True, False, "")
    assert client.call("GET", "a") is None


def test_loading_refuses_nearly_everything(master: Master, client: Client, world: World) -> None:
    refuse(world.core, False, False, "all")
    assert str(client.call("GET", "a")) == "LOADING Redis is loading the dataset in memory"
    refuse(world.core, False, False, "async")
    assert client.call("GET", "a") is None
    refuse(world.core, False, False, "")


def test_a_follower_that_may_be_written_to_counts_for_itself_alone(
    master: Master, client: Client, world: World
) -> None:
    refuse(world.core, False, False, "")
    before = master.offset
    assert client.call("SET", "mine", "1") == "OK"
    assert master.offset == before


def test_blocked_clients_are_sent_away_when_the_role_changes(world: World, client: Client) -> None:
    client.start("BLPOP", "l", 0)
    Master(world)
    world.core.blocking.unblock_all()
    world.host.settle()
    assert str(client.read()) == (
        "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"
    )
    assert client.closed


def test_a_follower_takes_over_from_nobody_but_its_leader(master: Master, client: Client, world: World) -> None:
    answer = client.call("PSYNC", "0" * 40, 1, "FAILOVER")
    assert error_of(answer) == "ERR PSYNC FAILOVER replid must match my replid."
    assert not world.core.replication.leads
