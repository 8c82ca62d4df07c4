"""ACL and its consequences: who may log in, what they may do, and what happens when that changes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.peers import AnyClient, Client, Ours, Peer, pipeline
from tests.peers import error_of as exact_error_of

NO_COMMAND = "NOPERM this user has no permissions to run the '{}' command"
NO_KEY = "NOPERM this user has no permissions to access one of the keys used as arguments"
NO_CHANNEL = "NOPERM this user has no permissions to access one of the channels used as arguments"
WRONG_PASSWORD = "WRONGPASS invalid username-password pair or user is disabled."
NOAUTH = "NOAUTH Authentication required."
CHANGED = (
    "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. "
    "This command is no longer allowed for the following reason: "
)
USERS = [f"acl-{name}" for name in ("alice", "bob", "carol")]
ALICE, BOB, CAROL = USERS
LOGGED = ("count", "reason", "context", "object", "username")


@pytest.fixture
def admin(peer: Peer) -> Any:
    """A client that may do everything, and removes the users in the end."""
    client = peer.connect()
    client.call("ACL", "LOG", "RESET")
    yield client
    client.call("ACL", "DELUSER", *USERS)


def set_user(client: AnyClient, name: str, rules: str) -> None:
    assert client.call("ACL", "SETUSER", name, *rules.split()) == "OK"


def logged_in(peer: Peer, name: str) -> AnyClient:
    client = peer.connect()
    assert client.call("AUTH", name, "x") == "OK"
    return client


def fields_of(reply: Any) -> dict[str, Any]:
    return reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))


def log_of(client: AnyClient) -> list[tuple[Any, ...]]:
    entries = map(fields_of, client.call("ACL", "LOG"))
    return [tuple(entry[name] for name in LOGGED) for entry in entries]


def error_of(reply: Any) -> str:
    """An error, in the words that Redis had for it before 7.2."""
    return older_words(exact_error_of(reply))


def older_words(text: str) -> str:
    text = text.replace("NOPERM No permissions to access a key", NO_KEY)
    text = text.replace("NOPERM No permissions to access a channel", NO_CHANNEL)
    text = re.sub("NOPERM User [a-z-]+ has", "NOPERM this user has", text)
    return text.replace(f"User {ALICE} has", "This user has")


def said(reply: Any) -> Any:
    """A reply, or what an error says."""
    return error_of(reply) if isinstance(reply, Exception) else reply


# Logging in


@pytest.mark.parametrize(
    ("rules", "right", "wrong"),
    [
        ("on >x", ["x"], ["", "y", "x\0"]),
        ("on >x >y", ["x", "y"], ["", "xy"]),
        ("on >x >y <x", ["y"], ["x"]),
        ("on nopass", ["", "whatever"], []),
        ("on >x nopass", ["y"], []),
        ("on nopass >x", ["x"], ["y"]),
        ("on >x resetpass", [], ["x", ""]),
        ("on", [], ["", "x"]),
        (">x", [], ["x"]),
        ("on >x off", [], ["x"]),
        ("nopass", [], ["x"]),
        ("on #2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881", ["x"], ["y"]),
        ("on >x !2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881", [], ["x"]),
        ("on >x reset", [], ["x"]),
    ],
)
def test_who_may_log_in(peer: Peer, admin: AnyClient, rules: str, right: list[str], wrong: list[str]) -> None:
    set_user(admin, ALICE, rules)
    client = peer.connect()
    for password in wrong:
        assert error_of(client.call("AUTH", ALICE, password)) == WRONG_PASSWORD
        assert error_of(client.call("HELLO", 2, "AUTH", ALICE, password)) == WRONG_PASSWORD
        assert client.call("ACL", "WHOAMI") == "default"
    for password in right:
        assert client.call("AUTH", ALICE, password) == "OK"
        assert client.call("RESET") == "RESET"
        set_user(admin, ALICE, "+acl|whoami +client +hello")
        client.call("HELLO", 2, "AUTH", ALICE, password)
        assert client.call("ACL", "WHOAMI") == ALICE
        assert f" user={ALICE} " in client.call("CLIENT", "INFO")
        client.call("RESET")
        assert client.call("ACL", "WHOAMI") == "default"


def test_a_failed_login_leaves_the_user_as_it_was(peer: Peer, admin: AnyClient) -> None:
    set_user(admin, ALICE, "on >x +acl|whoami")
    client = logged_in(peer, ALICE)
    assert error_of(client.call("AUTH", ALICE, "y")) == WRONG_PASSWORD
    assert error_of(client.call("AUTH", BOB, "x")) == WRONG_PASSWORD
    assert client.call("ACL", "WHOAMI") == ALICE


# Commands


def test_a_new_user_may_only_do_what_everybody_may(peer: Peer, admin: AnyClient) -> None:
    set_user(admin, ALICE, "on nopass")
    client = logged_in(peer, ALICE)
    for words in (["GET", "a"], ["PING"], ["ACL", "WHOAMI"], ["CLIENT", "ID"], ["MULTI"], ["SUBSCRIBE", "a"]):
        name = "|".join(words[:2]).lower() if words[0] in ("ACL", "CLIENT") else words[0].lower()
        assert error_of(client.call(*words)) == NO_COMMAND.format(name)
    assert said(client.call("GET")) == "ERR wrong number of arguments for 'get' command"
    assert said(client.call("CLIENT", "NOSUCH")) == "ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP."
    assert said(client.call("NOSUCH")) == "ERR unknown command 'NOSUCH', with args beginning with: "
    assert client.call("HELLO", 2)
    assert client.call("AUTH", ALICE, "") == "OK"
    assert client.call("RESET") == "RESET"


@pytest.mark.parametrize(
    ("rules", "words", "answer"),
    [
        ("+get allkeys", "GET a", None),
        ("+get", "GET a", NO_KEY),
        ("+get ~a", "GET a", None),
        ("+get ~a", "GET b", NO_KEY),
        ("+get ~a*", "GET abc", None),
        ("+get ~a* ~b*", "GET bc", None),
        ("+get ~a* ~b*", "GET c", NO_KEY),
        ("+get ~[ab]? ~x", "GET bc", None),
        ("+get ~[ab]? ~x", "GET x", None),
        ("+get ~[ab]? ~x", "GET c", NO_KEY),
        ("+get ~*", "GET ", None),
        ("+get ~a*", "get b", NO_KEY),
        ("+get ~a*", "gEt b", NO_KEY),
        ("+get %R~a", "GET a", None),
        ("+get %W~a", "GET a", NO_KEY),
        ("+set %W~a", "SET a 1", "OK"),
        ("+set %R~a", "SET a 1", NO_KEY),
        ("+set %W~a", "SET a 1 GET", NO_KEY),
        ("+set %RW~a", "SET a 1 XX GET", None),
        ("+strlen %W~a", "STRLEN a", 0),
        ("+exists %W~a", "EXISTS a", 0),
        ("+exists %W~a", "EXISTS b", NO_KEY),
        ("+mget ~a*", "MGET a ab", [None, None]),
        ("+mget ~a*", "MGET a b", NO_KEY),
        ("+mget ~a ~b", "MGET a b", [None, None]),
        ("+mset ~a*", "MSET a b ab b", "OK"),
        ("+mset ~a*", "MSET a a b a", NO_KEY),
        ("+del ~a*", "DEL a ab", 0),
        ("+del ~a*", "DEL b a", NO_KEY),
        ("+blpop ~a*", "BLPOP a b 1", NO_KEY),
        ("+rename %RW~a %W~b", "RENAME a b", "ERR no such key"),
        ("+rename %R~a %W~b", "RENAME a b", NO_KEY),
        ("+copy %R~a %W~b", "COPY a b", 0),
        ("+copy %R~a %W~b", "COPY b a", NO_KEY),
        ("+zunionstore ~a*", "ZUNIONSTORE a 1 b", NO_KEY),
        ("+zunionstore ~a*", "ZUNIONSTORE a 1 ab", 0),
        ("+zunionstore ~a*", "ZUNIONSTORE a x b", "ERR value is not an integer or out of range"),
        ("+xread ~a*", "XREAD STREAMS a b 0 0", NO_KEY),
        ("+xread ~a*", "XREAD STREAMS a ab 0 0", None),
        ("+object|encoding ~a", "OBJECT ENCODING b", NO_KEY),
        ("+object|encoding ~a", "OBJECT ENCODING a", None),
        ("+object|encoding ~a", "OBJECT FREQ a", NO_COMMAND.format("object|freq")),
        ("+object -object|freq ~a", "OBJECT FREQ a", NO_COMMAND.format("object|freq")),
        ("+object -object|freq ~a", "OBJECT encoding a", None),
        ("+select|1", "SELECT 1", "OK"),
        ("+select|1", "SELECT 2", NO_COMMAND.format("select")),
        ("+select|1", "SELECT", "ERR wrong number of arguments for 'select' command"),
        ("+set|A ~*", "SET a 1", "OK"),
        ("+set|A ~*", "SET b 1", NO_COMMAND.format("set")),
        ("+@read ~*", "GET a", None),
        ("+@read ~*", "SET a 1", NO_COMMAND.format("set")),
        ("+@all -@write ~*", "SET a 1", NO_COMMAND.format("set")),
        ("+@all -get ~*", "GET a", NO_COMMAND.format("get")),
        ("+@all -get +get ~*", "GET a", None),
        ("+sort ~a", "SORT a BY nosort", []),
        ("+sort ~a", "SORT a BY w*", "ERR BY option of SORT denied due to insufficient ACL permissions."),
        ("+sort ~a", "SORT a GET #", "ERR GET option of SORT denied due to insufficient ACL permissions."),
        ("+sort ~a", "SORT a GET # LIMIT x", "ERR GET option of SORT denied due to insufficient ACL permissions."),
        ("+sort ~a", "SORT a LIMIT x 1 GET #", "ERR value is not an integer or out of range"),
        ("+sort ~a", "SORT a STORE b", NO_KEY),
        ("+sort %R~a %W~b", "SORT a STORE b", 0),
        ("+sort %R~*", "SORT a BY w* GET #", []),
        ("+sort %W~* %R~a", "SORT a BY w*", "ERR BY option of SORT denied due to insufficient ACL permissions."),
        ("+sort_ro ~*", "SORT_RO a BY w*", []),
        ("+publish &a*", "PUBLISH ab x", 0),
        ("+publish &a*", "PUBLISH b x", NO_CHANNEL),
        ("+publish", "PUBLISH b x", NO_CHANNEL),
        ("+publish allchannels", "PUBLISH b x", 0),
        ("+subscribe &a", "SUBSCRIBE a b", NO_CHANNEL),
        ("+psubscribe &a*", "PSUBSCRIBE ab", NO_CHANNEL),
        ("+psubscribe &a*", "PSUBSCRIBE a*", ["psubscribe", "a*", 1]),
        ("+subscribe &a*", "SUBSCRIBE ab", ["subscribe", "ab", 1]),
        ("+unsubscribe", "UNSUBSCRIBE b", ["unsubscribe", "b", 0]),
        ("+punsubscribe", "PUNSUBSCRIBE b", ["punsubscribe", "b", 0]),
        # selectors
        ("(+get ~a)", "GET a", None),
        ("(+get ~a)", "GET b", NO_KEY),
        ("(+get ~a) (+get ~b)", "GET b", None),
        ("+get ~a (+set ~b)", "GET b", NO_KEY),
        ("+get ~a (+set ~b)", "SET b 1", "OK"),
        ("+get ~a (+set ~b)", "SET a 1", NO_KEY),
        ("+get ~a (+set ~b)", "INCR a", NO_COMMAND.format("incr")),
        ("+mget ~a (+mget ~b)", "MGET a b", NO_KEY),
        ("+sort ~a (+sort %R~*)", "SORT a BY w*", []),
        ("+publish &a (+publish &b)", "PUBLISH b x", 0),
        ("+@all ~* &*", "GET a", None),
        ("(+@all ~* &*)", "GET a", None),
    ],
)
def test_what_rules_permit(peer: Peer, admin: AnyClient, rules: str, words: str, answer: Any) -> None:
    set_user(admin, ALICE, "on nopass " + rules)
    client = logged_in(peer, ALICE)
    assert said(client.call(*words.split(" "))) == answer
    admin.call("DEL", "a", "b")
    admin.call("DEL", "ab")


def test_several_commands_in_one_packet(peer: Peer, admin: AnyClient) -> None:
    set_user(admin, ALICE, "on nopass +get +set ~a*")
    client = logged_in(peer, ALICE)
    client.raw = b""
    client.send(pipeline("SET a 1", "GET a", "GET b", "get a", "INCR a", "GET"))
    refused = [NO_KEY, NO_COMMAND.format("incr"), "ERR wrong number of arguments for 'get' command"]
    assert older_words(client.raw.decode()) == "+OK\r\n$1\r\n1\r\n-{}\r\n$1\r\n1\r\n-{}\r\n-{}\r\n".format(*refused)


# Transactions


def test_a_refusal_spoils_a_transaction(peer: Peer, admin: AnyClient) -> None:
    set_user(admin, ALICE, "on nopass +multi +exec +get +set ~a")
    client = logged_in(peer, ALICE)
    assert client.call("MULTI") == "OK"
    assert client.call("SET", "a", "1") == "QUEUED"
    assert error_of(client.call("SET", "b", "1")) == NO_KEY
    assert error_of(client.call("DISCARD")) == NO_COMMAND.format("discard")
    assert error_of(client.call("EXEC")).startswith("EXECABORT Transaction discarded because of previous errors")
    assert log_of(admin) == [
        (1, "command", "multi", "discard", ALICE),
        (1, "key", "multi", "b", ALICE),
    ]


def test_exec_itself_may_be_refused(peer: Peer, admin: AnyClient) -> None:
    set_user(admin, ALICE, "on nopass +multi +ping")
    client = logged_in(peer, ALICE)
    assert client.call("MULTI") == "OK"
    assert client.call("PING") == "QUEUED"
    refused = "EXECABORT Transaction discarded because of: " + NO_COMMAND.format("exec")
    assert error_of(client.call("EXEC")) == refused
    assert client.call("PING") == "PONG"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("-set", "no permission to execute the command or subcommand"),
        ("resetkeys", "no permission to touch the specified keys"),
        ("resetchannels", "no permission to access one of the channels used as arguments"),
    ],
)
def test_exec_looks_at_permissions_again(peer: Peer, admin: AnyClient, change: str, reason: str) -> None:
    set_user(admin, ALICE, "on nopass +@all ~a &a")
    client = logged_in(peer, ALICE)
    client.send(pipeline("MULTI", "SET a 1", "PUBLISH a x", "PING", "EXEC"))
    assert [said(each) for each in client.read_all()][-1] == ["OK", 0, "PONG"]
    client.send(pipeline("MULTI", "SET a 1", "PUBLISH a x", "PING"))
    client.read_all()
    set_user(admin, ALICE, change)
    answers = [said(each) for each in client.call("EXEC")]
    assert CHANGED + reason in answers
    assert answers[-1] == "PONG"
    assert sorted(map(str, answers)) == sorted(["PONG", CHANGED + reason, "0" if "channel" not in reason else "OK"])
    (entry,) = log_of(admin)
    assert entry[2] == "multi"
    admin.call("DEL", "a")


def test_a_user_may_take_permissions_from_itself(peer: Peer, admin: AnyClient) -> None:
    set_user(admin, ALICE, "on nopass +@all ~*")
    client = logged_in(peer, ALICE)
    client.send(pipeline("MULTI", "GET a", f"ACL SETUSER {ALICE} -get", "GET a", "EXEC", "GET a"))
    *_, answers, last = client.read_all()
    assert [said(each) for each in answers] == [
        None,
        "OK",
        CHANGED + "no permission to execute the command or subcommand",
    ]
    assert error_of(last) == NO_COMMAND.format("get")


# Changes


def test_a_change_takes_effect_on_connections_at_once(peer: Peer, admin: AnyClient) -> None:
    set_user(admin, ALICE, "on nopass +@all ~*")
    client = logged_in(peer, ALICE)
    assert client.call("GET", "a") is None
    set_user(admin, ALICE, "-get")
    assert error_of(client.call("GET", "a")) == NO_COMMAND.format("get")
    set_user(admin, ALICE, "+get resetkeys ~b")
    assert error_of(client.call("GET", "a")) == NO_KEY
    set_user(admin, ALICE, "~a")
    assert client.call("GET", "a") is None
    set_user(admin, ALICE, "off resetpass")
    assert client.call("GET", "a") is None


def test_a_rule_that_is_wrong_changes_nothing(peer: Peer, admin: AnyClient) -> None:
    set_user(admin, ALICE, "on nopass +get ~a")
    before = admin.call("ACL", "LIST")
    assert error_of(admin.call("ACL", "SETUSER", ALICE, "-get", "+nosuch")) == (
        "ERR Error in ACL SETUSER modifier '+nosuch': Unknown command or category name in ACL"
    )
    assert admin.call("ACL", "LIST") == before
    error_of(admin.call("ACL", "SETUSER", BOB, "on", "nonsense"))
    assert BOB not in admin.call("ACL", "USERS")


def test_deleting_a_user_ends_its_connections(peer: Peer, admin: AnyClient) -> None:
    for name in (ALICE, BOB):
        set_user(admin, name, "on nopass +@all")
    clients = [logged_in(peer, name) for name in (ALICE, ALICE, BOB)]
    other = peer.connect()
    assert admin.call("ACL", "DELUSER", ALICE, "acl-nobody", ALICE) == 1
    for client in clients:
        client.read_all()
    assert [client.closed for client in clients] == [True, True, False]
    assert other.call("PING") == "PONG"
    assert error_of(other.call("AUTH", ALICE, "x")) == WRONG_PASSWORD
    assert admin.call("ACL", "GETUSER", ALICE) is None


def test_a_user_that_deletes_itself_gets_the_answer(peer: Peer, admin: AnyClient) -> None:
    set_user(admin, ALICE, "on nopass +@all")
    client = logged_in(peer, ALICE)
    client.raw = b""
    client.send(pipeline(f"ACL DELUSER {ALICE}", "PING"))
    assert client.raw == b":1\r\n"
    assert client.closed


@pytest.mark.parametrize("names", [["default"], [ALICE, "default"]])
def test_the_default_user_stays(peer: Peer, admin: AnyClient, names: list[str]) -> None:
    set_user(admin, ALICE, "on")
    assert error_of(admin.call("ACL", "DELUSER", *names)) == "ERR The 'default' user cannot be removed"
    assert ALICE in admin.call("ACL", "USERS")


@pytest.mark.parametrize(
    ("before", "after", "listens", "stays"),
    [
        ("allchannels", "resetchannels &a", "SUBSCRIBE a", True),
        ("allchannels", "resetchannels &a", "SUBSCRIBE b", False),
        ("allchannels", "resetchannels", "SUBSCRIBE a", False),
        ("&a*", "resetchannels &a*", "SUBSCRIBE ab", True),
        ("&a &b", "resetchannels &b", "SUBSCRIBE a", False),
        ("&a &b", "resetchannels &b &c", "SUBSCRIBE b", True),
        ("&a*", "resetchannels &ab", "PSUBSCRIBE a*", False),
        ("&a*", "&b", "PSUBSCRIBE a*", True),
        ("&a", "resetchannels", "SSUBSCRIBE a", False),
        ("&a &b", "resetchannels &a", "SSUBSCRIBE a", True),
        ("&a", "off", "SUBSCRIBE a", True),
        ("&a", "-@all", "SUBSCRIBE a", True),
        ("&a", "resetchannels (&a)", "SUBSCRIBE a", True),
        ("(+@all &a)", "clearselectors", "SUBSCRIBE a", False),
    ],
)
def test_who_listens_to_what_is_no_longer_allowed_is_disconnected(
    peer: Peer, admin: AnyClient, before: str, after: str, listens: str, stays: bool
) -> None:
    set_user(admin, ALICE, "on nopass +@all " + before)
    client = logged_in(peer, ALICE)
    client.call(*listens.split())
    quiet = logged_in(peer, ALICE)
    set_user(admin, ALICE, after)
    client.read_all()
    assert client.closed is not stays
    quiet.read_all()
    assert not quiet.closed


# The default user


def test_the_default_user_may_be_restricted(our_client: Client, ours: Ours) -> None:
    set_user(our_client, CAROL, "on nopass +@all ~* &*")
    set_user(our_client, "default", "-get")
    assert error_of(our_client.call("GET", "a")) == NO_COMMAND.format("get")
    fresh = ours.connect()
    assert error_of(fresh.call("GET", "a")) == NO_COMMAND.format("get")
    assert fresh.call("AUTH", CAROL, "") == "OK"
    assert fresh.call("GET", "a") is None
    assert fresh.call("RESET") == "RESET"
    assert error_of(fresh.call("GET", "a")) == NO_COMMAND.format("get")


def test_without_the_default_user_everybody_must_log_in(our_client: Client, ours: Ours) -> None:
    set_user(our_client, CAROL, "on >x +@all ~* &*")
    set_user(our_client, "default", "off")
    assert our_client.call("PING") == "PONG"
    fresh = ours.connect()
    assert error_of(fresh.call("PING")) == NOAUTH
    assert error_of(fresh.call("AUTH", "default", "")) == WRONG_PASSWORD
    assert fresh.call("AUTH", CAROL, "x") == "OK"
    assert fresh.call("PING") == "PONG"
    fresh.call("RESET")
    assert error_of(fresh.call("PING")) == NOAUTH


def test_requirepass_is_the_password_of_the_default_user(peer: Peer, admin: AnyClient) -> None:
    early = peer.connect()
    early.call("PING")
    peer.require("secret")
    (line,) = (each for each in admin.call("ACL", "LIST") if each.startswith("user default"))
    assert "#2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b" in line
    late = peer.connect()
    assert error_of(late.call("PING")) == NOAUTH
    assert early.call("PING") == "PONG"
    peer.require("")
    assert late.call("PING") == "PONG"
    peer.require("secret")
    assert error_of(late.call("PING")) == NOAUTH
    assert early.call("PING") == "PONG"
    peer.require("")


# The log


def test_the_log_tells_what_was_refused(peer: Peer, admin: AnyClient) -> None:
    set_user(admin, ALICE, "on nopass +get +set|a +publish ~a &a +client|info")
    client = logged_in(peer, ALICE)
    client.send(pipeline("GET b", "GET b", "INCR a", "SET b 1", "PUBLISH b x", "CLIENT ID", "GET c", f"AUTH {BOB} x"))
    client.send(pipeline(f"hello 2 AUTH {BOB} x"))
    assert log_of(admin) == [
        (1, "auth", "toplevel", "hello", BOB),
        (1, "auth", "toplevel", "AUTH", BOB),
        (1, "key", "toplevel", "c", ALICE),
        (1, "command", "toplevel", "client|id", ALICE),
        (1, "channel", "toplevel", "b", ALICE),
        (1, "command", "toplevel", "set", ALICE),
        (1, "command", "toplevel", "incr", ALICE),
        (2, "key", "toplevel", "b", ALICE),
    ]
    client.call("GET", "b")
    assert log_of(admin)[0] == (3, "key", "toplevel", "b", ALICE)
    entry = fields_of(admin.call("ACL", "LOG", 1)[0])
    assert f"user={ALICE}" in entry["client-info"]
    assert "cmd=get" in entry["client-info"]
    assert float(entry["age-seconds"]) < 60
    assert len(admin.call("ACL", "LOG", 2)) == 2
    assert admin.call("ACL", "LOG", 0) == []
    assert admin.call("ACL", "LOG", -5) == []
    assert admin.call("ACL", "LOG", "reset") == "OK"
    assert admin.call("ACL", "LOG") == []


def test_only_ten_entries_are_looked_at_for_the_same(peer: Peer, admin: AnyClient) -> None:
    set_user(admin, ALICE, "on nopass +get ~a")
    client = logged_in(peer, ALICE)
    for number in range(11):
        client.call("GET", f"k{number}")
    client.call("GET", "k1")
    client.call("GET", "k0")
    entries = [fields_of(entry) for entry in admin.call("ACL", "LOG", 100)]
    assert [(entry["object"], entry["count"]) for entry in entries][:2] == [("k0", 1), ("k1", 2)]
    assert len(entries) == 12


def test_entries_have_numbers_and_times(our_client: Client, ours: Ours) -> None:
    set_user(our_client, ALICE, "on nopass")
    client = logged_in(ours, ALICE)
    client.call("GET", "a")
    first = fields_of(our_client.call("ACL", "LOG")[0])
    ours.world.advance(2.5)
    client.call("GET", "a")
    ours.world.advance(1)
    again = fields_of(our_client.call("ACL", "LOG")[0])
    assert (again["entry-id"], again["count"]) == (first["entry-id"], 2)
    assert again["timestamp-created"] == first["timestamp-created"]
    assert again["timestamp-last-updated"] - again["timestamp-created"] == 2500
    assert float(again["age-seconds"]) == 1
    ours.world.advance(60)
    client.call("GET", "a")
    newest, oldest = map(fields_of, our_client.call("ACL", "LOG"))
    assert newest["entry-id"] == oldest["entry-id"] + 1


def test_the_log_has_a_greatest_length(our_client: Client, ours: Ours) -> None:
    log = ours.world.core.access.log
    log.longest = 3
    set_user(our_client, ALICE, "on nopass +get")
    client = logged_in(ours, ALICE)
    for number in range(5):
        client.call("GET", number)
    assert [entry[3] for entry in log_of(our_client)] == ["4", "3", "2"]
    log.longest = 0
    client.call("GET", "x")
    assert log_of(our_client) == []


# Answers


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("CAT nosuch", "ERR Unknown category 'nosuch'"),
        ("CAT a b", "ERR unknown subcommand or wrong number of arguments for 'CAT'. Try ACL HELP."),
        ("GENPASS a b", "ERR unknown subcommand or wrong number of arguments for 'GENPASS'. Try ACL HELP."),
        ("GENPASS x", "ERR value is not an integer or out of range"),
        (
            "GENPASS 0",
            "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096",
        ),
        (
            "GENPASS 4097",
            "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096",
        ),
        ("LOG x", "ERR value is not an integer or out of range"),
        ("LOG 1 2", "ERR unknown subcommand or wrong number of arguments for 'LOG'. Try ACL HELP."),
        ("WHOAMI x", "ERR wrong number of arguments for 'acl|whoami' command"),
        ("LIST x", "ERR wrong number of arguments for 'acl|list' command"),
        ("NOSUCH", "ERR unknown subcommand 'NOSUCH'. Try ACL HELP."),
        ("DRYRUN nobody get a", "ERR User 'nobody' not found"),
        ("DRYRUN default nosuch", "ERR Command 'nosuch' not found"),
        ("DRYRUN default config nosuch", "ERR Command 'config' not found"),
        ("DRYRUN default config", "ERR wrong number of arguments for 'config' command"),
        ("DRYRUN default get", "ERR wrong number of arguments for 'get' command"),
        ("DRYRUN default config get", "ERR wrong number of arguments for 'config|get' command"),
        (f"SETUSER {ALICE} (+get", "ERR Unmatched parenthesis in acl selector starting at '(+get'."),
        (f"SETUSER {ALICE} on", "OK"),
        (f"SETUSER {ALICE}", "OK"),
        ("SETUSER", "ERR wrong number of arguments for 'acl|setuser' command"),
        ("DELUSER", "ERR wrong number of arguments for 'acl|deluser' command"),
    ],
)
def test_what_acl_answers(admin: AnyClient, words: str, error: str) -> None:
    assert said(admin.call("ACL", *words.split())) == error


def test_names_without_blanks(admin: AnyClient) -> None:
    for name in ("a b", "a\0", "\t", "a\n"):
        reply = admin.call("ACL", "SETUSER", name)
        assert error_of(reply) == "ERR Usernames can't contain spaces or null characters"


def test_a_password_for_the_asking(admin: AnyClient) -> None:
    assert len(admin.call("ACL", "GENPASS")) == 64
    assert len(admin.call("ACL", "GENPASS", 5)) == 2
    assert len(admin.call("ACL", "GENPASS", 4096)) == 1024
    assert set(admin.call("ACL", "GENPASS")) <= set("0123456789abcdef")


def test_a_user_is_described(admin: AnyClient) -> None:
    set_user(admin, ALICE, "reset on >x ~a %R~b +get &c (+set ~d)")
    found = fields_of(admin.call("ACL", "GETUSER", ALICE))
    digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert found.pop("selectors") == [["commands", "-@all +set", "keys", "~d", "channels", ""]]
    assert found == {
        "flags": ["on", "sanitize-payload"],
        "passwords": [digest],
        "commands": "-@all +get",
        "keys": "~a %R~b",
        "channels": "&c",
    }
    rules = f"on sanitize-payload #{digest} ~a %R~b resetchannels &c -@all +get (~d resetchannels -@all +set)"
    assert f"user {ALICE} {rules}" in admin.call("ACL", "LIST")
    assert admin.call("ACL", "GETUSER", "acl-nobody") is None


def test_a_trial_run_tells_and_does_nothing(admin: AnyClient) -> None:
    set_user(admin, ALICE, "+set +publish ~a* &b")

    def told(*words: str) -> str:
        return older_words(admin.call("ACL", "DRYRUN", ALICE, *words))

    assert told("SET", "a", "1") == "OK"
    assert admin.call("GET", "a") is None
    assert told("SET", "b", "1") == "This user has no permissions to access the 'b' key"
    assert told("GET", "b") == "This user has no permissions to run the 'get' command"
    assert told("PUBLISH", "x", "1") == "This user has no permissions to access the 'x' channel"
    assert admin.call("ACL", "DRYRUN", "default", "GET", "b") == "OK"
    assert admin.call("ACL", "LOG") == []


def test_categories_are_listed(admin: AnyClient) -> None:
    assert admin.call("ACL", "CAT")[:3] == ["keyspace", "read", "write"]
    assert {"get", "object|encoding"} <= {*admin.call("ACL", "CAT", "Read"), *admin.call("ACL", "CAT", "keyspace")}
    assert "get" not in admin.call("ACL", "CAT", "write")


def test_connections_of_a_user_may_be_ended(peer: Peer, admin: AnyClient) -> None:
    set_user(admin, ALICE, "on nopass")
    clients = [logged_in(peer, ALICE), peer.connect()]
    assert error_of(admin.call("CLIENT", "KILL", "USER", "acl-nobody")) == "ERR No such user 'acl-nobody'"
    assert admin.call("CLIENT", "KILL", "USER", ALICE) == 1
    for client in clients:
        client.read_all()
    assert [client.closed for client in clients] == [True, False]


def test_users_are_no_secret_of_the_slow_log(our_client: Client, ours: Ours) -> None:
    ours.log_slow_calls(0)
    our_client.call("ACL", "SETUSER", ALICE, "on", ">secret")
    our_client.call("ACL", "GETUSER", ALICE)
    our_client.call("ACL", "DELUSER", ALICE, BOB)
    hidden = "(redacted)"
    assert [entry[3] for entry in our_client.call("SLOWLOG", "GET")][:3] == [
        ["ACL", "DELUSER", hidden, hidden],
        ["ACL", "GETUSER", hidden],
        ["ACL", "SETUSER", hidden, hidden, hidden],
    ]


# Other states of a client


def test_permissions_come_before_what_a_subscriber_may_not_do(peer: Peer, admin: AnyClient) -> None:
    set_user(admin, ALICE, "on nopass +subscribe &*")
    client = logged_in(peer, ALICE)
    client.call("SUBSCRIBE", "a")
    assert error_of(client.call("GET", "a")) == NO_COMMAND.format("get")
    assert error_of(client.call("PING")) == NO_COMMAND.format("ping")


def test_a_silent_client_is_not_told(peer: Peer, admin: AnyClient) -> None:
    set_user(admin, ALICE, "on nopass +client")
    client = logged_in(peer, ALICE)
    client.raw = b""
    client.send(pipeline("CLIENT REPLY OFF", "GET a", "CLIENT REPLY ON"))
    assert client.raw == b"+OK\r\n"
    client.raw = b""
    client.send(pipeline("CLIENT REPLY SKIP", "GET a", "CLIENT ID"))
    assert client.raw.startswith(b":")


def test_refused_commands_are_counted_as_rejected(our_client: Client, ours: Ours) -> None:
    set_user(our_client, ALICE, "on nopass +get ~a +client|id")
    client = logged_in(ours, ALICE)
    for words in ("GET a", "GET b", "SET a 1", "CLIENT ID", "CLIENT INFO"):
        client.call(*words.split())
    tables = ours.world.core.tables
    counts = {name: (tables.calls(name), tables.rows[name].stats.rejected) for name in ("get", "set", "client|id")}
    assert counts == {"get": (1, 1), "set": (0, 1), "client|id": (1, 0)}
    assert (tables.calls("client|info"), tables.rows["client|info"].stats.rejected) == (0, 1)


def test_a_user_that_may_do_everything_has_the_tables_of_everybody(our_client: Client, ours: Ours) -> None:
    set_user(our_client, ALICE, "on nopass +@all ~* &*")
    client = logged_in(ours, ALICE)
    tables = ours.world.core.tables
    assert client.session.table is tables.normal
    set_user(our_client, ALICE, "-get")
    restricted = client.session.table
    assert restricted is not tables.normal
    assert restricted[b"set"] is tables.normal[b"set"]
    other = logged_in(ours, ALICE)
    assert other.session.table is restricted
    set_user(our_client, ALICE, "+get")
    assert client.session.table is tables.normal


def test_refusals_are_in_the_words_of_redis_since_7_2(ours: Ours) -> None:
    admin, client = ours.connect(), ours.connect()
    set_user(admin, ALICE, "on nopass +get +publish +acl|dryrun ~a* &b")
    assert client.call("AUTH", ALICE, "") == "OK"
    refused = {
        ("SET", "a", "1"): f"User {ALICE} has no permissions to run the 'set' command",
        ("CLIENT", "ID"): f"User {ALICE} has no permissions to run the 'client|id' command",
        ("GET", "b"): "No permissions to access a key",
        ("PUBLISH", "a", "1"): "No permissions to access a channel",
    }
    for words, text in refused.items():
        assert exact_error_of(client.call(*words)) == f"NOPERM {text}"
    said = {("SET", "a", "1"): "run the 'set' command", ("GET", "b"): "access the 'b' key"}
    for words, text in said.items():
        assert admin.call("ACL", "DRYRUN", ALICE, *words) == f"User {ALICE} has no permissions to {text}"
    admin.call("ACL", "DELUSER", ALICE)


def test_who_waits_is_refused_what_is_not_permitted_any_more(ours: Ours) -> None:
    admin = ours.connect()
    set_user(admin, ALICE, "on nopass +blpop +xread +ping ~*")
    client, other = logged_in(ours, ALICE), ours.connect()
    client.send(pipeline("BLPOP list 0"))
    set_user(admin, ALICE, "resetkeys ~other")
    other.send(pipeline("BLPOP list 0"))
    assert admin.call("RPUSH", "list", "x") == 1
    assert exact_error_of(client.read()) == "NOPERM No permissions to access a key"
    assert other.read() == ["list", "x"]
    client.send(pipeline("XREAD BLOCK 0 STREAMS other $"))
    set_user(admin, ALICE, "-xread")
    admin.call("XADD", "other", "1-1", "f", "v")
    assert exact_error_of(client.read()) == NO_COMMAND.replace("this user", f"User {ALICE}").format("xread")
    assert client.call("PING") == "PONG"
    assert [entry[5] for entry in admin.call("ACL", "LOG")][:2] == ["toplevel", "toplevel"]
    admin.call("ACL", "DELUSER", ALICE)
