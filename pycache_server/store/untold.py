"""What a database says of itself while nobody is told (told.py): nothing."""

from __future__ import annotations


class Untold:
    """The base of a database: the calls by which told.ToldDatabase tells of what no change of a key tells."""

    __slots__ = ()

    def has_lost_rest(self, key: bytes) -> None:
        """A hash is about to go, of which nothing is left but fields that have expired."""

    def has_lost_fields(self, key: bytes, fields: list[bytes]) -> None:
        """Fields of a hash have been removed because their time had come."""

    def has_bounded(self, key: bytes) -> None:
        """A key has been given another time to live than was asked for."""
