"""The kinds of value: what TYPE and OBJECT ENCODING say of them.

Strings are told apart by their representation (store/strings.py); every other kind of value answers for itself
(store/value.py).
"""

from __future__ import annotations

from typing import Any

from pycache_server.store.encodings import Encodings
from pycache_server.store.strings import STRING_TYPES, string_encoding


def type_name(value: Any) -> bytes:
    """The type of a value as TYPE gives it."""
    if type(value) in STRING_TYPES:
        return b"string"
    name: bytes = value.type_name
    return name


def encoding_of(value: Any, limits: Encodings) -> bytes:
    """The encoding of a value as OBJECT ENCODING gives it."""
    if type(value) in STRING_TYPES:
        return string_encoding(value)
    name: bytes = value.encoding(limits)
    return name
