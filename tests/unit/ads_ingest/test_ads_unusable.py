"""What CAISO answers with something unusable, or late: nothing is lost, and nothing that may be replaced looks good."""

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from ads_bench import MINUTE, RECHECK, T0, Bench, batch, damaged, faulted, timed_out
from ads_fake import FakeAds, Trouble

from ads_ingest.dispatch import BACKLOG_PER_ROUND
from ads_ingest.evidence import Evidence
from ads_ingest.faults import Malformed, Outdated, SoapFault
from ads_ingest.records import Question, Reply
from ads_ingest.service import FollowedStream


def test_a_time_out_of_one_batch_holds_the_cursor_and_not_the_batches_behind(bench: Bench) -> None:
    bench.ads.batches = [batch(1), batch(2, at=T0 + 5 * MINUTE)]
    bench.ads.troubles["getDispatchBatch", "B1"] = timed_out
    for _ in range(10):
        assert len(bench.round()) == 1
    assert bench.dots() == [("B2", 2.0)]
    assert bench.outbox.cursors() == {}
    bench.ads.troubles.clear()
    assert bench.round() == []
    assert bench.dots() == [("B1", 1.0), ("B2", 2.0)]
    assert bench.outbox.cursors() == {"dispatch": "B2"}
    assert len(bench.dispatches()) == 4


def test_when_caiso_is_away_a_round_ends_early(bench: Bench) -> None:
    bench.ads.batches = [batch(n) for n in range(1, 9)]
    bench.ads.troubles["getDispatchBatch", None] = timed_out
    bench.round()
    assert bench.ads.operations().count("getDispatchBatch") == 2


@pytest.mark.parametrize("trouble", [damaged, faulted])
def test_a_batch_that_stays_unusable_is_given_up_and_the_stream_goes_on(bench: Bench, trouble: object) -> None:
    bench.ads.batches = [batch(1), batch(2, at=T0 + 5 * MINUTE)]
    bench.ads.troubles["getDispatchBatch", "B1"] = trouble  # type: ignore[assignment]
    assert [type(failure) for failure in (*bench.round(), *bench.round())] == [
        Malformed if trouble is damaged else SoapFault
    ] * 2
    assert len(bench.round()) == 1, "it may have replaced any DOT: the stream is not well while it may be in force"
    assert bench.outbox.cursors() == {}, "it is in force: after a restart it would be asked for"
    assert bench.round(6 * MINUTE) == []
    assert bench.outbox.cursors() == {"dispatch": "B2"}
    kept = list((bench.folder / "quarantine").iterdir())
    assert len(kept) == 1
    assert kept[0].read_bytes() == trouble(Question("", ""))  # type: ignore[operator]
    assert bench.dots() == [("B2", 2.0)]


def test_a_batch_that_was_given_up_is_asked_for_while_it_is_in_force(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.ads.troubles["getDispatchBatch", "B1"] = damaged
    for _ in range(4):
        bench.round()
    assert len(bench.round(RECHECK)) == 1
    bench.ads.troubles.clear()
    assert bench.round(RECHECK) == []
    assert bench.dots() == [("B1", 1.0)]


def test_a_revision_that_cannot_be_read_is_tried_each_round_until_it_is_given_up(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.batches[0].revision_no = 2
    bench.ads.troubles["getDispatchBatch", "B1"] = damaged
    assert [len(bench.round(RECHECK)), len(bench.round())] == [1, 1]
    assert bench.dots() == [("B1", 1.0)]
    assert len(bench.round()) == 1
    assert bench.dots() == [], "what it replaces must not look as if it still held"


def test_while_a_batch_that_was_given_up_may_be_in_force_no_other_dot_looks_good(bench: Bench) -> None:
    """An out-of-sequence dispatch over the same interval is a batch of its own."""
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.batches.append(batch(2, R1=99.0))
    bench.ads.troubles["getDispatchBatch", "B2"] = damaged
    stream = FollowedStream("ads_dispatch", bench.dispatch, Evidence(bench.quarantine), clock=lambda: bench.now)
    for _ in range(6):
        bench.now += RECHECK
        assert not stream.follow()
        assert bench.dots() == [("B1", 1.0)]
    assert not stream.health.snapshot().ok
    assert stream.rounds_in_vain == 0, "the others are asked for as often as before"
    bench.now += 5 * MINUTE
    assert stream.follow(), "its interval is over"


def test_a_revision_that_leaves_a_resource_out_is_news_to_it(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.batches[0].revision_no = 2
    del bench.ads.batches[0].dots_mw["R2"]
    bench.round(RECHECK)
    told = [(event.resource_id, event.batch.revision_no, len(event.instructions)) for event in bench.dispatches()]
    assert told == [("R1", 1, 1), ("R2", 1, 1), ("R1", 2, 1), ("R2", 2, 0)]
    bench.round(RECHECK)
    assert len(bench.dispatches()) == 4, "once"


def test_a_cancel_that_names_no_instruction_is_news_to_every_resource_of_the_batch(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.batches[0].revision_no, bench.ads.batches[0].status, bench.ads.batches[0].dots_mw = 2, 4, {}
    bench.round(RECHECK)
    assert [(event.resource_id, event.batch.batch_status, event.instructions) for event in bench.dispatches()[2:]] == [
        ("R1", 4, ()),
        ("R2", 4, ()),
    ]
    assert bench.dots("R1") == bench.dots("R2") == []


def lagging(bench: Bench, batch_uid: str) -> Callable[[Question], Trouble]:
    """The batch as it is now, for ever: its header goes on, the document does not."""
    old = bench.ads.fetch(Question("getDispatchBatch", batch_uid)).body
    return lambda _question: old


def test_a_cancel_is_not_undone_by_a_document_that_lags_behind(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.troubles["getDispatchBatch", "B1"] = lagging(bench, "B1")
    bench.ads.batches[0].revision_no, bench.ads.batches[0].status = 2, 4
    for later in (RECHECK, *[timedelta(0)] * 4, RECHECK):
        bench.round(later)
        assert bench.dots() == []
    bench.ads.troubles.clear()
    bench.round(RECHECK)
    assert {event.batch.batch_status for event in bench.dispatches()} == {1, 4}, "the cancel is told when it can be had"


def test_a_revision_whose_document_lags_behind_is_asked_for_until_it_comes(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.troubles["getDispatchBatch", "B1"] = lagging(bench, "B1")
    bench.ads.batches[0].revision_no, bench.ads.batches[0].dots_mw = 2, {"R1": 99.0}
    assert [type(failure) for failure in bench.round(RECHECK)] == [Outdated]
    bench.ads.troubles.clear()
    bench.round()
    assert bench.dots() == [("B1", 99.0)]


def test_where_headers_cannot_be_had_the_batch_itself_tells_whether_it_holds(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.troubles["getBatchHeader", "B1"] = faulted
    for _ in range(3):
        bench.round(RECHECK)
    assert bench.dots() == [("B1", 1.0)]
    bench.ads.batches[0].revision_no, bench.ads.batches[0].status = 2, 4
    bench.round(RECHECK)
    bench.round(RECHECK)
    bench.round(RECHECK)
    assert bench.dots() == []


def test_a_batch_that_caiso_no_longer_knows_is_withdrawn(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.troubles["getBatchHeader", "B1"] = bench.ads.troubles["getDispatchBatch", "B1"] = faulted
    for _ in range(6):
        bench.round(RECHECK)
    assert bench.dots() == []


def test_what_a_new_revision_does_not_name_is_withdrawn_even_when_a_part_of_it_is_unusable(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.batches[0].revision_no, bench.ads.batches[0].dots_mw = 2, {"R1": 5.0, " ": 6.0}
    bench.round(RECHECK)
    assert (bench.dots("R1"), bench.dots("R2")) == ([("B1", 5.0)], [])


def test_a_batch_that_was_given_up_is_asked_for_after_a_restart(bench: Bench) -> None:
    bench.ads.batches = [batch(1), batch(2)]
    bench.ads.troubles["getDispatchBatch", "B1"] = damaged
    for _ in range(3):
        bench.round()
    bench.ads.troubles.clear()
    bench.restart()
    bench.round()
    assert sorted(bench.dots()) == [("B1", 1.0), ("B2", 2.0)]


def test_an_instruction_that_names_no_resource_is_quarantined_and_the_others_are_kept(bench: Bench) -> None:
    bench.ads.batches = [batch(1, **{"R1": 5.0, " ": 6.0})]
    assert bench.round() == []
    assert bench.dots("R1") == [("B1", 5.0)]
    (raw,) = (bench.folder / "quarantine").iterdir()
    assert b"<dot>6.0</dot>" in raw.read_bytes()
    assert bench.outbox.cursors() == {"dispatch": "B1"}


def test_on_a_first_start_what_is_in_force_comes_before_the_backlog_and_all_of_it_comes(bench: Bench) -> None:
    many = BACKLOG_PER_ROUND + 5
    bench.ads.batches = [batch(n, at=T0 - (many - n) * 5 * MINUTE) for n in range(1, many + 1)]
    bench.round()
    assert bench.dispatches()[0].batch.batch_uid == f"B{many}"
    assert bench.dots()[-1] == (f"B{many}", float(many))
    bench.round()
    assert len(bench.dispatches()) == 2 * many
    assert bench.outbox.cursors() == {"dispatch": f"B{many}"}
    assert bench.ads.operations().count("getDispatchBatch") == many


def test_when_the_outbox_fails_nothing_is_validated_and_the_batch_comes_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.ads.batches = [batch(1)]
    commit = bench.outbox.commit

    def full(*_args: object, **_kwargs: object) -> int:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(bench.outbox, "commit", full)
    with pytest.raises(sqlite3.Error):
        bench.round()
    assert bench.ads.validated == {}
    monkeypatch.setattr(bench.outbox, "commit", commit)
    bench.round()
    assert bench.dots() == [("B1", 1.0)]
    assert len(bench.dispatches()) == 2


class Killed(BaseException):
    """The process is gone, here and now."""


def test_killed_at_any_question_it_loses_and_doubles_nothing(tmp_path: Path) -> None:
    batches = [batch(n, at=T0 + (n - 2) * 5 * MINUTE) for n in range(1, 5)]
    expected = {(each.batch_uid, resource) for each in batches for resource in ("R1", "R2")}
    questions = 100
    for fatal in range(questions):
        bench = Bench(tmp_path / str(fatal))
        bench.ads.batches = batches
        bench.ads.fetch = dying(bench.ads, fatal)  # type: ignore[method-assign]
        try:
            bench.round()
        except Killed:
            bench.restart()
            bench.round(timedelta(seconds=1))
        else:
            questions = fatal
        events = [(event.batch.batch_uid, event.resource_id) for event in bench.dispatches()]
        assert (len(events), set(events)) == (8, expected)
        assert [event.seq for event in bench.dispatches()] == list(range(1, 9))
        assert bench.outbox.cursors() == {"dispatch": "B4"}
        assert {uid for uid, _mw in bench.dots()} >= {"B2", "B3", "B4"}
        assert set(bench.ads.validated) >= {"B2", "B3", "B4"}
        bench.outbox.close()
        if questions == fatal:
            break
    assert questions == 9, "list, four batches, four receipts"


def dying(ads: FakeAds, fatal: int) -> Callable[[Question], Reply]:
    """An ADS during whose answer to one question the process is killed."""
    fetch, count = ads.fetch, iter(range(10**6))

    def dying_fetch(question: Question) -> Reply:
        answered = fetch(question)
        if next(count) == fatal:
            raise Killed
        return answered

    return dying_fetch
