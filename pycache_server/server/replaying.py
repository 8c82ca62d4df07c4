"""Executing what an append-only file says: the changes of a data set, made once more.

The commands are called past everything that belongs to clients: no gate stands before them, nothing is counted or
timed, neither monitors nor the feed hear of them. The clock stands aside meanwhile (store/clock.py): what the file does
to a key it was able to do, and when a key goes, the file says.
"""

from __future__ import annotations

from pycache_server.errors import RedisError
from pycache_server.server.loads import CannotLoad
from pycache_server.session.core import Core
from pycache_server.session.rows import Row


class Replaying:
    """Executes units of commands in a session that is nobody's. ``name`` is that of the file, for complaints."""

    def __init__(self, core: Core, name: str) -> None:
        self._core = core
        self._name = name
        self._session = core.make_session()
        self._session.deny_blocking = self._session.obeys = True
        self._rows: dict[bytes, Row] = {}
        self.commands = 0
        """How many have been executed."""

    @property
    def selected(self) -> int:
        """The index of the database that the next command is for."""
        return self._session.db.index

    def run(self, unit: list[list[bytes]]) -> None:
        """Execute the commands of a unit. One that answers an error is told of in the log, as with Redis: whoever wrote
        the file got the same answer.

        Raises CannotLoad.
        """
        session, rows = self._session, self._rows
        for argv in unit:
            try:
                row = rows.get(argv[0]) or self._find(argv)
                count = len(argv)
                if row.subrows or (count != row.least and (count < row.least or not row.open)):
                    row = row.resolve(argv)
                function = row.command.function
                function(session, argv)
            except RedisError as error:
                self._complain(argv, error)
            except CannotLoad:
                raise
            except Exception as error:
                self._core.report_failure("loading the append-only file", error)
                raise CannotLoad(f"Error executing a command of the append only file {self._name}") from error
        self.commands += len(unit)

    def _find(self, argv: list[bytes]) -> Row:
        """The row of a command, by the name that clients know it by, or by its own.

        Raises CannotLoad where there is none.
        """
        tables = self._core.tables
        name = argv[0].lower()
        row = tables.normal.get(name) or tables.rows.get(name.decode("utf-8", "replace"))
        if row is None:
            shown = argv[0].decode("utf-8", "replace")
            raise CannotLoad(f"Unknown command '{shown}' reading the append only file {self._name}")
        self._rows[argv[0]] = row
        return row

    def _complain(self, argv: list[bytes], error: RedisError) -> None:
        text, name = error.text.decode("utf-8", "replace"), argv[0].decode("utf-8", "replace")
        self._core.host.log(
            "warning",
            f"== CRITICAL == This server is sending an error to its AOF-loading-client: '{text}' after processing the "
            f"command '{name}'",
        )
