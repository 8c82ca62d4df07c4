"""The process and the system around it: daemon, pid file, systemd."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from pathlib import Path

from pycache_server.server.log import Log


def daemonize() -> None:
    """Leave the terminal: fork, become a session of its own, and read and write nothing.

    Only before the event loop and any thread exist.
    """
    if not hasattr(os, "fork"):
        raise OSError("this system has no fork, so there is no daemonize")
    if os.fork():
        os._exit(0)
    os.setsid()
    sys.stdout.flush()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    if null > 2:
        os.close(null)


def write_pidfile(path: str, log: Log) -> None:
    """Tell the process id; a path that cannot be written is a warning, as in Redis."""
    if path:
        try:
            Path(path).write_text(f"{os.getpid()}\n")
        except OSError as error:
            log.write("warning", f"Failed to write PID file: {error.strerror}")


def remove_pidfile(path: str) -> None:
    """The process ends."""
    if path:
        with contextlib.suppress(OSError):
            Path(path).unlink()


def wants_systemd(supervised: str) -> bool:
    """Whether systemd is to be told: by configuration, or where it is found."""
    return supervised == "systemd" or (supervised == "auto" and bool(os.environ.get("NOTIFY_SOCKET")))


def notify_systemd(message: str) -> bool:
    """Send a message of the sd_notify protocol (systemd's manual, sd_notify(3)). Whether somebody listens."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path or not hasattr(socket, "AF_UNIX"):
        return False
    address = "\0" + path[1:] if path[0] == "@" else path
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier:
            notifier.connect(address)
            notifier.sendall(message.encode())
    except OSError:
        return False
    return True
