"""Hours of prices that are kept say what their prices say, whatever was stored, corrected, imported and dropped, and when."""

import itertools
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest
from historian_parts import IN_SCHEMA, NOW, arrival, opened, ready, replace, stored
from hypothesis import example, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import connection as Connection  # noqa: N812  # the driver's class
from psycopg2.extras import RealDictCursor
from real_postgres import Postgres, new_database

from dotbus.contracts.messages import Prices
from dotbus.testing import samples
from historian.api.questions.prices import PricesWanted, Resolution, prices
from historian.api.request.times import trade_day
from historian.database import Database
from historian.upkeep.price_hours import make_hours
from historian.upkeep.retention import Retention, drop_old
from historian.write.storing.store import Store

pytestmark = pytest.mark.integration

AUTUMN = trade_day(datetime(2026, 11, 1, tzinfo=UTC).date())
"""25 hours, in the middle of which a month of UTC begins to be the only one."""
AT_ONCE = timedelta(0)
COMPONENTS = ("lmp", "energy", "congestion", "loss", "ghg")
MARKETS = {"RTM": 5, "RTPD": 15, "DAM": 60}
numbers = itertools.count(1)


@dataclass(frozen=True)
class Said:
    """A price, as it is stored; the place is of the intervals of its market from the begin of the day."""

    market: str
    place: int
    lmp: float | None
    loss: float | None
    revision: int
    is_of_file: bool


@pytest.fixture(scope="module")
def filled(postgres: Postgres) -> Iterator[tuple[str, Database]]:
    url = new_database(postgres)
    with ready(url) as database:
        yield url, database


def price(node: str, said: Said) -> Prices:
    """It as a message."""
    number, minutes = next(numbers), MARKETS[said.market]
    start = AUTUMN.start + said.place * timedelta(minutes=minutes)
    of_file = {"source": "import/old", "fetched_at": start - timedelta(days=2)}
    given = {"fetched_at": start + timedelta(minutes=said.revision)} | (of_file if said.is_of_file else {})
    values = dict.fromkeys(COMPONENTS, said.lmp) | {"loss": said.loss}
    return replace(
        samples.prices(), id=f"id-{number}", seq=number, market=said.market, market_seq=None, nodes=(node,),
        interval_start=start, interval_end=start + timedelta(minutes=minutes),
        **{f"{name}_usd_per_mwh": (value,) for name, value in values.items()}, **given,
    )  # fmt: skip


def store(database: Database, node: str, *said: Said) -> None:
    Store(database).write([arrival(price(node, each)) for each in said], NOW)


def asked(url: str, node: str, market: str) -> dict[datetime, dict]:
    """What the API answers, hour by hour."""
    with closing(psycopg2.connect(url + IN_SCHEMA)) as connection:
        return answered(connection, node, market)


def answered(connection: Connection, node: str, market: str) -> dict[datetime, dict]:
    question = prices(PricesWanted("simulator", market, (node,), AUTUMN, Resolution.HOUR))
    with connection.cursor() as cursor:
        cursor.execute(question.sql, dict(question.parameters))
        names = [column.name for column in question.columns]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    assert len({row["interval_start"] for row in rows}) == len(rows), "an hour is told once"
    return {row["interval_start"]: row for row in rows}


def meant(connection: Connection, node: str, market: str) -> dict[datetime, dict]:
    """The same out of the view of prices, by plain arithmetic."""
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute("SELECT * FROM price_latest WHERE node = %s AND market = %s", (node, market))
        rows = cursor.fetchall()
    hours: defaultdict[datetime, list[dict]] = defaultdict(list)
    for row in rows:
        if row["lmp_usd_per_mwh"] is not None:
            hours[row["interval_start"].replace(minute=0)].append(row)
    return {start: mean(of_hour) for start, of_hour in hours.items()}


def mean(rows: list[dict]) -> dict:
    weights = [(row["interval_end"] - row["interval_start"]).total_seconds() for row in rows]
    columns = {f"{name}_usd_per_mwh": [row[f"{name}_usd_per_mwh"] for row in rows] for name in COMPONENTS}
    means = {
        name: None if None in values else sum(map(float.__mul__, values, weights)) / sum(weights)
        for name, values in columns.items()
    }
    given = [row["fetched_at"] for row in rows if row["fetched_at"] is not None]
    of_files = sum(weight for row, weight in zip(rows, weights, strict=True) if row["imported_from"] is not None)
    return means | {"covered_s": sum(weights), "fetched_at": max(given, default=None), "imported_s": of_files}


def require_right(url: str, node: str) -> None:
    with closing(psycopg2.connect(url + IN_SCHEMA)) as connection:
        for market in MARKETS:
            require_means(connection, node, market)


def require_means(connection: Connection, node: str, market: str) -> None:
    told, right = answered(connection, node, market), meant(connection, node, market)
    assert told.keys() == right.keys()
    for start, row in told.items():
        assert row["fetched_at"] == right[start].pop("fetched_at"), (market, start)
        assert {name: row[name] for name in right[start]} == pytest.approx(right[start], abs=1e-9), (market, start)


said = st.builds(
    Said,
    market=st.sampled_from([*MARKETS]),
    place=st.integers(0, 24),
    lmp=st.none() | st.integers(-100, 2000).map(lambda cents: cents / 8),
    loss=st.none() | st.just(1.5),
    revision=st.integers(0, 3),
    is_of_file=st.booleans(),
)
steps = st.lists(st.lists(said, min_size=1, max_size=8) | st.just("make"), min_size=1, max_size=6)
FIRST = Said("RTM", 0, 10.0, 1.5, 0, is_of_file=False)
CORRECTED = Said("RTM", 0, 30.0, 1.5, 1, is_of_file=False)
OF_FILE = Said("RTM", 1, 1.0, None, 0, is_of_file=True)


@settings(max_examples=40)
@given(steps)
@example([[FIRST], "make", [CORRECTED], "make", [OF_FILE]])
def test_an_answer_is_the_same_whatever_is_kept(filled: tuple[str, Database], steps: list):
    url, database = filled
    node = f"NODE_{next(numbers)}"
    for step in steps:
        if step == "make":
            assert make_hours(database, NOW, AT_ONCE, 1000) >= 0
        else:
            store(database, node, *step)
        require_right(url, node)


def test_an_hour_that_is_kept_is_answered_without_its_prices(filled: tuple[str, Database]):
    url, database = filled
    store(database, "KEPT", FIRST)
    assert make_hours(database, NOW, AT_ONCE, 1000)
    before = asked(url, "KEPT", "RTM")
    stored(url, f"UPDATE price SET lmp_usd_per_mwh = 0 WHERE node_no = {number_of(url, 'KEPT')} RETURNING 1")
    assert asked(url, "KEPT", "RTM") == before
    assert len(before) == 1


def number_of(url: str, node: str) -> int:
    return stored(url, f"SELECT node_no FROM node WHERE node = '{node}'")[0][0]


def test_an_hour_is_made_once_it_has_been_quiet(filled: tuple[str, Database]):
    url, database = filled
    make_hours(database, NOW, AT_ONCE, 1000)
    store(database, "QUIET", FIRST)
    assert make_hours(database, NOW) == 0
    stored(url, "UPDATE price_hour_due SET marked_at = now() - interval '21 minutes' RETURNING 1")
    assert make_hours(database, NOW) == 1
    assert make_hours(database, NOW) == 0


COLUMNS = "environment, market, interval_start, interval_end, first_node_no, node_nos, origin_no, digest, time, received_at"
CORRECT = f"""
    WITH corrected AS (
      INSERT INTO price_report ({COLUMNS}, report_no, fetched_at, seq, event_id)
      SELECT {COLUMNS}, report_no + 1000000, fetched_at + interval '9 min', seq + 1000000, event_id || 'late'
      FROM price_report WHERE report_no IN (SELECT report_no FROM price WHERE node_no = %(node_no)s)
    )
    INSERT INTO price SELECT interval_start, report_no + 1000000, node_no, 77 FROM price WHERE node_no = %(node_no)s"""


def test_prices_that_are_committed_while_an_hour_is_made_are_not_left_out(filled: tuple[str, Database]):
    """Nobody sees them when it is made, and the mark that came with them stays."""
    url, database = filled
    store(database, "LATE", FIRST)
    with closing(psycopg2.connect(url + IN_SCHEMA)) as connection, connection.cursor() as cursor:
        cursor.execute(CORRECT, {"node_no": number_of(url, "LATE")})
        make_hours(database, NOW, AT_ONCE, 1000)
        assert [row["lmp_usd_per_mwh"] for row in asked(url, "LATE", "RTM").values()] == [10.0]
        connection.commit()
    assert [row["lmp_usd_per_mwh"] for row in asked(url, "LATE", "RTM").values()] == [77.0]
    make_hours(database, NOW, AT_ONCE, 1000)
    require_right(url, "LATE")


def test_several_historians_that_make_hours_at_once_make_each_once(filled: tuple[str, Database]):
    url, database = filled
    store(database, "TOGETHER", *(replace_place(place) for place in range(120)))

    def make() -> None:
        with opened(url) as own:
            for _ in range(5):
                make_hours(own, NOW, AT_ONCE, 1000)

    threads = [threading.Thread(target=make) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    make_hours(database, NOW, AT_ONCE, 1000)
    require_right(url, "TOGETHER")
    assert stored(url, "SELECT count(*) FROM price_hour_due") == [(0,)]
    twice = (
        "SELECT count(*) FROM price_hour JOIN price_hour_made USING (hour_no) GROUP BY node_no, market, price_hour.hour_start"
    )
    assert {count for (count,) in stored(url, twice)} == {1}
    orphans = "SELECT count(*) FROM price_hour WHERE hour_no NOT IN (SELECT hour_no FROM price_hour_made)"
    assert stored(url, orphans) == [(0,)]


def replace_place(place: int) -> Said:
    return Said("RTM", place, float(place), None, 0, is_of_file=False)


def test_hours_go_with_their_prices(database: str):
    with ready(database) as kept:
        store(kept, "GONE", FIRST)
        make_hours(kept, AUTUMN.end, AT_ONCE)
        assert asked(database, "GONE", "RTM")
        store(kept, "GONE", Said("RTM", 1, 1.0, 1.5, 0, is_of_file=False))
        list(drop_old(kept, Retention(prices_days=31), AUTUMN.end + timedelta(days=70)))
        assert asked(database, "GONE", "RTM") == {}
        for table in ("price_hour", "price_hour_made", "price_hour_due"):
            assert stored(database, f"SELECT count(*) FROM {table}") == [(0,)]


def test_a_month_by_hour_reads_hours_and_no_price_where_all_are_kept(filled: tuple[str, Database]):
    url, database = filled
    places = range(25 * 12)
    store(database, "MONTH", *(replace_place(place) for place in places))
    for _ in range(3):
        make_hours(database, NOW, AT_ONCE, 1000)
    question = prices(PricesWanted("simulator", "RTM", ("MONTH",), AUTUMN, Resolution.HOUR))
    with closing(psycopg2.connect(url + IN_SCHEMA)) as connection, connection.cursor() as cursor:
        cursor.execute("ANALYZE price, price_hour, price_hour_made, price_hour_due")
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + question.sql, dict(question.parameters))
        ((plan,),) = cursor.fetchall()
    assert rows_read(plan[0]["Plan"], "price") == 0
    assert rows_read(plan[0]["Plan"], "price_hour") == 25


def rows_read(node: dict, table: str) -> int:
    """Rows that came out of the months of a table."""
    name = node.get("Relation Name", "").rstrip("0123456789_")
    own = round(node["Actual Rows"] * node["Actual Loops"]) if name == table and node["Node Type"] != "Bitmap Index Scan" else 0
    return own + sum(rows_read(part, table) for part in node.get("Plans", ()))
