"""The parts of the bench of failovers: networks that are cut, who leads when, what a verdict counts."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from bench.common import ROOT, free_port
from bench.failover import median, names, told
from bench.ha.deployments import DEPLOYMENTS, USUAL, Deployment
from bench.ha.faults import FAULTS
from bench.ha.network import part
from bench.ha.proxies import Proxied, Proxies
from bench.ha.roles import Claim, Roles
from bench.ha.trial import Verdict


class Echo:
    """Answers with what it is sent, at an address of a place."""

    def __init__(self, network: Proxies, place: Proxied) -> None:
        port = free_port()
        self._listener = socket.create_server((place.bind, port))
        self.address = (place.host, network.announce(place, port))
        self.heard = b""
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(100):
                self.heard += data
                connection.sendall(data)


@pytest.fixture
def network() -> Iterator[Proxies]:
    found = Proxies()
    yield found
    found.close()


def test_what_is_cut_waits_until_the_network_heals(network: Proxies) -> None:
    one, other, third = (network.place(name) for name in ("one", "other", "third"))
    echo = Echo(network, other)
    before, beside = one.connect(echo.address), third.connect(echo.address)
    for each in (before, beside):
        each.sendall(b"a")
        assert each.recv(1) == b"a"
    part(network, [one], [other])
    during = one.connect(echo.address)
    for each in (before, during):
        each.sendall(b"b")
        each.settimeout(0.1)
        with pytest.raises(TimeoutError):
            each.recv(1)
    beside.sendall(b"c")
    assert beside.recv(1) == b"c"
    assert echo.heard == b"aac"
    network.heal()
    for each in (before, during):
        each.settimeout(10)
        assert each.recv(1) == b"b"
        each.close()
    beside.close()


def test_one_way_may_be_cut_alone(network: Proxies) -> None:
    one, other = network.place("one"), network.place("other")
    echo = Echo(network, other)
    wire = one.connect(echo.address)
    wire.sendall(b"a")
    assert wire.recv(1) == b"a"
    network.cut((other, one))  # the answer does not come, the question does
    wire.sendall(b"b")
    wire.settimeout(0.2)
    with pytest.raises(TimeoutError):
        wire.recv(1)
    assert echo.heard == b"ab"
    network.heal()
    wire.settimeout(10)
    assert wire.recv(1) == b"b"
    wire.close()


def test_a_connection_that_nobody_takes_ends(network: Proxies) -> None:
    one, other = network.place("one"), network.place("other")
    address = (other.host, network.announce(other, free_port()))
    with one.connect(address) as wire:
        wire.settimeout(10)
        with contextlib.suppress(ConnectionError):
            assert wire.recv(1) == b""


def test_namespaces_cut_where_the_kernel_lets_us() -> None:
    probe = ["unshare", "--map-root-user", "--net", sys.executable, "-m", "bench.ha.network"]
    try:
        if subprocess.run([*probe[:3], "true"], capture_output=True).returncode:
            pytest.skip("this user may not have namespaces")
    except FileNotFoundError:
        pytest.skip("unshare is not installed")
    done = subprocess.run(probe, capture_output=True, text=True, cwd=ROOT)
    if "Operation not permitted" in done.stderr or "No such file" in done.stderr:
        pytest.skip("the kernel does not let us cut networks")
    assert done.returncode == 0, done.stderr


def test_two_that_say_that_they_lead_are_counted_while_both_say_so(network: Proxies) -> None:
    roles = Roles(Deployment("redis", network, DEPLOYMENTS["redis"]))
    roles.claims = [
        Claim(0.0, "a", True),
        Claim(0.1, "b", False),
        Claim(0.2, "b", True),
        Claim(0.3, "a", True),
        Claim(0.5, "a", False),
        Claim(0.6, "b", True),
    ]
    assert roles.shared() == pytest.approx(0.1)
    assert roles.changes() == [(0.0, "a"), (0.2, "b")]


def test_a_claim_is_not_believed_for_ever(network: Proxies) -> None:
    roles = Roles(Deployment("redis", network, DEPLOYMENTS["redis"]))
    roles.claims = [Claim(0.0, "a", True), *(Claim(number / 10, "b", True) for number in range(10, 20))]
    assert roles.shared() == 0


def test_names_are_those_that_there_are() -> None:
    assert names(FAULTS)("kill,pause") == ["kill", "pause"]
    with pytest.raises(Exception, match="thunder is none of kill"):
        names(FAULTS)("kill,thunder")
    assert set(USUAL) < set(DEPLOYMENTS)
    assert all(fault.__doc__ for _, fault in FAULTS.values())


def test_a_verdict_says_what_is_wrong() -> None:
    text = told(Verdict(acknowledged=10, lost=3, lost_following=1, doubled=2, stale=1, reads=5))
    for part_of in ("lost 3 (1) of 10", "lead never", "DOUBLED 2", "NOT EQUAL", "NO LEADER", "stale 1 of 5"):
        assert part_of in text
    assert median([1.0, None, 3.0]) == "2.00 (1 never)"
