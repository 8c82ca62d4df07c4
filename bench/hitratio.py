"""What share of requests each policy answers, beside redis-server, its two best policies and what is possible at all.

    python -m bench.hitratio                                     # generated traces, four sizes of the cache
    python -m bench.hitratio --traces DIR --batch 1              # any traces (bench/traces.py), in their exact order
    python -m bench.hitratio --in-process                        # engines and references alone: exact, and no servers
    python -m bench.hitratio --equal-memory                      # as many entries as fit in what Redis takes
    python -m bench.hitratio --server 127.0.0.1:6379 --policies allkeys-lru

A cache in front of something slow: GET, and SET on a miss. Sizes are in percent of the different keys of a trace, and
each server gets the maxmemory at which it holds that many entries (bench/replay.py): policies are compared, not what an
entry takes. That comparison is what ``--equal-memory`` makes: Redis holds so many entries, this server as many as take
the same resident memory, which is measured for each policy on a process of its own. Our entries are bigger, so fewer.

Redis's clock for LRU ticks once a second, and a replay turns a whole cache over within a second: its allkeys-lru is
better on a site that is slower than this bench.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from bench.caches import REFERENCES, hits_of
from bench.common import ServerProcess, our_server, plot_bars, progress, redis_server, save, table
from bench.replay import Client, Load, calibrate, fill, load_for, replay
from bench.traces import GENERATORS, Trace, generate, read_folder
from pycache_server.evict.base import ALL_KEYS, load_policy, policy_names

REDIS_POLICIES = ("allkeys-lru", "allkeys-lfu")
BOUND = "opt"


class Case(NamedTuple):
    """A trace and a cache for it: of so many percent of its keys."""

    trace: Trace
    percent: float
    room: int


class Runner(NamedTuple):
    """A column of the table: ``run`` takes a case and gives the hits and the number of entries that there were."""

    name: str
    run: Callable[[Case], tuple[int, float]]


def cases_of(traces: Sequence[Trace], percents: Sequence[float], smallest: int) -> list[Case]:
    """All traces at all sizes that hold at least ``smallest`` entries."""
    found = [Case(trace, percent, round(trace.unique * percent / 100)) for trace in traces for percent in percents]
    return [case for case in found if case.room >= smallest]


# Runners


def references() -> list[Runner]:
    """What needs no engine."""

    def runner(name: str) -> Runner:
        return Runner(name, lambda case: (REFERENCES[name](case.trace.keys, case.room), case.room))

    return [runner(name) for name in REFERENCES]


def engines(policies: Sequence[str], share: Callable[[str], float]) -> list[Runner]:
    """Engines in this process. ``share`` gives how many entries a policy has room for, of those of the case."""

    def runner(policy: str) -> Runner:
        engine = load_policy(policy).engine

        def run(case: Case) -> tuple[int, float]:
            room = max(round(case.room * share(policy)), 1)
            return hits_of(engine, case.trace.keys, room), room

        return Runner(_short(policy), run)

    return [runner(policy) for policy in policies]


def on_server(
    client: Client, policies: Sequence[str], batch: int, share: Callable[[str], float], prefix: str = ""
) -> list[Runner]:
    """Policies of a server."""

    def runner(policy: str) -> Runner:
        name = prefix + _short(policy)

        def run(case: Case) -> tuple[int, float]:
            room = max(round(case.room * share(policy)), 1)
            load = load_for(room, policy, batch)
            calibrate(client, policy, room, load)
            total = len(case.trace.keys)
            return replay(
                client,
                case.trace,
                room,
                load,
                lambda done: progress(f"{_title(case)}: {name}, {100 * done // total} %"),
            )

        return Runner(name, run)

    return [runner(policy) for policy in policies]


def _short(policy: str) -> str:
    return policy.removeprefix(ALL_KEYS)


def _title(case: Case) -> str:
    return f"{case.trace.name} {case.percent:g} %"


# Equal memory


class Footprint(NamedTuple):
    """What a process takes resident while empty, and for each entry that it holds, in bytes."""

    empty: int
    each: float


def footprint(start: Callable[[], ServerProcess], policy: str, entries: int, size: int) -> Footprint:
    """Measure a process of its own that has been full for a while, with values of ``size`` bytes."""
    with start() as server, Client("127.0.0.1", server.port) as client:
        progress(f"{server.name}: resident bytes an entry under {policy}")
        empty = server.resident()
        load = Load(size, 32, policy.startswith("volatile-"))
        calibrate(client, policy, entries, load)
        held = fill(client, range(3 * entries), load)
        return Footprint(empty, (server.resident() - empty) / held)


def shares(policies: Sequence[str], entries: int, size: int) -> dict[str, Any]:
    """For each of our policies, the entries that take the memory of one of Redis's; and the footprints behind that."""
    theirs = footprint(redis_server, REDIS_POLICIES[0], entries, size)
    ours = {policy: footprint(our_server, policy, entries, size) for policy in policies}
    progress("")
    table(
        f"resident bytes an entry: {entries:,} entries, values of {size} bytes",
        ["", "empty process", "each entry", "entries for one of Redis's"],
        [
            ["redis", theirs.empty, theirs.each, 1.0],
            *([policy, found.empty, found.each, theirs.each / found.each] for policy, found in ours.items()),
        ],
    )
    return {
        "entries": entries,
        "value": size,
        "redis": theirs._asdict(),
        "ours": {policy: found._asdict() for policy, found in ours.items()},
        "share": {policy: theirs.each / found.each for policy, found in ours.items()},
    }


# Running and showing


def measure(cases: Sequence[Case], runners: Sequence[Runner]) -> Iterator[dict[str, Any]]:
    """One row for each case and runner; neighbours in a table are neighbours in time."""
    for case in cases:
        for runner in runners:
            progress(f"{_title(case)}: {runner.name}")
            begin = time.perf_counter()
            hits, entries = runner.run(case)
            yield {
                "trace": case.trace.name,
                "requests": len(case.trace.keys),
                "unique": case.trace.unique,
                "percent": case.percent,
                "room": case.room,
                "policy": runner.name,
                "entries": round(entries, 1),
                "hit_ratio": hits / len(case.trace.keys),
                "seconds": round(time.perf_counter() - begin, 2),
            }
    progress("")


def show(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Print hit ratios in percent, and how each policy does over all cases, which is returned as well."""
    names = list(dict.fromkeys(row["policy"] for row in rows))
    ratios = {(row["trace"], row["percent"], row["policy"]): 100 * row["hit_ratio"] for row in rows}
    places = dict.fromkeys((row["trace"], row["percent"], row["room"]) for row in rows)
    table(
        "hits of requests, in percent",
        ["trace", "size", "entries", *names],
        [
            [trace, f"{percent:g} %", room, *(ratios[trace, percent, name] for name in names)]
            for trace, percent, room in places
        ],
    )
    summary = summarise([[ratios[trace, percent, name] for name in names] for trace, percent, _ in places], names)
    table(
        f"over {len(places)} cases: behind the best policy of each case, in points",
        ["policy", "mean hits", "mean behind", "at most behind"],
        [list(row.values()) for row in summary],
    )
    return summary


def summarise(ratios: Sequence[Sequence[float]], names: Sequence[str]) -> list[dict[str, Any]]:
    """For each policy its mean over the cases, and how far it is behind the best of all policies but the bound."""
    best = [max(value for value, name in zip(row, names, strict=True) if name != BOUND) for row in ratios]
    summary = []
    for place, name in enumerate(names):
        behind = [max(top - row[place], 0.0) for top, row in zip(best, ratios, strict=True)]
        found = {"policy": name, "mean": mean(row[place] for row in ratios)}
        summary.append({**found, "mean_behind": mean(behind), "most_behind": max(behind)})
    return summary


def draw(name: str, rows: Sequence[dict[str, Any]]) -> None:
    """Means over the traces, by size."""
    percents = sorted({row["percent"] for row in rows})
    series = {
        policy: [
            100 * mean(row["hit_ratio"] for row in rows if (row["percent"], row["policy"]) == (percent, policy))
            for percent in percents
        ]
        for policy in dict.fromkeys(row["policy"] for row in rows)
    }
    labels = [f"{percent:g} % of the keys" for percent in percents]
    plot_bars(name, "hits of requests, mean over the traces", labels, series, "percent")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traces", type=Path, help="a folder of traces, instead of generated ones")
    parser.add_argument("--only", help="names of traces, with commas")
    parser.add_argument("--requests", type=int, default=200_000, help="requests of a generated trace")
    parser.add_argument("--seed", type=int, default=1, help="of generated traces")
    parser.add_argument("--sizes", default="1,5,10,25", help="percent of a trace's keys, with commas")
    parser.add_argument("--smallest", type=int, default=100, help="leave out caches of fewer entries")
    parser.add_argument("--policies", help="our policies, with commas; default all for all keys")
    parser.add_argument("--batch", type=int, default=0, help="requests in flight; default 1 to 32 by size")
    parser.add_argument("--server", metavar="HOST:PORT", help="a server that is running, instead of ours and Redis")
    parser.add_argument("--in-process", action="store_true", help="engines in this process, instead of servers")
    parser.add_argument("--equal-memory", action="store_true", help="the same resident memory, not as many entries")
    parser.add_argument("--value-size", type=int, default=200, help="bytes of a value, for --equal-memory")
    parser.add_argument("--resident-entries", type=int, default=50_000, help="entries measured, for --equal-memory")
    parser.add_argument("--name", help="name of the results")
    arguments = parser.parse_args()
    if arguments.server and (arguments.in_process or arguments.equal_memory):
        parser.error("--server goes with neither --in-process nor --equal-memory, which start what they need")
    return arguments


def traces_for(arguments: argparse.Namespace) -> list[Trace]:
    """The traces that the command line asks for."""
    if arguments.traces:
        found = read_folder(arguments.traces)
    else:
        found = [generate(name, arguments.requests, arguments.seed) for name in GENERATORS]
    wanted = arguments.only.split(",") if arguments.only else [trace.name for trace in found]
    return [trace for trace in found if trace.name in wanted]


def run(arguments: argparse.Namespace, cases: Sequence[Case], policies: Sequence[str]) -> dict[str, Any]:
    """Measure with what the command line asks for."""
    memory = shares(policies, arguments.resident_entries, arguments.value_size) if arguments.equal_memory else {}

    def share(policy: str) -> float:
        return float(memory["share"][policy]) if memory else 1.0

    def all_of_it(policy: str) -> float:
        return 1.0

    if arguments.in_process:
        return {"rows": list(measure(cases, [*references(), *engines(policies, share)])), "memory": memory}
    if arguments.server:
        host, _, port = arguments.server.rpartition(":")
        with Client(host, int(port)) as client:
            return {"rows": list(measure(cases, [*references(), *on_server(client, policies, arguments.batch, share)]))}
    with (
        redis_server() as redis,
        our_server() as ours,
        Client("127.0.0.1", redis.port) as theirs,
        Client("127.0.0.1", ours.port) as mine,
    ):
        runners = [
            *references(),
            *on_server(theirs, REDIS_POLICIES, arguments.batch, all_of_it, "redis "),
            *on_server(mine, policies, arguments.batch, share),
        ]
        return {"rows": list(measure(cases, runners)), "memory": memory}


def main() -> None:
    arguments = parse()
    default = ",".join(name for name in policy_names() if name.startswith(ALL_KEYS))
    policies = (arguments.policies or default).split(",")
    percents = [float(word) for word in arguments.sizes.split(",")]
    cases = cases_of(traces_for(arguments), percents, arguments.smallest)
    found = run(arguments, cases, policies)
    summary = show(found["rows"])
    name = (
        arguments.name or "hitratio" + "-in-process" * arguments.in_process + "-equal-memory" * arguments.equal_memory
    )
    save(name, {**found, "summary": summary})
    draw(name, found["rows"])


if __name__ == "__main__":
    main()
