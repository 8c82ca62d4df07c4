"""When replies leave: at the end of a round, in order, none of them lost or late."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycache_server import Server
from pycache_server.server.bursts import DIRECT, FEW, LARGE, MANY, Burst, Bursts
from tests.server.running import Running


class Clock:
    time = 100.0


class Transport:
    """What was sent, over all transports in one order."""

    def __init__(self, name: str, journal: list[tuple[str, bytes]]) -> None:
        self._name = name
        self._journal = journal
        self.sent = b""
        self.fails = False
        self.aborted = False

    def write(self, data: bytes) -> None:
        if self.fails:
            raise RuntimeError("the handle is closed")
        self._journal.append((self._name, data))
        self.sent += data

    def abort(self) -> None:
        self.aborted = True


class Setting:
    """Bursts, and a loop whose rounds end when the test says so."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.calls: list[Callable[[], None]] = []
        self.failures: list[str] = []
        self.journal: list[tuple[str, bytes]] = []
        self.bursts = Bursts(
            self.clock, self.calls.append, lambda what, error: self.failures.append(f"{what}: {error}")
        )
        self.bursts.direct = 0

    def connect(self, name: str = "") -> tuple[Transport, Burst]:
        transport, burst = Transport(name, self.journal), Burst(self.bursts)
        burst.begin(cast(Any, transport), None)
        return transport, burst

    def end_round(self) -> None:
        calls, self.calls[:] = self.calls[:], []
        for call in calls:
            call()


@pytest.fixture
def setting() -> Setting:
    return Setting()


def test_the_replies_of_a_round_leave_at_its_end_in_the_order_in_which_they_came(setting: Setting) -> None:
    bursts = [setting.connect(name)[1] for name in "abc"]
    for burst in bursts:
        burst.write_late(b"+OK\r\n")
    bursts[0].write_late(b":1\r\n")
    assert not setting.journal and len(setting.calls) == 1
    assert [burst.buffered() for burst in bursts] == [9, 5, 5]
    setting.end_round()
    assert setting.journal == [("a", b"+OK\r\n:1\r\n"), ("b", b"+OK\r\n"), ("c", b"+OK\r\n")]
    assert [burst.buffered() for burst in bursts] == [0, 0, 0] and not setting.calls


def test_a_large_reply_leaves_at_once_behind_what_is_held(setting: Setting) -> None:
    transport, burst = setting.connect()
    large = b"x" * LARGE
    burst.write_late(large)
    assert transport.sent == large and not setting.calls
    burst.write_late(b"small")
    burst.write_late(large)
    assert transport.sent == large + b"small" + large and burst.buffered() == 0


def test_many_pieces_of_a_connection_leave_before_the_round_ends(setting: Setting) -> None:
    transport, burst = setting.connect()
    for _ in range(MANY):
        burst.write_late(b"p")
    assert transport.sent == b"p" * MANY and burst.buffered() == 0
    burst.write_late(b"q")
    setting.end_round()
    assert transport.sent == b"p" * MANY + b"q"


def test_what_a_round_has_held_for_long_leaves_when_the_next_reply_comes(setting: Setting) -> None:
    (one, early), (other, late) = setting.connect(), setting.connect()
    early.write_late(b"early")
    setting.clock.time += 0.0005
    late.write_late(b"between")
    assert not one.sent and not other.sent
    setting.clock.time += 0.001
    late.flush()
    late.write_late(b"late")
    assert one.sent == b"early" and other.sent == b"between" and late.buffered() == 4
    setting.end_round()
    assert other.sent == b"betweenlate" and not setting.calls


def test_rounds_with_few_connections_write_directly_and_are_tried_again(setting: Setting) -> None:
    transport, burst = setting.connect()
    rounds = 0
    while setting.bursts.direct == 0:
        burst.write_late(b".")
        setting.end_round()
        rounds += 1
        assert rounds < 100
    assert rounds > 1 and transport.sent == b"." * rounds
    for _ in range(DIRECT):
        burst.write_late(b"-")
    assert transport.sent == b"." * rounds + b"-" * DIRECT and not setting.calls
    burst.write_late(b"tried")
    assert burst.buffered() == 5
    setting.end_round()
    assert setting.bursts.direct == DIRECT  # one round has shown that nothing has changed
    setting.bursts.direct = 0
    everybody = [setting.connect()[1] for _ in range(FEW + 1)]
    for _ in range(20):
        for each in everybody:
            each.write_late(b"+")
        setting.end_round()
        assert setting.bursts.direct == 0


class Owner:
    write: Callable[[bytes], object]


def test_the_owner_writes_to_the_transport_but_behind_what_is_held(setting: Setting) -> None:
    owner = Owner()
    transport, burst = setting.connect()
    burst.begin(cast(Any, transport), owner)
    assert owner.write == transport.write
    burst.write_late(b"held")
    assert owner.write != transport.write
    owner.write(b"now")
    assert transport.sent == b"heldnow" and owner.write == transport.write
    burst.write_late(b"held")
    successor, _ = setting.connect()
    burst.begin(cast(Any, successor), owner)
    owner.write(b"now")
    assert successor.sent == b"heldnow" and owner.write == successor.write
    burst.write_late(b"held")
    setting.end_round()
    assert successor.sent == b"heldnowheld" and owner.write == successor.write


def test_what_leaves_in_the_middle_of_a_round_counts_for_it(setting: Setting) -> None:
    everybody = [setting.connect()[1] for _ in range(FEW + 1)]
    for _ in range(20):
        for each in everybody:
            each.write_late(b"+")
            setting.bursts.flush()
        setting.end_round()
        assert setting.bursts.direct == 0


def test_nothing_is_sent_when_the_connection_has_ended(setting: Setting) -> None:
    transport, burst = setting.connect()
    burst.write_late(b"never")
    burst.end()
    burst.write_late(b"nor this")
    setting.end_round()
    assert not transport.sent and burst.buffered() == 0


def test_a_connection_that_cannot_be_written_to_is_aborted_and_the_others_are_served(setting: Setting) -> None:
    (broken, first), (_, second), (whole, third) = (setting.connect() for _ in range(3))
    broken.fails = True
    for burst in (first, second, third):
        burst.write_late(b"+OK")
    first.write_late(b"+OK")
    setting.end_round()
    assert broken.aborted and not broken.sent and whole.sent == b"+OK" and not whole.aborted
    assert setting.failures == ["sending replies: the handle is closed"]


def test_who_is_written_to_while_the_round_is_sent_is_served_by_the_next(setting: Setting) -> None:
    transport, burst = setting.connect()
    other = setting.connect()[1]
    other.send = lambda data: burst.write_late(b"[" + data + b"]")
    other.write_late(b"x")
    setting.end_round()
    setting.end_round()
    assert transport.sent == b"[x]" and not setting.calls


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 3), st.sampled_from([1, 2, 100, LARGE - 1, LARGE, LARGE + 1])),
        st.tuples(st.sampled_from(["flush one", "now"]), st.integers(0, 3), st.just(0)),
        st.tuples(st.sampled_from(["flush", "end", "later"]), st.just(0), st.just(0)),
    ),
    max_size=200,
)


@given(_STEPS, st.integers(0, 5))
def test_every_byte_arrives_once_and_in_order(steps: list[tuple[str, int, int]], direct: int) -> None:
    setting = Setting()
    setting.bursts.direct = direct
    ends = [setting.connect() for _ in range(4)]
    expected = [b""] * 4
    for number, (what, which, size) in enumerate(steps):
        transport, burst = ends[which]
        if what == "write":
            data = (b"%d." % number).ljust(size, b"*")
            burst.write_late(data)
            expected[which] += data
            assert burst.buffered() < LARGE * MANY
        elif what == "now":
            data = b"%d." % number
            burst.write(data)
            expected[which] += data
            assert transport.sent == expected[which]
        elif what == "flush one":
            burst.flush()
            assert transport.sent == expected[which]
        elif what == "later":
            setting.clock.time += 0.0007
        else:
            setting.end_round() if what == "end" else setting.bursts.flush()
            assert [transport.sent for transport, _ in ends] == expected
        assert not setting.bursts.waiting or setting.calls  # what is held has somebody who will send it
    setting.end_round()
    assert [transport.sent for transport, _ in ends] == expected


@pytest.fixture(params=["asyncio", "uvloop"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    with Running(tmp_path, "--event-loop", request.param) as running:
        yield running


@pytest.mark.process
@pytest.mark.parametrize("end", ["half", "quit", "reset"])
def test_clients_that_end_with_their_last_command_get_all_replies(server: Running, end: str) -> None:
    """They come by the dozen, so that their replies share rounds."""
    for number in range(20):
        wires = [server.connect() for _ in range(12)]
        for index, wire in enumerate(wires):
            wire.send(b"SET %d %d\r\nGET %d\r\n" % (index, number, index) + (b"QUIT\r\n" if end == "quit" else b""))
            if end == "half":
                wire.socket.shutdown(socket.SHUT_WR)
            elif end == "reset" and index % 2:
                wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                wire.close()
        for index, wire in enumerate(wires):
            if end == "reset":
                if index % 2:
                    continue
                assert [wire.read(), wire.read()] == ["OK", str(number)]
            else:
                value = str(number).encode()
                expected = b"+OK\r\n$%d\r\n%s\r\n" % (len(value), value)
                assert wire.read_bytes() == expected + (b"+OK\r\n" if end == "quit" else b"")
            wire.close()
    assert server.terminate() == 0
    assert "failed" not in server.log() and "Traceback" not in server.log()


@pytest.mark.parametrize(("end", "arrives"), [("eof_received", b"held"), ("close", b"held"), ("abort", b"")])
def test_what_is_held_leaves_before_an_end_that_is_no_accident(end: str, arrives: bytes) -> None:
    async def program() -> None:
        async with Server() as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"PING\r\n")
            assert await reader.readexactly(7) == b"+PONG\r\n"
            link = cast(Any, next(iter(server.app.core.sessions.values())).link)
            server.app.bursts.direct = 0
            link.write_late(b"held")
            assert link.buffered() == 4
            if getattr(link, end)() is False:  # the transport is to close itself
                assert link.buffered() == 0
                link.close()
            assert link.buffered() == 0
            assert await reader.read() == arrives
            writer.close()
            await writer.wait_closed()

    asyncio.run(program())
