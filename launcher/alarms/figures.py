"""Figures: what an operator was asked to act on in a stretch of time, by ISA-18.2's monitoring. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from dotbus.contracts.alarms import FLOOD_ABOVE, FLOOD_MINUTES, FLOOD_OVER_BELOW

_WITHIN: Final = timedelta(minutes=FLOOD_MINUTES)
_TOLD_MOST: Final = 5


class Happened(NamedTuple):
    """Something that happened to an alarm, as the database keeps it."""

    changed_at: datetime
    plant: str
    about: str
    rule: str
    priority: str
    what: str
    state: str
    text: str
    changed_by: str | None
    comment: str | None

    @property
    def name(self) -> str:
        """Of the alarm: PLANT/ABOUT/RULE."""
        return f"{self.plant}/{self.about}/{self.rule}"


@dataclass(frozen=True)
class Figures:
    """What it comes to.

    Attributes:
        hours: of how long a stretch.
        raised: how many alarms were raised in it.
        raised_per_hour: the same in the mean.
        most_in_10_min: how many within 10 minutes at the most.
        flood_min: for how many minutes more came than one operator can act on.
        flood_percent: the same as a share of the stretch.
        most_often: alarms that were raised most often, and how often: those to be mended first.
    """

    hours: float
    raised: int
    raised_per_hour: float
    most_in_10_min: int
    flood_min: float
    flood_percent: float
    most_often: tuple[tuple[str, int], ...]

    def as_document(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self) | {"most_often": [{"name": name, "raised": count} for name, count in self.most_often]}


def figures_of(events: Sequence[Happened], start: datetime, end: datetime) -> Figures:
    """The figures of what happened from `start` until before `end`. What was raised before counts for no flood here."""
    raised = sorted(one.changed_at for one in events if one.what == "raised")
    hours = (end - start) / timedelta(hours=1)
    flood = sum((until - since for since, until in _floods(raised, end)), timedelta())
    return Figures(
        hours=hours,
        raised=len(raised),
        raised_per_hour=len(raised) / hours,
        most_in_10_min=max((count for _at, count in _counts(raised)), default=0),
        flood_min=flood / timedelta(minutes=1),
        flood_percent=100 * (flood / (end - start)),
        most_often=tuple(Counter(one.name for one in events if one.what == "raised").most_common(_TOLD_MOST)),
    )


def _counts(raised: Sequence[datetime]) -> Iterator[tuple[datetime, int]]:
    """How many came within the minutes before each moment at which that changes."""
    count = 0
    for at, step in sorted([*((at, 1) for at in raised), *((at + _WITHIN, -1) for at in raised)]):
        count += step
        yield at, count


def _floods(raised: Sequence[datetime], end: datetime) -> Iterator[tuple[datetime, datetime]]:
    since = None
    for at, count in _counts(raised):
        if at >= end:
            break
        if since is None and count > FLOOD_ABOVE:
            since = at
        elif since is not None and count < FLOOD_OVER_BELOW:
            yield since, at
            since = None
    if since is not None:
        yield since, end
