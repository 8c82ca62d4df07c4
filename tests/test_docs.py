"""Pages that are written from the code are up to date."""

from __future__ import annotations

from pathlib import Path

from pycache_server.cli.reference import reference
from pycache_server.commands.registry import REGISTRY
from pycache_server.session.introspection import add_help

DOCS = Path(__file__).parent.parent / "docs"


def test_the_reference_of_commands_is_that_of_the_registry() -> None:
    add_help()
    assert (DOCS / "commands.md").read_text() == reference(REGISTRY.values())


def test_every_link_between_pages_leads_somewhere() -> None:
    for page in (DOCS.parent / "README.md", *DOCS.rglob("*.md")):
        for part in page.read_text().split("](")[1:]:
            target = part.partition(")")[0].partition("#")[0]
            if target and "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"
