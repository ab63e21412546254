"""Set-points, trajectories and the day of a plant, from a real PostgreSQL; values by the standard library or by hand."""

import csv
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

import pyarrow.ipc
import pytest
from historian_api import NP15, Client, asked_here, kept, prices_of
from oasis_recordings import recorded
from plant_day import FIVE, MINUTE, ONE, TWO, curve, heard, told
from real_postgres import Postgres, new_database

pytestmark = pytest.mark.integration

PACIFIC = ZoneInfo("America/Los_Angeles")
RECORDING = "prc_intvl_lmp_rtm_v1_20250901_he02_TH_NP15.csv"
HOUR = datetime(2025, 9, 1, 8, 0, tzinfo=UTC)
DOTS_MW = [10.0, 20.0, 20.0, 5.0, 0.0, -4.5, 12.25, 30.0, 30.0, 31.5, 7.0, 1.0]


def recording() -> list[tuple[datetime, Decimal]]:
    """OASIS' own five-minute prices of an hour, read by the standard library."""
    lines = list(csv.DictReader(recorded(RECORDING).decode().splitlines()))
    found = {
        datetime.fromisoformat(line["INTERVALSTARTTIME_GMT"]): Decimal(line["MW"])
        for line in lines
        if line["LMP_TYPE"] == "LMP"
    }
    return sorted(found.items())


@pytest.fixture(scope="module")
def client(postgres: Postgres) -> Iterator[Client]:
    """An hour of DOTs of one resource beside OASIS' prices, heard all the time but for ten minutes, and a trajectory."""
    events = [told(seq, HOUR + number * FIVE, mw) for seq, (number, mw) in enumerate(enumerate(DOTS_MW), 1)]
    late = told(20, HOUR + 2 * FIVE, 26.0, batch_uid="B3", revision_no=2, at=HOUR + 2 * FIVE + MINUTE)
    first = curve(30, (HOUR, 10.0), (HOUR + 10 * MINUTE, 30.0), (HOUR + 15 * MINUTE, 0.0), at=HOUR - MINUTE)
    second = curve(31, (HOUR + 10 * MINUTE, 20.0), (HOUR + 20 * MINUTE, 40.0), at=HOUR + 4 * MINUTE)
    prices = [one for seq, (start, usd) in enumerate(recording(), 40) for one in prices_of(start, [float(usd)], first_seq=seq)]
    said = [*heard(HOUR - 60 * MINUTE, HOUR + 30 * MINUTE), *heard(HOUR + 40 * MINUTE, HOUR + 90 * MINUTE)]
    messages = [*events, late, first, second, *prices, *said]
    with kept(new_database(postgres), *messages) as url, asked_here(url, now=HOUR + 80 * MINUTE) as asked:
        yield asked


def rows(client: Client, path: str, **parameters: object) -> list[dict]:
    answer = client.ask(path, **parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"]


def minutes(begin: int, end: int) -> dict[str, str]:
    return {"start": (HOUR + begin * MINUTE).isoformat(), "end": (HOUR + end * MINUTE).isoformat()}


FINAL_MW = [26.0 if number == 2 else mw for number, mw in enumerate(DOTS_MW)]
"""What the DOTs are after the third was revised."""


def ramp_mw(after_s: int) -> Fraction:
    """The line through the middles of the intervals, in exact numbers, by nothing of ours."""
    middles = [(300 * number + 150, Fraction(mw)) for number, mw in enumerate(FINAL_MW)]
    for (begin, begin_mw), (end, end_mw) in pairwise(middles):
        if begin <= after_s < end:
            return begin_mw + (end_mw - begin_mw) * Fraction(after_s - begin, end - begin)
    return middles[0][1] if after_s < middles[0][0] else middles[-1][1]


def test_every_set_point_of_an_hour_is_on_the_line_through_the_middles(client: Client):
    found = rows(client, "/v1/set-point", resource=ONE, known="now", step_s=10, **minutes(0, 60))
    assert [row["time"] for row in found[:2]] == ["2025-09-01T08:00:00Z", "2025-09-01T08:00:10Z"]
    assert [row["set_point_mw"] for row in found] == pytest.approx([float(ramp_mw(at_s)) for at_s in range(0, 3600, 10)])
    assert [row["dot_mw"] for row in found] == [FINAL_MW[at_s // 300] for at_s in range(0, 3600, 10)]
    assert {row["quality"] for row in found} == {192}


@pytest.mark.parametrize(
    ("minute", "then_mw", "now_mw", "reasons"),
    [
        (0, 10.0, 10.0, []),
        (5, 15.0, 15.0, []),
        (10, 20.0, 23.0, []),  # the third DOT was 20 MW then, and was revised a minute later
        (11, 24.2, 24.2, []),
        (15, 15.5, 15.5, []),
        (31, None, 7.225, ["source_offline"]),  # its source was silent since the half hour
        (35, None, 21.125, ["stale", "source_offline"]),
        (40, 30.0, 30.0, []),
        (60, None, None, ["expired"]),
        (-1, None, None, ["expired"]),
    ],
)
def test_a_set_point_is_what_was_asked_then_or_what_is_known_today(
    client: Client, minute: int, then_mw: float | None, now_mw: float | None, reasons: list[str]
):
    then, now = (
        rows(client, "/v1/set-point", resource=ONE, known=known, **minutes(minute, minute + 1))[0] for known in ("then", "now")
    )
    assert (then["set_point_mw"], then["reasons"]) == (then_mw and pytest.approx(then_mw), reasons)
    assert now["set_point_mw"] == (now_mw and pytest.approx(now_mw))
    if then_mw is not None:
        assert then["above_dot_mw"] == pytest.approx(then_mw - then["dot_mw"])


@pytest.mark.parametrize(
    ("minute", "then_mw", "now_mw", "reasons"),
    [
        (2, 14.0, 12.0, []),  # the second batch replaced the point that the line leads to
        (5, 15.0, 15.0, []),
        (10, 20.0, 20.0, []),
        (12, None, 24.0, ["stale"]),  # no newer batch came for more than seven minutes
        (21, None, None, ["stale", "expired"]),
    ],
)
def test_a_trajectory_is_what_was_known_then_or_is_known_today(
    client: Client, minute: int, then_mw: float | None, now_mw: float | None, reasons: list[str]
):
    then, now = (
        rows(client, "/v1/trajectory", resource=ONE, known=known, step_s=60, **minutes(minute, minute + 1))[0]
        for known in ("then", "now")
    )
    assert (then["trajectory_mw"], then["reasons"]) == (then_mw and pytest.approx(then_mw), reasons)
    assert now["trajectory_mw"] == (now_mw and pytest.approx(now_mw))


def test_the_points_of_a_curve_are_those_that_no_newer_batch_replaced(client: Client):
    found = rows(client, "/v1/trajectory", resource=ONE, **minutes(0, 60))
    assert [(row["target_at"], row["dop_mw"], row["batch_uid"]) for row in found] == [
        ("2025-09-01T08:00:00Z", 10.0, "T30"),
        ("2025-09-01T08:10:00Z", 20.0, "T31"),
        ("2025-09-01T08:20:00Z", 40.0, "T31"),
    ]


@pytest.mark.parametrize("path", ["/v1/set-point", "/v1/trajectory"])
def test_pages_of_moments_together_are_the_whole(client: Client, path: str):
    asked = {"resource": ONE, "step_s": 60, **minutes(0, 30)}
    whole, paged, page = rows(client, path, **asked), [], {}
    while True:
        told_now = client.ask(path, limit=7, **asked, **page).json()
        paged += told_now["rows"]
        if told_now["next"] is None:
            break
        page = {"page": told_now["next"]}
    assert len(whole) == 30
    assert paged == whole


def test_a_day_is_worth_its_energy_at_the_price_of_each_interval(client: Client):
    """OASIS' own prices and the DOTs, multiplied in decimal numbers."""
    answer = client.ask("/v1/plants/sierra/days/2025-09-01", tz="Pacific")
    assert answer.status_code == 200
    day = answer.json()
    worth = sum(Decimal(mw) * Decimal(300) * usd for mw, (_, usd) in zip(FINAL_MW, recording(), strict=True)) / 3600
    energy = sum(Decimal(mw) for mw in FINAL_MW) * 5 / 60
    (resource,) = day["resources"]
    assert (day["plant"], day["trade_date"], day["hours"]) == ("sierra", "2025-09-01", 24.0)
    assert (day["start"], day["counted_until"]) == ("2025-09-01T00:00:00-07:00", "2025-09-01T02:20:00-07:00")
    assert (resource["resource_id"], resource["node"]) == (ONE, NP15)
    assert resource["instructed_mwh"] == pytest.approx(float(energy), rel=1e-12)
    assert resource["worth_usd"] == pytest.approx(float(worth), rel=1e-12)
    assert resource["priced_mwh"] == resource["instructed_mwh"]
    assert (resource["known_s"], resource["unknown_s"], resource["unpriced_s"]) == (3600, 4800, 0)
    assert day["total"]["worth_usd"] == resource["worth_usd"]


def test_a_day_says_when_its_quality_was_bad_and_why(client: Client):
    (resource,) = client.ask("/v1/plants/sierra/days/2025-09-01").json()["resources"]
    found = [(one["start"][11:19], one["end"][11:19], one["quality"], one["reasons"]) for one in resource["doubts"]]
    assert found == [
        ("07:00:00", "08:00:00", 0, ["expired"]),
        ("08:30:15", "08:31:30", 64, ["source_offline"]),
        ("08:31:30", "08:40:00", 0, ["stale", "source_offline"]),
        ("09:00:00", "09:20:00", 0, ["expired"]),
    ]
    assert resource["uncertain_s"] == pytest.approx(75)
    assert resource["bad_s"] == pytest.approx(3600 + 510 + 1200)


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 8), 23), (date(2025, 11, 2), 25), (date(2026, 6, 1), 24)])
def test_a_trade_date_has_23_or_25_hours_where_clocks_change(database: str, day: date, hours: int):
    start = datetime(day.year, day.month, day.day, tzinfo=PACIFIC).astimezone(UTC)
    dots = [told(2 + number, start + number * 60 * MINUTE, 12.0, minutes=60) for number in range(-1, hours + 1)]
    prices = prices_of(start - 60 * MINUTE, [40.0] * (hours + 2), minutes=60, first_seq=100)
    with (
        kept(database, *dots, *prices, *heard(start - timedelta(days=1), start + timedelta(days=2))) as url,
        asked_here(url, now=start + timedelta(days=3)) as client,
    ):
        found = client.ask(f"/v1/plants/sierra/days/{day}").json()
    (resource,) = found["resources"]
    assert found["hours"] == hours
    assert resource["instructed_mwh"] == pytest.approx(12.0 * hours)
    assert resource["worth_usd"] == pytest.approx(12.0 * hours * 40.0)
    assert (resource["known_s"], resource["unknown_s"], resource["doubts"]) == (3600 * hours, 0, [])


def test_what_is_not_known_of_a_day_is_null_and_never_nothing(client: Client, database: str):
    """A day without a word, a resource without a node, and a day that is still to come."""
    (empty,) = client.ask("/v1/plants/sierra/days/2025-08-30").json()["resources"]
    assert (empty["instructed_mwh"], empty["worth_usd"], empty["unknown_s"]) == (None, None, 86400)
    ahead = client.ask("/v1/plants/sierra/days/2025-09-02").json()
    assert ahead["counted_until"] == ahead["start"]
    assert (ahead["total"]["instructed_mwh"], ahead["total"]["unknown_s"]) == (None, 0)
    with kept(database, told(1, HOUR, 6.0, resource_id=TWO)) as url, asked_here(url, now=HOUR + 10 * MINUTE) as other:
        (nowhere,) = other.ask("/v1/plants/mesa/days/today").json()["resources"]
    assert (nowhere["instructed_mwh"], nowhere["worth_usd"], nowhere["priced_mwh"]) == (0.5, None, None)
    assert nowhere["unpriced_s"] == 300


@pytest.mark.parametrize("path", ["/v1/set-point", "/v1/trajectory", "/v1/plants", "/v1/resources"])
def test_what_was_calculated_is_the_same_in_every_format(client: Client, path: str):
    asked = {} if path in ("/v1/plants", "/v1/resources") else {"resource": ONE, "step_s": 30, **minutes(25, 65)}
    told_rows = rows(client, path, **asked)
    written = list(csv.DictReader(client.ask(f"{path}.csv", **asked).text.splitlines()))
    arrow = pyarrow.ipc.open_stream(client.ask(f"{path}.arrow", **asked).content).read_all().to_pylist()

    def as_csv(value: object) -> str:
        match value:
            case None:
                return ""
            case list():
                return ";".join(value)
            case bool():
                return "t" if value else "f"
        return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)

    def as_json(value: object) -> object:
        return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value

    assert len(told_rows) > 1
    assert [{name: as_csv(value) for name, value in row.items()} for row in told_rows] == written
    assert [{name: as_json(value) for name, value in row.items()} for row in arrow] == told_rows


def test_a_stream_of_more_moments_than_a_day_has_seconds_is_refused(client: Client):
    answer = client.ask("/v1/set-point.csv", resource=ONE, step_s=1, start="2025-09-01", end="2025-09-03")
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-range")
    assert "step_s" in answer.json()["detail"]


def test_what_is_put_together_in_memory_is_bounded_and_pages_go_on_beyond(client: Client):
    month = {"resource": ONE, "start": "2025-09-01", "end": "2025-10-01"}
    for path, more in (("/v1/set-point.csv", {"step_s": 3600}), ("/v1/trajectory", {})):
        assert client.ask(path, **month, **more).json()["type"] == "/problems/bad-range"
    found, page = [], {}
    while page is not None:
        told_now = client.ask("/v1/set-point", step_s=3600, **month, **page).json()
        found += [row["time"] for row in told_now["rows"]]
        page = {"page": told_now["next"]} if told_now["next"] else None
    assert len(found) == len(set(found)) == 30 * 24


def test_a_day_is_no_table(client: Client):
    assert client.ask("/v1/plants/sierra/days/2025-09-01.csv").json()["type"] == "/problems/no-such-format"


@pytest.mark.parametrize(
    ("path", "asked", "sort"),
    [
        ("/v1/set-point", {}, "bad-parameter"),
        ("/v1/set-point", {"resource": ONE, "step_s": 0}, "bad-parameter"),
        ("/v1/set-point", {"resource": ONE, "start": "2026-03-08T02:30", "tz": "Pacific"}, "bad-time"),
        ("/v1/set-point", {"resource": ONE, "start": "2026-03-08", "end": "2026-03-01"}, "bad-range"),
        ("/v1/set-point", {"resource": ONE, "page": "nonsense"}, "bad-page"),
        ("/v1/plants/sierra/days/yesteryear", {}, "bad-time"),
        ("/v1/plants/sierra/days/2026-02-30", {}, "bad-time"),
    ],
)
def test_what_is_not_understood_is_a_problem(client: Client, path: str, asked: dict, sort: str):
    answer = client.ask(path, **asked)
    assert (answer.status_code, answer.json()["type"]) == (400, f"/problems/{sort}")
