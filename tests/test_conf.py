"""The files of conf/: they load, name what there is, say no directive twice, and their commands are ours."""

from __future__ import annotations

import configparser
import re
from collections import Counter
from pathlib import Path

import pytest

from pycache_server.cli.sentinel import Startable
from pycache_server.cli.server import _load
from pycache_server.sentinel import config
from pycache_server.sentinel.machine import Sentinel
from pycache_server.settings.config import Settings

ROOT = Path(__file__).parent.parent
CONF = ROOT / "conf"
EXAMPLES = sorted(path for path in CONF.glob("*.conf") if path.name != "sentinel.conf")
UNITS = sorted((CONF / "systemd").glob("*.service"))
SEVERAL = {"client-output-buffer-limit"}
"""Directives of which each line says something else."""
OF_ITSELF = {"myid", "current-epoch", "config-epoch", "leader-epoch"}
"""What a sentinel writes for itself."""


def sentinel_of(path: Path) -> tuple[Startable, Sentinel]:
    startable = Startable([str(path)])
    sentinel = Sentinel("0" * 40, lambda least, most: least, 0)
    for words in startable.statements:
        config.take(sentinel, words, 0)
    return startable, sentinel


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_our_examples_have_no_directive_that_is_unknown_or_has_no_effect(path: Path) -> None:
    settings = Settings()
    settings.load(path.read_text())
    assert settings.idle == []


@pytest.mark.parametrize("path", [*EXAMPLES, CONF / "sentinel.conf"], ids=lambda path: path.name)
def test_no_directive_is_said_twice(path: Path) -> None:
    lines = [line.split() for line in path.read_text().splitlines() if line and not line.startswith("#")]
    names = Counter(" ".join(words[:2]) if words[0] == "sentinel" else words[0] for words in lines)
    assert {name for name, count in names.items() if count > 1} <= SEVERAL


def test_our_file_of_a_sentinel_says_the_defaults_and_is_one_that_starts() -> None:
    startable, sentinel = sentinel_of(CONF / "sentinel.conf")
    assert startable.settings.idle == []
    assert startable.settings["port"] == 26379 and not startable.settings["protected-mode"]
    said = [line for line in config.lines(sentinel) if "epoch" not in line and "myid" not in line]
    assert said == ["sentinel monitor mymaster 127.0.0.1 6379 2"]  # what is no default would be said, too


def test_our_file_of_a_sentinel_documents_every_directive_of_sentinels() -> None:
    words = set(re.findall(r"^(?:# )?sentinel ([a-z-]+)", (CONF / "sentinel.conf").read_text(), re.MULTILINE))
    known = {*config._GLOBALS, *config.OF_MASTERS, "monitor", "rename-command"} - OF_ITSELF
    assert words == known


def unit_of(path: Path) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment]
    parser.read(path)
    return parser["Service"]


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_a_command_of_ours_with_a_file_that_there_is(path: Path) -> None:
    service = unit_of(path)
    env, command, file, *options = service["ExecStart"].split()
    scripts = (ROOT / "pyproject.toml").read_text().partition("[project.scripts]")[2].partition("\n[")[0]
    assert env == "/usr/bin/env"
    assert f"\n{command} = " in scripts
    assert (CONF / Path(file).name).exists()
    arguments, settings = [str(CONF / Path(file).name), *options], Settings()
    if command == "pycache-sentinel":
        settings = Startable(arguments).settings
    else:
        _load(settings, arguments)
    assert (service["Type"], settings["supervised"], settings["daemonize"]) == ("notify", "systemd", False)


def test_two_units_share_no_directory_that_systemd_removes_with_one_of_them() -> None:
    directories = [unit_of(path)["RuntimeDirectory"] for path in UNITS]
    assert len(set(directories)) == len(UNITS) == 2


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_may_write_the_file_that_it_rewrites(path: Path) -> None:
    service = unit_of(path)
    file = Path(service["ExecStart"].split()[2])
    assert str(file.parent) in service["ReadWritePaths"].replace("-/", "/").split()
