"""What keys with a time to live cost once they are dead, beside redis-server, and what they are worth while they live.

    python -m bench.expiry                        # all parts, about six minutes
    python -m bench.expiry --parts stale,storm    # a minute and a half

"stale" writes keys that live for up to 20 seconds and reads none of them: which share of the keys that are there is
dead, and which share of the memory that they took is still resident when all are. A key is there until INFO counts it
among expired_keys: DBSIZE of this server leaves out the dead, whether they have gone or not. "storm" lets 100,000 keys
expire at one instant: how long until the last is gone, and how long GETs of other keys take meanwhile. "hits" gives a
cache that is too small keys of which some live for a second and some for minutes: which share of the requests is
answered under each policy. It does so on both servers, at 10,000 requests a second, and in this process by a clock of
its own: there the dead leave at once, or they stay until they are asked for or given up, which are the bounds of what
promptness can bring.
"""

from __future__ import annotations

import argparse
import random
import time
from bisect import bisect_right
from collections.abc import Callable
from itertools import islice
from math import nan
from typing import Any, NamedTuple

from bench.caches import EngineCache
from bench.common import ServerProcess, fill, our_server, pack, plot_bars, progress, redis_server, save, table
from bench.pauses import Probe
from bench.replay import Client, Load, ask, calibrate
from bench.traces import ranks
from pycache_server.evict.base import load_policy

Row = dict[str, Any]
LONGEST = 20.0
"""Seconds that the keys of "stale" live at most."""
STORM_KEYS = 100_000
POLICIES = (
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-adaptive",
    "allkeys-timebucket",
    "volatile-timebucket",
    "volatile-ttl",
)
REDIS_POLICIES = ("allkeys-lru", "allkeys-lfu", "volatile-ttl")
LIVES = ((0.5, 1), (0.3, 6), (0.2, 360))
"""Shares of the keys of "hits", and the seconds that these live."""
RATE = 10_000
"""Requests of "hits" in a second."""
BATCH = 20
VALUE_BYTES = 1024


def gone_from(server: ServerProcess) -> int:
    """How many keys a server has removed because they were dead."""
    stats = server.call("INFO", "stats")
    return int(stats.partition(b"\nexpired_keys:")[2].split()[0])


# Stale keys


def stale(server: ServerProcess, keys: int) -> Row:
    """Nobody reads keys that die one after the other."""
    chance = random.Random(1)
    empty = server.resident()
    begin = time.time()
    dues = sorted(begin + 3 + LONGEST * chance.random() for _ in range(keys))
    fill(
        server,
        (
            pack([b"SET", b"stale:%09d" % number, b"x" * 64, b"PXAT", b"%d" % (1000 * due)])
            for number, due in enumerate(dues)
        ),
        "keys",
    )
    full = server.resident()
    shares = []
    while (now := time.time()) < dues[-1] - 1:
        there, alive = keys - gone_from(server), keys - bisect_right(dues, now)
        if now > dues[0] + 1:
            shares.append(max(there - alive, 0) / there)
        progress(f"{server.name}: {there:,} keys, {alive:,} of them alive")
        time.sleep(0.25)
    time.sleep(3)
    return {
        "server": server.name,
        "stale_mean": 100 * sum(shares) / len(shares),
        "stale_most": 100 * max(shares),
        "left": keys - gone_from(server),
        "resident_left": 100 * max(server.resident() - empty, 0) / (full - empty),
    }


# A storm


class Reads(Probe):
    """GETs of a key that lives on."""

    command = pack([b"GET", b"lives:on"])


def storm(server: ServerProcess, keys: int) -> Row:
    """All keys die at one instant."""
    server.call("SET", "lives:on", "x" * 64)
    due = time.time() + 3
    fill(
        server,
        (pack([b"SET", b"storm:%09d" % number, b"x" * 64, b"PXAT", b"%d" % (1000 * due)]) for number in range(keys)),
        "keys",
    )
    time.sleep(max(due - time.time() - 0.2, 0))
    with Reads(server) as probe:
        while gone_from(server) < keys and time.time() < due + 60:
            time.sleep(0.005)
        gone = time.time() - due
        time.sleep(0.5)
    return {
        "server": server.name,
        "gone_after": gone,
        "p99": probe.percentile(99),
        "p99.9": probe.percentile(99.9),
        "longest": probe.longest,
    }


# Hits


class Work(NamedTuple):
    """Keys in the order in which they are asked for, the milliseconds that each key lives, and the room there is."""

    asked: list[int]
    lives: list[int]
    room: int


def work(requests: int) -> Work:
    """Keys by Zipf, how long one lives is another matter; room for a quarter of them."""
    chance = random.Random(1)
    keys = requests // 10
    asked = list(islice(ranks(keys, 0.8, chance), requests))
    lives = chance.choices([1000 * life for _, life in LIVES], [share for share, _ in LIVES], k=keys)
    return Work(asked, lives, keys // 4)


def hits(policy: str, given: Work, lazy: bool) -> float:
    """The share of requests that an engine answers in this process, in percent."""
    cache = EngineCache(load_policy(policy).engine, given.room, lazy)
    found = 0
    for key in given.asked:
        cache.now += 1 / RATE
        found += cache.ask(key, given.lives[key])
    return 100 * found / len(given.asked)


def served_hits(client: Client, policy: str, given: Work) -> float:
    """The share of requests that a server answers, in percent, while they come at their rate."""
    calibrate(client, policy, given.room, Load(VALUE_BYTES, BATCH, expiring=True))
    names = [b"key:%09d" % key for key in range(len(given.lives))]
    gets = [pack([b"GET", name]) for name in names]
    value = b"v" * VALUE_BYTES

    def write(key: int) -> bytes:
        return pack([b"SET", names[key], value, b"PX", b"%d" % given.lives[key]])

    found = 0
    begin = time.monotonic()
    for first in range(0, len(given.asked), BATCH):
        time.sleep(max(begin + first / RATE - time.monotonic(), 0))
        found += ask(client, given.asked[first : first + BATCH], gets, write)
    return 100 * found / len(given.asked)


def measure_hits(requests: int) -> list[Row]:
    """A row for each policy; None where Redis does not have it."""
    given = work(requests)
    rows = []
    with (
        redis_server() as redis,
        our_server() as ours,
        Client("127.0.0.1", redis.port) as theirs,
        Client("127.0.0.1", ours.port) as mine,
    ):
        for policy in POLICIES:
            progress(f"hits: {policy}")
            rows.append(
                {
                    "policy": policy,
                    "redis": served_hits(theirs, policy, given) if policy in REDIS_POLICIES else None,
                    "pycache": served_hits(mine, policy, given),
                    "at_once": hits(policy, given, False),
                    "lazily": hits(policy, given, True),
                }
            )
    return rows


def on_both(part: Callable[[ServerProcess, int], Row], keys: int) -> list[Row]:
    """A part on each server, each on a process of its own."""
    rows = []
    for start in (redis_server, our_server):
        with start() as server:
            rows.append(part(server, keys))
    progress("")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default="stale,storm,hits", help="with commas")
    parser.add_argument("--keys", type=int, default=400_000, help='keys of "stale"')
    parser.add_argument("--requests", type=int, default=200_000, help='requests of "hits"')
    arguments = parser.parse_args()
    parts = arguments.parts.split(",")
    found: dict[str, list[Row]] = {}
    if "stale" in parts:
        found["stale"] = on_both(stale, arguments.keys)
        table(
            f"{arguments.keys:,} keys that nobody reads, percent",
            ["server", "stale, mean", "stale, at most", "keys left", "memory left"],
            [list(row.values()) for row in found["stale"]],
        )
    if "storm" in parts:
        found["storm"] = on_both(storm, STORM_KEYS)
        table(
            f"{STORM_KEYS:,} keys at one instant: seconds until they are gone, ms that GETs take",
            ["server", "gone after", "p99", "p99.9", "longest"],
            [list(row.values()) for row in found["storm"]],
        )
    if "hits" in parts:
        found["hits"] = measure_hits(arguments.requests)
        progress("")
        table(
            "hits of requests, in percent; in process, where the dead leave at once, and only if asked for or given up",
            ["policy", "redis", "pycache", "at once", "lazily"],
            [["-" if value is None else value for value in row.values()] for row in found["hits"]],
        )
    save("expiry", found)
    if "hits" in found:
        series = {
            way: [nan if row[way] is None else row[way] for row in found["hits"]]
            for way in ("redis", "pycache", "at_once")
        }
        plot_bars("expiry", "hits of requests", [row["policy"] for row in found["hits"]], series, "percent")


if __name__ == "__main__":
    main()
