"""What clients of a follower let expire there goes when it is due, on a real server and on ours; what the master has
sent stays until the master says otherwise."""

from __future__ import annotations

import pytest

from tests.interop.following import info, wait_for
from tests.interop.test_follower_ends import Master, Starting, start  # noqa: F401

pytestmark = pytest.mark.interop


def keys(follower: object) -> int:
    """How many keys there are, with those that have expired and are not removed yet."""
    return int(follower.wire.call("DBSIZE"))  # type: ignore[attr-defined]


def test_own_keys_go_and_those_of_the_master_stay(start: Starting) -> None:  # noqa: F811
    follower = start("--replica-read-only", "no")
    with Master() as master:
        follower.follow(master)
        before = keys(follower)
        master.say("SET", "theirs", "v", "PXAT", "1700000000000")
        wait_for(lambda: keys(follower) == before + 1, "it has come")
        call = follower.wire.call
        call("SET", "mine", "v", "PX", 300)
        call("RPUSH", "own list", "a")
        call("PEXPIRE", "own list", 260)
        call("SET", "longer", "v", "PX", 40)
        call("PEXPIRE", "longer", 1_000_000)
        call("SET", "kept", "v", "PX", 40)
        call("PERSIST", "kept")
        assert info(follower.wire, "stats")["slave_expires_tracked_keys"] != "0"
        call("SELECT", 1)
        call("SET", "elsewhere", "v", "PX", 50)
        wait_for(lambda: keys(follower) == 0, "gone in the other database")
        call("SELECT", 0)
        wait_for(lambda: keys(follower) == before + 3, "those that are due are gone")
        assert [call("EXISTS", key) for key in ("theirs", "mine", "own list", "longer", "kept")] == [0, 0, 0, 1, 1]
        call("PEXPIRE", "longer", 50)
        wait_for(lambda: keys(follower) == before + 2, "it is due at last")


def test_what_was_let_expire_is_forgotten_with_a_new_data_set(start: Starting) -> None:  # noqa: F811
    follower = start("--replica-read-only", "no")
    with Master() as master:
        follower.follow(master)
        before = keys(follower)
        follower.wire.call("SET", "mine", "v", "PX", 1_000_000)
        follower.wire.call("SET", "hash", "v", "PX", 400)
        with Master() as other:
            follower.follow(other)
            wait_for(lambda: other.connections, "the new data set")
            assert keys(follower) == before
            follower.wire.call("SET", "next", "v", "PX", 600)
            wait_for(lambda: keys(follower) == before, "another one has gone")
            assert follower.wire.call("TYPE", "hash") == "hash"
