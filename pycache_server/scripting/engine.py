"""The Lua state of a server: how it is made, what it is given of Python, and how it runs a chunk.

It is made when the first script comes, by the files in ``lua/``: sandbox.lua has the theory of what scripts see,
api.lua that of their run. All that Lua is given of Python are the functions in ``host``. They never raise (an exception
would be an object of Python's in the hands of a script), and no script can reach one: scripts see functions of Lua that
call them.

Memory. Lua's is limited (lua-max-memory), and an allocation that fails within Lua is an error of the script. One that
fails while Python gives Lua a value would end the process; so MARGIN is never given to scripts (sandbox.lua looks
before it calls Python), and what may be larger is measured first.

Time. Every 100,000 instructions a hook of Lua's calls ``tick``: see running.py.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pycache_server import REDIS_VERSION
from pycache_server.errors import RedisError
from pycache_server.resp.encode import encode2, encode3
from pycache_server.scripting.bytecode import keep_frames
from pycache_server.scripting.leaves import LEAVES

if TYPE_CHECKING:
    from pycache_server.scripting.running import Scripts

MARGIN = 4 << 20
"""Bytes of Lua's memory that are kept for values which Python gives."""
LEAST = 4 * MARGIN
"""The least that Lua's memory may be limited to."""
_FILES = ("sandbox.lua", "patterns.lua", "cjson.lua", "cmsgpack.lua", "libraries.lua", "api.lua")
_NO_LIMIT = 1 << 62
_NO_LUPA = (
    b"ERR scripts need the Python package lupa, which the server does not have; "
    b"pip install 'pycache-server[lua]' adds it"
)


class NoLua(RedisError):
    """There is no Lua on this server."""

    text = _NO_LUPA


class LuaFailure(Exception):
    """Lua itself has failed, outside of a script's reach: for want of memory, mostly. The text says how."""


def load_lupa() -> Any:
    """The package that brings Lua 5.1.

    Raises NoLua.
    """
    try:
        import lupa.lua51
    except ImportError:
        raise NoLua from None
    return lupa.lua51


class Engine:
    """Lua, as scripts of one server run in it."""

    def __init__(self, limit: int) -> None:
        lupa = load_lupa()
        self._failures = (lupa.LuaError, MemoryError)
        self._runtime = lupa.LuaRuntime(
            encoding=None,
            register_eval=False,
            register_builtins=False,
            unpack_returned_tuples=True,
            attribute_filter=_no_attribute,
            max_memory=limit or _NO_LIMIT,
        )
        self.used: Callable[[], int] = self._runtime.get_memory_used
        """How many bytes Lua holds."""
        self.make_table: Callable[..., Any] = self._runtime.table_from
        self._hard = limit or _NO_LIMIT
        self.roomy = self._hard - MARGIN // 2
        """Up to so many bytes, with what is to come, Lua has room."""
        self._host: Any = None

    def open(self, scripts: Scripts) -> None:
        """Load what scripts see, and connect it with the server."""
        host = self._host = self.make_table(
            {
                b"invoke": scripts.calls.invoke,
                b"invoke_many": scripts.calls.invoke_many,
                b"acl_check_cmd": scripts.calls.may_call,
                b"setresp": scripts.calls.speak,
                b"set_repl": scripts.set_repl,
                b"log": scripts.log,
                b"register": scripts.register,
                b"tick": scripts.tick,
                b"versions": scripts.versions,
                b"encode_double": _encode_double,
                b"keep_frames": keep_frames,
                b"version": REDIS_VERSION.encode(),
                b"version_number": _version_number(REDIS_VERSION),
                b"soft": self._soft() // 1024,
                **LEAVES,
            }
        )
        load = self._runtime.execute(b"return loadstring")
        for code in _own_code():
            load(code, b"=redis")(host)
        self.runners = (
            (host[b"run0"], host[b"run1"], host[b"run"]),
            (host[b"run_function0"], host[b"run_function1"], host[b"run_function"]),
        )
        """What runs a script, and what a function: without keys, with one, with any number."""
        self._load_library = host[b"load_library"]
        self._compile_script, self._compile_library = host[b"compile_script"], host[b"compile_library"]

    # Memory

    def _soft(self) -> int:
        return self._hard - MARGIN

    def limit(self, size: int) -> None:
        """Set lua-max-memory; 0 for none."""
        self._hard = size or _NO_LIMIT
        self.roomy = self._hard - MARGIN // 2
        self._runtime.set_max_memory(self._hard)
        self._host[b"set_soft"](self._soft() // 1024)

    def has_room(self, size: int) -> bool:
        """Whether Lua can be given ``size`` bytes; it throws away what it need not keep where that helps."""
        used = self.used
        if used() + size < self.roomy:
            return True
        self._runtime.gccollect()
        return used() + size < self.roomy

    # Code

    def compile_script(self, code: bytes) -> Any:
        """A script as a function.

        Raises LuaFailure with what the compiler says.
        """
        return self._compile(self._compile_script, code, b"@user_script")

    def compile_library(self, code: bytes) -> Any:
        """The code of a library as a function.

        Raises LuaFailure with what the compiler says.
        """
        return self._compile(self._compile_library, code, b"@user_function")

    def _compile(self, compiler: Any, code: bytes, name: bytes) -> Any:
        if not self.has_room(len(code)):
            raise LuaFailure("not enough memory")
        found = self.call(compiler, code, name)
        if type(found) is tuple:
            raise LuaFailure(found[1].decode("utf-8", "surrogateescape"))
        return found

    def load_library(self, chunk: Any) -> bytes | None:
        """Let a library register its functions; what is wrong with it."""
        found: bytes | None = self.call(self._load_library, chunk)
        return found

    def call(self, function: Any, *arguments: Any) -> Any:
        """Call a function of Lua's.

        Raises LuaFailure.
        """
        try:
            return function(*arguments)
        except self._failures as error:
            raise LuaFailure(str(error)) from None


@cache
def _own_code() -> list[bytes]:
    """The files in ``lua/`` as bytecode: to compile them takes 7 ms of a state's making, and is done once in a process,
    whatever number of servers it has."""
    load, dump = load_lupa().LuaRuntime(encoding=None).execute(b"return loadstring, string.dump")
    found = []
    for name in _FILES:
        chunk = load(files(__package__).joinpath("lua", name).read_bytes(), b"=redis")
        if type(chunk) is tuple:
            raise LuaFailure(chunk[1].decode("utf-8", "replace"))
        found.append(keep_frames(dump(chunk), everywhere=True))
    return found


def _no_attribute(thing: Any, name: Any, is_setting: bool) -> Any:
    """No attribute of any object of Python's can be looked at from Lua."""
    raise AttributeError("access denied")


def _encode_double(value: float, resp: int) -> bytes:
    return (encode3 if resp == 3 else encode2)(float(value))


def _version_number(version: str) -> int:
    major, minor, patch = map(int, version.split("."))
    return major << 16 | minor << 8 | patch
