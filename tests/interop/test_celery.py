"""Celery with the server as broker and as result backend: celery_shop.py has the calls and checks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.interop.conftest import require_command

PROGRAM = Path(__file__).parent / "celery_shop.py"


def test_celery_works(redis_port: int) -> None:
    pytest.importorskip("celery")
    require_command(redis_port, "EVALSHA", "SCRIPT")  # kombu's lock
    words = [sys.executable, str(PROGRAM), str(redis_port)]
    found = subprocess.run(words, capture_output=True, text=True, timeout=100)
    assert found.stdout.splitlines()[-1:] == ["all well"], found.stderr
