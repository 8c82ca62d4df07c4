"""When two replies to a command are as good as the same.

Bytes that are equal are. Otherwise replies are brought to a common form, without what may rightly differ: the order of
unordered collections, what was chosen at random, what the clock has moved, and what the version of the other server
explains (versions.py). What remains is compared, and the kinds of all of its parts, since hiredis makes the same of a
status and a string, of an array and a set, of a null and another.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import hiredis

from pycache_server.rdb.payload import restore
from pycache_server.store.clock import Clock
from pycache_server.store.encodings import Encodings
from pycache_server.store.strings import STRING_TYPES
from tests.differential.times import ACTIVITY, without_times
from tests.differential.versions import Command, Version, is_expected

UNORDERED = frozenset((b"SMEMBERS", b"SUNION", b"SINTER", b"SDIFF", b"KEYS", b"HKEYS", b"HVALS"))
"""Arrays that are sets."""
CHANCE = frozenset((b"SPOP", b"SRANDMEMBER", b"RANDOMKEY", b"ZRANDMEMBER"))
"""Commands that choose at random: their replies are compared by length."""
DOUBLES = (b"Z", b"BZ", b"GEO")
"""What commands begin with that answer doubles, which 7.0 writes with 17 digits and 7.2 with as many as needed."""
_DOUBLES_IN_SCRIPTS = re.compile(rb"\{double=|call\('(Z|BZ|GEO)", re.IGNORECASE)
SHORTEST_DIGITS = (7, 2)
MANY_DIGITS = 14
"""From so many digits on Redis sometimes writes one that is not needed, or another last one for the same number."""
CLOCK = {b"PTTL": 999, b"HPTTL": 999, b"PEXPIRETIME": 999, b"TTL": 1, b"EXPIRETIME": 1, b"HTTL": 1}
"""Times, and how far they may be from each other, since the servers are asked one after the other."""


def show(value: Any) -> Any:
    """A reply that can be compared: errors by their text, maps and sets by their contents."""
    if isinstance(value, hiredis.ReplyError):
        return ("error", str(value))
    if isinstance(value, list):
        return [show(element) for element in value]
    if isinstance(value, dict):
        return {_hashable(show(key)): show(element) for key, element in value.items()}
    if isinstance(value, (bool, float)):
        return (type(value).__name__, value)  # which Python would take for integers
    return value


def _dumped(payload: bytes) -> Any:
    """What a payload holds: sets and hashes are dumped in any order, and scores with digits of the version."""
    found = restore(payload, Encodings(), Clock())
    if type(found) in STRING_TYPES:
        return found
    parts = list(found.digest_parts())
    return found.type_name, parts if found.type_name in (b"list", b"stream") else sorted(parts)


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


def canonical(argv: Command, reply: Any, version: Version) -> Any:
    """A reply without what may differ."""
    name = argv[0].upper()
    value = show(reply)
    if name.startswith(DOUBLES) or (name.startswith(b"EVAL") and _DOUBLES_IN_SCRIPTS.search(argv[1])):
        value = _floats(value, 0 if version < SHORTEST_DIGITS else MANY_DIGITS)
    if name == b"ZSCAN" and isinstance(value, list):
        return [value[0], sorted(zip(value[1][::2], _floats(value[1][1::2]), strict=True), key=repr)]
    if name in UNORDERED and isinstance(value, list):
        return sorted(value, key=repr)
    if name == b"DUMP" and isinstance(value, bytes):
        return _dumped(value)
    if name in (b"SCAN", b"SSCAN") and isinstance(value, list):
        return [value[0], sorted(value[1])]
    if name in (b"SORT", b"SORT_RO") and isinstance(value, list) and has_ties(argv):
        return len(value) if b"LIMIT" in map(bytes.upper, argv) else sorted(value, key=repr)
    if name in CHANCE and not isinstance(value, tuple):
        return (type(value).__name__, len(value)) if isinstance(value, (list, set)) else value is None
    if name == b"HGETALL" and isinstance(value, list):
        return _pairs(value)
    if name == b"HSCAN" and isinstance(value, list):
        return value[0], sorted(value[1]) if b"NOVALUES" in map(bytes.upper, argv) else _pairs(value[1])
    if name == b"HRANDFIELD" and len(argv) > 2 and isinstance(value, list):
        return len(value), {type(element) for element in value}
    if name in (b"XINFO", b"XPENDING"):
        return without_times(value, version)
    if name == b"HRANDFIELD":
        return type(value) if isinstance(value, bytes) else value
    return value


def _pairs(flat: list[Any]) -> dict[Any, Any]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _floats(value: Any, least: int = 0) -> Any:
    """Numbers in bulk strings as floats, so that 0.1 and 0.10000000000000001 are the same: those of at least so many
    digits."""
    if isinstance(value, list):
        return [_floats(element, least) for element in value]
    if isinstance(value, bytes) and _digits(value) >= least:
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _digits(text: bytes) -> int:
    return len(re.findall(rb"\d", text.partition(b"e")[0]))


def has_ties(argv: Command) -> bool:
    """Whether SORT leaves elements of a set where they were: for want of a star, or as texts that are equal."""
    words = [word.upper() for word in argv[2:]]
    patterns = [pattern for word, pattern in pairwise(words) if word == b"BY"]
    return bool(patterns) and (b"ALPHA" in words or not all(b"*" in pattern for pattern in patterns))


def is_misled(argv: Command, theirs: Any, mine: Any) -> bool:
    """Whether Redis's SORT may have taken the errno that an earlier command has left (ERANGE of a cursor, say) for a
    number that is none: once that is another, SORT does what it should."""
    return (
        argv[0].upper() in (b"SORT", b"SORT_RO")
        and isinstance(theirs, hiredis.ReplyError)
        and not isinstance(mine, hiredis.ReplyError)
    )


_PART = re.compile(rb"([-+:,#(_])([^\r]*)\r\n|([$=!])(-?\d+)\r\n|([*%~>|])(-?\d+)\r\n")


def kinds(raw: bytes, digits: bool = False) -> bytes:
    """The kinds of all parts of a reply as it was sent, one byte each, with the length of arrays; with the digits of
    doubles where those are wanted, too."""
    found = []
    position = 0
    while position < len(raw):
        part = _PART.match(raw, position)
        assert part is not None, raw[position : position + 50]
        position = part.end()
        simple, text, bulk, size, many, length = part.groups()
        if bulk:
            position += int(size) + 2 if int(size) >= 0 else 0
            found.append(bulk if int(size) >= 0 else b"nil")
        elif many:
            found.append(many + length)
        else:
            found.append(simple + text if simple == b"," and digits and _digits(text) < MANY_DIGITS else simple)
    return b" ".join(found)


def agree(argv: Command, theirs: Any, mine: Any, version: Version, raw: tuple[bytes, bytes] | None = None) -> bool:
    """Whether two replies to a command are as good as the same; ``raw`` has them as they were sent."""
    if raw is not None and raw[0] == raw[1]:
        return True
    one, other = canonical(argv, theirs, version), canonical(argv, mine, version)
    if one == other:
        return raw is None or _same_kinds(argv, version, *raw)
    name = argv[0].upper()
    if name in CLOCK and isinstance(one, int) and isinstance(other, int):
        return one > 0 and other > 0 and abs(one - other) <= CLOCK[name]
    return is_expected(version, argv, theirs, mine)


def _same_kinds(argv: Command, version: Version, theirs: bytes, mine: bytes) -> bool:
    name = argv[0].upper()
    if name in (b"SORT", b"SORT_RO") and has_ties(argv):
        return True  # nulls are where elements are for which GET finds nothing
    if name == b"XINFO" and version < ACTIVITY:
        return True
    digits = version >= SHORTEST_DIGITS and name not in CHANCE
    return kinds(theirs, digits) == kinds(mine, digits)
