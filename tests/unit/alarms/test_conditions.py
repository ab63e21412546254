"""Delays and deadbands: what comes and goes."""

from alarms.states.conditions import Delayed, is_beyond


def walked(*looks: tuple[float, bool | None], on: float = 10.0, off: float = 20.0) -> list[bool]:
    delayed, found = Delayed(), []
    for now_s, holds in looks:
        delayed = delayed.after(now_s, holds=holds, on_delay_s=on, off_delay_s=off)
        found.append(delayed.is_active)
    return found


def test_it_counts_once_it_held_for_the_delay_without_a_break():
    assert walked((0, True), (9.9, True), (10, True)) == [False, False, True]
    assert walked((0, True), (5, False), (6, True), (12, True), (16, True)) == [False, False, False, False, True]


def test_it_is_over_once_it_was_over_for_the_delay_without_a_break():
    assert walked((0, True), (10, True), (11, False), (30, False), (31, False)) == [False, True, True, True, False]


def test_without_a_delay_it_counts_at_once():
    assert walked((0, True), (1, False), on=0, off=0) == [True, False]


def test_what_nobody_knows_neither_raises_nor_ends_it_and_begins_the_delay_anew():
    assert walked((0, True), (5, None), (10, True), (19, True), (20, True)) == [False, False, False, False, True]
    assert walked((0, True), (10, True), (11, False), (20, None), (31, False), (50, False), (51, False))[-2:] == [True, False]


def test_a_value_that_was_beyond_must_come_back_by_the_deadband():
    assert not is_beyond(5.0, 5.0, 1.0, was_beyond=False)
    assert is_beyond(5.1, 5.0, 1.0, was_beyond=False)
    assert is_beyond(4.5, 5.0, 1.0, was_beyond=True)
    assert not is_beyond(4.0, 5.0, 1.0, was_beyond=True)
