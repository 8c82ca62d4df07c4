"""FUNCTION DUMP and FUNCTION RESTORE: all libraries as bytes in Redis's format, each behind a byte that says so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from pycache_server.commands.args import option_of
from pycache_server.commands.registry import DENYOOM, NOSCRIPT, WRITE, Family
from pycache_server.errors import RedisError, bad_subcommand
from pycache_server.rdb.crc64 import crc64
from pycache_server.rdb.kinds import NEWEST_VERSION, VERSION
from pycache_server.rdb.reader import BadData, Reader
from pycache_server.rdb.writer import Writer
from pycache_server.resp.encode import OK
from pycache_server.scripting.functions import link, make_library
from pycache_server.scripting.library import Library
from pycache_server.scripting.running import Scripts, scripts_of

if TYPE_CHECKING:
    from pycache_server.session.session import Session

family = Family("scripting")
command = family.command

_LIBRARY, _LIBRARY_PRE_GA = 245, 246
_FOOTER = 10


@command("FUNCTION DUMP", NOSCRIPT, since="7.0.0", complexity="O(N), N = functions")
def function_dump(session: Session, argv: list[bytes]) -> bytes:
    """Return all libraries as bytes that FUNCTION RESTORE takes."""
    writer = Writer(session.keyspace.compress)
    scripts = session.core.scripts
    for library in scripts.libraries.values() if scripts is not None else ():
        writer.raw(bytes((_LIBRARY,)))
        writer.string(library.code)
    data = writer.data() + VERSION.to_bytes(2, "little")
    return data + crc64(data).to_bytes(8, "little")


@command(
    "FUNCTION RESTORE serialized-value [FLUSH | APPEND | REPLACE]",
    NOSCRIPT,
    WRITE,
    DENYOOM,
    since="7.0.0",
    complexity="O(N), N = functions",
    tips=("request_policy:all_shards", "response_policy:all_succeeded"),
)
def function_restore(session: Session, argv: list[bytes]) -> Any:
    """Make the libraries that FUNCTION DUMP has returned."""
    if len(argv) > 4:
        raise bad_subcommand(argv)
    policy = option_of(argv[3]) if len(argv) == 4 else b"APPEND"
    if policy not in (b"APPEND", b"REPLACE", b"FLUSH"):
        raise RedisError(b"ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.")
    payload = argv[2]
    check_payload(payload)
    scripts = scripts_of(session.core)
    libraries = _read(scripts, payload[:-_FOOTER])
    if policy == b"FLUSH":
        scripts.forget_libraries()
    link(scripts, libraries, policy == b"REPLACE")
    session.db.dirty += 1
    return OK


def check_payload(payload: bytes) -> None:
    """See to it that a payload has a version that can be read, and the right checksum.

    Raises RedisError.
    """
    checksum = int.from_bytes(payload[-8:], "little")
    known = len(payload) >= _FOOTER and int.from_bytes(payload[-_FOOTER:-8], "little") <= NEWEST_VERSION
    if not known or crc64(payload[:-8]) != checksum:
        raise RedisError(b"ERR DUMP payload version or checksum are wrong")


def _read(scripts: Scripts, data: bytes) -> dict[bytes, Library]:
    """The libraries of a payload, which are not known to anybody yet.

    Raises RedisError.
    """
    return make_libraries(scripts, _codes(Reader(data)))


def _codes(reader: Reader) -> Iterator[bytes]:
    """The code of each library of a payload.

    Raises RedisError.
    """
    while reader.left():
        kind = reader.byte()
        if kind == _LIBRARY_PRE_GA:
            raise RedisError(b"ERR Pre-GA function format not supported")
        if kind != _LIBRARY:
            raise RedisError(b"ERR given type is not a function")
        try:
            yield reader.string()
        except BadData:
            raise RedisError(b"ERR Failed loading library payload") from None


def make_libraries(scripts: Scripts, codes: Iterable[bytes]) -> dict[bytes, Library]:
    """Libraries of their code, which are not known to anybody yet.

    Raises RedisError.
    """
    libraries: dict[bytes, Library] = {}
    functions: set[bytes] = set()
    for code in codes:
        library = make_library(scripts, code, libraries)
        for name in library.functions:
            if name in functions:
                raise RedisError(b"ERR Function " + name + b" already exists")
        functions.update(library.functions)
        libraries[library.name] = library
    return libraries
