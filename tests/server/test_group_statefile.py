"""The state file of a voter: whole after whatever happens while it is written."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pycache_server.election.state import BadState, Durable
from pycache_server.server.group.statefile import TEMPORARY, StateFile

OLD = Durable("a:1", "birth", 3, "b:1", True, (("a:1", "birth"),), ("a:1", "b:1"), ((1, 0), (3, 70)))
NEW = Durable("a:1", "birth", 4, "a:1", True, (("a:1", "birth"),), ("a:1", "b:1"), ((1, 0), (3, 70)))
CALLS = ("open", "write", "fsync", "close", "replace")


class Killed(BaseException):
    """The process has ended."""


def before(monkeypatch: pytest.MonkeyPatch, act: Callable[[int, str], None]) -> list[str]:
    """Let something happen before each system call, with its number and name. The calls that were made."""
    made: list[str] = []

    def watched(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*words: Any, **options: Any) -> Any:
            made.append(name)
            act(len(made) - 1, name)
            return real(*words, **options)

        return call

    for name in CALLS:
        monkeypatch.setattr(os, name, watched(name, getattr(os, name)))
    return made


def test_what_was_written_is_read(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "state")
    assert file.read() is None
    file.write(OLD)
    assert file.read() == OLD
    file.write(NEW)
    assert file.read() == NEW
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_the_file_is_synced_before_it_has_its_name_and_the_directory_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = StateFile(tmp_path / "state")
    made = before(monkeypatch, lambda number, name: None)
    file.write(OLD)
    assert made == ["open", "write", "fsync", "close", "replace", "open", "fsync", "close"]


@pytest.mark.parametrize("moment", range(8))
def test_a_kill_between_two_calls_leaves_the_old_state_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    file = StateFile(tmp_path / "state")
    file.write(OLD)
    dead = False

    def act(number: int, name: str) -> None:
        nonlocal dead
        if dead or number == moment:
            dead = True
            raise Killed

    with monkeypatch.context() as patch:
        before(patch, act)
        with pytest.raises(Killed):
            file.write(NEW)
    assert file.read() == (OLD if moment <= 4 else NEW)
    file.write(NEW)
    assert file.read() == NEW
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace"])
def test_a_disk_that_fails_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    file = StateFile(tmp_path / "state")
    file.write(OLD)

    def act(number: int, name: str) -> None:
        if name == call:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        before(patch, act)
        with pytest.raises(OSError, match="No space"):
            file.write(NEW)
    assert file.read() == OLD
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_a_disk_that_takes_a_byte_at_a_time_gets_all_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:1]))
    file = StateFile(tmp_path / "state")
    file.write(OLD)
    assert file.read() == OLD


def test_what_a_kill_has_left_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / ("state" + TEMPORARY)).write_bytes(b"x" * 5000)
    file = StateFile(tmp_path / "state")
    file.write(OLD)
    assert file.read() == OLD


@pytest.mark.parametrize("kept", [0, 1, 20, 80, -1])
def test_a_file_that_was_cut_short_is_refused_in_words_for_an_operator(tmp_path: Path, kept: int) -> None:
    file = StateFile(tmp_path / "state")
    file.write(OLD)
    file.path.write_bytes(file.path.read_bytes()[:kept])
    with pytest.raises(BadState, match=r"is damaged.*does not start.*move it away"):
        file.read()


def test_every_changed_byte_is_noticed(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "state")
    file.write(OLD)
    data = file.path.read_bytes()
    for place in range(len(data)):
        file.path.write_bytes(data[:place] + bytes([data[place] ^ 0x81]) + data[place + 1 :])
        with pytest.raises(BadState):
            file.read()


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with pytest.raises(BadState, match="cannot be read"):
        StateFile(tmp_path / "state").read()
