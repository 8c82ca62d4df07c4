"""What becomes of references to entries of a stream that are deleted: of what is pending in its consumer groups.

They are kept, as they have always been; or they go with the entry; or an entry stays as long as a group refers to it:
while the group has not got as far as it, or it is pending there. An entry that stays may leave holes before it, which
count as deletions by themselves: see groups.py for the lag.
"""

from __future__ import annotations

from enum import Enum

from pycache_server.store.stream import Stream
from pycache_server.store.stream_node import Node


class Refs(Enum):
    """What to do with references, by the names of Redis's options."""

    KEEP = b"KEEPREF"
    DELETE = b"DELREF"
    ACKED = b"ACKED"


REFS = {refs.value: refs for refs in Refs}
"""Them by their names."""


def is_referenced(stream: Stream, number: int) -> bool:
    """Whether a group refers to an id: it has not been delivered to it yet, or not been acknowledged."""
    groups = () if stream.groups is None else stream.groups.values()
    return any(number > group.last_id or number in group.pending for group in groups)


def forget_references(stream: Stream, number: int) -> int:
    """Let an id be pending in no group any more. Returns in how many it was."""
    forgotten = 0
    for _, group in stream.groups_in_order():
        if number in group.pending:
            stream.settle(group)
            forgotten += group.pending.remove(number)
    return forgotten


def trim(
    stream: Stream,
    refs: Refs,
    by_id: bool,
    threshold: int,
    whole_nodes: bool,
    limit: int,
    gone: list[int] | None = None,
) -> tuple[int, bool]:
    """Drop the oldest entries, but for those that have to stay, until ``threshold`` are left, or those below it as an
    id; see Stream.trim_to_length. Returns how many, which go into ``gone``, and whether there are holes behind what
    stays."""
    dropped = place = 0
    hole = 0  # the last entry that was dropped behind one that stays
    stays = False
    while place < len(stream.nodes):
        node = stream.nodes[place]
        excess = 0 if by_id else stream.length - threshold
        goes = node.id_at(-1) < threshold if by_id else node.alive <= excess
        if (not by_id and excess <= 0) or (limit and dropped + node.alive > limit) or (whole_nodes and not goes):
            break
        for number in _below(node, threshold) if by_id else node.ids(node.front, len(node)):
            if not by_id and stream.length <= threshold:
                break
            if refs is Refs.ACKED and is_referenced(stream, number):
                stays = True
                continue
            if refs is Refs.DELETE:
                forget_references(stream, number)
            stream.take_out(number)
            dropped += 1
            if gone is not None:
                gone.append(number)
            hole = number if stays else hole
        if by_id and not goes:
            break
        place += place < len(stream.nodes) and stream.nodes[place] is node
    stream.max_deleted_id = max(stream.max_deleted_id, hole)
    return dropped, bool(hole)


def _below(node: Node, number: int) -> list[int]:
    return node.ids(node.front, max(node.place_of(number), node.front))
