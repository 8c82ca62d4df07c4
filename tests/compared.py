"""How much was compared with a real redis-server: told at the end of a run, which fails where it was too little.

A plugin of the whole suite: where the tests run in several processes (pytest-xdist), each tells how much it was, and
the one that started them adds that up.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

COMPARED: Counter[str] = Counter()
"""How much of what was compared in this run."""
RANDOM = "replies of random programs"
LEAST, LEAST_SLOW = 20_000, 1_000_000
"""Commands of random programs whose replies a run must compare, without ``--slow`` and with it."""
_PROGRAMS = "test_programs.py"
_everything = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> object:
    """Find out whether all random programs are to be run, and no choice of them."""
    collected = [item.nodeid for item in items if item.path.name == _PROGRAMS]
    result = yield
    chosen = {item.nodeid for item in items}
    whole = not any("::" in argument for argument in config.args)
    config.stash[_everything] = whole and bool(collected) and chosen.issuperset(collected)
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a run that has compared too little; leave that to who has started this process, where somebody has."""
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["compared"] = dict(COMPARED)
        config.workeroutput["everything"] = config.stash.get(_everything, False)
    elif exitstatus == pytest.ExitCode.OK and _missing(config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """A process has ended: add what it has compared."""
    output = getattr(node, "workeroutput", {})
    COMPARED.update(output.get("compared", {}))
    node.config.stash[_everything] = node.config.stash.get(_everything, False) or output.get("everything", False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell how much was compared."""
    if COMPARED:
        told = ", ".join(f"{count:,} {what}" for what, count in COMPARED.items())
        terminalreporter.write_line(f"compared with redis-server: {told}")
    if terminalreporter.stats.get("failed") is None and _missing(config):
        terminalreporter.write_line(f"that is {_missing(config):,} replies of random programs too few", red=True)


def _missing(config: pytest.Config) -> int:
    """How many replies should have been compared besides; 0 where there was no redis-server to compare with."""
    if not config.stash.get(_everything, False) or not COMPARED:
        return 0
    return max(0, (LEAST_SLOW if config.getoption("--slow") else LEAST) - COMPARED[RANDOM])
