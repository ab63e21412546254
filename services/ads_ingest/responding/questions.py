"""Questions: an answer to an instruction as CAISO is asked to take it, and what comes of that."""

from typing import Protocol

from ads_ingest.responding.checks import Check
from ads_ingest.responding.commands import REFUSED, TAKEN, UNKNOWN, Asked, Result
from caiso.ads import AdsFailure, ResponseResult, UnknownUid, Unsendable
from dotbus.contracts.messages import InstructionAction


class Responses(Protocol):
    """The operations of APIResponseWebService, as `caiso.ads.AdsClient` has them."""

    def accept_instruction(self, batch_uid: str, instruction_uid: str) -> ResponseResult:
        """Accept an instruction for its whole DOT."""
        ...

    def decline_instruction(self, batch_uid: str, instruction_uid: str, reason_code: int) -> ResponseResult:
        """Decline it."""
        ...

    def partial_accept_instruction(
        self, batch_uid: str, instruction_uid: str, accept_dot_mw: float, reason_code: int
    ) -> ResponseResult:
        """Accept a part of its DOT."""
        ...


def send(caiso: Responses, asked: Asked) -> Result:
    """Ask CAISO to take an answer that passed every check. Returns what it says.

    Raises:
        AdsFailure: it did not say.
    """
    result = _asked_of(caiso, asked)
    if result.is_success:
        return Result(TAKEN, f"CAISO has taken the answer: {result.words}", result_code=result.code)
    return Result(REFUSED, f"CAISO refuses: {result.words}", Check.CAISO.value, result.code)


def failed(failure: AdsFailure) -> Result:
    """What is known of an answer when CAISO was asked and said nothing usable.

    Only what certainly never left us, or what CAISO says it knows nothing of, is as good as not asked. After anything else it
    may have taken the answer, a fault and an HTTP status included: nobody has written down what ADS did before it failed.
    """
    if isinstance(failure, Unsendable):  # nor will it be: "unreachable" would have a rule try it again and again
        return Result(REFUSED, f"CAISO could not read it, nothing was sent: {failure.reason}", Check.MESSAGE.value)
    if failure.is_unsent:
        return Result(REFUSED, f"CAISO cannot be reached, nothing was sent: {failure.reason}", Check.UNREACHABLE.value)
    if isinstance(failure, UnknownUid):
        return Result(REFUSED, f"CAISO does not know the batch: {failure.reason}", Check.CAISO.value)
    return Result(UNKNOWN, f"CAISO was asked and did not say whether it took the answer: {failure.kind}: {failure.reason}")


def _asked_of(caiso: Responses, asked: Asked) -> ResponseResult:
    command = asked.command
    batch_uid, instruction_uid = command.batch_uid, command.instruction_uid
    match command.action, command.accept_dot_mw, command.reason_code:
        case InstructionAction.ACCEPT, _, _:
            return caiso.accept_instruction(batch_uid, instruction_uid)
        case InstructionAction.DECLINE, _, int(reason):
            return caiso.decline_instruction(batch_uid, instruction_uid, reason)
        case InstructionAction.PARTIAL, float(accept_dot_mw), int(reason):
            return caiso.partial_accept_instruction(batch_uid, instruction_uid, accept_dot_mw, reason)
    raise ValueError(f"{command.action} without what CAISO needs for it")  # the checks come before
