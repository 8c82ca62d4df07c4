"""BullMQ, in a node of its own: tests/interop/node/bullmq.js has the calls and checks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.server.running import Running

pytestmark = pytest.mark.interop


def test_bullmq_works(server: Running, run_node: Callable[[str, str, int], None]) -> None:
    run_node("bullmq.js", "bullmq", server.port)
