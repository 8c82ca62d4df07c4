"""The account against what the process really takes, for every kind of value from small to large."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import some_slow
from tests.store.account_growth import CASES

pytestmark = pytest.mark.process

ROOT = Path(__file__).parent.parent.parent


QUICK = [("string 100", "none"), ("hash of 3", "allkeys-lru")]
"""What stands for all in the fast suite: each takes a second or more."""
REST = [(case, policy) for case in CASES for policy in ("none", "allkeys-lru") if (case, policy) not in QUICK]
REST += [("string 100", f"allkeys-{name}") for name in ("adaptive", "lfu", "timebucket")]
"""The engines that differ in what they keep for a key."""


@pytest.mark.parametrize(("case", "policy"), some_slow([*QUICK, *REST], len(QUICK)))
def test_the_account_grows_as_the_process_does(case: str, policy: str) -> None:
    output = subprocess.run(
        [sys.executable, "-m", "tests.store.account_growth", case, policy],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    account, resident = map(int, output.split())
    assert resident > 9_000_000
    assert 0.9 < account / resident < 1.1
