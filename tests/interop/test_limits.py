"""The ``limits`` package, on which rate limiters of Flask and FastAPI stand: its scripts are Lua."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.interop.conftest import require_command

limits = pytest.importorskip("limits")

STRATEGIES = ["FixedWindowRateLimiter", "MovingWindowRateLimiter", "SlidingWindowCounterRateLimiter"]


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_limit_is_kept_told_and_cleared(redis_port: int, name: str) -> None:
    require_command(redis_port, "EVALSHA", "SCRIPT")
    store = limits.storage.storage_from_string(f"redis://127.0.0.1:{redis_port}")
    assert store.check()
    limiter: Any = getattr(limits.strategies, name)(store)
    limit = limits.parse("3 per hour")
    assert [limiter.hit(limit, "user", "7") for _ in range(4)] == [True, True, True, False]
    assert limiter.test(limit, "user", "7") is False
    assert limiter.test(limit, "user", "8") is True
    stats = limiter.get_window_stats(limit, "user", "7")
    assert stats.remaining == 0
    assert limiter.hit(limit, "user", "8", cost=2) is True
    assert limiter.hit(limit, "user", "8", cost=2) is False
    limiter.clear(limit, "user", "7")
    assert limiter.hit(limit, "user", "7") is True
    assert store.reset() is None or store.reset() >= 0
    assert limiter.hit(limit, "user", "8", cost=3) is True
    store.storage.connection_pool.disconnect()


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_limit_is_kept_in_asyncio(redis_port: int, name: str) -> None:
    require_command(redis_port, "EVALSHA", "SCRIPT")
    from limits.aio import strategies

    async def program() -> list[bool]:
        url = f"async+redis://127.0.0.1:{redis_port}"
        store = limits.storage.storage_from_string(url, implementation="redispy")
        limiter = getattr(strategies, name)(store)
        found = [await limiter.hit(limits.parse("2 per minute"), "user") for _ in range(3)]
        await store.bridge.storage.aclose()
        return found

    assert asyncio.run(program()) == [True, True, False]
