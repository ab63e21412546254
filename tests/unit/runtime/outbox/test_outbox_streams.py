"""What an outbox counts: a stream without gaps, each plant and market in it, and a new stream for a file that is too old."""

import shutil
import sqlite3
import zlib
from pathlib import Path

import msgspec
import pytest

from dotbus.contracts.codec import decode, encode
from dotbus.runtime.outbox.outbox import Outbox
from dotbus.runtime.starting import CannotStart
from dotbus.testing import samples

NOW = samples.AT
BEFORE_STREAMS = """
CREATE TABLE stream (id TEXT NOT NULL);
CREATE TABLE event (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, topic TEXT NOT NULL, payload BLOB NOT NULL,
  kept_at REAL NOT NULL, published INTEGER NOT NULL DEFAULT 0);
CREATE TABLE state (topic TEXT PRIMARY KEY, payload BLOB NOT NULL, revision INTEGER NOT NULL);
CREATE TABLE retraction (topic TEXT PRIMARY KEY, retracted_at REAL NOT NULL);
CREATE TABLE cursor (name TEXT PRIMARY KEY, position TEXT NOT NULL);
INSERT INTO stream VALUES ('from before');
INSERT INTO cursor VALUES ('dispatch', 'A');
"""


def opened(path: Path) -> Outbox:
    return Outbox(path, max_age_s=3600, max_bytes=10**9)


@pytest.fixture
def outbox(tmp_path: Path):
    box = opened(tmp_path / "outbox.sqlite")
    yield box
    box.close()


def dispatch(number: int, plant: str = "sierra"):
    return f"t/{plant}", msgspec.structs.replace(samples.dispatch(), id=f"id-{number}", plant=plant, plant_seq=None)


def trajectory(number: int, plant: str = "sierra"):
    return f"t/{plant}", msgspec.structs.replace(samples.trajectory_batch(), id=f"trajectory-{number}", plant=plant)


def answered(number: int, plant: str = "sierra"):
    return f"t/{plant}/response", msgspec.structs.replace(samples.answered(), id=f"response-{number}", plant=plant)


def written(number: int, plant: str = "sierra"):
    return f"t/{plant}/write", msgspec.structs.replace(samples.written(), id=f"write-{number}", plant=plant)


def prices(number: int, market: str):
    return f"t/{market}", msgspec.structs.replace(samples.prices(), id=f"prices-{number}", market=market)


def gap(number: int):
    return "t/gap", msgspec.structs.replace(samples.upstream_gap(), id=f"gap-{number}")


def said(outbox: Outbox):
    return [decode(event.payload) for event in outbox.between(1, 10**6, 10**6)]


def counts(outbox: Outbox) -> list[tuple[int, int | None, int | None]]:
    return [(event.seq, getattr(event, "plant_seq", None), getattr(event, "response_seq", None)) for event in said(outbox)]


def write_counts(outbox: Outbox) -> list[tuple[int, int | None]]:
    return [(event.seq, getattr(event, "write_seq", None)) for event in said(outbox)]


def numbers(outbox: Outbox, stream: str) -> tuple[int, int, bool]:
    known = outbox.numbers_of(stream)
    assert known is not None
    return known.base, known.last, known.ended


def test_each_plant_counts_by_itself_and_both_kinds_of_its_events_together(outbox: Outbox):
    outbox.commit(NOW, events=[dispatch(1), dispatch(2, "delta"), trajectory(3)])
    outbox.commit(NOW, events=[dispatch(4, "delta"), dispatch(1), dispatch(5)])
    assert [(event.plant, event.seq, event.plant_seq) for event in said(outbox)] == [
        ("sierra", 1, 1),
        ("delta", 2, 1),
        ("sierra", 3, 2),
        ("delta", 4, 2),
        ("sierra", 5, 3),
    ]


def test_answers_are_counted_apart_from_what_caiso_tells_a_plant_also_in_a_new_stream(outbox: Outbox):
    outbox.commit(NOW, events=[dispatch(1), answered(2), answered(3, "delta"), dispatch(4), answered(5)])
    assert counts(outbox) == [(1, 1, None), (2, None, 1), (3, None, 1), (4, 2, None), (5, None, 2)]
    outbox.mark_published([1, 2, 3])
    outbox.begin_stream()
    renumbered = [
        (event.seq, getattr(event, "plant_seq", None), getattr(event, "response_seq", None)) for event in said(outbox)
    ]
    assert renumbered[-2:] == [(1, 1, None), (2, None, 1)]


def test_writes_are_counted_by_plant_apart_from_all_else_also_in_a_new_stream(outbox: Outbox):
    outbox.commit(NOW, events=[written(1), answered(2), written(3, "delta"), written(4)])
    assert write_counts(outbox) == [(1, 1), (2, None), (3, 1), (4, 2)]
    outbox.mark_published([1])
    outbox.begin_stream()
    assert write_counts(outbox)[-3:] == [(1, None), (2, 1), (3, 1)]


def test_what_a_source_could_not_have_is_of_no_plant_and_takes_a_number_for_good(tmp_path: Path):
    path = tmp_path / "outbox.sqlite"
    first = opened(path)
    first.commit(NOW, events=[dispatch(1)])
    first.commit(NOW, events=[gap(2)])
    assert counts(first) == [(1, 1, None), (2, None, None)]
    first.mark_published([1, 2])
    first.prune(NOW.replace(year=NOW.year + 1))
    first.close()
    second = opened(path)
    second.commit(NOW, events=[gap(3), dispatch(4)])
    assert counts(second) == [(3, None, None), (4, 2, None)]
    second.begin_stream()
    assert counts(second) == [(1, None, None), (2, 1, None)]
    second.close()


def test_each_market_counts_by_itself(outbox: Outbox):
    outbox.commit(NOW, events=[prices(1, "RTM"), prices(2, "DAM"), prices(3, "RTM")])
    assert [(event.market, event.market_seq) for event in said(outbox)] == [("RTM", 1), ("DAM", 1), ("RTM", 2)]


def test_a_commit_that_fails_gives_no_number_away(outbox: Outbox):
    broken = msgspec.structs.replace(samples.prices(), id="broken", lmp_usd_per_mwh=(float("nan"), 1.0))
    with pytest.raises(ValueError, match="finite"):
        outbox.commit(NOW, events=[dispatch(1), ("t", broken)])
    outbox.commit(NOW, events=[dispatch(1)])
    assert [(event.seq, event.plant_seq) for event in said(outbox)] == [(1, 1)]


def test_counting_goes_on_after_a_restart_also_when_all_was_pruned(tmp_path: Path):
    path = tmp_path / "outbox.sqlite"
    first = opened(path)
    first.commit(NOW, events=[dispatch(1), dispatch(2)])
    first.mark_published([1, 2])
    first.prune(NOW.replace(year=NOW.year + 1))
    first.close()
    second = opened(path)
    second.commit(NOW, events=[dispatch(3)])
    assert [(event.seq, event.plant_seq) for event in said(second)] == [(3, 3)]
    second.close()


def test_a_file_of_before_plants_were_counted_is_taken_over_whole(tmp_path: Path):
    path = tmp_path / "outbox.sqlite"
    with sqlite3.connect(path) as database:
        database.executescript(BEFORE_STREAMS)
        kept = msgspec.structs.replace(samples.dispatch(), stream="from before", seq=1, id="id-1", plant_seq=None)
        payload = zlib.compress(encode(kept))
        database.execute("INSERT INTO event (id, topic, payload, kept_at) VALUES ('id-1', 't', ?, 1)", (payload,))
    database.close()
    for _ in range(2):  # and it is done once
        box = opened(path)  # what was packed with zlib is read, too
        assert (box.stream, box.last_seq, box.cursors()) == ("from before", 1, {"dispatch": "A"})
        assert (box.span().first_seq, box.span().unpublished, said(box)) == (1, 1, [kept])
        box.close()
    box = opened(path)
    box.commit(NOW, events=[dispatch(1), dispatch(2)])
    assert [(event.stream, event.seq, event.plant_seq) for event in said(box)[1:]] == [("from before", 2, 1)]
    box.close()


def test_a_file_of_before_that_has_no_event_left_counts_on(tmp_path: Path):
    path = tmp_path / "outbox.sqlite"
    with sqlite3.connect(path) as database:
        database.executescript(BEFORE_STREAMS)
        database.execute("INSERT INTO event (seq, id, topic, payload, kept_at) VALUES (41, 'id-41', 't', x'', 1)")
        database.execute("DELETE FROM event")
    database.close()
    box = opened(path)
    assert (box.last_seq, box.span().first_seq) == (41, None)
    box.commit(NOW, events=[dispatch(1)])
    assert [event.seq for event in said(box)] == [42]
    box.close()


def test_numbers_that_a_version_of_before_gave_meanwhile_are_not_given_again(tmp_path: Path):
    path = tmp_path / "outbox.sqlite"
    opened(path).close()
    with sqlite3.connect(path) as database:
        database.execute("INSERT INTO event (seq, id, topic, payload, kept_at) VALUES (7, 'id-7', 't', x'', 1)")
    database.close()
    box = opened(path)
    assert box.last_seq == 7
    box.close()


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path):
    path = tmp_path / "outbox.sqlite"
    opened(path).close()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(CannotStart, match="newer version"):
        opened(path)


def test_in_a_new_stream_what_waits_and_what_comes_counts_from_one(outbox: Outbox):
    outbox.commit(NOW, events=[dispatch(1), dispatch(2), dispatch(3, "delta"), prices(4, "RTM")])
    outbox.mark_published([1, 3])
    before = outbox.stream
    assert outbox.begin_stream() == 2
    assert outbox.stream != before
    outbox.commit(NOW, events=[dispatch(5), dispatch(6, "delta")])
    old, new = said(outbox)[:2], said(outbox)[2:]
    assert [(event.stream, event.seq, event.id) for event in old] == [(before, 1, "id-1"), (before, 3, "id-3")]
    assert {event.stream for event in new} == {outbox.stream}
    assert [(event.id, event.seq) for event in new] == [("id-2", 1), ("prices-4", 2), ("id-5", 3), ("id-6", 4)]
    assert [getattr(event, "plant_seq", None) or event.market_seq for event in new] == [1, 1, 2, 1]
    span = outbox.span()
    assert (span.stream, span.first_seq, span.last_seq, span.unpublished) == (outbox.stream, 1, 4, 4)


def test_what_gets_a_new_number_says_the_same_otherwise(outbox: Outbox):
    for event in (dispatch(1), trajectory(2), prices(3, "RTM")):
        outbox.commit(NOW, events=[event])
    before = said(outbox)
    outbox.begin_stream()
    assert [msgspec.structs.replace(event, stream=samples.STREAM) for event in said(outbox)] == [
        msgspec.structs.replace(event, stream=samples.STREAM) for event in before
    ]


def test_streams_are_known_with_their_numbers_after_a_restart(tmp_path: Path):
    path = tmp_path / "outbox.sqlite"
    box = opened(path)
    box.commit(NOW, events=[dispatch(1), dispatch(2)])
    box.mark_published([1, 2])
    first = box.stream
    box.begin_stream()
    box.commit(NOW, events=[dispatch(3)])
    second = box.stream
    for _ in range(2):
        assert numbers(box, first) == (0, 2, True)
        assert numbers(box, second) == (2, 3, False)
        assert box.numbers_of("another") is None
        assert (box.stream, box.last_seq) == (second, 1)
        box.close()
        box = opened(path)
    box.close()


def test_a_full_disk_leaves_the_stream_as_it_was(outbox: Outbox):
    outbox.commit(NOW, events=[dispatch(number) for number in range(50)])
    before, kept = outbox.stream, said(outbox)
    outbox._database.execute("PRAGMA query_only = 1")
    with pytest.raises(sqlite3.Error):
        outbox.begin_stream()
    outbox._database.execute("PRAGMA query_only = 0")
    assert (outbox.stream, said(outbox)) == (before, kept)
    assert outbox.begin_stream() == 50


def test_what_was_acknowledged_while_the_disk_was_full_keeps_its_number(outbox: Outbox):
    outbox.commit(NOW, events=[dispatch(1), dispatch(2)])
    outbox._database.execute("PRAGMA query_only = 1")
    with pytest.raises(sqlite3.Error):
        outbox.mark_published([1])
    assert ([event.number for event in outbox.unpublished(9)], outbox.span().unpublished) == ([2], 1)
    outbox._database.execute("PRAGMA query_only = 0")
    assert outbox.begin_stream() == 1
    assert [event.number for event in outbox.between(1, 9, 9)] == [1, 3]


def test_pages_of_what_was_acknowledged_are_passed_by(outbox: Outbox):
    outbox.commit(NOW, events=[dispatch(number) for number in range(1, 31)])
    outbox._database.execute("PRAGMA query_only = 1")
    with pytest.raises(sqlite3.Error):
        outbox.mark_published(number for number in range(1, 31) if number not in (1, 17, 30))
    assert [event.number for event in outbox.unpublished(2)] == [1]
    assert [event.number for event in outbox.unpublished(2, after_number=1)] == [17]
    assert [event.number for event in outbox.unpublished(2, after_number=17)] == [30]
    assert outbox.unpublished(2, after_number=30) == []
    outbox._database.execute("PRAGMA query_only = 0")


def test_a_copy_of_a_file_knows_the_same_stream(tmp_path: Path):
    """Nothing in it tells that it is a copy: that is found by what the broker retains (see own_stream)."""
    box = opened(tmp_path / "outbox.sqlite")
    box.commit(NOW, events=[dispatch(1)])
    stream = box.stream
    box.close()
    shutil.copy(tmp_path / "outbox.sqlite", tmp_path / "copy.sqlite")
    copy = opened(tmp_path / "copy.sqlite")
    assert (copy.stream, copy.last_seq) == (stream, 1)
    copy.close()
