"""The loop against scripted replies, with a real outbox: what is kept, said, counted, and survived."""

from datetime import timedelta
from itertools import cycle, pairwise
from pathlib import Path

import pytest
import structlog
from oasis_recordings import recorded, zipped
from oasis_story import BEGIN, FIVE, ScriptedOasis, published, table

from caiso.oasis import Bounds, Market, Question, Unreachable, midnight, trade_day
from dotbus.contracts.messages import Environment
from lmp_ingest.caiso import Caiso

NOTHING = zipped(e__xml=recorded("error_1000_no_data.xml"))


def test_prices_become_events_states_and_a_cursor(story) -> None:
    one = story()
    one.oasis.answer = published(lambda: one.now)
    one.run(10)

    state = one.state(Market.RTM, "N1")
    assert [event.seq for event in one.events()] == list(range(1, len(one.events()) + 1))
    assert len(one.events()) == 24 * 12 + 2, "a day back, the interval that runs and the one ahead"
    assert state.active.interval_start == BEGIN
    assert state.published.interval_start == BEGIN + FIVE
    assert one.outbox.cursors() == {"RTM": (BEGIN + 2 * FIVE).isoformat()}
    assert one.health(Market.RTM).ok
    assert one.health(Market.RTM).clock_offset_s == 0.25


def test_what_an_answer_brings_is_one_line_in_the_log_and_nothing_new_is_none(story) -> None:
    one = story()
    one.oasis.answer = published(lambda: one.now)
    with structlog.testing.capture_logs() as log:
        one.run(10)
        one.run(300)
    told = [line for line in log if line["event"] == "prices"]
    assert [line["market"] for line in told] == ["RTM"] * len(told)
    assert [line["until"] for line in told] == sorted({line["until"] for line in told}), "each goes further than the one before"
    assert told[-1]["since"] == (BEGIN + 2 * FIVE).isoformat()


def test_reading_the_same_prices_again_stores_nothing_and_an_interval_s_turn_says_the_next_price(story) -> None:
    one = story()
    one.oasis.answer = published(lambda: BEGIN)
    one.run(10)
    stored = len(one.events())

    one.run(290)
    assert one.state(Market.RTM, "N1").active.interval_start == BEGIN
    one.run(1.5)

    assert len(one.oasis.asked) > 9
    assert len(one.events()) == stored
    assert one.state(Market.RTM, "N1").active is None, "the last published interval is over"
    assert one.state(Market.RTM, "N1").published.interval_start == BEGIN


def test_no_request_begins_before_a_clock_that_nobody_sets_lets_it() -> None:
    oasis, order = ScriptedOasis(lambda: BEGIN), list[str]()
    oasis.answer = lambda question: (order.append("asked"), published(lambda: BEGIN)(question))[1]
    caiso = Caiso(oasis, Bounds(), begin=lambda: order.append("waited"))
    for _ in range(2):
        caiso.fetch_prices(Question(Market.RTM, ("N1",), BEGIN - FIVE, BEGIN))

    assert order == ["waited", "asked"] * 2


def test_what_oasis_answers_slowly_counts_as_of_when_it_was_asked(story) -> None:
    one = story()
    good = published(lambda: BEGIN)

    def slowly(question: Question) -> bytes:
        one.now += timedelta(seconds=52)
        return good(question)

    one.oasis.answer = slowly
    while not one.oasis.asked:
        one.run(1)
    (asked_at, _), state = one.oasis.asked[0], one.state(Market.RTM, "N1")
    assert one.now - asked_at >= timedelta(seconds=52)
    assert {state.heard_at, state.published.fetched_at, one.health(Market.RTM).last_ok_at} == {asked_at}
    assert {event.fetched_at for event in one.events()} == {asked_at}


def test_a_five_minute_price_is_here_soon_after_it_is_published_once_it_is_known_when_that_is(story) -> None:
    one = story()
    begun = BEGIN

    def published_late(question: Question) -> bytes:
        """Each interval's price comes 100 s before it begins."""
        return published(lambda: one.now + timedelta(seconds=100) - FIVE)(question)

    one.oasis.answer = published_late
    late = {}
    while one.now < begun + timedelta(hours=1):
        one.run(1)
        newest = one.state(Market.RTM, "N1")
        if newest:
            start = newest.published.interval_start
            late.setdefault(start, (one.now - (start - timedelta(seconds=100))).total_seconds())

    soon = [late[start] for start in sorted(late)[3:]]
    assert len(soon) > 8
    assert max(soon) <= 8, f"published to state, seconds: {soon}"
    assert len(one.oasis.asked) < 3600 / 30 * 1.5


def test_a_price_that_caiso_corrects_days_later_is_found_within_a_day_and_alone_said_again(story) -> None:
    one = story(corrections_far_back_days=7)
    one.oasis.answer = published(lambda: BEGIN)
    one.leap(120, 10)
    known, corrected = len(one.events()), BEGIN - timedelta(days=5)

    def with_correction(question: Question) -> bytes:
        starts = [question.start + number * FIVE for number in range((question.end - question.start) // FIVE)]
        return table(Market.RTM, [(at, "N1", "LMP", 99.0 if at == corrected else 10.0) for at in starts if at <= BEGIN])

    one.oasis.answer = with_correction
    one.leap(23 * 3600, 60)
    assert len(one.events()) == known
    one.leap(2 * 3600, 60)

    (news,) = one.events()[known:]
    assert (news.interval_start, news.lmp_usd_per_mwh) == (corrected, (99.0,))


def test_requests_keep_their_distance_from_start_to_start_over_all_markets_and_after_errors(story) -> None:
    one = story(tuple(Market), tuple(f"N{number}" for number in range(25)))
    good = published(lambda: one.now)
    answers = cycle([good, lambda _: recorded("error_429_throttle_body.html"), lambda _: b"PK broken", good])

    def by_turns(question: Question) -> bytes:
        return next(answers)(question)

    one.oasis.answer = by_turns
    one.run(600)

    starts = [at for at, _ in one.oasis.asked]
    assert starts[0] - BEGIN >= timedelta(seconds=6)
    assert min(after - before for before, after in pairwise(starts)) >= timedelta(seconds=6)
    assert len(starts) > 20
    assert all(len(question.nodes) <= 10 for _, question in one.oasis.asked)


def test_a_correction_is_a_new_event_and_changes_the_state(story) -> None:
    one = story()
    one.oasis.answer = published(lambda: BEGIN, 10.0)
    one.run(10)
    one.oasis.answer = published(lambda: BEGIN, 11.0)
    before = len(one.events())
    one.run(30)

    assert one.state(Market.RTM, "N1").active.lmp_usd_per_mwh == 11.0
    assert len(one.events()) > before
    assert len({event.id for event in one.events()}) == len(one.events())
    assert one.count("corrections_total", Market.RTM) == len(one.events()) - before


def test_a_correction_of_long_ago_is_found_by_the_wide_window(story) -> None:
    one = story()
    corrected = BEGIN - timedelta(hours=10)
    one.oasis.answer = published(lambda: BEGIN)
    one.run(60)
    usual = one.oasis.answer
    one.oasis.answer = lambda question: (
        table(Market.RTM, [(corrected, "N1", "LMP", 99.0)]) if question.start <= corrected else usual(question)
    )
    one.run(3700)

    assert [event.lmp_usd_per_mwh for event in one.events() if event.interval_start == corrected] == [(10.0,), (99.0,)]


def test_after_a_restart_nothing_is_told_twice_and_the_outage_is_bridged(story) -> None:
    one = story()
    one.oasis.answer = published(lambda: one.now)
    one.run(10)
    one.now += timedelta(hours=3)
    one.restart()

    assert one.state(Market.RTM, "N1") is not None
    one.run(10)

    starts = [event.interval_start for event in one.events()]
    assert len(starts) == len(set(starts)) == 24 * 12 + 2 + 36
    assert sorted(starts) == [min(starts) + number * FIVE for number in range(len(starts))], "no interval is missing"


def test_a_price_that_is_set_back_after_a_restart_is_told_again(story) -> None:
    one, prices = story(), {"mwh": 10.0}

    def answer(question: Question) -> bytes:
        starts = [BEGIN - number * FIVE for number in range(3)]
        return table(question.market, [(start, "N1", "LMP", prices["mwh"]) for start in starts])

    one.oasis.answer = answer
    for value in (10.0, 20.0, None, 20.0, 10.0):
        if value is None:
            one.restart()
            continue
        prices["mwh"] = value
        one.run(120)

    told = [event.lmp_usd_per_mwh for event in one.events() if event.interval_start == BEGIN - FIVE]
    assert told == [(10.0,), (20.0,), (10.0,)]


def test_the_state_of_before_a_restart_turns_with_the_interval_although_caiso_is_away(story) -> None:
    one = story()
    one.oasis.answer = published(lambda: one.now)
    one.run(10)
    heard_at = one.state(Market.RTM, "N1").heard_at

    def away(_: Question) -> bytes:
        raise Unreachable("no route to host")

    one.oasis.answer = away
    one.restart()
    one.run(FIVE.total_seconds())

    state = one.state(Market.RTM, "N1")
    assert state.active.interval_start == BEGIN + FIVE
    assert state.heard_at == heard_at, "CAISO was not heard since"
    assert not one.health(Market.RTM).ok


def test_a_fault_is_logged_and_quarantined_once_while_it_lasts(story, capsys: pytest.CaptureFixture[str]) -> None:
    one = story()
    one.oasis.answer = lambda _: b"PK\x03\x04 and no more"
    one.run(600)

    assert len(one.oasis.asked) > 4
    assert one.count("failures_total", Market.RTM, kind="Malformed") == len(one.oasis.asked)
    assert [path.read_bytes() for path in one.quarantined()] == [b"PK\x03\x04 and no more"]
    assert capsys.readouterr().out.count("no prices") == 1
    assert one.events() == []
    assert one.state(Market.RTM, "N1") is None
    health = one.health(Market.RTM)
    assert (health.ok, health.last_ok_at) == (False, None)
    assert "not a zip" in health.last_error


def test_a_permanent_error_of_one_market_does_not_stop_the_others(story) -> None:
    one = story((Market.DAM, Market.RTM))
    good = published(lambda: one.now)
    refused = recorded("error_1000_no_data.xml").replace(b">1000<", b">1020<")
    one.oasis.answer = lambda question: zipped(e__xml=refused) if question.market is Market.DAM else good(question)
    one.run(600)

    asked = [question.market for _, question in one.oasis.asked]
    assert asked.count(Market.DAM) == 1
    assert asked.count(Market.RTM) >= 15
    assert (one.health(Market.DAM).ok, one.health(Market.RTM).ok) == (False, True)
    assert "1020" in one.health(Market.DAM).last_error


@pytest.mark.parametrize(
    ("back_h", "trouble"),
    [(1.0, None), (2.0, "OASIS error 1000: no data: prices that should be there: is a node's name wrong?")],
)
def test_no_data_yet_is_an_answer_and_no_data_where_there_must_be_is_a_failure(
    story, back_h: float, trouble: str | None
) -> None:
    one = story(lookback_h=back_h, corrections_back_h=back_h)
    one.oasis.answer = lambda _: NOTHING
    one.run(60)

    health = one.health(Market.RTM)
    assert (health.ok, health.last_error) == (trouble is None, trouble), "what is an hour old need not be there yet"


@pytest.mark.parametrize("market", Market)
@pytest.mark.parametrize("restarts", [False, True])
def test_no_data_of_what_was_given_before_is_a_failure_at_once_and_asked_for_again_soon(
    story,
    market: Market,
    restarts: bool,  # noqa: FBT001
) -> None:
    one = story((market,))
    good = published(lambda: one.now)
    one.oasis.answer = good
    one.run(30)
    heard_at = one.state(market, "N1").heard_at
    one.oasis.answer = lambda _: NOTHING
    if restarts:
        one.restart()
    one.run(700)

    health, state = one.health(market), one.state(market, "N1")
    assert not health.ok
    assert health.last_error == "OASIS error 1000: no data: prices that it gave before"
    assert (state.heard_at, state.reasons) == (heard_at, ("source_failing",))
    one.oasis.answer = good
    one.run(310)
    assert one.health(market).ok
    assert one.state(market, "N1").reasons == ()


def test_no_data_of_one_group_s_prices_is_told_and_doubts_no_other(story) -> None:
    one = story(nodes=tuple(f"N{number}" for number in range(12)))
    good = published(lambda: one.now)
    one.oasis.answer = good
    one.run(60)
    one.oasis.answer = lambda question: NOTHING if "N11" in question.nodes else good(question)
    one.run(60)

    health = one.health(Market.RTM)
    assert health.ok
    assert health.complaints == ("nothing is heard of N10, N11: OASIS error 1000: no data: prices that it gave before",)
    assert one.state(Market.RTM, "N11").reasons == ("source_failing",)
    assert one.state(Market.RTM, "N0").reasons == ()


def test_an_answer_without_a_price_that_was_given_and_still_counts_is_told_and_its_node_in_doubt(
    story, capsys: pytest.CaptureFixture[str]
) -> None:
    one = story(nodes=("N1", "N2"))
    good = published(lambda: one.now)
    one.oasis.answer = good
    one.run(60)
    one.oasis.answer = published(lambda: BEGIN - 2 * FIVE)  # without the interval that runs
    one.run(120)

    assert one.health(Market.RTM).ok
    assert one.health(Market.RTM).complaints == ("CAISO has no more what it gave of N1, N2",)
    assert one.state(Market.RTM, "N1").reasons == ("incomplete",)
    assert one.state(Market.RTM, "N1").active.interval_start == BEGIN, "CAISO's last word stays"
    assert capsys.readouterr().out.count("prices that were given are not any more") == 1
    one.oasis.answer = good
    one.run(60)
    assert one.health(Market.RTM).complaints == ()
    assert one.state(Market.RTM, "N1").reasons == ()


def test_tomorrow_s_prices_that_are_not_out_yet_doubt_nothing_and_those_that_were_out_do(story) -> None:
    one = story((Market.DAM,))
    one.oasis.answer = published(lambda: midnight(trade_day(one.now) + timedelta(days=1)) - FIVE)
    one.run(1200)
    assert one.state(Market.DAM, "N1").reasons == one.health(Market.DAM).complaints == ()

    today = one.oasis.answer
    one.oasis.answer = published(lambda: midnight(trade_day(one.now) + timedelta(days=2)) - FIVE)
    one.run(1200)
    one.oasis.answer = today
    one.run(1200)
    assert one.state(Market.DAM, "N1").reasons == ("incomplete",)
    assert one.health(Market.DAM).complaints == ("CAISO has no more what it gave of N1",)


def test_a_doubtful_price_is_published_and_counted_once_a_contradictory_one_is_left_out(story) -> None:
    one = story(nodes=("N1", "N2"))
    rows = [(BEGIN, "N1", kind, value) for kind, value in (("LMP", 30.0), ("MCE", 20.0), ("MCC", 1.0), ("MCL", 1.0))]
    rows += [(BEGIN, "N2", "LMP", 5.0), (BEGIN, "N2", "LMP", 6.0)]
    one.oasis.answer = lambda _: table(Market.RTM, rows)
    one.run(100)

    assert one.state(Market.RTM, "N1").active.lmp_usd_per_mwh == 30.0
    assert one.state(Market.RTM, "N2") is None
    assert {event.nodes for event in one.events()} == {("N1",)}
    assert len(one.oasis.asked) > 2
    assert one.count("doubts_total", Market.RTM) == 1
    assert one.count("contradictions_total", Market.RTM) == 1
    assert len(one.quarantined()) == 1


def test_prices_of_another_market_or_node_are_not_published(story) -> None:
    one = story()
    one.oasis.answer = lambda _: table(Market.RTPD, [(BEGIN, "N1", "LMP", 5.0)])
    one.run(10)
    one.oasis.answer = lambda _: table(Market.RTM, [(BEGIN, "N2", "LMP", 5.0)])
    one.run(60)

    assert one.events() == []
    assert one.state(Market.RTM, "N1") is None
    assert len(one.quarantined()) == 2


def test_recovery_ends_the_failure_and_the_next_one_is_reported_again(story, capsys: pytest.CaptureFixture[str]) -> None:
    one = story()
    one.oasis.status = 503
    one.run(30)
    assert one.health(Market.RTM).last_error == "HTTP status 503"
    one.oasis.status, one.oasis.answer = 200, published(lambda: one.now)
    one.run(60)
    assert one.health(Market.RTM).ok
    one.oasis.status = 503
    one.run(60)

    told = capsys.readouterr().out
    assert (told.count("no prices"), told.count("answered again")) == (2, 1)


def test_a_failing_group_of_nodes_is_named_and_doubts_no_other(story) -> None:
    one = story(nodes=tuple(f"N{number}" for number in range(12)))
    good = published(lambda: one.now)
    one.oasis.answer = lambda question: b"" if "N11" in question.nodes else good(question)
    one.run(60)

    health = one.health(Market.RTM)
    assert health.ok, "or gateways would doubt the ten others"
    assert any("N10, N11: an empty reply" in complaint for complaint in health.complaints)
    assert one.state(Market.RTM, "N0").active is not None
    assert one.state(Market.RTM, "N0").reasons == ()
    assert one.state(Market.RTM, "N11") is None


def test_how_late_a_price_comes_is_measured(story) -> None:
    one = story()
    one.oasis.answer = published(lambda: one.now - timedelta(minutes=7))
    one.run(700)

    assert 0 < one.count("price_lag_seconds", Market.RTM) <= 180


def test_a_disk_that_keeps_nothing_is_told_once_publishes_nothing_loses_nothing_and_passes(
    story, capsys: pytest.CaptureFixture[str]
) -> None:
    one = story()
    one.oasis.answer = published(lambda: one.now)
    one.run(10)
    asked = len(one.oasis.asked)
    for table_name in ("event", "state", "cursor"):  # a bound on its pages would leave room in those that are there
        one.outbox._database.execute(
            f"CREATE TRIGGER full_{table_name} BEFORE INSERT ON {table_name} "
            "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    before = len(one.events())
    one.run(3600)
    in_vain = len(one.oasis.asked) - asked
    health, kept = one.health(Market.RTM), len(one.events())
    assert (health.ok, health.last_error) == (False, "outbox: database or disk is full")
    assert 0 < in_vain < 40, "a pause that grows"
    assert capsys.readouterr().out.count("the outbox keeps nothing") == 1

    for table_name in ("event", "state", "cursor"):
        one.outbox._database.execute(f"DROP TRIGGER full_{table_name}")
    one.run(90)  # far less than the pause that it grew to
    assert one.health(Market.RTM).ok
    starts = {event.interval_start for event in one.events()}
    assert before <= kept < len(one.events())
    assert starts == {BEGIN - 24 * 12 * FIVE + number * FIVE for number in range(len(starts))}, "no interval is missing"
    assert max(starts) >= BEGIN + timedelta(hours=1)


def test_what_is_followed_no_more_is_retracted_and_comes_back_when_it_is_followed_again(story, tmp_path: Path) -> None:
    one = story(nodes=("N1", "N2"))
    one.oasis.answer = published(lambda: one.now)
    one.run(10)
    topic = one.installation.topics.lmp(Market.RTM, "N2")
    one.outbox.close()
    without = story(nodes=("N1",))
    assert without.outbox.states().keys() == {one.installation.topics.lmp(Market.RTM, "N1")}
    assert without.outbox.state_payloads([topic]) == {topic: b""}
    without.outbox.close()
    again = story(nodes=("N1", "N2"))
    again.oasis.answer = published(lambda: again.now)
    again.run(20)
    assert again.state(Market.RTM, "N2") is not None


def test_prices_of_another_environment_are_not_taken_up(story) -> None:
    one = story()
    one.oasis.answer = published(lambda: one.now)
    one.run(10)
    one.installation = one.installation.model_copy(update={"environment": Environment.PRODUCTION})
    one.oasis.status = 503
    one.restart()
    one.run(10 * 60)
    assert one.state(Market.RTM, "N1") is None


def test_a_clock_that_is_set_back_does_not_silence_the_loop(story) -> None:
    one = story()
    one.oasis.answer = published(lambda: one.now)
    one.run(60)
    asked = len(one.oasis.asked)
    one.now -= timedelta(hours=2)
    one.run(60)

    assert len(one.oasis.asked) >= asked + 2
    assert one.state(Market.RTM, "N1").heard_at <= one.now, "or it would look young for two hours"
    assert one.oasis.asked[asked][0] - (one.now - timedelta(seconds=60)) >= timedelta(seconds=5)
