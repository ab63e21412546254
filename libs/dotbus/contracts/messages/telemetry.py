"""What a plant says of itself: its measurements as states, and each write of its SCADA as an event."""

from typing import Annotated, Final, Literal

import msgspec

from dotbus.contracts.messages.envelope import MAX_SEQ, Event, NonEmpty, Seq, State, Utc
from dotbus.contracts.quality import Level, Quality, read_reasons

PointValue = float | bool | None
"""A number in the point's unit, or whether something is on; null where nobody knows."""
SWITCHES: Final = frozenset({"breaker_closed", "agc_on"})
"""Points of every installation that are on or off. The other two, `available_mw` and `actual_mw`, end in their unit."""
MEGAWATTS: Final = "MW"
_MOST_REASONS: Final = 32


def misfit_of_point(point: str, value: PointValue, unit: str | None) -> str | None:
    """What of a value cannot be the point's, in words; None when it fits.

    Kilowatts under a name that ends in megawatts would be read as a thousand times as much.
    """
    is_switch = value is None or isinstance(value, bool)
    if point.endswith("_mw") and (isinstance(value, bool) or unit != MEGAWATTS):
        return f"`{point}` is a number, and its unit is {MEGAWATTS}"
    if point in SWITCHES and (not is_switch or unit is not None):
        return f"`{point}` is true or false, without a unit"
    return None


class Telemetry(State, frozen=True, kw_only=True, tag="telemetry"):
    """What a plant says of one point of a resource: the last value, how good it is, and who wrote it.

    `quality` is never better than `reasons` say, and what nobody knows is bad. A value whose writer fell silent is said again
    as stale; its `time` is when that was said, `measured_at` stays that of the value.

    Attributes:
        plant: the plant of the topic.
        resource_id: the resource by CAISO's Master File name.
        point: available_mw (what the resource could deliver now), actual_mw (what it delivers, below 0 what it takes),
            breaker_closed, agc_on, or a name of the plant's own. A name that ends in `_mw` is in MW.
        value: a number in `unit`, or true or false; null where nobody knows.
        unit: the engineering unit, such as MW; null where there is none.
        quality: OPC quality: 192 good, 64 uncertain, 0 bad.
        reasons: why it is less than good, by the names of docs/quality.md; may be empty where the plant's system gives none.
        measured_at: when the value was measured, or written where its writer does not say; null without a value.
        valid_until: until when the source vouches for it. It says it again before.
        written_by: who wrote it, as proven to the source: the subject of a client's certificate, or a user's name. Null where
            nobody proved anything, and of what the source measures by itself.
        written_from: the network address that it was written from, which proves nothing.

    Raises:
        ValueError: quality, reasons, value and time contradict each other, or the value is none of this point.
    """

    plant: str
    resource_id: str
    point: NonEmpty
    value: PointValue
    unit: NonEmpty | None
    quality: Literal[0, 64, 192]
    reasons: Annotated[tuple[NonEmpty, ...], msgspec.Meta(max_length=_MOST_REASONS)] = ()
    measured_at: Utc | None
    valid_until: Utc
    written_by: NonEmpty | None = None
    written_from: NonEmpty | None = None

    def __post_init__(self) -> None:
        """What the types cannot say."""
        if misfit := misfit_of_point(self.point, self.value, self.unit):
            raise ValueError(misfit)
        if self.quality > Quality.of(read_reasons(self.reasons)).level:
            raise ValueError("`quality` is better than `reasons` say")
        if self.value is None and self.quality > Level.BAD:
            raise ValueError("`quality` of no value is 0")
        if self.value is not None and self.measured_at is None:
            raise ValueError("a value has a `measured_at`")


class PointWritten(Event, frozen=True, kw_only=True, tag="write"):
    """A write to a point that was taken or refused, and by whom.

    Writes alike (one point, one client, one outcome, one reason) that follow within a minute are told in one event at its
    end, so that measurements that are written each second do not drown who refused what.

    Attributes:
        plant: the plant of the resource.
        write_seq: counts the plant's write events, from 1 without gaps within `stream`.
        resource_id: the resource by CAISO's Master File name.
        point: the point that was written, by the name in its telemetry; of a command its name in the register map.
        unit: the engineering unit of both values; null where there is none.
        old_value: the value before the first of the writes; null where there was none.
        new_value: what the last of them wrote; null where it is no value of this point.
        writes: how many this tells of.
        written_at: when the last of them came.
        outcome: taken or refused. Later versions may know more.
        refused_by: what refused it: point (nothing may be written there), role (this client may not), value (it cannot be
            read), limits, commit (it was not confirmed in time, or not as it was written), command (what was commanded was not
            asked for), bus (nobody could be told), fault. Later versions may know more.
        detail: what happened, in words for a person.
        written_by: who wrote, as of telemetry.
        written_from: the network address that it was written from, which proves nothing.
    """

    plant: str
    write_seq: Seq | None = None
    resource_id: str
    point: NonEmpty
    unit: NonEmpty | None = None
    old_value: PointValue = None
    new_value: PointValue = None
    writes: Annotated[int, msgspec.Meta(ge=1, le=MAX_SEQ)] = 1
    written_at: Utc
    outcome: NonEmpty
    refused_by: NonEmpty | None = None
    detail: str
    written_by: NonEmpty | None = None
    written_from: NonEmpty | None = None
