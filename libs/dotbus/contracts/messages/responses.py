"""How a plant answers an instruction. Reserved: no service acts on it yet."""

from enum import StrEnum

from dotbus.contracts.messages.envelope import Command, Int32


class InstructionAction(StrEnum):
    """The three answers to an instruction (ADS specification, section 3)."""

    ACCEPT = "accept"
    DECLINE = "decline"
    PARTIAL = "partial"


class InstructionResponse(Command, frozen=True, kw_only=True, tag="respond"):
    """Answer an instruction.

    Attributes:
        batch_uid: the batch of the instruction.
        instruction_uid: the instruction.
        action: accept, decline or accept in part.
        accept_dot_mw: how much is accepted in part.
        reason_code: why it is declined or accepted in part: 10 to 16 (ADS specification, section 6).
        requested_by: who answers.
    """

    batch_uid: str
    instruction_uid: str
    action: InstructionAction
    accept_dot_mw: float | None = None
    reason_code: Int32 | None = None
    requested_by: str


class InstructionResponseReply(Command, frozen=True, kw_only=True, tag="respond-reply"):
    """CAISO's answer.

    Attributes:
        batch_uid: the batch of the instruction.
        instruction_uid: the instruction.
        result_code: 0 to 5 of ADS section 1.3, null when CAISO was not reached.
        detail: what happened, in words for a person.
    """

    batch_uid: str
    instruction_uid: str
    result_code: Int32 | None
    detail: str
