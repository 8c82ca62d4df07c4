"""The directory of an append-only file: its manifest and its files, as they come and go.

Whatever is named by the manifest on the disk is there whole, whenever the process or the machine stops: a file is
written, synced and given its name before the manifest names it, and goes when the manifest on the disk does not name it
any more. The manifest itself is replaced in one step.

Raises OSError wherever the disk cannot do what it should; CannotAppend tells it in Redis's words.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from pycache_server.persist.manifest import SUFFIX, BadManifest, Manifest, parse_manifest

TEMPORARY = "temp-"


class CannotAppend(OSError):
    """The append-only file cannot be had; the text says why."""


class AppendDirectory:
    """``directory`` gives the setting ``dir``, which may change; ``name`` is appendfilename, ``folder``
    appenddirname."""

    def __init__(self, directory: Callable[[], str], folder: str, name: str, log: Callable[[str, str], None]) -> None:
        self._directory = directory
        self._folder = folder
        self.name = name
        self._log = log

    @property
    def path(self) -> Path:
        """Where the files are."""
        return Path(self._directory() or ".") / self._folder

    def file(self, name: str) -> Path:
        """Where a file is."""
        return self.path / name

    @property
    def _old_file(self) -> Path:
        return Path(self._directory() or ".") / self.name

    def make(self) -> None:
        """Let the directory be there.

        Raises CannotAppend.
        """
        try:
            self.path.mkdir(mode=0o755, exist_ok=True)
        except OSError as error:
            raise CannotAppend(f"Can't open or create append-only dir {self._folder}: {error.strerror}") from None

    # The manifest

    def load(self) -> Manifest:
        """The manifest on the disk; an empty one where there is none.

        Raises CannotAppend.
        """
        path = self.file(self.name + SUFFIX)
        if not self.path.is_dir():
            self._log("notice", f"The AOF directory {self._folder} doesn't exist")
            return Manifest()
        if not path.exists():
            self._log("notice", f"The AOF manifest file {path.name} doesn't exist")
            return Manifest()
        try:
            return parse_manifest(path.read_text(encoding="utf-8", errors="surrogateescape"))
        except OSError as error:
            problem = f"Fatal error: can't open the AOF manifest file {path.name} for reading: {error.strerror}"
            raise CannotAppend(problem) from None
        except BadManifest as problem:
            self._log("warning", "*** FATAL AOF MANIFEST FILE ERROR ***")
            if problem.number:
                self._log("warning", f"Reading the manifest file, at line {problem.number}")
                self._log("warning", f">>> '{problem.line}'")
            raise CannotAppend(str(problem)) from None

    def persist(self, manifest: Manifest) -> None:
        """Put a manifest into the place of the one on the disk, in one step.

        Raises OSError.
        """
        name = self.name + SUFFIX
        temporary = self.file(TEMPORARY + name)
        try:
            with temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
                stream.write(manifest.text())
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(self.file(name))
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        self.sync()

    def sync(self) -> None:
        """Let the names of the files be on the disk, too.

        Raises OSError.
        """
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def upgrade(self, manifest: Manifest) -> Manifest:
        """Take over the one file of an older Redis, where there is one and nothing else, or where that was begun before
        and not ended.

        Raises CannotAppend, OSError.
        """
        old = self._old_file
        begun = [part.name for part in manifest.parts()] == [self.name] and not self.file(self.name).exists()
        if not old.is_file() or old.parent == self.path or (manifest.parts() and not begun):
            return manifest
        if not begun and self.file(self.name + SUFFIX).exists():
            return manifest
        self.make()
        if not begun:
            manifest = manifest.with_old_file(self.name)
            self.persist(manifest)
        try:
            old.replace(self.file(self.name))
        except OSError as error:
            problem = f"Error trying to move the old AOF file {self.name} into dir {self._folder}: {error.strerror}"
            raise CannotAppend(problem) from None
        self.sync()
        message = f"Successfully migrated an old-style AOF file ({self.name}) into the AOF directory ({self._folder})."
        self._log("notice", message)
        return manifest

    # Files

    def sizes(self, manifest: Manifest) -> list[int]:
        """How many bytes the files of a manifest have.

        Raises CannotAppend where one is not there.
        """
        found = []
        for part in manifest.parts():
            try:
                found.append(self.file(part.name).stat().st_size)
            except OSError as error:
                problem = f"Unable to obtain the AOF file {part.name} length. stat: {error.strerror}"
                raise CannotAppend(problem) from None
        return found

    def remove(self, name: str) -> None:
        """Remove a file that is not needed; where that fails it stays, which harms nobody."""
        with contextlib.suppress(OSError):
            self.file(name).unlink()
