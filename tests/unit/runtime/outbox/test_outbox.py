"""The outbox keeps what must not be lost: all or nothing, numbered without gaps, and for as long as promised."""

import re
import sqlite3
import tempfile
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dotbus.contracts.codec import decode
from dotbus.runtime.outbox.outbox import Outbox, OutboxInUse
from dotbus.testing import samples

NOW = samples.AT


def event(number: int):
    return "t/dispatch", msgspec.structs.replace(samples.dispatch(), id=f"id-{number}", seq=0, stream="")


@pytest.fixture
def outbox(tmp_path: Path):
    box = Outbox(tmp_path / "o" / "outbox.sqlite", max_age_s=3600, max_bytes=10**9)
    yield box
    box.close()


def test_events_are_stamped_with_the_stream_and_numbers_without_gaps(outbox: Outbox):
    assert outbox.commit(NOW, events=[event(1), event(2)]) == 2
    assert outbox.commit(NOW, events=[event(3)]) == 1
    kept = outbox.unpublished(10)
    assert [entry.number for entry in kept] == [1, 2, 3]
    stamped = [decode(entry.payload) for entry in kept]
    assert [message.seq for message in stamped] == [1, 2, 3]
    assert {message.stream for message in stamped} == {outbox.stream}


def test_what_is_committed_is_on_the_disk_when_the_power_fails(outbox: Outbox):
    (mode,) = outbox._database.execute("PRAGMA synchronous").fetchone()  # a setting of the connection: nobody else sees it
    assert mode == 2, "FULL: each commit waits for the disk"


def test_notes_are_found_by_how_their_names_begin_and_are_no_cursors(outbox: Outbox):
    for name, text in {"said/1": "one", "said/2": "two", "other": "three"}.items():
        outbox.keep_note(name, text)
    outbox.keep_note("said/1", "one again")
    assert outbox.notes("said/") == {"said/1": "one again", "said/2": "two"}
    assert outbox.cursors() == {}


def test_the_same_fact_seen_again_gets_no_second_number(outbox: Outbox):
    outbox.commit(NOW, events=[event(1)])
    assert outbox.commit(NOW, events=[event(1), event(2)]) == 1
    assert [entry.number for entry in outbox.unpublished(10)] == [1, 2]


def test_events_are_found_by_how_their_ids_begin_and_by_the_index_of_ids(outbox: Outbox):
    named = [("t", msgspec.structs.replace(event(0)[1], id=name)) for name in ("b/2", "a/1", "b/1", "b", "c/1", "b0")]
    outbox.commit(NOW, events=named)
    assert [decode(kept.payload).id for kept in outbox.events_of("b/")] == ["b/2", "b/1"]
    plan = outbox._database.execute("EXPLAIN QUERY PLAN SELECT seq FROM event WHERE id >= 'b/' AND id < 'b0'").fetchall()
    assert "sqlite_autoindex_event" in plan[0][-1]


def test_an_event_is_published_once_a_broker_acknowledged_it(outbox: Outbox):
    outbox.commit(NOW, events=[event(1), event(2)])
    assert not outbox.is_published("id-1")
    outbox.mark_published([1])
    assert outbox.is_published("id-1")
    assert not outbox.is_published("id-2")
    assert not outbox.is_published("another")


def test_events_states_and_cursors_are_kept_together_or_not_at_all(outbox: Outbox):
    outbox.commit(NOW, cursors={"dispatch": "A"})
    broken = msgspec.structs.replace(
        samples.dispatch(), id="broken", instructions=(msgspec.structs.replace(samples.instruction(), dot_mw=float("nan")),)
    )
    with pytest.raises(ValueError, match="dot_mw"):
        outbox.commit(NOW, events=[event(1), ("t", broken)], states=[("s", samples.dot())], cursors={"dispatch": "B"})
    assert outbox.unpublished(10) == []
    assert outbox.states() == {}
    assert outbox.cursors() == {"dispatch": "A"}
    outbox.commit(NOW, events=[event(2)])
    assert [entry.number for entry in outbox.unpublished(10)] == [1], "a refused commit leaves no hole in the numbers"


def test_everything_is_there_after_reopening(tmp_path: Path):
    path = tmp_path / "outbox.sqlite"
    first = Outbox(path, max_age_s=3600, max_bytes=10**9)
    first.commit(NOW, events=[event(1)], states=[("s", samples.dot())], cursors={"dispatch": "A"})
    stream = first.stream
    first.close()
    second = Outbox(path, max_age_s=3600, max_bytes=10**9)
    assert (second.stream, second.cursors(), [e.number for e in second.unpublished(9)]) == (stream, {"dispatch": "A"}, [1])
    assert decode(second.states()["s"]) == samples.dot()
    second.close()


def test_a_second_process_is_refused_while_the_first_has_it(tmp_path: Path, outbox: Outbox):
    with pytest.raises(OutboxInUse, match="own folder"):
        Outbox(tmp_path / "o" / "outbox.sqlite", max_age_s=1, max_bytes=1)


def test_a_file_that_is_no_outbox_is_not_said_to_be_in_use(tmp_path: Path):
    (tmp_path / "outbox.sqlite").write_bytes(b"something else" * 100)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        Outbox(tmp_path / "outbox.sqlite", max_age_s=1, max_bytes=1)


def test_a_retracted_state_is_known_no_more_and_is_to_be_said_as_empty(outbox: Outbox):
    outbox.commit(NOW, states=[("s", samples.dot()), ("t", samples.dot())])
    before = outbox.state_revisions()
    outbox.retract(["s"], NOW)
    assert outbox.states().keys() == {"t"}
    assert outbox.state_revisions()["s"] != before["s"]
    assert outbox.state_payloads(["s", "none"]) == {"s": b""}


def test_a_retraction_is_forgotten_once_it_is_old_and_was_said(outbox: Outbox):
    outbox.commit(NOW, states=[("s", samples.dot()), ("t", samples.dot())])
    outbox.retract(["s", "t"], NOW)
    outbox.forget_retracted(["s", "t"], NOW - timedelta(seconds=1))
    assert outbox.state_revisions().keys() == {"s", "t"}
    outbox.forget_retracted(["s"], NOW + timedelta(seconds=1))
    assert outbox.state_revisions().keys() == {"t"}


def test_a_state_that_comes_back_is_retracted_no_more(outbox: Outbox):
    outbox.commit(NOW, states=[("s", samples.dot())])
    outbox.retract(["s"], NOW)
    outbox.commit(NOW, states=[("s", samples.dot())])
    outbox.forget_retracted(["s"], NOW + timedelta(days=1))
    assert outbox.states().keys() == {"s"}


def test_what_is_asked_again_and_again_walks_through_no_kept_events(outbox: Outbox):
    """With gigabytes kept, reading them every few seconds would take the time that CAISO's answers need."""
    asked: list[str] = []
    outbox._database.set_trace_callback(asked.append)
    outbox.span()
    outbox.unpublished(100)
    outbox.state_revisions()
    outbox.prune(NOW)
    outbox.among([(1, 1), (3, 3)], 100)
    outbox._database.set_trace_callback(None)
    queries = [query for query in asked if query.startswith(("SELECT", "DELETE"))]
    plans = [str(outbox._database.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()) for query in queries]
    assert len(plans) >= 6
    assert not [
        plan for plan in plans if "SCAN" in plan and not re.search("INDEX (unpublished|state_revision)|SCAN wanted", plan)
    ]


def test_pages_of_what_was_pruned_are_used_again(tmp_path: Path):
    path = tmp_path / "outbox.sqlite"
    box = Outbox(path, max_age_s=3600, max_bytes=10**9)
    sizes: list[int] = []
    for turn in range(4):
        box.commit(NOW, events=[event(turn * 3000 + n) for n in range(3000)])
        box.mark_published(range(turn * 3000 + 1, turn * 3000 + 3001))
        assert box.prune(NOW + timedelta(hours=2)) == 3000
        box._database.execute("PRAGMA wal_checkpoint")
        sizes.append(path.stat().st_size)
    box.close()
    assert sizes[-1] <= sizes[0] * 1.1


def test_what_no_broker_acknowledged_is_never_pruned(outbox: Outbox):
    outbox.commit(NOW, events=[event(1), event(2)])
    outbox.mark_published([1])
    assert outbox.prune(NOW + timedelta(hours=2)) == 1
    assert [entry.number for entry in outbox.between(1, 9, 9)] == [2]


def test_published_events_stay_for_the_window(outbox: Outbox):
    outbox.commit(NOW, events=[event(1)])
    outbox.mark_published([1])
    assert outbox.prune(NOW + timedelta(minutes=59)) == 0
    assert outbox.prune(NOW + timedelta(minutes=61)) == 1


def test_beyond_the_size_the_oldest_go_and_the_numbers_go_on(tmp_path: Path):
    box = Outbox(tmp_path / "outbox.sqlite", max_age_s=10**9, max_bytes=3000)
    box.commit(NOW, events=[event(n) for n in range(20)])
    box.mark_published(range(1, 21))
    assert box.prune(NOW) > 0
    span = box.span()
    assert span.first_seq is not None
    assert 1 < span.first_seq <= 20
    assert span.last_seq == 20
    box.mark_published([])
    box.commit(NOW, events=[event(99)])
    assert box.span().last_seq == 21
    box.close()


def test_the_span_counts_on_when_nothing_is_left(outbox: Outbox):
    assert outbox.span().first_seq is None
    assert outbox.span().last_seq is None
    outbox.commit(NOW, events=[event(1)])
    outbox.mark_published([1])
    outbox.prune(NOW + timedelta(days=1))
    assert (outbox.span().first_seq, outbox.span().last_seq) == (None, 1)


@given(st.lists(st.lists(st.integers(0, 30), max_size=5), max_size=12))
def test_numbers_have_no_gap_whatever_comes_again(batches: list[list[int]]):
    with tempfile.TemporaryDirectory() as folder:
        box = Outbox(Path(folder) / "o.sqlite", max_age_s=1, max_bytes=1)
        for batch in batches:
            box.commit(NOW, events=[event(number) for number in batch])
        seqs = [entry.number for entry in box.unpublished(1000)]
        box.close()
    assert seqs == list(range(1, len({n for batch in batches for n in batch}) + 1))


def test_a_full_disk_is_said_keeps_nothing_of_a_commit_and_passes(outbox: Outbox):
    (pages,) = outbox._database.execute("PRAGMA page_count").fetchone()
    outbox._database.execute(f"PRAGMA max_page_count = {pages}")
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError, match="disk is full"):
            outbox.commit(NOW, events=[event(n) for n in range(100)], states=[("s", samples.dot())], cursors={"c": "1"})
    assert (outbox.unpublished(1), outbox.states(), outbox.cursors()) == ([], {}, {})
    outbox._database.execute("PRAGMA max_page_count = 1000000")
    assert outbox.commit(NOW, events=[event(1)]) == 1
    assert outbox.span().last_seq == 1


def test_a_closed_outbox_raises_instead_of_forgetting(outbox: Outbox):
    outbox.close()
    with pytest.raises(sqlite3.Error):
        outbox.commit(NOW, events=[event(1)])
