"""How each service is, and what to do about it."""

from datetime import timedelta

import pytest
from console_story import Console
from gateway_story import at, status, upstream

from console.picture.words import span
from dotbus.contracts.codec import encode
from dotbus.contracts.messages import OutboxSpan, UpstreamGap
from dotbus.runtime.mqtt.messages import Delivery


@pytest.fixture
def console() -> Console:
    return Console(introduced=False)


def test_a_service_that_is_well_needs_nothing(console: Console):
    console.hear(status(0, certificate_days_left=200.5))
    shown = console.look(1).service()
    assert (shown.state, shown.level, shown.words, shown.do) == ("running", "good", "good", ())


def test_a_service_that_is_gone_is_to_be_started(console: Console):
    console.hear(status(0, online=False, upstreams=()))
    shown = console.look(1).service()
    assert (shown.state, shown.level, shown.do) == ("stopped", "bad", ("Start ads_ingest/a; its log says why it ended.",))


@pytest.mark.parametrize(("online", "look_at_s"), [(False, 20), (True, 60)], ids=["stopped", "silent"])
def test_of_a_service_that_is_not_there_nobody_is_said_to_answer(console: Console, look_at_s: float, *, online: bool):
    console.hear(status(0, online=online, upstreams=(upstream(0),)))
    (shown,) = console.look(look_at_s).service().upstreams
    assert (shown.is_ok, shown.words) == (False, f"answered {span(look_at_s)} ago")


@pytest.mark.parametrize("retained", [True, False])
def test_a_service_that_says_nothing_any_more_is_silent(console: Console, *, retained: bool):
    console.hear(status(0), retained=retained)
    assert console.look(15).service().state == "running"
    shown = console.look(16).service()
    assert (shown.state, shown.words) == ("silent", "nothing heard of it for 16 s")


@pytest.mark.parametrize(
    ("changed", "words", "act"),
    [
        (
            {"upstreams": (upstream(0, ok=False, last_error="certificate expired"),)},
            "ads_dispatch: certificate expired",
            "--online",
        ),
        ({"upstreams": (upstream(0, clock_offset_s=-3.5),)}, "differs from ours by -3.5 s", "NTP"),
        ({"certificate_days_left": 12.3}, "its certificate ends in 12 days", "new certificate"),
        (
            {"outbox": OutboxSpan(stream="s", first_seq=1, last_seq=500, unpublished=400)},
            "400 events wait for the broker",
            "disk",
        ),
        ({"complaints": ("a plant is missing",)}, "a plant is missing", "log of ads_ingest/a"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(console: Console, changed: dict, words: str, act: str):
    console.hear(status(0, **changed))
    shown = console.look(1).service()
    assert (shown.state, shown.level) == ("degraded", "uncertain")
    assert words in shown.words
    assert act in shown.do[0]


def test_nobody_speaks_for_another(console: Console):
    said = encode(status(0, instance="b"))
    console.following.take(Delivery(console.topics.service("ads_ingest", "a"), said, retained=False, received_at=at(0)))
    assert [key for key in console.look(1).picture.parts if key.startswith("service/")] == []


def test_a_gap_is_shown_once_the_newest_first(console: Console):
    for hours in (1, 2, 2):
        console.hear(
            UpstreamGap(
                environment="production",
                source="ads_ingest/a",
                time=at(0),
                id=f"gap {hours}",
                stream="s",
                seq=hours,
                upstream="ads_dispatch",
                missing_from=at(0),
                missing_until=at(0) + timedelta(hours=hours),
                detail="not heard",
            )
        )
    gaps = console.look(1).picture.parts["gaps"].gaps
    assert [gap.end - gap.start for gap in gaps] == [7200, 3600]
