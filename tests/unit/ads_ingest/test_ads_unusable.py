"""What CAISO answers with something unusable, or late: nothing is lost, and nothing that may be replaced looks good."""

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from ads_bench import MINUTE, RECHECK, T0, Bench, batch, damaged, faulted, timed_out
from ads_fake import Batch, FakeAds, Trouble
from ads_replies import envelope, packed

from ads_ingest.caiso import Outdated
from ads_ingest.dispatch import BACKLOG_PER_ROUND
from ads_ingest.quarantine import QuarantineLog
from ads_ingest.service import FollowedStream
from caiso.ads.errors import HttpRefused, Malformed, SoapFault, TimedOut
from caiso.ads.records import Question, Reply


def test_a_time_out_of_one_batch_holds_the_cursor_and_not_the_batches_behind(bench: Bench) -> None:
    bench.ads.batches = [batch(1), batch(2, at=T0 + 5 * MINUTE)]
    bench.ads.troubles["getDispatchBatch", "B1"] = timed_out
    for _ in range(10):
        assert len(bench.round()) == 1
    assert bench.dots() == [("B2", 2.0)]
    assert bench.outbox.cursors() == {}
    bench.ads.troubles.clear()
    assert bench.round(MINUTE) == []
    assert bench.dots() == [("B1", 1.0), ("B2", 2.0)]
    assert bench.outbox.cursors() == {"dispatch": "B2"}
    assert len(bench.dispatches()) == 4


def test_what_fails_is_asked_for_less_and_less_often(bench: Bench) -> None:
    bench.ads.batches = [batch(n) for n in range(1, 5)]
    bench.ads.troubles["getDispatchBatch", None] = timed_out
    asked = []
    for _ in range(60):
        bench.round(timedelta(seconds=2))
        asked.append(bench.ads.operations().count("getDispatchBatch"))
    assert asked[0] == 4
    assert asked[-1] <= 4 * 7
    assert asked == sorted(asked)


def test_while_caiso_gives_no_batch_of_the_backlog_a_round_ends_early(bench: Bench) -> None:
    bench.ads.batches = [batch(n, at=T0 - n * 5 * MINUTE) for n in range(1, 9)]
    bench.ads.troubles["getDispatchBatch", None] = timed_out
    bench.round()
    assert bench.ads.operations().count("getDispatchBatch") == 2


@pytest.mark.parametrize("trouble", [damaged, faulted])
def test_a_batch_that_stays_unusable_is_given_up_and_the_stream_goes_on(bench: Bench, trouble: object) -> None:
    bench.ads.batches = [batch(1), batch(2, at=T0 + 5 * MINUTE)]
    bench.ads.troubles["getDispatchBatch", "B1"] = trouble  # type: ignore[assignment]
    for _ in range(6):
        assert [type(failure) for failure in bench.round(timedelta(seconds=10))] == [
            Malformed if trouble is damaged else SoapFault
        ]
    assert bench.outbox.cursors() == {}, "it is in force: after a restart it would be asked for"
    assert bench.reasons("R1") == bench.reasons("R2") == ("incomplete",), "it may have replaced any DOT"
    assert bench.round(4 * MINUTE) == []
    assert bench.reasons("R1") == bench.reasons("R2") == ()
    assert bench.outbox.cursors() == {"dispatch": "B2"}
    kept = list((bench.folder / "quarantine").iterdir())
    assert len(kept) == 1
    assert kept[0].read_bytes() == trouble(Question("", ""))  # type: ignore[operator]
    assert bench.dots() == [("B2", 2.0)]


@pytest.mark.parametrize(
    "told",
    [
        "<endTime>2026-03-01T12:10:00Z<x/></endTime>",
        "<startTime><x>2026-03-01T12:00:00Z</x></startTime>",
    ],
)
def test_elements_where_the_text_of_a_dot_belongs_speak_against_its_resources(bench: Bench, told: str) -> None:
    bench.ads.batches = [batch(1)]
    bench.ads.batches[0].told = told
    bench.round()
    assert bench.reasons() == ("incomplete",)
    assert bench.dots() in ([], [("B1", 1.0)]), "not 8, nor 9, nor 89"


def test_megawatts_with_an_element_among_them_are_none_and_their_resource_is_in_doubt(bench: Bench) -> None:
    bench.ads.batches = [Batch("B1", T0, {"R1": "8<x/>9", "R2": 5.0})]  # type: ignore[dict-item]  # what CAISO must not write
    bench.round()
    assert (bench.dots("R1"), bench.reasons("R1")) == ([], ("incomplete",))
    assert (bench.dots("R2"), bench.reasons("R2")) == ([("B1", 5.0)], ())


def test_a_batch_that_was_given_up_is_asked_for_while_it_is_in_force(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.ads.troubles["getDispatchBatch", "B1"] = damaged
    for _ in range(5):
        bench.round(timedelta(seconds=10))
    bench.ads.troubles.clear()
    assert bench.round(RECHECK) == []
    assert bench.dots() == [("B1", 1.0)]
    assert bench.reasons() == ()


def test_what_a_revision_replaces_is_in_doubt_while_that_cannot_be_read_and_goes_when_it_is_given_up(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.batches[0].revision_no = 2
    bench.ads.troubles["getDispatchBatch", "B1"] = damaged
    assert len(bench.round(RECHECK)) == 1
    assert (bench.dots(), bench.reasons()) == ([("B1", 1.0)], ("incomplete",))
    bench.round(RECHECK)
    assert len(bench.round(RECHECK)) == 1
    assert (bench.dots(), bench.reasons()) == ([], ("incomplete",)), "what it replaces does not hold any more"
    bench.ads.troubles.clear()
    assert bench.round(RECHECK) == []
    assert (bench.dots(), bench.reasons()) == ([("B1", 1.0)], ())


def test_a_batch_that_cannot_be_had_speaks_against_what_it_may_have_replaced_and_the_upstream_is_well(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    """An out-of-sequence dispatch over the same interval is a batch of its own."""
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.batches.append(batch(2, R1=99.0))
    bench.ads.troubles["getDispatchBatch", "B2"] = damaged
    stream = FollowedStream("ads_dispatch", bench.dispatch, QuarantineLog(bench.quarantine), clock=lambda: bench.now)
    for _ in range(6):
        bench.later(RECHECK)
        assert stream.follow()
        assert (bench.dots(), bench.reasons()) == ([("B1", 1.0)], ("incomplete",))
        health = stream.health.snapshot()
        assert health.ok
        assert ["getDispatchBatch(B2)" in complaint for complaint in health.complaints] == [True]
    told = capsys.readouterr().out
    assert (told.count("a batch cannot be had"), told.count("no usable answer")) == (1, 1)
    assert stream.rounds_in_vain == 0, "the others are asked for as often as before"
    bench.later(5 * MINUTE)
    assert stream.follow()
    assert bench.reasons() == (), "its interval is over"
    assert stream.health.snapshot().complaints == ()


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


def test_a_batch_whose_document_cannot_be_had_for_a_while_after_a_restart_is_in_doubt_and_comes_back(bench: Bench) -> None:
    bench.ads.batches = [batch(1, at=T0 + 30 * MINUTE)]
    bench.round()
    bench.restart()
    bench.ads.troubles["getDispatchBatch", "B1"] = damaged
    for _ in range(5):
        bench.round(RECHECK)
        assert (bench.dots(), bench.reasons()) == ([("B1", 1.0)], ("incomplete",))
    bench.ads.troubles.clear()
    bench.round(MINUTE)
    assert (bench.dots(), bench.reasons()) == ([("B1", 1.0)], ())


def test_a_batch_that_is_in_force_again_counts_though_its_header_still_tells_of_the_cancel(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.batches[0].revision_no, bench.ads.batches[0].status = 2, 4
    cancelled = bench.ads.fetch(Question("getBatchHeader", "B1")).body
    bench.ads.troubles["getBatchHeader", "B1"] = lambda _question: cancelled
    bench.ads.batches[0].revision_no, bench.ads.batches[0].status = 3, 1
    assert bench.round(RECHECK) == []
    assert (bench.dots(), bench.reasons()) == ([("B1", 1.0)], ())


def test_a_revision_whose_document_lags_behind_is_asked_for_until_it_comes(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.troubles["getDispatchBatch", "B1"] = lagging(bench, "B1")
    bench.ads.batches[0].revision_no, bench.ads.batches[0].dots_mw = 2, {"R1": 99.0}
    assert [type(failure) for failure in bench.round(RECHECK)] == [Outdated]
    assert bench.reasons() == ("incomplete",)
    bench.ads.troubles.clear()
    bench.round(RECHECK)
    assert (bench.dots(), bench.reasons()) == ([("B1", 99.0)], ())


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


def forget(bench: Bench, *batch_uids: str) -> None:
    """CAISO does not know batches any more, as a simulator after its restart."""
    bench.ads.batches = [batch for batch in bench.ads.batches if batch.batch_uid not in batch_uids]


def test_a_batch_that_caiso_forgot_stays_and_speaks_against_its_own_resources_while_its_interval_lasts(bench: Bench) -> None:
    """It may have been cancelled."""
    bench.ads.batches = [batch(1, R1=1.0), batch(2, R2=2.0)]
    bench.round()
    forget(bench, "B1")
    for _ in range(5):
        assert len(bench.round(RECHECK)) == 1
        assert (bench.dots("R1"), bench.reasons("R1")) == ([("B1", 1.0)], ("incomplete",))
        assert (bench.dots("R2"), bench.reasons("R2")) == ([("B2", 2.0)], ())
    bench.ads.batches.append(batch(3, at=T0 + 5 * MINUTE, R1=3.0))
    bench.round(timedelta(seconds=10))
    assert bench.reasons("R1") == ("incomplete",)
    bench.restart()
    bench.round(timedelta(seconds=1))
    assert (bench.reasons("R1"), bench.reasons("R2")) == (("incomplete",), ()), "a restart makes it no better"
    assert bench.round(3 * MINUTE) == []
    assert (bench.dots("R1"), bench.reasons("R1")) == ([("B1", 1.0), ("B3", 3.0)], ())


def test_batches_that_caiso_forgot_are_asked_for_a_bounded_number_of_times(bench: Bench) -> None:
    """Sixteen minutes of rounds once asked 2,700 times."""
    many = 20
    bench.ads.batches = [batch(n, at=T0 + 60 * MINUTE) for n in range(1, many + 1)]
    bench.round()
    bench.ads.batches = []
    for _ in range(360):
        bench.round(timedelta(seconds=10))
    asked = bench.ads.operations()
    assert asked.count("getBatchHeader") <= 20 * many
    assert asked.count("getDispatchBatch") <= (1 + 20) * many


def refused(question: Question) -> Trouble:
    return HttpRefused(question, "status 503")


def slow(bench: Bench) -> Callable[[Question], Trouble]:
    def trouble(question: Question) -> Trouble:
        bench.later(RECHECK)
        return TimedOut(question, "no reply within 30 s")

    return trouble


@pytest.mark.parametrize("of", [lambda _bench: refused, lambda _bench: faulted, slow])
def test_an_open_batch_that_cannot_be_asked_for_holds_back_no_new_one(
    bench: Bench, of: Callable[[Bench], Callable[[Question], Trouble]]
) -> None:
    bench.ads.batches = [batch(n, at=T0 + 60 * MINUTE) for n in range(1, 6)]
    bench.round()
    bench.ads.troubles["getBatchHeader", None] = of(bench)
    for n in range(6, 12):
        bench.ads.batches.append(batch(n, at=T0 + 60 * MINUTE))
        bench.round(timedelta(seconds=10))
        assert f"B{n}" in [uid for uid, _mw in bench.dots()]
        if of is slow:
            assert bench.ads.operations().count("getBatchHeader") <= n - 5, "one that times out ends the asking of its round"


def test_a_dot_whose_batch_caiso_does_not_confirm_for_long_is_in_doubt_until_it_does(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.troubles["getBatchHeader", "B1"] = refused
    for seconds in range(10, 70, 10):
        bench.round(timedelta(seconds=10))
        assert bench.reasons() == (), seconds
    bench.round(timedelta(seconds=10))
    assert bench.reasons() == ("incomplete",)
    bench.ads.troubles.clear()
    bench.round(MINUTE)
    assert bench.reasons() == ()


def test_an_older_revision_than_was_had_confirms_nothing(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.ads.batches[0].revision_no = 4
    bench.round()
    bench.ads.batches[0].revision_no, bench.ads.batches[0].dots_mw = 3, {"R1": 30.0}
    for _ in range(4):
        bench.round(RECHECK)
        assert bench.dots() == [("B1", 1.0)]
    assert bench.reasons() == ("incomplete",)


def test_a_cancelled_batch_does_not_come_back_in_an_older_revision_after_a_restart(bench: Bench) -> None:
    bench.ads.batches = [batch(1, R1=30.0)]
    bench.ads.batches[0].revision_no = 3
    bench.round()
    bench.ads.batches[0].revision_no, bench.ads.batches[0].status = 4, 4
    bench.round(RECHECK)
    bench.restart()
    bench.ads.batches[0].revision_no, bench.ads.batches[0].status = 3, 1
    bench.outbox.commit(bench.now, cursors={"dispatch": "-1"})
    bench.restart()
    for _ in range(4):
        bench.round(RECHECK)
        assert bench.dots() == []
        assert [(one.batch_uid, one.revision_no) for one in bench.dot().withdrawn] == [("B1", 4)]


def test_a_batch_that_this_software_cannot_pass_on_is_quarantined_and_ends_nothing_else(bench: Bench) -> None:
    """Two segments that add up to minus infinity once ended the process, and again after each restart."""
    bench.ads.batches = [batch(1, R1=1.0), batch(2, R1=2.0), batch(3, R2=3.0)]
    bench.ads.batches[1].detail = "".join(
        f"<instructionDetail segNo='{n}'><serviceType>SUPP</serviceType><mw>-1e308</mw></instructionDetail>" for n in (1, 2)
    )
    for _ in range(2):
        assert [failure.kind for failure in bench.round()] == ["unforeseen"]
        assert (bench.dots("R1"), bench.reasons("R1")) == ([("B1", 1.0)], ("incomplete",))
        assert (bench.dots("R2"), bench.reasons("R2")) == ([("B3", 3.0)], ())
        bench.restart()
    stream = FollowedStream("ads_dispatch", bench.dispatch, QuarantineLog(bench.quarantine), clock=lambda: bench.now)
    assert stream.follow()
    kept = {path.suffix: path.read_text() for path in (bench.folder / "quarantine").iterdir()}
    assert "-1e308" in kept[".xml"]
    assert "Traceback" in kept[".txt"]
    bench.later(6 * MINUTE)
    assert stream.follow()
    assert bench.outbox.cursors() == {"dispatch": "B3"}
    assert bench.reasons("R1") == ()


def test_a_cancel_by_header_of_a_batch_that_was_never_had_is_told_to_every_resource_with_its_revision(bench: Bench) -> None:
    """Another source may hold an older revision of it."""
    bench.ads.batches = [batch(1), batch(2, R1=2.0)]
    bench.ads.batches[0].revision_no, bench.ads.batches[0].status = 4, 4
    bench.ads.troubles["getDispatchBatch", "B1"] = faulted
    bench.round()
    for resource in ("R1", "R2"):
        assert [(one.batch_uid, one.revision_no) for one in bench.dot(resource).withdrawn] == [("B1", 4)]
        assert bench.reasons(resource) == (), "nothing of it is in force, whatever it says"


HOURLY_ANSWERS = [
    ({"status": 3, "told": "<acceptDot>0</acceptDot><acceptStatus>DECLINE</acceptStatus>"}, [], ()),
    ({"status": 2}, [], ()),
    ({"status": 6}, [], ()),
    ({"status": 3, "told": "<acceptDot>15</acceptDot><acceptStatus>PARTIAL</acceptStatus>"}, [("B1", 15.0)], ()),
    ({"status": 5}, [("B1", 40.0)], ("incomplete",)),
    ({"status": 3}, [("B1", 40.0)], ()),
]


@pytest.mark.parametrize(("change", "dots", "reasons"), HOURLY_ANSWERS)
def test_an_hourly_instruction_holds_as_it_was_answered(
    bench: Bench, change: dict[str, object], dots: list[tuple[str, float]], reasons: tuple[str, ...]
) -> None:
    bench.ads.batches = [batch(1, at=T0 + 60 * MINUTE, R1=40.0)]
    bench.ads.batches[0].batch_type = 1
    bench.round()
    assert (bench.dots(), bench.reasons()) == ([("B1", 40.0)], ())
    for name, value in {"revision_no": 2, **change}.items():
        setattr(bench.ads.batches[0], name, value)
    bench.round(RECHECK)
    for restart in (bench.round, bench.restart):
        restart()
        bench.round(RECHECK)
        assert (bench.dots(), bench.reasons("R2")) == (dots, ())
        assert [interval.reasons for interval in bench.dot().intervals] == [reasons for _ in dots]
        assert bench.reasons() == (), "R1 follows the five-minute schedule"


def test_an_hourly_batch_that_caiso_forgot_is_in_doubt_and_no_five_minute_dot_beside_it(bench: Bench) -> None:
    hourly = batch(2, at=T0, R1=40.0)
    hourly.batch_type = 1
    bench.ads.batches = [batch(1), hourly]
    bench.round()
    bench.ads.batches = [batch(1)]
    bench.round(RECHECK)
    assert bench.reasons() == ()
    assert {interval.batch_uid: interval.reasons for interval in bench.dot().intervals} == {"B1": (), "B2": ("incomplete",)}


def test_what_a_new_revision_does_not_name_is_in_doubt_when_a_part_of_it_may_be_about_it(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.batches[0].revision_no, bench.ads.batches[0].dots_mw = 2, {"R1": 5.0, " ": 6.0}
    bench.round(RECHECK)
    assert (bench.dots("R1"), bench.dots("R2")) == ([("B1", 5.0)], [("B1", -1.0)])
    assert (bench.reasons("R1"), bench.reasons("R2")) == (("incomplete",), ("incomplete",))


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
    bench.restart()
    bench.round()
    assert bench.reasons("R2") == ("incomplete",), "CAISO lists it again, until it is over"


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
    assert questions == 9, "list, four batches, four validations"


def dying(ads: FakeAds, fatal: int) -> Callable[[Question], Reply]:
    """An ADS during whose answer to one question the process is killed."""
    fetch, count = ads.fetch, iter(range(10**6))

    def dying_fetch(question: Question) -> Reply:
        answered = fetch(question)
        if next(count) == fatal:
            raise Killed
        return answered

    return dying_fetch


@pytest.mark.parametrize(
    "told",
    [
        "<endTime>2026-03-01T12:10:00</endTime>",
        "<startTime>soon</startTime>",
        "<acceptDot>12,5</acceptDot>",
        "<oprReasonCode>x</oprReasonCode>",
    ],
)
def test_a_dot_with_a_text_that_nobody_can_read_speaks_against_its_resource_and_is_told(bench: Bench, told: str) -> None:
    """A time without its zone once let the DOT vanish without a word."""
    bench.ads.batches = [batch(1, R1=7.0), batch(2, R2=3.0)]
    bench.ads.batches[0].told = told
    unanswered = bench.dispatch.round()
    assert [failure.kind for failure in unanswered.failures] == ["unreadable"]
    assert told[1:].split(">", maxsplit=1)[0] in str(unanswered.failures[0])
    assert (bench.reasons("R1"), bench.reasons("R2")) == (("incomplete",), ())
    assert len(bench.dispatches()) == 2, "the event is passed on with the text as it came"
    bench.round(4 * MINUTE)
    assert bench.reasons("R1") == ("incomplete",)
    bench.restart()
    bench.round(RECHECK)
    assert bench.reasons("R1") == ("incomplete",), "after a restart, too"


@pytest.mark.parametrize(("megawatts", "start"), [("a lot", "2026-03-01T12:00:00Z"), ("7.0", "2026-03-01T12:00:00")])
def test_a_dot_without_readable_megawatts_or_start_speaks_against_its_resource_until_a_revision_can_be_read(
    bench: Bench, megawatts: str, start: str
) -> None:
    bench.ads.batches = [batch(1, R1=7.0)]
    asked = bench.ads.batches[0]
    whole = asked.xml(whole=True).replace("<dot>7.0</dot>", f"<dot>{megawatts}</dot>")
    whole = whole.replace(f"<startTime>{T0.isoformat()}</startTime>", f"<startTime>{start}</startTime>")
    bench.ads.troubles["getDispatchBatch", "B1"] = lambda _question: envelope("getDispatchBatch", packed(whole.encode()))
    assert [failure.kind for failure in bench.dispatch.round().failures] == ["unreadable"]
    assert (bench.dots("R1"), bench.reasons("R1")) == ([], ("incomplete",))
    bench.ads.troubles.clear()
    asked.revision_no = 2
    bench.round(RECHECK)
    assert (bench.dots("R1"), bench.reasons("R1")) == ([("B1", 7.0)], ())


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("<endTime>2026-03-01T11:55:00Z</endTime>", "endTime is 2026-03-01T11:55:00+00:00, before its start"),
        ("<startTime>2026-03-01T12:04:00Z</startTime><endTime>2026-03-01T12:03:00Z</endTime>", "before its start"),
        ("<endTime>2026-03-01T12:00:00Z</endTime>", "which is its start"),
        ("<startTime>2026-03-01T09:02:30Z</startTime>", "startTime is 2026-03-01T09:02:30+00:00, outside of its interval"),
        ("<startTime>2026-03-01T17:02:30Z</startTime>", "outside of its interval"),
        ("<endTime>2026-03-02T12:05:00Z</endTime>", "hours after its start"),
    ],
)
def test_a_dot_whose_times_contradict_each_other_speaks_against_its_resource_and_is_told(
    bench: Bench, told: str, said: str
) -> None:
    bench.ads.batches = [batch(1, R1=7.0), batch(2, R2=3.0)]
    bench.ads.batches[0].told = told
    unanswered = bench.dispatch.round()
    assert [(failure.kind, said in str(failure)) for failure in unanswered.failures] == [("unreadable", True)]
    assert (bench.reasons("R1"), bench.reasons("R2")) == (("incomplete",), ())
    bench.restart()
    bench.round(RECHECK)
    assert bench.reasons("R1") == ("incomplete",), "after a restart, too"
    bench.ads.batches[0].told, bench.ads.batches[0].revision_no = "", 2
    bench.round(RECHECK)
    assert (bench.dots("R1"), bench.reasons("R1")) == ([("B1", 7.0)], ())


def test_a_constraint_that_ends_before_it_begins_speaks_against_what_is_instructed_and_against_no_dot(bench: Bench) -> None:
    bench.ads.batches = [batch(1, R1=7.0), batch(2, R1=3.0)]
    bench.ads.batches[1].batch_type, bench.ads.batches[1].instruction_type = 2, 4
    bench.ads.batches[1].told = "<startTime>2026-03-01T12:04:00Z</startTime><endTime>2026-03-01T11:04:00Z</endTime>"
    assert [failure.kind for failure in bench.dispatch.round().failures] == ["unreadable"]
    assert (bench.instructions("R1").reasons, bench.reasons("R1")) == (("incomplete",), ())


def test_of_a_cancelled_dot_it_does_not_matter_that_its_end_was_cut_to_before_its_start(bench: Bench) -> None:
    bench.ads.batches = [batch(1, R1=7.0)]
    bench.ads.batches[0].status, bench.ads.batches[0].told = 4, "<endTime>2026-03-01T11:55:00Z</endTime>"
    assert bench.dispatch.round().failures == ()
    assert bench.reasons("R1") == ()


def test_a_time_of_a_batch_at_caiso_without_its_zone_speaks_against_its_dots_which_it_would_rank(bench: Bench) -> None:
    bench.ads.batches = [batch(1, R1=60.0), batch(2, R1=5.0)]
    asked = bench.ads.batches[1]
    received = f"<batchReceived>{T0.isoformat()}</batchReceived>"
    whole = asked.xml(whole=True).replace(received, "<batchReceived>2026-03-01T11:50:00</batchReceived>")
    bench.ads.troubles["getDispatchBatch", "B2"] = lambda _question: envelope("getDispatchBatch", packed(whole.encode()))
    assert [failure.kind for failure in bench.dispatch.round().failures] == ["unreadable"]
    assert bench.reasons("R1") == ("incomplete",)


def test_an_instruction_that_a_batch_says_twice_and_not_the_same_speaks_against_its_resource(bench: Bench) -> None:
    bench.ads.batches = [batch(1, R1=31.0, R2=3.0)]
    for mw, reasons in (("31.0", ()), ("32.0", ("incomplete",))):
        bench.ads.batches[0].revision_no += 1
        whole = bench.ads.batches[0].xml(whole=True)
        begin, end = whole.index("<instruction instructionUID='B1-R1'"), whole.index("</instruction>") + len("</instruction>")
        document = packed((whole[:end] + whole[begin:end].replace("31.0", mw) + whole[end:]).encode())
        bench.ads.troubles["getDispatchBatch", "B1"] = lambda _question, it=document: envelope("getDispatchBatch", it)
        bench.round(RECHECK)
        assert (bench.reasons("R1"), bench.reasons("R2")) == (reasons, ())


def test_an_instruction_without_a_uid_speaks_against_its_resource_and_withdraws_nothing(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    assert bench.round() == []
    bench.ads.batches[0].revision_no = 2
    whole = bench.ads.batches[0].xml(whole=True).replace(" instructionUID='B1-R1'", "")
    bench.ads.troubles["getDispatchBatch", "B1"] = lambda _question: envelope("getDispatchBatch", packed(whole.encode()))
    bench.later(RECHECK)
    assert [failure.kind for failure in bench.dispatch.round().failures] == ["unreadable"]
    assert bench.dots() == [("B1", 1.0)]
    assert (bench.reasons(), bench.reasons("R2")) == (("incomplete",), ())


def test_an_instruction_without_a_uid_in_a_batch_of_its_own_speaks_against_what_its_resource_has(bench: Bench) -> None:
    bench.ads.batches = [batch(1), batch(2, R1=999.0)]
    whole = bench.ads.batches[1].xml(whole=True).replace(" instructionUID='B2-R1'", "")
    bench.ads.troubles["getDispatchBatch", "B2"] = lambda _question: envelope("getDispatchBatch", packed(whole.encode()))
    bench.dispatch.round()
    assert (bench.reasons(), bench.reasons("R2")) == (("incomplete",), ())


def test_what_was_answered_slowly_counts_as_of_when_it_was_asked_for(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    takes_s = {"getDispatchBatchesSinceUID": 25, "getDispatchBatch": 7}
    bench.ads.on_question = lambda question: bench.later(timedelta(seconds=takes_s.get(question.operation, 0)))
    bench.round()
    assert bench.dot().heard_at == T0
    bench.round(timedelta(seconds=10))
    assert bench.dot().heard_at == T0 + timedelta(seconds=42)
