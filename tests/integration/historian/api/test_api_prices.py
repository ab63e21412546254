"""Prices over HTTP, from a real PostgreSQL that the historian filled."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from historian_api import NP15, SP15, Client, asked_here, kept, prices_of
from historian_parts import stored
from real_postgres import Postgres, new_database

pytestmark = pytest.mark.integration

PACIFIC = ZoneInfo("America/Los_Angeles")

HOUR = datetime(2026, 10, 13, 14, 0, tzinfo=UTC)


def test_prices_are_told_by_interval_in_utc_with_every_component(database: str):
    with kept(database, *prices_of(HOUR, [30.0, None])) as url, asked_here(url) as client:
        answer = client.ask("/v1/prices", node=NP15, start="2026-10-13T14:00Z", end="2026-10-13T15:00Z")

    assert answer.status_code == 200
    assert answer.json() == {
        "rows": [
            {
                "interval_start": "2026-10-13T14:00:00Z",
                "interval_end": "2026-10-13T14:05:00Z",
                "node": NP15,
                "market": "RTM",
                "lmp_usd_per_mwh": 30.0,
                "energy_usd_per_mwh": 28.5,
                "congestion_usd_per_mwh": 1.0,
                "loss_usd_per_mwh": 0.5,
                "ghg_usd_per_mwh": None,
                "fetched_at": "2026-10-13T14:09:00Z",
                "imported_from": None,
            },
            {
                "interval_start": "2026-10-13T14:05:00Z",
                "interval_end": "2026-10-13T14:10:00Z",
                "node": NP15,
                "market": "RTM",
                "lmp_usd_per_mwh": None,
                "energy_usd_per_mwh": None,
                "congestion_usd_per_mwh": None,
                "loss_usd_per_mwh": None,
                "ghg_usd_per_mwh": None,
                "fetched_at": "2026-10-13T14:09:00Z",
                "imported_from": None,
            },
        ],
        "next": None,
    }


def test_a_slip_of_the_pen_is_a_problem_that_says_what_was_meant(database: str):
    with kept(database) as url, asked_here(url) as client:
        answer = client.ask("/v1/prices", nodes=NP15)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/bad-parameter"
    assert answer.json()["detail"] == "'nodes' is no parameter of this question; did you mean node?"


DAYS = {"2026-03-08": 23, "2026-03-09": 24, "2026-11-01": 25}


@pytest.fixture(scope="module")
def year(postgres: Postgres) -> Iterator[Client]:
    """An API over days of 23, 24 and 25 hours, each hour at its number in the day, and a corrected price."""
    url = new_database(postgres)
    messages: list[object] = []
    for market, minutes in (("RTM", 5), ("DAM", 60)):
        for day, hours in DAYS.items():
            values = [float(hour + 1) for hour in range(hours) for _ in range(60 // minutes)]
            start = datetime.fromisoformat(day).replace(tzinfo=PACIFIC).astimezone(UTC)
            messages += prices_of(start, values, market=market, minutes=minutes, first_seq=len(messages) + 1, fetched_at=start)
    corrected = {"fetched_at": datetime(2026, 3, 10, 12, 0, tzinfo=UTC), "first_seq": len(messages) + 1}
    messages += prices_of(datetime(2026, 3, 9, 7, 0, tzinfo=UTC), [100.0], market="DAM", minutes=60, **corrected)
    with kept(url, *messages), asked_here(url, now=datetime(2026, 3, 9, 20, 0, tzinfo=UTC)) as client:
        yield client


def rows(client: Client, **asked: object) -> list[dict[str, object]]:
    answer = client.ask("/v1/prices", node=NP15, **asked)
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"]


@pytest.mark.parametrize(("day", "hours"), DAYS.items())
@pytest.mark.parametrize("market", ["RTM", "DAM"])
def test_a_trade_date_is_as_many_hours_long_as_california_had_and_each_weighs_the_same(
    year: Client, market: str, day: str, hours: int
):
    by_hour = rows(year, market=market, start=day, resolution="hour", as_of=f"{day}T20:00Z")
    (whole,) = rows(year, market=market, start=day, resolution="day", tz="Pacific", as_of=f"{day}T20:00Z")

    assert len(by_hour) == hours
    assert whole["lmp_usd_per_mwh"] == pytest.approx(sum(range(1, hours + 1)) / hours)
    assert (whole["covered_s"], whole["length_s"]) == (hours * 3600, hours * 3600)
    assert str(whole["interval_start"]).startswith(f"{day}T00:00:00-0")
    assert str(whole["interval_end"])[11:19] == "00:00:00"


def test_the_hour_that_is_there_twice_is_told_twice_with_its_offsets(year: Client):
    told = rows(year, market="RTM", start="2026-11-01", resolution="hour", tz="Pacific")

    assert [row["interval_start"] for row in told[:4]] == [
        "2026-11-01T00:00:00-07:00",
        "2026-11-01T01:00:00-07:00",
        "2026-11-01T01:00:00-08:00",
        "2026-11-01T02:00:00-08:00",
    ]
    assert [row["lmp_usd_per_mwh"] for row in told[:4]] == [1.0, 2.0, 3.0, 4.0]


def test_the_hour_that_is_not_there_is_left_out(year: Client):
    told = rows(year, market="DAM", start="2026-03-08", tz="Pacific")

    assert [str(row["interval_start"])[11:] for row in told[:3]] == ["00:00:00-08:00", "01:00:00-08:00", "03:00:00-07:00"]


def test_a_mean_is_of_hours_or_days_that_start_in_the_range_each_as_a_whole(year: Client):
    hours = rows(year, start="2026-03-09T07:20Z", end="2026-03-09T09:10Z", resolution="hour")
    days = rows(year, start="2026-03-08T09:00Z", end="2026-03-10T00:00Z", resolution="day")

    assert [(row["interval_start"], row["covered_s"]) for row in hours] == [
        ("2026-03-09T08:00:00Z", 3600),
        ("2026-03-09T09:00:00Z", 3600),
    ]
    assert [row["interval_start"] for row in days] == ["2026-03-09T07:00:00Z"]


def test_a_price_is_as_it_was_known_at_the_moment_that_is_asked_about(year: Client):
    hour = {"market": "DAM", "start": "2026-03-09T07:00Z", "end": "2026-03-09T08:00Z"}

    now = rows(year, **hour)
    before = rows(year, **hour, as_of="2026-03-10T11:59:59Z")
    never = rows(year, **hour, as_of="2026-03-09T06:59Z")
    mean = rows(year, market="DAM", start="2026-03-09", resolution="day")

    assert [row["lmp_usd_per_mwh"] for row in (*now, *before)] == [100.0, 1.0]
    assert never == []
    assert mean[0]["lmp_usd_per_mwh"] == pytest.approx((100 + sum(range(2, 25))) / 24)


OF_FILE = {"source": "import/notes", "stream": "of-a-file"}


def test_of_a_price_out_of_a_file_nobody_knows_when_oasis_gave_it_and_it_was_known_at_no_moment(database: str):
    imported = prices_of(HOUR, [30.0, 40.0], fetched_at=HOUR - timedelta(days=2), **OF_FILE)
    heard = prices_of(HOUR + timedelta(minutes=5), [41.0], fetched_at=HOUR + timedelta(minutes=9))
    with kept(database, *imported, *heard) as url, asked_here(url) as client:
        asked = {"start": "2026-10-13T14:00Z", "end": "2026-10-13T15:00Z"}
        now, then = (rows(client, **asked, **more) for more in ({}, {"as_of": "2026-10-13T14:09Z"}))
        (mean,) = rows(client, **asked, resolution="hour")
        of_all = client.ask("/v1/prices.csv", **asked).text.splitlines()
        viewed = stored(url, "SELECT imported_from FROM price_latest ORDER BY interval_start")

    assert [(row["lmp_usd_per_mwh"], row["fetched_at"], row["imported_from"]) for row in now] == [
        (30.0, None, "notes"),
        (41.0, "2026-10-13T14:09:00Z", None),
    ]
    assert then == now[1:]
    assert (mean["fetched_at"], mean["covered_s"], mean["imported_s"]) == ("2026-10-13T14:09:00Z", 600, 300)
    assert [line.split(",")[-2:] for line in of_all[1:]] == [
        ["", "notes"],
        ["2026-10-13T14:09:00Z", ""],
    ]
    assert viewed == [("notes",), (None,)]


def test_every_way_that_tells_a_price_tells_the_one_that_counts(database: str):
    """One interval: out of a file, heard, and two corrections that came in the other order than OASIS gave them."""
    told = [
        *prices_of(HOUR, [1.0], fetched_at=HOUR - timedelta(days=2), **OF_FILE),
        *prices_of(HOUR, [2.0], fetched_at=HOUR),
        *prices_of(HOUR, [3.0], fetched_at=HOUR + timedelta(hours=1), first_seq=2),
        *prices_of(HOUR, [4.0], fetched_at=HOUR + timedelta(minutes=30), first_seq=3),
    ]
    of_node = {"start": "2026-10-13T14:00Z", "end": "2026-10-13T15:00Z"}
    with kept(database, *told) as url, asked_here(url) as client:
        answers = {
            "node": rows(client, **of_node),
            "all": client.ask("/v1/prices", **of_node).json()["rows"],
            "predecessor": client.ask(f"/lmp/{NP15}", market="RTM", **of_node).json(),
        }
        streams = [client.ask("/v1/prices.csv", **of_node, **node) for node in ({}, {"node": NP15})]
        mean = client.ask(f"/lmp/mean/{NP15}/tuesday", market="RTM", **of_node).json()
        viewed = stored(url, "SELECT lmp_usd_per_mwh FROM price_latest")

    assert {name: [row["lmp_usd_per_mwh"] for row in told] for name, told in answers.items()} == {
        name: [3.0] for name in answers
    }
    assert [stream.text.splitlines()[1].split(",")[4] for stream in streams] == ["3", "3"]
    assert (mean["mean_lmp"], viewed) == (3.0, [(3.0,)])


def test_the_mean_of_an_hour_is_that_of_the_view_price_hourly(database: str):
    """Lengths differ, a price is missing, a component of one: the same numbers, and the same that there are none of."""
    whole = prices_of(HOUR, [10.0], minutes=15)
    fives = prices_of(HOUR + timedelta(minutes=15), [40.0, None, 70.0], first_seq=2)
    fives[0] = msgspec.structs.replace(fives[0], loss_usd_per_mwh=(None,))
    unpriced = prices_of(HOUR + timedelta(hours=1), [None], first_seq=5)
    names = [f"{name}_usd_per_mwh" for name in ("lmp", "energy", "congestion", "loss", "ghg")]
    with kept(database, *whole, *fives, *unpriced) as url, asked_here(url) as client:
        told = rows(client, start="2026-10-13T14:00Z", end="2026-10-13T16:00Z", resolution="hour")
        viewed = stored(url, f"SELECT {', '.join(names)}, priced_min * 60 FROM price_hourly ORDER BY hour_start")

    assert [tuple(row[name] for name in (*names, "covered_s")) for row in told] == viewed
    assert [(row["loss_usd_per_mwh"], row["congestion_usd_per_mwh"]) for row in told] == [(None, 1.0)]


def test_a_page_after_another_tells_every_row_once_and_the_link_goes_on_where_next_does(year: Client):
    asked = {"node": NP15, "market": "RTM", "start": "2026-11-01", "limit": 37}
    told, answer = [], year.ask("/v1/prices", **asked)
    while True:
        told += answer.json()["rows"]
        if not (following := answer.json()["next"]):
            break
        assert answer.links["next"]["url"].endswith(f"page={following}")
        answer = year.get(year.address + answer.links["next"]["url"], timeout=30)

    assert "link" not in answer.headers
    assert told == rows(year, market="RTM", start="2026-11-01")
    assert len(told) == 25 * 12


def test_only_the_parts_that_are_asked_for_are_told(year: Client):
    (row,) = rows(year, start="2026-03-09T07:00Z", end="2026-03-09T07:05Z", component=["loss", "energy"])

    assert list(row) == [
        "interval_start", "interval_end", "node", "market", "loss_usd_per_mwh", "energy_usd_per_mwh", "fetched_at",
        "imported_from",
    ]  # fmt: skip


def test_today_is_the_trade_date_of_california(year: Client):
    assert [row["interval_start"] for row in rows(year, market="DAM", limit=1)] == ["2026-03-09T07:00:00Z"]


def test_an_unknown_node_is_a_problem_with_those_that_are_near(year: Client):
    for path in ("/v1/prices?node=TH_NP15_GEN-APDN", f"/v1/prices?node={NP15}&node=TH_NP15_GEN-APDN", "/lmp/TH_NP15_GEN-APDN"):
        answer = year.ask(path)

        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-node")
        assert answer.json()["near"] == [NP15]


def test_intervals_of_different_lengths_weigh_by_their_length_and_gaps_are_told(database: str):
    start = datetime(2026, 10, 13, 14, 0, tzinfo=UTC)
    quarter = prices_of(start, [10.0], minutes=15)
    fives = prices_of(datetime(2026, 10, 13, 14, 15, tzinfo=UTC), [40.0, None, 70.0], first_seq=2)
    with kept(database, *quarter, *fives) as url, asked_here(url) as client:
        (row,) = rows(client, start="2026-10-13T14:00Z", end="2026-10-13T15:00Z", resolution="hour")

    assert row["lmp_usd_per_mwh"] == pytest.approx((10 * 15 + 40 * 5 + 70 * 5) / 25)
    assert (row["covered_s"], row["length_s"]) == (25 * 60, 3600)
    assert row["ghg_usd_per_mwh"] is None


def test_a_component_that_one_interval_lacks_has_no_mean(database: str):
    start = datetime(2026, 10, 13, 14, 0, tzinfo=UTC)
    whole, lacking = prices_of(start, [10.0, 20.0])
    lacking = msgspec.structs.replace(lacking, loss_usd_per_mwh=(None,))
    with kept(database, whole, lacking) as url, asked_here(url) as client:
        (row,) = rows(client, start="2026-10-13T14:00Z", end="2026-10-13T15:00Z", resolution="hour")

    assert (row["lmp_usd_per_mwh"], row["congestion_usd_per_mwh"], row["loss_usd_per_mwh"]) == (15.0, 1.0, None)


def test_without_a_node_all_are_told_by_name_then_time(database: str):
    start = datetime(2026, 10, 13, 14, 0, tzinfo=UTC)
    both = [*prices_of(start, [1.0, 2.0], node=SP15), *prices_of(start, [3.0, 4.0], first_seq=3)]
    with kept(database, *both) as url, asked_here(url) as client:
        answer = client.ask("/v1/prices", start="2026-10-13")
        named = client.ask("/v1/nodes", name="np15").json()["rows"]

    assert [(row["node"], row["lmp_usd_per_mwh"]) for row in answer.json()["rows"]] == [
        (NP15, 3.0), (NP15, 4.0), (SP15, 1.0), (SP15, 2.0),
    ]  # fmt: skip
    assert named == [{"node": NP15}]
