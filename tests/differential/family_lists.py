"""Random commands of lists.py and blocking_lists.py; the latter where they need not wait long."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.differential.strategies import (
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

_ELEMENTS = st.one_of(VALUES, st.sampled_from([b"a", b"b", b"c", b"1", b"x" * 100, b"y" * 3000]))
_SIDES = st.sampled_from([b"LEFT", b"RIGHT", b"left", b"Right", b"MIDDLE"])
_COUNTS = st.sampled_from([b"0", b"1", b"2", b"3", b"100", b"-1", b"x", b"", b"9223372036854775807"])
_SYMMETRIC = INTEGERS.filter(lambda text: text != b"-9223372036854775808")
"""Redis 7.0 takes the smallest of all integers where 7.2 refuses it because it has no opposite."""
_COUNT = maybe(b"COUNT", _COUNTS)
_TIMEOUTS = st.sampled_from([b"0.001", b"0.002", b"-1", b"x", b"", b"1_0", b"nan", b"0.001 "])
_NUMKEYS = st.sampled_from([b"1", b"1", b"2", b"0", b"-1", b"x", b"5"])


def _mpop(*first: bytes | st.SearchStrategy[bytes]) -> st.SearchStrategy[Command]:
    """LMPOP and its like, with the right number of keys most of the time."""
    right = some(KEYS, most=3).flatmap(lambda keys: words(*first, b"%d" % len(keys), st.just(keys), _SIDES, _COUNT))
    return st.one_of(right, right, words(*first, _NUMKEYS, some(KEYS, most=3), _SIDES, shuffled(_COUNT, _COUNT)))


def commands() -> st.SearchStrategy[Command]:
    """A command for lists."""
    either = st.sampled_from
    return spoiled(
        st.one_of(
            words(either([b"LPUSH", b"RPUSH"]), KEYS, some(_ELEMENTS, most=6)),
            words(either([b"LPUSH", b"RPUSH"]), KEYS, some(_ELEMENTS, most=6)),
            words(either([b"LPUSH", b"RPUSH"]), KEYS, some(_ELEMENTS, least=90, most=120)),
            words(either([b"LPUSHX", b"RPUSHX"]), KEYS, some(_ELEMENTS)),
            words(either([b"LPOP", b"RPOP"]), KEYS),
            words(either([b"LPOP", b"RPOP"]), KEYS, st.one_of(_COUNTS, INTEGERS)),
            words(b"LLEN", KEYS),
            words(b"LRANGE", KEYS, INTEGERS, INTEGERS),
            words(b"LINDEX", KEYS, INTEGERS),
            words(b"LSET", KEYS, INTEGERS, _ELEMENTS),
            words(b"LINSERT", KEYS, either([b"BEFORE", b"AFTER", b"after", b"x"]), _ELEMENTS, _ELEMENTS),
            words(b"LREM", KEYS, _SYMMETRIC, _ELEMENTS),
            words(b"LTRIM", KEYS, INTEGERS, INTEGERS),
            words(
                b"LPOS",
                KEYS,
                _ELEMENTS,
                shuffled(words(b"RANK", _SYMMETRIC), words(b"COUNT", _COUNTS), words(b"MAXLEN", _COUNTS), b"COUNT"),
            ),
            words(b"LMOVE", KEYS, KEYS, _SIDES, _SIDES),
            words(b"RPOPLPUSH", KEYS, KEYS),
            _mpop(b"LMPOP"),
            words(either([b"BLPOP", b"BRPOP"]), some(KEYS, most=3), _TIMEOUTS),
            words(b"BLMOVE", KEYS, KEYS, _SIDES, _SIDES, _TIMEOUTS),
            words(b"BRPOPLPUSH", KEYS, KEYS, _TIMEOUTS),
            _mpop(b"BLMPOP", _TIMEOUTS),
            words(b"OBJECT", b"ENCODING", KEYS),
        )
    )
