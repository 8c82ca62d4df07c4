"""A script may do what the user may who runs it."""

from __future__ import annotations

import pytest

from pycache_server.testing.inprocess import Client, World

CANNOT_RUN = "ACL failure in script: User reader has no permissions to run the 'set' command"
CANNOT_TOUCH = "ACL failure in script: No permissions to access a key"


@pytest.fixture
def restricted(world: World, client: Client) -> Client:
    """A client that may get keys that begin with a, and run scripts."""
    client.call("ACL", "SETUSER", "reader", "on", ">secret", "+eval", "+eval_ro", "+get", "+multi", "+exec", "~a*")
    client.call("MSET", "a", "1", "b", "2")
    other = world.connect()
    assert other.call("AUTH", "reader", "secret") == "OK"
    return other


def run(client: Client, code: str) -> str:
    return str(client.call("EVAL", code, 0))


def test_a_script_may_do_what_its_user_may(restricted: Client) -> None:
    assert run(restricted, "return redis.call('GET', 'a')") == "1"
    assert run(restricted, "return redis.call('get', 'a')") == "1"


@pytest.mark.parametrize("call", ["redis.call", "redis.pcall"])
def test_a_script_may_not_do_what_its_user_may_not(client: Client, restricted: Client, call: str) -> None:
    assert CANNOT_TOUCH in run(restricted, f"return {call}('get', 'b')")
    assert CANNOT_RUN in run(restricted, f"return {call}('set', 'a', '3')")
    assert CANNOT_RUN in run(restricted, f"return {call}('SET', 'a', '3')")
    restricted.call("MULTI")
    restricted.call("EVAL", f"return {call}('set', 'a', '3')", 0)
    assert CANNOT_RUN in str(restricted.call("EXEC")[0])
    assert client.call("MGET", "a", "b") == ["1", "2"]


def test_the_next_script_of_another_user_may_do_everything(client: Client, restricted: Client) -> None:
    assert CANNOT_RUN in run(restricted, "return redis.call('set', 'a', '3')")
    assert run(client, "return redis.call('set', 'a', '3')") == "OK"
    assert CANNOT_RUN in run(restricted, "return redis.call('set', 'a', '4')")


def test_other_rules_hold_as_ever(restricted: Client) -> None:
    assert "Unknown Redis command" in run(restricted, "return redis.call('nothing')")
    assert "Wrong number of args" in run(restricted, "return redis.call('get')")
    assert "not allowed from script" in run(restricted, "return redis.call('multi')")


def test_refusals_in_scripts_are_written_down(client: Client, restricted: Client) -> None:
    run(restricted, "return redis.call('get', 'b')")
    entry = client.call("ACL", "LOG")[0]
    found = dict(zip(entry[::2], entry[1::2], strict=True))
    assert (found["reason"], found["context"], found["object"]) == ("key", "lua", "b")


@pytest.mark.parametrize(
    ("words", "key", "permitted"),
    [
        (("EVAL", "return 1"), "rw", True),
        (("EVAL", "return 1"), "r", False),
        (("EVAL", "return 1"), "w", False),
        (("EVALSHA", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"), "r", False),
        (("EVAL_RO", "return 1"), "r", True),
        (("EVAL_RO", "return 1"), "w", False),
        (("FCALL", "f"), "r", False),
        (("FCALL_RO", "f"), "w", False),
        (("FCALL_RO", "f"), "r", True),
    ],
)
def test_the_keys_of_a_script_need_the_rights_that_it_may_use(
    world: World, client: Client, words: tuple[str, ...], key: str, permitted: bool
) -> None:
    client.call("SCRIPT", "LOAD", "return 1")
    code = "redis.register_function{function_name='f', callback=function() return 1 end, flags={'no-writes'}}"
    client.call("FUNCTION", "LOAD", "#!lua name=lib\n" + code)
    client.call("ACL", "SETUSER", "limited", "on", "nopass", "+@all", "%R~r", "%W~w", "~rw")
    other = world.connect()
    other.call("AUTH", "limited", "x")
    answer = other.call(*words, 1, key)
    assert answer == 1 if permitted else str(answer).startswith("NOPERM")
    told = client.call("ACL", "DRYRUN", "limited", *words, 1, key)
    assert told == "OK" if permitted else told.endswith(f"access the '{key}' key")


def test_a_script_may_ask(restricted: Client) -> None:
    asked = "return {redis.acl_check_cmd('get', 'a'), tostring(redis.acl_check_cmd('get', 'b'))}"
    assert restricted.call("EVAL", asked, 0) == [1, "false"]
    assert restricted.call("EVAL", "return tostring(redis.acl_check_cmd('set', 'a', '1'))", 0) == "false"
    assert restricted.call("EVAL", "return tostring(redis.acl_check_cmd('set'))", 0) == "false"
    assert "Invalid command passed" in run(restricted, "return redis.acl_check_cmd('nothing')")
