"""The log: Redis's format by default, logfmt or JSON on request, to a file, the standard output, and syslog.

Levels in rising order: debug, verbose, notice, warning. A line of the default format is
``pid:role day month year hour:minute:second.ms mark message``, with role M for a server that leads, X for a sentinel,
S for a follower, C for a child, and the marks ``. - * #`` of the levels.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from typing import IO

LEVELS = ("debug", "verbose", "notice", "warning")
_MARKS = dict(zip(LEVELS, ".-*#", strict=True))
_ROLES = {"M": "master", "S": "slave", "X": "sentinel", "C": "child"}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Log:
    """Where and how an operator is told. ``path`` empty is the standard output; ``quiet`` writes nothing at all."""

    def __init__(self, level: str = "notice", path: str = "", form: str = "legacy", quiet: bool = False) -> None:
        self.level = level
        self.form = form
        self.role = "M"
        self.quiet = quiet
        self._path = path
        self._stream: IO[str] | None = None
        self._syslog: str | None = None
        self.reopen()

    def reopen(self) -> None:
        """Open the file again, as after it has been rotated.

        Raises OSError.
        """
        if self._stream is not None and self._path:
            self._stream.close()
        self._stream = open(self._path, "a", encoding="utf-8", buffering=1) if self._path else None  # noqa: SIM115

    def to(self, path: str) -> None:
        """Write to another file from now on, or to the standard output.

        Raises OSError.
        """
        self._path = path
        self.reopen()

    def use_syslog(self, ident: str, facility: str) -> None:
        """Write to syslog, too.

        Raises OSError where the system has none.
        """
        try:
            import syslog
        except ImportError:
            raise OSError("this system has no syslog") from None
        syslog.openlog(ident, syslog.LOG_PID | syslog.LOG_NDELAY, getattr(syslog, f"LOG_{facility.upper()}"))
        self._syslog = ident

    def write(self, level: str, message: str) -> None:
        """Write one line, if its level is high enough."""
        if self.quiet or LEVELS.index(level) < LEVELS.index(self.level):
            return
        message = message.replace("\r", " ").replace("\n", " ")
        line = _FORMS[self.form](self.role, level, message)
        with contextlib.suppress(OSError):  # a full disk must not end the server
            print(line, file=self._stream or sys.stdout, flush=True)
        if self._syslog is not None:
            self._to_syslog(level, message)

    @staticmethod
    def _to_syslog(level: str, message: str) -> None:
        import syslog

        priorities = (syslog.LOG_DEBUG, syslog.LOG_INFO, syslog.LOG_NOTICE, syslog.LOG_WARNING)
        syslog.syslog(priorities[LEVELS.index(level)], message)

    def descriptor(self) -> int:
        """The file descriptor that is written to."""
        return self._stream.fileno() if self._stream is not None else 1

    def become_child(self) -> None:
        """This is a copy of the process now: its lines say so, and go to the file alone."""
        self.role = "C"
        self._syslog = None

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def _time_text() -> str:
    now = time.time()
    local = time.localtime(now)
    month = _MONTHS[local.tm_mon - 1]
    return (
        f"{local.tm_mday:02d} {month} {local.tm_year} {time.strftime('%H:%M:%S', local)}.{int(now * 1000) % 1000:03d}"
    )


def _legacy(role: str, level: str, message: str) -> str:
    return f"{os.getpid()}:{role} {_time_text()} {_MARKS[level]} {message}"


def _logfmt(role: str, level: str, message: str) -> str:
    quoted = message.replace("\\", "\\\\").replace('"', '\\"')
    return f'pid={os.getpid()} role={_ROLES[role]} timestamp="{_time_text()}" level={level} message="{quoted}"'


def _json(role: str, level: str, message: str) -> str:
    fields = {"pid": os.getpid(), "role": _ROLES[role], "timestamp": time.time(), "level": level, "message": message}
    return json.dumps(fields, ensure_ascii=False)


_FORMS = {"legacy": _legacy, "logfmt": _logfmt, "json": _json}
