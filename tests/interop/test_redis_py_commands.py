"""Every command method of redis-py, called on our server and on a real one: both must answer the same.

``CALLS`` has one or more calls for each public method of redis-py's command classes, so a release that brings a method
fails here until somebody has looked at it. Before each call both servers hold the same keys. What may differ is listed
with the reason: replies that are compared by their type alone (``LOOSE``), methods that are not called
(``NOT_CALLED``), and commands that this server does not have (``ABSENT``). Where the real
server is too old for a command or an option (``NEWER``), ours must have it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest
import redis
import redis.commands.core as core
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.conftest import RealRedis
from tests.differential.oracle import forget_users
from tests.server.running import Running

pytestmark = [
    pytest.mark.interop,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::ResourceWarning"),
]

DATA = """
set("s", "hello")
set("n", "10")
set("t", "x", ex=1000)
rpush("l", "a", "b", "c")
rpush("m", "3", "1", "2")
sadd("u", "a", "b", "c")
sadd("v", "b", "c", "d")
zadd("z", {"a": 1, "b": 2, "c": 3})
zadd("y", {"b": 1, "d": 2.5})
hset("h", mapping={"f": "1", "g": "x"})
xadd("x", {"f": "1"}, id="1-1")
xadd("x", {"f": "2"}, id="2-1")
geoadd("geo", (13.36, 38.11, "P", 15.08, 37.5, "C"))
pfadd("pf", "a", "b")
xgroup_create("x", "grp", id="0")
"""
"""What both servers hold; what one of them does not know is left out on both."""

CALLS = """
append("s", "!"); bitcount("s"); bitcount("s", 0, 1); bitcount("s", 0, 5, "BIT")
bitfield("b").set("u8", 0, 255).incrby("u8", 0, 1, "SAT").get("u4", 0).execute(); bitfield_ro("s", "u8", 0)
bitop("AND", "d", "s", "n"); bitop("NOT", "d", "s"); bitpos("s", 1); bitpos("s", 0, 1); bitpos("s", 1, 0, 9, "BIT")
copy("s", "d"); copy("s", "n"); copy("s", "n", replace=True); copy("s", "s2", destination_db=1); decr("n")
decrby("n", 3); decr("s"); delete("s", "none"); unlink("s", "l", "none"); delex("s"); delex("s", ifeq="hello")
delex("s", ifne="hello"); delex("s", ifdeq="9555e8555c62dcfd"); delex("l", ifeq="x"); digest("s"); digest("none")
digest("l"); dump("none"); exists("s", "s", "none"); expire("s", 100); expire("s", 100, nx=True)
expire("t", 100, gt=True); expire("none", 1); expireat("s", 9999999999); expireat("s", 1)
expireat("t", 9999999999, lt=True); expiretime("t"); expiretime("s"); expiretime("none"); pexpiretime("s"); get("s")
get("none"); get("l"); getbit("s", 1); getdel("s"); getdel("l"); getex("s"); getex("s", ex=100)
getex("t", persist=True); getex("s", pxat=1); getrange("s", 1, -2); substr("s", 0, 2); getset("s", "new")
getset("l", "x"); incr("n"); incrby("n", 5); incrbyfloat("n", 0.5); incrbyfloat("s", 1); increx("n")
increx("n", byint=5, ubound=12, saturate=True); increx("n", byfloat=0.5, ex=100, enx=True); keys(); keys("?")
keys("none*"); lmove("l", "m"); lmove("l", "m", "RIGHT", "LEFT"); blmove("l", "m", 1); blmove("none", "m", 0.01)
lmovem("l", "m"); lmovem("l", "m", count=2, mode="COUNT", ordering="BULK"); blmovem("l", "m", 1)
mget("s", "none", "l"); mset({"a": 1, "b": 2}); msetnx({"a": 1, "s": 2}); msetnx({"a": 1, "b": 2})
msetex({"a": 1, "b": 2}); msetex({"a": 1}, ex=100); move("s", 2); move("none", 2); persist("t"); persist("s")
pexpire("s", 100000); pexpireat("s", 9999999999000); psetex("d", 100000, "v"); setex("d", 100, "v")
setex("d", 0, "v"); pttl("t"); pttl("s"); pttl("none"); ttl("t"); ttl("s"); ttl("none"); randomkey(); rename("s", "d")
rename("none", "d"); renamenx("s", "n"); renamenx("s", "d"); restore("d", 0, b"nonsense"); set("d", "v")
set("s", "v", nx=True); set("s", "v", xx=True, get=True); set("d", "v", ex=10); set("t", "v", keepttl=True)
set("s", "v", ifeq="hello"); setbit("d", 7, 1); setnx("s", "v"); setnx("d", "v"); setrange("s", 2, "xx")
setrange("s", -1, "x"); stralgo("LCS", "a", "b"); strlen("s"); strlen("l"); touch("s", "none"); type("s"); type("z")
type("x"); type("none"); lcs("s", "n"); lcs("s", "s", len=True); lcs("s", "s", idx=True, withmatchlen=True)
watch("s"); unwatch(); hrandfield("h"); hrandfield("h", 5); hrandfield("h", 5, True); hrandfield("none", 2)
cluster("INFO"); cluster("SLOTS"); cluster("KEYSLOT", "a"); readonly(); readwrite(); geoadd("geo", (1, 2, "X"))
geoadd("geo", (1, 2, "P"), xx=True, ch=True); geodist("geo", "P", "C"); geodist("geo", "P", "C", "km")
geohash("geo", "P", "none"); geopos("geo", "P", "none")
georadius("geo", 15, 37, 200, "km", withdist=True, sort="ASC")
georadiusbymember("geo", "P", 200, "km", withcoord=True, sort="DESC"); georadius("geo", 15, 37, 200, "km", store="d")
geosearch("geo", member="P", radius=200, unit="km", sort="ASC", withhash=True)
geosearchstore("d", "geo", longitude=15, latitude=37, width=400, height=400, unit="km"); hdel("h", "f", "none")
hexists("h", "f"); hget("h", "f"); hget("s", "f"); hgetall("h"); hgetall("none"); hgetdel("h", "f", "none")
hgetex("h", "f", ex=100); hsetex("h", "f", "v", ex=100); hsetex("h", mapping={"a": 1}, px=1000); hincrby("h", "f")
hincrby("h", "g"); hincrbyfloat("h", "f", 1.5); hkeys("h"); hvals("h"); hlen("h"); hlen("s"); hset("h", "f", "2")
hset("d", mapping={"a": 1, "b": 2}); hsetnx("h", "f", "x"); hsetnx("h", "n", "x"); hmset("h", {"a": 1})
hmget("h", "f", "none"); hmget("h", ["f", "g"]); hstrlen("h", "f"); hexpire("h", 100, "f")
hpexpire("h", 1000, "f", nx=True); hexpireat("h", 9999999999, "f"); hpexpireat("h", 9999999999000, "f")
hpersist("h", "f"); hexpiretime("h", "f"); hpexpiretime("h", "f"); httl("h", "f"); hpttl("h", "none")
pfadd("pf", "c"); pfadd("pf", "a"); pfcount("pf", "none"); pfmerge("d", "pf"); blpop("l", 1); blpop(["none", "l"], 1)
blpop("none", 0.01); brpop("l", 1); brpoplpush("l", "m", 1); brpoplpush("none", "m", 0.01)
blmpop(1, 2, "none", "l", direction="LEFT"); lmpop(1, "l", direction="RIGHT", count=2)
lmpop(1, "none", direction="RIGHT"); lindex("l", 0); lindex("l", 9); linsert("l", "BEFORE", "b", "x"); llen("l")
llen("s"); lpop("l"); lpop("l", 2); lpop("none"); lpush("l", "x", "y"); lpushx("none", "x"); rpush("d", 1, 2)
rpushx("l", "x"); lrange("l", 0, -1); lrem("l", 0, "b"); lset("l", 0, "x"); lset("l", 9, "x"); ltrim("l", 1, 1)
rpop("l"); rpop("l", 5); rpoplpush("l", "m"); lpos("l", "b"); lpos("l", "b", count=0); sort("m")
sort("m", desc=True, start=0, num=2); sort("l", alpha=True, store="d"); sort("l"); sort_ro("m")
sort("m", get=["#", "w_*"], groups=True); acl_cat(); acl_cat("string"); acl_dryrun("default", "GET", "a")
acl_deluser("nobody"); acl_genpass(); acl_genpass(16); acl_getuser("nobody"); acl_help(); acl_list(); acl_log()
acl_log_reset(); acl_load(); acl_save()
acl_setuser("someone", enabled=True, nopass=True, commands=["+get"], keys=["a*"]); acl_users(); acl_whoami()
auth("x"); auth("x", "nobody"); role(); client_info(); client_list(); client_list(_type="normal"); client_getname()
client_getredir(); client_kill("127.0.0.1:1"); client_kill_filter(_id="9999999"); client_id(); client_tracking(True)
client_tracking_on(); client_tracking_off(); client_trackinginfo(); client_setname("me"); client_setname("a b")
client_setinfo("LIB-NAME", "x"); client_unblock(9999999); client_unpause(); client_no_evict("ON")
client_no_touch("OFF"); command(); command_info(); command_count(); command_list(); command_list(pattern="getd*")
command_list(category="nope"); command_getkeysandflags("SET", "a", "b"); command_docs("GET")
command_getkeys("MSET", "a", "b"); command_getkeys("ECHO", "x"); config_get("maxclients")
config_get("hash-*-entries", "timeout"); config_set("timeout", 0); config_set("nope", 1); config_set("timeout", "x")
config_resetstat(); config_rewrite(); dbsize(); debug_object("s"); debug_object("none"); echo("x"); flushall()
flushdb(); flushdb(asynchronous=True); swapdb(0, 1); swapdb(0, 99); select(1); select(99); info(); info("keyspace")
info("nope"); lastsave(); latency_doctor(); latency_graph(); lolwut(); lolwut(5, 20, 2, 2); reset(); ping(); time()
object("encoding", "s"); object("encoding", "n"); object("refcount", "s"); object("idletime", "s")
object("freq", "s"); object("encoding", "none"); memory_doctor(); memory_help(); memory_stats(); memory_malloc_stats()
memory_usage("s"); memory_usage("none"); memory_purge(); latency_histogram(); latency_histogram("nope")
latency_history("nope"); latency_latest(); latency_reset(); latency_reset("nope"); slowlog_get(); slowlog_get(1)
slowlog_len(); slowlog_reset(); wait(0, 1); wait(1, 10); waitaof(0, 0, 1); waitaof(1, 0, 1); hello(); hotkeys_stop()
hotkeys_reset(); migrate("127.0.0.1", 1, "none", 0, 10); module_load("/none.so")
module_loadex("/none.so"); module_unload("none"); module_list(); publish("c", "m"); spublish("c", "m")
pubsub_channels(); pubsub_channels("x*"); pubsub_shardchannels(); pubsub_numpat(); pubsub_numsub("c")
pubsub_shardnumsub("c"); scan(); scan(match="s*", count=100); scan(_type="zset", count=100); list(scan_iter())
sscan("u"); sorted(sscan_iter("u")); hscan("h"); list(hscan_iter("h")); hscan("h", no_values=True); zscan("z")
list(zscan_iter("z", match="a")); eval("return {1, redis.call('get', KEYS[1])}", 1, "s")
eval_ro("return redis.call('get', KEYS[1])", 1, "s"); evalsha("f" * 40, 0); evalsha_ro("f" * 40, 0)
script_exists("f" * 40); script_flush(); script_kill(); script_load("return 1"); register_script("return 1").sha
script_debug("YES"); function_load("#!lua name=lib1\\nredis.register_function('f1', function() return 1 end)")
function_delete("none"); function_flush(); function_list(); fcall("none", 0); fcall_ro("none", 0); function_dump()
function_restore(b"nonsense"); function_kill(); function_stats(); sadd("u", "x", "a"); scard("u"); sdiff("u", "v")
sdiffcard(2, ["u", "v"]); sdiffstore("d", "u", "v"); sinter("u", "v"); sintercard(2, ["u", "v"], limit=1)
sinterstore("d", "u", "v"); sismember("u", "a"); smembers("u"); smembers("s"); smismember("u", "a", "z")
smove("u", "v", "a"); spop("u"); spop("u", 9); spop("none"); srandmember("u"); srandmember("u", 9)
srem("u", "a", "z"); sunion("u", "v"); sunioncard(2, ["u", "v"]); sunionstore("d", "u", "v"); zadd("z", {"a": 5})
zadd("z", {"a": 5}, incr=True); zadd("z", {"q": 5}, xx=True); zadd("z", {"a": 0.5}, gt=True, ch=True); zcard("z")
zcount("z", "-inf", 2); zdiff(["z", "y"], withscores=True); zdiffstore("d", ["z", "y"]); zincrby("z", 1.5, "a")
zinter(["z", "y"], withscores=True, aggregate="MAX"); zinterstore("d", {"z": 2, "y": 3}); zintercard(2, ["z", "y"])
zlexcount("z", "-", "+"); zpopmax("z"); zpopmin("z", 2); zpopmin("none"); zrandmember("z")
zrandmember("z", 9, withscores=True); bzpopmax("z", 1); bzpopmin(["none", "z"], 1); bzpopmin("none", 0.01)
zmpop(1, ["z"], min=True, count=2); zmpop(1, ["none"], max=True); bzmpop(1, 1, ["z"], max=True); zrange("z", 0, -1)
zrange("z", 0, -1, withscores=True, desc=True); zrange("z", "(1", 9, byscore=True, offset=0, num=1)
zrangestore("d", "z", 0, 1); zrevrange("z", 0, -1, withscores=True); zrangebylex("z", "-", "+")
zrevrangebylex("z", "+", "-"); zrangebyscore("z", 1, 2, withscores=True); zrevrangebyscore("z", 3, 2); zrank("z", "b")
zrank("z", "none"); zrank("z", "b", withscore=True); zrem("z", "a"); zremrangebylex("z", "-", "+")
zremrangebyrank("z", 0, 0); zremrangebyscore("z", 1, 2); zrevrank("z", "a"); zscore("z", "b"); zscore("z", "none")
zunion(["z", "y"], withscores=True); zunionstore("d", ["z", "y"], aggregate="MIN"); zmscore("z", ["a", "none"])
xack("x", "grp", "1-1"); xackdel("x", "grp", "1-1"); xadd("x", {"f": 3}, id="3-1"); xadd("x", {"f": 3}, id="1-1")
xadd("none", {"f": 3}, nomkstream=True); xadd("x", {"f": 3}, id="5-*", maxlen=1, approximate=False)
xautoclaim("x", "grp", "me", 0); xclaim("x", "grp", "me", 0, ["1-1"]); xdel("x", "1-1", "9-9"); xdelex("x", "1-1")
xgroup_create("x", "g2"); xgroup_create("none", "g"); xgroup_delconsumer("x", "grp", "me"); xgroup_destroy("x", "grp")
xgroup_createconsumer("x", "grp", "me"); xgroup_setid("x", "grp", "0"); xinfo_consumers("x", "grp"); xinfo_groups("x")
xinfo_stream("x"); xinfo_stream("x", full=True); xinfo_stream("none"); xlen("x"); xpending("x", "grp")
xpending_range("x", "grp", "-", "+", 10); xrange("x"); xrange("x", "2", "+", 1); xread({"x": "0"}); xread({"x": "$"})
xread({"none": "0"}, block=1); xreadgroup("grp", "me", {"x": ">"}); xrevrange("x"); xrevrange("x", count=1)
xtrim("x", maxlen=1, approximate=False); xtrim("x", minid="2"); xcfgset("x", idmp_duration=1)
xnack("x", "grp", "FAIL", "1-1")
"""
"""Calls, separated by lines and semicolons."""

ITSELF = "tells of the server itself"
CHANCE = "draws at random, or in no order"
LOOSE = {
    **dict.fromkeys(
        (
            "acl_cat",
            "acl_genpass",
            "acl_help",
            "acl_list",
            "client_id",
            "client_info",
            "client_list",
            "command",
            "command_count",
            "command_docs",
            "command_info",
            "command_list",
            "debug_object",
            "function_stats",
            "hello",
            "info",
            "lastsave",
            "latency_histogram",
            "latency_latest",
            "lolwut",
            "memory_doctor",
            "memory_help",
            "memory_malloc_stats",
            "memory_stats",
            "memory_usage",
            "role",
            "slowlog_get",
            "slowlog_len",
            "time",
            "client_trackinginfo",
            "function_dump",
            "acl_log",
        ),
        ITSELF,
    ),
    **dict.fromkeys(
        ("hrandfield", "randomkey", "spop", "srandmember", "zrandmember", "scan", "scan_iter", "sscan"), CHANCE
    ),
    "xinfo_stream": "radix trees are another implementation's",
    "xautoclaim": "times since a delivery",
    "xpending_range": "times since a delivery",
    "xinfo_consumers": "times since a delivery",
    **dict.fromkeys(("expiretime", "pttl", "ttl"), "the clocks of two calls"),
}
"""Methods whose replies are compared by type alone, each with its reason."""

NOT_CALLED = {
    **dict.fromkeys(("client_reply", "quit", "sync", "psync"), "takes the connection from redis-py"),
    **dict.fromkeys(("client_pause",), "holds the other tests up"),
    **dict.fromkeys(("debug_segfault", "shutdown"), "ends the server"),
    **dict.fromkeys(("bgsave", "bgrewriteaof", "save"), "writes files"),
    **dict.fromkeys(("replicaof", "slaveof", "failover"), "makes the server another's replica"),
    "digest_local": "asks no server",
    "himport_prepare_internal": "belongs to the bulk import of Redis 8.10",
    **dict.fromkeys(
        ("hotkeys_start", "hotkeys_get"),
        "Redis 8.6 counts CPU and network time; ours counts accesses (docs/reports.md)",
    ),
}
"""Methods that are not called, each with its reason."""

ABSENT = {
    **dict.fromkeys(
        (
            "arset",
            "armset",
            "arget",
            "armget",
            "argetrange",
            "arscan",
            "argrep",
            "ardel",
            "ardelrange",
            "arcount",
            "arlen",
            "arinfo",
            "arnext",
            "arseek",
            "arinsert",
            "arring",
            "arlastitems",
            "arop",
        ),
        "arrays are a type of Redis 8.8",
    ),
    **dict.fromkeys(("himport_set", "himport_discard_internal", "himport_discard_all_internal"), "Redis 8.10"),
    **dict.fromkeys(("xcfgset", "xnack"), "streams of Redis 8.8"),
    "stralgo": "was taken from Redis 7.0",
    "memory_help": "redis-py calls MEMORY HELP with words of its own",
    "latency_graph": "redis-py refuses to call it",
    "latency_doctor": "redis-py refuses to call it",
}
"""Methods whose commands neither of the servers answers, each with its reason."""

NEWER = re.compile(r"\bno_values=|\bwithscore=|\bifeq=")
"""Options that the real server may be too old for."""


def public_methods() -> set[str]:
    """The names of all command methods of redis-py."""
    skipped = {"BitFieldOperation", "Script"}
    classes = [
        found
        for name, found in inspect.getmembers(core, inspect.isclass)
        if name.endswith("Commands") and not name.startswith("Async") and name not in skipped
    ]
    return {name for found in classes for name, value in vars(found).items() if name[0] != "_" and callable(value)}


def lines(text: str) -> list[str]:
    return [call.strip() for line in text.splitlines() for call in re.split(r"; (?=\w+\()", line) if call.strip()]


def method_of(call: str) -> str:
    return re.sub(r"^(list|sorted)\(", "", call).partition("(")[0]


CALLS_OF: dict[str, list[str]] = {}
for _call in lines(CALLS):
    CALLS_OF.setdefault(method_of(_call), []).append(_call)


def run(client: redis.Redis, call: str) -> Any:
    """What a call returns, or raises."""
    method = method_of(call)
    try:
        return eval(re.sub(rf"\b{method}\(", f"client.{method}(", call, count=1), {"client": client})
    except (redis.RedisError, NotImplementedError, redis.exceptions.DataError) as error:
        return error


def shown(value: Any) -> Any:
    """A reply that can be compared: errors by class and text, sets in order, replies of maps without order."""
    if isinstance(value, Exception):
        return type(value).__name__, str(value)
    if isinstance(value, dict):
        return {str(shown(key)): shown(each) for key, each in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    if isinstance(value, (list, tuple)):
        return [shown(each) for each in value]
    return value


UNORDERED = ("keys", "smembers", "sdiff", "sinter", "sunion", "hkeys", "hvals", "acl_users", "sscan")


def is_unknown(value: Any) -> bool:
    return isinstance(value, redis.ResponseError) and str(value).startswith(("unknown command", "unknown subcommand"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that allows what the real one does."""
    with Running(tmp_path_factory.mktemp("server"), "--enable-debug-command", "yes") as running:
        yield running


@pytest.fixture(scope="module", params=[2, 3], ids=["resp2", "resp3"])
def clients(
    request: pytest.FixtureRequest, real_redis: RealRedis, server: Running
) -> Iterator[tuple[redis.Redis, redis.Redis]]:
    """redis-py on a real server and on ours, over one connection each."""
    found = [
        redis.Redis(
            port=port,
            protocol=request.param,
            decode_responses=True,
            single_connection_client=True,
            retry=Retry(NoBackoff(), 0),
        )
        for port in (real_redis.port, server.port)
    ]
    yield found[0], found[1]
    for client in found:
        client.close()


def prepare(real: redis.Redis, ours: redis.Redis) -> None:
    """Hold the same on both."""
    for client in (real, ours):
        client.execute_command("RESET")
        client.connection.disconnect()  # type: ignore[union-attr]
        client.flushall()
        client.function_flush()  # the real one may serve other modules, too
        forget_users(lambda words: client.execute_command(*words, NEVER_DECODE=True))  # noqa: B023
    for call in lines(DATA):
        replies = [run(client, call) for client in (real, ours)]
        if any(map(is_unknown, replies)) and not all(map(is_unknown, replies)) and not call.startswith("xgroup"):
            for client in (real, ours):
                client.delete(call.split('"')[1])


@pytest.mark.parametrize("method", sorted(CALLS_OF))
def test_a_method_gets_the_reply_of_redis(clients: tuple[redis.Redis, redis.Redis], method: str) -> None:
    real, ours = clients
    for call in CALLS_OF[method]:
        prepare(real, ours)
        theirs, mine = run(real, call), run(ours, call)
        if is_unknown(mine):
            assert method in ABSENT, call
            continue
        if is_unknown(theirs) or (NEWER.search(call) and isinstance(theirs, redis.ResponseError)):
            assert not is_unknown(mine)
            continue
        if method in LOOSE and type(theirs) is type(mine):
            continue
        one, other = shown(theirs), shown(mine)
        if method in UNORDERED and isinstance(one, list) and isinstance(other, list):
            one, other = sorted(one, key=repr), sorted(other, key=repr)
        assert one == other, call


def test_every_method_is_called_or_has_a_reason() -> None:
    known = CALLS_OF.keys() | NOT_CALLED.keys() | ABSENT.keys()
    assert public_methods() - known == set()


def test_reasons_are_about_methods_that_are_there() -> None:
    methods = public_methods()
    for names in (CALLS_OF, LOOSE, NOT_CALLED, ABSENT):
        assert set(names) - methods == set()
