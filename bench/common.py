"""What all benches share: the two servers, their CPU time and memory, and how results are kept.

Both servers run on this machine in the same minutes, and their runs are interleaved: absolute figures of a shared
machine mean nothing, ratios of neighbours do. CPU time is utime + stime of the server's process, read with the
resolution of nanoseconds from schedstat where the kernel has it, else from stat in clock ticks.
"""

from __future__ import annotations

import itertools
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

RESULTS = Path(__file__).parent / "results"
ROOT = Path(__file__).parent.parent


_FIRST_PORT, _PORTS = 10_000, 22_000
"""Below the ports that kernels give to connections which go out: one of those may take a port that was just free."""
_numbers = itertools.count(os.getpid() * 4999)
"""Each process goes its own way through the ports, so that those who look for one at the same time do not meet."""


def free_port() -> int:
    """A port of the loopback interface that was free a moment ago, and that this process has not been given lately."""
    for number in _numbers:
        port = _FIRST_PORT + number % _PORTS
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("numbers do not end")


class ServerProcess:
    """A server under measurement, stopped by its process id; on a free port, or on that one."""

    def __init__(self, name: str, command: Sequence[str], port: int = 0) -> None:
        self.name = name
        self.port = port or free_port()
        self._directory = tempfile.TemporaryDirectory()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  (closed by stop)
        self.process = subprocess.Popen(
            [*command, "--port", str(self.port), "--bind", "127.0.0.1"],
            cwd=self._directory.name,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def _wait(self) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}: {self._said()}")
            try:
                self.connect().close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise TimeoutError(f"{self.name} does not answer: {self._said()}")

    def _said(self) -> str:
        """The end of what the process has written."""
        self._output.seek(0)
        return self._output.read().decode(errors="replace").strip()[-2000:] or "it said nothing"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port))

    def call(self, *words: str | bytes | int) -> bytes:
        """Send one command; the first piece of its reply as it comes."""
        encoded = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        with self.connect() as connection:
            connection.sendall(pack(encoded))
            return connection.recv(1 << 20)

    def cpu_seconds(self) -> float:
        """CPU time of the process so far."""
        try:
            tasks = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
            return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9
        except (OSError, ValueError, IndexError):
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident(self) -> int:
        """Resident bytes of the process."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self._output.close()
        self._directory.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.stop()


def redis_server(*options: str) -> ServerProcess:
    """Debian's redis-server, without persistence unless the options say otherwise."""
    path = shutil.which("redis-server")
    if path is None:
        sys.exit("redis-server is not installed: there is nothing to compare with")
    return ServerProcess("redis", [path, "--save", "", "--appendonly", "no", *options])


def our_server(*options: str, loop: str = "auto", port: int = 0) -> ServerProcess:
    """This server, by the interpreter that runs the bench."""
    command = [sys.executable, "-m", "pycache_server", "--event-loop", loop, "--enable-debug-command", "yes"]
    return ServerProcess("pycache" if loop == "auto" else f"pycache-{loop}", [*command, *options], port)


def pack(words: Iterable[bytes]) -> bytes:
    """A command in RESP."""
    found = list(words)
    return b"*%d\r\n" % len(found) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in found)


def fill(server: ServerProcess, commands: Iterable[bytes], show: str = "", lines: int = 1) -> None:
    """Send packed commands in pipelines and wait until all are answered with so many lines each."""
    with server.connect() as connection:
        batch: list[bytes] = []
        total = 0
        for command in commands:
            batch.append(command)
            if len(batch) == 1000:
                total += _exchange(connection, batch, lines)
                batch = []
                if show and total % 100_000 == 0:
                    progress(f"{server.name}: {total:,} {show}")
        if batch:
            _exchange(connection, batch, lines)
    if show:
        progress("")


def _exchange(connection: socket.socket, batch: list[bytes], lines: int) -> int:
    connection.sendall(b"".join(batch))
    missing = len(batch) * lines
    while missing > 0:
        data = connection.recv(1 << 16)
        if not data:
            raise ConnectionError("the server closed the connection")
        missing -= data.count(b"\n")
    return len(batch)


def progress(text: str) -> None:
    """Show what is going on, on one line of the terminal."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def geometric_mean(values: Iterable[float]) -> float:
    return statistics.geometric_mean(list(values))


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table."""
    cells = [list(head), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    print(f"\n{title}")
    for number, row in enumerate(cells):
        line = "  ".join(
            cell.ljust(width) if not index else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print(line)
        if not number:
            print("-" * len(line))


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def machine() -> dict[str, Any]:
    """Where and with what the figures were made."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    return {
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit.stdout.strip(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
    }


def save(name: str, data: dict[str, Any]) -> Path:
    """Keep results as JSON under bench/results."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"machine": machine(), **data}, indent=1) + "\n")
    print(f"\nwritten: {path}")
    return path


def plot_bars(name: str, title: str, labels: Sequence[str], series: Mapping[str, Sequence[float]], axis: str) -> None:
    """Draw groups of bars into bench/results, where matplotlib is installed."""
    try:
        import matplotlib
    except ImportError:
        print("no plot: matplotlib is not installed (pip install 'pycache-server[bench]')")
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(max(7.0, 0.5 * len(labels) * len(series) ** 0.5), 4.2))
    width = 0.8 / len(series)
    for number, (label, values) in enumerate(series.items()):
        places = [index + (number - (len(series) - 1) / 2) * width for index in range(len(labels))]
        axes.bar(places, values, width, label=label)
    axes.set_xticks(
        range(len(labels)), labels, rotation=45 if len(labels) > 6 else 0, ha="right" if len(labels) > 6 else "center"
    )
    axes.set_title(title)
    axes.set_ylabel(axis)
    axes.grid(axis="y", alpha=0.3)
    axes.legend()
    figure.tight_layout()
    path = RESULTS / f"{name}.png"
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    print(f"written: {path}")
