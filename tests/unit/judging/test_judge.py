"""Each reason for which a value is less than good, and what must not make it better. Register 100 of unit 11 is dot_quality."""

import itertools
from datetime import timedelta

import pytest
from gateway_story import Gateway, at, dot, interval, lmp, point, price, status, trajectory, upstream, upstreams
from hypothesis import given, settings
from hypothesis import strategies as st

from dotbus.contracts.messages import DotInterval, WithdrawnBatch
from dotbus.contracts.quality import Level, Reason
from dotbus.judging.arrivals import Problem
from dotbus.judging.judge import Judged, Known, judge_dots, judge_prices, judge_trajectory
from dotbus.judging.vouching import hears_caiso

DOTS = [interval(300 * i, 10.0 + i) for i in range(12)]
PLANT = {"block": [{"profile": "plant", "unit_id": 11, "plants": ["sierra"]}]}
LIMIT_S = 90.0


@pytest.fixture
def gateway() -> Gateway:
    return Gateway(**PLANT)


def known(gateway: Gateway, now_s: float) -> Known[DotInterval]:
    return judge_dots(gateway.received, gateway.topics.dot("sierra", "SOLAR"), LIMIT_S, at(now_s))


def judged(gateway: Gateway, now_s: float) -> Judged[object]:
    return known(gateway, now_s).whole


def curve(gateway: Gateway, now_s: float):
    return judge_trajectory(gateway.received, gateway.topics.trajectory("sierra", "SOLAR"), LIMIT_S, at(now_s))


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


def test_a_state_that_is_said_again_with_a_later_hearing_is_as_fresh_as_that(gateway):
    gateway.hear(dot(*DOTS), dot(*DOTS, said_s=85))
    assert reasons(gateway, 170) == set()
    assert reasons(gateway, 176) == {Reason.STALE}


def test_heartbeats_make_no_state_younger(gateway):
    """They say that the source is there, not that what it said still holds: its say-again may be lost or held up."""
    gateway.hear(dot(*DOTS), status(85))
    assert judged(gateway, 86).age_s == 86
    assert reasons(gateway, 91) == {Reason.STALE}


def test_a_state_is_as_old_as_caiso_was_not_heard_however_late_it_was_said(gateway):
    gateway.hear(dot(*DOTS, said_s=85, heard_at=at(20)))
    assert judged(gateway, 100).age_s == 80
    assert reasons(gateway, 111) == {Reason.STALE}


def test_stale_when_its_source_does_not_vouch_for_it_any_more(gateway):
    gateway.hear(dot(*DOTS, valid_until=at(30)))
    assert reasons(gateway, 30) == set()
    assert reasons(gateway, 31) == {Reason.STALE}


def test_what_the_source_itself_knows_against_a_state_counts(gateway):
    gateway.hear(dot(*DOTS, reasons=("incomplete", "source_failing")))
    assert reasons(gateway, 1) == {Reason.INCOMPLETE, Reason.SOURCE_FAILING}
    gateway.hear(dot(*DOTS, said_s=2, reasons=("something of a later version",)))
    assert reasons(gateway, 3) == {Reason.INCOMPLETE}


def test_expired_when_no_interval_covers_now(gateway):
    gateway.hear(dot(interval(0, 10), said_s=299))
    assert gateway.words(299, 11, 100, 2) == [Level.GOOD, 0]
    assert gateway.words(300, 11, 100, 2) == [Level.BAD, 1 << 2]


def test_source_offline_is_uncertain_until_it_is_stale(gateway):
    gateway.hear(dot(*DOTS), status(10))
    gateway.hear(status(-3600, online=False, upstreams=()), at_s=12)
    assert reasons(gateway, 13) == {Reason.SOURCE_OFFLINE}
    assert judged(gateway, 13).quality().level is Level.UNCERTAIN
    assert judged(gateway, 13).age_s == 13
    assert reasons(gateway, 101) == {Reason.SOURCE_OFFLINE, Reason.STALE}


def test_source_failing(gateway):
    gateway.hear(dot(*DOTS), status(10, upstreams=upstreams(5, ok=False)))
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
    assert judged(gateway, 1).said is None


def test_wrong_environment_does_not_replace_a_value(gateway):
    gateway.hear(dot(*DOTS))
    gateway.hear_problem(Problem.WRONG_ENVIRONMENT)
    assert reasons(gateway, 1) == set()


@pytest.mark.parametrize(("offset_s", "doubtful"), [(1.9, False), (-1.9, False), (2.1, True), (-2.1, True)])
def test_clock_in_doubt_when_caisos_date_differs(gateway, offset_s, doubtful):
    gateway.hear(dot(*DOTS), status(5, upstreams=upstreams(5, clock_offset_s=offset_s)))
    assert reasons(gateway, 6) == ({Reason.CLOCK_IN_DOUBT} if doubtful else set())


def test_clock_in_doubt_when_a_message_comes_from_the_future(gateway):
    gateway.hear(dot(*DOTS, said_s=10), at_s=0)
    assert reasons(gateway, 1) == {Reason.CLOCK_IN_DOUBT}
    assert judged(gateway, 1).age_s == 1


def test_a_heartbeat_from_the_future_puts_the_clock_in_doubt_at_once(gateway):
    gateway.hear(dot(*DOTS))
    gateway.hear(status(10), at_s=5)
    gateway.hear(dot(*DOTS, said_s=6))
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


def test_until_a_live_heartbeat_has_come_the_clock_is_in_doubt(gateway):
    """Which interval is in force depends on it."""
    gateway.hear(status(-3), at_s=-1, retained=True)
    gateway.hear(dot(*DOTS))
    assert reasons(gateway, 1) == {Reason.CLOCK_IN_DOUBT}
    gateway.hear(status(2))
    assert reasons(gateway, 3) == set()


def test_a_state_of_a_source_that_never_said_that_it_is_there_is_in_doubt(gateway):
    gateway.hear(dot(*DOTS))
    gateway.received.sources.clear()
    assert reasons(gateway, 1) == {Reason.CLOCK_IN_DOUBT}


@pytest.mark.parametrize("ahead_s", [-80, -60, 60, 80])
def test_a_wrong_clock_of_ours_shows_no_neighbours_dot_as_good(gateway, ahead_s):
    """At start, by retained messages, and after the first heartbeat; `ahead_s` is our clock minus the truth."""
    gateway.hear(status(0), at_s=ahead_s, retained=True)
    gateway.hear(dot(*DOTS), at_s=ahead_s + 1, retained=True)
    assert judged(gateway, ahead_s + 2).quality().level is not Level.GOOD
    gateway.hear(status(3), at_s=ahead_s + 3)
    assert judged(gateway, ahead_s + 4).quality().level is not Level.GOOD


@pytest.mark.parametrize("step_s", [-80, 80])
def test_after_a_step_of_our_clock_nothing_is_good_until_a_heartbeat_shows_that_clocks_agree(gateway, step_s):
    gateway.hear(dot(*DOTS))
    gateway.received.clock_stepped(timedelta(seconds=step_s))
    assert Reason.CLOCK_IN_DOUBT in reasons(gateway, 1 + step_s)
    gateway.hear(status(2), at_s=2 + step_s)
    assert Reason.CLOCK_IN_DOUBT in reasons(gateway, 3 + step_s)
    gateway.received.clock_stepped(timedelta(seconds=-step_s))
    gateway.hear(status(5))
    assert reasons(gateway, 6) == set()


def test_when_the_clock_of_one_machine_is_set_back_what_an_ingest_on_it_says_next_counts(gateway):
    """Its heartbeats agree with us as before; only CAISO's Date tells that both clocks are wrong now."""
    gateway.hear(status(0), dot(*DOTS))
    gateway.received.clock_stepped(timedelta(seconds=-70))
    gateway.hear(status(-69.5, upstreams=upstreams(-69.5, clock_offset_s=70.0)))
    assert Reason.CLOCK_IN_DOUBT in reasons(gateway, 5)


def test_after_a_step_of_our_clock_an_age_counts_on(gateway):
    gateway.hear(status(0), dot(*DOTS))
    gateway.received.clock_stepped(timedelta(seconds=-70))
    gateway.hear(status(15))
    assert Reason.STALE in reasons(gateway, 21)  # 91 s later


def test_a_retained_heartbeat_says_nothing_about_clocks(gateway):
    gateway.hear(dot(*DOTS))
    for said_s in (-30, -20, -10):
        gateway.hear(status(said_s), at_s=0, retained=True)
    assert reasons(gateway, 1) == set()


def test_a_source_whose_clock_is_ahead_makes_nothing_younger(gateway):
    """It says "CAISO answered now" by a clock an hour ahead, and then CAISO is silent."""
    hour = 3600
    gateway.hear(status(hour), at_s=0)
    gateway.hear(dot(*DOTS, said_s=hour), at_s=0)
    gateway.hear(status(hour + 200, upstreams=upstreams(hour)), at_s=200)
    gateway.hear(dot(*DOTS, said_s=hour + 200, heard_at=at(hour)), at_s=200)
    assert judged(gateway, 201).age_s == 201
    assert Reason.STALE in reasons(gateway, 201)
    assert not hears_caiso(gateway.received, "ads_ingest", LIMIT_S, at(201))


def test_a_live_state_that_was_said_long_ago_is_as_old_as_it_says(gateway):
    gateway.hear(dot(*DOTS, said_s=-3600), at_s=0)
    assert reasons(gateway, 1) == {Reason.STALE}


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


@pytest.mark.parametrize("retained", [True, False])
def test_an_older_state_does_not_replace_a_newer_one_however_late_it_comes(gateway, retained):
    gateway.hear(dot(*DOTS, said_s=60))
    gateway.hear(dot(interval(0, 77), said_s=0), at_s=70, retained=retained)
    assert shown_mw(gateway, 71) == 10


def test_when_the_source_that_spoke_last_dies_the_other_one_counts(gateway):
    gateway.hear(status(0), status(0, instance="b"), dot(*DOTS, said_s=1, source="ads_ingest/b"), dot(*DOTS, said_s=2))
    gateway.hear(status(4, online=False, upstreams=()), status(5, instance="b"))
    assert judged(gateway, 6).said.source == "ads_ingest/b"
    assert judged(gateway, 6).quality().is_good
    assert all(part.quality().is_good for part in known(gateway, 6).parts)


def test_the_words_of_many_dead_instances_are_forgotten(gateway):
    for i in range(50):
        gateway.hear(dot(*DOTS, said_s=i, source=f"ads_ingest/{i}"))
    statements = gateway.received.statements(gateway.topics.dot("sierra", "SOLAR"))
    assert {statement.message.source for statement in statements} == {f"ads_ingest/{i}" for i in range(18, 50)}


def reconnect(gateway: Gateway) -> None:
    gateway.received.turn(connected=False)
    gateway.received.turn(connected=True)


def test_what_was_not_said_again_since_a_reconnect_is_in_doubt_until_it_is(gateway):
    """It may have been retracted while we were away, and nobody tells us."""
    gateway.hear(dot(*DOTS), status(0))
    reconnect(gateway)
    gateway.hear(status(10))
    assert reasons(gateway, 11) == {Reason.BROKER_LOST}
    assert Reason.STALE in reasons(gateway, LIMIT_S + 1)
    gateway.hear(dot(*DOTS, said_s=LIMIT_S + 2))
    assert reasons(gateway, LIMIT_S + 3) == set()


def test_a_reconnect_alone_makes_nothing_good(gateway):
    """The broker came back without its memory, and the ingests are gone."""
    gateway.hear(dot(*DOTS), status(0))
    reconnect(gateway)
    assert reasons(gateway, 1) == {Reason.BROKER_LOST, Reason.CLOCK_IN_DOUBT}
    assert not hears_caiso(gateway.received, "ads_ingest", LIMIT_S, at(1))


def test_what_comes_again_after_a_reconnect_is_believed_as_before(gateway):
    gateway.hear(dot(*DOTS), status(0))
    reconnect(gateway)
    gateway.hear(dot(*DOTS), status(0), at_s=5, retained=True)
    assert reasons(gateway, 6) == set()
    assert reasons(gateway, LIMIT_S + 1) == {Reason.STALE}


def test_a_state_that_was_said_before_it_was_retracted_does_not_come_back(gateway):
    gateway.hear(dot(*DOTS, said_s=1))
    gateway.hear_problem(None, at_s=5)
    gateway.hear(dot(*DOTS, said_s=2), at_s=6)
    assert reasons(gateway, 7) == {Reason.NEVER_RECEIVED}
    gateway.hear(dot(*DOTS, said_s=8))
    assert reasons(gateway, 9) == set()


def test_polling_works_while_any_online_instance_hears_caiso(gateway):
    def works(now_s: float) -> bool:
        return hears_caiso(gateway.received, "ads_ingest", LIMIT_S, at(now_s))

    assert not works(0)
    gateway.hear(status(0), status(0, instance="b", upstreams=upstreams(0, ok=False)))
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
    dispatch, of_curves = upstream(85, name="ads_dispatch"), upstream(0, name="ads_trajectory", ok=False)
    gateway.hear(dot(*DOTS, said_s=85), trajectory(point(0, 10)), status(85, upstreams=(dispatch, of_curves)))
    assert reasons(gateway, 100) == set()
    assert curve(gateway, 100).reasons == {Reason.SOURCE_FAILING, Reason.STALE}
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


def test_a_trajectory_is_as_old_as_its_newest_batch_at_caiso_however_well_caiso_is_heard(gateway):
    def hear(said_s: float) -> None:
        gateway.hear(trajectory(point(0, 10), point(900, 10), said_s=said_s))

    hear(420)
    assert gateway.words(420, 11, 150, 2) == [Level.GOOD, 0]
    assert gateway.words(420, 11, 158, 1) == [420]
    hear(421)
    assert gateway.words(421, 11, 150, 2) == [Level.BAD, 1 << 1]
    assert curve(gateway, 421).reasons == set()


def test_a_curve_is_over_after_its_last_target(gateway):
    gateway.hear(trajectory(point(0, 10), point(60, 12), said_s=0))
    assert gateway.words(60, 11, 150, 2) == [Level.GOOD, 0]
    assert gateway.words(61, 11, 150, 4) == [Level.BAD, 1 << 2, 0x7FC0, 0]


def test_a_curve_three_hours_old_is_bad_after_a_fresh_start(gateway):
    """The ingest was started anew, fetched it now, and says now that CAISO answered now."""
    gateway.hear(trajectory(point(-10800, 16, batch_s=-10800), said_s=0))
    assert gateway.words(1, 11, 150, 2) == [Level.BAD, 1 << 1 | 1 << 2]


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
    intervals = [part.said for part in known(gateway, now_s).parts]
    return min(intervals, key=lambda found: found.interval_start).dot_mw if intervals else None


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
    assert known(gateway, 7).parts[0].reasons == {Reason.SOURCE_OFFLINE}


def test_an_older_revision_in_a_later_state_of_the_same_source_does_not_count(gateway):
    """An ingest that was set back to an older copy of its files, or a CAISO that lists an older revision."""
    gateway.hear(dot(revised(24, 2), said_s=1), dot(revised(22, 1), said_s=5))
    assert shown_mw(gateway, 6) == 24


def test_a_batch_that_only_the_other_source_knows_counts(gateway):
    """An exceptional dispatch, which the one that spoke last has not yet fetched."""
    exceptional = interval(0, 5, batch_uid="X", instruction_uid="X", batch_type=4, batch_received_at=at(0))
    ordinary = interval(0, 40, batch_received_at=at(-150))
    gateway.hear(status(0, instance="fast"), status(0, instance="slow"))
    gateway.hear(dot(ordinary, exceptional, said_s=1, source="ads_ingest/fast"))
    gateway.hear(dot(ordinary, said_s=5, source="ads_ingest/slow"))
    assert gateway.words(6, 11, 100, 4) == [Level.GOOD, 0, 0x40A0, 0]


def test_two_sources_that_contradict_each_other_about_one_dot_are_in_doubt(gateway):
    gateway.hear(status(0, instance="a"), status(0, instance="b"))
    gateway.hear(dot(revised(24, 2), said_s=1, source="ads_ingest/a"), dot(revised(22, 2), said_s=2, source="ads_ingest/b"))
    assert gateway.words(3, 11, 100, 2) == [Level.UNCERTAIN, 1 << 10]


@given(st.permutations([(1, 1), (2, 1), (2, 2), (3, 3), (4, 2)]), st.data())
def test_in_whatever_order_states_come_the_highest_revision_counts(said, data):
    """Each is a state said at a time, with a revision; they come late, twice, and of two sources."""
    gateway = Gateway(**PLANT)
    for said_s, revision_no in said * 2:
        source = data.draw(st.sampled_from(["ads_ingest/a", "ads_ingest/b"]))
        gateway.hear(dot(revised(10 * revision_no, revision_no), said_s=said_s, source=source), at_s=10)
    assert shown_mw(gateway, 11) == 30


def test_of_two_trajectories_the_one_with_the_newer_batch_counts(gateway):
    newer, older = point(0, 20, batch_s=300), point(0, 10, batch_s=0)
    gateway.hear(trajectory(newer, said_s=301, source="ads_ingest/fast"))
    gateway.hear(trajectory(older, said_s=305, source="ads_ingest/slow"))
    assert curve(gateway, 306).said.points == (newer,)


def test_a_source_that_lags_behind_does_not_bring_an_older_curve_back(gateway):
    newer, older = point(600, 20, batch_s=300), point(600, 10, batch_s=0)
    gateway.hear(trajectory(newer, said_s=301), trajectory(older, said_s=305))
    assert curve(gateway, 306).said.points == (newer,)


def test_of_two_prices_the_one_fetched_last_counts_whoever_says_it(gateway):
    gateway.hear(lmp(price(0, 41.0, fetched_s=60), said_s=61, source="lmp_ingest/fast"))
    gateway.hear(lmp(price(0, 40.0, fetched_s=0), said_s=65, source="lmp_ingest/slow"))
    prices = judge_prices(gateway.received, gateway.topics.lmp("RTM", "NODE1"), LIMIT_S, at(66))
    assert [part.said.lmp_usd_per_mwh for part in prices.parts] == [41.0]


def test_a_price_of_another_day_is_not_good(gateway):
    gateway.hear(lmp(price(40 * 86400, 41.0)))
    prices = judge_prices(gateway.received, gateway.topics.lmp("RTM", "NODE1"), LIMIT_S, at(1))
    assert [part.reasons for part in prices.parts] == [{Reason.INVALID}]


def test_an_instance_that_two_processes_speak_for_does_not_work(gateway):
    gateway.hear(status(1, started_at=at(0)))
    assert hears_caiso(gateway.received, "ads_ingest", LIMIT_S, at(2))
    gateway.hear(status(3, started_at=at(-100)))
    assert not hears_caiso(gateway.received, "ads_ingest", LIMIT_S, at(4))


def test_when_our_clock_is_set_two_processes_count_as_long_as_before(gateway):
    gateway.hear(status(1, started_at=at(0)), status(3, started_at=at(-100)), dot(*DOTS, said_s=3))
    gateway.received.clock_stepped(timedelta(seconds=-40))
    assert Reason.SOURCE_FAILING in reasons(gateway, 23)
    assert Reason.SOURCE_FAILING not in reasons(gateway, 24)
