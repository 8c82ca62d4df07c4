"""The state file of a voter on the disk: what it has promised, read at the start and replaced as a whole.

A new state is written to a temporary file beside it, synced, and given its name; then the directory is synced. So at
whatever moment the process or the machine stops, the file is the old state or the new one, and when ``write`` has
returned it is the new one. A file that is damaged is refused: who believed half of it, or went on without, could vote
twice.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

from pycache_server.election.state import BadState, Durable, format_state, parse_state
from pycache_server.server.files import sync_directory

TEMPORARY: Final = ".new"
"""What is added to the name of the file that is being written."""


class StateFile:
    """The file at a path. One process uses it at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Durable | None:
        """The state; None where there is no file.

        Raises BadState, with what an operator can do: the server must not start.
        """
        try:
            text = self.path.read_bytes().decode()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BadState(f"the group's state file {self.path} cannot be read: {error.strerror or error}") from None
        except UnicodeDecodeError:
            raise self._refuse("it is no text") from None
        try:
            return parse_state(text)
        except BadState as problem:
            raise self._refuse(str(problem)) from None

    def _refuse(self, why: str) -> BadState:
        return BadState(
            f"The group's state file {self.path} is damaged: {why}. It tells what this node has promised, so it does "
            "not start. If no copy of exactly this file can be had, move it away: the node then asks all other voters "
            "what it may have promised, and fetches its data from their leader."
        )

    def write(self, state: Durable) -> None:
        """Put a state into the place of the one before, on the disk when this returns.

        Raises OSError: then the file is as it was, unless only the syncing of the directory has failed, when it is one
        of the two.
        """
        data = format_state(state).encode()
        temporary = self.path.with_name(self.path.name + TEMPORARY)
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0), 0o600)
            try:
                while data:
                    data = data[os.write(descriptor, data) :]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(temporary, self.path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        sync_directory(self.path.parent)
