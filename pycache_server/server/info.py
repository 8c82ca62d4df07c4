"""INFO: every section and field name of Redis 7, with true figures.

A section is a function that gives its fields in order. What only an allocator could tell is 0, as is what
belongs to features that this version does not have; those rows stand here too, because exporters and dashboards ask for
them by name. Our own fields begin with ``pycache_``.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pycache_server import REDIS_VERSION, __version__
from pycache_server.acl.selector import DENIED_AUTH, DENIED_CHANNEL, DENIED_COMMAND, DENIED_KEY
from pycache_server.evict.base import NO_EVICTION
from pycache_server.server.group.report import info_of
from pycache_server.server.memory import EMPTY
from pycache_server.store.expiry import mean_time_left
from pycache_server.store.limits import LimitedDatabase

if TYPE_CHECKING:
    from pycache_server.server.app import App
    from pycache_server.session.core import Core

Fields = Iterator[tuple[str, Any]]


def render(app: App, wanted: list[str]) -> str:
    """The text of INFO for the names of sections that were asked for, in lower case; none means the default ones."""
    names = _selected(wanted)
    parts = []
    for name, (title, fields) in SECTIONS.items():
        if name in names:
            lines = [f"# {title}", *(f"{field}:{value}" for field, value in fields(app))]
            parts.append("\r\n".join(lines) + "\r\n")
    return "\r\n".join(parts)


def _selected(wanted: list[str]) -> set[str]:
    names: set[str] = set()
    for name in wanted or ["default"]:
        if name in ("all", "everything"):
            names |= SECTIONS.keys()
        elif name == "default":
            names |= SECTIONS.keys() - _NOT_BY_DEFAULT
        elif name in SECTIONS:
            names.add(name)
    return names


def _server(app: App) -> Fields:
    now = app.host.time()
    uptime = int(now - app.started_at)
    yield "redis_version", REDIS_VERSION
    yield "redis_git_sha1", "00000000"
    yield "redis_git_dirty", 0
    yield "redis_build_id", f"pycache-{__version__}"
    yield "redis_mode", app.mode
    yield "os", f"{platform.system()} {platform.release()} {platform.machine()}"
    yield "arch_bits", 64 if sys.maxsize > 2**32 else 32
    yield "monotonic_clock", "POSIX clock_gettime"
    yield "multiplexing_api", app.loop_name
    yield "atomicvar_api", "none"
    yield "gcc_version", "0.0.0"
    yield "process_id", os.getpid()
    yield "process_supervised", app.settings["supervised"]
    yield "run_id", app.run_id
    yield "tcp_port", app.port
    yield "server_time_usec", int(now * 1e6)
    yield "uptime_in_seconds", uptime
    yield "uptime_in_days", uptime // 86400
    yield "hz", app.settings["hz"]
    yield "configured_hz", app.settings["hz"]
    yield "lru_clock", int(now) & (2**24 - 1)
    yield "executable", sys.executable
    yield "config_file", app.config_file
    yield "io_threads_active", 0
    if app.ending.waits:
        yield "shutdown_in_milliseconds", app.ending.milliseconds_left
    for number, listener in enumerate(app.listeners()):
        yield f"listener{number}", listener
    yield "server_name", "pycache"
    yield "pycache_version", __version__
    yield "python_version", platform.python_version()


def _clients(app: App) -> Fields:
    core = app.core
    sessions = list(core.sessions.values())
    yield "connected_clients", len(sessions) - len(core.replication.leading.links)
    yield "cluster_connections", 0
    yield "maxclients", app.settings["maxclients"]
    yield "client_recent_max_input_buffer", max((each.parser.held() for each in sessions), default=0)
    yield "client_recent_max_output_buffer", max((each.link.buffered() for each in sessions), default=0)
    yield "blocked_clients", core.blocking.count + core.pause.postponed
    yield "tracking_clients", len(core.tracking.trackers)
    yield "pubsub_clients", sum(each.kind() == "pubsub" for each in sessions)
    yield "watching_clients", sum(bool(each.watched) for each in sessions)
    yield "clients_in_timeout_table", core.blocking.count
    yield "total_watched_keys", sum(len(each.watched) for each in sessions)
    yield "total_blocking_keys", core.blocking.keys()
    yield "total_blocking_keys_on_nokey", core.blocking.keys_on_nokey()


def _human(size: float) -> str:
    for unit in ("B", "K", "M", "G"):
        if size < 1024:
            return f"{int(size)}B" if unit == "B" else f"{size:.2f}{unit}"
        size /= 1024
    return f"{size:.2f}T"


def _memory(app: App) -> Fields:
    core = app.core
    buffers = sum(each.link.buffered() + each.parser.held() for each in core.sessions.values())
    used, resident = app.memory.used(buffers), app.memory.resident()
    peak = max(core.peak_memory, used)
    limit = app.settings["maxmemory"]
    ratio = resident / used if used else 0.0
    yield from _sizes("used_memory", used)
    yield from _sizes("used_memory_rss", resident)
    yield from _sizes("used_memory_peak", peak)
    yield "used_memory_peak_perc", f"{100 * used / peak if peak else 100:.2f}%"
    yield "used_memory_overhead", EMPTY
    yield "used_memory_startup", EMPTY
    yield "used_memory_dataset", used - EMPTY
    yield "used_memory_dataset_perc", "100.00%"
    for name in ("allocator_allocated", "allocator_active", "allocator_resident", "allocator_muzzy"):
        yield name, 0
    yield from _sizes("total_system_memory", app.memory.system)
    yield from _scripts(core)
    yield from _sizes("maxmemory", limit)
    yield "maxmemory_policy", app.settings["maxmemory-policy"]
    yield "allocator_frag_ratio", "0.00"
    yield "allocator_frag_bytes", 0
    yield "allocator_rss_ratio", "0.00"
    yield "allocator_rss_bytes", 0
    yield "rss_overhead_ratio", "0.00"
    yield "rss_overhead_bytes", 0
    yield "mem_fragmentation_ratio", f"{ratio:.2f}"
    yield "mem_fragmentation_bytes", resident - used
    yield "mem_not_counted_for_evict", 0
    backlog = core.replication.backlog
    yield "mem_replication_backlog", 0 if backlog is None else min(len(backlog), backlog.size)
    yield "mem_total_replication_buffers", 0 if backlog is None else len(backlog)
    yield "mem_clients_slaves", sum(link.session.link.buffered() for link in core.replication.leading.links)
    yield "mem_clients_normal", buffers
    yield "mem_cluster_links", 0
    yield "mem_overhead_db_hashtable_rehashing", 0
    yield "mem_aof_buffer", app.aof.appending.buffered()
    yield "mem_allocator", "pymalloc"
    yield "active_defrag_running", 0
    yield "lazyfree_pending_objects", len(core.keyspace.discarded)
    yield "lazyfreed_objects", core.keyspace.freed


def _scripts(core: Core) -> Fields:
    """Scripts and functions share one Lua state here: it counts as that of scripts."""
    scripts = core.scripts
    there = scripts is not None
    state = scripts.engine.used() if there else 0
    cached = scripts.script_bytes() if there else 0
    functions = scripts.function_bytes() if there else 0
    yield "used_memory_lua", state
    yield "used_memory_vm_eval", state
    yield "used_memory_lua_human", _human(state)
    yield "used_memory_scripts_eval", cached
    yield "number_of_cached_scripts", len(scripts.bodies) if there else 0
    yield "number_of_functions", len(scripts.functions) if there else 0
    yield "number_of_libraries", len(scripts.libraries) if there else 0
    yield "used_memory_vm_functions", 0
    yield from _sizes("used_memory_vm_total", state)
    yield "used_memory_functions", functions
    yield from _sizes("used_memory_scripts", cached + functions)


def _sizes(name: str, size: int) -> Fields:
    yield name, size
    yield f"{name}_human", _human(size)


def _zeros(*names: str) -> Fields:
    for name in names:
        yield name, 0


def _persistence(app: App) -> Fields:
    saves, loads, snapshot = app.saves, app.loads, app.snapshots.running
    now = app.host.time()
    yield "loading", int(app.core.loading == "sync")
    yield "async_loading", int(app.core.loading == "async")
    yield "current_cow_peak", snapshot.peak_private if snapshot is not None else 0
    yield "current_cow_size", snapshot.private if snapshot is not None else 0
    yield "current_cow_size_age", int(now - snapshot.reported_at) if snapshot is not None else 0
    part = 100 * snapshot.keys / max(snapshot.total, 1) if snapshot is not None else 0.0
    yield "current_fork_perc", f"{part:.2f}"
    yield "current_save_keys_processed", snapshot.keys if snapshot is not None else 0
    yield "current_save_keys_total", snapshot.total if snapshot is not None else 0
    yield "rdb_changes_since_last_save", saves.changes()
    yield "rdb_bgsave_in_progress", int(saves.running is not None)
    yield "rdb_last_save_time", int(saves.last_save)
    yield "rdb_last_bgsave_status", "ok" if saves.last_ok else "err"
    yield "rdb_last_bgsave_time_sec", saves.last_seconds
    yield "rdb_current_bgsave_time_sec", int(now - saves.running.started) if saves.running is not None else -1
    yield "rdb_saves", saves.count
    yield "rdb_last_cow_size", saves.last_private
    yield "rdb_last_load_keys_expired", loads.last_expired
    yield "rdb_last_load_keys_loaded", loads.last_keys
    yield from app.aof.fields()
    yield from _zeros("module_fork_in_progress", "module_fork_last_cow_size")
    yield from app.aof.running_fields()
    loading = app.aof.loading or loads.current
    if loading is not None:
        progress = loading.progress
        spent = max(now - loads.started, 0.0)
        yield "loading_start_time", int(loads.started)
        yield "loading_total_bytes", progress.total
        yield "loading_rdb_used_mem", int(loading.aux.get(b"used-mem", b"0"))
        yield "loading_loaded_bytes", progress.done
        yield "loading_loaded_perc", f"{100 * progress.done / max(progress.total, 1):.2f}"
        yield "loading_eta_seconds", int(spent * (progress.total - progress.done) / max(progress.done, 1))


def _stats(app: App) -> Fields:
    core, stats, databases = app.core, app.core.stats, app.core.keyspace.databases
    yield "total_connections_received", stats.connections
    yield "total_commands_processed", core.total_calls()
    yield "instantaneous_ops_per_sec", round(core.rates["commands"].value())
    yield "total_net_input_bytes", stats.input_bytes
    yield "total_net_output_bytes", stats.output_bytes
    yield "total_net_repl_input_bytes", stats.repl_input_bytes
    yield "total_net_repl_output_bytes", stats.repl_output_bytes
    for name in ("input", "output"):
        yield f"instantaneous_{name}_kbps", f"{core.rates[name].value() / 1024:.2f}"
    for name in ("input", "output"):
        yield f"instantaneous_{name}_repl_kbps", f"{core.rates[f'repl_{name}'].value() / 1024:.2f}"
    yield "rejected_connections", stats.rejected_connections
    leader = core.replication.leading.leader
    yield "sync_full", leader.full
    yield "sync_partial_ok", leader.partial
    yield "sync_partial_err", leader.refused
    yield "expired_subkeys", sum(database.expired_fields for database in databases)
    yield "expired_keys", sum(database.expired for database in databases)
    yield "expired_stale_perc", "0.00"
    yield "expired_time_cap_reached_count", 0
    yield "expire_cycle_cpu_milliseconds", int(app.upkeep.expire_seconds * 1000)
    yield "evicted_keys", core.keyspace.evicted
    yield "evicted_clients", stats.evicted_clients
    yield "evicted_scripts", core.scripts.evicted if core.scripts is not None else 0
    exceeded = core.room.exceeded_seconds()
    yield "total_eviction_exceeded_time", int(exceeded[0] * 1000)
    yield "current_eviction_exceeded_time", int(exceeded[1] * 1000)
    gets = core.tables.calls("get") if "get" in core.tables.rows else 0  # a sentinel has none
    yield "keyspace_hits", gets + sum(database.hits for database in databases)
    yield "keyspace_misses", sum(database.misses for database in databases)
    yield "pubsub_channels", len(core.pubsub.channels)
    yield "pubsub_patterns", len(core.pubsub.patterns)
    yield "pubsubshard_channels", len(core.pubsub.shard_channels)
    yield "latest_fork_usec", int(app.snapshots.fork_seconds * 1e6)
    yield "total_forks", app.snapshots.forks
    yield "migrate_cached_sockets", app.migrations.cached()
    own = core.keyspace.own
    yield "slave_expires_tracked_keys", len(own) if own is not None else 0
    yield from _zeros("active_defrag_hits", "active_defrag_misses")
    yield from _zeros("active_defrag_key_hits", "active_defrag_key_misses", "total_active_defrag_time")
    yield "current_active_defrag_time", 0
    yield "tracking_total_keys", len(core.tracking.keys)
    yield "tracking_total_items", core.tracking.keys.items
    yield "tracking_total_prefixes", len(core.tracking.prefixes)
    yield "unexpected_error_replies", app.follow.errors
    yield "total_error_replies", stats.total_errors()
    yield "dump_payload_sanitizations", 0
    yield "total_reads_processed", stats.reads
    yield "total_writes_processed", stats.writes
    yield from _zeros("io_threaded_reads_processed", "io_threaded_writes_processed")
    yield "client_query_buffer_limit_disconnections", stats.input_overflows
    yield "client_output_buffer_limit_disconnections", stats.output_overflows
    yield from _zeros("reply_buffer_shrinks", "reply_buffer_expands")
    yield from _zeros("eventloop_cycles", "eventloop_duration_sum", "eventloop_duration_cmd_sum")
    yield from _zeros("instantaneous_eventloop_cycles_per_sec", "instantaneous_eventloop_duration_usec")
    refused = core.access.log.refused
    yield "acl_access_denied_auth", refused[DENIED_AUTH]
    yield "acl_access_denied_cmd", refused[DENIED_COMMAND]
    yield "acl_access_denied_key", refused[DENIED_KEY]
    yield "acl_access_denied_channel", refused[DENIED_CHANNEL]
    yield "pycache_replication_errors", app.follow.errors
    yield "pycache_internal_errors", stats.unexpected_errors
    if app.collector is not None:
        yield "pycache_gc_steps", app.collector.steps
        yield "pycache_gc_skipped", app.collector.skipped
    if app.pages is not None:
        yield "pycache_huge_pages", app.pages.collapsed


def _replication(app: App) -> Fields:
    replication = app.core.replication
    history, backlog, following = replication.history, replication.backlog, replication.following
    isolated = app.group is not None and following is None and not app.group.leads
    yield "role", "master" if following is None and not isolated else "slave"
    if app.group is not None and isolated:  # others must look for another leader
        yield from app.group.following.info()
    elif following is not None:
        yield from following.info()
    if replication.empty_start.closed:
        yield "pycache_empty_start", "closed"
    leading = replication.leading
    group = app.group
    replicas = leading.leader.replicas
    if group is not None:  # learners are no replicas to those who look for the next leader
        learners, replicas = replicas, leading.leader.voters()
        yield from info_of(group)
        for number, replica in enumerate(learners):
            yield f"learner{number}", replica.described(app.core.host.ticks())
    yield "connected_slaves", len(replicas) if group is not None else len(leading.links)
    if leading.leader.limits.least_good and leading.leader.limits.max_lag:
        yield "min_slaves_good_slaves", leading.good
    now = app.core.host.ticks()
    for number, replica in enumerate(replicas):
        yield f"slave{number}", replica.described(now)
    yield "master_failover_state", replication.failover.shown
    yield "master_replid", history.id.decode()
    yield "master_replid2", history.second_id.decode()
    yield "master_repl_offset", history.offset
    yield "second_repl_offset", history.second_offset
    yield "repl_backlog_active", int(backlog is not None)
    yield "repl_backlog_size", app.settings["repl-backlog-size"]
    yield "repl_backlog_first_byte_offset", 0 if backlog is None else backlog.start + 1
    yield "repl_backlog_histlen", 0 if backlog is None else len(backlog)


def _cpu(app: App) -> Fields:
    times = os.times()
    yield "used_cpu_sys", f"{times.system:.6f}"
    yield "used_cpu_user", f"{times.user:.6f}"
    yield "used_cpu_sys_children", f"{times.children_system:.6f}"
    yield "used_cpu_user_children", f"{times.children_user:.6f}"
    yield "used_cpu_sys_main_thread", f"{times.system:.6f}"
    yield "used_cpu_user_main_thread", f"{times.user:.6f}"


def _modules(app: App) -> Fields:
    return iter(())


def _commandstats(app: App) -> Fields:
    core = app.core
    core.settle()
    for name, row in core.tables.rows.items():
        calls, stats = core.tables.calls(name), row.stats
        if calls or stats.rejected:
            microseconds = int(stats.seconds * 1e6)
            mean = stats.seconds * 1e6 / calls if calls else 0.0
            times = f"usec={microseconds},usec_per_call={mean:.2f}"
            yield (
                f"cmdstat_{name}",
                f"calls={calls},{times},rejected_calls={stats.rejected},failed_calls={stats.failed}",
            )


def _errorstats(app: App) -> Fields:
    for code, count in sorted(app.core.stats.errors.items()):
        yield f"errorstat_{code}", f"count={count}"


def _latencystats(app: App) -> Fields:
    if not app.settings["latency-tracking"]:
        return
    percentiles = app.settings["latency-tracking-info-percentiles"]
    for name, row in app.core.tables.rows.items():
        if row.stats.histogram:
            found = [f"p{percent:g}={row.stats.percentile(percent) * 1e6:.3f}" for percent in percentiles]
            yield f"latency_percentiles_usec_{name}", ",".join(found)


def _cluster(app: App) -> Fields:
    yield "cluster_enabled", 0


def _keyspace(app: App) -> Fields:
    for database in app.core.keyspace.databases:
        keys = database.shown_size()
        if keys:
            mean = mean_time_left(database.wheel, database.clock.now())
            times = f"expires={database.volatile()},avg_ttl={mean},subexpiry={database.fields.size}"
            yield f"db{database.index}", f"keys={keys},{times}"


def _pycache(app: App) -> Fields:
    keyspace = app.core.keyspace
    yield "pycache_eviction_engine", app.settings["maxmemory-policy"] if keyspace.maxmemory else NO_EVICTION
    yield "pycache_eviction_changing", int(app.core.shape.changing)
    yield "pycache_keyspace_bytes", keyspace.used()
    for engine, count in sorted(keyspace.evicted_by.items(), key=lambda item: item[0].__name__):
        yield f"pycache_evicted_{engine.__name__.lower()}", count


def _eviction(app: App) -> Fields:
    """What the engines have learned, of each database that holds something; and what others would do."""
    shadows = app.core.keyspace.shadows
    if shadows is not None:
        yield "pycache_shadow_reads", shadows.asked
        yield "pycache_shadow_hit_ratio", f"{shadows.real_ratio:.4f}"
        best = shadows.best()
        ratio = shadows.ratio(best.hits)
        yield "pycache_shadow_best", f"policy={best.policy.name},size={best.percent},hit_ratio={ratio:.4f}"
    for database in app.core.keyspace.databases:
        if database.size and database.engine is not None:
            yield f"pycache_db{database.index}_bytes", database.used
            for name, value in database.engine.report().items():
                yield f"pycache_db{database.index}_{name}", value
        for number, group in enumerate(database.groups() if isinstance(database, LimitedDatabase) else ()):
            limit, field = group.limit, f"pycache_db{database.index}_limit{number}"
            prefix = "" if limit.scope.prefix is None else limit.scope.prefix.decode("utf-8", "backslashreplace")
            yield field, f"prefix={prefix},policy={limit.name},bytes={group.used},limit={limit.size}"
            for name, value in group.candidates.engine.report().items():
                yield f"{field}_{name}", value


SECTIONS: dict[str, tuple[str, Callable[[App], Fields]]] = {
    "server": ("Server", _server),
    "clients": ("Clients", _clients),
    "memory": ("Memory", _memory),
    "persistence": ("Persistence", _persistence),
    "stats": ("Stats", _stats),
    "replication": ("Replication", _replication),
    "cpu": ("CPU", _cpu),
    "modules": ("Modules", _modules),
    "commandstats": ("Commandstats", _commandstats),
    "errorstats": ("Errorstats", _errorstats),
    "latencystats": ("Latencystats", _latencystats),
    "cluster": ("Cluster", _cluster),
    "keyspace": ("Keyspace", _keyspace),
    "pycache": ("Pycache", _pycache),
    "eviction": ("Eviction", _eviction),
}
_NOT_BY_DEFAULT = {"commandstats", "latencystats", "pycache", "eviction"}
