"""Saving and loading a data set, and what clients and memory notice of it.

    python -m bench.persistence                 # a million keys of 16 bytes with random values of 64

"save" is what SAVE takes, "load" what the server says of loading the file at its start. "snapshots" are saves in the
background, several in turn: how long each takes, what GETs take meanwhile and without, in ms (a probe sends a GET and a
SET each millisecond), and the most memory that the server and its child have together (PSS, which counts a page that
both share half to each) beside what the server has alone.
"""

from __future__ import annotations

import argparse
import random
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.common import ServerProcess, machine, pack, plot_bars, save, table
from bench.pauses import send

ROUNDS = 10


def _key(number: int) -> bytes:
    return b"key:%012d" % number


class Kept:
    """A server whose file and log are in a directory of ours."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.directory = directory
        self.log = directory / "log"

    def start(self) -> ServerProcess:
        """Start it, and wait until it has loaded."""
        self.log.write_text("")
        common = ["--dir", str(self.directory), "--logfile", str(self.log), "--save", ""]
        if self.name == "redis":
            path = shutil.which("redis-server")
            if path is None:
                sys.exit("redis-server is not installed: there is nothing to compare with")
            server = ServerProcess("redis", [path, *common])
        else:
            method = "slices" if self.name.endswith("slices") else "auto"
            ours = [sys.executable, "-m", "pycache_server", *common, "--snapshot-method", method]
            server = ServerProcess(self.name, ours)
        while b"LOADING" in server.call("PING"):
            time.sleep(0.01)
        return server

    def loaded_in(self) -> float:
        """Seconds that the log tells of loading."""
        line = next(line for line in self.log.read_text().splitlines() if "DB loaded from disk" in line)
        return float(line.split("disk:")[1].split()[0])


class Probe:
    """GETs and SETs at random, one of each per ms; times of GETs in ms."""

    def __init__(self, server: ServerProcess, keys: int) -> None:
        self._connection = server.connect()
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._keys = keys
        self._random = random.Random(3)

    def run(self, going_on: Callable[[], bool]) -> list[float]:
        """Measure as long as something goes on."""
        times: list[float] = []
        while going_on():
            get, put = (_key(self._random.randrange(self._keys)) for _ in (0, 1))
            begin = time.perf_counter()
            self._connection.sendall(pack([b"GET", get]))
            self._connection.recv(256)
            times.append((time.perf_counter() - begin) * 1000)
            self._connection.sendall(pack([b"SET", put, self._random.randbytes(64)]))
            self._connection.recv(256)
            time.sleep(0.001)
        return times


def percentile(times: list[float], percent: float) -> float:
    ordered = sorted(times)
    return ordered[min(int(len(ordered) * percent / 100), len(ordered) - 1)]


def _proportional(pid: int) -> int:
    """PSS of a process in bytes, 0 where it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))


def _with_children(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return _proportional(pid) + sum(_proportional(int(child)) for child in children)


def _busy(server: ServerProcess) -> bool:
    return b"rdb_bgsave_in_progress:1" in server.call("INFO", "persistence")


def background(server: ServerProcess, keys: int, seconds: float) -> dict[str, float]:
    """Several saves in the background, with the probe; then one with an eye on memory."""
    probe = Probe(server, keys)
    until = time.monotonic() + seconds
    quiet = probe.run(lambda: time.monotonic() < until)
    busy: list[float] = []
    took: list[float] = []
    for _ in range(ROUNDS):
        server.call("BGSAVE")
        running = [True]
        begin = time.perf_counter()

        def watch(running: list[bool] = running) -> None:
            while _busy(server):
                time.sleep(0.05)
            running[0] = False

        watcher = threading.Thread(target=watch)
        watcher.start()
        busy += probe.run(lambda running=running: running[0])  # type: ignore[misc]
        watcher.join()
        took.append(time.perf_counter() - begin)
        time.sleep(0.3)
    return {
        "seconds": sorted(took)[ROUNDS // 2],
        **{
            f"p{percent:g} {name}": percentile(times, percent)
            for name, times in (("quiet", quiet), ("saving", busy))
            for percent in (50, 99, 99.9, 100)
        },
        "samples": len(busy),
        **memory(server),
    }


def memory(server: ServerProcess) -> dict[str, float]:
    """The most memory, in MB, during a save while nobody writes."""
    pid = server.process.pid
    before = most = _with_children(pid)
    server.call("BGSAVE")
    while _busy(server):
        most = max(most, _with_children(pid))
        time.sleep(0.01)
    return {"MB alone": before / 2**20, "MB at most": most / 2**20}


def measure(name: str, keys: int, seconds: float) -> dict[str, float]:
    """All figures of one server."""
    chooser = random.Random(1)
    with tempfile.TemporaryDirectory() as directory:
        kept = Kept(name, Path(directory))
        found: dict[str, float] = {}
        with kept.start() as server:
            commands = (pack([b"SET", _key(number), chooser.randbytes(64)]) for number in range(keys))
            send(server, commands, 100, "keys")
            saves = []
            for _ in range(5):
                begin = time.perf_counter()
                server.call("SAVE")
                saves.append(time.perf_counter() - begin)
            found["save"] = sorted(saves)[2]
            found["file MB"] = (Path(directory) / "dump.rdb").stat().st_size / 2**20
            found |= background(server, keys, seconds)
        loads = []
        for _ in range(3):
            with kept.start():
                loads.append(kept.loaded_in())
        found["load"] = sorted(loads)[1]
    return found


def report(results: dict[str, dict[str, float]]) -> None:
    """Print the tables."""
    head = ["", *results]
    table("Seconds", head, [[what, *(each[what] for each in results.values())] for what in ("save", "load", "seconds")])
    rows = [f"p{percent:g} {name}" for percent in (50, 99, 99.9, 100) for name in ("quiet", "saving")]
    table("GET, ms", head, [[what, *(each[what] for each in results.values())] for what in rows])
    rows = ["file MB", "MB alone", "MB at most"]
    table("Memory", head, [[what, *(each[what] for each in results.values())] for what in rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=15.0, help="how long the probe measures without a save")
    options = parser.parse_args()
    results = {name: measure(name, options.keys, options.seconds) for name in ("redis", "pycache", "pycache-slices")}
    report(results)
    data: dict[str, Any] = {"keys": options.keys, "machine": machine(), "results": results}
    save("persistence", data)
    parts = ["save", "load", "seconds"]
    labels = ["SAVE", "load", "background save"]
    series = {name: [found[part] for part in parts] for name, found in results.items()}
    plot_bars("persistence", f"{options.keys:,} keys of 16 bytes with values of 64", labels, series, "seconds")


if __name__ == "__main__":
    main()
