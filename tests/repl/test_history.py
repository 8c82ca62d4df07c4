"""Which histories a node's own continues."""

from __future__ import annotations

from pycache_server.repl.history import NEVER, NO_ID, History

OLD, NEW, OTHER = b"a" * 40, b"b" * 40, b"c" * 40


def test_a_new_history_has_no_second_id() -> None:
    history = History(OLD)
    assert (history.second_id, history.second_offset) == (NO_ID, NEVER)
    assert history.shares(OLD, 0)
    assert not history.shares(NO_ID, 0)
    history._check()


def test_after_a_promotion_the_old_id_is_right_up_to_where_it_was_left() -> None:
    history = History(OLD, 100)
    history.rotate(NEW)
    history.offset += 50
    assert history.shares(NEW, 150)
    assert history.shares(OLD, 100)
    assert not history.shares(OLD, 101)
    assert history.second_offset == 101
    history._check()


def test_who_takes_the_data_of_another_forgets_its_own_past() -> None:
    history = History(OLD, 100)
    history.rotate(NEW)
    history.adopt(OTHER, 7)
    assert (history.id, history.offset) == (OTHER, 7)
    assert not history.shares(OLD, 5)
    assert not history.shares(NEW, 5)
    history._check()
