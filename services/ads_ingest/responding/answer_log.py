"""Log of answers: every command and what became of it in the outbox, and what of it has to be remembered."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from ads_ingest.kept_events import kept_events
from ads_ingest.responding.answers import Answers
from ads_ingest.responding.checks import Situation, refusal
from ads_ingest.responding.commands import SENDING, UNKNOWN, Asked, Result, event_of
from ads_ingest.responding.rules import automatic_answers
from ads_ingest.translate import Sender
from dotbus.contracts.messages import InstructionAnswered, KnownInstruction
from dotbus.runtime.installation_answers import AcceptanceRule
from dotbus.runtime.logs import get_logger
from dotbus.runtime.outbox import Outbox

EVENT_IDS = "response/"
_ENDED = "the process ended while CAISO was asked: it may have taken the answer, which is not sent again by itself"
_RESULT = "result"
_LOOK_EVERY_S = 0.01


class AnswerLog:
    """What became of each command. For any number of threads.

    An answer is kept before CAISO is asked (`sending`), and what became of it after. Where a process before us ended between
    the two nobody knows: that is kept as its result now.

    Args:
        outbox: where the events are kept.
        sender: who says them.
        committed: called when there is something new to deliver.
        clock: the wall clock.

    Raises:
        sqlite3.Error: the outbox cannot be read, or keeps nothing.
    """

    def __init__(self, outbox: Outbox, sender: Sender, *, committed: Callable[[], None], clock: Callable[[], datetime]) -> None:
        self._outbox = outbox
        self._sender = sender
        self._committed = committed
        self._clock = clock
        self._lock = threading.Lock()
        self._log = get_logger("responding")
        self._answers = Answers()
        self._take_up()

    def _take_up(self) -> None:
        last: dict[str, InstructionAnswered] = {}
        for event in kept_events(self._outbox, EVENT_IDS, InstructionAnswered):
            self._answers.note(event)
            which = event.id.rpartition("/")[0]
            if event.outcome != SENDING or which not in last:
                last[which] = event
        lost = [_without_result(event, self._clock()) for event in last.values() if event.outcome == SENDING]
        for event in lost:
            self._log.warning("it is not known whether CAISO took an answer", cause=_ENDED, **_named(event))
            self._answers.note(event)
        self._commit(lost)

    def result_of(self, asked: Asked) -> Result | None:
        """What became of the same command before; None when it is new."""
        with self._lock:
            return self._answers.result_of(asked)

    def judge(self, asked: Asked, known: Sequence[KnownInstruction], caiso_now: datetime) -> Result | None:
        """Why an answer is not sent; None when it can be.

        Args:
            asked: the answer.
            known: what is instructed to its resource.
            caiso_now: the time by CAISO's clock.
        """
        with self._lock:
            situation = Situation(self._sender.installation, known, self._answers, self._clock(), caiso_now)
            return refusal(asked, situation)

    def automatic(self, known: Mapping[str, Sequence[KnownInstruction]]) -> list[tuple[Asked, AcceptanceRule]]:
        """The answers that the configured rules give now, as `automatic_answers`."""
        with self._lock:
            return list(automatic_answers(known, self._answers, self._sender, self._clock()))

    def keep(self, asked: Asked, result: Result) -> None:
        """On the disk, and remembered; `sending` is remembered by whoever asks, until there is a result.

        Raises:
            sqlite3.Error: it is not on the disk. A result is remembered all the same.
        """
        event = event_of(asked, result, self._sender, self._clock())
        if result.outcome != SENDING:
            self.note(event)
        self._commit([event])

    def is_told(self, asked: Asked, within_s: float) -> bool:
        """Wait until the broker has it that CAISO is asked: every other instance hears that before a later command.

        Returns whether it had it in time.
        """
        event_id = event_of(asked, Result(SENDING, ""), self._sender, self._clock()).id
        deadline_s = time.monotonic() + within_s
        while not (is_published := self._outbox.is_published(event_id)) and time.monotonic() < deadline_s:
            time.sleep(_LOOK_EVERY_S)
        return is_published

    def note(self, event: InstructionAnswered) -> None:
        """Another instance answered, or we did."""
        with self._lock:
            self._answers.note(event)

    def _commit(self, events: Sequence[InstructionAnswered]) -> None:
        if events:
            topics = self._sender.installation.topics
            told = [(topics.response(event.plant, event.resource_id), event) for event in events]
            self._outbox.commit(self._clock(), events=told)
            self._committed()


def _named(event: InstructionAnswered) -> Mapping[str, object]:
    """What a line of the log says of an answer."""
    return {
        "action": event.action,
        "resource_id": event.resource_id,
        "instruction_uid": event.instruction_uid,
        "requested_by": event.requested_by,
        "command_id": event.command_id,
    }


def _without_result(event: InstructionAnswered, now: datetime) -> InstructionAnswered:
    which = event.id.rpartition("/")[0]
    return msgspec.structs.replace(
        event, id=f"{which}/{_RESULT}", time=now, outcome=UNKNOWN, detail=_ENDED, stream="", seq=0, response_seq=None
    )
