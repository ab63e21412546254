"""What `lmp-ingest` prints: prices as a table, CSV, JSON lines or Parquet, of the time that the command line says."""

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet
import pytest
import typer
from oasis_recordings import as_reply, recorded
from oasis_story import PriceRow, prices_of, table
from typer.testing import CliRunner

from caiso.oasis import Group, Market, OasisConnection, Question, Reply, newest_of
from dotbus.runtime.settings.mistakes import ConfigurationRefused
from lmp_ingest.__main__ import app
from lmp_ingest.commands.prices import add_price_commands, group_or_names
from lmp_ingest.commands.spans import Wanted

SEED = "prc_lmp_dam_v1_20200101_apnode_seed9rows.csv"
NOW = datetime(2026, 3, 8, 20, 3, tzinfo=UTC)  # the day of 23 hours
FIRST = {
    "node": "AFPR_1_TOT_GEN-APND",
    "market": "DAM",
    "interval_start": "2020-01-02T00:00:00Z",
    "interval_end": "2020-01-02T01:00:00Z",
    "lmp_usd_per_mwh": 33.34256,
    "energy_usd_per_mwh": None,
    "congestion_usd_per_mwh": None,
    "loss_usd_per_mwh": None,
    "ghg_usd_per_mwh": None,
}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "reply.csv"
    path.write_bytes(recorded(SEED))
    return path


def parse(*arguments: object) -> tuple[int, str, str]:
    ran = CliRunner().invoke(app, ["parse", *map(str, arguments)])
    return ran.exit_code, ran.stdout, ran.stderr


def test_json_is_one_object_a_line_and_what_caiso_did_not_send_is_null(saved: Path) -> None:
    code, out, err = parse(saved, "--format", "json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert (code, len(lines), lines[0]) == (0, 8, FIRST)
    assert err.splitlines() == [
        "8 prices without their energy",
        "7 prices without their congestion",
        "8 prices without their loss",
    ]
    assert [line["congestion_usd_per_mwh"] for line in lines].count(0.0) == 1


def test_csv_has_the_same_columns_and_absent_is_empty(saved: Path) -> None:
    _code, out, _err = parse(saved, "--format", "csv")
    assert out.splitlines()[0] == ",".join(FIRST)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == 8
    assert rows[0] == {name: "" if value is None else str(value) for name, value in FIRST.items()}


def test_parquet_goes_into_a_file_and_says_its_units(saved: Path, tmp_path: Path) -> None:
    code, _out, err = parse(saved, "--format", "parquet")
    assert (code, "Parquet is no text" in err) == (2, True)
    target = tmp_path / "prices.parquet"
    assert parse(saved, "--format", "parquet", "--out", target)[0] == 0
    table = pyarrow.parquet.read_table(target)
    assert (table.num_rows, table.schema.field("lmp_usd_per_mwh").metadata) == (8, {b"unit": b"USD/MWh"})
    assert table["interval_start"][0].as_py() == datetime(2020, 1, 2, tzinfo=UTC)


def test_a_table_shows_an_absent_component_as_nothing(saved: Path) -> None:
    _code, out, _err = parse(saved)
    (line,) = [line for line in out.splitlines() if "2020-01-02 00:00" in line]
    assert [cell.strip() for cell in line.strip()[1:-1].split("│")] == [
        "AFPR_1_TOT_GEN-APND",
        "2020-01-02 00:00",
        "33.34256",
        "",
        "",
        "",
        "",
    ]


def test_each_file_that_holds_no_prices_is_told_and_the_others_are_read(saved: Path, tmp_path: Path) -> None:
    bad = tmp_path / "error.xml"
    bad.write_bytes(recorded("error_1000_no_data.xml"))
    code, out, err = parse(bad, tmp_path / "missing", saved, "--format", "json")
    assert (code, len(out.splitlines())) == (1, 8)
    assert err.splitlines()[0].startswith(f"{bad}: OASIS error 1000")
    assert err.splitlines()[1] == f"{tmp_path / 'missing'}: No such file or directory"


def test_what_was_left_out_is_told_beside_the_prices(tmp_path: Path) -> None:
    path = tmp_path / "reply.csv"
    path.write_bytes(recorded(SEED) + recorded(SEED).splitlines()[1].replace(b"DAM", b"RTM") + b"\n")
    code, out, err = parse(path, "--format", "json")
    assert (code, len(out.splitlines())) == (0, 8)
    assert err.startswith("1 rows that cannot be believed, left out: prices of market 'RTM'")


def test_a_zip_is_read_as_it_came(tmp_path: Path) -> None:
    path = tmp_path / "reply.zip"
    path.write_bytes(as_reply("singlezip_20240412_20240420_PRC_LMP_DAM_20240418_14_20_28_v1_csv.zip"))
    assert len(parse(path, "--format", "json")[1].splitlines()) == 531


@pytest.mark.parametrize(
    ("wanted", "start", "hours"),
    [
        (Wanted(), "2026-03-08T08:00", 23),
        (Wanted(today=True), "2026-03-08T08:00", 23),
        (Wanted(day="2025-11-02"), "2025-11-02T07:00", 25),
        (Wanted(start="2025-11-02", end="2025-11-03"), "2025-11-02T07:00", 25),
        (Wanted(start="2025-11-02T07:00Z", end="2025-11-02T09:30-08:00"), "2025-11-02T07:00", 10.5),
    ],
)
def test_days_are_trade_days_and_times_name_their_zone(wanted: Wanted, start: str, hours: float) -> None:
    span = wanted.span(Market.DAM, NOW)
    assert span.start == datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert span.end - span.start == timedelta(hours=hours)


def test_what_is_open_ends_where_nothing_is_published_yet() -> None:
    assert Wanted(start="2026-03-08").span(Market.RTM, NOW).end > NOW
    latest = Wanted(latest=True).span(Market.RTM, NOW)
    assert (latest.is_latest, latest.start < NOW < latest.end) == (True, True)


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (Wanted(latest=True, today=True), "stands alone"),
        (Wanted(day="2025-11-02", start="2025-11-02"), "stands alone"),
        (Wanted(day="yesterday"), "no day"),
        (Wanted(start="2025-11-02T08:00"), "names no zone"),
        (Wanted(start="noon"), "neither a day"),
        (Wanted(end="2025-11-02"), "--from: is missing"),
        (Wanted(start="2025-11-02", end="2025-11-01"), "is not after"),
        (Wanted(start="2025-11-02T08:01Z", end="2025-11-02T08:04Z"), "no interval of RTM begins between"),
    ],
)
def test_a_time_that_cannot_be_meant_is_refused_with_its_reason(wanted: Wanted, reason: str) -> None:
    with pytest.raises(ConfigurationRefused, match=reason):
        wanted.span(Market.RTM, NOW)


def test_the_newest_of_each_node_is_that_of_its_own_newest_interval() -> None:
    at = datetime(2025, 9, 1, 8, tzinfo=UTC)
    rows = [(at, "A", "LMP", 1), (at + timedelta(minutes=5), "A", "LMP", 2), (at, "B", "LMP", 3)]
    assert [(row["node"], row["lmp_usd_per_mwh"]) for row in newest_of(prices_of(Market.RTM, rows)).rows()] == [
        ("B", 3),
        ("A", 2),
    ]


def test_a_group_stands_alone_and_short_names_are_caisos() -> None:
    assert group_or_names(["all_apnodes"]) is Group.APNODES
    assert group_or_names(["np15", "N1", "NP15"]) == ("TH_NP15_GEN-APND", "N1")
    assert group_or_names(["NP15,N1", "N2 , N1"]) == ("TH_NP15_GEN-APND", "N1", "N2")
    with pytest.raises(ConfigurationRefused, match="name none"):
        group_or_names([" "])
    with pytest.raises(ConfigurationRefused, match="ALL stands alone"):
        group_or_names(["N1", "all"])


FIVE = timedelta(minutes=5)
HOUR_START = datetime(2026, 3, 8, 19, tzinfo=UTC)


@pytest.fixture
def get(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """What `lmp-ingest get` ends with, says and tells, where OASIS answers with these replies, each once and the last again."""
    commands = typer.Typer()
    commands.callback()(lambda: None)
    add_price_commands(commands, lambda: NOW)
    monkeypatch.setenv("LMP_INGEST_URL", "http://127.0.0.1:1/oasisapi")
    monkeypatch.setenv("LMP_INGEST_SPACING_S", "0")
    monkeypatch.setattr("caiso.oasis.asking.client._FIRST_PAUSE_S", 0.0)

    def run(arguments: str, *replies: bytes | int) -> tuple[int, str, str]:
        waiting = list(replies)

        def fetch(_connection: OasisConnection, question: Question) -> Reply:
            run.asked.append(question)  # type: ignore[attr-defined]
            reply = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            status, content = (reply, b"") if isinstance(reply, int) else (200, reply)
            return Reply(status, content, NOW, NOW)

        monkeypatch.setattr(OasisConnection, "fetch", fetch)
        ran = CliRunner().invoke(commands, ["get", *arguments.split()])
        return ran.exit_code, ran.stdout, ran.stderr

    run.asked = []  # type: ignore[attr-defined]
    return run


def lmp(node: str, *intervals: int, price: object = 7) -> list[PriceRow]:
    kinds = {"LMP": price, "MCE": 7, "MCC": 0, "MCL": 0}
    return [(HOUR_START + number * FIVE, node, kind, value) for number in intervals for kind, value in kinds.items()]


def test_a_node_without_any_price_is_told_and_the_others_are_printed(get) -> None:
    span = "--market RTM --from 2026-03-08T19:00Z --to 2026-03-08T19:10Z --format csv"
    code, out, err = get(f"N1 TYPO {span}", table(Market.RTM, lmp("N1", 0, 1)))
    assert (code, err, len(out.splitlines())) == (1, "no price of TYPO: is the name right?\n", 3)
    assert get(f"N1 {span}", table(Market.RTM, lmp("N1", 0, 1)))[::2] == (0, "")


def test_intervals_that_are_missing_are_told_by_node_with_their_number_and_the_first(get) -> None:
    span = "--market RTM --from 2026-03-08T19:00Z --to 2026-03-08T20:00Z --format csv"
    reply = table(Market.RTM, lmp("N1", *range(11)) + lmp("N2", 0, 10, 11))
    code, out, err = get(f"N1 N2 {span}", reply)
    assert (code, len(out.splitlines())) == (1, 15)
    times = ", ".join(f"2026-03-08T19:{minute:02}Z" for minute in (5, 10, 15, 20, 25))
    assert err.splitlines() == [
        "missing 1 of 12 prices of N1: 2026-03-08T19:55Z",
        f"missing 9 of 12 prices of N2: {times}, ...",
    ]
    many = table(Market.RTM, [row for number in range(9) for row in lmp(f"N{number}", 0)] + lmp("N9", 0, 1))
    assert get(f"ALL {span}", many)[2].splitlines()[-1] == "missing 4 prices of 4 other nodes"


@pytest.mark.parametrize("price", ["NaN", ""])
def test_a_node_that_caiso_names_without_a_price_has_the_right_name(get, price: str) -> None:
    span = "--market RTM --from 2026-03-08T19:00Z --to 2026-03-08T19:05Z --format csv"
    code, out, err = get(f"N1 N2 {span}", table(Market.RTM, lmp("N1", 0, price=price) + lmp("N2", 0)))
    assert (code, len(out.splitlines())) == (1, 2)
    assert err.splitlines()[0] == "missing 1 of 1 prices of N1: 2026-03-08T19:00Z"
    assert err.splitlines()[1].startswith("1 values that are no number or blank, left out: N1 at 2026-03-08T19:00Z: LMP")


def test_prices_without_a_part_that_their_market_has_are_counted(get) -> None:
    span = "--from 2026-03-08T08:00Z --to 2026-03-08T09:00Z --format csv"
    price = [(datetime(2026, 3, 8, 8, tzinfo=UTC), "N1", kind, 7) for kind in ("LMP", "MCE", "MCC")]
    assert get(f"N1 --market DAM {span}", table(Market.DAM, price))[::2] == (0, "1 prices without their loss\n")
    assert get(f"N1 --market RUC {span}", table(Market.RUC, price[:1]))[::2] == (0, "")


@pytest.mark.parametrize("out", ["", "--out /nowhere/prices.parquet", "--out /"])
def test_what_cannot_be_written_is_refused_before_caiso_is_asked(get, out: str) -> None:
    code, _out, err = get(f"N1 --market RTM --latest --format parquet {out}", 404)
    assert code == 2
    assert err.startswith("command line: --out: ")


def test_what_need_not_be_published_yet_is_not_missing(get) -> None:
    code, _out, err = get("N1 --market RTM --from 2026-03-08T19:00Z", table(Market.RTM, lmp("N1", *range(12))))
    assert (code, err) == (0, "")


def test_the_newest_of_all_is_that_of_the_newest_hour_and_who_has_an_older_one_is_told(get) -> None:
    code, out, err = get("ALL --market RTM --latest --format csv", table(Market.RTM, lmp("N1", 13, 14) + lmp("N2", 13)))
    assert [line.split(",")[0:3:2] for line in out.splitlines()[1:]] == [
        ["N2", "2026-03-08T20:05:00Z"],
        ["N1", "2026-03-08T20:10:00Z"],
    ]
    assert (code, err) == (1, "missing 1 of 1 prices of N2: 2026-03-08T20:10Z\n")


def test_the_versions_that_are_set_are_asked_for(get, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMP_INGEST_RTM_VERSION", "1")
    get("N1 --market RTM --latest", table(Market.RTM, lmp("N1", 0)))
    get("N1 --market RTM --today", table(Market.RTM, lmp("N1", 0)))
    assert [asked.version for asked in get.asked] == [1, 1]


def test_of_many_requests_their_number_and_time_are_told(get, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMP_INGEST_SPACING_S", "0.001")
    told = get("ALL --market RTM --from 2026-03-01 --to 2026-03-03", 404)[2]
    assert told.splitlines()[0] == "48 requests to CAISO, one in 0.001 s: 0 minutes at least"
    assert "requests" not in get("ALL --market DAM --from 2026-03-01 --to 2026-03-03", 404)[2]


def test_each_pause_is_told_where_no_terminal_is_as_well(get) -> None:
    code, _out, err = get("N1 --market RTM --latest", 429, 503, table(Market.RTM, lmp("N1", 0)))
    assert code == 0
    assert err.splitlines() == [
        "asked too often (HTTP status 429): asking again in 0 s",
        "HTTP status 503: asking again in 0 s",
    ]
