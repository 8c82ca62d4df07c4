"""An encoder of its own for everything that Redis has ever packed values into, as simple as can be. What it makes is
read by the product, and by a real server."""

from __future__ import annotations

from struct import pack

from pycache_server.rdb.crc64 import crc64_in_python


def payload(kind: int, body: bytes, version: int = 9) -> bytes:
    """A value with its kind, version and checksum."""
    data = bytes((kind,)) + body + pack("<H", version)
    return data + pack("<Q", crc64_in_python(data))


def length(number: int) -> bytes:
    """A length, in the fewest bytes."""
    if number < 64:
        return bytes((number,))
    if number < 16384:
        return pack(">H", 0x4000 | number)
    return b"\x80" + pack(">I", number) if number < 1 << 32 else b"\x81" + pack(">Q", number)


def string(text: bytes) -> bytes:
    """A string as it is."""
    return length(len(text)) + text


def strings(*texts: bytes) -> bytes:
    """Some strings with their number."""
    return length(len(texts)) + b"".join(map(string, texts))


def text_double(text: bytes) -> bytes:
    """A double of the old form; the text ``nan``, ``inf`` or ``-inf`` stands for itself."""
    special = {b"nan": b"\xfd", b"inf": b"\xfe", b"-inf": b"\xff"}
    return special.get(text) or bytes((len(text),)) + text


def ziplist(*elements: bytes | int, big_lengths: bool = False) -> bytes:
    """A ziplist of texts and integers; ``big_lengths`` lets each entry tell the length of the one before in five
    bytes."""
    body, before = b"", 0
    tail = 10
    for element in elements:
        head = b"\xfe" + pack("<I", before) if big_lengths or before >= 254 else bytes((before,))
        entry = head + _ziplist_content(element)
        tail = 10 + len(body)
        body += entry
        before = len(entry)
    return pack("<IIH", 11 + len(body), tail, len(elements)) + body + b"\xff"


def _ziplist_content(element: bytes | int) -> bytes:
    if isinstance(element, int):
        if 0 <= element <= 12:
            return bytes((0xF1 + element,))
        for code, size in ((0xFE, 1), (0xC0, 2), (0xF0, 3), (0xD0, 4), (0xE0, 8)):
            if -(1 << 8 * size - 1) <= element < 1 << 8 * size - 1:
                return bytes((code,)) + element.to_bytes(size, "little", signed=True)
    assert isinstance(element, bytes)
    size = len(element)
    if size < 64:
        return bytes((size,)) + element
    if size < 16384:
        return pack(">H", 0x4000 | size) + element
    return b"\x80" + pack(">I", size) + element


def zipmap(*texts: bytes, unused: int = 0) -> bytes:
    """A zipmap of fields and values; behind each value there are ``unused`` bytes."""
    body = b""
    for place, text in enumerate(texts):
        size = len(text)
        body += bytes((size,)) if size < 254 else b"\xfe" + pack("<I", size)
        body += bytes((unused,)) + text + bytes(unused) if place % 2 else text
    return bytes((min(len(texts) // 2, 254),)) + body + b"\xff"


def listpack(*elements: bytes | int) -> bytes:
    """A listpack; texts stay texts, whatever they spell."""
    body = b"".join(map(_listpack_entry, elements))
    return pack("<IH", 7 + len(body), min(len(elements), 65535)) + body + b"\xff"


def _listpack_entry(element: bytes | int) -> bytes:
    entry = _listpack_content(element)
    size = len(entry)
    count = 1 + (size > 127) + (size >= 16383) + (size >= 2097151)  # Redis takes one byte more than it must at 16383
    back = [size >> 7 * place & 127 | (128 if place < count - 1 else 0) for place in range(count)]
    return entry + bytes(reversed(back))


def _listpack_content(element: bytes | int) -> bytes:
    if isinstance(element, int):
        if 0 <= element < 128:
            return bytes((element,))
        if -4096 <= element < 4096:
            return pack(">H", 0xC000 | element & 0x1FFF)
        for code, size in ((0xF1, 2), (0xF2, 3), (0xF3, 4), (0xF4, 8)):
            if -(1 << 8 * size - 1) <= element < 1 << 8 * size - 1:
                return bytes((code,)) + element.to_bytes(size, "little", signed=True)
    assert isinstance(element, bytes)
    size = len(element)
    if size < 64:
        return bytes((0x80 | size,)) + element
    return pack(">H", 0xE000 | size) + element if size < 4096 else b"\xf0" + pack("<I", size) + element


def intset(*numbers: int, width: int = 2) -> bytes:
    """An intset of integers in their order, of ``width`` bytes each."""
    return pack("<II", width, len(numbers)) + b"".join(n.to_bytes(width, "little", signed=True) for n in numbers)


def stream_node(ms: int, seq: int, *entries: tuple[int, int, dict[bytes, bytes]], deleted: int = 0) -> bytes:
    """A node of a stream, key and listpack: entries with the distances of their ids and their fields, of which the
    first ``deleted`` are marked as that."""
    fields = list(entries[0][2])
    elements: list[bytes | int] = [len(entries) - deleted, deleted, len(fields), *fields, 0]
    for place, (more_ms, more_seq, values) in enumerate(entries):
        same = list(values) == fields
        elements += [(2 if same else 0) | (place < deleted), more_ms, more_seq]
        if not same:
            elements.append(len(values))
        for field, value in values.items():
            elements += [value] if same else [field, value]
        elements.append(len(values) + 3 if same else 2 * len(values) + 4)
    return string(pack(">QQ", ms, seq)) + string(listpack(*elements))


def stream_1(nodes: list[bytes], count: int, last: tuple[int, int], groups: bytes = b"\0") -> bytes:
    """A stream as Redis 5 and 6 write it."""
    return length(len(nodes)) + b"".join(nodes) + length(count) + length(last[0]) + length(last[1]) + groups
