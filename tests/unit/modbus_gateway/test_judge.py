"""Each reason for which a value is less than good, and what must not make it better. Register 100 of unit 11 is dot_quality."""

import itertools

import pytest
from gateway_story import Gateway, at, dot, interval, point, status, trajectory, upstream
from hypothesis import given, settings
from hypothesis import strategies as st

from dotbus.contracts.messages import Dot, DotInterval, OutboxSpan, Trajectory, WithdrawnBatch
from dotbus.contracts.quality import Level, Reason
from modbus_gateway.judge import hears_caiso, judge
from modbus_gateway.received import Problem

DOTS = [interval(300 * i, 10.0 + i) for i in range(12)]
PLANT = {"block": [{"profile": "plant", "unit_id": 11, "plants": ["sierra"]}]}
LIMIT_S = 90.0


@pytest.fixture
def gateway() -> Gateway:
    return Gateway(**PLANT)


def judged(gateway: Gateway, now_s: float):
    return judge(gateway.received, gateway.topics.dot("sierra", "SOLAR"), Dot, LIMIT_S, at(now_s))


def reasons(gateway: Gateway, now_s: float) -> set[Reason]:
    return set(judged(gateway, now_s).reasons)


def test_a_state_just_said_by_a_source_that_hears_caiso_is_good(gateway):
    gateway.hear(status(0), dot(*DOTS))
    assert judged(gateway, 3).quality().level is Level.GOOD
    assert judged(gateway, 3).age_s == 3


def test_never_received(gateway):
    assert reasons(gateway, 0) == {Reason.NEVER_RECEIVED}


def test_a_cleared_topic_says_nothing_any_more(gateway):
    gateway.hear(dot(*DOTS))
    gateway.hear_problem(None)
    assert reasons(gateway, 1) == {Reason.NEVER_RECEIVED}


def test_stale_when_caiso_was_not_heard_for_longer_than_the_limit(gateway):
    gateway.hear(dot(*DOTS))
    assert reasons(gateway, LIMIT_S) == set()
    assert reasons(gateway, LIMIT_S + 0.1) == {Reason.STALE}


def test_heartbeats_keep_an_unchanged_state_fresh(gateway):
    gateway.hear(dot(*DOTS), status(85))
    assert reasons(gateway, 170) == set()
    assert reasons(gateway, 176) == {Reason.STALE}


def test_a_heartbeat_of_another_source_confirms_nothing(gateway):
    gateway.hear(dot(*DOTS), status(85, instance="b"))
    assert reasons(gateway, 100) == {Reason.STALE}


def test_a_heartbeat_confirms_only_as_much_as_caiso_was_heard(gateway):
    gateway.hear(dot(*DOTS), status(85, upstreams=(upstream(20),)))
    assert judged(gateway, 100).age_s == 80
    gateway.hear(status(120, upstreams=()))
    assert reasons(gateway, 121) == {Reason.STALE}


def test_a_source_with_unpublished_events_confirms_nothing(gateway):
    waiting = OutboxSpan(stream="s", first_seq=1, last_seq=9, unpublished=1)
    gateway.hear(dot(*DOTS), status(85, outbox=waiting))
    assert reasons(gateway, 95) == {Reason.STALE}


def test_expired_when_no_interval_covers_now(gateway):
    gateway.hear(dot(interval(0, 10)), status(299))
    assert gateway.words(299, 11, 100, 2) == [Level.GOOD, 0]
    gateway.hear(status(300))
    assert gateway.words(300, 11, 100, 2) == [Level.BAD, 1 << 2]


def test_source_offline_is_uncertain_until_it_is_stale(gateway):
    gateway.hear(dot(*DOTS), status(10))
    gateway.hear(status(-3600, online=False, upstreams=()), at_s=12)
    assert reasons(gateway, 13) == {Reason.SOURCE_OFFLINE}
    assert judged(gateway, 13).quality().level is Level.UNCERTAIN
    assert judged(gateway, 13).age_s == 3
    assert reasons(gateway, 101) == {Reason.SOURCE_OFFLINE, Reason.STALE}


def test_source_failing(gateway):
    gateway.hear(dot(*DOTS), status(10, upstreams=(upstream(5, ok=False),)))
    assert reasons(gateway, 11) == {Reason.SOURCE_FAILING}


def test_broker_lost(gateway):
    gateway.hear(dot(*DOTS))
    gateway.received.turn(connected=False)
    assert reasons(gateway, 1) == {Reason.BROKER_LOST}


def test_invalid_until_something_decodable_comes(gateway):
    gateway.hear(dot(*DOTS))
    gateway.hear_problem(Problem.UNDECODABLE)
    assert reasons(gateway, 1) == {Reason.INVALID}
    gateway.hear_problem(Problem.WRONG_ENVIRONMENT)
    assert reasons(gateway, 1) == {Reason.INVALID}
    gateway.hear(dot(*DOTS, said_s=2))
    assert reasons(gateway, 3) == set()


def test_wrong_environment_is_never_a_value(gateway):
    gateway.hear_problem(Problem.WRONG_ENVIRONMENT)
    assert reasons(gateway, 1) == {Reason.WRONG_ENVIRONMENT}
    assert judged(gateway, 1).message is None


def test_wrong_environment_does_not_replace_a_value(gateway):
    gateway.hear(dot(*DOTS))
    gateway.hear_problem(Problem.WRONG_ENVIRONMENT)
    assert reasons(gateway, 1) == set()


@pytest.mark.parametrize(("offset_s", "doubtful"), [(1.9, False), (-1.9, False), (2.1, True), (-2.1, True)])
def test_clock_in_doubt_when_caisos_date_differs(gateway, offset_s, doubtful):
    gateway.hear(dot(*DOTS), status(5, upstreams=(upstream(5, clock_offset_s=offset_s),)))
    assert reasons(gateway, 6) == ({Reason.CLOCK_IN_DOUBT} if doubtful else set())


def test_clock_in_doubt_when_a_message_comes_from_the_future(gateway):
    gateway.hear(dot(*DOTS, said_s=10), at_s=0)
    assert reasons(gateway, 1) == {Reason.CLOCK_IN_DOUBT}
    assert judged(gateway, 1).age_s == 1


def test_a_heartbeat_from_the_future_puts_the_clock_in_doubt_at_once(gateway):
    gateway.hear(dot(*DOTS))
    gateway.hear(status(10), at_s=5)
    assert reasons(gateway, 6) == {Reason.CLOCK_IN_DOUBT}


def test_one_late_heartbeat_is_a_delay_three_are_a_wrong_clock(gateway):
    gateway.hear(dot(*DOTS))
    gateway.hear(status(0), at_s=5)
    gateway.hear(status(5), at_s=10)
    assert reasons(gateway, 11) == set()
    gateway.hear(status(10), at_s=15)
    assert reasons(gateway, 16) == {Reason.CLOCK_IN_DOUBT}
    gateway.hear(status(19), at_s=20)
    assert reasons(gateway, 21) == set()


def test_a_retained_heartbeat_says_nothing_about_clocks(gateway):
    gateway.hear(dot(*DOTS))
    for said_s in (-30, -20, -10):
        gateway.hear(status(said_s), at_s=0, retained=True)
    assert reasons(gateway, 1) == set()


def test_a_negative_age_is_in_doubt_and_shown_as_0(gateway):
    gateway.hear(dot(*DOTS, said_s=60))
    assert reasons(gateway, 30) == {Reason.CLOCK_IN_DOUBT}
    assert judged(gateway, 30).age_s == 0
    assert reasons(gateway, 60 - LIMIT_S - 1) == {Reason.CLOCK_IN_DOUBT, Reason.STALE}


def test_out_of_limits(gateway):
    gateway.hear(dot(interval(0, 101)))
    assert gateway.words(1, 11, 100, 2) == [Level.UNCERTAIN, 1 << 6]


def test_a_retained_state_is_as_old_as_it_was(gateway):
    gateway.hear(dot(*DOTS), at_s=600, retained=True)
    assert reasons(gateway, 600) == {Reason.STALE}
    assert judged(gateway, 600).age_s == 600


def test_hearing_a_state_again_does_not_make_it_younger(gateway):
    ahead = dot(*DOTS, said_s=500)
    gateway.hear(ahead, at_s=0)
    gateway.hear(ahead, at_s=80, retained=True)
    assert reasons(gateway, 91) == {Reason.STALE, Reason.CLOCK_IN_DOUBT}


def test_an_older_state_from_a_restored_broker_does_not_replace_a_newer_one(gateway):
    gateway.hear(dot(*DOTS, said_s=60))
    gateway.hear(dot(interval(0, 77), said_s=0), at_s=70, retained=True)
    assert judged(gateway, 71).message == dot(*DOTS, said_s=60)


def test_when_the_source_that_spoke_last_dies_the_other_one_counts(gateway):
    other = {"source": "ads_ingest/b"}
    gateway.hear(status(0), status(0, instance="b"), dot(*DOTS, said_s=1, **other), dot(*DOTS, said_s=2))
    assert judged(gateway, 3).message.source == "ads_ingest/a"
    gateway.hear(status(4, online=False, upstreams=()), status(5, instance="b"))
    assert judged(gateway, 6).message.source == "ads_ingest/b"
    assert judged(gateway, 6).quality().is_good


def test_the_words_of_many_dead_instances_are_forgotten(gateway):
    for i in range(50):
        gateway.hear(dot(*DOTS, said_s=i, source=f"ads_ingest/{i}"))
    assert [word.message.source for word in gateway.received.words(gateway.topics.dot("sierra", "SOLAR"))] == [
        f"ads_ingest/{i}" for i in range(46, 50)
    ]


def test_what_was_retracted_while_we_were_away_is_not_confirmed_by_heartbeats(gateway):
    gateway.hear(dot(*DOTS), status(0))
    gateway.received.turn(connected=False)
    gateway.received.turn(connected=True)
    for said_s in range(10, int(LIMIT_S) + 20, 10):
        gateway.hear(status(said_s))
    assert reasons(gateway, LIMIT_S) == set(), "as old as it was when it was said"
    assert reasons(gateway, LIMIT_S + 10) == {Reason.STALE}


def test_what_comes_again_after_a_reconnect_is_confirmed_as_before(gateway):
    gateway.hear(dot(*DOTS), status(0))
    gateway.received.turn(connected=False)
    gateway.received.turn(connected=True)
    gateway.hear(dot(*DOTS), at_s=5, retained=True)
    gateway.hear(status(LIMIT_S))
    assert reasons(gateway, LIMIT_S + 10) == set()


def test_polling_works_while_any_online_instance_hears_caiso(gateway):
    def works(now_s: float) -> bool:
        return hears_caiso(gateway.received, "ads_ingest", LIMIT_S, at(now_s))

    assert not works(0)
    gateway.hear(status(0), status(0, instance="b", upstreams=(upstream(0, ok=False),)))
    assert works(1)
    assert not works(LIMIT_S + 1)
    gateway.hear(status(100))
    assert works(101)
    gateway.received.turn(connected=False)
    assert not works(101)
    gateway.received.turn(connected=True)
    gateway.hear(status(102, online=False))
    assert not works(102)


def test_each_state_is_judged_by_its_own_upstream(gateway):
    dispatch, curve = upstream(85, name="ads_dispatch"), upstream(0, name="ads_trajectory", ok=False)
    gateway.hear(dot(*DOTS), trajectory(point(0, 10)), status(85, upstreams=(dispatch, curve)))
    assert reasons(gateway, 100) == set()
    judged_curve = judge(gateway.received, gateway.topics.trajectory("sierra", "SOLAR"), Trajectory, LIMIT_S, at(100))
    assert judged_curve.reasons == {Reason.SOURCE_FAILING, Reason.STALE}
    assert not hears_caiso(gateway.received, "ads_ingest", LIMIT_S, at(100))


def test_a_market_works_whatever_becomes_of_the_others(gateway):
    markets = (upstream(0, name="oasis_rtm"), upstream(0, name="oasis_dam", ok=False))
    gateway.hear(status(0, service="lmp_ingest", upstreams=markets))
    assert hears_caiso(gateway.received, "lmp_ingest", 900, at(1), "oasis_rtm")
    assert not hears_caiso(gateway.received, "lmp_ingest", 900, at(1), "oasis_dam")
    assert not hears_caiso(gateway.received, "lmp_ingest", 900, at(1))


def test_an_instance_that_has_not_yet_asked_caiso_does_not_work(gateway):
    gateway.hear(status(0, upstreams=()))
    assert not hears_caiso(gateway.received, "ads_ingest", LIMIT_S, at(1))


def test_a_trajectory_is_stale_when_no_new_one_came_although_caiso_is_heard(gateway):
    gateway.hear(trajectory(point(0, 10)), status(420))
    assert gateway.words(420, 11, 150, 2) == [Level.GOOD, 0]
    gateway.hear(status(421))
    assert gateway.words(421, 11, 150, 2) == [Level.BAD, 1 << 1]
    assert judge(gateway.received, gateway.topics.trajectory("sierra", "SOLAR"), Trajectory, LIMIT_S, at(421)).reasons == set()


STEP = st.one_of(
    st.tuples(st.just("state"), st.floats(-30, 30)),
    st.tuples(st.just("status"), st.floats(-30, 30)),
    st.tuples(st.just("again"), st.just(0.0)),
    st.tuples(st.just("broker"), st.just(0.0)),
)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.floats(0, 200), st.booleans(), STEP), max_size=12), st.floats(0.1, 5000))
def test_after_a_silence_longer_than_the_limit_nothing_is_good(story, beyond_s):
    """Whatever was said before, with clocks right or wrong, live or retained: silence makes it bad."""
    gateway = Gateway(block=[{"profile": "plant", "unit_id": 11, "plants": ["sierra"]}])
    now_s, last = 0.0, dot(*DOTS)
    for pause_s, retained, (what, skew_s) in story:
        now_s += pause_s
        if what == "state":
            last = dot(*DOTS, said_s=now_s + skew_s)
            gateway.hear(last, trajectory(said_s=now_s + skew_s), at_s=now_s, retained=retained)
        elif what == "status":
            gateway.hear(status(now_s + skew_s), at_s=now_s, retained=retained)
        elif what == "again":
            gateway.hear(last, at_s=now_s, retained=True)
        else:
            gateway.received.turn(connected=not gateway.received.connected)
    silent = now_s + LIMIT_S + beyond_s
    words = gateway.words(silent, 11, 100, 100)
    assert words[0] == words[20] == words[50] == Level.BAD
    values = [words[i : i + 2] for i in (2, 10, 22, 30, 34, 52, 54)]
    assert values == list(itertools.repeat([0x7FC0, 0], 7))


def shown_mw(gateway: Gateway, now_s: float) -> float | None:
    message = judged(gateway, now_s).message
    return message.intervals[0].dot_mw if message and message.intervals else None


def revised(dot_mw: float, revision_no: int) -> DotInterval:
    return interval(0, dot_mw, batch_uid="A", revision_no=revision_no)


def test_a_source_that_lags_behind_does_not_bring_an_older_revision_back(gateway):
    gateway.hear(dot(revised(24, 5), said_s=1, source="ads_ingest/fast"))
    gateway.hear(dot(revised(22, 3), said_s=5, source="ads_ingest/slow"))
    assert shown_mw(gateway, 6) == 24
    gateway.hear(dot(revised(25, 6), said_s=7, source="ads_ingest/slow"))
    assert shown_mw(gateway, 8) == 25


def test_a_source_that_lags_behind_does_not_bring_a_cancelled_dot_back(gateway):
    gone = WithdrawnBatch(batch_uid="A", until=at(300), revision_no=4)
    gateway.hear(dot(said_s=1, source="ads_ingest/fast", withdrawn=(gone,)))
    gateway.hear(dot(revised(22, 4), said_s=5, source="ads_ingest/slow"))
    assert shown_mw(gateway, 6) is None
    gateway.hear(dot(revised(23, 5), said_s=7, source="ads_ingest/slow"))
    assert shown_mw(gateway, 8) == 23, "a revision after the cancel"


def test_what_is_known_to_be_newer_counts_although_its_source_has_gone(gateway):
    gateway.hear(status(0, instance="fast"), status(0, instance="slow"))
    gateway.hear(dot(revised(24, 5), said_s=1, source="ads_ingest/fast"))
    gateway.hear(dot(revised(22, 3), said_s=5, source="ads_ingest/slow"))
    gateway.hear(status(6, instance="fast", online=False))
    assert shown_mw(gateway, 7) == 24
    assert reasons(gateway, 7) == {Reason.SOURCE_OFFLINE}


def test_of_two_trajectories_the_one_with_the_newer_batch_counts(gateway):
    newer, older = point(0, 20, batch_s=300), point(0, 10, batch_s=0)
    gateway.hear(trajectory(newer, said_s=301, source="ads_ingest/fast"))
    gateway.hear(trajectory(older, said_s=305, source="ads_ingest/slow"))
    found = judge(gateway.received, gateway.topics.trajectory("sierra", "SOLAR"), Trajectory, LIMIT_S, at(306))
    assert found.message.points == (newer,)
