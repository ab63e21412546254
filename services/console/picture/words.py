"""Words: a quality as a person says it, with what follows from it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from dotbus.contracts.quality import Level, Quality, Reason

_MINUTE_S: Final = 60.0
_HOUR_S: Final = 3600.0
_DAY_S: Final = 86400.0

GOOD: Final = "good"


@dataclass(frozen=True)
class Speaker:
    """Who says a value, by the names that an operator knows.

    Attributes:
        upstream: whom the value comes from.
        service: what asks it.
        what: the value.
    """

    upstream: str
    service: str
    what: str


DISPATCHES: Final = Speaker("CAISO", "ads_ingest", "DOT")
TRAJECTORIES: Final = Speaker("CAISO", "ads_ingest", "trajectory")
INSTRUCTIONS: Final = Speaker("CAISO", "ads_ingest", "instruction")
PRICES: Final = Speaker("OASIS", "lmp_ingest", "price")
PLANT: Final = Speaker("the plant's SCADA", "the gateway", "measurement")


def in_words(quality: Quality, speaker: Speaker, heard_at: datetime | None, now: datetime) -> str:
    """Why a value is less than good, the cause first; `good` when it is.

    Args:
        quality: of the value.
        speaker: who says it.
        heard_at: when the upstream was last heard of it; None when it never was.
        now: the console's clock.
    """
    found = set(quality.reasons)
    said = [_say(reason, speaker, heard_at, now) for reason in _SAID if reason in found]
    return "; ".join(said) if said else GOOD


def _say(reason: Reason, speaker: Speaker, heard_at: datetime | None, now: datetime) -> str:
    if reason is Reason.STALE and heard_at is not None:
        return f"{speaker.upstream} not heard for {span((now - heard_at).total_seconds())}"
    return _SAID[reason].format(upstream=speaker.upstream, service=speaker.service, what=speaker.what)


_SAID: Final[Mapping[Reason, str]] = {
    Reason.BROKER_LOST: "the console does not hear the broker",
    Reason.NEVER_RECEIVED: "no {what} was ever heard",
    Reason.STALE: "{upstream} not heard",
    Reason.EXPIRED: "no {what} for now: the last one is over",
    Reason.SOURCE_OFFLINE: "{service} is not running",
    Reason.SOURCE_FAILING: "{service} does not reach {upstream}",
    Reason.CLOCK_IN_DOUBT: "the clocks were not shown to agree",
    Reason.OUT_OF_LIMITS: "outside the resource's limits",
    Reason.INVALID: "what {upstream} says cannot be read, or is no value",
    Reason.WRONG_ENVIRONMENT: "it is of another environment (test or production)",
    Reason.INCOMPLETE: "a part of the {what} is not known",
}
"""The cause stands before what follows from it: a person reads the first."""


def level_word(level: Level) -> str:
    """A level by its name."""
    return level.name.lower()


def span(seconds: float) -> str:
    """How long something lasts, in the unit that a person would choose."""
    whole = max(seconds, 0.0)
    for unit_s, unit, most_s in ((1.0, "s", 2 * _MINUTE_S), (_MINUTE_S, "min", 2 * _HOUR_S), (_HOUR_S, "h", 2 * _DAY_S)):
        if whole < most_s:
            return f"{whole / unit_s:.0f} {unit}"
    return f"{whole / _DAY_S:.0f} days"
