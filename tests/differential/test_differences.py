"""docs/differences.md tells of every difference that the comparison accepts, and of tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pycache_server.settings.config import ConfigError, Settings
from tests.differential.replies import CHANCE, CLOCK, UNORDERED
from tests.differential.versions import CHANGES

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "docs" / "differences.md").read_text()
REASONS = ["random choice", "unordered collections", "timing", "allocator", "version"]
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))


def test_there_are_five_reasons_and_what_is_to_come() -> None:
    assert list(SECTIONS) == [*REASONS, "Not there yet"]


@pytest.mark.parametrize("what", [change.what for change in CHANGES])
def test_each_change_of_versions_is_told(what: str) -> None:
    assert f"| {what} |" in SECTIONS["version"]


@pytest.mark.parametrize(
    ("reason", "commands"),
    list(zip(REASONS, (CHANCE, UNORDERED, CLOCK), strict=False)),
    ids=["chance", "unordered", "clock"],
)
def test_each_command_whose_replies_are_compared_loosely_is_told(reason: str, commands: frozenset[bytes]) -> None:
    assert [name for name in commands if not re.search(rf"\b{name.decode()}\b", SECTIONS[reason])] == []


@pytest.mark.parametrize("reason", REASONS)
def test_each_row_names_tests_that_are_there(reason: str) -> None:
    rows = [line for line in SECTIONS[reason].splitlines() if line.startswith("| ")][1:]
    assert rows
    for row in rows:
        tests = re.findall(r"`(tests/\S+?)::(\w+)`", row)
        assert tests, row
        for path, name in tests:
            assert f"def {name}(" in (ROOT / path).read_text(), name


def test_what_is_to_come_is_not_there() -> None:
    assert "`tls-port`" in SECTIONS["Not there yet"]
    with pytest.raises(ConfigError, match="TLS"):
        Settings().load("tls-port 6380")
    assert "`cluster-enabled yes`" in SECTIONS["Not there yet"]
    with pytest.raises(ConfigError, match="cluster"):
        Settings().load("cluster-enabled yes")
