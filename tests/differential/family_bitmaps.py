"""Random commands of bitmaps.py."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.differential.strategies import INTEGERS, KEYS, VALUES, Command, maybe, some, spoiled, words

_OFFSETS = st.one_of(
    st.integers(0, 70).map(lambda value: b"%d" % value),
    st.sampled_from([b"-1", b"4294967295", b"4294967296", b"9223372036854775807", b"1000", b"x", b"", b"01", b"#1"]),
)
_BITS = st.sampled_from([b"0", b"1", b"0", b"1", b"2", b"-1", b"x", b"", b"9223372036854775808"])
_UNITS = st.sampled_from([b"BYTE", b"BIT", b"bit", b"byte", b"BITS"])
_PLACES = st.one_of(INTEGERS, st.integers(-80, 80).map(lambda value: b"%d" % value), st.just(b"-9223372036854775808"))
_TYPES = st.one_of(
    st.integers(0, 65).map(lambda width: b"i%d" % width),
    st.integers(0, 64).map(lambda width: b"u%d" % width),
    st.sampled_from([b"u8", b"i8", b"u1", b"i1", b"u63", b"i64", b"I8", b"8", b"u", b"", b"i08", b"u8\x00x", b"i-1"]),
)
_FIELD_OFFSETS = st.one_of(
    _OFFSETS,
    st.integers(-1, 9).map(lambda value: b"#%d" % value),
    st.sampled_from([b"#", b"##1", b"#9223372036854775807", b"#4611686018427387904", b"#-9223372036854775808"]),
)
_OPERANDS = st.one_of(INTEGERS, st.sampled_from([b"127", b"128", b"-129", b"255", b"256", b"9223372036854775806"]))
_FIELD = st.one_of(
    words(st.sampled_from([b"GET", b"get"]), _TYPES, _FIELD_OFFSETS),
    words(b"SET", _TYPES, _FIELD_OFFSETS, _OPERANDS),
    words(b"INCRBY", _TYPES, _FIELD_OFFSETS, _OPERANDS),
    words(b"OVERFLOW", st.sampled_from([b"WRAP", b"SAT", b"FAIL", b"fail", b"sat", b"NONE"])),
)
_GOOD_FIELD = st.one_of(
    words(b"GET", st.sampled_from([b"u8", b"i5", b"i64", b"u63"]), st.sampled_from([b"0", b"3", b"#2", b"100"])),
    words(
        st.sampled_from([b"SET", b"INCRBY"]),
        st.sampled_from([b"u8", b"i5", b"i64", b"u63"]),
        st.sampled_from([b"0", b"3", b"#2", b"100"]),
        _OPERANDS,
    ),
    words(b"OVERFLOW", st.sampled_from([b"WRAP", b"SAT", b"FAIL"])),
)


def commands() -> st.SearchStrategy[Command]:
    """A command for bitmaps."""
    return spoiled(
        st.one_of(
            words(b"SET", KEYS, VALUES),
            words(b"SETBIT", KEYS, st.integers(0, 40).map(lambda value: b"%d" % value), st.sampled_from([b"0", b"1"])),
            words(b"SETBIT", KEYS, _OFFSETS.filter(lambda offset: len(offset) != 10), _BITS),
            words(b"GETBIT", KEYS, _OFFSETS),
            words(b"BITCOUNT", KEYS, maybe(_PLACES, _PLACES, maybe(_UNITS))),
            words(b"BITPOS", KEYS, _BITS, maybe(_PLACES, maybe(_PLACES, maybe(_UNITS)))),
            words(
                b"BITOP",
                st.sampled_from([b"AND", b"OR", b"XOR", b"NOT", b"not", b"NAND"]),
                KEYS,
                some(KEYS),
            ),
            words(st.sampled_from([b"BITFIELD", b"BITFIELD_RO"]), KEYS, st.lists(_FIELD, max_size=4)),
            words(b"BITFIELD", KEYS, st.lists(_GOOD_FIELD, max_size=5)),
            words(b"BITFIELD_RO", KEYS, st.lists(words(b"GET", _TYPES, _FIELD_OFFSETS), max_size=3)),
        )
    )
