"""In which order a server lets go of what it has."""

from __future__ import annotations

import asyncio

import pytest

from tests.server.group_voters import quiet_app


@pytest.mark.parametrize("embedded", [False, True])
def test_who_ends_a_server_sees_the_connection_close_when_nobody_listens_any_more(embedded: bool) -> None:
    async def main() -> None:
        app = quiet_app()
        await app.start(load=False)
        app.embedded = embedded
        ends = asyncio.Event()
        app.stop_requested = ends.set
        reader, writer = await asyncio.open_connection("127.0.0.1", app.port)
        writer.write(b"SHUTDOWN NOSAVE\r\nPING\r\n")
        async with asyncio.timeout(10):
            await ends.wait()
            for _ in range(20):
                await asyncio.sleep(0)
            assert app.listeners()
            assert reader.at_eof() is embedded  # its program may go on listening for as long as it likes
            await app.stop()
            assert await reader.read() == b""
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", app.port)

    asyncio.run(main())
