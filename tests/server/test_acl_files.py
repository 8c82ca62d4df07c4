"""Users in files: the ACL file, and users that a configuration declares."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.conftest import RealRedis
from tests.peers import error_of
from tests.server.running import ROOT, Running, Wire

pytestmark = pytest.mark.process

NO_FILE = (
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER "
    "command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store "
    "users in the Redis configuration."
)
BOTH = "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid."
UNCHANGED = "WARNING: ACL errors detected, no change to the previously active ACL rules was performed"

Start = Callable[..., tuple[int, Path]]


@pytest.fixture(params=["ours", pytest.param("redis", marks=pytest.mark.interop)])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Start]:
    """Starts a server of either kind with an ACL file of this text, and gives its port and the path of the file."""
    running: list[Running | RealRedis] = []

    def start(text: str) -> tuple[int, Path]:
        path = tmp_path / "users.acl"
        path.write_text(text)
        kind = Running if request.param == "ours" else RealRedis
        running.append(kind(tmp_path, "--aclfile", str(path)))
        return running[-1].port, path

    yield start
    for server in running:
        if isinstance(server, Running):
            server.terminate()
        else:
            server.stop()


def connect(port: int, user: str = "") -> Wire:
    wire = Wire(("127.0.0.1", port))
    if user:
        assert wire.call("AUTH", user, "") == "OK"
    return wire


def users_of(wire: Wire) -> list[str]:
    """ACL LIST, as it was before 7.2 told of payloads that nobody has said anything about."""
    return [line.replace(" sanitize-payload", "") for line in wire.call("ACL", "LIST")]


def is_closed(wire: Wire) -> bool:
    try:
        wire.call("PING")
    except (ConnectionError, OSError):
        return True
    return False


def test_users_are_read_at_the_start_and_written(start: Start) -> None:
    port, path = start("user alice on nopass ~a* +get\n\n  user bob off (+set ~b) &c\r\n")
    with connect(port) as admin:
        expected = [
            "user alice on nopass ~a* resetchannels -@all +get",
            "user bob off resetchannels &c -@all (~b resetchannels -@all +set)",
            "user default on nopass ~* &* +@all",
        ]
        assert users_of(admin) == expected
        assert admin.call("ACL", "SETUSER", "carol", "on", ">x", "+@all", "-@dangerous") == "OK"
        assert admin.call("ACL", "SAVE") == "OK"
        before = admin.call("ACL", "LIST")
        assert path.read_text().splitlines() == before
        assert admin.call("ACL", "DELUSER", "carol", "bob") == 2
        assert admin.call("ACL", "LOAD") == "OK"
        assert admin.call("ACL", "LIST") == before
        assert admin.call("CONFIG", "GET", "aclfile") == ["aclfile", str(path)]
        assert error_of(admin.call("CONFIG", "SET", "aclfile", "x")) == (
            "ERR CONFIG SET failed (possibly related to argument 'aclfile') - can't set immutable config"
        )


def test_a_file_without_the_default_user_makes_it_anew(start: Start) -> None:
    port, path = start("user default on nopass +@all -flushall ~*\n")
    with connect(port) as admin:
        assert users_of(admin) == ["user default on nopass ~* resetchannels +@all -flushall"]
        path.write_text("user alice on\n")
        assert admin.call("ACL", "LOAD") == "OK"
        assert users_of(admin)[1] == "user default on nopass ~* &* +@all"


@pytest.mark.parametrize(
    ("lines", "errors"),
    [
        (["foo bar"], "{}:1 should start with user keyword followed by the username. "),
        (["user"], "{}:1 should start with user keyword followed by the username. "),
        (["# no comments"], "{}:1 should start with user keyword followed by the username. "),
        (["user a on", "", "user a off"], "WARNING: Duplicate user 'a' found on line 3. "),
        (["user a\tb on"], "'{}:1: username 'a\tb' contains invalid characters. "),
        (
            ["user a +nosuch foo bar"],
            (
                "{0}:1: Error in applying operation '+nosuch': Unknown command or category name in ACL. "
                "{0}:1: Syntax error. "
            ),
        ),
        (
            ["user a (+get", "user b ~* ~a"],
            (
                "{0}:1: Unmatched parenthesis in selector definition."
                "{0}:2: Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have "
                "any effect. Try 'resetkeys' to start with an empty list of patterns. "
            ),
        ),
        (["user a <x"], "{}:1: The password you are trying to remove from the user does not exist. "),
        (
            ["user a #x"],
            "{}:1: The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters. ",
        ),
        (["user  a on"], "{}:1: Syntax error. "),
    ],
)
def test_a_file_with_errors_changes_nothing(start: Start, lines: list[str], errors: str) -> None:
    port, path = start("user alice on nopass\n")
    path.write_text("\n".join(lines))
    with connect(port) as admin:
        before = admin.call("ACL", "LIST")
        assert str(admin.call("ACL", "LOAD")) == "ERR " + errors.format(path) + UNCHANGED
        assert admin.call("ACL", "LIST") == before


def test_a_file_that_is_gone(start: Start) -> None:
    port, path = start("")
    path.unlink()
    with connect(port) as admin:
        error = f"ERR Error loading ACLs, opening file '{path}': No such file or directory"
        assert error_of(admin.call("ACL", "LOAD")) == error
        assert admin.call("ACL", "SAVE") == "OK"
        assert path.exists()


def test_loading_ends_the_connections_of_users_that_are_gone(start: Start) -> None:
    port, path = start("user alice on nopass +@all\nuser bob on nopass +@all\n")
    with connect(port) as admin, connect(port, "alice") as alice:
        path.write_text("user bob on nopass +@all -ping\n")
        assert admin.call("ACL", "LOAD") == "OK"
        assert is_closed(alice)


def test_loading_keeps_the_connections_of_users_that_stay(tmp_path: Path) -> None:
    path = tmp_path / "users.acl"
    path.write_text("user alice on nopass +@all ~*\nuser bob on nopass +@all &a\n")
    with (
        Running(tmp_path, "--aclfile", str(path)) as server,
        connect(server.port) as admin,
        connect(server.port, "alice") as alice,
        connect(server.port, "bob") as bob,
    ):
        bob.call("SUBSCRIBE", "a")
        path.write_text("user alice on nopass +@all -get ~*\nuser bob on nopass +@all &b\n")
        assert admin.call("ACL", "LOAD") == "OK"
        assert alice.call("SET", "k", "v") == "OK"
        assert error_of(alice.call("GET", "k")).startswith("NOPERM")
        assert is_closed(bob)


def test_a_user_that_loads_itself_away_gets_the_answer(tmp_path: Path) -> None:
    path = tmp_path / "users.acl"
    path.write_text("user alice on nopass +@all ~*\n")
    with Running(tmp_path, "--aclfile", "users.acl") as server, connect(server.port, "alice") as alice:
        path.write_text("")
        assert alice.call("ACL", "LOAD") == "OK"
        assert is_closed(alice)


def test_without_a_file_there_is_nothing_to_load_or_save(tmp_path: Path) -> None:
    with Running(tmp_path) as server, connect(server.port) as admin:
        for subcommand in ("LOAD", "SAVE"):
            assert error_of(admin.call("ACL", subcommand)) == NO_FILE


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "users.acl"
    path.write_text("")
    with Running(tmp_path, "--aclfile", "users.acl") as server, connect(server.port) as admin:
        path.unlink()
        path.mkdir()
        assert error_of(admin.call("ACL", "SAVE")) == (
            "ERR There was an error trying to save the ACLs. Please check the server logs for more information"
        )
        assert "ACL SAVE" in server.log()


# Configuration


def start_failing(tmp_path: Path, text: str) -> str:
    """What a server says that does not start."""
    path = tmp_path / "pycache.conf"
    path.write_text("port 0\nunixsocket s.sock\n" + text)
    found = subprocess.run(
        [sys.executable, "-m", "pycache_server", str(path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert found.returncode == 1
    return found.stdout + found.stderr


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("user a on\naclfile users.acl\n", BOTH),
        ("aclfile none.acl\n", "Error loading ACLs, opening file 'none.acl': No such file or directory"),
        ("user a on\nuser a off\n", "Error in user declaration 'a': Duplicate user found."),
        ("user a on +nosuch\n", "Error loading ACL rule '+nosuch' for the user named 'a': Unknown command"),
        ("user a foo\n", "Error loading ACL rule 'foo' for the user named 'a': Syntax error"),
        ("user a (+get\n", "Unmatched parenthesis in acl selector starting at '(+get'."),
        ("user 'a b' on\n", "Spaces not allowed in ACL usernames"),
        ("user\n", "Bad directive or wrong number of arguments"),
    ],
)
def test_users_that_cannot_be_had_are_no_start(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "users.acl").write_text("")
    assert problem in start_failing(tmp_path, text)


def test_users_of_the_configuration_are_read_and_rewritten(tmp_path: Path) -> None:
    path = tmp_path / "pycache.conf"
    path.write_text("user a on nopass +get ~a\n# comment\nuser b off (~a +@read)\nmaxclients 20\nuser c on\n")
    with Running(tmp_path, config=str(path)) as server:
        assert "The user 'b' is disabled" in server.log()
        with connect(server.port) as admin:
            assert admin.call("ACL", "USERS") == ["a", "b", "c", "default"]
            admin.call("ACL", "DELUSER", "a")
            admin.call("ACL", "SETUSER", "d", "on", "%R~x*", "+@read")
            admin.call("ACL", "SETUSER", "e", "on")
            assert admin.call("CONFIG", "REWRITE") == "OK"
            users = admin.call("ACL", "LIST")
    lines = path.read_text().splitlines()
    assert lines[:5] == [users[0], "# comment", users[1], "maxclients 20", users[2]]
    assert [line for line in lines if line.startswith("user ")] == users
    with Running(tmp_path, config=str(path)) as server, connect(server.port) as admin:
        assert admin.call("ACL", "LIST") == users


def test_a_configuration_with_an_acl_file_has_no_users_in_it(tmp_path: Path) -> None:
    path = tmp_path / "pycache.conf"
    (tmp_path / "users.acl").write_text("user a on\n")
    path.write_text("aclfile users.acl\n")
    with Running(tmp_path, config=str(path)) as server, connect(server.port) as admin:
        assert admin.call("CONFIG", "REWRITE") == "OK"
    assert "user a" not in path.read_text()


def test_requirepass_is_for_the_default_user_alone(tmp_path: Path) -> None:
    options = ("--requirepass", "x", "--user", "a", "on", "nopass", "+@all")
    with Running(tmp_path, *options) as server, connect(server.port, "a") as client:
        assert client.call("ACL", "WHOAMI") == "a"
        assert users_of(client)[1].startswith("user default on #2d711642b7")


def test_a_declared_default_user_is_stronger_than_requirepass(tmp_path: Path) -> None:
    options = ("--requirepass", "x", "--user", "default", "on", "nopass", "+ping")
    with Running(tmp_path, *options) as server, connect(server.port) as client:
        assert client.call("PING") == "PONG"
        assert error_of(client.call("GET", "a")).startswith("NOPERM")


def test_new_users_may_be_given_all_channels(tmp_path: Path) -> None:
    with Running(tmp_path, "--acl-pubsub-default", "allchannels") as server, connect(server.port) as admin:
        admin.call("ACL", "SETUSER", "a", "(+get)")
        assert users_of(admin)[0] == "user a off &* -@all (&* -@all +get)"
        assert admin.call("CONFIG", "SET", "acl-pubsub-default", "resetchannels") == "OK"
        admin.call("ACL", "SETUSER", "a", "reset")
        assert users_of(admin)[0] == "user a off resetchannels -@all"


def test_the_log_of_what_was_refused_has_a_length_and_counters(tmp_path: Path) -> None:
    with Running(tmp_path, "--acllog-max-len", "2") as server, connect(server.port) as admin:
        admin.call("ACL", "SETUSER", "a", "on", "nopass", "+get", "+publish", "~a")
        with connect(server.port, "a") as client:
            for words in (["GET", "b"], ["GET", "c"], ["SET", "a", "1"], ["PUBLISH", "a", "b"], ["AUTH", "a", "x"]):
                client.call(*words)
            client.call("AUTH", "nobody", "x")
        assert len(admin.call("ACL", "LOG")) == 2
        found = server.info("stats")
        counts = [int(found["acl_access_denied_" + what]) for what in ("auth", "cmd", "key", "channel")]
        assert counts == [1, 1, 2, 1]
        assert admin.call("CONFIG", "SET", "acllog-max-len", "1") == "OK"
        assert len(admin.call("ACL", "LOG")) == 2  # as in Redis, until the next one
        with connect(server.port, "a") as client:
            client.call("GET", "d")
        assert [entry[7] for entry in admin.call("ACL", "LOG")] == ["d"]


def test_only_a_default_user_without_a_password_is_protected(tmp_path: Path) -> None:
    with Running(tmp_path, "--user", "default", "on", ">x", "+@all") as server, connect(server.port) as client:
        assert error_of(client.call("PING")).startswith("NOAUTH")


# redis-py


@pytest.mark.parametrize("protocol", [2, 3])
def test_redis_py_manages_users(tmp_path: Path, protocol: int) -> None:
    with (
        Running(tmp_path) as server,
        redis.Redis(port=server.port, protocol=protocol, decode_responses=True) as client,
    ):
        _manage(client, server.port)


def _manage(client: redis.Redis, port: int) -> None:
    assert "read" in client.acl_cat()
    assert "get" in client.acl_cat("read")
    assert len(client.acl_genpass()) == 64
    assert client.acl_whoami() == "default"
    assert client.acl_setuser(
        "fred",
        enabled=True,
        reset=True,
        passwords=["+pass1", "+pass2"],
        categories=["+set", "+@hash", "-geo"],
        commands=["+get", "+mget", "-hset"],
        keys=["cache:*", "objects:*"],
        channels=["message:*"],
        selectors=[("+set", "%W~app*")],
    )
    user = client.acl_getuser("fred")
    assert set(user["flags"]) == {"on", "sanitize-payload"}
    assert user["keys"] == ["~cache:*", "~objects:*"]
    assert user["channels"] == ["&message:*"]
    assert len(user["passwords"]) == 2
    assert user["enabled"] is True
    assert {"+get", "+mget", "-hset"} <= set(user["commands"])
    assert "fred" in client.acl_users()
    assert any(line.startswith("user fred on") for line in client.acl_list())
    assert client.acl_dryrun("fred", "get", "cache:1") == "OK"
    assert "no permissions to access the 'x' key" in client.acl_dryrun("fred", "get", "x")
    assert client.acl_log_reset()
    with redis.Redis(port=port, username="fred", password="pass2", decode_responses=True) as fred:
        assert fred.get("cache:1") is None
        with pytest.raises(redis.exceptions.NoPermissionError):
            fred.get("other")
        with pytest.raises(redis.exceptions.NoPermissionError):
            fred.keys()
    log: list[Any] = client.acl_log()
    assert {entry["reason"] for entry in log} >= {"key", "command"}
    assert {entry["username"] for entry in log} == {"fred"}
    assert "fred" in str(log[0]["client-info"])
    assert client.acl_deluser("fred") == 1
    assert client.acl_getuser("fred") is None
