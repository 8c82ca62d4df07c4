"""What a voter has on disk, as text."""

from __future__ import annotations

import pytest

from pycache_server.election.state import BadState, Durable, format_state, parse_state

FULL = Durable(
    "10.0.0.1:6379",
    "b1",
    epoch=7,
    vote="10.0.0.2:6379",
    whole=True,
    founders=(("10.0.0.1:6379", "b1"), ("10.0.0.2:6379", "b2")),
    voters=("10.0.0.1:6379", "10.0.0.3:6379"),
    table=((1, 0), (7, 4096)),
)


@pytest.mark.parametrize("state", [FULL, Durable("h:1", "b")])
def test_a_state_comes_back_from_its_text(state: Durable) -> None:
    assert parse_state(format_state(state)) == state


@pytest.mark.parametrize("length", range(0, len(format_state(FULL)), 7))
def test_a_text_that_was_cut_short_is_refused(length: int) -> None:
    with pytest.raises(BadState):
        parse_state(format_state(FULL)[:length])


def test_a_text_that_was_edited_is_refused() -> None:
    with pytest.raises(BadState, match="checksum"):
        parse_state(format_state(FULL).replace("epoch 7", "epoch 8"))


def test_another_version_is_refused_by_name() -> None:
    import hashlib

    body = format_state(FULL).rpartition("checksum ")[0].replace("pycache-group 1", "pycache-group 9")
    checksum = hashlib.sha256(body.encode()).hexdigest()
    with pytest.raises(BadState, match="pycache-group 9"):
        parse_state(f"{body}checksum {checksum}\n")
