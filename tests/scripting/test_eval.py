"""EVAL and its relatives, SCRIPT, and what scripts reply."""

from __future__ import annotations

import itertools
from hashlib import sha1
from typing import Any

import pytest

from pycache_server.evict.noeviction import NoEviction
from pycache_server.session.stats import MOST_ERRORS, OTHER_ERRORS, TOO_MANY_ERRORS
from pycache_server.testing.inprocess import Client, World

SHA = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"


def run(client: Client, script: str, *words: Any) -> Any:
    return client.call("EVAL", script, 0, *words)


def test_a_script_gets_keys_and_arguments(client: Client) -> None:
    assert client.call("EVAL", "return {KEYS, ARGV}", 2, "a", "b", "c") == [["a", "b"], ["c"]]
    assert client.call("EVAL", "return {KEYS, ARGV}", 1, "a") == [["a"], []]
    assert client.call("EVAL", "return {#KEYS, #ARGV}", 0, *range(5000)) == [0, 5000]


@pytest.mark.parametrize(
    ("value", "reply"),
    [
        ("1", 1),
        ("3.99", 3),
        ("-3.99", -3),
        ("1e300", -(2**63)),
        ("0/0", -(2**63)),
        ("'x'", "x"),
        ("nil", None),
        ("false", None),
        ("true", 1),
        ("{1, 2, nil, 4}", [1, 2]),
        ("{ok = 'fine'}", "fine"),
        ("{double = 3.5}", "3.5"),
        ("{map = {a = 1}}", ["a", 1]),
        ("{set = {a = true}}", ["a"]),
        ("{big_number = '123'}", "123"),
        ("{verbatim_string = {format = 'txt', string = 'abc'}}", "abc"),
        ("{ok = 5}", []),
        ("cjson.null", None),
        ("print", "ERR user_script:1: Script attempted to access nonexistent global variable 'print' script: "),
    ],
)
def test_values_of_lua_become_replies(client: Client, value: str, reply: Any) -> None:
    found = run(client, f"return {value}")
    if isinstance(found, Exception):
        assert str(found).startswith(reply)
    else:
        assert found == reply


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        ("true", b"#t\r\n"),
        ("{double = 3.5}", b",3.5\r\n"),
        ("{map = {a = 1}}", b"%1\r\n$1\r\na\r\n:1\r\n"),
        ("{set = {a = true}}", b"~1\r\n$1\r\na\r\n"),
        ("{big_number = '123'}", b"(123\r\n"),
        ("{verbatim_string = {format = 'txt', string = 'abc'}}", b"=7\r\ntxt:abc\r\n"),
        ("redis.call('get', 'none')", b"_\r\n"),
        ("redis.call('hgetall', 'h')", b"%1\r\n$1\r\nf\r\n$1\r\nv\r\n"),
        ("redis.call('smembers', 's')", b"~1\r\n$1\r\nm\r\n"),
        ("redis.call('zscore', 'z', 'm')", b",1.5\r\n"),
    ],
)
def test_in_resp3_they_keep_their_kinds(client: Client, value: str, raw: bytes) -> None:
    client.call("HSET", "h", "f", "v")
    client.call("SADD", "s", "m")
    client.call("ZADD", "z", 1.5, "m")
    client.call("HELLO", 3)
    client.raw = b""
    run(client, f"redis.setresp(3) return {value}")
    assert client.raw == raw


@pytest.mark.parametrize("version", ["2", "3", "3.99", "'3'"])
def test_what_lies_behind_the_point_of_a_version_does_not_count(client: Client, version: str) -> None:
    assert run(client, f"redis.setresp({version}) return 7") == 7


@pytest.mark.parametrize("version", ["1.99", "4", "'x'", "0/0", "-3"])
def test_other_versions_are_none(client: Client, version: str) -> None:
    assert "RESP version must be 2 or 3." in str(run(client, f"redis.setresp({version})"))


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("return redis.call('nosuch')", "ERR Unknown Redis command called from script script: {}, on @user_script:1."),
        (
            "\nredis.call('get')",
            "ERR Wrong number of args calling Redis command from script script: {}, on @user_script:2.",
        ),
        ("return redis.pcall('get')", "ERR Wrong number of args calling Redis command from script"),
        ("redis.call('multi')", "ERR This Redis command is not allowed from script script: {}, on @user_script:1."),
        (
            "redis.call({})",
            "ERR Lua redis lib command arguments must be strings or integers script: {}, on @user_script:1.",
        ),
        (
            "redis.call()",
            "ERR Please specify at least one argument for this redis lib call script: {}, on @user_script:1.",
        ),
        ("error('x')", "ERR user_script:1: x script: {}, on @user_script:1."),
        ("error({err='My own'})", "My own script: {}, on @user_script:1."),
        ("error({})", "ERR unknown error script: {}, on @user_script:1."),
        *(
            (
                f"return {{cmsgpack.{call}}}",
                "ERR user_script:1: Missing bytes in input. script: {}, on @user_script:1.",
            )
            for call in ("unpack('\\149')", "unpack_one('\\149')", "unpack_limit('\\149', 1)")
        ),
        ("return redis.error_reply('MY error')", "MY error"),
        ("return {err='a\\nb'}", "a b"),
        ("x = 1", "ERR user_script:1: Attempt to modify a readonly table script: {}, on @user_script:1."),
        ("return 1 +", "ERR Error compiling script (new function): user_script:1: unexpected symbol near '<eof>'"),
        ("#!lua name=x\nreturn 1", "ERR Unknown lua shebang option: name=x"),
        ("#!lua flags=x\nreturn 1", "ERR Unexpected flag in script shebang: x"),
        ("#!x\nreturn 1", "ERR Unexpected engine in script shebang: #!x"),
        ("#!lua", "ERR Invalid script shebang"),
    ],
)
def test_errors_are_told_in_the_words_of_redis(client: Client, script: str, error: str) -> None:
    assert str(run(client, script)) == error.replace("{}", sha1(script.encode()).hexdigest())


def test_a_script_catches_the_error_of_a_command_as_text(client: Client) -> None:
    client.call("SET", "k", "v")
    script = "local ok, e = pcall(redis.call, 'incr', KEYS[1]) return {tostring(ok), e}"
    assert client.call("EVAL", script, 1, "k") == ["false", "ERR value is not an integer or out of range"]
    assert "WRONGTYPE" in str(client.call("EVAL", "return redis.call('lpush', KEYS[1], 'x')", 1, "k"))


def test_the_cache_knows_scripts_by_their_sha(client: Client) -> None:
    assert str(client.call("EVALSHA", SHA, 0)) == "NOSCRIPT No matching script. Please use EVAL."
    assert client.call("SCRIPT", "LOAD", "return 1") == SHA
    assert client.call("SCRIPT", "EXISTS", SHA.upper(), "x") == [1, 0]
    assert client.call("EVALSHA", SHA.upper(), 0) == client.call("EVALSHA_RO", SHA, 0) == 1
    assert client.call("SCRIPT", "FLUSH", "ASYNC") == "OK"
    assert client.call("SCRIPT", "EXISTS", SHA) == [0]


def test_of_scripts_that_were_only_evaluated_the_latest_are_kept(world: World, client: Client) -> None:
    client.call("SCRIPT", "LOAD", "return 'loaded'")
    for number in range(600):
        client.call("EVAL", f"return {number}", 0)
    scripts = world.core.scripts
    assert len(scripts.bodies) == len(scripts.names) == 501
    assert scripts.evicted == 100
    assert b"return 'loaded'" in scripts.bodies
    assert b"return 599" in scripts.bodies


def test_what_may_not_write_does_not(client: Client) -> None:
    refused = "ERR Write commands are not allowed from read-only scripts."
    assert str(client.call("EVAL_RO", "return redis.call('set', 'a', 1)", 0)).startswith(refused)
    assert str(run(client, "#!lua flags=no-writes\nreturn redis.call('set', 'a', 1)")).startswith(refused)
    assert str(client.call("EVAL_RO", "#!lua\nreturn 1", 0)).startswith("ERR Can not execute a script with write flag")
    assert client.call("EXISTS", "a") == 0


def test_without_memory_only_what_needs_none_runs(world: World, client: Client) -> None:
    client.call("SET", "k", "v" * 100_000)
    world.core.shape.use_engine(NoEviction, False, ())
    while world.core.shape.step():
        pass
    world.core.room.limit(1000)
    world.core.tables.refresh()
    assert str(run(client, "return redis.call('set', 'x', 1)")).startswith("OOM command not allowed when used memory")
    assert str(run(client, "#!lua\nreturn 1")).startswith("OOM command not allowed when used memory")
    assert run(client, "#!lua flags=no-writes\nreturn 1") == 1
    assert run(client, "#!lua flags=allow-oom\nreturn redis.call('set', 'x', 1)") == "OK"
    assert run(client, "redis.call('del', 'nope') return redis.call('set', 'y', 1)") == "OK"
    assert run(client, "return redis.call('strlen', 'k')") == 100_000


def test_a_script_uses_the_clients_database_and_does_not_change_it(client: Client) -> None:
    client.call("SELECT", 1)
    run(client, "redis.call('set', 'a', 1) redis.call('select', 2) redis.call('set', 'b', 2)")
    assert client.call("EXISTS", "a", "b") == 1
    client.call("SELECT", 2)
    assert client.call("EXISTS", "a", "b") == 1


def test_time_stands_still_within_a_script(world: World, client: Client) -> None:
    client.call("SET", "k", "v", "PX", 100)
    world.core.busy_threshold = 0
    world.host.meanwhile = [lambda: setattr(world.host, "now", world.host.now + 10)]
    script = "local n = 0 while n < 300000 do n = n + 1 end return redis.call('get', 'k')"
    assert run(client, script) == "v"
    assert client.call("GET", "k") is None


def test_blocked_clients_are_served_when_the_script_is_over(client: Client, other: Client) -> None:
    other.start("BLPOP", "list", 0)
    script = "redis.call('lpush', 'list', 'a') redis.call('lpush', 'list', 'b') return redis.call('llen', 'list')"
    assert run(client, script) == 2
    assert other.read() == ["list", "b"]


def test_blocking_commands_do_not_wait(client: Client) -> None:
    assert run(client, "return redis.call('blpop', 'none', 0)") is None


def test_within_multi_a_script_is_an_element_of_the_reply(client: Client, other: Client) -> None:
    client.call("WATCH", "k")
    client.call("MULTI")
    client.call("EVAL", "return redis.call('incr', 'n')", 0)
    client.call("EVAL", "return redis.call('nosuch')", 0)
    first, second = client.call("EXEC")
    assert first == 1
    assert str(second).startswith("ERR Unknown Redis command")
    client.call("WATCH", "k")
    other.call("EVAL", "redis.call('set', KEYS[1], 1)", 1, "k")
    client.call("MULTI")
    assert client.call("EXEC") is None


def test_monitor_shows_what_a_script_calls(client: Client, other: Client) -> None:
    other.call("MONITOR")
    client.call("EVAL", "redis.call('set', KEYS[1], 1)", 1, "k")
    lines = other.read_all()
    assert lines[0].endswith('"EVAL" "redis.call(\'set\', KEYS[1], 1)" "1" "k"')
    assert lines[1].endswith('[0 lua] "set" "k" "1"')


def test_calls_count_where_they_happen_and_errors_once(world: World, client: Client) -> None:
    client.call("SET", "s", "x")
    run(client, "redis.call('get', 's') redis.pcall('get') return redis.pcall('incr', 's')")
    run(client, "redis.call('incr', 's')")
    rows = world.core.tables.rows
    assert (world.core.tables.calls("get"), rows["get"].stats.rejected) == (1, 1)
    assert (world.core.tables.calls("incr"), rows["incr"].stats.failed) == (2, 2)
    assert world.core.stats.errors == {"ERR": 3}


@pytest.mark.parametrize(
    ("arguments", "reply"),
    [
        ("0, 0", [1, 2, 3]),
        ("0, 1", [1]),
        ("0, 3", [-1]),
        ("1, 1", [2, 2]),
        ("2, 1", [-1, 2, 3]),
        ("9, 0", [-1, 1, 2, 3]),
    ],
)
def test_as_many_values_of_a_message_are_unpacked_as_are_asked_for_and_all_for_none_from_its_start(
    client: Client, arguments: str, reply: list[int]
) -> None:
    assert run(client, f"return {{cmsgpack.unpack_limit(cmsgpack.pack(1, 2, 3), {arguments})}}") == reply


def test_random_numbers_are_those_of_redis(client: Client) -> None:
    assert run(client, "math.randomseed(5) return math.random(100)") == 53


def test_key_events_and_pubsub_come_from_scripts(world: World, client: Client, other: Client) -> None:
    other.call("SUBSCRIBE", "c")
    assert run(client, "return redis.call('publish', 'c', 'hello')") == 1
    assert other.read() == ["message", "c", "hello"]


def test_redis_log_writes_to_the_log(world: World, client: Client) -> None:
    run(client, "redis.log(redis.LOG_WARNING, 'a', 1)")
    assert ("warning", "a 1") in world.host.messages


def test_the_debugger_is_not_there(client: Client) -> None:
    assert client.call("SCRIPT", "DEBUG", "NO") == "OK"
    assert str(client.call("SCRIPT", "DEBUG", "YES")) == "ERR there is no debugger of scripts here"
    assert str(client.call("SCRIPT", "DEBUG", "x")) == "ERR Use SCRIPT DEBUG YES/SYNC/NO"


def test_without_lupa_clients_are_told(world: World, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "lupa.lua51", None)
    for words in (("EVAL", "return 1", 0), ("SCRIPT", "LOAD", "return 1"), ("FCALL", "f", 0)):
        assert str(client.call(*words)).startswith("ERR scripts need the Python package lupa")
    assert any("lupa" in message for _, message in world.host.messages)
    assert str(client.call("SCRIPT", "KILL")).startswith("NOTBUSY")
    assert client.call("FUNCTION", "LIST") == []
    assert client.call("SCRIPT", "EXISTS", SHA) == [0]


@pytest.mark.parametrize(
    ("text", "wire"),
    [("-ERR a", b"--ERR a\r\n"), ("\\na\\nb\\n", b"- a b\r\n"), ("a\\0b", b"-a\r\n"), ("", b"-\r\n")],
)
def test_the_text_of_an_error_is_sent_as_it_is_but_for_its_lines(world: World, text: str, wire: bytes) -> None:
    client = world.connect()
    client.start("EVAL", f"return {{err = '{text}'}}", 0)
    assert client.raw == wire


def test_sets_come_in_order_from_sort_where_scripts_do_not_sort_by_anything(client: Client) -> None:
    client.call("SADD", "s", "b", "c", "a", "x" * 100)
    code = "return redis.call('sort', KEYS[1], 'by', 'nosort')"
    assert client.call("EVAL", code, 1, "s") == ["a", "b", "c", "x" * 100]
    code = "return redis.call('sort', KEYS[1], 'by', 'nosort', 'get', '#', 'get', 'none', 'limit', 0, 2, 'desc')"
    assert client.call("EVAL", code, 1, "s") == ["x" * 100, None, "c", None]


def test_a_script_that_may_write_needs_the_replicas_of_a_write(world: World, client: Client) -> None:
    client.call("SET", "x", "1")
    replication = world.core.replication
    replication.leading.leader.limits.least_good = 1
    replication.set_gate()
    for shebang, runs in (("", True), ("#!lua flags=no-writes\n", True), ("#!lua\n", False)):
        answer = client.call("EVAL", shebang + "return redis.call('get', KEYS[1])", 1, "x")
        assert str(answer).startswith("NOREPLICAS") is not runs


@pytest.mark.parametrize("count", [3998, 3999, 4000, 7997, 7999])
def test_a_command_may_have_as_many_words_as_unpack_gives(client: Client, count: int) -> None:
    fill = f"local words = {{}} for i = 1, {count} do words[i] = i end "
    assert client.call("EVAL", fill + "return redis.call('RPUSH', KEYS[1], unpack(words))", 1, "list") == count
    assert client.call("LRANGE", "list", -2, -1) == [str(count - 1), str(count)]
    wrong = fill + "words[7] = {} return redis.pcall('RPUSH', KEYS[1], unpack(words))"
    assert "must be strings or integers" in str(client.call("EVAL", wrong, 1, "list"))
    assert client.call("LLEN", "list") == count


def test_the_time_of_a_script_is_that_at_which_it_began(
    world: World, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = itertools.count(1_700_000_000)
    monkeypatch.setattr(world.host, "time", lambda: float(next(seconds)))
    assert client.call("TIME")[0] < client.call("TIME")[0]
    code = "local first, second = redis.call('TIME'), redis.call('TIME') return {first[1], second[1]}"
    first, second = client.call("EVAL", code, 0)
    assert first == second
    assert client.call("TIME")[0] > second


def test_codes_of_errors_that_scripts_make_are_counted_without_growing_for_ever(world: World, client: Client) -> None:
    stats = world.core.stats
    for number in range(MOST_ERRORS + 100):
        reply = client.call("EVAL", "return redis.error_reply(ARGV[1] .. ' is wrong')", 0, f"E{number}")
        assert str(reply) == f"E{number} is wrong"
    assert len(stats.errors) == MOST_ERRORS + 1
    assert stats.errors["E0"] == 1 and stats.errors[OTHER_ERRORS] == 100
    assert stats.total_errors() == MOST_ERRORS + 100
    assert [text for _, text in world.host.messages if OTHER_ERRORS in text] == [TOO_MANY_ERRORS]
    for word in ("x" * 1000, "x" * 31 + " y"):
        client.call("EVAL", "return redis.error_reply(ARGV[1])", 0, word)
    assert len(stats.errors) == MOST_ERRORS + 1
