"""Answers: what became of the commands so far, folded from the events that were kept, so that none is sent twice."""

from collections.abc import Iterable

from ads_ingest.responding.commands import REFUSED, SENDING, TAKEN, UNKNOWN, Asked, Result
from dotbus.contracts.messages import InstructionAnswered, InstructionResponse, KnownInstruction

REMEMBERED = 10_000
_OTHER = Result(REFUSED, "another command had this command_id before; nothing was sent", "message")
_LOST = "CAISO was asked, and what it answered is not known: it may have taken it"


_Content = tuple[str, str, str, float | None, int | None]
"""What a command asks for."""


class Answers:
    """The last commands and what became of them, the oldest forgotten first. For one thread.

    Args:
        kept: the events of before, in their order; after a restart those that the outbox has.
    """

    def __init__(self, kept: Iterable[InstructionAnswered] = ()) -> None:
        self._results: dict[tuple[str, str, str], tuple[_Content, Result]] = {}
        self._taken: dict[str, InstructionAnswered] = {}
        for event in kept:
            self.note(event)

    def note(self, event: InstructionAnswered) -> None:
        """Something became of a command."""
        key = (event.plant, event.resource_id, event.command_id)
        if event.outcome == SENDING and key in self._results:
            return  # said again, after its result
        result = Result(event.outcome, event.detail, event.refused_by, event.result_code)
        self._results[key] = _content(event.action, event), Result(UNKNOWN, _LOST) if event.outcome == SENDING else result
        before = self._taken.get(event.instruction_uid)
        if event.outcome == TAKEN and (before is None or before.time <= event.time):
            self._taken[event.instruction_uid] = event
        if len(self._results) > REMEMBERED:
            del self._results[next(iter(self._results))]
        if len(self._taken) > REMEMBERED:
            del self._taken[next(iter(self._taken))]

    def result_of(self, asked: Asked) -> Result | None:
        """What became of the same command before; None when it is new. One that asks something else is none of that name."""
        known = self._results.get((asked.plant, asked.resource_id, asked.id))
        if known is None:
            return None
        content, result = known
        return result if content == _content(asked.action, asked.command) else _OTHER

    def taken(self, known: KnownInstruction) -> tuple[str, float | None] | None:
        """The answer to an instruction that CAISO took and has not told yet: how, and with which megawatts.

        What CAISO says afterwards counts instead: it may have changed the instruction, which is to be answered anew then.
        """
        event = self._taken.get(known.instruction_uid)
        return None if event is None or known.told_at > event.time else (event.action, event.accept_dot_mw)


def _content(action: str, of: InstructionAnswered | InstructionResponse) -> _Content:
    return action, of.batch_uid, of.instruction_uid, of.accept_dot_mw, of.reason_code
