"""Mistaken parameters are told, and how many there are costs nothing."""

from historian.api import app
from historian.api.app import MISTAKES_TOLD, mistakes_told


def extra(name: str) -> dict[str, object]:
    return {"type": "extra_forbidden", "loc": ("query", name), "msg": "Extra inputs are not permitted"}


def test_each_of_a_few_mistakes_is_told_with_the_name_that_was_meant():
    told = mistakes_told([extra("stat"), extra("nod")], ["start", "node"])

    stat = "'stat' is no parameter of this question; did you mean start?"
    nod = "'nod' is no parameter of this question; did you mean node?"
    assert told == f"{stat}; {nod}"


def test_of_thousands_of_mistakes_the_first_are_told_and_looked_up_and_the_others_counted(monkeypatch):
    looked_up: list[str] = []
    monkeypatch.setattr(app, "get_close_matches", lambda name, *_known, **_many: looked_up.append(name) or [])

    told = mistakes_told([extra(f"x{number}") for number in range(5000)], ["start"])

    assert len(looked_up) == MISTAKES_TOLD
    assert told.endswith(f"; and {5000 - MISTAKES_TOLD} more")
    assert len(told) < 1000
