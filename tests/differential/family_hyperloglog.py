"""Random commands of hyperloglog.py."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.differential.strategies import KEYS, VALUES, Command, some, spoiled, words

_HEADER = b"HYLL\x01\0\0\0"
_ELEMENTS = st.one_of(VALUES, st.binary(max_size=40), st.integers(0, 5000).map(lambda value: b"element:%d" % value))
_MANY = st.tuples(st.integers(0, 10_000), st.integers(1, 1200)).map(
    lambda drawn: [b"%d" % number for number in range(drawn[0], sum(drawn))]
)


def _whole(opcodes: bytes) -> bytes:
    """Sparse opcodes, the last one not cut off: behind that, Redis reads, and writes, beyond the string's end."""
    place = 0
    while place < len(opcodes):
        place += 2 if opcodes[place] & 0xC0 == 0x40 else 1  # XZERO has two bytes
    return opcodes + b"\xff" * (place - len(opcodes))


_ODD = st.one_of(
    st.sampled_from(
        [
            b"HYLL",
            _HEADER + bytes(8),
            _HEADER + bytes(8) + b"\x7f\xff",
            _HEADER + bytes(7) + b"\x80" + b"\x7f\xfe",
            _HEADER + bytes(7) + b"\x80" + b"\x7f\xff\x00",
            _HEADER + bytes(7) + b"\x80" + b"\x7f\xfe\x81",
            _HEADER + bytes(7) + b"\x80" + b"\x7f\xfe\xff",
            _HEADER + bytes(7) + b"\x80" + b"\x84" * 16384,
            _HEADER + bytes(7) + b"\x80" + b"\x87" * 4096,
            _HEADER + bytes(7) + b"\x80" + b"\x00" * 16384,
            b"HYLL\x02\0\0\0" + bytes(8) + b"\x7f\xff",
            b"HYLL\0\0\0\0" + bytes(8) + bytes(12288),
            b"HYLL\0\0\0\0" + bytes(7) + b"\x80" + b"\xff" * 12288,
            b"HYLL\0\0\0\0" + bytes(7) + b"\x80" + b"\x41\x10\x04" * 4096,
            b"HYLL\0\0\0\0" + bytes(8) + bytes(12287),
            b"HYLL\0\0\0\0" + b"\x05" + bytes(7) + bytes(12288),
        ]
    ),
    st.binary(max_size=30).map(lambda tail: _HEADER + bytes(7) + b"\x80" + _whole(tail)),
)


_PATCH = st.binary(max_size=2).map(lambda data: bytes(byte & 0xBF for byte in data))
"""Bytes that begin no XZERO, which could be cut off."""


def commands() -> st.SearchStrategy[Command]:
    """A command for HyperLogLogs."""
    return spoiled(
        st.one_of(
            words(b"PFADD", KEYS, st.lists(_ELEMENTS, max_size=4)),
            words(b"PFADD", KEYS, st.lists(_ELEMENTS, max_size=60)),
            words(b"PFADD", KEYS, _MANY),
            words(b"PFCOUNT", KEYS),
            words(b"PFCOUNT", some(KEYS)),
            words(b"PFMERGE", some(KEYS)),
            words(b"PFDEBUG", st.sampled_from([b"DECODE", b"decode", b"ENCODING", b"TODENSE", b"X"]), KEYS),
            words(b"PFDEBUG", st.sampled_from([b"DECODE", b"ENCODING", b"GETREG"]), KEYS),
            words(b"SET", KEYS, _ODD),
            words(b"SETRANGE", KEYS, st.integers(0, 60).map(lambda place: b"%d" % place), _PATCH),
            words(b"GET", KEYS),
        )
    )
