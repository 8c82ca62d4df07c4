"""What Lua runs for a client: scripts and functions alike."""

from __future__ import annotations

from typing import Any


class Code:
    """A script or a function. ``flags`` is None for a script that does not say what it does, ``chunk`` is Lua's."""

    __slots__ = ("chunk", "flags", "name", "used")

    is_function = False

    def __init__(self, name: bytes, flags: frozenset[str] | None, chunk: Any) -> None:
        self.name = name
        self.flags = flags
        self.chunk = chunk
        self.used = 0
        """When it ran last, in runs of anything."""


class Script(Code):
    """A script in the cache. Its name is its SHA-1 in hex digits."""

    __slots__ = ("body", "loaded")

    def __init__(self, name: bytes, body: bytes, flags: frozenset[str] | None, chunk: Any) -> None:
        super().__init__(name, flags, chunk)
        self.body = body
        self.loaded = False
        """Whether SCRIPT LOAD has brought it."""
