"""python-redis-lock: locks that wait by BLPOP for a signal, and are released by Lua."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from tests.interop.conftest import require_command

redis_lock = pytest.importorskip("redis_lock")


@pytest.fixture
def client(redis_port: int) -> Iterator[redis.Redis]:
    require_command(redis_port, "EVALSHA", "SCRIPT")
    with redis.StrictRedis(port=redis_port) as found:
        yield found


def test_a_lock_is_held_by_one(client: Any) -> None:
    first, second = redis_lock.Lock(client, "l", expire=10), redis_lock.Lock(client, "l", expire=10)
    assert first.acquire(blocking=False)
    assert not second.acquire(blocking=False)
    assert first.get_owner_id() == second.get_owner_id()
    assert first.locked()
    first.extend(20)
    assert 10 < client.ttl("lock:l") <= 20
    first.release()
    assert second.acquire(blocking=False)
    with pytest.raises(redis_lock.NotAcquired):
        first.release()
    second.reset()
    assert not second.locked()


def test_who_waits_is_signalled(client: Any) -> None:
    holder = redis_lock.Lock(client, "l")
    holder.acquire()
    entered = threading.Event()

    def wait() -> None:
        with redis_lock.Lock(client, "l", expire=10):
            entered.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert not entered.is_set()
    holder.release()
    assert entered.wait(10)
    thread.join()


def test_a_lock_renews_itself_and_all_can_be_reset(client: Any) -> None:
    with redis_lock.Lock(client, "l", expire=2, auto_renewal=True):
        assert client.exists("lock:l")
    client.set("lock:a", 1)
    client.set("lock:b", 1)
    redis_lock.reset_all(client)
    assert client.keys("lock:*") == []
