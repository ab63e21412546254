"""What a page shows of a resource: the values of the gateway, their quality in words, and no number that is bad."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from console_story import Console, measured
from gateway_story import (
    Gateway,
    alarm_summary,
    at,
    dot,
    instruction,
    instructions,
    interval,
    lmp,
    point,
    price,
    status,
    trajectory,
)

from console.picture.parts import Part
from console.picture.picture import View, encode, plants_in
from dotbus.contracts.alarms import AlarmState
from dotbus.contracts.codec import encode as contract_encode
from dotbus.contracts.messages import Environment, InstructionAnswer
from dotbus.contracts.quality import Level
from dotbus.runtime.mqtt.messages import Delivery
from dotbus.testing import samples

DOTS = (interval(0, 10.0), interval(300, 20.0), interval(600, 40.0))


@pytest.fixture
def console() -> Console:
    return Console()


def test_a_resource_is_shown_with_what_is_asked_now_and_next(console: Console):
    console.hear(
        status(0), status(0, service="lmp_ingest"), dot(*DOTS), trajectory(point(0, 10), point(300, 40)), lmp(price(0, 31.5))
    )
    shown = console.look(30).resource()

    assert (shown.dot.mw.value, shown.dot.start, shown.dot.end) == (10.0, at(0).timestamp(), at(300).timestamp())
    assert (shown.next_dot.mw.value, shown.next_dot.start) == (20.0, at(300).timestamp())
    assert shown.trajectory.value == pytest.approx(13.0)
    assert (shown.price.value, shown.price_of) == (31.5, "RTM NODE1")
    assert (shown.level, shown.words) == ("good", "good")


def test_the_page_says_what_the_registers_say():
    """One judgement for both: each second of a quarter of an hour in which the ingest falls silent, level and number agree."""
    gateway, console = Gateway(block=[{"profile": "plant", "unit_id": 11, "plants": ["sierra"]}]), Console(introduced=False)
    for heard in (status(-60), status(0), dot(*DOTS), status(5)):
        gateway.hear(heard)
        console.hear(heard)
    levels = set()
    for now_s in range(1, 900, 7):
        dot_quality = gateway.words(now_s, 11, 100, 1)[0]
        shown = console.look(now_s).resource().dot.mw
        assert shown.level == Level(dot_quality).name.lower(), now_s
        assert (shown.value is None) == (dot_quality == Level.BAD)
        levels.add(shown.level)
    assert levels == {"good", "bad"}


def test_a_silent_caiso_is_said_in_words_with_its_time_and_has_no_number(console: Console):
    console.hear(status(0), dot(*DOTS))
    shown = console.look(95).resource()

    assert shown.dot.mw.value is None
    assert (shown.level, shown.words) == ("bad", "CAISO not heard for 95 s")


def test_an_ingest_that_vanished_is_named(console: Console):
    console.hear(status(0), dot(*DOTS), status(5, online=False, upstreams=()))
    shown = console.look(6).resource()

    assert (shown.level, shown.words) == ("uncertain", "ads_ingest is not running")


def test_without_the_broker_everything_is_in_doubt_and_says_so(console: Console):
    console.hear(status(0), dot(*DOTS))
    console.following.turn(connected=False, at=at(10))
    shown = console.look(11).resource()

    assert shown.level == "uncertain"
    assert shown.words.startswith("the console does not hear the broker")


def test_our_clock_that_was_set_puts_everything_in_doubt_until_it_is_compared_again(console: Console):
    console.hear(status(0), dot(*DOTS))
    assert console.look(1).resource().level == "good"
    assert "clocks" in console.look(2, wall=at(60)).resource().words


def test_a_test_dispatch_is_no_value(console: Console):
    console.hear(status(0), dot(*DOTS, environment=Environment.STAGE))
    shown = console.look(1).resource()

    assert (shown.dot.mw.value, shown.dot.mw.level) == (None, "bad")
    assert "another environment" in shown.words


def test_a_resource_that_no_file_names_is_shown_beside_the_others(console: Console):
    console.hear(status(0), dot(*DOTS, resource="SOLAR", plant="unassigned", resource_id="STRANGER 1"))
    shown = console.look(1).resource("STRANGER 1", "unassigned")

    assert (shown.is_configured, shown.dot.mw.value) == (False, 10.0)
    assert list(console.picture.parts)[1:5] == [
        "resource/sierra/SOLAR",
        "resource/sierra/BESS",
        "resource/delta/HYDRO",
        "resource/delta/PUMP",
    ]


def test_what_a_plant_measures_is_shown_until_its_word_ends(console: Console):
    console.hear(measured(42.5, 0))
    assert (console.look(1).resource().actual.value, console.resource().actual.level) == (42.5, "good")
    old = console.look(91).resource().actual
    assert (old.value, old.level) == (None, "bad")
    assert old.words == "the plant's SCADA not heard for 91 s"
    assert console.resource("BESS").actual is None


def test_an_instruction_is_open_until_its_window_ends(console: Console):
    answer = InstructionAnswer(answer="none", is_open=True, open_until=at(120), min_accept_mw=5.0)
    console.hear(status(0), instructions(instruction("dot", 600, instructed_mw=30.0, answer=answer)))
    (shown,) = console.look(1).resource().instructions
    assert (shown.is_open, shown.open_until, shown.mw, shown.min_accept_mw) == (True, at(120).timestamp(), 30.0, 5.0)
    assert not console.look(120).resource().instructions[0].is_open


def test_only_what_changed_is_told(console: Console):
    console.hear(status(0), dot(interval(0, 10.0), interval(300, 10.0), interval(600, 10.0)))
    console.look(200)
    console.look(201)
    assert console.changed == {}
    console.hear(dot(interval(0, 15.0, revision_no=2), interval(300, 10.0), said_s=202))
    console.look(202)
    assert list(console.changed) == ["resource/sierra/SOLAR"]


def told(parts: Mapping[str, Part], view: View) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.json.decode(encode(parts, view, plants_in(parts)))
    return told


def test_a_page_of_a_plant_is_told_nothing_of_other_plants(console: Console):
    console.hear(status(0), dot(*DOTS))
    parts = console.look(1).picture.parts
    of_delta = told(parts, View("delta"))

    assert [key for key in of_delta if key.startswith("resource/")] == ["resource/delta/HYDRO", "resource/delta/PUMP"]
    assert {"console", "gaps", "service/ads_ingest/a"} <= set(of_delta)
    assert set(told(parts, View())) == set(parts)


def test_who_may_see_one_plant_is_not_told_that_there_are_others(console: Console):
    console.hear(status(0), *(status(0, service="modbus_gateway", instance=name) for name in ("sierra", "delta", "main")))
    parts = console.look(1).picture.parts
    of_delta = told(parts, View("delta", is_alone=True))

    assert of_delta["console"]["plants"] == ["delta"]
    gateways = {key for key in of_delta if key.startswith("service/modbus_gateway/")}
    assert gateways == {"service/modbus_gateway/delta", "service/modbus_gateway/main"}, (
        "the gateway of all plants serves it, too"
    )
    assert "sierra" not in str(of_delta)
    assert told(parts, View("delta"))["console"]["plants"] == ["sierra", "delta"]


def test_nonsense_on_a_topic_is_said_and_ends_nothing(console: Console):
    console.hear(status(0), dot(*DOTS))
    topics = console.topics
    for topic in (topics.dot("sierra", "SOLAR"), topics.service("x", "y"), topics.telemetry("p", "r", "z"), "x"):
        console.following.take(Delivery(topic, b"\xff{", retained=False, received_at=at(1)))
    assert "cannot be read" in console.look(1).resource().words
    assert "service/x/y" not in console.picture.parts


def test_how_many_alarms_came_of_late_is_shown_while_it_is_vouched_for_and_to_the_plant_that_it_is_of(console: Console):
    for said in (
        alarm_summary(said_s=0, raised_in_10_min=12, is_flood=True),
        alarm_summary(said_s=0, plant="delta", raised_in_10_min=1),
        alarm_summary(said_s=0, plant="installation"),
    ):
        topic = console.topics.alarm_summary(said.plant)
        console.following.take(Delivery(topic, contract_encode(said), retained=True, received_at=at(0)))
    parts = console.look(1).picture.parts
    flood = told(parts, View("sierra"))["flood/sierra"]
    assert (flood["raised"], flood["level"]) == (12, "bad")
    assert flood["text"] == "Flood of alarms: sierra: 12 raised within 10 minutes, more than one person can act on"
    floods = {key: one for key, one in told(parts, View("delta")).items() if key.startswith("flood/")}
    assert floods == {"flood/delta": {"raised": 1, "level": "good", "text": "delta: 1 raised within 10 minutes"}}
    assert "flood/installation" not in parts, "none came"
    assert console.look(61).changed["flood/sierra"] is None


def test_an_alarm_is_shown_until_it_is_normal_and_a_plant_is_told_its_own_and_those_of_no_plant(console: Console):
    alarm = samples.alarm_status()
    for plant, about in (("sierra", "SOLAR"), ("delta", "HYDRO"), ("installation", "ads_ingest/a")):
        said = msgspec.structs.replace(alarm, plant=plant, about=about, rule="dot-stale", state=AlarmState.UNACKNOWLEDGED)
        topic = console.topics.alarm_state(plant, about, "dot-stale")
        console.following.take(Delivery(topic, contract_encode(said), retained=True, received_at=at(0)))
    parts = console.look(1).picture.parts
    assert {key for key in told(parts, View("delta")) if key.startswith("alarm/")} == {
        "alarm/delta/HYDRO/dot-stale",
        "alarm/installation/ads_ingest%2Fa/dot-stale",
    }
    said = msgspec.structs.replace(alarm, plant="delta", about="HYDRO", rule="dot-stale", state=AlarmState.NORMAL)
    topic = console.topics.alarm_state("delta", "HYDRO", "dot-stale")
    console.following.take(Delivery(topic, contract_encode(said), retained=True, received_at=at(2)))
    assert console.look(3).changed["alarm/delta/HYDRO/dot-stale"] is None
    lies_about_its_name = console.topics.alarm_state("delta", "PUMP", "dot-stale")
    console.following.take(Delivery(lies_about_its_name, contract_encode(said), retained=True, received_at=at(2)))
    assert ("delta", "PUMP", "dot-stale") not in console.following.alarms
