"""MODULE: there are none. What extends this server are Python packages, by their entry points (docs/engines.md).

Contents: MODULE LIST LOAD LOADEX UNLOAD. What changes modules must be allowed by enable-module-command, as in Redis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycache_server.commands.registry import ADMIN, NO_ASYNC_LOADING, NOSCRIPT, PROTECTED, Family
from pycache_server.errors import RedisError
from pycache_server.server.commands.config import is_allowed

if TYPE_CHECKING:
    from pycache_server.session.session import Session

family = Family("server")
command = family.command
family.container("MODULE", since="4.0.0", summary="Commands for modules.")

_NOT_ALLOWED = (
    b'ERR MODULE command not allowed. If the enable-module-command option is set to "local", you can run it from a '
    b"local connection, otherwise you need to set this option in the configuration file, and then restart the server."
)


def _refuse(session: Session, text: bytes) -> RedisError:
    return RedisError(text if is_allowed(session, "enable-module-command") else _NOT_ALLOWED)


@command(
    "MODULE LIST",
    ADMIN,
    NOSCRIPT,
    since="4.0.0",
    complexity="O(N), N = modules",
    tips=("nondeterministic_output_order",),
)
def module_list(session: Session, argv: list[bytes]) -> list[Any]:
    """List the modules that are loaded: none."""
    return []


@command("MODULE LOAD path [arg [arg ...]]", ADMIN, NOSCRIPT, NO_ASYNC_LOADING, PROTECTED, since="4.0.0")
def module_load(session: Session, argv: list[bytes]) -> Any:
    """Load a module, which is not possible."""
    return _load(session, argv)


@command(
    "MODULE LOADEX path [CONFIG name value [CONFIG name value ...]] [ARGS args [ARGS args ...]]",
    ADMIN,
    NOSCRIPT,
    NO_ASYNC_LOADING,
    PROTECTED,
    since="7.0.0",
)
def module_loadex(session: Session, argv: list[bytes]) -> Any:
    """Load a module with a configuration, which is not possible."""
    return _load(session, argv)


def _load(session: Session, argv: list[bytes]) -> Any:
    error = _refuse(session, b"ERR Error loading the extension. Please check the server logs.")
    if error.text != _NOT_ALLOWED:
        path = argv[2].decode("utf-8", "replace")
        session.core.host.log("warning", f"Module {path} failed to load: modules cannot be loaded into this server")
    raise error


@command("MODULE UNLOAD name", ADMIN, NOSCRIPT, NO_ASYNC_LOADING, PROTECTED, since="4.0.0")
def module_unload(session: Session, argv: list[bytes]) -> Any:
    """Unload a module, of which there is none."""
    raise _refuse(session, b"ERR Error unloading module: no such module with that name")
