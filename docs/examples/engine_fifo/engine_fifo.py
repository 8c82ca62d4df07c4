"""First in, first out: the key goes that came first, however often it has been read since."""

from pycache_server.evict.base import Engine, Surroundings
from pycache_server.evict.ring import LinkedEntry, Ring


class Fifo(Engine):
    """A ring in the order of arrival. LinkedEntry has the two slots that a ring needs."""

    entry_type = LinkedEntry

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._ring = Ring[LinkedEntry]()

    def admit(self, entry: LinkedEntry) -> None:
        self._ring.push(entry)

    def access(self, entry: LinkedEntry) -> None:
        """It does not matter."""

    def discard(self, entry: LinkedEntry) -> None:
        self._ring.remove(entry)

    def victim(self) -> LinkedEntry | None:
        return self._ring.oldest()

    def report(self) -> dict[str, int | float | str]:
        return {"entries": len(self._ring)}

    def _check(self) -> None:
        self._ring._check()
