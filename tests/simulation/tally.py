"""What has come of many seeds: counted, shown, and written down (bench/results/simulation.json)."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.common import machine
from tests.simulation.configurations import GONE

PARTS = (0.01, 0.5, 0.9, 0.99, 0.999)


@dataclass
class Tally:
    """What came of some seeds of a configuration. Times are in milliseconds."""

    seeds: int = 0
    acknowledged: int = 0
    reads: int = 0
    leads: dict[str, list[float]] = field(default_factory=dict)
    """By ending (world.py): how long it took until a write was acknowledged."""
    gaps: list[float] = field(default_factory=list)
    violations: Counter[str] = field(default_factory=Counter)
    examples: dict[str, int] = field(default_factory=dict)
    took: float = 0.0
    """Seconds of the processor."""

    def add(self, other: Tally) -> None:
        """Count another's, too."""
        self.seeds += other.seeds
        self.acknowledged += other.acknowledged
        self.reads += other.reads
        self.took += other.took
        self.gaps += other.gaps
        self.violations += other.violations
        for ending, found in other.leads.items():
            self.leads.setdefault(ending, []).extend(found)

    @property
    def all_leads(self) -> list[float]:
        """Whatever the ending was."""
        return [lead for found in self.leads.values() for lead in found]

    @property
    def leads_of_new(self) -> list[float]:
        """Those of endings that a leader under its lease did not outlive."""
        return [lead for ending in GONE for lead in self.leads.get(ending, [])]


def percentile(values: list[float], part: float) -> float | None:
    """The value below which a part of them lies; None of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else None


def _told(values: list[float], part: float) -> str:
    found = percentile(values, part)
    return "-" if found is None else f"{found:.0f}"


def show(name: str, tally: Tally) -> None:
    """One line of a table."""
    spans = ["/".join(_told(values, part) for part in (0.5, 0.99, 1)) for values in (tally.all_leads, tally.gaps)]
    seeds = max(tally.seeds, 1)
    print(
        f"{name:9} seeds {tally.seeds:6} {1000 * tally.took / seeds:5.0f} ms each, "
        f"writes {tally.acknowledged / seeds:4.0f}, lead {spans[0]}, gap {spans[1]}",
        {kind: (count, tally.examples.get(kind)) for kind, count in tally.violations.items()} or "clean",
        flush=True,
    )


def show_leads(tally: Tally) -> None:
    """From the last fault to the first write that is acknowledged, by a new leader where the old one has gone."""
    for ending, found in [*sorted(tally.leads.items()), ("leader gone", tally.leads_of_new)]:
        told = "  ".join(f"p{part * 100:g} {_told(found, part):>5}" for part in PARTS)
        print(f"{ending:12} {len(found):6} runs  {told}  max {_told(found, 1):>5}")


def record(tallies: dict[str, Tally], first: int) -> dict[str, Any]:
    """All of it, as JSON has it; seeds are numbered within each configuration."""
    whole = Tally()
    for tally in tallies.values():
        whole.add(tally)
    return {
        "machine": machine(),
        "command": "python -m tests.simulation.run --json FILE",
        "unit": "milliseconds of the simulated clock",
        "first": first,
        "total": _figures(whole),
        "configurations": {name: _figures(tally) | {"examples": tally.examples} for name, tally in tallies.items()},
    }


def _figures(tally: Tally) -> dict[str, Any]:
    return {
        "seeds": tally.seeds,
        "violations": dict(tally.violations),
        "acknowledged_writes": tally.acknowledged,
        "reads": tally.reads,
        "processor_seconds": round(tally.took, 1),
        "first_write_of_a_new_leader": _spread(tally.leads_of_new),
        "first_write_by_ending": {ending: _spread(found) for ending, found in sorted(tally.leads.items())},
        "handover_gap": _spread(tally.gaps),
    }


def _spread(values: list[float]) -> dict[str, Any]:
    parts = {f"p{part * 100:g}": round(percentile(values, part) or 0.0) for part in (*PARTS, 1.0)} if values else {}
    return {"runs": len(values), **parts}


def write(path: str, tallies: dict[str, Tally], first: int) -> None:
    """Write it to a file."""
    Path(path).write_text(json.dumps(record(tallies, first), indent=1) + "\n")
