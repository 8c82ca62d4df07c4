"""MEMORY: USAGE, STATS, PURGE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycache_server.commands.args import Options, integer
from pycache_server.commands.registry import READONLY, Family
from pycache_server.errors import BadSyntax
from pycache_server.resp.encode import OK
from pycache_server.store.memory import BUCKET_SHARE, size_of_key

if TYPE_CHECKING:
    from pycache_server.server.app import App
    from pycache_server.session.session import Session

family = Family("server")
command = family.command
family.container("MEMORY", since="4.0.0", help_since="4.0.0", summary="Commands that tell where the memory is.")


@command("MEMORY USAGE key [SAMPLES count]", READONLY, since="4.0.0", keys="RO")
def memory_usage(session: Session, argv: list[bytes]) -> int | None:
    """Return the bytes that a key and its value take; the account is exact, whatever number of samples is given."""
    options = Options(argv, 3)
    while (option := options.take()) is not None:
        if option != b"SAMPLES" or not options.left():
            options.fail()
        if integer(options.value()) < 0:
            raise BadSyntax
    value = session.db.peek(argv[2])
    return None if value is None else size_of_key(argv[2], value, session.db.entry(argv[2]))


@command(
    "MEMORY STATS",
    since="4.0.0",
    tips=("nondeterministic_output", "request_policy:all_shards", "response_policy:special"),
)
def memory_stats(session: Session, argv: list[bytes]) -> dict[bytes, Any]:
    """Return where the server's memory is, as far as Python can tell."""
    core, app = session.core, session.core.owner
    resident, used = app.memory.resident(), app.memory.used()
    keys = sum(database.live_size() for database in core.keyspace.databases)
    peak = max(core.peak_memory, used)
    stats: dict[bytes, Any] = {
        b"peak.allocated": peak,
        b"total.allocated": used,
        b"startup.allocated": 0,
        b"replication.backlog": 0,
        b"clients.slaves": 0,
        b"clients.normal": sum(client.link.buffered() + client.parser.held() for client in core.sessions.values()),
        b"cluster.links": 0,
        b"aof.buffer": 0,
        b"lua.caches": 0,
        b"functions.caches": 0,
    }
    overhead = 0
    for database in core.keyspace.databases:
        if database.size:
            main = database.size * BUCKET_SHARE
            overhead += main
            stats[b"db.%d" % database.index] = {
                b"overhead.hashtable.main": main,
                b"overhead.hashtable.expires": 0,
                b"overhead.hashtable.slot-to-keys": 0,
            }
    data = max(0, used - overhead)
    stats |= {
        b"overhead.total": overhead,
        b"keys.count": keys,
        b"keys.bytes-per-key": used // keys if keys else 0,
        b"dataset.bytes": data,
        b"dataset.percentage": 100.0 * data / used if used else 0.0,
        b"peak.percentage": 100.0 * used / peak if peak else 100.0,
        b"allocator.allocated": 0,
        b"allocator.active": 0,
        b"allocator.resident": 0,
        b"allocator-fragmentation.ratio": 0.0,
        b"allocator-fragmentation.bytes": 0,
        b"allocator-rss.ratio": 0.0,
        b"allocator-rss.bytes": 0,
        b"rss-overhead.ratio": 0.0,
        b"rss-overhead.bytes": 0,
        b"fragmentation": resident / used if used else 0.0,
        b"fragmentation.bytes": resident - used,
    }
    return stats


@command("MEMORY PURGE", since="4.0.0", tips=("request_policy:all_shards", "response_policy:all_succeeded"))
def memory_purge(session: Session, argv: list[bytes]) -> Any:
    """Look for unreachable reference cycles among everything; takes as long as that takes."""
    app: App = session.core.owner
    if app.collector is not None:
        app.log.write("notice", f"MEMORY PURGE freed {app.collector.purge()} objects")
    if app.spare is not None:
        app.spare.give_back()
    return OK
