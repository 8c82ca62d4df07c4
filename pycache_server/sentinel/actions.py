"""What a sentinel wants done, in the order in which it must happen: what is to be kept is kept before it is told."""

from __future__ import annotations

from dataclasses import dataclass

from pycache_server.sentinel.instance import Instance


@dataclass(frozen=True, slots=True)
class Send:
    """Send a command to an instance over its link; its reply goes to ``Sentinel.replied`` with ``tag``."""

    to: Instance
    argv: tuple[str, ...]
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Connect:
    """Open the link for commands, or the one that listens to hellos, and authenticate."""

    to: Instance
    listening: bool


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Close a link."""

    to: Instance
    listening: bool


@dataclass(frozen=True, slots=True)
class Forget:
    """An instance is watched no more: close both links."""

    to: Instance


@dataclass(frozen=True, slots=True)
class Event:
    """Log an event, and publish it to the sentinel's own clients where it is no debugging."""

    level: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Run:
    """Run a script with arguments, when its turn comes."""

    script: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Persist:
    """Write what is known into the configuration file, and let it reach the disk."""


Action = Send | Connect | Disconnect | Forget | Event | Run | Persist
