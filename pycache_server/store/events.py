"""What can happen to a key, by the names under which Redis announces it.

A write tells the keyspace its event as a ready-made object; while nobody listens the keyspace does not look at it.
The letters are those of ``notify-keyspace-events``. Source: "Redis keyspace notifications".
"""

from __future__ import annotations

from typing import Final

KEYSPACE: Final = 1 << 0
KEYEVENT: Final = 1 << 1
GENERIC: Final = 1 << 2
STRING: Final = 1 << 3
LIST: Final = 1 << 4
SET: Final = 1 << 5
HASH: Final = 1 << 6
ZSET: Final = 1 << 7
EXPIRED: Final = 1 << 8
EVICTED: Final = 1 << 9
STREAM: Final = 1 << 10
KEY_MISS: Final = 1 << 11
MODULE: Final = 1 << 12
NEW: Final = 1 << 13
QUIET: Final = 1 << 14
"""With another class: it is announced, but neither ends a WATCH nor wakes a blocked client."""
WAKING: Final = 1 << 15
"""Wakes blocked clients, and nothing else."""
SILENT: Final = 1 << 16
"""Ends a WATCH, and nothing else."""

LETTERS: Final = {
    "g": GENERIC,
    "$": STRING,
    "l": LIST,
    "s": SET,
    "h": HASH,
    "z": ZSET,
    "x": EXPIRED,
    "e": EVICTED,
    "K": KEYSPACE,
    "E": KEYEVENT,
    "t": STREAM,
    "m": KEY_MISS,
    "d": MODULE,
    "n": NEW,
}
ALL: Final = GENERIC | STRING | LIST | SET | HASH | ZSET | EXPIRED | EVICTED | STREAM | MODULE
"""What the letter ``A`` stands for."""


def parse_flags(letters: str) -> int | None:
    """The flags of a ``notify-keyspace-events`` value, or None where a letter is unknown."""
    flags = 0
    for letter in letters:
        if letter == "A":
            flags |= ALL
        elif letter in LETTERS:
            flags |= LETTERS[letter]
        else:
            return None
    return flags


class Event:
    """A name and the class of events that it belongs to."""

    __slots__ = ("kind", "name")

    def __init__(self, kind: int, name: bytes) -> None:
        self.kind = kind
        self.name = name

    def __repr__(self) -> str:
        return f"Event({self.name.decode()})"


DEL: Final = Event(GENERIC, b"del")
EXPIRE: Final = Event(GENERIC, b"expire")
PERSIST: Final = Event(GENERIC, b"persist")
RENAME_FROM: Final = Event(GENERIC, b"rename_from")
RENAME_TO: Final = Event(GENERIC, b"rename_to")
MOVE_FROM: Final = Event(GENERIC, b"move_from")
MOVE_TO: Final = Event(GENERIC, b"move_to")
COPY_TO: Final = Event(GENERIC, b"copy_to")
NEW_KEY: Final = Event(NEW, b"new")
UNHEARD: Final = Event(0, b"")
"""What nobody has to hear of, or is told by other events."""
REWRITTEN: Final = Event(SILENT, b"")
"""A value has changed for those who watch it, but nobody is told."""
MISSED: Final = Event(KEY_MISS, b"keymiss")
EXPIRED_KEY: Final = Event(EXPIRED, b"expired")
FIELDS_EXPIRED: Final = Event(HASH, b"hexpired")
EVICTED_KEY: Final = Event(EVICTED, b"evicted")
