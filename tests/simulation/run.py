"""Runs seeds: ``python -m tests.simulation.run``.

--seeds 50                          every configuration, that many seeds each
--configs mem3,disk5 --first 7000   some configurations, from a seed on
--fault nopos --seeds 1000          a rule taken away: stops at the seed that finds it
--each-fault --seeds 1000           all of them, one after the other
--configs mem3 --replay 109         one seed with its log
--leads --seeds 100                 also how long it takes from the last fault to the first acknowledged write: of a new
                                    leader, where the old one is dead, or cut off in one direction or both
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.simulation.checks import Violation
from tests.simulation.configurations import CONFIGURATIONS, GONE
from tests.simulation.faults import FAULTS
from tests.simulation.planted import NOTHING, Planted
from tests.simulation.world import World

PARTS = (0.01, 0.5, 0.9, 0.99, 0.999)


@dataclass
class Tally:
    """What came of some seeds of a configuration."""

    seeds: int = 0
    acknowledged: int = 0
    reads: int = 0
    leads: dict[str, list[float]] = field(default_factory=dict)
    """By ending (world.py)."""
    gaps: list[float] = field(default_factory=list)
    violations: Counter[str] = field(default_factory=Counter)
    examples: dict[str, int] = field(default_factory=dict)


def seed_of(name: str, number: int) -> int:
    """Seeds of different configurations differ."""
    return number * 1000 + sum(map(ord, name))


def repeat(name: str, seed: int, fault: str = "") -> str:
    """The command that repeats a seed."""
    chosen = f" --fault {fault}" if fault else ""
    return f"python -m tests.simulation.run --configs {name} --replay {seed}{chosen}"


def run_seed(name: str, seed: int, tally: Tally, planted: Planted = NOTHING) -> Violation | None:
    """One run; what was violated, if anything."""
    world = World(seed, CONFIGURATIONS[name], planted)
    tally.seeds += 1
    found: Violation | None = None
    try:
        lead = world.run()
        if lead is not None:
            tally.leads.setdefault(world.ending, []).append(lead)
    except Violation as violation:
        found = violation
        tally.violations[str(violation)] += 1
        tally.examples.setdefault(str(violation), seed)
    tally.acknowledged += world.checks.acknowledged
    tally.reads += world.checks.reads
    tally.gaps += world.clients.gaps
    return found


def find(fault: str, seeds: int, names: list[str]) -> tuple[int, str, int, str] | None:
    """Search for a planted fault: how many runs it took, configuration, seed and violation; None if not found."""
    tally = Tally()
    for number in range(seeds):
        for name in names:
            seed = seed_of(name, number)
            violation = run_seed(name, seed, tally, FAULTS[fault])
            if violation:
                return tally.seeds, name, seed, str(violation)
    return None


def percentile(values: list[float], part: float) -> str:
    """Of milliseconds, for a table."""
    ordered = sorted(values)
    return f"{ordered[min(len(ordered) - 1, int(part * len(ordered)))]:.0f}" if ordered else "-"


def show(name: str, tally: Tally, took: float) -> None:
    leads = [lead for found in tally.leads.values() for lead in found]
    spans = ["/".join(percentile(values, part) for part in (0.5, 0.99, 1)) for values in (leads, tally.gaps)]
    print(
        f"{name:9} seeds {tally.seeds:6} {1000 * took / max(tally.seeds, 1):5.0f} ms each, "
        f"writes {tally.acknowledged / max(tally.seeds, 1):4.0f}, lead {spans[0]}, gap {spans[1]}",
        {kind: (count, tally.examples[kind]) for kind, count in tally.violations.items()} or "clean",
        flush=True,
    )


def show_leads(leads: dict[str, list[float]]) -> None:
    """From the last fault to the first write that is acknowledged, by a new leader where the old one has gone."""
    gone = [lead for ending, found in leads.items() if ending in GONE for lead in found]
    for ending, found in [*sorted(leads.items()), ("leader gone", gone)]:
        told = "  ".join(f"p{part * 100:g} {percentile(found, part):>5}" for part in PARTS)
        print(f"{ending:12} {len(found):6} runs  {told}  max {percentile(found, 1):>5}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configs", help="all; for a fault, where it is looked for")
    parser.add_argument("--seeds", type=int, default=20, help="of each configuration")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--fault", default="", choices=["", *FAULTS])
    parser.add_argument("--each-fault", action="store_true")
    parser.add_argument("--replay", type=int)
    parser.add_argument("--leads", action="store_true", help="from the last fault to the first write, by ending")
    options = parser.parse_args()
    names = (options.configs or ",".join(CONFIGURATIONS)).split(",")
    planted = FAULTS[options.fault] if options.fault else NOTHING
    if options.replay is not None:
        print(World(options.replay, CONFIGURATIONS[names[0]], planted, trace=True).run())
    elif options.each_fault or options.fault:
        for fault in FAULTS if options.each_fault else [options.fault]:
            where = (options.configs or FAULTS[fault].configs).split(",")
            found = find(fault, options.seeds, where)
            told = f"run {found[0]}: {found[3]}: {repeat(found[1], found[2], fault)}" if found else "NOT FOUND"
            print(f"{fault:12}", told, flush=True)
    else:
        leads: dict[str, list[float]] = {}
        for name in names:
            tally, began = Tally(), time.process_time()
            for number in range(options.first, options.first + options.seeds):
                run_seed(name, seed_of(name, number), tally)
            show(name, tally, time.process_time() - began)
            for ending, found in tally.leads.items():
                leads.setdefault(ending, []).extend(found)
        if options.leads:
            show_leads(leads)


if __name__ == "__main__":
    main()
