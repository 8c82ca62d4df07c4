"""proc-title-template: a text with variables in braces, and what comes of it.

``{{`` stands for an opening brace. A variable that nobody knows, or that has no end, is an error, and so is a text of
which nothing is left.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

VARIABLES = ("title", "listen-addr", "server-mode", "config-file", "port", "tls-port", "unixsocket")
_PART = re.compile(r"\{(?:(\{)|([^}]*)\})|[^{]+")


def expand(template: str, values: Mapping[str, str]) -> str | None:
    """The text, with values in the place of variables; None where the template is none."""
    found = []
    position = 0
    while position < len(template):
        part = _PART.match(template, position)
        if part is None:
            return None
        brace, name = part.groups()
        if name is not None and name not in values:
            return None
        found.append(brace or (part[0] if name is None else values[name]))
        position = part.end()
    return "".join(found).strip(" ")


def check(template: str) -> str | None:
    """What is wrong with a template, or None. One that is made of a variable alone is right where that may be empty:
    Redis looks at it with an empty title."""
    if expand(template, dict.fromkeys(VARIABLES, "x") | {"title": ""}):
        return None
    return "template format is invalid or contains unknown variables"
