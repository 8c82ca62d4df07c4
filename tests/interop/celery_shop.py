"""What an application does with Celery: a program of its own for test_celery.py, since Celery leaves threads and
connections behind. The port of the server is its argument; it ends with "all well", or with a traceback."""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import Any

import celery
from celery.contrib.testing.worker import start_worker

port = int(sys.argv[1])
app = celery.Celery("shop", broker=f"redis://127.0.0.1:{port}/0", backend=f"redis://127.0.0.1:{port}/1")
app.conf.update(
    worker_send_task_events=True,
    task_send_sent_event=True,
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
    result_extended=True,
)


@app.task
def add(a: int, b: int) -> int:
    return a + b


@app.task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@app.task(bind=True, max_retries=3)
def shaky(self: Any) -> int:
    if self.request.retries < 2:
        raise self.retry(countdown=0.01)
    return int(self.request.retries)


@app.task
def fail() -> None:
    raise ValueError("for ever")


def tasks_chains_groups_and_chords() -> None:
    result = add.delay(2, 3)
    assert result.get(timeout=20) == 5
    assert result.status == "SUCCESS"
    assert (add.s(1, 2) | add.s(10)).delay().get(timeout=20) == 13
    assert celery.group(add.s(number, 1) for number in range(4)).delay().get(timeout=20) == [1, 2, 3, 4]
    assert celery.chord([add.s(number, number) for number in range(5)], total.s()).delay().get(timeout=20) == 20
    assert shaky.delay().get(timeout=20) == 2
    assert add.apply_async((1, 1), countdown=0.05).get(timeout=20) == 2
    failed = fail.delay()
    assert str(failed.get(timeout=20, propagate=False)) == "for ever"
    assert failed.status == "FAILURE"
    result.forget()
    assert app.AsyncResult(result.id).status == "PENDING"


def events() -> None:
    """A monitor hears what the worker does."""
    wanted = {"task-sent", "task-received", "task-started", "task-succeeded"}
    seen: set[str] = set()
    heard = threading.Event()

    def note(event: dict[str, Any]) -> None:
        seen.add(event["type"])
        if wanted <= seen:
            receiver.should_stop = True
            heard.set()

    def send() -> None:  # until somebody listens
        while not heard.wait(0.1):
            add.delay(1, 1)

    with app.connection() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": note})
        sender = threading.Thread(target=send)
        sender.start()
        receiver.capture(limit=None, timeout=20, wakeup=False)
        heard.set()
        sender.join()
    assert wanted <= seen, seen


def remote_control() -> None:
    """Workers answer what they are asked by fanout."""
    assert list(app.control.ping(timeout=5, limit=1)[0].values()) == [{"ok": "pong"}]
    registered = app.control.inspect(timeout=5, limit=1).registered()
    assert any(name.endswith(".add") for name in next(iter(registered.values())))
    add.apply_async((1, 1), countdown=100).revoke()


def main() -> None:
    logging.getLogger("celery").setLevel(logging.CRITICAL)
    with start_worker(app, pool="solo", perform_ping_check=False, loglevel="CRITICAL", shutdown_timeout=30):
        tasks_chains_groups_and_chords()
        events()
        remote_control()
    print("all well", flush=True)
    os._exit(0)


main()
