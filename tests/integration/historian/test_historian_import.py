"""Prices out of files: known as imported, once, refused by line, and never in place of what CAISO said to an ingest."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from historian_command import Command, commands_of
from historian_parts import NOW, arrival, ready, replace, stored

from dotbus.testing import samples
from historian.write.storing.store import Store

pytestmark = pytest.mark.integration

NODE = "AFPR_1_TOT_GEN-APND"
LATEST = """
    SELECT node, market, interval_start, interval_end, lmp_usd_per_mwh, environment::text, source
    FROM price_latest ORDER BY node, market, interval_start"""
HEADER = "node,market,interval_start,lmp_usd_per_mwh\n"


@pytest.fixture
def run(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    return commands_of(database, tmp_path, monkeypatch)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def predecessors(file: Path, *rows: tuple[str, str, float], price: str = "mw") -> Path:
    """A database as pandas and SQLAlchemy left it: no key, times without a zone."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(f"CREATE TABLE lmp (id INTEGER PRIMARY KEY, time TIMESTAMP, node TEXT, {price} REAL)")
        connection.executemany(f"INSERT INTO lmp (time, node, {price}) VALUES (?, ?, ?)", rows)
    return file


def csv_of(folder: Path, text: str) -> Path:
    file = folder / "prices.csv"
    file.write_text(text)
    return file


@pytest.mark.parametrize("price", ["mw", "lmp"])
@pytest.mark.parametrize("zone", ["", ".000000", "+00:00"])
def test_prices_of_the_predecessor_are_day_ahead_prices_of_production_at_times_of_utc(run, database, tmp_path, zone, price):
    file = predecessors(tmp_path / "lmp.db", (f"2020-01-02 01:00:00{zone}", NODE, 37.19566), price=price)
    result = run("import", file)
    assert (result.exit_code, result.stdout) == (0, "1 prices stored, 0 were there already, 0 refused\n")
    expected = (NODE, "DAM", utc(2020, 1, 2, 1), utc(2020, 1, 2, 2), 37.19566, "production", "import/caiso_connector")
    assert stored(database, LATEST) == [expected]


def test_the_same_again_changes_nothing_and_what_the_predecessor_has_twice_counts_once(run, database, tmp_path):
    rows = [(f"2020-01-02 {hour:02}:00:00", NODE, float(hour)) for hour in range(24)]
    file = predecessors(tmp_path / "lmp.db", *rows, *rows)
    assert run("import", file).stdout == "24 prices stored, 24 were there already, 0 refused\n"
    before = stored(database, "SELECT * FROM price_history")
    assert run("import", file).stdout == "0 prices stored, 48 were there already, 0 refused\n"
    assert stored(database, "SELECT * FROM price_history") == before


def test_a_dry_run_tells_the_same_and_stores_nothing(run, database, tmp_path):
    file = predecessors(tmp_path / "lmp.db", ("2020-01-02 01:00:00", NODE, 1.0), ("2020-01-02 01:20:00", NODE, 2.0))
    result = run("import", file, "--dry-run")
    assert (result.exit_code, result.stdout) == (1, "1 prices would be stored, 0 were there already, 1 refused\n")
    for table in ("price", "price_report", "node", "origin", "dead_letter"):
        assert stored(database, f"SELECT * FROM {table}") == []


@pytest.mark.parametrize("first", ["ingest", "import"])
def test_what_caiso_said_to_an_ingest_goes_before_whatever_a_file_says(run, database, tmp_path, first):
    start = NOW.replace(hour=15, minute=0, second=0)  # a day ahead of when it was fetched
    said = replace(
        samples.prices(), environment="production", market="DAM", nodes=(NODE,), interval_start=start,
        interval_end=start + timedelta(hours=1), fetched_at=start - timedelta(hours=26), market_seq=None,
        **{f"{name}_usd_per_mwh": (50.0,) for name in ("lmp", "energy", "congestion", "loss", "ghg")},
    )  # fmt: skip
    file = predecessors(tmp_path / "lmp.db", (f"{start:%Y-%m-%d %H:%M:%S}", NODE, 1.0))
    if first == "import":
        assert run("import", file).exit_code == 0
    with ready(database) as opened:
        assert Store(opened).write([arrival(said)], NOW).rejections == []
    if first == "ingest":
        assert run("import", file).exit_code == 0
    assert [row[4:] for row in stored(database, LATEST)] == [(50.0, "production", "lmp_ingest/a")]
    assert len(stored(database, "SELECT * FROM price_history")) == 2


def test_what_is_refused_is_told_by_its_line_and_all_others_are_stored(run, database, tmp_path):
    lines = [
        f"{NODE},RTM,2026-10-13T14:00:00Z,1.5",
        f"{NODE},RTM,2026-10-13T14:05:00Z,",
        f"{NODE},RTM,2026-10-13T14:06:00Z,1",
        f"{NODE},RTM,2026-10-13 14:10:00,1",
        f"{NODE},NOW,2026-10-13T14:15:00Z,1",
        ",RTM,2026-10-13T14:20:00Z,1",
        f"{NODE},RTM,2026-10-13T14:25:00Z,nan",
        f"{NODE},RTM,yesterday,1",
        f"{NODE},RTM,2026-10-13T14:00:00Z,9",
        f"{NODE},RTM,2026-10-13T14:30:00Z,1,5",
        f"{NODE},RTM",
        f"{NODE},RTM,2026-10-13T14:30:00Z,1_000",
        f"{NODE},RTM,2026-10-13T14:30:00Z,\u0661\u0662",
        f"{NODE},RTM,2026-10-13T14:30:00Z,-3",
        f"{NODE},RTM,2026-10-13T14:35:00Z,1e16",
    ]
    result = run("import", csv_of(tmp_path, HEADER + "\n".join(lines) + "\n"))
    assert (result.exit_code, result.stdout) == (1, "2 prices stored, 0 were there already, 13 refused\n")
    told = dict(line.split(": ", 1) for line in result.stderr.splitlines())
    assert list(told) == [f"line {number}" for number in (*range(3, 15), 16)]
    assert told["line 16"] == "lmp_usd_per_mwh is '1e16'; no price is beyond 1e+15"
    assert told["line 4"] == "2026-10-13T14:06:00Z begins no interval of RTM, which lasts 5 minutes"
    assert "does not say its zone" in told["line 5"]
    assert told["line 10"] == f"{NODE} in RTM from 2026-10-13T14:00Z is 1.5 in line 2, which stays"
    assert [told[f"line {number}"] for number in (11, 12, 13)] == [
        "it has 5 columns, the header 4",
        "it has 2 columns, the header 4",
        "lmp_usd_per_mwh is '1_000', which is no number",
    ]
    assert [row[4] for row in stored(database, LATEST)] == [1.5, -3.0]


def test_of_lines_that_are_refused_the_first_are_told_and_the_others_counted_not_kept(run, tmp_path, monkeypatch):
    monkeypatch.setattr("historian.importing.commands.LINES_AT_ONCE", 100)
    monkeypatch.setattr("historian.importing.commands.TOLD_MOST", 250)
    result = run("import", csv_of(tmp_path, HEADER + f"{NODE},RTM,never,1\n" * 1000))
    assert result.stdout == "0 prices stored, 0 were there already, 1,000 refused\n"
    *told, more = result.stderr.splitlines()
    assert [line.split(":")[0] for line in told] == [f"line {number}" for number in range(2, 252)]
    assert more == "and 750 lines more are refused"


def test_another_file_that_says_another_price_is_refused_and_leaves_no_dead_letter(run, database, tmp_path):
    assert run("import", csv_of(tmp_path, f"{HEADER}{NODE},RTM,2026-10-13T14:00:00Z,1\n")).exit_code == 0
    result = run("import", csv_of(tmp_path, f"{HEADER}{NODE},RTM,2026-10-13T14:00:00Z,2\nB,RTM,2026-10-13T14:00:00Z,3\n"))
    assert result.stderr == f"line 2: {NODE} in RTM from 2026-10-13T14:00Z was imported before as 1.0, which stays\n"
    assert [row[4] for row in stored(database, LATEST)] == [1.0, 3.0]
    assert stored(database, "SELECT * FROM dead_letter") == []


def test_columns_of_any_name_are_told_and_pacific_times_are_understood(run, database, tmp_path):
    text = "NODE_ID,opr,MW\nA,2026-11-01 00:00,1\nA,2026-11-01 01:00,2\nA,2026-03-08 02:00,3\nA,2026-11-01 02:00,4\n"
    words = ("--column", "node=NODE_ID", "--column", "interval_start=opr", "--column", "lmp_usd_per_mwh=MW")
    result = run("import", csv_of(tmp_path, text), *words, "--market", "DAM", "--tz", "pacific", "--name", "my notes")
    assert [line.split(":")[0] for line in result.stderr.splitlines()] == ["line 3", "line 4"]
    assert "is there twice in California" in result.stderr
    assert "does not exist in California" in result.stderr
    assert [row[2:5] for row in stored(database, LATEST)] == [
        (utc(2026, 11, 1, 7), utc(2026, 11, 1, 8), 1.0),
        (utc(2026, 11, 1, 10), utc(2026, 11, 1, 11), 4.0),
    ]
    assert {row[6] for row in stored(database, LATEST)} == {"import/my_notes"}


def test_parquet_with_times_and_components_keeps_all_of_them(run, database, tmp_path):
    start = utc(2026, 10, 13, 14)
    table = pa.table(
        {
            "node": pa.array([NODE]).dictionary_encode(),
            "market": ["RTPD"],
            "interval_start": pa.array([start], pa.timestamp("ns", "UTC")),
            "interval_end": pa.array([start + timedelta(minutes=15)], pa.timestamp("s", "UTC")),
            "lmp_usd_per_mwh": [30.0],
            "loss_usd_per_mwh": [-0.5],
            "environment": ["stage"],
        }
    )
    pq.write_table(table, tmp_path / "prices.parquet")
    assert run("import", tmp_path / "prices.parquet").exit_code == 0
    values = "environment::text, lmp_usd_per_mwh, energy_usd_per_mwh, loss_usd_per_mwh"
    assert stored(database, f"SELECT {values} FROM price_latest") == [("stage", 30.0, None, -0.5)]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "it is empty"),
        (b"PAR1 and nothing", "prices.csv: "),
        (b"SQLite format 3\0 and nothing", "file is not a database"),
        (b"time,node,mw\n", "no column for interval_start and lmp_usd_per_mwh"),
        (b"node,interval_start,lmp_usd_per_mwh\n\xff\xfe,1,2\n", "line 2 is no UTF-8"),
    ],
    ids=["empty", "no parquet", "no sqlite", "other columns", "no text"],
)
def test_a_file_that_is_none_of_these_says_what_it_is(run, database, tmp_path, content, told):
    file = tmp_path / "prices.csv"
    file.write_bytes(content)
    result = run("import", file, "--market", "RTM")
    assert result.exit_code in {1, 2}
    assert told in result.stderr
    assert stored(database, "SELECT * FROM price") == []


def test_a_column_that_is_not_there_is_named_with_the_one_that_may_be_meant(run, tmp_path):
    result = run("import", csv_of(tmp_path, f"{HEADER}"), "--column", "node=nodes")
    assert (result.exit_code, result.stderr) == (2, "node=nodes: the file has no column nodes; did you mean node?\n")


def test_a_file_of_many_blocks_is_stored_whole(run, database, tmp_path, monkeypatch):
    monkeypatch.setattr("historian.importing.commands.LINES_AT_ONCE", 100)
    starts = [utc(2026, 10, 1) + number * timedelta(minutes=5) for number in range(300)]
    lines = [f"{node},RTM,{start:%Y-%m-%dT%H:%M:%SZ},{number}" for node in "ABC" for number, start in enumerate(starts)]
    assert run("import", csv_of(tmp_path, HEADER + "\n".join(lines))).stdout.startswith("900 prices stored, 0")
    assert stored(database, "SELECT node, count(*), sum(lmp_usd_per_mwh) FROM price_latest GROUP BY 1 ORDER BY 1") == [
        (node, 300, 44850.0) for node in "ABC"
    ]
    assert stored(database, "SELECT received = int8multirange(int8range(1, upper(received))) FROM stream_sequence") == [(True,)]
