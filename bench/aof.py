"""What appending costs: server CPU per SET with appendonly, beside redis-server with the same settings.

    python -m bench.aof                        # off, everysec and no, at depths 1 and 16 with 50 clients
    python -m bench.aof --policies always      # where the disk decides

Each figure is the median over interleaved rounds, after one that warms up.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile

from bench.common import our_server, progress, redis_server, table
from bench.throughput import run

OFF = "off"


def options(policy: str, directory: str) -> list[str]:
    """The options of a server."""
    if policy == OFF:
        return ["--appendonly", "no", "--save", "", "--dir", directory]
    return ["--appendonly", "yes", "--appendfsync", policy, "--save", "", "--dir", directory]


def measure(policy: str, depth: int, arguments: argparse.Namespace) -> list[str]:
    """One row: microseconds of CPU per SET of both, and the median of their ratios."""
    ours: list[float] = []
    theirs: list[float] = []
    with (
        tempfile.TemporaryDirectory() as one,
        tempfile.TemporaryDirectory() as other,
        our_server(*options(policy, one)) as mine,
        redis_server(*options(policy, other)) as redis,
    ):
        for number in range(arguments.rounds + 1):
            requests = arguments.requests * min(depth, 4)
            pair = [run(server, "set", depth, 50, 100_000, 64, requests).cpu for server in (mine, redis)]
            if number:
                ours.append(pair[0])
                theirs.append(pair[1])
    ratio = statistics.median(mine / peer for mine, peer in zip(ours, theirs, strict=True))
    return [policy, str(depth), f"{statistics.median(ours):.2f}", f"{statistics.median(theirs):.2f}", f"{ratio:.2f}"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policies", default="off,everysec,no")
    parser.add_argument("--depths", default="1,16")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=50_000)
    arguments = parser.parse_args()
    rows = []
    for policy in arguments.policies.split(","):
        for depth in map(int, arguments.depths.split(",")):
            progress(f"{policy} at depth {depth}")
            rows.append(measure(policy, depth, arguments))
    table("CPU of a SET, in us", ["appendfsync", "depth", "ours", "redis", "ratio"], rows)


if __name__ == "__main__":
    main()
