"""Pages that are written from the code are up to date, and what they tell of Redis is what Redis tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from pycache_server.cli.reference import reference, tier_of
from pycache_server.cli.tiers import PLACES
from pycache_server.commands.registry import OWN, REGISTRY, Command
from pycache_server.session.introspection import add_help
from tests.conftest import RealRedis
from tests.differential.oracle import Real

DOCS = Path(__file__).parent.parent / "docs"


def commands() -> dict[str, Command]:
    """All commands and subcommands but HELP, by their names in capitals."""
    found = [each for command in REGISTRY.values() for each in (command, *command.subcommands.values())]
    names = {each.name.replace("|", " ").upper(): each for each in found}
    return {name: each for name, each in names.items() if not name.endswith(" HELP")}


def test_the_reference_of_commands_is_that_of_the_registry() -> None:
    add_help()
    differences = (DOCS / "differences.md").read_text()
    assert (DOCS / "commands.md").read_text() == reference(REGISTRY.values(), differences)


def test_the_reference_has_every_command_of_the_tiers_and_of_ours() -> None:
    page = reference(REGISTRY.values(), "")
    for name in PLACES.keys() | commands().keys():
        is_container = any(other.startswith(f"{name} ") for other in PLACES.keys() | commands().keys())
        assert is_container or f"\n| `{name} " in page or f"\n| `{name}` " in page, name


def test_a_command_has_a_tier_unless_it_is_ours_or_newer_than_redis_s_core() -> None:
    for name, command in commands().items():
        if name in PLACES:
            assert command.group == PLACES[name].group, name
            assert command.since in (PLACES[name].since, OWN), name
            assert tier_of(name) == str(PLACES[name].tier)
        else:
            assert command.since == OWN or int(command.since.split(".")[0]) >= 8, name


def test_a_command_that_differs_names_the_reasons() -> None:
    rows = "## timing\n| GETRANGE and LRANGE | x |\n| what GET does | x |\n## version\n| LRANGE (since 7.4) | x |\n"
    page = reference(REGISTRY.values(), rows)

    def reasons(name: str) -> str:
        row = next(line for line in page.splitlines() if line.startswith(f"| `{name} "))
        return row.split("|")[-2].strip()

    assert reasons("GETRANGE") == "[timing](differences.md#timing)"
    assert reasons("LRANGE") == "[timing](differences.md#timing), [version](differences.md#version)"
    assert reasons("SET") == ""


@pytest.mark.interop
def test_the_tiers_have_every_command_of_redis_with_its_group_and_version(real_redis: RealRedis) -> None:
    real = Real(real_redis.port, 3)
    docs = real.call([b"COMMAND", b"DOCS"])
    real.close()
    told = dict(docs.items())
    for each in docs.values():
        told |= each.get(b"subcommands", {})
    assert len(told) > 300
    for word, each in told.items():
        name = word.decode().replace("|", " ").upper()
        if not name.endswith(" HELP") and name != "CLIENT PAUSE":  # which 7.0 dates 2.9.50, and 7.4 3.0.0
            place = PLACES[name]
            assert (place.group, place.since) == (each[b"group"].decode(), each[b"since"].decode()), name


def test_every_link_between_pages_leads_somewhere() -> None:
    for page in (DOCS.parent / "README.md", *DOCS.rglob("*.md")):
        for part in page.read_text().split("](")[1:]:
            target = part.partition(")")[0].partition("#")[0]
            if target and "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"
