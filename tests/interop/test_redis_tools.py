"""redis-cli and redis-benchmark, as they come with Debian's redis-tools 7.0."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

import pytest

from tests.conftest import require_program
from tests.server.running import Running

pytestmark = pytest.mark.interop


def cli(server: Running, *arguments: str, text: str | bytes = "") -> str:
    """One call of redis-cli; what it prints."""
    given = text if isinstance(text, bytes) else text.encode()
    found = subprocess.run(
        [require_program("redis-cli"), "-p", str(server.port), *arguments], input=given, capture_output=True, timeout=60
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.decode()


def test_one_command_a_call(server: Running) -> None:
    assert cli(server, "SET", "a", "1") == "OK\n"
    assert cli(server, "INCR", "a") == "2\n"
    assert cli(server, "--no-raw", "GET", "a") == '"2"\n'
    assert cli(server, "-3", "--no-raw", "CONFIG", "GET", "hz") == '1# "hz" => "10"\n'
    assert json.loads(cli(server, "--json", "CONFIG", "GET", "hz")) == {"hz": "10"}
    assert cli(server, "--csv", "MGET", "a", "nope") == '"2",NULL\n'
    assert cli(server, "-n", "5", "DBSIZE") == "0\n"


def test_scripts_from_the_standard_input_and_mass_insertion(server: Running) -> None:
    assert cli(server, text="SET a 'x y'\nGET a\n") == "OK\nx y\n"
    proto = b"".join(b"*3\r\n$3\r\nSET\r\n$6\r\nkey%03d\r\n$1\r\nv\r\n" % number for number in range(500))
    assert "errors: 0, replies: 500" in cli(server, "--pipe", text=proto)
    assert len(cli(server, "--scan", "--pattern", "key*").split()) == 500


def test_what_looks_at_the_whole_keyspace(server: Running) -> None:
    cli(server, text="SET a 1\nRPUSH l 1 2 3\nSADD s 1\nHSET h f v\nZADD z 1 m\nXADD st * f v\n")
    assert "Biggest   list found '\"l\"' has 3 items" in cli(server, "--bigkeys")
    assert "Sampled 6 keys" in cli(server, "--memkeys")


class Terminal:
    """redis-cli as it is used by hand."""

    def __init__(self, *arguments: str) -> None:
        self.process, self._file = pty.fork()
        if not self.process:
            os.environ["TERM"] = "xterm"
            os.execvp("redis-cli", ["redis-cli", *arguments])
        self._seen = b""
        fcntl.ioctl(self._file, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))

    def expect(self, *texts: bytes) -> None:
        """Wait until these texts have been shown, one behind the other."""
        deadline = time.monotonic() + 20
        while not re.search(b".*".join(map(re.escape, texts)), self._seen, re.DOTALL):
            ready, _, _ = select.select([self._file], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError(f"{texts!r} do not come, but {self._seen!r}")
            self._seen += os.read(self._file, 65536)

    def type(self, line: bytes) -> None:
        self._seen = b""
        os.write(self._file, line + b"\r")

    def ask(self, line: bytes, answer: bytes, prompt: bytes) -> None:
        """Type a line and wait for the answer, and for the prompt behind it: what is typed before redis-cli asks for it
        may be lost, since it then discards what has come (tcsetattr with TCSAFLUSH)."""
        self.type(line)
        self.expect(answer, prompt)

    def close(self) -> None:
        os.close(self._file)
        os.waitpid(self.process, 0)


def test_by_hand(server: Running) -> None:
    require_program("redis-cli")
    terminal = Terminal("-p", str(server.port))
    place = f"127.0.0.1:{server.port}".encode()
    prompt = place + b"> "
    terminal.expect(prompt)
    terminal.ask(b"set greeting hello", b"OK", prompt)
    terminal.ask(b"hello 3", b'"server" => "redis"', prompt)
    terminal.ask(b"zadd z 1.5 m", b"(integer) 1", prompt)
    terminal.ask(b"zscore z m", b"(double) 1.5", prompt)
    terminal.ask(b"help setex", b"key seconds value", prompt)
    terminal.ask(b"multi", b"OK", place + b"(TX)> ")
    terminal.ask(b"discard", b"OK", prompt)
    terminal.ask(b"select 3", b"OK", place + b"[3]> ")
    terminal.type(b"quit")
    terminal.close()
    docs = server.info("commandstats")["cmdstat_command|docs"]
    assert "failed_calls=0" in docs


def test_monitor_and_subscribe_by_hand(server: Running) -> None:
    require_program("redis-cli")
    monitor = Terminal("-p", str(server.port), "monitor")
    monitor.expect(b"OK")
    listener = Terminal("-p", str(server.port), "subscribe", "news")
    listener.expect(b"subscribe")
    server.call("PUBLISH", "news", "hi")
    listener.expect(b'"hi"')
    monitor.expect(b'"PUBLISH" "news" "hi"')
    for terminal in (monitor, listener):
        os.kill(terminal.process, 9)
        terminal.close()


TESTS = (
    "PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "LPUSH", "RPUSH", "LPOP", "RPOP", "SADD", "HSET", "SPOP", "ZADD",
    "ZPOPMIN", "LPUSH (needed to benchmark LRANGE)", "LRANGE_100 (first 100 elements)",
    "LRANGE_300 (first 300 elements)", "LRANGE_500 (first 500 elements)", "LRANGE_600 (first 600 elements)",
    "MSET (10 keys)",
)  # fmt: skip


@pytest.mark.parametrize("options", [(), ("-P", "16", "-r", "1000"), ("-3", "-c", "5"), ("--dbnum", "3", "-k", "0")])
def test_redis_benchmark_runs_all_its_tests(server: Running, options: tuple[str, ...]) -> None:
    found = subprocess.run(
        [require_program("redis-benchmark"), "-p", str(server.port), "-n", "500", "--csv", *options],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert found.returncode == 0, found.stderr
    assert "rror" not in found.stdout + found.stderr
    assert tuple(re.findall(r'^"([A-Z][^"]*)","\d', found.stdout, re.MULTILINE)) == TESTS
