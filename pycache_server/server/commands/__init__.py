"""Commands that need the server: CONFIG, DEBUG, INFO, MEMORY, SHUTDOWN, TIME. Importing the package registers them."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
