"""HELLO, AUTH, QUIT, RESET, SELECT, PING, and CLIENT REPLY: what a connection says about itself."""

from __future__ import annotations

from typing import Any

import pytest

from tests.peers import AnyClient, Client, Ours, Peer, error_of, pipeline

NOAUTH = "NOAUTH Authentication required."
NOAUTH_REPLY = b"-NOAUTH Authentication required.\r\n"
WRONG_PASSWORD = "WRONGPASS invalid username-password pair or user is disabled."
BAD_NAME = "ERR Client names cannot contain spaces, newlines or special characters."
NO_PASSWORD_SET = (
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)
NULL2, NULL3 = b"$-1\r\n", b"_\r\n"


@pytest.fixture
def locked(peer: Peer) -> Peer:
    """A server that wants a password."""
    peer.require("secret")
    return peer


def replies(client: AnyClient, *commands: Any) -> bytes:
    """What comes back to commands that are sent in one packet."""
    client.raw = b""
    client.send(pipeline(*commands))
    data = client.raw
    client.read_all()
    return data


def null_of(client: AnyClient) -> bytes:
    """A null reply, which tells the version of the protocol."""
    return replies(client, "GET none")


# HELLO


def test_hello_tells_of_the_server_and_leaves_the_protocol_as_it_is(client: AnyClient) -> None:
    answer = client.call("HELLO")
    told = dict(zip(answer[::2], answer[1::2], strict=True))
    assert list(told) == ["server", "version", "proto", "id", "mode", "role", "modules"]
    assert told["version"].startswith("7.")
    assert told["id"] == client.call("CLIENT", "ID")
    assert {name: told[name] for name in ("server", "proto", "mode", "role", "modules")} == {
        "server": "redis",
        "proto": 2,
        "mode": "standalone",
        "role": "master",
        "modules": [],
    }
    assert null_of(client) == NULL2


def test_hello_changes_the_protocol_and_answers_in_the_new_one(client: AnyClient) -> None:
    assert client.call("HELLO", 3)["proto"] == 3
    assert null_of(client) == NULL3
    assert client.call("HELLO")["proto"] == 3
    assert client.call("hello", 2)[5] == 2
    assert null_of(client) == NULL2


def test_hello_names_the_connection(client: AnyClient) -> None:
    client.call("HELLO", 3, "SETNAME", "one")
    assert client.call("CLIENT", "GETNAME") == "one"
    client.call("HELLO", 3, "SETNAME", "two", "SETNAME", "three")
    assert client.call("CLIENT", "GETNAME") == "three"
    client.call("HELLO", 3, "SETNAME", "")
    assert client.call("CLIENT", "GETNAME") is None


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["4"], "NOPROTO unsupported protocol version"),
        (["1"], "NOPROTO unsupported protocol version"),
        (["-1"], "NOPROTO unsupported protocol version"),
        (["4", "FOO"], "NOPROTO unsupported protocol version"),
        (["x"], "ERR Protocol version is not an integer or out of range"),
        (["3.0"], "ERR Protocol version is not an integer or out of range"),
        (["AUTH", "default", "x"], "ERR Protocol version is not an integer or out of range"),
        (["99999999999999999999"], "ERR Protocol version is not an integer or out of range"),
        (["3", "FOO"], "ERR Syntax error in HELLO option 'FOO'"),
        (["3", "f" * 300], "ERR Syntax error in HELLO option '" + "f" * 300 + "'"),
        (["3", "a\r\nb"], "ERR Syntax error in HELLO option 'a  b'"),
        (["3", "AUTH"], "ERR Syntax error in HELLO option 'AUTH'"),
        (["3", "auth", "default"], "ERR Syntax error in HELLO option 'auth'"),
        (["3", "SETNAME"], "ERR Syntax error in HELLO option 'SETNAME'"),
        (["3", "SETNAME", "a b"], BAD_NAME),
        (["3", "SETNAME", "a\n", "FOO"], BAD_NAME),
        (["3", "AUTH", "nobody", "x"], WRONG_PASSWORD),
    ],
)
def test_a_hello_that_is_refused_changes_nothing(client: AnyClient, words: list[str], error: str) -> None:
    client.call("CLIENT", "SETNAME", "name")
    assert error_of(client.call("HELLO", *words)) == error
    assert client.call("CLIENT", "GETNAME") == "name"
    assert null_of(client) == NULL2


def test_hello_looks_at_all_options_before_it_does_anything(our_client: Client) -> None:
    error = error_of(our_client.call("HELLO", 3, "AUTH", "nobody", "x", "SETNAME", "a b"))
    assert error == BAD_NAME
    error_of(our_client.call("HELLO", 3, "SETNAME", "name", "AUTH", "nobody", "x"))
    assert our_client.call("CLIENT", "GETNAME") is None


def test_hello_within_exec_changes_the_protocol_from_there_on(client: AnyClient) -> None:
    data = replies(client, "MULTI", "GET none", "HELLO 3", "GET none", "EXEC", "GET none")
    assert data.startswith(b"+OK\r\n" + b"+QUEUED\r\n" * 3 + b"*3\r\n" + NULL2 + b"%7\r\n")
    assert data.endswith(NULL3 + NULL3)


def test_hello_logs_in(locked: Peer) -> None:
    client = locked.connect()
    assert client.call("HELLO", 3, "AUTH", "default", "secret", "SETNAME", "me")["proto"] == 3
    assert client.call("CLIENT", "GETNAME") == "me"


def test_hello_of_a_stranger_is_refused_behind_all_checks(locked: Peer) -> None:
    client = locked.connect()
    for words in ([], ["3"], ["3", "SETNAME", "me"]):
        assert error_of(client.call("HELLO", *words)).startswith("NOAUTH HELLO must be called with the client already")
    assert error_of(client.call("HELLO", 4)).startswith("NOPROTO")
    assert error_of(client.call("HELLO", 3, "FOO")).startswith("ERR Syntax error")
    assert error_of(client.call("HELLO", 3, "AUTH", "default", "wrong")) == WRONG_PASSWORD
    assert replies(client, "GET x") == NOAUTH_REPLY


def test_a_refused_hello_of_a_stranger_leaves_no_name(ours: Ours) -> None:
    ours.require("secret")
    client = ours.connect()
    client.call("HELLO", 3, "SETNAME", "me")
    client.call("HELLO", 3, "AUTH", "default", "secret", "FOO")
    assert error_of(client.call("PING")) == NOAUTH
    client.call("AUTH", "secret")
    assert client.call("CLIENT", "GETNAME") is None


# AUTH


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["x"], NO_PASSWORD_SET),
        (["default", "x"], "OK"),
        (["default", ""], "OK"),
        (["DEFAULT", "x"], WRONG_PASSWORD),
        (["nobody", "x"], WRONG_PASSWORD),
        (["a", "b", "c"], "ERR syntax error"),
        ([], "ERR wrong number of arguments for 'auth' command"),
    ],
)
def test_auth_where_no_password_is_set(client: AnyClient, words: list[str], answer: str) -> None:
    reply = client.call("AUTH", *words)
    assert (reply if reply == "OK" else error_of(reply)) == answer
    assert client.call("PING") == "PONG"


def test_auth_with_the_password_of_the_server(locked: Peer) -> None:
    for words in (["secret"], ["default", "secret"]):
        client = locked.connect()
        assert error_of(client.call("PING")) == NOAUTH
        assert client.call("AUTH", *words) == "OK"
        assert client.call("PING") == "PONG"


@pytest.mark.parametrize(
    "words", [["wrong"], [""], ["secret\0"], ["default", "wrong"], ["", "secret"], ["x", "secret"]]
)
def test_a_wrong_password_is_refused(locked: Peer, words: list[str]) -> None:
    client = locked.connect()
    assert error_of(client.call("AUTH", *words)) == WRONG_PASSWORD
    assert error_of(client.call("PING")) == NOAUTH


def test_a_failed_auth_does_not_log_out(locked: Peer) -> None:
    client = locked.connect()
    client.call("AUTH", "secret")
    error_of(client.call("AUTH", "wrong"))
    error_of(client.call("HELLO", 3, "AUTH", "default", "wrong"))
    assert client.call("PING") == "PONG"
    assert null_of(client) == NULL2


def test_auth_may_be_queued(client: AnyClient) -> None:
    data = replies(client, "MULTI", "AUTH default x", "AUTH x", "EXEC")
    assert data.startswith(b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n-ERR AUTH <password> called without")


def test_what_a_stranger_may_send(locked: Peer) -> None:
    client = locked.connect()
    assert client.call("RESET") == "RESET"
    assert client.call("QUIT") == "OK"
    assert client.closed


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("PING", NOAUTH_REPLY),
        ("GET x", NOAUTH_REPLY),
        ("GET", b"-ERR wrong number of arguments for 'get' command\r\n"),
        ("FOO x", b"-ERR unknown command 'FOO', with args beginning with: 'x' \r\n"),
        ("CLIENT ID", NOAUTH_REPLY),
        ("CLIENT FOO", b"-ERR unknown subcommand 'FOO'. Try CLIENT HELP.\r\n"),
        ("CLIENT GETNAME x", b"-ERR wrong number of arguments for 'client|getname' command\r\n"),
        ("CLIENT REPLY OFF", NOAUTH_REPLY),
        ("MULTI", NOAUTH_REPLY),
        ("EXEC", b"-EXECABORT Transaction discarded because of: NOAUTH Authentication required.\r\n"),
        ("SUBSCRIBE a", NOAUTH_REPLY),
        ("COMMAND", NOAUTH_REPLY),
        ("RESET x", b"-ERR wrong number of arguments for 'reset' command\r\n"),
    ],
)
def test_what_a_stranger_is_told(locked: Peer, command: str, answer: bytes) -> None:
    assert replies(locked.connect(), command, "PING") == answer + NOAUTH_REPLY


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"*11\r\n$4\r\nPING\r\n", b"-ERR Protocol error: unauthenticated multibulk length\r\n"),
        (b"*1\r\n$16385\r\n", b"-ERR Protocol error: unauthenticated bulk length\r\n"),
    ],
)
def test_strangers_may_send_short_commands_only(locked: Peer, data: bytes, error: bytes) -> None:
    client = locked.connect()
    client.send(pipeline("PING") + data)
    assert client.raw == NOAUTH_REPLY + error
    assert client.closed


def test_the_limits_of_strangers_end_with_auth_and_come_back_with_reset(locked: Peer) -> None:
    client = locked.connect()
    long = ("ECHO", "x" * 20_000)
    assert replies(client, "AUTH secret", long, "RESET", "PING").endswith(b"x\r\n+RESET\r\n" + NOAUTH_REPLY)
    assert replies(client, ("DEL", *range(10))) == b"-ERR Protocol error: unauthenticated multibulk length\r\n"


def test_a_whole_handshake_in_one_packet(ours: Ours) -> None:
    ours.require("secret")
    client = ours.connect()
    data = replies(
        client,
        "AUTH secret",
        "HELLO 3 AUTH default secret SETNAME me",
        "CLIENT SETINFO LIB-NAME redis-py",
        "CLIENT SETINFO lib-ver 8.1",
        "SELECT 1",
        "GET none",
        "CLIENT GETNAME",
    )
    assert data.startswith(b"+OK\r\n%7\r\n")
    assert data.endswith(b"+OK\r\n" * 3 + NULL3 + b"$2\r\nme\r\n")


# QUIT


def test_quit_answers_and_ends_the_connection(client: AnyClient) -> None:
    assert replies(client, "PING", "QUIT", "PING") == b"+PONG\r\n+OK\r\n"
    assert client.closed


@pytest.mark.parametrize("before", ["MULTI", "SUBSCRIBE a", "CLIENT SETNAME x"])
def test_quit_ends_every_state(client: AnyClient, before: str) -> None:
    assert replies(client, before, "QUIT and whatever", "PING").endswith(b"+OK\r\n")
    assert client.closed


# RESET


def test_reset_makes_the_connection_as_good_as_new(peer: Peer) -> None:
    client = peer.connect()
    for words in (
        ["HELLO", 3],
        ["SELECT", 1],
        ["CLIENT", "SETNAME", "me"],
        ["CLIENT", "NO-EVICT", "ON"],
        ["WATCH", "a"],
    ):
        client.call(*words)
    replies(client, "SUBSCRIBE channel", "PSUBSCRIBE pattern", "MULTI", "PING")
    assert replies(client, "RESET") == b"+RESET\r\n"
    assert null_of(client) == NULL2
    assert client.call("CLIENT", "GETNAME") is None
    info = dict(field.split("=", 1) for field in client.call("CLIENT", "INFO").split())
    shown = {name: info[name] for name in ("flags", "db", "sub", "psub", "multi", "resp", "name", "user")}
    assert shown == {
        "flags": "e" if peer.is_redis else "N",  # 7.0 forgot this one
        "db": "0",
        "sub": "0",
        "psub": "0",
        "multi": "-1",
        "resp": "2",
        "name": "",
        "user": "default",
    }
    other = peer.connect()
    assert other.call("PUBLISH", "channel", "x") == 0


def test_reset_forgets_watched_keys_and_what_is_queued(client: AnyClient) -> None:
    data = replies(client, "WATCH a", "RESET", "SET a 1", "MULTI", "PING", "EXEC")
    assert data == b"+OK\r\n+RESET\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n"
    data = replies(client, "MULTI", "SET a 2", "RESET", "EXEC", "GET a")
    assert data == b"+OK\r\n+QUEUED\r\n+RESET\r\n-ERR EXEC without MULTI\r\n$1\r\n1\r\n"


def test_reset_logs_out_where_a_password_is_set(locked: Peer) -> None:
    client = locked.connect()
    assert replies(client, "AUTH secret", "RESET", "PING") == b"+OK\r\n+RESET\r\n" + NOAUTH_REPLY


def test_reset_ends_subscriptions_without_a_word(client: AnyClient) -> None:
    replies(client, "SUBSCRIBE a")
    assert replies(client, "RESET", "PING") == b"+RESET\r\n+PONG\r\n"


def test_reset_ends_monitoring_and_silence(client: AnyClient) -> None:
    assert replies(client, "MONITOR", "RESET", "PING") == b"+OK\r\n+RESET\r\n+PONG\r\n"
    assert replies(client, "CLIENT REPLY OFF", "PING", "RESET", "PING") == b"+RESET\r\n+PONG\r\n"
    assert replies(client, "CLIENT REPLY SKIP", "RESET", "PING") == b"+PONG\r\n"


def test_reset_keeps_what_the_library_has_told(our_client: Client) -> None:
    our_client.call("CLIENT", "SETINFO", "LIB-NAME", "lib")
    our_client.call("RESET")
    assert "lib-name=lib " in our_client.call("CLIENT", "INFO")


# SELECT, PING, ECHO


@pytest.mark.parametrize(
    ("index", "error"),
    [
        ("16", "ERR DB index is out of range"),
        ("-1", "ERR DB index is out of range"),
        ("x", "ERR value is not an integer or out of range"),
        ("01", "ERR value is not an integer or out of range"),
        (" 1", "ERR value is not an integer or out of range"),
        ("1\0", "ERR value is not an integer or out of range"),
        ("2147483648", "ERR value is out of range, value must between -2147483648 and 2147483647"),
        ("99999999999999999999", "ERR value is not an integer or out of range"),
    ],
)
def test_select_refuses_what_is_no_database(client: AnyClient, index: str, error: str) -> None:
    client.call("SET", "k", "in 0")
    assert error_of(client.call("SELECT", index)) == error
    assert client.call("GET", "k") == "in 0"


def test_select_is_of_the_connection_alone(peer: Peer) -> None:
    client, other = peer.connect(), peer.connect()
    assert client.call("SELECT", 3) == "OK"
    client.call("SET", "k", "v")
    assert other.call("GET", "k") is None
    assert client.call("GET", "k") == "v"


def test_ping_and_echo(client: AnyClient) -> None:
    assert client.call("PING") == "PONG"
    assert client.call("PING", "hello") == "hello"
    assert client.call("ECHO", "hello") == "hello"
    assert error_of(client.call("PING", "a", "b")) == "ERR wrong number of arguments for 'ping' command"
    assert error_of(client.call("ECHO")) == "ERR wrong number of arguments for 'echo' command"


def test_ping_of_a_subscriber_is_a_message_in_resp2_only(client: AnyClient) -> None:
    client.call("SUBSCRIBE", "a")
    assert client.call("PING") == ["pong", ""]
    assert client.call("PING", "x") == ["pong", "x"]
    assert error_of(client.call("PING", "x", "y")) == "ERR wrong number of arguments for 'ping' command"
    client.call("RESET")
    client.call("HELLO", 3)
    client.call("SUBSCRIBE", "a")
    assert client.call("PING") == "PONG"
    assert client.call("PING", "x") == "x"


def test_a_subscriber_that_leaves_no_trace_is_pinged_all_the_same(our_client: Client) -> None:
    our_client.call("CLIENT", "NO-TOUCH", "ON")
    our_client.call("SUBSCRIBE", "a")
    assert our_client.call("PING") == ["pong", ""]


def test_what_a_subscriber_in_resp2_is_told(client: AnyClient) -> None:
    client.call("SUBSCRIBE", "a")
    allowed = "only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
    assert error_of(client.call("GET", "a")) == f"ERR Can't execute 'get': {allowed}"
    assert error_of(client.call("CLIENT", "ID")) == f"ERR Can't execute 'client|id': {allowed}"
    assert error_of(client.call("HELLO", 3)) == f"ERR Can't execute 'hello': {allowed}"
    assert error_of(client.call("GET")) == "ERR wrong number of arguments for 'get' command"
    assert error_of(client.call("CLIENT", "FOO")) == "ERR unknown subcommand 'FOO'. Try CLIENT HELP."
    assert error_of(client.call("FOO")) == "ERR unknown command 'FOO', with args beginning with: "


# CLIENT REPLY

PONG_A, PONG_B = b"$1\r\na\r\n", b"$1\r\nb\r\n"


@pytest.mark.parametrize(
    ("modes", "answer"),
    [
        ("ON", b"+OK\r\n" + PONG_A + PONG_B),
        ("OFF", b""),
        ("SKIP", PONG_B),
        ("OFF ON", b"+OK\r\n" + PONG_A + PONG_B),
        ("OFF SKIP", b""),
        ("OFF SKIP ON", b"+OK\r\n" + PONG_A + PONG_B),
        ("SKIP ON", b"+OK\r\n" + PONG_A + PONG_B),
        ("SKIP OFF", b""),
        ("SKIP SKIP", PONG_B),
        ("SKIP SKIP SKIP", PONG_B),
        ("SKIP OFF ON", b"+OK\r\n" + PONG_A + PONG_B),
        ("ON SKIP", b"+OK\r\n" + PONG_B),
    ],
)
def test_replies_can_be_turned_off(client: AnyClient, modes: str, answer: bytes) -> None:
    turns = [f"CLIENT REPLY {mode}" for mode in modes.split()]
    assert replies(client, *turns, "PING a", "PING b") == answer
    assert replies(client, "CLIENT REPLY ON", "PING a") == b"+OK\r\n" + PONG_A
    for turn in turns:
        client.send(pipeline(turn))
    client.raw = b""
    assert replies(client, "PING a", "PING b") == answer.replace(b"+OK\r\n", b"")


@pytest.mark.parametrize("command", ["FOO", "GET", "CLIENT REPLY BAD", "CLIENT FOO", "SET a b c", "INCR text"])
def test_errors_are_kept_back_too(client: AnyClient, command: str) -> None:
    client.call("SET", "text", "x")
    assert replies(client, "CLIENT REPLY SKIP", command, "PING a") == PONG_A
    assert replies(client, "CLIENT REPLY OFF", command, "PING a", "CLIENT REPLY ON") == b"+OK\r\n"


@pytest.mark.parametrize("mode", ["OFF", "SKIP"])
def test_a_silent_client_that_breaks_the_protocol_is_not_told(client: AnyClient, mode: str) -> None:
    client.send(pipeline(f"CLIENT REPLY {mode}") + b"*1\r\n$x\r\n")
    assert client.raw == b""


def test_replies_and_transactions(client: AnyClient) -> None:
    assert replies(client, "CLIENT REPLY SKIP", "MULTI", "PING a", "EXEC") == b"+QUEUED\r\n*1\r\n" + PONG_A
    assert replies(client, "MULTI", "CLIENT REPLY SKIP", "EXEC", "PING") == b"+OK\r\n+QUEUED\r\n*1\r\n"
    replies(client, "CLIENT REPLY OFF", "MULTI", "SET k v", "EXEC")
    assert replies(client, "CLIENT REPLY ON", "GET k") == b"+OK\r\n$1\r\nv\r\n"
    queued = b"+OK\r\n" + b"+QUEUED\r\n" * 3
    assert replies(client, "MULTI", "CLIENT REPLY OFF", "PING", "CLIENT REPLY ON", "EXEC") == queued + b"*3\r\n+OK\r\n"


def test_messages_reach_a_silent_subscriber_in_resp3(client: AnyClient) -> None:
    client.call("HELLO", 3)
    client.call("SUBSCRIBE", "a")
    assert replies(client, "CLIENT REPLY OFF", "PUBLISH a m") == b">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nm\r\n"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["FOO"], "ERR syntax error"),
        ([""], "ERR syntax error"),
        ([], "ERR wrong number of arguments for 'client|reply' command"),
        (["ON", "OFF"], "ERR wrong number of arguments for 'client|reply' command"),
    ],
)
def test_what_client_reply_refuses(client: AnyClient, words: list[str], error: str) -> None:
    assert error_of(client.call("CLIENT", "REPLY", *words)) == error
