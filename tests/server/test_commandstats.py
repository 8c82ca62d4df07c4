"""INFO commandstats and errorstats: whose call, refusal or failure each command line is, as with Redis."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import RealRedis
from tests.differential.oracle import Real
from tests.server.running import Running

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("server")) as running:
        yield running


LINES = {
    "subcommands": "CONFIG|CONFIG GET|CONFIG foo|CONFIG GET hz|config get hz|CoNfIg gEt hz|COMMAND COUNT|COMMAND nope"
    "|OBJECT ENCODING|OBJECT ENCODING nope|OBJECT nope x|XINFO STREAM nope|XINFO STREAM|CLIENT KILL nope:1|CLIENT"
    "|CLIENT NO-EVICT maybe|CLIENT GETNAME|CONFIG SET hz x|CONFIG SET nope 1|OBJECT HELP|OBJECT HELP x|CLIENT REPLY",
    "plain commands": "GET|GET a b|get|GeT|GET a|nope|LPUSH str x|EXEC|DISCARD|HELLO 9|HELLO x|AUTH|PING|PING a b",
    "a transaction": "MULTI|CONFIG|CONFIG GET hz|CONFIG foo|GET|EXEC|MULTI|CONFIG GET hz|GET a|OBJECT ENCODING nope"
    "|COMMAND COUNT|LPUSH str x|EXEC|MULTI|MULTI|SUBSCRIBE ch|DISCARD|UNSUBSCRIBE ch",
    "no memory": "CONFIG SET maxmemory 1|SET a 1|LPUSH a 1|CONFIG|CONFIG GET|MULTI|SET a 1|EXEC|CONFIG SET maxmemory 0"
    "|MULTI|SET a 1|CONFIG SET maxmemory 1|EXEC|CONFIG SET maxmemory 0",
    "a subscriber": "SUBSCRIBE x|GET a|CONFIG GET hz|CONFIG|PING|SUBSCRIBE|GET|UNSUBSCRIBE x",
    "a subscriber in RESP3": "HELLO 3|SUBSCRIBE x|GET str|GET|CONFIG|CONFIG GET|CONFIG GET hz|LPUSH str x"
    "|CONFIG foo|UNSUBSCRIBE x|HELLO 2",
    "a stranger": "CONFIG SET requirepass x|RESET|GET a|GET|CONFIG GET hz|CONFIG GET|CONFIG|CONFIG foo|AUTH|AUTH y"
    "|AUTH x|CONFIG SET requirepass ''",
}


def figures(control: Real) -> dict[str, str]:
    """The counts of all commands and errors, but for what asks for them and how long calls took."""
    text = b"".join(control.call([b"INFO", section]) for section in (b"commandstats", b"errorstats")).decode()
    found = dict(re.findall(r"^(?:cmdstat|errorstat)_([^:]+):(.*?)\r$", text, re.MULTILINE))
    found.pop("info", None)
    return {name: re.sub(r"usec=.*_call=[0-9.]+,", "", counts) for name, counts in found.items()}


def told(port: int, lines: str) -> Iterator[tuple[str, Any]]:
    """What the figures are after each line."""
    client, control = Real(port, 2), Real(port, 2)
    client.call([b"SET", b"str", b"x"])
    client.call([b"CONFIG", b"RESETSTAT"])
    for line in lines.split("|"):
        client.call([b"" if word == "''" else word.encode() for word in line.split()])
        while b"pycache_eviction_changing:1" in control.call([b"INFO", b"pycache"]):
            pass  # keys are counted in slices when maxmemory is set
        yield line, figures(control)
    client.close()
    control.close()


@pytest.mark.parametrize("subject", LINES)
def test_calls_refusals_and_failures_are_counted_where_redis_counts_them(
    real_redis: RealRedis, server: Running, subject: str
) -> None:
    assert list(told(server.port, LINES[subject])) == list(told(real_redis.port, LINES[subject]))
