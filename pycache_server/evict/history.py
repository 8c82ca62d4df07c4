"""What was known of keys that were given up, for when they come back: a table of notes by hash that forgets the oldest.

Two places stand for each hash, and a note takes the one with the older note. There are at least twice as many places
as keys to be remembered, so few are forgotten before their time (one in ten), and nothing is kept in order or
cleared: a note is void once as many have been added after it as are to be remembered. A place is 12 bytes: a
fingerprint of the key, the note's number and the note. Two keys that share 32 bits of hash and their place pass for
one.

The places lie in parts, made when they are first used. When more keys are to be remembered the number of parts is
doubled, and an old part stands for two until the second is used and gets a copy of it; what does not belong there is
never found and soon overwritten. So nothing stops the world.

Ghosts (ghosts.py) are exact, know their number and order, and cost ten times the time.
"""

from __future__ import annotations

from array import array

_PART_BITS = 10
_PART = 1 << _PART_BITS
_PART_MASK = _PART - 1
_MASK = 0xFFFFFFFF
_EMPTY = bytes(4 * _PART)

Part = tuple["array[int]", "array[int]", "array[int]"]


class History:
    """Notes of 32 bits by hash."""

    __slots__ = ("_mask", "_next", "_parts", "capacity")

    def __init__(self) -> None:
        self._parts: list[Part | None] = [_make_part()]
        self._mask = 0
        self.capacity = _PART // 2
        """How many keys can be remembered with the places that there are."""
        self._next = 1 << 31  # the number of the next note; no place that has none yet may seem new

    def add(self, hash_: int, note: int) -> None:
        """Add a note for a hash that has none."""
        index = hash_ >> _PART_BITS & self._mask
        tags, numbers, notes = self._parts[index] or self._split(index)
        place = hash_ & _PART_MASK
        number = self._next
        if number - numbers[place] & _MASK < number - numbers[place ^ 1] & _MASK:
            place ^= 1
        tags[place] = hash_ >> 32 & _MASK
        numbers[place] = number
        notes[place] = note
        self._next = number + 1 & _MASK

    def take(self, hash_: int, most: int) -> tuple[int, int] | None:
        """Take out the note for a hash, and how many have been added since, unless that is ``most`` or more; None where
        there is none."""
        index = hash_ >> _PART_BITS & self._mask
        tags, numbers, notes = self._parts[index] or self._split(index)
        place = hash_ & _PART_MASK
        tag = hash_ >> 32 & _MASK
        if tags[place] != tag:
            place ^= 1
            if tags[place] != tag:
                return None
        age = self._next - 1 - numbers[place] & _MASK
        if age >= most:
            return None
        tags[place] = 0
        numbers[place] = self._next + (1 << 31) & _MASK  # older than any
        return notes[place], age

    def grow(self) -> None:
        """Make room for twice as many."""
        self._parts += [None] * len(self._parts)
        self._mask = len(self._parts) - 1
        self.capacity *= 2

    def _split(self, index: int) -> Part:
        """The part of an index that has been in another until now."""
        source, top = index, len(self._parts)
        while (part := self._parts[source]) is None:
            top >>= 1
            source &= top - 1
        tags, numbers, notes = part
        self._parts[index] = part = tags[:], numbers[:], notes[:]
        return part

    def _check(self) -> None:
        """Assert that the parts are whole."""
        assert len(self._parts) == self._mask + 1 and self._parts[0] is not None
        assert all(len(column) == _PART for part in self._parts if part is not None for column in part)


def _make_part() -> Part:
    return array("I", _EMPTY), array("I", _EMPTY), array("I", _EMPTY)
