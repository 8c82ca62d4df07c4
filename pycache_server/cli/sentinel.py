"""``pycache-sentinel``, and ``pycache-server --sentinel``: the command line of redis-sentinel."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pycache_server.sentinel.config import BadLine
from pycache_server.server.log import Log
from pycache_server.server.sentinel.app import DEFAULT_PORT, SentinelApp
from pycache_server.settings.config import ConfigError, Settings, arguments_to_text
from pycache_server.words import split_text

NO_FILE = "Sentinel needs config file on disk in order to save state.  Exiting..."


class Startable:
    """What is needed to start a sentinel: its settings, the file that they are from, and its own statements."""

    def __init__(self, arguments: list[str]) -> None:
        """Raises ConfigError, OSError."""
        self.settings = Settings()
        self.settings.values["port"] = DEFAULT_PORT
        self.settings.values["protected-mode"] = False
        self.statements: list[list[str]] = []
        self.file = ""
        if arguments and not arguments[0].startswith("-"):
            self.file, arguments = os.path.abspath(arguments[0]), arguments[1:]
            self._load(Path(self.file).read_text(encoding="utf-8", errors="surrogateescape"), self.file)
        self._load(arguments_to_text([each for each in arguments if each != "--sentinel"]).lstrip("\n"), "command line")

    def _load(self, text: str, source: str) -> None:
        """Take what is a sentinel's, and leave the rest to the settings, line by line as it was."""
        rest = []
        for line in text.split("\n"):
            words = split_text(line) if line.strip() and not line.lstrip().startswith("#") else None
            if words and words[0].lower() == "sentinel":
                self.statements.append(words[1:])
                rest.append("")
            else:
                rest.append(line)
        self.settings.load("\n".join(rest), source)

    def app(self, log: Log, loop_name: str) -> SentinelApp:
        """The sentinel, on the loop that is running.

        Raises ConfigError.
        """
        try:
            return SentinelApp(self.settings, log, self.file, loop_name, self.statements)
        except BadLine as problem:
            raise ConfigError(self.file, 0, "sentinel", str(problem)) from None


def main() -> int:
    """Run the program; returns its exit code."""
    from pycache_server.cli.server import main as run

    return run(["--sentinel", *sys.argv[1:]])
