"""What Redis kept small collections in before listpacks: ziplists up to 6.2, zipmaps up to 2.4. Reading alone.

A ziplist is its length (4 bytes), where its last entry begins (4), the number of entries (2), entries, an end mark. An
entry is the length of the one before it, a header, and its content. A zipmap is a number of pairs, texts with their
length in front, unused bytes behind values, an end mark.
"""

from __future__ import annotations

from pycache_server.rdb.reader import BadData

_END = 255
_BIG = 254
"""A length of four bytes follows."""
_HEADER = 10
_UNKNOWN = 65535
_INTEGERS = {0xC0: 2, 0xD0: 4, 0xE0: 8, 0xF0: 3, 0xFE: 1}


def decode(data: bytes) -> list[bytes]:
    """The entries of a ziplist, integers as texts.

    Raises BadData.
    """
    size = len(data)
    if size <= _HEADER or int.from_bytes(data[:4], "little") != size or data[-1] != _END:
        raise BadData("a ziplist has another length", 0)
    found: list[bytes] = []
    place, before, last = _HEADER, -1, size - 1
    try:
        while data[place] != _END:
            text, end = _entry(data, place, place - before if before >= 0 else 0)
            if end > last:
                break
            found.append(text)
            before, place = place, end
    except IndexError:
        place = size
    if place != last:
        raise BadData("a ziplist does not end where it should", place)
    tail = int.from_bytes(data[4:8], "little")
    if tail > last or (found and tail != before):
        raise BadData("a ziplist's last entry is not where it should be", 4)
    if int.from_bytes(data[8:10], "little") not in (len(found), _UNKNOWN):
        raise BadData("a ziplist has another number of entries", 8)
    return found


def _entry(data: bytes, place: int, before: int) -> tuple[bytes, int]:
    """The text of an entry, and where it ends; the entry before it has ``before`` bytes."""
    start = place
    length = data[place]
    place += 1
    if length >= _BIG:
        length = int.from_bytes(data[place : place + 4], "little")
        place += 4
    if length != before:
        raise BadData("a ziplist cannot be walked backwards", start)
    code = data[place]
    place += 1
    if code in _INTEGERS:
        end = place + _INTEGERS[code]
        return b"%d" % int.from_bytes(data[place:end], "little", signed=True), end
    if 0xF1 <= code <= 0xFD:
        return b"%d" % (code - 0xF1), place
    if code < 0x40:
        size = code
    elif code < 0x80:
        size = (code & 0x3F) << 8 | data[place]
        place += 1
    elif code < 0xC0:
        size = int.from_bytes(data[place : place + 4], "big")
        place += 4
    else:
        raise BadData(f"a ziplist has an entry of the unknown kind {code:#x}", place - 1)
    return data[place : place + size], place + size


def decode_zipmap(data: bytes) -> list[bytes]:
    """Fields and values of a zipmap, alternately.

    Raises BadData.
    """
    last = len(data) - 1
    if last < 1 or data[last] != _END:
        raise BadData("a zipmap has no end", last)
    found: list[bytes] = []
    place = 1
    try:
        while data[place] != _END:
            for unused in (0, 1):
                place, size = _zipmap_length(data, place)
                place += unused
                end = place + size
                found.append(data[place:end])
                place = end + (data[place - 1] if unused else 0)
                if place > last:
                    raise BadData("a zipmap is cut off", place)
    except IndexError:
        raise BadData("a zipmap is cut off", place) from None
    if not found or data[0] not in (_BIG, len(found) // 2):
        raise BadData("a zipmap has another number of pairs", 0)
    return found


def _zipmap_length(data: bytes, place: int) -> tuple[int, int]:
    """Where what has a length begins, and that length."""
    size = data[place]
    if size < _BIG:
        return place + 1, size
    return place + 5, int.from_bytes(data[place + 1 : place + 5], "little")
