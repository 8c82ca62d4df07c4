"""What failovers cost: acknowledged writes that are lost, seconds without a leader or with two, stale reads. For each
fault a leader with two followers and three sentinels, of Redis and ours, and groups of ours that elect by themselves.

    python -m bench.failover                                       # everything, one trial of each
    python -m bench.failover --faults kill,partition --deployments redis,plain,group --trials 3
    python -m bench.failover --list                                # the names of faults and deployments

Each trial starts a new deployment on this machine, each process in a network namespace of its own where the kernel
lets us, so that a cut is a cut; otherwise behind proxies (bench/ha/network.py). Clients are of two kinds: those that
follow who is said to lead, on both sides of a cut, and those that are stuck on the old leader's address. What is lost
is counted in the end at who leads then.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
import time
from typing import Any

from bench.common import RESULTS, save, table
from bench.ha.deployments import DEPLOYMENTS, DOWN_AFTER, FAILOVER_TIMEOUT, USUAL
from bench.ha.faults import FAULTS
from bench.ha.network import Namespaces, Network, inside
from bench.ha.processes import Never
from bench.ha.proxies import Proxies
from bench.ha.trial import Verdict, run_trial

RESULT = "failover"


def network() -> Network:
    """A new network, of the best kind that can be had here."""
    return Namespaces() if inside() else Proxies()


def measure(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """All trials; what has been found so far is kept after each."""
    rows: list[dict[str, Any]] = []
    pairs = [(fault, each) for fault in arguments.faults for each in arguments.deployments]
    for number, (fault, deployment) in enumerate(pairs):
        for trial in range(arguments.trials):
            say(f"[{number + 1}/{len(pairs)}] {fault}, {deployment}, trial {trial + 1}: ", end="")
            begun = time.monotonic()
            places = network()
            try:
                verdict = run_trial(
                    places, deployment, fault, arguments.hold, arguments.rate, arguments.keep, arguments.seed + trial
                )
            except Never as missing:
                say(f"no trial: {missing}")
                continue
            finally:
                places.close()
            say(told(verdict) + f" ({time.monotonic() - begun:.0f} s)")
            for note in verdict.notes if arguments.notes else ():
                say(f"    {note}")
            rows.append({"fault": fault, "deployment": deployment, "trial": trial, **verdict.row()})
    return rows


def told(verdict: Verdict) -> str:
    """A verdict in a line."""
    words = [
        f"lost {verdict.lost} ({verdict.lost_following}) of {verdict.acknowledged}",
        f"lead {shown(verdict.lead)}",
        f"gap {verdict.gap:.2f}",
        f"two leaders {verdict.two_leaders:.2f}",
        f"stale {verdict.stale} of {verdict.reads}",
        f"whole {shown(verdict.whole)}",
        "equal" if verdict.equal else "NOT EQUAL",
        "leads" if verdict.leads_again else "NO LEADER",
        *([f"DOUBLED {verdict.doubled}"] if verdict.doubled else []),
        *([f"REFUSED AND KEPT {verdict.refused_kept}"] if verdict.refused_kept else []),
        *([verdict.logs] if verdict.logs else []),
    ]
    return ", ".join(words)


def shown(seconds: float | None) -> str:
    """Seconds, or that it never was."""
    return "never" if seconds is None else f"{seconds:.2f}"


def say(text: str, end: str = "\n") -> None:
    """Tell how far we are."""
    print(text, end=end, file=sys.stderr, flush=True)


def show(rows: list[dict[str, Any]]) -> None:
    """One table a fault, one line a deployment: sums of what is counted, medians of times."""
    head = ["", "acked", "lost", "following", "lead s", "gap s", "two leaders s", "stale", "whole s", "equal", "leads"]
    for fault in dict.fromkeys(row["fault"] for row in rows):
        lines = []
        for deployment in dict.fromkeys(row["deployment"] for row in rows if row["fault"] == fault):
            found = [row for row in rows if (row["fault"], row["deployment"]) == (fault, deployment)]
            lines.append(
                [
                    deployment,
                    *(sum(row[name] for row in found) for name in ("acknowledged", "lost", "lost_following")),
                    *(median(row[name] for row in found) for name in ("lead", "gap", "two_leaders")),
                    sum(row["stale"] for row in found),
                    median(row["whole"] for row in found),
                    *(f"{sum(row[name] for row in found)}/{len(found)}" for name in ("equal", "leads_again")),
                ]
            )
        table(FAULTS[fault][0], head, lines)


def median(values: Any) -> str:
    """The median of those that are there, and how many are not."""
    found = list(values)
    there = [value for value in found if value is not None]
    missing = f" ({len(found) - len(there)} never)" if len(there) < len(found) else ""
    return (f"{statistics.median(there):.2f}" if there else "") + missing


def merged(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """These rows, and those of earlier runs about other faults or deployments."""
    path = RESULTS / f"{RESULT}.json"
    if not path.is_file():
        return rows
    new = {(row["fault"], row["deployment"]) for row in rows}
    old = [row for row in json.loads(path.read_text())["rows"] if (row["fault"], row["deployment"]) not in new]
    order = [(fault, each) for fault in FAULTS for each in DEPLOYMENTS]
    return sorted([*old, *rows], key=lambda row: (order.index((row["fault"], row["deployment"])), row["trial"]))


def names(known: dict[str, Any]) -> Any:
    """Reads names with commas."""

    def read(text: str) -> list[str]:
        found = text.split(",")
        for name in found:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name} is none of {', '.join(known)}")
        return found

    return read


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=names(FAULTS), default=list(FAULTS), help="names, with commas")
    parser.add_argument("--deployments", type=names(DEPLOYMENTS), default=USUAL, help="names, with commas")
    parser.add_argument("--trials", type=int, default=1)
    parser.add_argument("--hold", type=float, default=6.0, help="seconds for which a fault lasts")
    parser.add_argument("--seed", type=int, default=0, help="where the random faults of the first trial come from")
    parser.add_argument("--rate", type=float, default=150.0, help="writes a second of each of the six writers, at most")
    parser.add_argument("--keep", action="store_true", help="keep the directories of all processes, with logs")
    parser.add_argument("--notes", action="store_true", help="tell what was lost, and which reads were stale")
    parser.add_argument("--save", action="store_true", help="keep the figures in bench/results")
    parser.add_argument("--show", action="store_true", help="show what is kept in bench/results, and run nothing")
    parser.add_argument("--list", action="store_true", help="show the names of faults and deployments")
    arguments = parser.parse_args()
    if arguments.list:
        for name, (text, fault) in FAULTS.items():
            print(f"{name:12} {text}: {fault.__doc__}")
        print(f"\ndeployments: {' '.join(DEPLOYMENTS)}")
        return
    if arguments.show:
        show(json.loads((RESULTS / f"{RESULT}.json").read_text())["rows"])
        return
    inside()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # so that no process remains
    rows = measure(arguments)
    show(rows)
    if arguments.save:
        settings = {"down_after_ms": DOWN_AFTER, "failover_timeout_ms": FAILOVER_TIMEOUT, "hold_s": arguments.hold}
        save(RESULT, {"settings": settings, "rows": merged(rows)})


if __name__ == "__main__":
    main()
