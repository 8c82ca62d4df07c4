"""What an operator sets for everything, for databases or for prefixes of keys: the most specific setting counts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Scope(NamedTuple):
    """Where a setting holds: everywhere, in the database of a number, or for keys that begin with a prefix."""

    database: int | None = None
    prefix: bytes | None = None


class Scoped(Generic[T]):
    """Settings by scope. The longest prefix counts, then the database, then what holds everywhere."""

    def __init__(self, settings: Iterable[tuple[Scope, T]]) -> None:
        self._everywhere: T | None = None
        self._databases: dict[int, T] = {}
        self._prefixes: dict[bytes, T] = {}
        for scope, value in settings:
            if scope.prefix is not None:
                self._prefixes[scope.prefix] = value
            elif scope.database is not None:
                self._databases[scope.database] = value
            else:
                self._everywhere = value
        self._lengths = sorted({len(prefix) for prefix in self._prefixes}, reverse=True)

    def of(self, database: int, key: bytes) -> T | None:
        """What holds for a key of a database, None where nothing does."""
        for length in self._lengths:
            found = self._prefixes.get(key[:length])
            if found is not None:
                return found
        return self._databases.get(database, self._everywhere)

    def concerns(self, database: int) -> bool:
        """Whether something may hold for a key of a database."""
        return bool(self._prefixes) or self._databases.get(database, self._everywhere) is not None
