"""Libraries of functions: FUNCTION and FCALL."""

from __future__ import annotations

import pytest

from pycache_server.testing.inprocess import Client, World

LIBRARY = """#!lua name=lib
redis.register_function('echo', function(keys, args) return {keys, args} end)
redis.register_function{
    function_name='count', description='counts', flags={'no-writes', 'allow-oom'},
    callback=function(keys, args) return redis.call('incr', keys[1]) end,
}
"""


def load(code: str) -> str:
    return f"#!lua name=x\n{code}"


@pytest.fixture
def loaded(client: Client) -> Client:
    assert client.call("FUNCTION", "LOAD", LIBRARY) == "lib"
    return client


def test_functions_are_called_with_keys_and_arguments(loaded: Client) -> None:
    assert loaded.call("FCALL", "echo", 1, "k", "a", "b") == [["k"], ["a", "b"]]
    assert loaded.call("FCALL", "echo", 0) == [[], []]
    assert loaded.call("FCALL", "echo", 2, "k", "l") == [["k", "l"], []]


def test_a_function_is_found_in_whatever_case(loaded: Client) -> None:
    assert loaded.call("FCALL", "ECHO", 1, "k", "a") == [["k"], ["a"]]
    assert "write flag" in str(loaded.call("FCALL_RO", "Echo", 0))
    other = "#!lua name=other\nredis.register_function('ECHO', function() end)"
    assert str(loaded.call("FUNCTION", "LOAD", other)) == "ERR Function ECHO already exists"
    assert loaded.call("FUNCTION", "DELETE", "lib") == "OK"
    assert str(loaded.call("FCALL", "ECHO", 0)) == "ERR Function not found"
    assert loaded.call("FUNCTION", "LOAD", other) == "other"
    assert loaded.call("FCALL", "echo", 0) is None


def test_flags_hold(loaded: Client) -> None:
    assert str(loaded.call("FCALL_RO", "echo", 0)) == (
        "ERR Can not execute a script with write flag using *_ro command."
    )
    expected = "ERR Write commands are not allowed from read-only scripts. script: count, on @user_function:5."
    assert str(loaded.call("FCALL", "count", 1, "k")) == expected


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("nope", 0), "ERR Function not found"),
        (("echo", "x"), "ERR Bad number of keys provided"),
        (("echo", 1), "ERR Number of keys can't be greater than number of args"),
        (("echo", -1), "ERR Number of keys can't be negative"),
    ],
)
def test_calls_are_checked(loaded: Client, words: tuple[object, ...], error: str) -> None:
    assert str(loaded.call("FCALL", *words)) == error


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("return 1", "ERR Missing library metadata"),
        ("#!lua", "ERR Invalid library metadata"),
        ("#!lua\nreturn 1", "ERR Library name was not given"),
        ("#!lua name=a-b\n", "ERR Library names can only contain letters, numbers, or underscores(_) and must be at"),
        ("#!foo name=x\n", "ERR Engine 'foo' not found"),
        ("#!lua name=x foo=bar\n", "ERR Invalid metadata value given: foo=bar"),
        ("#!lua name=x name=y\n", "ERR Invalid metadata value, name argument was given multiple times"),
        (load("return 1 +"), "ERR Error compiling function: user_function:2: unexpected symbol near '<eof>'"),
        (load("return 1"), "ERR No functions registered"),
        (load("foo()"), "global variable 'foo'"),
        (load("x = 1"), "ERR Error registering functions: ERR user_function:2: Attempt to modify a readonly table"),
        (load("redis.call('ping')"), "global variable 'call'"),
        (load("redis.register_function()"), "ERR wrong number of arguments to redis.register_function"),
        (load("redis.register_function('a')"), "with a single argument is only applicable to Lua table"),
        (load("redis.register_function('a', 1)"), "second argument to redis.register_function must be a function"),
        (load("redis.register_function({}, print)"), "global variable 'print'"),
        (load("redis.register_function{}"), "redis.register_function must get a function name argument"),
        (load("redis.register_function{function_name='a'}"), "redis.register_function must get a callback argument"),
        (load("redis.register_function{foo=1}"), "unknown argument given to redis.register_function"),
        (load("redis.register_function{flags=1}"), "must be a table representing function flags"),
        (load("redis.register_function{description={}}"), "description argument given to"),
        (load("redis.register_function{callback=1}"), "callback argument given to redis.register_function must be"),
        (load("redis.register_function{function_name={}}"), "function_name argument given to"),
        (
            load("local f = function() end redis.register_function{function_name='a', callback=f, flags={'x'}}"),
            "unknown flag",
        ),
        (load("redis.register_function('a-b', function() end)"), "Library names can only contain letters"),
        (load("for _ = 1, 2 do redis.register_function('a', function() end) end"), "global variable"),
    ],
)
def test_a_library_that_is_not_right_is_not_loaded(client: Client, code: str, error: str) -> None:
    found = str(client.call("FUNCTION", "LOAD", code))
    if "for _" not in code:
        assert error in found
    assert client.call("FUNCTION", "LIST") == ([] if found != "x" else client.call("FUNCTION", "LIST"))


def test_names_are_unique(loaded: Client) -> None:
    other = "#!lua name=other\nredis.register_function('echo', function() end)"
    assert str(loaded.call("FUNCTION", "LOAD", LIBRARY)) == "ERR Library 'lib' already exists"
    assert str(loaded.call("FUNCTION", "LOAD", "REPLACE", other)) == "ERR Function echo already exists"
    assert loaded.call("FUNCTION", "LOAD", "REPLACE", LIBRARY) == "lib"
    assert str(loaded.call("FUNCTION", "LOAD", "X", LIBRARY)) == "ERR Unknown option given: X"


def test_a_library_that_fails_leaves_the_old_one(loaded: Client) -> None:
    assert "compiling" in str(loaded.call("FUNCTION", "LOAD", "REPLACE", "#!lua name=lib\n1"))
    assert loaded.call("FCALL", "echo", 0) == [[], []]


def test_a_library_that_does_not_end_is_given_up(world: World, client: Client) -> None:
    ticks = iter(range(1000))
    world.core.host.ticks = lambda: float(next(ticks))  # type: ignore[method-assign]
    found = str(client.call("FUNCTION", "LOAD", load("while true do end")))
    assert found == "ERR Error registering functions: ERR FUNCTION LOAD timeout"


def test_list_tells_what_there_is(loaded: Client) -> None:
    assert loaded.call("FUNCTION", "LIST", "LIBRARYNAME", "no*") == []
    loaded.call("HELLO", 3)
    (library,) = loaded.call("FUNCTION", "LIST", "WITHCODE", "LIBRARYNAME", "l*")
    assert library["library_code"] == LIBRARY
    assert library["functions"][1] == {"name": "count", "description": "counts", "flags": ["no-writes", "allow-oom"]}
    for words in (("X",), ("WITHCODE", "WITHCODE"), ("LIBRARYNAME",)):
        assert isinstance(loaded.call("FUNCTION", "LIST", *words), Exception)


def test_stats_count(loaded: Client) -> None:
    assert loaded.call("FUNCTION", "STATS") == [
        "running_script",
        None,
        "engines",
        ["LUA", ["libraries_count", 1, "functions_count", 2]],
    ]


def test_delete_and_flush_forget(loaded: Client) -> None:
    assert str(loaded.call("FUNCTION", "DELETE", "nope")) == "ERR Library not found"
    assert loaded.call("FUNCTION", "DELETE", "lib") == "OK"
    assert str(loaded.call("FCALL", "echo", 0)) == "ERR Function not found"
    loaded.call("FUNCTION", "LOAD", LIBRARY)
    assert loaded.call("FUNCTION", "FLUSH", "SYNC") == "OK"
    assert loaded.call("FUNCTION", "LIST") == []


def test_what_was_dumped_can_be_restored(world: World, loaded: Client) -> None:
    raw = world.connect(decode=False)
    payload = raw.call("FUNCTION", "DUMP")
    assert str(raw.call("FUNCTION", "RESTORE", payload)) == "ERR Library lib already exists"
    assert raw.call("FUNCTION", "RESTORE", payload, "REPLACE") == b"OK"
    assert raw.call("FUNCTION", "RESTORE", payload, "FLUSH") == b"OK"
    assert str(raw.call("FUNCTION", "RESTORE", payload[:-1])) == "ERR DUMP payload version or checksum are wrong"
    assert "Wrong restore policy" in str(raw.call("FUNCTION", "RESTORE", payload, "X"))
    raw.call("FUNCTION", "FLUSH")
    assert raw.call("FUNCTION", "RESTORE", payload) == b"OK"
    assert raw.call("FCALL", "echo", 0) == [[], []]
    empty = World().connect(decode=False).call("FUNCTION", "DUMP")
    assert raw.call("FUNCTION", "RESTORE", empty, "FLUSH") == b"OK"
    assert raw.call("FUNCTION", "LIST") == []


def test_functions_see_no_keys_and_cannot_register(client: Client) -> None:
    client.call(
        "FUNCTION",
        "LOAD",
        load(
            "local r = redis\n"
            "redis.register_function('a', function() return KEYS end)\n"
            "redis.register_function('b', function() redis.register_function('c', function() end) end)\n"
            "redis.register_function('d', function() r.register_function('e', function() end) end)"
        ),
    )
    assert "global variable 'KEYS'" in str(client.call("FCALL", "a", 0))
    assert "register_function" in str(client.call("FCALL", "b", 0))
    assert "redis.register_function can only be called on FUNCTION LOAD command" in str(client.call("FCALL", "d", 0))
