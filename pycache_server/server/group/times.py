"""The times of a group, from its two directives."""

from __future__ import annotations

from pycache_server.election.timing import Timing


def timing_of(lease: int, down_after: int) -> Timing:
    """The times of a group, in milliseconds: everything else follows from two of them.

    Raises ValueError where these do not go together.
    """
    usual = Timing()
    scale = down_after / usual.down_after
    found = Timing(
        heartbeat=min(usual.heartbeat, lease / 10),
        lease=float(lease),
        down_after=float(down_after),
        spread=usual.spread * scale,
        silent_link=usual.silent_link * scale,
    )
    if found.promise >= down_after:
        raise ValueError(
            f"group-lease is too long: with the drift of clocks {found.promise:.0f} ms, and group-down-after is only "
            f"{down_after} ms"
        )
    return found
