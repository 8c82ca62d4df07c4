"""The ``sentinel`` lines of a configuration: what is asked for, and what a sentinel has found out and must not forget.

Reading is one function for each directive; ``lines`` gives all of them back. The lines are Redis Sentinel's own, so
either reads the other's file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pycache_server.sentinel.instance import DEFAULT_DOWN_AFTER, Master, Peer
from pycache_server.sentinel.machine import Sentinel

NO_ADDRESS = "Can't resolve instance hostname."
_MOST = (1 << 63) - 1


class BadLine(ValueError):
    """A ``sentinel`` line that cannot be used; the text says why."""


def take(sentinel: Sentinel, words: list[str], now: int) -> None:
    """Take the words behind ``sentinel`` of one line.

    Raises BadLine.
    """
    if not words:
        raise BadLine("Unrecognized sentinel configuration statement.")
    name, *rest = words
    name = name.lower()
    if name in _GLOBALS:
        _need(rest, 1)
        _GLOBALS[name](sentinel, rest[0])
    elif name == "monitor":
        _need(rest, 4)
        monitor(sentinel, rest[0], rest[1], rest[2], rest[3], now)
    elif name in ("known-replica", "known-slave"):
        _need(rest, 3)
        sentinel.find_replica(master_of(sentinel, rest[0]), rest[1], _port(rest[2]), now)
    elif name == "known-sentinel":
        _need(rest, 3, 4)
        master = master_of(sentinel, rest[0])
        run_id = rest[3] if len(rest) > 3 else ""
        if run_id:
            master.peers[run_id] = Peer(master, run_id, rest[1], _port(rest[2]), now)
    elif name == "rename-command":
        _need(rest, 3)
        rename(master_of(sentinel, rest[0]), rest[1], rest[2])
    elif name in OF_MASTERS:
        _need(rest, 2)
        set_of_master(sentinel, master_of(sentinel, rest[0]), name, rest[1])
    else:
        raise BadLine("Unrecognized sentinel configuration statement.")
    sentinel.take_actions()  # what is read is no event


def set_of_master(sentinel: Sentinel, master: Master, name: str, text: str) -> None:
    """Set an option of a master.

    Raises BadLine, KeyError where there is no such option.
    """
    setter = OF_MASTERS[name]
    if name in SCRIPTS and text and not sentinel.is_runnable(text):
        raise BadLine(f"{SCRIPTS[name]} seems non existing or non executable.")
    setter(master, text)


def set_global(sentinel: Sentinel, name: str, text: str) -> None:
    """Set an option of the sentinel itself.

    Raises BadLine, KeyError where there is no such option.
    """
    _GLOBALS[name](sentinel, text)


def rename(master: Master, old: str, new: str) -> None:
    """Call a command by another name where this master and its replicas are concerned; its own name ends that.

    Raises BadLine where a name is empty.
    """
    if not old or not new:
        raise BadLine("Same or empty command name")
    if old.lower() == new.lower():
        master.renamed.pop(old.lower(), None)
    else:
        master.renamed[old.lower()] = new


def _need(words: list[str], *counts: int) -> None:
    if len(words) not in counts:
        raise BadLine("Unrecognized sentinel configuration statement.")


def master_of(sentinel: Sentinel, name: str) -> Master:
    """The master of a name.

    Raises BadLine where there is none.
    """
    if name not in sentinel.masters:
        raise BadLine("No such master with specified name.")
    return sentinel.masters[name]


def monitor(sentinel: Sentinel, name: str, host: str, port: str, quorum: str, now: int) -> Master:
    """Watch a master.

    Raises BadLine.
    """
    if not quorum.lstrip("-").isdigit() or int(quorum) <= 0:
        raise BadLine("Quorum must be 1 or greater.")
    if name in sentinel.masters:
        raise BadLine("Duplicate master name.")
    if not sentinel.can_resolve(host):
        raise BadLine(NO_ADDRESS)
    master = Master(name, host, _port(port), int(quorum), now)
    master.down_after = sentinel.timing.default_down_after
    master.failover_timeout = sentinel.timing.default_failover_timeout
    sentinel.monitor(master)
    return master


def _port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise BadLine("Invalid port number.")
    return int(text)


def positive(text: str) -> int:
    """A number from 1 on.

    Raises BadLine.
    """
    if not text.isdigit() or not 0 < int(text) <= _MOST:
        raise BadLine("must be a positive number")
    return int(text)


def _count(text: str) -> int:
    if not text.isdigit() or int(text) > _MOST:
        raise BadLine("must be a number")
    return int(text)


def yes_no(text: str) -> bool:
    """yes or no.

    Raises BadLine.
    """
    if text.lower() not in ("yes", "no"):
        raise BadLine("Please specify yes or no")
    return text.lower() == "yes"


# Of the sentinel


def _my_id(sentinel: Sentinel, text: str) -> None:
    if len(text) != 40:
        raise BadLine("Malformed Sentinel id in myid option.")
    sentinel.my_id = text


def _epoch(sentinel: Sentinel, text: str) -> None:
    sentinel.epoch = max(sentinel.epoch, _count(text))


def _announce_port(sentinel: Sentinel, text: str) -> None:
    sentinel.announce_port = _count(text)


def _setter(name: str) -> Callable[[Sentinel, str], None]:
    def take_text(sentinel: Sentinel, text: str) -> None:
        setattr(sentinel, name, text)

    return take_text


def _switch(name: str) -> Callable[[Sentinel, str], None]:
    def take_switch(sentinel: Sentinel, text: str) -> None:
        setattr(sentinel, name, yes_no(text))

    return take_switch


_GLOBALS: dict[str, Callable[[Sentinel, str], None]] = {
    "myid": _my_id,
    "current-epoch": _epoch,
    "announce-ip": _setter("announce_ip"),
    "announce-port": _announce_port,
    "deny-scripts-reconfig": _switch("deny_scripts"),
    "resolve-hostnames": _switch("resolve_hostnames"),
    "announce-hostnames": _switch("announce_hostnames"),
    "sentinel-user": _setter("user"),
    "sentinel-pass": _setter("password"),
}


# Of a master


def _down_after(master: Master, text: str) -> None:
    set_down_after(master, positive(text))


def set_down_after(master: Master, milliseconds: int) -> None:
    """Let it and everyone around it be down after that silence."""
    for instance in master.instances():
        instance.down_after = milliseconds


def _failover_timeout(master: Master, text: str) -> None:
    master.failover_timeout = positive(text)


def _parallel(master: Master, text: str) -> None:
    master.parallel_syncs = positive(text)


def _text(attribute: str) -> Callable[[Master, str], None]:
    def take_text(master: Master, text: str) -> None:
        setattr(master, attribute, text)

    return take_text


def _number(attribute: str) -> Callable[[Master, str], None]:
    def take_number(master: Master, text: str) -> None:
        setattr(master, attribute, _count(text))

    return take_number


SCRIPTS = {
    "notification-script": "Notification script",
    "client-reconfig-script": "Client reconfiguration script",
}
OF_MASTERS: dict[str, Callable[[Master, str], None]] = {
    "down-after-milliseconds": _down_after,
    "failover-timeout": _failover_timeout,
    "parallel-syncs": _parallel,
    "notification-script": _text("notification_script"),
    "client-reconfig-script": _text("client_reconfig_script"),
    "auth-pass": _text("auth_pass"),
    "auth-user": _text("auth_user"),
    "config-epoch": _number("config_epoch"),
    "leader-epoch": _number("leader_epoch"),
    "master-reboot-down-after-period": _number("reboot_down_after"),
}


# All of it


def lines(sentinel: Sentinel) -> Iterator[str]:
    """The lines that say all that a sentinel must know when it starts anew."""
    yield f"sentinel myid {sentinel.my_id}"
    if sentinel.deny_scripts is not True:
        yield "sentinel deny-scripts-reconfig no"
    for name, value in (
        ("resolve-hostnames", sentinel.resolve_hostnames),
        ("announce-hostnames", sentinel.announce_hostnames),
    ):
        if value:
            yield f"sentinel {name} yes"
    for name, text in (
        ("announce-ip", sentinel.announce_ip),
        ("announce-port", sentinel.announce_port or ""),
        ("sentinel-user", sentinel.user),
        ("sentinel-pass", sentinel.password),
    ):
        if text:
            yield f"sentinel {name} {quoted(str(text))}"
    for master in sentinel.masters.values():
        yield from _lines_of(master)
    yield f"sentinel current-epoch {sentinel.epoch}"


def _lines_of(master: Master) -> Iterator[str]:
    name = quoted(master.name)
    host, port = master.current_address()
    yield f"sentinel monitor {name} {host} {port} {master.quorum}"
    for directive, value, default in (
        ("down-after-milliseconds", master.down_after, DEFAULT_DOWN_AFTER),
        ("failover-timeout", master.failover_timeout, 180_000),
        ("parallel-syncs", master.parallel_syncs, 1),
        ("notification-script", master.notification_script, ""),
        ("client-reconfig-script", master.client_reconfig_script, ""),
        ("auth-pass", master.auth_pass, ""),
        ("auth-user", master.auth_user, ""),
        ("master-reboot-down-after-period", master.reboot_down_after, 0),
    ):
        if value != default:
            yield f"sentinel {directive} {name} {quoted(str(value))}"
    yield f"sentinel config-epoch {name} {master.config_epoch}"
    yield f"sentinel leader-epoch {name} {master.leader_epoch}"
    for replica in master.replicas.values():
        address = replica.address
        if address == (host, port):  # the one that has been promoted: the old leader follows
            address = master.address
        yield f"sentinel known-replica {name} {address[0]} {address[1]}"
    for peer in master.peers.values():
        if peer.port:
            yield f"sentinel known-sentinel {name} {peer.host} {peer.port} {peer.run_id}"
    for old, new in master.renamed.items():
        yield f"sentinel rename-command {name} {old} {quoted(new)}"


def quoted(text: str) -> str:
    """A word of a configuration line."""
    if text and not any(letter in " \t\"'\\#" for letter in text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
