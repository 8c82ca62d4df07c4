"""Tools for tests of servers, commands and engines: public, and used by our own tests."""

from pycache_server.testing.engines import check_engine
from pycache_server.testing.inprocess import Client, World

__all__ = ["Client", "World", "check_engine"]
