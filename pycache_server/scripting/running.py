"""Scripts and functions of one server: what is known of them, and what runs.

A script that runs holds the server: no other command begins before it ends. When it has run for busy-reply-threshold,
the others are answered nevertheless, with -BUSY: the hook of Lua's (``tick``) binds the commands anew, so that all
refuse but those that may kill it (``Core.busy``), and lets the host serve what clients have sent meanwhile
(``Host.attend``). The script goes on between two calls of ``tick``; a kill is an error that the hook raises.

A script that has written cannot be killed: half of what it does would be done.
"""

from __future__ import annotations

from hashlib import sha1
from typing import TYPE_CHECKING, Any

from pycache_server.errors import MasterDown, NoReplicas, RedisError, Rejection, c_string
from pycache_server.resp.encode import Wire
from pycache_server.scripting.calls import Calls
from pycache_server.scripting.code import Code, Script
from pycache_server.scripting.engine import Engine, LuaFailure
from pycache_server.scripting.library import Function, Library, Registration
from pycache_server.scripting.shebang import script_flags

if TYPE_CHECKING:
    from pycache_server.session.core import Core
    from pycache_server.session.session import Session

MOST_EVALUATED = 500
"""So many scripts that came by EVAL are kept; those of SCRIPT LOAD are kept until SCRIPT FLUSH."""
LOAD_SECONDS = 0.5
"""How long the code of a library may run while it is loaded."""
FEW = 100
"""Up to so many arguments are given to Lua one by one, which is faster than a table made by Python."""
LEVELS = ("debug", "verbose", "notice", "warning")
_ENCODED, _ERROR = 1, 2
_GO_ON, _KILLED, _TOO_LONG = 0, 1, 2
"""What ``tick`` answers Lua."""

BUSY_SCRIPT = b"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
BUSY_FUNCTION = b"BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
NOT_BUSY = b"NOTBUSY No scripts in execution right now."
UNKILLABLE = (
    b"UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script "
    b"termination or kill the server in a hard way using the SHUTDOWN NOSAVE command."
)
CANNOT_WRITE = b"ERR Can not execute a script with write flag using *_ro command."
NOT_ON_REPLICAS = b"READONLY Can not run script with write flag on readonly replica"
NO_ROOM = b"OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'"
TOO_LARGE = b"ERR the arguments of the script do not fit into Lua's memory (lua-max-memory)"


class Scripts:
    """The scripting of a server."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._ticks = core.host.ticks
        self.engine = Engine(core.lua_memory)
        self.calls = Calls(core, self.engine.make_table, self.engine.has_room)
        self.engine.open(self)
        self.bodies: dict[bytes, Script] = {}
        """The scripts by their text."""
        self.names: dict[bytes, Script] = {}
        """The scripts by their SHA-1."""
        self.evicted = 0
        self._evaluated = 0  # how many of them SCRIPT LOAD has not brought
        self._runs = 0
        self.libraries: dict[bytes, Library] = {}
        self.functions: dict[bytes, Function] = {}
        """By name in lower case: it may be called in any."""
        self._registration: Registration | None = None
        # of what runs now
        self.session: Session | None = None
        """The client whose script runs; None where none does."""
        self.argv: list[bytes] = []
        self.running = Code(b"", None, None)
        """The script or function of that client, or that ran last."""
        self._begin = 0.0
        self._kill = _GO_ON
        self._resp = 2

    # The cache

    def add(self, body: bytes, loaded: bool = False) -> Script:
        """Compile a script and keep it.

        Raises RedisError.
        """
        script = self.bodies.get(body)
        if script is None:
            flags, code = script_flags(body)
            try:
                chunk = self.engine.compile_script(code)
            except LuaFailure as failure:
                text = str(failure).encode("utf-8", "surrogateescape")
                raise RedisError(b"ERR Error compiling script (new function): " + text) from None
            if not loaded and self._evaluated >= MOST_EVALUATED:
                self._forget_oldest()
            name = sha1(body, usedforsecurity=False).hexdigest().encode()
            script = self.bodies[body] = self.names[name] = Script(name, body, flags, chunk)
            script.used = self._runs
            self._evaluated += 1
        if loaded and not script.loaded:
            script.loaded = True
            self._evaluated -= 1
        return script

    def _forget_oldest(self) -> None:
        oldest = min((script for script in self.bodies.values() if not script.loaded), key=_last_use)
        del self.bodies[oldest.body], self.names[oldest.name]
        self._evaluated -= 1
        self.evicted += 1

    def declared(self, command: str, argv: list[bytes]) -> frozenset[str] | None:
        """The flags of what one of the commands that run scripts is going to run; None where it has none, or is not
        there."""
        word = argv[1]
        if command.startswith("fcall"):
            function = self.functions.get(word.lower())
            return None if function is None else function.flags
        script = self.names.get(word.lower()) if command.startswith("evalsha") else self.bodies.get(word)
        if script is not None:
            return script.flags
        if command.startswith("evalsha") or not word.startswith(b"#!"):
            return None
        try:
            return script_flags(word)[0]
        except RedisError:  # which who runs it will hear of
            return None

    def flush(self) -> None:
        """Forget all scripts."""
        self.bodies.clear()
        self.names.clear()
        self._evaluated = 0

    # Runs

    def run(self, session: Session, code: Code, argv: list[bytes], keys: int, read_only: bool) -> Any:
        """Run a script or a function: its reply. ``argv`` is what the client has sent, with so many ``keys`` in it.

        Raises RedisError.
        """
        # hot: EVALSHA of a script that gets and sets costs about 5 us here and in Lua
        core, engine, replication = self._core, self.engine, self._core.replication
        self._runs = code.used = self._runs + 1
        flags = code.flags
        full = False
        limited = core.keyspace.maxmemory or core.disk_error is not None
        bound = replication.refuses_writes or replication.wants_replicas or replication.is_stale
        if flags or read_only or limited or bound:
            read_only, full = self._demand(session, flags, read_only)
        used, size = engine.used, sum(map(len, argv))
        if used() + size >= engine.roomy and not engine.has_room(size):
            raise RedisError(TOO_LARGE)
        self.calls.begin(session, read_only, full)
        self.running = code
        self.argv = argv
        self._kill = _GO_ON
        self._resp = session.resp
        if core.monitors:
            core.feed_monitors(session, argv)
        ticks = self._ticks
        self._begin = ticks()
        self.session = session
        try:
            if keys > 1 or len(argv) > FEW:
                make = engine.make_table
                run = engine.runners[code.is_function][2]
                value = run(code.chunk, make(argv[3 : 3 + keys]), make(argv[3 + keys :]))
            else:
                run = engine.runners[code.is_function][keys]
                value = run(code.chunk, *argv[3:])
        except Exception as error:
            raise self._failed(error) from None
        finally:
            self.session = None
            if core.busy is not None:
                self._end_busy()
        return value if type(value) is bytes else self._reply(value)

    def _demand(self, session: Session, flags: frozenset[str] | None, read_only: bool) -> tuple[bool, bool]:
        """Whether what has these flags may only read, and whether it begins without memory.

        Raises RedisError where it may not run for a client now.
        """
        core = self._core
        full = core.room.exceeded and not core.room.make()
        if core.replication.is_stale and "allow-stale" not in (flags or ()) and session.kind() != "master":
            raise RedisError(MasterDown.text)
        if flags is None:
            return read_only, full
        if "no-writes" in flags:
            return True, False
        obeys = session.kind() == "master"
        if core.replication.refuses_writes and not obeys:
            raise RedisError(NOT_ON_REPLICAS)
        if core.disk_error is not None and not obeys:
            raise RedisError(core.disk_error[1])
        if read_only:
            raise RedisError(CANNOT_WRITE)
        if core.replication.lacks_replicas and not obeys:
            raise NoReplicas
        if full and "allow-oom" not in flags:
            raise RedisError(NO_ROOM)
        return False, False

    def _reply(self, value: Any) -> Any:
        """The reply for what Lua gives, where it is no string."""
        kind = type(value)
        if kind is int or value is None:
            return value
        if kind is float:
            return int(value) if -(2.0**63) <= value < 2.0**63 else -(1 << 63)
        if value[1] == _ENCODED:
            return Wire(value[0])
        raise self._error(*value)

    def _error(
        self,
        text: bytes,
        kind: int,
        counted: bool,
        raised: bool = False,
        source: bytes = b"",
        line: int = 0,
    ) -> RedisError:
        """The error that a script has returned, or that has ended it."""
        text = c_string(text)
        if raised:
            where = b", on %b:%d." % (source, line) if source else b"."
            text = b"%b script: %b%b" % (text, self.running.name, where)
        error = RedisError(text)
        if counted:  # when the command failed; the loop is going to count it again
            self._core.stats.uncount_error(error.code)
        return error

    def _failed(self, error: Exception) -> RedisError:
        """The error for a failure of Lua's that the script could not be told of."""
        text = str(error).encode("utf-8", "replace") or b"Lua has failed"
        return RedisError(b"ERR %b script: %b." % (text, self.running.name))

    # What Lua calls

    def tick(self) -> int:
        """Called by the hook of Lua's: whether the script must end, and why."""
        if self._registration is not None:
            return _TOO_LONG if self._ticks() - self._begin > LOAD_SECONDS else _GO_ON
        session = self.session
        if session is None:
            return _GO_ON
        core = self._core
        if self._ticks() - self._begin >= core.busy_threshold:
            if core.busy is None:
                self._become_busy()
            core.host.attend()
        return self._kill

    def versions(self) -> tuple[int, bool]:
        """Which version of the protocol the client speaks, and whether the script speaks RESP3."""
        return self._resp, self.calls.client.resp == 3

    def set_repl(self, flags: float) -> None:
        """redis.set_repl: what of the script's writes is told to replicas and the append-only file."""
        self._core.feed.audience = int(flags)

    def log(self, level: float, text: bytes) -> None:
        """redis.log."""
        self._core.host.log(LEVELS[int(level)], text.decode("utf-8", "replace"))

    def register(self, name: bytes, chunk: Any, description: Any, *flags: bytes) -> bytes | None:
        """redis.register_function; what is wrong with it."""
        if self._registration is None:
            return b"redis.register_function can only be called on FUNCTION LOAD command"
        return self._registration.add(name, chunk, description or None, flags)

    # Scripts that run for long

    def _become_busy(self) -> None:
        core = self._core
        milliseconds = int((self._ticks() - self._begin) * 1000)
        core.host.log(
            "warning",
            f"Slow script detected: still in execution after {milliseconds} milliseconds. You can try killing the "
            f"script using the {'FUNCTION' if self.running.is_function else 'SCRIPT'} KILL command. Script name is: "
            f"{self.running.name.decode('utf-8', 'replace')}.",
        )
        core.become_busy(Rejection(BUSY_FUNCTION if self.running.is_function else BUSY_SCRIPT))

    def _end_busy(self) -> None:
        core = self._core
        core.become_busy(None)
        core.host.attend_no_more()

    def kill(self, function: bool) -> None:
        """End the script that runs, for SCRIPT KILL or FUNCTION KILL.

        Raises RedisError.
        """
        if self.session is None:
            raise RedisError(NOT_BUSY)
        self.refuse_other_kind(function)
        if self.calls.wrote:
            raise RedisError(UNKILLABLE)
        self._core.host.log("notice", "Lua script killed by user with SCRIPT KILL.")
        self._kill = _KILLED

    def refuse_other_kind(self, function: bool) -> None:
        """See to it that what runs is a function, or a script.

        Raises RedisError.
        """
        if function is not self.running.is_function:
            raise RedisError(BUSY_FUNCTION if self.running.is_function else BUSY_SCRIPT)

    def abandon(self) -> None:
        """The server ends: so must a script, whatever it has done."""
        self._kill = _KILLED

    def milliseconds(self) -> int:
        """How long the script has been running."""
        return int((self._ticks() - self._begin) * 1000)

    # Libraries

    def load(self, library: Library, code: bytes) -> None:
        """Run the code of a library, so that it registers its functions.

        Raises RedisError.
        """
        try:
            chunk = self.engine.compile_library(code)
        except LuaFailure as failure:
            text = str(failure).encode("utf-8", "surrogateescape")
            raise RedisError(b"ERR Error compiling function: " + text) from None
        self._registration = Registration(library)
        self._begin = self._ticks()
        try:
            problem = self.engine.load_library(chunk)
        except LuaFailure as failure:
            problem = b"ERR " + str(failure).encode("utf-8", "replace")
        finally:
            self._registration = None
        if problem is not None:
            raise RedisError(b"ERR Error registering functions: " + problem.removeprefix(b"-"))
        if not library.functions:
            raise RedisError(b"ERR No functions registered")

    def forget_libraries(self) -> None:
        """Forget all libraries."""
        self.libraries = {}
        self.functions = {}

    # Memory, for INFO

    def script_bytes(self) -> int:
        """About what the cache of scripts holds outside of Lua."""
        return sum(_SCRIPT_BYTES + len(body) for body in self.bodies)

    def function_bytes(self) -> int:
        """About what the libraries hold outside of Lua."""
        return sum(library.size() for library in self.libraries.values())


_SCRIPT_BYTES = 300


def _last_use(script: Script) -> int:
    return script.used


def scripts_of(core: Core) -> Scripts:
    """The scripting of a server, made when it is used first.

    Raises NoLua where lupa is not installed.
    """
    found: Scripts | None = core.scripts
    if found is None:
        try:
            found = core.scripts = Scripts(core)
        except RedisError as error:
            core.host.log("warning", f"A script was called, but {error.text[4:].decode()}")
            raise
    return found
