"""Prices over HTTP, from a real PostgreSQL that the historian filled."""

from datetime import UTC, datetime

from historian_api import NP15, asked_here, kept, prices_of

HOUR = datetime(2026, 10, 13, 14, 0, tzinfo=UTC)


def test_prices_are_told_by_interval_in_utc_with_every_component(database: str):
    with kept(database, *prices_of(HOUR, [30.0, None])) as url, asked_here(url) as client:
        answer = client.ask("/v1/prices", node=NP15, start="2026-10-13T14:00Z", end="2026-10-13T15:00Z")

    assert answer.status_code == 200
    assert answer.json() == {
        "rows": [
            {
                "interval_start": "2026-10-13T14:00:00Z",
                "interval_end": "2026-10-13T14:05:00Z",
                "node": NP15,
                "market": "RTM",
                "lmp_usd_per_mwh": 30.0,
                "energy_usd_per_mwh": 28.5,
                "congestion_usd_per_mwh": 1.0,
                "loss_usd_per_mwh": 0.5,
                "ghg_usd_per_mwh": None,
                "fetched_at": "2026-10-13T14:09:00Z",
            },
            {
                "interval_start": "2026-10-13T14:05:00Z",
                "interval_end": "2026-10-13T14:10:00Z",
                "node": NP15,
                "market": "RTM",
                "lmp_usd_per_mwh": None,
                "energy_usd_per_mwh": None,
                "congestion_usd_per_mwh": None,
                "loss_usd_per_mwh": None,
                "ghg_usd_per_mwh": None,
                "fetched_at": "2026-10-13T14:09:00Z",
            },
        ],
        "next": None,
    }


def test_a_slip_of_the_pen_is_a_problem_that_says_what_was_meant(database: str):
    with kept(database) as url, asked_here(url) as client:
        answer = client.ask("/v1/prices", nodes=NP15)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/bad-parameter"
    assert answer.json()["detail"] == "'nodes' is no parameter of this question; did you mean node?"
