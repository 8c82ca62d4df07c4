"""The first line of scripts and libraries: ``#!lua name=value ...``, and the flags that it may give."""

from __future__ import annotations

from pycache_server.errors import RedisError
from pycache_server.words import split_words

FLAGS = ("no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys")
"""In the order in which Redis lists them."""
_NAME_LETTERS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")

BAD_NAME = b"Library names can only contain letters, numbers, or underscores(_) and must be at least one character long"


def script_flags(code: bytes) -> tuple[frozenset[str] | None, bytes]:
    """The flags of a script, None where it has no such line, and what Lua is to compile: the line ends stay, so that
    lines keep their numbers.

    Raises RedisError.
    """
    if not code.startswith(b"#!"):
        return None, code
    end = code.find(b"\n")
    if end < 0:
        raise RedisError(b"ERR Invalid script shebang")
    line = code[:end]
    words = split_words(line)
    if not words:
        raise RedisError(b"ERR Invalid engine in script shebang")
    if words[0] != b"#!lua":
        raise RedisError(b"ERR Unexpected engine in script shebang: " + words[0])
    flags: set[str] = set()
    for word in words[1:]:
        if not word.startswith(b"flags="):
            raise RedisError(b"ERR Unknown lua shebang option: " + word)
        given = word[len(b"flags=") :]
        for flag in given.split(b",") if given else ():
            name = flag.decode("ascii", "replace")
            if name not in FLAGS:
                raise RedisError(b"ERR Unexpected flag in script shebang: " + flag)
            flags.add(name)
    return frozenset(flags), code[end:]


def library_name(code: bytes) -> tuple[bytes, bytes]:
    """The name of a library, and what Lua is to compile.

    Raises RedisError.
    """
    if not code.startswith(b"#!"):
        raise RedisError(b"ERR Missing library metadata")
    end = code.find(b"\n")
    if end < 0:
        raise RedisError(b"ERR Invalid library metadata")
    words = split_words(code[:end])
    if not words:
        raise RedisError(b"ERR Invalid library metadata")
    name: bytes | None = None
    for word in words[1:]:
        if not word.startswith(b"name="):
            raise RedisError(b"ERR Invalid metadata value given: " + word)
        if name is not None:
            raise RedisError(b"ERR Invalid metadata value, name argument was given multiple times")
        name = word[len(b"name=") :]
    engine = words[0][2:]
    if name is None:
        raise RedisError(b"ERR Library name was not given")
    if not is_name(name):
        raise RedisError(b"ERR " + BAD_NAME)
    if engine.lower() != b"lua":
        raise RedisError(b"ERR Engine '" + engine + b"' not found")
    return name, code[end:]


def is_name(name: bytes) -> bool:
    """Whether a library or function may be called that."""
    return bool(name) and _NAME_LETTERS.issuperset(name)
