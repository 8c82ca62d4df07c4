"""All commands together: importing this registers those of this layer beside those of the families, of scripting and
of the session layer, and gives ``make_core``."""

from __future__ import annotations

import pycache_server.scripting.setup
import pycache_server.server.commands  # noqa: F401
from pycache_server.session.setup import make_core

__all__ = ["make_core"]
