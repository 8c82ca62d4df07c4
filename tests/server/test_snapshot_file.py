"""A file of a snapshot that one thread completes while another gives it up."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from pycache_server.server.snapshots import SnapshotFile


def test_who_gives_up_a_file_waits_until_it_has_been_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the next file, whose temporary name is the same, would be moved to the place of this one."""
    begun, may_go_on, sync = threading.Event(), threading.Event(), os.fsync

    def wait(descriptor: int) -> None:
        begun.set()
        assert may_go_on.wait(60)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", wait)
    first = SnapshotFile(tmp_path / "first", "", False)
    first.write(b"one")
    completing = threading.Thread(target=first.complete)
    completing.start()
    assert begun.wait(60)
    threading.Timer(0.05, may_go_on.set).start()
    first.remove()
    second = SnapshotFile(tmp_path / "second", "", False)
    second.write(b"two")
    second.complete()
    completing.join()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"first": b"one", "second": b"two"}


def test_a_file_that_was_given_up_is_not_completed(tmp_path: Path) -> None:
    file = SnapshotFile(tmp_path / "file", "", False)
    file.write(b"one")
    file.remove()
    with pytest.raises(OSError, match="given up"):
        file.complete()
    assert list(tmp_path.iterdir()) == []
