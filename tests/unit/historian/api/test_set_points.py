"""Set-points that are told of the past are those that the gateway showed, and what nobody can know is never told as known."""

from datetime import datetime, timedelta

import pytest
from gateway_story import Gateway, status
from historian_parts import replace
from hypothesis import given
from hypothesis import strategies as st
from plant_day import MINUTE, SECOND, told

from dotbus.contracts.messages import Dispatch, Dot, Environment
from dotbus.contracts.quality import Level, Quality, Reason
from dotbus.contracts.schedules import Schedule
from dotbus.readings.resources import read_resource
from dotbus.readings.subjects import Member
from dotbus.runtime.installation.installation import Resource
from dotbus.setpoints.schedules import DotSchedule
from dotbus.setpoints.timeline import timelines_of
from historian.api.calculated.hearing import NOT_KEPT, Hearing, Stretch
from historian.api.calculated.known import Known, known_now, known_then
from historian.api.calculated.set_points import Limits, asked_at, doubts, set_points
from historian.api.request.times import Range

NOON = datetime.fromisoformat("2026-10-13T12:00:00Z")
HOUR = Range(NOON, NOON + 60 * MINUTE)
RESOURCE = Resource(id="SOLAR", pmin_mw=0, pmax_mw=100, ramp_mw_per_min=20)
LIMITS = Limits(RESOURCE.pmin_mw, RESOURCE.pmax_mw, RESOURCE.ramp_mw_per_min)
HEARD = Hearing(((Stretch(online=True, is_ok=True, begin=NOON - 60 * MINUTE, heard_at=HOUR.end),),), 90 * SECOND)


@st.composite
def histories(draw: st.DrawFn) -> list[Dispatch]:
    """What is told of some batches in an hour: five-minute, hourly, exceptional, revised, cancelled, late, with gaps."""
    events = []
    for seq in range(1, draw(st.integers(1, 12)) + 1):
        batch_type = draw(st.sampled_from([0, 0, 0, 1, 4]))
        start = NOON + draw(st.integers(-3, 11)) * 5 * MINUTE
        events.append(
            told(
                seq,
                start,
                draw(st.sampled_from([-5.0, 0.0, 10.0, 40.0, 99.5, 120.0])),
                at=start - draw(st.integers(-200, 900)) * SECOND,
                minutes=draw(st.sampled_from([5, 5, 5, 15])) if batch_type != 1 else 60,
                batch_uid=f"B{draw(st.integers(1, 8))}",
                batch_type=batch_type,
                batch_status=draw(st.sampled_from([1, 1, 1, 4])),
                revision_no=draw(st.integers(1, 3)),
                resource_id="SOLAR",
            )
        )
    return sorted(events, key=lambda event: event.time)


MOMENTS = st.lists(st.integers(0, 3599), min_size=1, max_size=6, unique=True).map(sorted)


def shown(events: list[Dispatch], moment: datetime, schedule: Schedule) -> tuple[float | None, Quality]:
    """The set-point that the gateway shows, of the state that ads_ingest says at a moment."""
    entry = DotSchedule()
    for event in events:
        entry = entry.with_dispatch(event) if event.time <= moment else entry
    gateway = Gateway(block=[{"profile": "plant", "unit_id": 1, "resources": ["SOLAR"]}])
    said = {"environment": Environment.PRODUCTION, "source": "ads_ingest/a", "plant": "sierra"}
    gateway.introduce("ads_ingest/a", (moment - NOON).total_seconds() - 1)
    state = {"time": moment, "heard_at": moment, "received_at": moment, "resource_id": "SOLAR"}
    held = entry.pruned(moment)
    gateway.hear(Dot(**said, **state, intervals=held.intervals, withdrawn=held.withdrawn))
    gateway.hear(status((moment - NOON).total_seconds()))
    member = Member("sierra", RESOURCE.model_copy(update={"schedule": schedule}))
    named = read_resource(member, gateway.received, gateway.topics, gateway.map.judging, moment).named
    reading = named["set_point_mw"]
    assert not isinstance(reading.value, str)
    return reading.value, reading.quality


@given(histories(), MOMENTS, st.sampled_from(Schedule))
def test_a_set_point_of_the_past_is_the_one_that_the_gateway_showed(
    events: list[Dispatch], moments_s: list[int], schedule: Schedule
):
    moments = [NOON + at_s * SECOND for at_s in moments_s]
    rows = list(set_points(known_then(events, schedule, HOUR), moments, HEARD, LIMITS))
    for moment, row in zip(moments, rows, strict=True):
        value_mw, quality = shown(events, moment, schedule)
        believed = set(quality.reasons) <= {Reason.OUT_OF_LIMITS}
        assert row[0] == moment
        assert (row[3], row[4]) == (quality.level, [str(reason) for reason in quality.reasons]), moment
        assert row[1] == (pytest.approx(value_mw) if believed else None), moment


@given(histories(), st.lists(st.integers(0, 40), min_size=12, max_size=12), st.sampled_from(Schedule))
def test_what_is_known_now_does_not_depend_on_the_parts_that_it_is_put_together_in(
    events: list[Dispatch], hours: list[int], schedule: Schedule
):
    moved = [replace(event, batch=replace(event.batch, start_at=event.batch.start_at + hour * 60 * MINUTE))
             for event, hour in zip(events, hours, strict=False)]  # fmt: skip
    moved = [replace(event, instructions=tuple(replace(one, end_at=None, start_at=None) for one in event.instructions))
             for event in moved]  # fmt: skip
    entry = DotSchedule()
    for event in moved:
        entry = entry.with_dispatch(event)
    two_days = Range(NOON, NOON + 48 * 60 * MINUTE)
    whole = Known(two_days, timelines_of(entry.intervals)[schedule], frozenset(), is_undecided=False)
    moments = [NOON + number * 7 * MINUTE for number in range(411)]
    in_parts = list(set_points(known_now(moved, schedule, two_days), moments, None, LIMITS))
    assert in_parts == list(set_points([whole], moments, None, LIMITS))


def asked(events: list[Dispatch], after_s: float, hearing: Hearing | None = HEARD) -> tuple[float | None, set[Reason]]:
    moment = NOON + after_s * SECOND
    stretches = known_then(events, Schedule.FIVE_MINUTE, HOUR)
    known = next(one for one in stretches if one.during.start <= moment < one.during.end)
    found = asked_at(moment, known, hearing, LIMITS)
    return found.set_point_mw, set(found.quality.reasons)


def test_what_caiso_has_not_decided_is_in_doubt_and_null():
    """An operator's answer is awaited (batchStatus 5): of no five-minute batch does anybody say what that means."""
    events = [told(1, NOON, 10.0), told(2, NOON + 5 * MINUTE, 20.0, batch_status=5)]
    assert asked(events, 60) == (10.0, set())
    assert asked(events, 200) == (None, {Reason.INCOMPLETE})  # on the ramp to what is in doubt
    assert asked(events, 400) == (None, {Reason.INCOMPLETE})


def test_dots_of_one_rank_that_ask_different_things_are_in_doubt():
    both = [told(seq, NOON, mw, batch_uid=f"B{seq}") for seq, mw in ((1, 10.0), (2, 11.0))]
    assert asked(both, 60) == (None, {Reason.INCOMPLETE})


def test_a_revision_counts_from_when_it_was_told_and_for_all_time_in_what_is_known_now():
    events = [told(1, NOON, 10.0), told(2, NOON, 30.0, batch_uid="B1", revision_no=2, at=NOON + MINUTE)]
    assert [asked(events, after_s)[0] for after_s in (59, 60)] == [10.0, 30.0]
    (known,) = known_now(events, Schedule.FIVE_MINUTE, HOUR)
    assert asked_at(NOON, known, None, LIMITS).set_point_mw == 30.0


def test_what_is_beyond_limits_is_what_caiso_asked_and_stays():
    assert asked([told(1, NOON, 120.0)], 60) == (120.0, {Reason.OUT_OF_LIMITS})


def hearing_of(*rows: tuple[str, bool, bool, float, float]) -> Hearing:
    """Source, online, ok, since and until when in seconds after noon."""
    return Hearing.of_rows(
        [
            (name, online, ok, NOON + since * SECOND, NOON + until * SECOND, NOON + until * SECOND)
            for name, online, ok, since, until in rows
        ],
        90.0,
    )


OFFLINE, FAILING, STALE = Reason.SOURCE_OFFLINE, Reason.SOURCE_FAILING, Reason.STALE


@pytest.mark.parametrize(
    ("after_s", "reasons"),
    [
        (-1, {OFFLINE, STALE}),  # nobody had said anything yet
        (0, set()),
        (100, set()),
        (115, set()),  # silent, but not for long
        (116, {OFFLINE}),
        (190, {OFFLINE}),
        (191, {OFFLINE, STALE}),
        (300, {FAILING, STALE}),
        (420, set()),
        (450, {OFFLINE}),  # its last will, which names the time of its connection
    ],
)
def test_a_source_is_believed_while_it_is_there_and_hears_caiso(after_s: float, reasons: set[Reason]):
    hearing = hearing_of(
        ("a", True, True, 0, 100), ("a", True, False, 300, 400), ("a", True, True, 401, 440), ("a", False, True, 401, 440)
    )
    assert hearing.against(NOON + after_s * SECOND) == reasons


@pytest.mark.parametrize(
    ("came_s", "known_s"),
    [(108, 108), (200, 115), (50, 100)],
    ids=["with the will", "with its silence, where the will comes late", "no sooner than its last word"],
)
def test_a_source_that_is_gone_is_so_from_when_everybody_knew_it(came_s: float, known_s: float):
    """Not from its last word: a gateway showed what it had said until then, and so does the past."""
    said = [("a", True, True, 0, 100, 0), ("a", False, True, 0, 0, came_s)]
    hearing = Hearing.of_rows([(*one[:3], *(NOON + after_s * SECOND for after_s in one[3:])) for one in said], 90.0)
    assert hearing.against(NOON + (known_s - 0.1) * SECOND) == set()
    assert hearing.against(NOON + (known_s + 0.1) * SECOND) == {OFFLINE}


def test_of_several_sources_the_best_one_counts():
    hearing = hearing_of(("a", True, False, 0, 3600), ("b", True, True, 0, 1800))
    assert hearing.against(NOON + 600 * SECOND) == set()
    assert hearing.against(NOON + 1815.1 * SECOND) == {OFFLINE}
    assert hearing.against(NOON + 1891 * SECOND) == {FAILING, STALE}


def test_where_no_word_of_any_source_is_kept_nothing_passes_for_good():
    assert hearing_of().against(NOON) == NOT_KEPT
    assert asked([told(1, NOON, 10.0)], 60, hearing_of()) == (None, {Reason.INCOMPLETE})


def test_what_is_known_now_does_not_depend_on_who_was_there_then():
    assert asked([told(1, NOON, 10.0)], 60, None) == (10.0, set())


def test_doubts_are_told_from_when_until_when_with_every_reason():
    events = [told(1, NOON, 10.0), told(2, NOON + 5 * MINUTE, 20.0), told(3, NOON + 15 * MINUTE, 30.0)]
    hearing = hearing_of(("a", True, True, -60, 360), ("a", True, True, 660, 5000))
    found = doubts(known_then(events, Schedule.FIVE_MINUTE, Range(NOON, NOON + 20 * MINUTE)), hearing, LIMITS)

    def after_noon(moment: datetime) -> float:
        return round((moment - NOON).total_seconds(), 3)

    assert [(after_noon(d.during.start), after_noon(d.during.end), set(d.quality.reasons)) for d in found] == [
        (375, 450, {OFFLINE}),
        (450, 600, {OFFLINE, STALE}),
        (600, 660, {OFFLINE, STALE, Reason.EXPIRED}),
        (660, 900, {Reason.EXPIRED}),
        (900, 1050, {Reason.INCOMPLETE}),  # the ramp from a DOT that ended to this one leads across a missing one
    ]
    assert [d.quality.level for d in found] == [Level.UNCERTAIN, Level.BAD, Level.BAD, Level.BAD, Level.UNCERTAIN]


@given(histories(), st.sampled_from(Schedule))
def test_between_doubts_everything_is_good_and_within_one_the_quality_is_that_of_each_moment(
    events: list[Dispatch], schedule: Schedule
):
    limits = Limits()  # beyond limits a value may be for a part of a ramp
    found = doubts(known_then(events, schedule, HOUR), HEARD, limits)
    moments = [NOON + timedelta(seconds=at_s) for at_s in range(0, 3600, 60)]
    for row in set_points(known_then(events, schedule, HOUR), moments, HEARD, limits):
        at = [doubt for doubt in found if doubt.during.start <= row[0] < doubt.during.end]  # type: ignore[operator]
        assert [doubt.quality.level for doubt in at] == ([] if row[3] == Level.GOOD else [row[3]])
