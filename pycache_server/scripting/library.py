"""Libraries of functions, and how the code of one registers its functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pycache_server.scripting.code import Code
from pycache_server.scripting.shebang import BAD_NAME, FLAGS, is_name

_LIBRARY_BYTES, _FUNCTION_BYTES = 500, 300


class Function(Code):
    """A function of a library, which always has flags, even if those are none."""

    __slots__ = ("description", "library")

    is_function = True
    flags: frozenset[str]

    def __init__(
        self, name: bytes, library: Library, chunk: Any, description: bytes | None, flags: frozenset[str]
    ) -> None:
        super().__init__(name, flags, chunk)
        self.library = library
        self.description = description

    def flag_names(self) -> list[str]:
        """The flags in Redis's order."""
        return [flag for flag in FLAGS if flag in self.flags]


class Library:
    """Code with the functions that it has registered."""

    __slots__ = ("code", "functions", "name")

    def __init__(self, name: bytes, code: bytes) -> None:
        self.name = name
        self.code = code
        """All of it, the first line included."""
        self.functions: dict[bytes, Function] = {}

    def size(self) -> int:
        """About how many bytes it takes outside of Lua."""
        return _LIBRARY_BYTES + len(self.code) + _FUNCTION_BYTES * len(self.functions)


class Registration:
    """A library that is being loaded: what redis.register_function adds to."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def add(self, name: bytes, chunk: Any, description: bytes | None, flags: Sequence[bytes]) -> bytes | None:
        """Add a function; what is wrong with it."""
        names = frozenset(flag.decode("ascii", "replace") for flag in flags)
        if not names.issubset(FLAGS):
            return b"unknown flag given"
        if not is_name(name):
            return BAD_NAME
        if name in self._library.functions:
            return b"Function already exists in the library"
        self._library.functions[name] = Function(name, self._library, chunk, description, names)
        return None
