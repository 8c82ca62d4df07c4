"""CLIENT TRACKING: telling clients that cache what they have read when it has changed.

A tracking client has a Tracker, and its commands are looked up in a table of its own (modes.py ``tracked``), whose rows
remember the keys that were read; nobody else's commands look for anything. What changes is told by the observed
databases, as to WATCH; while nobody tracks they are not observed for it. The table of keys and the index of prefixes
are interests.py's.

In the default mode a client hears of a key once, after it has read it: at once when somebody else has changed it, and
behind its reply where it has done so itself. In the broadcasting mode it hears of all keys that begin with its
prefixes, of those of a batch together. Messages go to the client, in RESP3, or to the one that it names: there as a
push in RESP3, as a message of the channel ``__redis__:invalidate`` where that one listens in RESP2.

Ids of clients that have gone stay in the table until the key changes, as in Redis. Clients that come and go would let
it grow without bound; so they are swept out when there are many, and when nobody tracks any more.

The commands are in client_tracking.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pycache_server.commands.context import NOT_READY
from pycache_server.commands.registry import Command, Flag
from pycache_server.resp.encode import Push, encode3
from pycache_server.session.interests import Prefixes, ReadKeys
from pycache_server.store.events import EVICTED, EXPIRED, Event

if TYPE_CHECKING:
    from pycache_server.session.blocking import Waiter
    from pycache_server.session.core import Core
    from pycache_server.session.session import Session

CHANNEL = b"__redis__:invalidate"
_PUSHED = b">2\r\n$10\r\ninvalidate\r\n"
_PUBLISHED = b"*3\r\n$7\r\nmessage\r\n$%d\r\n%b\r\n" % (len(CHANNEL), CHANNEL)
EFFORT = 100
"""How many keys are given up at a time where the table has more than it may."""
MOST_IDS = 100_000
"""From so many ids on, and then from twice as many as were left, those of clients that have gone are swept out."""
SWEEP_AFTER = 1.0
"""Seconds after which that begins."""
SWEEP_PART = 200
SWEEP_PAUSE = 0.01


class Tracker:
    """What a session tracks, and how it is told."""

    __slots__ = ("broken", "caching", "mode", "no_loop", "pending", "prefixes", "redirect", "session")

    def __init__(self, session: Session) -> None:
        self.session = session
        self.redirect = 0
        """The id of the client that is told, 0 for the session itself."""
        self.broken = False
        """Whether that client was found to have gone."""
        self.mode = ""
        """``bcast``, ``optin``, ``optout``, or nothing: every key that is read."""
        self.no_loop = False
        """Whether the session does not want to hear of its own changes."""
        self.caching = False
        """Whether CLIENT CACHING was given for the next command or transaction."""
        self.prefixes: set[bytes] = set()
        self.pending: list[bytes] = []
        """What the session's own command, which is running, has made invalid."""

    def wants_what_it_reads(self) -> bool:
        """Whether the keys of a command that reads are to be remembered."""
        if self.mode in ("optin", "optout"):
            return self.caching == (self.mode == "optin")
        return not self.mode

    def passed(self, what: Command | None) -> None:
        """A command has been executed, or refused: what CLIENT CACHING was given for is over, but for CLIENT itself
        and within MULTI."""
        if self.caching and self.session.transaction is None and (what is None or what.name != "client"):
            self.caching = False

    def flags(self) -> list[bytes]:
        """The flags of CLIENT TRACKINGINFO."""
        found = [b"on"]
        if self.mode:
            found.append(self.mode.encode())
        if self.caching and self.mode in ("optin", "optout"):
            found.append(b"caching-yes" if self.mode == "optin" else b"caching-no")
        if self.no_loop:
            found.append(b"noloop")
        if self.broken:
            found.append(b"broken_redirect")
        return found


class Tracking:
    """The tracking of a server: who tracks what."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.trackers: dict[Session, Tracker] = {}
        self.keys = ReadKeys()
        self.prefixes = Prefixes()
        self.most_keys = 1_000_000
        """tracking-table-max-keys, 0 for no limit."""
        self.targets: Counter[int] = Counter()
        """The clients that are told what others track, by id, and how many others."""
        self.running: Tracker | None = None
        """Whose command is being executed, where that is a session that tracks."""
        self.by_script = False
        """Whether it is a script of his that executes it: NOLOOP does not spare prefixes its changes, as in Redis."""
        self._cursor = 0
        self._sweeping = self._trimming = False
        self._sweep_from = MOST_IDS

    # Who tracks

    def begin(self, session: Session, wanted: Tracker) -> None:
        """Let a session track as ``wanted`` says, and keep the prefixes that it has."""
        old = self.trackers.get(session)
        if old is None and not self.trackers:
            self._core.observers.track(True)
        if old is not None:
            self.targets -= Counter([old.redirect])
            wanted.caching = old.caching
            wanted.prefixes |= old.prefixes
            for prefix in old.prefixes:
                self.prefixes.remove(prefix, old)
            if self.running is old:
                self.running = wanted
        self.trackers[session] = session.tracker = wanted
        for prefix in wanted.prefixes:
            self.prefixes.add(prefix, wanted)
        if wanted.redirect:
            self.targets[wanted.redirect] += 1
            self._core.sessions[wanted.redirect].choose_table()
        session.choose_table()

    def end(self, session: Session) -> None:
        """Let a session track no more. What it has read stays in the table, in case that it tracks again."""
        tracker = self.trackers.pop(session, None)
        if tracker is None:
            return
        for prefix in tracker.prefixes:
            self.prefixes.remove(prefix, tracker)
        self.targets -= Counter([tracker.redirect])
        session.tracker = None
        if self.running is tracker:
            self.running = None
        session.choose_table()
        self._rest()

    def forget(self, session: Session) -> None:
        """A client has gone."""
        if session.tracker is not None:
            self.end(session)
        elif self.keys:
            self._rest()

    def _rest(self) -> None:
        """Where nobody tracks, stop listening; once nothing is remembered that could still matter."""
        if self.trackers:
            return
        if not self.keys:
            self._core.observers.track(False)
        else:
            self._sweep_soon()

    def _sweep_soon(self) -> None:
        if not self._sweeping:
            self._sweeping = True
            self._core.host.call_later(SWEEP_AFTER, self._sweep)

    def _sweep(self) -> None:
        self._cursor = self.keys.sweep(self._cursor, SWEEP_PART, self._core.sessions.__contains__)
        if self._cursor:
            self._core.host.call_later(SWEEP_PAUSE, self._sweep)
            return
        self._sweeping = False
        self._sweep_from = max(MOST_IDS, 2 * self.keys.items)
        if not self.trackers and not self.keys:
            self._core.observers.track(False)

    # What is read

    def enter(self, session: Session) -> Tracker | None:
        """A session that tracks begins with a command. Who was running: a script, while others are told to wait.

        What memory is too full for goes before, as in Redis even where the command only reads: the session must not be
        told later, when it may have read the key anew.
        """
        if self._core.room.exceeded:
            self._core.room.make()
        before, self.running = self.running, session.tracker
        return before

    def leave(self, session: Session, before: Tracker | None, done: Command | None) -> None:
        """A session that tracked has executed a command, or waits in it, where nothing is ``done``: tell what it has
        made invalid, behind its reply and the messages that it has caused."""
        self.running = before
        tracker = session.tracker
        if tracker is not None:
            pending, tracker.pending = tracker.pending, []
            for payload in pending:
                self._deliver(tracker, payload)
            if done is not None:
                tracker.passed(done)

    def followed(self, waiter: Waiter, what: Command, argv: list[bytes]) -> Callable[[bytes], Any]:
        """What serves a session that waits, for one that tracks: it runs its command again."""
        serve, session = waiter.serve, waiter.session

        def again(key: bytes) -> Any:
            before = self.enter(session)
            answer: Any = NOT_READY
            try:
                answer = serve(key)
            finally:
                if Flag.READONLY in what.flags:
                    self.saw(what, argv)
                self.leave(session, before, None if answer is NOT_READY else what)
            return answer

        return again

    def saw(self, what: Command, argv: list[bytes]) -> None:
        """A command that reads has been executed for the session that tracks, or by its script."""
        tracker = self.running
        if tracker is None or not tracker.wants_what_it_reads():
            return
        if what.subcommands:
            what = self._core.tables.rows[what.name].resolve(argv).command
            if Flag.READONLY not in what.flags:
                return
        remember, client = self.keys.remember, tracker.session.id
        for place, _ in what.find_keys(argv) or ():
            remember(argv[place], client)
        if 0 < self.most_keys < len(self.keys):
            self.trim()
        if self.keys.items > self._sweep_from:
            self._sweep_soon()

    def trim(self) -> None:
        """Give up random keys, as if they had changed, until there are no more than allowed; some at once, and the
        others a little later."""
        for _ in range(EFFORT):
            if not 0 < self.most_keys < len(self.keys):
                return
            self._invalidate(self.keys.choose(self._core.host.choose))
        if not self._trimming:
            self._trimming = True
            self._core.host.call_later(0.0, self._trim_on)

    def _trim_on(self) -> None:
        self._trimming = False
        self.trim()

    # What changes

    def changed(self, key: bytes, event: Event) -> None:
        """A key has changed."""
        by_itself = event.kind & (EXPIRED | EVICTED)
        if self.prefixes and self.prefixes.changed(key, None if self.by_script or by_itself else self.running):
            self._core.host.defer(self._broadcast)
        if self.keys:
            self._invalidate(key, self.running, before_reply=event.kind == EVICTED)

    def _invalidate(self, key: bytes, by: Tracker | None = None, before_reply: bool = False) -> None:
        """Tell who has read a key, but for ``by``, who has changed it, where that one does not want to hear of that."""
        clients = self.keys.take(key)
        if not clients:
            return
        payload = b"*1\r\n$%d\r\n%b\r\n" % (len(key), key)
        for client in clients:
            session = self._core.sessions.get(client)
            tracker = session.tracker if session is not None else None
            if tracker is None or tracker.mode == "bcast" or (tracker.no_loop and tracker is by):
                continue
            self._tell(tracker, payload, before_reply)
        if not self.keys:
            self._rest()

    def emptied(self) -> None:
        """All keys of a database, or of all, have gone at once: nothing that was read may be used."""
        for session, tracker in self.trackers.items():
            self._tell(tracker, session.null)
        if self.keys:
            self._core.keyspace.discard(self.keys)
            self.keys, self._cursor = ReadKeys(), 0
            self._rest()

    def _broadcast(self) -> None:
        """Tell those who listen to prefixes what has changed in the batch that is done."""
        for changed, trackers in self.prefixes.take_changes():
            everything = _array([key for key, _ in changed])
            for tracker in trackers:
                payload = everything
                if tracker.no_loop:
                    keys = [key for key, by in changed if by is not tracker]
                    if not keys:
                        continue
                    payload = _array(keys)
                self._deliver(tracker, payload)
        self._core.flush()  # not a round later, in which a reply might overtake it

    # Messages

    def _tell(self, tracker: Tracker, payload: bytes, before_reply: bool = False) -> None:
        """Send a message now, or when the command is done that has caused it where it is the session's own."""
        if tracker is self.running and not before_reply:
            tracker.pending.append(payload)
        else:
            self._deliver(tracker, payload, before_reply)

    def _deliver(self, tracker: Tracker, payload: bytes, before_reply: bool = False) -> None:
        target = tracker.session
        if tracker.redirect:
            other = self._core.sessions.get(tracker.redirect)
            if other is None or other.closing:
                tracker.broken = True
                wire = encode3(Push([b"tracking-redir-broken", tracker.redirect])) if target.resp == 3 else b""
            else:
                target = other
                wire = _message(target, payload)
        else:
            wire = _PUSHED + payload if target.resp == 3 else b""
        if wire:
            send = target.push_wire if before_reply else target.push_message
            send(wire)

    def _check(self) -> None:
        """Assert that trackers, sessions and prefixes agree."""
        self.keys._check()
        self.prefixes._check()
        assert self.running is None
        for session, tracker in self.trackers.items():
            assert session.tracker is tracker and tracker.session is session
            assert not tracker.prefixes or tracker.mode == "bcast"
        assert self.targets == Counter(each.redirect for each in self.trackers.values() if each.redirect)


def _message(target: Session, payload: bytes) -> bytes:
    """What a client is told for another one; nothing where it could not tell a message from a reply."""
    if target.resp == 3:
        return _PUSHED + payload
    return _PUBLISHED + payload if target.subscriptions or target.patterns else b""


def _array(keys: list[bytes]) -> bytes:
    """Some keys as an array, which is the same in both versions of the protocol."""
    return b"*%d\r\n" % len(keys) + b"".join([b"$%d\r\n%b\r\n" % (len(key), key) for key in keys])
