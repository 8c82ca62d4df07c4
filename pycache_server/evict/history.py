"""What was known of keys that were given up, for when they come back: a table of notes by hash that forgets the oldest.

Two places stand for each hash, and a note takes the one with the older note. There are at least twice as many places
as keys to be remembered, so few are forgotten before their time (one in ten), and nothing is kept in order or
cleared: a note is void once as many have been added after it as are to be remembered. A place is one word of 8 bytes,
so that to look at it is one miss of the processor's cache: from the top 32 bits of the note's number, so that of two
words the greater is the newer, 16 of the key's hash, and 16 of the note. Two keys that share those bits and their place
pass for one. When numbers come to an end, after some thousand million notes, all is forgotten.

The places lie in parts, made when they are first used. When more keys are to be remembered the number of parts is
doubled, and an old part stands for two until the second is used and gets a copy of it; what does not belong there is
never found and soon overwritten. So nothing stops the world.

Ghosts (ghosts.py) are exact, know their number and order, and cost ten times the time.
"""

from __future__ import annotations

from array import array

NOTE_BITS = 16
_PART_BITS = 10
_PART = 1 << _PART_BITS
_PART_MASK = _PART - 1
_NUMBER_SHIFT = 32
_FIRST, _END = 1 << 30, 1 << 32
"""Numbers of notes. No place that has none yet may seem new."""
_TAG_SHIFT = 48  # in a hash
_TAG_MASK = 0xFFFF
_NOTE_MASK = (1 << NOTE_BITS) - 1


class History:
    """Notes of NOTE_BITS by hash, which is of 64 bits with a sign."""

    __slots__ = ("_mask", "_next", "_parts", "capacity")

    def __init__(self) -> None:
        self._parts: list[array[int] | None] = [_make_part()]
        self._mask = 0
        self.capacity = _PART // 2
        """How many keys can be remembered with the places that there are."""
        self._next = _FIRST  # the number of the next note

    def add(self, hash_: int, note: int) -> None:
        """Add a note for a hash that has none."""
        index = hash_ >> _PART_BITS & self._mask
        part = self._parts[index] or self._split(index)
        place = hash_ & _PART_MASK
        if part[place] > part[place ^ 1]:
            place ^= 1
        number = self._next
        part[place] = number << _NUMBER_SHIFT | (hash_ >> _TAG_SHIFT & _TAG_MASK) << NOTE_BITS | note
        self._next = number + 1
        if number >= _END - 1:
            self._forget()

    def take(self, hash_: int, most: int) -> tuple[int, int] | None:
        """Take out the note for a hash, and how many have been added since, unless that is ``most`` or more; None where
        there is none."""
        index = hash_ >> _PART_BITS & self._mask
        part = self._parts[index] or self._split(index)
        place = hash_ & _PART_MASK
        tag = hash_ >> _TAG_SHIFT & _TAG_MASK
        held = part[place]
        if held >> NOTE_BITS & _TAG_MASK != tag:
            place ^= 1
            held = part[place]
            if held >> NOTE_BITS & _TAG_MASK != tag:
                return None
        age = self._next - 1 - (held >> _NUMBER_SHIFT)
        if age >= most:
            return None
        part[place] = 0
        return held & _NOTE_MASK, age

    def _forget(self) -> None:
        """Begin anew."""
        self._parts = [_make_part(), *[None] * self._mask]
        self._next = _FIRST

    def grow(self) -> None:
        """Make room for twice as many."""
        self._parts += [None] * len(self._parts)
        self._mask = len(self._parts) - 1
        self.capacity *= 2

    def _split(self, index: int) -> array[int]:
        """The part of an index that has been in another until now."""
        source, top = index, len(self._parts)
        while (part := self._parts[source]) is None:
            top >>= 1
            source &= top - 1
        self._parts[index] = part = part[:]
        return part

    def _check(self) -> None:
        """Assert that the parts are whole."""
        assert len(self._parts) == self._mask + 1 and self._parts[0] is not None
        assert all(len(part) == _PART for part in self._parts if part is not None)


def _make_part() -> array[int]:
    return array("Q", bytes(8 * _PART))
