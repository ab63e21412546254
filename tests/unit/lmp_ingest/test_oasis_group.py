"""A whole group of nodes: one request an hour or a day of it, events of all, states of those that are named."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from oasis_blocks import block
from oasis_recordings import recorded, zipped
from oasis_story import BEGIN, FIVE, table
from oasis_tracks import PACE

from caiso.oasis import REPORTS, Group, Market, Question, midnight, parse_reply, trade_day
from dotbus.contracts.messages import Environment, NodePrice
from lmp_ingest.known.price_block import PriceBlock, block_of, nothing
from lmp_ingest.planning.condition import complaints, cursor
from lmp_ingest.planning.gaps import Span, piece_of
from lmp_ingest.planning.missing import gap_answered, gap_question
from lmp_ingest.planning.pieces import behind_answered, behind_due, behind_question, question, queued
from lmp_ingest.planning.plan import answered
from lmp_ingest.planning.track import Track, believed, tracks_of
from lmp_ingest.translate import Sender, price_events

HOUR, DAY, MINUTE, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1), timedelta(seconds=1)
TEN = BEGIN  # 11:00 in California
NOTHING = zipped(e__xml=recorded("error_1000_no_data.xml"))


def group(market: Market = Market.RTM, **known: object) -> Track:
    return replace(Track(market, Group.ALL), **known)


def priced(start: datetime, count: int, market: Market = Market.RTM, *nodes: str) -> PriceBlock:
    interval = REPORTS[market].interval
    prices = [
        (node, NodePrice(interval_start=at, interval_end=at + interval, fetched_at=at, lmp_usd_per_mwh=1.0))
        for at in (start + number * interval for number in range(count))
        for node in nodes or ("N1", "N2")
    ]
    return block(market, prices)


def after(track: Track, answer: PriceBlock, now: datetime) -> Track:
    asked = question(track, PACE, now)
    return queued(track, answered(track, asked, answer, PACE, now), asked, PACE, now)


def test_a_market_has_one_track_of_the_group_and_those_of_the_named_nodes_whose_states_are_said() -> None:
    nodes = ["N1", "TH_NP15_GEN-APND", *(f"M{number}" for number in range(10))]

    tracks = tracks_of([Market.DAM, Market.RTM], nodes, {}, group=Group.ALL)

    assert [(one.market, one.nodes, one.names) for one in tracks] == [
        (market, asked, names)
        for asked, names in ((Group.ALL, ()), (tuple(nodes[:10]), tuple(nodes[:10])), (tuple(nodes[10:]), tuple(nodes[10:])))
        for market in (Market.DAM, Market.RTM)
    ]


@pytest.mark.parametrize("market", Market)
def test_a_question_for_a_group_is_one_hour_or_one_trade_day(market: Market) -> None:
    for minutes in range(0, 48 * 60, 7):
        now = TEN + minutes * MINUTE
        for newest in (None, now - 9 * HOUR, now - HOUR, now):
            asked = question(group(market, newest=newest), PACE, now)
            assert (asked.start, asked.end) == piece_of(market, asked.start)
            assert asked.end > now - 2 * REPORTS[market].span


def test_the_hour_of_the_next_interval_is_asked_for_and_the_last_one_in_turn_while_it_lacks_its_end() -> None:
    now = TEN + 6 * MINUTE

    whole = group(newest=TEN)
    late = group(newest=TEN - FIVE)
    assert question(whole, PACE, now).start == TEN
    assert question(late, PACE, now).start == TEN - HOUR
    assert question(replace(late, live_at=TEN - HOUR), PACE, now).start == TEN
    assert question(replace(late, live_at=TEN), PACE, now).start == TEN - HOUR
    assert question(group(newest=TEN + 6 * HOUR), PACE, now + 6 * HOUR).start == TEN + 6 * HOUR


def test_day_ahead_the_day_of_tomorrow_is_asked_for_from_noon_once_today_is_here() -> None:
    today, tomorrow = midnight(trade_day(TEN)), midnight(trade_day(TEN) + DAY)
    noon = TEN + HOUR

    assert question(group(Market.DAM), PACE, TEN).start == today
    assert question(group(Market.DAM, newest=tomorrow), PACE, TEN).start == today
    assert question(group(Market.DAM, newest=tomorrow), PACE, noon).start == tomorrow
    assert question(group(Market.DAM, newest=tomorrow + DAY), PACE, noon).start == tomorrow
    assert question(group(Market.DAM, newest=tomorrow + DAY), PACE, tomorrow + HOUR).start == tomorrow


def test_the_last_day_is_read_at_first_and_then_once_in_a_while_hour_by_hour_the_oldest_first() -> None:
    now = TEN + 30 * MINUTE
    track = after(group(), priced(TEN, 6), now)
    assert track.behind == (Span(TEN - 24 * HOUR, TEN),)

    starts = []
    while behind_due([track]):
        asked = behind_question(track)
        starts.append(asked.start)
        track = behind_answered(track, asked, priced(asked.start, 12), now)
    assert starts == [TEN - hours * HOUR for hours in range(24, 0, -1)]
    assert after(track, priced(TEN, 6), now + 29 * MINUTE).behind == ()
    assert after(track, priced(TEN + HOUR, 6), now + 60 * MINUTE).behind == (Span(TEN - 23 * HOUR, TEN + HOUR),)


def test_a_group_begins_with_the_first_price_of_what_lies_behind_and_passes_nothing_that_failed() -> None:
    now = TEN + 30 * MINUTE
    track = after(group(), priced(TEN, 6), now)
    assert (track.until, complaints([track], Market.RTM, now)) == (TEN - 24 * HOUR, ())
    assert cursor([track], Market.RTM) is None, "or a restart would wait for prices that CAISO never had"

    asked = behind_question(track)
    track = behind_answered(track, asked, nothing(Market.RTM, now), now)
    assert track.until == TEN - 23 * HOUR, "CAISO has none of the first hour"
    asked = behind_question(track)
    track = behind_answered(track, asked, priced(asked.start + FIVE, 11), now)
    assert track.until == TEN - 22 * HOUR
    track = behind_answered(track, behind_question(track), None, now)
    while behind_due([track]):
        asked = behind_question(track)
        track = behind_answered(track, asked, priced(asked.start, 12), now)
    assert track.until == TEN - 22 * HOUR, "that hour failed"
    assert complaints([track], Market.RTM, now) == ("not complete since 2025-08-31T20:00Z: ALL",)
    assert after(track, priced(TEN, 6), now + 5 * MINUTE).behind == (Span(TEN - 22 * HOUR, TEN),)


def test_a_cursor_in_the_future_is_not_believed_and_the_whole_lookback_is_read() -> None:
    track = believed(group(until=TEN + DAY, wide_at=TEN), TEN)

    assert after(track, priced(TEN, 2), TEN + 6 * MINUTE).behind == (Span(TEN - 48 * HOUR, TEN),)


def test_an_outage_is_bridged_the_oldest_hour_first_while_the_live_hour_is_asked_at_its_pace() -> None:
    began = TEN - 5 * HOUR + 10 * MINUTE
    track = group(until=began, newest=began, wide_at=TEN)

    track = after(track, priced(TEN, 6), TEN + 30 * MINUTE)
    assert track.until == began, "not before what is missing is here"
    assert question(track, PACE, TEN + 31 * MINUTE).start == TEN

    while behind_due([track]):
        asked = behind_question(track)
        track = behind_answered(track, asked, priced(asked.start, 12), TEN + 32 * MINUTE)
    assert track.until == TEN
    assert after(track, priced(TEN, 6), TEN + 33 * MINUTE).until == TEN + 30 * MINUTE


def test_what_failed_behind_is_asked_for_again_after_a_while_and_holds_no_other_back() -> None:
    track = group(until=TEN - 2 * HOUR, newest=TEN, wide_at=TEN)
    now = TEN + 6 * MINUTE
    track = after(track, priced(TEN, 2), now)
    asked = behind_question(track)
    track = behind_answered(track, asked, None, now)

    assert behind_question(track).start == TEN - HOUR
    track = behind_answered(track, behind_question(track), priced(TEN - HOUR, 12), now)
    assert (track.until, after(track, priced(TEN, 2), now + MINUTE).behind) == (TEN - 2 * HOUR, ())
    assert after(track, priced(TEN, 2), now + 5 * MINUTE).behind == (Span(TEN - 2 * HOUR, TEN),)


def test_a_gap_of_a_group_is_asked_for_a_piece_at_a_time() -> None:
    track = group(until=TEN, gaps=(Span(TEN - 90 * HOUR - 20 * MINUTE, TEN - 89 * HOUR),))

    asked = gap_question(track, TEN)
    track = gap_answered(track, asked, priced(asked.start, 12), TEN)

    assert (asked.start, asked.end) == (TEN - 91 * HOUR, TEN - 90 * HOUR)
    assert track.gaps == (Span(TEN - 90 * HOUR, TEN - 89 * HOUR),)


def test_an_hour_of_16_600_nodes_is_as_many_prices_and_chunks_of_a_hundred() -> None:
    nodes = [f"NODE{number:05d}" for number in range(16_600)]
    content = table(Market.RTM, [(TEN + count * FIVE, node, "LMP", 1.5) for node in nodes for count in range(12)])
    asked = Question(Market.RTM, Group.ALL, TEN, TEN + HOUR)

    network = block_of(parse_reply(200, content, asked), TEN)
    sender = Sender(Environment.SIMULATOR, "lmp_ingest/test")
    events = list(price_events(sender, network, network.is_priced, TEN, 100))

    assert network.values.shape == (12, 16_600, 5)
    assert network.whole == {TEN + count * FIVE for count in range(12)}
    assert len(events) == 12 * 166
    assert {node for event in events for node in event.nodes} == set(nodes)


# The loop


def network(clock: Callable[[], datetime], count: int = 30, **lmp: float) -> Callable[[Question], bytes]:
    """CAISO's prices of so many nodes, of whatever began five minutes from now at the latest."""

    of_group = {Group.ALL: [f"N{number}" for number in range(count)], Group.APNODES: ["DLAP_SCE-APND", "TH_NP15_GEN-APND"]}

    def answer(question: Question) -> bytes:
        interval = REPORTS[question.market].interval
        until = midnight(trade_day(clock()) + DAY) if REPORTS[question.market].is_daily else clock() + FIVE
        starts = [question.start + number * interval for number in range((question.end - question.start) // interval)]
        nodes = of_group.get(question.nodes) or [node for node in question.nodes if node != "TYPO"]
        rows = [(at, node, "LMP", lmp.get(node, 10.0)) for at in starts if at < until for node in nodes]
        return table(question.market, rows) if rows else NOTHING

    return answer


def test_all_is_one_request_and_events_of_all_nodes_and_states_of_the_named_ones(story) -> None:
    one = story(nodes=("ALL", "N1"))
    one.oasis.answer = network(lambda: one.now)
    one.run(60)

    assert {question.nodes for _, question in one.oasis.asked} == {Group.ALL, ("N1",)}
    latest = [event for event in one.events() if event.interval_start == BEGIN]
    assert {node for event in latest for node in event.nodes} == {f"N{number}" for number in range(30)}
    assert one.state(Market.RTM, "N1").active.lmp_usd_per_mwh == 10.0
    assert one.outbox.states().keys() == {one.installation.topics.lmp(Market.RTM, "N1")}
    assert one.health(Market.RTM).ok
    assert one.health(Market.RTM).complaints == ()


def test_more_nodes_than_can_be_asked_by_name_are_asked_as_the_network_and_no_other_is_said(story) -> None:
    names = tuple(f"N{number}" for number in range(25))
    one = story(nodes=names, most_nodes_by_name=20)
    one.oasis.answer = network(lambda: one.now)
    one.run(400)

    assert {question.nodes for _, question in one.oasis.asked} == {Group.ALL}
    assert {node for event in one.events() for node in event.nodes} == set(names)
    assert one.outbox.states().keys() == {one.installation.topics.lmp(Market.RTM, name) for name in names}
    assert {one.state(Market.RTM, name).reasons for name in names} == {()}
    assert one.health(Market.RTM).complaints == ()


def test_of_so_many_nodes_one_that_caiso_does_not_price_is_told_and_doubts_no_other(story) -> None:
    names = tuple(f"N{number}" for number in range(20, 45))
    one = story(nodes=names, most_nodes_by_name=20)
    one.oasis.answer = network(lambda: one.now, 44)
    one.run(60)

    assert one.health(Market.RTM).complaints == ("CAISO gives no price for N44: is the name right?",)
    assert one.state(Market.RTM, "N44") is None
    assert one.state(Market.RTM, "N43").reasons == ()


def test_what_an_outage_left_is_missing_of_the_network_until_it_is_read(story) -> None:
    one = story(nodes=("ALL",))
    one.oasis.answer = network(lambda: one.now)
    one.run(400)
    until = one.now
    one.now += 15 * HOUR
    one.run(20)
    (missing,) = one.health(Market.RTM).missing
    assert missing.names == ("ALL",)
    assert missing.start < until + 2 * FIVE < until + 13 * HOUR < missing.end

    one.run(400)
    assert one.health(Market.RTM).missing == ()


def test_all_alone_is_enough_and_says_no_state(story) -> None:
    one = story(nodes=("ALL",))
    one.oasis.answer = network(lambda: one.now)
    one.run(400)

    assert one.outbox.states() == {}
    assert one.health(Market.RTM).ok
    starts = sorted({event.interval_start for event in one.events()})
    assert starts[0] == BEGIN - 24 * HOUR
    assert all(later - earlier == FIVE for earlier, later in pairwise(starts)), "a day back without a gap"
    assert datetime.fromisoformat(one.outbox.cursors()["RTM"]) >= one.now


def test_the_network_is_asked_for_once_an_interval_when_a_named_node_s_price_is_there(story) -> None:
    one = story(nodes=("ALL", "N1"))
    one.oasis.answer = network(lambda: one.now + 100 * SECOND - FIVE)  # each price comes 100 s before its interval
    one.run(3600)

    asked = [(at, question) for at, question in one.oasis.asked if question.nodes is Group.ALL]
    live = [at for at, question in asked if question.start + 2 * HOUR > at]
    of_all = {start for event in one.events() for start in [event.interval_start] if len(event.nodes) > 1}
    late = [at - (at + 100 * SECOND - (at + 100 * SECOND - BEGIN) % FIVE - 100 * SECOND) for at in live[4:]]
    assert len(live) <= 3600 / 300 + 3
    assert max(of_all) >= one.now - FIVE
    assert max(late) <= 20 * SECOND, "published to asked for"


def test_the_network_alone_is_asked_for_at_most_three_times_an_interval(story) -> None:
    one = story(nodes=("ALL",))
    one.oasis.answer = network(lambda: one.now + 100 * SECOND - FIVE)
    one.run(2 * 3600)

    live = [at for at, question in one.oasis.asked if question.start + 2 * HOUR > at > BEGIN + HOUR]
    assert len(live) <= 3 * 12
    assert max(event.interval_start for event in one.events()) >= one.now - FIVE


def test_a_correction_of_one_node_of_the_network_says_that_node_alone(story) -> None:
    one = story(nodes=("ALL",))
    one.oasis.answer = network(lambda: BEGIN)
    one.run(400)
    told = len(one.events())
    one.oasis.answer = network(lambda: BEGIN, N7=11.0)
    one.run(400)

    news = one.events()[told:]
    assert {event.nodes for event in news} == {("N7",)}
    assert one.count("corrections_total", Market.RTM) == len(news)


def test_a_restart_says_nothing_of_the_network_twice(story) -> None:
    one = story(nodes=("ALL", "N1"))
    one.oasis.answer = network(lambda: BEGIN)
    one.run(400)
    told = len(one.events())
    one.restart()
    one.run(400)

    assert len(one.events()) == told


def test_a_node_that_the_group_had_and_has_no_more_is_named(story, capsys: pytest.CaptureFixture[str]) -> None:
    one = story(nodes=("ALL",))
    one.oasis.answer = network(lambda: one.now)
    one.run(60)
    one.oasis.answer = network(lambda: one.now, 10)
    one.run(400)

    (told,) = one.health(Market.RTM).complaints
    assert re.fullmatch(r"CAISO gives no price for N10, .* and 10 more: is the name right\?", told)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "no price for nodes" in line]
    assert len(line) < 500
    one.oasis.answer = network(lambda: one.now)
    one.run(400)
    assert one.health(Market.RTM).complaints == ()


def test_an_interval_that_the_group_had_and_has_no_more_is_told(story) -> None:
    one = story(nodes=("ALL",))
    one.oasis.answer = network(lambda: BEGIN + FIVE)
    one.run(20)
    one.oasis.answer = network(lambda: BEGIN - MINUTE)
    one.run(400)

    assert any("CAISO has no more what it gave of N0, N1, " in told for told in one.health(Market.RTM).complaints)


def test_a_name_that_caiso_does_not_know_is_told_beside_the_network(story) -> None:
    one = story(nodes=("ALL", "N1", "TYPO"))
    one.oasis.answer = network(lambda: one.now)
    one.run(60)

    assert one.health(Market.RTM).complaints == ("CAISO gives no price for TYPO: is the name right?",)
    assert one.state(Market.RTM, "TYPO") is None


def test_a_failing_group_doubts_no_named_node_and_is_named_by_its_word(story) -> None:
    one = story(nodes=("ALL_APNODES", "TH_NP15_GEN-APND"))
    good = network(lambda: one.now)
    one.oasis.answer = good
    one.run(20)
    one.oasis.answer = lambda question: b"" if question.nodes is Group.APNODES else good(question)
    one.run(400)

    assert any(told.startswith("nothing is heard of ALL_APNODES: an empty reply") for told in one.health(Market.RTM).complaints)
    assert one.state(Market.RTM, "TH_NP15_GEN-APND").reasons == ()
