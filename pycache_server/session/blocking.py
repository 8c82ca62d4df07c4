"""Waiting for a key: BLPOP and its relatives, XREAD BLOCK.

A blocked client hangs in a queue for each of its keys. When a write has changed a key that somebody waits for, the key
is marked ready (observers.py); when the command that did it is complete, the whole of a MULTI as one, the clients of
each ready key are served in the order of their arrival, and keys that this makes ready after them. That is Redis's
order, so a client never finds an element that an earlier one waited for.

While nobody waits, nothing is observed and no write looks anywhere: ``Core.serving`` is off.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pycache_server.commands.context import NOT_READY
from pycache_server.errors import RedisError
from pycache_server.resp.encode import HALT
from pycache_server.store.events import KEY_MISS, LIST, NEW_KEY, QUIET, ZSET, Event

if TYPE_CHECKING:
    from pycache_server.session.core import Core
    from pycache_server.session.host import Timer
    from pycache_server.session.rows import Row
    from pycache_server.session.session import Session


_ROLE_CHANGED = b"UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"
Place = tuple[int, bytes]
"""A key of a database, by its index."""
_WAKES_NOBODY = LIST | ZSET | KEY_MISS | QUIET  # the kinds of events that do not, unless the key is new


class Waiter:
    """A client that waits for keys."""

    __slots__ = ("call", "grows", "on_timeout", "places", "serve", "session", "timer", "wants")

    def __init__(
        self,
        session: Session,
        places: list[Place],
        serve: Callable[[bytes], Any],
        on_timeout: Any,
        wants: type | tuple[type, ...] | None,
        grows: bool,
    ) -> None:
        self.session = session
        self.places = places
        self.serve = serve
        self.on_timeout = on_timeout
        self.wants = wants
        self.grows = grows
        self.timer: Timer | None = None
        self.call: tuple[Row, list[bytes]] | None = None
        """The command, where it is timed."""

    def names(self) -> list[bytes]:
        """The keys by their names."""
        return [key for _, key in self.places]


class Blocking:
    """Who waits for what."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._queues: dict[Place, OrderedDict[Waiter, None]] = {}  # a dict would search for its first one
        self.ready: dict[Place, None] = {}
        """Keys that have changed and that somebody waits for, in the order of their change."""
        self.count = 0
        """How many clients are blocked."""
        self._curious = 0  # how many of them want to hear of any change of their keys, even of their end
        self._growing: Counter[Place] = Counter()  # keys for whose lists somebody waits to become longer

    def block(
        self,
        session: Session,
        keys: Sequence[bytes],
        serve: Callable[[bytes], Any],
        timeout: float,
        on_timeout: Any,
        wants: type | tuple[type, ...] | None,
        grows: bool = False,
    ) -> Any:
        """Halt a session until a key is ready or ``timeout`` seconds have passed, 0 for ever. Without keys it is for
        whoever has halted it to ``release`` it and reply."""
        index = session.db.index
        places = [(index, key) for key in dict.fromkeys(keys)]
        waiter = session.waiter = Waiter(session, places, serve, on_timeout, wants, grows)
        if grows:
            self._growing.update(places)
        for place in places:
            self._queues.setdefault(place, OrderedDict())[waiter] = None
        if timeout:
            waiter.timer = self._core.host.call_later(timeout, lambda: self._time_out(waiter))
        self.count += 1
        self._curious += wants is None
        if places and not self._core.serving:
            self._core.serving = True
            self._core.shape.observe("blocked clients")
            self._core.tables.refresh()
        return HALT

    def changed(self, place: Place, event: Event) -> None:
        """A key has changed. Whoever waits for a list or a sorted set waits for a new one: with Redis, what happens to
        one that is there wakes nobody, even where it has just taken the place of another value (SORT STORE), but for
        those who need more of it than there was."""
        if place in self._queues and (
            event is NEW_KEY
            or (event.kind and not event.kind & _WAKES_NOBODY)
            or (event.kind & LIST and self._growing[place])
        ):
            self.ready[place] = None

    def changed_all(self, index: int) -> None:
        """A whole database has been emptied or exchanged."""
        for place in self._queues:
            if place[0] == index:
                self.ready[place] = None

    def keys(self) -> int:
        """How many keys somebody waits for."""
        return len(self._queues)

    def keys_on_nokey(self) -> int:
        """For how many of them somebody also waits for their end."""
        return sum(any(waiter.wants is None for waiter in queue) for queue in self._queues.values())

    def serve_ready(self) -> None:
        """Serve whoever waits for keys that have become ready."""
        while self.ready:
            place = next(iter(self.ready))
            del self.ready[place]
            if place in self._queues:
                self._serve_queue(self._queues[place], *place)

    def _serve_queue(self, queue: OrderedDict[Waiter, None], index: int, key: bytes) -> None:
        """Serve those who wait for a key, until it holds nothing any more."""
        database = self._core.keyspace.databases[index]
        database.expires_at(key)  # where the key has expired it goes, which is told before anybody is served
        while queue and self._serve(next(iter(queue)), key, database.peek(key)):
            pass
        if database.peek(key) is None and not self._curious:
            return
        for waiter in list(queue)[1:]:  # the first one waits for another kind of value, or for more
            self._serve(waiter, key, database.peek(key))

    def _serve(self, waiter: Waiter, key: bytes, value: Any) -> bool:
        """Serve one client, if the value of the key is what it waits for. Whether it was."""
        if waiter.wants is not None and not isinstance(value, waiter.wants):
            return False
        session, feed = waiter.session, self._core.feed
        begin = self._core.host.ticks() if waiter.call is not None else 0.0
        session.answering = True  # what it hears of its own doing follows the reply
        try:
            if session.guard is not None:
                self._demand(session)
            answer = feed.served(waiter, key) if feed.active else waiter.serve(key)
        except RedisError as error:
            answer = error.with_traceback(None)  # whose frames would refer to the answer: a cycle
        except Exception as error:
            self._core.report_failure("serving a blocked client", error)
            answer = RedisError(b"ERR internal error, see the server's log")
        session.answering = False
        if answer is not NOT_READY:
            self.release(waiter)
            if waiter.call is not None:
                self._note(waiter.call, session, self._core.host.ticks() - begin)
            session.reply(answer)
        session.push_late()
        return answer is not NOT_READY

    def _demand(self, session: Session) -> None:
        """Refuse what a client waits for, if its user may not do it any more.

        Raises Rejection.
        """
        argv = session.halted_by
        row = self._core.row(argv[0]) if argv else None
        if row is not None:
            self._core.access.demand(session, row.command, argv)

    def _note(self, call: tuple[Row, list[bytes]], session: Session, seconds: float) -> None:
        if seconds >= self._core.note_from:
            self._core.note_slow(session, *call, seconds)

    def _time_out(self, waiter: Waiter) -> None:
        if waiter.session.waiter is waiter:
            self.release(waiter)
            waiter.session.reply(waiter.on_timeout)

    def unblock(self, session: Session, error: RedisError | None) -> bool:
        """End a session's waiting, as if its time were over or with an error. Whether it was waiting."""
        waiter = session.waiter
        if waiter is None:
            return False
        self.release(waiter)
        session.reply(waiter.on_timeout if error is None else error)
        return True

    def unblock_all(self) -> None:
        """The server has become a follower: who waits for writes waits in vain, and must look for the new leader."""
        for session in list(self._core.sessions.values()):
            if session.waiter is not None:
                self.release(session.waiter)
                session.reply(RedisError(_ROLE_CHANGED))
                session.close()

    def forget(self, session: Session) -> None:
        """A client has gone."""
        if session.waiter is not None:
            self.release(session.waiter)

    def release(self, waiter: Waiter) -> None:
        """Take a client out of all queues."""
        for place in waiter.places:
            queue = self._queues[place]
            del queue[waiter]
            if not queue:
                del self._queues[place]
        if waiter.timer is not None:
            waiter.timer.cancel()
        waiter.session.waiter = None
        if waiter.grows:
            self._growing -= Counter(waiter.places)
        self.count -= 1
        self._curious -= waiter.wants is None

    def rest(self) -> None:
        """Stop observing where nobody has waited for a while; called by maintenance."""
        if self._core.serving and not self.count:
            self._core.serving = False
            self.ready.clear()
            self._core.shape.unobserve("blocked clients")
            self._core.tables.refresh()

    def _check(self) -> None:
        """Assert that queues and sessions agree."""
        waiters = {waiter for queue in self._queues.values() for waiter in queue}
        waiters |= {each.waiter for each in self._core.sessions.values() if each.waiter and not each.waiter.places}
        assert len(waiters) == self.count
        assert len([waiter for waiter in waiters if waiter.wants is None]) == self._curious
        assert self._growing == Counter(place for waiter in waiters if waiter.grows for place in waiter.places)
        for waiter in waiters:
            assert waiter.session.waiter is waiter
            assert all(waiter in self._queues[place] for place in waiter.places)
