"""What waits to be said on a link: until the link is open, and behind an image that is being sent.

An image may show a later moment than the one at which it was asked for, because another snapshot was being made. What
was said meanwhile is in it then, and is left out: the queue knows messages, not bytes alone.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from pycache_server.repl.link_wire import encode
from pycache_server.repl.links import Append
from pycache_server.server.group.sending import ImageOut


class Queued:
    """Messages in their order, with their bytes."""

    __slots__ = ("_base", "_items", "size")

    def __init__(self) -> None:
        self._items: deque[tuple[Any, bytes]] = deque()
        self._base = 0
        self.size = 0
        """Bytes that wait."""

    def __len__(self) -> int:
        return len(self._items)

    def add(self, message: Any, data: bytes) -> None:
        """One more; ``data`` is empty for what has to be made first."""
        self._items.append((message, data))
        self.size += len(data)

    def first(self) -> Any:
        """The message that is next."""
        return self._items[0][0]

    def pop(self) -> bytes:
        """The bytes of the next message: empty where the image has it already."""
        message, data = self._items.popleft()
        self.size -= len(data)
        if self._base and type(message) is Append and message.first < self._base:
            return _behind(message, self._base)
        return data

    def skip_to(self, offset: int) -> None:
        """An image has been sent that ends here."""
        self._base = offset

    def clear(self) -> None:
        """Nothing of it will be said."""
        items, self._items = self._items, deque()
        for message, _ in items:
            if type(message) is ImageOut:
                message.close()
        self.size = 0

    def _check(self) -> None:
        assert self.size == sum(len(data) for _, data in self._items)


def _behind(message: Append, offset: int) -> bytes:
    first, entries = message.first, list(message.entries)
    while entries and first < offset:
        first += len(entries.pop(0).data)
    return encode(Append(message.epoch, first, tuple(entries), message.commit)) if entries else b""
