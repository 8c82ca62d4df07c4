"""CLIENT: names, lists, ending, pausing and waking connections, as redis-server does it."""

from __future__ import annotations

from typing import Any

import pytest

from pycache_server.commands.registry import REGISTRY
from pycache_server.evict.base import load_policy
from tests.peers import AnyClient, Client, Ours, Peer, error_of, heard, listener_of, pipeline

SYNTAX = "ERR syntax error"
BAD_INTEGER = "ERR value is not an integer or out of range"
BAD_NAME = "ERR Client names cannot contain spaces, newlines or special characters."
FIELDS_OF_7_4 = (
    "id addr laddr fd name age idle flags db sub psub ssub multi watch qbuf qbuf-free argv-mem multi-mem rbs rbp obl "
    "oll omem tot-mem events cmd user redir resp lib-name lib-ver"
)
needs_lists = pytest.mark.skipif("blpop" not in REGISTRY, reason="nothing blocks without lists")


def bad_arity(name: str) -> str:
    return f"ERR wrong number of arguments for '{name}' command"


def bad_words(name: str) -> str:
    return f"ERR unknown subcommand or wrong number of arguments for '{name}'. Try CLIENT HELP."


def id_of(client: AnyClient) -> int:
    return int(client.call("CLIENT", "ID"))


def info_of(client: AnyClient, number: int) -> dict[str, str]:
    """What CLIENT LIST tells ``client`` of a connection; nothing where it is gone."""
    line = client.call("CLIENT", "LIST", "ID", number)
    return dict(field.split("=", 1) for field in line.split())


# Names and what libraries tell


def test_names(client: AnyClient) -> None:
    assert client.call("CLIENT", "GETNAME") is None
    assert client.call("CLIENT", "SETNAME", "!name~") == "OK"
    assert client.call("CLIENT", "GETNAME") == "!name~"
    for name in ("a b", "a\n", "\x7f", "é"):
        assert error_of(client.call("CLIENT", "SETNAME", name)) == BAD_NAME
    assert client.call("CLIENT", "GETNAME") == "!name~"
    assert client.call("CLIENT", "SETNAME", "") == "OK"
    assert client.call("CLIENT", "GETNAME") is None


def test_a_name_may_hold_anything_behind_a_nul(our_client: Client) -> None:
    assert our_client.call("CLIENT", "SETNAME", "a\0 \n") == "OK"
    assert our_client.call("CLIENT", "GETNAME") == "a\0 \n"


def test_ids_go_up_and_are_never_used_again(peer: Peer) -> None:
    first, second = peer.connect(), peer.connect()
    assert id_of(second) > id_of(first)
    second.call("QUIT")
    assert id_of(peer.connect()) > id_of(first) + 1


def test_libraries_tell_their_name_and_version(our_client: Client) -> None:
    assert our_client.call("CLIENT", "SETINFO", "lib-name", "redis-py(x;y)") == "OK"
    assert our_client.call("CLIENT", "SETINFO", "LIB-VER", "8.1") == "OK"
    info = our_client.call("CLIENT", "INFO")
    assert info.endswith(" lib-name=redis-py(x;y) lib-ver=8.1\n")
    our_client.call("CLIENT", "SETINFO", "LIB-VER", "")
    assert our_client.call("CLIENT", "INFO").endswith(" lib-ver=\n")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["FOO", "x"], "ERR Unrecognized option 'FOO'"),
        (["lib-Name", "a b"], "ERR lib-Name cannot contain spaces, newlines or special characters."),
        (["LIB-VER", "1\n"], "ERR LIB-VER cannot contain spaces, newlines or special characters."),
        (["LIB-VER"], bad_arity("client|setinfo")),
    ],
)
def test_what_setinfo_refuses(our_client: Client, words: list[str], error: str) -> None:
    assert error_of(our_client.call("CLIENT", "SETINFO", *words)) == error


# LIST and INFO


def test_info_has_the_fields_of_7_4_in_their_order(our_client: Client) -> None:
    line = our_client.call("CLIENT", "INFO")
    assert line.endswith("\n")
    assert [field.split("=")[0] for field in line.split()] == FIELDS_OF_7_4.split()
    assert our_client.call("CLIENT", "LIST").replace("client|list", "client|info") == line


def test_info_is_verbatim_text_in_resp3(client: AnyClient) -> None:
    client.call("HELLO", 3)
    client.raw = b""
    client.start("CLIENT", "INFO")
    assert client.raw[:1] == b"=" and b"\r\ntxt:id=" in client.raw


def test_info_tells_the_state_of_the_connection(peer: Peer) -> None:
    client, other = peer.connect(), peer.connect()
    number = id_of(client)
    for words in (["SELECT", 2], ["CLIENT", "SETNAME", "me"], ["HELLO", 3], ["GET", "x"]):
        client.call(*words)
    told = info_of(other, number)
    wanted = {"id": str(number), "name": "me", "db": "2", "resp": "3", "cmd": "get", "user": "default", "redir": "-1"}
    assert {name: told[name] for name in wanted} == wanted
    assert told["addr"] != info_of(other, id_of(other))["addr"]
    assert told["laddr"] == info_of(other, id_of(other))["laddr"]


@pytest.mark.parametrize(
    ("commands", "flags", "cmd", "multi"),
    [
        (["PING"], "N", "ping", "-1"),
        (["CLIENT SETNAME x"], "N", "client|setname", "-1"),
        (["MULTI", "GET a", "SET a b"], "x", "set", "2"),
        (["MULTI"], "x", "multi", "0"),
        (["SUBSCRIBE a"], "P", "subscribe", "-1"),
        (["PSUBSCRIBE a", "PUNSUBSCRIBE"], "N", "punsubscribe", "-1"),
        (["MONITOR"], "O", "monitor", "-1"),
        (["HELLO 3", "MONITOR", "SUBSCRIBE a"], "OP", "subscribe", "-1"),
        (["CLIENT NO-EVICT on"], "e", "client|no-evict", "-1"),
        (["WATCH k", "SET k 1"], "d", "set", "-1"),
        (["WATCH k", "SET k 1", "MULTI"], "xd", "multi", "0"),
        (["HELLO 3", "SUBSCRIBE a", "CLIENT NO-EVICT on", "MULTI"], "Pxe", "multi", "0"),
    ],
)
def test_flags_and_the_last_command(peer: Peer, commands: list[str], flags: str, cmd: str, multi: str) -> None:
    client, other = peer.connect(), peer.connect()
    number = id_of(client)
    for command in commands:
        client.start(*command.split())
    told = info_of(other, number)
    assert (told["flags"], told["cmd"], told["multi"]) == (flags, cmd, multi)


def test_a_command_that_is_not_complete_is_not_the_last_one(peer: Peer) -> None:
    client, other = peer.connect(), peer.connect()
    number = id_of(client)
    client.call("PING")
    client.send(b"*2\r\n$3\r\nGET\r\n")
    assert info_of(other, number)["cmd"] == "ping"


def test_within_exec_a_client_is_in_multi(client: AnyClient) -> None:
    client.send(pipeline("WATCH k", "MULTI", "CLIENT INFO", "PING", "EXEC"))
    info = client.read_all()[-1][0]
    for field in (" flags=x ", " multi=2 ", " cmd=exec "):
        assert field in info


def test_the_command_that_asks_is_in_the_query_buffer_of_who_asks(ours: Ours) -> None:
    client, other = ours.connect(), ours.connect()
    for words, size in ((["CLIENT", "INFO"], 26), (["CLIENT", "LIST"], 26), (["CLIENT", "LIST", "ID", "1"], 41)):
        line = client.call(*words).splitlines()[0]
        assert f" qbuf={size} " in line
        assert f" argv-mem={sum(map(len, words))} " in line
    assert " qbuf=0 " in other.call("CLIENT", "LIST", "ID", id_of(client))


def test_watched_keys_and_silent_states_are_shown(ours: Ours) -> None:
    client, other = ours.connect(), ours.connect()
    client.call("WATCH", "a", "b")
    client.call("CLIENT", "NO-TOUCH", "ON")
    told = info_of(other, id_of(client))
    assert (told["watch"], told["flags"]) == ("2", "T")


def test_age_and_idle_time_in_seconds(ours: Ours) -> None:
    client, other = ours.connect(), ours.connect()
    number = id_of(client)
    ours.world.advance(5)
    client.call("PING")
    ours.world.advance(7.5)
    told = info_of(other, number)
    assert (told["age"], told["idle"]) == ("12", "7")


def test_list_filters_by_type_and_id(peer: Peer) -> None:
    client, subscriber, third = peer.connect(), peer.connect(), peer.connect()
    numbers = [id_of(each) for each in (client, subscriber, third)]
    subscriber.call("SUBSCRIBE", "a")

    def listed(*words: Any) -> list[int]:
        lines = client.call("CLIENT", "LIST", *words).splitlines()
        found = [int(line.split()[0].removeprefix("id=")) for line in lines]
        return [number for number in found if number in numbers]

    assert listed() == numbers
    assert listed("TYPE", "PubSub") == [numbers[1]]
    assert listed("type", "normal") == [numbers[0], numbers[2]]
    assert listed("TYPE", "master") == listed("TYPE", "replica") == listed("TYPE", "slave") == []
    assert listed("ID", numbers[2], 99999, numbers[0], 0, -1) == [numbers[2], numbers[0]]
    assert listed("ID", numbers[2], numbers[2]) == [numbers[2]] * 2


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["FOO"], SYNTAX),
        (["TYPE"], SYNTAX),
        (["TYPE", "foo"], "ERR Unknown client type 'foo'"),
        (["TYPE", "x" * 200], "ERR Unknown client type '" + "x" * 200 + "'"),
        (["TYPE", "normal", "x"], SYNTAX),
        (["TYPE", "normal", "ID", "1"], SYNTAX),
        (["ID"], SYNTAX),
        (["ID", "x"], "ERR Invalid client ID"),
        (["ID", "1", "1.5"], "ERR Invalid client ID"),
    ],
)
def test_what_list_refuses(client: AnyClient, words: list[str], error: str) -> None:
    assert error_of(client.call("CLIENT", "LIST", *words)) == error


# KILL


@pytest.fixture
def three(peer: Peer) -> list[AnyClient]:
    return [peer.connect() for _ in range(3)]


def is_alive(client: AnyClient) -> bool:
    if not client.closed:
        client.start("ECHO", "alive")
    return "alive" in client.read_all() and not client.closed


def address_of(client: AnyClient) -> str:
    return info_of(client, id_of(client))["addr"]


def test_kill_by_address_the_old_way(three: list[AnyClient]) -> None:
    killer, victim, other = three
    assert killer.call("CLIENT", "KILL", address_of(victim)) == "OK"
    assert [is_alive(each) for each in three] == [True, False, True]
    assert error_of(killer.call("CLIENT", "KILL", "1.2.3.4:5")) == "ERR No such client"
    killer.send(pipeline(f"CLIENT KILL {address_of(killer)}", "PING"))
    assert killer.raw.endswith(b"+OK\r\n") and killer.closed
    assert is_alive(other)


def test_kill_spares_the_killer_unless_told_otherwise(three: list[AnyClient]) -> None:
    killer, victim, other = three
    assert killer.call("CLIENT", "KILL", "ID", id_of(killer)) == 0
    assert killer.call("CLIENT", "KILL", "ID", id_of(victim), "SKIPME", "yes") == 1
    number = id_of(killer)
    killer.raw = b""
    killer.send(pipeline(f"CLIENT KILL ID {number} SKIPME no", "PING"))
    assert killer.raw == b":1\r\n" and killer.closed
    assert is_alive(other) and not is_alive(victim)


@pytest.mark.parametrize("option", ["ADDR", "LADDR", "TYPE", "USER"])
def test_kill_filters(three: list[AnyClient], option: str) -> None:
    killer, victim, other = three
    told = info_of(victim, id_of(victim))
    value = {"ADDR": told["addr"], "LADDR": told["laddr"], "TYPE": "normal", "USER": "default"}[option]
    assert killer.call("CLIENT", "KILL", option, value, "ID", id_of(victim)) == 1
    assert [is_alive(each) for each in three] == [True, False, True]
    assert killer.call("CLIENT", "KILL", "ID", id_of(other), "ADDR", "1.2.3.4:5") == 0


def test_of_several_filters_of_a_kind_the_last_counts(three: list[AnyClient]) -> None:
    killer, victim, other = three
    assert killer.call("CLIENT", "KILL", "ID", id_of(other), "ID", id_of(victim)) == 1
    assert [is_alive(each) for each in three] == [True, False, True]


def test_kill_by_type(three: list[AnyClient]) -> None:
    killer, subscriber, other = three
    subscriber.call("SUBSCRIBE", "a")
    other.call("MONITOR")
    assert killer.call("CLIENT", "KILL", "TYPE", "replica") == 0
    assert killer.call("CLIENT", "KILL", "TYPE", "PUBSUB") == 1
    assert [each.closed or not is_alive(each) for each in three] == [False, True, False]


def test_kill_by_age(ours: Ours) -> None:
    old = ours.connect()
    ours.world.advance(10)
    client = ours.connect()
    assert client.call("CLIENT", "KILL", "MAXAGE", 11) == 0
    assert client.call("CLIENT", "KILL", "MAXAGE", 10, "SKIPME", "no") == 1
    assert old.closed and not client.closed
    assert error_of(client.call("CLIENT", "KILL", "MAXAGE", 0)) == "ERR maxage should be greater than 0"
    assert error_of(client.call("CLIENT", "KILL", "MAXAGE", "x")) == "ERR maxage is not an integer or out of range"


def test_kill_within_exec_ends_the_replies_there(client: AnyClient) -> None:
    number = id_of(client)
    client.raw = b""
    client.send(pipeline("MULTI", f"CLIENT KILL ID {number} SKIPME no", "SET k v", "EXEC", "PING"))
    assert client.raw == b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n" and client.closed


def test_a_killed_client_does_not_run_its_transaction(three: list[AnyClient]) -> None:
    killer, victim, _ = three
    number = id_of(victim)
    victim.send(pipeline("MULTI", "SET k v"))
    killer.call("CLIENT", "KILL", "ID", number)
    assert victim.closed or not is_alive(victim)
    assert killer.call("GET", "k") is None


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], bad_arity("client|kill")),
        (["ID"], "ERR No such client"),
        (["ID", "x"], "ERR client-id should be greater than 0"),
        (["ID", "0"], "ERR client-id should be greater than 0"),
        (["ID", "x", "TYPE"], "ERR client-id should be greater than 0"),
        (["ID", "99999", "TYPE"], SYNTAX),
        (["TYPE", "foo"], "ERR Unknown client type 'foo'"),
        (["USER", "nobody"], "ERR No such user 'nobody'"),
        (["USER", "nobody", "FOO", "x"], "ERR No such user 'nobody'"),
        (["SKIPME", "maybe"], SYNTAX),
        (["FOO", "x"], SYNTAX),
        (["FOO", "x", "ID", "x"], SYNTAX),
    ],
)
def test_what_kill_refuses(client: AnyClient, words: list[str], error: str) -> None:
    assert error_of(client.call("CLIENT", "KILL", *words)) == error


# PAUSE


class Paused:
    """A client while another pauses the server. Redis can be paused for writes only: else it would not tell us that
    it has nothing to say."""

    def __init__(self, peer: Peer, mode: str, *before: str | tuple[str, ...]) -> None:
        self.master, self.client = peer.connect(), peer.connect()
        for command in before:
            self.client.start(*(command.split() if isinstance(command, str) else command))
        self.client.raw = b""
        self.master.call("CLIENT", "PAUSE", 100_000, mode)
        self._peer = peer

    def during(self, *commands: str | tuple[str, ...]) -> bytes:
        """What comes back while the pause lasts."""
        self.client.raw = b""
        self.client.send(pipeline(*commands))
        return self.client.raw

    def after(self) -> bytes:
        """What comes back when it is over."""
        self.client.raw = b""
        if isinstance(self._peer, Ours):
            self._peer.world.advance(100)
        else:
            self.master.call("CLIENT", "UNPAUSE")
        return self.client.raw


def test_a_pause_of_all_holds_everything_back(ours: Ours) -> None:
    paused = Paused(ours, "ALL")
    assert paused.during("PING", "SET k v", "GET k") == b""
    assert paused.after() == b"+PONG\r\n+OK\r\n$1\r\nv\r\n"


def test_a_pause_of_writes_holds_back_what_may_change_something(peer: Peer) -> None:
    for command in ("SET k v", "PUBLISH a m", "DEL k"):
        paused = Paused(peer, "WRITE")
        assert paused.during("GET none", command, "PING") == b"$-1\r\n"
        assert paused.after().endswith(b"+PONG\r\n")


def test_who_waits_for_the_end_of_a_pause_is_blocked(peer: Peer) -> None:
    waits, other = peer.connect(), peer.connect()
    other.call("CLIENT", "PAUSE", 100_000, "WRITE")
    waits.send(pipeline("SET k v"))
    while not (waiting := [line for line in other.call("CLIENT", "LIST").splitlines() if " flags=b " in line]):
        pass
    assert len(waiting) == 1
    other.call("CLIENT", "UNPAUSE")
    while " flags=b " in other.call("CLIENT", "LIST"):
        pass


@pytest.mark.parametrize(
    ("command", "waits"),
    [
        ("PFCOUNT h", True),
        (("EVAL", "return 1", "0"), True),
        (("EVAL", "#!lua\nreturn 1", "0"), True),
        (("EVAL", "#!lua flags=no-writes\nreturn 1", "0"), False),
        (("EVAL_RO", "return 1", "0"), False),
        (("EVALSHA", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "0"), True),
        (("EVALSHA", "ffffffffffffffffffffffffffffffffffffffff", "0"), True),
        (("EVALSHA", "ae33f9227913b24d053a555637f98260b23bd3a3", "0"), False),
        (("FCALL", "reads", "0"), False),
        (("FCALL", "writes", "0"), True),
        (("FCALL_RO", "reads", "0"), False),
    ],
)
@pytest.mark.parametrize("within", [False, True])
def test_scripts_that_say_that_they_only_read_do_not_wait(
    peer: Peer, command: str | tuple[str, ...], waits: bool, within: bool
) -> None:
    client = peer.connect()
    code = (
        "#!lua name=l\nredis.register_function{function_name='reads', callback=function() return 1 end, "
        "flags={'no-writes'}}\nredis.register_function('writes', function() return 1 end)"
    )
    client.call("FUNCTION", "LOAD", "REPLACE", code)
    client.call("SCRIPT", "LOAD", "return 1")
    client.call("SCRIPT", "LOAD", "#!lua flags=no-writes\nreturn 2")
    client.call("PFADD", "h", "a")
    paused = Paused(peer, "WRITE", "MULTI", command) if within else Paused(peer, "WRITE")
    answer = paused.during("EXEC" if within else command)
    assert (answer == b"") is waits
    paused.after()
    client.call("DEL", "h")


def test_exec_waits_where_it_would_write(peer: Peer) -> None:
    paused = Paused(peer, "WRITE", "MULTI", "SET k v")
    assert paused.during("EXEC", "PING") == b""
    assert paused.after() == b"*1\r\n+OK\r\n+PONG\r\n"
    paused = Paused(peer, "WRITE", "MULTI", "GET k")
    assert paused.during("EXEC", "PING") == b"*1\r\n$1\r\nv\r\n+PONG\r\n"


def test_a_write_waits_before_it_is_queued(peer: Peer) -> None:
    paused = Paused(peer, "WRITE", "MULTI")
    assert paused.during("GET k", "SET k v", "EXEC") == b"+QUEUED\r\n"
    assert paused.after() == b"+QUEUED\r\n*2\r\n$-1\r\n+OK\r\n"


def test_what_is_refused_does_not_wait(ours: Ours) -> None:
    paused = Paused(ours, "ALL")
    assert paused.during("SET k", "FOO", "CLIENT FOO").count(b"-ERR ") == 3


def test_who_monitors_does_not_wait(ours: Ours) -> None:
    paused = Paused(ours, "ALL", "MONITOR")
    assert paused.during("PING").startswith(b"+PONG\r\n")


def test_a_pause_within_exec_spares_the_rest_of_it(client: AnyClient) -> None:
    client.send(pipeline("MULTI", "CLIENT PAUSE 100000 WRITE", "SET k v", "CLIENT UNPAUSE", "EXEC", "GET k"))
    assert client.read_all()[-2:] == [["OK", "OK", "OK"], "v"]


def test_unpause_ends_a_pause_of_writes(peer: Peer) -> None:
    paused = Paused(peer, "WRITE")
    assert paused.during("SET k v") == b""
    assert paused.master.call("CLIENT", "UNPAUSE") == "OK"
    assert paused.client.raw == b"+OK\r\n"
    assert paused.master.call("CLIENT", "UNPAUSE") == "OK"


def test_a_pause_ends_with_its_time(ours: Ours) -> None:
    client, other = ours.connect(), ours.connect()
    other.call("CLIENT", "PAUSE", 1000)
    client.start("PING")
    ours.world.advance(0.999)
    assert client.raw == b""
    ours.world.advance(0.001)
    assert client.raw == b"+PONG\r\n"


def test_a_second_pause_makes_the_first_neither_shorter_nor_milder(ours: Ours) -> None:
    client, other = ours.connect(), ours.connect()
    other.send(pipeline("MULTI", "CLIENT PAUSE 1000 ALL", "CLIENT PAUSE 10 WRITE", "EXEC"))
    client.start("PING")
    ours.world.advance(0.9)
    assert client.raw == b""
    ours.world.advance(0.1)
    assert client.raw == b"+PONG\r\n"


def test_a_pause_of_no_time_is_none(client: AnyClient) -> None:
    client.send(pipeline("CLIENT PAUSE 0", "PING"))
    assert client.raw == b"+OK\r\n+PONG\r\n"


def test_what_expires_during_a_pause_is_hidden_until_it_ends(ours: Ours) -> None:
    client, other, listener = ours.connect(), ours.connect(), listener_of(ours)
    client.call("SET", "k", "v", "PX", 100)
    client.call("SET", "lasting", "v")
    listener.read_all()
    other.call("CLIENT", "PAUSE", 1000, "WRITE")
    ours.world.advance(0.5)
    ours.world.expire()
    assert client.call("GET", "k") is None
    assert client.call("TTL", "k") == -2
    assert client.call("TYPE", "k") == "none"
    assert client.call("SCAN", 0, "COUNT", 1000)[1] == ["lasting"]
    assert client.call("RANDOMKEY") == "lasting"
    assert heard(listener) == [] and ours.world.core.keyspace.databases[0].expired == 0
    ours.world.advance(0.5)
    assert client.call("GET", "k") is None
    assert heard(listener) == [("expired", "k")]


def test_a_write_in_the_transaction_that_pauses_finds_nothing_that_has_expired(ours: Ours) -> None:
    client = ours.connect()
    for key in ("a", "b", "c", "d"):
        client.call("SET", key, "1", "PX", 100)
    ours.world.advance(0.2)
    writes = ("APPEND a x", "INCR b", "PERSIST c", "DEL d")
    client.send(pipeline("MULTI", "CLIENT PAUSE 1000 WRITE", *writes, "CLIENT UNPAUSE", "EXEC"))
    assert client.read_all()[-1] == ["OK", 1, 1, 0, 0, "OK"]


def test_a_client_that_goes_while_it_waits_is_forgotten(ours: Ours) -> None:
    client, other = ours.connect(), ours.connect()
    other.call("CLIENT", "PAUSE", 1000)
    client.start("SET", "k", "v")
    client.close()
    ours.world.advance(2)
    assert other.call("GET", "k") is None
    assert ours.world.core.pause.postponed == 0


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], bad_arity("client|pause")),
        (["x"], "ERR timeout is not an integer or out of range"),
        (["1.5"], "ERR timeout is not an integer or out of range"),
        (["-1"], "ERR timeout is negative"),
        (["x", "FOO"], "ERR CLIENT PAUSE mode must be WRITE or ALL"),
        (["1", "FOO"], "ERR CLIENT PAUSE mode must be WRITE or ALL"),
        (["1", "ALL", "x"], bad_words("PAUSE")),
    ],
)
def test_what_pause_refuses(client: AnyClient, words: list[str], error: str) -> None:
    assert error_of(client.call("CLIENT", "PAUSE", *words)) == error


def test_a_pause_may_not_reach_beyond_time(our_client: Client) -> None:
    assert error_of(our_client.call("CLIENT", "PAUSE", 2**63 - 1)) == "ERR timeout is out of range"


@needs_lists
def test_a_blocking_command_waits_for_the_end_of_a_pause_before_it_blocks(peer: Peer) -> None:
    paused = Paused(peer, "WRITE")
    assert paused.during("BLPOP list 100", "PING") == b""
    assert paused.after() == b""
    paused.master.call("RPUSH", "list", "a")
    assert paused.client.raw == b"*2\r\n$4\r\nlist\r\n$1\r\na\r\n+PONG\r\n"


# UNBLOCK


@needs_lists
def test_unblock_ends_the_waiting_as_a_timeout_or_with_an_error(peer: Peer) -> None:
    client, other = peer.connect(), peer.connect()
    number = id_of(client)
    for words, answer in (
        ([], b"*-1\r\n"),
        (["timeout"], b"*-1\r\n"),
        (["ERROR"], b"-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"),
    ):
        client.raw = b""
        client.send(pipeline("BLPOP none 0", "PING"))
        assert info_of(other, number)["flags"] == "b"
        assert other.call("CLIENT", "UNBLOCK", number, *words) == 1
        assert client.raw == answer + b"+PONG\r\n"
    assert other.call("CLIENT", "UNBLOCK", number) == 0


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["99999"], 0),
        (["-1"], 0),
        (["99999", "ERROR"], 0),
        (["x"], BAD_INTEGER),
        (["x", "FOO"], "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"),
        (["1", "FOO"], "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"),
        (["1", "ERROR", "x"], bad_words("UNBLOCK")),
        ([], bad_arity("client|unblock")),
    ],
)
def test_what_unblock_answers_otherwise(client: AnyClient, words: list[str], answer: int | str) -> None:
    reply = client.call("CLIENT", "UNBLOCK", *words)
    assert (reply if isinstance(answer, int) else error_of(reply)) == answer


# The rest


def test_no_evict_takes_on_and_off(client: AnyClient) -> None:
    assert client.call("CLIENT", "NO-EVICT", "on") == "OK"
    assert client.call("CLIENT", "NO-EVICT", "OFF") == "OK"
    assert error_of(client.call("CLIENT", "NO-EVICT", "maybe")) == SYNTAX
    assert error_of(client.call("CLIENT", "NO-EVICT")) == bad_arity("client|no-evict")


def test_a_client_that_leaves_no_trace_does_not_keep_keys_young(ours: Ours) -> None:
    client, other = ours.connect(), ours.connect()
    core = ours.world.core
    assert error_of(client.call("CLIENT", "NO-TOUCH", "maybe")) == SYNTAX
    use_lru(ours)
    other.call("SET", "k", "v")
    ours.world.advance(100)
    client.call("CLIENT", "NO-TOUCH", "ON")
    assert client.call("GET", "k") == "v"
    assert other.call("OBJECT", "IDLETIME", "k") == 100
    assert client.call("TOUCH", "k") == 1
    assert other.call("OBJECT", "IDLETIME", "k") == 0
    ours.world.advance(100)
    client.call("CLIENT", "NO-TOUCH", "OFF")
    client.call("GET", "k")
    assert other.call("OBJECT", "IDLETIME", "k") == 0
    assert core.tables.calls("touch") == 1


@pytest.mark.parametrize("policy", ["allkeys-lfu", "allkeys-adaptive"])
def test_nor_does_it_count(ours: Ours, policy: str) -> None:
    client, other = ours.connect(), ours.connect()
    ours.world.core.shape.use_engine(load_policy(policy).engine)
    while ours.world.core.shape.step():
        pass
    for number in range(200):
        other.call("SET", f"k{number}", "v")
    client.call("CLIENT", "NO-TOUCH", "ON")
    before = other.call("OBJECT", "FREQ", "k0")
    for words in [("GET", "k0"), ("SET", "k0", "w"), ("STRLEN", "k0"), ("EXISTS", "k0")] * 10:
        client.call(*words)
    assert other.call("OBJECT", "FREQ", "k0") == before
    for words in [("GET", "k0"), ("SET", "k0", "w"), ("STRLEN", "k0"), ("EXISTS", "k0")] * 10:
        other.call(*words)
    assert other.call("OBJECT", "FREQ", "k0") > before


def use_lru(ours: Ours) -> None:
    """Let the databases have an engine that knows how long a key has not been used."""
    from pycache_server.evict.lru import Lru

    shape = ours.world.core.shape
    shape.use_engine(Lru)
    while shape.step():
        pass


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], bad_arity("client")),
        (["FOO"], "ERR unknown subcommand 'FOO'. Try CLIENT HELP."),
        (["f" * 200], "ERR unknown subcommand '" + "f" * 128 + "'. Try CLIENT HELP."),
        (["a\r\nb"], "ERR unknown subcommand 'a  b'. Try CLIENT HELP."),
        (["ID", "x"], bad_arity("client|id")),
        (["GETNAME", "x"], bad_arity("client|getname")),
        (["SETNAME"], bad_arity("client|setname")),
        (["INFO", "x"], bad_arity("client|info")),
        (["UNPAUSE", "x"], bad_arity("client|unpause")),
        (["MAINT_NOTIFICATIONS", "ON"], "ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP."),
    ],
)
def test_subcommands_that_are_not_there_or_take_other_arguments(
    client: AnyClient, words: list[str], error: str
) -> None:
    assert error_of(client.call("CLIENT", *words)) == error
