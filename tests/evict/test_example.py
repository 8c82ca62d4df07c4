"""The example of an engine that is not ours is installed, found by its name, and keeps the contract."""

from __future__ import annotations

import importlib
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from pycache_server.evict.base import ENTRY_POINT_GROUP, UnknownPolicy, load_policy, policy_names
from pycache_server.testing import check_engine

EXAMPLE = Path(__file__).parent.parent.parent / "docs" / "examples" / "engine_fifo"


def install(target: Path) -> None:
    """Install the example into a folder: with pip, or by hand where pip or what builds it is missing."""
    if find_spec("pip") and find_spec("hatchling"):
        options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
        command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(EXAMPLE)]
        subprocess.run(command, check=True, capture_output=True, timeout=100)
        return
    information = target / "engine_fifo-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: engine-fifo\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\nfifo = engine_fifo:Fifo\n")
    (target / "engine_fifo.py").write_text((EXAMPLE / "engine_fifo.py").read_text())


def test_an_installed_engine_is_found_and_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownPolicy):
        load_policy("allkeys-fifo")
    install(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    assert {"allkeys-fifo", "volatile-fifo"} <= set(policy_names())
    policy = load_policy("allkeys-fifo")
    assert (policy.name, policy.engine.__name__, policy.volatile) == ("allkeys-fifo", "Fifo", False)
    assert load_policy("engine_fifo:Fifo").engine is policy.engine
    check_engine(policy.engine)


def test_the_documentation_shows_the_example_as_it_is() -> None:
    text = (EXAMPLE.parent.parent / "engines.md").read_text()
    for name in ("engine_fifo.py", "pyproject.toml", "test_engine_fifo.py"):
        assert (EXAMPLE / name).read_text().strip() in text, f"docs/engines.md shows another {name}"
