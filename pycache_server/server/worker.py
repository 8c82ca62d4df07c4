"""Calls of the system that may take long, in a thread: fsync of a busy disk, a write(2) behind it, closing large files.

Jobs run one after the other, and what follows one runs in the event loop. The thread exists only while there are jobs:
at other times the process has one thread, as who forks wants it. A fork while one runs does no harm: a job is a call of
the system, and the child touches no lock that such a thread could hold (``running`` tells how many there are).
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from weakref import WeakSet

Job = Callable[[], object]
Done = Callable[[OSError | None], None]
"""Called in the event loop, with what the job has raised."""


_WORKERS: WeakSet[Worker] = WeakSet()


def running() -> int:
    """How many threads of workers there are now."""
    return sum(worker.is_running() for worker in _WORKERS)


class Worker:
    """Runs jobs in their order; ``notify`` lets something be called in the event loop, from any thread."""

    def __init__(self, name: str, notify: Callable[[Callable[[], None]], object]) -> None:
        self._name = name
        self._notify = notify
        self._lock = threading.Lock()
        self._jobs: deque[tuple[Job, Done]] = deque()
        self._ended: deque[tuple[Done, OSError | None]] = deque()
        self._thread: threading.Thread | None = None
        _WORKERS.add(self)
        self.pending = 0
        """How many jobs have not ended, as far as the event loop knows."""

    def submit(self, job: Job, done: Done) -> None:
        """Run a job when those before have ended."""
        self.pending += 1
        with self._lock:
            self._jobs.append((job, done))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def is_running(self) -> bool:
        """Whether its thread is there."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    def wait(self) -> None:
        """Wait until all jobs have ended, and what follows them has been done."""
        thread = self._thread
        if thread is not None:
            thread.join()
        self._collect()

    def _run(self) -> None:
        """In the thread."""
        while True:
            with self._lock:
                if not self._jobs:
                    self._thread = None
                    return
                job, done = self._jobs.popleft()
            error: OSError | None = None
            try:
                job()
            except OSError as problem:
                error = problem
            except Exception as problem:  # nothing of that kind is expected: let it be treated as the disk's failure
                error = OSError(0, f"{type(problem).__name__}: {problem}")
            self._ended.append((done, error))
            with contextlib.suppress(RuntimeError):  # the loop is closed: whoever closes it has waited, or need not
                self._notify(self._collect)

    def _collect(self) -> None:
        """In the event loop."""
        while self._ended:
            done, error = self._ended.popleft()
            self.pending -= 1
            done(error)
