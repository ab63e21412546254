"""Prices into files: whole or not at all, and so that they can be imported again as they were."""

import csv
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from historian_command import Command, commands_of
from historian_parts import NOW, arrival, ready, replace, stored
from real_postgres import Postgres, new_database, query

from dotbus.contracts.messages import Prices
from dotbus.testing import samples
from historian.write.storing.store import Store

pytestmark = pytest.mark.integration

HOUR = timedelta(hours=1)
numbers = count(1)


@pytest.fixture
def run(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    return commands_of(database, tmp_path, monkeypatch)


def report(start: datetime, **changes) -> Prices:
    number = next(numbers)
    times = {"interval_start": start, "interval_end": start + HOUR, "fetched_at": start - 20 * HOUR}
    said = {"id": f"p{number}", "seq": number, "market": "DAM", "market_seq": None, **times}
    return replace(samples.prices(), **(said | changes))


def fill(database: str, *reports: Prices) -> None:
    with ready(database) as opened:
        assert Store(opened).write([arrival(each) for each in reports], NOW).rejections == []


def hours(first: datetime, number: int) -> list[datetime]:
    return [first + each * HOUR for each in range(number)]


FALL_BACK = datetime(2026, 11, 1, 7, tzinfo=UTC)


def test_a_day_of_25_hours_is_written_with_all_of_them_in_either_zone(run, database, tmp_path):
    fill(database, *(report(start) for start in hours(FALL_BACK - HOUR, 27)))
    for tz, third in (("UTC", "2026-11-01T09:00:00Z"), ("Pacific", "2026-11-01T01:00:00-08:00")):
        file = tmp_path / f"{tz}.csv"
        words = ("--from", "2026-11-01", "--to", "2026-11-02", "--node", "TH_NP15_GEN-APND", "--tz", tz)
        result = run("export", "prices", file, *words)
        assert (result.exit_code, result.stdout) == (0, f"25 prices in {file}\n"), result.stderr
        rows = list(csv.DictReader(file.read_text().splitlines()))
        assert rows[2]["interval_start"] == third
        assert rows[2]["ghg_usd_per_mwh"] == "", "absent is empty"
        assert {row["imported_from"] for row in rows} == {""}, "OASIS gave them"


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_what_is_exported_can_be_imported_elsewhere_as_it_was(run, database, tmp_path, postgres: Postgres, monkeypatch, suffix):
    fill(database, *(report(start) for start in hours(FALL_BACK - 30 * HOUR, 60)), report(FALL_BACK, market="RUC"))
    corrected = report(FALL_BACK, fetched_at=FALL_BACK, lmp_usd_per_mwh=(1.0, 2.0))
    fill(database, corrected)
    file = tmp_path / f"prices.{suffix}"
    assert run("export", "prices", file, "--from", "2026-10-30", "--to", "2026-11-04").stdout.startswith("122 prices")
    other = new_database(postgres)
    elsewhere = commands_of(other, tmp_path, monkeypatch)
    assert elsewhere("import", file).stdout == "122 prices stored, 0 were there already, 0 refused\n"
    columns = ", ".join(name for name in samples.prices().__struct_fields__ if name.endswith("_per_mwh"))
    asked = (
        f"SELECT environment::text, market, node, interval_start, interval_end, {columns} FROM price_latest ORDER BY 1, 2, 3, 4"
    )
    assert stored(other, asked) == stored(database, asked)


def test_parquet_tells_the_unit_and_the_meaning_of_each_column(run, database, tmp_path):
    fill(database, report(FALL_BACK))
    assert run("export", "prices", tmp_path / "p.parquet", "--from", "2026-11-01", "--to", "2026-11-02").exit_code == 0
    field = pq.read_schema(tmp_path / "p.parquet").field("lmp_usd_per_mwh")
    assert field.metadata == {b"unit": b"USD/MWh", b"meaning": b"Locational marginal price."}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_time_without_prices_is_a_file_without_rows(run, tmp_path, suffix):
    file = tmp_path / f"none.{suffix}"
    assert run("export", "prices", file, "--from", "2026-11-01", "--to", "2026-11-03").stdout == f"0 prices in {file}\n"
    content = file.read_bytes()
    assert content.startswith(b"PAR1" if suffix == "parquet" else b"environment,interval_start,")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_when_the_database_fails_what_was_there_before_stays_and_nothing_else_is_left(run, database, tmp_path, suffix):
    folder = tmp_path / "out"
    folder.mkdir()
    file = folder / f"prices.{suffix}"
    file.write_text("of before")
    query(database, "DROP TABLE dotbus.price CASCADE")
    result = run("export", "prices", file, "--from", "2026-11-01", "--to", "2026-11-03")
    assert result.exit_code == 1
    assert f"{file} is not written" in result.stderr
    assert [path.name for path in folder.iterdir()] == [file.name]
    assert file.read_text() == "of before"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("p.txt", "--from", "2026-11-01"), "its name is to end in .csv or .parquet"),
        (("no/such/p.csv", "--from", "2026-11-01"), "there is no such folder"),
        (("p.csv", "--from", "2026-11-02", "--to", "2026-11-01"), "is not before --to 2026-11-01"),
        (("p.csv", "--from", "soon"), "--from: "),
        (("p.csv", "--from", "2026-03-08T02:30", "--tz", "Pacific"), "does not exist in California"),
    ],
)
def test_a_command_line_that_cannot_be_meant_is_refused(run, tmp_path, monkeypatch, words, told):
    monkeypatch.chdir(tmp_path)
    result = run("export", "prices", *words)
    assert result.exit_code == 2
    assert told in result.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--node", "TH_NP15_GEN-APDN"), "did you mean TH_NP15_GEN-APND?"),
        (("--node", "TH_NP15_GEN-APND", "--node", "NOPE"), "--node: 'NOPE' is not known here"),
        (("--node", "x' OR '1'='1"), "is not known here"),
        (("--market", "DAY"), "'DAY' is not one of"),
        (("--environment", "test"), "'test' is not one of"),
    ],
)
def test_a_name_that_there_is_not_is_refused_and_the_file_of_before_stays(run, database, tmp_path, words, told):
    fill(database, report(FALL_BACK))
    file = tmp_path / "p.csv"
    file.write_text("of before")
    result = run("export", "prices", file, "--from", "2026-11-01", "--to", "2026-11-02", *words)
    assert result.exit_code == 2
    assert told in result.stderr
    assert file.read_text() == "of before"


def test_nodes_markets_and_environments_bound_what_is_written(run, database, tmp_path):
    fill(database, report(FALL_BACK))
    words = ("--from", "2026-11-01", "--to", "2026-11-02")
    for more, said in (
        (("--node", "TH_NP15_GEN-APND"), "1 prices"),
        (("--market", "dam"), "2 prices"),
        (("--market", "RTM"), "0 prices"),
    ):
        assert run("export", "prices", tmp_path / "p.csv", *words, *more).stdout.startswith(said)
    assert run("export", "prices", tmp_path / "p.csv", *words, "--environment", "production").stdout.startswith("0 prices")
