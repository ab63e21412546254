"""How often, and how much at once: of one process, and of several together."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from historian.api.keys import limits
from historian.api.keys.ledger import Ledger
from historian.api.keys.limits import BURST_S, RateLimit, Streams
from historian.api.problems import Problem, Sort


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger() as one:
        yield one


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[tuple[Ledger, Ledger]]:
    """One ledger, as two processes have it."""
    with Ledger(tmp_path / "limits") as one, Ledger(tmp_path / "limits") as other:
        yield one, other


def taken(limit: RateLimit, who: str, at_s: float) -> bool:
    try:
        limit.take(who, at_s)
    except Problem as problem:
        return problem.sort is not Sort.TOO_OFTEN
    return True


def test_who_was_silent_may_ask_for_ten_seconds_worth_at_once_and_then_as_often_as_said(ledger):
    limit = RateLimit(ledger, "questions", 2.0)

    assert [taken(limit, "anna", 0.0) for _ in range(21)] == [True] * 20 + [False]
    assert [taken(limit, "anna", at_s) for at_s in (0.4, 0.5, 0.6, 1.0)] == [False, True, False, True]


def test_one_who_asks_too_often_takes_nothing_from_another(ledger):
    limit = RateLimit(ledger, "questions", 0.1)

    assert [taken(limit, who, 0.0) for who in ("anna", "anna", "ben")] == [True, False, True]


def test_what_is_limited_by_one_name_takes_nothing_from_what_is_by_another(ledger):
    questions, lookups = (RateLimit(ledger, what, 0.1) for what in ("questions", "lookups"))

    assert [taken(limit, "anna", 0.0) for limit in (questions, lookups, questions)] == [True, True, False]


def test_one_too_many_is_told_when_to_ask_again_and_may_then(ledger):
    limit = RateLimit(ledger, "questions", 0.1)
    limit.take("anna", 0.0)

    with pytest.raises(Problem) as problem:
        limit.take("anna", 0.0)

    assert problem.value.headers()["Retry-After"] == "10"
    assert taken(limit, "anna", 10.0)


@given(st.lists(st.tuples(st.floats(0, 5), st.booleans()), max_size=60), st.floats(0.2, 50))
def test_nobody_ever_has_more_than_the_burst_and_the_rate_together(asked: list[tuple[float, bool]], per_s: float):
    """Whichever process is asked: each looks at the clock by itself, and its question may be counted a moment later."""
    with Ledger() as ledger:
        limit, at_s, count = RateLimit(ledger, "questions", per_s), 0.0, 0
        for pause_s, is_late in asked:
            at_s += pause_s
            count += taken(limit, "anna", at_s - 0.001 * is_late)

    assert count <= max(1.0, per_s * BURST_S) + per_s * at_s + 1e-6


def test_those_who_asked_long_ago_are_forgotten_and_not_kept_for_ever(ledger, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "KNOWN_MOST", 10)
    limit = RateLimit(ledger, "questions", 0.1)
    for number in range(1000):
        limit.take(f"address-{number}", number / 1000)

    assert ledger.known("questions") == 10
    assert [taken(limit, f"address-{number}", 1.0) for number in (999, 0)] == [False, True]


def test_one_key_reads_no_more_streams_than_allowed_and_one_that_ended_makes_room(ledger):
    streams = Streams(ledger, most_each=1, most=2)

    with streams.one("anna"):
        with pytest.raises(Problem) as problem, streams.one("anna"):
            pass
        assert problem.value.sort is Sort.TOO_OFTEN
        with streams.one("ben"), pytest.raises(Problem) as busy, streams.one("carl"):
            pass
        assert busy.value.sort is Sort.BUSY
    with streams.one("anna"):
        assert (ledger.streams("anna"), ledger.streams("ben")) == (1, 0)


def test_what_one_process_was_asked_another_counts_as_well(shared):
    limits_of = [RateLimit(ledger, "questions", 0.2) for ledger in shared]

    assert [taken(limits_of[number % 2], "anna", 0.0) for number in range(4)] == [True, True, False, False]


def test_streams_of_one_process_count_for_another_until_it_has_ended(shared, monkeypatch: pytest.MonkeyPatch):
    here, there = (Streams(ledger, most_each=1, most=2) for ledger in shared)
    with ExitStack() as dead:
        monkeypatch.setattr("historian.api.keys.ledger.os.getpid", lambda: 4711)
        dead.enter_context(there.one("anna"))
        monkeypatch.undo()
        with pytest.raises(Problem), here.one("anna"):
            pass
        shared[0].end_streams_of(4711)
        with here.one("anna"):
            assert shared[0].streams("anna") == 1
