"""Settings -> a running server: what each directive that acts does, at the start and at CONFIG SET.

One function a directive or a group of them; each gets the app, whose settings have the new value already. Whoever
cannot do what is wanted raises CannotApply, and CONFIG SET puts the old values back.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from pycache_server.evict.base import ALL_KEYS, VOLATILE, UnknownPolicy, keeps_account, load_policy, policy_names
from pycache_server.evict.noeviction import NoEviction
from pycache_server.server.appenddir import CannotAppend
from pycache_server.server.memory import EMPTY
from pycache_server.server.oom import UNPRIVILEGED
from pycache_server.session.core import OutputLimit
from pycache_server.session.room import seconds_of
from pycache_server.settings import title
from pycache_server.settings.table import DIRECTIVES, OF_GROUPS
from pycache_server.store.events import parse_flags
from pycache_server.store.limits import Limit
from pycache_server.store.mortal import Lifetimes
from pycache_server.store.scopes import Scope, Scoped

if TYPE_CHECKING:
    from pycache_server.server.app import App

NEVER = float("inf")
CHANGED_AT_ONCE = 1000
"""So many keys have another engine before CONFIG SET maxmemory-policy is answered; more of them change over in slices
(upkeep.py), so that nobody waits for it."""


class CannotApply(Exception):
    """A setting is right but cannot be had; the text says why."""


class CannotListen(OSError):
    """No listener could be opened for an address."""


def apply_all(app: App) -> None:
    """Apply everything at the start.

    Raises CannotApply.
    """
    for function in dict.fromkeys(APPLY.values()):
        function(app)


def check_renames(app: App) -> None:
    """See to it that rename-command makes sense. A command that is not there yet may be renamed or taken away, so that
    configurations made for Redis load; the log tells.

    Raises CannotApply where two commands would have one name.
    """
    renamed = app.settings.renamed
    commands = [name for name in app.core.tables.rows if "|" not in name]
    names = Counter(renamed.get(name, name).lower() for name in commands)
    for old, new in renamed.items():
        if old not in commands:
            app.log.write("warning", f"rename-command: there is no command '{old}' here")
        elif new and names[new.lower()] > 1:
            raise CannotApply(f"rename-command {old} {new}: Target command name already exists")


def check_group_settings(app: App) -> None:
    """Raises CannotApply where a server that is in no group is told how to be in one."""
    meant = [] if app.settings["group-voters"] else app.settings.changed(OF_GROUPS)
    if meant:
        raise CannotApply(f"{meant[0]} needs group-voters: it is for groups")


def tell_idle(app: App, names: Iterable[str]) -> None:
    """Tell the log which of some directives have been set in vain."""
    for name in names:
        if not DIRECTIVES[name].acts:
            app.log.write(
                "warning", f"The directive '{name}' is known but has no effect here; it is kept for CONFIG GET"
            )


def _encodings(app: App) -> None:
    encodings = app.core.keyspace.encodings
    for name in encodings.__slots__:
        setattr(encodings, name, app.settings[name.replace("_", "-")])
    app.core.keyspace.compress = app.settings["rdbcompression"]


def _input_limits(app: App) -> None:
    app.core.input_limits.bulk = app.core.keyspace.longest_string = app.settings["proto-max-bulk-len"]
    app.core.input_limits.query_buffer = app.settings["client-query-buffer-limit"]


def _output_limits(app: App) -> None:
    for name, limits in app.settings["client-output-buffer-limit"].items():
        app.core.output_limits[name] = OutputLimit(*limits)


def _client_memory(app: App) -> None:
    app.core.client_memory.share = app.settings["maxmemory-clients"]
    app.core.client_memory.look(list(app.core.sessions.values()))


def _password(app: App) -> None:
    app.core.access.require(app.settings["requirepass"].encode("utf-8", "surrogateescape"))


def _users(app: App) -> None:
    access = app.core.access
    access.users.vocabulary.open_channels = app.settings["acl-pubsub-default"] == "allchannels"
    access.log.longest = app.settings["acllog-max-len"]  # to which it is shortened by the next entry, as in Redis


def _slowlog(app: App) -> None:
    microseconds = app.settings["slowlog-log-slower-than"]
    app.core.slowlog.threshold = microseconds / 1e6 if microseconds >= 0 else NEVER
    app.core.slowlog.longest = app.settings["slowlog-max-len"]
    app.core.slowlog.shorten()
    app.core.refresh_precision()


def _size_logs(app: App) -> None:
    logs = app.core.size_logs
    for log, kind in ((logs.requests, "request"), (logs.replies, "reply")):
        size = app.settings[f"commandlog-{kind}-larger-than"]
        log.threshold = size if size >= 0 else NEVER
        log.longest = app.settings[f"commandlog-large-{kind}-max-len"]
        log.shorten()
    app.core.tables.refresh()


def _latency(app: App) -> None:
    milliseconds = app.settings["latency-monitor-threshold"]
    app.core.latency.threshold = milliseconds / 1000 if milliseconds else NEVER
    app.core.refresh_precision()


def _events(app: App) -> None:
    app.core.observers.notify(parse_flags(app.settings["notify-keyspace-events"]) or 0)
    app.core.observers.notify_values(app.settings["notify-value-max-bytes"])


def _tracking(app: App) -> None:
    app.core.tracking.most_keys = app.settings["tracking-table-max-keys"]
    app.core.tracking.trim()


def _memory(app: App) -> None:
    name = app.settings["maxmemory-policy"]
    try:
        policy = load_policy(name)
    except UnknownPolicy:
        raise CannotApply("argument(s) must be one of the following: " + ", ".join(policy_names())) from None
    limits = tuple(_limit(app, *words) for words in app.settings["limit"])
    size = app.settings["maxmemory"]
    before = bool(app.core.keyspace.maxmemory), app.core.shape.limited
    if size or keeps_account(policy.engine):
        app.core.shape.use_engine(policy.engine, policy.volatile, limits)
    elif limits:
        app.core.shape.use_engine(NoEviction, False, limits)
    else:
        app.core.shape.use_engine(None)
    if sum(database.size for database in app.core.keyspace.databases) <= CHANGED_AT_ONCE:
        while app.core.shape.step():
            pass
    app.core.room.limit(max(size - EMPTY, 1) if size else 0)
    if before != (bool(size), app.core.shape.limited):
        app.core.tables.refresh()


def _limit(app: App, scope: str, which: str, size: int, name: str) -> Limit:
    """A limit as the store wants it. The policy may be named without its scope."""
    for full_name in (name, ALL_KEYS + name, VOLATILE + name):
        try:
            policy = load_policy(full_name)
        except UnknownPolicy:
            continue
        return Limit(_scope(app, scope, which), size, policy.name, policy.engine, policy.volatile)
    raise CannotApply(f"'{name}' is not a policy, which must be one of the following: " + ", ".join(policy_names()))


def _scope(app: App, scope: str, which: str) -> Scope:
    """A scope as the store wants it."""
    if scope == "db" and int(which) >= len(app.core.keyspace.databases):
        raise CannotApply(f"there is no database {which}")
    return Scope(
        int(which) if scope == "db" else None,
        which.encode("utf-8", "surrogateescape") if scope == "prefix" else None,
    )


def _eviction(app: App) -> None:
    surroundings = app.core.shape.surroundings
    surroundings.samples = app.settings["maxmemory-samples"]
    surroundings.log_factor = app.settings["lfu-log-factor"]
    surroundings.decay_time = app.settings["lfu-decay-time"]
    app.core.room.seconds = seconds_of(app.settings["maxmemory-eviction-tenacity"])


def _scripting(app: App) -> None:
    app.core.busy_threshold = max(app.settings["busy-reply-threshold"], 0) / 1000 or NEVER
    app.core.lua_memory = app.settings["lua-max-memory"]
    if app.core.scripts is not None:
        app.core.scripts.engine.limit(app.core.lua_memory)


def _lifetimes(app: App) -> None:
    default, longest = (
        Scoped([(_scope(app, scope, which), seconds * 1000) for scope, which, seconds in app.settings[name]])
        for name in ("default-ttl", "max-ttl")
    )
    app.core.shape.use_lifetimes(Lifetimes(default, longest))


def _lazy_frees(app: App) -> None:
    """By which word the removal of keys is told."""
    keyspace, settings = app.core.keyspace, app.settings
    keyspace.expired_verb = b"UNLINK" if settings["lazyfree-lazy-expire"] else b"DEL"
    keyspace.evicted_verb = b"UNLINK" if settings["lazyfree-lazy-eviction"] else b"DEL"
    keyspace.removed_verb = b"UNLINK" if settings["lazyfree-lazy-server-del"] else b"DEL"


def _maxclients(app: App) -> None:
    """Make room for the clients among the file descriptors of the process."""
    if app.embedded:
        return
    try:
        import resource
    except ImportError:
        return
    settings = app.settings
    clients: int = settings["maxclients"]
    in_group = bool(settings["group-voters"])
    at_window = clients if in_group and settings["sentinel-port"] else 0
    reserved = _RESERVED_DESCRIPTORS + (_FOR_VOTERS if in_group else 0)
    wanted = clients + at_window + reserved
    app.window_clients = at_window
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft in (resource.RLIM_INFINITY, -1) or soft >= wanted:
        return
    possible = wanted if hard in (resource.RLIM_INFINITY, -1) or hard >= wanted else hard
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
    except (OSError, ValueError):
        possible = soft
    fewer, app.window_clients = share_descriptors(possible - reserved, clients, at_window)
    if fewer < clients:
        app.log.write(
            "warning",
            f"maxclients has been reduced to {fewer} to compensate for low ulimit. If you need higher maxclients "
            "increase 'ulimit -n'.",
        )
        settings.values["maxclients"] = fewer


_RESERVED_DESCRIPTORS = 32
_FOR_VOTERS = 160
"""Who is on trial, links that have not proved themselves, and those that have (reserve.py, group/links.py)."""
_LEAST_AT_WINDOW = 64


def share_descriptors(possible: int, clients: int, at_window: int) -> tuple[int, int]:
    """How many clients a server may have, and how many its sentinel-port, where there are so many descriptors for both:
    the server has what it wants first, but for a few."""
    least = min(at_window, _LEAST_AT_WINDOW)
    served = max(1, min(clients, possible - least))
    return served, max(least, min(at_window, possible - served))


def _oom_score(app: App) -> None:
    settings = app.settings
    if app.embedded:
        if settings["oom-score-adj"] != "no":
            raise CannotApply("the process belongs to the program that the server is embedded in")
        return
    values = list(map(int, settings["oom-score-adj-values"]))
    if values != sorted(values):
        app.log.write("warning", UNPRIVILEGED)
    begins = not app.oom.tried
    problem = app.oom.set()
    if problem:
        app.log.write("warning", problem)
        if not begins:
            raise CannotApply("Failed to set current oom_score_adj. Check server logs.")


def _directory(app: App) -> None:
    path = app.settings["dir"]
    if app.embedded:
        app.settings.values["dir"] = os.path.abspath(path or os.getcwd())
        return
    if path:
        try:
            os.chdir(path)
        except OSError as error:
            raise CannotApply(f"Can't chdir to '{path}': {error.strerror}") from None
    app.settings.values["dir"] = os.getcwd()


def _log(app: App) -> None:
    app.log.level = app.settings["loglevel"]
    app.log.form = app.settings["log-format"]


def _appending(app: App) -> None:
    try:
        app.aof.switch(app.settings["appendonly"])
    except CannotAppend as problem:
        raise CannotApply(str(problem)) from None


def _append_settings(app: App) -> None:
    app.aof.appending.configure()


def _title(app: App) -> None:
    """Show in the process list what this is, where setproctitle is installed."""
    if not app.settings["set-proc-title"] or app.collector is None:
        return
    try:
        from setproctitle import setproctitle
    except ImportError:
        return
    addresses, port, unix = app.settings["bind"], app.settings["port"], app.settings["unixsocket"]
    where = f"{addresses[0].lstrip('-') if addresses else '*'}:{port}" if port else f"unixsocket:{unix}"
    values = {
        "title": "pycache-server",
        "listen-addr": where,
        "server-mode": "",
        "config-file": app.config_file or "-",
        "port": str(port),
        "tls-port": str(app.settings["tls-port"]),
        "unixsocket": unix,
    }
    setproctitle(title.expand(app.settings["proc-title-template"], values) or values["title"])


def _following(app: App) -> None:
    app.follow.refresh()


def _leading(app: App) -> None:
    replication, settings = app.core.replication, app.settings
    limits = replication.leading.leader.limits
    limits.ping_period = settings["repl-ping-replica-period"]
    limits.timeout = settings["repl-timeout"]
    limits.backlog_ttl = settings["repl-backlog-ttl"]
    limits.diskless = settings["repl-diskless-sync"]
    limits.delay = settings["repl-diskless-sync-delay"]
    limits.most_waiting = settings["repl-diskless-sync-max-replicas"]
    limits.least_good = settings["min-replicas-to-write"]
    limits.max_lag = settings["min-replicas-max-lag"]
    replication.resize_backlog(settings["repl-backlog-size"])
    replication.leading.count_good()
    replication.set_gate()


def _acknowledging(app: App) -> None:
    check_group_settings(app)
    if app.group is not None:
        app.group.set_level(app.settings["repl-ack"])


def _priority(app: App) -> None:
    if app.group is not None:
        app.group.orders.set_priority(app.settings["replica-priority"])


def _empty_start(app: App) -> None:
    if not app.settings["min-boot-history"]:
        app.core.replication.empty_start.open()


def _saves(app: App) -> None:
    app.saves.refresh()


APPLY: dict[str, Callable[[App], None]] = {
    **dict.fromkeys(("oom-score-adj", "oom-score-adj-values"), _oom_score),
    **dict.fromkeys(
        (
            "repl-ping-replica-period",
            "repl-backlog-ttl",
            "repl-backlog-size",
            "repl-diskless-sync",
            "repl-diskless-sync-delay",
            "repl-diskless-sync-max-replicas",
            "min-replicas-to-write",
            "min-replicas-max-lag",
        ),
        _leading,
    ),
    "min-boot-history": _empty_start,
    "repl-ack": _acknowledging,
    "replica-priority": _priority,
    "loglevel": _log,
    "log-format": _log,
    "dir": _directory,
    "save": _saves,
    "stop-writes-on-bgsave-error": _saves,
    "proto-max-bulk-len": _input_limits,
    "client-query-buffer-limit": _input_limits,
    "client-output-buffer-limit": _output_limits,
    "maxmemory-clients": _client_memory,
    "requirepass": _password,
    "acl-pubsub-default": _users,
    "acllog-max-len": _users,
    "slowlog-log-slower-than": _slowlog,
    "slowlog-max-len": _slowlog,
    "commandlog-request-larger-than": _size_logs,
    "commandlog-reply-larger-than": _size_logs,
    "commandlog-large-request-max-len": _size_logs,
    "commandlog-large-reply-max-len": _size_logs,
    "latency-monitor-threshold": _latency,
    "notify-keyspace-events": _events,
    "notify-value-max-bytes": _events,
    "tracking-table-max-keys": _tracking,
    "default-ttl": _lifetimes,
    "max-ttl": _lifetimes,
    "maxmemory": _memory,
    "maxmemory-policy": _memory,
    "limit": _memory,
    **dict.fromkeys(
        ("maxmemory-samples", "lfu-log-factor", "lfu-decay-time", "maxmemory-eviction-tenacity"), _eviction
    ),
    **dict.fromkeys(("lazyfree-lazy-eviction", "lazyfree-lazy-expire", "lazyfree-lazy-server-del"), _lazy_frees),
    "maxclients": _maxclients,
    **dict.fromkeys(("replica-read-only", "replica-serve-stale-data", "replica-ignore-maxmemory"), _following),
    "appendonly": _appending,
    "appendfsync": _append_settings,
    "aof-timestamp-enabled": _append_settings,
    "busy-reply-threshold": _scripting,
    "lua-max-memory": _scripting,
    "proc-title-template": _title,
    **dict.fromkeys(
        (
            "hash-max-listpack-entries",
            "hash-max-listpack-value",
            "hll-sparse-max-bytes",
            "list-max-listpack-size",
            "rdbcompression",
            "set-max-intset-entries",
            "set-max-listpack-entries",
            "set-max-listpack-value",
            "stream-node-max-bytes",
            "stream-node-max-entries",
            "zset-max-listpack-entries",
            "zset-max-listpack-value",
        ),
        _encodings,
    ),
}
"""What to call for a directive that has changed. Directives that act and are not here are read where they are used."""
RELISTEN = frozenset(("bind", "port"))
"""Directives after whose change the listeners open anew."""
