"""A line of words: inline commands, as telnet and health checks send them, and lines of a configuration.

The quoting rules are those of Redis's ``sdssplitargs``: words are separated by blanks;
``"..."`` knows ``\\n \\r \\t \\b \\a``, ``\\xHH`` and a backslash before any other byte; ``'...'`` knows ``\\'``
alone; a closing quote must be followed by a blank or the end.
"""

from __future__ import annotations

_BLANKS = b" \n\r\t\v\f"
_ESCAPES = {ord("n"): 10, ord("r"): 13, ord("t"): 9, ord("b"): 8, ord("a"): 7}
_HEX = b"0123456789abcdefABCDEF"


def split_words(line: bytes) -> list[bytes] | None:
    """The words of ``line``, or None where quotes are unbalanced."""
    if b'"' not in line and b"'" not in line:
        return line.split()
    words: list[bytes] = []
    position, end = 0, len(line)
    while True:
        while position < end and line[position] in _BLANKS:
            position += 1
        if position == end:
            return words
        word = bytearray()
        while position < end and line[position] not in _BLANKS:
            quote = line[position]
            if quote == 0x22:
                position = _double_quoted(line, position + 1, word)
            elif quote == 0x27:
                position = _single_quoted(line, position + 1, word)
            else:
                word.append(quote)
                position += 1
                continue
            if position < 0 or (position < end and line[position] not in _BLANKS):
                return None
        words.append(bytes(word))


def split_text(line: str) -> list[str] | None:
    """The words of a line of text, or None where quotes are unbalanced."""
    words = split_words(line.encode("utf-8", "surrogateescape"))
    return None if words is None else [word.decode("utf-8", "surrogateescape") for word in words]


def _double_quoted(line: bytes, position: int, word: bytearray) -> int:
    """Append what stands in double quotes; the position after the closing quote, or -1 without one."""
    end = len(line)
    while position < end:
        byte = line[position]
        if byte == 0x22:
            return position + 1
        if byte == 0x5C and position + 1 < end:
            escaped = line[position + 1]
            if escaped == 0x78 and position + 3 < end and line[position + 2] in _HEX and line[position + 3] in _HEX:
                word.append(int(line[position + 2 : position + 4], 16))
                position += 4
            else:
                word.append(_ESCAPES.get(escaped, escaped))
                position += 2
        else:
            word.append(byte)
            position += 1
    return -1


def _single_quoted(line: bytes, position: int, word: bytearray) -> int:
    """Append what stands in single quotes; the position after the closing quote, or -1 without one."""
    end = len(line)
    while position < end:
        byte = line[position]
        if byte == 0x27:
            return position + 1
        if byte == 0x5C and line[position + 1 : position + 2] == b"'":
            position += 1
            byte = 0x27
        word.append(byte)
        position += 1
    return -1
