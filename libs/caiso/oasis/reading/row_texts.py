"""What stands in one row, as text: for whoever has to tell what is wrong with it. Pure."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from caiso.oasis.reading.columns import NO_TIME, seconds_of, time_of
from caiso.oasis.reports import Component

KINDS: Final = {component.value.encode(): number for number, component in enumerate(Component)}
"""By LMP_TYPE the place of the component among all."""


class RowTexts(NamedTuple):
    """What stands in one row."""

    start: str
    end: str
    node: str
    market: str
    kind: str

    def times(self) -> tuple[datetime | None, datetime | None]:
        """When the interval begins and ends; None for what is no time."""
        seconds = (seconds_of(text.encode()) for text in (self.start, self.end))
        start, end = (None if each == NO_TIME else time_of(each) for each in seconds)
        return start, end


def is_row(cells: Iterable[str]) -> bool:
    """Whether a line that cannot be read was a row all the same: somewhere it has a time, or the name of a price."""
    return any(cell.encode() in KINDS or seconds_of(cell.encode()) != NO_TIME for cell in cells)


def component_in(cells: Iterable[str]) -> Component | None:
    """The first of the cells that names one."""
    return next((tuple(Component)[KINDS[name]] for cell in cells if (name := cell.encode()) in KINDS), None)
