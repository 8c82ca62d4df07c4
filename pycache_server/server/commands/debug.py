"""DEBUG, where enable-debug-command allows it: what tests of servers need.

Contents: CHANGE-REPL-ID CONFIG-REWRITE-FORCE-ALL DICT-RESIZING DIGEST DIGEST-VALUE ERROR HELP HTSTATS HTSTATS-KEY
LISTPACK LOADAOF LOG OBJECT PAUSE-CRON POPULATE PROTOCOL QUICKLIST QUICKLIST-PACKED-THRESHOLD RELOAD REPLICATE SDSLEN
SET-ACTIVE-EXPIRE SET-DISABLE-DENY-SCRIPTS SLEEP STRINGMATCH-LEN.
Everything else is an error. Those that look into Redis's own structures tell of what is here in their place.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pycache_server.commands.args import integer, option_of
from pycache_server.commands.registry import ADMIN, LOADING, NOSCRIPT, PROTECTED, STALE, Family
from pycache_server.commands.types import encoding_of
from pycache_server.errors import NoSuchKey, RedisError, bad_subcommand
from pycache_server.rdb.reader import BadData
from pycache_server.resp.encode import OK, Pairs, Push, SetReply, Verbatim, Wire, status
from pycache_server.scripting.running import scripts_of
from pycache_server.server.commands.config import is_allowed, rewrite
from pycache_server.server.digest import dataset_digest, key_digest
from pycache_server.server.loads import CannotLoad, read_file
from pycache_server.session.stream import encode_command
from pycache_server.settings.kinds import Invalid, parse_memory
from pycache_server.store.events import DEL
from pycache_server.store.glob import compile_glob
from pycache_server.store.memory import size_of_value
from pycache_server.store.numbers import parse_float
from pycache_server.store.strings import as_bytes
from pycache_server.store.value import bytes_of

if TYPE_CHECKING:
    from pycache_server.server.app import App
    from pycache_server.session.session import Session

family = Family("server")

_NOT_ALLOWED = (
    b'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a '
    b"local connection, otherwise you need to set this option in the configuration file, and then restart the server."
)


@family.command(
    "DEBUG subcommand [arg [arg ...]]",
    ADMIN,
    NOSCRIPT,
    LOADING,
    STALE,
    PROTECTED,
    since="1.0.0",
    complexity="Depends on subcommand.",
)
def debug(session: Session, argv: list[bytes]) -> Any:
    """Look inside the server, or put it into states that tests need."""
    if not is_allowed(session, "enable-debug-command"):
        raise RedisError(_NOT_ALLOWED)
    name = option_of(argv[1])
    least, most, function = _SUBCOMMANDS.get(name, (0, -1, _help))
    if not least <= len(argv) - 2 <= most:
        raise bad_subcommand(argv)
    return function(session, argv[2:])


def _sleep(session: Session, words: list[bytes]) -> Any:
    """SLEEP <seconds>: stop the whole server for so long."""
    time.sleep(max(0.0, parse_float(words[0]) or 0.0))
    session.core.clock.time = session.core.host.time()
    return OK


def _set_active_expire(session: Session, words: list[bytes]) -> Any:
    """SET-ACTIVE-EXPIRE <0|1>: whether keys are removed when they are due, or only when they are asked for."""
    session.core.keyspace.expires_actively = words[0] != b"0"
    session.core.keyspace.wake()
    return OK


def _set_disable_deny_scripts(session: Session, words: list[bytes]) -> Any:
    """SET-DISABLE-DENY-SCRIPTS <0|1>: whether scripts may call commands that are not for scripts."""
    scripts_of(session.core).calls.denies_nothing = words[0] != b"0"
    return OK


def _pause_cron(session: Session, words: list[bytes]) -> Any:
    """PAUSE-CRON <0|1>: whether periodic work stands still."""
    session.core.owner.cron.paused = words[0] != b"0"
    return OK


def _object(session: Session, words: list[bytes]) -> Any:
    """OBJECT <key>: how a value is kept."""
    entry = session.db.stored_entry(words[0])  # one that has expired is there until somebody reads it
    value = _value_of(session, words[0]) if entry is None else entry.value
    idle = session.db.engine_knows(words[0], lambda engine, entry: engine.idle_seconds(entry))
    encoding = encoding_of(value, session.keyspace.encodings).decode()
    text = (
        f"Value at:{id(value):#x} refcount:1 encoding:{encoding} serializedlength:{size_of_value(value)} "
        f"lru:0 lru_seconds_idle:{idle or 0}"
    )
    return status(text.encode() + (b" entry:yes" if entry is not None else b""))


def _listpack(session: Session, words: list[bytes]) -> Any:
    """LISTPACK <key>: write to the log what a value in a listpack holds."""
    return _log_value(session, words[0], ("listpack", "listpackex"), "listpack")


def _quicklist(session: Session, words: list[bytes]) -> Any:
    """QUICKLIST <key>: write to the log what a list in a quicklist holds."""
    return _log_value(session, words[0], ("quicklist",), "quicklist")


def _log_value(session: Session, key: bytes, encodings: tuple[str, ...], name: str) -> Any:
    value = _value_of(session, key)
    encoding = encoding_of(value, session.keyspace.encodings).decode()
    if encoding not in encodings:
        raise RedisError(f"ERR Not a {name} encoded object.".encode())
    session.core.host.log("debug", f"DEBUG {encoding} of {len(value)} elements, {value.memory()} bytes")
    return status(f"{name.capitalize()} structure printed on stdout".encode())


def _value_of(session: Session, key: bytes) -> Any:
    value = session.db.peek(key)
    if value is None:
        raise NoSuchKey
    return value


def _packed_threshold(session: Session, words: list[bytes]) -> Any:
    """QUICKLIST-PACKED-THRESHOLD <size>: checked, and without effect: the nodes of lists are no listpacks here."""
    try:
        size = parse_memory(words[0].decode("ascii", "replace"))
    except Invalid:
        size = -1
    if not 0 <= size < 1 << 32:
        raise RedisError(b"ERR argument must be a memory value bigger than 1 and smaller than 4gb")
    return OK


def _config_rewrite_force_all(session: Session, words: list[bytes]) -> Any:
    """CONFIG-REWRITE-FORCE-ALL: write all settings into the configuration file, those with their defaults, too."""
    return rewrite(session.core.owner, everything=True)


def _dict_resizing(session: Session, words: list[bytes]) -> Any:
    """DICT-RESIZING <0|1>: without effect: the tables of the keyspace have a fixed number of buckets."""
    return OK


def _htstats(session: Session, words: list[bytes]) -> Any:
    """HTSTATS <dbid> [full]: the tables of a database."""
    index = integer(words[0])
    databases = session.keyspace.databases
    if not 0 <= index < len(databases):
        raise RedisError(b"ERR Out of range database")
    database = databases[index]
    return Verbatim(
        b"[Dictionary HT]\n"
        + _table_stats(len(database.buckets), database.size)
        + b"[Expires HT]\n"
        + _table_stats(0, database.wheel.size)
    )


def _htstats_key(session: Session, words: list[bytes]) -> Any:
    """HTSTATS-KEY <key> [full]: the table of a value."""
    value = _value_of(session, words[0])
    if encoding_of(value, session.keyspace.encodings) not in (b"hashtable", b"skiplist"):
        raise RedisError(b"ERR The value stored at the specified key is not represented using an hash table")
    return Verbatim(_table_stats(len(value), len(value)))


def _table_stats(size: int, elements: int) -> bytes:
    """What there is to tell of a table: nothing where it is empty."""
    if not elements:
        return b""
    title = b"Hash table 0 stats (main hash table):\n"
    return title + b" table size: %d\n number of elements: %d\n" % (size, elements)


def _sdslen(session: Session, words: list[bytes]) -> Any:
    """SDSLEN <key>: how long a key and its string are, and what they take."""
    value = _value_of(session, words[0])
    if encoding_of(value, session.keyspace.encodings) not in (b"embstr", b"raw"):
        raise RedisError(b"ERR Not an sds encoded string.")
    key, text = words[0], as_bytes(value)
    return status(
        b"key_sds_len:%d, key_sds_avail:0, key_zmalloc: %d, " % (len(key), bytes_of(key))
        + b"val_sds_len:%d, val_sds_avail:0, val_zmalloc: %d" % (len(text), bytes_of(text))
    )


def _change_repl_id(session: Session, words: list[bytes]) -> Any:
    """CHANGE-REPL-ID: give the data set another id, as if it had got a history of its own."""
    core = session.core
    core.host.log("notice", "Changing replication IDs after receiving DEBUG change-repl-id")
    core.replication.history.renew(core.host.token(40))
    return OK


def _replicate(session: Session, words: list[bytes]) -> Any:
    """REPLICATE <word> [<word> ...]: send replicas a command that is not executed here."""
    replication = session.core.replication
    if replication.leads and replication.backlog is not None:
        replication.leading.append(encode_command(words))
    return OK


def _digest(session: Session, words: list[bytes]) -> Any:
    """DIGEST: a number that two servers share if they hold the same."""
    return status(dataset_digest(session.keyspace).hex().encode())


def _digest_value(session: Session, words: list[bytes]) -> Any:
    """DIGEST-VALUE <key> [<key> ...]: the same of single values."""
    return [status(key_digest(session.db, key).hex().encode()) for key in words]


def _stringmatch_len(session: Session, words: list[bytes]) -> Any:
    """STRINGMATCH-LEN <pattern> <string>: whether a glob pattern matches."""
    return int(bool(compile_glob(words[0])(words[1])))


def _populate(session: Session, words: list[bytes]) -> Any:
    """POPULATE <count> [<prefix>] [<size>]: make keys with strings."""
    count = integer(words[0])
    if count < 0:
        raise RedisError(b"ERR value is out of range, must be positive")
    prefix = words[1] if len(words) > 1 else b"key"
    size = integer(words[2]) if len(words) > 2 else 0
    for number in range(count):
        key, value = b"%b:%d" % (prefix, number), b"value:%d" % number
        if session.db.find(key) is None:
            value = (value[:size] + bytes(size - len(value[:size]))) if size > 0 else value
            session.db.put(key, value, DEL)
            if session.effects is not None:  # replicas need not allow DEBUG
                session.effects.append([b"SET", key, value])
    return OK


def _reload(session: Session, words: list[bytes]) -> Any:
    """RELOAD [NOSAVE] [NOFLUSH] [MERGE]: save the data set to its file, and load it again. NOSAVE loads the file that
    is there, NOFLUSH adds to what is there what the file has, MERGE lets keys of the file overwrite others."""
    options = set(map(option_of, words))
    if not options <= {b"NOSAVE", b"NOFLUSH", b"MERGE"}:
        raise RedisError(b"ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")
    app: App = session.core.owner
    if app.group is not None:
        raise RedisError(b"ERR The data set of a group's voter is not exchanged by hand")
    if b"NOSAVE" not in options and not app.saves.save():
        raise RedisError(b"ERR")
    app.snapshots.abort()
    try:
        data = read_file(app.saves.path)
        if data is None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        app.loads.load_now(data, merge=b"MERGE" in options if b"NOFLUSH" in options else None)
    except (BadData, OSError) as error:
        app.log.write("warning", f"DEBUG RELOAD: {error}")
        raise RedisError(b"ERR Error trying to load the RDB dump, check server logs.") from None
    app.saves.forget_changes()
    app.log.write("warning", "DB reloaded by DEBUG RELOAD")
    return OK


def _load_aof(session: Session, words: list[bytes]) -> Any:
    """LOADAOF: write what is to be appended, forget the data set, and load the append-only file."""
    app: App = session.core.owner
    try:
        app.aof.reload()
    except (CannotLoad, OSError) as error:
        app.log.write("warning", f"DEBUG LOADAOF: {error}")
        raise RedisError(b"ERR Error trying to load the AOF files, check server logs.") from None
    app.log.write("notice", "Append Only File loaded by DEBUG LOADAOF")
    return OK


_PROTOCOL: dict[bytes, Any] = {
    b"string": b"Hello World",
    b"integer": 12345,
    b"double": 3.141,
    b"null": None,
    b"array": [0, 1, 2],
    b"set": SetReply([0, 1, 2]),
    b"map": Pairs([(0, False), (1, True), (2, False)]),
    b"push": Push([b"server-cpu-usage", 42]),
    b"verbatim": Verbatim(b"This is a verbatim\nstring"),
    b"true": True,
    b"false": False,
}


def _protocol(session: Session, words: list[bytes]) -> Any:
    """PROTOCOL <type>: a reply of a type of the protocol."""
    kind = words[0].lower()
    if kind == b"bignum":
        number = b"1234567999999999999999999999999999999"
        return Wire(b"(" + number + b"\r\n") if session.resp == 3 else number
    if kind == b"attrib":
        value = session.encode(b"Some real reply following the attribute")
        attribute = b"|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n"
        return Wire(attribute + value if session.resp == 3 else value)
    if kind not in _PROTOCOL:
        raise RedisError(
            b"ERR Wrong protocol type name. Please use one of the following: "
            b"string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false"
        )
    return _PROTOCOL[kind]


def _error(session: Session, words: list[bytes]) -> Any:
    """ERROR <string>: an error reply with that text."""
    raise RedisError(words[0])


def _log(session: Session, words: list[bytes]) -> Any:
    """LOG <message>: write to the log."""
    session.core.host.log("warning", "DEBUG LOG: " + words[0].decode("utf-8", "replace"))
    return OK


def _help(session: Session, words: list[bytes]) -> Any:
    """HELP: this text."""
    lines = ["DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
    for _, _, function in _SUBCOMMANDS.values():
        usage, _, text = (function.__doc__ or "").partition(": ")
        lines += [usage, "    " + text[:1].upper() + text[1:]]
    return [status(line.encode()) for line in lines]


_SUBCOMMANDS: dict[bytes, tuple[int, int, Callable[[Session, list[bytes]], Any]]] = {
    b"CHANGE-REPL-ID": (0, 0, _change_repl_id),
    b"CONFIG-REWRITE-FORCE-ALL": (0, 0, _config_rewrite_force_all),
    b"REPLICATE": (1, 1 << 20, _replicate),
    b"DICT-RESIZING": (1, 1, _dict_resizing),
    b"DIGEST": (0, 0, _digest),
    b"DIGEST-VALUE": (0, 1 << 20, _digest_value),
    b"ERROR": (1, 1, _error),
    b"HTSTATS": (1, 2, _htstats),
    b"HTSTATS-KEY": (1, 2, _htstats_key),
    b"LISTPACK": (1, 1, _listpack),
    b"LOADAOF": (0, 0, _load_aof),
    b"LOG": (1, 1, _log),
    b"OBJECT": (1, 1, _object),
    b"PAUSE-CRON": (1, 1, _pause_cron),
    b"POPULATE": (1, 3, _populate),
    b"PROTOCOL": (1, 1, _protocol),
    b"QUICKLIST": (1, 1, _quicklist),
    b"QUICKLIST-PACKED-THRESHOLD": (1, 1, _packed_threshold),
    b"RELOAD": (0, 3, _reload),
    b"SDSLEN": (1, 1, _sdslen),
    b"SET-ACTIVE-EXPIRE": (1, 1, _set_active_expire),
    b"SET-DISABLE-DENY-SCRIPTS": (1, 1, _set_disable_deny_scripts),
    b"SLEEP": (1, 1, _sleep),
    b"STRINGMATCH-LEN": (2, 2, _stringmatch_len),
    b"HELP": (0, 0, _help),
}
