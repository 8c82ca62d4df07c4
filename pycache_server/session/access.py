"""Who may do what on a server: its users, the checks of commands, and what happens when permissions change.

A user that may do everything costs nothing: its clients have the tables that there would be without users. Others have
tables with checks in front of the commands (guards.py). Whoever runs commands past these tables, as EXEC and scripts
do, asks for each of them: ``demand_in_script``, and ``check`` for a mere answer.

Two servers of one process may have their users in common (``share``), each with checks of its own for them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from pycache_server.acl.log import AclLog, Entry
from pycache_server.acl.selector import DENIED_AUTH, DENIED_COMMAND, READ, Denial, permits_channel
from pycache_server.acl.user import User
from pycache_server.acl.users import Users
from pycache_server.acl.vocabulary import Vocabulary
from pycache_server.commands.registry import CATEGORIES, Command
from pycache_server.errors import WrongPassword
from pycache_server.session.describe import describe
from pycache_server.session.guards import Guard, GuardedRows
from pycache_server.session.permissions import call_of, refusal, refusal_in_script
from pycache_server.store.glob import compile_glob

if TYPE_CHECKING:
    from pycache_server.session.core import Core
    from pycache_server.session.rows import Row
    from pycache_server.session.session import Session

KEPT = 32
"""So many users' checks are kept although they have no connections: those that were made last."""


class Access:
    """The users of a server."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.users = Users(Vocabulary((), CATEGORIES, compile_glob))
        self.log = AclLog()
        self._rows = GuardedRows()
        self._guards: WeakValueDictionary[User, Guard] = WeakValueDictionary()
        self._recent: deque[Guard] = deque(maxlen=KEPT)
        self._password = b""
        self._home = self
        """Whose users these are: another server's of this process may be had in common."""
        self._guests: list[Access] = []  # those that have these users in common with us

    def share(self, home: Access) -> None:
        """Have the users of another server of this process, and its log of what was refused. A change at either of them
        is one at both. The other must know the commands of this one (``teach``)."""
        self._home = home
        self.users, self.log = home.users, home.log
        home._guests.append(self)

    def teach(self, commands: Iterable[Command]) -> None:
        """Let rules name commands that only a server has which will share the users."""
        for command in commands:
            self.users.vocabulary.add(command)

    @property
    def _shared(self) -> list[Access]:
        return [self, *self._guests]

    @property
    def rows(self) -> dict[str, Row]:
        """The server's rows of all commands, by name."""
        return self._core.tables.rows

    def learn(self, command: Command) -> None:
        """There is a new command: rules may name it, and whoever may not do everything needs a check in front of it."""
        self.users.vocabulary.add(command)
        if self._guards:
            for user in list(self._guards):
                self.refresh(user)

    # Who it is

    def require(self, password: bytes) -> None:
        """Let the default user have this password and no other; none, where it is empty. That is what a change of
        requirepass means: where it is as it was, nothing happens to passwords that were given otherwise."""
        if self._home is self and password != self._password:
            self._password = password
            default = self.users.default
            default.apply(b"resetpass")
            default.apply(b">" + password if password else b"nopass")
            self.refresh(default)

    def authenticate(self, session: Session, name: bytes, password: bytes, argv: list[bytes]) -> None:
        """Log a client in; ``argv`` is the command that it does so by.

        Raises WrongPassword.
        """
        user = self.users.find(name)
        if user is None or not user.accepts(password):
            session.row = self._core.row(argv[0])
            self._note(session, DENIED_AUTH, argv[0], name)
            raise WrongPassword
        session.become(user)
        session.authenticate()

    # What it may do

    def check(self, user: User, command: Command, argv: list[bytes]) -> Denial | None:
        """What a user is not permitted of a command, None where it is all right. The number of words is that which
        the command takes."""
        guard = self.guard_of(user)
        return None if guard is None else guard.check(command, argv)

    def demand(self, session: Session, command: Command, argv: list[bytes]) -> None:
        """Refuse a command that a client's user may not run, and write it down.

        Raises Rejection.
        """
        denial = session.guard.check(command, argv) if session.guard is not None else None
        if denial is not None:
            session.row = self.rows[command.name]
            self.note(session, command, argv, denial)
            raise refusal(denial, session.user.name, command)

    def demand_in_script(self, session: Session, command: Command, argv: list[bytes]) -> None:
        """Refuse a command of a script that a client has called, and whose user may not run it.

        Raises RedisError.
        """
        denial = session.guard.check(command, argv) if session.guard is not None else None
        if denial is not None:
            running = self._core.scripts
            if running is not None and running.argv and not session.executing:
                session.row = self._core.row(running.argv[0])  # which the log shows
            self.note(session, command, argv, denial, "lua")
            raise refusal_in_script(denial, session.user.name, command)

    def may_read_all(self, user: User, command: Command, argv: list[bytes]) -> bool:
        """Whether a user may run a command and let it read any key: SORT with patterns can."""
        if user.is_unlimited:
            return True
        call = call_of(self.users.vocabulary, command, argv)
        return any(each.permits_every_key(READ) and each.check(call) is None for each in user.selectors)

    def guard_of(self, user: User) -> Guard | None:
        """The checks for a user's clients; None where it may do everything."""
        if user.is_unlimited:
            return None
        guard = self._guards.get(user)
        if guard is None:
            guard = self._guards[user] = Guard(user, self.users.vocabulary, self._rows)
            self._recent.append(guard)
        return guard

    # What was refused

    def note(self, session: Session, command: Command, argv: list[bytes], denial: Denial, context: str = "") -> None:
        """Write down a refusal."""
        name = command.name.encode()
        self._note(session, denial.kind, name if denial.kind == DENIED_COMMAND else argv[denial.place], None, context)

    def _note(self, session: Session, kind: int, what: bytes, name: bytes | None, context: str = "") -> None:
        context = context or ("multi" if session.transaction is not None else "toplevel")
        name = session.user.name if name is None else name
        now = int(self._core.clock.time * 1000)
        self.log.add(Entry(kind, context, what, name, describe(session), now))

    # Changes

    def change(self, name: bytes, rules: Iterable[bytes]) -> list[Session]:
        """Change a user or make a new one, all rules or none. Returns clients that listen to what they no longer may,
        and must go.

        Raises BadRule.
        """
        if self._home is not self:
            return self._home.change(name, rules)
        changed = self.users.changed(name, rules)
        user = self.users.find(name)
        if user is None:
            self.users.add(changed)
            return []
        victims = self._lost_listeners(lambda session: changed if session.user is user else None)
        user.become(changed)
        self.refresh(user)
        return victims

    def remove(self, names: Iterable[bytes]) -> tuple[int, list[Session]]:
        """Remove users, of which none is the default one. Returns how many there were, and the clients that must go."""
        if self._home is not self:
            return self._home.remove(names)
        removed = sum(self.users.remove(name) is not None for name in names)
        return removed, self._orphans() if removed else []

    def replace(self, users: Iterable[User]) -> list[Session]:
        """Have these users and no others. Returns the clients that must go: those of users that there are no more, and
        those that listen to what they no longer may."""
        if self._home is not self:
            return self._home.replace(users)
        successors = {user.name: user for user in users}
        victims = self._lost_listeners(lambda session: successors.get(session.user.name))
        self.users.replace(successors.values())
        for each in self._shared:
            each._guards.clear()
        for session in self._sessions():
            successor = self.users.find(session.user.name)
            if successor is not None:
                session.become(successor)
        self.refresh(self.users.default)
        return victims + self._orphans()

    def refresh(self, user: User) -> None:
        """The permissions of a user have changed: let its clients feel it."""
        for each in self._shared:
            each._guards.pop(user, None)
        for session in self._sessions():
            if session.user is user:
                session.become(user)
                if user is self.users.default:
                    session.admit(user.is_open)

    def _sessions(self) -> list[Session]:
        return [session for each in self._shared for session in each._core.sessions.values()]

    def _orphans(self) -> list[Session]:
        """The clients of users that there are no more; until they are gone they may do nothing."""
        orphans = [session for session in self._sessions() if self.users.find(session.user.name) is not session.user]
        for session in orphans:
            session.core.access._guards.pop(session.user, None)
            session.log_out()
        return orphans

    def _lost_listeners(self, successor_of: Callable[[Session], User | None]) -> list[Session]:
        """The clients that listen to channels which their user will no longer be allowed to hear."""
        lost: list[Session] = []
        for session in self._sessions():
            if session.kind() != "pubsub":
                continue
            changed = successor_of(session)
            channels = session.user.lost_channels(changed) if changed is not None else None
            if channels is not None and not self._may_hear(session, channels):
                lost.append(session)
        return lost

    def _may_hear(self, session: Session, channels: list[bytes]) -> bool:
        vocabulary = self.users.vocabulary
        heard = (*session.subscriptions, *session.shard_subscriptions)
        return all(permits_channel(vocabulary, channels, each, True) for each in session.patterns) and all(
            permits_channel(vocabulary, channels, each, False) for each in heard
        )
