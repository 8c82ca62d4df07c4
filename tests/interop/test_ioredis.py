"""ioredis, in a node of its own: tests/interop/node/ioredis.js has the calls and checks."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import require_program
from tests.server.running import Running

pytestmark = pytest.mark.interop
FOLDER = Path(__file__).parent / "node"


@pytest.fixture
def node() -> str:
    path = require_program("node")
    if not (FOLDER / "node_modules" / "ioredis").is_dir():
        reason = f"ioredis is not installed: npm install --prefix {FOLDER} --no-package-lock"
        if os.environ.get("PYCACHE_CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def test_ioredis_works(server: Running, node: str) -> None:
    found = subprocess.run(
        [node, str(FOLDER / "ioredis.js"), str(server.port)], capture_output=True, text=True, timeout=60
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines()[-1] == "all well"
