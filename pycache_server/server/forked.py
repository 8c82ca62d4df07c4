"""A copy of this process that writes a snapshot: what happens between fork and exit.

Only a server that owns its process and runs no other thread may do this: a lock that another thread holds at the moment
of the fork would be held for ever in the child. The child has the event loop's descriptors, which it must not touch:
it closes everything but what it writes to, takes signals back from the loop, and leaves by ``os._exit``, so that
nothing of the parent's is ended twice. It tells the parent by a pipe how far it is, one line a second, and at the end
what became of it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NoReturn

from pycache_server.server.worker import running

REPORT_EVERY: Final = 0.25
"""Seconds between two lines of a child."""
_SIGNALS: Final = [
    number for name in ("SIGINT", "SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None
]
Write = Callable[[bytes], None]


def can_fork() -> bool:
    """Whether this process may be copied: the system can, and no other thread runs but those that do no harm
    (worker.py)."""
    harmless = running()
    if not hasattr(os, "fork") or threading.active_count() > 1 + harmless:
        return False
    try:
        return len(os.listdir("/proc/self/task")) <= 1 + harmless
    except OSError:
        return True


class Child:
    """A process that has been forked. ``reports`` is the descriptor from which its lines can be read."""

    def __init__(self, pid: int, reports: int) -> None:
        self.pid = pid
        self.reports = reports
        self.status: int | None = None
        """What waitpid told, once it has ended."""

    def ended(self) -> bool:
        """Whether the process has ended."""
        if self.status is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # somebody else has waited for it
                pid, status = self.pid, 0
            if pid:
                self.status = status
        return self.status is not None

    def wait(self) -> None:
        """Wait for its end."""
        while not self.ended():
            time.sleep(0.001)

    def kill(self) -> None:
        """End it at once."""
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def killed_by(self) -> int:
        """The signal that has ended it, 0 where none has."""
        return os.WTERMSIG(self.status) if self.status is not None and os.WIFSIGNALED(self.status) else 0


def fork(work: Callable[[Write], None], keep: Sequence[int]) -> Child:
    """Let a copy of this process do some work, with these descriptors and the standard ones; ``work`` is given what
    sends a line to the parent. The copy exits with 0, or with 1 where the work has failed.

    Raises OSError where there can be no copy.
    """
    reports, write_end = os.pipe()
    os.set_blocking(reports, False)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # none may reach the child while it has our handlers
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 and later: of threads; see can_fork
            pid = os.fork()
        if not pid:
            _be_the_child(work, [*keep, write_end], write_end)
    except OSError:
        os.close(reports)
        raise
    finally:
        os.close(write_end)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return Child(pid, reports)


def _be_the_child(work: Callable[[Write], None], keep: Sequence[int], reports: int) -> NoReturn:
    code = 1
    try:
        gc.disable()
        signal.set_wakeup_fd(-1)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        _close_all_but(keep)
        work(lambda line: write_all(reports, line))
        code = 0
    except BaseException:  # there is nobody to whom it could be raised
        pass
    finally:
        os._exit(code)


def _close_all_but(keep: Sequence[int]) -> None:
    start = 3
    for number in sorted({number for number in keep if number >= start}):
        os.closerange(start, number)
        start = number + 1
    os.closerange(start, max(4096, os.sysconf("SC_OPEN_MAX")))


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of some bytes.

    Raises OSError.
    """
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def written(chunks: Iterator[bytes], write: Write, report: Callable[[], None]) -> None:
    """Write chunks, and report every now and then.

    Raises OSError.
    """
    due = time.monotonic() + REPORT_EVERY
    for chunk in chunks:
        write(chunk)
        if time.monotonic() >= due:
            report()
            due = time.monotonic() + REPORT_EVERY


def private_bytes() -> int:
    """How much memory this process does not share with others any more, as far as the system tells: 0 where not."""
    try:
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Private_Dirty:"))
