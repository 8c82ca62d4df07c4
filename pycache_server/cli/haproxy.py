"""``pycache-server haproxy-config``: a configuration of HAProxy for some nodes.

One port for writes, where only the leader is up, and one for each way of balancing reads over followers; where no
follower is left the leader serves reads, too. HAProxy finds out by itself who the leader is: it asks every node for
INFO replication five times a second, so a failover needs no change of configuration, and no client has to know of it.

The checks are lines to be sent and texts to be found. A role is tested by a string, not by a regular expression: two
expectations in a row see the same answer only where they are strings. A leader that has lost its quorum says
``role:slave`` with its link down, so it is in neither pool.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NamedTuple

BALANCE = {"roundrobin": "roundrobin", "weighted": "static-rr", "random": "random(2)", "leastconn": "leastconn"}
"""HAProxy's names for the ways of balancing."""


class Node(NamedTuple):
    """A node: where it is, and its share of the reads."""

    host: str
    port: int
    weight: int


def node(text: str) -> Node:
    """The node that ``host:port`` or ``host:port:weight`` names; an IPv6 address stands in brackets.

    Raises ValueError.
    """
    host, _, rest = text.rpartition("]:") if text.startswith("[") else text.partition(":")
    host = host.removeprefix("[")
    port, _, weight = rest.partition(":")
    found = Node(host, int(port), int(weight or 1))
    if not host or not 0 < found.port < 65536 or not 1 <= found.weight <= 256:
        raise ValueError(text)
    return found


def main(arguments: Sequence[str]) -> int:
    """Print the configuration that the arguments ask for; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="pycache-server haproxy-config", description="Print a configuration of HAProxy for some nodes."
    )
    parser.add_argument("nodes", nargs="+", type=node, metavar="host:port[:weight]")
    parser.add_argument("--bind", default="*", help="the address that clients connect to (default: all)")
    parser.add_argument("--write-port", type=int, default=6390, help="the port of the leader (default: 6390)")
    parser.add_argument(
        "--read",
        action="append",
        default=[],
        metavar="WAY:PORT",
        help=f"a port of the followers and how it balances: {', '.join(BALANCE)} (default: roundrobin:6391)",
    )
    parser.add_argument("--password", default="", help="what the checks authenticate with")
    parser.add_argument("--user", default="", help="the user that they are")
    given = parser.parse_args(arguments)
    try:
        reads = [_read(text) for text in given.read or ["roundrobin:6391"]]
    except ValueError:
        parser.error(f"--read takes one of {', '.join(BALANCE)}, a colon and a port")
    print(configuration(given.nodes, given.bind, given.write_port, reads, given.user, given.password), end="")
    return 0


def _read(text: str) -> tuple[str, int]:
    way, _, port = text.partition(":")
    if way not in BALANCE or not 0 < int(port) < 65536:
        raise ValueError(text)
    return way, int(port)


def configuration(
    nodes: Sequence[Node],
    bind: str = "*",
    write_port: int = 6390,
    reads: Sequence[tuple[str, int]] = (("roundrobin", 6391),),
    user: str = "",
    password: str = "",
) -> str:
    """The text of a haproxy.cfg. ``reads`` has the ways of balancing, each with its port."""
    parts = [_HEAD, _frontend("write", bind, write_port, "leader")]
    parts += [_frontend(f"read_{way}", bind, port, f"followers_{way}", "leader") for way, port in reads]
    login = [f"AUTH {user + ' ' if user else ''}{password}"] if password else []
    parts.append(_backend("leader", "first", nodes, login, ["role:master"]))
    parts += [
        _backend(f"followers_{way}", BALANCE[way], nodes, login, ["role:slave", "master_link_status:up"])
        for way, _ in reads
    ]
    return "\n".join(parts)


_HEAD = """\
defaults
    mode tcp
    timeout connect 1s
    timeout client 1h
    timeout server 1h
    timeout check 1s
    option redispatch
    option clitcpka
    option srvtcpka
"""


def _frontend(name: str, bind: str, port: int, backend: str, otherwise: str = "") -> str:
    lines = [f"frontend {name}", f"    bind {bind}:{port}"]
    if otherwise:
        lines.append(f"    use_backend {otherwise} if {{ nbsrv({backend}) eq 0 }}")
    return "\n".join([*lines, f"    default_backend {backend}", ""])


def _backend(name: str, balance: str, nodes: Sequence[Node], login: list[str], expected: list[str]) -> str:
    lines = [f"backend {name}", f"    balance {balance}", "    option tcp-check"]
    for text in login:
        lines += [f"    tcp-check send {_quoted(text)}", "    tcp-check expect string +OK"]
    lines += ["    tcp-check send PING\\r\\n", "    tcp-check expect string +PONG"]
    lines.append("    tcp-check send info\\ replication\\r\\n")
    lines += [f"    tcp-check expect string {text}" for text in expected]
    lines += ["    tcp-check send QUIT\\r\\n", "    tcp-check expect string +OK"]
    lines.append("    default-server inter 200ms fall 2 rise 1 on-marked-down shutdown-sessions")
    for number, each in enumerate(nodes, 1):
        host = f"[{each.host}]" if ":" in each.host else each.host
        lines.append(f"    server node{number} {host}:{each.port} check weight {each.weight}")
    return "\n".join([*lines, ""])


def _quoted(text: str) -> str:
    """A line for ``tcp-check send``, whose words HAProxy would otherwise take apart."""
    escaped = "".join("\\" + letter if letter in " \\#\"'" else letter for letter in text)
    return escaped + "\\r\\n"
