"""Random commands that came after 7.0, which the redis-server that tests run beside may not know: fields that expire,
conditions, what Redis 8 has brought. Their words must become others for replicas."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.differential.strategies import INTEGERS, Command, maybe, shuffled, some, spoiled, words

_KEYS = st.sampled_from([b"hash", b"hash", b"h", b"a"])
_TEXTS = st.sampled_from([b"a", b"b", b"c"])
_FIELDS = st.one_of(st.sampled_from([b"f", b"g", b"h"]), st.integers(0, 90).map(lambda number: b"%d" % number))
_VALUES = st.sampled_from([b"1", b"x", b"2.5", b"", b"v" * 70])
_SECONDS = st.sampled_from([b"0", b"1", b"100", b"100", b"5000"])
_MS = st.sampled_from([b"0", b"1", b"30", b"60", b"100000"])
_LATER = st.sampled_from([b"1", b"9999999999", b"9999999998"])
_EXPIRY = st.one_of(
    words(b"EX", _SECONDS), words(b"PX", _MS), words(b"EXAT", _LATER), words(b"PXAT", _LATER.map(lambda t: t + b"000"))
)
_CONDITION = st.one_of(words(st.sampled_from([b"IFEQ", b"IFNE"]), _VALUES), words(st.sampled_from([b"NX", b"XX"])))
_REFS = st.sampled_from([b"KEEPREF", b"DELREF", b"ACKED"])
_IDS = st.tuples(st.integers(0, 15), st.integers(0, 2)).map(lambda parts: b"%d-%d" % parts)
_SIDES = st.sampled_from([b"LEFT", b"RIGHT"])
_LISTS = st.sampled_from([b"list", b"l"])


def _fields() -> st.SearchStrategy[list[bytes]]:
    return some(_FIELDS, most=5).map(lambda fields: [b"FIELDS", b"%d" % len(fields), *fields])


def _pairs() -> st.SearchStrategy[list[bytes]]:
    return some(st.tuples(_FIELDS, _VALUES), most=5).map(
        lambda pairs: [b"FIELDS", b"%d" % len(pairs), *[word for pair in pairs for word in pair]]
    )


def _many_times(numbers: tuple[int, int]) -> list[bytes]:
    low, count = numbers
    fields = [b"%d" % number for number in range(low, low + count)]
    return [b"HPEXPIRE", b"hash", b"30", b"FIELDS", b"%d" % count, *fields]


def hashes() -> st.SearchStrategy[Command]:
    """A command for fields that expire, and those that meet them."""
    return st.one_of(
        words(b"HSET", _KEYS, some(words(_FIELDS, _VALUES))),
        st.just([b"HSET", b"hash", *[word for number in range(90) for word in (b"%d" % number, b"1")]]),
        st.tuples(st.integers(0, 10), st.integers(1, 80)).map(_many_times),
        words(b"HSETNX", _KEYS, _FIELDS, _VALUES),
        words(b"HINCRBY", _KEYS, _FIELDS, b"1"),
        words(b"HINCRBYFLOAT", _KEYS, _FIELDS, b"0.5"),
        words(b"HDEL", _KEYS, some(_FIELDS)),
        words(b"HGETALL", _KEYS),
        words(
            st.sampled_from([b"HEXPIRE"]),
            _KEYS,
            _SECONDS,
            maybe(st.sampled_from([b"NX", b"XX", b"GT", b"LT"])),
            _fields(),
        ),
        words(b"HPEXPIRE", _KEYS, _MS, maybe(st.sampled_from([b"NX", b"XX", b"gt", b"lt"])), _fields()),
        words(b"HEXPIREAT", _KEYS, _LATER, _fields()),
        words(b"hpexpireat", _KEYS, _LATER.map(lambda t: t + b"123"), _fields()),
        words(b"HPERSIST", _KEYS, _fields()),
        words(b"HGETDEL", _KEYS, _fields()),
        words(b"HGETEX", _KEYS, maybe(st.one_of(_EXPIRY, st.just([b"PERSIST"]))), _fields()),
        words(
            b"HSETEX",
            _KEYS,
            maybe(st.sampled_from([b"FNX", b"FXX"])),
            maybe(st.one_of(_EXPIRY, st.just([b"KEEPTTL"]))),
            _pairs(),
        ),
        words(b"COPY", _KEYS, _KEYS, maybe(b"REPLACE")),
        words(b"EXPIRE", _KEYS, _SECONDS),
        words(b"PERSIST", _KEYS),
    )


def strings() -> st.SearchStrategy[Command]:
    """A conditional command for strings."""
    return st.one_of(
        words(b"SET", _TEXTS, _VALUES, maybe(_CONDITION), shuffled(b"GET", b"KEEPTTL", _EXPIRY)),
        words(b"SET", _TEXTS, _VALUES, maybe(_EXPIRY)),
        words(
            b"INCREX", _TEXTS, shuffled(words(b"BYINT", INTEGERS), b"PERSIST", _EXPIRY, b"ENX", words(b"UBOUND", b"5"))
        ),
        words(b"INCREX", _TEXTS, b"BYFLOAT", b"0.25", maybe(_EXPIRY)),
        words(b"DELEX", _TEXTS, maybe(_CONDITION)),
        words(b"DELIFEQ", _TEXTS, _VALUES),
        words(
            b"MSETEX",
            b"2",
            _TEXTS,
            _VALUES,
            _TEXTS,
            _VALUES,
            maybe(st.sampled_from([b"NX", b"XX"])),
            maybe(st.one_of(_EXPIRY, st.just([b"KEEPTTL"]))),
        ),
    )


def lists_and_streams() -> st.SearchStrategy[Command]:
    """A command that moves several elements, or minds what refers to entries of a stream."""
    order = words(
        st.sampled_from([b"COUNT", b"EXACTLY"]),
        st.sampled_from([b"1", b"2", b"3", b"9"]),
        st.sampled_from([b"OBO", b"BULK"]),
    )
    threshold = st.one_of(
        words(b"MAXLEN", maybe(st.sampled_from([b"~", b"="])), st.integers(0, 6).map(lambda n: b"%d" % n)),
        words(b"MINID", maybe(b"="), _IDS),
    )
    return st.one_of(
        words(b"RPUSH", _LISTS, some(st.sampled_from([b"1", b"2", b"3"]))),
        words(b"LMOVEM", _LISTS, _LISTS, _SIDES, _SIDES, maybe(order)),
        words(b"BLMOVEM", _LISTS, _LISTS, _SIDES, _SIDES, b"0.001", maybe(order)),
        words(b"EXPIRE", _LISTS, b"100"),
        words(b"XADD", b"s", _IDS, b"f", b"v"),
        words(
            b"XADD", b"s", maybe(_REFS), threshold, maybe(b"LIMIT", b"2"), st.one_of(_IDS, st.just(b"*")), b"f", b"v"
        ),
        words(b"XTRIM", b"s", threshold, maybe(_REFS)),
        words(b"XGROUP", b"CREATE", b"s", st.sampled_from([b"g", b"h"]), b"0", b"MKSTREAM"),
        words(
            b"XREADGROUP",
            b"GROUP",
            st.sampled_from([b"g", b"h"]),
            b"anna",
            maybe(b"COUNT", b"2"),
            b"STREAMS",
            b"s",
            st.sampled_from([b">", b">", b"0"]),
        ),
        words(b"XACK", b"s", b"g", _IDS),
        words(b"XDEL", b"s", _IDS),
        words(b"XDELEX", b"s", maybe(_REFS), some(_IDS).map(lambda ids: [b"IDS", b"%d" % len(ids), *ids])),
        words(
            b"XACKDEL",
            b"s",
            st.sampled_from([b"g", b"h"]),
            maybe(_REFS),
            some(_IDS).map(lambda ids: [b"IDS", b"%d" % len(ids), *ids]),
        ),
    )


def commands() -> st.SearchStrategy[Command]:
    """A command that a Redis 7.0 does not know, or one that prepares it."""
    return spoiled(st.one_of(hashes(), hashes(), strings(), lists_and_streams()))
