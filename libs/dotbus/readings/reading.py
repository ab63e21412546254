"""A reading: a value that is never without its quality."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

import msgspec

from dotbus.contracts.quality import GOOD, Quality
from dotbus.readings.motion import Age, Motion


class Reading(msgspec.Struct, frozen=True, gc=False):
    """What is shown of one quantity at one time.

    `value` None with a quality that is not bad means that there is nothing to show and nothing is wrong: no DOT ahead yet, no
    SUPP segment or price component, or no word of CAISO's on whether a variable resource must follow. Whatever else is
    absent is bad.
    `motion` says how the value moves until something turns, None of one that stands still; its quality is the same meanwhile.
    """

    value: float | str | None
    quality: Quality = GOOD
    motion: Motion | None = None

    @classmethod
    def of_time(cls, at: datetime | None, quality: Quality) -> Self:
        """A time as seconds since 1970-01-01 UTC."""
        return cls(None if at is None else int(at.timestamp()), quality)

    @classmethod
    def of_age(cls, since: datetime | None, now: datetime) -> Self:
        """An age in whole seconds. It is never bad itself."""
        return cls(None) if since is None else cls.moving(Age(since), now)

    @classmethod
    def moving(cls, motion: Motion, now: datetime, quality: Quality = GOOD) -> Self:
        """A value that time alone moves."""
        return cls(motion.at(now), quality, motion)


Named = Mapping[str, Reading]
"""Readings by the name of their quantity."""


@dataclass(frozen=True)
class Basis:
    """What something was read of. While it is the same and nothing turns, it reads the same, but for what moves.

    Attributes:
        said: all that was said and how good that was, whatever its age.
        read_at: when it was read.
        until: when something turns but the ages of what was said; None when nothing does.
    """

    said: object
    read_at: datetime
    until: datetime | None

    def still_holds(self, said: object, now: datetime) -> bool:
        """Whether what is said now reads the same now."""
        return self.read_at <= now and (self.until is None or now < self.until) and self.said == said


@dataclass(frozen=True)
class Read:
    """What is read of one thing at one time.

    Attributes:
        named: its quantities.
        turns_at: when the passing of time alone next changes what may be said of it, but for values in motion; None when never.
        is_restless: whether it may change at any moment until then, so that nothing less than reading it anew tells.
        sooner_stale: the same quantities for cells with a stale time of their own, by that, seconds.
        basis: what it was read of; None of what has to be read anew whatever is said.
    """

    named: Named
    turns_at: datetime | None = None
    is_restless: bool = False
    sooner_stale: Mapping[float, Named] = field(default_factory=dict)
    basis: Basis | None = field(default=None, compare=False)


def moved(named: Named, now: datetime) -> Named:
    """The same readings at another moment before anything turns."""
    return {
        name: one if one.motion is None else Reading(one.motion.at(now), one.quality, one.motion) for name, one in named.items()
    }


def next_of(turns: Iterable[datetime], now: datetime) -> datetime | None:
    """The first of some times that is still to come."""
    return min((at for at in turns if at > now), default=None)


def described(name: str, quality: Quality) -> Named:
    """A quality as the two quantities that tell it."""
    return {f"{name}_quality": Reading(quality.level), f"{name}_reasons": Reading(quality.reason_bits)}
