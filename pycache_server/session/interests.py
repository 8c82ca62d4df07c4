"""Who has to be told of a change of a key: the two structures behind CLIENT TRACKING, which know no clients.

ReadKeys is the table of the default mode: which clients have read a key since it changed last. A key whose change has
been told is taken out, so what is remembered is what clients may hold. Most keys are held by one client, whose id then
stands alone, without a set around it.

Prefixes is the index of the broadcasting mode: who wants to hear of all keys that begin with some bytes, and which
ones have changed since they were told last. A key is looked up once for each length that some prefix has, however many
prefixes there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from pycache_server.store.scan import scan
from pycache_server.store.table import Table, free_buckets, random_element


class ReadKeys:
    """For each key the ids of the clients that have read it."""

    __slots__ = ("_table", "items")

    def __init__(self) -> None:
        self._table = Table({})
        self.items = 0
        """How many ids there are, of all keys together."""

    def __len__(self) -> int:
        return self._table.size

    def remember(self, key: bytes, client: int) -> None:
        """A client has read a key."""
        table = self._table
        known = table.get(key)
        if known is None:
            table.put(key, client)
        elif type(known) is int:
            if known == client:
                return
            table.put(key, {known, client})
        elif client in known:
            return
        else:
            known.add(client)
        self.items += 1

    def take(self, key: bytes) -> list[int]:
        """Forget a key. The clients that had read it, the oldest first."""
        known = self._table.pop(key)
        if known is None:
            return []
        if type(known) is int:
            self.items -= 1
            return [known]
        self.items -= len(known)
        return sorted(known)

    def choose(self, choose: Callable[[int], int]) -> bytes:
        """A random key; there must be one."""
        return random_element(self._table, choose)

    def sweep(self, cursor: int, count: int, lives: Callable[[int], bool]) -> int:
        """Forget the clients that do not live, of about ``count`` keys from ``cursor`` on. The next cursor, 0 at the
        end."""
        table = self._table
        cursor, keys = scan(table.buckets, table.shift, cursor, count)
        for key in keys:
            ids = self.take(key)
            for client in filter(lives, ids):
                self.remember(key, client)
        return cursor

    def free(self, budget: int) -> int:
        """See store/value.py: the table is of no other use any more."""
        return free_buckets(self._table, budget)

    def _check(self) -> None:
        """Assert that the items are counted right, and that no set could be a number."""
        self._table._check()
        sizes = [1 if type(known) is int else len(known) for known in self._table.values()]
        assert self.items == sum(sizes)
        assert all(type(known) is int or len(known) > 1 for known in self._table.values())


class Prefix:
    """One prefix: who listens, and the keys that have changed, each with whoever has changed it last."""

    __slots__ = ("changed", "listeners")

    def __init__(self) -> None:
        self.listeners: dict[Any, None] = {}
        self.changed: dict[bytes, Any] = {}


class Prefixes:
    """All prefixes that somebody listens to. A listener is anything that can be a key of a dict."""

    __slots__ = ("_lengths", "_prefixes", "_waiting")

    def __init__(self) -> None:
        self._prefixes: dict[bytes, Prefix] = {}
        self._lengths: Counter[int] = Counter()  # how many prefixes there are of each length
        self._waiting: dict[bytes, Prefix] = {}  # those with keys that have changed

    def __len__(self) -> int:
        return len(self._prefixes)

    def add(self, prefix: bytes, listener: Any) -> None:
        """Let somebody hear of the keys that begin with ``prefix``."""
        found = self._prefixes.get(prefix)
        if found is None:
            found = self._prefixes[prefix] = Prefix()
            self._lengths[len(prefix)] += 1
        found.listeners[listener] = None

    def remove(self, prefix: bytes, listener: Any) -> None:
        """Let somebody no longer hear of them; he must have."""
        found = self._prefixes[prefix]
        del found.listeners[listener]
        if not found.listeners:
            del self._prefixes[prefix]
            self._waiting.pop(prefix, None)
            self._lengths[len(prefix)] -= 1
            if not self._lengths[len(prefix)]:
                del self._lengths[len(prefix)]

    def changed(self, key: bytes, by: Any) -> bool:
        """A key has changed, by the doing of somebody, or of nobody in particular. Whether it is the first one that
        anybody has to be told of."""
        first = not self._waiting
        for length in self._lengths:
            prefix = key[:length]
            found = self._prefixes.get(prefix) if length <= len(key) else None
            if found is not None:
                found.changed[key] = by
                self._waiting[prefix] = found
        return first and bool(self._waiting)

    def take_changes(self) -> Iterator[tuple[list[tuple[bytes, Any]], list[Any]]]:
        """The keys that have changed, in order, each with whoever has changed it, and the listeners to be told, for
        each prefix in order. They have been told then."""
        waiting, self._waiting = self._waiting, {}
        for _, found in sorted(waiting.items()):
            changed, found.changed = found.changed, {}
            yield sorted(changed.items(), key=_first), list(found.listeners)

    def _check(self) -> None:
        """Assert that lengths and changes are those of the prefixes."""
        assert self._lengths == Counter(map(len, self._prefixes))
        for prefix, found in self._prefixes.items():
            assert found.listeners
            assert (prefix in self._waiting) == bool(found.changed)
            assert all(key.startswith(prefix) for key in found.changed)
        assert all(self._prefixes[prefix] is found for prefix, found in self._waiting.items())


def _first(pair: tuple[bytes, Any]) -> bytes:
    return pair[0]


def overlap(first: bytes, second: bytes) -> bool:
    """Whether some key begins with both."""
    return first.startswith(second) or second.startswith(first)
