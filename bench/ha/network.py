"""Places that reach each other over a network that can be cut, one-way or both ways, without the kernel's saying so to
either end: packets vanish, as they do where a cable is pulled.

``Namespaces`` gives each place a network namespace of its own with one cable to a router, which is the namespace of
this process; a cut is a rule of the router that drops what goes from one address to another. It needs to be root, or a
kernel that lets users have namespaces: ``inside`` starts the program again in a namespace of its own. Where that cannot
be, ``proxies.Proxies`` is what remains.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, Self

_INSIDE = "PYCACHE_BENCH_NAMESPACE"
_CLONE_NEWNET = 0x40000000
CONNECT_TIMEOUT = 0.5


class Place(Protocol):
    """Where a process or a client is."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def host(self) -> str:
        """The address at which others reach it."""

    @property
    def bind(self) -> str:
        """The address on which its servers listen."""

    def command(self, argv: list[str]) -> list[str]:
        """What starts a program there."""

    def connect(self, address: tuple[str, int], timeout: float = CONNECT_TIMEOUT) -> socket.socket:
        """A connection from there. Raises OSError."""


class Network(Protocol):
    """All places. ``name`` says what they are made of."""

    @property
    def name(self) -> str:
        """What they are made of."""

    def place(self, name: str) -> Place:
        """A new place."""

    def announce(self, place: Place, port: int) -> int:
        """A server listens at a port there: the port at which others reach it."""

    def cut(self, *ways: tuple[Place, Place]) -> None:
        """Let nothing come from the first to the second of each pair, from the same moment on."""

    def heal(self) -> None:
        """Let everything pass again."""

    def close(self) -> None:
        """End it, and let nothing remain."""


def part(network: Network, some: Iterable[Place], others: Iterable[Place]) -> None:
    """Let nothing pass between two sides."""
    rest = list(others)
    pairs = [(one, other) for one in some for other in rest]
    network.cut(*pairs, *((other, one) for one, other in pairs))


class Namespace:
    """A place with a namespace of its own, which lives as long as a process in it: one that waits for our end."""

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.host = self.bind = f"10.77.{number}.2"
        self._holder = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self._path = f"/proc/{self._holder.pid}/ns/net"
        _wait_for_namespace(self._path)
        gate, cable = f"10.77.{number}.1", f"cable{number}"
        self._cable = cable
        _ip(f"link add {cable} type veth peer name eth0 netns {self._holder.pid}")
        _ip(f"addr add {gate}/24 dev {cable}", f"link set {cable} up")
        within = ["link set lo up", f"addr add {self.host}/24 dev eth0", "link set eth0 up"]
        subprocess.run(
            self.command(["ip", "-batch", "-"]),
            input="\n".join([*within, f"route add default via {gate}"]),
            text=True,
            check=True,
        )
        self._there = os.open(self._path, os.O_RDONLY)
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY)

    def command(self, argv: list[str]) -> list[str]:
        """See Place."""
        return ["nsenter", f"--net={self._path}", *argv]

    def connect(self, address: tuple[str, int], timeout: float = CONNECT_TIMEOUT) -> socket.socket:
        """See Place. A socket belongs to the namespace in which its thread is when it is made."""
        _enter(self._there)
        try:
            made = socket.socket()
        finally:
            _enter(self._home)
        return connected(made, address, timeout)

    def close(self) -> None:
        """End it. The cable goes first: the kernel would take its time."""
        _ip(f"link del {self._cable}")
        os.close(self._there)
        os.close(self._home)
        self._holder.kill()
        self._holder.wait()


class Namespaces:
    """See the module."""

    name = "network namespaces"

    def __init__(self) -> None:
        _ip("link set lo up")
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        self._places: list[Namespace] = []
        self._rules: list[str] = []

    def place(self, name: str) -> Namespace:
        """See Network."""
        self._places.append(Namespace(name, len(self._places) + 1))
        return self._places[-1]

    def announce(self, place: Place, port: int) -> int:
        """See Network."""
        return port

    def cut(self, *ways: tuple[Place, Place]) -> None:
        """See Network."""
        rules = [f"from {one.host} to {other.host} blackhole" for one, other in ways]
        self._rules += rules
        _ip(*(f"rule add {rule}" for rule in rules))

    def heal(self) -> None:
        """See Network."""
        if self._rules:
            _ip(*(f"rule del {rule}" for rule in self._rules))
        self._rules.clear()

    def close(self) -> None:
        """See Network."""
        self.heal()
        for each in self._places:
            each.close()
        self._places.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()


class Home:
    """Where this process is: it reaches everybody, whatever is cut."""

    name = "home"
    host = bind = "127.0.0.1"

    def command(self, argv: list[str]) -> list[str]:
        """See Place."""
        return argv

    def connect(self, address: tuple[str, int], timeout: float = CONNECT_TIMEOUT) -> socket.socket:
        """See Place."""
        return connected(socket.socket(), address, timeout)


def inside() -> bool:
    """Whether this process has a network namespace of its own. If not, and there can be one, the program starts again
    in it, and this does not return."""
    if os.environ.get(_INSIDE):
        return True
    if not all(shutil.which(name) for name in ("ip", "unshare", "nsenter")):
        return False
    for way in (["unshare", "--net"], ["unshare", "--map-root-user", "--net"]):
        probe = [*way, sys.executable, "-m", "bench.ha.network"]
        if subprocess.run(probe, capture_output=True, env={**os.environ, _INSIDE: "1"}).returncode == 0:
            os.environ[_INSIDE] = "1"
            os.execvp(way[0], [*way, sys.executable, *sys.orig_argv[1:]])
    return False


def _probe() -> None:
    """Try what is needed: two places, and a cut. Raises OSError, CalledProcessError, TimeoutError."""
    with Namespaces() as network:
        one, other = network.place("one"), network.place("other")
        _enter(other._there)
        listener = socket.create_server((other.host, 0))
        _enter(other._home)
        one.connect(listener.getsockname(), 10).close()
        network.cut((one, other))
        try:
            one.connect(listener.getsockname(), 0.1).close()
        except TimeoutError:
            pass
        else:
            sys.exit("what is cut lets through")
        network.heal()
        one.connect(listener.getsockname(), 10).close()


def connected(made: socket.socket, address: tuple[str, int], timeout: float) -> socket.socket:
    """A socket that is connected within a time. Raises OSError, and then it is closed."""
    try:
        made.settimeout(timeout)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.connect(address)
    except BaseException:
        made.close()
        raise
    return made


def _ip(*lines: str) -> None:
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True, capture_output=True)


def _enter(namespace: int) -> None:
    """Let this thread be in a namespace."""
    if _LIBC.setns(namespace, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _wait_for_namespace(path: str) -> None:
    """Wait until the process that was started has a namespace that is not ours."""
    ours = os.stat("/proc/self/ns/net").st_ino
    for _ in range(10_000):
        if os.stat(path).st_ino != ours:
            return
        time.sleep(0.001)
    raise TimeoutError(path)


_LIBC = ctypes.CDLL(None, use_errno=True)


if __name__ == "__main__":
    _probe()
