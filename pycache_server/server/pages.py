"""Huge pages for the heap of a server that has the process to itself.

Keys that are asked for at random lie on as many pages: with pages of 4 KiB, a keyspace of 25 MB takes 6,000 entries of
the processor's translation buffer, which has some 1,500, so that a GET waits for several walks of the page table. With
pages of 2 MiB it takes 13. Linux makes them by itself only where it is told to (``always`` in
/sys/kernel/mm/transparent_hugepage/enabled, which distributions rarely choose), or for whole mappings, while pymalloc
maps its arenas one by one. So we ask for them: ``madvise(MADV_COLLAPSE)`` (Linux 6.1, see madvise(2)) copies 2 MiB
into one page in a third of a millisecond, and whoever touches those 2 MiB meanwhile waits. So a thread does it: the
call holds no lock of the interpreter's, and of the kernel's only while it copies. ``step`` lets a few of those be moved
that have come since the last look at /proc/self/maps.

In a virtual machine the copy takes 5 ms where its host has not given it the page yet. So each time a page is taken and
given back before: then nobody but the thread waits for the host, and the kernel hands out next what it got last. And
the thread stays off the processor on which the server runs, which would not be interrupted for a client otherwise.

Redis turns huge pages off for the sake of its forks, after which a whole page is copied when either side writes to it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pycache_server.server.worker import Done, Job

HUGE = 2 << 20
"""Bytes of a huge page on x86-64 and, with small pages of 4 KiB, on ARM."""
MADV_COLLAPSE = 25
SLICE = 0.001
"""Seconds that the thread has for one step, roughly: it ends with the page during which they run out."""
GROWN = 4 * HUGE
"""The process is looked at again when it is so many bytes larger or smaller than it was."""
SHARE = 0.01
"""Of the time that passes the thread uses this part: where a page takes 7 ms of CPU time, as in a virtual machine, the
next one is 0.7 s later."""
CALM = 3
"""So many steps must see no growth or loss of a page first: whoever fills the keyspace shall not pay for the copies."""
_MAPS = Path("/proc/self/maps")
_ANONYMOUS = re.compile(rb"^([0-9a-f]+)-([0-9a-f]+) rw-p [0-9a-f]+ 00:00 0 *(?:\[heap\])?$", re.MULTILINE)
_PROCESSOR = 36
"""The index of the processor in /proc/PID/stat behind the name, see proc(5)."""
_NEVER = (errno.EINVAL, errno.ENOSYS, errno.EPERM)
"""What madvise says where it will never do it: the kernel is older, or huge pages are off."""

Submit = Callable[[Job, Done], None]
Collapse = Callable[[int], int]
"""Moves HUGE bytes from an address on to a huge page; the answer is 0, or what errno says."""


def _make_collapse() -> Collapse | None:
    try:
        madvise = ctypes.CDLL(None, use_errno=True).madvise
    except (AttributeError, OSError, TypeError):  # another system
        return None
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return lambda address: ctypes.get_errno() if madvise(address, HUGE, MADV_COLLAPSE) else 0


def _warm_up() -> None:
    """Let the kernel have a huge page at hand that exists outside, too."""
    with mmap.mmap(-1, 2 * HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as fresh:
        first = ctypes.c_char.from_buffer(fresh)
        begin = -ctypes.addressof(first) % HUGE
        fresh.madvise(mmap.MADV_HUGEPAGE, begin, HUGE)
        ctypes.memset(ctypes.addressof(first) + begin, 1, 1)
        del first  # or it could not be unmapped


def keep_off(thread: int) -> None:
    """Let the calling thread run on another processor than that on which ``thread`` did last, where there is one.
    Raises OSError."""
    allowed = os.sched_getaffinity(thread)
    last = int(Path(f"/proc/self/task/{thread}/stat").read_bytes().rpartition(b")")[2].split()[_PROCESSOR])
    os.sched_setaffinity(0, allowed - {last} or allowed)


def _at_once(job: Job, done: Done) -> None:
    job()
    done(None)


class HugePages:
    """Moves what the process has mapped for itself to huge pages, little by little.

    ``submit`` runs a job elsewhere, as a Worker does, or else at once; ``collapse``, ``maps`` and ``warm_up``, which is
    called before each page that is moved, are those of this process unless given. ``share`` is that of one processor.
    """

    def __init__(
        self,
        collapse: Collapse | None = None,
        maps: Path = _MAPS,
        submit: Submit = _at_once,
        warm_up: Callable[[], None] = _warm_up,
        share: float = SHARE,
    ) -> None:
        self.collapsed = 0
        """Huge pages made, or found to be there."""
        self._collapse = collapse or _make_collapse()
        self._warm_up = warm_up
        self._share = share
        self._rests_until = 0.0
        self._thread = threading.get_native_id()  # which serves
        self._maps = maps
        self._due: deque[int] = deque()
        self._known: set[int] = set()
        self._size = 0
        self._last = 0
        self._calm = 0
        self._submit = submit
        self._moving = False  # then the queue and what is known belong to the job
        if not maps.exists():
            self._collapse = None

    @property
    def available(self) -> bool:
        """Whether the system makes huge pages, as far as it has been asked."""
        return self._collapse is not None

    def step(self, resident: int) -> None:
        """Move some more, if there is more; ``resident`` is the size of the process in bytes."""
        if self._collapse is None or self._moving:
            return
        self._calm = self._calm + 1 if abs(resident - self._last) < HUGE else 0
        self._last = resident
        if self._calm < CALM:
            return
        if time.perf_counter() < self._rests_until:
            return
        looks = not self._due and abs(resident - self._size) >= GROWN
        if looks:
            self._size = resident
        if looks or self._due:
            self._moving = True
            self._submit(partial(self._move_some, self._collapse, looks), self._moved)

    def _move_some(self, collapse: Collapse, looks: bool) -> None:
        """The job."""
        begin = time.thread_time()
        if looks:
            self._look()
        if threading.get_native_id() != self._thread:
            with contextlib.suppress(OSError):  # not allowed, or no /proc: then it runs wherever it does
                keep_off(self._thread)
        end = time.perf_counter() + SLICE
        while self._due and time.perf_counter() < end:
            with contextlib.suppress(OSError):  # there is none: the kernel says so again, or finds another
                self._warm_up()
            self._move(collapse, self._due.pop())
        self._rests_until = time.perf_counter() + (time.thread_time() - begin) / self._share

    def _moved(self, error: OSError | None) -> None:
        """The job has ended."""
        self._moving = False
        if error is not None:
            self._size = 0  # whatever it has left undone
            raise error

    def _look(self) -> None:
        there: set[int] = set()
        try:
            text = self._maps.read_bytes()
        except OSError:
            self._collapse = None
            return
        for mapping in _ANONYMOUS.finditer(text):
            there.update(range(-(-int(mapping[1], 16) // HUGE), int(mapping[2], 16) // HUGE))
        self._known &= there
        self._due.extend(sorted(there - self._known))

    def _move(self, collapse: Collapse, number: int) -> None:
        problem = collapse(number * HUGE)
        if not problem:
            self.collapsed += 1
            self._known.add(number)
        elif problem in _NEVER and not self.collapsed:
            self._collapse = None
            self._due.clear()
        # else there is no memory to be had for it now, or the mapping has gone: the next look sees to it
