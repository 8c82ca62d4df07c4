"""What a package needs that adds commands in Python: docs/python_commands.md shows how.

``command`` is the decorator of our own commands (registry.py) with what one may leave out: a plain function ``(session,
argv) -> value``, told everything else in one line. A module of commands is loaded by extensions.py, by entry point or
by the directive ``load-commands``; importing it in a test loads nothing into a server.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any, TypeVar

from pycache_server.commands.args import Options, integer, integer_in, positive
from pycache_server.commands.context import NOT_READY, Context
from pycache_server.commands.registry import (
    ADMIN,
    BLOCKING,
    CATEGORIES,
    DENYOOM,
    FAST,
    LOADING,
    NOSCRIPT,
    PUBSUB,
    READONLY,
    STALE,
    WRITE,
    Command,
    Effect,
    Family,
    Flag,
)
from pycache_server.errors import BadSyntax, NotAnInteger, RedisError, WrongType
from pycache_server.resp.encode import OK, status
from pycache_server.store.events import GENERIC, HASH, LIST, MODULE, SET, STREAM, STRING, ZSET, Event

__all__ = [
    "ADMIN",
    "BLOCKING",
    "DENYOOM",
    "FAST",
    "GENERIC",
    "HASH",
    "LIST",
    "LOADING",
    "MODULE",
    "NOSCRIPT",
    "NOT_READY",
    "OK",
    "PUBSUB",
    "READONLY",
    "SET",
    "STALE",
    "STREAM",
    "STRING",
    "WRITE",
    "ZSET",
    "BadSyntax",
    "Context",
    "Event",
    "NotAnInteger",
    "Options",
    "RedisError",
    "WrongType",
    "command",
    "container",
    "integer",
    "integer_in",
    "positive",
    "status",
]

F = TypeVar("F", bound=Callable[..., Any])
ADDED: dict[str, Command] = {}
"""Every command that a module of others has registered, by name, whether a server has loaded it or not."""
_family = Family("module", ADDED)


def command(
    syntax: str,
    *flags: Flag,
    since: str = "1.0.0",
    complexity: str = "O(1)",
    keys: str = "",
    categories: str = "",
    tips: tuple[str, ...] = (),
    arity: int | None = None,
    kinds: dict[str, str] | None = None,
    effect: Effect | None = None,
) -> Callable[[F], F]:
    """Register a function as the command that ``syntax`` describes, and return it unchanged.

    ``since`` is a version of the package's own. ``keys`` has the flags of the keys, as COMMAND INFO gives them (``RO
    ACCESS``, ``RW UPDATE``); ``categories`` ACL categories beside those that the flags imply; ``arity`` and ``kinds``
    correct what the syntax line says. ``effect`` is a function ``(session, argv, value)`` which returns the commands
    that repeat a call that has changed something, for replicas and the append-only file; without it, they are given the
    words of the call. The first paragraph of the docstring is the summary in COMMAND DOCS.

    Raises ValueError or TypeError for what can be no command; the server does not start then, and says why.
    """
    unknown = sorted(set(categories.split()) - set(CATEGORIES))
    if unknown:
        raise ValueError(f"{syntax}: there is no ACL category {unknown[0]}")
    register = _family.command(
        syntax,
        *flags,
        since=since,
        complexity=complexity,
        keys=keys,
        categories=categories,
        tips=tips,
        arity=arity,
        kinds=kinds,
        effect=effect,
    )

    def checked(function: F) -> F:
        if iscoroutinefunction(function):
            raise TypeError(f"{syntax}: a command is a plain function, not a coroutine")
        if not function.__doc__:
            raise ValueError(f"{syntax}: the function needs a docstring, the summary of COMMAND DOCS")
        return register(function)

    return checked


def container(name: str, *flags: Flag, since: str = "1.0.0", summary: str) -> None:
    """Register a command that has subcommands only, such as ``ACME.CACHE STATS``. It must come before them."""
    _family.container(name, *flags, since=since, summary=summary, help_since=since)
