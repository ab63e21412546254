"""Until when what came from the bus is not too old, whoever looks and whenever."""

from gateway_story import at

from modbus_gateway.beside.echo import BEHIND_AFTER_S, HOLDS_FOR_S, STOPPED_AFTER_S, Echo
from modbus_gateway.beside.pair import GONE_AFTER_S


def refused_echo() -> Echo:
    echo = Echo()
    echo.begin(0)
    echo.said(at(0), 0)
    echo.refused()
    echo.look(0)
    return echo


def test_a_heartbeat_that_does_not_come_back_in_time_means_that_we_are_behind():
    echo = Echo()
    echo.begin(0)
    echo.said(at(0), 0)
    echo.heard(at(0))
    echo.said(at(5), 5)
    assert echo.holds_until_s == 5 + BEHIND_AFTER_S
    echo.said(at(10), 10)
    echo.heard(at(5))
    assert echo.holds_until_s == 10 + BEHIND_AFTER_S
    echo.begin(11)
    assert echo.holds_until_s == 11 + HOLDS_FOR_S


def test_what_was_heard_ends_by_itself_when_nothing_more_is_said_and_before_another_gateway_takes_our_place():
    echo = Echo()
    echo.begin(0)
    echo.said(at(3), 3)
    echo.heard(at(3))
    assert echo.holds_until_s == 3 + HOLDS_FOR_S
    assert HOLDS_FOR_S < GONE_AFTER_S


def test_whoever_asks_after_a_stop_before_anything_looked_round_finds_that_nothing_holds():
    echo = Echo()
    echo.begin(0)
    echo.look(0.5)
    assert echo.holds_until_s == 0.5 + STOPPED_AFTER_S


def test_after_a_stop_only_what_is_said_then_shows_that_all_that_waited_came_in():
    echo = Echo()
    echo.begin(0)
    for now_s in (0.0, 0.5, 1.0):
        echo.look(now_s)
    echo.said(at(1), 1)
    echo.look(4)
    echo.heard(at(1))
    assert echo.holds_until_s < 0
    echo.said(at(2), 2)  # by another thread, just before; the loop learns of it now
    echo.heard(at(2))
    assert echo.holds_until_s < 0
    echo.said(at(4.1), 4.1)
    echo.heard(at(4.1))
    assert echo.holds_until_s == 4 + STOPPED_AFTER_S


def test_one_that_never_heard_the_bus_knows_nothing():
    assert Echo().holds_until_s < 0


def test_where_the_broker_does_not_take_our_heartbeats_what_holds_ends_only_when_we_are_stopped():
    echo = refused_echo()
    for half_seconds in range(1, 100):
        echo.look(half_seconds / 2)
        assert echo.holds_until_s == half_seconds / 2 + STOPPED_AFTER_S


def test_where_the_broker_does_not_take_our_heartbeats_what_waits_after_a_stop_has_time_to_come_in():
    echo = refused_echo()
    assert echo.holds_until_s == STOPPED_AFTER_S
    for half_seconds in range(10):
        echo.look(20 + half_seconds / 2)
        assert echo.holds_until_s < 0
    echo.look(20 + BEHIND_AFTER_S)
    assert echo.holds_until_s == 20 + BEHIND_AFTER_S + STOPPED_AFTER_S


def test_once_the_broker_takes_our_heartbeats_again_they_tell_it():
    echo = refused_echo()
    echo.said(at(5), 5)
    echo.heard(at(5))
    echo.said(at(5.1), 5.1)
    for half_seconds in range(40):
        echo.look(half_seconds / 2)
    assert echo.holds_until_s == 5.1 + BEHIND_AFTER_S
