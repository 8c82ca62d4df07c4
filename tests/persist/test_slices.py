"""A snapshot in slices shows the moment of its begin, whatever changes while it is made."""

from __future__ import annotations

import random
from shlex import split

import pytest

from pycache_server.commands.registry import REGISTRY, Flag
from pycache_server.evict.base import load_policy
from pycache_server.persist.saving import Saving
from pycache_server.persist.slices import Slices
from pycache_server.testing.inprocess import World
from tests.conftest import more_in_ci
from tests.persist.files import digest, fill, load

CHANGES = """
APPEND string more
APPEND raw more
BITFIELD string SET u8 0 1
BITOP NOT string raw
BLMOVE list "long list" LEFT RIGHT 0
BLMPOP 0 1 list LEFT
BLPOP list 0
BRPOP "long list" 0
BRPOPLPUSH list list 0
BZMPOP 0 1 zset MIN
BZPOPMAX zset 0
BZPOPMIN "big zset" 0
COPY string raw REPLACE
COPY list elsewhere DB 3 REPLACE
DECR number
DECRBY counter 4
DEL string
DEL "big hash"
EXPIRE list 5
EXPIREAT string 4102444800
FLUSHALL
FLUSHDB
GEOADD zset 1 1 place
GEORADIUS zset 0 0 1000 km STORE string
GEORADIUSBYMEMBER zset a 1000 km STORE string
GEOSEARCHSTORE zset zset FROMLONLAT 1 1 BYRADIUS 1000 km
GETDEL string
GETEX string PX 1000
GETEX session PERSIST
GETSET string other
HDEL hash f
HDEL volatile f
HDEL volatile g
HEXPIRE hash 100 FIELDS 1 f
HEXPIREAT volatile 4102444800 FIELDS 1 g
HGETDEL hash FIELDS 1 f
HGETEX hash PX 100 FIELDS 1 f
HINCRBY hash g 3
HINCRBYFLOAT volatile g2 3
HMSET hash x y
HPERSIST volatile FIELDS 1 f
HPEXPIRE "big hash" 100 FIELDS 1 "field 3"
HPEXPIREAT volatile 1 FIELDS 1 f
HSET "big hash" "field 3" other
HSET volatile f other
HSETEX volatile PX 100 FIELDS 1 f w
HSETNX hash x y
INCR counter
INCR number
INCRBY "big number" 5
INCRBYFLOAT number 1.5
LINSERT list BEFORE a other
LMOVE "long list" list LEFT LEFT
LMPOP 1 "long list" RIGHT COUNT 200
LPOP list
LPUSH "long list" new
LPUSHX list new
LREM list 1 a
LSET "long list" 1500 other
LTRIM "long list" 100 200
MOVE string 3
MSET string 1 raw 2 new 3
MSETNX new 3 newer 4
PERSIST session
PEXPIRE session 7
PEXPIREAT string 4102444800000
PFADD hll new
PFCOUNT hll
PFMERGE hll hll
PSETEX string 100 v
RENAME string raw
RENAMENX list fresh
RPOP list
RPOPLPUSH list "long list"
RPUSH list new
RPUSHX "long list" new
SADD integers 1000
SADD set new
SDIFFSTORE set integers set
SET string other
SET session other KEEPTTL
SET list other
SETBIT raw 3 1
SETEX string 10 v
SETNX fresh v
SETRANGE raw 1 zz
SINTERSTORE set set
SMOVE set integers a
SORT integers STORE set
SPOP "big set"
SREM integers 5
SREM "big set" "member 3"
SUNIONSTORE set integers
SWAPDB 0 3
UNLINK "long list"
XACK stream group 1-1
XADD stream * a b
XAUTOCLAIM stream group bob 0 0
XCLAIM stream group bob 0 2-1
XDEL stream 9-1
XGROUP CREATE stream other 0
XGROUP CREATECONSUMER stream group bob
XGROUP DELCONSUMER stream group alice
XGROUP DESTROY stream group
XGROUP SETID stream group 0
XREADGROUP GROUP group alice STREAMS stream >
XSETID stream 999-1
XTRIM stream MAXLEN 10
ZADD zset 9 a
ZADD "big zset" 9 "member 3"
ZDIFFSTORE zset 1 "big zset"
ZINCRBY "big zset" 2 "member 5"
ZINTERSTORE zset 1 zset
ZMPOP 1 zset MAX
ZPOPMAX zset
ZPOPMIN "big zset" 5
ZRANGESTORE string zset 0 1
ZREM zset a
ZREMRANGEBYLEX zset - +
ZREMRANGEBYRANK "big zset" 0 9
ZREMRANGEBYSCORE "big zset" 0 9
ZUNIONSTORE zset 1 zset
EVAL "redis.call('INCR', 'counter') redis.call('RPUSH', 'list', 'x')" 0
""".strip().splitlines()
"""A change by each command that writes, of values of every form."""
ELSEWHERE = {"delex", "delifeq", "increx", "blmovem", "lmovem", "msetex", "xackdel", "xdelex"}
"""Commands that change keys as others of the list do."""
NEED_MORE = {"migrate", "restore", "restore-asking", "pfdebug"}


class _Snapshot:
    """A snapshot of a world that is being made."""

    def __init__(self, world: World) -> None:
        core = world.core
        self.slices = Slices(core.keyspace, core.shape, Saving(core.keyspace), [], [])
        self.parts: list[bytes] = []

    def step(self, most: int = 1 << 30) -> bool:
        self.parts.append(self.slices.take(most))
        return not self.slices.done

    def file(self) -> bytes:
        """All of it, at once."""
        while self.step():
            pass
        self.slices.close()
        return b"".join(self.parts)


def _shows(data: bytes, expected: bytes) -> bool:
    other = World(seed=5, databases=4)
    load(other, data)
    other.check()
    return digest(other) == expected


@pytest.fixture
def filled(world: World) -> World:
    fill(world.connect())
    world.connect().call("GEOADD", "places", 1, 1, "a")
    return world


def test_every_command_that_writes_is_tried() -> None:
    tried = {line.split()[0].lower() for line in CHANGES}
    writing = {command.name for command in REGISTRY.values() if Flag.WRITE in command.flags}
    assert writing - tried - ELSEWHERE - NEED_MORE == set()


@pytest.mark.parametrize("change", CHANGES[:: more_in_ci(3, 1)])
def test_a_change_is_not_in_a_snapshot_that_has_begun(filled: World, change: str) -> None:
    before = digest(filled)
    snapshot = _Snapshot(filled)
    filled.connect().call(*split(change))
    assert _shows(snapshot.file(), before)
    filled.check()


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-lfu"])
def test_nor_under_an_eviction_policy(filled: World, policy: str) -> None:
    chosen = load_policy(policy)
    filled.core.shape.use_engine(chosen.engine, chosen.volatile)
    for middle in (False, True):  # while the engine takes over, and when it has
        before = digest(filled)
        snapshot = _Snapshot(filled)
        client = filled.connect()
        if middle:
            while filled.core.shape.step():
                pass
        else:
            filled.core.shape.step()
        for change in ("APPEND raw more", "RPUSH list x", "HSET volatile f w", "SET session new", "DEL hash"):
            client.call(*split(change))
        assert _shows(snapshot.file(), before)
        filled.check()


@pytest.mark.parametrize("seed", range(8))
def test_many_changes_in_any_order_between_slices(filled: World, seed: int) -> None:
    chooser = random.Random(seed)
    client = filled.connect()
    for number in range(300):
        client.call("SET", f"k{number}", number)
    before = digest(filled)
    snapshot = _Snapshot(filled)
    lines = [line for line in CHANGES if not line.startswith(("FLUSH", "SWAPDB", "BL", "BR", "BZ"))]
    while snapshot.step(3000):
        for _ in range(chooser.randrange(8)):
            line = chooser.choice([*lines, *(f"INCR k{chooser.randrange(300)}" for _ in range(30))])
            client.call(*split(line))
            client.call("SELECT", chooser.choice((0, 0, 3)))
        if chooser.random() < 0.05:
            client.call("SWAPDB", 0, 3)
        if chooser.random() < 0.02:
            client.call("FLUSHDB")
    snapshot.slices.close()
    assert _shows(b"".join(snapshot.parts), before), seed
    filled.check()


def test_what_is_flushed_meanwhile_is_freed_in_the_end(filled: World) -> None:
    snapshot = _Snapshot(filled)
    filled.connect().call("FLUSHALL")
    assert not filled.core.keyspace.discarded
    snapshot.file()
    assert filled.core.keyspace.discarded


def test_nothing_is_told_of_changes_when_it_has_ended(filled: World) -> None:
    plain = type(filled.core.keyspace.databases[0])
    snapshot = _Snapshot(filled)
    assert type(filled.core.keyspace.databases[0]) is not plain
    snapshot.slices.close()
    assert type(filled.core.keyspace.databases[0]) is plain
    assert filled.core.keyspace.snapshot is None


def test_a_data_set_that_takes_the_place_of_this_one_gives_it_up(filled: World) -> None:
    other = World(databases=4)
    other.connect().call("SET", "k", "v")
    data = _Snapshot(other).file()
    snapshot = _Snapshot(filled)
    load(filled, data)
    assert snapshot.slices.abandoned
    assert filled.connect().call("KEYS", "*") == ["k"]


def test_what_waits_is_no_more_than_what_has_changed(filled: World) -> None:
    client = filled.connect()
    for number in range(5000):
        client.call("SET", f"k{number}", "v" * 100)
    snapshot = _Snapshot(filled)
    head = snapshot.slices.held()
    client.call("SET", "k1", "w")
    assert head < snapshot.slices.held() < head + 2000
