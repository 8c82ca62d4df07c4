"""What every engine's own tests begin with."""

from engine_fifo import Fifo

from pycache_server.testing import check_engine


def test_it_keeps_the_contract() -> None:
    check_engine(Fifo)
