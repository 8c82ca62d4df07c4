"""One file that only grows, on the disk. Tests put files in its place that fail, write less, or block."""

from __future__ import annotations

import os
from pathlib import Path

_sync = getattr(os, "fdatasync", os.fsync)


class WriteFailed(OSError):
    """A write that could not be done whole: how many bytes of it have been written, and why no more."""

    def __init__(self, written: int, cause: OSError) -> None:
        super().__init__(cause.errno, cause.strerror or str(cause))
        self.written = written


class AppendFile:
    """The file at a path, open for writing at its end; made where it is not there.

    Raises OSError, here and in every method.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        self.size = os.fstat(self._descriptor).st_size
        """Bytes that it has, of which all but a failed write's are whole."""

    def write(self, data: bytes) -> None:
        """Write all of it.

        Raises WriteFailed; ``size`` is what it was then, though some bytes may stand behind it.
        """
        size = len(data)
        try:
            written = self._write(data)
        except OSError as error:
            raise WriteFailed(0, error) from None
        while written < size:
            try:
                written += self._write(memoryview(data)[written:])
            except OSError as error:
                raise WriteFailed(written, error) from None
        self.size += size

    def _write(self, data: bytes | memoryview) -> int:
        """One write(2): how many bytes it has taken."""
        return os.write(self._descriptor, data)

    def sync(self) -> None:
        """Wait until everything is on the disk."""
        _sync(self._descriptor)

    def cut(self) -> None:
        """Take away what a failed write has left."""
        os.ftruncate(self._descriptor, self.size)

    def keep(self, written: int) -> None:
        """Count what a failed write has left: it cannot be taken away, and the rest will follow."""
        self.size += written

    def end_at(self, size: int) -> None:
        """Take away everything behind so many bytes, which are whole."""
        os.ftruncate(self._descriptor, size)
        self.size = size

    def close(self) -> None:
        """Close it."""
        os.close(self._descriptor)
