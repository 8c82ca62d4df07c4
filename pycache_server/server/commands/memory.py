"""MEMORY: DOCTOR, MALLOC-STATS, PURGE, STATS, USAGE."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, Any

from pycache_server.commands.args import Options, integer
from pycache_server.commands.registry import READONLY, Family
from pycache_server.errors import BadSyntax
from pycache_server.resp.encode import OK, Verbatim
from pycache_server.server.memory import EMPTY
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
        b"startup.allocated": EMPTY,
        b"replication.backlog": 0,
        b"clients.slaves": 0,
        b"clients.normal": sum(client.link.buffered() + client.parser.held() for client in core.sessions.values()),
        b"cluster.links": 0,
        b"aof.buffer": 0,
        b"lua.caches": 0,
        b"functions.caches": 0,
    }
    overhead = EMPTY
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
        b"overhead.db.hashtable.lut": overhead - EMPTY,
        b"overhead.db.hashtable.rehashing": 0,
        b"db.dict.rehashing.count": 0,
        b"overhead.total": overhead,
        b"keys.count": keys,
        b"keys.bytes-per-key": used // keys if keys else 0,
        b"dataset.bytes": data,
        b"dataset.percentage": 100.0 * data / used if used else 0.0,
        b"peak.percentage": 100.0 * used / peak if peak else 100.0,
        b"allocator.allocated": 0,
        b"allocator.active": 0,
        b"allocator.resident": 0,
        b"allocator.muzzy": 0,
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


_REPORT_TIPS = ("nondeterministic_output", "request_policy:all_shards", "response_policy:special")


@command("MEMORY MALLOC-STATS", since="4.0.0", tips=_REPORT_TIPS)
def memory_malloc_stats(session: Session, argv: list[bytes]) -> Verbatim:
    """Return what CPython tells of its allocator and its garbage collector."""
    app: App = session.core.owner
    lines = [
        "___ Begin CPython statistics ___",
        f"Version: {sys.version.split()[0]}",
        f"Allocated blocks: {sys.getallocatedblocks()}",
        f"Resident bytes: {app.memory.resident()}",
        f"Frozen objects: {gc.get_freeze_count()}",
    ]
    for number, (count, stats) in enumerate(zip(gc.get_count(), gc.get_stats(), strict=True)):
        figures = ", ".join(f"{value} {name}" for name, value in stats.items())
        lines.append(f"Generation {number}: {count} new, {figures}")
    return Verbatim("\n".join([*lines, "--- End CPython statistics ---", ""]).encode())


_LITTLE = 5 << 20
_BIG_BUFFERS = 200 << 10
_MUCH_LOST = 10 << 20


@command("MEMORY DOCTOR", since="4.0.0", tips=_REPORT_TIPS)
def memory_doctor(session: Session, argv: list[bytes]) -> Verbatim:
    """Tell what seems to be wrong with the server's memory."""
    core, app = session.core, session.core.owner
    used, resident = app.memory.used(), app.memory.resident() - app.memory.startup
    if used < _LITTLE:
        return Verbatim(_NOTHING_TO_SEE)
    clients = core.sessions.values()
    findings = []
    if core.peak_memory > used * 1.5:
        findings.append(_PEAK)
    if resident > used * 1.4 and resident - used > _MUCH_LOST:
        findings.append(_LOST)
    if sum(client.link.buffered() for client in clients) > _BIG_BUFFERS * len(clients):
        findings.append(_BUFFERS)
    if not findings:
        return Verbatim(_HEALTHY)
    text = "".join(f" * {each}\n\n" for each in findings)
    return Verbatim(
        b"Sam, I detected a few issues in this Redis instance memory implants:\n\n"
        + text.encode()
        + b"I'm here to keep you safe, Sam. I want to help you.\n"
    )


_NOTHING_TO_SEE = (
    b"Hi Sam, this instance is empty or is using very little memory, my issues detector can't be used in these "
    b"conditions. Please, leave for your mission on Earth and fill it with some data. The new Sam and I will be back "
    b"to our programming as soon as I finished rebooting.\n"
)
_HEALTHY = b"Hi Sam, I can't find any memory issue in your instance. I can only account for what occurs on this base.\n"
_PEAK = (
    "Peak memory: In the past this instance used more than 150% the memory that is currently using. CPython gives "
    "memory back only when nothing at all is left in an arena, so the process may stay larger than its data; new data "
    "will fill the room."
)
_LOST = (
    "High total RSS: The process is larger than its data by more than 40 percent. If there was a peak (see above), "
    "that is harmless. Otherwise many objects of one size have been replaced by such of another; MEMORY PURGE looks "
    "for what nobody refers to, and a restart packs everything anew."
)
_BUFFERS = (
    "Big client buffers: The clients output buffers in this instance are greater than 200K per client (on average). "
    "Subscribers that do not read as fast as they are sent to, large replies and long pipelines do that. CLIENT LIST "
    "shows whose they are."
)
