"""What a voter executes that it has not decided: the committed entries of its leader, and images.

It is the ``Following`` of the node's replication (session/replication.py) while the voter does not lead: what ROLE and
INFO say, and who applies the stream. The keyspace is always at an offset of the history, that of
``core.replication.history``; a voter's own followers that are no voters (real replicas, too) get what was applied.

Entries end with database 0 selected, so that any of them can be the first that is applied.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pycache_server.rdb.reader import BadData
from pycache_server.repl.entries import Entry, Kind, replication_id
from pycache_server.repl.links import Image, Link
from pycache_server.server.group.dialing import address_of
from pycache_server.server.group.journal import Prepared
from pycache_server.server.intake import Intake
from pycache_server.session.applying import Applier, MasterSession
from pycache_server.session.host import NO_LINK

if TYPE_CHECKING:
    from pycache_server.server.group.group import Group


class GroupFollowing:
    """The following of one voter."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._app = group.app
        self._core = group.app.core
        self._applier: Applier | None = None
        self._session: MasterSession | None = None
        self._task: asyncio.Task[None] | None = None
        self.intake: Intake | None = None
        """An image that is being loaded."""
        self._prepared: Prepared | None = None
        self.received = 0
        """Bytes of the image that has come, or comes."""

    # Following

    @property
    def ignores_maxmemory(self) -> bool:
        """See Following."""
        return bool(self._app.settings["replica-ignore-maxmemory"])

    @property
    def stream_db(self) -> int:
        """See Following: entries end with database 0."""
        return 0

    @property
    def connected(self) -> bool:
        """See Following."""
        return self._group.serves_followers

    def acknowledge(self) -> None:
        """See Following: a voter acknowledges entries, by itself."""

    def role(self) -> list[Any]:
        """See Following."""
        host, port = self._leader()
        state = b"connected" if self._group.is_linked else b"connect"
        return [b"slave", host.encode(), port, state, self._core.replication.history.offset]

    def _leader(self) -> tuple[str, int]:
        leader = self._group.leader
        return address_of(leader) if leader and leader != self._group.seat else ("", 0)

    def info(self) -> Iterator[tuple[str, Any]]:
        """See Following."""
        settings, group = self._app.settings, self._group
        host, port = self._leader()
        offset = self._core.replication.history.offset
        yield "master_host", host
        yield "master_port", port
        yield "master_link_status", "up" if group.is_linked else "down"
        yield "master_last_io_seconds_ago", group.silence if group.is_linked else -1
        yield "master_sync_in_progress", int(self.intake is not None)
        yield "slave_read_repl_offset", group.end
        yield "slave_repl_offset", offset
        if not group.is_linked:
            yield "master_link_down_since_seconds", group.silence
        yield "slave_priority", settings["replica-priority"]
        yield "slave_read_only", 1
        yield "replica_announced", int(settings["replica-announced"])

    # Entries

    def begin(self) -> None:
        """Follow from now on: what comes is applied behind what the keyspace holds."""
        self._end_session()
        self._session = MasterSession(self._core, NO_LINK, "group:0", "")
        self._applier = Applier(self._core, self._session, lambda: None)

    def end(self) -> None:
        """Follow nobody any more."""
        self._end_session()
        self.give_up_image()

    def _end_session(self) -> None:
        if self._session is not None:
            self._session.on_lost()
        self._session = self._applier = None

    def execute(self, entries: tuple[Entry, ...]) -> None:
        """Apply committed entries.

        Raises LinkBroken where they cannot be.
        """
        parts: list[bytes] = []
        for entry in entries:
            if entry.kind is Kind.MARK:
                self._apply(parts)
                self._turn_over(entry)
            parts.append(entry.data)
        self._apply(parts)

    def _apply(self, parts: list[bytes]) -> None:
        if parts:
            if self._applier is None:
                self.begin()
            assert self._applier is not None
            self._applier.receive(parts[0] if len(parts) == 1 else b"".join(parts))
            parts.clear()

    def _turn_over(self, mark: Entry) -> None:
        """An epoch begins: the stream goes on under another id, of which those who follow this node must hear."""
        replication = self._core.replication
        replication.history.rotate(replication_id(mark))
        replication.drop_followers()

    # Images

    def load(self, link: Link, image: Image, on_loaded: Callable[[Image], None]) -> None:
        """Load an image beside the keyspace, while others go on, and say when it is there."""
        self.give_up_image()
        self.intake = image.data
        self.received = image.data.received
        self._app.log.write("notice", f"MASTER <-> REPLICA sync: Loading DB in memory ({self.received} bytes)")
        self._task = self._app.loop.create_task(self._load(link, image, on_loaded))

    async def _load(self, link: Link, image: Image, on_loaded: Callable[[Image], None]) -> None:
        group = self._group
        intake: Intake = image.data
        try:
            for _ in intake.load():
                group.hear_progress(link)
                await asyncio.sleep(0)
            if image.data.path is not None:
                self._prepared = await group.journal.prepare(image.data.path)
        except BadData as error:
            problem = f"{error.reason} at offset {error.offset}"
            self._app.log.write("warning", f"The image of {link.peer} is damaged: {problem}. The data set is as it was")
            group.refuse_image(link)
        except OSError as error:
            self._app.log.write("warning", f"The image of {link.peer} cannot be loaded: {error.strerror or error}")
            group.refuse_image(link)
        except Exception as error:
            self._core.report_failure("loading an image of the group", error)
            group.refuse_image(link)
        else:
            self._task = None
            on_loaded(image)
        finally:
            if self.intake is intake:
                intake.close()
                self.intake = None

    def give_up_image(self) -> None:
        """The image that is being loaded is not wanted any more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if self.intake is not None:
            self.intake.close()
            self.intake = None
        self._group.journal.discard(self.take_prepared())

    def take_prepared(self) -> Prepared | None:
        """The image as it is on the disk already, if it is: for who puts it into the place of the file."""
        prepared, self._prepared = self._prepared, None
        return prepared

    def install(self, image: Image) -> None:
        """The data set becomes that of an image that was loaded."""
        core, replication = self._core, self._core.replication
        core.clock.time = core.host.time()
        aux = image.data.install()
        replid = aux.get(b"repl-id", b"")
        replication.history.adopt(replid if len(replid) == 40 else core.host.token(40), image.end)
        replication.restart_backlog()
        self.begin()
        self._app.log.write("notice", "MASTER <-> REPLICA sync: Finished with success")
