"""The list of alarms: the most urgent first, whole or said not to be, and each named as a person would."""

import json
from datetime import timedelta

import msgspec
import pytest
import typer

from dotbus.contracts.alarms import INSTALLATION, AlarmPriority, AlarmState
from dotbus.contracts.codec import encode
from dotbus.contracts.messages import AlarmStatus, AlarmSummary, ServiceStatus
from dotbus.contracts.topics import Subject, Topics
from dotbus.runtime.mqtt.messages import Delivery
from dotbus.testing import samples
from launcher.alarms.commands import span_of
from launcher.alarms.heard import HeardAlarms, name_of
from launcher.alarms.shown import alarm_lines, alarms_document

TOPICS = Topics()
AT = samples.AT
STATES = AlarmState


def alarm(about: str, state: AlarmState = STATES.UNACKNOWLEDGED, **more) -> AlarmStatus:
    plain = {"shelved_until": None, "shelved_by": None, "comment": None, "acknowledged_by": None, "acknowledged_at": None}
    return msgspec.structs.replace(samples.alarm_status(), about=about, state=state, **(plain | more))


def summary(plant: str = "sierra", shelved: int = 0, **unacknowledged_and_active: tuple[int, int]) -> AlarmSummary:
    said = samples.alarm_summary()
    counts = tuple(
        msgspec.structs.replace(one, unacknowledged=pair[0], active=pair[1])
        for one in said.counts
        for pair in [unacknowledged_and_active.get(one.priority, (0, 0))]
    )
    return msgspec.structs.replace(said, plant=plant, counts=counts, shelved=shelved, valid_until=AT + timedelta(minutes=5))


def serving(*, online: bool = True) -> ServiceStatus:
    return msgspec.structs.replace(
        samples.service_status(), source="alarms/main", service="alarms", instance="main", online=online
    )


def topic_of(message: AlarmStatus | AlarmSummary | ServiceStatus) -> str:
    match message:
        case AlarmStatus():
            return TOPICS.alarm_state(message.plant, message.about, message.rule)
        case AlarmSummary():
            return TOPICS.alarm_summary(message.plant)
    return TOPICS.service(message.service, message.instance)


def heard(*messages: AlarmStatus | AlarmSummary | ServiceStatus) -> HeardAlarms:
    it = HeardAlarms(TOPICS)
    for one in (serving(), *messages):
        it.take(Delivery(topic_of(one), encode(one), retained=True, received_at=AT))
    return it


def shown(*messages: AlarmStatus | AlarmSummary, everything: bool = False) -> str:
    return "\n".join(line.plain for line in alarm_lines(heard(*messages).known(AT), everything=everything))


def test_the_most_urgent_comes_first_and_of_those_what_nobody_has_acknowledged():
    known = heard(
        alarm("low", priority=AlarmPriority.LOW),
        alarm("seen", STATES.ACKNOWLEDGED, raised_at=AT),
        alarm("old", raised_at=AT - timedelta(hours=1)),
        alarm("new", raised_at=AT),
        alarm("over", STATES.RETURNED),
    ).known(AT)
    assert [one.about for one in known.alarms] == ["new", "old", "over", "seen", "low"]


def test_it_is_whole_once_every_alarm_has_come_that_the_summary_counts():
    said = summary(critical=(1, 1), shelved=1)
    assert not heard(said).known(AT).is_whole
    assert not heard(said, alarm("a")).known(AT).is_whole
    assert heard(said, alarm("a"), alarm("b", STATES.SHELVED)).known(AT).is_whole
    assert not heard(said, alarm("a"), alarm("b", STATES.SHELVED), alarm("c")).known(AT).is_whole


def test_without_a_summary_that_holds_it_is_not_whole():
    assert not heard(alarm("a")).known(AT).is_whole
    assert not heard(summary()).known(AT + timedelta(minutes=5)).is_whole
    assert heard(summary()).known(AT).is_whole


def test_without_a_service_that_is_there_it_is_not_whole():
    assert not heard(summary(), serving(online=False)).known(AT).is_whole
    nobody = HeardAlarms(TOPICS)
    nobody.take(Delivery(topic_of(summary()), encode(summary()), retained=True, received_at=AT))
    assert not nobody.known(AT).is_whole, "what comes last is the service's status"
    assert nobody.filters[-1] == TOPICS.every(Subject.SERVICE)


def test_a_plants_operator_has_the_installations_alarms_before_him_and_no_other_plants():
    known = heard(summary(), alarm("a"), alarm("b", plant="delta"), alarm("c", plant=INSTALLATION)).known(AT)
    assert {one.about for one in known.of("sierra").alarms} == {"a", "c"}
    assert {one.about for one in known.of(None).alarms} == {"a", "b", "c"}


def test_an_alarm_is_believed_on_its_own_topic_only_and_goes_when_it_is_taken_back():
    it = heard(alarm("a"))
    it.take(Delivery(TOPICS.alarm_state("sierra", "b", "dot-stale"), encode(alarm("other")), retained=True, received_at=AT))
    it.take(Delivery(TOPICS.alarm_state("sierra", "b", "dot-stale"), b"{", retained=True, received_at=AT))
    assert [one.about for one in it.known(AT).alarms] == ["a"]
    it.take(Delivery(TOPICS.alarm_state("sierra", "a", "dot-stale"), b"", retained=True, received_at=AT))
    assert it.known(AT).alarms == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("installation/ads_ingest/main/service-down", 1),
        ("installation/ads_ingest%2Fmain/service-down", 1),
        ("main/service-down", 1),
        ("ads_ingest/main/service-down", 1),
        ("service-down", 2),
        ("ervice-down", 0),
        ("sierra/A/dot-stale", 1),
        ("", 0),
    ],
)
def test_an_alarm_is_named_as_the_list_shows_it_as_messages_do_or_by_the_end_of_it(text: str, found: int):
    known = heard(
        alarm("A"),
        alarm("ads_ingest/main", plant=INSTALLATION, rule="service-down"),
        alarm("lmp_ingest/x", plant=INSTALLATION, rule="service-down"),
    ).known(AT)
    assert len(known.named(text)) == found


def test_a_whole_name_is_no_end_of_another():
    known = heard(alarm("S1"), alarm("x/sierra/S1", plant="delta")).known(AT)
    assert [name_of(one) for one in known.named("sierra/S1/dot-stale")] == ["sierra/S1/dot-stale"]


def test_the_list_says_what_is_wrong_what_to_do_and_what_is_not_shown():
    text = shown(alarm("A"), alarm("B", STATES.SHELVED), summary(critical=(1, 1), shelved=1))
    assert "critical  unacknowledged           2026-10-13 14:12:00Z  sierra/A/dot-stale" in text
    assert samples.alarm_status().text in text
    assert samples.alarm_status().next_step in text
    assert "sierra/B" not in text
    assert "1 more shelved" in text
    assert "sierra: 1 critical unacknowledged; 2 raised within 10 minutes" in text


def test_everything_has_who_shelved_until_when_and_why():
    text = shown(samples.alarm_status(), everything=True)
    assert "shelved until 2026-10-13 14:44:00Z by M. Ortiz: CAISO works on ADS until 15:00" in text


def test_a_flood_is_said():
    text = shown(msgspec.structs.replace(summary(), is_flood=True, raised_in_10_min=37))
    assert text == "sierra: nothing unacknowledged; 37 raised within 10 minutes, a FLOOD"


def test_programs_have_it_as_messages_say_it():
    document = json.loads(alarms_document(heard(alarm("A"), summary(critical=(1, 1))).known(AT)))
    assert (document["is_whole"], document["open"]) == (True, 1)
    assert document["alarms"][0]["name"] == "sierra/A/dot-stale"
    assert document["alarms"][0]["state"] == "unacknowledged"
    assert document["summaries"][0]["plant"] == "sierra"


@pytest.mark.parametrize(("text", "minutes"), [("30m", 30), ("90min", 90), ("2h", 120), ("1.5h", 90), ("7d", 10_080)])
def test_a_stretch_of_time_is_said_as_a_person_does(text: str, minutes: float):
    assert span_of(text) == timedelta(minutes=minutes)


@pytest.mark.parametrize("text", ["", "30", "m", "-5m", "0h", "2 weeks", "1e3m"])
def test_what_is_no_stretch_of_time_is_refused(text: str):
    with pytest.raises(typer.BadParameter, match="30m or 2h"):
        span_of(text)
