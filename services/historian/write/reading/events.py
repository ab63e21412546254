"""Events as the historian reads them: those of the contract, within the bounds of what can be kept. Pure.

Read in one step, straight from a payload. Encoded again they lack what is absent, which is what digests are made of.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec

from dotbus.contracts.messages import (
    MAX_NODES,
    AlarmChanged,
    Compliance,
    Dispatch,
    DispatchBatchHeader,
    Dop,
    Extra,
    Instruction,
    InstructionAnswered,
    InstructionDetail,
    PointWritten,
    Prices,
    TrajectoryBatch,
    TrajectoryBatchHeader,
    UpstreamGap,
)
from dotbus.contracts.topics import Subject

MAX_NAME: Final = 200
MAX_SEQ: Final = 2**63 - 2
"""The largest number that PostgreSQL's ranges of bigint can hold."""
MAX_QUANTITY: Final = 1e15
"""No power, energy or price is as large. Of much larger ones sums and differences overflow: views and means had no answer."""

_UNNAMED: Final = "/unnamed"
"""Ends the key of an event without instructions: it may be that its source does not see the resource."""

Name = Annotated[str, msgspec.Meta(max_length=MAX_NAME)]
"""What is part of a key has an end."""
NonEmptyName = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]
"""What tells one thing from all others of its kind: of two without a name nobody could say whether they are one."""
Quantity = Annotated[float, msgspec.Meta(ge=-MAX_QUANTITY, le=MAX_QUANTITY)]
KeptColumn = Annotated[tuple[Quantity | None, ...], msgspec.Meta(max_length=MAX_NODES)]
KeptSeq = Annotated[int, msgspec.Meta(ge=1, le=MAX_SEQ)]
Place = tuple[str, str | None]


def _nothing() -> Extra:
    """Said even where nothing is in it, unlike a `dict`: digests have always had it."""
    return {}


class KeptBatch(DispatchBatchHeader, frozen=True, kw_only=True, omit_defaults=True):
    """The header of a dispatch batch."""

    batch_uid: NonEmptyName
    extra: Extra = msgspec.field(default_factory=_nothing)


class KeptDetail(InstructionDetail, frozen=True, kw_only=True, omit_defaults=True):
    """A segment of an instruction."""

    segment_mw: Quantity | None = None
    extra: Extra = msgspec.field(default_factory=_nothing)


class KeptInstruction(Instruction, frozen=True, kw_only=True, omit_defaults=True):
    """An instruction."""

    dot_mw: Quantity | None = None
    accept_dot_mw: Quantity | None = None
    opr_accept_dot_mw: Quantity | None = None
    details: tuple[KeptDetail, ...] = ()
    extra: Extra = msgspec.field(default_factory=_nothing)


class KeptDispatch(Dispatch, frozen=True, kw_only=True, tag="dispatch"):
    """A dispatch batch as one resource sees it."""

    version: Literal[1]
    source: Name
    id: Name
    stream: NonEmptyName
    seq: KeptSeq
    plant: Name
    resource_id: Name
    batch: KeptBatch
    instructions: tuple[KeptInstruction, ...]

    @property
    def place(self) -> Place:
        """What its topic must name."""
        return self.plant, self.resource_id


class KeptCurve(TrajectoryBatchHeader, frozen=True, kw_only=True, omit_defaults=True):
    """The header of a trajectory batch."""

    batch_uid: NonEmptyName
    extra: Extra = msgspec.field(default_factory=_nothing)


class KeptDop(Dop, frozen=True, kw_only=True, omit_defaults=True):
    """A point of a trajectory."""

    dop_mw: Quantity | None = None
    extra: Extra = msgspec.field(default_factory=_nothing)


class KeptCompliance(Compliance, frozen=True, kw_only=True, omit_defaults=True):
    """A compliance record."""

    expected_mwh: Quantity | None = None
    extra: Extra = msgspec.field(default_factory=_nothing)


class KeptTrajectory(TrajectoryBatch, frozen=True, kw_only=True, tag="trajectory-batch"):
    """A trajectory batch as one resource sees it."""

    version: Literal[1]
    source: Name
    id: Name
    stream: NonEmptyName
    seq: KeptSeq
    plant: Name
    resource_id: Name
    batch: KeptCurve
    dops: tuple[KeptDop, ...] = ()
    compliance: tuple[KeptCompliance, ...] = ()

    @property
    def place(self) -> Place:
        """What its topic must name."""
        return self.plant, self.resource_id


class KeptAnswer(InstructionAnswered, frozen=True, kw_only=True, tag="response"):
    """A command to answer an instruction and what became of it."""

    version: Literal[1]
    source: Name
    id: Name
    stream: NonEmptyName
    seq: KeptSeq
    plant: Name
    resource_id: Name
    command_id: Name
    action: Name
    batch_uid: Name
    instruction_uid: Name
    requested_by: Name
    requested_from: Name
    asked_by: NonEmptyName | None = None
    asked_from: NonEmptyName | None = None

    @property
    def place(self) -> Place:
        """What its topic must name."""
        return self.plant, self.resource_id


class KeptWrite(PointWritten, frozen=True, kw_only=True, tag="write"):
    """A write to a point, taken or refused."""

    version: Literal[1]
    source: Name
    id: Name
    stream: NonEmptyName
    seq: KeptSeq
    plant: Name
    resource_id: Name
    point: NonEmptyName
    unit: NonEmptyName | None = None
    outcome: NonEmptyName
    refused_by: NonEmptyName | None = None
    written_by: NonEmptyName | None = None
    written_from: NonEmptyName | None = None

    @property
    def place(self) -> Place:
        """What its topic must name."""
        return self.plant, self.resource_id


class KeptPrices(Prices, frozen=True, kw_only=True, tag="prices"):
    """Prices of many nodes."""

    version: Literal[1]
    source: Name
    id: Name
    stream: NonEmptyName
    seq: KeptSeq
    market: Name
    nodes: Annotated[tuple[Name, ...], msgspec.Meta(max_length=MAX_NODES)]
    lmp_usd_per_mwh: KeptColumn
    energy_usd_per_mwh: KeptColumn
    congestion_usd_per_mwh: KeptColumn
    loss_usd_per_mwh: KeptColumn
    ghg_usd_per_mwh: KeptColumn

    @property
    def place(self) -> Place:
        """What its topic must name."""
        return self.market, None


class KeptGap(UpstreamGap, frozen=True, kw_only=True, tag="gap"):
    """What a source could not have of its upstream."""

    version: Literal[1]
    source: Name
    id: Name
    stream: NonEmptyName
    seq: KeptSeq
    upstream: Name
    account: Name | None = None

    @property
    def place(self) -> Place:
        """What its topic must name."""
        service, _, instance = self.source.partition("/")
        return service, instance


class KeptAlarm(AlarmChanged, frozen=True, kw_only=True, tag="alarm"):
    """Something that happened to an alarm."""

    version: Literal[1]
    source: Name
    id: Name
    stream: NonEmptyName
    seq: KeptSeq
    plant: NonEmptyName
    about: NonEmptyName
    rule: NonEmptyName
    what: NonEmptyName
    unit: NonEmptyName | None = None
    command_id: NonEmptyName | None = None

    @property
    def place(self) -> Place:
        """What its topic must name."""
        return self.plant, self.about


Event = KeptDispatch | KeptTrajectory | KeptAnswer | KeptWrite | KeptPrices | KeptGap | KeptAlarm
Key = tuple[str, str, str, str, str]

_Reader = (
    msgspec.json.Decoder[KeptDispatch]
    | msgspec.json.Decoder[KeptTrajectory]
    | msgspec.json.Decoder[KeptAnswer]
    | msgspec.json.Decoder[KeptWrite]
    | msgspec.json.Decoder[KeptPrices]
    | msgspec.json.Decoder[KeptGap]
    | msgspec.json.Decoder[KeptAlarm]
)
READERS: Final[Mapping[Subject, _Reader]] = {
    Subject.DISPATCH: msgspec.json.Decoder(KeptDispatch),
    Subject.TRAJECTORY_BATCH: msgspec.json.Decoder(KeptTrajectory),
    Subject.RESPONSE: msgspec.json.Decoder(KeptAnswer),
    Subject.WRITE: msgspec.json.Decoder(KeptWrite),
    Subject.PRICES: msgspec.json.Decoder(KeptPrices),
    Subject.GAP: msgspec.json.Decoder(KeptGap),
    Subject.ALARM: msgspec.json.Decoder(KeptAlarm),
}
"""What reads the events of each kind of topic; raises what msgspec raises."""


def key_of(event: Event) -> Key:  # noqa: PLR0911  # one for each kind
    """What tells an event from all others: CAISO's own key, and for prices the id, which is made of what they say."""
    match event:
        case KeptDispatch():
            return ("dispatch_batch", str(event.environment), event.resource_id, event.batch.batch_uid, _revision(event))
        case KeptTrajectory():
            return ("trajectory_batch", str(event.environment), event.resource_id, event.batch.batch_uid, "")
        case KeptAnswer():
            return ("instruction_response", str(event.environment), event.resource_id, event.id, "")
        case KeptWrite():
            return ("point_write", str(event.environment), event.resource_id, event.id, "")
        case KeptPrices():
            return ("price_report", str(event.environment), event.market, event.id, "")
        case KeptGap():
            return ("upstream_gap", str(event.environment), "", event.id, "")
        case KeptAlarm():
            return ("alarm_event", str(event.environment), event.plant, event.id, "")


def named_key_of(event: Event) -> Key | None:
    """The key of an event that names the resource in the same revision of a batch as one that does not; None of any other.

    The two are no contradiction: two sources whose accounts see different resources are told different parts of a batch.
    """
    if not isinstance(event, KeptDispatch) or event.instructions or event.batch.revision_no is None:
        return None
    kind, environment, resource_id, batch_uid, revision = key_of(event)
    return kind, environment, resource_id, batch_uid, revision.removesuffix(_UNNAMED)


def _revision(event: KeptDispatch) -> str:
    """What tells one state of a batch from another. Its status counts too: a cancellation must not pass for a repetition."""
    revision_no, status = event.batch.revision_no, event.batch.batch_status
    if revision_no is None:
        return event.id
    return f"{revision_no}.{'-' if status is None else status}{'' if event.instructions else _UNNAMED}"
