"""The program: command line, configuration files, signals, log, pid file, systemd."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pycache_server import __version__
from tests.conftest import require_program
from tests.server.running import ROOT, Running, Wire

pytestmark = pytest.mark.process


def run(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pycache_server", *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_version_help_and_check() -> None:
    found = run("--version")
    assert found.returncode == 0
    assert re.fullmatch(rf"Pycache server v={__version__} python=\S+ redis_version=7\.4\.\d+\n", found.stdout)
    assert run("-h").stdout.startswith("Usage: pycache-server")
    assert "[uvloop]" in run("--check-system").stdout


@pytest.mark.parametrize("option", ["--test-memory", "--sentinel"])
def test_what_is_not_there_is_refused(option: str) -> None:
    found = run(option)
    assert found.returncode == 1
    assert found.stderr


def test_a_wrong_directive_ends_with_file_line_and_text(tmp_path: Path) -> None:
    path = tmp_path / "bad.conf"
    path.write_text("port 6379\nfoo bar\n")
    found = run(str(path))
    assert found.returncode == 1
    assert "FATAL CONFIG FILE ERROR" in found.stderr
    assert str(path) in found.stderr
    assert "at line 2" in found.stderr
    assert ">>> 'foo bar'" in found.stderr
    assert "Bad directive or wrong number of arguments" in found.stderr


def test_a_missing_file_is_fatal() -> None:
    found = run("/nonexistent.conf")
    assert found.returncode == 1
    assert "can't open config file '/nonexistent.conf'" in found.stderr


def test_an_option_that_cannot_be_had_is_fatal() -> None:
    found = run("--tls-port", "6380")
    assert found.returncode == 1
    assert "tls" in found.stderr.lower()


def test_a_port_that_is_taken_is_fatal(tmp_path: Path) -> None:
    with Running(tmp_path) as server:
        found = run("--port", str(server.port), "--bind", "127.0.0.1")
        assert found.returncode == 1
        assert "Could not create server TCP listening socket" in found.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_gracefully(tmp_path: Path, number: int) -> None:
    with Running(tmp_path) as server:
        assert server.call("PING") == "PONG"
        assert server.terminate(number) == 0
        assert "Ready to accept connections" in server.log()
        assert "bye bye" in server.log()


def test_shutdown_ends_it(tmp_path: Path) -> None:
    with Running(tmp_path) as server:
        with server.connect() as wire, pytest.raises(ConnectionError):
            wire.call("SHUTDOWN", "NOSAVE")
        assert server.process.wait(timeout=20) == 0


def test_a_client_gets_its_replies_before_the_end(tmp_path: Path) -> None:
    with Running(tmp_path) as server, server.connect() as wire:
        wire.call("SET", "big", "x" * 1_000_000)
        wire.send(b"*2\r\n$3\r\nGET\r\n$3\r\nbig\r\n" * 5 + b"*1\r\n$8\r\nSHUTDOWN\r\n")
        assert len(wire.read_bytes()) == 5 * (1_000_000 + 12)


def test_the_configuration_is_read_from_file_standard_input_and_options(tmp_path: Path) -> None:
    (tmp_path / "extra.conf").write_text("timeout 77\n")
    path = tmp_path / "my.conf"
    path.write_text(f"maxmemory 10mb\nhz 20\ninclude {tmp_path}/ext*.conf\nio-threads 4\n")
    with Running(tmp_path, "--hz", "30", config=str(path)) as server:
        assert server.call("CONFIG", "GET", "maxmemory") == ["maxmemory", "10485760"]
        assert server.call("CONFIG", "GET", "hz") == ["hz", "30"]
        assert server.call("CONFIG", "GET", "timeout") == ["timeout", "77"]
        assert server.info("server")["config_file"] == str(path)
        assert "The directive 'io-threads' is known but has no effect here" in server.log()


def test_config_rewrite_writes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "my.conf"
    path.write_text("# mine\nmaxmemory 10mb\n")
    with Running(tmp_path, config=str(path)) as server:
        assert server.call("CONFIG", "SET", "maxmemory", "20mb", "timeout", "5") == "OK"
        assert server.call("CONFIG", "REWRITE") == "OK"
    lines = path.read_text().splitlines()
    assert lines[:2] == ["# mine", "maxmemory 20mb"]
    assert "timeout 5" in lines
    with Running(tmp_path, config=str(path)) as server:
        assert server.call("CONFIG", "GET", "timeout") == ["timeout", "5"]


def test_config_rewrite_needs_a_file(tmp_path: Path) -> None:
    with Running(tmp_path) as server:
        assert str(server.call("CONFIG", "REWRITE")) == "ERR The server is running without a config file"


@pytest.mark.interop
def test_the_stock_configuration_of_debian_loads_unchanged(tmp_path: Path) -> None:
    require_program("redis-server")
    stock = Path("/etc/redis/redis.conf")
    assert stock.exists()
    options = ["--dir", str(tmp_path), "--daemonize", "no", "--logfile", "", "--pidfile", str(tmp_path / "pid")]
    with Running(tmp_path, *options, config=str(stock)) as server:
        assert server.call("PING") == "PONG"
        assert (tmp_path / "pid").read_text().strip() == str(server.process.pid)
        log = server.log()
        assert log.count("has no effect here") == len(re.findall(r"The directive '([a-z-]+)' is known", log))
        assert server.terminate() == 0
    assert not (tmp_path / "pid").exists()


def test_it_runs_in_the_background(tmp_path: Path) -> None:
    pidfile, log = tmp_path / "pid", tmp_path / "server.log"
    options = ["--daemonize", "yes", "--pidfile", str(pidfile), "--logfile", str(log), "--dir", str(tmp_path)]
    with Running(tmp_path, *options) as server:
        assert server.process.wait(timeout=20) == 0
        pid = int(pidfile.read_text())
        assert server.info("server")["process_id"] == str(pid)
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 20
        while pidfile.exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert "bye bye" in log.read_text()


def test_the_log_has_the_format_of_redis(tmp_path: Path) -> None:
    with Running(tmp_path) as server:
        server.terminate()
    pattern = rf"{server.process.pid}:M \d\d [A-Z][a-z][a-z] \d{{4}} \d\d:\d\d:\d\d\.\d{{3}} [.\-*#] .+"
    assert all(re.fullmatch(pattern, line) for line in server.log().splitlines())


def test_the_log_can_be_json_and_logfmt(tmp_path: Path) -> None:
    with Running(tmp_path, "--log-format", "json") as server:
        server.terminate()
    lines = [json.loads(line) for line in server.log().splitlines()]
    assert {"pid", "role", "timestamp", "level", "message"} == lines[0].keys()
    with Running(tmp_path, "--log-format", "logfmt", "--loglevel", "verbose") as server:
        server.call("PING")
        server.terminate()
    assert re.search(r'pid=\d+ role=master timestamp="[^"]+" level=verbose message="Accepted 127', server.log())


def test_hangup_opens_the_log_again(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with Running(tmp_path, "--logfile", str(log), "--loglevel", "verbose") as server:
        log.rename(tmp_path / "old.log")
        server.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 20
        while not (log.exists() and "Accepted" in log.read_text()):
            assert time.monotonic() < deadline
            server.call("PING")


def test_systemd_hears_of_start_and_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        with Running(tmp_path, "--supervised", "systemd") as server:
            assert b"READY=1" in listener.recv(1000)
            assert server.info("server")["process_supervised"] == "systemd"
            server.terminate()
            assert listener.recv(1000) == b"STOPPING=1"


def test_a_unix_socket_is_served_and_removed(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with Running(tmp_path, "--unixsocket", path, "--unixsocketperm", "700") as server:
        with Wire(path) as wire:
            assert wire.call("SET", "a", "1") == "OK"
            assert f"addr={path}:0" in wire.call("CLIENT", "LIST")
            assert "flags=U" in wire.call("CLIENT", "INFO")
        assert oct(os.stat(path).st_mode & 0o777) == "0o700"
        server.terminate()
    assert not os.path.exists(path)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_both_event_loops_serve_and_are_named(tmp_path: Path, loop: str) -> None:
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    with Running(tmp_path, "--event-loop", loop) as server:
        assert server.info("server")["multiplexing_api"] == loop
        assert f"event loop {loop}" in server.log()
        with server.connect() as wire:
            wire.send(b"*1\r\n$4\r\nPING\r\n" * 1000)
            assert [wire.read() for _ in range(1000)] == ["PONG"] * 1000


def test_commands_can_be_renamed_and_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "my.conf"
    path.write_text('rename-command FLUSHALL ""\nrename-command GET fetch\n')
    with Running(tmp_path, config=str(path)) as server:
        assert server.call("SET", "a", "1") == "OK"
        assert server.call("FETCH", "a") == "1"
        assert "unknown command 'GET'" in str(server.call("GET", "a"))
        assert "unknown command 'FLUSHALL'" in str(server.call("FLUSHALL"))


def test_renaming_onto_another_command_is_fatal_and_an_unknown_one_is_told(tmp_path: Path) -> None:
    with Running(tmp_path, "--rename-command", "NOSUCH", "", "--rename-command", "SET", "get2") as server:
        assert "there is no command 'nosuch' here" in server.log()
        assert server.call("GET2", "a", "1") == "OK"
    result = run("--port", "0", "--rename-command", "SET", "GET")
    assert result.returncode == 1
    assert "rename-command set GET: Target command name already exists" in result.stdout


def settings_of(wire: Wire) -> dict[str, str]:
    """All settings but the port, which is another at each start."""
    words = wire.call("CONFIG", "GET", "*")
    return {name: value for name, value in zip(words[::2], words[1::2], strict=True) if name != "port"}


def test_debug_writes_all_settings_into_the_file(tmp_path: Path) -> None:
    path = tmp_path / "all.conf"
    path.write_text("# mine\nmaxmemory 1mb\n")
    options = ("--enable-debug-command", "yes")
    with Running(tmp_path, *options, config=str(path)) as server, server.connect() as wire:
        assert wire.call("DEBUG", "CONFIG-REWRITE-FORCE-ALL") == "OK"
        before = settings_of(wire)
    names = [line.split()[0] for line in path.read_text().splitlines() if not line.startswith("#")]
    assert {"maxmemory", "maxmemory-samples", "hash-max-listpack-entries", "appendonly"} <= set(names)
    with Running(tmp_path, config=str(path)) as server, server.connect() as wire:
        assert settings_of(wire) == before


def test_addresses_change_at_the_same_port(tmp_path: Path) -> None:
    with Running(tmp_path) as server, server.connect() as wire:
        port = int(wire.call("CONFIG", "GET", "port")[1])
        present = wire.call("CONFIG", "GET", "bind")[1]
        assert wire.call("CONFIG", "SET", "bind", present) == "OK"
        for addresses in ("127.0.0.1", "127.0.0.1 127.0.0.2", "*", "127.0.0.2"):
            assert wire.call("CONFIG", "SET", "bind", addresses) == "OK"
            with Wire((addresses.split()[-1].replace("*", "127.0.0.3"), port)) as other:
                assert other.call("PING") == "PONG"
        with pytest.raises(ConnectionRefusedError):
            Wire(("127.0.0.1", port))
        assert "Failed to bind" in str(wire.call("CONFIG", "SET", "bind", "127.0.0.1 192.0.2.1"))
        assert wire.call("CONFIG", "GET", "bind")[1] == "127.0.0.2"
        with Wire(("127.0.0.2", port)) as other:
            assert other.call("PING") == "PONG"


def test_what_is_set_with_a_port_that_cannot_be_had_is_not_set(tmp_path: Path) -> None:
    with Running(tmp_path) as server, server.connect() as wire, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        before = wire.call("CONFIG", "GET", "maxmemory*", "port")
        error = wire.call("CONFIG", "SET", "maxmemory", "1", "port", port, "maxmemory-policy", "allkeys-lfu")
        assert "Unable to listen on this port" in str(error)
        assert wire.call("CONFIG", "GET", "maxmemory*", "port") == before
        assert wire.call("SET", "k", "v") == "OK"


def test_the_listeners_move_by_config_set(tmp_path: Path) -> None:
    from tests.conftest import free_port

    with Running(tmp_path) as server, server.connect() as wire:
        new = free_port()
        assert wire.call("CONFIG", "SET", "port", str(new)) == "OK"
        with Wire(("127.0.0.1", new)) as other:
            assert other.call("PING") == "PONG"
        assert wire.call("PING") == "PONG"
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            error = str(wire.call("CONFIG", "SET", "port", str(taken.getsockname()[1])))
        assert error == (
            "ERR CONFIG SET failed (possibly related to argument 'port') - "
            "Unable to listen on this port. Check server logs."
        )
        assert wire.call("CONFIG", "GET", "port") == ["port", str(new)]
        with Wire(("127.0.0.1", new)) as other:
            assert other.call("PING") == "PONG"
