"""Random commands of dump.py: payloads of all kinds, sound ones and broken ones."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.differential.strategies import INTEGERS, KEYS, SMALL, VALUES, Command, maybe, some, spoiled, words
from tests.rdb.corpus import PAYLOADS, SINCE_7_2
from tests.rdb.packing import payload, string, strings

_SOUND = [data for name, data in PAYLOADS.items() if name not in SINCE_7_2]
_BROKEN = [
    b"",
    b"payload",
    _SOUND[0][:-1],
    _SOUND[0][:-8] + bytes(8),
    payload(0, string(b"x"), 99),
    payload(1, b"\0"),
    payload(2, b"\0"),
    payload(8, b"x"),
    payload(99, b"x"),
    payload(2, strings(b"a", b"a")),
]
"""What is refused by a server, too, that looks at lengths alone: ``sanitize-dump-payload no``."""
_IDS = st.sampled_from([b"1-1", b"1700-9", b"1704-0", b"1705-1", b"1706-7"])
_PAYLOADS = st.sampled_from([*_SOUND, *_BROKEN])
_TIMES = st.sampled_from([b"0", b"0", b"0", b"0", b"100000", b"-1", b"x", b"4102444800000"])
_OPTIONS = st.lists(
    st.one_of(
        st.sampled_from([[b"REPLACE"], [b"replace"], [b"REPLACE"], [b"ABSTTL"], [b"IDLETIME"], [b"FREQ"], [b"BAD"]]),
        words(b"IDLETIME", INTEGERS),
        words(b"FREQ", INTEGERS),
    ),
    max_size=3,
)


def commands() -> st.SearchStrategy[Command]:
    """A command that dumps or restores, or makes or changes a value."""
    return spoiled(
        st.one_of(
            words(b"DUMP", KEYS),
            words(st.sampled_from([b"RESTORE", b"RESTORE", b"RESTORE-ASKING"]), KEYS, _TIMES, _PAYLOADS, _OPTIONS),
            words(b"RESTORE", KEYS, b"0", st.sampled_from(_SOUND), b"REPLACE"),
            words(b"SET", KEYS, VALUES, maybe(b"EX", SMALL)),
            words(b"RPUSH", KEYS, some(VALUES)),
            words(b"SADD", KEYS, some(VALUES)),
            words(b"ZADD", KEYS, SMALL, VALUES),
            words(b"HSET", KEYS, VALUES, VALUES),
            words(b"XADD", KEYS, _IDS, VALUES, VALUES),
            words(b"APPEND", KEYS, VALUES),
            words(b"LPOP", KEYS),
            words(b"SREM", KEYS, some(st.sampled_from([b"a", b"3", b"7"]))),
            words(b"ZINCRBY", KEYS, SMALL, st.sampled_from([b"a", b"b"])),
            words(b"HDEL", KEYS, st.sampled_from([b"f", b"7"])),
            words(b"XTRIM", KEYS, b"MAXLEN", SMALL),
            words(b"XREADGROUP", b"GROUP", b"group", b"bob", b"STREAMS", KEYS, b">"),
            words(b"XACK", KEYS, b"group", b"1700-5"),
        )
    )
