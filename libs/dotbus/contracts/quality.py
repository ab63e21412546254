"""Quality: whether a value may be believed, and why not.

A value is never read without it. The three levels and their numbers are OPC's, because that is what SCADA packages show.
"""

from collections.abc import Iterable
from enum import IntEnum, StrEnum
from functools import cache

import msgspec


class Level(IntEnum):
    """OPC quality: the number that a register or a screen shows."""

    BAD = 0
    UNCERTAIN = 64
    GOOD = 192


class Reason(StrEnum):
    """Why a value is less than good. Each has one level, see `LEVEL_OF`."""

    NEVER_RECEIVED = "never_received"
    STALE = "stale"
    EXPIRED = "expired"
    SOURCE_OFFLINE = "source_offline"
    SOURCE_FAILING = "source_failing"
    BROKER_LOST = "broker_lost"
    OUT_OF_LIMITS = "out_of_limits"
    INVALID = "invalid"
    CLOCK_IN_DOUBT = "clock_in_doubt"
    WRONG_ENVIRONMENT = "wrong_environment"
    INCOMPLETE = "incomplete"


LEVEL_OF: dict[Reason, Level] = {
    Reason.NEVER_RECEIVED: Level.BAD,
    Reason.STALE: Level.BAD,
    Reason.EXPIRED: Level.BAD,
    Reason.INVALID: Level.BAD,
    Reason.WRONG_ENVIRONMENT: Level.BAD,
    # The value was right when it was said and its time has not run out; nobody can say whether it was replaced since.
    # When that lasts, STALE follows and makes it bad.
    Reason.SOURCE_OFFLINE: Level.UNCERTAIN,
    Reason.SOURCE_FAILING: Level.UNCERTAIN,
    Reason.BROKER_LOST: Level.UNCERTAIN,
    Reason.CLOCK_IN_DOUBT: Level.UNCERTAIN,
    Reason.OUT_OF_LIMITS: Level.UNCERTAIN,
    # Something that it is made of is not known: a DOT that is missing on a ramp, a batch that CAISO cannot give any more.
    Reason.INCOMPLETE: Level.UNCERTAIN,
}

_NAMES = frozenset(reason.value for reason in Reason)

CLOCK_DOUBT_S = 2.0
"""Two clocks that differ by more are in doubt."""

HEARTBEAT_S = 5.0
"""How often a service says that it is there. Who hears three times nothing takes it for gone."""

BIT_OF: dict[Reason, int] = {reason: bit for bit, reason in enumerate(Reason)}
"""The bit of each reason in a reasons register. The order of `Reason` is part of the contract: append only."""


def read_reasons(names: Iterable[str]) -> frozenset[Reason]:
    """The reasons that a message names. One that this version does not know counts as INCOMPLETE: it speaks against a value."""
    return frozenset(Reason(name) if name in _NAMES else Reason.INCOMPLETE for name in names)


class Quality(msgspec.Struct, frozen=True, gc=False):
    """A level and every reason for it; good has none."""

    level: Level
    reasons: tuple[Reason, ...] = ()

    @staticmethod
    def of(reasons: Iterable[Reason]) -> "Quality":
        """The quality that these reasons add up to: the worst of their levels, good when there are none."""
        return _quality_of(frozenset(reasons))

    @property
    def is_good(self) -> bool:
        """True when nothing speaks against the value."""
        return self.level is Level.GOOD

    @property
    def is_bad(self) -> bool:
        """True when the value must not be acted on."""
        return self.level is Level.BAD

    @property
    def reason_bits(self) -> int:
        """The reasons as a 16-bit mask, for a register."""
        return sum(1 << BIT_OF[reason] for reason in self.reasons)


@cache
def _quality_of(reasons: frozenset[Reason]) -> Quality:
    """Remembered, because a gateway asks for every value that it shows, and of all the sets of reasons few occur."""
    found = tuple(sorted(reasons, key=BIT_OF.__getitem__))
    return Quality(min((LEVEL_OF[reason] for reason in found), default=Level.GOOD), found)


GOOD = Quality(Level.GOOD)
