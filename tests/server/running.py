"""A pycache-server in a process of its own, as users run it; stopped by its process id."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import hiredis

from tests.conftest import free_port

ROOT = Path(__file__).parent.parent.parent
_NOTHING = object()


class Wire:
    """A raw connection."""

    def __init__(self, address: tuple[str, int] | str) -> None:
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(address)
        else:
            self.socket = socket.create_connection(address)
        self.socket.settimeout(20)
        self._reader = hiredis.Reader(notEnoughData=_NOTHING, encoding="utf-8", errors="surrogateescape")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def call(self, *words: Any) -> Any:
        """Send a command; its reply, an error as an exception object."""
        self.send(hiredis.pack_command(words))
        return self.read()

    def read(self) -> Any:
        """The next reply. Raises ConnectionError where the server has closed."""
        while (value := self._reader.gets()) is _NOTHING:
            data = self.socket.recv(1 << 20)
            if not data:
                raise ConnectionError("closed")
            self._reader.feed(data)
        return value

    def read_bytes(self) -> bytes:
        """Everything until the server closes the connection."""
        found = b""
        while data := self.socket.recv(1 << 20):
            found += data
        return found

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()


class Running:
    """The process and its port."""

    module = "pycache_server"

    def __init__(self, directory: Path, *options: str, config: str = "", wait: bool = True) -> None:
        self.port = free_port()
        self.directory = directory
        self.output = directory / f"output-{self.port}.log"
        arguments = [sys.executable, "-m", self.module]
        if config:
            arguments.append(config)
        arguments += ["--port", str(self.port), "--bind", "127.0.0.1", *options]
        with self.output.open("wb") as stream:
            self.process = subprocess.Popen(
                arguments,
                cwd=directory,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self.process.poll() is not None and "--daemonize" not in self.process.args:  # type: ignore[operator]
                raise RuntimeError(f"the server ended: {self.log()}")
            try:
                self.connect().close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise TimeoutError(f"the server does not answer: {self.log()}")

    def wait_loaded(self) -> None:
        """Wait until the data set is there."""
        deadline = time.monotonic() + 20
        while self.info("persistence")["loading"] != "0":
            if time.monotonic() >= deadline:
                raise TimeoutError(f"the data set is not loaded: {self.log()}")
            time.sleep(0.01)

    def connect(self) -> Wire:
        return Wire(("127.0.0.1", self.port))

    def call(self, *words: Any) -> Any:
        with self.connect() as wire:
            return wire.call(*words)

    def info(self, section: str) -> dict[str, str]:
        lines = str(self.call("INFO", section)).splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def log(self) -> str:
        return self.output.read_text(errors="replace")

    def terminate(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=20)

    def __enter__(self) -> Self:
        return self

    def stop(self) -> None:
        """End it at once."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def __exit__(self, *details: object) -> None:
        self.stop()
