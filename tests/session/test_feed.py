"""What has changed, as commands: units, transactions, keys that go by themselves, and nothing while nobody listens."""

from __future__ import annotations

import pytest

import pycache_server.server.setup  # noqa: F401  (DEBUG, too)
from pycache_server.commands.geo import geoadd
from pycache_server.commands.registry import WRITE, Command, Family
from pycache_server.commands.strings import set_
from pycache_server.session.feed import ALL, FILE, REPLICAS, Sink, Told
from pycache_server.session.session import Session
from pycache_server.store.events import UNHEARD
from pycache_server.store.mortal import Lifetimes
from pycache_server.store.scopes import Scope, Scoped
from pycache_server.store.told import ToldDatabase
from pycache_server.testing.inprocess import START, World

T = int(START * 1000)
"""The time of the world in ms."""


class Listener(Sink):
    """A sink that keeps everything."""

    kind = ALL

    def __init__(self, world: World) -> None:
        self.units: list[list[Told]] = []
        world.core.feed.open(self)

    def take(self, unit: list[Told]) -> None:
        self.units.append(unit)

    def heard(self) -> list[list[str]]:
        """Every unit since the last time: its commands in words, the database in front where it is not 0."""
        units, self.units = self.units, []
        return [[(f"{index}: " if index else "") + b" ".join(argv).decode() for index, argv in unit] for unit in units]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def listener(world: World) -> Listener:
    return Listener(world)


def test_what_changes_is_told_and_what_does_not_is_not(world: World, listener: Listener) -> None:
    client = world.connect()
    client.call("SET", "a", "1")
    client.call("GET", "a")
    client.call("DEL", "nothing")
    client.call("SETNX", "a", "2")
    client.call("LPUSH", "a", "x")
    assert listener.heard() == [["SET a 1"]]


def test_a_command_is_told_with_its_database(world: World, listener: Listener) -> None:
    client = world.connect()
    client.call("SELECT", "3")
    client.call("SADD", "s", "m")
    assert listener.heard() == [["3: SADD s m"]]


def test_exec_and_scripts_are_one_unit(world: World, listener: Listener) -> None:
    client = world.connect()
    for words in (["MULTI"], ["SET", "a", "1"], ["GET", "a"], ["INCR", "a"], ["EXEC"]):
        client.call(*words)
    client.call("EVAL", "redis.call('SET', KEYS[1], 'x') redis.call('APPEND', KEYS[1], 'y')", "1", "a")
    assert listener.heard() == [["SET a 1", "INCR a"], ["SET a x", "APPEND a y"]]


def test_a_key_that_expires_is_told_before_what_has_found_it(world: World, listener: Listener) -> None:
    client = world.connect()
    client.call("PSETEX", "a", "100", "1")
    listener.heard()
    world.advance(0.2)
    client.call("LPUSH", "a", "x")
    assert listener.heard() == [["DEL a", "LPUSH a x"]]


def test_a_key_that_expires_without_anybody_is_a_unit_of_its_own(world: World, listener: Listener) -> None:
    client = world.connect()
    client.call("SET", "a", "1", "PX", "100")
    listener.heard()
    world.advance(0.2)
    client.call("GET", "a")
    assert listener.heard() == [["DEL a"]]


def test_nothing_is_told_to_a_sink_that_was_closed(world: World, listener: Listener) -> None:
    client = world.connect()
    world.core.feed.close(listener)
    client.call("SET", "a", "1")
    assert listener.heard() == []
    assert not world.core.feed.active


@pytest.mark.parametrize(
    ("before", "command", "told"),
    [
        ("", "SET k v EX 10", f"SET k v PXAT {T + 10_000}"),
        ("", "SETEX k 10 v", f"SET k v PXAT {T + 10_000}"),
        ("", "set k v GET NX", "set k v NX"),
        ("SET k v", "SET k w IFEQ v KEEPTTL", "SET k w KEEPTTL"),
        ("SET k v", "GETEX k PX 5", f"PEXPIREAT k {T + 5}"),
        ("SET k v EX 9", "GETEX k PERSIST", "PERSIST k"),
        ("SET k v", "GETEX k EXAT 1", "DEL k"),
        ("SET k v", "GETDEL k", "DEL k"),
        ("SET k v", "GETSET k w", "SET k w"),
        ("SET k 1", "INCRBYFLOAT k 0.5", "SET k 1.5 KEEPTTL"),
        ("SET k 1", "EXPIRE k 5 NX", f"PEXPIREAT k {T + 5000} NX"),
        ("SET k 1", "EXPIRE k -5", "DEL k"),
        ("SET k 1", f"PEXPIREAT k {T + 7}", f"PEXPIREAT k {T + 7}"),
        ("", "INCREX k BYINT 3 EX 5", f"SET k 3 PXAT {T + 5000}"),
        ("", "MSETEX 2 a 1 b 2 PX 5", f"SET a 1 PXAT {T + 5} + SET b 2 PXAT {T + 5}"),
        ("SET k v", "DELEX k IFEQ v", "DEL k"),
        ("HSET h f 1 g 2", "HEXPIRE h 5 FIELDS 2 f x", f"HPEXPIREAT h {T + 5000} FIELDS 1 f"),
        ("HSET h f 1 g 2", "HPEXPIRE h 0 FIELDS 1 f", "HDEL h f"),
        ("HSET h f 1", "HINCRBYFLOAT h f 0.5", "HSET h f 1.5"),
        ("HSET h f 1", "HGETDEL h FIELDS 2 f g", "HDEL h f"),
        ("HSET h f 1", "HGETEX h PX 7 FIELDS 1 f", f"HPEXPIREAT h {T + 7} FIELDS 1 f"),
        ("", "HSETEX h PX 7 FIELDS 1 f v", f"HSET h f v + HPEXPIREAT h {T + 7} FIELDS 1 f"),
        ("SADD s m", "SPOP s", "SREM s m"),
        ("SADD s m n", "SPOP s 5", "DEL s"),
        ("RPUSH l a b c", "LMPOP 2 none l LEFT COUNT 2", "LPOP l 2"),
        ("RPUSH l a b c", "BLPOP none l 0", "LPOP l"),
        ("RPUSH l a b c", "BLMOVE l m left RIGHT 0", "LMOVE l m left RIGHT"),
        ("RPUSH l a b c", "BRPOPLPUSH l m 0", "RPOPLPUSH l m"),
        ("RPUSH l a b c", "LMOVEM l m LEFT LEFT COUNT 2 BULK", "LPUSH m b a + LPOP l 2"),
        ("ZADD z 1 a 2 b", "BZPOPMIN none z 0", "ZPOPMIN z"),
        ("ZADD z 1 a 2 b", "ZMPOP 1 z MAX COUNT 9", "ZPOPMAX z 2"),
        ("", "XADD s * f v", f"XADD s {T}-0 f v"),
        ("XADD s 1-1 f v", "XADD s MAXLEN ~ 100 2-* f v", "XADD s MAXLEN = 2 2-0 f v"),
        ("", "GEOADD g CH 1 2 a", "zadd g CH 3378080408407459 a"),
        ("PFADD h a", "PFCOUNT h", "PFCOUNT h"),
        ("RPUSH l a", "COPY l m DB 2", "COPY l m DB 2"),
        ("RPUSH l a", "MOVE l 2", "MOVE l 2"),
        ("", "FLUSHALL ASYNC", "FLUSHALL ASYNC"),
        ("", "SWAPDB 1 2", "SWAPDB 1 2"),
        ("", "PUBLISH c m", "PUBLISH c m"),
    ],
)
def test_a_command_is_told_as_what_it_has_done(
    world: World, listener: Listener, before: str, command: str, told: str
) -> None:
    client = world.connect()
    if before:
        client.call(*before.split())
    listener.heard()
    client.call(*command.split())
    assert listener.heard() == [told.split(" + ")]


def test_what_a_group_delivers_is_told_as_claims(world: World, listener: Listener) -> None:
    client = world.connect()
    for command in ("XADD s 1-1 f v", "XADD s 2-1 f v", "XGROUP CREATE s g 0"):
        client.call(*command.split())
    listener.heard()
    client.call(*["XREADGROUP", "GROUP", "g", "anna", "COUNT", "1", "STREAMS", "s", ">"])
    claim = f"TIME {T} RETRYCOUNT 1 FORCE JUSTID"
    assert listener.heard() == [[f"XCLAIM s g anna 0 1-1 {claim} LASTID 1-1", "XGROUP SETID s g 1-1 ENTRIESREAD 1"]]
    client.call(*["XREADGROUP", "GROUP", "g", "berta", "NOACK", "STREAMS", "s", ">"])
    assert listener.heard() == [["XGROUP CREATECONSUMER s g berta", "XGROUP SETID s g 2-1 ENTRIESREAD 2"]]
    client.call(*["XCLAIM", "s", "g", "carl", "0", "9-9"])
    assert listener.heard() == [["XGROUP CREATECONSUMER s g carl"]]


def test_a_client_that_has_waited_is_a_unit_of_its_own(world: World, listener: Listener) -> None:
    one, other, pusher = world.connect(), world.connect(), world.connect()
    one.start("BLPOP", "a", "b", "0")
    other.start("blmpop", "0", "2", "a", "b", "RIGHT", "COUNT", "5")
    pusher.call("RPUSH", "b", "1", "2", "3")
    assert listener.heard() == [["RPUSH b 1 2 3"], ["LPOP b"], ["RPOP b 2"]]


def test_who_waited_before_anybody_listened_is_told_as_well(world: World) -> None:
    client, pusher = world.connect(), world.connect()
    client.start("BLMOVE", "a", "b", "LEFT", "RIGHT", "0")
    listener = Listener(world)
    pusher.call("RPUSH", "a", "1")
    assert listener.heard() == [["RPUSH a 1"], ["LMOVE a b LEFT RIGHT"]]


def test_fields_that_expire_are_told_before_what_has_found_them(world: World, listener: Listener) -> None:
    client = world.connect()
    client.call("HSET", "h", "f", "1", "g", "2")
    client.call("HPEXPIRE", "h", "5", "FIELDS", "1", "f")
    listener.heard()
    world.advance(0.01)
    client.call("HINCRBY", "h", "f", "1")
    assert listener.heard() == [["HDEL h f", "HINCRBY h f 1"]]


def test_a_hash_whose_last_fields_have_expired_is_told_as_gone(world: World, listener: Listener) -> None:
    client = world.connect()
    client.call("HSET", "h", "f", "1", "g", "2")
    client.call("HPEXPIRE", "h", "5", "FIELDS", "2", "f", "g")
    listener.heard()
    world.advance(0.1)
    world.expire()
    assert listener.heard() == [["DEL h"]]


def test_the_word_for_a_removal_is_a_matter_of_the_configuration(world: World, listener: Listener) -> None:
    keyspace = world.core.keyspace
    keyspace.expired_verb = keyspace.removed_verb = b"UNLINK"
    client = world.connect()
    client.call("SADD", "s", "a")
    client.call("SPOP", "s", "2")
    client.call("SET", "k", "v")
    client.call("EXPIRE", "k", "0")
    assert listener.heard() == [["SADD s a"], ["UNLINK s"], ["SET k v"], ["UNLINK k"]]


def test_messages_are_for_replicas_alone(world: World) -> None:
    replica, file = Listener(world), Listener(world)
    replica.kind, file.kind = REPLICAS, FILE
    client = world.connect()
    for words in (["MULTI"], ["SET", "a", "1"], ["PUBLISH", "c", "m"], ["EXEC"], ["SPUBLISH", "c", "m"]):
        client.call(*words)
    assert replica.heard() == [["SET a 1", "PUBLISH c m"], ["SPUBLISH c m"]]
    assert file.heard() == [["SET a 1"]]


def test_a_script_chooses_who_hears_of_its_writes(world: World) -> None:
    replica, file = Listener(world), Listener(world)
    replica.kind, file.kind = REPLICAS, FILE
    script = """
        redis.set_repl(redis.REPL_AOF) redis.call('SET', 'a', '1')
        redis.set_repl(redis.REPL_REPLICA) redis.call('SET', 'b', '1')
        redis.set_repl(redis.REPL_NONE) redis.call('SET', 'c', '1')
    """
    client = world.connect()
    client.call("EVAL", script, "0")
    client.call("SET", "d", "1")
    assert replica.heard() == [["SET b 1"], ["SET d 1"]]
    assert file.heard() == [["SET a 1"], ["SET d 1"]]


def test_of_a_script_that_fails_what_it_has_done_is_told(world: World, listener: Listener) -> None:
    client = world.connect()
    client.call("EVAL", "redis.call('SET', 'a', '1') redis.call('SET', 'b', '1', 'EX', '5') error('x')", "0")
    assert listener.heard() == [["SET a 1", f"SET b 1 PXAT {T + 5000}"]]


def test_libraries_are_told_though_they_change_no_database(world: World, listener: Listener) -> None:
    client = world.connect()
    code = "#!lua name=lib\nredis.register_function('f', function() return 1 end)"
    client.call("FUNCTION", "LOAD", code)
    client.call("FUNCTION", "LOAD", code)
    client.call("FUNCTION", "DELETE", "lib")
    client.call("FUNCTION", "FLUSH")
    assert listener.heard() == [[f"FUNCTION LOAD {code}"], ["FUNCTION DELETE lib"], ["FUNCTION FLUSH"]]


@pytest.mark.parametrize(
    ("default", "longest", "command", "told"),
    [
        (70, 0, "SET k v", f"SET k v PXAT {T + 70}"),
        (70, 0, "RPUSH k v", f"RPUSH k v + PEXPIREAT k {T + 70}"),
        (0, 60, "SET k v EX 5", f"SET k v PXAT {T + 60}"),
        (0, 60, "RPUSH k v", f"RPUSH k v + PEXPIREAT k {T + 60}"),
    ],
)
def test_times_to_live_of_the_configuration_are_told(
    world: World, listener: Listener, default: int, longest: int, command: str, told: str
) -> None:
    world.core.shape.use_lifetimes(Lifetimes(*(Scoped([(Scope(), ms)]) for ms in (default, longest))))
    world.connect().call(*command.split())
    assert listener.heard() == [told.split(" + ")]


def test_what_a_command_leaves_behind_that_crashes_is_told(world: World) -> None:
    def crash(session: Session, argv: list[bytes]) -> None:
        "Do half of it."
        session.db.put(argv[1], b"half", UNHEARD)
        raise ZeroDivisionError

    registry: dict[str, Command] = {}
    Family("string", registry).command("CRASH key value", WRITE, since="1.0.0")(crash)
    world.core.tables.add(registry["crash"])
    listener = Listener(world)
    assert "internal error" in str(world.connect().call("CRASH", "k", "b"))
    mirror = World().connect()
    for unit in listener.units:
        for _, argv in unit:
            mirror.call(*argv)
    assert mirror.call("GET", "k") == "half"
    assert world.core.feed.depth == 0


def test_a_mistake_in_an_effect_is_logged_and_the_data_is_told(world: World) -> None:
    def wrong(session: Session, argv: list[bytes], value: object) -> None:
        raise ZeroDivisionError

    registry: dict[str, Command] = {}
    Family("string", registry).command("WRONG key value", WRITE, since="1.0.0", effect=wrong)(set_)
    world.core.tables.add(registry["wrong"])
    listener = Listener(world)
    assert world.connect().call("WRONG", "k", "v") == "OK"
    assert [argv[:3] for unit in listener.units for _, argv in unit] == [[b"RESTORE", b"k", b"0"]]
    assert any("effect of WRONG" in message for _, message in world.host.messages)


def test_what_a_command_of_others_calls_does_not_speak_for_it() -> None:
    def twice(session: Session, argv: list[bytes]) -> int:
        "Put a member at a place, and count it."
        geoadd(session, [b"GEOADD", argv[1], b"1", b"2", argv[2]])
        return session.db.increment(argv[1] + b":count", 1, UNHEARD)

    registry: dict[str, Command] = {}
    family = Family("module", registry)
    family.command("ACME.PLACE key member", WRITE, since="1.0.0")(twice)
    family.command(
        "ACME.KNOWN key member", WRITE, since="1.0.0", effect=lambda session, argv, value: [[b"DEL", argv[1]]]
    )(twice)
    world = World()
    for command in registry.values():
        world.core.tables.add(command)
    listener = Listener(world)
    client = world.connect()
    client.call("ACME.PLACE", "k", "m")
    client.call("ACME.KNOWN", "k", "m")
    assert listener.heard() == [["ACME.PLACE k m"], ["DEL k"]]


def test_while_nobody_listens_no_command_is_bound_otherwise(world: World, listener: Listener) -> None:
    names = ("set", "get", "eval", "exec", "publish", "copy", "pfcount", "debug")
    bound = {name: world.core.tables.rows[name].call for name in names if name in world.core.tables.rows}
    world.core.feed.close(listener)
    for name, call in bound.items():
        row = world.core.tables.rows[name]
        assert name == "get" or row.call is not call
        assert "feed" not in getattr(row.call, "__module__", "")
    assert not any(isinstance(database, ToldDatabase) for database in world.core.keyspace.databases)
