"""HOTKEYS: which keys are accessed most often.

While it is on, the rows of all commands that have keys are bound to a function that counts down to the next command of
the sample; the keys of that one are counted by Space-Saving (store/top.py). The gaps between commands of the sample are
drawn, because clients repeat themselves in patterns that a fixed gap could fall in with. While it is off, the rows are
what they are without it.

Contents: HOTKEYS START GET STOP RESET.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pycache_server.commands.args import Options, integer_in
from pycache_server.commands.registry import ADMIN, OWN, Command, Family, Handler
from pycache_server.errors import RedisError
from pycache_server.resp.encode import OK
from pycache_server.store.top import Top

if TYPE_CHECKING:
    from pycache_server.session.session import Session

COUNT = 10
RATIO = 10
MOST = 1000
LARGEST_RATIO = 1_000_000
_COUNTERS = 10
"""Counters for each key that is to be told."""
_FEWEST = 1000
LONGEST_KEY = 4096
"""Keys of more bytes are not counted: the counters keep keys alive."""


class HotKeys:
    """The count of a server. ``choose(n)`` draws an integer below n."""

    def __init__(self, choose: Callable[[int], int]) -> None:
        self._choose = choose
        self.active = False
        self.top: Top[tuple[int, bytes]] | None = None
        """Keys by the number of their database; None before the first START."""
        self.count = COUNT
        self.ratio = RATIO
        self.begun = 0.0
        """Since when, in seconds since 1970."""
        self.seconds = 0.0
        """For how long, once it has stopped."""
        self._left = 0

    def start(self, count: int, ratio: int, now: float) -> None:
        """Count from now on."""
        self.top = Top(max(_FEWEST, _COUNTERS * count))
        self.count, self.ratio, self.begun = count, ratio, now
        self.active = True
        self._left = self._gap()

    def stop(self, now: float) -> None:
        """Count no more; the counts stay."""
        self.active = False
        self.seconds = now - self.begun

    def reset(self) -> None:
        """Forget the counts."""
        self.top = None

    def lasted(self, now: float) -> float:
        """For how many seconds it has counted."""
        return now - self.begun if self.active else self.seconds

    def watched(self, call: Handler, command: Command) -> Handler:
        """A command whose keys are counted."""

        def run(session: Session, argv: list[bytes]) -> Any:
            self._left -= 1
            if self._left <= 0:
                self._note(session.db.index, command, argv)
            return call(session, argv)

        return run

    def _note(self, database: int, command: Command, argv: list[bytes]) -> None:
        self._left = self._gap()
        top = self.top
        if top is not None:
            for place, _ in command.find_keys(argv) or ():
                if len(argv[place]) <= LONGEST_KEY:
                    top.add((database, argv[place]))

    def _gap(self) -> int:
        """A number of commands, of which the mean is the ratio."""
        return 1 + self._choose(2 * self.ratio - 1)


family = Family("server")
command = family.command
family.container(
    "HOTKEYS", ADMIN, since=OWN, help_since=OWN, summary="Commands that tell which keys are accessed most often."
)


@command("HOTKEYS START [COUNT count] [SAMPLE ratio]", ADMIN, since=OWN, kinds={"ratio": "integer"})
def hotkeys_start(session: Session, argv: list[bytes]) -> Any:
    """Begin to count the accesses to keys, of one command in so many."""
    core = session.core
    count, ratio = COUNT, RATIO
    options = Options(argv, 2)
    while (option := options.take()) is not None:
        if option == b"COUNT" and options.left():
            count = integer_in(options.value(), 1, MOST)
        elif option == b"SAMPLE" and options.left():
            ratio = integer_in(options.value(), 1, LARGEST_RATIO)
        else:
            options.fail()
    if core.hotkeys.active:
        raise RedisError(b"ERR keys are counted already, HOTKEYS STOP ends it")
    core.hotkeys.start(count, ratio, core.clock.time)
    core.tables.refresh()
    return OK


@command("HOTKEYS GET", ADMIN, since=OWN, complexity="O(N log N), N = counters", tips=("nondeterministic_output",))
def hotkeys_get(session: Session, argv: list[bytes]) -> dict[bytes, Any] | None:
    """Return the keys that are accessed most often, with the greatest number of accesses and the error of that."""
    hotkeys = session.core.hotkeys
    top = hotkeys.top
    if top is None:
        return None
    ratio = hotkeys.ratio
    return {
        b"tracking-active": int(hotkeys.active),
        b"sample-ratio": ratio,
        b"sampled-accesses": top.total,
        b"collection-start-time-unix-ms": int(hotkeys.begun * 1000),
        b"collection-duration-ms": int(hotkeys.lasted(session.core.clock.time) * 1000),
        b"keys": [
            {b"key": name[1], b"db": name[0], b"accesses": most * ratio, b"error": error * ratio}
            for name, most, error in top.most(hotkeys.count)
        ],
    }


@command("HOTKEYS STOP", ADMIN, since=OWN)
def hotkeys_stop(session: Session, argv: list[bytes]) -> Any:
    """Count no more, and keep what has been counted."""
    core = session.core
    if core.hotkeys.active:
        core.hotkeys.stop(core.clock.time)
        core.tables.refresh()
    return OK


@command("HOTKEYS RESET", ADMIN, since=OWN)
def hotkeys_reset(session: Session, argv: list[bytes]) -> Any:
    """Forget what has been counted."""
    if session.core.hotkeys.active:
        raise RedisError(b"ERR keys are being counted, HOTKEYS STOP ends it")
    session.core.hotkeys.reset()
    return OK
