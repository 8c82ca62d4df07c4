"""Counting bytecodes: what is counted is what was executed, by function and line."""

from __future__ import annotations

import pytest

from bench.bytecodes import measure, report


def test_a_policy_takes_more_than_none(capsys: pytest.CaptureFixture[str]) -> None:
    totals = {}
    for policy in (None, "allkeys-lru"):
        found = measure(policy, "set", keys=500, commands=320)
        totals[policy] = sum(found.values()) / 320
        assert {"_run", "put", "set_"} <= {name for _, name, _ in found}
        assert any(file == "session/session.py" and line > 0 for file, _, line in found)
        report("title", found, 320, least=5)
    assert 50 < totals[None] < totals["allkeys-lru"]
    assert "session/session.py:" in capsys.readouterr().out
