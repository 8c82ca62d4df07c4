"""``python -m pycache_server`` is ``pycache-server``."""

from __future__ import annotations

import sys

from pycache_server.cli.server import main

sys.exit(main())
