"""Comparison: what the simulator sent, what the registers show, what the database holds. Pure.

The expected values are worked out here from what was sent, by code of its own, not by the services' code.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from dotbus.contracts.schedules import Schedule
from launcher.look.sent import Sent, SentBatch, SentDop, SentInstruction

FIVE_MINUTE, HOURLY, EXCEPTIONAL = 0, 1, 4
"""batchType: an exceptional dispatch is of both schedules."""
EMERGENCY_CANCELLED = 4
DOT_INSTRUCTION = 0
DECLINED = "DECLINE"
FLOAT32_PART = 1e-6
"""What a float32 may be off by, as a part of the number."""


Points = list[tuple[datetime, float]]
"""Times and megawatts, in order."""
Batches = list[tuple[datetime, list[tuple[datetime, int, float]]]]
"""Trajectory batches: when each was received, and its points as target time, sequence number and megawatts."""


@dataclass(frozen=True)
class Line:
    """One value of one resource in three places. `sent` is a range where the moment of reading is not exact."""

    plant: str
    resource_id: str
    what: str
    sent: tuple[float, float] | None
    register: float | None
    database: float | None
    good: bool

    @property
    def agrees(self) -> bool:
        """Whether all places have it, with good quality, and all say the same."""
        if self.sent is None or not self.good:
            return False
        return _within(self.register, self.sent) and _within(self.database, self.sent)

    @property
    def difference(self) -> str:
        """What does not agree, in words."""
        where = f"{self.plant}/{self.resource_id} {self.what}"
        if self.sent is None:
            return f"{where}: the simulator sent nothing that the register ({self.register}) could show"
        if not self.good:
            return f"{where}: the register's quality is not good (it shows {self.register})"
        if not _within(self.register, self.sent):
            return f"{where}: sent {show(self.sent)}, the register shows {self.register}"
        return f"{where}: sent {show(self.sent)}, the database holds {self.database}"


def show(sent: tuple[float, float] | None) -> str:
    """A sent value, or its range, for people."""
    if sent is None:
        return "nothing"
    low, high = sent
    return f"{low:.6g}" if low == high else f"{low:.4g} to {high:.4g}"


def exactly(number: float | None) -> tuple[float, float] | None:
    """A sent value that does not move with time."""
    return None if number is None else (number, number)


def dot_in_force(
    sent: Sent, resource_id: str, schedule: Schedule, interval_start: datetime | None, moments: Sequence[datetime]
) -> SentInstruction | None:
    """The instruction whose DOT of a schedule is in force in the interval that begins then, if so at one of the moments.

    Which interval a register shows is read from it too: one that shows an interval that is over shows nothing that was sent.
    """
    batches = [
        batch
        for batch in _of_schedule(sent, schedule)[::-1]
        if batch.start_at == interval_start and covers(batch.start_at, _end(batch), moments)
    ]
    instructions = (each for batch in batches for each in batch.instructions)
    return next((each for each in instructions if each.resource_id == resource_id and holds_mw(each) is not None), None)


def holds_mw(instruction: SentInstruction) -> float | None:
    """The megawatts that an instruction holds with: none when it is no DOT, or one that was declined."""
    if instruction.instruction_type != DOT_INSTRUCTION or instruction.accept_status == DECLINED:
        return None
    return instruction.dot_mw if instruction.accept_status is None else instruction.accept_dot_mw


def covers(start: datetime, end: datetime, moments: Sequence[datetime]) -> bool:
    """Whether an interval holds at one of the moments."""
    return any(start <= moment < end for moment in moments)


def dot_points(sent: Sent, resource_id: str, schedule: Schedule) -> Points:
    """The target times and megawatts of a resource's DOTs of a schedule, of several for one time the one received last."""
    points = {
        _target(batch, each): dot_mw
        for batch in _of_schedule(sent, schedule)
        for each in batch.instructions
        if each.resource_id == resource_id and (dot_mw := holds_mw(each)) is not None
    }
    return sorted(points.items())


def dop_batches(sent: Sent, resource_id: str) -> Batches:
    """The trajectory batches as one resource sees them."""
    return [
        (batch.received_at, [(d.target_at, d.sequence_number, d.dop_mw) for d in batch.dops if d.resource_id == resource_id])
        for batch in sent.trajectories
    ]


def assembled(batches: Batches) -> Points:
    """The curve of all batches: a newer one replaces what it covers of the older ones."""
    curve: list[tuple[datetime, int, float]] = []
    for _, points in sorted(batches):
        if points:
            curve = [point for point in curve if point[0] < min(points)[0]] + sorted(points)
    return [(at, power_mw) for at, _, power_mw in curve]


def range_on_lines(points: Points, moments: Sequence[datetime]) -> tuple[float, float] | None:
    """The lowest and highest value of the straight lines through the points at these moments; held after the last."""
    numbers = [number for moment in moments for number in _at(points, moment)] if points else []
    return (min(numbers), max(numbers)) if numbers else None


def latest_dop(sent: Sent, resource_id: str) -> SentDop | None:
    """The last point of the newest trajectory batch."""
    for batch in sorted(sent.trajectories, key=lambda batch: batch.received_at, reverse=True):
        dops = [dop for dop in batch.dops if dop.resource_id == resource_id]
        if dops:
            return max(dops, key=lambda dop: (dop.target_at, dop.sequence_number))
    return None


def moments_around(at: datetime, margin_s: float) -> list[datetime]:
    """A stretch of time in small steps: a register was written somewhere in it."""
    steps = range(-10, 11)
    return [at + timedelta(seconds=margin_s * step / 10) for step in steps]


def is_enough(lines: Iterable[Line], resources: int, plants: int) -> bool:
    """Whether all lines agree, of at least so many resources of so many plants."""
    found = list(lines)
    names = {(line.plant, line.resource_id) for line in found}
    return all(line.agrees for line in found) and len(names) >= resources and len({plant for plant, _ in names}) >= plants


def _of_schedule(sent: Sent, schedule: Schedule) -> list[SentBatch]:
    """The batches of a schedule, the one received last at the end."""
    types = (HOURLY if schedule is Schedule.HOURLY else FIVE_MINUTE, EXCEPTIONAL)
    batches = [b for b in sent.batches if b.batch_type in types and b.batch_status != EMERGENCY_CANCELLED]
    return sorted(batches, key=lambda batch: batch.received_at)


def _end(batch: SentBatch) -> datetime:
    return batch.start_at + timedelta(seconds=batch.interval_s)


def _target(batch: SentBatch, instruction: SentInstruction) -> datetime:
    """What the instruction names within its interval; an hourly one names its beginning and is reached in the middle."""
    named = instruction.target_at
    return named if named and batch.start_at < named < _end(batch) else batch.start_at + (_end(batch) - batch.start_at) / 2


def _at(points: Points, moment: datetime) -> list[float]:
    if moment >= points[-1][0]:
        return [points[-1][1]]
    for (begin, first), (end, last) in pairwise(points):
        if begin <= moment < end:
            return [first + (last - first) * ((moment - begin) / (end - begin))]
    return []


def _within(number: float | None, bounds: tuple[float, float]) -> bool:
    if number is None:
        return False
    slack = max(FLOAT32_PART * max(abs(bound) for bound in bounds), FLOAT32_PART)
    return bounds[0] - slack <= number <= bounds[1] + slack
