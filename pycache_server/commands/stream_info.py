"""XINFO: what a stream holds and remembers, its groups and their consumers.

Contents: XINFO CONSUMERS, GROUPS, STREAM.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from pycache_server.commands.args import integer, option_of
from pycache_server.commands.context import Context
from pycache_server.commands.registry import READONLY
from pycache_server.commands.stream_groups import no_group_of
from pycache_server.commands.streams import checked, family
from pycache_server.errors import NoSuchKey, bad_subcommand
from pycache_server.resp.encode import Entries
from pycache_server.store.groups import UNKNOWN, Consumer, Group
from pycache_server.store.stream import Stream
from pycache_server.store.stream_id import format_id

command = family.command

family.container("XINFO", since="5.0.0", summary="Commands that look into a stream.")


def _stream_at(session: Context, key: bytes) -> Stream:
    stream = checked(session.db.read(key))
    if stream is None:
        raise NoSuchKey
    return stream


@command(
    "XINFO CONSUMERS key group",
    READONLY,
    since="5.0.0",
    complexity="O(N), N = consumers",
    keys="RO ACCESS",
    tips=("nondeterministic_output",),
)
def xinfo_consumers(session: Context, argv: list[bytes]) -> list[dict[bytes, Any]]:
    """Tell of the consumers of a group."""
    group = _stream_at(session, argv[2]).group(argv[3])
    if group is None:
        raise no_group_of(argv[2], argv[3])
    now = session.keyspace.clock.today()
    return [
        {
            b"name": consumer.name,
            b"pending": consumer.pending,
            b"idle": max(now - consumer.seen_time, 0),
            b"inactive": consumer.active_time if consumer.active_time == UNKNOWN else now - consumer.active_time,
        }
        for consumer in group.in_order()
    ]


@command("XINFO GROUPS key", READONLY, since="5.0.0", complexity="O(N), N = groups", keys="RO ACCESS")
def xinfo_groups(session: Context, argv: list[bytes]) -> list[dict[bytes, Any]]:
    """Tell of the groups of a stream."""
    stream = _stream_at(session, argv[2])
    return [
        {
            b"name": name,
            b"consumers": len(group.consumers),
            b"pending": group.pending.length,
            b"last-delivered-id": format_id(group.last_id),
            b"entries-read": _known(group.entries_read),
            b"lag": group.lag(stream),
        }
        for name, group in stream.groups_in_order()
    ]


def _known(count: int) -> int | None:
    return None if count == UNKNOWN else count


@command("XINFO STREAM key [FULL [COUNT count]]", READONLY, since="5.0.0", keys="RO ACCESS")
def xinfo_stream(session: Context, argv: list[bytes]) -> dict[bytes, Any]:
    """Tell what a stream holds and remembers."""
    stream = _stream_at(session, argv[2])
    count = _full_count(argv)
    known: dict[bytes, Any] = {
        b"length": stream.length,
        b"radix-tree-keys": len(stream.nodes),
        b"radix-tree-nodes": stream.tree_nodes,
        b"last-generated-id": format_id(stream.last_id),
        b"max-deleted-entry-id": format_id(stream.max_deleted_id),
        b"entries-added": stream.added,
        b"recorded-first-entry-id": format_id(stream.first_live_id()),
    }
    if count is None:
        first, last = stream.range(count=1), stream.range(count=1, backwards=True)
        known[b"groups"] = 0 if stream.groups is None else len(stream.groups)
        known[b"first-entry"] = first[0] if first else None
        known[b"last-entry"] = last[0] if last else None
    else:
        known[b"entries"] = Entries(stream.range(count=count or None))
        known[b"groups"] = [_full_group(stream, name, group, count or None) for name, group in stream.groups_in_order()]
    return known


def _full_count(argv: list[bytes]) -> int | None:
    """How many entries XINFO STREAM FULL is to show, 0 for all; None without FULL.

    Raises RedisError.
    """
    options = list(map(option_of, argv[3:]))
    if not options:
        return None
    if options == [b"FULL"]:
        return 10
    if len(options) != 3 or options[:2] != [b"FULL", b"COUNT"]:
        raise bad_subcommand(argv)
    count = integer(argv[5])
    return count if count >= 0 else 10


def _full_group(stream: Stream, name: bytes, group: Group, count: int | None) -> dict[bytes, Any]:
    """Everything of a group, but no more than so many entries of each kind."""
    return {
        b"name": name,
        b"last-delivered-id": format_id(group.last_id),
        b"entries-read": _known(group.entries_read),
        b"lag": group.lag(stream),
        b"pel-count": group.pending.length,
        b"pending": [
            [format_id(entry.id), entry.consumer.name, entry.time, entry.deliveries]
            for entry in islice(group.pending.range(), count)
        ],
        b"consumers": [_full_consumer(group, consumer, count) for consumer in group.in_order()],
    }


def _full_consumer(group: Group, consumer: Consumer, count: int | None) -> dict[bytes, Any]:
    return {
        b"name": consumer.name,
        b"seen-time": consumer.seen_time,
        b"active-time": consumer.active_time,
        b"pel-count": consumer.pending,
        b"pending": [
            [format_id(entry.id), entry.time, entry.deliveries]
            for entry in islice(group.pending.range(consumer=consumer), count)
        ],
    }
