"""Files for SCADA: what is in force now, the latest documents, and the archive, each replaced or written as a whole."""

import csv
import gzip
import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from ads_bench import INSTALLATION, MINUTE, T0, Bench, batch, trajectory
from msgspec.structs import replace

from ads_ingest.files.archive import Archive, DocumentKind, archived, write_durably
from ads_ingest.files.latest import COLUMNS, DISPATCH_FILE, DOTS_FILE, TRAJECTORY_FILE, DocumentFiles, DotFile
from caiso.ads import parse_saved
from dotbus.contracts.messages import Upstream
from dotbus.contracts.quality import Reason

WELL = Upstream(name="ads_dispatch", ok=True, clock_offset_s=0.1)
SECOND = timedelta(seconds=1)


class Reader:
    """Who reads dot.csv, a second after every change."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.path = bench.folder / "latest" / DOTS_FILE
        self.upstream: Upstream | None = WELL
        self.file = DotFile(self.path, bench.outbox, INSTALLATION, lambda: self.upstream)

    def line(self, resource_id: str = "R1", at: datetime | None = None, *reasons: Reason) -> dict[str, str]:
        self.file.write(at or self.bench.now, *reasons)
        with self.path.open(encoding="utf-8", newline="") as text:
            return next(row for row in csv.DictReader(text) if row["resource_id"] == resource_id)


@pytest.fixture
def reader(bench: Bench) -> Reader:
    bench.ads.batches = [batch(1), batch(2, at=T0 + 5 * MINUTE)]
    bench.round()
    return Reader(bench)


def test_only_the_states_that_changed_are_read_for_it(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reader.line("R2")["dot_mw"] == "-1.0"
    asked, read = list[str](), reader.bench.outbox.state_payloads
    monkeypatch.setattr(reader.bench.outbox, "state_payloads", lambda topics: (asked.extend(topics), read(topics))[1])
    reader.bench.ads.batches.append(batch(3, at=T0 + 10 * MINUTE, R2=-3.0))
    reader.bench.round(SECOND)
    assert (reader.line("R1")["dot_mw"], reader.line("R2")["dot_mw"]) == ("1.0", "-1.0")
    assert asked == [INSTALLATION.topics.dot("north", "R2")]


def test_a_state_that_was_retracted_is_in_the_file_no_more(reader: Reader) -> None:
    assert reader.line()["dot_mw"] == "1.0"
    reader.bench.outbox.retract([INSTALLATION.topics.dot("north", "R1")], T0)
    assert (reader.line()["dot_mw"], reader.line()["reasons"]) == ("", "never_received")


def test_the_file_shows_the_dot_in_force_and_not_one_that_is_ahead(reader: Reader) -> None:
    assert list(reader.line().items()) == [
        ("resource_id", "R1"),
        ("dot_mw", "1.0"),
        ("supp_mw", ""),
        ("interval_start", "2026-03-01T12:00:00Z"),
        ("target_at", "2026-03-01T12:02:30Z"),
        ("interval_end", "2026-03-01T12:05:00Z"),
        ("batch_uid", "B1"),
        ("heard_at", "2026-03-01T12:00:00Z"),
        ("quality", "192"),
        ("revision", "1"),
        ("reasons", ""),
        ("valid_until", "2026-03-01T12:01:30Z"),
    ]


def test_the_columns_of_before_are_where_they_were() -> None:
    before = ("resource_id", "dot_mw", "supp_mw", "interval_start", "target_at", "interval_end", "batch_uid")
    assert COLUMNS[: len(before)] == before


def test_as_time_passes_the_next_dot_takes_its_place_without_any_news(reader: Reader) -> None:
    reader.bench.round(4 * MINUTE + 50 * SECOND)
    assert reader.line()["dot_mw"] == "1.0"
    assert reader.line(at=T0 + 5 * MINUTE)["dot_mw"] == "2.0"


def test_after_the_last_interval_there_is_no_megawatt_and_the_quality_is_bad(reader: Reader) -> None:
    reader.bench.round(10 * MINUTE)
    line = reader.line()
    assert (line["dot_mw"], line["quality"], line["reasons"]) == ("", "0", "expired")


@pytest.mark.parametrize("dot_mw", [1e308, -1e308, 3.5e38])
def test_megawatts_that_no_register_holds_are_invalid_in_the_file_as_in_a_gateway(bench: Bench, dot_mw: float) -> None:
    bench.ads.batches = [batch(1, R1=dot_mw, R2=3.4e38)]
    bench.round()
    reader = Reader(bench)
    assert [(reader.line(name)["quality"], reader.line(name)["reasons"]) for name in ("R1", "R2")] == [
        ("0", "invalid"),
        ("192", ""),
    ]


def test_a_dot_that_is_to_be_reached_outside_of_its_interval_is_invalid_in_the_file(bench: Bench) -> None:
    bench.ads.batches = [batch(1, R1=1.0)]
    bench.round()
    topic, state = INSTALLATION.topics.dot("north", "R1"), bench.dot()
    (interval,) = state.intervals
    wrong = replace(interval, target_at=interval.interval_end + SECOND)
    bench.outbox.commit(bench.now, states=[(topic, replace(state, intervals=(wrong,)))])
    assert Reader(bench).line()["reasons"] == "invalid"


def test_a_state_that_is_not_said_again_grows_stale_in_the_file(reader: Reader) -> None:
    assert reader.line(at=T0 + 90 * SECOND)["quality"] == "192"
    line = reader.line(at=T0 + 91 * SECOND)
    assert (line["dot_mw"], line["quality"], line["reasons"]) == ("1.0", "0", "stale")


@pytest.mark.parametrize(
    ("upstream", "reasons"),
    [
        (Upstream(name="ads_dispatch", ok=False, clock_offset_s=0.0), "source_failing"),
        (Upstream(name="ads_dispatch", ok=True, clock_offset_s=-3.0), "clock_in_doubt"),
        (Upstream(name="ads_dispatch", ok=True), "clock_in_doubt"),
        (None, "source_failing clock_in_doubt"),
    ],
)
def test_what_speaks_against_all_states_speaks_against_each_line(
    reader: Reader, upstream: Upstream | None, reasons: str
) -> None:
    reader.upstream = upstream
    assert (reader.line()["quality"], reader.line()["reasons"]) == ("64", reasons)


def test_a_configured_resource_that_was_never_heard_of_has_a_line_that_says_so(bench: Bench) -> None:
    line = Reader(bench).line("R2")
    assert (line["dot_mw"], line["quality"], line["reasons"]) == ("", "0", "never_received")


def test_who_stops_in_order_leaves_no_line_that_reads_good(reader: Reader) -> None:
    line = reader.line("R1", None, Reason.SOURCE_OFFLINE)
    assert (line["dot_mw"], line["quality"]) == ("1.0", "64")


def test_the_file_is_left_alone_while_it_says_the_same(reader: Reader) -> None:
    reader.line()
    reader.path.write_text("somebody's own")
    reader.file.write(T0 + SECOND)
    assert reader.path.read_text() == "somebody's own"
    reader.file.write(T0 + 5 * MINUTE)
    assert reader.path.read_text() != "somebody's own"


def test_a_file_that_could_not_be_written_is_tried_again(bench: Bench) -> None:
    reader = Reader(bench)
    (bench.folder / "latest").write_text("a file where a folder belongs")
    reader.file.write(T0)
    (bench.folder / "latest").unlink()
    assert reader.line()["reasons"] == "never_received"


def test_the_latest_documents_are_the_newest_batch_and_trajectory(bench: Bench) -> None:
    bench.ads.batches = [batch(2, at=T0 + 5 * MINUTE), batch(1)]
    bench.ads.trajectories = [trajectory("T1", 0, (5, 1.0))]
    bench.round()
    bench.trajectory.round()
    assert b"batchUID='B2'" in (bench.folder / "latest" / DISPATCH_FILE).read_bytes()
    assert b"T1" in (bench.folder / "latest" / TRAJECTORY_FILE).read_bytes()


def test_after_a_restart_an_older_batch_does_not_take_the_place_of_the_latest(tmp_path: Path) -> None:
    for each in (batch(2, at=T0 + 5 * MINUTE), batch(1)):
        (document,) = parse_saved(each.xml(whole=True).encode(), 10**6).dispatches
        files = DocumentFiles(tmp_path, Archive(tmp_path / "archive", timedelta(days=1), 10**6))
        files.note_dispatch(document, T0)
    assert b"batchUID='B2'" in (tmp_path / DISPATCH_FILE).read_bytes()


def test_files_that_cannot_be_written_do_not_stop_the_stream(bench: Bench) -> None:
    for name in ("latest", "archive"):
        (bench.folder / name).write_text("a file where a folder belongs")
    bench.ads.batches = [batch(1)]
    assert bench.round() == []
    assert bench.dots() == [("B1", 1.0)]


def test_every_document_is_in_the_archive_as_it_came_in_the_order_in_which_it_came(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.batches[0].revision_no = 2
    bench.ads.trajectories = [trajectory("T1", 0, (5, 1.0))]
    bench.round(MINUTE)
    bench.later(SECOND)
    bench.trajectory.round()
    kept = list(archived(bench.folder / "archive"))
    assert [(each.kind, each.received_at) for each in kept] == [
        (DocumentKind.DISPATCH, T0),
        (DocumentKind.DISPATCH, T0 + MINUTE),
        (DocumentKind.TRAJECTORY, T0 + MINUTE + SECOND),
    ]
    assert b"<revisionNo>2</revisionNo>" in gzip.decompress(kept[1].read())


def test_an_archive_is_bounded_by_age_and_by_size_also_after_a_restart(tmp_path: Path) -> None:
    def keep(archive: Archive, n: int, hours: int) -> None:
        archive.keep(DocumentKind.DISPATCH, f"B{n}", os.urandom(1000), T0 + timedelta(hours=hours))

    def uids() -> list[str]:
        return [each.path.name.split("-")[2].split(".")[0] for each in archived(tmp_path)]

    archive = Archive(tmp_path, timedelta(days=1), 5000)
    for n in range(3):
        keep(archive, n, n)
    keep(Archive(tmp_path, timedelta(days=1), 5000), 3, 25)
    assert uids() == ["B1", "B2", "B3"], "a day old and no older"
    keep(Archive(tmp_path, timedelta(days=9), 3000), 4, 26)
    assert uids() == ["B3", "B4"], "what is too much goes, the oldest first"
    keep(Archive(tmp_path, timedelta(days=1), 5000), 5, 100)
    assert [folder.name for folder in tmp_path.iterdir()] == ["2026-03-05"], "with the folders of its days"


def test_a_uid_names_no_path(tmp_path: Path) -> None:
    Archive(tmp_path, timedelta(days=1), 5000).keep(DocumentKind.DISPATCH, "../../x y", b"<a/>", T0)
    (kept,) = archived(tmp_path)
    assert kept.path.parent.parent == tmp_path
    assert gzip.decompress(kept.read()) == b"<a/>"


def test_what_is_half_written_is_never_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "latest.xml"
    write_durably(path, b"old")

    def full(_number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_durably(path, b"new")
    assert path.read_bytes() == b"old"
