"""Every error text that a client can see, each of them once.

Three rules. A text is spelled exactly as Redis spells it, because clients match on it. An error is raised, never
returned: a ``try`` costs nothing while nothing is raised. The text is kept as bytes, since parts of it may be echoed
from input that is not valid in any encoding; CR and LF never get onto the wire from there.

The tree: RedisError is any error reply; ProtocolError also ends the connection; a Rejection refuses a command before
it has begun, which INFO counts apart.
"""

from __future__ import annotations

ECHO_LIMIT = 128
"""Longest piece of client input, in bytes, that an error text repeats."""

_LONGEST_CODE = 31  # with a space behind it


class RedisError(Exception):
    """An error reply. ``text`` is what follows the dash on the wire; its first word is the error code."""

    text: bytes = b"ERR"

    def __init__(self, text: bytes | None = None) -> None:
        super().__init__(text if text is not None else self.text)
        if text is not None:
            self.text = text

    @property
    def wire(self) -> bytes:
        """The reply in RESP, the same for both versions of the protocol."""
        text = self.text.rstrip(b"\r\n").replace(b"\r", b" ").replace(b"\n", b" ")
        return b"-" + text + b"\r\n"

    @property
    def code(self) -> str:
        """The first word of the text, by which INFO errorstats counts: ERR where that is longer than any of Redis's."""
        word, space, _ = self.text[:_LONGEST_CODE].partition(b" ")
        return word.decode("ascii", "replace") if space else "ERR"

    def __str__(self) -> str:
        return self.text.decode("utf-8", "replace")


class ProtocolError(RedisError):
    """Input that cannot be read as commands. The client gets the text, then the connection is closed."""

    text = b"ERR Protocol error"


class Rejection(RedisError):
    """A command is refused before it begins: it counts as rejected, not as called."""


class WrongType(RedisError):
    text = b"WRONGTYPE Operation against a key holding the wrong kind of value"


class NotAnInteger(RedisError):
    text = b"ERR value is not an integer or out of range"


class NotAFloat(RedisError):
    text = b"ERR value is not a valid float"


class BadSyntax(RedisError):
    text = b"ERR syntax error"


class IndexOutOfRange(RedisError):
    text = b"ERR index out of range"


class NoSuchKey(RedisError):
    text = b"ERR no such key"


class SameObject(RedisError):
    text = b"ERR source and destination objects are the same"


class NoAuth(Rejection):
    text = b"NOAUTH Authentication required."


class WrongPassword(RedisError):
    text = b"WRONGPASS invalid username-password pair or user is disabled."


class NoPermissionForKey(Rejection):
    text = b"NOPERM No permissions to access a key"


class NoPermissionForChannel(Rejection):
    text = b"NOPERM No permissions to access a channel"


class OutOfMemory(Rejection):
    text = b"OOM command not allowed when used memory > 'maxmemory'."


class NoReplicas(Rejection):
    text = b"NOREPLICAS Not enough good replicas to write."


class ReadOnlyReplica(Rejection):
    text = b"READONLY You can't write against a read only replica."


class MasterDown(Rejection):
    text = b"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."


class NoHistory(Rejection):
    text = b"NOHISTORY This server has started without data that its replicas still have, and serves nobody."


class Loading(Rejection):
    text = b"LOADING Redis is loading the dataset in memory"


class NoScript(RedisError):
    text = b"NOSCRIPT No matching script. Please use EVAL."


class ExecAborted(RedisError):
    text = b"EXECABORT Transaction discarded because of previous errors."


class BadTimeout(RedisError):
    text = b"ERR timeout is not a float or out of range"


class WouldOverflow(RedisError):
    text = b"ERR increment or decrement would overflow"


class StringTooLong(RedisError):
    text = b"ERR string exceeds maximum allowed size (proto-max-bulk-len)"


class BadDatabase(RedisError):
    text = b"ERR DB index is out of range"


class NotPositive(RedisError):
    text = b"ERR value is out of range, must be positive"


def c_string(data: bytes) -> bytes:
    """Client input as C sees it where it takes it for a string: it ends at a NUL."""
    return data.split(b"\0", 1)[0] if b"\0" in data else data


def echo(data: bytes) -> bytes:
    """Client input as some error texts repeat it: cut at ECHO_LIMIT bytes."""
    return c_string(data[:ECHO_LIMIT])


def no_permission(user: bytes, name: bytes) -> Rejection:
    """The error for a command that a user may not call; ``name`` is its full name in lower case."""
    return Rejection(b"NOPERM User " + user + b" has no permissions to run the '" + name + b"' command")


def wrong_arity(name: bytes) -> RedisError:
    """The arity error that a command raises itself; ``name`` is the full name in lower case, ``client|kill``."""
    return RedisError(b"ERR wrong number of arguments for '" + name + b"' command")


def arity_rejection(name: bytes) -> Rejection:
    """The arity error where the number of words contradicts the command's arity."""
    return Rejection(b"ERR wrong number of arguments for '" + name + b"' command")


def unknown_command(argv: list[bytes]) -> Rejection:
    """The error for a name that is in no table. As many arguments are repeated as fit into ECHO_LIMIT bytes."""
    arguments = b""
    for argument in argv[1:]:
        if len(arguments) >= ECHO_LIMIT:
            break
        arguments += b"'" + echo(argument[: ECHO_LIMIT - len(arguments)]) + b"' "
    return Rejection(b"ERR unknown command '" + echo(argv[0]) + b"', with args beginning with: " + arguments)


def unknown_subcommand(container: bytes, name: bytes) -> Rejection:
    """The error for ``CONTAINER name`` where the container has no such subcommand."""
    return Rejection(b"ERR unknown subcommand '" + echo(name) + b"'. Try " + container.upper() + b" HELP.")


def bad_subcommand(argv: list[bytes]) -> RedisError:
    """The error for words behind a subcommand that make no sense to it."""
    text = b"ERR unknown subcommand or wrong number of arguments for '" + echo(argv[1]) + b"'. Try "
    return RedisError(text + argv[0].upper() + b" HELP.")


def invalid_expire(name: bytes) -> RedisError:
    """The error for a time to live that is not positive or would overflow; ``name`` is in lower case."""
    return RedisError(b"ERR invalid expire time in '" + name + b"' command")
