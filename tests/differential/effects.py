"""What a command does besides its reply: keyspace events, hits, misses and changes, on both servers."""

from __future__ import annotations

from typing import Any

from pycache_server.store.events import parse_flags
from tests.compared import COMPARED
from tests.differential.oracle import Difference, Pair, Real
from tests.differential.replies import has_ties, is_misled
from tests.differential.versions import Command

_EVENTS = [b"CONFIG", b"SET", b"notify-keyspace-events"]
_LETTERS = b"KAmn"
_PATTERN = b"__keyspace@*"


class Watched:
    """A Pair that is listened to."""

    def __init__(self, port: int) -> None:
        self.pair = Pair(port)
        self._theirs = Real(port, 2)
        self._mine = self.pair.ours.world.connect(decode=False)
        self.pair.real.call([*_EVENTS, _LETTERS])
        self.pair.ours.world.core.observers.notify(parse_flags(_LETTERS.decode()) or 0)
        self._theirs.call([b"PSUBSCRIBE", _PATTERN])
        self._mine.call(b"PSUBSCRIBE", _PATTERN)
        self._before = self._counts()

    def begin(self, resp: int) -> None:
        """Be as new, in a version of the protocol."""
        self.pair.begin(resp)
        self._before = self._counts()

    def run(self, argv: Command) -> None:
        """Send a command to both, and compare what follows from it, not their replies.

        Raises Difference.
        """
        COMPARED["effects"] += 1
        replies = self.pair.run(argv, compare=False)
        theirs, mine = self._effects()
        if argv[0].upper() in (b"SORT", b"SORT_RO"):
            if has_ties(argv) or is_misled(argv, *replies):
                return
            theirs[0].sort()  # a set's members are looked up in any order
            mine[0].sort()
        if theirs != mine and not self.pair.is_expected(argv, *replies):
            raise Difference(f"effects of {argv}\n  redis: {theirs}\n  ours:  {mine}")

    def _effects(self) -> tuple[Any, Any]:
        self._theirs.send([b"PING"])
        theirs = []
        while (message := self._theirs.read())[0] != b"pong":
            theirs.append((message[2], message[3]))
        mine = [(message[2], message[3]) for message in self._mine.read_all()]
        before, self._before = self._before, self._counts()
        return tuple(
            (events, {name: count - old[name] for name, count in new.items()})
            for events, new, old in zip((theirs, mine), self._before, before, strict=True)
        )

    def _counts(self) -> tuple[dict[bytes, int], dict[bytes, int]]:
        text = b"".join(self.pair.real.call([b"INFO", section]) for section in (b"stats", b"persistence"))
        fields = dict(line.split(b":", 1) for line in text.splitlines() if b":" in line)
        theirs = {name: int(fields[field]) for name, field in _FIELDS.items()}
        core = self.pair.ours.world.core
        mine = {name: sum(getattr(each, name.decode()) for each in core.keyspace.databases) for name in _FIELDS}
        mine[b"hits"] += core.tables.calls("get")
        return theirs, mine

    def close(self) -> None:
        """Stop listening, and close."""
        self.pair.real.call([*_EVENTS, b""])
        self._theirs.close()
        self.pair.close()


_FIELDS = {b"hits": b"keyspace_hits", b"misses": b"keyspace_misses", b"dirty": b"rdb_changes_since_last_save"}
