"""Dispatch: one round of the loop for dispatch batches (specification, section 4).

New batches are listed, fetched, kept and only then validated: a crash between any two steps leaves a batch that is asked for
again, or validated again, both of which the outbox and CAISO pass over. Batches whose interval has not ended come before the
backlog, and are asked for their revision until it has, because an emergency cancel comes as a revision.

A batch that cannot be had holds back the cursor and not the batches behind it. One that CAISO answers with something unusable
is given up after a few attempts: what an older revision of it said is withdrawn, because it may have been replaced, and the
batches behind it are settled. While its interval lasts it is asked for still, after a restart too, and the stream is not
well: it may have replaced any DOT.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ads_ingest.board import Board
from ads_ingest.books import DotBook
from ads_ingest.caiso import Caiso, ask_since
from ads_ingest.evidence import Evidence
from ads_ingest.faults import AdsFailure, Away, Outdated
from ads_ingest.files import LatestFiles
from ads_ingest.instruction_states import BatchType, Status
from ads_ingest.intervals import is_news, is_outdated, open_until
from ads_ingest.keeping import Keeper
from ads_ingest.receipts import Receipts
from ads_ingest.records import DispatchDocument, Question
from ads_ingest.translate import Sender, translate_dispatch
from ads_ingest.turns import Turns
from ads_ingest.watch import Watch
from dotbus.contracts.messages import Dispatch, DispatchBatchHeader, Dot

CURSOR = "dispatch"
BACKLOG_PER_ROUND = 25
AWAY_PER_ROUND = 2
ATTEMPTS = 3


@dataclass(frozen=True)
class _GivenUp:
    """A batch that CAISO answered with something unusable, again and again, and until when it may be in force."""

    why: AdsFailure
    until: datetime


class DispatchStream:
    """Follows the dispatch batches.

    Args:
        caiso: who is asked.
        keeper: where they go.
        sender: who passes them on.
        receipts: who tells CAISO that we have them.
        evidence: where unusable ones go.
        files: the latest batch for whoever reads files.
        recheck: how often an open batch is asked for its revision.
        clock: the wall clock.
    """

    def __init__(
        self,
        caiso: Caiso,
        keeper: Keeper[DotBook, Dot],
        sender: Sender,
        *,
        receipts: Receipts,
        evidence: Evidence,
        files: LatestFiles,
        recheck: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        self._caiso = caiso
        self._keeper = keeper
        self._sender = sender
        self._receipts = receipts
        self._evidence = evidence
        self._files = files
        self._clock = clock
        self._watch = Watch(recheck)
        self._turned = Turns()
        self._listed: Sequence[DispatchBatchHeader] = ()
        self._known: dict[str, DispatchBatchHeader] = {}
        self._attempts: dict[str, int] = {}
        self._given_up: dict[str, _GivenUp] = {}
        self._named: dict[str, frozenset[str]] = {}
        self._watch_kept(clock())

    def round(self) -> list[AdsFailure]:
        """Ask for what is new and for what may have changed. Returns what could not be had.

        Raises:
            AdsFailure: CAISO could not be asked for new batches.
            sqlite3.Error: the outbox cannot keep anything.
        """
        if self._turned.went_back(self._clock()):
            self._keeper.begin_anew()
            self._known.clear()
        listed, cursor = ask_since(self._caiso.fetch_batches_since, self._keeper.cursor)
        now = self._clock()
        self._keeper.heard_at = now
        if cursor != self._keeper.cursor:
            self._keeper.commit(now, (), cursor)
        self._evidence.of_problems("getDispatchBatchesSinceUID", listed.problems, listed.xml, now)
        self._listed = listed.headers
        failures = [*self._recheck(now)]  # first: a cancelled DOT must not look as if it had just been heard
        if not _is_away(failures):
            failures += self._take_new(now)
        self._keeper.board.complete |= not failures
        failures += self._unread(failures)
        self._keeper.commit(self._clock(), (), self._settled_to())
        self._forget_settled()
        if not _is_away(failures):
            self._receipts.send()
        return failures

    def _unread(self, told: Sequence[AdsFailure]) -> list[AdsFailure]:
        """What was given up and may be in force, besides what this round told."""
        now, names = self._clock(), {str(failure) for failure in told}
        return [lost.why for lost in self._given_up.values() if lost.until > now and str(lost.why) not in names]

    def _take_new(self, now: datetime) -> Iterator[AdsFailure]:
        new = [header for header in self._listed if is_news(header, self._known.get(header.batch_uid))]
        current = [header for header in new if _is_current(header, now)]
        backlog = [header for header in new if header not in current]
        away = 0
        for header in (*current, *backlog[:BACKLOG_PER_ROUND]):
            if failure := self._take(header):
                yield failure
                away += isinstance(failure, Away)
            if away >= AWAY_PER_ROUND:
                return

    def _recheck(self, now: datetime) -> Iterator[AdsFailure]:
        for watched in self._watch.due(now):
            try:
                header = self._caiso.fetch_header(watched.batch_uid)
            except Away as failure:
                yield failure
                return
            except AdsFailure as failure:
                yield failure
                if self._watch.note_failed(watched, now) >= ATTEMPTS:  # then the batch itself must tell whether it holds
                    self._take(watched.header or DispatchBatchHeader(batch_uid=watched.batch_uid))
                continue
            if not is_news(header, watched.header):
                self._watch.note_checked(watched, now)
            elif unusable := self._take(header):
                yield unusable  # what we hold is known to be old: due again in the next round

    def _take(self, header: DispatchBatchHeader) -> AdsFailure | None:
        """Fetch and keep one batch. Returns why not, unless it is to be given up."""
        self._named[header.batch_uid] = self._resources_of(header.batch_uid)
        if header.batch_status == Status.CANCELLED:
            withdraw(self._keeper.board, header.batch_uid)  # without waiting for a document that may not come
        try:
            document = self._caiso.fetch_batch(header.batch_uid)
        except Away as failure:
            return failure
        except AdsFailure as failure:
            return self._count(header, failure)
        if is_outdated(document.header, header):
            question = Question("getDispatchBatch", header.batch_uid)
            return self._count(header, Outdated(question, "an older revision than its header says", document.xml))
        self._keep(header, document)
        return None

    def _keep(self, header: DispatchBatchHeader, document: DispatchDocument) -> None:
        now = self._clock()
        batch_uid = header.batch_uid
        events = translate_dispatch(document, self._sender, now, self._named.get(batch_uid, frozenset()))
        fold(self._keeper.board, document, events)
        self._keeper.commit(now, events, self._settled_to(batch_uid))
        # The batch may be ahead of what was listed; a batch that lags behind does not come here.
        known = document.header if is_news(document.header, header) else header
        self._known[batch_uid] = known
        self._attempts.pop(batch_uid, None)
        self._given_up.pop(batch_uid, None)
        self._named[batch_uid] = frozenset(event.resource_id for event in events)
        self._watch.put(batch_uid, known, open_until(document.header, document.instructions), now)
        self._receipts.owe(batch_uid)
        self._evidence.of_problems(f"getDispatchBatch({batch_uid})", document.problems, document.xml, now)
        self._files.note_dispatch(document, self._keeper.board.books)

    def _count(self, header: DispatchBatchHeader, failure: AdsFailure) -> AdsFailure | None:
        batch_uid, now = header.batch_uid, self._clock()
        self._attempts[batch_uid] = self._attempts.get(batch_uid, 0) + 1
        if self._attempts[batch_uid] < ATTEMPTS:
            return failure
        if self._attempts[batch_uid] == ATTEMPTS:
            self._evidence.of_loss(failure, now)
        withdraw(self._keeper.board, batch_uid)
        self._given_up[batch_uid] = _GivenUp(failure, open_until(header) or now)
        self._known[batch_uid] = header
        self._watch.put_off(batch_uid, open_until(header), now)
        return None

    def _settled_to(self, also: str | None = None) -> str:
        """The last listed batch before the first one that is not settled yet: not had, or given up and still open."""
        cursor, now = self._keeper.cursor, self._clock()
        for header in self._listed:
            uid = header.batch_uid
            lost = self._given_up.get(uid)
            if uid != also and (is_news(header, self._known.get(uid)) or (lost and lost.until > now)):
                break
            cursor = header.batch_uid
        return cursor

    def _forget_settled(self) -> None:
        """Batches that are neither listed nor watched will not be spoken of again."""
        listed = {header.batch_uid for header in self._listed}
        for memory in (self._known, self._attempts, self._given_up, self._named):
            for batch_uid in [uid for uid in memory if uid not in listed and uid not in self._watch]:
                del memory[batch_uid]

    def _resources_of(self, batch_uid: str) -> frozenset[str]:
        """The resources that a batch has named, as far as that is known: a revision may leave some out."""
        books = self._keeper.board.books.items()
        held = {resource for resource, book in books if any(one.batch_uid == batch_uid for one in book.intervals)}
        return self._named.get(batch_uid, frozenset()) | held

    def _watch_kept(self, now: datetime) -> None:
        """After a restart: the batches of the kept DOTs are open until their intervals end, and may lack their receipt."""
        for book in self._keeper.board.books.values():
            for interval in book.intervals:
                known = DispatchBatchHeader(batch_uid=interval.batch_uid, revision_no=interval.revision_no)
                self._watch.put(interval.batch_uid, known, interval.interval_end, now, due_at_once=True)
                if interval.batch_uid in self._watch:
                    self._receipts.owe(interval.batch_uid)


def _is_current(header: DispatchBatchHeader, now: datetime) -> bool:
    until = open_until(header)
    # An out-of-sequence dispatch lasts as long as its instructions say, which its header does not tell.
    return until is None or until > now or header.batch_type == BatchType.OUT_OF_SEQUENCE


def _is_away(failures: Sequence[AdsFailure]) -> bool:
    return any(isinstance(failure, Away) for failure in failures)


def fold(board: Board[DotBook, Dot], document: DispatchDocument, events: Sequence[Dispatch]) -> None:
    """Put a batch into the books of its resources, and take it out of those that its revision no longer names."""
    for event in events:
        board.put(event.resource_id, board.book(event.resource_id).with_dispatch(event))
    withdraw(board, document.header.batch_uid, {event.resource_id for event in events})


def withdraw(board: Board[DotBook, Dot], batch_uid: str, keep: set[str] | frozenset[str] = frozenset()) -> None:
    """Take a batch out of every book but those to keep."""
    for resource_id, book in tuple(board.books.items()):
        if resource_id not in keep:
            board.put(resource_id, book.without_batch(batch_uid))
