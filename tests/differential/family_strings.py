"""Random commands of strings.py."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.differential.strategies import (
    FLOATS,
    INTEGERS,
    KEYS,
    SECONDS,
    VALUES,
    Command,
    maybe,
    shuffled,
    some,
    spoiled,
    words,
)

_EXPIRY = st.one_of(
    words(b"EX", SECONDS),
    words(b"PX", st.sampled_from([b"100000", b"0", b"-5", b"y"])),
    words(b"EXAT", st.sampled_from([b"99999999999", b"0", b"1"])),
    words(b"PXAT", st.sampled_from([b"99999999999000", b"-1"])),
)


def commands() -> st.SearchStrategy[Command]:
    """A command for strings."""
    return spoiled(
        st.one_of(
            words(b"SET", KEYS, VALUES),
            words(b"SET", KEYS, VALUES, shuffled(b"NX", b"XX", b"GET", b"KEEPTTL", _EXPIRY)),
            words(b"GET", KEYS),
            words(b"GETDEL", KEYS),
            words(b"GETEX", KEYS, shuffled(b"PERSIST", _EXPIRY)),
            words(b"GETSET", KEYS, VALUES),
            words(b"SETNX", KEYS, VALUES),
            words(b"SETEX", KEYS, SECONDS, VALUES),
            words(b"PSETEX", KEYS, st.sampled_from([b"100000", b"0", b"-1", b"x"]), VALUES),
            words(b"MGET", some(KEYS)),
            words(b"MSET", some(words(KEYS, VALUES))),
            words(b"MSETNX", some(words(KEYS, VALUES))),
            words(b"STRLEN", KEYS),
            words(b"APPEND", KEYS, VALUES),
            words(b"SETRANGE", KEYS, st.one_of(INTEGERS, st.just(b"600000000")), VALUES),
            words(st.sampled_from([b"GETRANGE", b"SUBSTR"]), KEYS, INTEGERS, INTEGERS),
            words(st.sampled_from([b"INCR", b"DECR"]), KEYS),
            words(st.sampled_from([b"INCRBY", b"DECRBY"]), KEYS, INTEGERS),
            words(b"INCRBYFLOAT", KEYS, FLOATS),
            words(b"OBJECT", b"ENCODING", KEYS, maybe()),
        )
    )
