"""Tools for tests of servers, commands and engines: public, and used by our own tests."""
