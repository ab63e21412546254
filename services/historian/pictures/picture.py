"""Pictures: what is to be seen, before anything is drawn (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from historian.pictures.lines import Line, QualityBand
from historian.pictures.month import Month


@dataclass(frozen=True)
class Across:
    """What lies from left to right where that is not time: numbers from 0 on.

    Attributes:
        label: what they are, with their unit.
        end: the last of them.
        step: from tick to tick.
    """

    label: str
    end: float
    step: float


@dataclass(frozen=True)
class Panel:
    """One of the charts of a picture.

    Attributes:
        unit: of its lines.
        lines: each with a style of its own.
        doubts: are hatched behind them.
        across: what lies from left to right; time if nothing is said.
    """

    unit: str
    lines: Sequence[Line]
    doubts: Sequence[QualityBand] = ()
    across: Across | None = None


@dataclass(frozen=True)
class Picture:
    """A picture of a report.

    Attributes:
        title: above it.
        shown: charts one below the other, or a month.
        notes: below it, a line each.
        zone: in which times are shown.
    """

    title: str
    shown: Sequence[Panel] | Month
    notes: Sequence[str]
    zone: tzinfo
