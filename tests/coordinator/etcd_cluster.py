"""A real etcd of three servers on free ports of the loopback interface, each stopped by its own process id."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.conftest import free_port, require_program

_PATIENCE = 30.0


class EtcdServer:
    """One server of the cluster."""

    def __init__(self, directory: Path, name: str, client_port: int, peer_port: int, others: str) -> None:
        self.name = name
        self.endpoint = f"127.0.0.1:{client_port}"
        self._directory = directory / name
        self._log = directory / f"{name}.log"
        self._arguments = [
            require_program("etcd"),
            *("--name", name, "--data-dir", str(self._directory), "--initial-cluster", others),
            *("--listen-client-urls", f"http://{self.endpoint}", "--advertise-client-urls", f"http://{self.endpoint}"),
            *("--listen-peer-urls", f"http://127.0.0.1:{peer_port}"),
            *("--initial-advertise-peer-urls", f"http://127.0.0.1:{peer_port}"),
            *("--heartbeat-interval", "50", "--election-timeout", "500"),
        ]
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._arguments, stdout=log, stderr=subprocess.STDOUT)

    def ask(self, path: str, body: dict[str, Any], token: str = "") -> dict[str, Any]:
        """A request of the test's own, without our client. Raises OSError."""
        headers = {"Content-Type": "application/json", **({"Authorization": token} if token else {})}
        request = urllib.request.Request(f"http://{self.endpoint}{path}", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=5) as answer:
            found: dict[str, Any] = json.loads(answer.read())
            return found

    def is_ready(self) -> bool:
        """Whether it answers for a majority."""
        try:
            self.ask("/v3/kv/range", {"key": "eA=="})
        except OSError:
            return False
        return True

    def leads(self) -> bool:
        status = self.ask("/v3/maintenance/status", {})
        return bool(status["leader"] == status["header"]["member_id"])

    def leads_quietly(self) -> bool:
        """The same, False where it does not answer."""
        try:
            return self.leads()
        except OSError:
            return False

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class EtcdCluster:
    """Three servers, or as many as there are names."""

    def __init__(self, directory: Path, names: tuple[str, ...] = ("one", "two", "three")) -> None:
        ports = {name: (free_port(), free_port()) for name in names}
        others = ",".join(f"{name}=http://127.0.0.1:{peer}" for name, (_, peer) in ports.items())
        self.servers = [EtcdServer(directory, name, *ports[name], others) for name in names]
        self.wait_ready()

    @property
    def endpoints(self) -> tuple[str, ...]:
        return tuple(server.endpoint for server in self.servers)

    def wait_ready(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not all(server.is_ready() for server in self.servers):
            if time.monotonic() > deadline:
                raise TimeoutError("etcd does not come up")
            time.sleep(0.05)

    def leader(self) -> EtcdServer:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            for server in self.servers:
                if server.process.poll() is None and server.is_ready() and server.leads():
                    return server
            time.sleep(0.05)
        raise TimeoutError("etcd has no leader")

    def mend(self) -> None:
        """Let all run again."""
        for server in self.servers:
            if server.process.poll() is None:
                server.send(signal.SIGCONT)
            else:
                server.start()
        self.wait_ready()

    def stop(self) -> None:
        for server in self.servers:
            if server.process.poll() is None:
                server.send(signal.SIGCONT)
            server.kill()
