"""CLUSTER and its like, of a server that is no node of a cluster: each answers that.

The commands are there with their arguments all the same, because clients ask COMMAND, and look at the error to learn
that they talk to a single server.

Contents: ASKING READONLY READWRITE; CLUSTER ADDSLOTS ADDSLOTSRANGE BUMPEPOCH COUNT-FAILURE-REPORTS COUNTKEYSINSLOT
DELSLOTS DELSLOTSRANGE FAILOVER FLUSHSLOTS FORGET GETKEYSINSLOT HELP INFO KEYSLOT LINKS MEET MYID MYSHARDID NODES
REPLICAS REPLICATE RESET SAVECONFIG SET-CONFIG-EPOCH SETSLOT SHARDS SLAVES SLOTS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pycache_server.commands.context import Context
from pycache_server.commands.registry import ADMIN, FAST, LOADING, NO_ASYNC_LOADING, NOSCRIPT, STALE, Family, Flag
from pycache_server.errors import RedisError


class ClusterDisabled(RedisError):
    text = b"ERR This instance has cluster support disabled"


family = Family("cluster")
family.container("CLUSTER", since="3.0.0", summary="Commands of the nodes of a cluster.")


def _refusal(summary: str) -> Callable[[Context, list[bytes]], Any]:
    """A command that answers that there is no cluster; COMMAND DOCS shows what it would do."""

    def refuse(session: Context, argv: list[bytes]) -> Any:
        raise ClusterDisabled

    refuse.__doc__ = summary
    return refuse


_CHANGES = (ADMIN, STALE, NO_ASYNC_LOADING)
_LOOKS = (STALE,)
_VARIES = ("nondeterministic_output",)
_NODES = "O(N), N = nodes"
_SLOTS = "O(N), N = slots"

_Row = tuple[str, tuple[Flag, ...], str, str, tuple[str, ...], str]

_SUBCOMMANDS: tuple[_Row, ...] = (
    ("ADDSLOTS slot [slot ...]", _CHANGES, "3.0.0", _SLOTS, (), "Let a node serve slots."),
    (
        "ADDSLOTSRANGE start-slot end-slot [start-slot end-slot ...]",
        _CHANGES,
        "7.0.0",
        _SLOTS,
        (),
        "Let a node serve ranges of slots.",
    ),
    ("BUMPEPOCH", _CHANGES, "3.0.0", "O(1)", _VARIES, "Advance the epoch of the configuration."),
    (
        "COUNT-FAILURE-REPORTS node-id",
        (ADMIN, STALE),
        "3.0.0",
        "O(N), N = reports",
        _VARIES,
        "Count the reports that a node has failed.",
    ),
    ("COUNTKEYSINSLOT slot", _LOOKS, "3.0.0", "O(1)", (), "Count the keys of a slot."),
    ("DELSLOTS slot [slot ...]", _CHANGES, "3.0.0", _SLOTS, (), "Let a node no longer know who serves slots."),
    (
        "DELSLOTSRANGE start-slot end-slot [start-slot end-slot ...]",
        _CHANGES,
        "7.0.0",
        _SLOTS,
        (),
        "Let a node no longer know who serves ranges of slots.",
    ),
    ("FAILOVER [FORCE | TAKEOVER]", _CHANGES, "3.0.0", "O(1)", (), "Let a replica take its master's place."),
    ("FLUSHSLOTS", _CHANGES, "3.0.0", "O(1)", (), "Let a node no longer know who serves any slot."),
    ("FORGET node-id", _CHANGES, "3.0.0", "O(1)", (), "Remove a node from the table of nodes."),
    ("GETKEYSINSLOT slot count", _LOOKS, "3.0.0", "O(N), N = keys returned", _VARIES, "Return keys of a slot."),
    ("HELP", (LOADING, STALE), "5.0.0", "O(1)", (), "Return helpful text about the different subcommands."),
    ("INFO", _LOOKS, "3.0.0", "O(1)", _VARIES, "Tell the state of a node."),
    ("KEYSLOT key", _LOOKS, "3.0.0", "O(N), N = bytes of the key", (), "Return the slot of a key."),
    ("LINKS", _LOOKS, "7.0.0", _NODES, _VARIES, "List the connections between nodes."),
    ("MEET ip port [cluster-bus-port]", _CHANGES, "3.0.0", "O(1)", (), "Let a node get to know another."),
    ("MYID", _LOOKS, "3.0.0", "O(1)", (), "Return the id of a node."),
    ("MYSHARDID", _LOOKS, "7.2.0", "O(1)", _VARIES, "Return the id of a node's shard."),
    ("NODES", _LOOKS, "3.0.0", _NODES, _VARIES, "List the nodes as a node knows them."),
    ("REPLICAS node-id", (ADMIN, STALE), "5.0.0", "O(N), N = replicas", _VARIES, "List the replicas of a node."),
    ("REPLICATE node-id", _CHANGES, "3.0.0", "O(1)", (), "Make a node the replica of another."),
    ("RESET [HARD | SOFT]", (ADMIN, NOSCRIPT, STALE), "3.0.0", _NODES, (), "Let a node forget its cluster."),
    ("SAVECONFIG", _CHANGES, "3.0.0", "O(1)", (), "Write what a node knows of its cluster to disk."),
    ("SET-CONFIG-EPOCH config-epoch", _CHANGES, "3.0.0", "O(1)", (), "Give a new node an epoch."),
    (
        "SETSLOT slot <IMPORTING importing | MIGRATING migrating | NODE node | STABLE>",
        _CHANGES,
        "3.0.0",
        "O(1)",
        (),
        "Tell who serves a slot, or that it is moving.",
    ),
    ("SHARDS", (LOADING, STALE), "7.0.0", _NODES, _VARIES, "List the shards with their slots and nodes."),
    ("SLAVES node-id", (ADMIN, STALE), "3.0.0", "O(N), N = replicas", _VARIES, "List the replicas of a node."),
    ("SLOTS", (LOADING, STALE), "3.0.0", _NODES, _VARIES, "List ranges of slots with their nodes."),
)

for _syntax, _flags, _since, _complexity, _tips, _summary in _SUBCOMMANDS:
    family.command(
        "CLUSTER " + _syntax,
        *_flags,
        since=_since,
        complexity=_complexity,
        tips=_tips,
        key_specs=(),
        kinds={
            "key": "string",
            "slot": "integer",
            "start-slot": "integer",
            "end-slot": "integer",
            "config-epoch": "integer",
            "cluster-bus-port": "integer",
        },
    )(_refusal(_summary))

for _syntax, _flags, _summary in (
    ("ASKING", (FAST,), "Let the next command use a slot that is being imported."),
    ("READONLY", (LOADING, STALE, FAST), "Let a replica serve reads of this connection."),
    ("READWRITE", (LOADING, STALE, FAST), "Let a replica serve no reads of this connection any more."),
):
    family.command(_syntax, *_flags, since="3.0.0", categories="connection")(_refusal(_summary))
