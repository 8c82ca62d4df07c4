"""Random commands of zsets.py, zset_ranges.py, zset_pops.py and zset_algebra.py.

Ranges by member have a meaning where all scores are equal (the keys of ``_LEX``), and one that Redis's listpack gives
them where scores differ and the set is compact (those of ``_MIXED``); in a skiplist of different scores they depend on
chance. So these keys are used by commands of their own. Blocking commands are here with arguments that let them fail.
"""

from __future__ import annotations

from hypothesis import strategies as st

from tests.differential.strategies import (
    FLOATS,
    INTEGERS,
    KEYS,
    SMALL,
    VALUES,
    Command,
    maybe,
    shuffled,
    some,
    spoiled,
    words,
)

_KEYS = st.one_of(st.sampled_from([b"zset", b"a", b"b"]), KEYS)
_SHORT = st.sampled_from([b"a", b"b", b"c", b"d", b"aa", b"ab", b"b\x00", b"B", b"", b"z", b"10", b"9"])
_MEMBERS = st.one_of(_SHORT, _SHORT, VALUES)
_GOOD_SCORES = st.one_of(
    st.integers(-4, 6).map(lambda value: b"%d" % value),
    st.sampled_from([b"0.1", b"-2.5", b"1e3", b"inf", b"-inf", b"-0", b"1e17", b"3.5e18", b"1e300", b"0x1p4", b"1e-7"]),
)
_SCORES = st.one_of(_GOOD_SCORES, _GOOD_SCORES, FLOATS)
_BOUNDS = st.one_of(
    _GOOD_SCORES,
    _GOOD_SCORES.map(lambda score: b"(" + score),
    st.sampled_from(
        [b"-inf", b"+inf", b"", b"(", b" 1", b"1 ", b"(nan", b"nan", b"x", b"1e400", b"((1", b"2\x00x", b"["]
    ),
)
_LEX_BOUNDS = st.one_of(
    st.sampled_from([b"-", b"+"]),
    _SHORT.map(lambda member: b"[" + member),
    _SHORT.map(lambda member: b"(" + member),
    st.sampled_from([b"", b"a", b"-x", b"+\x00x", b"[" + b"w" * 70, b"1"]),
)
_LEX = st.sampled_from([b"lex", b"lex2"])
_MIXED = st.sampled_from([b"mixed", b"lex"])
_OFFSETS = INTEGERS.filter(lambda text: not text.startswith(b"-"))  # 7.4 counts those from the end of a skiplist
_LIMIT = words(b"LIMIT", _OFFSETS, INTEGERS)
_FEW = words(b"LIMIT", st.sampled_from([b"0", b"1", b"2"]), st.sampled_from([b"1", b"2", b"-1", b"0"]))
_SCORES_WANTED = st.sampled_from([b"WITHSCORES", b"withscores", b"WITHSCORE"])
_ADD_OPTIONS = shuffled(b"NX", b"XX", b"GT", b"LT", b"CH", b"INCR", b"ch")
_NUMKEYS = st.one_of(st.sampled_from([b"1", b"2", b"2", b"3"]), INTEGERS)


def _counted(keys: list[bytes]) -> list[bytes]:
    return [b"%d" % len(keys), *keys]


_SOURCES = st.one_of(some(_KEYS, 1, 3).map(_counted), words(_NUMKEYS, some(_KEYS, 1, 3)))
_WEIGHTED = shuffled(
    words(b"WEIGHTS", some(_SCORES, 1, 3)),
    words(b"AGGREGATE", st.sampled_from([b"SUM", b"MIN", b"MAX", b"max", b"AVG"])),
)
_WITH_SCORES = maybe(_SCORES_WANTED)
_OPTIONS = shuffled(b"BYSCORE", b"BYLEX", b"REV", b"WITHSCORES", b"rev", _LIMIT, _FEW)
_BY_SCORE = shuffled(_SCORES_WANTED, _LIMIT, _FEW)
_MANY = st.integers(127, 131).map(
    lambda count: [word for number in range(count) for word in (b"%d" % (number % 7), b"m%d" % number)]
)


def _changes() -> list[st.SearchStrategy[Command]]:
    return [
        words(b"ZADD", _KEYS, _SCORES, _MEMBERS),
        words(b"ZADD", _KEYS, some(words(_GOOD_SCORES, _MEMBERS), 1, 6)),
        words(b"ZADD", _KEYS, some(words(_GOOD_SCORES, _SHORT), 4, 9)),
        words(b"ZADD", _KEYS, _ADD_OPTIONS, some(words(_SCORES, _MEMBERS), 1, 3)),
        words(b"ZADD", _KEYS, _ADD_OPTIONS, _SCORES, _MEMBERS),
        words(b"ZINCRBY", _KEYS, st.one_of(_SCORES, st.sampled_from([b"nx", b"CH"])), _MEMBERS),
        words(b"ZREM", _KEYS, some(_MEMBERS)),
        words(b"ZREMRANGEBYRANK", _KEYS, INTEGERS, INTEGERS),
        words(b"ZREMRANGEBYSCORE", _KEYS, _BOUNDS, _BOUNDS),
        words(st.sampled_from([b"ZPOPMIN", b"ZPOPMAX"]), _KEYS, maybe(INTEGERS)),
        words(
            b"ZMPOP",
            _SOURCES,
            st.sampled_from([b"MIN", b"MAX", b"max", b"MID"]),
            maybe(st.sampled_from([b"COUNT", b"COUNT", b"x"]), INTEGERS),
        ),
    ]


def _reads() -> list[st.SearchStrategy[Command]]:
    return [
        words(b"ZCARD", _KEYS),
        words(b"ZSCORE", _KEYS, _MEMBERS),
        words(b"ZMSCORE", _KEYS, some(_MEMBERS)),
        words(st.sampled_from([b"ZRANK", b"ZREVRANK"]), _KEYS, _MEMBERS),
        words(b"ZCOUNT", _KEYS, _BOUNDS, _BOUNDS),
        words(b"ZSCAN", _KEYS, b"0", b"COUNT", b"1000", maybe(b"MATCH", st.sampled_from([b"*", b"a*", b"?"]))),
        words(b"ZSCAN", _KEYS, st.sampled_from([b"0", b"x"]), st.sampled_from([b"COUNT", b"MATCH", b"x"]), maybe(b"0")),
        words(b"ZRANDMEMBER", _KEYS),
        words(b"ZRANDMEMBER", _KEYS, st.sampled_from([b"0", b"1", b"3", b"-4", b"100", b"x"]), _WITH_SCORES),
        words(b"ZRANDMEMBER", _KEYS, st.sampled_from([b"9223372036854775807", b"-9223372036854775808"]), _WITH_SCORES),
    ]


def _ranges() -> list[st.SearchStrategy[Command]]:
    return [
        words(b"ZRANGE", _KEYS, INTEGERS, INTEGERS, _WITH_SCORES),
        words(b"ZRANGE", _KEYS, b"0", b"-1", b"WITHSCORES"),
        words(b"ZREVRANGE", _KEYS, INTEGERS, INTEGERS, _WITH_SCORES),
        words(b"ZRANGE", _KEYS, _BOUNDS, _BOUNDS, b"BYSCORE", shuffled(b"REV", _SCORES_WANTED, _LIMIT, _FEW)),
        words(b"ZRANGE", _KEYS, INTEGERS, INTEGERS, shuffled(b"REV", _SCORES_WANTED, _LIMIT, b"BYLEX")),
        words(st.sampled_from([b"ZRANGEBYSCORE", b"ZREVRANGEBYSCORE"]), _KEYS, _BOUNDS, _BOUNDS, _BY_SCORE),
        words(b"ZRANGESTORE", _KEYS, _KEYS, INTEGERS, INTEGERS, maybe(b"REV")),
        words(
            b"ZRANGESTORE", _KEYS, _KEYS, _BOUNDS, _BOUNDS, b"BYSCORE", shuffled(b"REV", b"WITHSCORES", _LIMIT, _FEW)
        ),
    ]


def _lex() -> list[st.SearchStrategy[Command]]:
    either = st.one_of(_LEX, _MIXED)
    return [
        words(b"ZADD", _LEX, some(words(b"0", _MEMBERS), 1, 6)),
        words(b"ZADD", b"mixed", some(words(SMALL, _SHORT), 1, 8)),
        words(b"ZRANGE", either, _LEX_BOUNDS, _LEX_BOUNDS, b"BYLEX", shuffled(b"REV", _LIMIT, _FEW, _FEW)),
        words(b"ZRANGE", either, _LEX_BOUNDS, _LEX_BOUNDS, _OPTIONS),
        words(
            st.sampled_from([b"ZRANGEBYLEX", b"ZREVRANGEBYLEX"]),
            either,
            _LEX_BOUNDS,
            _LEX_BOUNDS,
            shuffled(_LIMIT, _FEW),
        ),
        words(b"ZLEXCOUNT", either, _LEX_BOUNDS, _LEX_BOUNDS),
        words(b"ZREMRANGEBYLEX", either, _LEX_BOUNDS, _LEX_BOUNDS),
        words(b"ZRANGESTORE", _KEYS, either, _LEX_BOUNDS, _LEX_BOUNDS, b"BYLEX", shuffled(b"REV", _FEW)),
    ]


def _algebra() -> list[st.SearchStrategy[Command]]:
    return [
        words(st.sampled_from([b"ZUNION", b"ZINTER"]), _SOURCES, _WEIGHTED, _WITH_SCORES),
        words(st.sampled_from([b"ZUNIONSTORE", b"ZINTERSTORE"]), _KEYS, _SOURCES, _WEIGHTED),
        words(b"ZUNIONSTORE", _KEYS, b"2", _KEYS, _KEYS, b"WEIGHTS", _GOOD_SCORES, _GOOD_SCORES),
        words(b"ZINTERSTORE", _KEYS, b"2", _KEYS, _KEYS, b"WEIGHTS", _GOOD_SCORES, _GOOD_SCORES, _WEIGHTED),
        words(b"ZDIFF", _SOURCES, _WITH_SCORES),
        words(b"ZDIFFSTORE", _KEYS, _SOURCES, maybe(b"WITHSCORES")),
        words(b"ZINTERCARD", _SOURCES, maybe(b"LIMIT", st.one_of(SMALL, INTEGERS))),
    ]


def _refused() -> list[st.SearchStrategy[Command]]:
    """Commands that would block, if they were not wrong."""
    wrong = st.sampled_from([b"x", b"-1", b"nan", b" 1", b""])
    return [
        words(st.sampled_from([b"BZPOPMIN", b"BZPOPMAX"]), some(_KEYS), wrong),
        words(b"BZMPOP", wrong, _SOURCES, st.sampled_from([b"MIN", b"MAX", b"MID"]), maybe(b"COUNT", INTEGERS)),
    ]


def commands() -> st.SearchStrategy[Command]:
    """A command for sorted sets."""
    big = words(b"ZADD", _KEYS, _MANY)
    others = spoiled(
        st.one_of(*_changes(), *_changes(), *_changes(), *_reads(), *_ranges(), *_ranges(), *_lex(), *_algebra(), big)
    )
    refused = st.one_of(*_refused())
    return st.integers(0, 20).flatmap(lambda dice: refused if dice == 20 else others)
