"""Huge pages: what is moved and when, and that the system's own call does it."""

from __future__ import annotations

import errno
import mmap
import os
import threading
import time
from collections.abc import Callable
from math import inf
from pathlib import Path

import pytest

from pycache_server.server.pages import GROWN, HUGE, HugePages, keep_off
from pycache_server.server.worker import Done, Job

MAPS = b"""\
55d0c8a00000-55d0c8a52000 r-xp 00000000 fe:00 1234 /usr/bin/python3.11
55d0c9000000-55d0c9400000 rw-p 00000000 00:00 0                          [heap]
7f0000100000-7f0000900000 rw-p 00000000 00:00 0
7f0000a00000-7f0000a80000 rw-p 00000000 00:00 0
7f0001000000-7f0001800000 r--p 00000000 00:00 0
7f0002000000-7f0002800000 rw-p 00000000 fe:00 99 /var/tmp/file
7ffd20000000-7ffd20800000 rw-p 00000000 00:00 0                          [stack]
"""
HEAP = [0x55D0C9000000 + number * HUGE for number in range(2)]
ARENAS = [0x7F0000200000 + number * HUGE for number in range(3)]
"""The huge pages that lie within the second mapping as a whole: it begins and ends amid one."""


class Kernel:
    """Takes note of what is asked for, and answers with the errors that it is given, then 0."""

    def __init__(self, *errors: int) -> None:
        self.asked: list[int] = []
        self.errors = list(errors)
        self.warmed_up = 0
        self.is_short = False

    def collapse(self, address: int) -> int:
        assert self.warmed_up > len(self.asked)
        self.asked.append(address)
        return self.errors.pop(0) if self.errors else 0

    def warm_up(self) -> None:
        self.warmed_up += 1
        if self.is_short:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    path = tmp_path / "maps"
    path.write_bytes(MAPS)
    return path


def run(pages: HugePages, resident: int) -> None:
    for _ in range(10):
        pages.step(resident)


def test_the_heap_and_anonymous_mappings_are_moved_once(maps: Path) -> None:
    kernel = Kernel()
    pages = HugePages(kernel.collapse, maps, warm_up=kernel.warm_up, share=inf)
    run(pages, GROWN)
    assert sorted(kernel.asked) == HEAP + ARENAS
    run(pages, 2 * GROWN)
    assert len(kernel.asked) == pages.collapsed == 5


def test_nothing_is_looked_at_before_the_process_has_grown(maps: Path) -> None:
    kernel = Kernel()
    pages = HugePages(kernel.collapse, maps, warm_up=kernel.warm_up, share=inf)
    run(pages, GROWN - 1)
    assert kernel.asked == []
    run(pages, GROWN)
    maps.write_bytes(MAPS + b"7f0100000000-7f0100200000 rw-p 00000000 00:00 0\n")
    run(pages, 2 * GROWN - 1)
    assert len(kernel.asked) == 5
    run(pages, 2 * GROWN)
    assert kernel.asked[5:] == [0x7F0100000000]


def test_nothing_is_moved_while_the_process_grows(maps: Path) -> None:
    kernel = Kernel()
    pages = HugePages(kernel.collapse, maps, warm_up=kernel.warm_up, share=inf)
    for number in range(10):
        pages.step(GROWN + number * HUGE)
    assert kernel.asked == []
    run(pages, GROWN + 9 * HUGE)
    assert len(kernel.asked) == 5


def test_what_has_gone_and_come_again_is_moved_again(maps: Path) -> None:
    kernel = Kernel()
    pages = HugePages(kernel.collapse, maps, warm_up=kernel.warm_up, share=inf)
    run(pages, 2 * GROWN)
    maps.write_bytes(b"")
    run(pages, 0)
    maps.write_bytes(MAPS)
    run(pages, 2 * GROWN)
    assert len(kernel.asked) == 10


def test_a_page_that_could_not_be_had_is_asked_for_again(maps: Path) -> None:
    kernel = Kernel(0, errno.ENOMEM, errno.EINVAL)
    pages = HugePages(kernel.collapse, maps, warm_up=kernel.warm_up, share=inf)
    run(pages, GROWN)
    assert (len(kernel.asked), pages.collapsed) == (5, 3)
    run(pages, 2 * GROWN)
    assert (len(kernel.asked), pages.collapsed) == (7, 5)


def test_a_system_without_them_is_asked_once(maps: Path) -> None:
    kernel = Kernel(errno.EINVAL)
    pages = HugePages(kernel.collapse, maps, warm_up=kernel.warm_up, share=inf)
    run(pages, GROWN)
    run(pages, 9 * GROWN)
    assert len(kernel.asked) == 1
    assert not pages.available


def test_a_system_without_a_list_of_mappings_is_left_alone(tmp_path: Path) -> None:
    kernel = Kernel()
    pages = HugePages(kernel.collapse, tmp_path / "none", warm_up=kernel.warm_up, share=inf)
    run(pages, GROWN)
    assert not pages.available
    assert kernel.asked == []


def test_what_takes_long_is_done_elsewhere_one_job_at_a_time(maps: Path) -> None:
    kernel = Kernel()
    jobs: list[tuple[Job, Done]] = []
    pages = HugePages(kernel.collapse, maps, lambda job, done: jobs.append((job, done)), kernel.warm_up, inf)
    run(pages, GROWN)
    assert len(jobs) == 1 and kernel.asked == []
    while len(kernel.asked) < 5:
        job, done = jobs.pop()
        job()
        run(pages, GROWN)
        assert jobs == []
        done(None)
        run(pages, GROWN)
    assert pages.collapsed == 5
    assert sorted(kernel.asked) == HEAP + ARENAS


def test_a_job_that_fails_is_told_and_the_next_one_comes(maps: Path) -> None:
    jobs: list[tuple[Job, Done]] = []
    kernel = Kernel()
    pages = HugePages(kernel.collapse, maps, lambda job, done: jobs.append((job, done)), kernel.warm_up, inf)
    run(pages, GROWN)
    with pytest.raises(OSError, match="broken"):
        jobs.pop()[1](OSError("broken"))
    run(pages, GROWN)
    assert len(jobs) == 1


def test_where_there_is_no_page_to_be_had_before_it_is_tried_all_the_same(maps: Path) -> None:
    kernel = Kernel()
    kernel.is_short = True
    pages = HugePages(kernel.collapse, maps, warm_up=kernel.warm_up, share=inf)
    run(pages, GROWN)
    assert pages.collapsed == kernel.warmed_up == 5


def test_it_rests_for_many_times_as_long_as_it_has_worked(maps: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    worked = [5.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(time, "thread_time", lambda: worked[0])
    kernel = Kernel()

    def warm_up() -> None:
        kernel.warm_up()
        worked[0] += 0.007
        now[0] += 0.02

    pages = HugePages(kernel.collapse, maps, warm_up=warm_up)
    run(pages, GROWN)
    assert len(kernel.asked) == 1
    now[0] += 0.69
    run(pages, GROWN)
    assert len(kernel.asked) == 1
    now[0] += 0.02
    run(pages, GROWN)
    assert len(kernel.asked) == 2


def test_memory_keeps_what_it_holds() -> None:
    """With the system's own call, on whatever this process has, a block of known content among it."""
    with mmap.mmap(-1, 4 * HUGE) as block:
        content = bytes(range(256)) * (4 * HUGE // 256)
        block[:] = content
        pages = HugePages(share=inf)
        for _ in range(1000):
            pages.step(GROWN)
        assert block[:] == content
        assert pages.collapsed >= 3 or not pages.available


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="threads cannot be told where to run")
def test_the_thread_stays_off_the_processor_of_the_server() -> None:
    allowed = os.sched_getaffinity(0)
    server = threading.get_native_id()
    chosen: list[set[int]] = []

    def work() -> None:
        keep_off(server)
        chosen.append(os.sched_getaffinity(0))

    for processor in allowed:
        os.sched_setaffinity(0, {processor})  # the server has no choice, so the thread has none
        run_in_thread(work)
        assert chosen.pop() == {processor}
    os.sched_setaffinity(0, allowed)
    run_in_thread(work)
    assert chosen[0] < allowed if len(allowed) > 1 else chosen[0] == allowed
    assert os.sched_getaffinity(0) == allowed


def run_in_thread(work: Callable[[], None]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
