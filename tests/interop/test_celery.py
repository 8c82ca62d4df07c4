"""Celery with the server as broker and as result backend: a worker, chains, chords, events, revocation."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from tests.interop.conftest import require_command

celery = pytest.importorskip("celery")
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning"),
]


@pytest.fixture
def app(redis_port: int) -> Iterator[Any]:
    require_command(redis_port, "EVALSHA", "SCRIPT")
    from celery.contrib.testing.worker import start_worker

    app = celery.Celery("shop", broker=f"redis://127.0.0.1:{redis_port}/0", backend=f"redis://127.0.0.1:{redis_port}/1")
    app.conf.update(
        worker_send_task_events=True,
        task_send_sent_event=True,
        broker_connection_retry_on_startup=True,
        worker_hijack_root_logger=False,
        result_extended=True,
    )

    @app.task(name="add")
    def add(a: int, b: int) -> int:
        return a + b

    @app.task(name="total")
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    @app.task(name="shaky", bind=True, max_retries=3)
    def shaky(self: Any) -> int:
        if self.request.retries < 2:
            raise self.retry(countdown=0.01)
        return int(self.request.retries)

    @app.task(name="fail")
    def fail() -> None:
        raise ValueError("for ever")

    logging.getLogger("celery").setLevel(logging.CRITICAL)
    with start_worker(app, pool="solo", perform_ping_check=False, loglevel="CRITICAL", shutdown_timeout=30):
        yield app
    app.close()


def test_a_worker_executes_tasks_chains_groups_and_chords(app: Any) -> None:
    add, total = app.tasks["add"], app.tasks["total"]
    result = add.delay(2, 3)
    assert result.get(timeout=20) == 5
    assert result.status == "SUCCESS"
    assert (add.s(1, 2) | add.s(10)).delay().get(timeout=20) == 13
    assert celery.group(add.s(number, 1) for number in range(4)).delay().get(timeout=20) == [1, 2, 3, 4]
    assert celery.chord([add.s(number, number) for number in range(5)], total.s()).delay().get(timeout=20) == 20
    assert app.tasks["shaky"].delay().get(timeout=20) == 2
    with pytest.raises(ValueError, match="for ever"):
        app.tasks["fail"].delay().get(timeout=20)
    assert add.apply_async((1, 1), countdown=0.05).get(timeout=20) == 2
    result.forget()
    assert app.AsyncResult(result.id).status == "PENDING"


def test_events_tell_what_a_worker_does(app: Any) -> None:
    seen: list[str] = []

    def note(event: dict[str, Any]) -> None:
        seen.append(event["type"])
        if event["type"] == "task-succeeded":
            receiver.should_stop = True

    with app.connection() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": note})
        consumer = receiver.itercapture(limit=None, timeout=20, wakeup=False)
        next(consumer)  # it listens by now
        app.tasks["add"].delay(1, 1)
        for _ in consumer:
            if receiver.should_stop:
                break
    assert "task-received" in seen
    assert "task-succeeded" in seen


def test_workers_answer_what_they_are_asked(app: Any) -> None:
    assert [list(each.values()) for each in app.control.ping(timeout=1, limit=1)] == [[{"ok": "pong"}]]
    registered = app.control.inspect(timeout=1, limit=1).registered()
    assert "add" in next(iter(registered.values()))
    revoked = app.tasks["add"].apply_async((1, 1), countdown=100)
    revoked.revoke()
    assert app.control.inspect(timeout=1, limit=1).revoked() is not None
