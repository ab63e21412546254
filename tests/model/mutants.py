"""Mutants: each takes one mend out of the product, as the fault was before it. The model must find every one of them.

A mutant replaces one or two functions for as long as it is looked at. None is the old code to the letter, because the code
around it has changed since; each is the fault itself.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from model.explore import Exploration, explore
from model.scenarios import SCENARIOS

import dotbus.judging.judge as of_judge
import dotbus.judging.received as of_received
import dotbus.judging.vouching as of_vouching
import dotbus.readings.resources as of_resources
import modbus_gateway.wire.images.current_image as of_current
from ads_ingest.batches.open_batch import OpenBatch
from ads_ingest.batches.open_batches import OpenBatches
from dotbus.contracts.messages import Dot, DotInterval, Trajectory, Upstream
from dotbus.contracts.schedules import Schedule
from dotbus.judging.clock_steps import Moment
from dotbus.judging.judge import Judged, Known
from dotbus.judging.precedence import holding
from dotbus.judging.received import Received, Statement
from dotbus.judging.sources import Source
from dotbus.readings.reading import Named, Read, Reading
from dotbus.readings.resources import Curve
from dotbus.runtime.health import UpstreamHealth
from dotbus.setpoints.setpoint import RampPoint, ramp_now
from dotbus.setpoints.timeline import Timeline
from modbus_gateway.wire.images.current_image import CurrentImage
from modbus_gateway.wire.images.place import Place

Patch = tuple[object, str, object]
"""What is replaced: where, by which name, and by what."""


@dataclass(frozen=True)
class Mutant:
    """A fault.

    Attributes:
        says: what the gateway does by it.
        scenario: where it is looked for.
        depth: how many actions are explored at most.
        among: words of the actions that are tried; all of the scenario's without any.
    """

    says: str
    scenario: str
    depth: int
    patches: tuple[Patch, ...]
    among: tuple[str, ...] = ()

    def find(self) -> Exploration:
        """Explore the scenario with the fault in it."""
        scenario = SCENARIOS[self.scenario]
        actions = {
            name: action
            for name, action in scenario.actions.items()
            if not self.among or any(word in name for word in self.among)
        }
        with pytest.MonkeyPatch.context() as product:
            for where, name, by in self.patches:
                product.setattr(where, name, by)
            return explore(scenario.begin(), actions, self.depth)

    def actions_found(self) -> int | None:
        """The length of the shortest trace, None when nothing was found."""
        found = self.find().found
        return len(found[0].trace) if found else None


def _fresh_without_the_missing(read_plant: Callable[..., Any]) -> Callable[..., Any]:
    def mutant(resources: Any, prices: Any) -> Any:
        with_value = [one for one in resources if one["latest_dop_mw"].value is not None]
        fresh = bool(with_value) and all(one["trajectory_fresh"].value for one in with_value)
        return {**read_plant(resources, prices), "trajectories_fresh": Reading(fresh)}

    return mutant


def _fetched_at(trajectory: Trajectory, _arrived_at: datetime) -> datetime | None:
    return trajectory.received_at if trajectory.latest else None


def _never(_curve: Any, _now: datetime) -> bool:
    return False


def _arrival(statement: Statement) -> datetime:
    return statement.arrived_at


def _without_end(judge: Callable[..., Any]) -> Callable[..., Any]:
    """What a source says of how long its word counts is not looked at."""

    def mutant(statement: Statement, said: Any, *about: Any) -> Any:
        return judge(statement, msgspec.structs.replace(said, valid_until=None), *about)

    return mutant


def _take_the_last(received: Received, message: Any, arrival: Any) -> None:
    by_source = received._statements.setdefault(arrival.topic, {})
    by_source[message.source] = (Statement.of(message, arrival.at, received.connection),)
    received._problems.pop(arrival.topic, None)


def _agrees_until_shown(against_clock: Callable[..., bool]) -> Callable[..., bool]:
    def mutant(source: Source, *about: Any) -> bool:
        return bool(source.clock_offsets_s) and against_clock(source, *about)

    return mutant


def _no_step(_later: Moment, _earlier: Moment) -> timedelta:
    return timedelta(0)


def _only_offsets_are_void(received: Received, _by: timedelta) -> None:
    received.sources = {name: replace(one, clock_offsets_s=(), compared_at=None) for name, one in received.sources.items()}


def _offset_when_it_answered(succeeded: Callable[..., bool]) -> Callable[..., bool]:
    def mutant(health: UpstreamHealth, *about: Any, **more: Any) -> bool:
        recovers = succeeded(health, *about, **more)
        health._upstream = msgspec.structs.replace(health._upstream, clock_offset_s=health._clock_offset_s())
        return recovers

    return mutant


def _as_it_was(health: UpstreamHealth) -> Upstream:
    return health._upstream


def _dated_when_it_came(images: CurrentImage, arrival: Any) -> None:
    now = images.now()
    images.received.take(arrival)
    images._outdate_all(now, now)


def _who_spoke_last(received: Received, topic: str, stale_after_s: float, now: datetime) -> Known[Any]:
    against = frozenset(of_judge._against_topic(received, topic))
    said = [one for one in received.statements(topic) if isinstance(one.message, Dot)]
    if not said:
        return Known(Judged(None, of_judge._nothing_said(received, topic)))
    last = max(reversed(said), key=lambda one: one.arrived_at)
    reasons = against | frozenset(of_judge._against(last, received, now))
    whole = of_judge._judge(last, last.message, reasons, stale_after_s, now)
    return Known(whole, lambda: tuple(whole.about(interval) for interval in last.message.intervals))


def _curve_spoken_last(received: Received, topic: str, stale_after_s: float, now: datetime) -> Judged[Any]:
    judged = of_judge._judged(received, topic, Trajectory, stale_after_s, now)
    if not judged:
        return Judged(None, of_judge._nothing_said(received, topic))
    return max(judged, key=lambda one: one.arrived_at)


def _nothing_ahead(*_about: Any) -> None:
    return None


def _withdrawn_or_not(states: Iterable[Dot]) -> Any:
    return holding(msgspec.structs.replace(state, withdrawn=()) for state in states)


def _as_it_is(_place: Place, named: Named) -> Named:
    return named


def _fresh_by_the_market(read_price: Callable[..., Read]) -> Callable[..., Read]:
    def mutant(*about: Any) -> Read:
        read = read_price(*about)
        return replace(read, named={**read.named, "lmp_fresh": read.named["lmp_market_works"]})

    return mutant


def _same_connection(received: Received, *, connected: bool, at: datetime) -> None:  # as `turn`
    received.connected, received.connection = connected, 1


def _bridged(*about: Any) -> RampPoint | None:
    ramp = ramp_now(*about)
    return replace(ramp, is_whole=True) if ramp else None


def _all_of_them(intervals: tuple[DotInterval, ...]) -> dict[Schedule, Timeline]:
    return dict.fromkeys(Schedule, Timeline(intervals))


def _as_the_list_is(_batches: OpenBatches, _now: datetime) -> dict[str, datetime]:
    return {}


def _while_it_lasts(batch: OpenBatch, now: datetime) -> bool:
    return not batch.is_missing and batch.until > now


def _once_it_is_over(batch: OpenBatch, now: datetime) -> bool:
    return batch.until <= now


MUTANTS: Mapping[str, Mutant] = {
    "1 retracted": Mutant(
        "10003 counts only resources that still have a trajectory",
        "curves",
        4,
        ((of_current, "read_plant", _fresh_without_the_missing(of_current.read_plant)),),
        ("given", "draws", "60 s"),
    ),
    "2 our fetch": Mutant(
        "a trajectory is as old as our fetch of it", "curves", 3, ((of_resources, "curve_received_at", _fetched_at),)
    ),
    "2 no end": Mutant("after its last target time a curve is held as good", "curves", 3, ((Curve, "has_ended", _never),)),
    "3 live is young": Mutant(
        "a state that comes live is as young as its arrival",
        "one line",
        5,
        ((Statement, "heard_caiso_at", property(_arrival)), (of_judge, "_judge", _without_end(of_judge._judge))),
        ("a's line is held", "first packet", "revises", "100 s"),
    ),
    "3 older after newer": Mutant(
        "whatever comes last counts, also an older state",
        "one line",
        5,
        ((Received, "_take_state", _take_the_last),),
        ("come again", "revises", "10 s"),
    ),
    "3 older revision": Mutant(
        "an older revision that a source says in a newer state counts",
        "one line",
        4,
        ((of_received, "still_ahead", _nothing_ahead),),
        ("revises", "cancels", "100 s", "older revision"),
    ),
    "4 clocks agree": Mutant(
        "clocks agree until a heartbeat shows that they do not",
        "clocks",
        3,
        ((of_vouching, "_against_clock", _agrees_until_shown(of_vouching._against_clock)),),
    ),
    "4 no step": Mutant("a step of our clock is not seen", "clocks", 2, ((Moment, "step_since", _no_step),)),
    "4 one machine": Mutant(
        "after a step what came before is told by the old clock",
        "clocks",
        4,
        ((Received, "clock_stepped", _only_offsets_are_void),),
        ("70 s behind", "60 s", "10 s", "asks"),
    ),
    "4 offset": Mutant(
        "CAISO's clock is as far away as its last answer said, though ours was set since",
        "clocks",
        3,
        (
            (UpstreamHealth, "succeeded", _offset_when_it_answered(UpstreamHealth.succeeded)),
            (UpstreamHealth, "snapshot", _as_it_was),
        ),
    ),
    "4 waiting": Mutant(
        "what waited while our clock was set is dated by the clock before",
        "clocks",
        4,
        ((CurrentImage, "take", _dated_when_it_came),),
        ("held up", "goes on", "70 s ahead", "10 s"),
    ),
    "5 spoke last": Mutant(
        "of two ingests the one that spoke last is right",
        "dispatch",
        6,
        ((of_resources, "judge_dots", _who_spoke_last),),
        ("b's line is", "10 s", "5 MW", "a asks"),
    ),
    "5 curve spoken last": Mutant(
        "of two ingests the one that spoke last is right about a curve",
        "curves",
        5,
        ((of_resources, "judge_trajectory", _curve_spoken_last),),
        ("b's line is", "another curve", "60 s", "a asks"),
    ),
    "5 withdrawn": Mutant(
        "what one ingest knows to be withdrawn another still says as good",
        "dispatch",
        8,
        ((of_judge, "holding", _withdrawn_or_not),),
        ("b's line is held", "b's first", "10 s", "5 MW", "cancels the DOT in force"),
    ),
    "6 does not fit": Mutant(
        'what does not fit its type shows "no value" as good', "one line", 1, ((Place, "_as_shown", _as_it_is),)
    ),
    "7 price flag": Mutant(
        "10006 says only that OASIS answers",
        "prices",
        3,
        ((of_current, "read_price", _fresh_by_the_market(of_current.read_price)),),
        ("900 s", "malformed", "given"),
    ),
    "8 reconnect": Mutant(
        "a connection that comes back is the one that was lost",
        "killing",
        4,
        ((Received, "turn", _same_connection),),
        ("broker", "connects"),
    ),
    "9 ramp bridged": Mutant(
        "a ramp across a missing DOT is good",
        "dispatch",
        4,
        ((of_resources, "ramp_now", _bridged),),
        ("after the next", "cancels the next", "10 s", "60 s"),
    ),
    "9 schedules mixed": Mutant(
        "one schedule stands in for the other", "dispatch", 2, ((of_resources, "timelines_of", _all_of_them),)
    ),
    "10 as the list": Mutant(
        "a DOT is as young as the question for new batches",
        "one line",
        6,
        ((OpenBatches, "confirmed", _as_the_list_is),),
        ("100 s", "10 s", "cancels", "after the next", "gateway's line is held"),
    ),
    "11 over is final": Mutant(
        "a batch whose interval is over is not asked for any more",
        "dispatch",
        5,
        ((OpenBatch, "may_change", _while_it_lasts), (OpenBatch, "is_final", _once_it_is_over)),
        ("cancels the DOT in force", "hears", "60 s"),
    ),
}
