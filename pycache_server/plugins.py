"""What others add to the server, found by name: eviction engines, commands.

A target is ``package.module`` or ``package.module:attribute``. An installed package names its targets in an entry point
group; an operator names them in the configuration.
"""

from __future__ import annotations

import traceback
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any


class LoadError(Exception):
    """Something that was named cannot be loaded; the text says what and why, for whoever starts the server."""


def entry_point_targets(group: str) -> dict[str, str]:
    """The names of a group's entry points, and their targets."""
    return {point.name: point.value for point in entry_points(group=group)}


def load_target(target: str) -> Any:
    """What a target names.

    Raises LoadError, whatever went wrong in the module.
    """
    module, _, attribute = target.partition(":")
    try:
        found = import_module(module)
        return getattr(found, attribute) if attribute else found
    except Exception as error:
        raise LoadError(f"{target}: {_told(error)}") from error


def _told(error: Exception) -> str:
    """An exception in one line, with the place where it was raised unless that is the import itself."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    text = f"{type(error).__name__}: {error}"
    if "importlib" in frame.filename or frame.filename == __file__:
        return text
    return f"{text} ({frame.filename}, line {frame.lineno})"
