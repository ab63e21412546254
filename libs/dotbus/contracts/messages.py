"""Messages: what is said on each topic.

Every message is immutable, names its version, environment, source and time, and ends each quantity in its unit. Times are
UTC. Absent is None (null), never 0. Readers ignore fields that they do not know.

Where a field carries CAISO's own element its docstring or name says which; the words are those of the ADS API specification
v7, section 6 (data dictionary), and of the OASIS interface specification.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec

VERSION = 1
"""The major version of every message. Fields may be added within it; none is removed or changes its meaning."""

Utc = Annotated[datetime, msgspec.Meta(tz=True)]
MAX_SEQ = 2**63 - 1
"""The highest sequence number: what a signed 64-bit column holds."""
MAX_RANGES = 10_000
"""How many ranges one replay request or reply may name."""
Seq = Annotated[int, msgspec.Meta(ge=1, le=MAX_SEQ)]
SeqRange = tuple[Seq, Seq]
"""First and last number, both included."""
SeqRanges = Annotated[tuple[SeqRange, ...], msgspec.Meta(max_length=MAX_RANGES)]
NonEmpty = Annotated[str, msgspec.Meta(min_length=1)]
Extra = dict[str, str]
"""Elements that this version does not know, by CAISO's name, as text."""


class Environment(StrEnum):
    """Which CAISO spoke. A gateway drives a plant only from the environments that it was told to accept."""

    PRODUCTION = "production"
    STAGE = "stage"
    SIMULATOR = "simulator"


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """What every message says.

    `source` is SERVICE/INSTANCE of the sender, `time` when it made the message.
    """

    version: int = VERSION
    environment: Environment
    source: str
    time: Utc


class Event(Message, frozen=True, kw_only=True):
    """Something that happened: appended, never retained.

    `id` is stable: the same fact has the same id however often it is sent. `seq` counts from 1 without gaps within
    `stream`, which is one outbox of the source: an outbox that had to be made anew begins a new stream. Both are given by
    the outbox; an event that has none yet cannot be decoded, so it cannot be published by mistake.
    """

    id: str
    stream: NonEmpty = ""
    seq: Seq = 0


class State(Message, frozen=True, kw_only=True):
    """The last word on one thing: retained."""


class CaisoState(State, frozen=True, kw_only=True):
    """A state of what CAISO said, with what a subscriber needs to judge it by itself: docs/quality.md has the rule.

    `heard_at` is when CAISO last answered the question that this state is the answer to, of several questions the one whose
    answer is the oldest. `valid_until` is until when the source vouches for it: as long as it hears CAISO it says the state
    again before, so whoever still holds it then has missed something, or the source has. `reasons` is what the source itself
    knows against it, by the names of docs/quality.md: the value is never better than they say, and a name that a reader does
    not know counts as `incomplete`. A source of before these fields says neither.
    """

    heard_at: Utc
    valid_until: Utc | None = None
    reasons: tuple[NonEmpty, ...] = ()


class Command(Message, frozen=True, kw_only=True):
    """A request to a service, or its reply: neither retained nor kept."""


class DispatchBatchHeader(msgspec.Struct, frozen=True, kw_only=True):
    """Header of an ADS dispatch batch. The integer codes are CAISO's, unknown ones included."""

    batch_uid: str
    market_id: str | None = None
    batch_status: int | None = None
    batch_received_at: Utc | None = None
    batch_sent_at: Utc | None = None
    batch_expires_at: Utc | None = None
    batch_type: int | None = None
    start_at: Utc | None = None
    dispatch_mode: int | None = None
    binding_flag: str | None = None
    revision_no: int | None = None
    contingency_type: str | None = None
    path_exclusion: str | None = None
    extra: Extra = {}


class InstructionDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One segment of an instruction: the megawatts of one service type (SCHD, SUPP, RMPS, SPIN, ...)."""

    seg_no: int | None = None
    service_type: str | None = None
    segment_mw: float | None = None
    extra: Extra = {}


class Instruction(msgspec.Struct, frozen=True, kw_only=True):
    """One ADS instruction, every element of the schema. `start_at` is the target time of a DOT instruction."""

    instruction_uid: str
    batch_uid: str | None = None
    resource_id: str
    start_at: Utc | None = None
    end_at: Utc | None = None
    dot_mw: float | None = None
    oos_energy_code: str | None = None
    as_type: str | None = None
    instruction_type: int | None = None
    pre_goto_mw: float | None = None
    bid_delay_min: int | None = None
    min_accept_mw: float | None = None
    accept_dot_mw: float | None = None
    accept_status: str | None = None
    responder: str | None = None
    reason_code: int | None = None
    opr_accept_dot_mw: float | None = None
    opr_accept_status: str | None = None
    opr_responder: str | None = None
    opr_reason_code: int | None = None
    validated_at: Utc | None = None
    validated_by: str | None = None
    api_validated_at: Utc | None = None
    api_validated_by: str | None = None
    revision_number: int | None = None
    status_code: int | None = None
    cleared_mw: float | None = None
    award_mw: float | None = None
    self_sched_mw: float | None = None
    hourly_mw: float | None = None
    rmr_test_requestor: str | None = None
    configuration_id: str | None = None
    transition_from_config_id: str | None = None
    transition_to_config_id: str | None = None
    agc_flag: str | None = None
    rmr_flag: str | None = None
    hourly_threshold_mw: float | None = None
    base_schedule_mw: float | None = None
    registered_intertie_flag: str | None = None
    details: tuple[InstructionDetail, ...] = ()
    extra: Extra = {}


class Dispatch(Event, frozen=True, kw_only=True, tag="dispatch"):
    """One dispatch batch as one resource sees it: the header and all of this resource's instructions.

    None of them means that this revision does not name the resource any more, or that all of the batch is cancelled.

    `plant_seq` counts the events of one plant, of both kinds, from 1 without gaps within `stream`; None from an older source.
    """

    plant: str
    plant_seq: Seq | None = None
    resource_id: str
    batch: DispatchBatchHeader
    instructions: tuple[Instruction, ...]


class TrajectoryBatchHeader(msgspec.Struct, frozen=True, kw_only=True):
    """Header of an ADS trajectory batch."""

    batch_uid: str
    batch_received_at: Utc | None = None
    batch_sent_at: Utc | None = None
    binding_flag: str | None = None
    extra: Extra = {}


class Dop(msgspec.Struct, frozen=True, kw_only=True):
    """One Dispatch Operating Point as CAISO sent it."""

    dop_uid: str
    dop_mw: float | None = None
    target_at: Utc | None = None
    sequence_number: int | None = None
    configuration_id: str | None = None
    extra: Extra = {}


class Compliance(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a resource delivered the energy expected of it in one five-minute interval."""

    compliance_uid: str
    start_at: Utc | None = None
    expected_mwh: float | None = None
    compliance_flag: str | None = None
    configuration_id: str | None = None
    extra: Extra = {}


class TrajectoryBatch(Event, frozen=True, kw_only=True, tag="trajectory-batch"):
    """One trajectory batch as one resource sees it. `plant_seq` as in Dispatch, and counted together with it."""

    plant: str
    plant_seq: Seq | None = None
    resource_id: str
    batch: TrajectoryBatchHeader
    dops: tuple[Dop, ...] = ()
    compliance: tuple[Compliance, ...] = ()


class DotSegment(msgspec.Struct, frozen=True, kw_only=True):
    """Part of a DOT by service type."""

    service_type: str
    segment_mw: float


class DotInterval(msgspec.Struct, frozen=True, kw_only=True):
    """A DOT and the interval that it is in force in. `target_at` is the middle of the interval.

    `must_follow` is CAISO's own flag when it sends one, else whether the SUPP segment is below zero; None when CAISO says
    neither. It decides for a variable resource only. `reasons` is what the source knows against this DOT alone, by the names of
    docs/quality.md; what it knows against the schedule that the resource follows is in the state's. A DOT that is over has one
    while CAISO cannot be asked whether it was cancelled before its end.
    """

    interval_start: Utc
    interval_end: Utc
    target_at: Utc
    dot_mw: float
    supp_mw: float | None = None
    must_follow: bool | None = None
    segments: tuple[DotSegment, ...] = ()
    batch_uid: str
    batch_type: int | None = None
    instruction_uid: str
    revision_no: int | None = None
    batch_received_at: Utc | None = None
    reasons: tuple[NonEmpty, ...] = ()


class WithdrawnBatch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch whose DOTs hold no more, though their intervals last until then: cancelled, revised away or unreadable.

    `revision_no` is the highest that is known to be withdrawn.
    """

    batch_uid: str
    until: Utc
    revision_no: int | None = None


class Dot(CaisoState, frozen=True, kw_only=True, tag="dot"):
    """The DOTs of one resource: the last one past of each schedule, the one in force and all ahead, in the order of intervals.

    `heard_at` is when CAISO last answered the question for new batches or, if that is longer ago, for the revision of a batch
    in it; `received_at` is when the newest DOT came here. `withdrawn` tells a reader of several sources that another one is
    behind. Five-minute and hourly DOTs stand side by side, told apart by `batch_type` (1 is hourly): a resource follows one of
    the two schedules, and the other never stands in for it.
    """

    plant: str
    resource_id: str
    received_at: Utc | None = None
    intervals: tuple[DotInterval, ...]
    withdrawn: tuple[WithdrawnBatch, ...] = ()


class TrajectoryPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A point of the assembled curve."""

    target_at: Utc
    dop_mw: float
    batch_received_at: Utc | None = None
    sequence_number: int | None = None
    batch_uid: str
    configuration_id: str | None = None


class Trajectory(CaisoState, frozen=True, kw_only=True, tag="trajectory"):
    """The DOP curve of one resource, from the last point past on, ordered as ADS section 6 (sequenceNumber) says.

    Two points at one time are a step. `latest` is the last DOP of the newest batch, which is what the classic register map
    shows, and its `batch_received_at` the age of the curve: when CAISO had the newest batch. After the target time of the last
    point the curve has ended. `heard_at` is when CAISO last answered the question for trajectories, `received_at` when the
    newest batch came here.
    """

    plant: str
    resource_id: str
    received_at: Utc | None = None
    points: tuple[TrajectoryPoint, ...]
    latest: TrajectoryPoint | None = None


class InstructionAction(StrEnum):
    """The three answers to an instruction (ADS specification, section 3)."""

    ACCEPT = "accept"
    DECLINE = "decline"
    PARTIAL = "partial"


class InstructionResponse(Command, frozen=True, kw_only=True, tag="respond"):
    """Answer an instruction: `accept_dot_mw` with partial, `reason_code` (10 to 16) with decline and partial."""

    batch_uid: str
    instruction_uid: str
    action: InstructionAction
    accept_dot_mw: float | None = None
    reason_code: int | None = None
    requested_by: str


class InstructionResponseReply(Command, frozen=True, kw_only=True, tag="respond-reply"):
    """CAISO's answer: `result_code` 0 to 5 of ADS section 1.3, None when CAISO was not reached."""

    batch_uid: str
    instruction_uid: str
    result_code: int | None
    detail: str


class Prices(Event, frozen=True, kw_only=True, tag="prices"):
    """Prices of many nodes for one interval of one market, as columns: entry i of each belongs to `nodes[i]`.

    A reply too large for one message comes as `chunk` 1 to `chunks`. `fetched_at` tells revisions of one interval apart:
    CAISO corrects prices without saying so. `market_seq` counts the events of one market from 1 without gaps within `stream`;
    None from an older source.
    """

    market: str
    market_seq: Seq | None = None
    interval_start: Utc
    interval_end: Utc
    fetched_at: Utc
    chunk: int = 1
    chunks: int = 1
    nodes: tuple[str, ...]
    lmp_usd_per_mwh: tuple[float | None, ...]
    energy_usd_per_mwh: tuple[float | None, ...]
    congestion_usd_per_mwh: tuple[float | None, ...]
    loss_usd_per_mwh: tuple[float | None, ...]
    ghg_usd_per_mwh: tuple[float | None, ...]


class NodePrice(msgspec.Struct, frozen=True, kw_only=True):
    """One node's price in one interval, with its components."""

    interval_start: Utc
    interval_end: Utc
    fetched_at: Utc
    lmp_usd_per_mwh: float | None = None
    energy_usd_per_mwh: float | None = None
    congestion_usd_per_mwh: float | None = None
    loss_usd_per_mwh: float | None = None
    ghg_usd_per_mwh: float | None = None


class Lmp(CaisoState, frozen=True, kw_only=True, tag="lmp"):
    """One node's prices: the latest published, the active (its interval covers `time`) and all published ahead.

    Readers with a clock take the active price from `active` and `ahead`, so that it turns with the interval.
    """

    market: str
    node: str
    published: NodePrice | None
    active: NodePrice | None
    ahead: tuple[NodePrice, ...] = ()


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """How a service hears what it depends on (CAISO, the database).

    `clock_offset_s` is CAISO's Date minus our clock, when CAISO said one. `complaints` are what is wrong now with a part of it,
    in words for a person (a node without a price, a day that is missing); `ok` and the rest of it are not in doubt for that.
    """

    name: str
    ok: bool
    last_ok_at: Utc | None = None
    last_error: str | None = None
    last_error_at: Utc | None = None
    failures_in_a_row: int = 0
    clock_offset_s: float | None = None
    complaints: tuple[str, ...] = ()


class OutboxSpan(msgspec.Struct, frozen=True, kw_only=True):
    """The events that a source can still send again: `first_seq` to `last_seq`, both None while it has none."""

    stream: str
    first_seq: Seq | None
    last_seq: Seq | None
    unpublished: Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ)]


class ServiceStatus(State, frozen=True, kw_only=True, tag="service"):
    """Whether a service instance is there and hears its upstreams. Its last will says `online: false`."""

    service: str
    instance: str
    online: bool
    started_at: Utc
    software_version: str
    upstreams: tuple[Upstream, ...] = ()
    outbox: OutboxSpan | None = None
    cursors: dict[str, str] = {}
    certificate_days_left: float | None = None


class StreamState(State, frozen=True, kw_only=True, tag="stream"):
    """The stream that a source numbers its events in now, and how far it goes: no number above `last_seq` was published.

    It is said before the events that it covers, and no last will replaces it. A source that finds more here than its outbox has
    knows that the outbox is older than what was published, and begins another stream.
    """

    stream: NonEmpty
    last_seq: Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ)]


class ReplayRequest(Command, frozen=True, kw_only=True, tag="replay"):
    """Send again the events `first_seq` to `last_seq` of `stream`, on their own topics.

    Of these only `ranges`, when there are any.
    `ranges` ascend without overlap, and the first begins at `first_seq`, the last ends at `last_seq`: a source of before that
    field sends what lies between them as well.

    Raises:
        ValueError: a range is empty, or they do not stand so.
    """

    stream: str
    first_seq: Seq
    last_seq: Seq
    ranges: SeqRanges = ()

    def __post_init__(self) -> None:
        """What the types cannot say."""
        if self.last_seq < self.first_seq:
            raise ValueError("`last_seq` is below `first_seq`")
        before = 0
        for first, last in self.ranges:
            if not before < first <= last:
                raise ValueError("`ranges` must ascend without overlap, and none may be empty")
            before = last
        if self.ranges and (self.ranges[0][0], before) != (self.first_seq, self.last_seq):
            raise ValueError("`ranges` must begin at `first_seq` and end at `last_seq`")

    @property
    def wanted(self) -> tuple[SeqRange, ...]:
        """What is asked for, as ranges."""
        return self.ranges or ((self.first_seq, self.last_seq),)


class ReplayReply(Command, frozen=True, kw_only=True, tag="replay-reply"):
    """What a replay could send: how many, and the oldest it still has (None when the stream is not its own).

    `first_seq`, `last_seq` and `ranges` are the request's. `lost` is what was asked for and what this source has no more, so
    that it need not be asked for again: the first 10,000 ranges of it. What was neither sent nor is lost may be asked for
    later: its number is not given yet, or the broker refused it. An older source says neither.
    """

    stream: str
    first_seq: Seq
    last_seq: Seq
    ranges: SeqRanges = ()
    sent: Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ)]
    lost: SeqRanges = ()
    oldest_seq: Seq | None
    detail: str


AnyMessage = (
    Dispatch
    | TrajectoryBatch
    | Dot
    | Trajectory
    | InstructionResponse
    | InstructionResponseReply
    | Prices
    | Lmp
    | ServiceStatus
    | StreamState
    | ReplayRequest
    | ReplayReply
)
