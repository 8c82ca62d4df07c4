"""Every directive that Redis 7.0 to 7.4 knows, and our own, one row each.

A row is: name, kind, default, and notes. ``acts`` says that the directive does something here; one that does not is
taken with a warning and kept for CONFIG GET and CONFIG REWRITE. ``refuses`` says which values cannot be had in this
version, and why: those are errors, never ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pycache_server.settings import title
from pycache_server.settings.kinds import (
    INT_MAX,
    Checked,
    Choice,
    Figures,
    Kind,
    Letters,
    Limits,
    Master,
    Memory,
    Number,
    Octal,
    OutputLimits,
    Percentiles,
    SavePoints,
    Text,
    Times,
    Voters,
    Words,
    YesNo,
)


@dataclass(frozen=True)
class Directive:
    """One row of the table."""

    name: str
    kind: Kind
    default: Any
    alias: str = ""
    acts: bool = False
    fixed: bool = False
    """Whether CONFIG SET may not change it."""
    protected: bool = False
    """Whether CONFIG SET may change it only with enable-protected-configs."""
    hidden: bool = False
    """Whether CONFIG GET tells it only to who asks for it by name: it is for tests of servers."""
    repeated: bool = False
    """Whether several lines of the directive add up."""
    refuses: Callable[[Any], str | None] | None = None


def _check_file_name(word: str) -> str | None:
    return f"{'dbfilename'} can't be a path, just a filename" if "/" in word or "\\" in word else None


def _check_append_name(word: str) -> str | None:
    if not word:
        return "appendfilename can't be empty"
    return "appendfilename can't be a path, just a filename" if "/" in word or "\\" in word else None


def _check_append_directory(word: str) -> str | None:
    if not word:
        return "appenddirname can't be empty"
    return "appenddirname can't be a path, just a dirname" if "/" in word or "\\" in word else None


def _check_level(word: str) -> str | None:
    if word in ("async", "one", "quorum", "all") or (word.isdecimal() and int(word) > 0):
        return None
    return "repl-ack must be async, one, a number of followers, quorum or all"


def _check_prefix(word: str) -> str | None:
    if re.fullmatch(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*", word):
        return None
    return "must be words of letters, digits, hyphens and underscores, with slashes between"


def _refuses(wanted: Callable[[Any], bool], why: str) -> Callable[[Any], str | None]:
    return lambda value: why if wanted(value) else None


_NO_TLS = "TLS is not available in this version"
_NO_CLUSTER = "cluster mode is not available"

YES_NO = YesNo()
TEXT = Text()
ANY = Number(0, INT_MAX)
SIGNED = Number(-(2**31), 2**31 - 1)
INT = Number(0, 2**31 - 1)
PERCENT = Number(0, 100)
ENABLE = Choice(("no", "yes", "local"))
SHUTDOWN = Choice(("default", "save", "nosave", "now", "force"), many=True)


def _acting() -> list[Directive]:
    """Directives that do something."""
    return [
        # network
        Directive("bind", Words(0, 16), ("*", "-::*"), acts=True),
        Directive("port", Number(0, 65535), 6379, acts=True),
        Directive("tcp-backlog", INT, 511, acts=True, fixed=True),
        Directive("unixsocket", TEXT, "", acts=True, fixed=True),
        Directive("unixsocketperm", Octal(), 0, acts=True, fixed=True),
        Directive("timeout", INT, 0, acts=True),
        Directive("tcp-keepalive", INT, 300, acts=True),
        Directive("protected-mode", YES_NO, True, acts=True),
        Directive("maxclients", Number(1, 2**32 - 1), 10000, acts=True),
        Directive("tls-port", Number(0, 65535), 0, acts=True, refuses=_refuses(bool, _NO_TLS)),
        # who may do what
        Directive("requirepass", TEXT, "", acts=True),
        Directive("aclfile", TEXT, "", acts=True, fixed=True),
        Directive("acllog-max-len", ANY, 128, acts=True),
        Directive("acl-pubsub-default", Choice(("resetchannels", "allchannels")), "resetchannels", acts=True),
        # process
        Directive("daemonize", YES_NO, False, acts=True, fixed=True),
        Directive("pidfile", TEXT, "", acts=True, fixed=True),
        Directive("supervised", Choice(("upstart", "systemd", "auto", "no")), "no", acts=True, fixed=True),
        Directive("lazyfree-lazy-eviction", YES_NO, False, acts=True),
        Directive("lazyfree-lazy-expire", YES_NO, False, acts=True),
        Directive("lazyfree-lazy-server-del", YES_NO, False, acts=True),
        Directive("oom-score-adj", Choice(("no", "yes", "relative", "absolute")), "no", acts=True),
        Directive("oom-score-adj-values", Figures(3, 3), ("0", "200", "800"), acts=True),
        Directive("loglevel", Choice(("debug", "verbose", "notice", "warning")), "notice", acts=True),
        Directive("logfile", TEXT, "", acts=True, fixed=True),
        Directive("log-format", Choice(("legacy", "logfmt", "json")), "legacy", acts=True),
        Directive("syslog-enabled", YES_NO, False, acts=True, fixed=True),
        Directive("syslog-ident", TEXT, "redis", acts=True, fixed=True),
        Directive(
            "syslog-facility",
            Choice(("user", *(f"local{number}" for number in range(8)))),
            "local0",
            acts=True,
            fixed=True,
        ),
        Directive("always-show-logo", YES_NO, False, acts=True, fixed=True),
        Directive("set-proc-title", YES_NO, True, acts=True, fixed=True),
        Directive("proc-title-template", Checked(title.check), "{title} {listen-addr} {server-mode}", acts=True),
        Directive("dir", TEXT, "", acts=True, protected=True),
        Directive("databases", Number(1, 2**31 - 1), 16, acts=True, fixed=True),
        Directive("hz", INT, 10, acts=True),
        Directive("huge-pages", YES_NO, True, acts=True),
        Directive("event-loop", Choice(("auto", "asyncio", "uvloop")), "auto", acts=True, fixed=True),
        Directive("enable-protected-configs", ENABLE, "no", acts=True, fixed=True),
        Directive("enable-debug-command", ENABLE, "no", acts=True, fixed=True),
        Directive("enable-module-command", ENABLE, "no", acts=True, fixed=True),
        Directive("load-commands", Words(), (), acts=True, fixed=True, repeated=True),
        # scripts
        Directive("busy-reply-threshold", SIGNED, 5000, alias="lua-time-limit", acts=True),
        Directive("lua-max-memory", Memory(0, INT_MAX), 512 << 20, acts=True),
        # limits
        Directive("proto-max-bulk-len", Memory(1 << 20, INT_MAX), 512 << 20, acts=True),
        Directive("client-query-buffer-limit", Memory(1 << 20, INT_MAX), 1 << 30, acts=True),
        Directive(
            "client-output-buffer-limit",
            OutputLimits(),
            {"normal": (0, 0, 0), "slave": (256 << 20, 64 << 20, 60), "pubsub": (32 << 20, 8 << 20, 60)},
            acts=True,
            repeated=True,
        ),
        Directive("maxmemory", Memory(), 0, acts=True),
        Directive("maxmemory-policy", TEXT, "noeviction", acts=True),
        Directive("maxmemory-clients", Memory(-100, INT_MAX, percent=True), 0, acts=True),
        Directive("maxmemory-samples", Number(1, 64), 5, acts=True),
        Directive("maxmemory-eviction-tenacity", PERCENT, 10, acts=True),
        Directive("lfu-log-factor", ANY, 10, acts=True),
        Directive("lfu-decay-time", ANY, 1, acts=True),
        Directive("limit", Limits(), (), acts=True, repeated=True),
        Directive("default-ttl", Times(), (), acts=True, repeated=True),
        Directive("max-ttl", Times(), (), acts=True, repeated=True),
        # what is watched
        Directive(
            "slowlog-log-slower-than",
            Number(-1, INT_MAX),
            10000,
            alias="commandlog-execution-slower-than",
            acts=True,
        ),
        Directive("slowlog-max-len", ANY, 128, alias="commandlog-slow-execution-max-len", acts=True),
        Directive("commandlog-request-larger-than", Number(-1, INT_MAX), -1, acts=True),
        Directive("commandlog-large-request-max-len", ANY, 128, acts=True),
        Directive("commandlog-reply-larger-than", Number(-1, INT_MAX), -1, acts=True),
        Directive("commandlog-large-reply-max-len", ANY, 128, acts=True),
        Directive("latency-monitor-threshold", ANY, 0, acts=True),
        Directive("latency-tracking", YES_NO, True, acts=True),
        Directive("latency-tracking-info-percentiles", Percentiles(), (50.0, 99.0, 99.9), acts=True),
        Directive("notify-keyspace-events", Letters("Ag$lshzxeKEtmdn", "g$lshzxetdKEmn", "g$lshzxetd"), "", acts=True),
        Directive("notify-value-max-bytes", Memory(), 0, acts=True),
        Directive("tracking-table-max-keys", ANY, 1_000_000, acts=True),
        # encodings
        Directive("hash-max-listpack-entries", ANY, 512, alias="hash-max-ziplist-entries", acts=True),
        Directive("hash-max-listpack-value", ANY, 64, alias="hash-max-ziplist-value", acts=True),
        Directive("hll-sparse-max-bytes", Memory(0, INT_MAX), 3000, acts=True),
        Directive("list-max-listpack-size", SIGNED, -2, alias="list-max-ziplist-size", acts=True),
        Directive("set-max-intset-entries", ANY, 512, acts=True),
        Directive("set-max-listpack-entries", ANY, 128, acts=True),
        Directive("set-max-listpack-value", ANY, 64, acts=True),
        Directive("zset-max-listpack-entries", ANY, 128, alias="zset-max-ziplist-entries", acts=True),
        Directive("zset-max-listpack-value", ANY, 64, alias="zset-max-ziplist-value", acts=True),
        Directive("stream-node-max-bytes", Memory(0, INT_MAX), 4096, acts=True),
        Directive("stream-node-max-entries", ANY, 100, acts=True),
        Directive("rdbcompression", YES_NO, True, acts=True),
        # being followed
        Directive("repl-backlog-size", Memory(1, INT_MAX), 1 << 20, acts=True),
        Directive("repl-backlog-ttl", INT, 3600, acts=True),
        Directive("repl-ping-replica-period", Number(1, 2**31 - 1), 10, alias="repl-ping-slave-period", acts=True),
        Directive("repl-diskless-sync", YES_NO, True, acts=True),
        Directive("repl-diskless-sync-delay", INT, 5, acts=True),
        Directive("repl-diskless-sync-max-replicas", INT, 0, acts=True),
        Directive("min-replicas-to-write", INT, 0, alias="min-slaves-to-write", acts=True),
        Directive("min-replicas-max-lag", INT, 10, alias="min-slaves-max-lag", acts=True),
        Directive("shutdown-timeout", INT, 10, acts=True),
        Directive("repl-disable-tcp-nodelay", YES_NO, False, acts=True),
        Directive("min-boot-history", YES_NO, True, acts=True),
        # following another server
        Directive("replicaof", Master(), (), alias="slaveof", acts=True, fixed=True),
        Directive("masterauth", TEXT, "", acts=True),
        Directive("masteruser", TEXT, "", acts=True),
        Directive("replica-read-only", YES_NO, True, alias="slave-read-only", acts=True),
        Directive("replica-serve-stale-data", YES_NO, True, alias="slave-serve-stale-data", acts=True),
        Directive("replica-ignore-maxmemory", YES_NO, True, alias="slave-ignore-maxmemory", acts=True),
        Directive("replica-priority", SIGNED, 100, alias="slave-priority", acts=True),
        Directive("replica-announced", YES_NO, True, acts=True),
        Directive("replica-announce-ip", TEXT, "", alias="slave-announce-ip", acts=True),
        Directive("replica-announce-port", Number(0, 65535), 0, alias="slave-announce-port", acts=True),
        Directive("repl-timeout", Number(1, 2**31 - 1), 60, acts=True),
        Directive("replica-ignore-disk-write-errors", YES_NO, False, acts=True),
        Directive("propagation-error-behavior", Choice(("ignore", "panic", "panic-on-replicas")), "ignore", acts=True),
        Directive("repl-diskless-load", Choice(("disabled", "on-empty-db", "swapdb")), "disabled", acts=True),
        Directive("rdb-del-sync-files", YES_NO, False, acts=True),
        Directive("bind-source-addr", TEXT, "", acts=True),
        # a group of voters
        Directive("group-voters", Voters(), (), acts=True, fixed=True),
        Directive("group-seat", TEXT, "", acts=True, fixed=True),
        Directive("group-secret", TEXT, "", acts=True, fixed=True),
        Directive("group-state-file", TEXT, "", acts=True, fixed=True),
        Directive("group-lease", Number(50, 60_000), 1000, acts=True, fixed=True),
        Directive("group-down-after", Number(100, 120_000), 1500, acts=True, fixed=True),
        Directive("preferred-leader", TEXT, "", acts=True, fixed=True),
        Directive("failback-delay", INT, 5000, acts=True, fixed=True),
        Directive("failback-interval", INT, 60_000, acts=True, fixed=True),
        Directive("sentinel-port", Number(0, 65535), 0, acts=True, fixed=True),
        Directive("sentinel-master-name", TEXT, "mymaster", acts=True, fixed=True),
        Directive("repl-ack", Checked(_check_level), "quorum", acts=True),
        Directive("repl-ack-timeout", Number(1, 2**31 - 1), 5000, acts=True, fixed=True),
        # who is nominated to lead a group
        Directive("coordinator", TEXT, "builtin", acts=True, fixed=True),
        Directive("coordinator-endpoints", Words(), (), acts=True, fixed=True),
        Directive("coordinator-prefix", Checked(_check_prefix), "pycache", acts=True, fixed=True),
        Directive("coordinator-ttl", Number(1000, 600_000), 2000, acts=True, fixed=True),
        Directive("coordinator-fallback", INT, 10_000, acts=True, fixed=True),
        Directive("coordinator-username", TEXT, "", acts=True, fixed=True),
        Directive("coordinator-password", TEXT, "", acts=True, fixed=True),
        Directive("coordinator-token", TEXT, "", acts=True, fixed=True),
        # snapshots
        Directive("save", SavePoints(), (), acts=True, repeated=True),
        Directive("dbfilename", Checked(_check_file_name), "dump.rdb", acts=True, protected=True),
        Directive("rdbchecksum", YES_NO, True, acts=True, fixed=True),
        Directive("rdb-save-incremental-fsync", YES_NO, True, acts=True),
        Directive("rdb-key-save-delay", SIGNED, 0, acts=True, hidden=True),
        Directive("key-load-delay", SIGNED, 0, acts=True, hidden=True),
        Directive("stop-writes-on-bgsave-error", YES_NO, True, acts=True),
        Directive("snapshot-method", Choice(("auto", "slices")), "auto", acts=True),
        Directive("shutdown-on-sigterm", SHUTDOWN, "default", acts=True),
        Directive("shutdown-on-sigint", SHUTDOWN, "default", acts=True),
        # the append-only file
        Directive("appendonly", YES_NO, False, acts=True),
        Directive("appendfilename", Checked(_check_append_name), "appendonly.aof", acts=True, fixed=True),
        Directive("appenddirname", Checked(_check_append_directory), "appendonlydir", acts=True, fixed=True),
        Directive("appendfsync", Choice(("everysec", "always", "no")), "everysec", acts=True),
        Directive("no-appendfsync-on-rewrite", YES_NO, False, acts=True),
        Directive("auto-aof-rewrite-percentage", INT, 100, acts=True),
        Directive("auto-aof-rewrite-min-size", Memory(0, INT_MAX), 64 << 20, acts=True),
        Directive("aof-load-truncated", YES_NO, True, acts=True),
        Directive("aof-use-rdb-preamble", YES_NO, True, acts=True),
        Directive("aof-rewrite-incremental-fsync", YES_NO, True, acts=True),
        Directive("aof-timestamp-enabled", YES_NO, False, acts=True),
        Directive("aof-disable-auto-gc", YES_NO, False, acts=True),
        # what cannot be had yet
        Directive("cluster-enabled", YES_NO, False, acts=True, fixed=True, refuses=_refuses(bool, _NO_CLUSTER)),
    ]


def _idle() -> list[Directive]:
    """Directives of Redis that have nothing to act on here, or not yet."""
    rows: list[Directive] = []

    def add(
        kind: Kind, default: Any, *names: str, fixed: bool = False, protected: bool = False, hidden: bool = False
    ) -> None:
        for name in names:
            first, _, alias = name.partition("/")
            rows.append(Directive(first, kind, default, alias=alias, fixed=fixed, protected=protected, hidden=hidden))

    add(YES_NO, False, "use-exit-on-panic", hidden=True)
    add(Number(0, INT_MAX), 0, "watchdog-period", "cluster-ping-interval", hidden=True)
    add(Memory(1024, INT_MAX), 2 << 20, "loading-process-events-interval-bytes", hidden=True)
    add(YES_NO, False, "hide-user-data-from-log")
    add(YES_NO, False, "activedefrag", "cluster-allow-reads-when-down")
    add(YES_NO, False, "cluster-replica-no-failover/cluster-slave-no-failover", "tls-cluster", "tls-replication")
    add(YES_NO, False, "lazyfree-lazy-user-del", "lazyfree-lazy-user-flush", "replica-lazy-flush/slave-lazy-flush")
    add(YES_NO, False, "tls-prefer-server-ciphers")
    add(YES_NO, False, "io-threads-do-reads", fixed=True)
    add(YES_NO, True, "activerehashing")
    add(YES_NO, True, "cluster-allow-pubsubshard-when-down", "cluster-allow-replica-migration")
    add(YES_NO, True, "cluster-require-full-coverage", "crash-log-enabled", "crash-memcheck-enabled", "dynamic-hz")
    add(YES_NO, True, "jemalloc-bg-thread")
    add(YES_NO, True, "tls-session-caching")
    add(YES_NO, True, "disable-thp", fixed=True)
    add(TEXT, "", "cluster-announce-ip", "cluster-announce-hostname")
    add(TEXT, "", "cluster-announce-human-nodename", "availability-zone")
    add(TEXT, "", "tls-ca-cert-dir", "tls-ca-cert-file", "tls-cert-file")
    add(TEXT, "", "tls-ciphers", "tls-ciphersuites", "tls-client-cert-file", "tls-client-key-file", "tls-protocols")
    add(TEXT, "", "tls-client-key-file-pass", "tls-dh-params-file", "tls-key-file", "tls-key-file-pass")
    add(TEXT, "", "aof_rewrite_cpulist", "bgsave_cpulist", "bio_cpulist", "server_cpulist", fixed=True)
    add(TEXT, "", "server-cpulist", "bio-cpulist", "aof-rewrite-cpulist", "bgsave-cpulist", fixed=True)
    add(TEXT, "", "ignore-warnings")
    add(TEXT, "nodes.conf", "cluster-config-file", fixed=True)
    add(ANY, 0, "cluster-announce-bus-port", "cluster-announce-port", "cluster-announce-tls-port", "socket-mark-id")
    add(ANY, 0, "list-compress-depth")
    add(ANY, 0, "cluster-link-sendbuf-limit")
    add(ANY, 0, "cluster-port", fixed=True)
    add(ANY, 1, "cluster-migration-barrier", "active-defrag-cycle-min")
    add(Number(1, 10), 1, "active-expire-effort")
    add(Number(1, 128), 1, "io-threads", fixed=True)
    add(ANY, 10, "active-defrag-threshold-lower", "cluster-replica-validity-factor/cluster-slave-validity-factor")
    add(ANY, 25, "active-defrag-cycle-max")
    add(ANY, 300, "tls-session-cache-timeout")
    add(ANY, 1000, "active-defrag-max-scan-fields")
    add(ANY, 15000, "cluster-node-timeout")
    add(ANY, 20480, "tls-session-cache-size")
    add(ANY, 10, "max-new-connections-per-cycle")
    add(ANY, 1, "max-new-tls-connections-per-cycle")
    add(ANY, 100, "active-defrag-threshold-upper")
    add(Memory(0, INT_MAX), 100 << 20, "active-defrag-ignore-bytes")
    add(Choice(("no", "yes", "clients")), "no", "sanitize-dump-payload")
    add(Choice(("ip", "hostname", "unknown-endpoint")), "ip", "cluster-preferred-endpoint-type")
    add(Choice(("no", "yes", "optional")), "yes", "tls-auth-clients")
    add(Text(), "", "locale-collate")
    return rows


UNAVAILABLE = {
    "loadmodule": "modules cannot be loaded: extensions are Python packages here",
    "sentinel": "this version has no sentinel mode",
}
"""Directives that would do something important which cannot be had: always an error."""

DIRECTIVES: dict[str, Directive] = {row.name: row for row in (*_acting(), *_idle())}
OF_GROUPS = (
    "group-seat",
    "group-secret",
    "group-state-file",
    "group-lease",
    "group-down-after",
    "preferred-leader",
    "failback-delay",
    "failback-interval",
    "sentinel-port",
    "sentinel-master-name",
    "repl-ack",
    "repl-ack-timeout",
    "coordinator",
    "coordinator-endpoints",
    "coordinator-prefix",
    "coordinator-ttl",
    "coordinator-fallback",
    "coordinator-username",
    "coordinator-password",
    "coordinator-token",
)
"""Directives that mean nothing without group-voters."""
ALIASES: dict[str, str] = {row.alias: row.name for row in DIRECTIVES.values() if row.alias}


def directive(name: str) -> Directive | None:
    """The directive of that name, or with that alias."""
    return DIRECTIVES.get(ALIASES.get(name, name))
