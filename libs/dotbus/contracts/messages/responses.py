"""How a plant answers an instruction: the command, what became of it, and the same as an event that is kept."""

from enum import StrEnum

from dotbus.contracts.messages.envelope import Command, Event, Int32, NonEmpty, Seq, Utc


class InstructionAction(StrEnum):
    """The three answers to an instruction (ADS specification, section 3)."""

    ACCEPT = "accept"
    DECLINE = "decline"
    PARTIAL = "partial"


class InstructionResponse(Command, frozen=True, kw_only=True, tag="respond"):
    """Answer an instruction, on the topic of its plant and resource that ends in the action.

    Nobody who hears it can see which user of the broker sent it: `source` and `requested_by` are what the sender says of
    itself. What is proven is that the broker let it publish there, which its access list allows to the plant's own user alone.
    `environment` must be that of the installation, so that an answer for a test never reaches CAISO's market.

    Attributes:
        batch_uid: the batch of the instruction.
        instruction_uid: the instruction.
        action: accept, decline or accept in part; as the topic says.
        accept_dot_mw: how much is accepted in part, between 0 and the DOT.
        reason_code: why it is declined or accepted in part: 10 to 16 (ADS specification, section 6).
        requested_by: who answers, as the sender says: a person's or a program's name.
        asked_by: whom the sender asks for, as proven to it: of a gateway the subject of its client's certificate. Null where
            the sender asks by itself, or nobody proved anything to it.
        asked_from: the network address of whom it asks for, which proves nothing.
        command_id: chosen by the sender. The same command again, with the same id, is answered with what became of the first;
            another content under it is refused. Without one, the content of the command takes its place, `time` included.
        expires_at: when it is too late to send it; without it five minutes after `time`.
    """

    batch_uid: str
    instruction_uid: str
    action: InstructionAction
    accept_dot_mw: float | None = None
    reason_code: Int32 | None = None
    requested_by: str
    asked_by: NonEmpty | None = None
    asked_from: NonEmpty | None = None
    command_id: NonEmpty | None = None
    expires_at: Utc | None = None


class InstructionResponseReply(Command, frozen=True, kw_only=True, tag="respond-reply"):
    """What became of an answer. It goes to the command's response topic with its correlation data.

    Attributes:
        batch_uid: the batch of the instruction; empty when the command could not be read.
        instruction_uid: the instruction; empty when the command could not be read.
        result_code: CAISO's answer, 0 to 5 of ADS section 1.3; null when CAISO was not asked, or did not answer.
        detail: what happened, in words for a person.
        outcome: taken (CAISO accepts the answer), refused (`refused_by` says by what), unknown (CAISO was asked and did not
            answer: it may have taken it; the resource's `instructions` state will tell), or dry-run. Null from a source of
            before this field.
        refused_by: what refused it: a check of the command (message, topic, environment, time, expired, instruction, window,
            megawatts, reason, repeated, answered); what stands in its way now, so that another command may pass (account, busy,
            outbox, broker, unreachable, fault); or caiso. Later versions may know more.
        command_id: the command's, or what took its place; null when the command could not be read.
    """

    batch_uid: str
    instruction_uid: str
    result_code: Int32 | None
    detail: str
    outcome: NonEmpty | None = None
    refused_by: NonEmpty | None = None
    command_id: NonEmpty | None = None


class InstructionAnswered(Event, frozen=True, kw_only=True, tag="response"):
    """A command to answer an instruction and what became of it, those that were refused or given by a rule included.

    A command that is sent to CAISO has two: one with the outcome `sending` before, and one with the result after it. Where the
    second is missing the process ended between them, and CAISO may have taken the answer. Where several instances say
    `sending` of one command, the first asks CAISO and tells the result, and each other one says `elsewhere`.

    Attributes:
        plant: the plant of the topic that the command came on, or that claims the resource.
        response_seq: counts the plant's response events, from 1 without gaps within `stream`.
        resource_id: the resource of the topic.
        command_id: tells the command from all others of its resource.
        action: the last word of the command's topic: accept, decline or partial.
        batch_uid: the batch that the command names.
        instruction_uid: the instruction that it names.
        accept_dot_mw: the megawatts that it names.
        reason_code: the reason that it names.
        requested_by: who answers, as the command says; nobody has proven it.
        requested_from: the `source` that the command says; nobody has proven it.
        requested_at: the command's `time`.
        asked_by: whom the sender asked for, as the command says.
        asked_from: the network address of whom it asked for, as the command says.
        rule: the rule of the configuration that gave the answer; null when it was a command.
        outcome: taken, refused, unknown or dry-run, as of a reply; sending before, and elsewhere where another instance tells.
            Of several results of one command taken counts before refused, and that before unknown.
        refused_by: what refused it, as of a reply.
        result_code: CAISO's answer, 0 to 5 of ADS section 1.3.
        detail: what happened, in words for a person.
    """

    plant: str
    response_seq: Seq | None = None
    resource_id: str
    command_id: NonEmpty
    action: NonEmpty
    batch_uid: str
    instruction_uid: str
    accept_dot_mw: float | None = None
    reason_code: Int32 | None = None
    requested_by: str
    requested_from: str
    requested_at: Utc
    asked_by: NonEmpty | None = None
    asked_from: NonEmpty | None = None
    rule: NonEmpty | None = None
    outcome: NonEmpty
    refused_by: NonEmpty | None = None
    result_code: Int32 | None = None
    detail: str
