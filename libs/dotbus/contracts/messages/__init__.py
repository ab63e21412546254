"""Messages: what is said on each topic.

Every message is immutable, names its version, environment, source and time, and ends each quantity in its unit. Times are
UTC. Absent is None (null), never 0. Readers ignore fields that they do not know.

Where a field carries CAISO's own element its docstring or name says which; the words are those of the ADS API specification
v7, section 6 (data dictionary), and of the OASIS interface specification. The `Attributes` of the docstrings are what schemas/
says of each field.
"""

from dotbus.contracts.alarms import AlarmAction, AlarmPriority, AlarmState
from dotbus.contracts.messages.alarms import (
    AlarmChanged,
    AlarmCommand,
    AlarmCommandReply,
    AlarmCount,
    AlarmStatus,
    AlarmSummary,
)
from dotbus.contracts.messages.dispatch import (
    Dispatch,
    DispatchBatchHeader,
    Dot,
    DotInterval,
    DotSegment,
    Instruction,
    InstructionDetail,
    WithdrawnBatch,
)
from dotbus.contracts.messages.envelope import (
    MAX_SEQ,
    VERSION,
    CaisoState,
    Command,
    Count,
    Environment,
    Event,
    Extra,
    Int32,
    Message,
    NonEmpty,
    Seq,
    State,
    Utc,
)
from dotbus.contracts.messages.history import Backfill, BackfillReply, BackfillRequest
from dotbus.contracts.messages.instructions import InstructionAnswer, Instructions, KnownInstruction
from dotbus.contracts.messages.prices import MAX_NODES, Lmp, NodePrice, Prices
from dotbus.contracts.messages.responses import (
    InstructionAction,
    InstructionAnswered,
    InstructionResponse,
    InstructionResponseReply,
)
from dotbus.contracts.messages.services import (
    MAX_RANGES,
    Missing,
    OutboxSpan,
    ReloadReply,
    ReloadRequest,
    ReplayReply,
    ReplayRequest,
    SeqRange,
    SeqRanges,
    ServiceStatus,
    StreamState,
    Upstream,
    UpstreamGap,
)
from dotbus.contracts.messages.telemetry import PointValue, PointWritten, Telemetry
from dotbus.contracts.messages.trajectory import (
    Compliance,
    Dop,
    Trajectory,
    TrajectoryBatch,
    TrajectoryBatchHeader,
    TrajectoryPoint,
)

AnyMessage = (
    Dispatch
    | TrajectoryBatch
    | Dot
    | Instructions
    | Trajectory
    | InstructionResponse
    | InstructionResponseReply
    | InstructionAnswered
    | Telemetry
    | PointWritten
    | Prices
    | Lmp
    | ServiceStatus
    | StreamState
    | UpstreamGap
    | ReplayRequest
    | ReplayReply
    | BackfillRequest
    | BackfillReply
    | ReloadRequest
    | ReloadReply
    | AlarmStatus
    | AlarmChanged
    | AlarmSummary
    | AlarmCommand
    | AlarmCommandReply
)

__all__ = [
    "MAX_NODES",
    "MAX_RANGES",
    "MAX_SEQ",
    "VERSION",
    "AlarmAction",
    "AlarmChanged",
    "AlarmCommand",
    "AlarmCommandReply",
    "AlarmCount",
    "AlarmPriority",
    "AlarmState",
    "AlarmStatus",
    "AlarmSummary",
    "AnyMessage",
    "Backfill",
    "BackfillReply",
    "BackfillRequest",
    "CaisoState",
    "Command",
    "Compliance",
    "Count",
    "Dispatch",
    "DispatchBatchHeader",
    "Dop",
    "Dot",
    "DotInterval",
    "DotSegment",
    "Environment",
    "Event",
    "Extra",
    "Instruction",
    "InstructionAction",
    "InstructionAnswer",
    "InstructionAnswered",
    "InstructionDetail",
    "InstructionResponse",
    "InstructionResponseReply",
    "Instructions",
    "Int32",
    "KnownInstruction",
    "Lmp",
    "Message",
    "Missing",
    "NodePrice",
    "NonEmpty",
    "OutboxSpan",
    "PointValue",
    "PointWritten",
    "Prices",
    "ReloadReply",
    "ReloadRequest",
    "ReplayReply",
    "ReplayRequest",
    "Seq",
    "SeqRange",
    "SeqRanges",
    "ServiceStatus",
    "State",
    "StreamState",
    "Telemetry",
    "Trajectory",
    "TrajectoryBatch",
    "TrajectoryBatchHeader",
    "TrajectoryPoint",
    "Upstream",
    "UpstreamGap",
    "Utc",
    "WithdrawnBatch",
]
