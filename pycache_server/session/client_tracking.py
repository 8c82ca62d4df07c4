"""CLIENT's commands for clients that cache what they read. What they switch on is tracking.py's.

Contents: CLIENT CACHING GETREDIR TRACKING TRACKINGINFO.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycache_server.commands.args import Options, integer, option_of
from pycache_server.commands.registry import LOADING, NOSCRIPT, STALE
from pycache_server.errors import BadSyntax, RedisError, c_string
from pycache_server.resp.encode import OK, SetReply
from pycache_server.session.clients import command
from pycache_server.session.interests import overlap
from pycache_server.session.tracking import Tracker

if TYPE_CHECKING:
    from pycache_server.session.session import Session


@command(
    "CLIENT TRACKING <ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] "
    "[NOLOOP]",
    NOSCRIPT,
    LOADING,
    STALE,
    since="6.0.0",
    complexity="O(1); O(N) to end, N = prefixes",
)
def client_tracking(session: Session, argv: list[bytes]) -> Any:
    """Tell the connection, or another one, when keys change that it has read, or that begin with some prefixes."""
    wanted, modes, prefixes = _wanted(session, argv)
    switch = option_of(argv[2])
    if switch == b"OFF":
        session.core.tracking.end(session)
        return OK
    if switch != b"ON":
        raise BadSyntax
    _check_modes(session.tracker, modes, bool(prefixes))
    wanted.mode = next(iter(modes), "")
    if wanted.mode == "bcast":
        _check_prefixes(session.tracker, prefixes)
        wanted.prefixes = set(prefixes) or {b""}
    session.core.tracking.begin(session, wanted)
    return OK


def _wanted(session: Session, argv: list[bytes]) -> tuple[Tracker, set[str], list[bytes]]:
    """The tracker that the options describe, but for the modes and the prefixes that they name."""
    wanted = Tracker(session)
    modes: set[str] = set()
    prefixes: list[bytes] = []
    options = Options(argv, 3)
    while (option := options.take()) is not None:
        if option == b"REDIRECT":
            word = options.value()
            if wanted.redirect:
                raise RedisError(b"ERR A client can only redirect to a single other client")
            wanted.redirect = integer(word)
            if wanted.redirect not in session.core.sessions:
                raise RedisError(b"ERR The client ID you want redirect to does not exist")
        elif option in (b"BCAST", b"OPTIN", b"OPTOUT"):
            modes.add(option.decode().lower())
        elif option == b"NOLOOP":
            wanted.no_loop = True
        elif option == b"PREFIX":
            prefixes.append(options.value())
        else:
            options.fail()
    return wanted, modes, prefixes


def _check_modes(tracker: Tracker | None, modes: set[str], has_prefixes: bool) -> None:
    """Raise where modes do not go together, or not with what the session tracks by now."""
    mode = tracker.mode if tracker is not None else ""
    if has_prefixes and "bcast" not in modes:
        raise RedisError(b"ERR PREFIX option requires BCAST mode to be enabled")
    if tracker is not None and (mode == "bcast") != ("bcast" in modes):
        raise RedisError(_CANNOT_SWITCH % b"BCAST mode on/off")
    if "bcast" in modes and len(modes) > 1:
        raise RedisError(b"ERR OPTIN and OPTOUT are not compatible with BCAST")
    if len(modes) > 1:
        raise RedisError(b"ERR You can't specify both OPTIN mode and OPTOUT mode")
    if mode in ("optin", "optout") and modes and mode not in modes:
        raise RedisError(_CANNOT_SWITCH % b"OPTIN/OPTOUT mode")


_CANNOT_SWITCH = (
    b"ERR You can't switch %b before disabling tracking for this client, and then re-enabling it with a different mode."
)


def _check_prefixes(tracker: Tracker | None, prefixes: list[bytes]) -> None:
    """Raise where two prefixes of a session have keys in common."""
    present = sorted(tracker.prefixes) if tracker is not None else []
    for number, prefix in enumerate(prefixes):
        for kind, others in ((b"an existing prefix", present), (b"another provided prefix", prefixes[number + 1 :])):
            for other in others:
                if overlap(prefix, other):
                    raise RedisError(
                        b"ERR Prefix '%b' overlaps with %b '%b'. Prefixes for a single client must not overlap."
                        % (c_string(prefix), kind, c_string(other))
                    )


@command("CLIENT CACHING <YES | NO>", NOSCRIPT, LOADING, STALE, since="6.0.0")
def client_caching(session: Session, argv: list[bytes]) -> Any:
    """Track, or do not track, what the next command or transaction reads."""
    tracker = session.tracker
    if tracker is None:
        raise RedisError(
            b"ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode "
            b"enabled"
        )
    word = option_of(argv[2])
    if word not in (b"YES", b"NO"):
        raise BadSyntax
    mode = "optin" if word == b"YES" else "optout"
    if tracker.mode != mode:
        raise RedisError(
            b"ERR CLIENT CACHING %b is only valid when tracking is enabled in %b mode." % (word, mode.upper().encode())
        )
    tracker.caching = True
    return OK


@command("CLIENT GETREDIR", NOSCRIPT, LOADING, STALE, since="6.0.0")
def client_getredir(session: Session, argv: list[bytes]) -> int:
    """Return the id of the connection that is told what this one tracks: 0 for itself, -1 where it does not track."""
    return session.tracker.redirect if session.tracker is not None else -1


@command("CLIENT TRACKINGINFO", NOSCRIPT, LOADING, STALE, since="6.2.0")
def client_trackinginfo(session: Session, argv: list[bytes]) -> dict[bytes, Any]:
    """Tell what the connection tracks, and how it is told."""
    tracker = session.tracker
    return {
        b"flags": SetReply(tracker.flags() if tracker is not None else [b"off"]),
        b"redirect": client_getredir(session, argv),
        b"prefixes": sorted(tracker.prefixes) if tracker is not None else [],
    }
