"""History: every backfill, what it waits for, and how it survives a restart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec

from caiso.oasis import OasisFailure, Question, Remedy, has_no_data
from dotbus.contracts.messages import Backfill, BackfillRequest, Environment
from dotbus.runtime.logs import get_logger
from lmp_ingest.history import backfill as of
from lmp_ingest.history.backfill import BackfillRefused
from lmp_ingest.known.price_block import PriceBlock, nothing

NOTE: Final = "backfill "
"""With it begin the names under which the outbox keeps them."""
MOST_RUNNING: Final = 20
MOST_ENDED: Final = 20
ENDED_SHOWN_FOR: Final = timedelta(days=1)
TRIES: Final = 5
"""A question that may be answered yet is asked so often before it is given up."""
Notes = Mapping[str, str | None]


@dataclass(frozen=True)
class _Kept:
    """A backfill, its next question, and how often that failed."""

    backfill: Backfill
    question: Question | None
    failures: int = 0
    not_before: datetime | None = None


class History:
    """The backfills.

    Args:
        environment: the CAISO that is asked.
        notes: what was kept of them before a restart, by its name in the outbox.
    """

    def __init__(self, environment: Environment, notes: Mapping[str, str]) -> None:
        self._environment = environment
        self._kept: dict[str, _Kept] = {}
        self._log = get_logger("history")
        for text in notes.values():
            self._restore(text)

    def _restore(self, text: str) -> Backfill | None:
        try:
            known = msgspec.json.decode(text, type=Backfill)
        except msgspec.DecodeError:
            return None  # of another version of dotbus
        self._kept.pop(known.request_id, None)  # its turn comes after all others'
        self._kept[known.request_id] = _Kept(known, of.next_question(known))
        return known

    def shown(self, now: datetime) -> tuple[Backfill, ...]:
        """How far each is; those that ended long ago are not told any more."""
        return tuple(
            kept.backfill
            for kept in list(self._kept.values())
            if kept.backfill.ended_at is None or now - kept.backfill.ended_at < ENDED_SHOWN_FOR
        )

    def take(self, request: BackfillRequest, now: datetime) -> tuple[str, Notes]:
        """Begin or stop a backfill. Returns what becomes of it in words, and what the outbox is to keep, see `noted`.

        Raises:
            BackfillRefused: it is not done.
        """
        known = self._kept.get(request.request_id)
        running = known.backfill if known and known.question else None
        if request.cancel:
            if running is None:
                raise BackfillRefused(f"no backfill {request.request_id} is running")
            return "stopped", _notes([of.stopped(running, now)])
        if running and not of.is_same(running, request, now):
            raise BackfillRefused(f"another one is running as {request.request_id}: choose another id")
        if running:
            return f"it is running already: {running.requests_done:,} of {running.requests:,} requests are done", {}
        if sum(1 for kept in self._kept.values() if kept.question) >= MOST_RUNNING:
            raise BackfillRefused(f"{MOST_RUNNING} are running already")
        new = of.begun(request, self._environment, now)
        requests = f"{new.requests:,} request{'' if new.requests == 1 else 's'}"
        return f"{requests} to CAISO, while nothing else is to be asked", {**self._ended_first(), **_notes([new])}

    def next_question(self, now: datetime) -> Question | None:
        """What is to be asked now, if anything.

        They take turns, so that a short one does not wait for one of years; one that waits for an answer holds up none.
        """
        kept = list(self._kept.values())
        return next((one.question for one in kept if one.question and (one.not_before is None or one.not_before <= now)), None)

    def answered(self, question: Question, block: PriceBlock, now: datetime) -> Notes:
        """What an answer makes of those that asked for it, for the outbox to keep with the prices, see `noted`."""
        return _notes([of.answered(kept.backfill, question, block, now) for kept in self._of(question)])

    def failed(self, question: Question, failure: OasisFailure, again_at: datetime, now: datetime) -> Notes:
        """The same of a question that CAISO did not answer, or said that it has none; those that try again do so later."""
        given_up: list[Backfill] = []
        for kept in self._of(question):
            if has_no_data(failure):
                given_up.append(of.answered(kept.backfill, question, nothing(question.market, now), now))
            elif failure.remedy is Remedy.GIVE_UP or (failure.remedy is Remedy.RETRY and kept.failures + 1 >= TRIES):
                given_up.append(of.failed(kept.backfill, question, failure.cause, now))
            else:
                counted = kept.failures + (failure.remedy is Remedy.RETRY)
                waiting = msgspec.structs.replace(kept.backfill, detail=failure.cause)
                self._kept[waiting.request_id] = _Kept(waiting, kept.question, counted, again_at)
        return _notes(given_up)

    def noted(self, notes: Notes) -> None:
        """The outbox has kept it: from now on it is so."""
        for name, text in notes.items():
            if text is None:
                del self._kept[name.removeprefix(NOTE)]
            elif known := self._restore(text):
                self._tell_end(known)

    def _tell_end(self, backfill: Backfill) -> None:
        if backfill.ended_at:
            self._log.info(
                "a backfill ended",
                id=backfill.request_id,
                prices=backfill.prices,
                missing=_said(backfill.missing),
                unpublished=_said(backfill.unpublished),
                detail=backfill.detail,
            )

    def _of(self, question: Question) -> Sequence[_Kept]:
        """Those whose next question it is: what two of them ask for is asked once."""
        return [kept for kept in self._kept.values() if kept.question == question]

    def _ended_first(self) -> Notes:
        """The notes to be forgotten when there are many that ended."""
        ended = [kept.backfill for kept in self._kept.values() if kept.backfill.ended_at]
        ended.sort(key=lambda one: one.ended_at or one.end)
        return {NOTE + one.request_id: None for one in ended[: max(0, len(ended) - MOST_ENDED + 1)]}


def _said(spans: Sequence[tuple[datetime, datetime]]) -> list[str]:
    return [f"{start:%Y-%m-%dT%H:%MZ}/{end:%Y-%m-%dT%H:%MZ}" for start, end in spans]


def _notes(backfills: Sequence[Backfill]) -> Notes:
    return {NOTE + one.request_id: msgspec.json.encode(one).decode() for one in backfills}
