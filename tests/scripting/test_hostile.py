"""A thousand hostile scripts: none gets out of the sandbox, none changes what others see, none harms the server.

Each form of attack is combined with everything that it may aim at; what it may end with stands beside it. After each
the server is as it was: another script sees the same globals, libraries and metatables, and the keys are there.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pycache_server.testing.inprocess import Client, World
from tests.conftest import more_in_ci, some_slow

READONLY = "Attempt to modify a readonly table"
LIBRARIES = "redis string table math coroutine os cjson cmsgpack struct bit".split()  # noqa: SIM905
FUNCTIONS = [
    "assert",
    "tostring",
    "error",
    "rawequal",
    "select",
    "tonumber",
    "type",
    "unpack",
    "ipairs",
    "gcinfo",
    "getmetatable",
    "setmetatable",
    "next",
    "pairs",
    "rawget",
    "rawset",
    "pcall",
    "xpcall",
    "collectgarbage",
    "loadstring",
    "load",
    "string.rep",
    "string.find",
    "string.gsub",
    "string.format",
    "table.insert",
    "table.sort",
    "table.concat",
    "math.random",
    "math.floor",
    "coroutine.create",
    "coroutine.wrap",
    "os.clock",
    "redis.call",
    "redis.pcall",
    "redis.log",
    "redis.sha1hex",
    "redis.setresp",
    "redis.error_reply",
    "cjson.encode",
    "cjson.decode",
    "cmsgpack.pack",
    "cmsgpack.unpack",
    "struct.pack",
    "struct.unpack",
    "bit.band",
    "bit.tohex",
]
FORBIDDEN = [
    "io",
    "debug",
    "package",
    "require",
    "module",
    "dofile",
    "loadfile",
    "print",
    "python",
    "os.execute",
    "os.exit",
    "os.getenv",
    "os.remove",
    "os.tmpname",
    "getfenv",
    "setfenv",
    "newproxy",
    "string.mt",
    "redis.invoke",
    "host",
    "lua",
    "jit",
    "ffi",
    "eval",
    "exec",
    "__import__",
    "builtins",
    "arg",
    "_LOADED",
    "package.loaded",
    "package.loadlib",
    "io.open",
    "io.popen",
    "debug.getinfo",
    "debug.sethook",
    "debug.getregistry",
    "debug.setmetatable",
    "python.eval",
    "python.builtins",
    "python.globals",
    "python.as_attrgetter",
]
TABLES = (*LIBRARIES, "_G", "getmetatable('')", "getmetatable(_G)")
WRITES = (
    "{0}.x = 1",
    "{0}[1] = 1",
    "{0}.call = nil",
    "{0}.__index = {{}}",
    "rawset({0}, 'x', 1)",
    "rawset({0}, 1, 1)",
    "setmetatable({0}, {{}})",
    "setmetatable({0}, nil)",
    "table.insert({0}, 1)",
    "table.insert({0}, 1, 1)",
    "for k in pairs({0}) do {0}[k] = nil end",
    "local t = {0} t.y = function() end",
    "(function(t) t[{{}}] = t end)({0})",
    "pcall(rawset, {0}, 'x', 1) error('{1}')",
    "local _, t = pairs({0}) rawset(t, 'x', 1)",
    "local f, t = pairs({0}) t.x = 1",
    "coroutine.wrap(function() {0}.x = 1 end)()",
    "loadstring('local t = ... t.x = 1')({0})",
    "string.gsub('a', 'a', function() {0}.x = 1 end)",
    "local m = setmetatable({{}}, {{__index = {0}, __newindex = {0}}}) m.x = 1",
    "table.sort({{1, 2}}, function() {0}.x = 1 end)",
)
EXPLORATIONS = (
    "return type({0})",
    "return {0}.x",
    "return tostring({0})",
    "return #{0}",
    "return {0}.__class__",
    "return {0}.__globals__",
    "return {0}['__init__']",
    "return getmetatable({0}).__index",
    "return getmetatable({0}).__class__",
    "return rawget({0}, '__call')",
    "for k, v in pairs({0}) do end",
    "return next({0})",
    "return {0} .. 'x'",
    "{0}.x = 1",
    "return string.dump({0})",
    "return loadstring(string.dump({0}))()",
    "return setmetatable({0}, {{}})",
    "return coroutine.create({0})",
    "return pcall({0}, {{}}, {{}}, {{}})",
    "return xpcall({0}, {0})",
    "return pcall({0}, {0}, {0}, {0})",
    "return pcall({0}, setmetatable({{}}, {{__index = error, __tostring = error}}))",
    "return coroutine.wrap(pcall)({0}, _G)",
    "return pcall({0}, redis, redis)",
    "return pcall({0}, _G, _G, _G)",
    "return pcall({0}, ('x'):rep(1000), -1, 1e308, 0/0)",
    "return pcall({0}, nil, false, cjson.null)",
)

PROBE = """
local names = {}
for name, value in pairs(_G) do
    if name ~= 'KEYS' and name ~= 'ARGV' then names[#names + 1] = name .. ':' .. type(value) end
end
for _, library in pairs({redis, string, table, math, coroutine, os, cjson, cmsgpack, struct, bit}) do
    for name, value in pairs(library) do names[#names + 1] = tostring(name) .. ':' .. type(value) end
end
table.sort(names)
names[#names + 1] = ('x'):rep(3) .. ('%d'):format(5) .. tostring(getmetatable('').__index == string)
names[#names + 1] = tostring(pcall(function() undefined() end)) .. tostring(rawget(_G, 1)) .. tostring(rawget(redis, 'x'))
names[#names + 1] = redis.call('get', 'sentinel') .. cjson.encode({1, {a = cjson.null}}) .. bit.tohex(255)
return table.concat(names, ' ')
"""


class Victim:
    """A server, and whether it is as it was."""

    def __init__(self) -> None:
        self.world = World(databases=2)
        self.client = self.world.connect(decode=False)
        self.client.call("SET", "sentinel", "safe")
        self.before = self.client.call("EVAL", PROBE, 0)
        assert isinstance(self.before, bytes)
        self.size = self.client.call("DBSIZE")

    def suffer(self, script: str) -> str:
        """Run a script; what it has ended with."""
        found = str(self.client.call("EVAL", script, 1, "key", "argument"))
        assert self.client.call("EVAL", PROBE, 0) == self.before, script
        assert self.client.call("DBSIZE") == self.size, script
        assert not self.world.core.stats.unexpected_errors, self.world.host.messages
        return found


@pytest.fixture(scope="module")
def victim() -> Iterator[Victim]:
    victim = Victim()
    yield victim
    victim.world.check()


@pytest.mark.parametrize("target", TABLES)
def test_what_is_shared_cannot_be_written(victim: Victim, target: str) -> None:
    for form in WRITES:
        script = form.format(target, READONLY)
        found = victim.suffer(script)
        assert READONLY in found or found == "None", script


@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_is_forbidden_is_not_there(victim: Victim, name: str) -> None:
    head = name.split(".")[0]
    for script in (
        f"return {name}",
        f"return {name}('x')",
        f"return _G.{name}",
        f"return rawget(_G, '{head}').x",
        f"return loadstring('return {name}')()",
        f"return load(function() return nil end, '{name}')() or {name}",
        f"local ok, e = pcall(function() return {name}.x end) return e",
    ):
        found = victim.suffer(script)
        assert "nonexistent global" in found or "attempt to" in found or found in ("None", "[]"), script


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_lead_nowhere(victim: Victim, name: str) -> None:
    for form in EXPLORATIONS:
        found = victim.suffer(form.format(name))
        assert "Python" not in found
        assert "built-in" not in found


BYTECODE = (
    "return loadstring(string.dump(function() return 1 end))()",
    "return load(function() return '\\27Lua' end)()",
    "local s = string.dump(function() end) return loadstring(s, 'x')()",
    "local d = false return load(function() if d then return nil end d = true return string.dump(error) end)()",
    "\x1bLua",
    "\x1bLuaQ\x00\x01\x04\x08\x04\x08\x00",
    "return loadstring('\\27' .. string.rep('x', 1000))()",
)


@pytest.mark.parametrize("script", BYTECODE)
def test_bytecode_is_not_loaded(victim: Victim, script: str) -> None:
    found = victim.suffer(script)
    assert "attempt to call" in found or "unexpected symbol" in found or "unable to dump" in found


RECURSIONS = (
    "local function f() return 1 + f() end return f()",
    "local t = {} for i = 1, 100000 do t = {t} end return t",
    "local t = {} t[1] = t return t",
    "local t = {} t[1] = t return cjson.encode(t)",
    "local t = {} t[1] = t return #cmsgpack.pack(t)",
    "local t = {} t.map = t return t",
    "local t = {} t.set = {[t] = true} return t",
    "return cjson.decode(string.rep('[', 100000))",
    "return cjson.decode(string.rep('{\"a\":', 100000))",
    "return cmsgpack.unpack(string.rep('\\145', 100000))",
    "local t = setmetatable({}, {}) getmetatable(t).__index = t return t.x",
    "local t = setmetatable({}, {__index = function(t, k) return t[k] end}) return t.x",
    "local t = setmetatable({}, {__tostring = function(t) return tostring(t) end}) return tostring(t)",
    "local function f() return coroutine.wrap(f)() end return f()",
    "local function f(n) return pcall(f, n + 1) end return f(1)",
    "local function f() string.gsub('x', 'x', f) end f()",
    "local function f(a, b) table.sort({2, 1}, f) return false end f()",
    "return string.rep('(', 100000):find(string.rep('(', 100000))",
    "return ('x'):find(string.rep('(', 40))",
    "return ('a'):rep(100000):find(string.rep('a?', 100000))",
    "return loadstring('return ' .. string.rep('(', 100000) .. '1' .. string.rep(')', 100000))",
    "return loadstring(string.rep('do ', 10000) .. string.rep('end ', 10000))",
    "return loadstring('return ' .. string.rep('-', 1) .. string.rep('{', 100000))",
    "return unpack({}, 1, 1e7)",
    "return unpack({}, -1e9, 1e9)",
    "return select(-1e9, 1)",
    "return string.char(unpack({}, 1, 7000))",
    "return table.concat({}, 'x', 1, 1e9)",
    "error(setmetatable({}, {__tostring = error}))",
    "error(setmetatable({}, {__index = error}))",
    "error(redis)",
    "error(_G)",
    "error(function() end)",
    "error(coroutine.create(function() end))",
    "error({err = {}})",
    "error({err = 5, source = {}, line = {}})",
    "error(setmetatable({err = 'x'}, {__newindex = error}))",
    "error(error)",
    "error(cjson.null)",
)


@pytest.mark.parametrize("script", RECURSIONS)
def test_depth_and_odd_errors_end_in_an_error_or_a_value(victim: Victim, script: str) -> None:
    client = victim.client
    client.raw = b""
    client.start("EVAL", script, 0)
    assert client.raw[:1] in b"-$*:%~+"
    assert client.raw.endswith(b"\r\n")
    client.reader = type(client.reader)(notEnoughData=Ellipsis)  # the reply may be too deep for it
    fresh = victim.world.connect(decode=False)
    assert fresh.call("EVAL", PROBE, 0) == victim.before
    victim.client = fresh


BOMBS = (
    "return string.rep('x', 1e9)",
    "local s = 'x' while true do s = s .. s end",
    "local t = {} while true do t[#t + 1] = string.rep('x', 1000) .. #t end",
    "local t = {} for i = 1, 1e9 do t[i] = i end",
    "local t = {} while true do pcall(function() t[#t + 1] = string.rep('x', 1e6) .. #t end) if #t > 1000 then break end "
    "if redis.pcall('ping').err then error('full') end end",
    "return string.format('%9999d', 1)",
    "return ('x'):rep(1e6):gsub('x', ('y'):rep(1000))",
    "return table.concat({('x'):rep(3e7), ('y'):rep(3e7)})",
    "local t = {('x'):rep(1e7)} local e = cjson.encode({t, t, t, t, t, t, t, t})",
    "local t = {} for i = 1, 30 do t = {t, t} end return cjson.encode(t)",
    "local t = {} for i = 1, 30 do t = {t, t} end return t",
    "local t = {} for i = 1, 14 do t = {t, t, t, t} end return #cmsgpack.pack(t)",
    "return redis.call('append', 'sentinel', ('x'):rep(1e9))",
    "redis.call('set', 'big', ('x'):rep(1e7)) local t = {} for i = 1, 100 do t[i] = redis.call('get', 'big') .. i end",
    "local t = {} while true do t[#t + 1] = redis.call('lolwut') .. #t end",
    "local t = {} while true do t[#t + 1] = redis.sha1hex(#t) .. ('x'):rep(10000) end",
    "local t = {} while true do t[#t + 1] = function() return t end end",
    "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end",
    "local t = {} while true do t[#t + 1] = {redis.call('time')} end",
    "local t = {} while true do t[#t + 1] = loadstring('return ' .. #t) end",
    "local s = ('x'):rep(3e7) local t = {} while true do t[#t + 1] = bit.tohex(#t) .. s end",
    "return struct.pack('c0', ('x'):rep(1e9))",
    "return cmsgpack.pack(('x'):rep(1e9))",
    "return ('x'):rep(6e7):upper():lower():reverse()",
    "return string.format('%s%s%s', ('x'):rep(3e7), ('x'):rep(3e7), ('x'):rep(3e7))",
    "local t = {} local s = ('x'):rep(5e7) pcall(function() t[1] = s .. s end) return redis.sha1hex(s)",
)


@pytest.mark.parametrize("script", some_slow(BOMBS, more_in_ci(5, len(BOMBS))))
def test_memory_is_limited(script: str) -> None:
    world = World(databases=2)
    world.core.lua_memory = 16 << 20
    client = world.connect()
    client.call("SET", "sentinel", "safe")
    found = str(client.call("EVAL", script, 0))
    assert "not enough memory" in found or "full" in found or "invalid format" in found or len(found) < 100, found[:300]
    assert client.call("EVAL", "return redis.call('get', 'sentinel')", 0) == "safe"
    assert world.core.scripts.engine.used() < 64 << 20


def test_arguments_that_do_not_fit_are_refused(world: World) -> None:
    world.core.lua_memory = 16 << 20
    client = world.connect()
    client.call("EVAL", "return 1", 0)
    assert "lua-max-memory" in str(client.call("EVAL", "return #ARGV[1]", 0, "x" * (16 << 20)))
    assert client.call("EVAL", "return #ARGV[1]", 0, "x" * (1 << 20)) == 1 << 20
    client.call("SET", "big", "x" * (20 << 20))
    assert "not enough memory" in str(client.call("EVAL", "return #redis.call('get', 'big')", 0))
    assert "not enough memory" in str(client.call("EVAL", "return redis.pcall('mget', 'big', 'big')", 0))


def test_settings_of_the_collector_do_not_outlive_a_script(victim: Victim) -> None:
    for option in ("stop", "setpause", "setstepmul", "restart"):
        assert victim.suffer(f"return collectgarbage('{option}', 1)") == "0"


def test_there_are_a_thousand_of_them() -> None:
    count = len(TABLES) * len(WRITES) + 7 * len(FORBIDDEN) + len(FUNCTIONS) * len(EXPLORATIONS)
    assert count + len(BYTECODE) + len(RECURSIONS) + len(BOMBS) > 1000


def test_a_script_cannot_see_what_another_has_left(client: Client, other: Client) -> None:
    client.call("EVAL", "KEYS[1] = 'changed' ARGV.x = 1 return 1", 1, "k", "v")
    assert other.call("EVAL", "return {KEYS, ARGV, tostring(ARGV.x)}", 1, "a", "b") == [["a"], ["b"], "nil"]
