"""RQ: jobs in hashes, queues in lists, registries in sorted sets, a worker that waits."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from tests.interop.conftest import require_command

rq = pytest.importorskip("rq")


@pytest.fixture
def client(redis_port: int) -> Iterator[redis.Redis]:
    with redis.Redis(port=redis_port) as found:
        yield found


def add(a: int, b: int) -> int:
    return a + b


def fail() -> None:
    raise ValueError("for ever")


def work(*queues: Any, connection: Any) -> None:
    """Let a worker in this process do what there is."""
    worker = rq.SimpleWorker(queues, connection=connection)
    worker.log.setLevel("CRITICAL")
    assert worker.work(burst=True, logging_level="CRITICAL") in (True, False)


def test_a_worker_executes_what_is_enqueued(client: redis.Redis) -> None:
    queue = rq.Queue("default", connection=client)
    urgent = rq.Queue("urgent", connection=client)
    jobs = [queue.enqueue(add, number, 1, result_ttl=100) for number in range(3)]
    first = urgent.enqueue(add, 10, 10)
    after = queue.enqueue(add, 5, 5, depends_on=jobs)
    failing = queue.enqueue(fail, retry=rq.Retry(max=1))
    assert queue.count == 4
    assert queue.job_ids[0] == jobs[0].id
    work(urgent, queue, connection=client)
    assert [job.return_value() for job in (*jobs, first, after)] == [1, 2, 3, 20, 10]
    assert {job.get_status() for job in (*jobs, first, after)} == {"finished"}
    assert failing.get_status() == "failed"
    assert len(queue.finished_job_registry) == 4
    assert failing.id in queue.failed_job_registry
    assert queue.count == 0


def test_jobs_are_found_moved_and_removed(client: redis.Redis) -> None:
    queue = rq.Queue("default", connection=client)
    many = queue.enqueue_many([rq.Queue.prepare_data(add, (number, 1)) for number in range(4)])
    assert queue.get_job_ids(1, 2) == [many[1].id, many[2].id]
    assert rq.job.Job.fetch(many[0].id, connection=client).args == (0, 1)
    many[0].cancel()
    assert many[0].id in queue.canceled_job_registry
    many[1].delete()
    assert queue.count == 2
    late = queue.enqueue_in(datetime.timedelta(seconds=100), add, 1, 1)
    assert late.id in queue.scheduled_job_registry
    unique = queue.enqueue(add, 1, 1, job_id="known", at_front=True, meta={"a": 1})
    assert queue.job_ids[0] == unique.id == "known"
    assert client.hget("rq:job:known", "status") == b"queued"


def test_a_queue_is_emptied_by_lua(client: redis.Redis, redis_port: int) -> None:
    require_command(redis_port, "EVALSHA", "SCRIPT")
    queue = rq.Queue("default", connection=client)
    for number in range(5):
        queue.enqueue(add, number, 1)
    assert queue.empty() == 5
    queue.delete()
    assert rq.Queue.all(connection=client) == []
