"""Set-points, trajectories and the day of a plant, from a real PostgreSQL; values by the standard library or by hand."""

import csv
import math
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

import psycopg2
import pyarrow.ipc
import pytest
from historian_api import NP15, Client, asked_here, kept, prices_of
from oasis_recordings import recorded
from plant_day import FIVE, MINUTE, ONE, TWO, curve, heard, told
from real_postgres import Postgres, new_database
from waiting import eventually

from historian.api.questions.evidence import heard as heard_of

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


def test_a_day_is_of_what_the_plant_was_told_also_of_resources_that_the_installation_does_not_name(database: str):
    """A pattern claims them, or they were taken out of the file; another plant's time with a resource is not in it."""
    end = HOUR + 10 * MINUTE
    claimed = told(2, HOUR, 24.0, resource_id="SIERRA_GUEST", plant="sierra")
    lent = told(3, HOUR + FIVE, 1200.0, resource_id=ONE, plant="mesa")
    with kept(database, told(1, HOUR, 12.0), claimed, lent) as url, asked_here(url, now=end) as client:
        day = client.ask("/v1/plants/sierra/days/2025-09-01", tz="Pacific").json()
    assert {one["resource_id"]: one["instructed_mwh"] for one in day["resources"]} == {ONE: 1.0, "SIERRA_GUEST": 2.0}
    assert day["total"]["instructed_mwh"] == 3.0
    assert day["resources"][1]["node"] is None
    assert (day["total"]["priced_mwh"], day["total"]["unpriced_s"]) == (None, 600)


def test_an_exceptional_dispatch_of_days_is_in_the_answers_of_its_later_days(database: str):
    """Whatever else was told since it began."""
    later = HOUR + timedelta(days=3)
    long, guest = (
        told(900 + number, HOUR, 50.0, minutes=4 * 24 * 60, batch_type=4, resource_id=resource, plant="sierra")
        for number, resource in enumerate((ONE, "SIERRA_GUEST"))
    )
    others = [told(2 + number, HOUR + timedelta(days=1) + number * FIVE, 12.0) for number in range(60)]
    about_then = {"start": later.isoformat(), "end": (later + FIVE).isoformat()}
    with kept(database, long, guest, *others) as url, asked_here(url, now=later + FIVE) as client:
        (dot,) = rows(client, "/v1/dot", resource=ONE, schedule="five-minute", **about_then)
        points = rows(client, "/v1/set-point", resource=ONE, known="now", **about_then)
        day = client.ask(f"/v1/plants/sierra/days/{later.date()}", tz="Pacific").json()

    assert (dot["dot_mw"], dot["interval_start"]) == (50.0, HOUR.isoformat().replace("+00:00", "Z"))
    assert {point["dot_mw"] for point in points} == {50.0}
    assert [one["resource_id"] for one in day["resources"]] == [ONE, "SIERRA_GUEST"]
    for one in day["resources"]:
        assert one["known_s"] > 0
        assert one["instructed_mwh"] == pytest.approx(50.0 * one["known_s"] / 3600)


def test_what_was_heard_is_found_by_one_look_for_each_source_however_much_all_said(database: str):
    """Held against the standard library; who compared every row with every other one looked thousands of times."""
    begin = HOUR - timedelta(days=1)
    said = [
        one for number in range(40) for one in heard(begin + number * 30 * MINUTE, begin + number * 30 * MINUTE + 20 * MINUTE)
    ]
    asked = heard_of("simulator", "ads_dispatch", HOUR, HOUR + MINUTE)
    with kept(database, *said) as url, psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SET search_path = dotbus")
        cursor.execute("SELECT source, heard_at FROM service_state WHERE service = 'ads_ingest' ORDER BY id")
        kept_rows = [row for row in cursor if row[1] < HOUR]
        cursor.execute(asked.sql, dict(asked.parameters))
        assert [(row[0], row[4]) for row in cursor] == [kept_rows[-1]]
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + asked.sql, dict(asked.parameters))
        ((plan,),) = cursor.fetchall()
    assert len(kept_rows) >= 40
    assert max(loops(plan[0]["Plan"])) <= 2


def loops(plan: dict) -> list[int]:
    """How often each part of a plan was run."""
    return [plan["Actual Loops"], *(one for part in plan.get("Plans", ()) for one in loops(part))]


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


@dataclass
class Hands:
    """A clock that goes on by a second at each look, and may be held at one."""

    at_s: float = 0.0
    held_from_s: float = math.inf
    is_held: threading.Event = field(default_factory=threading.Event)
    is_free: threading.Event = field(default_factory=threading.Event)

    def __call__(self) -> float:
        """The time."""
        self.at_s += 1
        if self.at_s >= self.held_from_s:
            self.is_held.set()
            self.is_free.wait(10)
        return self.at_s


PUT_TOGETHER = ["/v1/set-point?step_s=60&known=then", "/v1/set-point?step_s=60&known=now", "/v1/trajectory?step_s=60"]


@pytest.mark.parametrize("path", [*PUT_TOGETHER, "/v1/trajectory?step_s=60&known=now", "/v1/set-point.csv?step_s=60"])
def test_what_takes_too_long_to_be_put_together_is_ended_and_told(database: str, path: str):
    messages = [told(1, HOUR, 10.0), curve(2, (HOUR, 10.0), at=HOUR)]
    with kept(database, *messages) as url, asked_here(url, monotonic=Hands()) as client:
        answer = client.ask(path, resource=ONE, **minutes(0, 60))
        soon = client.ask(path, resource=ONE, **minutes(0, 2))
    assert (answer.status_code, answer.json()["type"]) == (504, "/problems/too-slow")
    assert "ask for a shorter range" in answer.json()["detail"]
    assert soon.status_code == 200


def test_a_day_that_takes_too_long_to_be_put_together_is_ended_and_told(database: str):
    messages = [told(number + 1, HOUR + number * FIVE, 10.0) for number in range(40)]
    with kept(database, *messages) as url, asked_here(url, monotonic=Hands()) as client:
        answer = client.ask("/v1/plants/sierra/days/2025-09-01")
    assert (answer.status_code, answer.json()["type"]) == (504, "/problems/too-slow")


@pytest.mark.parametrize("path", PUT_TOGETHER)
def test_what_nobody_waits_for_any_more_is_not_put_together_to_its_end(database: str, path: str):
    messages = [told(1, HOUR, 10.0), curve(2, (HOUR, 10.0), at=HOUR)]
    hands = Hands(held_from_s=15.0)
    with kept(database, *messages) as url, asked_here(url, monotonic=hands) as client:
        range_asked = "&".join(f"{name}={when.replace('+00:00', 'Z')}" for name, when in minutes(0, 60).items())
        with socket.create_connection(("127.0.0.1", client.port)) as gone:
            gone.sendall(f"GET {path}&resource={ONE}&{range_asked} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            assert hands.is_held.wait(10)
        meters = client.context.meters.cancelled
        eventually(lambda: meters.collect()[0].samples[0].value == 1)
        hands.is_free.set()
        eventually(lambda: client.context.lanes.borrowed_tokens == 0)
    assert hands.at_s == 15.0


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
