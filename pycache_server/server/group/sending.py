"""An image on its way to one follower: its head, the pieces of the picture's file, and its end.

While the file is being made the follower hears ``There`` now and then. The pieces are sent as fast as it reads, AT_ONCE
of them before others have their turn, and the file is never held in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Final

from pycache_server.repl.link_wire import There, Whole, encode
from pycache_server.repl.links import Image

if TYPE_CHECKING:
    from pycache_server.server.group.pictures import PictureFile
    from pycache_server.session.host import Host, Timer

PIECE: Final = 64 * 1024
AT_ONCE: Final = 16
ALIVE: Final = 0.2
"""Seconds between two signs of life while the picture is being made."""
_THERE: Final = encode(There())


class NoImage(Exception):
    """There will be none; the text says why."""


class ImageOut:
    """One image for one follower. ``write`` sends bytes; ``go_on`` is called when its picture has been made."""

    def __init__(self, image: Image, host: Host, write: Callable[[bytes], None], go_on: Callable[[], None]) -> None:
        self._image = image
        self._picture: PictureFile = image.data
        self._host = host
        self._write = write
        self._go_on = go_on
        self._file: IO[bytes] | None = None
        self._left = -1
        self._timer: Timer | None = None
        self._picture.hold()
        self.end = image.end
        """Where the data set stands in the history; known when its head has been sent."""
        if not self._picture.is_complete and not self._picture.problem:
            self._picture.when_made(self._made)
            self._tell_alive()

    def _made(self) -> None:
        self._forget_timer()
        self._go_on()

    def _tell_alive(self) -> None:
        self._write(_THERE)
        self._timer = self._host.call_later(ALIVE, self._tell_alive)

    def advance(self) -> bool:
        """Send up to AT_ONCE pieces. Whether the image has been sent.

        Raises NoImage, OSError.
        """
        if self._picture.problem:
            raise NoImage(self._picture.problem)
        if not self._picture.is_complete:
            return False
        if self._file is None:
            self._file = self._begin()
        for _ in range(AT_ONCE):
            if not self._left:
                self._write(encode(Whole()))
                self.close()
                return True
            data = self._file.read(min(PIECE, self._left))
            if not data:
                raise NoImage("its file has become shorter")
            self._left -= len(data)
            self._write(b"*2\r\n$5\r\npiece\r\n$%d\r\n%b\r\n" % (len(data), data))
        return False

    @property
    def is_waiting(self) -> bool:
        """Whether the picture is still being made."""
        return not self._picture.is_complete and not self._picture.problem

    def _begin(self) -> IO[bytes]:
        """Send the head: of the moment that the picture shows, which may be later than when it was asked for."""
        picture, image = self._picture, self._image
        file = picture.open()
        self._left = picture.size
        self.end = picture.end
        self._write(
            encode(
                Image(
                    image.epoch,
                    picture.table,
                    picture.end,
                    picture.voters,
                    image.need,
                    image.cut,
                    image.commit,
                    picture.size,
                )
            )
        )
        return file

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        """It is sent, or will not be."""
        self._forget_timer()
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._picture is not None:
            self._picture.forget_waiter(self._made)
            self._picture.release()
            self._picture = None  # type: ignore[assignment]  # it is over
