"""In a full database each question of docs/data.md finds its way: what names a time reads no big table from end to end."""

from collections.abc import Iterator

import pytest
from full_database import DIVIDED_TABLES, UNTIL, Volume, fill_to, read_from_end_to_end
from real_postgres import Postgres, new_database

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
