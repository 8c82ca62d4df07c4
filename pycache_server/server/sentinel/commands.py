"""What a sentinel answers: SENTINEL, and its own forms of INFO, PUBLISH and ROLE.

Contents: SENTINEL MASTERS MASTER REPLICAS SLAVES SENTINELS MYID GET-MASTER-ADDR-BY-NAME IS-MASTER-DOWN-BY-ADDR
CKQUORUM FAILOVER MONITOR REMOVE RESET SET CONFIG FLUSHCONFIG INFO-CACHE PENDING-SCRIPTS DEBUG SIMULATE-FAILURE ·
INFO PUBLISH ROLE
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pycache_server.commands.registry import (
    ADMIN,
    FAST,
    LOADING,
    PUBSUB,
    REGISTRY,
    STALE,
    Command,
    Family,
    Flag,
)
from pycache_server.errors import RedisError
from pycache_server.resp.encode import NULL_ARRAY, OK, status
from pycache_server.sentinel import config, failover
from pycache_server.sentinel.config import BadLine
from pycache_server.sentinel.hello import CHANNEL
from pycache_server.sentinel.instance import SENTINEL, Instance, Master, Peer, Replica
from pycache_server.server.info import render
from pycache_server.session.introspection import add_help
from pycache_server.store.glob import compile_glob

if TYPE_CHECKING:
    from pycache_server.server.sentinel.app import SentinelApp
    from pycache_server.session.session import Session

OWN: dict[str, Command] = {}
"""The commands that a sentinel has in place of a server's, or beside them."""
_SHARED = (
    *("acl", "auth", "client", "command", "hello", "ping", "psubscribe", "punsubscribe", "quit", "reset"),
    *("shutdown", "subscribe", "unsubscribe"),
)
RUNS_ITSELF = b"ERR This port answers for a group of voters, which runs itself"
SECTIONS = ("server", "clients", "stats", "cpu", "sentinel")

family = Family("sentinel", OWN)
command = family.command
family.container("SENTINEL", ADMIN, Flag.ONLY_SENTINEL, since="2.8.4", summary="Commands of a sentinel.")


def sentinel_commands() -> list[Command]:
    """All commands of a sentinel."""
    add_help(OWN)
    return [*(REGISTRY[name] for name in _SHARED), *OWN.values()]


def _app(session: Session) -> SentinelApp:
    app: SentinelApp = session.core.owner
    app.refresh()
    return app


def _watching(session: Session) -> SentinelApp:
    """The sentinel, where it is one with a will of its own.

    Raises RedisError where it only answers for a group.
    """
    app = _app(session)
    if app.is_window:
        raise RedisError(RUNS_ITSELF)
    return app


def _text(word: bytes) -> str:
    return word.decode("utf-8", "surrogateescape")


def _master(session: Session, name: bytes) -> Master:
    master = _app(session).sentinel.masters.get(_text(name))
    if master is None:
        raise RedisError(b"ERR No such master with that name")
    return master


def _integer(word: bytes) -> int:
    try:
        return int(word)
    except ValueError:
        raise RedisError(b"ERR value is not an integer or out of range") from None


# What is known


@command("SENTINEL MASTERS", ADMIN, Flag.ONLY_SENTINEL, since="2.8.4", complexity="O(N), N = masters")
def sentinel_masters(session: Session, argv: list[bytes]) -> list[Any]:
    """Show the state of all masters."""
    app = _app(session)
    return [_described(app, each) for each in app.sentinel.masters.values()]


@command("SENTINEL MASTER master-name", ADMIN, Flag.ONLY_SENTINEL, since="2.8.4")
def sentinel_master(session: Session, argv: list[bytes]) -> Any:
    """Show the state of a master."""
    return _described(_app(session), _master(session, argv[2]))


@command("SENTINEL REPLICAS master-name", ADMIN, Flag.ONLY_SENTINEL, since="5.0.0", complexity="O(N), N = replicas")
def sentinel_replicas(session: Session, argv: list[bytes]) -> list[Any]:
    """Show the state of the replicas of a master."""
    return [_described(_app(session), each) for each in _master(session, argv[2]).replicas.values()]


@command("SENTINEL SLAVES master-name", ADMIN, Flag.ONLY_SENTINEL, since="2.8.0", complexity="O(N), N = replicas")
def sentinel_slaves(session: Session, argv: list[bytes]) -> list[Any]:
    """Show the state of the replicas of a master, by an older name."""
    return sentinel_replicas(session, argv)


@command("SENTINEL SENTINELS master-name", ADMIN, Flag.ONLY_SENTINEL, since="2.8.4", complexity="O(N), N = sentinels")
def sentinel_sentinels(session: Session, argv: list[bytes]) -> list[Any]:
    """Show the state of the other sentinels of a master."""
    return [_described(_app(session), each) for each in _master(session, argv[2]).peers.values()]


@command("SENTINEL MYID", ADMIN, Flag.ONLY_SENTINEL, since="6.2.0")
def sentinel_myid(session: Session, argv: list[bytes]) -> bytes:
    """Return the id of this sentinel."""
    return _app(session).sentinel.my_id.encode()


@command("SENTINEL GET-MASTER-ADDR-BY-NAME master-name", ADMIN, Flag.ONLY_SENTINEL, since="2.8.4")
def sentinel_get_master_addr_by_name(session: Session, argv: list[bytes]) -> Any:
    """Return where the master of a name is."""
    master = _app(session).sentinel.masters.get(_text(argv[2]))
    if master is None:
        return NULL_ARRAY
    host, port = master.current_address()
    return [_shown(_app(session), host), b"%d" % port]


def _shown(app: SentinelApp, host: str) -> bytes:
    """A host as it is told to others: by its name where that is wanted."""
    return app.sentinel.announced(host).encode()


def _described(app: SentinelApp, instance: Instance) -> dict[bytes, bytes]:
    """All that is known of an instance, in the order of Redis."""
    now = app.now()
    found: dict[str, Any] = {
        "name": instance.name,
        "ip": _shown(app, instance.host),
        "port": instance.port,
        "runid": instance.run_id,
        "flags": ",".join(instance.flags()),
        "link-pending-commands": instance.pending,
        "link-refcount": 1,
    }
    if isinstance(instance, Master) and instance.failing_over:
        found["failover-state"] = instance.failover_state
    found["last-ping-sent"] = now - instance.ping_sent_at if instance.ping_sent_at else 0
    found["last-ok-ping-reply"] = now - instance.available_at
    found["last-ping-reply"] = now - instance.last_pong_at
    doubtful = instance.doubtful_since if isinstance(instance, Master) else 0
    if instance.s_down or doubtful:
        found["s-down-time"] = now - (instance.down_since or doubtful)
    if isinstance(instance, Master) and (instance.o_down or doubtful):
        found["o-down-time"] = now - (instance.odown_since or doubtful)
    found["down-after-milliseconds"] = instance.down_after
    if instance.kind != SENTINEL:
        found["info-refresh"] = now - instance.info_at if instance.info_at else 0
        found["role-reported"] = instance.role_reported
        found["role-reported-time"] = now - instance.role_reported_at
    found |= _particular(app, instance, now)
    return {
        name.encode(): value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")
        for name, value in found.items()
    }


def _particular(app: SentinelApp, instance: Instance, now: int) -> dict[str, Any]:
    """What only instances of one kind have."""
    if isinstance(instance, Master):
        found: dict[str, Any] = {
            "config-epoch": instance.config_epoch,
            "num-slaves": len(instance.replicas),
            "num-other-sentinels": len(instance.peers),
            "quorum": instance.quorum,
            "failover-timeout": instance.failover_timeout,
            "parallel-syncs": instance.parallel_syncs,
        }
        scripts = {
            "notification-script": instance.notification_script,
            "client-reconfig-script": instance.client_reconfig_script,
        }
        return found | {name: path for name, path in scripts.items() if path}
    if isinstance(instance, Replica):
        return {
            "master-link-down-time": instance.link_down_ms,
            "master-link-status": "ok" if instance.link_up else "err",
            "master-host": instance.master_host,
            "master-port": instance.master_port,
            "slave-priority": instance.priority,
            "slave-repl-offset": instance.offset,
            "replica-announced": int(instance.announced),
        }
    assert isinstance(instance, Peer)
    return {
        "last-hello-message": now - instance.last_hello_at,
        "voted-leader": instance.leader or "?",
        "voted-leader-epoch": instance.leader_epoch,
    }


@command(
    "SENTINEL INFO-CACHE nodename [nodename ...]",
    ADMIN,
    Flag.ONLY_SENTINEL,
    since="3.2.0",
    complexity="O(N), N = instances",
)
def sentinel_info_cache(session: Session, argv: list[bytes]) -> list[Any]:
    """Return the last INFO of masters and their replicas."""
    app = _app(session)
    now = app.now()
    found: list[Any] = []
    for name in argv[2:]:
        master = app.sentinel.masters.get(_text(name))
        if master is None:
            continue
        each: list[Any] = [
            [now - one.info_at if one.info_at else 0, one.info or None] for one in (master, *master.replicas.values())
        ]
        found += [name, each]
    return found


@command("SENTINEL PENDING-SCRIPTS", ADMIN, Flag.ONLY_SENTINEL, since="2.8.4")
def sentinel_pending_scripts(session: Session, argv: list[bytes]) -> list[Any]:
    """Show the scripts that run, or will."""
    app = _watching(session)
    now = app.loop.time()
    found = []
    for script in app.scripts.calls:
        wait = int((script.started_at - now) * 1000)
        found.append(
            {
                b"argv": [script.path.encode(), *(word.encode() for word in script.arguments)],
                b"flags": b"running" if script.pid else b"scheduled",
                b"pid": b"%d" % max(script.pid, 0),
                b"run-time" if script.pid else b"run-delay": b"%d" % (-wait if script.pid else max(wait, 0)),
                b"retry-num": b"%d" % script.tries,
            }
        )
    return found


# Agreement


@command("SENTINEL IS-MASTER-DOWN-BY-ADDR ip port current-epoch runid", ADMIN, Flag.ONLY_SENTINEL, since="2.8.4")
def sentinel_is_master_down_by_addr(session: Session, argv: list[bytes]) -> list[Any]:
    """Say whether a master is down, and vote."""
    port, epoch = _integer(argv[3]), _integer(argv[4])
    return _watching(session).vote(_text(argv[2]), port, epoch, _text(argv[5]))


@command("SENTINEL CKQUORUM master-name", ADMIN, Flag.ONLY_SENTINEL, since="2.8.4")
def sentinel_ckquorum(session: Session, argv: list[bytes]) -> Any:
    """Check whether a failover could be agreed on now."""
    master = _master(session, argv[2])
    usable, majority = _app(session).check_quorum(master)
    problems = b""
    if usable < master.quorum:
        problems += b" Not enough available Sentinels to reach the specified quorum for this master"
    if usable < majority:
        join = b" and" if problems else b""
        problems += b"%b Not enough available Sentinels to reach the majority and authorize a failover" % (
            b"." if problems else join
        )
    if problems:
        raise RedisError(b"NOQUORUM %d usable Sentinels.%b" % (usable, problems))
    return status(b"OK %d usable Sentinels. Quorum and failover authorization can be reached" % usable)


@command("SENTINEL FAILOVER master-name", ADMIN, Flag.ONLY_SENTINEL, since="2.8.4")
def sentinel_failover(session: Session, argv: list[bytes]) -> Any:
    """Fail a master over without asking the others."""
    app, master = _app(session), _master(session, argv[2])
    if app.is_window:
        return app.fail_over(master)
    if master.failing_over:
        raise RedisError(b"INPROG Failover already in progress")
    if not failover.candidates(app.sentinel, master, app.now()):
        raise RedisError(b"NOGOODSLAVE No suitable replica to promote")
    app.log.write("warning", f"Executing user requested FAILOVER of '{master.name}'")
    failover.start(app.sentinel, master, app.now())
    master.forced = True
    app.perform()
    return OK


@command("SENTINEL SIMULATE-FAILURE [mode [mode ...]]", ADMIN, Flag.ONLY_SENTINEL, since="3.2.0")
def sentinel_simulate_failure(session: Session, argv: list[bytes]) -> Any:
    """Let this sentinel crash at a certain moment, for tests."""
    modes = {"crash-after-election", "crash-after-promotion"}
    wanted = {_text(word).lower() for word in argv[2:]}
    if wanted == {"help"}:
        return [mode.encode() for mode in sorted(modes)]
    if wanted - modes:
        raise RedisError(b"ERR Unknown failure simulation specified")
    _watching(session).simulated = wanted
    return OK


# Who is watched


@command("SENTINEL MONITOR name ip port quorum", ADMIN, Flag.ONLY_SENTINEL, since="2.8.4")
def sentinel_monitor(session: Session, argv: list[bytes]) -> Any:
    """Watch one more master."""
    app = _watching(session)
    name, host, port, quorum = map(_text, argv[2:])
    if _integer(argv[5]) <= 0:
        raise RedisError(b"ERR Quorum must be 1 or greater.")
    try:
        int(argv[4])
    except ValueError:
        raise RedisError(b"ERR Invalid port") from None
    if not app.sentinel.can_resolve(host):
        raise RedisError(b"ERR Invalid IP address or hostname specified")
    try:
        config.monitor(app.sentinel, name, host, port, quorum, app.now())
    except BadLine as problem:
        raise RedisError(f"ERR {problem}".encode()) from None
    return _changed(app)


@command("SENTINEL REMOVE master-name", ADMIN, Flag.ONLY_SENTINEL, since="2.8.4")
def sentinel_remove(session: Session, argv: list[bytes]) -> Any:
    """Watch a master no more."""
    app = _watching(session)
    app.sentinel.unmonitor(_master(session, argv[2]))
    return _changed(app)


@command("SENTINEL RESET pattern", ADMIN, Flag.ONLY_SENTINEL, since="2.8.4", complexity="O(N), N = masters")
def sentinel_reset(session: Session, argv: list[bytes]) -> int:
    """Forget all but the address of masters, and watch them anew. Returns how many."""
    app = _watching(session)
    matches = compile_glob(argv[2])
    found = [each for each in app.sentinel.masters.values() if matches(each.name.encode())]
    for master in found:
        app.sentinel.reset(master, app.now())
        app.sentinel.event("warning", "+reset-master", master)
    app.perform()
    return len(found)


def _changed(app: SentinelApp) -> Any:
    app.perform()
    app.try_to_save()
    return OK


_SETTABLE = {*config.OF_MASTERS, "quorum", "rename-command"} - {"config-epoch", "leader-epoch"}


@command(
    "SENTINEL SET master-name option value [option value ...]",
    ADMIN,
    Flag.ONLY_SENTINEL,
    since="2.8.4",
    complexity="O(N), N = options",
)
def sentinel_set(session: Session, argv: list[bytes]) -> Any:
    """Change options of a master."""
    app, master = _watching(session), _master(session, argv[2])
    words = [_text(word) for word in argv[3:]]
    place = 0
    while place < len(words):
        place += _set(app, master, words, place)
    return _changed(app)


def _set(app: SentinelApp, master: Master, words: list[str], place: int) -> int:
    """Set the option at a place; how many words that were."""
    name = words[place].lower()
    count = 3 if name == "rename-command" else 2
    if name not in _SETTABLE or place + count > len(words):
        _changed(app)  # what came before is set
        shown = words[place].encode("utf-8", "surrogateescape")
        raise RedisError(b"ERR Unknown option or number of arguments for SENTINEL SET '" + shown + b"'")
    if name in config.SCRIPTS and app.sentinel.deny_scripts:
        raise RedisError(
            b"ERR Reconfiguration of scripts path is denied for security reasons. Check the deny-scripts-reconfig "
            b"configuration directive in your Sentinel configuration"
        )
    value = words[place + 1]
    try:
        if name == "quorum":
            master.quorum = config.positive(value)
        elif name == "rename-command":
            config.rename(master, value, words[place + 2])
        else:
            config.set_of_master(app.sentinel, master, name, value)
    except BadLine:
        shown = value.encode("utf-8", "surrogateescape")
        raise RedisError(b"ERR Invalid argument '%b' for SENTINEL SET '%b'" % (shown, words[place].encode())) from None
    text = "******" if name == "auth-pass" else " ".join(words[place + 1 : place + count])
    app.sentinel.event("warning", "+set", master, f" {name} {text}")
    return count


# The sentinel itself

_OF_SENTINEL = (
    *("resolve-hostnames", "announce-hostnames", "announce-ip", "announce-port"),
    *("sentinel-user", "sentinel-pass"),
)


@command("SENTINEL CONFIG action parameter [value ...]", ADMIN, Flag.ONLY_SENTINEL, since="6.2.0")
def sentinel_config(session: Session, argv: list[bytes]) -> Any:
    """Return or change options of this sentinel."""
    app = _watching(session)
    action = argv[2].lower()
    if action == b"get":
        patterns = [compile_glob(word, ignore_case=True) for word in argv[3:]]
        values = _options(app)
        return {
            name.encode(): value.encode("utf-8", "surrogateescape")
            for name, value in values.items()
            if any(matches(name.encode()) for matches in patterns)
        }
    if action != b"set" or len(argv) < 5:
        raise RedisError(b"ERR Only SENTINEL CONFIG GET <option> / SET <option> <value> are supported.")
    if len(argv) % 2 == 0:
        raise RedisError(b"ERR Missing argument '%b' value" % argv[-1])
    for name, value in zip(argv[3::2], argv[4::2], strict=True):
        _configure(app, name, value)
    return _changed(app)


def _options(app: SentinelApp) -> dict[str, str]:
    sentinel = app.sentinel
    return {
        "resolve-hostnames": "yes" if sentinel.resolve_hostnames else "no",
        "announce-hostnames": "yes" if sentinel.announce_hostnames else "no",
        "announce-ip": sentinel.announce_ip,
        "announce-port": str(sentinel.announce_port),
        "sentinel-user": sentinel.user,
        "sentinel-pass": sentinel.password,
        "loglevel": app.log.level,
    }


def _configure(app: SentinelApp, name: bytes, value: bytes) -> None:
    option, text = _text(name).lower(), _text(value)
    if option == "loglevel":
        if text not in ("debug", "verbose", "notice", "warning", "nothing"):
            raise RedisError(b"ERR Invalid value '%b' to SENTINEL CONFIG SET '%b'" % (value, name))
        app.log.quiet = text == "nothing"
        app.log.level = app.log.level if app.log.quiet else text
        return
    if option not in _OF_SENTINEL:
        raise RedisError(b"ERR Invalid argument '%b' to SENTINEL CONFIG SET" % name)
    try:
        config.set_global(app.sentinel, option, text)
    except BadLine:
        raise RedisError(b"ERR Invalid value '%b' to SENTINEL CONFIG SET '%b'" % (value, name)) from None


@command("SENTINEL FLUSHCONFIG", ADMIN, Flag.ONLY_SENTINEL, since="2.8.4")
def sentinel_flushconfig(session: Session, argv: list[bytes]) -> Any:
    """Write the configuration file anew."""
    if not _watching(session).try_to_save():
        raise RedisError(b"ERR Failed to save config file. Check server logs.")
    return OK


@command("SENTINEL DEBUG [parameter value [parameter value ...]]", ADMIN, Flag.ONLY_SENTINEL, since="7.0.0")
def sentinel_debug(session: Session, argv: list[bytes]) -> Any:
    """Return or change how often this sentinel does what, in ms."""
    timing = vars(_watching(session).sentinel.timing)
    if len(argv) == 2:
        return {name.replace("_", "-").upper().encode(): b"%d" % value for name, value in timing.items()}
    if len(argv) % 2:
        raise RedisError(b"ERR Unknown option or number of arguments for SENTINEL DEBUG '%b'" % argv[-1])
    for name, value in zip(argv[2::2], argv[3::2], strict=True):
        known = _text(name).lower().replace("-", "_")
        if known not in timing:
            raise RedisError(b"ERR Unknown option or number of arguments for SENTINEL DEBUG '%b'" % name)
        if not value.isdigit() or not int(value):
            raise RedisError(b"ERR Invalid argument '%b' for SENTINEL DEBUG '%b'" % (value, name))
        setattr(_app(session).sentinel.timing, known, int(value))
    return OK


# In place of a server's commands


@command("INFO [section [section ...]]", LOADING, STALE, since="1.0.0", categories="dangerous")
def info(session: Session, argv: list[bytes]) -> Any:
    """Return figures and facts about this sentinel."""
    wanted = [_text(word).lower() for word in argv[1:]] or ["default"]
    everything = {"default", "all", "everything"} & set(wanted)
    names = SECTIONS if everything else [name for name in SECTIONS if name in wanted]
    parts = [render(_app(session), [name]) for name in names if name != "sentinel"]
    if "sentinel" in names:
        parts.append("".join(f"{line}\r\n" for line in _section(_app(session))))
    return "\r\n".join(parts).encode()


def _section(app: SentinelApp) -> Iterator[str]:
    sentinel = app.sentinel
    yield "# Sentinel"
    yield f"sentinel_masters:{len(sentinel.masters)}"
    yield f"sentinel_tilt:{int(bool(sentinel.tilt_since))}"
    yield f"sentinel_tilt_since_seconds:{(app.now() - sentinel.tilt_since) // 1000 if sentinel.tilt_since else -1}"
    yield f"sentinel_running_scripts:{app.scripts.running()}"
    yield f"sentinel_scripts_queue_length:{len(app.scripts.calls)}"
    yield f"sentinel_simulate_failure_flags:{len(app.simulated)}"
    for number, master in enumerate(sentinel.masters.values()):
        state = "odown" if master.o_down or master.doubtful_since else "sdown" if master.s_down else "ok"
        host = _shown(app, master.host).decode()
        yield (
            f"master{number}:name={master.name},status={state},address={host}:{master.port},"
            f"slaves={len(master.replicas)},sentinels={len(master.peers) + 1}"
        )


@command("PUBLISH channel message", PUBSUB, LOADING, STALE, FAST, since="2.0.0")
def publish(session: Session, argv: list[bytes]) -> int:
    """Take in the hello of another sentinel."""
    if argv[1] != CHANNEL.encode():
        raise RedisError(b"ERR Only HELLO messages are accepted by Sentinel instances.")
    app = _watching(session)
    app.sentinel.heard_directly(argv[2].decode("utf-8", "replace"), app.now())
    app.perform()
    return 1


@command("ROLE", LOADING, STALE, FAST, since="2.8.12", categories="admin dangerous")
def role(session: Session, argv: list[bytes]) -> list[Any]:
    """Return that this is a sentinel, and the names of its masters."""
    return [b"sentinel", [name.encode() for name in _app(session).sentinel.masters]]
