"""What all benches share: a server under measurement."""

from __future__ import annotations

import sys

import pytest

from bench.common import ServerProcess


def test_a_server_that_does_not_start_is_noticed_at_once_with_what_it_said() -> None:
    script = "import sys; sys.exit('no such thing as a port')"
    with pytest.raises(RuntimeError, match=r"^broken ended with 1: no such thing as a port$"):
        ServerProcess("broken", [sys.executable, "-c", script])


def test_a_server_that_says_nothing_is_told_of_as_well() -> None:
    with pytest.raises(RuntimeError, match=r"^mute ended with 3: it said nothing$"):
        ServerProcess("mute", [sys.executable, "-c", "raise SystemExit(3)"])
