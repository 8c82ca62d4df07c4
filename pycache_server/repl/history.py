"""Which stream of changes a node's data set is made of, and how far it has come in it.

A history is a random id and a number of bytes: two nodes with the same id and offset hold the same data. It goes on
when a follower becomes the leader: the node takes a new id, because what it writes from then on is its own, and keeps
the old one as its second id, which is right up to where it was left (``rotate``). So the other followers of the old
leader may go on with the new one.

Offsets count the bytes that have been: ``offset`` is where the next byte will stand, with the first one at 0. PSYNC and
INFO count from 1; that is told where they are read or written, and nowhere else.
"""

from __future__ import annotations

from typing import Final

NO_ID: Final = b"0" * 40
"""In the place of a second id where there is none."""
NEVER: Final = -1
"""In the place of the second offset then."""


class History:
    """The history of a node; it has one, whatever its role is."""

    __slots__ = ("id", "offset", "second_id", "second_offset")

    def __init__(self, replication_id: bytes, offset: int = 0) -> None:
        self.id = replication_id
        self.offset = offset
        """How many bytes of the stream the data set contains."""
        self.second_id = NO_ID
        """The id before this one, while others may still come with it."""
        self.second_offset = NEVER
        """Up to which offset the second id is right, as Redis writes it: the one that follows, counted from 1."""

    def rotate(self, new_id: bytes) -> None:
        """Begin a history of one's own that continues the present one."""
        self.second_id, self.second_offset = self.id, self.offset + 1
        self.id = new_id

    def renew(self, new_id: bytes) -> None:
        """Begin a history that continues no other: nobody may come with an older id."""
        self.id = new_id
        self.forget_second()

    def forget_second(self) -> None:
        """Nobody may come with the id before this one."""
        self.second_id, self.second_offset = NO_ID, NEVER

    def adopt(self, replication_id: bytes, offset: int) -> None:
        """The data set has become that of another node."""
        self.renew(replication_id)
        self.offset = offset

    def shares(self, replication_id: bytes, offset: int) -> bool:
        """Whether a node that has that much of a history may continue with this one, if the bytes are still there."""
        if replication_id == self.id:
            return True
        return replication_id == self.second_id != NO_ID and offset < self.second_offset

    def _check(self) -> None:
        """Assert that the fields agree."""
        assert len(self.id) == len(self.second_id) == 40
        assert (self.second_id == NO_ID) == (self.second_offset == NEVER)
        assert self.offset >= 0
        assert self.second_offset <= self.offset + 1
