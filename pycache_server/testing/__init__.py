"""Tools for tests of servers, commands and engines: public, and used by our own tests."""

from pycache_server.testing.engines import check_engine

__all__ = ["check_engine"]
