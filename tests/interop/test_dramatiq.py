"""dramatiq: its broker is one Lua script."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from tests.interop.conftest import require_command

dramatiq = pytest.importorskip("dramatiq")


@pytest.fixture
def broker(redis_port: int) -> Any:
    require_command(redis_port, "EVALSHA", "SCRIPT")
    from dramatiq.brokers.redis import RedisBroker
    from dramatiq.results import Results
    from dramatiq.results.backends import RedisBackend

    broker = RedisBroker(port=redis_port)
    backend = RedisBackend(port=redis_port)
    broker.add_middleware(Results(backend=backend))
    dramatiq.set_broker(broker)
    yield broker
    broker.close()
    broker.client.close()
    backend.client.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_worker_executes_what_is_sent(broker: Any) -> None:
    tries: list[int] = []
    failed = threading.Event()

    @dramatiq.actor(store_results=True, min_backoff=10, max_backoff=10, max_retries=3)
    def add(a: int, b: int) -> int:
        tries.append(a)
        if a == 13 and tries.count(13) < 3:
            raise ValueError("again")
        return a + b

    @dramatiq.actor(max_retries=0)
    def fail() -> None:
        failed.set()
        raise ValueError("for ever")

    logging.getLogger("dramatiq").setLevel(logging.CRITICAL)
    worker = dramatiq.Worker(broker, worker_timeout=50, worker_threads=2)
    worker.start()
    try:
        messages = [add.send(number, 1) for number in range(5)]
        assert [each.get_result(block=True, timeout=10_000) for each in messages] == [1, 2, 3, 4, 5]
        assert add.send(13, 1).get_result(block=True, timeout=20_000) == 14
        assert add.send_with_options(args=(20, 1), delay=20).get_result(block=True, timeout=10_000) == 21
        assert dramatiq.group([add.message(1, 1), add.message(2, 2)]).run().wait(timeout=10_000) is None
        assert (add.message(1, 2) | add.message(3)).run().get_result(block=True, timeout=10_000) == 6
        fail.send()
        assert failed.wait(10)
        broker.join("default", timeout=10_000)
        worker.join()
    finally:
        worker.stop()
    assert broker.do_qsize("default") == 0
    broker.flush_all()
