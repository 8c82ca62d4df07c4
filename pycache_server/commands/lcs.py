"""LCS: what two strings have in common. The algorithm is in store/lcs.py.

Redis makes a table of four bytes for every pair of places, and refuses when that would be larger than
proto-max-bulk-len. We need a thirtieth of it, and refuse the same.
"""

from __future__ import annotations

from typing import Any

from pycache_server.commands.args import Options, integer
from pycache_server.commands.context import Context
from pycache_server.commands.registry import READONLY, Family
from pycache_server.commands.syntax import KeySpec
from pycache_server.errors import RedisError
from pycache_server.store.lcs import Match, lcs_length, lcs_matches
from pycache_server.store.strings import STRING_TYPES, as_bytes

family = Family("string")

_CELL = 4


@family.command(
    "LCS key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
    READONLY,
    since="7.0.0",
    complexity="O(N*M), N and M = lengths of the strings",
    key_specs=(KeySpec(1, last=1),),
    keys="RO ACCESS",
)
def lcs(session: Context, argv: list[bytes]) -> Any:
    """Find the longest common subsequence of the strings at two keys."""
    a, b = _strings(session, argv[1:3])
    given, shortest = _options(argv)
    if given >= {b"IDX", b"LEN"}:
        raise RedisError(b"ERR If you want both the length and indexes, please just use IDX.")
    if (len(a) + 1) * (len(b) + 1) * _CELL > session.keyspace.longest_string:
        raise RedisError(b"ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")
    if b"LEN" in given:
        return lcs_length(a, b)
    matches = lcs_matches(a, b)
    if b"IDX" not in given:
        return b"".join(a[first : first + length] for first, _, length in reversed(matches))
    shown = [_ranges(match, b"WITHMATCHLEN" in given) for match in matches if match.length >= shortest]
    return {b"matches": shown, b"len": sum(match.length for match in matches)}


def _strings(session: Context, keys: list[bytes]) -> list[bytes]:
    """The strings at the keys.

    Raises RedisError.
    """
    values = [session.db.read(key) for key in keys]
    if any(value is not None and type(value) not in STRING_TYPES for value in values):
        raise RedisError(b"ERR The specified keys must contain string values")
    return [b"" if value is None else as_bytes(value) for value in values]


def _options(argv: list[bytes]) -> tuple[set[bytes], int]:
    """The options that are given, and how long a match must be to be shown.

    Raises BadSyntax, NotAnInteger.
    """
    given: set[bytes] = set()
    shortest = 0
    options = Options(argv, 3)
    while (option := options.take()) is not None:
        if option in (b"IDX", b"LEN", b"WITHMATCHLEN"):
            given.add(option)
        elif option == b"MINMATCHLEN" and options.left():
            shortest = integer(options.value())
        else:
            options.fail()
    return given, shortest


def _ranges(match: Match, with_length: bool) -> list[Any]:
    """A match as LCS IDX shows it: from where to where in either string."""
    ranges = [[first, first + match.length - 1] for first in (match.first, match.second)]
    return [*ranges, match.length] if with_length else ranges
