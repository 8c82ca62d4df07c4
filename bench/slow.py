"""The long tests, one file after the other, and what came of them: kept in bench/results/slow.json.

    python -m bench.slow                                   # every file that does more with --slow
    python -m bench.slow tests/interop/test_failovers.py   # some of them; what is known of others stays

Each file is a run of ``pytest --slow`` of its own, of which the counts, the seconds, the commit that was tested and the
names of tests that failed are kept. Why they did pytest tells who runs them again.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from bench.common import RESULTS, ROOT, progress, save, table

SIGN = re.compile(r"some_slow\(|mark\.slow\b|[\"']--slow[\"']")
OUTCOMES = ("failures", "errors", "skipped")


def files() -> list[str]:
    """The files of tests that do more with --slow."""
    found = (path for path in (ROOT / "tests").rglob("test_*.py") if SIGN.search(path.read_text()))
    return sorted(str(path.relative_to(ROOT)) for path in found)


def run(path: str) -> dict[str, Any]:
    """Run the long tests of one file."""
    progress(path)
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.xml"
        begin = time.monotonic()
        command = [sys.executable, "-m", "pytest", "--slow", "-q", f"--junitxml={report}", path]
        code = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL).returncode
        if not report.exists():
            sys.exit(f"pytest ended with {code} at {path} and has told nothing")
        suite = ElementTree.parse(report).getroot()[0]
    counts = {name: int(suite.get(name, 0)) for name in OUTCOMES}
    cases = suite.iter("testcase")
    failed = [case.get("name") for case in cases if {part.tag for part in case} & {"failure", "error"}]
    return {
        "passed": int(suite.get("tests", 0)) - sum(counts.values()),
        **counts,
        **({"failed": failed} if failed else {}),
        "seconds": round(time.monotonic() - begin),
        "commit": _commit(),
    }


def _commit() -> str:
    """What is tested."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()


def main() -> None:
    """Run, keep and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*")
    arguments = parser.parse_args()
    path = RESULTS / "slow.json"
    found: dict[str, dict[str, Any]] = json.loads(path.read_text())["files"] if path.exists() else {}
    for name in arguments.paths or files():
        found[name] = run(name)
        save("slow", {"files": dict(sorted(found.items()))})  # after each: it may be long until the last one
    progress("")
    head = ["passed", *OUTCOMES, "seconds", "commit"]
    table("Long tests", ["file", *head], [[name, *(row[each] for each in head)] for name, row in sorted(found.items())])
    if any(row["failures"] or row["errors"] for row in found.values()):
        sys.exit("some have failed")


if __name__ == "__main__":
    main()
