"""Random commands of hashes.py. Times to live of fields came with 7.4, so a 7.0 does not know those."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.differential.strategies import (
    FLOATS,
    INTEGERS,
    KEYS,
    VALUES,
    Command,
    maybe,
    shuffled,
    some,
    spoiled,
    words,
)

_FIELDS = st.one_of(
    st.sampled_from([b"f", b"g", b"h", b"1", b"", b"\x00", b"n" * 70]),
    st.integers(0, 200).map(lambda number: b"%d" % number),
)
_MANY = st.integers(100, 1100).map(lambda count: [word for number in range(count) for word in (b"%d" % number, b"v")])
"""Enough fields for a hash table, or for a Table."""
_OPTIONS = shuffled(
    words(b"MATCH", st.sampled_from([b"*", b"f*", b"[fg]", b"?", b"nomatch", b"1*"])),
    words(b"COUNT", st.sampled_from([b"2000", b"5000", b"0", b"-1", b"x"])),
    words(b"TYPE", b"hash"),
    b"COUNT",
    b"BAD",
)


def commands() -> st.SearchStrategy[Command]:
    """A command for hashes."""
    return spoiled(
        st.one_of(
            words(st.sampled_from([b"HSET", b"HMSET"]), KEYS, some(words(_FIELDS, VALUES))),
            words(b"HSET", KEYS, _FIELDS, VALUES),
            words(b"HSET", KEYS, _MANY),
            words(b"HSETNX", KEYS, _FIELDS, VALUES),
            words(b"HGET", KEYS, _FIELDS),
            words(b"HMGET", KEYS, some(_FIELDS)),
            words(st.sampled_from([b"HGETALL", b"HKEYS", b"HVALS", b"HLEN"]), KEYS),
            words(st.sampled_from([b"HEXISTS", b"HSTRLEN"]), KEYS, _FIELDS),
            words(b"HDEL", KEYS, some(_FIELDS, most=20)),
            words(b"HINCRBY", KEYS, _FIELDS, INTEGERS),
            words(b"HINCRBYFLOAT", KEYS, _FIELDS, FLOATS),
            words(b"HSCAN", KEYS, st.sampled_from([b"0", b"x", b"18446744073709551616"]), b"COUNT", b"5000"),
            words(b"HSCAN", KEYS, b"0", _OPTIONS, b"COUNT", b"5000"),
            words(b"HRANDFIELD", KEYS),
            words(b"HRANDFIELD", KEYS, INTEGERS.filter(_is_modest), maybe(st.sampled_from([b"WITHVALUES", b"x"]))),
            words(b"OBJECT", b"ENCODING", KEYS),
        )
    )


def _is_modest(count: bytes) -> bool:
    """Whether a server answers with less than billions of fields."""
    return count != b"-2147483649"
