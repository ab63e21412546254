"""A reading: a value that is never without its quality."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from dotbus.contracts.quality import GOOD, Quality


@dataclass(frozen=True)
class Reading:
    """What is shown of one quantity at one time.

    `value` None with a quality that is not bad means that there is nothing to show and nothing is wrong: no DOT ahead yet, or
    CAISO sent no SUPP segment.
    """

    value: float | None
    quality: Quality = GOOD

    @classmethod
    def of_time(cls, at: datetime | None, quality: Quality) -> Self:
        """A time as seconds since 1970-01-01 UTC."""
        return cls(None if at is None else int(at.timestamp()), quality)
