"""The server: the only place with asyncio, sockets, files, the wall clock and chance."""
