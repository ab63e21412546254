"""Alive and ready are two questions: a probe that restarts and one that waits get different answers."""

import json
import urllib.error
import urllib.request

import pytest
from prometheus_client import CollectorRegistry

from dotbus.runtime.metrics import HealthServer


@pytest.fixture
def answers():
    health: dict[str, object] = {}
    server = HealthServer("127.0.0.1", 0, CollectorRegistry(), lambda: health)
    server.start()

    def answer(address: str, **known: object) -> tuple[int, dict]:
        health.clear()
        health.update(known)
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{address}", timeout=20) as got:
                return got.status, json.load(got)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)

    yield answer
    server.stop()


@pytest.mark.parametrize(
    ("alive", "ready", "health", "readiness"), [(True, True, 200, 200), (True, False, 200, 503), (False, True, 503, 503)]
)
def test_what_only_waits_for_others_is_alive_and_not_ready(answers, alive, ready, health, readiness):
    known = {"alive": alive, "ready": ready, "broker": ready}
    assert answers("/health", **known) == (health, known)
    assert answers("/ready", **known) == (readiness, known)


@pytest.mark.parametrize(("said", "status"), [(None, 401), ("Bearer wrong", 401), ("secret", 401), ("Bearer secret", 200)])
def test_metrics_are_told_to_who_says_the_token_and_health_to_everyone(said: str | None, status: int):
    server = HealthServer("127.0.0.1", 0, CollectorRegistry(), lambda: {"alive": True, "ready": True}, "secret")
    server.start()

    def ask(address: str) -> int:
        headers = {"Authorization": said} if said else {}
        request = urllib.request.Request(f"http://127.0.0.1:{server.port}{address}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as got:
                return got.status
        except urllib.error.HTTPError as refused:
            refused.close()
            return refused.code

    try:
        assert [ask("/metrics"), ask("/health"), ask("/ready")] == [status, 200, 200]
    finally:
        server.stop()


def test_an_address_that_is_none_says_which_there_are(answers):
    status, text = answers("/healthz")
    assert (status, text["detail"]) == (404, "there is /metrics, /health and /ready")
