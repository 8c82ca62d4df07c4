"""COMMAND: what the server can do; and the HELP of every container.

A command that rename-command has taken away is unknown here, too. A renamed one is found by its new name, and described
under its own, as in Redis.

Contents: COMMAND, COMMAND COUNT DOCS GETKEYS GETKEYSANDFLAGS INFO LIST.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from pycache_server.commands.args import option_of
from pycache_server.commands.registry import LOADING, REGISTRY, STALE, Command, Family, Flag, add, categories_of
from pycache_server.commands.syntax import Argument, KeySpec
from pycache_server.errors import BadSyntax, RedisError, c_string
from pycache_server.resp.encode import SetReply, Wire, status
from pycache_server.session.deprecated import DEPRECATED, INTERNAL
from pycache_server.store.glob import compile_glob

if TYPE_CHECKING:
    from pycache_server.session.session import Session

family = Family("server")
command = family.command


def find(session: Session, name: bytes) -> Command | None:
    """The command or ``container|subcommand`` that clients can call by that name."""
    container, bar, subcommand = name.decode("ascii", "replace").lower().partition("|")
    found = session.core.tables.commands.get(container)
    return found.subcommands.get(f"{found.name}|{subcommand}") if found is not None and bar else found


@command(
    "COMMAND",
    LOADING,
    STALE,
    since="2.8.13",
    complexity="O(N), N = commands",
    arity=-1,
    categories="connection",
    tips=("nondeterministic_output_order",),
)
def command_(session: Session, argv: list[bytes]) -> list[Any]:
    """Describe all commands."""
    return [describe(each) for each in session.core.tables.commands.values()]


@command("COMMAND COUNT", LOADING, STALE, since="2.8.13", categories="connection")
def command_count(session: Session, argv: list[bytes]) -> int:
    """Count the commands."""
    return len(session.core.tables.commands)


@command(
    "COMMAND INFO [command-name [command-name ...]]",
    LOADING,
    STALE,
    since="2.8.13",
    complexity="O(N), N = commands asked for",
    categories="connection",
    tips=("nondeterministic_output_order",),
)
def command_info(session: Session, argv: list[bytes]) -> list[Any]:
    """Describe some commands, or all."""
    if len(argv) == 2:
        return command_(session, argv)
    found = [find(session, name) for name in argv[2:]]
    return [describe(each) if each is not None else None for each in found]


@command(
    "COMMAND DOCS [command-name [command-name ...]]",
    LOADING,
    STALE,
    since="7.0.0",
    complexity="O(N), N = commands asked for",
    categories="connection",
    tips=("nondeterministic_output_order",),
)
def command_docs(session: Session, argv: list[bytes]) -> dict[bytes, Any]:
    """Return what a manual says of some commands, or of all."""
    every = session.core.tables.commands.values()
    found = [find(session, name) for name in argv[2:]] if len(argv) > 2 else every
    return {each.name.encode(): document(each) for each in found if each is not None}


@command(
    "COMMAND LIST [FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
    LOADING,
    STALE,
    since="7.0.0",
    complexity="O(N), N = commands",
    categories="connection",
    tips=("nondeterministic_output_order",),
)
def command_list(session: Session, argv: list[bytes]) -> list[bytes]:
    """List the names of the commands, or of some of them."""
    if len(argv) == 2:
        return [each.name.encode() for each in _with_subcommands(session)]
    if len(argv) != 5 or option_of(argv[2]) != b"FILTERBY":
        raise BadSyntax
    kind, value = option_of(argv[3]), argv[4]
    if kind == b"MODULE":
        return []
    if kind == b"ACLCAT":
        category = c_string(value).decode("ascii", "replace").lower()
        return [each.name.encode() for each in _with_subcommands(session) if category in each.categories]
    if kind == b"PATTERN":
        matches = compile_glob(value, ignore_case=True)
        return [each.name.encode() for each in _with_subcommands(session) if matches(each.name.encode())]
    raise BadSyntax


def _with_subcommands(session: Session) -> Iterable[Command]:
    for each in session.core.tables.commands.values():
        yield each
        yield from each.subcommands.values()


@command(
    "COMMAND GETKEYS command [arg [arg ...]]",
    LOADING,
    STALE,
    since="2.8.13",
    complexity="O(N), N = arguments",
    categories="connection",
    arity=-4,
)
def command_getkeys(session: Session, argv: list[bytes]) -> list[bytes]:
    """Find the keys in a command."""
    return [key for key, _ in _keys_of(session, argv[2:])]


@command(
    "COMMAND GETKEYSANDFLAGS command [arg [arg ...]]",
    LOADING,
    STALE,
    since="7.0.0",
    complexity="O(N), N = arguments",
    categories="connection",
    arity=-4,
)
def command_getkeysandflags(session: Session, argv: list[bytes]) -> list[Any]:
    """Find the keys in a command, and tell what it may do to each."""
    return [[key, _flags_of_key(flags)] for key, flags in _keys_of(session, argv[2:])]


def _keys_of(session: Session, words: list[bytes]) -> list[tuple[bytes, tuple[str, ...]]]:
    """The keys in the words of a command, with the flags of each.

    Raises RedisError.
    """
    row = session.core.row(words[0])
    if row is not None and row.subrows and len(words) > 1:
        row = row.subrows.get(words[1].lower())
    if row is None:
        raise RedisError(b"ERR Invalid command specified")
    if all(spec.is_no_key() for spec in row.command.keys):
        raise RedisError(b"ERR The command has no key arguments")
    if not row.accepts(len(words)):
        raise RedisError(b"ERR Invalid number of arguments specified for command")
    found = row.command.find_keys(words) or []
    if not found and Flag.NO_MANDATORY_KEYS not in row.command.flags:
        raise RedisError(b"ERR Invalid arguments specified for command")
    return [(words[place], flags) for place, flags in found]


_HIDDEN = {Flag.MAY_REPLICATE, Flag.PROTECTED}
"""Flags that Redis keeps to itself."""


def describe(each: Command) -> list[Any]:
    """A command as COMMAND INFO gives it."""
    first, last, step = each.legacy_range()
    return [
        each.name.encode(),
        each.arity,
        SetReply(_status(flag.value) for flag in Flag if flag in each.flags - _HIDDEN),
        first,
        last,
        step,
        SetReply(_status("@" + category) for category in each.categories),
        [tip.encode() for tip in each.tips],
        [_describe_keys(spec) for spec in each.keys],
        [describe(subcommand) for subcommand in each.subcommands.values()],
    ]


def _status(text: str) -> Wire:
    return status(text.encode())


def _describe_keys(spec: KeySpec) -> dict[bytes, Any]:
    begin: dict[bytes, Any] = {b"type": b"index", b"spec": {b"index": spec.begin}}
    if spec.keyword:
        begin = {b"type": b"keyword", b"spec": {b"keyword": spec.keyword.encode(), b"startfrom": spec.begin}}
    keys: dict[bytes, Any] = {
        b"type": b"range",
        b"spec": {b"lastkey": spec.last, b"keystep": spec.step, b"limit": spec.limit},
    }
    if spec.counted:
        keys = {b"type": b"keynum", b"spec": {b"keynumidx": 0, b"firstkey": 1, b"keystep": spec.step}}
    if spec.finder is not None:
        begin = keys = {b"type": b"unknown", b"spec": {}}
    described: dict[bytes, Any] = {}
    if spec.notes:
        described[b"notes"] = spec.notes.encode()
    described[b"flags"] = _flags_of_key(spec.flags)
    described[b"begin_search"] = begin
    described[b"find_keys"] = keys
    return described


_KEY_RIGHTS = frozenset(("RO", "RW", "OW", "RM"))


def _flags_of_key(flags: tuple[str, ...]) -> SetReply:
    return SetReply(_status(flag if flag in _KEY_RIGHTS else flag.lower()) for flag in flags)


def document(each: Command) -> dict[bytes, Any]:
    """A command as COMMAND DOCS gives it."""
    found: dict[bytes, Any] = {
        b"summary": each.summary.encode(),
        b"since": each.since.encode(),
        b"group": each.group.encode(),
        b"complexity": each.complexity.encode(),
    }
    if each.name in INTERNAL:
        found[b"doc_flags"] = SetReply([_status("syscmd")])
    elif each.name in DEPRECATED:
        since, successor = DEPRECATED[each.name]
        found[b"doc_flags"] = SetReply([_status("deprecated")])
        found[b"deprecated_since"] = since.encode()
        found[b"replaced_by"] = successor.encode()
    if each.arguments:
        keys = iter(range(len(each.keys)))
        found[b"arguments"] = [_document_argument(argument, keys) for argument in each.arguments]
    if each.subcommands:
        found[b"subcommands"] = {sub.name.encode(): document(sub) for sub in each.subcommands.values()}
    return found


def _document_argument(argument: Argument, keys: Iterator[int]) -> dict[bytes, Any]:
    """An argument; ``keys`` counts the key specifications."""
    found: dict[bytes, Any] = {b"name": argument.name.encode(), b"type": argument.kind.encode()}
    if not argument.parts:
        found[b"display_text"] = argument.name.encode()
    if argument.kind == "key":
        found[b"key_spec_index"] = next(keys, 0)
    if argument.token:
        found[b"token"] = argument.token.encode()
    flags = [name for name in ("optional", "multiple", "multiple_token") if getattr(argument, name)]
    if flags:
        found[b"flags"] = SetReply(map(_status, flags))
    if argument.parts:
        found[b"arguments"] = [_document_argument(part, keys) for part in argument.parts]
    return found


def add_help(registry: dict[str, Command] = REGISTRY) -> None:
    """Give every container that has none a HELP, made of its subcommands' syntax and summaries."""
    for container in list(registry.values()):
        name = f"{container.name}|help"
        if container.subcommands and name not in container.subcommands:
            add(_help_of(container, name), registry)


_HELP_CATEGORIES = {
    "object": ("keyspace",),
    "client": ("connection",),
    "command": ("connection",),
    "xgroup": ("stream",),
    "xinfo": ("stream",),
    "function": ("scripting",),
    "script": ("scripting",),
}


def _help_of(container: Command, name: str) -> Command:
    def help_(session: Session, argv: list[bytes]) -> list[Wire]:
        return lines

    subcommand = Command(
        name=name,
        function=help_,
        syntax=f"{container.name.upper()} HELP",
        arguments=(),
        flags=frozenset((Flag.LOADING, Flag.STALE)),
        arity=2,
        keys=(),
        group=container.group,
        since=container.help_since,
        complexity="O(1)",
        summary="Return helpful text about the different subcommands.",
        categories=categories_of(frozenset(), _HELP_CATEGORIES.get(container.name, ())),
        tips=(),
    )
    lines = _help_lines(container)
    return subcommand


def _help_lines(container: Command) -> list[Wire]:
    title = container.name.upper()
    lines = [f"{title} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
    for each in container.subcommands.values():
        lines.append(each.syntax.partition(" ")[2])
        lines += ["    " + line for line in wrap(each.summary, 76)]
    lines += ["HELP", "    Print this help."]
    return [_status(line) for line in lines]
