"""Random commands of streams.py.

An id by the time differs from server to server, so ``*`` is drawn only for a stream whose ids are in the far future.
``+`` for XREAD is new in 7.4. Since 7.2 XSETID may not go below the greatest id that was deleted, so it is drawn only
for a stream of which no entry is deleted by its id.
"""

from __future__ import annotations

from hypothesis import strategies as st

from tests.differential.strategies import INTEGERS, KEYS, VALUES, Command, maybe, shuffled, some, spoiled, words

_STREAMS = st.one_of(st.sampled_from([b"a", b"stream", b"stream"]), KEYS)
_MS = st.integers(0, 40).map(lambda ms: b"%d" % ms)
_FULL = st.tuples(st.integers(0, 40), st.integers(0, 3)).map(lambda parts: b"%d-%d" % parts)
_ODD_IDS = st.sampled_from(
    [
        *(b"0-0", b"-", b"+", b"$", b">", b"", b"x", b"1-", b"-1", b"1-x", b"1-2-3", b"(", b"((1"),
        *(b" 3", b"+3-+1", b"007-08", b"3- 1", b"3-\v-1", b"3--01", b"3--1", b"3 -1", b"5\0-x", b"5-1\0x", b"\0"),
        *(b"18446744073709551615", b"18446744073709551616-1", b"1-18446744073709551616", b"7" * 128, b"0" * 127),
    ]
)
_IDS = st.one_of(_MS, _FULL, _FULL, _ODD_IDS)
_NEW_IDS = st.one_of(
    _FULL,
    _FULL,
    _MS.map(lambda ms: ms + b"-*"),
    _IDS,
    st.sampled_from([b"18446744073709551615-18446744073709551615", b"*-1", b"-*", b"x-*", b"5-*x", b"-1-*"]),
)
_BOUNDS = st.one_of(st.sampled_from([b"-", b"+"]), _IDS, _IDS.map(lambda word: b"(" + word))
_PAIRS = some(words(st.sampled_from([b"f", b"f", b"g", b"12", b""]), VALUES), most=3)
_LIMIT = words(b"LIMIT", st.one_of(st.sampled_from([b"0", b"3", b"100"]), INTEGERS))
_OPERATOR = st.sampled_from([[], [], [b"="], [b"~"], [b"~"]])
_TRIM = st.one_of(words(st.sampled_from([b"MAXLEN", b"maxlen"]), _OPERATOR, INTEGERS), words(b"MINID", _OPERATOR, _IDS))
_XADD = words(b"XADD", _STREAMS, shuffled(b"NOMKSTREAM", _TRIM, _LIMIT), _NEW_IDS, _PAIRS)
_COUNT = maybe(b"COUNT", INTEGERS)
_INFO = maybe(st.sampled_from([b"FULL", b"full", b"x"]), maybe(st.sampled_from([b"COUNT", b"x"]), INTEGERS))


def commands() -> st.SearchStrategy[Command]:
    """A command for streams."""
    return spoiled(
        st.one_of(
            words(b"XADD", _STREAMS, _FULL, _PAIRS),
            _XADD,
            words(b"XADD", st.just(b"later"), b"NOMKSTREAM", shuffled(_TRIM, _LIMIT), b"*", _PAIRS),
            words(b"XADD", st.just(b"later"), st.sampled_from([b"99999999999999-1", b"99999999999999-*"]), _PAIRS),
            words(b"XTRIM", _STREAMS, shuffled(_TRIM, _LIMIT, b"NOMKSTREAM")),
            words(b"XTRIM", _STREAMS, _TRIM),
            words(b"XDEL", _STREAMS, some(_IDS)),
            words(b"XDEL", _STREAMS, some(_FULL, most=8)),
            words(b"XLEN", _STREAMS),
            words(b"XRANGE", _STREAMS, _BOUNDS, _BOUNDS, _COUNT),
            words(b"XREVRANGE", _STREAMS, _BOUNDS, _BOUNDS, _COUNT),
            words(b"XREAD", _COUNT, b"STREAMS", _STREAMS, _IDS.filter(lambda word: word != b"+")),
            words(
                b"XREAD",
                shuffled(words(b"COUNT", INTEGERS), b"NOACK", words(b"GROUP", b"g", b"c")),
                b"STREAMS",
                _STREAMS,
                _STREAMS,
                _FULL,
                _FULL,
            ),
            words(
                b"XREAD",
                b"BLOCK",
                st.sampled_from([b"-1", b"x", b"1.5", b"99999999999999999999"]),
                b"STREAMS",
                _STREAMS,
                _FULL,
            ),
            words(b"XINFO", b"STREAM", st.one_of(_STREAMS, st.sampled_from([b"later", b"marks"])), _INFO),
            words(b"XADD", b"marks", _FULL, _PAIRS),
            words(b"XTRIM", b"marks", b"MAXLEN", INTEGERS),
            words(b"XSETID", st.one_of(_STREAMS, st.just(b"marks"), st.just(b"marks")), _IDS, st.just([b"bad"])),
            words(
                b"XSETID",
                st.just(b"marks"),
                _IDS,
                shuffled(
                    words(b"ENTRIESADDED", INTEGERS), words(b"MAXDELETEDID", st.sampled_from([b"0-0", b"99999", b"x"]))
                ),
            ),
            words(b"XINFO", st.sampled_from([b"STREAMS", b"x"]), _STREAMS),
            words(b"OBJECT", b"ENCODING", _STREAMS),
            words(
                b"XADD", _STREAMS, st.sampled_from([[b"LIMIT", b"5"], [b"MAXLEN", b"5", b"MINID", b"1"]]), b"*", _PAIRS
            ),
        )
    )
