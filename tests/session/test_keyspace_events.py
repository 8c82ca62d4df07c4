"""Every event of the manual's list of keyspace notifications: the same from ours and from Redis, in the same order.

Each row has the commands that prepare the keys, those that are listened to, and the events with their keys. Rows of
commands that a server does not have are left out.
"""

from __future__ import annotations

import pytest

from pycache_server.commands.registry import REGISTRY
from tests.peers import Client, Ours, Peer, heard, listener_of

LIST, SET, ZSET, HASH, STREAM = "RPUSH l a b", "SADD s a b", "ZADD z 1 a 2 b", "HSET h a 1 b 2", "XADD x 1-1 f v"

ROWS = [
    # strings
    ("", "APPEND k v", "new k|append k"),
    ("SET k v", "APPEND k v", "append k"),
    ("", "SET k v", "new k|set k"),
    ("SET k v", "SET k w EX 100", "set k|expire k"),
    ("SET k v", "SET k w XX GET KEEPTTL", "set k"),
    ("SET k v", "SET k w NX", ""),
    ("", "SETEX k 100 v", "new k|set k|expire k"),
    ("", "PSETEX k 100000 v", "new k|set k|expire k"),
    ("SET k v", "SETNX k w;SETNX n w", "new n|set n"),
    ("SET k v", "GETSET k w", "set k"),
    ("SET k v", "GETDEL k", "del k"),
    ("SET k v", "GETEX k EX 100;GETEX k PERSIST;GETEX k;GETEX k PXAT 1", "expire k|persist k|del k"),
    ("", "MSET a 1 b 2", "new a|set a|new b|set b"),
    ("SET a 1", "MSETNX a 1 b 2;MSETNX b 1 c 2", "new b|set b|new c|set c"),
    ("", "SETRANGE k 1 v;SETRANGE k 0 w;SETRANGE k 0 ", "new k|setrange k|setrange k"),
    ("SET k 1", "INCR k;DECR k;INCRBY k 5;DECRBY k 5", "incrby k|incrby k|incrby k|incrby k"),
    ("SET k 1", "INCRBYFLOAT k 0.5", "incrbyfloat k"),
    ("", "SETBIT k 1 1;SETBIT k 1 1", "new k|setbit k"),
    ("SET k v", "BITOP NOT d k;BITOP AND d k none x;BITOP OR e none", "new d|set d|set d"),
    ("SET k v", "BITFIELD k SET u8 0 1 INCRBY u8 0 1;BITFIELD k GET u8 0", "setbit k"),
    # keys
    (f"SET k v;{LIST}", "DEL k l none;SET k v;UNLINK k", "del k|del l|new k|set k|del k"),
    ("SET k v", "EXPIRE k 100;PEXPIRE k 100000;EXPIREAT k 9999999999;PEXPIREAT k 9999999999000", "expire k|" * 4),
    ("SET k v", "EXPIRE k 100 XX;EXPIRE k -1", "del k"),
    ("SET k v EX 100", "PERSIST k;PERSIST k", "persist k"),
    ("SET k v", "RENAME k n", "new n|rename_from k|rename_to n"),
    ("MSET k v n w", "RENAME k n;RENAMENX n k", "new n|rename_from k|rename_to n|new k|rename_from n|rename_to k"),
    ("SET k v", "COPY k n;COPY k n;COPY k n REPLACE", "new n|copy_to n|new n|copy_to n"),
    ("SET k v", "MOVE k 1", "move_from k"),
    ("SET k v", "SELECT 1;SET k v;MOVE k 0;FLUSHDB", ""),
    ("SET k v", "SELECT 1;SET n v;MOVE n 0", "new n|move_to n"),
    ("SET k v", "SWAPDB 0 1;SWAPDB 0 1;TOUCH k;EXISTS k;TYPE k", ""),
    ("SET k v", "FLUSHDB;SET k v;FLUSHALL", "new k|set k"),
    (f"{LIST}", "SORT l ALPHA STORE d;SORT none STORE d;SORT l ALPHA", "new d|sortstore d|del d"),
    # lists
    ("", "LPUSH l a b;RPUSH l c;LPUSHX l d;RPUSHX l e;LPUSHX none x", "new l|lpush l|rpush l|lpush l|rpush l"),
    (LIST, "LPOP l;RPOP l", "lpop l|rpop l|del l"),
    (LIST, "LPOP l 2", "lpop l|del l"),
    (LIST, "LMPOP 2 none l RIGHT COUNT 9", "rpop l|del l"),
    (LIST, "LINSERT l BEFORE a x;LINSERT l AFTER none x;LSET l 0 y", "linsert l|lset l"),
    (LIST, "LREM l 0 a;LREM l 0 none;LREM l 0 b", "lrem l|lrem l|del l"),
    (LIST, "LTRIM l 0 -1;LTRIM l 5 6", "ltrim l|ltrim l|del l"),
    (LIST, "LMOVE l m LEFT RIGHT;RPOPLPUSH l m", "new m|rpush m|lpop l|lpush m|rpop l|del l"),
    (LIST, "LMOVE l l LEFT RIGHT;BLMOVE l m RIGHT LEFT 0", "rpush l|lpop l|new m|lpush m|rpop l"),
    (LIST, "BLPOP l 0;BRPOP l 0", "lpop l|rpop l|del l"),
    (LIST, "BRPOPLPUSH l m 0;BLMPOP 0 1 l LEFT", "new m|lpush m|rpop l|lpop l|del l"),
    # sets
    ("", "SADD s a b;SADD s a;SADD s c", "new s|sadd s|sadd s"),
    (SET, "SREM s a;SREM s none;SREM s b", "srem s|srem s|del s"),
    (SET, "SPOP s;SPOP s 5", "spop s|spop s|del s"),
    (SET, "SMOVE s t a;SMOVE s t none;SMOVE s t b", "srem s|new t|sadd t|srem s|del s|sadd t"),
    (SET, "SUNIONSTORE d s;SINTERSTORE d s;SDIFFSTORE d s none", "new d|sunionstore d|sinterstore d|sdiffstore d"),
    (f"{SET};SADD d x", "SINTERSTORE d s none;SUNIONSTORE d none", "del d"),
    # sorted sets
    ("", "ZADD z 1 a;ZADD z 1 a;ZADD z 2 a;ZADD z XX 3 none", "new z|zadd z|zadd z"),
    (ZSET, "ZADD z INCR 1 a;ZINCRBY z 1 b", "zincr z|zincr z"),
    (ZSET, "ZREM z a;ZREM z none;ZREM z b", "zrem z|zrem z|del z"),
    (ZSET, "ZPOPMIN z;ZPOPMAX z", "zpopmin z|zpopmax z|del z"),
    (ZSET, "BZPOPMIN z 0;ZMPOP 1 z MAX", "zpopmin z|zpopmax z|del z"),
    (ZSET, "BZMPOP 0 1 z MIN COUNT 5", "zpopmin z|del z"),
    (ZSET, "ZREMRANGEBYSCORE z 1 1;ZREMRANGEBYRANK z 0 -1", "zremrangebyscore z|zremrangebyrank z|del z"),
    (ZSET, "ZREMRANGEBYLEX z - +", "zremrangebylex z|del z"),
    (ZSET, "ZUNIONSTORE d 1 z;ZINTERSTORE d 1 z;ZDIFFSTORE d 1 z", "new d|zunionstore d|zinterstore d|zdiffstore d"),
    (ZSET, "ZRANGESTORE d z 0 -1;ZRANGESTORE d z 5 9;ZUNIONSTORE d 1 none", "new d|zrangestore d|del d"),
    # hashes
    ("", "HSET h a 1;HMSET h a 2 b 3;HSETNX h a 1;HSETNX h c 1", "new h|hset h|hset h|hset h"),
    (HASH, "HINCRBY h a 1;HINCRBYFLOAT h a 0.5", "hincrby h|hincrbyfloat h"),
    (HASH, "HDEL h a none;HDEL h none;HDEL h b", "hdel h|hdel h|del h"),
    (
        HASH,
        "HEXPIRE h 10 FIELDS 1 a;HPERSIST h FIELDS 1 a;HPEXPIRE h 0 FIELDS 2 a b",
        "hexpire h|hpersist h|hdel h|del h",
    ),
    # streams
    ("", "XADD x 1-1 f v;XADD x MAXLEN 1 2-1 f v;XADD x NOMKSTREAM 3-1 f v", "new x|xadd x|xadd x|xtrim x|xadd x"),
    (STREAM, "XADD none NOMKSTREAM * f v;XDEL x 1-1;XDEL x 1-1;XSETID x 5-5", "xdel x|xsetid x"),
    (f"{STREAM};XADD x 2-2 f v", "XTRIM x MAXLEN 1;XTRIM x MAXLEN 1", "xtrim x"),
    ("", "XGROUP CREATE x g $ MKSTREAM;XGROUP SETID x g 0", "new x|xgroup-create x|xgroup-setid x"),
    (
        "XGROUP CREATE x g $ MKSTREAM",
        "XGROUP CREATECONSUMER x g c;XGROUP DELCONSUMER x g c;XGROUP DESTROY x g",
        "xgroup-createconsumer x|xgroup-delconsumer x|xgroup-destroy x",
    ),
    # others
    ("", "PFADD p a;PFADD p a;PFMERGE d p", "new p|pfadd p|new d|pfadd d"),
    ("", "GEOADD g 1 2 a", "new g|zadd g"),
    ("GEOADD g 1 2 a", "GEOSEARCHSTORE d g FROMMEMBER a BYRADIUS 1 km ASC", "new d|geosearchstore d"),
    ("GEOADD g 1 2 a", "GEORADIUS g 1 2 1 km STORE d;GEORADIUS none 1 2 1 km STORE d", "new d|georadiusstore d|del d"),
]


def names(commands: str) -> set[str]:
    return {command.split()[0].lower() for command in commands.split(";") if command}


@pytest.mark.parametrize(("before", "commands", "events"), ROWS, ids=[row[1] for row in ROWS])
def test_events(peer: Peer, before: str, commands: str, events: str) -> None:
    client = peer.connect()
    needed = names(before) | names(commands)
    if not needed <= REGISTRY.keys() or None in client.call("COMMAND", "INFO", *needed):
        pytest.skip("not all of these commands are there")
    for command in filter(None, before.split(";")):
        client.call(*command.split(" "))
    listener = listener_of(peer)
    for command in commands.split(";"):
        client.call(*command.split(" "))
    expected = [tuple(event.split(" ")) for event in events.split("|") if event]
    assert heard(listener) == expected


@pytest.mark.parametrize(
    "command",
    [
        "GET none",
        "EXISTS none",
        "TTL none",
        "TYPE none",
        "LRANGE none 0 -1",
        "HGET none f",
        "STRLEN none",
        "ZSCORE none a",
    ],
)
def test_who_asks_for_what_is_not_there_may_be_told_of(peer: Peer, command: str) -> None:
    listener, client = listener_of(peer), peer.connect()
    peer.announce("Em")
    client.call(*command.split())
    assert heard(listener) == [("keymiss", "none")]


def test_keys_and_fields_that_expire(our_client: Client, ours: Ours) -> None:
    listener = listener_of(ours)
    our_client.call("SET", "k", "v", "PX", 10)
    our_client.call("HSET", "h", "a", 1, "b", 2)
    our_client.call("HPEXPIRE", "h", 10, "FIELDS", 1, "a")
    heard(listener)
    ours.world.advance(0.1)
    ours.world.expire()
    ours.world.host.settle()
    assert heard(listener) == [("expired", "k"), ("hexpired", "h")]
    our_client.call("HPEXPIRE", "h", 10, "FIELDS", 1, "b")
    ours.world.advance(0.1)
    ours.world.expire()
    ours.world.host.settle()
    assert heard(listener) == [("hexpire", "h"), ("hexpired", "h"), ("del", "h")]
