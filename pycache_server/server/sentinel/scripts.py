"""Scripts that are called when something happens: a few at once, in the order of their calls, each in a process of its
own. One that runs for a minute is killed; one that ends with 1 or by a signal is tried again, later each time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from pycache_server.sentinel.timing import Timing

MOST_QUEUED = 256
MOST_RUNNING = 16
MOST_TRIES = 10


class Script:
    """A call of a script."""

    def __init__(self, path: str, arguments: tuple[str, ...]) -> None:
        self.path = path
        self.arguments = arguments
        self.tries = 0
        self.started_at = 0.0
        """In seconds of the loop's clock; in the future where it will be tried again."""
        self.pid = 0


class Scripts:
    """The scripts of a sentinel. ``report(event, text)`` tells of what became of one."""

    def __init__(self, loop: asyncio.AbstractEventLoop, timing: Timing, report: Callable[[str, str], None]) -> None:
        self._loop = loop
        self._timing = timing
        self._report = report
        self.calls: list[Script] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def running(self) -> int:
        """How many run."""
        return sum(bool(script.pid) for script in self.calls)

    def add(self, path: str, arguments: tuple[str, ...]) -> None:
        """Call a script when its turn comes. Where too many wait, the oldest one that waits is given up."""
        if len(self.calls) >= MOST_QUEUED:
            waiting = [script for script in self.calls if not script.pid]
            if waiting:
                self.calls.remove(waiting[0])
        self.calls.append(Script(path, arguments))

    def step(self) -> None:
        """Start those whose turn has come."""
        now = self._loop.time()
        for script in self.calls:
            if self.running() >= MOST_RUNNING:
                return
            if not script.pid and script.started_at <= now:
                script.pid = -1
                script.started_at = now
                script.tries += 1
                task = self._loop.create_task(self._run(script))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _run(self, script: Script) -> None:
        try:
            process = await asyncio.create_subprocess_exec(script.path, *script.arguments)
        except OSError as error:
            self._report("-script-error", f"{script.path} 2 {error.strerror}")
            self.calls.remove(script)
            return
        script.pid = process.pid
        try:
            async with asyncio.timeout(self._timing.script_max_runtime / 1000):
                code = await process.wait()
        except TimeoutError:
            self._report("-script-timeout", f"{script.path} {script.pid}")
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            code = await process.wait()
        script.pid = 0
        if (code < 0 or code == 1) and script.tries < MOST_TRIES:
            script.started_at = self._loop.time() + self._timing.script_retry_delay / 1000 * 2 ** (script.tries - 1)
            return
        self.calls.remove(script)
        if code:
            self._report("-script-error", f"{script.path} {max(-code, 0)} {max(code, 0)}")

    async def stop(self) -> None:
        """Wait for nothing any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
