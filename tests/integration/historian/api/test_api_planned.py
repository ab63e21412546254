"""Statements that a session of the API plans once, at a real PostgreSQL."""

from collections.abc import Iterator

import psycopg2
import pytest
from historian_api import api_settings
from real_postgres import Postgres, new_database

from historian.api import reading
from historian.api.opening import open_reader
from historian.api.problems import Problem
from historian.api.reading import Reader

pytestmark = pytest.mark.integration

ONE_MORE = "SELECT %(number)s::int + 1, '5%%'"
KEPT = "SELECT count(*)::int FROM pg_prepared_statements"


@pytest.fixture(scope="module")
def url(postgres: Postgres) -> str:
    return new_database(postgres)


@pytest.fixture
def reader(url: str) -> Iterator[Reader]:
    opened = open_reader(api_settings(url))
    yield opened
    opened.close()


def test_a_session_plans_a_statement_once_for_whatever_values(reader: Reader):
    for number in (1, 41):
        with reader.reading() as asked:
            assert asked.rows_as_planned(ONE_MORE, {"number": number}) == [(number + 1, "5%")]
            assert asked.rows(KEPT, {}) == [(1,)]


def test_a_plan_that_a_migration_made_unfit_costs_one_answer_and_no_more(reader: Reader, url: str):
    def made(statement: str) -> None:
        with psycopg2.connect(url.replace("+psycopg2", "")) as connection, connection.cursor() as cursor:
            cursor.execute(statement)

    def told() -> object:
        with reader.reading() as asked:
            return asked.rows_as_planned("SELECT * FROM public.moved", {})

    made("CREATE TABLE public.moved AS SELECT 1 AS number")
    assert told() == [(1,)]
    made("ALTER TABLE public.moved ALTER number TYPE text")

    with pytest.raises(Problem):
        told()

    assert told() == [("1",)]


def test_a_session_keeps_no_more_plans_than_it_may(reader: Reader, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reading, "PLANNED_MOST", 2)

    with reader.reading() as asked:
        for column in "abcde":
            asked.rows_as_planned(f"SELECT 1 AS {column}", {})
            asked.rows_as_planned("SELECT 2 AS again", {})
        ((kept,),) = asked.rows(KEPT, {})

    assert kept <= 2
