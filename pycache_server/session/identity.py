"""Who a client is: its user, whether it has logged in, and what follows from that for its commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycache_server.session.host import Link
from pycache_server.session.outlet import Outlet
from pycache_server.session.transactions import execute, execute_guarded

if TYPE_CHECKING:
    from pycache_server.acl.user import User
    from pycache_server.resp.parser import Parser
    from pycache_server.session.core import Core
    from pycache_server.session.guards import Guard


class Identity(Outlet):
    """The part of a session that knows its user."""

    __slots__ = ("execute", "guard", "parser", "proven", "user")

    parser: Parser

    def __init__(self, core: Core, link: Link) -> None:
        super().__init__(core, link)
        self.user = core.access.users.default
        self.guard: Guard | None = None
        """The checks of what the user may do; None where that is everything."""
        self.execute = execute
        """What EXEC calls for each queued command."""
        self.proven = self.authenticated
        """Whether the client has logged in, or has come when nobody needed to: so that it never has to any more."""

    def choose_table(self) -> None:
        """Take the table that the client's state asks for."""
        raise NotImplementedError

    def become(self, user: User) -> None:
        """Act as a user from now on, with the permissions that it has now."""
        self.user = user
        self.guard = self.core.access.guard_of(user)
        self.execute = execute if self.guard is None else execute_guarded
        self.choose_table()

    def act_for(self, other: Identity) -> None:
        """Have the permissions of another client, as a script's calls have its caller's."""
        self.user, self.guard = other.user, other.guard

    def authenticate(self) -> None:
        """The client has proved who it is."""
        self.proven = True
        self._trust(True)

    def admit(self, admitted: bool) -> None:
        """Nobody needs to log in any more, or those who have not need to again."""
        self._trust(admitted or self.proven)

    def log_out(self) -> None:
        """Be nobody, as those are who have just come."""
        default = self.core.access.users.default
        self.proven = default.is_open
        self.become(default)
        self._trust(self.proven)

    def distrust(self) -> None:
        """Be as those who have to log in, whoever needs to."""
        self.proven = False
        self._trust(False)

    def _trust(self, trusted: bool) -> None:
        if trusted != self.authenticated:
            self.authenticated = trusted
            if trusted:
                self.parser.trust()
            else:
                self.parser.distrust()
            self.choose_table()

    def may_read_all(self, argv: list[bytes]) -> bool:
        """See Context."""
        if self.guard is None:
            return True
        row = self.core.row(argv[0])
        return row is not None and self.core.access.may_read_all(self.user, row.command, argv)
