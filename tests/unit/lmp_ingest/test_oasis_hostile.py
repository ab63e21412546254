"""The loop against replies that lie: what is refused, what it costs, what is told of it, and how it recovers."""

import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from oasis_recordings import recorded, zipped
from oasis_story import BEGIN, FIVE, HEADER, Story, published, table

from caiso.oasis import Market, Question, midnight, trade_day
from dotbus.contracts.messages import Lmp, NodePrice, UpstreamGap

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TEN = tuple(f"N{number}" for number in range(10))
Answer = Callable[[Question], bytes]


def shifted(by: timedelta) -> Answer:
    """The right prices under the dates of another time."""

    def answer(question: Question) -> bytes:
        starts = [question.start + by + number * FIVE for number in range(3)]
        return table(question.market, [(start, node, "LMP", 66.0) for start in starts for node in question.nodes])

    return answer


def cells(question: Question, until: datetime, value: Callable[[datetime, str], str | None]) -> bytes:
    """A table whose LMP cells are texts; None leaves the row out."""
    count = max(0, -((question.start - min(question.end, until)) // FIVE))
    starts = [question.start + number * FIVE for number in range(count)]
    named = [(start, node, value(start, node)) for start in starts for node in question.nodes]
    return table(question.market, [(start, node, "LMP", text) for start, node, text in named if text is not None])


# A reply for another time


@pytest.mark.parametrize("by", [40 * DAY, -DAY, -30 * DAY, HOUR * 2])
def test_a_reply_for_another_time_is_refused_told_at_once_and_leaves_nothing_behind(story, by: timedelta) -> None:
    one = story()
    one.oasis.answer = published(lambda: one.now)
    one.run(60)
    before, cursor, state = one.events(), one.outbox.cursors(), one.state(Market.RTM, "N1")
    usual, one.oasis.answer = one.oasis.answer, shifted(by)
    one.run(40)

    assert not one.health(Market.RTM).ok
    assert "another time than was asked for: N1 from" in one.health(Market.RTM).last_error
    assert (one.events(), one.outbox.cursors()) == (before, cursor)
    assert one.state(Market.RTM, "N1").published == state.published
    assert one.state(Market.RTM, "N1").reasons == ("source_failing",)
    assert len(one.quarantined()) == 1

    one.oasis.answer = usual
    one.run(120)
    assert one.health(Market.RTM).ok
    assert one.state(Market.RTM, "N1").reasons == ()


def test_the_same_wrong_answer_is_told_once_though_its_times_move_on(story, capsys: pytest.CaptureFixture[str]) -> None:
    one = story()
    one.oasis.answer = shifted(-DAY)
    one.run(1800)

    assert len(one.oasis.asked) > 5
    assert capsys.readouterr().out.count("no prices") == 1
    assert len(one.quarantined()) == 1


def poisoned(one: Story, by: timedelta) -> None:
    """What an ingest kept that had believed a reply of another time."""
    topic = one.installation.topics.lmp(Market.RTM, "N1")
    start = BEGIN + by
    price = NodePrice(interval_start=start, interval_end=start + FIVE, fetched_at=BEGIN, lmp_usd_per_mwh=66.0)
    known = one.state(Market.RTM, "N1")
    fields = {name: getattr(known, name) for name in ("environment", "source", "time", "market", "node", "heard_at", "active")}
    state = Lmp(**fields, published=price, ahead=(*known.ahead, price))
    one.outbox.commit(one.now, states=[(topic, state)], cursors={"RTM": (start + FIVE).isoformat()})


def test_a_cursor_and_a_state_from_the_future_are_not_believed_after_a_restart(
    story, capsys: pytest.CaptureFixture[str]
) -> None:
    one = story()
    one.oasis.answer = published(lambda: one.now)
    one.run(60)
    kept = {event.interval_start for event in one.events()}
    poisoned(one, 40 * DAY)
    one.now += 26 * HOUR  # nothing was told meanwhile: every question was refused
    one.restart()
    one.run(10)

    state = one.state(Market.RTM, "N1")
    assert state.published.interval_start <= one.now + FIVE
    assert all(price.interval_start <= one.now + FIVE for price in state.ahead)
    assert datetime.fromisoformat(one.outbox.cursors()["RTM"]) <= one.now + 2 * FIVE
    starts = {event.interval_start for event in one.events()}
    assert starts >= {min(kept) + number * FIVE for number in range((one.now - min(kept)) // FIVE)}, "what was missed is here"
    assert "cursors in the future are not believed" in capsys.readouterr().out


def test_the_window_is_never_inverted_whatever_the_cursor(story) -> None:
    one = story(tuple(Market))
    one.outbox.commit(one.now, cursors={market.value: (one.now + 400 * DAY).isoformat() for market in Market})
    one.restart()
    one.oasis.answer = published(lambda: one.now)
    one.run(60)

    assert all(question.start < question.end for _, question in one.oasis.asked)
    assert all(one.health(market).ok for market in Market)


def test_a_clock_that_is_behind_at_the_start_makes_no_gap_out_of_the_years_between(story) -> None:
    one = story()
    one.oasis.answer = published(lambda: one.now)
    one.run(60)
    true_now = one.now + 10 * HOUR
    one.now -= 3000 * DAY
    one.restart()
    one.oasis.status = 503
    one.run(30)
    one.now, one.oasis.status = true_now, 200
    one.run(120)

    assert one.health(Market.RTM).complaints == ()
    starts = {event.interval_start for event in one.events()}
    assert starts >= {min(starts) + number * FIVE for number in range((one.now - min(starts)) // FIVE)}, (
        "no interval is missing"
    )


def test_what_a_clock_said_that_was_far_ahead_is_taken_back_until_caiso_is_heard(story) -> None:
    one = story()
    one.oasis.answer = published(lambda: one.now)
    one.run(60)
    one.now -= 2 * HOUR
    one.restart()

    assert one.state(Market.RTM, "N1") is None, "nobody can say how old it is"
    one.run(20)
    assert one.state(Market.RTM, "N1").heard_at <= one.now
    assert one.state(Market.RTM, "N1").reasons == ()


# A value that is none


@pytest.mark.parametrize("bad", ["NaN", "null", "n/a", "1e999"])
def test_a_value_that_is_none_costs_the_one_price_and_no_other(story, bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    one = story(nodes=TEN)
    wrong = BEGIN - 2 * HOUR
    one.oasis.answer = lambda question: cells(
        question, one.now + FIVE, lambda start, node: bad if (start, node) == (wrong, "N3") else "10.0"
    )
    one.run(100)

    assert one.health(Market.RTM).ok
    assert {event.nodes for event in one.events() if event.interval_start == wrong} == {tuple(n for n in TEN if n != "N3")}
    assert all(set(event.nodes) == set(TEN) for event in one.events() if event.interval_start != wrong)
    assert one.state(Market.RTM, "N3").active.lmp_usd_per_mwh == 10.0
    assert one.state(Market.RTM, "N3").reasons == (), "the price that runs is not in doubt"
    assert one.count("unreadable_values_total", Market.RTM) == 1
    assert len(one.quarantined()) == 1
    assert capsys.readouterr().out.count("a value that is no number") == 1
    assert one.outbox.cursors()["RTM"] == wrong.isoformat(), "it waits for the price that is missing"

    one.oasis.answer = published(lambda: one.now)
    one.run(3700)
    assert [event.nodes for event in one.events() if event.interval_start == wrong] == [
        tuple(n for n in TEN if n != "N3"),
        ("N3",),
    ]
    assert datetime.fromisoformat(one.outbox.cursors()["RTM"]) >= one.now - FIVE


def test_a_price_that_runs_and_cannot_be_read_any_more_is_kept_in_doubt(story) -> None:
    one = story(nodes=("N1", "N2"))
    one.oasis.answer = published(lambda: BEGIN)
    one.run(60)
    one.oasis.answer = lambda question: cells(
        question, BEGIN + FIVE, lambda start, node: "NaN" if (start, node) == (BEGIN, "N1") else "10.0"
    )
    one.run(40)

    assert one.state(Market.RTM, "N1").active.lmp_usd_per_mwh == 10.0
    assert one.state(Market.RTM, "N1").reasons == ("incomplete",)
    assert one.state(Market.RTM, "N2").reasons == ()
    one.oasis.answer = published(lambda: BEGIN)
    one.run(40)
    assert one.state(Market.RTM, "N1").reasons == ()


def test_a_component_that_is_none_is_absent_and_its_lmp_stands(story) -> None:
    one = story()
    rows = [(BEGIN, "N1", "LMP", 30.0), (BEGIN, "N1", "MCE", "NaN"), (BEGIN, "N1", "MCC", 1.0)]
    one.oasis.answer = lambda _: table(Market.RTM, rows)
    one.run(40)

    active = one.state(Market.RTM, "N1").active
    assert (active.lmp_usd_per_mwh, active.energy_usd_per_mwh, active.congestion_usd_per_mwh) == (30.0, None, 1.0)
    assert one.state(Market.RTM, "N1").reasons == ("incomplete",)


# Answers without prices


def row(kind: str = "LMP") -> str:
    return f"{BEGIN:%Y-%m-%dT%H:%M:%S}-00:00,{BEGIN + FIVE:%Y-%m-%dT%H:%M:%S}-00:00,N1,RTM,{kind},9\n"


REFUSED: dict[str, tuple[bytes, str]] = {
    "a table that ends in an error": (
        zipped(a__csv=(HEADER + row() + "ERROR,1003,Query timed out,,,\n").encode()),
        "'ERROR' is not a time",
    ),
    "a table that was cut": (zipped(a__csv=(HEADER + row())[:-1].encode()), "last line has no end"),
    "a report of another name": (
        zipped(
            a__xml=(
                "<OASISReport><REPORT_ITEM><REPORT_HEADER><REPORT>PRC_CD_INTVL_LMP</REPORT><MKT_TYPE>RTM</MKT_TYPE></REPORT_HEADER>"
                "<REPORT_DATA><DATA_ITEM>LMP_PRC</DATA_ITEM><RESOURCE_NAME>N1</RESOURCE_NAME>"
                f"<INTERVAL_START_GMT>{BEGIN:%Y-%m-%dT%H:%M:%S}-00:00</INTERVAL_START_GMT>"
                f"<INTERVAL_END_GMT>{BEGIN + FIVE:%Y-%m-%dT%H:%M:%S}-00:00</INTERVAL_END_GMT><VALUE>9</VALUE></REPORT_DATA>"
                "</REPORT_ITEM></OASISReport>"
            ).encode()
        ),
        "report 'PRC_CD_INTVL_LMP' in the answer for PRC_INTVL_LMP",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_whole_answer_to_the_question_is_told_kept_asked_again_and_not_published(story, name: str) -> None:
    one = story()
    one.oasis.answer = published(lambda: one.now)
    one.run(60)
    before, state = one.events(), one.state(Market.RTM, "N1")
    content, why = REFUSED[name]
    one.oasis.answer = lambda _: content
    asked_times = len(one.oasis.asked)
    one.run(40)

    assert why in one.health(Market.RTM).last_error
    assert len(one.oasis.asked) > asked_times + 1
    assert one.events() == before
    assert (one.state(Market.RTM, "N1").active, one.state(Market.RTM, "N1").reasons) == (state.active, ("source_failing",))
    assert len(one.quarantined()) == 1


def only(kind: str) -> Answer:
    return lambda question: table(question.market, [(BEGIN, "N1", kind, 10.0)])


NO_ANSWERS: dict[str, Answer] = {
    "without LMP rows": only("MCE"),
    "with blank LMP rows": lambda question: table(question.market, [(BEGIN, "N1", "LMP", "")]),
    "a header only": lambda _: zipped(a__csv=HEADER.encode()),
    "of unknown types": only("XYZ"),
    "prices and an error": lambda _: zipped(
        a__csv=(HEADER + row()).encode(),
        b__xml=recorded("error_1000_no_data.xml"),
    ),
    "a number that is none": lambda question: table(question.market, [(BEGIN, "N1", "LMP", "NaN")]),
}


@pytest.mark.parametrize("name", NO_ANSWERS)
def test_an_answer_without_a_usable_lmp_is_a_fault_at_once_and_replaces_no_price(story, name: str) -> None:
    one = story()
    one.oasis.answer = published(lambda: BEGIN)
    one.run(60)
    before, state = one.events(), one.state(Market.RTM, "N1")
    one.oasis.answer = NO_ANSWERS[name]
    one.run(40)

    health = one.health(Market.RTM)
    assert not health.ok
    assert "no data" not in health.last_error, "that is error 1000 and nothing else"
    assert one.count("failures_total", Market.RTM, kind="Incomplete") >= 1
    assert one.events() == before
    assert one.count("corrections_total", Market.RTM) == 0
    assert one.state(Market.RTM, "N1").active == state.active
    assert len(one.quarantined()) == 1
    one.oasis.answer = published(lambda: one.now)
    one.run(120)
    assert one.health(Market.RTM).ok


@pytest.mark.parametrize("text", ["", None])
def test_a_node_s_blank_or_missing_lmp_is_no_correction_of_its_price(story, text: str | None) -> None:
    one = story(nodes=("N1", "N2"))
    one.oasis.answer = published(lambda: BEGIN)
    one.run(60)
    before, state = one.events(), one.state(Market.RTM, "N1")
    one.oasis.answer = lambda question: cells(
        question, BEGIN + FIVE, lambda start, node: text if (start, node) == (BEGIN, "N1") else "10.0"
    )
    one.run(40)

    assert one.events() == before
    assert one.state(Market.RTM, "N1").active == state.active
    assert one.state(Market.RTM, "N1").reasons == ("incomplete",)


def test_a_price_that_was_once_replaced_by_none_is_told_again_after_a_restart(story) -> None:
    """What an ingest kept that took a blank LMP for a correction."""
    one = story()
    one.oasis.answer = published(lambda: BEGIN)
    one.run(60)
    known = one.state(Market.RTM, "N1")
    good = next(event for event in one.events() if event.interval_start == BEGIN)
    bad = msgspec.structs.replace(good, id=f"{good.id}-none", lmp_usd_per_mwh=(None,))
    none = msgspec.structs.replace(known.active, lmp_usd_per_mwh=None)
    topics = one.installation.topics
    one.outbox.commit(
        one.now,
        events=[(topics.prices(Market.RTM), bad)],
        states=[(topics.lmp(Market.RTM, "N1"), msgspec.structs.replace(known, active=none, published=none, ahead=()))],
    )
    one.restart()
    one.run(20)

    assert [event.lmp_usd_per_mwh for event in one.events() if event.interval_start == BEGIN] == [(10.0,), (None,), (10.0,)]
    assert one.state(Market.RTM, "N1").active.lmp_usd_per_mwh == 10.0


def test_an_interval_that_one_node_lacks_is_told_once_it_is_overdue(story, capsys: pytest.CaptureFixture[str]) -> None:
    one = story(nodes=("N1", "N2"))
    one.oasis.answer = lambda question: cells(
        question, one.now + FIVE, lambda start, node: None if (start, node) == (BEGIN, "N1") else "10.0"
    )
    one.leap(3600, 5)
    assert one.health(Market.RTM).complaints == (), "it may still come"
    one.leap(1800, 5)

    assert one.health(Market.RTM).complaints == (f"not complete since {BEGIN:%Y-%m-%dT%H:%MZ}: N1, N2",)
    assert one.health(Market.RTM).ok
    assert capsys.readouterr().out.count("prices are overdue") == 1


# What was missed


def test_an_outage_longer_than_the_lookback_is_told_kept_over_restarts_and_filled(
    story, capsys: pytest.CaptureFixture[str]
) -> None:
    one = story(lookback_h=24.0)
    one.oasis.answer = published(lambda: one.now)
    one.run(60)
    complete = datetime.fromisoformat(one.outbox.cursors()["RTM"])
    one.now += 5 * DAY
    one.restart()
    first_asked = len(one.oasis.asked)
    one.run(8)

    oldest = one.oasis.asked[first_asked][1].start
    expected = f"missing: {complete:%Y-%m-%dT%H:%MZ}/{oldest:%Y-%m-%dT%H:%MZ}"
    assert one.health(Market.RTM).ok
    assert one.health(Market.RTM).complaints == (expected,)
    assert one.count("missing_seconds", Market.RTM) == (oldest - complete).total_seconds()
    assert one.outbox.cursors()["RTM missing"] == expected.removeprefix("missing: ")
    assert capsys.readouterr().out.count("prices are missing") == 1
    one.restart()
    assert one.health(Market.RTM).complaints == (expected,)

    one.run(120)
    assert one.health(Market.RTM).complaints == ()
    assert one.outbox.cursors()["RTM missing"] == "none"
    starts = {event.interval_start for event in one.events()}
    assert starts >= {min(starts) + number * FIVE for number in range((one.now - min(starts)) // FIVE)}, (
        "no interval is missing"
    )
    assert one.state(Market.RTM, "N1").published.interval_start >= one.now - FIVE, "not one of long ago"


def test_a_gap_that_oasis_does_not_fill_is_asked_for_once_an_hour_and_holds_nothing_back(story) -> None:
    one = story(lookback_h=24.0)
    one.oasis.answer = published(lambda: one.now)
    one.run(60)
    one.now += 3 * DAY
    one.restart()
    begin, first_asked = one.now, len(one.oasis.asked)
    usual = published(lambda: one.now)
    nothing = zipped(e__xml=recorded("error_1000_no_data.xml"))
    one.oasis.answer = lambda question: nothing if question.end < begin - 23 * HOUR else usual(question)
    one.run(3 * 3600)

    asked = one.oasis.asked[first_asked:]
    in_vain = [question for _, question in asked if question.end < begin - 23 * HOUR]
    assert 3 <= len(in_vain) <= 5
    assert len({question.start for question in in_vain}) > 1, "each part has its turn"
    assert len(asked) - len(in_vain) >= 3 * 3600 / 36
    assert one.health(Market.RTM).ok
    assert one.state(Market.RTM, "N1").reasons == ()
    assert len(one.health(Market.RTM).complaints) == 1


def test_a_gap_that_oasis_has_no_prices_of_is_given_up_when_it_is_old_and_is_an_event_once(
    story, capsys: pytest.CaptureFixture[str]
) -> None:
    one = story(lookback_h=24.0)
    one.oasis.answer = published(lambda: one.now)
    one.run(60)
    complete = datetime.fromisoformat(one.outbox.cursors()["RTM"])
    one.now += 40 * DAY
    one.restart()
    begin = one.now
    usual = published(lambda: one.now)
    nothing = zipped(e__xml=recorded("error_1000_no_data.xml"))
    one.oasis.answer = lambda question: nothing if question.start < complete + HOUR else usual(question)
    one.leap(6 * 3600, 20)
    assert begin + 6 * HOUR <= one.now
    (told,) = one.health(Market.RTM).complaints
    assert told == f"missing: {complete:%Y-%m-%dT%H:%MZ}/{midnight(trade_day(complete) + DAY):%Y-%m-%dT%H:%MZ}"
    one.leap(8 * 3600, 20)

    assert one.health(Market.RTM).complaints == ()
    assert one.outbox.cursors()["RTM missing"] == "none"
    one.leap(8 * 3600, 20)
    assert capsys.readouterr().out.count("missing prices are given up") == 1
    (gap,) = one.gaps()
    end = midnight(trade_day(complete) + DAY)
    assert (gap.upstream, gap.account, gap.missing_from, gap.missing_until) == ("oasis_rtm", None, complete, end)
    assert gap.detail.endswith(": N1")
    assert gap.seq not in {event.seq for event in one.events()}
    assert [question for at, question in one.oasis.asked if question.start == complete and at > begin + 14 * HOUR] == []


def test_a_disk_that_keeps_no_end_of_a_gap_leaves_it_and_is_asked_again(story, monkeypatch: pytest.MonkeyPatch) -> None:
    one = story(lookback_h=24.0)
    one.oasis.answer = published(lambda: one.now)
    one.run(60)
    complete = datetime.fromisoformat(one.outbox.cursors()["RTM"])
    one.now += 40 * DAY
    one.restart()
    usual, nothing = published(lambda: one.now), zipped(e__xml=recorded("error_1000_no_data.xml"))
    one.oasis.answer = lambda question: nothing if question.start < complete + HOUR else usual(question)
    commit, refused = one.outbox.commit, []

    def commit_no_gap(now: datetime, **kept: Any) -> int:
        if any(isinstance(event, UpstreamGap) for _, event in kept.get("events", ())):
            refused.append(now)
            raise sqlite3.OperationalError("the disk is full")
        return commit(now, **kept)

    with monkeypatch.context() as full:
        full.setattr(one.outbox, "commit", commit_no_gap)
        one.leap(14 * 3600, 20)
    assert refused
    assert one.gaps() == []
    one.restart()
    one.leap(14 * 3600, 20)
    assert [gap.missing_from for gap in one.gaps()] == [complete]
    assert one.health(Market.RTM).ok


def test_a_day_ahead_day_without_prices_is_told_and_becomes_a_gap_when_it_leaves_the_lookback(story) -> None:
    one = story((Market.DAM,))
    one.oasis.answer = published(lambda: one.now + 2 * DAY)
    one.run(10)
    complete = datetime.fromisoformat(one.outbox.cursors()["DAM"])
    missing = trade_day(complete)

    def without_a_day(question: Question) -> bytes:
        starts = [question.start + number * HOUR for number in range((question.end - question.start) // HOUR)]
        priced = [start for start in starts if trade_day(start) != missing and start < one.now + 30 * HOUR]
        return table(question.market, [(start, node, "LMP", 10.0) for start in priced for node in question.nodes])

    one.oasis.answer = without_a_day
    one.leap(2 * 86400, 60)
    assert any(f"not complete since {complete:%Y-%m-%dT%H:%MZ}" in text for text in one.health(Market.DAM).complaints)
    assert one.outbox.cursors()["DAM"] == complete.isoformat(), "never past a day that was not priced"
    one.leap(3 * 86400, 60)

    gap = f"{complete:%Y-%m-%dT%H:%MZ}/{midnight(missing + DAY):%Y-%m-%dT%H:%MZ}"
    assert f"missing: {gap}" in one.health(Market.DAM).complaints
    one.oasis.answer = published(lambda: one.now + 30 * HOUR)
    one.run(2 * 3600)
    assert one.health(Market.DAM).complaints == ()
    assert {event.interval_start for event in one.events()} >= {complete + number * HOUR for number in range(24)}


# Corrections


def test_correcting_one_node_s_price_says_that_node_s_alone(story) -> None:
    one, prices = story(nodes=TEN), dict.fromkeys(TEN, "10.0")
    one.oasis.answer = lambda question: cells(
        question, BEGIN + FIVE, lambda start, node: prices[node] if start == BEGIN else "10.0"
    )
    one.run(40)
    before = len(one.events())
    prices["N3"] = "11.0"
    one.run(40)

    assert [(event.nodes, event.lmp_usd_per_mwh) for event in one.events()[before:]] == [(("N3",), (11.0,))]
    one.restart()
    one.run(60)
    assert len(one.events()) == before + 1
    assert one.count("corrections_total", Market.RTM) == 0


# A node that CAISO does not know


def test_a_node_that_caiso_does_not_price_is_named_for_as_long_and_doubts_no_other(
    story, capsys: pytest.CaptureFixture[str]
) -> None:
    one = story(nodes=("N1", "TYPO"))
    one.oasis.answer = lambda question: cells(question, one.now + FIVE, lambda _, node: None if node == "TYPO" else "10.0")
    one.run(600)

    health = one.health(Market.RTM)
    assert health.ok
    assert health.complaints == ("CAISO gives no price for TYPO: is the name right?",)
    assert one.state(Market.RTM, "TYPO") is None
    assert one.state(Market.RTM, "N1").reasons == ()
    assert one.count("nodes_without_price", Market.RTM) == 1
    assert capsys.readouterr().out.count("no price for nodes") == 1
    assert datetime.fromisoformat(one.outbox.cursors()["RTM"]) >= one.now - FIVE


def test_a_node_that_loses_its_prices_is_not_heard_any_more_and_catches_up_when_they_come_back(story) -> None:
    one = story(nodes=("N1", "N2"))
    one.oasis.answer = published(lambda: one.now)
    one.run(60)
    lost_at = one.now
    one.oasis.answer = lambda question: cells(question, one.now + FIVE, lambda _, node: None if node == "N2" else "10.0")
    one.leap(30 * 3600, 30)

    lost = one.state(Market.RTM, "N2")
    assert lost.heard_at <= lost_at
    assert lost.valid_until < one.now
    assert lost.reasons == ("incomplete",)
    assert one.state(Market.RTM, "N1").reasons == ()
    one.oasis.answer = published(lambda: one.now)
    one.run(120)
    assert one.state(Market.RTM, "N2").reasons == ()
    assert one.health(Market.RTM).complaints == ()
    starts = {event.interval_start for event in one.events() if "N2" in event.nodes}
    assert starts >= {min(starts) + number * FIVE for number in range((one.now - min(starts)) // FIVE)}, (
        "no interval is missing"
    )


# What a subscriber needs to judge by itself


@pytest.mark.parametrize("nodes", [("N1",), tuple(f"N{number}" for number in range(60))])
def test_what_is_said_holds_until_it_is_said_again_as_long_as_caiso_answers(story, nodes: tuple[str, ...]) -> None:
    """Two hours of all markets, with more questions than the rate of requests can serve, too."""
    one = story(tuple(Market), nodes)
    one.oasis.answer = published(lambda: one.now)
    one.leap(len(nodes) * 4, 3)
    end = one.now + 2 * HOUR
    while one.now < end:
        one.leap(60, 3)
        states = [one.state(market, node) for market in Market for node in (nodes[0], nodes[-1])]
        assert all(one.now < state.valid_until for state in states if state)
    assert all(one.state(market, node) for market in Market for node in nodes)


def test_nothing_is_vouched_for_once_caiso_is_not_heard_for_a_few_periods(story) -> None:
    one = story()
    one.oasis.answer = published(lambda: one.now)
    one.run(60)
    one.oasis.status = 503
    one.run(600)

    state = one.state(Market.RTM, "N1")
    assert state.valid_until < one.now
    assert state.valid_until - state.heard_at <= timedelta(minutes=5)
    assert state.reasons == ("source_failing",)


def test_what_a_failing_question_said_before_a_restart_stays_in_doubt_until_caiso_is_heard(story) -> None:
    one = story()
    one.oasis.answer = published(lambda: one.now)
    one.run(60)
    one.oasis.status = 503
    one.run(30)
    one.restart()
    one.run(5)

    assert one.state(Market.RTM, "N1").reasons == ("source_failing",)


@pytest.mark.parametrize(("offset_s", "reasons"), [(0.25, ()), (-7.0, ("clock_in_doubt",)), (None, ("clock_in_doubt",))])
def test_a_clock_that_differs_from_caiso_s_is_said_against_every_state(story, offset_s: float | None, reasons: tuple) -> None:
    one = story()
    one.oasis.clock_offset_said_s = offset_s
    one.oasis.answer = published(lambda: one.now)
    one.run(60)

    assert one.state(Market.RTM, "N1").reasons == reasons


def test_what_was_said_before_the_clock_went_back_is_in_doubt_until_caiso_is_heard_again(story) -> None:
    one = story()
    one.oasis.answer = published(lambda: one.now)
    one.run(60)
    age = one.now - one.oasis.asked[-1][0]
    one.oasis.status = 503
    one.now -= HOUR
    one.run(10)

    state = one.state(Market.RTM, "N1")
    assert "clock_in_doubt" in state.reasons
    assert timedelta() <= one.now - state.heard_at - age <= timedelta(seconds=20)
