"""One change in Lua 5.1's bytecode: a function that was found by a name in a table is never tail-called.

``return redis.call(...)`` is a tail call, which takes the place of the function that makes it: an error in redis.call
would know nothing of the script's line. In Redis it does, because there redis.call is written in C, and a tail call of
a C function is none. Ours is written in Lua; so the instruction is replaced by that of a plain call, which does the
same but keeps the caller. So is a function that a call has
returned (coroutine.wrap). Functions that are in variables (recursion is always that: globals cannot be made) are
tail-called as ever, so that loops written as recursion need no stack.

The format is that of ``string.dump`` on the machine that this runs on: 12 bytes of header, in which the sizes of
numbers stand, then a function with everything it contains.
"""

from __future__ import annotations

from struct import calcsize, pack_into, unpack_from

_HEADER = 12
_CALL, _TAILCALL = 28, 29
_GETGLOBAL, _GETTABLE, _SELF = 5, 6, 11
_WRITES_NOTHING = frozenset((7, 8, 9, 22, 23, 24, 25, 26, 30, 34, 35))
"""Instructions whose first operand is no register that they set: SETGLOBAL, SETUPVAL, SETTABLE, jumps and tests,
RETURN, SETLIST, CLOSE."""
_INT, _SIZE = calcsize("i"), calcsize("N")
_NIL, _BOOLEAN, _NUMBER, _STRING = 0, 1, 3, 4


def keep_frames(code: bytes) -> bytes:
    """Change what ``string.dump`` gives."""
    changed = bytearray(code)
    _function(changed, _HEADER)
    return bytes(changed)


def _function(code: bytearray, at: int) -> int:
    """Change a function that begins at an offset, and those within; the offset behind it."""
    at = _string(code, at) + 2 * _INT + 4
    (count,) = unpack_from("i", code, at)
    _instructions(code, at + _INT, count)
    at = _constants(code, at + _INT + 4 * count)
    (count,) = unpack_from("i", code, at)
    at += _INT
    for _ in range(count):
        at = _function(code, at)
    (count,) = unpack_from("i", code, at)
    at += _INT + _INT * count  # lines
    (count,) = unpack_from("i", code, at)
    at += _INT
    for _ in range(count):  # local variables
        at = _string(code, at) + 2 * _INT
    (count,) = unpack_from("i", code, at)
    at += _INT
    for _ in range(count):  # names of upvalues
        at = _string(code, at)
    return at


def _string(code: bytearray, at: int) -> int:
    (size,) = unpack_from("N", code, at)
    return at + _SIZE + int(size)


def _constants(code: bytearray, at: int) -> int:
    (count,) = unpack_from("i", code, at)
    at += _INT
    for _ in range(count):
        kind = code[at]
        at += 1
        if kind == _BOOLEAN:
            at += 1
        elif kind == _NUMBER:
            at += 8
        elif kind == _STRING:
            at = _string(code, at)
    return at


def _instructions(code: bytearray, at: int, count: int) -> None:
    words = list(unpack_from(f"{count}I", code, at))
    for place, word in enumerate(words):
        if word & 0x3F == _TAILCALL and _is_named(words, place):
            pack_into("I", code, at + 4 * place, word & ~0x3F | _CALL)


def _is_named(words: list[int], place: int) -> bool:
    """Whether the function that is tail-called at a place was looked up by name: in what set its register last."""
    register = words[place] >> 6 & 0xFF
    for before in range(place - 1, -1, -1):
        operation = words[before] & 0x3F
        if words[before] >> 6 & 0xFF == register and operation not in _WRITES_NOTHING:
            return operation in (_GETGLOBAL, _GETTABLE, _SELF, _CALL)
    return False
