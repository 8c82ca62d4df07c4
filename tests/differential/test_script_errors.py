"""What functions of scripts say about bad input, and where in the script they say that it is: called in a list, by a
tail call, in functions, under pcall. Ours are written in Lua where Redis's are in C, so that levels of calls differ.

``error({})`` is left out: it ends a redis-server 7.0.15.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import RealRedis
from tests.differential.oracle import Pair

pytestmark = pytest.mark.interop

CALLS = r"""
cmsgpack.pack() cmsgpack.unpack('\149') cmsgpack.unpack('\193') cmsgpack.unpack(nil)
cmsgpack.unpack_limit('\149',1) cmsgpack.unpack_limit('\149',1,9) cmsgpack.unpack_limit('a',-1)
cmsgpack.unpack_limit('a') cmsgpack.unpack_limit('a','x') cmsgpack.unpack_limit({},1)
cmsgpack.unpack_one('\149') cmsgpack.unpack_one('\193') cmsgpack.unpack_one('a',-1) cmsgpack.unpack_one()
struct.pack('i17',1) struct.pack('q',1) struct.pack('i','x') struct.pack('!3i',1)
struct.unpack('i','a') struct.unpack('!3i','a') struct.unpack('s','a') struct.unpack('c0','a')
struct.unpack('b','ab',0) struct.unpack('b','ab',-1) struct.unpack('b','ab',0.5) struct.unpack('b','ab',1.5)
struct.unpack('','ab',0) struct.unpack('b','ab','x') struct.unpack('b','ab',9e99) struct.unpack('b','ab',-9e99)
struct.unpack('b','ab',3) struct.unpack('b','ab','2') struct.unpack('','ab',-5) struct.size('s')
cjson.decode('{') cjson.decode() cjson.encode(print) cjson.encode() cjson.encode({1,nil,[9999]=1})
bit.band() bit.band('x') bit.tohex() bit.bswap({})
string.rep() string.find('a','[') string.find('a','%') string.gsub('a','(','') string.gsub('a','a','%2')
string.gsub('a','a',1,'x') string.char(-1) string.format('%d','x') string.format('%y',1) string.sub() string.byte({})
string.dump(tostring) string.gmatch() string.match('a','%b')
table.concat({{}}) table.concat() table.insert({},1,2,3) table.insert({}) table.remove() table.sort({1,'x'})
table.sort({3,2,1},1) table.getn() unpack(1) unpack({},1,1e8)
math.floor('x') math.random(0) math.random(1,2,3) math.max() math.fmod(1)
setmetatable('',{}) setmetatable({},1) getmetatable() rawset(1) rawget({}) rawequal(1)
tonumber('1',99) tonumber() tostring() select(0) select('x') ipairs() pairs(1) next({},1) type()
error('x') error('x',2) error() assert(false,'m') assert(false) assert() pcall() xpcall() xpcall(1)
loadstring() loadstring({}) load(1) collectgarbage('x') coroutine.resume(1) coroutine.create(1) coroutine.wrap()
redis.call() redis.call('nope') redis.call('get') redis.call({}) redis.pcall('nope') redis.sha1hex() redis.log(1)
redis.log(9,'x') redis.setresp(9) redis.setresp() redis.error_reply(1) redis.status_reply() redis.set_repl(9)
redis.acl_check_cmd() redis.acl_check_cmd('nope') redis.replicate_commands() redis.breakpoint(1)
nope() nope.x ('x')() ('x').y.z #nil 1+{} {}..'x' {}<1 -{} KEYS() ARGV.x.y
"""
AROUND = {
    "listed": "return {%s}",
    "tail": "return %s",
    "local": "local x = %s return 1",
    "tail of a function": "local f = function() return %s end return {f()}",
    "in a function": "local f = function() local x = %s return x end return {f()}",
    "lines below": "local x\n\n\nx = %s\nreturn type(x)",
    "tail under pcall": "return {pcall(function() return %s end)}",
    "under pcall": "return {pcall(function() local x = %s return x end)}",
    "as text": "local ok, e = pcall(function() local x = %s end) return type(e) == 'table' and e.err or tostring(e)",
    "in a coroutine": "return {coroutine.resume(coroutine.create(function() local x = %s return x end))}",
}


@pytest.fixture
def pair(real_redis: RealRedis) -> Iterator[Pair]:
    pair = Pair(real_redis.port)
    yield pair
    pair.close()


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
def test_errors_of_functions_stand_where_they_stand_in_redis(pair: Pair, around: str) -> None:
    for call in CALLS.split():
        pair.run([b"EVAL", (around % call).encode(), b"0"])
