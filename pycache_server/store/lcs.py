"""The longest common subsequence of two byte strings, and where it lies in them.

The classical table has a cell for every pair of places: too much for a step of Python each. Its rows differ from cell
to cell by 0 or 1, so a row is an integer of one bit a cell, and the next row follows from it with four operations on
whole integers (Hyyrö, "Bit-parallel LCS-length computation revisited", 2004). The rows run over the shorter string, so
there are few of them: 10,000 bytes against 10,000 take some 15 ms.

There may be many longest subsequences. Ours is the one that Redis finds, which walks back through the table from its
end: diagonally where the bytes are the same, else towards the larger neighbour, and along the *second* string where
both are as large. A step of that walk goes here to the next place in the row at which it does not simply go on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple


class Match(NamedTuple):
    """``length`` bytes that both strings have, from ``first`` in one on and from ``second`` in the other."""

    first: int
    second: int
    length: int


def lcs_length(a: bytes, b: bytes) -> int:
    """The length of the longest common subsequence."""
    short, long = (a, b) if len(a) <= len(b) else (b, a)
    row = deque(_rows(short, long, _masks(short, long)), maxlen=1).pop()
    return len(long) - row.bit_count()


def lcs_matches(a: bytes, b: bytes) -> list[Match]:
    """The runs of the longest common subsequence, the last one first."""
    swapped = len(a) > len(b)
    short, long = (b, a) if swapped else (a, b)
    masks = _masks(short, long)
    rows = list(_rows(short, long, masks))
    full = rows[0]
    matches: list[Match] = []
    row, column = len(short), len(long)
    while row and column:
        byte = short[row - 1]
        if byte == long[column - 1]:
            row, column = row - 1, column - 1
            _add(matches, *((column, row) if swapped else (row, column)))
            continue
        stops = _level(rows[row - 1], rows[row], full) if swapped else rows[row] ^ full
        column = ((stops | masks[byte]) & full >> (len(long) - column)).bit_length()
        if column and byte != long[column - 1]:
            row -= 1
    return matches


def _add(matches: list[Match], first: int, second: int) -> None:
    """Put a pair of places in front of what has been found."""
    if matches and matches[-1][:2] == (first + 1, second + 1):
        matches[-1] = Match(first, second, matches[-1].length + 1)
    else:
        matches.append(Match(first, second, 1))


def _rows(short: bytes, long: bytes, masks: dict[int, int]) -> Iterator[int]:
    """The rows of the table from the empty one on. A bit for each byte of the long string, the lowest for the first,
    is set where the length of the common subsequence does *not* grow."""
    row = full = (1 << len(long)) - 1
    yield row
    for byte in short:
        hits = row & masks[byte]
        row = (row + hits | row - hits) & full
        yield row


def _level(above: int, row: int, full: int) -> int:
    """Where the table has the same in a row as in the row above: outside of the runs from each place where only the
    lower row grows to the next one where only the upper does."""
    rises, falls = above & ~row, row & ~above
    return rises - falls - 1 & full


def _masks(short: bytes, long: bytes) -> dict[int, int]:
    """For each byte of the short string, its places in the long one as bits."""
    backwards = long[::-1]
    masks = {}
    for byte in set(short):
        digits = bytearray(b"0" * 256)
        digits[byte] = 0x31
        masks[byte] = int(backwards.translate(digits), 2)
    return masks
