"""One change in Lua 5.1's bytecode: a function that was found by a name in a table is never tail-called.

``return redis.call(...)`` is a tail call, which takes the place of the function that makes it: an error in redis.call
would know nothing of the script's line. In Redis it does, because there redis.call is written in C, and a tail call of
a C function is none. Ours is written in Lua; so the instruction is replaced by that of a plain call, which does the
same but keeps the caller. So is that of a function which a call has returned (coroutine.wrap). Functions that a script
has made itself (recursion is always that, as globals cannot be made) are tail-called as ever, so that loops written as
recursion need no stack. The files in ``lua/`` have no tail calls at all: they count the functions between them and a
script.

The format is that of ``string.dump`` on the machine that this runs on: 12 bytes of header, in which the sizes of
numbers stand, then a function with everything it contains.
"""

from __future__ import annotations

from struct import calcsize, pack_into, unpack_from

_HEADER = 12
_CALL, _TAILCALL = 28, 29
_MOVE, _GETGLOBAL, _GETTABLE, _SELF, _CLOSURE = 0, 5, 6, 11, 36
_WRITES_NOTHING = frozenset((7, 8, 9, 22, 23, 24, 25, 26, 30, 34, 35))
"""Instructions whose first operand is no register that they set: SETGLOBAL, SETUPVAL, SETTABLE, jumps and tests,
RETURN, SETLIST, CLOSE."""
_INT, _SIZE = calcsize("i"), calcsize("N")
_NIL, _BOOLEAN, _NUMBER, _STRING = 0, 1, 3, 4


def keep_frames(code: bytes, everywhere: bool = False) -> bytes:
    """Change what ``string.dump`` gives; ``everywhere``: let there be no tail call at all."""
    changed = bytearray(code)
    _function(changed, _HEADER, everywhere)
    return bytes(changed)


def _function(code: bytearray, at: int, everywhere: bool) -> int:
    """Change a function that begins at an offset, and those within; the offset behind it."""
    at = _string(code, at) + 2 * _INT + 4
    (count,) = unpack_from("i", code, at)
    _instructions(code, at + _INT, count, everywhere)
    at = _constants(code, at + _INT + 4 * count)
    (count,) = unpack_from("i", code, at)
    at += _INT
    for _ in range(count):
        at = _function(code, at, everywhere)
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


def _instructions(code: bytearray, at: int, count: int, everywhere: bool) -> None:
    words = list(unpack_from(f"{count}I", code, at))
    for place, word in enumerate(words):
        if word & 0x3F == _TAILCALL and (everywhere or _is_named(words, place)):
            pack_into("I", code, at + 4 * place, word & ~0x3F | _CALL)


def _is_named(words: list[int], place: int) -> bool:
    """Whether the function that is tail-called at a place was looked up by name, or was kept in a variable of the
    function that calls it without having been made there."""
    setter = _setter(words, place, words[place] >> 6 & 0xFF)
    if setter is None:
        return False
    word = words[setter]
    if word & 0x3F == _MOVE:
        setter = _setter(words, setter, word >> 23)
        return setter is None or words[setter] & 0x3F != _CLOSURE
    return word & 0x3F in (_GETGLOBAL, _GETTABLE, _SELF, _CALL)


def _setter(words: list[int], place: int, register: int) -> int | None:
    """Where a register was set last before a place, in the order of the code."""
    for before in range(place - 1, -1, -1):
        if words[before] >> 6 & 0xFF == register and words[before] & 0x3F not in _WRITES_NOTHING:
            return before
    return None
