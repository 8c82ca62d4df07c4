"""What INFO replication and GROUP INFO say of a voter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pycache_server.server.group.recalling import end_of

if TYPE_CHECKING:
    from pycache_server.server.group.group import Group


def info_of(group: Group) -> Iterator[tuple[str, Any]]:
    """What INFO replication says of the group, and GROUP INFO."""
    begun = group.has_begun
    yield "sync_state", group.sync_state
    yield "group_seat", group.seat
    yield "group_voters", ",".join(group.voters)
    yield "group_leader", group.leader or ""
    yield "group_preferred_leader", group.app.settings["preferred-leader"]
    yield "group_epoch", group.epoch
    yield "group_commit_offset", group.member.log.commit if begun else 0
    yield "group_end_offset", group.end
    yield from _found(group)
    yield "group_ack_level", group.app.settings["repl-ack"]
    yield "group_ack_latency_ms", f"{group.replies.waited * 1000:.3f}"
    yield "group_replies_held", group.app.outbox.held()
    yield "group_replies_cut_off", group.replies.cut_off
    yield "group_refused_messages", group.post.refused
    yield "group_refused_links", group.links.strangers
    yield "group_problem", group.problem
    yield "group_waits", group.waiting.text() if begun else ""
    if begun:
        yield from group.coordinator.fields()


def _found(group: Group) -> Iterator[tuple[str, Any]]:
    """How far the data reach that were found at the start and do not count, by which an operator chooses one of several
    voters that have lost their memory: first by the epoch, then by the offset."""
    remains = group.journal.remains
    if remains is not None:
        last = [entry.epoch for entry in remains.entries[-1:]] or [row[0] for row in remains.table[-1:]] or [0]
        yield "group_found_epoch", last[0]
        yield "group_found_offset", end_of(remains)
