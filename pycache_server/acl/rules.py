"""What is wrong with a rule, in Redis's words; and rules that were split at blanks although they are one."""

from __future__ import annotations

from collections.abc import Sequence

from pycache_server.errors import c_string


class BadRule(Exception):
    """A rule that cannot be applied. ``text`` says why, ``rule`` which."""

    text = b"Syntax error"
    rule = b""

    def __str__(self) -> str:
        return self.text.decode()


class UnknownName(BadRule):
    text = b"Unknown command or category name in ACL"


class AfterAllKeys(BadRule):
    text = (
        b"Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. "
        b"Try 'resetkeys' to start with an empty list of patterns"
    )


class AfterAllChannels(BadRule):
    text = (
        b"Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. "
        b"Try 'resetchannels' to start with an empty list of channels"
    )


class NoSuchPassword(BadRule):
    text = b"The password you are trying to remove from the user does not exist"


class BadHash(BadRule):
    text = b"The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"


class FirstArgOfSubcommand(BadRule):
    text = b"Allowing first-arg of a subcommand is not supported"


class Unmatched(Exception):
    """A parenthesis that is not closed; ``word`` is where it opens."""

    def __init__(self, word: bytes) -> None:
        super().__init__(word)
        self.word = word


def merged(words: Sequence[bytes]) -> list[bytes]:
    """Rules, those in parentheses joined to one each. One that opens within another takes its place.

    Raises Unmatched.
    """
    rules: list[bytes] = []
    opened: list[bytes] = []
    for word in words:
        if word.startswith(b"(") and not word.endswith(b")"):
            opened = [word]
        elif opened:
            opened.append(c_string(word))
            if word.endswith(b")"):
                rules.append(b" ".join(opened))
                opened = []
        else:
            rules.append(word)
    if opened:
        raise Unmatched(opened[0])
    return rules


def has_blanks(text: bytes) -> bool:
    """Whether there is something in a name or pattern that no description could hold."""
    return any(byte in b" \t\n\v\f\r\0" for byte in text)
