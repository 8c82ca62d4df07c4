"""Times in replies about consumer groups: they are equal if they are nearly so.

Since 7.2 consumers tell when they were active, and there is one as soon as anybody asks in its name; before that, it
had to get something. So what older servers tell is compared for the consumers that have something.
"""

from __future__ import annotations

from typing import Any

ACTIVITY = (7, 2)
"""Since when consumers tell of it."""
COUNTERS_OF_GROUPS = (7, 4)
"""Since when groups count what they have read as ours do."""
_TIMES = (b"idle", b"inactive", b"seen-time", b"active-time")
_PENDING = (4, 3)
"""Numbers of elements of what is pending: an id, the consumer unless it is known, a time, a count."""


class Moment(int):
    """A time in ms that equals another within ten seconds: the servers are not asked at the same instant."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Moment) and self - other in range(-9999, 10000) and (self < 0) == (other < 0)

    __hash__ = int.__hash__


def without_times(value: Any, version: tuple[int, ...]) -> Any:
    """A reply with moments in place of times, and maps in place of flat lists of names and values."""
    if isinstance(value, dict):
        return _map(value, version)
    if not isinstance(value, list):
        return value
    if value and value[0] in (b"name", b"length") and len(value) % 2 == 0:
        return _map(dict(zip(value[::2], value[1::2], strict=True)), version)
    if len(value) in _PENDING and isinstance(value[-1], int) and isinstance(value[-2], int):
        return [*value[:-2], Moment(value[-2]), value[-1]]
    found = [without_times(each, version) for each in value]
    return [each for each in found if each is not None] if any(each is None for each in found) else found


def _map(fields: dict[Any, Any], version: tuple[int, ...]) -> Any:
    """A map of a group, a consumer or a stream; None for a consumer who need not be there."""
    if version < ACTIVITY:
        if (b"idle" in fields or b"seen-time" in fields) and not fields.get(b"pending"):
            return None
        fields = {name: fields[name] for name in fields if name not in (b"inactive", b"active-time")}
        if isinstance(fields.get(b"consumers"), int):
            del fields[b"consumers"]
    if version < COUNTERS_OF_GROUPS:
        fields = {name: fields[name] for name in fields if name not in (b"entries-read", b"lag")}
    return {name: Moment(value) if name in _TIMES else without_times(value, version) for name, value in fields.items()}
