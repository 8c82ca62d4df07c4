"""Random commands of sets.py.

SPOP takes so few members that Redis does not make a new set of what is left, or all: the encoding of such a new set
differs between 7.0 and 7.4.
"""

from __future__ import annotations

from hypothesis import strategies as st

from tests.differential.strategies import INTEGERS, KEYS, SMALL, VALUES, Command, shuffled, some, spoiled, words

_MEMBERS = st.one_of(
    VALUES, SMALL, st.sampled_from([b"a", b"b", b"c", b"01", b"-0", b"+1", b" 1", b"9223372036854775808", b"x" * 65])
)
_MANY = st.one_of(
    st.tuples(st.integers(-5, 5), st.integers(100, 140)).map(lambda ends: [b"%d" % n for n in range(*ends)]),
    st.tuples(st.integers(0, 5), st.integers(500, 530)).map(lambda ends: [b"%d" % n for n in range(*ends)]),
    st.tuples(st.integers(0, 5), st.integers(120, 140)).map(lambda ends: [b"m%d" % n for n in range(*ends)]),
)
_TAKEN = st.sampled_from([b"0", b"1", b"2", b"4", b"100000", b"9223372036854775807", b"-1", b"x", b"", b"1.5"])

_REPEATED = st.sampled_from([b"-1", b"-3", b"-100", b"-9223372036854775808", b"9223372036854775808", b"-0", b"+2"])


def commands() -> st.SearchStrategy[Command]:
    """A command for sets."""
    return spoiled(
        st.one_of(
            words(b"SADD", KEYS, some(_MEMBERS, most=6)),
            words(b"SADD", KEYS, some(SMALL, most=6)),
            words(b"SADD", KEYS, _MANY),
            words(b"SREM", KEYS, some(st.one_of(_MEMBERS, SMALL), most=6)),
            words(b"SREM", KEYS, _MANY),
            words(b"SMOVE", KEYS, KEYS, _MEMBERS),
            words(b"SISMEMBER", KEYS, _MEMBERS),
            words(b"SMISMEMBER", KEYS, some(_MEMBERS)),
            words(b"SCARD", KEYS),
            words(b"SMEMBERS", KEYS),
            words(b"SPOP", KEYS),
            words(b"SPOP", KEYS, _TAKEN),
            words(b"SRANDMEMBER", KEYS),
            words(b"SRANDMEMBER", KEYS, st.one_of(_TAKEN, _REPEATED)),
            words(st.sampled_from([b"SINTER", b"SUNION", b"SDIFF"]), some(KEYS)),
            words(st.sampled_from([b"SINTERSTORE", b"SUNIONSTORE", b"SDIFFSTORE"]), KEYS, some(KEYS)),
            words(b"SINTERCARD", st.one_of(SMALL, INTEGERS), some(KEYS), shuffled(words(b"LIMIT", INTEGERS))),
            words(
                b"SSCAN",
                KEYS,
                st.sampled_from([b"0", b"0", b"0", b"x", b"-", b"1 ", b"18446744073709551616"]),
                shuffled(
                    words(b"COUNT", st.sampled_from([b"100000", b"0", b"-1", b"x"])),
                    words(b"MATCH", st.sampled_from([b"*", b"a*", b"?", b"[0-9]*", b""])),
                    words(b"TYPE", b"set"),
                ),
                b"COUNT",
                b"100000",
            ),
        )
    )
