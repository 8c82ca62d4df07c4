"""Users in files: those that the configuration declares, and the ACL file, which is read and written as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pycache_server.acl.users import BadFile, read_file
from pycache_server.server.apply import CannotApply
from pycache_server.server.files import replace_file
from pycache_server.server.sentinel.commands import sentinel_commands

if TYPE_CHECKING:
    from pycache_server.acl.user import User
    from pycache_server.server.app import App
    from pycache_server.session.session import Session


def load_users(app: App) -> None:
    """Take the users of the configuration or the ACL file at the start. Where they are also those of a sentinel-port
    (group/window.py) rules may name its commands.

    Raises CannotApply where there are both, or something is wrong with them.
    """
    if app.settings["group-voters"] and app.settings["sentinel-port"]:
        app.core.access.teach(sentinel_commands())
    declared = app.settings.users
    if declared and app.settings["aclfile"]:
        raise CannotApply(
            "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid. "
            "This setup is very likely to lead to configuration errors and security holes, please define either an "
            "ACL file or declare users directly in your redis.conf, but not both."
        )
    try:
        for words in declared:
            _declare(app, [word.encode("utf-8", "surrogateescape") for word in words])
    except BadFile as error:
        app.log.write("warning", error.text.decode("utf-8", "replace"))
        raise CannotApply("Critical error while loading ACLs. Exiting.") from None
    if app.settings["aclfile"]:
        try:
            load_file(app)
        except BadFile as error:
            errors = error.text.decode("utf-8", "replace")
            raise CannotApply(f"Aborting Redis startup because of ACL errors: {errors}") from None


def _declare(app: App, words: list[bytes]) -> None:
    user = app.core.access.users.declare(words)
    if not user.enabled:
        name = user.name.decode("utf-8", "replace")
        app.log.write(
            "notice",
            f"The user '{name}' is disabled (there is no 'on' modifier in the user description). Make sure this is "
            "not a configuration error.",
        )


def _path(app: App) -> Path:
    return Path(app.settings["dir"], app.settings["aclfile"])


def load_file(app: App) -> list[Session]:
    """Read the ACL file: all of it, or nothing changes. Returns the clients that must go.

    Raises BadFile.
    """
    access = app.core.access
    name = app.settings["aclfile"].encode("utf-8", "surrogateescape")
    try:
        text = _path(app).read_bytes()
    except OSError as error:
        problem = (error.strerror or str(error)).encode()
        raise BadFile(b"Error loading ACLs, opening file '%b': %b" % (name, problem)) from None
    users: list[User] = read_file(text, name, access.users.vocabulary)
    return access.replace(users)


def save_file(app: App) -> None:
    """Write all users to the ACL file.

    Raises OSError.
    """
    replace_file(_path(app), b"".join(line + b"\n" for line in app.core.access.users.describe()))
