"""Scripts: EVAL, EVALSHA, EVAL_RO, EVALSHA_RO, and SCRIPT with its subcommands."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pycache_server.commands.args import frequent_integer, integer, option_of
from pycache_server.commands.registry import (
    ALLOW_BUSY,
    MAY_REPLICATE,
    NO_MANDATORY_KEYS,
    NOSCRIPT,
    READONLY,
    SKIP_MONITOR,
    STALE,
    Family,
)
from pycache_server.errors import NoScript, RedisError
from pycache_server.resp.encode import OK
from pycache_server.scripting.code import Script
from pycache_server.scripting.running import NOT_BUSY, Scripts, scripts_of
from pycache_server.scripting.shebang import script_flags

if TYPE_CHECKING:
    from pycache_server.session.session import Session

family = Family("scripting")
command = family.command

TOO_MANY_KEYS = b"ERR Number of keys can't be greater than number of args"
NEGATIVE_KEYS = b"ERR Number of keys can't be negative"
_SHA_LENGTH = 40
_COMPLEXITY = "Depends on the script that is executed."


def key_count(argv: list[bytes]) -> int:
    """The number of keys that is the third word of a command.

    Raises RedisError.
    """
    count = integer(argv[2])
    if count > len(argv) - 3:
        raise RedisError(TOO_MANY_KEYS)
    if count < 0:
        raise RedisError(NEGATIVE_KEYS)
    return count


def _script_promises(scripts: Scripts | None, argv: list[bytes]) -> bool:
    """Whether a call of a script says that it writes nothing. One without a first line of its own says nothing."""
    flags: frozenset[str] | None = None
    if option_of(argv[0]) == b"EVAL":
        with suppress(RedisError):
            flags = script_flags(argv[1])[0]
    elif scripts is not None and (script := scripts.names.get(argv[1].lower())) is not None:
        flags = script.flags
    return flags is not None and "no-writes" in flags


@command(
    "EVAL script numkeys [key ...] [arg ...]",
    NOSCRIPT,
    STALE,
    SKIP_MONITOR,
    MAY_REPLICATE,
    NO_MANDATORY_KEYS,
    since="2.6.0",
    complexity=_COMPLEXITY,
    keys="RW ACCESS UPDATE",
    promises=_script_promises,
)
def eval_(session: Session, argv: list[bytes]) -> Any:
    """Run a script in Lua."""
    keys = frequent_integer(argv[2])
    if keys is None or not 0 <= keys <= len(argv) - 3:
        keys = key_count(argv)
    scripts = session.core.scripts or scripts_of(session.core)
    script = scripts.bodies.get(argv[1]) or scripts.add(argv[1])
    return scripts.run(session, script, argv, keys, False)


@command(
    "EVALSHA sha1 numkeys [key ...] [arg ...]",
    NOSCRIPT,
    STALE,
    SKIP_MONITOR,
    MAY_REPLICATE,
    NO_MANDATORY_KEYS,
    since="2.6.0",
    complexity=_COMPLEXITY,
    keys="RW ACCESS UPDATE",
    promises=_script_promises,
)
def evalsha(session: Session, argv: list[bytes]) -> Any:
    """Run a script of the cache, by its SHA-1."""
    scripts = session.core.scripts
    script = scripts.names.get(argv[1]) if scripts is not None else None
    if script is None:
        script = _script_of(session, argv[1])
        scripts = session.core.scripts
    keys = frequent_integer(argv[2])
    if keys is None or not 0 <= keys <= len(argv) - 3:
        keys = key_count(argv)
    return scripts.run(session, script, argv, keys, False)


@command(
    "EVAL_RO script numkeys [key ...] [arg ...]",
    NOSCRIPT,
    STALE,
    SKIP_MONITOR,
    NO_MANDATORY_KEYS,
    READONLY,
    since="7.0.0",
    complexity=_COMPLEXITY,
    keys="RO ACCESS",
)
def eval_ro(session: Session, argv: list[bytes]) -> Any:
    """Run a script that may not write."""
    keys = key_count(argv)
    scripts = scripts_of(session.core)
    return scripts.run(session, scripts.add(argv[1]), argv, keys, True)


@command(
    "EVALSHA_RO sha1 numkeys [key ...] [arg ...]",
    NOSCRIPT,
    STALE,
    SKIP_MONITOR,
    NO_MANDATORY_KEYS,
    READONLY,
    since="7.0.0",
    complexity=_COMPLEXITY,
    keys="RO ACCESS",
)
def evalsha_ro(session: Session, argv: list[bytes]) -> Any:
    """Run a script of the cache that may not write, by its SHA-1."""
    script = _script_of(session, argv[1])
    return session.core.scripts.run(session, script, argv, key_count(argv), True)


def _script_of(session: Session, name: bytes) -> Script:
    """The script of a SHA-1.

    Raises NoScript.
    """
    scripts = session.core.scripts or scripts_of(session.core)
    script: Script | None = scripts.names.get(name) or scripts.names.get(name.lower())
    if script is None:
        raise NoScript
    return script


family.container("SCRIPT", since="2.6.0", summary="Commands for the cache of scripts.")


@command(
    "SCRIPT LOAD script",
    NOSCRIPT,
    STALE,
    since="2.6.0",
    complexity="O(N), N = bytes of the script",
    tips=("request_policy:all_nodes", "response_policy:all_succeeded"),
)
def script_load(session: Session, argv: list[bytes]) -> bytes:
    """Put a script into the cache."""
    return scripts_of(session.core).add(argv[2], loaded=True).name


@command(
    "SCRIPT EXISTS sha1 [sha1 ...]",
    NOSCRIPT,
    since="2.6.0",
    complexity="O(N), N = names",
    tips=("request_policy:all_shards", "response_policy:agg_logical_and"),
)
def script_exists(session: Session, argv: list[bytes]) -> list[int]:
    """Tell which scripts are in the cache."""
    names = session.core.scripts.names if session.core.scripts is not None else {}
    return [int(name.lower() in names) for name in argv[2:]]


@command(
    "SCRIPT FLUSH [ASYNC | SYNC]",
    NOSCRIPT,
    since="2.6.0",
    complexity="O(N), N = scripts",
    tips=("request_policy:all_nodes", "response_policy:all_succeeded"),
)
def script_flush(session: Session, argv: list[bytes]) -> Any:
    """Empty the cache."""
    if len(argv) > 3 or (len(argv) == 3 and option_of(argv[2]) not in (b"ASYNC", b"SYNC")):
        raise RedisError(b"ERR SCRIPT FLUSH only support SYNC|ASYNC option")
    if session.core.scripts is not None:
        session.core.scripts.flush()
    return OK


@command(
    "SCRIPT KILL",
    NOSCRIPT,
    ALLOW_BUSY,
    since="2.6.0",
    tips=("request_policy:all_shards", "response_policy:one_succeeded"),
)
def script_kill(session: Session, argv: list[bytes]) -> Any:
    """End the script that is running, if it has not written."""
    if session.core.scripts is None:
        raise RedisError(NOT_BUSY)
    session.core.scripts.kill(function=False)
    return OK


@command("SCRIPT DEBUG <YES | SYNC | NO>", NOSCRIPT, since="3.2.0")
def script_debug(session: Session, argv: list[bytes]) -> Any:
    """Choose whether scripts are debugged: there is no debugger, so only NO can be had."""
    option = option_of(argv[2])
    if option == b"NO":
        return OK
    if option in (b"YES", b"SYNC"):
        raise RedisError(b"ERR there is no debugger of scripts here")
    raise RedisError(b"ERR Use SCRIPT DEBUG YES/SYNC/NO")
