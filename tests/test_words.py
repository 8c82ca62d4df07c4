"""Words of inline commands and configuration lines."""

from __future__ import annotations

import pytest

from pycache_server.words import split_text, split_words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", []),
        (b"  a   b\t", [b"a", b"b"]),
        (b'set a "b c"', [b"set", b"a", b"b c"]),
        (b"set a 'b c'", [b"set", b"a", b"b c"]),
        (b'"\\x41\\n\\r\\t\\b\\a\\q\\""', [b'A\n\r\t\b\aq"']),
        (b"'it\\'s \\n'", [b"it's \\n"]),
        (b'""', [b""]),
        (b'a""', [b"a"]),
        (b'"\\x4"', [b"x4"]),
    ],
)
def test_lines_are_split_by_the_rules_of_redis(line: bytes, words: list[bytes]) -> None:
    assert split_words(line) == words


@pytest.mark.parametrize("line", [b'"a', b"'a", b'"a"b', b"'a'b", b'a"b', b'"a\\'])
def test_unbalanced_quotes_are_noticed(line: bytes) -> None:
    assert split_words(line) is None


def test_text_keeps_bytes_that_are_no_text() -> None:
    assert split_text("a \udcff") == ["a", "\udcff"]
