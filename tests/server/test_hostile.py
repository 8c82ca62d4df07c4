"""Bad input and greedy clients: they cost the others nothing, and memory stays bounded."""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.server.running import Running, Wire

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def bystander(server: Running) -> Iterator[Wire]:
    with server.connect() as wire:
        wire.call("SET", "bystander", "value")
        yield wire
        assert wire.call("GET", "bystander") == "value"
    assert server.info("stats")["pycache_internal_errors"] == "0"


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def resident(server: Running) -> int:
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def replies_to(server: Running, data: bytes) -> bytes:
    """What the server says to some bytes until it closes the connection."""
    with server.connect() as wire:
        wire.send(data)
        return wire.read_bytes()


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"*2147483648\r\n", b"invalid multibulk length"),
        (b"*1\r\n$536870913\r\n", b"invalid bulk length"),
        (b"*1\r\n$9223372036854775807\r\n", b"invalid bulk length"),
        (b"*1\r\n$-1\r\n", b"invalid bulk length"),
        (b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n:5\r\n", b"expected '$', got ':'"),
        (b"*2\r\n$3\r\nGET\r\n*1\r\n", b"expected '$', got '*'"),
        (b"*2\r\n$3\r\nGET\r\n%1\r\n", b"expected '$', got '%'"),
        (b"*2\r\n$3\r\nGET\r\n~1\r\n", b"expected '$', got '~'"),
        (b"*2\r\n$3\r\nGET\r\n+OK\r\n", b"expected '$', got '+'"),
        (b"*2\r\n$3\r\nGET\r\n_\r\n", b"expected '$', got '_'"),
        (b'get "a\r\n', b"unbalanced quotes in request"),
        (b"x" * 70000, b"too big inline request"),
    ],
)
def test_a_broken_command_gets_redis_s_words_and_the_connection_ends(
    server: Running, bystander: Wire, data: bytes, error: bytes
) -> None:
    assert replies_to(server, b"PING\r\n" + data) == b"+PONG\r\n-ERR Protocol error: " + error + b"\r\n"


@pytest.mark.parametrize("data", [b"POST / HTTP/1.1\r\n", b"GET k\r\nHost: x\r\n", b"*1\r\n$4\r\npost\r\n"])
def test_what_a_browser_says_ends_the_connection(server: Running, bystander: Wire, data: bytes) -> None:
    assert replies_to(server, data) in (b"", b"$-1\r\n")
    assert "SECURITY ATTACK" in server.log()


def test_twenty_claims_of_a_billion_elements_stall_nobody(server: Running, bystander: Wire) -> None:
    before = resident(server)
    wires = [server.connect() for _ in range(20)]
    for wire in wires:
        wire.send(b"*1000000000\r\n")
    for _ in range(50):
        assert bystander.call("PING") == "PONG"
    assert resident(server) - before < 50_000_000
    for wire in wires:
        wire.close()


def test_deeply_nested_arrays_are_refused(server: Running, bystander: Wire) -> None:
    assert b"expected '$', got '*'" in replies_to(server, b"*4000\r\n" * 2000)


def test_a_slow_sender_costs_nothing_and_is_answered_in_the_end(server: Running, bystander: Wire) -> None:
    with server.connect() as slow:
        for byte in b"*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\n":
            slow.send(bytes([byte]))
            assert bystander.call("PING") == "PONG"
        assert slow.read() == "hello"


def test_a_client_that_pipelines_without_reading_is_halted(server: Running, bystander: Wire) -> None:
    bystander.call("SET", "big", "x" * 1_000_000)
    before = resident(server)
    with server.connect() as greedy:
        greedy.send(b"*2\r\n$3\r\nGET\r\n$3\r\nbig\r\n" * 600)
        for _ in range(100):
            assert bystander.call("PING") == "PONG"
        assert resident(server) - before < 100_000_000
        for _ in range(600):
            assert len(greedy.read()) == 1_000_000


def test_a_slow_subscriber_is_cut_off_at_its_limit(server: Running, bystander: Wire) -> None:
    assert bystander.call("CONFIG", "SET", "client-output-buffer-limit", "pubsub 4mb 2mb 60") == "OK"
    before = resident(server)
    with server.connect() as subscriber:
        subscriber.call("SUBSCRIBE", "news")
        message = "x" * 100_000
        until(lambda: bystander.call("PUBLISH", "news", message) == 0)
        assert resident(server) - before < 60_000_000
    assert "overcoming of output buffer limits" in server.log()
    bystander.call("CONFIG", "SET", "client-output-buffer-limit", "pubsub 32mb 8mb 60")


def test_unfinished_input_is_limited(server: Running, bystander: Wire) -> None:
    bystander.call("CONFIG", "SET", "client-query-buffer-limit", "1mb")
    with server.connect() as wire:
        try:
            wire.send(b"*2\r\n$4\r\nECHO\r\n$3000000\r\n" + b"x" * 2_900_000)
            assert wire.read_bytes() == b""
        except OSError:
            pass  # the server had closed before everything was sent
    bystander.call("CONFIG", "SET", "client-query-buffer-limit", "1gb")
    assert "max query buffer length" in server.log()


def test_random_bytes_never_harm_others(server: Running, bystander: Wire) -> None:
    chance = random.Random(11)
    good = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n"
    for _ in range(300):
        data = bytearray(good * chance.randrange(1, 4))
        for _ in range(chance.randrange(1, 5)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        with server.connect() as wire:
            position = chance.randrange(len(data))
            wire.send(bytes(data[:position]))
            wire.send(bytes(data[position:]))
        if chance.random() < 0.1:
            assert bystander.call("PING") == "PONG"
    assert bystander.call("PING") == "PONG"


def test_connections_that_come_and_go_leave_nothing(server: Running, bystander: Wire) -> None:
    for _ in range(300):
        with server.connect() as wire:
            wire.send(b"*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nc\r\n*1\r\n")
    until(lambda: server.info("clients")["connected_clients"] == "2")
    assert server.info("stats")["pubsub_channels"] == "0"


def test_a_big_collection_is_freed_without_stopping_others(server: Running, bystander: Wire) -> None:
    for start in range(0, 100_000, 10_000):
        bystander.send(
            b"".join(
                b"*3\r\n$3\r\nSET\r\n$9\r\nkey%06d\r\n$1\r\nv\r\n" % number for number in range(start, start + 10_000)
            )
        )
        assert [bystander.read() for _ in range(10_000)] == ["OK"] * 10_000
    assert bystander.call("FLUSHALL") == "OK"
    assert bystander.call("DBSIZE") == 0
    until(lambda: server.info("memory")["lazyfree_pending_objects"] == "0")
    bystander.call("SET", "bystander", "value")


def test_too_many_clients_are_told_so(tmp_path: Path) -> None:
    with Running(tmp_path, "--maxclients", "3") as server, server.connect() as first:
        until(lambda: str(first.call("CLIENT", "LIST")).count("id=") == 1)  # who looked whether it is up has gone
        with server.connect() as second, server.connect() as third:
            assert [wire.call("PING") for wire in (first, second, third)] == ["PONG"] * 3
            with server.connect() as late:
                assert late.read_bytes() == b"-ERR max number of clients reached\r\n"
            assert first.call("CONFIG", "SET", "maxclients", "4") == "OK"
            assert server.call("PING") == "PONG"


def test_idle_clients_are_closed_and_waiting_ones_spared(tmp_path: Path) -> None:
    options = ["--timeout", "1", "--hz", "50"]
    with Running(tmp_path, *options) as server, server.connect() as subscriber, server.connect() as idle:
        subscriber.call("SUBSCRIBE", "c")
        assert idle.call("PING") == "PONG"
        assert idle.read_bytes() == b""
        assert server.call("PUBLISH", "c", "m") == 1


def test_before_authentication_little_is_taken_and_nothing_done(tmp_path: Path) -> None:
    with Running(tmp_path, "--requirepass", "secret") as server:
        assert str(server.call("GET", "a")) == "NOAUTH Authentication required."
        assert b"unauthenticated multibulk length" in replies_to(server, b"*11\r\n")
        assert b"unauthenticated bulk length" in replies_to(server, b"*2\r\n$4\r\nAUTH\r\n$16385\r\n")
        with server.connect() as wire:
            assert str(wire.call("AUTH", "wrong")).startswith("WRONGPASS")
            assert str(wire.call("PING")) == "NOAUTH Authentication required."
            wire.send(b"*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n*12\r\n" + b"$4\r\nMGET\r\n" + b"$1\r\nk\r\n" * 11)
            assert wire.read() == "OK"
            assert wire.read() == [None] * 11
            assert wire.call("HELLO", "3", "AUTH", "default", "secret", "SETNAME", "me")["proto"] == 3
            assert wire.call("RESET") == "RESET"
            assert str(wire.call("PING")) == "NOAUTH Authentication required."


def own_address() -> str:
    """An address of this machine that is not the loopback one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but the loopback one")
        address: str = probe.getsockname()[0]
        return address


def test_strangers_are_denied_in_protected_mode(tmp_path: Path) -> None:
    address = own_address()
    with Running(tmp_path, "--bind", "127.0.0.1", address) as server:
        until(lambda: "Ready to accept connections" in server.output.read_text())  # at both addresses
        with Wire((address, server.port)) as stranger:
            assert stranger.read_bytes().startswith(b"-DENIED Redis is running in protected mode")
        assert server.call("CONFIG", "SET", "protected-mode", "no") == "OK"
        with Wire((address, server.port)) as stranger:
            assert stranger.call("PING") == "PONG"


@pytest.mark.parametrize("kind", ["incomplete", "unread", "queued"])
def test_who_takes_more_than_maxmemory_clients_is_ended(server: Running, bystander: Wire, kind: str) -> None:
    bystander.call("SET", "large", "x" * 16_000_000)
    before = int(server.info("stats")["evicted_clients"])
    assert bystander.call("CONFIG", "SET", "maxmemory-clients", "2mb") == "OK"
    try:
        with server.connect() as greedy, suppress(EOFError, OSError):
            if kind == "incomplete":
                greedy.send(b"*2\r\n$3\r\nGET\r\n$50000000\r\n" + b"x" * 10_000_000)
            elif kind == "unread":
                greedy.send(b"*2\r\n$3\r\nGET\r\n$5\r\nlarge\r\n" * 50)
                until(lambda: int(server.info("stats")["evicted_clients"]) > before)
            else:
                greedy.call("MULTI")
                for _ in range(20):
                    greedy.call("SET", "queued", "x" * 200_000)
                    time.sleep(0.05)
            greedy.read_bytes()
        assert int(server.info("stats")["evicted_clients"]) == before + 1
        assert "Evicting client: " in server.log()
    finally:
        assert bystander.call("CONFIG", "SET", "maxmemory-clients", "0") == "OK"
