"""Log of answers: every command and what became of it in the outbox, what others said, and what of it has to be remembered.

What other instances said became of commands is kept beside the outbox's cursors for the next start.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from enum import Enum

import msgspec

from ads_ingest.publishing import kept_events
from ads_ingest.responding.answers import Answers, Begun
from ads_ingest.responding.checks import Situation, refusal
from ads_ingest.responding.commands import ELSEWHERE, SENDING, UNKNOWN, Asked, Result, event_of, key_of, named
from ads_ingest.responding.rules import automatic_answers
from ads_ingest.translate import Sender
from dotbus.contracts.codec import UndecodableMessage, decode_as, encode
from dotbus.contracts.messages import InstructionAnswered, KnownInstruction
from dotbus.runtime.installation.answers import AcceptanceRule
from dotbus.runtime.logs import get_logger
from dotbus.runtime.outbox.outbox import Outbox

HEARD_MOST = 1000
"""More than are answered while an instruction can be: the oldest is overwritten."""
_PREFIX = "answered-elsewhere/"
EVENT_IDS = "response/"
SILENT_MOST = timedelta(minutes=10)
"""How long an instance may ask CAISO of which the broker never said whether it is there: longer than what may wait there."""
_ENDED = "the process ended while CAISO was asked: it may have taken the answer, which is not sent again by itself"
_GONE = "{} went while it asked CAISO, which may have taken the answer; it is not sent again by itself"
_LEFT = Result(ELSEWHERE, "another instance has said what became of it")
_RESULT = "result"


class HeardAnswers:
    """The last things that others said, as many as are needed. For one thread.

    Args:
        outbox: has notes; its own events are not here.

    Raises:
        sqlite3.Error: it cannot be read.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        places = sorted(self._places(), key=lambda each: each[1].time)
        self._kept = [event for _place, event in places]
        self._ids = {event.id for event in self._kept}
        self._next = places[-1][0] + 1 if places else 0

    def read(self) -> list[InstructionAnswered]:
        """What was kept before this start, in the order of its times."""
        return self._kept

    def keep(self, event: InstructionAnswered) -> None:
        """Keep what was heard, once however often it is said.

        Raises:
            sqlite3.Error: the disk is full or broken; it was not kept.
        """
        if event.id in self._ids:
            return
        self._outbox.keep_note(f"{_PREFIX}{self._next % HEARD_MOST}", encode(event).decode())
        self._next += 1
        self._ids = {event.id} if len(self._ids) >= 2 * HEARD_MOST else self._ids | {event.id}

    def _places(self) -> Iterator[tuple[int, InstructionAnswered]]:
        for name, text in self._outbox.notes(_PREFIX).items():
            with suppress(UndecodableMessage):  # of another version of this software
                yield int(name.removeprefix(_PREFIX)), decode_as(text.encode(), InstructionAnswered)


class Claim(Enum):
    """Who may ask CAISO."""

    OURS = "ours"
    ELSEWHERE = "elsewhere"
    BEHIND = "behind"
    NOT_TOLD = "not told"


class AnswerLog:
    """What became of each command, here and elsewhere. For any number of threads.

    That CAISO is to be asked is kept before it is (`sending`), and what became of it after. Where a process before us ended
    between the two nobody knows: that is kept as its result now.

    Args:
        outbox: where the events are kept, and what others said.
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
        self._heard = HeardAnswers(outbox)
        self._changed = threading.Condition()
        self._log = get_logger("responding")
        self._answers = Answers(source=sender.source)
        self._take_up()

    def _take_up(self) -> None:
        own = list(kept_events(self._outbox, EVENT_IDS, InstructionAnswered))
        for event in sorted([*own, *self._heard.read()], key=lambda event: event.time):
            self._answers.note(event)
        lost = [self._closed(event) for event in _without_end(own)]
        for event in lost:
            self._log.warning("it is not known whether CAISO took an answer", cause=event.detail, **named(event))
            self._answers.note(event)
        self._commit(lost)

    def _closed(self, sending: InstructionAnswered) -> InstructionAnswered:
        """The end of what had none: what another instance said of it before stands."""
        result = _LEFT if self._answers.has_result(key_of(sending)) else Result(UNKNOWN, _ENDED)
        return _ended(sending, result, sending.source, sending.id.rpartition("/")[0], self._clock())

    def begin(self, asked: Asked) -> Begun | Result:
        """A command came; as `Answers.begin`."""
        with self._changed:
            return self._answers.begin(asked)

    def result_of(self, asked: Asked) -> Result | None:
        """What became of a command, once nothing goes on here for it any more; None before."""
        with self._changed:
            return None if self._answers.is_ours(asked) else self._answers.result_of(asked)

    def judge(self, asked: Asked, known: Sequence[KnownInstruction], caiso_now: datetime) -> Result | None:
        """Why an answer is not sent; None when it can be.

        Args:
            asked: the answer.
            known: what is instructed to its resource.
            caiso_now: the time by CAISO's clock.
        """
        with self._changed:
            situation = Situation(self._sender.installation, known, self._answers, self._clock(), caiso_now)
            return refusal(asked, situation)

    def automatic(self, known: Mapping[str, Sequence[KnownInstruction]]) -> list[tuple[Asked, AcceptanceRule]]:
        """The answers that the configured rules give now, as `automatic_answers`."""
        with self._changed:
            return list(automatic_answers(known, self._answers, self._sender, self._clock()))

    def keep(self, asked: Asked, result: Result) -> None:
        """On the disk, and remembered; `sending` is remembered when it is heard from the broker.

        Raises:
            sqlite3.Error: it is not on the disk. A result is remembered all the same.
        """
        event = event_of(asked, result, self._sender, self._clock())
        if result.outcome != SENDING:
            self._note(event)
        self._commit([event])

    def claim(self, asked: Asked, told_within_s: float, turn_within_s: float) -> Claim:
        """Wait until the broker has brought back to us that we ask CAISO, and it is our turn.

        Every instance hears in the broker's order who asks. Of one command the first asks CAISO; of one instruction one after
        the other does.

        Args:
            asked: begun, and kept as `sending`.
            told_within_s: how long the broker may take.
            turn_within_s: how long another instance's answer to the same instruction is waited for.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._answers.has_claimed(asked), told_within_s):
                return Claim.NOT_TOLD
            if self._answers.is_elsewhere(asked):
                return Claim.ELSEWHERE
            is_turn = self._changed.wait_for(lambda: not self._answers.is_behind(asked), turn_within_s)
            return Claim.OURS if is_turn else Claim.BEHIND

    def hear(self, event: InstructionAnswered) -> None:
        """The broker brought what an instance said. Others' words are kept, for the next start.

        Raises:
            sqlite3.Error: it is not on the disk. It is remembered all the same.
        """
        is_own = event.source == self._sender.source
        if not is_own or event.outcome == SENDING:
            self._note(event)
        if not is_own:
            self._heard.keep(event)

    def give_up(self, is_gone: Callable[[str], bool | None], *, tell: bool) -> list[InstructionAnswered]:
        """Where an instance went while it asked CAISO nobody knows: that is the result. Returns what was found so.

        Args:
            is_gone: whether an instance is not there any more; None when the broker never said of it.
            tell: whether we are the one to tell it.
        """
        now = self._clock()
        with self._changed:
            open_claims = list(self._answers.claims_of_others())
        gone = [event for event in open_claims if _is_over(is_gone(event.source), now - event.time)]
        found = [self._given_up(event, now) for event in gone]
        for event in found:
            self._note(event)
        try:
            self._commit(found if tell else [])
        except sqlite3.Error as error:  # who waits is told nevertheless, and the instance that went says the same at its start
            self._log.error("what became of another instance's answers is not kept", cause=str(error))
        return found

    def _given_up(self, claim: InstructionAnswered, now: datetime) -> InstructionAnswered:
        which = f"{claim.id.rpartition('/')[0]}/{self._sender.source}"
        return _ended(claim, Result(UNKNOWN, _GONE.format(claim.source)), self._sender.source, which, now)

    def _note(self, event: InstructionAnswered) -> None:
        with self._changed:
            self._answers.note(event)
            self._changed.notify_all()

    def _commit(self, events: Sequence[InstructionAnswered]) -> None:
        if events:
            topics = self._sender.installation.topics
            told = [(topics.response(event.plant, event.resource_id), event) for event in events]
            self._outbox.commit(self._clock(), events=told)
            self._committed()


def _without_end(own: Sequence[InstructionAnswered]) -> list[InstructionAnswered]:
    """What we said that CAISO is asked, and no more."""
    ended = {event.id.rpartition("/")[0] for event in own if event.outcome != SENDING}
    return [event for event in own if event.outcome == SENDING and event.id.rpartition("/")[0] not in ended]


def _is_over(is_gone: bool | None, since: timedelta) -> bool:  # noqa: FBT001  # what the broker said, or nothing
    return since >= SILENT_MOST if is_gone is None else is_gone


def _ended(sending: InstructionAnswered, result: Result, source: str, which: str, now: datetime) -> InstructionAnswered:
    stage = ELSEWHERE if result.outcome == ELSEWHERE else _RESULT
    return msgspec.structs.replace(
        sending,
        source=source,
        id=f"{which}/{stage}",
        time=now,
        outcome=result.outcome,
        detail=result.detail,
        stream="",
        seq=0,
        response_seq=None,
    )
