"""Alarm readings: what one operator's alarms come to at a time, each number with its quality. Pure."""

from collections.abc import Iterable
from datetime import datetime

from dotbus.contracts.alarms import AlarmPriority
from dotbus.contracts.messages import AlarmCount, AlarmSummary
from dotbus.contracts.quality import Quality, Reason
from dotbus.contracts.topics import Topics
from dotbus.judging.alarm_summaries import SaidSummary, quality_of, turns_of_summaries
from dotbus.judging.arrivals import Problem
from dotbus.judging.received import Received
from dotbus.judging.vouching import JUST_AFTER
from dotbus.readings.motion import Age
from dotbus.readings.reading import Named, Read, Reading, described, next_of
from dotbus.readings.subjects import AlarmsOf


def read_alarms(about: AlarmsOf, received: Received, topics: Topics, now: datetime) -> Read:
    """Every quantity of an operator's alarms."""
    topic = topics.alarm_summary(about.plant)
    known = received.alarms.of(topic)
    said = known[-1] if known else None
    source = received.source(said.said.source) if said else None
    quality = (
        quality_of(said, known[:-1], source, received.connection, now) if said else Quality.of([_nothing(received, topic)])
    )
    quality = Quality.of([*quality.reasons, *_against_topic(received, topic)])
    turns = (at + JUST_AFTER for at in turns_of_summaries(known, source))
    return Read(_named(said, quality, now), next_of(turns, now))


def _nothing(received: Received, topic: str) -> Reason:
    is_other = received.problem(topic) is Problem.WRONG_ENVIRONMENT
    return Reason.WRONG_ENVIRONMENT if is_other else Reason.NEVER_RECEIVED


def _against_topic(received: Received, topic: str) -> Iterable[Reason]:
    if not received.hears:
        yield Reason.BROKER_LOST
    if received.problem(topic) is Problem.UNDECODABLE:
        yield Reason.INVALID


def _named(said: SaidSummary | None, quality: Quality, now: datetime) -> Named:
    summary = said.said if said else None
    values = _numbers(summary)
    raised_at = summary.newest_raised_at if summary else None
    return {
        **described("alarms", quality),
        "alarms_fresh": Reading(quality.is_good),
        "alarms_age_s": Reading.of_age(said.said_at if said else None, now),
        **{name: Reading(value, quality) for name, value in values.items()},
        "newest_alarm_raised": Reading.of_time(raised_at, quality),
        "newest_alarm_age_s": Reading.moving(Age(raised_at), now, quality) if raised_at else Reading(None, quality),
    }


def _numbers(summary: AlarmSummary | None) -> dict[str, float | None]:
    counts = summary.counts if summary else ()
    return {
        "alarms_unacknowledged": sum(one.unacknowledged for one in counts) if summary else None,
        "alarms_active": sum(one.active for one in counts) if summary else None,
        **{name: value for priority in AlarmPriority for name, value in _of_priority(priority, counts).items()},
        "alarms_shelved": summary.shelved if summary else None,
        "alarms_suppressed": summary.suppressed if summary else None,
        "newest_alarm_code": summary.newest_code if summary else None,
        "alarms_raised_in_10_min": summary.raised_in_10_min if summary else None,
        "alarm_flood": summary.is_flood if summary else None,
    }


def _of_priority(priority: AlarmPriority, counts: Iterable[AlarmCount]) -> dict[str, float | None]:
    """What is said of a priority; of one of which nothing is said there is no value, and not 0."""
    found = next((one for one in counts if one.priority is priority), None)
    return {
        f"alarms_{priority}_unacknowledged": found.unacknowledged if found else None,
        f"alarms_{priority}_active": found.active if found else None,
    }
