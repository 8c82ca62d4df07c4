"""redis-py's Lock: its release, extension and reacquisition are Lua."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import redis
from redis.exceptions import LockError, LockNotOwnedError

from tests.interop.conftest import require_command


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def client(request: pytest.FixtureRequest, redis_port: int) -> Iterator[redis.Redis]:
    require_command(redis_port, "EVALSHA", "SCRIPT")
    with redis.Redis(port=redis_port, protocol=request.param) as found:
        yield found


def test_a_lock_is_held_by_one(client: redis.Redis) -> None:
    lock, other = client.lock("l", timeout=10), client.lock("l", timeout=10)
    assert lock.acquire(blocking=False)
    assert not other.acquire(blocking=False)
    assert lock.locked()
    assert lock.owned()
    assert not other.owned()
    lock.release()
    assert other.acquire(blocking=False)
    other.release()
    with pytest.raises(LockError, match="unlocked"):
        other.release()


def test_a_lock_can_be_extended_and_taken_anew(client: redis.Redis) -> None:
    lock = client.lock("l", timeout=10)
    lock.acquire()
    lock.extend(10)
    assert 15_000 < client.pttl("l") <= 20_000
    lock.extend(5, replace_ttl=True)
    assert 0 < client.pttl("l") <= 5_000
    lock.reacquire()
    assert 5_000 < client.pttl("l") <= 10_000
    client.set("l", "stolen")
    for action in (lock.reacquire, lambda: lock.extend(1), lock.release):
        with pytest.raises(LockNotOwnedError):
            action()


def test_who_waits_gets_it(client: redis.Redis) -> None:
    first = client.lock("l", timeout=10)
    first.acquire()
    entered = threading.Event()

    def wait() -> None:
        with client.lock("l", timeout=10, blocking_timeout=10, sleep=0.005):
            entered.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert not entered.is_set()
    first.release()
    assert entered.wait(10)
    thread.join()
    assert client.exists("l") == 0
