"""Snapshots on their way to replicas: streamed as they are made, or made as a file and then sent.

A streamed snapshot goes to all replicas that wait, piece by piece as it comes. One that reads slowly has a queue of
its own (the pieces are the same objects for all), and the others go on, until WINDOW bytes wait for the slowest: then
the snapshot pauses. Whoever takes nothing for repl-timeout is dropped, and the others go on. Its end is a mark that was
told in front; a replica says by its first ACK that it has seen it.

A file is sent in pieces, too, as fast as each replica reads, and never held in memory. It has no name any more while it
is sent.
"""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pycache_server.persist.opcodes import Aux
from pycache_server.persist.saving import Saving
from pycache_server.repl.replica import State
from pycache_server.server import snapshots
from pycache_server.server.snapshots import REPLICAS, Snapshot
from pycache_server.session.host import Refused
from pycache_server.session.leading import ReplicaLink, Sync

if TYPE_CHECKING:
    from pycache_server.server.app import App

WINDOW: Final = 16 << 20
"""Bytes that the slowest replica of a streamed snapshot may be behind."""
PIECE: Final = 64 * 1024
AT_ONCE: Final = 16
"""Pieces of a file that are sent to one replica before others have their turn."""


class Deliveries:
    """What makes and sends snapshots to the replicas of one server."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._transfers: list[ToReplica] = []
        self._number = 0

    def start(self, sync: Sync) -> None:
        """See leading.Snapshots."""
        app = self._app
        if app.snapshots.running is not None:
            raise Refused("another snapshot is being made")
        app.log.write(
            "notice", f"Starting BGSAVE for SYNC with target: {'replicas sockets' if sync.streamed else 'disk'}"
        )
        if not sync.keeps_field_times and any(each.fields.size for each in app.core.keyspace.databases):
            app.log.write(
                "warning",
                "Replicas that do not tell of version 7.4 get hashes without the times to live of their fields",
            )
        if sync.filtered:
            self._send_part(sync)
            return
        if sync.streamed:
            Streamed(app, self, sync)
        else:
            self._number += 1
            Filed(app, self, sync, self._number)

    def _send_part(self, sync: Sync) -> None:
        """A snapshot without keys, which is small: the functions at most."""
        app = self._app
        sync.begin()
        saving = Saving(app.core.keyspace, app.settings["rdbchecksum"])
        functions = app.snapshots.functions() if sync.with_functions else []
        aux = app.snapshots.aux()
        data, mark = saving.head(aux, functions) + saving.foot(), app.host.token(40)
        for link in list(sync.links):
            link.write(b"$EOF:" + mark + b"\r\n" + data + mark)
            sync.deliver(link)
        sync.end()

    def add(self, transfer: ToReplica) -> None:
        """A transfer begins."""
        transfer.link.transfer = transfer
        transfer.moved_at = self._app.core.host.ticks()
        self._transfers.append(transfer)

    def remove(self, transfer: ToReplica) -> None:
        """A transfer has ended."""
        if transfer in self._transfers:
            self._transfers.remove(transfer)

    def tick(self) -> None:
        """Drop the replicas that have taken nothing for too long, and yet there is something for them."""
        now, longest = self._app.core.host.ticks(), self._app.settings["repl-timeout"]
        for transfer in list(self._transfers):
            if transfer.has_more and now - transfer.moved_at > longest:
                name = transfer.link.replica.name
                self._app.log.write("warning", f"Disconnecting timedout replica (full sync): {name}")
                transfer.link.session.abort()


class ToReplica:
    """A snapshot on its way to one replica."""

    def __init__(self, deliveries: Deliveries, link: ReplicaLink) -> None:
        self.deliveries = deliveries
        self.link = link
        self.moved_at = 0.0
        """When it has taken something, in ticks."""

    @property
    def has_more(self) -> bool:
        """Whether something waits for it."""
        raise NotImplementedError

    def go_on(self) -> None:
        """See Transfer."""
        raise NotImplementedError

    def abandon(self) -> None:
        """See Transfer."""
        raise NotImplementedError

    def send(self, data: bytes) -> None:
        """Write a piece."""
        self.link.write(data)
        self.moved_at = self.link.session.core.host.ticks()


class Streamed:
    """A snapshot that is sent while it is made."""

    def __init__(self, app: App, deliveries: Deliveries, sync: Sync) -> None:
        self._app = app
        self._deliveries = deliveries
        self.sync = sync
        self._mark = app.host.token(40)
        self._receivers: list[_Receiver] = []
        self._snapshot: Snapshot | None = None
        self._made = False
        self._paused = False
        try:
            self._snapshot = app.snapshots.start(
                self._take, REPLICAS, self._on_end, self._on_begin, not sync.keeps_field_times
            )
        except snapshots.Refused as refusal:
            raise OSError(str(refusal)) from None

    def _on_begin(self) -> list[Aux]:
        self.sync.begin()
        for link in self.sync.links:
            receiver = _Receiver(self._deliveries, link, self)
            self._receivers.append(receiver)
            self._deliveries.add(receiver)
            receiver.send(b"$EOF:" + self._mark + b"\r\n")
        return self._app.core.replication.position()

    def _take(self, data: bytes) -> None:
        """The snapshot goes on."""
        for receiver in self._receivers:
            receiver.take(data)
        self.look()

    def look(self) -> None:
        """Let the snapshot wait for the slowest, or go on."""
        behind = max((receiver.waiting for receiver in self._receivers), default=0)
        if self._snapshot is None or self._made:
            return
        if behind > WINDOW and not self._paused:
            self._paused = True
            self._snapshot.pause()
        elif behind <= WINDOW // 2 and self._paused:
            self._paused = False
            self._snapshot.resume()

    def lose(self, receiver: _Receiver) -> None:
        """A replica has gone."""
        self._receivers.remove(receiver)
        if not self._receivers and self._snapshot is not None and not self._made:
            self._app.log.write("warning", "Diskless rdb transfer, last replica dropped, killing fork child.")
            self._snapshot.abort()
        self.look()

    def _on_end(self, snapshot: Snapshot) -> None:
        self._made = True
        if snapshot.error:
            self._app.log.write("warning", f"Background transfer error: {snapshot.error}")
            self.sync.fail()
            return
        count = len(self._receivers)
        self._app.log.write("notice", f"Diskless rdb transfer, done reading from pipe, {count} replicas still up.")
        self.sync.end()
        for receiver in list(self._receivers):
            receiver.finish(self._mark)


class _Receiver(ToReplica):
    """A streamed snapshot on its way to one replica."""

    def __init__(self, deliveries: Deliveries, link: ReplicaLink, stream: Streamed) -> None:
        super().__init__(deliveries, link)
        self._stream = stream
        self._queue: deque[bytes] = deque()
        self.waiting = 0
        """Bytes that it has not been sent."""
        self._complete = False

    @property
    def has_more(self) -> bool:
        """See ToReplica."""
        return bool(self._queue)

    def take(self, data: bytes) -> None:
        """The snapshot goes on."""
        if self._queue or self.link.session.congested:
            self._queue.append(data)
            self.waiting += len(data)
        else:
            self.send(data)

    def finish(self, mark: bytes) -> None:
        """The snapshot is made; its end is a mark."""
        self._complete = True
        self.take(mark)
        self._look()

    def go_on(self) -> None:
        """See Transfer."""
        while self._queue and not self.link.session.congested:
            data = self._queue.popleft()
            self.waiting -= len(data)
            self.send(data)
        self._stream.look()
        self._look()

    def _look(self) -> None:
        if self._complete and not self._queue:
            self._complete = False
            self.deliveries.remove(self)
            self._stream.sync.deliver(self.link)

    def abandon(self) -> None:
        """See Transfer."""
        self.deliveries.remove(self)
        self._queue.clear()
        self._stream.lose(self)


class Filed:
    """A snapshot that is made as a file, and then sent."""

    def __init__(self, app: App, deliveries: Deliveries, sync: Sync, number: int) -> None:
        self._app = app
        self._deliveries = deliveries
        self._sync = sync
        self._path = Path(app.settings["dir"], f"temp-sync-{os.getpid()}-{number}.rdb")
        try:
            app.snapshots.start(self._path, REPLICAS, self._on_end, self._on_begin, not sync.keeps_field_times)
        except snapshots.Refused as refusal:
            raise OSError(str(refusal)) from None

    def _on_begin(self) -> list[Aux]:
        self._sync.begin()
        return self._app.core.replication.position()

    def _on_end(self, snapshot: Snapshot) -> None:
        log = self._app.log.write
        if snapshot.error:
            log("warning", f"Background saving error: {snapshot.error}")
            self._sync.fail()
            return
        log("notice", "Background saving terminated with success")
        try:
            for link in list(self._sync.links):
                self._deliveries.add(_FileTo(self._deliveries, link, self._sync, self._path))
            self._path.unlink()
        except OSError as error:
            log("warning", f"SYNC failed. Can't open/stat DB after BGSAVE: {error.strerror or error}")
            self._sync.fail()
            return
        self._sync.end()
        for link in list(self._sync.links):
            if link.transfer is not None:
                link.transfer.go_on()


class _FileTo(ToReplica):
    """A file on its way to one replica. Raises OSError where it cannot be opened."""

    def __init__(self, deliveries: Deliveries, link: ReplicaLink, sync: Sync, path: Path) -> None:
        super().__init__(deliveries, link)
        self._sync = sync
        self._file = path.open("rb", buffering=0)
        size = os.fstat(self._file.fileno()).st_size
        self._planned = False
        link.replica.state = State.SEND_BULK
        self.send(b"$%d\r\n" % size)

    @property
    def has_more(self) -> bool:
        """See ToReplica."""
        return not self._file.closed

    def go_on(self) -> None:
        """See Transfer."""
        self._planned = False
        for _ in range(AT_ONCE):
            if self._file.closed or self.link.session.congested:
                return
            try:
                data = self._file.read(PIECE)
            except OSError as error:
                self.link.session.core.host.log("warning", f"Read error sending DB to replica: {error}")
                self.link.session.abort()
                return
            if not data:
                self._close()
                self._sync.deliver(self.link)
                return
            self.send(data)
        if not self._planned:
            self._planned = True
            self.link.session.core.host.defer(self.go_on)

    def _close(self) -> None:
        self.deliveries.remove(self)
        self._file.close()

    def abandon(self) -> None:
        """See Transfer."""
        self._close()
