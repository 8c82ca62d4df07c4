"""Runs seeds: ``python -m tests.simulation.run``.

--seeds 50                          every configuration, that many seeds each
--seeds 50-90                       the same, from one number to another, which is left out
--configs mem3,disk5                some configurations
--leads --seeds 300                 also how long it takes from the last fault to the first acknowledged write: of a new
                                    leader, where the old one is dead, or cut off in one direction or both
--seconds 3600 --json FILE          what came of it, written down; no seed is begun after so long
--fault nopos --seeds 1000          a rule taken away: stops at the seed that finds it
--each-fault --seeds 1000           all of them, one after the other
--configs mem3 --replay 109         one seed with its log
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from tests.simulation.checks import Violation
from tests.simulation.configurations import CONFIGURATIONS
from tests.simulation.faults import FAULTS
from tests.simulation.planted import NOTHING, Planted
from tests.simulation.tally import Tally, show, show_leads, write
from tests.simulation.world import World


def seed_of(name: str, number: int) -> int:
    """Seeds of different configurations differ."""
    return number * 1000 + sum(map(ord, name))


def repeat(name: str, seed: int, fault: str = "") -> str:
    """The command that repeats a seed."""
    chosen = f" --fault {fault}" if fault else ""
    return f"python -m tests.simulation.run --configs {name} --replay {seed}{chosen}"


def run_seed(name: str, seed: int, tally: Tally, planted: Planted = NOTHING) -> Violation | None:
    """One run; what was violated, if anything."""
    began = time.process_time()
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
    tally.took += time.process_time() - began
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


def _numbers(text: str) -> range:
    first, dash, last = text.rpartition("-")
    return range(int(first), int(last)) if dash else range(int(text))


def run_all(names: list[str], numbers: range, seconds: float) -> dict[str, Tally]:
    """Run every configuration with one number after the other, so that each has its share when time is up."""
    tallies = {name: Tally() for name in names}
    end = time.monotonic() + seconds
    for number in numbers:
        for name, tally in tallies.items():
            if time.monotonic() < end:
                run_seed(name, seed_of(name, number), tally)
    return tallies


def search(faults: list[str], options: Any) -> None:
    """Look for planted faults."""
    for fault in faults:
        where = (options.configs or FAULTS[fault].configs).split(",")
        found = find(fault, options.seeds.stop, where)
        told = f"run {found[0]}: {found[3]}: {repeat(found[1], found[2], fault)}" if found else "NOT FOUND"
        print(f"{fault:12}", told, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configs", help="all; for a fault, where it is looked for")
    parser.add_argument("--seeds", type=_numbers, default=range(20), help="of each configuration")
    parser.add_argument("--fault", default="", choices=["", *FAULTS])
    parser.add_argument("--each-fault", action="store_true")
    parser.add_argument("--replay", type=int)
    parser.add_argument("--leads", action="store_true")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--json")
    options = parser.parse_args()
    names = (options.configs or ",".join(CONFIGURATIONS)).split(",")
    if options.replay is not None:
        planted = FAULTS[options.fault] if options.fault else NOTHING
        print(World(options.replay, CONFIGURATIONS[names[0]], planted, trace=True).run())
    elif options.each_fault or options.fault:
        search(list(FAULTS) if options.each_fault else [options.fault], options)
    else:
        tallies = run_all(names, options.seeds, options.seconds)
        whole = Tally()
        for name, tally in tallies.items():
            show(name, tally)
            whole.add(tally)
        if options.leads:
            show_leads(whole)
        if options.json:
            write(options.json, tallies, options.seeds.start)


if __name__ == "__main__":
    main()
