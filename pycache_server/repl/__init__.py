"""Replication, without sockets, clocks and chance: bytes and times come in as arguments, and go out as values."""
