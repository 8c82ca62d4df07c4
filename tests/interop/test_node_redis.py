"""node-redis with its client-side cache, in a node of its own: tests/interop/node/node_redis.js has the calls and
checks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.server.running import Running

pytestmark = pytest.mark.interop


def test_node_redis_caches_what_it_reads(server: Running, run_node: Callable[[str, str, int], None]) -> None:
    run_node("node_redis.js", "@redis/client", server.port)
