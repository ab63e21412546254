"""Account: the answers of one ADS account, taken to CAISO one after the other, in a thread and on a connection of their own.

So neither a slow answer holds back the loop that follows the instructions, nor the loop an answer.
"""

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from ads_ingest.responding.answer_log import Claim
from ads_ingest.responding.checks import Check
from ads_ingest.responding.commands import ELSEWHERE, REFUSED, TAKEN, UNKNOWN, Asked, Result
from caiso.ads import AdsFailure, ResponseResult, UnknownUid, Unsendable
from dotbus.contracts.messages import InstructionAction
from dotbus.runtime.logs import get_logger

WAITING_MOST = 20
"""How many answers wait for CAISO at the most. Each may take as long as the time-out: the last of more would be too late."""
_NOT_TOLD = Result(
    REFUSED,
    "the broker did not bring back to us that CAISO is to be asked, so other instances may not know it; nothing was sent. "
    "Does its access list let this service read the response topics?",
    Check.BROKER.value,
)
_ELSEWHERE = Result(ELSEWHERE, "another instance was the first to say that it asks CAISO, and tells what became of it")
_BEHIND = Result(
    REFUSED, "another instance asks CAISO about this instruction and has no answer yet; nothing was sent", Check.BUSY.value
)
_STOPS = Result(REFUSED, "the service stops; nothing was sent", Check.BUSY.value)

Judge = Callable[[Asked], Result | None]
"""Why an answer is not sent; None when it can be."""
Settle = Callable[[Asked, Result], None]
"""Called with what became of an answer."""


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


class AccountAnswers:
    """Takes answers to CAISO as one account.

    Args:
        name: of the account, empty for the only one.
        caiso: who is asked.
        claim: waits until the other instances can know that CAISO is asked, and says whether we are the one to ask. While the
            broker is away what a rule gives is sent nevertheless: to lose it would be worse than to ask CAISO twice.
        judge: asked just before: what holds may have changed while the answer waited.
        settle: told what became of each. It must not raise.
        failed: told of each failure, for metrics.
        let_go: of the connection to CAISO, after each answer. The next may be hours away, and one that a firewall has forgotten
            by then would take it and give no answer: nobody would know what became of it.
    """

    def __init__(
        self,
        name: str,
        caiso: Responses,
        *,
        claim: Callable[[Asked], Claim],
        judge: Judge,
        settle: Settle,
        failed: Callable[[AdsFailure], None] = lambda _failure: None,
        let_go: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self._caiso = caiso
        self._claim = claim
        self._judge = judge
        self._settle = settle
        self._failed = failed
        self._let_go = let_go
        self._queue: queue.Queue[Asked | None] = queue.Queue(WAITING_MOST)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"answers-{name}", daemon=True)
        self._log = get_logger("responding").bind(account=name)

    @property
    def waiting(self) -> int:
        """How many answers wait."""
        return self._queue.qsize()

    @property
    def is_alive(self) -> bool:
        """Whether it still works; when not, only a restart can help."""
        return self._thread.is_alive()

    def put(self, asked: Asked) -> bool:
        """Let an answer wait for its turn. Returns whether there is room."""
        if self._stopping.is_set():
            return False
        try:
            self._queue.put_nowait(asked)
        except queue.Full:
            return False
        return True

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Let CAISO answer what it is asked, refuse what waits, and end."""
        self._stopping.set()
        with suppress(queue.Full):  # then it does not wait for anything
            self._queue.put_nowait(None)
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._next()
        while not self._queue.empty():
            self._next()

    def _next(self) -> None:
        asked = self._queue.get()
        if asked is not None:
            self._settle(asked, _STOPS if self._stopping.is_set() else self._result(asked))

    def _result(self, asked: Asked) -> Result:
        try:
            return self._withheld(asked) or self._judge(asked) or self._send(asked)
        except Exception as error:  # noqa: BLE001  # whoever asked must hear, and the next answer must go on
            self._log.exception("a fault of this software ended an answer; please report it", command_id=asked.id)
            return Result(UNKNOWN, f"a fault of this software: {error!r}; CAISO may have taken the answer")

    def _withheld(self, asked: Asked) -> Result | None:
        """Why it is not ours to ask CAISO; None when it is."""
        match self._claim(asked):
            case Claim.ELSEWHERE:
                return _ELSEWHERE
            case Claim.BEHIND:
                return _BEHIND
            case Claim.NOT_TOLD if asked.rule is None:
                return _NOT_TOLD
        return None

    def _send(self, asked: Asked) -> Result:
        try:
            return send(self._caiso, asked)
        except AdsFailure as failure:
            self._failed(failure)
            return failed(failure)
        finally:
            self._let_go()
