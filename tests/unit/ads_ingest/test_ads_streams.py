"""Rounds of both streams against an ADS in memory, with the real outbox on disk."""

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ads_fake import Batch, FakeAds, Trouble
from ads_replies import fault

from ads_ingest.board import dot_board, trajectory_board
from ads_ingest.caiso import Caiso
from ads_ingest.dispatch import BACKLOG_PER_ROUND, DispatchStream
from ads_ingest.evidence import Evidence
from ads_ingest.faults import AdsFailure, Malformed, Outdated, SoapFault, TimedOut
from ads_ingest.files import DISPATCH_FILE, DOTS_FILE, TRAJECTORY_FILE, LatestFiles
from ads_ingest.keeping import Keeper, Strangers, take_over
from ads_ingest.receipts import Receipts
from ads_ingest.records import Question, Reply
from ads_ingest.service import FollowedStream
from ads_ingest.trajectory import TrajectoryStream
from ads_ingest.translate import Sender
from dotbus.contracts.codec import decode_as
from dotbus.contracts.messages import Dispatch, Dot, Trajectory
from dotbus.runtime.installation import Installation
from dotbus.runtime.outbox import Outbox
from dotbus.runtime.quarantine import Quarantine

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RECHECK = timedelta(seconds=30)
INSTALLATION = Installation.model_validate(
    {"environment": "simulator", "plant": [{"name": "north", "resource": [{"id": "R1"}, {"id": "R2"}]}]}
)


class Bench:
    """Both streams, an ADS to talk to and a clock to turn."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ads = FakeAds()
        self.now = T0
        self.start()

    def start(self) -> None:
        """A process begins: with what is on disk, and nothing else."""
        self.outbox = Outbox(self.folder / "outbox.sqlite", max_age_s=1e9, max_bytes=10**9)
        self.quarantine = Quarantine(self.folder / "quarantine", 10**6)
        sender, caiso, strangers = Sender(INSTALLATION, "ads_ingest/test"), Caiso(self.ads, 10**6), Strangers()
        kept, topics, files = take_over(self.outbox, sender, self.now), INSTALLATION.topics, LatestFiles(self.folder / "latest")
        self.commits = 0
        told = {"committed": self.count_commit, "strangers": strangers}
        self.dispatch = DispatchStream(
            caiso,
            Keeper(self.outbox, dot_board(sender, kept), topics, "dispatch", **told),  # type: ignore[arg-type]
            sender,
            receipts=Receipts(caiso, enabled=True),
            evidence=Evidence(self.quarantine),
            files=files,
            recheck=RECHECK,
            clock=lambda: self.now,
        )
        self.trajectory = TrajectoryStream(
            caiso,
            Keeper(self.outbox, trajectory_board(sender, kept), topics, "trajectory", **told),  # type: ignore[arg-type]
            sender,
            evidence=Evidence(self.quarantine),
            files=files,
            clock=lambda: self.now,
        )

    def count_commit(self) -> None:
        self.commits += 1

    def restart(self) -> None:
        """The process dies and another begins."""
        self.outbox.close()
        self.start()

    def round(self, later: timedelta = timedelta(0)) -> list[AdsFailure]:
        """One round of the dispatch stream, some time later."""
        self.now += later
        return self.dispatch.round()

    def dispatches(self) -> list[Dispatch]:
        """Every dispatch event that was kept, in its order."""
        return [decode_as(event.payload, Dispatch) for event in self.outbox.between(1, 10**6, 10**6)]

    def dots(self, resource: str = "R1", plant: str = "north") -> list[tuple[str, float]]:
        """Batch and megawatts of each DOT in a resource's state."""
        state = decode_as(self.outbox.states()[INSTALLATION.topics.dot(plant, resource)], Dot)
        return [(interval.batch_uid, interval.dot_mw) for interval in state.intervals]

    def dot(self, resource: str = "R1") -> Dot:
        """The state of a resource."""
        return decode_as(self.outbox.states()[INSTALLATION.topics.dot("north", resource)], Dot)

    def curve(self, resource: str = "R1") -> Trajectory:
        """The trajectory state of a resource."""
        return decode_as(self.outbox.states()[INSTALLATION.topics.trajectory("north", resource)], Trajectory)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.outbox.close()


def batch(n: int, *, at: datetime = T0, **dots_mw: float) -> Batch:
    return Batch(f"B{n}", at, dots_mw or {"R1": float(n), "R2": -float(n)})


def timed_out(question: Question) -> Trouble:
    return TimedOut(question, "no reply")


def damaged(_question: Question) -> Trouble:
    return b"<not-soap"


def faulted(_question: Question) -> Trouble:
    return fault("something is wrong")


def test_each_new_batch_becomes_an_event_for_each_resource_a_state_and_a_cursor_together(bench: Bench) -> None:
    bench.ads.batches = [batch(1), batch(2, at=T0 + 5 * MINUTE)]
    assert bench.round() == []
    assert [(event.batch.batch_uid, event.resource_id) for event in bench.dispatches()] == [
        ("B1", "R1"),
        ("B1", "R2"),
        ("B2", "R1"),
        ("B2", "R2"),
    ]
    assert bench.dots("R1") == [("B1", 1.0), ("B2", 2.0)]
    assert bench.dots("R2") == [("B1", -1.0), ("B2", -2.0)]
    assert bench.outbox.cursors() == {"dispatch": "B2"}
    assert bench.ads.validated == {"B1": 1, "B2": 1}


def test_the_first_question_is_for_all_and_the_next_for_what_came_since(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.batches.append(batch(2))
    bench.round()
    since = [question.batch_uid for question in bench.ads.asked if question.operation == "getDispatchBatchesSinceUID"]
    assert since == ["-1", "B1"]
    assert len(bench.dispatches()) == 4


def test_a_batch_is_validated_only_after_it_is_kept(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    seen: list[int] = []
    bench.ads.troubles["validateDispatchBatch", None] = lambda q: seen.append(len(bench.dispatches())) or timed_out(q)
    bench.round()
    assert seen == [2]


def test_a_receipt_that_caiso_did_not_hear_is_sent_again_and_is_no_failure(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.ads.troubles["validateDispatchBatch", None] = timed_out
    assert bench.round() == []
    bench.ads.troubles.clear()
    bench.round()
    bench.round()
    assert bench.ads.validated == {"B1": 1}


def test_after_a_restart_open_batches_get_their_receipt(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.ads.troubles["validateDispatchBatch", None] = timed_out
    bench.round()
    bench.ads.troubles.clear()
    bench.restart()
    bench.round()
    assert bench.ads.validated == {"B1": 1}


def test_a_configured_resource_without_a_dot_says_so_once_all_was_looked_through(bench: Bench) -> None:
    bench.ads.batches = [batch(1, R1=5.0)]
    bench.ads.troubles["getDispatchBatch", None] = timed_out
    bench.round()
    assert bench.outbox.states() == {}, "nothing is known yet, so nothing is said"
    bench.ads.troubles.clear()
    bench.round()
    assert bench.dots("R2") == []
    assert bench.dot("R2").received_at is None


def test_a_state_is_said_again_when_it_changes_and_otherwise_every_thirty_seconds(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    first = bench.dot().heard_at
    bench.round(timedelta(seconds=10))
    assert bench.dot().heard_at == first
    bench.round(timedelta(seconds=20))
    assert bench.dot().heard_at == first + timedelta(seconds=30)


def test_a_clock_that_is_set_back_leaves_no_state_of_the_future_and_stops_no_question(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.round(-3 * MINUTE)
    assert bench.dot().heard_at == bench.now
    assert "getBatchHeader" in [question.operation for question in bench.ads.asked]


def test_a_quiet_round_commits_nothing(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    before = bench.commits
    bench.round(timedelta(seconds=5))
    assert bench.commits == before


def test_a_resource_that_nobody_claims_is_passed_on_as_unassigned(bench: Bench) -> None:
    bench.ads.batches = [batch(1, STRANGER=7.0)]
    bench.round()
    assert [event.plant for event in bench.dispatches()] == ["unassigned"]
    assert bench.dots("STRANGER", "unassigned") == [("B1", 7.0)]


def test_the_state_of_a_resource_that_nobody_claims_is_retracted_a_day_after_all_in_it_is_past(bench: Bench) -> None:
    topic = INSTALLATION.topics.dot("unassigned", "STRANGER")
    bench.ads.batches = [batch(1, STRANGER=7.0, R1=3.0)]
    bench.round()
    ends_at = decode_as(bench.outbox.states()[topic], Dot).intervals[-1].interval_end
    bench.ads.batches = []
    bench.round(ends_at + timedelta(hours=24) - bench.now)
    assert topic in bench.outbox.states()
    bench.round(MINUTE)
    assert topic not in bench.outbox.states()
    assert bench.outbox.state_payloads([topic]) == {topic: b""}, "the broker is told to forget it"
    assert bench.dots("R1") == [("B1", 3.0)], "a plant's resource keeps its last DOT"
    bench.restart()
    bench.round(MINUTE)
    assert topic not in bench.outbox.states()
    bench.ads.batches = [batch(2, at=bench.now, STRANGER=8.0)]
    bench.round(MINUTE)
    assert bench.dots("STRANGER", "unassigned") == [("B2", 8.0)], "and says it again when CAISO does"


def test_a_batch_that_is_cancelled_after_it_was_kept_leaves_the_state_and_is_an_event(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.batches[0].status, bench.ads.batches[0].revision_no = 4, 2
    bench.round(timedelta(seconds=10))
    assert bench.dots() == [("B1", 1.0)], "not due yet"
    bench.round(timedelta(seconds=20))
    assert bench.dots() == []
    assert [event.batch.batch_status for event in bench.dispatches()] == [1, 1, 4, 4]


def test_a_cancel_counts_even_when_the_document_cannot_be_had(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.batches[0].status, bench.ads.batches[0].revision_no = 4, 2
    bench.ads.troubles["getDispatchBatch", "B1"] = timed_out
    assert len(bench.round(RECHECK)) == 1
    assert bench.dots() == []


def test_a_revision_replaces_the_dot_and_resources_that_it_no_longer_names_lose_theirs(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.batches[0].revision_no, bench.ads.batches[0].dots_mw = 2, {"R1": 50.0}
    bench.round(RECHECK)
    assert (bench.dots("R1"), bench.dots("R2")) == ([("B1", 50.0)], [])


def test_a_batch_that_is_over_is_not_asked_for_again(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.round(6 * MINUTE)
    assert "getBatchHeader" not in bench.ads.operations()


def test_a_restart_asks_at_once_whether_an_open_batch_was_cancelled_meanwhile(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.batches[0].status, bench.ads.batches[0].revision_no = 4, 2
    bench.restart()
    bench.round(timedelta(seconds=1))
    assert bench.dots() == []


def test_a_restart_takes_up_states_and_cursor_and_doubles_nothing(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.restart()
    bench.ads.batches.append(batch(2, at=T0 + 5 * MINUTE))
    bench.round(MINUTE)
    assert bench.dots() == [("B1", 1.0), ("B2", 2.0)]
    assert len(bench.dispatches()) == 4


def test_a_cursor_that_caiso_forgot_is_replaced_by_all_it_has_and_doubles_nothing(bench: Bench) -> None:
    bench.ads.batches = [batch(1), batch(2)]
    bench.round()
    bench.ads.batches = [batch(2), batch(3)]
    bench.outbox.commit(T0, cursors={"dispatch": "B0"})
    bench.restart()
    assert bench.round(6 * MINUTE) == []
    assert [event.batch.batch_uid for event in bench.dispatches()] == ["B1", "B1", "B2", "B2", "B3", "B3"]
    assert bench.outbox.cursors() == {"dispatch": "B3"}


def test_a_fault_that_is_not_about_the_cursor_leaves_the_cursor(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.troubles["getDispatchBatchesSinceUID", None] = faulted
    with pytest.raises(SoapFault):
        bench.round()
    assert bench.outbox.cursors() == {"dispatch": "B1"}


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


def test_states_of_another_environment_are_not_taken_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    production = INSTALLATION.model_copy(update={"environment": "production"})
    monkeypatch.setitem(globals(), "INSTALLATION", production)
    bench.ads.batches = []
    bench.restart()
    bench.round(MINUTE)
    assert bench.dots() == []


def test_a_resource_that_went_to_another_plant_takes_its_state_along_and_its_old_topics_are_retracted(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    heard_at = bench.dot().heard_at
    south = {"environment": "simulator", "plant": [{"name": "south", "resource": [{"id": "R1"}]}]}
    monkeypatch.setitem(globals(), "INSTALLATION", Installation.model_validate(south))
    bench.now += MINUTE
    bench.restart()
    assert bench.dots("R1", "south") == [("B1", 1.0)]
    assert bench.dots("R2", "unassigned") == [("B1", -1.0)]
    assert bench.outbox.state_payloads([INSTALLATION.topics.dot("north", "R1")]).popitem()[1] == b""
    moved = decode_as(bench.outbox.states()[INSTALLATION.topics.dot("south", "R1")], Dot)
    assert (moved.plant, moved.heard_at, moved.time) == ("south", heard_at, bench.now), "moving it makes it no younger"
    bench.round(MINUTE)
    assert bench.dots("R1", "south") == [("B1", 1.0)]


def test_topics_below_another_root_are_retracted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    before = set(bench.outbox.states())
    elsewhere = INSTALLATION.model_copy(update={"topic_root": "elsewhere"})
    monkeypatch.setitem(globals(), "INSTALLATION", elsewhere)
    bench.restart()
    assert set(bench.outbox.state_payloads(before).values()) == {b""}
    assert bench.dots() == [("B1", 1.0)]


def test_the_latest_files_are_the_newest_batch_and_the_newest_dots(bench: Bench) -> None:
    bench.ads.batches = [batch(1), batch(2, at=T0 + 5 * MINUTE)]
    bench.round()
    latest = bench.folder / "latest"
    assert b"batchUID='B2'" in (latest / DISPATCH_FILE).read_bytes()
    assert (latest / DOTS_FILE).read_text().splitlines()[1:] == [
        "R1,2.0,,2026-03-01T12:05:00Z,2026-03-01T12:07:30Z,2026-03-01T12:10:00Z,B2",
        "R2,-2.0,,2026-03-01T12:05:00Z,2026-03-01T12:07:30Z,2026-03-01T12:10:00Z,B2",
    ]


def test_files_that_cannot_be_written_do_not_stop_the_stream(bench: Bench) -> None:
    (bench.folder / "latest").write_text("a file where a folder belongs")
    bench.ads.batches = [batch(1)]
    assert bench.round() == []
    assert bench.dots() == [("B1", 1.0)]


def trajectory(uid: str, received_min: float, *points: tuple[float, float]) -> tuple[str, str]:
    dops = "".join(
        f"<trajectoryDop dopUID='{uid}-{n}'><resourceId>R1</resourceId><dop>{mw}</dop>"
        f"<targetTime>{(T0 + minute * MINUTE).isoformat()}</targetTime><sequenceNumber>{n}</sequenceNumber></trajectoryDop>"
        for n, (minute, mw) in enumerate(points, 1)
    )
    received = (T0 + received_min * MINUTE).isoformat()
    header = f"<batchReceived>{received}</batchReceived>"
    return uid, f"<trajectoryBatch batchUID='{uid}'>{header}<dopList>{dops}</dopList></trajectoryBatch>"


def test_trajectories_become_events_a_curve_and_a_cursor_of_their_own(bench: Bench) -> None:
    bench.ads.trajectories = [trajectory("T1", 0, (0, 10), (5, 20)), trajectory("T2", 1, (5, 25))]
    assert bench.trajectory.round() == []
    curve = bench.curve()
    assert [(point.dop_mw, point.batch_uid) for point in curve.points] == [(10.0, "T1"), (25.0, "T2")]
    assert curve.latest
    assert curve.latest.dop_mw == 25.0
    assert bench.curve("R2").points == ()
    assert bench.outbox.cursors() == {"trajectory": "T2"}
    assert (bench.folder / "latest" / TRAJECTORY_FILE).exists()


def test_without_new_trajectories_none_are_fetched_and_it_is_said_that_caiso_was_heard(bench: Bench) -> None:
    bench.trajectory.round()
    assert bench.ads.operations() == ["isNewTrajData"]
    assert bench.curve().heard_at == T0
    assert bench.curve().received_at is None


def test_an_empty_trajectory_list_moves_no_cursor(bench: Bench) -> None:
    bench.ads.trajectories = [trajectory("T1", 0, (0, 10))]
    bench.trajectory.round()
    bench.ads.troubles["isNewTrajData", None] = lambda _q: (
        b"<E:Envelope xmlns:E='e'><E:Body><r><result>1</result></r></E:Body></E:Envelope>"
    )
    assert bench.trajectory.round() == []
    assert bench.outbox.cursors() == {"trajectory": "T1"}


def test_a_trajectory_cursor_that_caiso_forgot_is_replaced_and_doubles_nothing(bench: Bench) -> None:
    bench.ads.trajectories = [trajectory("T1", 0, (0, 10)), trajectory("T2", 1, (5, 20))]
    bench.trajectory.round()
    bench.outbox.commit(T0, cursors={"trajectory": "T0"})
    bench.restart()
    bench.trajectory.round()
    assert bench.outbox.cursors() == {"trajectory": "T2"}
    assert bench.outbox.span().last_seq == 2


@pytest.mark.parametrize("operation", ["isNewTrajData", "getTrajectoryData"])
@pytest.mark.parametrize("trouble", [timed_out, damaged, faulted])
def test_a_trajectory_that_cannot_be_had_says_nothing_and_is_asked_for_again(
    bench: Bench, operation: str, trouble: object
) -> None:
    bench.ads.trajectories = [trajectory("T1", 0, (0, 10))]
    bench.ads.troubles[operation, None] = trouble  # type: ignore[assignment]
    with pytest.raises(AdsFailure):
        bench.trajectory.round()
    assert bench.outbox.states() == {}
    bench.ads.troubles.clear()
    bench.trajectory.round()
    assert [point.dop_mw for point in bench.curve().points] == [10.0]


def test_a_restart_takes_up_the_curve(bench: Bench) -> None:
    bench.ads.trajectories = [trajectory("T1", 0, (0, 10), (5, 20))]
    bench.trajectory.round()
    bench.restart()
    bench.ads.trajectories.append(trajectory("T2", 1, (5, 25), (10, 30)))
    bench.trajectory.round()
    assert [point.dop_mw for point in bench.curve().points] == [10.0, 25.0, 30.0]


def test_what_a_clock_that_was_ahead_took_for_past_comes_back_when_it_is_right_again(bench: Bench) -> None:
    bench.ads.batches = [batch(1), batch(2, at=T0 + 5 * MINUTE)]
    bench.round()
    assert bench.dots() == [("B1", 1.0), ("B2", 2.0)]
    bench.round(timedelta(hours=1))
    assert bench.dots() == [("B2", 2.0)], "only the last one past is kept"
    events = len(bench.dispatches())
    bench.round(-timedelta(hours=1))
    bench.round(RECHECK)
    assert bench.dots() == [("B1", 1.0), ("B2", 2.0)]
    assert len(bench.dispatches()) == events, "no event is told twice"
    bench.ads.batches[1].revision_no, bench.ads.batches[1].status = 2, 4
    bench.round(RECHECK)
    assert bench.dots() == [("B1", 1.0)], "open batches are watched again"


def test_a_trajectory_that_a_clock_ahead_took_for_past_comes_back(bench: Bench) -> None:
    asked = len(bench.ads.asked)
    bench.trajectory.round()
    bench.now += timedelta(hours=1)
    bench.trajectory.round()
    bench.now -= timedelta(hours=1)
    bench.trajectory.round()
    assert [question.batch_uid for question in bench.ads.asked[asked:]] == ["-1", "-1", "-1"]
