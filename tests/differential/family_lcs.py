"""Random commands of lcs.py."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.differential.strategies import INTEGERS, KEYS, Command, shuffled, spoiled, words

_TEXTS = st.one_of(
    st.text("ab", max_size=30), st.text("abcd", max_size=40), st.text("abcdefghijklmnop", max_size=60)
).map(str.encode)


_OPTIONS = shuffled(b"LEN", b"IDX", b"idx", b"WITHMATCHLEN", words(b"MINMATCHLEN", INTEGERS))


def commands() -> st.SearchStrategy[Command]:
    """A command for the longest common subsequence."""
    return spoiled(
        st.one_of(
            words(b"SET", KEYS, _TEXTS),
            words(
                b"LCS", KEYS, KEYS, shuffled(b"LEN", b"IDX", b"idx", b"WITHMATCHLEN", words(b"MINMATCHLEN", INTEGERS))
            ),
            words(b"LCS", KEYS, KEYS, b"IDX"),
            words(b"LCS", KEYS, KEYS),
        )
    )
