"""The table of everything that is said: which topic carries which message, who says it and who listens.

docs/topics.md, schemas/asyncapi.yaml and the broker's access list are made from it or tested against it.
"""

from dataclasses import dataclass

from dotbus.contracts import messages as m
from dotbus.contracts.topics import EVENTS, STATES, Subject


@dataclass(frozen=True)
class Channel:
    """One kind of topic.

    Attributes:
        subject: what the topic says.
        address: the topic below the root, names in braces.
        message: the type of its payload.
        said_by: services that publish it.
        heard_by: services that subscribe to it; any other subscriber may as well.
        says: one line for a reader.
        reply: where a command is answered.
    """

    subject: Subject
    address: str
    message: type[m.AnyMessage]
    said_by: tuple[str, ...]
    heard_by: tuple[str, ...]
    says: str
    reply: Subject | None = None

    @property
    def kind(self) -> str:
        """event, state or command."""
        return "event" if self.subject in EVENTS else "state" if self.subject in STATES else "command"

    @property
    def retained(self) -> bool:
        """Whether the broker keeps the last one for new subscribers."""
        return self.subject in STATES


_PLANT = "plant/{plant}/{resource}"
_MARKET = "market/{market}"
_SERVICE = "service/{service}/{instance}"
_ALARM = "alarm/{plant}/{about}/{rule}"
_INGESTS = ("ads_ingest", "lmp_ingest")
_SOURCES = (*_INGESTS, "alarms")
"""Those that number their events and send them again."""
_EVERY_SERVICE = (*_INGESTS, "modbus_gateway", "historian", "alarms")

CHANNELS = (
    Channel(
        Subject.DISPATCH,
        f"{_PLANT}/{Subject.DISPATCH}",
        m.Dispatch,
        ("ads_ingest",),
        ("historian",),
        "one dispatch batch's header and this resource's instructions, complete",
    ),
    Channel(
        Subject.TRAJECTORY_BATCH,
        f"{_PLANT}/{Subject.TRAJECTORY_BATCH}",
        m.TrajectoryBatch,
        ("ads_ingest",),
        ("historian",),
        "one trajectory batch: this resource's DOPs and compliance records",
    ),
    Channel(
        Subject.DOT,
        f"{_PLANT}/{Subject.DOT}",
        m.Dot,
        ("ads_ingest",),
        ("modbus_gateway", "alarms"),
        "the DOTs in force and ahead, with their detail segments",
    ),
    Channel(
        Subject.TRAJECTORY,
        f"{_PLANT}/{Subject.TRAJECTORY}",
        m.Trajectory,
        ("ads_ingest",),
        ("modbus_gateway",),
        "the assembled DOP curve from now on",
    ),
    Channel(
        Subject.INSTRUCTIONS,
        f"{_PLANT}/{Subject.INSTRUCTIONS}",
        m.Instructions,
        ("ads_ingest",),
        ("alarms",),
        "what else CAISO instructs, in force and ahead: constraints, commitments, awards, tests, answers",
    ),
    Channel(
        Subject.RESPOND,
        f"{_PLANT}/{Subject.RESPOND}/{{action}}",
        m.InstructionResponse,
        (),
        ("ads_ingest",),
        "accept, decline or partially accept an instruction",
        Subject.RESPOND_REPLY,
    ),
    Channel(
        Subject.RESPOND_REPLY,
        f"{_PLANT}/{Subject.RESPOND}/{{action}}/reply",
        m.InstructionResponseReply,
        ("ads_ingest",),
        (),
        "what became of it; a command may name a response topic of its own one level below this",
    ),
    Channel(
        Subject.RESPONSE,
        f"{_PLANT}/{Subject.RESPONSE}",
        m.InstructionAnswered,
        ("ads_ingest",),
        ("ads_ingest", "historian"),
        "an answer to an instruction that was asked for or given by a rule, and what became of it",
    ),
    Channel(
        Subject.TELEMETRY,
        f"{_PLANT}/{Subject.TELEMETRY}/{{point}}",
        m.Telemetry,
        (),
        ("historian", "alarms"),
        "what a plant says of one point of a resource: available and actual megawatts, breaker, AGC, and points of its own",
    ),
    Channel(
        Subject.WRITE,
        f"{_PLANT}/{Subject.WRITE}",
        m.PointWritten,
        (),
        ("historian",),
        "a write of a plant's SCADA to a point, taken or refused, and by whom",
    ),
    Channel(
        Subject.PRICES,
        f"{_MARKET}/{Subject.PRICES}",
        m.Prices,
        ("lmp_ingest",),
        ("historian",),
        "prices of many nodes, or of the whole network, for one interval (or a chunk of it), columnar",
    ),
    Channel(
        Subject.LMP,
        f"{_MARKET}/{Subject.LMP}/{{node}}",
        m.Lmp,
        ("lmp_ingest",),
        ("modbus_gateway",),
        "the latest published, active and coming prices of one node that the installation names, all components",
    ),
    Channel(
        Subject.SERVICE,
        _SERVICE,
        m.ServiceStatus,
        _EVERY_SERVICE,
        ("modbus_gateway", "historian", "alarms"),
        "online or offline (last will), upstream health, cursors, outbox span, certificate days left",
    ),
    Channel(
        Subject.STREAM,
        f"{_SERVICE}/{Subject.STREAM}",
        m.StreamState,
        _SOURCES,
        _SOURCES,
        "the stream that a source numbers its events in, and how far it goes; each source reads its own after a restart",
    ),
    Channel(
        Subject.GAP,
        f"{_SERVICE}/{Subject.GAP}",
        m.UpstreamGap,
        _INGESTS,
        ("historian", "alarms"),
        "what a source could not have of its upstream, and will not have any more: from when until when",
    ),
    Channel(
        Subject.REPLAY,
        f"{_SERVICE}/{Subject.REPLAY}",
        m.ReplayRequest,
        ("historian",),
        _SOURCES,
        "send me again the events of some sequence numbers",
        Subject.REPLAY_REPLY,
    ),
    Channel(
        Subject.REPLAY_REPLY,
        f"{_SERVICE}/{Subject.REPLAY_REPLY}",
        m.ReplayReply,
        _SOURCES,
        ("historian",),
        "how much of it could be sent",
    ),
    Channel(
        Subject.BACKFILL,
        f"{_SERVICE}/{Subject.BACKFILL}",
        m.BackfillRequest,
        (),
        ("lmp_ingest",),
        "ask CAISO for prices of the past, or stop that; how far it is stands in the service's status",
        Subject.BACKFILL_REPLY,
    ),
    Channel(
        Subject.BACKFILL_REPLY,
        f"{_SERVICE}/{Subject.BACKFILL_REPLY}",
        m.BackfillReply,
        ("lmp_ingest",),
        (),
        "whether it was taken",
    ),
    Channel(
        Subject.RELOAD,
        f"{_SERVICE}/{Subject.RELOAD}",
        m.ReloadRequest,
        (),
        ("modbus_gateway",),
        "read the installation's file, and the register map in it, again",
        Subject.RELOAD_REPLY,
    ),
    Channel(
        Subject.RELOAD_REPLY,
        f"{_SERVICE}/{Subject.RELOAD_REPLY}",
        m.ReloadReply,
        ("modbus_gateway",),
        (),
        "whether that is in force now: what registers say otherwise, or every mistake",
    ),
    Channel(
        Subject.ALARM_STATE,
        _ALARM,
        m.AlarmStatus,
        ("alarms",),
        (),
        "one alarm as it is now, by ISA-18.2: unacknowledged, acknowledged, shelved and so on",
    ),
    Channel(
        Subject.ALARM,
        f"{_ALARM}/{Subject.ALARM}",
        m.AlarmChanged,
        ("alarms",),
        ("historian",),
        "something happened to an alarm: raised, returned to normal, acknowledged, shelved, suppressed",
    ),
    Channel(
        Subject.ALARM_SUMMARY,
        f"alarm/{{plant}}/{Subject.ALARM_SUMMARY}",
        m.AlarmSummary,
        ("alarms",),
        (),
        "how many alarms of which priority a plant's operator is shown, and whether they are a flood",
    ),
    Channel(
        Subject.ALARM_COMMAND,
        f"{_ALARM}/command/{{action}}",
        m.AlarmCommand,
        (),
        ("alarms",),
        "acknowledge, shelve or unshelve an alarm",
        Subject.ALARM_COMMAND_REPLY,
    ),
    Channel(
        Subject.ALARM_COMMAND_REPLY,
        f"{_ALARM}/command/{{action}}/reply",
        m.AlarmCommandReply,
        ("alarms",),
        (),
        "what became of it; a command may name a response topic of its own one level below this",
    ),
)
