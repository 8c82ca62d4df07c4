"""The registry of commands: what a command is, and the decorator that makes one.

A command is a plain function ``(session, argv) -> value``. Everything else that anyone wants to know of it is told in
one place, the decorator: its syntax line gives arity, key positions and the arguments of COMMAND DOCS, its flags the
ACL categories, its docstring the summary. The decorator registers the function and returns it unchanged: a wrapper
would cost 155 ns a call. ::

    family = Family("string")

    @family.command("GETRANGE key start end", READONLY, since="2.4.0", complexity="O(N), N = bytes returned")
    def getrange(session: Context, argv: list[bytes]) -> bytes:
        "Return a part of the string at a key."

``argv`` is what the client sent, the name included. The value is what resp/encode.py can write; errors are raised. A
command must fail before its first change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeVar

from pycache_server.commands.context import Context
from pycache_server.commands.syntax import Argument, KeySpec, arity_of, key_specs_of, parse_syntax, with_kinds

Handler = Callable[[Any, list[bytes]], Any]
KeyFlags = Callable[[list[bytes]], str]
KeyFinder = Callable[[list[bytes]], list[int]]
Effect = Callable[[Any, list[bytes], Any], Iterable[list[bytes]] | None]
"""``(session, argv, value)``: the commands that repeat what a call has done, which had this value; None where its own
words do."""
Promise = Callable[[Any, list[bytes]], bool]
"""``(scripts of the server, argv)``: whether a call says that it changes nothing."""
F = TypeVar("F", bound=Callable[..., Any])


class Flag(StrEnum):
    """Redis's command flags, by the names under which COMMAND INFO gives them."""

    WRITE = "write"
    READONLY = "readonly"
    DENYOOM = "denyoom"
    ADMIN = "admin"
    PUBSUB = "pubsub"
    NOSCRIPT = "noscript"
    BLOCKING = "blocking"
    LOADING = "loading"
    STALE = "stale"
    SKIP_MONITOR = "skip_monitor"
    SKIP_SLOWLOG = "skip_slowlog"
    ASKING = "asking"
    FAST = "fast"
    NO_AUTH = "no_auth"
    MAY_REPLICATE = "may_replicate"
    NO_MANDATORY_KEYS = "no_mandatory_keys"
    PROTECTED = "protected"
    NO_ASYNC_LOADING = "no_async_loading"
    NO_MULTI = "no_multi"
    ALLOW_BUSY = "allow_busy"
    MOVABLEKEYS = "movablekeys"
    ONLY_SENTINEL = "only_sentinel"


WRITE = Flag.WRITE
READONLY = Flag.READONLY
DENYOOM = Flag.DENYOOM
ADMIN = Flag.ADMIN
PUBSUB = Flag.PUBSUB
NOSCRIPT = Flag.NOSCRIPT
BLOCKING = Flag.BLOCKING
LOADING = Flag.LOADING
STALE = Flag.STALE
SKIP_MONITOR = Flag.SKIP_MONITOR
SKIP_SLOWLOG = Flag.SKIP_SLOWLOG
ASKING = Flag.ASKING
FAST = Flag.FAST
NO_AUTH = Flag.NO_AUTH
MAY_REPLICATE = Flag.MAY_REPLICATE
NO_MANDATORY_KEYS = Flag.NO_MANDATORY_KEYS
PROTECTED = Flag.PROTECTED
NO_ASYNC_LOADING = Flag.NO_ASYNC_LOADING
NO_MULTI = Flag.NO_MULTI
ALLOW_BUSY = Flag.ALLOW_BUSY
MOVABLEKEYS = Flag.MOVABLEKEYS

OWN = "pycache"
"""Since when there is a command that Redis does not have."""

_GROUP_CATEGORIES = {
    "generic": ("keyspace",),
    "string": ("string",),
    "bitmap": ("bitmap",),
    "list": ("list",),
    "set": ("set",),
    "sorted-set": ("sortedset",),
    "hash": ("hash",),
    "stream": ("stream",),
    "geo": ("geo",),
    "hyperloglog": ("hyperloglog",),
    "pubsub": ("pubsub",),
    "transactions": ("transaction",),
    "connection": ("connection",),
    "scripting": ("scripting",),
    "server": (),
    "cluster": (),
    "module": (),
    "sentinel": (),
}


@dataclass(frozen=True, slots=True)
class Command:
    """All that is known of a command. ``name`` is in lower case, ``container|subcommand`` for a subcommand."""

    name: str
    function: Handler
    syntax: str
    arguments: tuple[Argument, ...]
    flags: frozenset[Flag]
    arity: int
    keys: tuple[KeySpec, ...]
    group: str
    since: str
    complexity: str
    summary: str
    categories: tuple[str, ...]
    tips: tuple[str, ...]
    help_since: str = "5.0.0"
    """Since when a container has its HELP."""
    key_flags: KeyFlags | None = None
    """For a key whose flags depend on the arguments, what they are."""
    finder: KeyFinder | None = None
    """Where the key specifications do not tell all, what finds the keys instead; they have the flags of the first."""
    effect: Effect | None = None
    """What the append-only file and replicas are told of a call that has changed something; where it is None, what the
    client has sent."""
    plain: int = 0
    """With how many words they are always told those, whatever ``effect`` is for."""
    promises: Promise | None = None
    """For a command that may change something, whether a call of it says that it will not."""
    subcommands: dict[str, Command] = field(default_factory=dict)

    def may_change(self, scripts: Any, argv: list[bytes]) -> bool:
        """Whether a call may change the data set, or what others hear. ``scripts`` are those of the server."""
        return may_change(self) and (self.promises is None or not self.promises(scripts, argv))

    @property
    def is_free(self) -> bool:
        """Whether anybody may call it, logged in or not."""
        return Flag.NO_AUTH in self.flags

    @property
    def is_timed(self) -> bool:
        """Whether every call is timed: all but the commands that take the same short time whatever they are given."""
        return Flag.FAST not in self.flags and self.name not in _ALWAYS_SHORT

    def find_keys(self, argv: list[bytes]) -> list[tuple[int, tuple[str, ...]]] | None:
        """The indices of the keys in ``argv``, with the flags of each; None where its arguments make no sense. What is
        only found like a key, as a shard channel, is none."""
        given = tuple(self.key_flags(argv).split()) if self.key_flags is not None else None
        if self.finder is not None:
            return [(place, self.keys[0].flags) for place in self.finder(argv)]
        found: list[tuple[int, tuple[str, ...]]] = []
        for spec in self.keys:
            if spec.is_no_key():
                continue
            places = spec.find(argv)
            if places is None:
                return None
            found += [(place, spec.flags if given is None else given) for place in places]
        return found

    def legacy_range(self) -> tuple[int, int, int]:
        """First key, last key and step as COMMAND INFO gives them; zeros where they depend on the arguments."""
        plain = [spec for spec in self.keys if not spec.keyword and not spec.counted and spec.finder is None]
        if not plain:
            return 0, 0, 0
        first = plain[0]
        last = first.begin - 1
        for spec in plain:
            if spec.begin == last + 1:
                last = spec.last if spec.last < 0 else spec.begin + spec.last
        return first.begin, last, first.step


_ALWAYS_SHORT = frozenset(("set", "psetex", "setex", "getset", "mget", "mset"))
REGISTRY: dict[str, Command] = {}
"""Every command that has been registered, by name; subcommands are in their container's ``subcommands``."""


def may_change(command: Command) -> bool:
    """Whether a command may change the data set, or what others hear: PFCOUNT, too, which may keep what it has
    counted."""
    return Flag.WRITE in command.flags or Flag.MAY_REPLICATE in command.flags or command.name == "pfcount"


class Family:
    """Commands of one of Redis's groups; ``registry`` is where they are registered, by name."""

    def __init__(self, group: str, registry: dict[str, Command] = REGISTRY) -> None:
        self.group = group
        self.registry = registry

    def command(
        self,
        syntax: str,
        *flags: Flag,
        since: str,
        complexity: str = "O(1)",
        keys: str = "",
        key_specs: tuple[KeySpec, ...] | None = None,
        categories: str = "",
        tips: tuple[str, ...] = (),
        arity: int | None = None,
        kinds: dict[str, str] | None = None,
        key_flags: KeyFlags | None = None,
        finder: KeyFinder | None = None,
        effect: Effect | None = None,
        plain: int = 0,
        promises: Promise | None = None,
    ) -> Callable[[F], F]:
        """Register a function as the command that ``syntax`` describes.

        ``keys`` has the flags of the key specifications, which the syntax implies; a semicolon separates those of
        several. ``key_specs`` replaces what the syntax implies, ``categories`` what the group does, ``arity`` what the
        syntax line says, ``kinds`` the types of arguments that their names suggest, and ``key_flags`` the flags of keys
        where they depend on the arguments. ``finder`` finds the keys where the specifications are not enough.
        ``effect`` tells replicas what a call has done where its words would not do the same again, which they always
        do when there are ``plain`` of them; ``promises`` whether a call says that it changes nothing.
        """
        name, arguments = parse_syntax(syntax)
        arguments = with_kinds(arguments, kinds) if kinds else arguments
        specs = key_specs_of(name, arguments) if key_specs is None else key_specs
        spec_flags = keys.split(";") if keys else []
        specs = (
            tuple(replace(spec, flags=tuple(text.split())) for spec, text in zip(specs, spec_flags, strict=True))
            if spec_flags
            else specs
        )
        found = frozenset(flags)
        if any(spec.counted or spec.keyword or spec.finder for spec in specs):
            found |= {Flag.MOVABLEKEYS}

        def register(function: F) -> F:
            command = Command(
                name=name,
                function=function,
                syntax=syntax,
                arguments=arguments,
                flags=found,
                arity=arity_of(name, arguments) if arity is None else arity,
                keys=specs,
                group=self.group,
                since=since,
                complexity=complexity,
                summary=(function.__doc__ or "").strip().split("\n\n")[0].replace("\n", " "),
                categories=categories_of(found, categories.split() or _GROUP_CATEGORIES[self.group]),
                tips=tips,
                key_flags=key_flags,
                finder=finder,
                effect=effect,
                plain=plain,
                promises=promises,
            )
            add(command, self.registry)
            return function

        return register

    def container(self, name: str, *flags: Flag, since: str, summary: str, help_since: str = "5.0.0") -> None:
        """Register a command that has subcommands only."""
        add(
            Command(
                name=name.lower(),
                function=_no_subcommand,
                syntax=name,
                arguments=(),
                flags=frozenset(flags),
                arity=-2,
                keys=(),
                group=self.group,
                since=since,
                complexity="Depends on subcommand.",
                summary=summary,
                categories=categories_of(frozenset(flags), ()),
                tips=(),
                help_since=help_since,
            ),
            self.registry,
        )


def _no_subcommand(session: Context, argv: list[bytes]) -> Any:
    raise AssertionError("a container's function is never called: modes.py calls the subcommand's")


def add(command: Command, registry: dict[str, Command] = REGISTRY) -> None:
    """Put a command into a registry.

    Raises ValueError where the name is taken, or a subcommand's container is not there.
    """
    container, _, subcommand = command.name.partition("|")
    table = registry
    if subcommand:
        if container not in registry:
            raise ValueError(f"{command.name} has no container")
        table = registry[container].subcommands
    if command.name in table:
        other = table[command.name].function.__module__
        raise ValueError(f"command {command.name} is registered twice, the first time by {other}")
    table[command.name] = command


def categories_of(flags: frozenset[Flag], given: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    """The ACL categories: those given and those that flags imply, as Redis derives them, in its order."""
    found = list(given)
    implied = (
        (Flag.WRITE, "write"),
        (Flag.READONLY, "read"),
        (Flag.ADMIN, "admin"),
        (Flag.ADMIN, "dangerous"),
        (Flag.PUBSUB, "pubsub"),
        (Flag.FAST, "fast"),
        (Flag.BLOCKING, "blocking"),
    )
    for flag, category in implied:
        if flag in flags and not (category == "read" and "scripting" in found):
            found.append(category)
    if "fast" not in found:
        found.append("slow")
    return tuple(sorted(set(found), key=CATEGORIES.index))


CATEGORIES = [
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
]
"""All ACL categories in Redis's order."""
