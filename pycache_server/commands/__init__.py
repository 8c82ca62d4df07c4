"""The commands of Redis, one file a family. Importing the package registers them all."""

from __future__ import annotations

from importlib import import_module

FAMILIES = ("generic", "strings")

for _family in FAMILIES:
    import_module(f"{__name__}.{_family}")
