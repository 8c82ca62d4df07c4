"""Random commands of stream_groups.py, stream_claims.py and stream_info.py.

Entries are added to a stream that few commands spoil, so that groups find something to read; ids are few. Times are
compared by replies.py, and so is what only newer versions tell.
"""

from __future__ import annotations

from hypothesis import strategies as st

from tests.differential.strategies import INTEGERS, KEYS, Command, maybe, shuffled, some, spoiled, words

_KEYS = st.one_of(*[st.sampled_from([b"s", b"s", b"t"])] * 7, KEYS)
_GROUPS = st.sampled_from([b"g", b"g", b"g", b"h", b"", b"nobody"])
_CONSUMERS = st.sampled_from([b"anna", b"anna", b"bert", b"carl", b""])
_FULL = st.tuples(st.integers(0, 15), st.integers(0, 2)).map(lambda parts: b"%d-%d" % parts)
_MS = st.integers(0, 20).map(lambda ms: b"%d" % ms)
_ODD_IDS = st.sampled_from(
    [b"0", b"0-0", b"-", b"$", b">", b"", b"x", b"1-x", b"99999-1", b"18446744073709551615-18446744073709551614"]
)
_IDS = st.one_of(_MS, _FULL, _FULL, _FULL, _FULL, _ODD_IDS)
_FEW_IDS = some(st.one_of(_FULL, _FULL, _FULL, _FULL, _FULL, _IDS), most=6)
_PLACES = st.one_of(st.just(b">"), st.just(b">"), st.just(b"0"), _IDS)
_BOUNDS = st.one_of(st.sampled_from([b"-", b"+"]), _IDS, _IDS.map(lambda word: b"(" + word))
_SPANS = st.one_of(words(b"-", b"+"), words(_BOUNDS, _BOUNDS))
_COUNTS = st.one_of(st.integers(0, 6).map(lambda count: b"%d" % count), INTEGERS)
_COUNT = words(b"COUNT", _COUNTS)
_IDLE = st.one_of(st.sampled_from([b"0", b"0", b"0", b"100000", b"-5"]), INTEGERS)
_READ = words(b"ENTRIESREAD", st.one_of(_COUNTS, st.just(b"-1")))
_START = st.one_of(st.sampled_from([b"$", b"0", b"0", b"0"]), _IDS)
_PAIRS = words(b"f", st.sampled_from([b"v", b"w", b""]))


def _add() -> st.SearchStrategy[Command]:
    return words(b"XADD", _KEYS, maybe(b"MAXLEN", _COUNTS), _FULL, _PAIRS)


def _groups() -> st.SearchStrategy[Command]:
    return st.one_of(
        words(b"XGROUP", b"CREATE", _KEYS, _GROUPS, _START, shuffled(b"MKSTREAM", _READ)),
        words(b"XGROUP", b"CREATE", _KEYS, _GROUPS, b"0", b"MKSTREAM"),
        words(b"XGROUP", b"SETID", _KEYS, _GROUPS, _START, maybe(_READ)),
        words(b"XGROUP", b"DESTROY", _KEYS, _GROUPS),
        words(b"XGROUP", b"CREATECONSUMER", _KEYS, _GROUPS, _CONSUMERS),
        words(b"XGROUP", b"DELCONSUMER", _KEYS, _GROUPS, _CONSUMERS),
        words(b"XGROUP", st.sampled_from([b"x", b"MKSTREAM"]), _KEYS, _GROUPS),
    )


def _reading() -> st.SearchStrategy[Command]:
    group = words(b"GROUP", _GROUPS, _CONSUMERS)
    odd = shuffled(group, b"NOACK", _COUNT, words(b"BLOCK", st.sampled_from([b"x", b"-1", b"1.5"])))
    return st.one_of(
        words(b"XREADGROUP", group, maybe(_COUNT), b"STREAMS", _KEYS, _PLACES),
        words(b"XREADGROUP", group, maybe(_COUNT), maybe(b"NOACK"), b"STREAMS", _KEYS, b">"),
        words(b"XREADGROUP", group, shuffled(_COUNT, b"NOACK"), b"STREAMS", _KEYS, _KEYS, _PLACES, _PLACES),
        words(b"XREADGROUP", odd, b"STREAMS", _KEYS, _PLACES),
        words(b"XACK", _KEYS, _GROUPS, _FEW_IDS),
    )


def _claims() -> st.SearchStrategy[Command]:
    options = shuffled(
        b"FORCE",
        b"FORCE",
        b"JUSTID",
        words(b"IDLE", _IDLE),
        words(b"TIME", INTEGERS),
        words(b"RETRYCOUNT", INTEGERS),
        words(b"LASTID", _IDS),
    )
    return st.one_of(
        words(b"XCLAIM", _KEYS, _GROUPS, _CONSUMERS, _IDLE, _FEW_IDS, options),
        words(b"XAUTOCLAIM", _KEYS, _GROUPS, _CONSUMERS, _IDLE, _BOUNDS, shuffled(_COUNT, b"JUSTID")),
        words(b"XAUTOCLAIM", _KEYS, _GROUPS, _CONSUMERS, b"0", b"-", maybe(_COUNT)),
        words(b"XPENDING", _KEYS, _GROUPS),
        words(b"XPENDING", _KEYS, _GROUPS, maybe(b"IDLE", _IDLE), _SPANS, _COUNTS, maybe(_CONSUMERS)),
        words(b"XPENDING", _KEYS, _GROUPS, shuffled(b"IDLE", b"0", b"-", b"+", b"10")),
    )


def _info() -> st.SearchStrategy[Command]:
    return st.one_of(
        words(b"XINFO", b"STREAM", _KEYS, maybe(b"FULL", maybe(b"COUNT", _COUNTS))),
        words(b"XINFO", b"GROUPS", _KEYS),
        words(b"XINFO", b"CONSUMERS", _KEYS, _GROUPS),
    )


def commands() -> st.SearchStrategy[Command]:
    """A command for consumer groups."""
    return spoiled(
        st.one_of(
            _add(),
            _add(),
            words(b"XDEL", _KEYS, _FEW_IDS),
            words(b"XTRIM", _KEYS, st.one_of(words(b"MAXLEN", _COUNTS), words(b"MINID", _FULL))),
            words(b"XSETID", _KEYS, _FULL, shuffled(words(b"ENTRIESADDED", _COUNTS), words(b"MAXDELETEDID", _IDS))),
            _groups(),
            _groups(),
            _reading(),
            _reading(),
            _reading(),
            _claims(),
            _claims(),
            _info(),
            words(b"COPY", _KEYS, st.sampled_from([b"s", b"t", b"u"]), maybe(b"REPLACE")),
        )
    )
