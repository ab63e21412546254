"""docs/analysis.md: its examples run as they stand, against a real API, and come to what is right."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from historian_api import NP15, SP15, asked_here, kept, prices_of
from plant_day import FIVE, MINUTE, heard, told
from real_postgres import Postgres, new_database

pytestmark = pytest.mark.integration

DOCUMENT = Path(__file__).parents[3] / "docs" / "analysis.md"
MIDNIGHT = datetime(2026, 10, 12, 7, 0, tzinfo=UTC)
"""In California, of the day before the one on which is asked."""
INTERVALS = 288


@pytest.fixture(scope="module")
def names(postgres: Postgres) -> Iterator[dict[str, Any]]:
    """What the examples leave, all of them run one after the other."""
    dear = [20.0 + hour for hour in range(24) for _ in range(12)]
    dearer = [price + (3.0 if number % 4 else -1.0) for number, price in enumerate(dear)]
    events = [
        *prices_of(MIDNIGHT, dear),
        *prices_of(MIDNIGHT + timedelta(days=1), [30.0, None, 25.0], first_seq=1000),
        *prices_of(MIDNIGHT, dearer, node=SP15, first_seq=2000),
        *(told(3000 + number, MIDNIGHT + number * FIVE, 12.0) for number in range(6)),
        told(4000, MIDNIGHT + 6 * FIVE, 24.0, at=MIDNIGHT + 7 * FIVE),
        *heard(MIDNIGHT - MINUTE, MIDNIGHT + timedelta(hours=1)),
    ]
    now = MIDNIGHT + timedelta(days=1, hours=1)
    with (
        kept(new_database(postgres), *events) as url,
        asked_here(url, now=now, requests_per_s=1000) as api,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("DOTBUS_API_URL", api.address)
        run: dict[str, Any] = {}
        for code in examples():
            exec(compile(code, DOCUMENT.name, "exec"), run)  # our own document
        yield run


def examples() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_there_are_five_examples():
    assert len(examples()) == 5


def test_a_day_is_compared_with_the_one_before_by_time_of_day(names: dict[str, Any]):
    assert names["risen"].to_dict() == {"00:00": 10.0, "00:10": 5.0}


def test_hours_that_congestion_made_are_found(names: dict[str, Any]):
    assert len(names["complete"]) == 24
    assert len(names["congested"]) == 0


def test_a_duration_curve_falls(names: dict[str, Any]):
    assert len(names["duration"]) == INTERVALS
    assert (names["duration"].iloc[0], names["duration"].iloc[-1]) == (3.0, -1.0)
    assert names["share"] == 0.75


def test_a_batch_that_came_late_parts_what_was_known_then_from_what_is_known_now(names: dict[str, Any]):
    assert names["late"] >= 5
    assert 0 < names["believed"] < 1
    assert names["why"].sum() >= (1 - names["believed"]) * INTERVALS


def test_a_day_s_worth_by_hand_is_that_of_the_summary(names: dict[str, Any]):
    assert names["summary"]["total"]["instructed_mwh"] == pytest.approx(12.0 * 6 / 12 + 24.0 / 12)
    assert names["worth_usd"] == pytest.approx(names["summary"]["total"]["worth_usd"])
    assert names["worth_usd"] == pytest.approx(20.0 * 8.0)
    assert set(names["today"]["node"]) == {NP15}
