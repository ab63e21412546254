"""Curves: a resource's trajectory, assembled as docs/decisions/0003 says, as it was known at any moment or is now (pure)."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from dotbus.contracts.messages import TrajectoryBatch
from dotbus.contracts.quality import Quality, Reason
from dotbus.setpoints.curve import Line
from dotbus.setpoints.schedules import TrajectoryCurve
from dotbus.setpoints.setpoint import within
from historian.api.calculated.hearing import Hearing
from historian.api.calculated.set_points import Limits
from historian.api.questions.question import Column, Kind
from historian.api.request.times import Range

_BELIEVED = {Reason.OUT_OF_LIMITS}
_BATCH = Column("batch_uid", Kind.TEXT, "", "The batch that said it.")
_RECEIVED = Column("batch_received_at", Kind.TIME, "", "When CAISO had that batch.")
POINT_COLUMNS = (
    Column("target_at", Kind.TIME, "", "When it is to be reached."),
    Column("dop_mw", Kind.NUMBER, "MW", "Dispatch Operating Point."),
    Column("sequence_number", Kind.INTEGER, "", "Order of points of one time; the last one counts from that time on."),
    _RECEIVED,
    _BATCH,
    Column("configuration_id", Kind.TEXT, "", "Configuration of a multi-stage generator."),
)
TRAJECTORY_COLUMNS = (
    Column("time", Kind.TIME, "", "The moment."),
    Column("trajectory_mw", Kind.NUMBER, "MW", "The trajectory then, linear between points; null without one or in doubt."),
    Column("quality", Kind.INTEGER, "", "OPC quality: 192 good, 64 uncertain, 0 bad."),
    Column("reasons", Kind.TEXTS, "", "What speaks against it, by the names of docs/quality.md."),
    Column("latest_received_at", Kind.TIME, "", "When CAISO had the newest batch that was known then."),
)


def points(events: Iterable[TrajectoryBatch], times: Range) -> Iterator[tuple[object, ...]]:
    """A row of `POINT_COLUMNS` for each point of the curve, all that CAISO has told put together, in a range."""
    for point in _folded(events).points:
        if times.start <= point.target_at < times.end:
            received = point.batch_received_at
            yield point.target_at, point.dop_mw, point.sequence_number, received, point.batch_uid, point.configuration_id


def _folded(events: Iterable[TrajectoryBatch]) -> TrajectoryCurve:
    curve = TrajectoryCurve()
    for event in events:
        curve = curve.with_batch(event)
    return curve


def values_then(
    events: Sequence[TrajectoryBatch],
    moments: Iterable[datetime],
    hearing: Hearing,
    limits: Limits,
    stale_after: timedelta,
    go_on: Callable[[], None] = lambda: None,
) -> Iterator[tuple[object, ...]]:
    """A row of `TRAJECTORY_COLUMNS` for each moment, as a gateway knew the curve then.

    Args:
        events: in the order in which they were told.
        moments: in their order.
        hearing: whether anybody heard CAISO.
        limits: of the resource.
        stale_after: how long a curve counts without a newer batch.
        go_on: is called for each event; what it raises ends the work.
    """
    waiting = deque(events)
    curve, line = TrajectoryCurve(), None
    for moment in moments:
        while waiting and waiting[0].time <= moment:
            go_on()
            curve = curve.with_batch(waiting.popleft())
            line = None
        if line is None or (line.times and moment >= line.times[0]):  # what is over is let go, as ads_ingest does
            curve = curve.pruned(moment)
            line = Line(curve.points)
        reasons = {*hearing.against(moment), *_contradicted(curve, line)}
        yield _row(moment, curve, line, reasons, limits, stale_after)


def values_now(events: Iterable[TrajectoryBatch], moments: Iterable[datetime], limits: Limits) -> Iterator[tuple[object, ...]]:
    """The same of the curve as everybody knows it today. What was old or not heard then does not matter."""
    curve = _folded(events)
    line = Line(curve.points)
    against = frozenset(_contradicted(curve, line))
    for moment in moments:
        yield _row(moment, curve, line, set(against), limits, None)


def _contradicted(curve: TrajectoryCurve, line: Line) -> Iterator[Reason]:
    if line.is_contested:
        yield Reason.INCOMPLETE
    batches: dict[object, str | None] = {}
    for point in curve.points:
        if batches.setdefault(point.batch_received_at, point.batch_uid) != point.batch_uid:
            yield Reason.INCOMPLETE


def _row(
    moment: datetime, curve: TrajectoryCurve, line: Line, reasons: set[Reason], limits: Limits, stale_after: timedelta | None
) -> tuple[object, ...]:
    value_mw = line.at(moment)
    received_at = curve.latest.batch_received_at if curve.latest else None
    if value_mw is None or moment > line.times[-1]:
        reasons.add(Reason.EXPIRED)
    if stale_after is not None and curve.points and (received_at is None or moment > received_at + stale_after):
        reasons.add(Reason.STALE)
    if value_mw is not None and not within(value_mw, limits.pmin_mw, limits.pmax_mw):
        reasons.add(Reason.OUT_OF_LIMITS)
    quality = Quality.of(reasons)
    shown_mw = value_mw if set(quality.reasons) <= _BELIEVED else None
    return moment, shown_mw, int(quality.level), [str(reason) for reason in quality.reasons], received_at
