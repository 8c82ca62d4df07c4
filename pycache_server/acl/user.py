"""A user: passwords, permissions, whether it may log in.

Passwords are kept as SHA-256 in hexadecimal digits. Whether a password is right takes a time that does not depend on
how much of it is: it is compared with all of the user's, and in constant time.
"""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest

from pycache_server.acl.rules import BadHash, NoSuchPassword
from pycache_server.acl.selector import Call, Denial, Selector
from pycache_server.acl.vocabulary import Vocabulary
from pycache_server.errors import c_string
from pycache_server.words import split_words

_HEX = frozenset(b"0123456789abcdef")


class User:
    """Who logs in, and what that one may do."""

    __slots__ = ("_vocabulary", "enabled", "name", "no_password", "passwords", "sanitizes", "selectors")

    def __init__(self, name: bytes, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self.name = name
        self.enabled = False
        self.no_password = False
        """Whether any password is right."""
        self.passwords: dict[bytes, None] = {}
        self.sanitizes = True
        """Whether what this user RESTOREs is looked at thoroughly."""
        self.selectors: list[Selector] = [Selector(vocabulary)]
        """The permissions; the first ones are those outside of parentheses."""

    def become(self, other: User) -> None:
        """Have everything of another user but the name."""
        self.enabled = other.enabled
        self.no_password = other.no_password
        self.passwords = dict(other.passwords)
        self.sanitizes = other.sanitizes
        self.selectors = [selector.copy() for selector in other.selectors]

    def copy(self) -> User:
        """Another user with the same name and everything else."""
        twin = User(self.name, self._vocabulary)
        twin.become(self)
        return twin

    # Rules

    def apply(self, rule: bytes) -> None:
        """Change the user by one rule; those in parentheses are one (rules.py).

        Raises BadRule.
        """
        name = c_string(rule).lower()
        if name in _PLAIN:
            _PLAIN[name](self)
        elif name[:1] in (b">", b"#"):
            self._add_password(rule)
        elif name[:1] in (b"<", b"!"):
            self._remove_password(rule)
        elif name[:1] == b"(" and rule.endswith(b")"):
            self._add_selector(rule[1:-1])
        elif rule:
            self.selectors[0].apply(rule)

    def _enable(self) -> None:
        self.enabled = True

    def _disable(self) -> None:
        self.enabled = False

    def _need_no_password(self) -> None:
        self.no_password = True
        self.passwords.clear()

    def _reset_passwords(self) -> None:
        self.no_password = False
        self.passwords.clear()

    def _sanitize(self) -> None:
        self.sanitizes = True

    def _skip_sanitize(self) -> None:
        self.sanitizes = False

    def _clear_selectors(self) -> None:
        del self.selectors[1:]

    def _reset(self) -> None:
        self._reset_passwords()
        self._disable()
        self._sanitize()
        self.selectors = [Selector(self._vocabulary)]

    def _add_password(self, rule: bytes) -> None:
        self.passwords[_hash_in(rule)] = None
        self.no_password = False

    def _remove_password(self, rule: bytes) -> None:
        try:
            del self.passwords[_hash_in(rule)]
        except KeyError:
            raise NoSuchPassword from None

    def _add_selector(self, text: bytes) -> None:
        selector = Selector(self._vocabulary)
        for rule in split_words(c_string(text)) or ():
            selector.apply(rule)
        self.selectors.append(selector)

    # Questions

    def accepts(self, password: bytes) -> bool:
        """Whether the user may log in with a password."""
        if not self.enabled or self.no_password:
            return self.enabled
        given = hash_of(password)
        right = False
        for each in self.passwords:
            right |= compare_digest(given, each)
        return right

    @property
    def is_open(self) -> bool:
        """Whether nobody needs a password for this user."""
        return self.enabled and self.no_password

    @property
    def is_unlimited(self) -> bool:
        """Whether the user may do everything."""
        return any(selector.is_unlimited for selector in self.selectors)

    def check(self, call: Call) -> Denial | None:
        """What is not permitted of a call: what the selector that comes closest refuses."""
        worst: Denial | None = None
        for selector in self.selectors:
            denial = selector.check(call)
            if denial is None:
                return None
            worst = denial if worst is None else max(worst, denial)
        return worst

    def lost_channels(self, changed: User) -> list[bytes] | None:
        """All channels that a changed user may use, if there are fewer than now; None where nobody loses any."""
        if any(selector.all_channels for selector in changed.selectors):
            return None
        channels = [channel for selector in changed.selectors for channel in selector.channels]
        for selector in self.selectors:
            if selector.all_channels or not selector.channels.keys() <= set(channels):
                return channels
        return None

    # Description

    def flags(self) -> list[bytes]:
        """The rules that are no permissions and no passwords."""
        flags = [b"on" if self.enabled else b"off"]
        if self.no_password:
            flags.append(b"nopass")
        flags.append(b"sanitize-payload" if self.sanitizes else b"skip-sanitize-payload")
        return flags

    def describe(self) -> bytes:
        """Rules that make this user."""
        passwords = [b"#" + password for password in self.passwords]
        root, *others = [selector.describe() for selector in self.selectors]
        return b" ".join((*self.flags(), *passwords, root, *(b"(" + other + b")" for other in others)))


_PLAIN = {
    b"on": User._enable,
    b"off": User._disable,
    b"nopass": User._need_no_password,
    b"resetpass": User._reset_passwords,
    b"sanitize-payload": User._sanitize,
    b"skip-sanitize-payload": User._skip_sanitize,
    b"clearselectors": User._clear_selectors,
    b"reset": User._reset,
}


def hash_of(password: bytes) -> bytes:
    """A password as it is kept."""
    return sha256(password).hexdigest().encode()


def _hash_in(rule: bytes) -> bytes:
    """The hash that a rule for a password names, or of the password that it gives.

    Raises BadHash.
    """
    if rule[:1] in b"<>":
        return hash_of(rule[1:])
    if len(rule) != 65 or not _HEX.issuperset(rule[1:]):
        raise BadHash
    return rule[1:]
