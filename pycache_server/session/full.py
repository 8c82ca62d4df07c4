"""What stands before commands that write while memory is limited (session/room.py): room is made, or they are refused.

It is in front of every write, so that what is true nearly always is decided in the frame that calls the command; and
SET, which is most of what is written to a cache, is done in that frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycache_server.commands.registry import Command, Flag, Handler
from pycache_server.commands.strings import SET, set_
from pycache_server.errors import OutOfMemory
from pycache_server.resp.encode import OK
from pycache_server.session.rows import Row

if TYPE_CHECKING:
    from pycache_server.session.core import Core
    from pycache_server.session.session import Session


def needs_room(command: Command) -> bool:
    """Whether there has to be room before a command: it writes."""
    return bool(command.flags & {Flag.DENYOOM, Flag.WRITE}) or command.name == "exec"


def limited(call: Handler, row: Row, core: Core) -> Handler:
    """The memory gate alone in front of a command that is executed by ``call``."""
    if core.shape.limited:
        return _behind_limits(call, row, core)
    if call is set_:
        return _limited_set(row, core)
    keyspace = core.keyspace

    def run(session: Session, argv: list[bytes]) -> Any:
        if keyspace.held > keyspace.maxmemory:
            memory_gate(session, row, argv)
        return call(session, argv)

    return run


def _limited_set(row: Row, core: Core) -> Handler:
    """The same for SET, and what it does without options."""
    keyspace = core.keyspace

    def run(session: Session, argv: list[bytes]) -> Any:
        if keyspace.held > keyspace.maxmemory:
            memory_gate(session, row, argv)
        if len(argv) == 3:
            session.db.put(argv[1], argv[2], SET)
            return OK
        return set_(session, argv)

    return run


def _behind_limits(call: Handler, row: Row, core: Core) -> Handler:
    """The same where parts of the keyspace have limits of their own."""
    keyspace = core.keyspace

    def run(session: Session, argv: list[bytes]) -> Any:
        if keyspace.crowded or (keyspace.maxmemory and keyspace.held > keyspace.maxmemory):
            memory_gate(session, row, argv)
        return call(session, argv)

    return run


def memory_gate(session: Session, row: Row, argv: list[bytes]) -> Any:
    """Make room before a command that writes; refuse one that may need some where that cannot be done.

    Raises OutOfMemory."""
    room, keyspace = session.core.room, session.keyspace
    if keyspace.crowded:
        room.trim()
    able = room.make()
    if able and not keyspace.crowded:
        return
    commands = [(row, argv)]
    if row.command.name == "exec":
        commands = session.transaction.queued if session.transaction is not None else []
    for each, words in commands:
        if Flag.DENYOOM in each.command.flags and not (able and _have_room(session, each, words)):
            raise OutOfMemory


def _have_room(session: Session, row: Row, argv: list[bytes]) -> bool:
    """Whether the keys of a command are in no part of the keyspace that is full and gives up nothing."""
    places = row.command.find_keys(argv) or []
    return not session.core.room.is_full(session.db, [argv[index] for index, _ in places])
