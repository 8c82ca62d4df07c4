"""All commands of scripting: importing this registers them."""

from __future__ import annotations

import pycache_server.scripting.commands
import pycache_server.scripting.functions
import pycache_server.scripting.payload  # noqa: F401
