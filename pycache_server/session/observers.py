"""Who hears of changes to keys: WATCH, blocked clients, keyspace events, clients that track.

The databases tell (store/observed.py) only while one of them has a reason; each registers its own with the shape.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycache_server.store.database import Database
from pycache_server.store.events import KEY_MISS, KEYEVENT, KEYSPACE, NEW, QUIET, WAKING, Event
from pycache_server.store.strings import STRING_TYPES, as_bytes

if TYPE_CHECKING:
    from pycache_server.session.core import Core
    from pycache_server.session.session import Session

_NO_CHANGES = KEY_MISS | NEW | QUIET | WAKING
"""Events that do not change a value, as WATCH sees it."""


class Observers:
    """The one Observer of a keyspace, which passes changes on."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._watchers: dict[tuple[int, bytes], dict[Session, None]] = {}
        self.flags = 0
        """notify-keyspace-events, as in store/events.py."""
        self.value_bytes = 0
        """notify-value-max-bytes."""
        self.tracking = False
        """Whether clients must hear when keys change that they have read."""

    # WATCH

    def watch(self, session: Session, key: bytes) -> None:
        """Let a session's transaction fail if the key changes."""
        place = (session.db.index, key)
        if place in session.watched:
            return
        if not self._watchers:
            self._core.shape.observe("watch")
        entry = session.db.stored_entry(key)
        session.watched[place] = entry is not None and entry.expires <= self._core.clock.now()
        self._watchers.setdefault(place, {})[session] = None

    def unwatch(self, session: Session) -> None:
        """Forget what a session watches."""
        for place in session.watched:
            watchers = self._watchers[place]
            del watchers[session]
            if not watchers:
                del self._watchers[place]
        session.watched.clear()
        if not self._watchers:
            self._core.shape.unobserve("watch")

    def has_expired(self, session: Session) -> bool:
        """Whether a watched key has expired since it was watched."""
        now = self._core.clock.now()
        for (index, key), expired_before in session.watched.items():
            entry = self._core.keyspace.databases[index].stored_entry(key)
            if not expired_before and entry is not None and entry.expires <= now:
                return True
        return False

    def forget(self, session: Session) -> None:
        """A client has gone."""
        if session.watched:
            self.unwatch(session)

    # Keyspace events

    def notify(self, flags: int) -> None:
        """Announce the events that ``flags`` selects; none without ``K`` or ``E``."""
        self.flags = flags
        if flags & (KEYSPACE | KEYEVENT) and flags & ~(KEYSPACE | KEYEVENT):
            self._core.shape.observe("events")
        else:
            self._core.shape.unobserve("events")

    def notify_values(self, limit: int) -> None:
        """Publish the values of strings of up to ``limit`` bytes that expire or are evicted; none where it is 0. A
        subscriber gets the value as the message, and the key behind the event in the channel's name:
        ``__keyvalue@0__:expired:session:17``."""
        self.value_bytes = limit
        if limit:
            self._core.shape.observe("values")
        else:
            self._core.shape.unobserve("values")

    def _announce(self, database: Database, key: bytes, event: Event) -> None:
        publish = self._core.pubsub.publish
        if self.flags & KEYSPACE:
            publish(b"__keyspace@%d__:%b" % (database.index, key), event.name)
        if self.flags & KEYEVENT:
            publish(b"__keyevent@%d__:%b" % (database.index, event.name), key)

    # Tracking

    def track(self, on: bool) -> None:
        """Tell those who track of changes, or stop."""
        self.tracking = on
        if on:
            self._core.shape.observe("tracking")
        else:
            self._core.shape.unobserve("tracking")

    # Observer

    def changed(self, database: Database, key: bytes, event: Event) -> None:
        """See store/observed.py."""
        place = (database.index, key)
        changes = event.kind and not event.kind & _NO_CHANGES
        if changes and place in self._watchers:
            self._touch(database, place)
        if changes and self.tracking:
            self._core.tracking.changed(key, event)
        if self._core.serving:
            self._core.blocking.changed(place, event)
        if self.flags & event.kind:
            self._announce(database, key, event)

    def lost(self, database: Database, key: bytes, value: Any, event: Event) -> None:
        """See store/observed.py."""
        if self.value_bytes and type(value) in STRING_TYPES:
            text = as_bytes(value)
            if len(text) <= self.value_bytes:
                self._core.pubsub.publish(b"__keyvalue@%d__:%b:%b" % (database.index, event.name, key), text)

    def flushed(self, database: Database) -> None:
        """See store/observed.py."""
        for place in self._watchers:
            if place[0] == database.index and database.find(place[1]) is not None:
                self._touch(database, place)
        if self._core.serving:
            self._core.blocking.changed_all(database.index)

    def emptied(self) -> None:
        """See store/observed.py."""
        self._core.tracking.emptied()

    def swapped(self, first: Database, second: Database) -> None:
        """Two databases are about to be exchanged."""
        for index, key in self._watchers:
            if index in (first.index, second.index) and (first.find(key) is not None or second.find(key) is not None):
                self._touch(first if index == first.index else second, (index, key))
        if self._core.serving:
            for database in (first, second):
                self._core.blocking.changed_all(database.index)

    def _touch(self, database: Database, place: tuple[int, bytes]) -> None:
        for session in self._watchers[place]:
            if session.watched[place] and database.peek(place[1]) is None:
                session.watched[place] = False  # it had expired already: only a new value matters
                continue
            if session.transaction is not None:
                session.transaction.outdated = True
            session.outdated = True
