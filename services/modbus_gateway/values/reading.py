"""A reading: a value that is never without its quality."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

import msgspec

from dotbus.contracts.quality import GOOD, Quality, Reason
from modbus_gateway.map.form import Form, carries
from modbus_gateway.map.register_map import NO_LIMITS, Cell

AGE_MOST_S: Final = 65534


class Reading(msgspec.Struct, frozen=True, gc=False):
    """What is shown of one quantity at one time.

    `value` None with a quality that is not bad means that there is nothing to show and nothing is wrong: no DOT ahead yet, no
    SUPP segment, or no word of CAISO's on whether a variable resource must follow. Whatever else is absent is bad.
    """

    value: float | str | None
    quality: Quality = GOOD

    @classmethod
    def of_time(cls, at: datetime | None, quality: Quality) -> Self:
        """A time as seconds since 1970-01-01 UTC."""
        return cls(None if at is None else int(at.timestamp()), quality)

    @classmethod
    def of_age(cls, age_s: float | None) -> Self:
        """An age in whole seconds, as far as a register of 16 bits can count. It is never bad itself."""
        return cls(None if age_s is None else min(max(int(age_s), 0), AGE_MOST_S))


Named = Mapping[str, Reading]
"""Readings by the name of their quantity."""


@dataclass(frozen=True)
class Read:
    """What is read of one thing at one time, and when the passing of time alone next changes what may be said of it."""

    named: Named
    turns: tuple[datetime | None, ...] = ()


def described(name: str, quality: Quality) -> Named:
    """A quality as the two quantities that tell it."""
    return {f"{name}_quality": Reading(quality.level), f"{name}_reasons": Reading(quality.reason_bits)}


def fits(reading: Reading, form: Form) -> bool:
    """Whether registers can show what a reading says. Where nothing is to be shown, or a bad value, they can."""
    return reading.value is None or reading.quality.is_bad or carries(form, reading.value)


def against(reading: Reading, cell: Cell) -> frozenset[Reason]:
    """What speaks against a reading where a cell shows it, and nowhere else: its registers and its own limits."""
    if fits(reading, cell.form) and cell.limits is NO_LIMITS:  # nearly all
        return frozenset()
    if reading.value is None or reading.quality.is_bad:
        return frozenset()
    is_outside = isinstance(reading.value, int | float) and not cell.limits.allow(reading.value)
    unfit = [] if carries(cell.form, reading.value) else [Reason.INVALID]
    return frozenset([*unfit, *([Reason.OUT_OF_LIMITS] if is_outside else [])])
