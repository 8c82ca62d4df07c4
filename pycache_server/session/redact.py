"""What MONITOR and the slow log must not show: passwords and users, where they stand in a command."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pycache_server.commands.args import option_of
from pycache_server.store.numbers import parse_int

_REDACTED = b"(redacted)"
_SECRET_DIRECTIVES = frozenset(
    (b"requirepass", b"masterauth", b"masteruser", b"tls-key-file-pass", b"tls-client-key-file-pass")
)


def redacted(argv: list[bytes]) -> list[bytes]:
    """The words of a command, with something else in the place of secrets."""
    find = _SECRETS.get(argv[0].lower())
    if find is None:
        return argv
    secrets = set(find(argv))
    return [_REDACTED if place in secrets else word for place, word in enumerate(argv)]


def _auth(argv: list[bytes]) -> Iterable[int]:
    return range(1, len(argv)) if len(argv) <= 3 else ()


def _hello(argv: list[bytes]) -> Iterable[int]:
    if len(argv) < 2 or parse_int(argv[1]) not in (2, 3):
        return
    place = 2
    while place < len(argv):
        if option_of(argv[place]) == b"AUTH" and place + 2 < len(argv):
            yield from (place + 1, place + 2)
            place += 3
        else:
            place += 2


def _config(argv: list[bytes]) -> Iterable[int]:
    if len(argv) % 2 == 0 and argv[1].lower() == b"set":
        yield from (place + 1 for place in range(2, len(argv), 2) if argv[place].lower() in _SECRET_DIRECTIVES)


def _acl(argv: list[bytes]) -> Iterable[int]:
    subcommand = argv[1].lower() if len(argv) > 2 else b""
    if subcommand in (b"setuser", b"deluser"):
        return range(2, len(argv))
    return (2,) if subcommand == b"getuser" and len(argv) == 3 else ()


def _migrate(argv: list[bytes]) -> Iterable[int]:
    place = 6
    while place < len(argv) and (option := option_of(argv[place])) != b"KEYS":
        count = {b"AUTH": 1, b"AUTH2": 2}.get(option, 0)
        yield from range(place + 1, min(place + 1 + count, len(argv)))
        place += 1 + count


_SECRETS: dict[bytes, Callable[[list[bytes]], Iterable[int]]] = {
    b"acl": _acl,
    b"auth": _auth,
    b"hello": _hello,
    b"config": _config,
    b"migrate": _migrate,
}
"""For each command that may hold secrets, where they are."""
