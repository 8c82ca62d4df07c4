"""What a clean end without an append-only file leaves beside ``dump.rdb``: the entries that the file does not hold, and
where in the group's history all of it stands.

It is found by one start: who has started may acknowledge more, and die before it has written that. So the file is
removed, on the disk, before anybody can; and it belongs to one ``dump.rdb``, whose token it names. ::

    #PG:BASE 5000 4bf0...      as in an append-only file: where the entries begin, and the token of dump.rdb
    #PG:TABLE ... #PG:VOTERS ... #PG:SELECT ...  (the database that is selected where dump.rdb ends)
    #PG:WRITE ...              the entries
    #PG:CLEAN 81398            the end
"""

from __future__ import annotations

import contextlib
import mmap
from pathlib import Path
from typing import NamedTuple

from pycache_server.persist.group_lines import Place, Reading, clean_bytes, entry_bytes, place_bytes
from pycache_server.persist.replay import BadFile
from pycache_server.repl.member import Saved
from pycache_server.server.files import replace_file, sync_directory


class Remainder(NamedTuple):
    """What such a file holds."""

    saved: Saved
    token: str
    """Of the dump.rdb that it belongs to."""
    select: bytes
    """The command that selects the database of the stream where that ends."""


def write_remainder(path: Path, remainder: Remainder) -> None:
    """Write the file, on the disk when this returns.

    Raises OSError.
    """
    saved = remainder.saved
    offset = saved.base
    parts = [place_bytes(Place(offset, saved.table, saved.voters, remainder.token), remainder.select)]
    for entry in saved.entries:
        parts.append(entry_bytes(entry, offset))
        offset += len(entry.data)
    replace_file(path, b"".join((*parts, clean_bytes(offset))))


def read_remainder(path: Path) -> Remainder | None:
    """What a file holds; None where there is none, or where it is not whole.

    Raises OSError.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    reading = Reading(data)
    try:
        place = reading.begin().place
        entries = tuple(reading.entries())
    except BadFile:
        return None
    if place is None or not reading.clean or reading.foreign or reading.cut_off is not None:
        return None
    return Remainder(Saved(place.table, place.end, place.voters, entries), place.token, reading.select)


def forget_remainder(path: Path) -> None:
    """Remove the file, on the disk when this returns.

    Raises OSError.
    """
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
        sync_directory(path.parent)


def names_token(path: Path, token: str) -> bool:
    """Whether an RDB file tells in its beginning that it is the one of a token."""
    try:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return token.encode() in data[:4096]
    except (OSError, ValueError):
        return False
