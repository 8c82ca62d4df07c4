"""An image that has come on a link: the payload of a full resync (server/intake.py) that looks after itself.

Whoever is given one installs it and closes it. Where nobody does, because the member has no use for it any more, it
goes with the last that refers to it, and its file with it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pycache_server.server.intake import Intake

if TYPE_CHECKING:
    from pycache_server.server.app import App


class Received(Intake):
    """One image. ``in_memory`` says that it is not written to a file while it comes.

    Raises OSError.
    """

    def __init__(self, app: App, size: int, in_memory: bool) -> None:
        self._parts: list[bytes] = []
        self._mapped = self._stream = self._path = None
        super().__init__(app, size, in_memory)

    @property
    def is_complete(self) -> bool:
        """Whether all has come."""
        return self.received == self.size

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # the interpreter may be ending
            self.close()
