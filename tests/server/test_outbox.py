"""Replies that wait for gates: order, bounds, congestion, ends. No sockets: lines write into lists."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from pycache_server.server.outbox import HIGH_WATER, Line, Outbox


class Feed:
    position = 0


class Loop:
    """What is deferred, until the test lets it happen."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def defer(self, call: Callable[[], None]) -> None:
        self.calls.append(call)

    def run(self) -> None:
        calls, self.calls = self.calls, []
        for call in calls:
            call()


class Connection:
    """The owner of a line."""

    def __init__(self, outbox: Outbox) -> None:
        self.sent: list[bytes] = []
        self.events: list[str] = []
        self.late: list[bytes] = []
        self.line: Line = outbox.line(self, self.sent.append, self.late.append)
        self.write = self.line.write

    def on_full(self) -> None:
        self.events.append("full")

    def on_room(self) -> None:
        self.events.append("room")

    def on_end(self) -> None:
        self.events.append("end")


class Gate:
    """A gate that lets pass what the test says, or everything."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self.bound: int | None = None
        self.asked = 0

    def __call__(self) -> int:
        self.asked += 1
        return self._feed.position if self.bound is None else min(self.bound, self._feed.position)


class Setting:
    """An outbox with a gate."""

    def __init__(self) -> None:
        self.feed = Feed()
        self.loop = Loop()
        self.changes = 0
        self.outbox = Outbox(self.feed, self.loop.defer, self._changed)
        self.gate = Gate(self.feed)
        self.outbox.open(self.gate)

    def _changed(self) -> None:
        self.changes += 1

    def connect(self) -> Connection:
        return Connection(self.outbox)


@pytest.fixture
def setting() -> Setting:
    return Setting()


def test_what_no_change_precedes_goes_out_at_once(setting: Setting) -> None:
    client = setting.connect()
    client.write(b"read")
    assert client.sent == [b"read"] and not setting.loop.calls and setting.gate.asked == 0


def test_what_follows_a_change_waits_for_the_gate_of_the_round(setting: Setting) -> None:
    one, other = setting.connect(), setting.connect()
    setting.feed.position = 1
    one.write(b"+OK")
    other.write(b"$1")
    assert one.sent == other.sent == [] and len(setting.loop.calls) == 1
    setting.loop.run()
    assert one.sent == [b"+OK"] and other.sent == [b"$1"] and setting.gate.asked == 1
    other.write(b"again")
    assert other.sent == [b"$1", b"again"]


def test_what_may_leave_late_does_so_if_nothing_is_held(setting: Setting) -> None:
    client = setting.connect()
    client.line.write_late(b"read")
    assert client.late == [b"read"] and not client.sent
    setting.feed.position = 1
    client.line.write_late(b"+OK")
    client.line.write_late(b"read again")
    assert client.late == [b"read"] and not client.sent
    setting.loop.run()
    assert client.late == [b"read"] and client.sent == [b"+OKread again"]


def test_the_gate_decides_up_to_which_position_replies_leave(setting: Setting) -> None:
    client = setting.connect()
    setting.gate.bound = 1
    for position in (1, 2, 2, 3):
        setting.feed.position = position
        client.write(b"%d" % position)
    setting.loop.run()
    assert client.sent == [b"1"]
    setting.gate.bound = 2
    setting.outbox.flush()
    assert client.sent == [b"1", b"22"]
    setting.gate.bound = 3
    setting.outbox.flush()
    assert client.sent == [b"1", b"22", b"3"] and setting.outbox.held() == 0


def test_the_slowest_of_several_gates_decides(setting: Setting) -> None:
    second = Gate(setting.feed)
    second.bound = 0
    setting.outbox.open(second)
    client = setting.connect()
    setting.feed.position = 1
    client.write(b"x")
    setting.loop.run()
    assert client.sent == []
    setting.outbox.close(second)
    assert client.sent == [b"x"]


def test_a_reply_never_passes_one_that_is_held_before_it(setting: Setting) -> None:
    client = setting.connect()
    setting.gate.bound = 0
    setting.feed.position = 1
    client.write(b"a")
    setting.outbox.pass_unheld(True)
    client.write(b"b")
    setting.connect().write(b"c")
    assert client.sent == []
    setting.outbox.pass_unheld(False)
    setting.gate.bound = None
    setting.outbox.flush()
    assert client.sent == [b"ab"]


def test_who_has_nothing_held_passes_while_nothing_can_be_changed(setting: Setting) -> None:
    setting.gate.bound = 0
    setting.feed.position = 5
    setting.outbox.pass_unheld(True)
    client = setting.connect()
    client.write(b"-MISCONF")
    assert client.sent == [b"-MISCONF"]
    setting.outbox.pass_unheld(False)
    client.write(b"held")
    assert client.sent == [b"-MISCONF"]


def test_a_client_of_whom_much_is_held_is_congested_until_it_leaves(setting: Setting) -> None:
    client = setting.connect()
    setting.gate.bound = 0
    setting.feed.position = 1
    client.write(bytes(HIGH_WATER))
    assert client.events == []
    client.write(b"x")
    assert client.events == ["full"] and client.line.size == HIGH_WATER + 1
    client.write(b"y")
    setting.gate.bound = None
    setting.outbox.flush()
    assert client.events == ["full", "room"] and client.line.size == 0


def test_a_connection_that_is_closed_ends_behind_what_is_held(setting: Setting) -> None:
    client = setting.connect()
    setting.feed.position = 1
    client.write(b"bye")
    client.line.ending = True
    setting.loop.run()
    assert client.sent == [b"bye"] and client.events == ["end"]


def test_a_connection_that_is_lost_gets_nothing(setting: Setting) -> None:
    client, other = setting.connect(), setting.connect()
    setting.feed.position = 1
    client.write(b"x")
    other.write(b"y")
    client.line.drop()
    setting.loop.run()
    assert client.sent == [] and other.sent == [b"y"]


def test_the_last_gate_that_closes_lets_everything_go(setting: Setting) -> None:
    client = setting.connect()
    setting.gate.bound = 0
    setting.feed.position = 1
    client.write(b"x")
    assert setting.changes == 1
    setting.outbox.close(setting.gate)
    assert client.sent == [b"x"] and not setting.outbox.active and setting.changes == 2


def test_whoever_goes_on_when_there_is_room_may_write_again(setting: Setting) -> None:
    client = setting.connect()
    setting.gate.bound = 0
    setting.feed.position = 1
    client.write(bytes(HIGH_WATER + 1))

    def go_on() -> None:
        setting.feed.position += 1
        client.write(b"more")

    client.on_room = go_on  # type: ignore[method-assign]
    setting.gate.bound = 1
    setting.outbox.flush()
    setting.outbox._check()
    assert len(client.sent) == 1 and setting.outbox.held() == 4
    setting.gate.bound = None
    setting.outbox.flush()
    assert client.sent[1] == b"more"


@pytest.mark.parametrize("seed", range(20))
def test_every_connection_gets_its_bytes_in_order_and_none_too_early(seed: int) -> None:
    print("seed", seed)
    chance = random.Random(seed)
    setting = Setting()
    clients = [setting.connect() for _ in range(5)]
    written: list[list[tuple[int, bytes]]] = [[] for _ in clients]
    setting.gate.bound = 0
    for number in range(400):
        what = chance.random()
        if what < 0.3:
            setting.feed.position += 1
        elif what < 0.8:
            which = chance.randrange(5)
            data = b"%d;" % number
            written[which].append((setting.feed.position, data))
            clients[which].write(data)
        elif what < 0.9:
            setting.gate.bound = chance.randint(setting.gate.bound, setting.feed.position)
            setting.outbox.flush()
        else:
            setting.loop.run()
        setting.outbox._check()
        for client, entries in zip(clients, written, strict=True):
            sent = b"".join(client.sent)
            assert b"".join(data for _, data in entries).startswith(sent)
            due = b"".join(data for position, data in entries if position <= setting.outbox.common.released)
            assert sent == due
