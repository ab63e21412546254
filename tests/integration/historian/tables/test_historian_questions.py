"""In a full database each question of docs/data.md finds its way: what names a time reads no big table from end to end."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest
from full_database import DIVIDED_TABLES, UNTIL, Volume, fill_to, read_from_end_to_end
from real_postgres import Postgres, new_database

from dotbus.contracts.schedules import Schedule
from historian.api.questions.dots import dots
from historian.api.questions.evidence import dispatches
from historian.api.questions.prices import PricesWanted, Resolution, prices
from historian.api.questions.question import page_of
from historian.api.questions.told import Revisions, dispatch_batches, instructions
from historian.api.questions.whose import Whose
from historian.api.request.times import Range
from historian.database import Database
from historian.migrations import Roles, bring_up_to_date
from historian.tables.questions import QUESTIONS

pytestmark = pytest.mark.integration

VOLUME = Volume(days=40, nodes=20, resources=3)
ALWAYS_THERE = {
    *("The DOTs of a resource", "The DOT in force at a time", "The DOT in each five minutes of a trade day"),
    *("The set-point minute by minute", "Energy and money of a trade day", "The steepest ramps of a trade day"),
    *("How far actual power was from the DOT", "The price of a node over a day", "What a price was known to be at a time"),
    *("Prices of a trade day by the hour", "One day against another", "A month by day and hour"),
    *("The mean price by weekday and hour", "The duration curve of a month", "Day-ahead against real time"),
    *("Prices below zero", "What was instructed against what was accepted", "Curtailment", "Instructions by kind and day"),
}
"""What has an answer in a database of prices, DOTs and a plant that follows them."""


@pytest.fixture(scope="module")
def full(postgres: Postgres) -> Iterator[Database]:
    database = Database(new_database(postgres), "dotbus")
    bring_up_to_date(database, Roles(), UNTIL)
    fill_to(database, VOLUME)
    yield database
    database.close()


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.title)
def test_a_question_is_answered_and_reads_no_big_table_from_end_to_end(full: Database, question):
    with full.transaction() as connection:
        assert read_from_end_to_end(connection, question.sql, DIVIDED_TABLES) == []
        rows = connection.exec_driver_sql(question.sql).all()
    assert rows or question.title not in ALWAYS_THERE


def test_a_question_without_a_time_is_seen_to_read_all(full: Database):
    with full.transaction() as connection:
        found = read_from_end_to_end(connection, "SELECT avg(lmp_usd_per_mwh) FROM price", DIVIDED_TABLES)
    assert found == ["price_2026_09", "price_2026_10", "price_2026_11"]


def test_twenty_questions_are_answered_at_least():
    assert len(QUESTIONS) >= 20


ONE = Whose("simulator", resources=("TEST_RESOURCE_1",))
TIMES = Range(datetime(2026, 10, 20, tzinfo=UTC), datetime(2026, 10, 20, 1, tzinfo=UTC))
OF_A_RANGE = {
    "dots": dots(ONE, tuple(Schedule), TIMES),
    "every dot": dots(Whose("simulator"), tuple(Schedule), TIMES),
    "instructions": instructions(ONE, TIMES, Revisions.LATEST),
    "every instruction": instructions(Whose("simulator"), TIMES, Revisions.ALL),
    "batches": dispatch_batches(ONE, TIMES, Revisions.LATEST),
    "every batch": dispatch_batches(Whose("simulator"), TIMES, Revisions.ALL),
    "evidence": dispatches("simulator", None, "TEST_RESOURCE_1", TIMES),
    "hours": prices(PricesWanted("simulator", "RTM", ("TH_NP15_GEN-APND",), TIMES, Resolution.HOUR)),
}


@pytest.mark.parametrize("what", OF_A_RANGE)
def test_what_is_of_a_range_is_found_without_reading_a_big_table_from_end_to_end(full: Database, what: str):
    """Also what began months before it, and also a page that goes on."""
    question = OF_A_RANGE[what]
    asked = page_of(question, 100, None) if question.key else question
    with full.transaction() as connection, closing(connection.connection.cursor()) as cursor:
        statement = cursor.mogrify(asked.sql, dict(asked.parameters)).decode().replace("%", "%%")
        assert read_from_end_to_end(connection, statement, DIVIDED_TABLES) == []
        assert connection.exec_driver_sql(statement).all()
