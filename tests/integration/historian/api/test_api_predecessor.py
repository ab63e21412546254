"""The predecessor's paths, without its faults: its answers had these names, and its mean was 33.35 whatever was asked."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from statistics import fmean

import pytest
from historian_api import NP15, SP15, Client, asked_here, kept, prices_of
from historian_parts import stored
from real_postgres import Postgres, new_database

pytestmark = pytest.mark.integration

FIRST = datetime(2026, 10, 30, 7, 0, tzinfo=UTC)  # Friday, midnight in California
VALUES = [float(number) for number in range(24 + 24 + 25 + 24)]  # to Monday, over the day of 25 hours


@pytest.fixture(scope="module")
def connector(postgres: Postgres) -> Iterator[Client]:
    url = new_database(postgres)
    messages = prices_of(FIRST, VALUES, market="DAM", minutes=60)
    other = prices_of(FIRST, [1.0], node=SP15, market="RTM", first_seq=200)
    with kept(url, *messages, *other), asked_here(url) as client:
        yield client


def test_how_many_from_when_to_when_and_of_which_nodes(connector: Client):
    assert connector.ask("/row-count").json() == {"row-count": len(VALUES) + 1}
    assert connector.ask("/time-ranges").json() == {
        "oldest timestamp": "2026-10-30T07:00:00Z",
        "newest timestamp": "2026-11-03T07:00:00Z",
    }
    assert connector.ask("/lmp").json() == {"regions": [NP15, SP15]}


def test_a_nodes_prices_have_the_predecessors_names_and_the_right_one(connector: Client):
    told = connector.ask(f"/lmp/{NP15}").json()

    assert len(told) == len(VALUES)
    assert told[1] == {"time": "2026-10-30T08:00:00Z", "node": NP15, "mw": 1.0, "lmp_usd_per_mwh": 1.0}
    assert connector.ask(f"/lmp/{SP15}").json() == []
    assert len(connector.ask(f"/lmp/{SP15}", market="RTM").json()) == 1


def test_more_prices_than_a_page_go_on_with_the_link(connector: Client):
    first = connector.ask(f"/lmp/{NP15}", limit=60)
    second = connector.get(connector.address + first.links["next"]["url"], timeout=30)

    assert [row["mw"] for row in (*first.json(), *second.json())] == VALUES
    assert "next" not in second.links


@pytest.mark.parametrize(
    ("day", "first", "hours"), [("friday", 0, 24), ("saturday", 24, 24), ("sunday", 48, 25), ("monday", 73, 24)]
)
def test_the_mean_of_a_weekday_is_the_mean_of_its_trade_dates(connector: Client, day: str, first: int, hours: int):
    told = connector.ask(f"/lmp/mean/{NP15}/{day}").json()

    assert told["mean_lmp"] == pytest.approx(fmean(VALUES[first : first + hours]))
    assert told == {
        "region": NP15, "day": day, "mean_lmp": told["mean_lmp"], "market": "DAM", "covered_s": hours * 3600,
        "start": "2026-10-30T07:00:00Z", "end": "2026-11-03T08:00:00Z",
    }  # fmt: skip


def test_a_mean_without_a_range_is_of_the_last_that_may_be_asked_for_and_says_so(database: str):
    last = FIRST + timedelta(days=728)
    messages = [
        *prices_of(FIRST, [1.0], market="DAM", minutes=60),
        *prices_of(last, [3.0], market="DAM", minutes=60, first_seq=2),
    ]
    with kept(database, *messages) as url, asked_here(url) as client:
        mean = client.ask(f"/lmp/mean/{NP15}/friday", tz="Pacific").json()
        before = client.ask(f"/lmp/mean/{NP15}/friday", end="2026-10-31").json()
        pages = [client.ask(f"/lmp/{NP15}", limit=limit) for limit in (1, 2)]
        second = client.get(client.address + pages[0].links["next"]["url"], timeout=30)

    assert (mean["mean_lmp"], mean["start"]) == (3.0, "2027-09-24T00:00:00-07:00")
    assert before["mean_lmp"] == 1.0
    assert [[row["mw"] for row in page.json()] for page in (*pages, second)] == [[1.0], [1.0, 3.0], [3.0]]
    assert all("next" not in page.links for page in (pages[1], second))


def test_prices_are_counted_by_their_reports_also_where_an_old_report_does_not_say_its_nodes(database: str):
    messages = [*prices_of(FIRST, [1.0, 2.0]), *prices_of(FIRST, [3.0], first_seq=3, node=SP15)]
    with kept(database, *messages) as url, asked_here(url) as client:
        stored(url, "UPDATE price_report SET node_nos = NULL WHERE seq = 2 RETURNING 1")
        assert client.ask("/row-count").json() == {"row-count": 3}


def test_a_weekday_without_prices_has_no_mean_and_not_one_that_somebody_made_up(connector: Client):
    told = connector.ask(f"/lmp/mean/{NP15}/tuesday").json()

    assert (told["mean_lmp"], told["covered_s"]) == (None, 0)


def test_a_range_of_time_bounds_it(connector: Client):
    start = FIRST + timedelta(hours=2)
    asked = {"start": start.isoformat(), "end": (start + timedelta(hours=2)).isoformat()}

    assert [row["mw"] for row in connector.ask(f"/lmp/{NP15}", **asked).json()] == [2.0, 3.0]
    assert connector.ask(f"/lmp/mean/{NP15}/friday", **asked).json()["mean_lmp"] == 2.5


def test_what_is_no_weekday_is_a_problem_that_names_them(connector: Client):
    answer = connector.ask(f"/lmp/mean/{NP15}/someday")

    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-parameter")
    assert "'sunday'" in answer.json()["detail"]
