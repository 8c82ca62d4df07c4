"""LATENCY GRAPH and DOCTOR: drawn and told as by Redis, of samples that a test has made."""

from __future__ import annotations

import pytest

from pycache_server.session.latency_report import draw
from pycache_server.testing.inprocess import START, Client, World
from tests.peers import AnyClient, error_of

NOW = int(START)


@pytest.fixture
def client(world: World) -> Client:
    return world.connect()


def graph(client: Client, event: str) -> list[str]:
    return str(client.call("LATENCY", "GRAPH", event)).split("\n")


def test_a_single_sample_is_low(world: World, client: Client) -> None:
    world.core.latency.threshold = 0.001
    world.core.latency.add("command", NOW, 0.0105)
    assert graph(client, "command") == [
        "command - high 10 ms, low 10 ms (all time high 10 ms)",
        "-" * 80,
        *(" ", " ", " ", "_", " ", "0", "s", ""),
    ]


def test_bars_have_three_steps_a_row_and_labels_below(world: World, client: Client) -> None:
    world.core.latency.threshold = 0.001
    for ago, milliseconds in ((200_000, 1), (9000, 5), (119, 20), (60, 80), (59, 100), (3, 50)):
        world.core.latency.add("expire-cycle", NOW - ago, milliseconds / 1000)
    assert graph(client, "expire-cycle")[2:] == [
        "   _#  ".removesuffix(" "),
        "   || ",
        "   ||#",
        "__#|||",
        "      ",
        "221153",
        "dhmm9s",
        "    s ",
        "",
    ]


def test_a_long_graph_goes_on_below() -> None:
    text = draw([*range(100)], ["1s"] * 100)
    first, second = text.split("\n\n")
    assert [len(line) for line in first.split("\n")] == [80] * 7
    assert [len(line) for line in second.rstrip("\n").split("\n")] == [20] * 7


def test_without_samples_there_is_no_graph(client: Client) -> None:
    assert error_of(client.call("LATENCY", "GRAPH", "x")) == "ERR No samples available for event 'x'"
    assert error_of(client.call("LATENCY", "GRAPH")) == "ERR wrong number of arguments for 'latency|graph' command"


def test_the_doctor_asks_for_the_monitor_or_for_events(world: World, client: Client) -> None:
    assert client.call("LATENCY", "DOCTOR").startswith(
        "I'm sorry, Dave, I can't do that. Latency monitoring is disabled"
    )
    world.core.latency.threshold = 0.001
    assert client.call("LATENCY", "DOCTOR").startswith("Dave, no latency spike was observed during the lifetime")


def test_the_doctor_tells_what_there_was_and_what_helps(world: World, client: Client) -> None:
    world.core.latency.threshold = 0.001
    world.core.latency.add("command", NOW - 10, 0.010)
    world.core.latency.add("command", NOW - 5, 0.020)
    assert client.call("LATENCY", "DOCTOR") == (
        "Dave, I have observed latency spikes in this Redis instance. You don't mind talking about it, do you Dave?\n\n"
        "1. command: 2 latency spikes (average 15ms, mean deviation 5ms, period 5.00 sec). Worst all time event "
        "20ms.\n\nI have a few advices for you:\n\n"
        "- Your current Slow Log configuration only logs events that are slower than your configured latency monitor "
        "threshold. Please use 'CONFIG SET slowlog-log-slower-than 1000'.\n"
        "- Check your Slow Log to understand what are the commands you are running which are too slow to execute. "
        "Please check https://redis.io/commands/slowlog for more information.\n"
        "- Deleting, expiring or evicting (because of maxmemory policy) large objects is a blocking operation. If you "
        "have very large objects that are often deleted, expired, or evicted, try to fragment those objects into "
        "multiple smaller objects.\n"
    )


@pytest.mark.parametrize(
    ("event", "advice"),
    [
        ("command", "Try to enable the Slow Log"),
        ("fast-command", "no CPU time"),
        ("expire-cycle", "CONFIG SET hz 100"),
        ("eviction-cycle", "may create sudden memory pressure"),
        ("gc", "I'm not able to suggest any easy fix"),
    ],
)
def test_each_event_has_its_advice(world: World, client: Client, event: str, advice: str) -> None:
    world.core.slowlog.longest = 0
    world.core.latency.threshold = 0.001
    world.core.latency.add(event, NOW, 0.010)
    assert advice in client.call("LATENCY", "DOCTOR")


def test_reports_are_verbatim(client: AnyClient) -> None:
    client.call("HELLO", 3)
    client.raw = b""
    client.call("LATENCY", "DOCTOR")
    assert client.raw.startswith(b"=")
