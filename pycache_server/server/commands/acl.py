"""ACL LOAD and SAVE: users from and to their file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycache_server.acl.users import BadFile
from pycache_server.commands.registry import ADMIN, LOADING, NOSCRIPT, STALE, Family
from pycache_server.errors import RedisError
from pycache_server.resp.encode import OK
from pycache_server.server.aclfile import load_file, save_file
from pycache_server.session.acl import end_connections

if TYPE_CHECKING:
    from pycache_server.server.app import App
    from pycache_server.session.session import Session

command = Family("server").command

_NO_FILE = (
    b"ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER "
    b"command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store "
    b"users in the Redis configuration."
)


@command("ACL LOAD", ADMIN, NOSCRIPT, LOADING, STALE, since="6.0.0", complexity="O(N), N = users")
def acl_load(session: Session, argv: list[bytes]) -> Any:
    """Have the users that the ACL file describes, and no others."""
    app = _app(session)
    try:
        victims = load_file(app)
    except BadFile as error:
        raise RedisError(b"ERR " + error.text) from None
    return end_connections(session, victims, OK)


@command("ACL SAVE", ADMIN, NOSCRIPT, LOADING, STALE, since="6.0.0", complexity="O(N), N = users")
def acl_save(session: Session, argv: list[bytes]) -> Any:
    """Write all users to the ACL file."""
    app = _app(session)
    try:
        save_file(app)
    except OSError as error:
        app.log.write("warning", f"Opening temp ACL file for ACL SAVE: {error.strerror or error}")
        raise RedisError(
            b"ERR There was an error trying to save the ACLs. Please check the server logs for more information"
        ) from None
    return OK


def _app(session: Session) -> App:
    """The server, which has an ACL file.

    Raises RedisError.
    """
    app: App = session.core.owner.home
    if not app.settings["aclfile"]:
        raise RedisError(_NO_FILE)
    return app
