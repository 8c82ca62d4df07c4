"""Random commands of generic.py."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.differential.strategies import INTEGERS, KEYS, SECONDS, SMALL, Command, maybe, shuffled, some, spoiled, words

_CONDITIONS = shuffled(b"NX", b"XX", b"GT", b"LT", b"nx", b"BAD")


def commands() -> st.SearchStrategy[Command]:
    """A command for keys of any type."""
    return spoiled(
        st.one_of(
            words(st.sampled_from([b"DEL", b"UNLINK", b"EXISTS", b"TOUCH"]), some(KEYS)),
            words(b"TYPE", KEYS),
            words(b"EXPIRE", KEYS, SECONDS, _CONDITIONS),
            words(b"PEXPIRE", KEYS, st.sampled_from([b"200000", b"300000", b"0", b"-1", b"x"]), _CONDITIONS),
            words(b"EXPIREAT", KEYS, st.sampled_from([b"99999999999", b"1", b"-1"]), _CONDITIONS),
            words(b"PEXPIREAT", KEYS, st.sampled_from([b"99999999999000", b"1"]), _CONDITIONS),
            words(st.sampled_from([b"TTL", b"PTTL", b"EXPIRETIME", b"PEXPIRETIME", b"PERSIST"]), KEYS),
            words(st.sampled_from([b"RENAME", b"RENAMENX"]), KEYS, KEYS),
            words(b"COPY", KEYS, KEYS, shuffled(b"REPLACE", words(b"DB", SMALL), words(b"DB", INTEGERS))),
            words(b"MOVE", KEYS, st.one_of(SMALL, INTEGERS)),
            words(b"SELECT", st.one_of(SMALL, INTEGERS)),
            words(b"SWAPDB", SMALL, st.one_of(SMALL, INTEGERS)),
            words(b"KEYS", st.sampled_from([b"*", b"?", b"[ab]", b"a*", b"*s*t", b"\\a"])),
            words(b"DBSIZE"),
            words(
                b"SCAN",
                st.sampled_from([b"0", b"0", b"0", b"00", b"+0", b"x", b"0x1", b"1 ", b"18446744073709551616"]),
                shuffled(
                    words(b"COUNT", st.sampled_from([b"100000", b"0", b"-1", b"x"])),
                    words(b"MATCH", st.sampled_from([b"*", b"a*", b"?", b"[ab]", b""])),
                    words(b"TYPE", st.sampled_from([b"string", b"SET", b"list", b"bogus"])),
                ),
                b"COUNT",
                b"100000",
            ),
            words(b"RANDOMKEY"),
            words(b"OBJECT", st.sampled_from([b"ENCODING", b"REFCOUNT"]), KEYS),
            words(st.sampled_from([b"FLUSHDB", b"FLUSHALL"]), maybe(st.sampled_from([b"ASYNC", b"SYNC", b"x"]))).filter(
                lambda command: len(command) > 2
            ),
        )
    )
