"""Functions: FCALL, FCALL_RO, and FUNCTION with its subcommands but for DUMP and RESTORE (payload.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycache_server.commands.args import frequent_integer, option_of
from pycache_server.commands.registry import (
    ALLOW_BUSY,
    DENYOOM,
    MAY_REPLICATE,
    NO_MANDATORY_KEYS,
    NOSCRIPT,
    READONLY,
    SKIP_MONITOR,
    STALE,
    WRITE,
    Family,
)
from pycache_server.errors import RedisError, bad_subcommand, c_string
from pycache_server.resp.encode import OK, SetReply, status
from pycache_server.scripting.commands import NEGATIVE_KEYS, TOO_MANY_KEYS
from pycache_server.scripting.library import Function, Library
from pycache_server.scripting.running import NOT_BUSY, Scripts, scripts_of
from pycache_server.scripting.shebang import library_name
from pycache_server.store.glob import compile_glob
from pycache_server.store.numbers import parse_int

if TYPE_CHECKING:
    from pycache_server.session.session import Session

family = Family("scripting")
command = family.command

_BLANK_LINES = bytes.maketrans(b"\r\n", b"  ")  # else the ends of lines at its end would be left out

_COMPLEXITY = "Depends on the function that is executed."


def _function_of(session: Session, name: bytes) -> Function:
    """The function of a name.

    Raises RedisError.
    """
    scripts = session.core.scripts or scripts_of(session.core)
    function: Function | None = scripts.functions.get(name) or scripts.functions.get(name.lower())
    if function is None:
        raise RedisError(b"ERR Function not found")
    return function


def _key_count(argv: list[bytes]) -> int:
    """The number of keys that is the third word of a command.

    Raises RedisError.
    """
    keys = parse_int(argv[2])
    if keys is None:
        raise RedisError(b"ERR Bad number of keys provided")
    if keys > len(argv) - 3:
        raise RedisError(TOO_MANY_KEYS)
    if keys < 0:
        raise RedisError(NEGATIVE_KEYS)
    return keys


def _function_promises(scripts: Scripts | None, argv: list[bytes]) -> bool:
    """Whether a call of a function says that it writes nothing."""
    function = scripts.functions.get(argv[1].lower()) if scripts is not None else None
    return function is not None and "no-writes" in function.flags


@command(
    "FCALL function numkeys [key ...] [arg ...]",
    NOSCRIPT,
    STALE,
    SKIP_MONITOR,
    MAY_REPLICATE,
    NO_MANDATORY_KEYS,
    since="7.0.0",
    complexity=_COMPLEXITY,
    keys="RW ACCESS UPDATE",
    promises=_function_promises,
)
def fcall(session: Session, argv: list[bytes]) -> Any:
    """Call a function."""
    function = _function_of(session, argv[1])
    keys = frequent_integer(argv[2])
    if keys is None or not 0 <= keys <= len(argv) - 3:
        keys = _key_count(argv)
    return session.core.scripts.run(session, function, argv, keys, False)


@command(
    "FCALL_RO function numkeys [key ...] [arg ...]",
    NOSCRIPT,
    STALE,
    SKIP_MONITOR,
    NO_MANDATORY_KEYS,
    READONLY,
    since="7.0.0",
    complexity=_COMPLEXITY,
    keys="RO ACCESS",
)
def fcall_ro(session: Session, argv: list[bytes]) -> Any:
    """Call a function that does not write."""
    function = _function_of(session, argv[1])
    return session.core.scripts.run(session, function, argv, _key_count(argv), True)


family.container("FUNCTION", since="7.0.0", help_since="7.0.0", summary="Commands for libraries of functions.")


@command(
    "FUNCTION LOAD [REPLACE] function-code",
    NOSCRIPT,
    WRITE,
    DENYOOM,
    since="7.0.0",
    complexity="Depends on the code of the library.",
    tips=("request_policy:all_shards", "response_policy:all_succeeded"),
)
def function_load(session: Session, argv: list[bytes]) -> bytes:
    """Make a library."""
    replace = False
    for word in argv[2:-1]:
        if option_of(word) != b"REPLACE":
            raise RedisError(b"ERR Unknown option given: " + c_string(word))
        replace = True
    scripts = scripts_of(session.core)
    library = make_library(scripts, argv[-1], scripts.libraries if not replace else {})
    link(scripts, {library.name: library}, replace)
    session.db.dirty += 1
    return library.name


def make_library(scripts: Scripts, code: bytes, taken: dict[bytes, Library]) -> Library:
    """A library of its code, which is not known to anybody yet. Its name must not be among those ``taken``.

    Raises RedisError.
    """
    name, text = library_name(code)
    if name in taken:
        raise RedisError(b"ERR Library '" + name + b"' already exists")
    library = Library(name, code)
    scripts.load(library, text)
    return library


def link(scripts: Scripts, libraries: dict[bytes, Library], replace: bool) -> None:
    """Let libraries be known, all or none of them.

    Raises RedisError where a name is taken.
    """
    for name in libraries:
        if name in scripts.libraries and not replace:
            raise RedisError(b"ERR Library " + name + b" already exists")
    functions = {
        name: function for name, function in scripts.functions.items() if function.library.name not in libraries
    }
    for library in libraries.values():
        for name in library.functions:
            if name.lower() in functions:
                raise RedisError(b"ERR Function " + name + b" already exists")
        functions.update((name.lower(), function) for name, function in library.functions.items())
    scripts.libraries |= libraries
    scripts.functions = functions


@command(
    "FUNCTION DELETE library-name",
    NOSCRIPT,
    WRITE,
    since="7.0.0",
    tips=("request_policy:all_shards", "response_policy:all_succeeded"),
)
def function_delete(session: Session, argv: list[bytes]) -> Any:
    """Forget a library and its functions."""
    scripts = session.core.scripts
    library = scripts.libraries.pop(argv[2], None) if scripts is not None else None
    if library is None:
        raise RedisError(b"ERR Library not found")
    for name in library.functions:
        scripts.functions.pop(name.lower(), None)
    session.db.dirty += 1
    return OK


@command(
    "FUNCTION FLUSH [ASYNC | SYNC]",
    NOSCRIPT,
    WRITE,
    since="7.0.0",
    complexity="O(N), N = functions",
    tips=("request_policy:all_shards", "response_policy:all_succeeded"),
)
def function_flush(session: Session, argv: list[bytes]) -> Any:
    """Forget all libraries."""
    if len(argv) > 3:
        raise bad_subcommand(argv)
    if len(argv) == 3 and option_of(argv[2]) not in (b"ASYNC", b"SYNC"):
        raise RedisError(b"ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
    if session.core.scripts is not None:
        session.core.scripts.forget_libraries()
    session.db.dirty += 1
    return OK


@command(
    "FUNCTION LIST [LIBRARYNAME library-name-pattern] [WITHCODE]",
    NOSCRIPT,
    since="7.0.0",
    complexity="O(N), N = functions",
    tips=("nondeterministic_output_order",),
)
def function_list(session: Session, argv: list[bytes]) -> list[Any]:
    """Describe the libraries."""
    pattern: bytes | None = None
    with_code = False
    at = 2
    while at < len(argv):
        option = option_of(argv[at])
        if not with_code and option == b"WITHCODE":
            with_code = True
        elif pattern is None and option == b"LIBRARYNAME":
            at += 1
            if at == len(argv):
                raise RedisError(b"ERR library name argument was not given")
            pattern = argv[at]
        else:
            raise RedisError(b"ERR Unknown argument " + c_string(argv[at]).translate(_BLANK_LINES))
        at += 1
    scripts = session.core.scripts
    libraries = list(scripts.libraries.values()) if scripts is not None else []
    if pattern is not None:
        matches = compile_glob(pattern)
        libraries = [library for library in libraries if matches(library.name)]
    return [_describe(library, with_code) for library in libraries]


def _describe(library: Library, with_code: bool) -> dict[bytes, Any]:
    functions = [_describe_function(function) for function in library.functions.values()]
    found: dict[bytes, Any] = {b"library_name": library.name, b"engine": b"LUA", b"functions": functions}
    if with_code:
        found[b"library_code"] = library.code
    return found


def _describe_function(function: Function) -> dict[bytes, Any]:
    flags = SetReply(status(flag.encode()) for flag in function.flag_names())
    return {b"name": function.name, b"description": function.description, b"flags": flags}


@command(
    "FUNCTION STATS",
    NOSCRIPT,
    ALLOW_BUSY,
    since="7.0.0",
    tips=("nondeterministic_output", "request_policy:all_shards", "response_policy:special"),
)
def function_stats(session: Session, argv: list[bytes]) -> dict[bytes, Any]:
    """Tell which function runs, and how many there are."""
    scripts = session.core.scripts
    running: dict[bytes, Any] | None = None
    if scripts is not None and scripts.session is not None:
        if not scripts.running.is_function:
            scripts.refuse_other_kind(function=True)
        running = {b"name": scripts.running.name, b"command": scripts.argv, b"duration_ms": scripts.milliseconds()}
    counts = {
        b"libraries_count": len(scripts.libraries) if scripts is not None else 0,
        b"functions_count": len(scripts.functions) if scripts is not None else 0,
    }
    return {b"running_script": running, b"engines": {b"LUA": counts}}


@command(
    "FUNCTION KILL",
    NOSCRIPT,
    ALLOW_BUSY,
    since="7.0.0",
    tips=("request_policy:all_shards", "response_policy:one_succeeded"),
)
def function_kill(session: Session, argv: list[bytes]) -> Any:
    """End the function that is running, if it has not written."""
    if session.core.scripts is None:
        raise RedisError(NOT_BUSY)
    session.core.scripts.kill(function=True)
    return OK
