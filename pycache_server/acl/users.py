"""All users of a server, and how they stand in files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pycache_server.acl.rules import BadRule, UnknownName, Unmatched, has_blanks, merged
from pycache_server.acl.user import User
from pycache_server.acl.vocabulary import Vocabulary
from pycache_server.errors import c_string

DEFAULT = b"default"
"""The user of those who have not logged in."""


class BadFile(Exception):
    """Users in a file that cannot be had; ``text`` has everything that is wrong with them."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self.text = text


class Users:
    """The users by name. The default user is always there, and always the same object."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.default = default_user(vocabulary)
        self._users: dict[bytes, User] = {DEFAULT: self.default}

    def find(self, name: bytes) -> User | None:
        """The user of that name."""
        return self._users.get(name)

    def sorted(self) -> list[User]:
        """All users, by name."""
        return [self._users[name] for name in sorted(self._users)]

    def add(self, user: User) -> None:
        """A new user."""
        self._users[user.name] = user

    def remove(self, name: bytes) -> User | None:
        """Forget a user, which is not the default one; the user, if there was one."""
        return self._users.pop(name, None)

    def replace(self, users: Iterable[User]) -> None:
        """Have these users and no others, besides the default one."""
        new = {user.name: user for user in users}
        self.default.become(new.get(DEFAULT) or default_user(self.vocabulary))
        self._users = {**new, DEFAULT: self.default}

    def changed(self, name: bytes, rules: Iterable[bytes]) -> User:
        """A user as rules would make it of the one of that name, or of a new one.

        Raises BadRule, which has the rule as ``rule``.
        """
        present = self._users.get(name)
        user = present.copy() if present is not None else User(name, self.vocabulary)
        for rule in rules:
            apply_rule(user, rule)
        return user

    def declare(self, words: Sequence[bytes]) -> User:
        """Take the user of a line of a configuration file: the words behind ``user``. Returns it.

        Raises BadFile.
        """
        name = words[0]
        if has_blanks(name):
            raise BadFile(b"Spaces not allowed in ACL usernames")
        user = User(name, self.vocabulary)
        if name == DEFAULT:
            user.apply(b"reset")
        try:
            for rule in merged(words[1:]):
                apply_rule(user, rule)
        except Unmatched as error:
            raise BadFile(b"Unmatched parenthesis in acl selector starting at '%b'." % error.word) from None
        except BadRule as error:
            raise BadFile(
                b"Error loading ACL rule '%b' for the user named '%b': %b" % (error.rule, name, error.text)
            ) from None
        if name == DEFAULT:
            self.default.become(user)
            return self.default
        self.add(user)
        return user

    def describe(self) -> Iterator[bytes]:
        """A line for each user, as they stand in configuration and ACL files."""
        for user in self.sorted():
            yield b"user " + user.name + b" " + user.describe()


def apply_rule(user: User, rule: bytes) -> None:
    """Change a user by one rule.

    Raises BadRule with the rule in it.
    """
    try:
        user.apply(rule)
    except BadRule as error:
        error.rule = rule
        raise


def default_user(vocabulary: Vocabulary) -> User:
    """The default user as it is where nothing else is said: without a password, allowed to do everything."""
    user = User(DEFAULT, vocabulary)
    for rule in (b"+@all", b"~*", b"&*", b"on", b"nopass"):
        user.apply(rule)
    return user


def read_file(text: bytes, path: bytes, vocabulary: Vocabulary) -> list[User]:
    """The users that the text of an ACL file describes. ``path`` is for the errors.

    Raises BadFile.
    """
    users: dict[bytes, User] = {}
    errors = b""
    for number, line in enumerate(c_string(text).split(b"\n"), 1):
        words = line.strip(b" \t\r\n").split(b" ")
        if words != [b""]:
            errors += _read_line(words, b"%b:%d" % (path, number), number, users, vocabulary)
    if errors:
        unchanged = b"WARNING: ACL errors detected, no change to the previously active ACL rules was performed"
        raise BadFile(errors + unchanged)
    return list(users.values())


def _read_line(
    words: list[bytes], where: bytes, number: int, users: dict[bytes, User], vocabulary: Vocabulary
) -> bytes:
    """Take the user of one line; what is wrong with it."""
    if words[0] != b"user" or len(words) < 2:
        return where + b" should start with user keyword followed by the username. "
    name = words[1]
    if has_blanks(name):
        return b"'%b: username '%b' contains invalid characters. " % (where, name)
    if name in users:
        return b"WARNING: Duplicate user '%b' found on line %d. " % (name, number)
    user = users[name] = User(name, vocabulary)
    try:
        rules = merged(words[2:])
    except Unmatched:
        return where + b": Unmatched parenthesis in selector definition."
    errors, told = b"", False
    for rule in rules:
        rule = rule.strip(b"\t\r\n")
        try:
            user.apply(rule)
        except UnknownName as error:  # which is no secret, so that Redis repeats it
            errors += b"%b: Error in applying operation '%b': %b. " % (where, rule, error.text)
        except BadRule as error:
            errors += b"" if told else b"%b: %b. " % (where, error.text)
            told = True
    return errors
