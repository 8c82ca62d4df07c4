"""Random commands of sort.py, with sets to sort and keys that weigh their members."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.differential.strategies import FLOATS, INTEGERS, KEYS, SMALL, VALUES, Command, some, spoiled, words

_PATTERNS = st.sampled_from([b"*", b"*", b"{*}", b"*a", b"nosort", b"#", b"", b"*->f", b"*->", b"h*->f->g", b"**"])
_WEIGHED = st.sampled_from([b"a", b"b", b"c", b"d", b"x", b"list", b""])
_NUMBERS = st.one_of(
    FLOATS, st.sampled_from([b"0x10", b"  7", b"7 ", b"1e-310", b"1e-400", b"infinity", b"1\x00x", b"\x00", b"  "])
)
_OPTIONS = st.lists(
    st.one_of(
        st.sampled_from(
            [[b"ASC"], [b"desc"], [b"ALPHA"], [b"alpha"], [b"BAD"], [b"LIMIT"], [b"LIMIT", b"1"], [b"GET"]]
        ),
        words(b"LIMIT", INTEGERS, INTEGERS),
        words(b"BY", _PATTERNS),
        words(b"GET", _PATTERNS),
    ),
    max_size=4,
)


def commands() -> st.SearchStrategy[Command]:
    """A command that sorts, or makes something to sort."""
    return spoiled(
        st.one_of(
            words(st.sampled_from([b"SORT", b"SORT_RO"]), KEYS, _OPTIONS),
            words(b"SORT", st.sampled_from([b"set", b"zset"]), _OPTIONS),
            words(b"SORT_RO", KEYS, b"STORE", KEYS),
            words(b"SADD", st.sampled_from([b"set", b"zset"]), some(_WEIGHED, most=6)),
            words(b"SADD", KEYS, some(SMALL, most=6)),
            words(b"SADD", KEYS, some(st.one_of(_NUMBERS, VALUES))),
            words(b"SET", KEYS, st.one_of(_NUMBERS, SMALL, VALUES)),
            words(b"INCR", KEYS),
            words(b"APPEND", KEYS, SMALL),
        )
    )
