"""Prices of the past that somebody asks for: what is asked, when, what is said, what is missing, what a restart keeps."""

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from oasis_recordings import recorded, zipped
from oasis_story import BEGIN, FIVE, Story, published, table

from caiso.oasis import REPORTS, Group, Market, Question, interval_starts, midnight
from dotbus.contracts.codec import encode
from dotbus.contracts.messages import Backfill
from dotbus.testing import samples
from lmp_ingest.history.history import TRIES
from lmp_ingest.history.past import MOST_WAITING

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FIRST = midnight(date(2025, 7, 1))
NO_DATA = zipped(e__xml=recorded("error_1000_no_data.xml"))
LONG = encode(samples.backfill_request()).replace(b"9c1f60d27a4be835", b"x" * 200_000)
HOURS_OF_A_DAY = {date(2025, 3, 9): 23, date(2024, 11, 3): 25, date(2025, 7, 1): 24}


def hours(question: Question, without: Callable[[datetime, str], bool] = lambda _start, _node: False) -> bytes:
    """Every price that is asked for, or all but some."""
    nodes = ("N1", "N2") if isinstance(question.nodes, Group) else question.nodes
    starts = interval_starts(question.start, question.end, REPORTS[question.market].interval)
    rows = [(at, node, "LMP", 5.0) for at in starts for node in nodes if at <= BEGIN and not without(at, node)]
    return table(question.market, rows) if rows else NO_DATA


@pytest.fixture
def one(story) -> Iterator[Story]:
    """A service that has all that is live, and whose CAISO answers everything."""
    begun = story((Market.RTM,), ("N1",))
    begun.oasis.answer = published(lambda: begun.now)
    begun.run(60)
    begun.oasis.answer = hours
    begun.oasis.asked.clear()
    return begun


def asked_of_the_past(one: Story) -> list[Question]:
    return [question for _, question in one.oasis.asked if question.end < one.now - 2 * DAY]


def wanted(**changes: object) -> dict[str, object]:
    return {"request_id": "r", "market": "DAM", "nodes": ("N1",), "start": FIRST, "end": FIRST + 3 * DAY, **changes}


def finished(one: Story, request_id: str = "r") -> Backfill:
    """How it ended."""
    for _ in range(1000):
        known = one.backfill(request_id)
        if known is None or known.ended_at:
            break
        one.run(10)
    assert known is not None
    assert known.ended_at is not None
    return known


def told(one: Story, market: Market = Market.DAM) -> list[tuple[datetime, str]]:
    """Interval and node of every price that was said of a market, before the last two days."""
    events = [event for event in one.events() if event.market == market and event.interval_start < BEGIN - 2 * DAY]
    return [(event.interval_start, node) for event in events for node in event.nodes]


@pytest.mark.parametrize(("day", "count"), HOURS_OF_A_DAY.items())
def test_a_day_is_all_its_real_hours_and_each_is_said_once(one: Story, day: date, count: int) -> None:
    start = midnight(day)
    reply = one.ask(**wanted(start=start, end=midnight(day + DAY)))
    ended = finished(one)

    assert (reply.outcome, reply.request_id) == ("taken", "r")
    assert told(one) == [(start + number * HOUR, "N1") for number in range(count)]
    assert (ended.prices, ended.missing, ended.unpriced, ended.requests_done, ended.requests) == (count, (), (), 1, 1)
    assert one.state(Market.DAM, "N1") is None, "it is of the past, and says nothing of now"


def test_no_request_asks_for_more_than_thirty_days_or_ten_nodes_and_all_of_it_comes(one: Story) -> None:
    nodes, end = tuple(f"N{number:02}" for number in range(12)), FIRST + 40 * DAY
    one.ask(**wanted(nodes=nodes, end=end))
    ended = finished(one)

    asked = asked_of_the_past(one)
    assert [(len(question.nodes), question.end - question.start) for question in asked] == [
        *((size, 30 * DAY) for size in (10, 2)),
        *((size, 10 * DAY) for size in (10, 2)),
    ]
    assert sorted(told(one)) == sorted((start, node) for start in interval_starts(FIRST, end, HOUR) for node in nodes)
    assert (ended.prices, ended.requests) == (40 * 24 * 12, 4)


@pytest.mark.parametrize("group", list(Group))
def test_of_the_whole_network_one_day_is_asked_for_at_a_time(one: Story, group: Group) -> None:
    one.ask(**wanted(nodes=(group.value,)))
    ended = finished(one)

    assert {(question.nodes, question.end - question.start) for question in asked_of_the_past(one)} == {(group, DAY)}
    assert (ended.prices, ended.requests, ended.unpriced) == (2 * 72, 3, ())


def test_what_is_live_goes_first_and_requests_keep_their_distance(one: Story) -> None:
    one.ask(**wanted(market="RTM", nodes=("ALL",), end=FIRST + 2 * DAY))
    one.run(120)

    starts = [at for at, _ in one.oasis.asked]
    assert min(after - before for before, after in pairwise(starts)) >= timedelta(seconds=6)
    live = [at for at, question in one.oasis.asked if question.end > one.now]
    assert len(asked_of_the_past(one)) > 10
    assert max(after - before for before, after in pairwise(live)) <= timedelta(seconds=36)


def test_it_goes_on_after_a_restart_where_it_was_and_says_nothing_twice(one: Story) -> None:
    one.ask(**wanted(nodes=("ALL",), end=FIRST + 10 * DAY))
    while one.backfill("r").requests_done < 4:
        one.run(6)
    one.restart()
    assert one.backfill("r").requests_done == 4
    ended = finished(one)

    starts = [question.start for question in asked_of_the_past(one)]
    assert starts == [FIRST + number * DAY for number in range(10)]
    assert len(told(one)) == len(set(told(one))) == ended.prices == 2 * 240


def test_what_did_not_come_is_told_by_its_time_and_a_node_without_any_price_by_its_name(one: Story) -> None:
    lost = FIRST + 30 * HOUR
    one.oasis.answer = lambda question: hours(question, lambda at, node: node == "BAD" or (node == "N1" and at == lost))
    one.ask(**wanted(nodes=("N1", "N2")))
    assert finished(one).missing == ((lost, lost + HOUR),)

    one.ask(**wanted(request_id="s", nodes=("N2", "BAD")))
    ended = finished(one, "s")
    assert (ended.missing, ended.unpriced) == (((FIRST, FIRST + 3 * DAY),), ("BAD",))


def test_a_time_that_caiso_has_nothing_of_is_missing_and_the_rest_goes_on(one: Story) -> None:
    one.oasis.answer = lambda question: NO_DATA if question.start == FIRST + DAY else hours(question)
    one.ask(**wanted(nodes=("ALL",)))
    ended = finished(one)

    assert ended.missing == ((FIRST + DAY, FIRST + 2 * DAY),)
    assert (ended.requests_failed, ended.prices) == (0, 2 * 48)


def real_time(*, until: datetime, without: frozenset[datetime] = frozenset()) -> Callable[[Question], bytes]:
    """Prices of N1 and N2 up to a time, and none of some intervals."""

    def answer(question: Question) -> bytes:
        nodes = ("N1", "N2") if isinstance(question.nodes, Group) else [name for name in question.nodes if name != "BAD"]
        starts = [at for at in interval_starts(question.start, question.end, FIVE) if at < until and at not in without]
        rows = [(at, node, "LMP", 5.0) for at in starts for node in nodes]
        return table(question.market, rows) if rows else NO_DATA

    return answer


@pytest.mark.parametrize("nodes", [("N1", "N2"), ("ALL",)])
def test_what_is_not_published_yet_is_not_missing_but_told_as_that(one: Story, nodes: tuple[str, ...]) -> None:
    published_until = BEGIN - 2 * FIVE
    one.oasis.answer = real_time(until=published_until)
    one.ask(**wanted(market="RTM", nodes=nodes, start=BEGIN - 3 * HOUR, end=BEGIN + DAY))
    ended = finished(one)

    assert (ended.missing, ended.unpublished) == ((), ((published_until, ended.end),))


def test_what_lies_before_a_published_price_or_is_an_hour_late_is_missing_also_up_to_now(one: Story) -> None:
    hole = BEGIN - 4 * FIVE
    one.oasis.answer = real_time(until=BEGIN - FIVE, without=frozenset([hole]))
    one.ask(**wanted(market="RTM", start=BEGIN - 3 * HOUR, end=BEGIN + DAY))
    holed = finished(one)
    one.oasis.answer = real_time(until=BEGIN - 2 * HOUR)
    one.ask(**wanted(request_id="s", market="RTM", start=BEGIN - 3 * HOUR, end=BEGIN + DAY))
    late = finished(one, "s")

    assert (holed.missing, holed.unpublished) == (((hole, hole + FIVE),), ((BEGIN - FIVE, holed.end),))
    ((since, until),), ((since_due, _),) = late.missing, late.unpublished
    assert (since, until) == (BEGIN - 2 * HOUR, since_due)
    assert one.now - HOUR - 3 * FIVE < until <= one.now - HOUR


def test_a_wrong_name_is_missing_of_what_is_published_for_another(one: Story) -> None:
    one.oasis.answer = real_time(until=BEGIN - 2 * FIVE)
    one.ask(**wanted(market="RTM", nodes=("BAD", "N1"), start=BEGIN - 6 * FIVE, end=BEGIN + DAY))
    ended = finished(one)

    assert (ended.missing, ended.unpriced) == (((BEGIN - 6 * FIVE, BEGIN - 2 * FIVE),), ("BAD",))


def test_a_group_of_which_far_fewer_nodes_came_is_not_whole(one: Story) -> None:
    one.oasis.answer = lambda question: hours(question, lambda at, node: node == "N2" and FIRST + DAY <= at < FIRST + 2 * DAY)
    one.ask(**wanted(nodes=("ALL",)))
    ended = finished(one)

    assert (ended.most_nodes, ended.missing) == (2, ((FIRST + DAY, FIRST + 2 * DAY),))


def test_a_question_that_is_answered_with_nothing_that_can_be_used_is_given_up_in_the_end_and_told(one: Story) -> None:
    def answer(question: Question) -> bytes:
        return b"PK broken" if question.start == FIRST else hours(question)

    one.oasis.answer = answer
    one.ask(**wanted(nodes=("ALL",)))
    ended = finished(one)

    assert [question.start for question in asked_of_the_past(one)].count(FIRST) == TRIES
    assert (ended.requests_failed, ended.missing) == (1, ((FIRST, FIRST + DAY),))
    assert ended.prices == 2 * 48


def test_while_caiso_does_not_answer_nothing_is_given_up(one: Story) -> None:
    one.oasis.status = 503
    one.ask(**wanted())
    one.leap(6 * 3600, 30)
    waiting = one.backfill("r")
    assert (waiting.requests_done, waiting.ended_at) == (0, None)
    assert "503" in waiting.detail

    one.oasis.status = 200
    one.leap(1200, 6)
    assert (one.backfill("r").prices, one.backfill("r").detail) == (72, "")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"environment": "production"}, "it is for production; here is simulator"),
        ({"market": "XYZ"}, "there is no market XYZ; there are DAM, RUC, HASP, RTPD, RTM"),
        ({"end": FIRST}, "there is nothing yet"),
        ({"start": BEGIN + 10 * DAY, "end": BEGIN + 11 * DAY}, "there is nothing yet"),
        ({"start": BEGIN - 1300 * DAY}, "OASIS keeps prices for 39 months"),
        ({"start": datetime(1, 1, 1, tzinfo=UTC)}, "OASIS keeps prices for 39 months"),
        ({"start": datetime(9999, 12, 31, 23, tzinfo=UTC), "end": datetime(9999, 12, 31, 23, 59, tzinfo=UTC)}, "nothing yet"),
        ({"nodes": ("N1", "ALL")}, "ALL and ALL_APNODES stand alone"),
        ({"nodes": ("N1,N2",)}, "'N1,N2' is not the name of a node"),
        ({"nodes": ("N1\0",)}, "is not the name of a node"),
        ({"cancel": True}, "no backfill r is running"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason_and_asks_nothing(one: Story, changes: dict[str, object], why: str) -> None:
    reply = one.ask(**wanted(**changes))

    assert reply.outcome == "refused"
    assert why in reply.detail
    assert one.loop.backfills(one.now) == ()


def test_an_end_that_no_calendar_goes_beyond_is_as_good_as_now(one: Story) -> None:
    reply = one.ask(**wanted(start=BEGIN - DAY, end=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)))

    assert reply.outcome == "taken"
    assert one.backfill("r").end < one.now + 3 * DAY


def test_a_request_that_nobody_foresaw_is_refused_and_the_service_goes_on(one: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    def unforeseen(*_given: object) -> None:
        raise OverflowError("date value out of range")

    monkeypatch.setattr("lmp_ingest.history.backfill.begun", unforeseen)
    refused = one.ask(**wanted())
    monkeypatch.undo()

    assert (refused.outcome, "date value out of range" in refused.detail) == ("refused", True)
    assert one.ask(**wanted()).outcome == "taken"


@pytest.mark.parametrize("payload", [b"", b"{}", b"nonsense", b'{"kind":"backfill","version":1}', LONG])
def test_what_cannot_be_read_is_refused_and_the_next_is_taken(one: Story, payload: bytes) -> None:
    reply = one.ask_in_words(payload)

    assert (reply.outcome, reply.request_id) == ("refused", None)
    assert one.ask(**wanted()).outcome == "taken"


def test_the_same_request_asks_for_nothing_more_while_it_runs_and_for_all_again_once_it_ended(one: Story) -> None:
    one.ask(**wanted(nodes=("ALL",)))
    assert "running already" in one.ask(**wanted(nodes=("ALL",))).detail
    ended = finished(one)
    again = one.ask(**wanted(nodes=("ALL",)))

    assert again.detail.startswith("3 requests to CAISO")
    assert finished(one).requested_at >= ended.ended_at
    assert len(asked_of_the_past(one)) == 6
    assert len(told(one)) == 2 * 72, "the same prices are not said again"


def test_another_request_under_the_id_of_one_that_runs_is_refused(one: Story) -> None:
    one.ask(**wanted(nodes=("ALL",)))
    reply = one.ask(**wanted(nodes=("N1",)))

    assert (reply.outcome, reply.detail) == ("refused", "another one is running as r: choose another id")


def test_a_short_one_does_not_wait_for_a_long_one(one: Story) -> None:
    one.ask(**wanted(nodes=("ALL",), end=FIRST + 40 * DAY))
    one.ask(**wanted(request_id="short"))
    one.run(60)

    assert one.backfill("short").ended_at is not None
    assert one.backfill("r").ended_at is None


def test_other_nodes_of_the_same_time_say_again_nothing_that_was_said_also_after_a_restart(one: Story) -> None:
    one.ask(**wanted())
    finished(one)
    one.ask(**wanted(request_id="s", nodes=("ALL",)))
    finished(one, "s")
    one.restart()
    one.ask(**wanted(request_id="t", nodes=("N2", "N1")))
    finished(one, "t")

    assert sorted(told(one)) == sorted(
        (at, node) for at in interval_starts(FIRST, FIRST + 3 * DAY, HOUR) for node in ("N1", "N2")
    )


def test_one_that_is_cancelled_asks_nothing_more_and_keeps_what_came(one: Story) -> None:
    one.ask(**wanted(nodes=("ALL",), end=FIRST + 30 * DAY))
    while one.backfill("r").requests_done < 3:
        one.run(6)
    assert one.ask(**wanted(cancel=True)).detail == "stopped"
    asked = len(asked_of_the_past(one))
    one.run(120)

    assert len(asked_of_the_past(one)) == asked
    assert (one.backfill("r").detail, len(told(one))) == ("stopped on request", 2 * 24 * asked)


def test_nothing_of_the_past_is_asked_while_many_events_wait_for_the_broker(one: Story) -> None:
    nodes = tuple(f"N{number:02}" for number in range(10))
    one.ask(**wanted(market="RTM", nodes=nodes, end=FIRST + 60 * DAY))
    one.run(120)

    assert one.outbox.span().unpublished > MOST_WAITING
    assert len(asked_of_the_past(one)) == 1, "a month of five-minute prices is more than that"


def test_a_gap_that_it_fills_is_one_no_more(one: Story) -> None:
    one.oasis.answer = lambda question: hours(question, lambda at, _node: at >= BEGIN - 60 * DAY)
    one.leap(4 * 86400, 600)
    (missing,) = one.health(Market.RTM).missing
    assert (missing.start, missing.names) == (BEGIN + 2 * FIVE, ("N1",))
    assert one.now - HOUR - FIVE < missing.end <= one.now - HOUR, "until then it must have been published"

    one.oasis.answer = published(lambda: one.now)
    one.ask(**wanted(market="RTM", start=missing.start, end=missing.end))
    finished(one)
    assert one.health(Market.RTM).missing == ()
    one.leap(1200, 6)
    assert one.health(Market.RTM).missing == ()


def test_an_outbox_that_keeps_nothing_loses_no_part_of_it(one: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    one.ask(**wanted(nodes=("ALL",)))
    keep, before = one.outbox.commit, one.backfill("r").requests_done

    def keeps_nothing(*_args: object, **_more: object) -> int:
        raise sqlite3.OperationalError("disk is full")

    monkeypatch.setattr(one.outbox, "commit", keeps_nothing)
    one.run(120)
    assert one.backfill("r").requests_done == before
    monkeypatch.setattr(one.outbox, "commit", keep)
    ended = finished(one)

    assert before < 3
    starts = interval_starts(FIRST, FIRST + 3 * DAY, HOUR)
    assert sorted(told(one)) == sorted((at, node) for at in starts for node in ("N1", "N2"))
    assert ended.prices == 2 * 72
