"""huey: queues as lists or sorted sets, a schedule, results; a schedule is read and a result taken by Lua."""

from __future__ import annotations

import datetime
import threading
from typing import Any

import pytest

from tests.interop.conftest import require_command

huey = pytest.importorskip("huey")


@pytest.mark.parametrize("name", ["RedisHuey", "PriorityRedisHuey", "RedisExpireHuey", "PriorityRedisExpireHuey"])
def test_a_consumer_executes_what_is_called(redis_port: int, name: str) -> None:
    require_command(redis_port, "EVALSHA", "SCRIPT")
    jobs: Any = getattr(huey, name)("shop", port=redis_port, read_timeout=0.1)
    done: list[int] = []
    tried_again = threading.Event()

    @jobs.task(retries=1)
    def add(a: int, b: int) -> int:
        done.append(a)
        if a == 13 and done.count(13) == 1:
            raise ValueError("once")
        if a == 13:
            tried_again.set()
        return a + b

    consumer = jobs.create_consumer(workers=1, periodic=False, initial_delay=0.01, check_worker_health=False)
    results = [add(number, 1) for number in range(3)]
    assert jobs.pending_count() == 3
    consumer.start()
    try:
        assert [result(blocking=True, timeout=10) for result in results] == [1, 2, 3]
        add(13, 1)
        assert tried_again.wait(10)
    finally:
        consumer.stop(graceful=True)
    assert done[:3] == [0, 1, 2]
    jobs.storage.pool.disconnect()


def test_a_schedule_locks_and_storage(redis_port: int) -> None:
    require_command(redis_port, "EVALSHA", "SCRIPT")
    jobs = huey.RedisHuey("shop", port=redis_port, utc=True)

    @jobs.task()
    def greet(name: str) -> str:
        return f"hello {name}"

    greet.schedule(("a",), delay=100)
    greet.schedule(("b",), delay=-100)
    jobs.storage.add_to_schedule(b"later", datetime.datetime(2100, 1, 1))
    jobs.storage.add_to_schedule(b"earlier", datetime.datetime(2001, 1, 1))
    found = jobs.storage.read_schedule(datetime.datetime(2050, 1, 1))
    assert b"earlier" in found
    assert b"later" not in found
    with jobs.lock_task("import"), pytest.raises(huey.exceptions.TaskLockedException):
        jobs.lock_task("import").__enter__()
    assert jobs.lock_task("import").is_locked() is False
    jobs.put("k", [1])
    assert jobs.get("k", peek=True) == [1]
    assert jobs.get("k") == [1]
    jobs.storage.flush_all()
    assert jobs.pending_count() == jobs.scheduled_count() == 0
    jobs.storage.pool.disconnect()
