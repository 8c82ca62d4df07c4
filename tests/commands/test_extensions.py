"""Commands of others: how they are found, what the server says where one cannot be, and what they are like."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from pycache_server import ThreadedServer, command
from pycache_server.commands import api
from pycache_server.commands.api import ADDED
from pycache_server.commands.extensions import ENTRY_POINT_GROUP, installed_modules, load_commands
from pycache_server.plugins import LoadError
from pycache_server.testing import Client, World
from tests.peers import error_of, pipeline
from tests.server.running import Running

EXAMPLE = Path(__file__).parent.parent.parent / "docs" / "examples" / "command_quota"
Write = Callable[..., None]


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """What a test imports is forgotten."""
    modules, added = set(sys.modules), dict(ADDED)
    yield
    ADDED.clear()
    ADDED.update(added)
    for name in set(sys.modules) - modules:
        if name.startswith(("acme", "command_quota")):
            del sys.modules[name]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes modules onto Python's path."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(**modules: str) -> None:
        for name, text in modules.items():
            path = tmp_path / (name.replace("__", "/").replace("/init", "/__init__") + ".py")
            path.parent.mkdir(exist_ok=True)
            path.write_text("from pycache_server.commands.api import *\n" + text)
        importlib.invalidate_caches()

    return write


def client_of(*modules: str) -> Client:
    return World(commands=modules).connect()


HELLO = """
@command("ACME.HELLO name", FAST)
def hello(session, argv):
    "Greet."
    return b"hello " + argv[1]
"""


# Finding them


def install(target: Path) -> None:
    """Install the example into a folder: with pip, or by hand where pip or what builds it is missing."""
    if find_spec("pip") and find_spec("hatchling"):
        options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
        words = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(EXAMPLE)]
        subprocess.run(words, check=True, capture_output=True, timeout=100)
        return
    information = target / "command_quota-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: command-quota\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\nquota = command_quota\n")
    (target / "command_quota.py").write_text((EXAMPLE / "command_quota.py").read_text())


def test_an_installed_package_is_loaded_by_every_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "command_quota" not in installed_modules()
    install(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    assert "command_quota" in installed_modules()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    import redis

    with ThreadedServer() as server, redis.Redis(port=server.port) as client:
        assert client.execute_command("QUOTA.TAKE", "k", 5, 60) == 4
        assert client.execute_command("COMMAND", "INFO", "quota.take")


def test_the_example_s_own_tests_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    spec = importlib.util.spec_from_file_location("test_command_quota", EXAMPLE / "test_command_quota.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.test_a_quota_is_used_up_and_comes_back()
    module.test_what_it_is_called_with_is_checked()


def test_the_documentation_shows_the_example_as_it_is() -> None:
    text = (EXAMPLE.parent.parent / "python_commands.md").read_text()
    for name in ("command_quota.py", "pyproject.toml", "test_command_quota.py"):
        assert (EXAMPLE / name).read_text().strip() in text, f"docs/python_commands.md shows another {name}"


def test_a_directive_names_modules(write: Write, tmp_path: Path) -> None:
    write(acme_one=HELLO, acme_two=HELLO.replace("HELLO", "BYE").replace("hello", "bye"))
    import redis

    with ThreadedServer(load_commands="acme_one acme_two") as server, redis.Redis(port=server.port) as client:
        assert client.execute_command("acme.hello", "x") == b"hello x"
        assert client.execute_command("ACME.BYE", "x") == b"bye x"
        assert client.config_get("load-commands") == {"load-commands": "acme_one acme_two"}
        with pytest.raises(redis.ResponseError, match="can't set immutable config"):
            client.config_set("load-commands", "x")
    with (
        ThreadedServer() as server,
        redis.Redis(port=server.port) as client,
        pytest.raises(redis.ResponseError, match="unknown command"),
    ):
        client.execute_command("acme.hello", "x")


def test_a_package_has_the_commands_of_the_modules_below_it(write: Write) -> None:
    write(acme__init="from acme import greeting\n", acme__greeting=HELLO)
    assert client_of("acme").call("ACME.HELLO", "x") == "hello x"
    assert [each.name for each in load_commands(["acme", "acme", "acme.greeting"])] == ["acme.hello"]


# What the server says where one cannot be


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("1 / 0", r"acme: ZeroDivisionError: division by zero \(.*acme.py, line 2\)"),
        ("import acme_is_not_there", r"acme: ModuleNotFoundError: No module named 'acme_is_not_there' \(.*line 2\)"),
        ("def (", r"acme: SyntaxError: .*"),
        ("x = 1", "acme: it registers none"),
        (HELLO.replace("ACME.HELLO", "GET"), "acme: GET is a command of the server"),
        (HELLO.replace("ACME.HELLO name", "CLIENT HELLO name"), ".*client.hello has no container.*"),
        (HELLO.replace("def", "async def"), ".*a command is a plain function, not a coroutine.*"),
        (HELLO.replace('"Greet."', "pass"), ".*the function needs a docstring, the summary of COMMAND DOCS.*"),
        (HELLO.replace("FAST)", 'FAST, categories="strings")'), ".*there is no ACL category strings.*"),
        (HELLO.replace("name", "[name"), ".*unbalanced .*"),
        (HELLO + HELLO, ".*acme.hello is registered twice, the first time by acme .*"),
    ],
)
def test_a_module_that_cannot_be_loaded(write: Write, text: str, error: str) -> None:
    write(acme=text)
    for _ in range(2):  # the second time says the same
        with pytest.raises(LoadError, match=f"^Can't load commands from {error}$"):
            load_commands(["acme"])
    write(acme=HELLO)


def test_a_module_that_is_not_there() -> None:
    with pytest.raises(
        LoadError, match=r"^Can't load commands from acme: ModuleNotFoundError: No module named 'acme'$"
    ):
        load_commands(["acme"])


def test_two_packages_cannot_have_one_command(write: Write) -> None:
    write(acme_one=HELLO, acme_two=HELLO)
    with pytest.raises(LoadError, match=r"acme_two: ValueError: command acme.hello is registered twice.* by acme_one"):
        load_commands(["acme_one", "acme_two"])


def test_a_module_that_was_mended_can_be_loaded(write: Write) -> None:
    write(acme=HELLO + "raise ValueError('not yet')\n")
    with pytest.raises(LoadError):
        load_commands(["acme"])
    write(acme=HELLO + "# it is mended\n")
    assert client_of("acme").call("ACME.HELLO", "x") == "hello x"


def test_a_server_does_not_start_without_its_commands(tmp_path: Path) -> None:
    with Running(tmp_path, "--load-commands", "acme_is_not_there", wait=False) as server:
        assert server.process.wait(timeout=20) == 1
        assert "Can't load commands from acme_is_not_there: ModuleNotFoundError" in server.log()
        assert "Traceback" not in server.log()


# What they are like


EVERYTHING = '''
_SET = Event(STRING, b"acme.set")
container("ACME.BOX", summary="Boxes.")


@command("ACME.SET key value [key value ...]", WRITE, DENYOOM, keys="OW UPDATE", categories="string")
def set_(session, argv):
    """Set keys.

    No more of this is shown."""
    if len(argv) % 2 == 0:
        raise BadSyntax
    for key, value in zip(argv[1::2], argv[2::2]):
        session.db.put(key, value, _SET)
    return OK


@command("ACME.BOX SIZE key", READONLY, FAST, keys="RO ACCESS")
def box_size(session, argv):
    """Tell the size."""
    return len(session.db.read_string(argv[2]) or b"")


@command("ACME.FAIL key", WRITE)
def fail(session, argv):
    """Fail halfway."""
    session.db.put(argv[1], b"half", _SET)
    return {}["secret"]


@command("ACME.ODD [what]", FAST)
def odd(session, argv):
    """Return what is no reply."""
    return ["text"] if len(argv) == 2 else object()


@command("ACME.HASH key", WRITE)
def hash_(session, argv):
    """Use a command of the server."""
    from pycache_server.commands.hashes import hset

    return {b"added": hset(session, [b"HSET", argv[1], b"f", b"1"]), b"rate": 1.5}
'''


@pytest.fixture
def world(write: Write) -> World:
    write(acme=EVERYTHING)
    return World(commands=["acme"])


def test_commands_describe_themselves(world: World) -> None:
    client = world.connect()
    info = client.call("COMMAND", "INFO", "acme.set")[0]
    assert info[:6] == ["acme.set", -3, ["write", "denyoom"], 1, -1, 2]
    assert info[6] == ["@write", "@string", "@slow"]
    assert client.call("COMMAND", "GETKEYS", "ACME.SET", "a", "1", "b", "2") == ["a", "b"]
    client.call("HELLO", 3)
    docs = client.call("COMMAND", "DOCS", "acme.set", "acme.box")
    assert docs["acme.set"]["summary"] == "Set keys."
    assert docs["acme.set"]["group"] == "module"
    assert docs["acme.box"]["subcommands"]["acme.box|size"]["summary"] == "Tell the size."
    assert client.call("ACME.BOX", "HELP")[1:3] == ["SIZE key", "    Tell the size."]


def test_a_write_is_heard_of(world: World) -> None:
    listener, client = world.connect(), world.connect()
    world.core.observers.notify(0xFFFF)
    listener.call("PSUBSCRIBE", "__keyevent@0__:*")
    assert client.call("ACME.SET", "a", 1, "b", 2) == "OK"
    assert [message[2:] for message in listener.read_all()] == [
        ["__keyevent@0__:new", "a"],
        ["__keyevent@0__:acme.set", "a"],
        ["__keyevent@0__:new", "b"],
        ["__keyevent@0__:acme.set", "b"],
    ]
    watcher = world.connect()
    watcher.call("WATCH", "a")
    client.call("ACME.SET", "a", 1)
    watcher.call("MULTI")
    watcher.call("PING")
    assert watcher.call("EXEC") is None


def test_arity_and_errors_are_as_of_any_command(world: World) -> None:
    client = world.connect()
    assert error_of(client.call("ACME.SET", "a")) == "ERR wrong number of arguments for 'acme.set' command"
    assert error_of(client.call("acme.set", "a", 1, "b")) == "ERR syntax error"
    assert error_of(client.call("ACME.BOX", "NOPE")) == "ERR unknown subcommand 'NOPE'. Try ACME.BOX HELP."
    client.call("RPUSH", "l", 1)
    assert error_of(client.call("ACME.BOX", "SIZE", "l")).startswith("WRONGTYPE")


def test_a_mistake_is_told_to_the_log_and_not_to_the_client(world: World) -> None:
    client = world.connect()
    client.send(pipeline("SET before 1", "ACME.FAIL k", "GET k", "PING"))
    replies = client.read_all()
    assert error_of(replies.pop(1)) == "ERR internal error, see the server's log"
    assert replies == ["OK", "half", "PONG"]
    log = "\n".join(text for _, text in world.host.messages)
    assert "command ACME.FAIL failed: KeyError: 'secret'" in log
    assert 'return {}["secret"]' in log
    assert world.core.stats.unexpected_errors == 1
    world.check()


def test_a_mistake_in_a_transaction_is_one_of_its_replies(world: World) -> None:
    client = world.connect()
    client.send(pipeline("MULTI", "ACME.FAIL k", "SET a 1", "EXEC"))
    failed, done = client.read_all()[-1]
    assert error_of(failed) == "ERR internal error, see the server's log"
    assert done == "OK"
    assert client.call("GET", "a") == "1"


@pytest.mark.parametrize("words", ["ACME.ODD", "ACME.ODD what"])
def test_what_is_no_reply_is_a_mistake(world: World, words: str) -> None:
    client = world.connect()
    assert error_of(client.call(*words.split())) == "ERR internal error, see the server's log"
    client.send(pipeline("PING", words, "PING"))
    first, second, third = client.read_all()
    assert (first, third) == ("PONG", "PONG")
    assert error_of(second) == "ERR internal error, see the server's log"
    assert any("a command returned a" in text for _, text in world.host.messages)


def test_commands_call_commands(world: World) -> None:
    client = world.connect()
    assert client.call("ACME.HASH", "h") == ["added", 1, "rate", "1.5"]
    assert client.call("HGETALL", "h") == ["f", "1"]


def test_a_command_can_be_renamed(write: Write) -> None:
    write(acme=HELLO)
    client = World(renamed={"acme.hello": "acme.greet"}, commands=["acme"]).connect()
    assert client.call("ACME.GREET", "x") == "hello x"
    assert error_of(client.call("ACME.HELLO", "x")).startswith("ERR unknown command")


def test_the_decorator_is_at_the_top_of_the_package() -> None:
    assert command is api.command
    assert sorted(name for name in api.__all__ if not hasattr(api, name)) == []
