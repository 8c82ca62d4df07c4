"""CLUSTER and its like, on a server that is no node of a cluster: the same words as from Redis."""

from __future__ import annotations

import pytest

from pycache_server.commands.registry import REGISTRY
from tests.peers import AnyClient, Client, error_of

DISABLED = "ERR This instance has cluster support disabled"


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("CLUSTER INFO", DISABLED),
        ("cluster slots", DISABLED),
        ("CLUSTER HELP", DISABLED),
        ("CLUSTER KEYSLOT foo", DISABLED),
        ("CLUSTER ADDSLOTSRANGE 1 2", DISABLED),
        ("CLUSTER SETSLOT x FOO", DISABLED),
        ("CLUSTER MEET 127.0.0.1 1", DISABLED),
        ("CLUSTER RESET FOO", DISABLED),
        ("READONLY", DISABLED),
        ("READWRITE", DISABLED),
        ("ASKING", DISABLED),
        ("CLUSTER", "ERR wrong number of arguments for 'cluster' command"),
        ("CLUSTER FOO", "ERR unknown subcommand 'FOO'. Try CLUSTER HELP."),
        ("CLUSTER KEYSLOT", "ERR wrong number of arguments for 'cluster|keyslot' command"),
        ("CLUSTER KEYSLOT a b", "ERR wrong number of arguments for 'cluster|keyslot' command"),
        ("CLUSTER MYID x", "ERR wrong number of arguments for 'cluster|myid' command"),
        ("CLUSTER ADDSLOTS", "ERR wrong number of arguments for 'cluster|addslots' command"),
        ("READONLY x", "ERR wrong number of arguments for 'readonly' command"),
        ("ASKING x", "ERR wrong number of arguments for 'asking' command"),
    ],
)
def test_there_is_no_cluster(client: AnyClient, command: str, error: str) -> None:
    assert error_of(client.call(*command.split())) == error


def test_within_a_transaction_it_is_said_in_exec(client: AnyClient) -> None:
    client.call("MULTI")
    assert client.call("CLUSTER", "INFO") == "QUEUED"
    assert client.call("READONLY") == "QUEUED"
    assert [str(reply) for reply in client.call("EXEC")] == [DISABLED, DISABLED]


def test_each_subcommand_says_what_it_would_do(our_client: Client) -> None:
    docs = our_client.call("COMMAND", "DOCS", "cluster")[1]
    subcommands = docs[docs.index("subcommands") + 1]
    assert len(subcommands[::2]) == len(REGISTRY["cluster"].subcommands) == 28
    assert all(each[1].endswith(".") for each in subcommands[1::2])
