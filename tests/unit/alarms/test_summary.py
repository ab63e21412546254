"""What one operator has before him: counts by priority, the newest code, and whether it is a flood."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from alarms.states.summary import Flood, Tally, summarise, tallies, tally
from dotbus.contracts.alarms import AlarmPriority, AlarmState
from dotbus.contracts.messages import Environment
from dotbus.runtime.presence import Identity
from dotbus.testing import samples

NOW = datetime(2026, 10, 13, 14, 0, tzinfo=UTC)
IDENTITY = Identity("alarms", "main", Environment.SIMULATOR, NOW)


def alarm(state: AlarmState, priority: AlarmPriority = AlarmPriority.HIGH, code: int = 11, raised_s: float = 0.0):
    return replace(
        samples.alarm_status(), state=state, priority=priority, code=code, raised_at=NOW + timedelta(seconds=raised_s)
    )


def raised(count: int, at: datetime = NOW) -> list[datetime]:
    return [at] * count


def test_more_than_ten_within_ten_minutes_are_a_flood_until_they_are_fewer_than_five():
    ten = Flood().after(raised(10), NOW)
    assert not ten.is_flood
    later = NOW + timedelta(minutes=5)
    flood = ten.after(raised(1, later), later)
    assert (flood.is_flood, len(flood.raised_at)) == (True, 11)
    still = flood.after(raised(4, later), NOW + timedelta(minutes=10))
    assert (still.is_flood, len(still.raised_at)) == (True, 5)
    over = still.after([], NOW + timedelta(minutes=15))
    assert (over.is_flood, over.raised_at) == (False, ())


def test_an_alarm_counts_as_active_while_it_holds_and_as_unacknowledged_until_somebody_knows():
    statuses = [alarm(state) for state in AlarmState]
    counts = {one.priority: one for one in summarise("sierra", tally(statuses), Flood(), IDENTITY, NOW).counts}
    assert (counts[AlarmPriority.HIGH].unacknowledged, counts[AlarmPriority.HIGH].active) == (2, 2)
    assert (counts[AlarmPriority.LOW].unacknowledged, counts[AlarmPriority.LOW].active) == (0, 0)
    assert list(counts) == list(AlarmPriority), "the most urgent first"


def test_the_newest_code_is_that_of_the_last_raised_that_is_open():
    statuses = [
        alarm(AlarmState.ACKNOWLEDGED, code=2, raised_s=1),
        alarm(AlarmState.RETURNED, code=13, raised_s=5),
        alarm(AlarmState.SHELVED, code=14, raised_s=9),
    ]
    assert summarise("sierra", tally(statuses), Flood(), IDENTITY, NOW).newest_code == 13
    none = summarise("sierra", tally([alarm(AlarmState.NORMAL)]), Flood(), IDENTITY, NOW)
    assert (none.newest_code, none.newest_raised_at) == (None, None)


def test_what_two_plants_alarms_come_to_is_counted_apart_and_together():
    later = replace(alarm(AlarmState.UNACKNOWLEDGED, AlarmPriority.LOW, code=2, raised_s=3), plant="installation")
    statuses = [alarm(AlarmState.UNACKNOWLEDGED), later, alarm(AlarmState.SHELVED), alarm(AlarmState.SUPPRESSED)]
    found = tallies(statuses)
    assert set(found) == {samples.alarm_status().plant, "installation"}
    assert found["installation"].together(Tally()) == found["installation"]
    both = found[samples.alarm_status().plant].together(found["installation"])
    assert both == tally(statuses)
    assert both.newest == (NOW + timedelta(seconds=3), 2)


def test_a_clock_that_is_set_makes_no_alarm_older_or_younger():
    flood = Flood().after(raised(11), NOW)
    hour = timedelta(hours=1)
    assert flood.with_clock_set(hour).after([], NOW + hour).is_flood
    assert flood.with_clock_set(-hour).after([], NOW - hour + timedelta(minutes=10)) == Flood()
