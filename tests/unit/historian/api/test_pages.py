"""Keys of pages: what is given out comes back as the same key, and nothing else is taken for one."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from historian.api.problems import Problem, Sort
from historian.api.questions.question import Column, Kind, Question, page_of
from historian.api.request.pages import after_of, next_page

NODE, AT, COUNT = Column("node", Kind.TEXT), Column("at", Kind.TIME), Column("count", Kind.INTEGER)
QUESTION = Question("SELECT node, at, count FROM t", {"start": 1}, (NODE, AT, COUNT), key=("node", "at", "count"))
ROW = ("TH_NP15", datetime(2026, 3, 1, 8, 0, 0, 5, tzinfo=UTC), 7)


OF_THE_CALENDAR = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)).map(lambda naive: naive.replace(tzinfo=UTC))  # noqa: DTZ001


@given(st.tuples(st.text(), OF_THE_CALENDAR, st.integers(-(2**63), 2**63 - 1)))
def test_the_word_for_the_next_page_is_the_key_of_the_last_row(row: tuple[str, datetime, int]):
    word = next_page(QUESTION, row)

    assert after_of(QUESTION, word) == row
    assert word.isascii()
    assert not set(word) & set("+/=&?# ")


def test_a_page_goes_on_where_the_one_before_ended_though_the_range_moved_on():
    """`today` is another day after midnight; the same question is still asked."""
    assert after_of(replace(QUESTION, parameters={"start": 2}), next_page(QUESTION, ROW)) == ROW


@pytest.mark.parametrize(
    "word", ["", "x", "AAAA", "nix!", "…", "A" * 5000, next_page(QUESTION, ROW)[:-3], next_page(QUESTION, ROW) + "AAAA"]
)
def test_a_word_that_was_cut_or_made_is_refused(word: str):
    with pytest.raises(Problem, match="ask without it") as problem:
        after_of(QUESTION, word)

    assert problem.value.sort is Sort.BAD_PAGE


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", 7, None])
@pytest.mark.parametrize("count", [True, "7", None, [1]])
def test_a_key_that_somebody_made_has_the_kinds_of_the_question_and_times_of_the_calendar(at: object, count: object):
    for row in (("a", at, 7), ("a", ROW[1], count), (1, *ROW[1:])):
        with pytest.raises(Problem, match="ask without it"):
            after_of(QUESTION, next_page(QUESTION, row))


@given(st.text())
def test_no_text_is_anything_but_a_key_or_a_problem(text: str):
    with pytest.raises(Problem):
        after_of(QUESTION, text)


def test_a_word_of_another_question_is_refused():
    other = replace(QUESTION, sql="SELECT node, at, count FROM other")
    with pytest.raises(Problem):
        after_of(other, next_page(QUESTION, ROW))


def test_a_page_is_asked_for_by_its_key_and_every_value_is_bound():
    first, second = page_of(QUESTION, 10, None), page_of(QUESTION, 10, ROW)

    assert "WHERE" not in first.sql
    assert "(node, at, count) > (%(after_0)s, %(after_1)s, %(after_2)s) AND node >= %(after_0)s" in second.sql
    assert second.sql.endswith("ORDER BY node, at, count LIMIT %(page_rows)s")
    assert second.parameters == {"start": 1, "after_0": ROW[0], "after_1": ROW[1], "after_2": 7, "page_rows": 10}


def test_a_question_without_a_key_has_one_page():
    single = replace(QUESTION, key=())

    assert page_of(single, 10, None) is single
    with pytest.raises(Problem):
        after_of(single, "AAAA")
