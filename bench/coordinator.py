"""How long a group is without a leader when its leader is killed, by who nominates the next one.

    python -m bench.coordinator                        # builtin and etcd, 15 kills each
    python -m bench.coordinator --kinds etcd --kills 30 --ttl 5000

Three voters on this machine, and for etcd three servers of it with their default times. Each time the leader gets
kill -9, and the time runs until another voter has acknowledged a write; then the dead one is started anew. Where the
key is then is looked at, too: with etcd its next holder must be the one that was elected.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from bench.common import ServerProcess, free_port, progress, save, table

PATIENCE = 60.0


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for what must come."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        if time.monotonic() > deadline:
            sys.exit(f"it does not come: {what}")
        time.sleep(0.005)
    return found


class Etcd:
    """Three servers."""

    def __init__(self) -> None:
        path = shutil.which("etcd")
        if path is None:
            sys.exit("etcd is not installed")
        self._directory = tempfile.TemporaryDirectory()
        names = ("one", "two", "three")
        ports = {name: (free_port(), free_port()) for name in names}
        cluster = ",".join(f"{name}=http://127.0.0.1:{peer}" for name, (_, peer) in ports.items())
        self.endpoints = [f"127.0.0.1:{client}" for client, _ in ports.values()]
        self._processes = [
            subprocess.Popen(
                [
                    *(path, "--name", name, "--data-dir", f"{self._directory.name}/{name}"),
                    *("--listen-client-urls", f"http://127.0.0.1:{client}"),
                    *("--advertise-client-urls", f"http://127.0.0.1:{client}"),
                    *("--listen-peer-urls", f"http://127.0.0.1:{peer}"),
                    *("--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}", "--initial-cluster", cluster),
                ],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for name, (client, peer) in ports.items()
        ]
        until(lambda: all(map(self._answers, self.endpoints)), "etcd")

    def _answers(self, endpoint: str) -> bool:
        try:
            with urllib.request.urlopen(f"http://{endpoint}/v3/kv/range", b'{"key": "eA=="}', timeout=1):
                return True
        except OSError:
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        self._directory.cleanup()


class Voter(ServerProcess):
    """One voter, which can be started again on its port and directory."""

    def __init__(self, port: int, directory: Path, words: list[str]) -> None:
        directory.mkdir(exist_ok=True)
        self.again = (port, directory, words)
        command = [sys.executable, "-m", "pycache_server", *words, "--dir", str(directory)]
        super().__init__("voter", command, port)

    def info(self) -> dict[str, str]:
        """INFO replication; empty where it does not answer."""
        try:
            lines = self.call("INFO", "replication").decode().splitlines()
        except OSError:
            return {}
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def writes(self) -> bool:
        """Whether a write is acknowledged."""
        try:
            return self.call("SET", "key", "value") == b"+OK\r\n"
        except OSError:
            return False


class Group:
    """Three voters."""

    def __init__(self, root: Path, options: list[str], stack: ExitStack) -> None:
        ports = [free_port() for _ in range(3)]
        seats = " ".join(f"127.0.0.1:{port}" for port in ports)
        words = ["--group-voters", seats, "--group-secret", "bench", "--save", "", "--appendonly", "yes"]
        words += ["--appendfsync", "always", *options]
        self.voters = [Voter(port, root / str(port), words) for port in ports]
        stack.callback(self.stop)

    def stop(self) -> None:
        """End all voters."""
        for voter in self.voters:
            voter.stop()

    def leader(self) -> Voter:
        """Who leads, when all are whole and, if there is a key, the leader holds it."""
        found = until(lambda: next((voter for voter in self.voters if self._is_settled(voter)), None), "a leader")
        assert isinstance(found, Voter)
        return found

    def _is_settled(self, voter: Voter) -> bool:
        told = voter.info()
        if told.get("role") != "master" or told.get("coordinator_state") != "holding":
            return False
        return all(other.info().get("sync_state") in ("leader", "in-sync") for other in self.voters)

    def kill(self) -> float:
        """Kill the leader: seconds until another has acknowledged a write."""
        victim = self.leader()
        others = [voter for voter in self.voters if voter is not victim]
        victim.process.kill()
        began = time.monotonic()
        until(lambda: any(voter.writes() for voter in others), "a write that is acknowledged")
        taken = time.monotonic() - began
        victim.stop()
        self.voters[self.voters.index(victim)] = Voter(*victim.again)
        return taken


def measure(kind: str, arguments: argparse.Namespace) -> list[float]:
    """The seconds of all kills."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        options = ["--coordinator", kind]
        if kind == "etcd":
            etcd = stack.enter_context(Etcd())
            options += ["--coordinator-endpoints", " ".join(etcd.endpoints), "--coordinator-ttl", str(arguments.ttl)]
        group = Group(root, options, stack)
        found = []
        for number in range(arguments.kills):
            progress(f"{kind}: kill {number + 1} of {arguments.kills}")
            found.append(group.kill())
        progress("")
        return found


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", default=["builtin", "etcd"], choices=["builtin", "etcd"])
    parser.add_argument("--kills", type=int, default=15)
    parser.add_argument("--ttl", type=int, default=2000, help="coordinator-ttl in milliseconds")
    arguments = parser.parse_args()
    rows = []
    for kind in arguments.kinds:
        seconds = sorted(measure(kind, arguments))
        rows.append({"coordinator": kind, "kills": len(seconds), "seconds": seconds})
    head = ["coordinator", "kills", "least s", "median s", "most s"]
    lines = [
        [row["coordinator"], row["kills"], row["seconds"][0], statistics.median(row["seconds"]), row["seconds"][-1]]
        for row in rows
    ]
    table("kill -9 of the leader to the first write that another has acknowledged", head, lines)
    save("coordinator", {"ttl": arguments.ttl, "rows": rows})


if __name__ == "__main__":
    main()
