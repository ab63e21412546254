"""How often, and how much at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from historian.api.keys import limits
from historian.api.keys.limits import BURST_S, RateLimit, Streams
from historian.api.problems import Problem, Sort


def taken(limit: RateLimit, who: str, at_s: float) -> bool:
    try:
        limit.take(who, at_s)
    except Problem as problem:
        return problem.sort is not Sort.TOO_OFTEN
    return True


def test_who_was_silent_may_ask_for_ten_seconds_worth_at_once_and_then_as_often_as_said():
    limit = RateLimit(2.0)

    assert [taken(limit, "anna", 0.0) for _ in range(21)] == [True] * 20 + [False]
    assert [taken(limit, "anna", at_s) for at_s in (0.4, 0.5, 0.6, 1.0)] == [False, True, False, True]


def test_one_who_asks_too_often_takes_nothing_from_another():
    limit = RateLimit(0.1)

    assert [taken(limit, who, 0.0) for who in ("anna", "anna", "ben")] == [True, False, True]


def test_one_too_many_is_told_when_to_ask_again_and_may_then():
    limit = RateLimit(0.1)
    limit.take("anna", 0.0)

    with pytest.raises(Problem) as problem:
        limit.take("anna", 0.0)

    assert problem.value.headers()["Retry-After"] == "10"
    assert taken(limit, "anna", 10.0)


@given(st.lists(st.floats(0, 5), max_size=60), st.floats(0.2, 50))
def test_nobody_ever_has_more_than_the_burst_and_the_rate_together(pauses: list[float], per_s: float):
    limit, at_s, count = RateLimit(per_s), 0.0, 0
    for pause in pauses:
        at_s += pause
        count += taken(limit, "anna", at_s)

    assert count <= max(1.0, per_s * BURST_S) + per_s * at_s + 1e-6


def test_those_who_asked_long_ago_are_forgotten_and_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "KNOWN_MOST", 10)
    limit = RateLimit(1.0)
    for number in range(1000):
        limit.take(f"address-{number}", 0.0)

    assert len(limit._left) == 10


def test_one_key_reads_no_more_streams_than_allowed_and_one_that_ended_makes_room():
    streams = Streams(most_each=1, most=2)

    with streams.one("anna"):
        with pytest.raises(Problem) as problem, streams.one("anna"):
            pass
        assert problem.value.sort is Sort.TOO_OFTEN
        with streams.one("ben"), pytest.raises(Problem) as busy, streams.one("carl"):
            pass
        assert busy.value.sort is Sort.BUSY
    with streams.one("anna"):
        assert streams._open == {"anna": 1}
