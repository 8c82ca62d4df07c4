"""A script that runs for long: what others are answered, and how it is ended."""

from __future__ import annotations

from typing import Any

import pytest

from pycache_server.testing.inprocess import Client, World

BUSY = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
FOREVER = "while true do end"


@pytest.fixture
def busy(world: World) -> World:
    """A server that takes any script for a long one."""
    world.core.busy_threshold = 0
    return world


def while_running(
    world: World, client: Client, other: Client, *calls: tuple[str, ...], script: str = FOREVER
) -> list[Any]:
    """What another client is answered while a script runs, and the script's own reply."""
    found: list[Any] = []
    world.host.meanwhile = [lambda: found.extend(str(other.call(*words)) for words in calls)]
    found.append(str(client.call("EVAL", script, 0)))
    return found


def test_others_are_told_to_wait_or_kill(busy: World, client: Client, other: Client) -> None:
    *answers, reply = while_running(busy, client, other, ("PING",), ("FUNCTION", "KILL"), ("SCRIPT", "KILL"))
    assert answers == [BUSY, BUSY, "OK"]
    assert reply.startswith("ERR Script killed by user with SCRIPT KILL... script: ")
    assert other.call("PING") == client.call("PING") == "PONG"
    assert str(other.call("SCRIPT", "KILL")) == "NOTBUSY No scripts in execution right now."


def test_a_transaction_cannot_begin_meanwhile(busy: World, client: Client, other: Client) -> None:
    calls = (("MULTI",), ("GET", "x"), ("EXEC",), ("SCRIPT", "KILL"))
    *answers, _ = while_running(busy, client, other, *calls)
    assert answers == ["OK", BUSY, "EXECABORT Transaction discarded because of: " + BUSY, "OK"]


def test_what_has_written_cannot_be_killed(busy: World, client: Client, other: Client) -> None:
    script = "redis.call('set', 'k', 'v') for _ = 1, 300000 do end return 'done'"
    answer, reply = while_running(busy, client, other, ("SCRIPT", "KILL"), script=script)
    assert answer.startswith("UNKILLABLE Sorry the script already executed write commands")
    assert reply == "done"


def test_functions_have_a_kill_of_their_own(busy: World, client: Client, other: Client) -> None:
    client.call("FUNCTION", "LOAD", "#!lua name=x\nredis.register_function('f', function() while true do end end)")
    found: list[str] = []
    calls = (("SCRIPT", "KILL"), ("FUNCTION", "STATS"), ("FUNCTION", "KILL"))
    busy.host.meanwhile = [lambda: found.extend(str(other.call(*words)) for words in calls)]
    reply = str(client.call("FCALL", "f", 0))
    assert found[0] == BUSY.replace("SCRIPT KILL", "FUNCTION KILL")
    assert "'name', 'f', 'command', ['FCALL', 'f', '0']" in found[1]
    assert "script: f, on @user_function:2." in reply


ESCAPES = [
    "while true do pcall(function() while true do end end) end",
    "while true do pcall(error, 'x') end",
    "while true do coroutine.wrap(function() end)() end",
    "coroutine.wrap(function() while true do end end)()",
    "while true do pcall(coroutine.wrap(function() while true do end end)) end",
    "local co = coroutine.create(function() while true do coroutine.yield() end end) while true do coroutine.resume(co) end",
    "while true do xpcall(function() while true do end end, function() while true do end end) end",
    "while true do xpcall(error, function() while true do end end) end",
    "table.sort({1, 2, 3}, function() while true do end end)",
    "string.gsub(string.rep('a', 100), 'a', function() while true do end end)",
    "return setmetatable({}, {__index = function() while true do end end}).x",
    "return tostring(setmetatable({}, {__tostring = function() while true do end end}))",
    "string.find(string.rep('a', 40), string.rep('a?', 40) .. string.rep('a', 40) .. 'b')",
    "string.match(string.rep('a', 20000), '.-.-.-.-b')",
    "string.gsub(string.rep('a', 20000), '.-.-.-.-b', '')",
    "for _ in string.gmatch(string.rep('a', 20000), '.-.-.-.-b') do end",
    "while true do string.rep('x', 1000) end",
    "while true do loadstring('return 1')() end",
    "load(function() while true do end end)",
    "while true do redis.call('ping') end",
    "while true do redis.pcall('nosuch') end",
    "local function f() return f() end f()",
    "while true do local t = {} for i = 1, 100 do t[i] = i end end",
    "repeat until false",
    "for i = 1, math.huge do end",
    "while true do cjson.decode(cjson.encode({1, 2, 3})) end",
    "while true do collectgarbage() end",
]


@pytest.mark.parametrize("script", ESCAPES)
def test_nothing_escapes_a_kill(busy: World, client: Client, other: Client, script: str) -> None:
    *_, reply = while_running(busy, client, other, ("SCRIPT", "KILL"), script=script)
    assert "Script killed by user" in reply
    assert client.call("EVAL", "return 1", 0) == 1


def test_the_log_tells_of_slow_scripts(busy: World, client: Client, other: Client) -> None:
    while_running(busy, client, other, ("SCRIPT", "KILL"))
    assert any(message.startswith("Slow script detected") for _, message in busy.host.messages)
