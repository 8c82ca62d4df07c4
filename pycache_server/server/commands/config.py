"""CONFIG: GET, SET, RESETSTAT, REWRITE."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pycache_server.commands.registry import ADMIN, LOADING, NOSCRIPT, STALE, Family
from pycache_server.errors import BadSyntax, RedisError
from pycache_server.resp.encode import HALT, OK
from pycache_server.server import apply
from pycache_server.server.apply import CannotListen
from pycache_server.server.files import replace_file
from pycache_server.settings.config import SetError
from pycache_server.settings.table import DIRECTIVES
from pycache_server.store.glob import compile_glob

if TYPE_CHECKING:
    from pycache_server.server.app import App
    from pycache_server.session.session import Session

family = Family("server")
command = family.command
family.container("CONFIG", since="2.0.0", summary="Commands for the server's configuration.")


@command(
    "CONFIG GET parameter [parameter ...]",
    ADMIN,
    NOSCRIPT,
    LOADING,
    STALE,
    since="2.0.0",
    complexity="O(N), N = directives",
)
def config_get(session: Session, argv: list[bytes]) -> dict[bytes, bytes]:
    """Return the values of directives; patterns are welcome."""
    settings = session.core.owner.settings
    patterns = [compile_glob(word, ignore_case=True) for word in argv[2:]]
    everything = b"*" in argv[2:]
    found: dict[bytes, bytes] = {}
    for row in DIRECTIVES.values():
        for name in (row.name, row.alias):
            encoded = name.encode()
            if row.hidden and encoded not in argv:
                continue
            if name and (everything or any(matches(encoded) for matches in patterns)):
                found[encoded] = settings.get(row.name).encode("utf-8", "surrogateescape")
    return found


@command(
    "CONFIG SET parameter value [parameter value ...]",
    ADMIN,
    NOSCRIPT,
    LOADING,
    STALE,
    since="2.0.0",
    complexity="O(N), N = directives given",
    tips=("request_policy:all_nodes", "response_policy:all_succeeded"),
)
def config_set(session: Session, argv: list[bytes]) -> Any:
    """Change directives, all or none."""
    if len(argv) % 2:
        raise BadSyntax
    app: App = session.core.owner
    words = [word.decode("utf-8", "surrogateescape") for word in argv[2:]]
    pairs = list(zip(words[::2], words[1::2], strict=True))
    try:
        wanted = app.settings.checked(pairs, allow_protected=is_allowed(session, "enable-protected-configs"))
        before = _change(app, wanted)
    except SetError as error:
        raise _set_error(error) from None
    apply.tell_idle(app, [name for name in wanted if wanted[name] != before[name]])
    if any(wanted[name] != before[name] for name in apply.RELISTEN & wanted.keys()):
        return _relisten(session, app, before)
    return OK


def _set_error(error: SetError) -> RedisError:
    text = f"ERR {error.problem}"
    if error.name:
        text = f"ERR CONFIG SET failed (possibly related to argument '{error.name}') - {error.problem}"
    return RedisError(text.encode("utf-8", "surrogateescape"))


def is_allowed(session: Session, directive: str) -> bool:
    """Whether something protected may be done: by anybody, by local clients, by nobody."""
    mode = session.core.owner.settings[directive]
    return mode == "yes" or (mode == "local" and (session.unix or session.address.startswith(("127.", "[::1]"))))


def _change(app: App, wanted: dict[str, Any]) -> dict[str, Any]:
    """Set values and apply them; put everything back where one cannot be had. Returns what they were before.

    Raises SetError.
    """
    before = {name: app.settings.values[name] for name in wanted}
    app.settings.values.update(wanted)
    functions = dict.fromkeys(apply.APPLY[name] for name in wanted if name in apply.APPLY)
    for function in functions:
        try:
            function(app)
        except apply.CannotApply as error:
            _put_back(app, before)
            name = next(name for name in wanted if apply.APPLY.get(name) is function)
            raise SetError(str(error), name) from None
    return before


def _put_back(app: App, before: dict[str, Any]) -> None:
    """Set values to what they were, and apply them."""
    app.settings.values.update(before)
    for function in dict.fromkeys(apply.APPLY[name] for name in before if name in apply.APPLY):
        function(app)


def _relisten(session: Session, app: App, before: dict[str, Any]) -> Any:
    """Open the listeners anew; the client waits for the outcome. Where they cannot be had, all that was changed with
    them becomes what it was ``before``."""
    loop = asyncio.get_running_loop()

    async def listen() -> None:
        try:
            await app.listen()
        except CannotListen as error:
            _put_back(app, before)
            name = next(name for name in before if name in apply.RELISTEN)
            problem = "Unable to listen on this port. Check server logs."
            app.log.write("warning", str(error))
            session.reply(
                _set_error(SetError(problem if name == "port" else "Failed to bind to specified addresses.", name))
            )
        else:
            app.relisten_values = {name: app.settings.values[name] for name in apply.RELISTEN}
            session.reply(OK)

    task = loop.create_task(listen())
    app.tasks.add(task)
    task.add_done_callback(app.tasks.discard)
    return HALT


@command(
    "CONFIG RESETSTAT",
    ADMIN,
    NOSCRIPT,
    LOADING,
    STALE,
    since="2.0.0",
)
def config_resetstat(session: Session, argv: list[bytes]) -> Any:
    """Set the counters of INFO back to zero."""
    core = session.core
    app: App = core.owner
    core.stats.reset()
    for rate in core.rates.values():
        rate.reset()
    core.tables.reset("config|resetstat")
    for database in core.keyspace.databases:
        database.hits = database.misses = database.expired = database.expired_fields = 0
    core.keyspace.evicted = core.keyspace.freed = 0
    core.keyspace.evicted_by.clear()
    core.room.reset()
    leader = core.replication.leading.leader
    leader.full = leader.partial = leader.refused = 0
    if core.scripts is not None:
        core.scripts.evicted = 0
    app.upkeep.expire_seconds = app.snapshots.fork_seconds = 0.0
    app.follow.errors = app.snapshots.forks = app.saves.count = app.aof.rewrites.count = app.aof.appending.delayed = 0
    return OK


@command(
    "CONFIG REWRITE",
    ADMIN,
    NOSCRIPT,
    LOADING,
    STALE,
    since="2.8.0",
    complexity="O(N), N = directives",
)
def config_rewrite(session: Session, argv: list[bytes]) -> Any:
    """Write the present values into the configuration file, which keeps its comments."""
    return rewrite(session.core.owner)


def rewrite(app: App, everything: bool = False) -> Any:
    """CONFIG REWRITE; ``everything`` writes what has its default value, too.

    Raises RedisError.
    """
    if not app.config_file:
        raise RedisError(b"ERR The server is running without a config file")
    try:
        rewrite_file(Path(app.config_file), app, everything)
    except OSError as error:
        app.log.write("warning", f"CONFIG REWRITE failed: {error.strerror or error}")
        raise RedisError(f"ERR Rewriting config file: {error.strerror or error}".encode()) from None
    app.log.write("notice", "CONFIG REWRITE executed with success.")
    return OK


def rewrite_file(path: Path, app: App, everything: bool = False) -> None:
    """Write the present settings into a file.

    Raises OSError.
    """
    text = path.read_text(encoding="utf-8", errors="surrogateescape") if path.exists() else ""
    replace_file(path, rewritten(app, text, everything).encode("utf-8", "surrogateescape"))


def rewritten(app: App, text: str, everything: bool = False) -> str:
    """A configuration text with the present settings, and the users unless they have a file of their own."""
    users = [] if app.settings["aclfile"] else app.core.access.users.describe()
    return app.settings.rewrite(text, [line.decode("utf-8", "surrogateescape") for line in users], everything)
