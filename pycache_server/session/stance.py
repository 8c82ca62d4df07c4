"""Which table of commands a client has: what state it is in decides, and every change of state asks here anew.

The tables and what they are for are told in modes.py. Those that wrap another stand in a fixed order, the outermost
last: what a client may not do is neither remembered nor answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pycache_server.session.rows import Table
    from pycache_server.session.session import Session


def table_for(session: Session) -> Table:
    """The table that a client's state asks for."""
    tables = session.core.tables
    if session.on_trial is not None:
        return tables.on_trial
    if session.is_replica:
        return tables.replicating(tables.normal)
    if not session.authenticated:
        table = tables.locked
    elif session.transaction is not None:
        table = tables.queueing
    elif session.is_restricted():
        table = tables.subscribed
    else:
        table = tables.normal
    if "monitor" in session.flags and (table is tables.normal or table is tables.queueing):
        table = tables.detached(table)
    if "no-touch" in session.flags:
        table = tables.untouching(table)
    if session.tracker is not None:
        table = tables.tracked(table)
    if session.silence:
        table = tables.silent(table)
    if session.resp == 3 and _hears(session):
        table = tables.listening(table)
    if session.guard is not None and session.authenticated:
        table = session.guard.table(table)
    return table


def _hears(session: Session) -> bool:
    """Whether messages may come to a client that it has not asked for."""
    return session.listens() or session.tracker is not None or session.id in session.core.tracking.targets
