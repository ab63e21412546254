"""A CAISO that answers slowly, lies and forgets, and remembers what it has told: for rules that hold whatever it does."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from ads_fake import Batch
from ads_replies import envelope, escaped, fault, packed

from caiso.ads.errors import HttpRefused, TimedOut
from caiso.ads.records import Question, Reply

TIME_OUT = timedelta(seconds=30)


class Lie(Enum):
    """What may be wrong with the answers about one batch."""

    REFUSED = "HTTP 503"
    FAULT = "a SOAP fault"
    SLOW = "no reply within the time-out"
    DAMAGED = "no document"
    OLD = "what it was one revision ago"


class Killed(BaseException):
    """The process of the ingest is gone, here and now."""


@dataclass
class LyingAds:
    """Holds every revision of each batch, and answers with the newest unless it is told to lie.

    Attributes:
        later: lets time pass.
        now: the time.
        revisions: of each batch, the oldest first.
        order: of the list, a batch that was revised possibly again at its end.
        lies: by operation and batch; a lie about the list is under the UID "".
        forgotten: batches that it does not know any more.
        said: the highest revision of each batch that an answer contained, and its status.
        documents: what each document said that it answered with: batch and revision to status and megawatts.
        denied: batches of which the last answer was that it knows none, or none that can be read.
        listed: the last answer to the question for new batches, None when there was none.
        failed: when an answer about a batch was of no use.
        kill_after: how many more questions the ingest lives to ask.
    """

    later: Callable[[timedelta], None]
    now: Callable[[], datetime]
    revisions: dict[str, list[Batch]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    lies: dict[tuple[str, str], Lie] = field(default_factory=dict)
    forgotten: set[str] = field(default_factory=set)
    said: dict[str, tuple[int, int]] = field(default_factory=dict)
    documents: dict[tuple[str, int], Batch] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    listed: list[Batch] | None = None
    failed: dict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    kill_after: int | None = None
    clock_offset_s: float = 0.0

    def add(self, batch: Batch, *, relist: bool = True) -> None:
        """A batch is new, or revised."""
        self.revisions.setdefault(batch.batch_uid, []).append(batch)
        if relist or batch.batch_uid not in self.order:
            self.order = [uid for uid in self.order if uid != batch.batch_uid] + [batch.batch_uid]

    def fetch(self, question: Question) -> Reply:
        """As the source does."""
        if self.kill_after is not None:
            self.kill_after -= 1
            if self.kill_after < 0:
                raise Killed
        if question.operation == "getDispatchBatchesSinceUID":
            return self._list(question)
        if question.operation == "validateDispatchBatch":
            return Reply(question, 200, b"<E:Envelope xmlns:E='e'><E:Body><r/></E:Body></E:Envelope>", self.clock_offset_s)
        return self._about_one(question)

    def knows(self, uid: str) -> bool:
        """Whether it would answer about a batch."""
        return uid in self.revisions and uid not in self.forgotten

    def _list(self, question: Question) -> Reply:
        self.listed = None
        self._fail(question, self.lies.get((question.operation, "")))
        known = [uid for uid in self.order if self.knows(uid)]
        if question.batch_uid not in {"-1", *known}:
            return Reply(question, 200, fault("unknown batch"), self.clock_offset_s)
        since = known[known.index(question.batch_uid) + 1 :] if question.batch_uid in known else known
        self.listed = [self._answer(question.operation, uid) for uid in since]
        for batch in self.listed:
            self._say(batch)
        listed = "".join(batch.xml(whole=False) for batch in self.listed)
        xml = f"<APIDispatchResponse><dispatchBatchList>{listed}</dispatchBatchList></APIDispatchResponse>"
        return Reply(question, 200, envelope(question.operation, escaped(xml.encode())), self.clock_offset_s)

    def _about_one(self, question: Question) -> Reply:
        uid, lie = question.batch_uid, self.lies.get((question.operation, question.batch_uid))
        if not self.knows(uid) or lie in {Lie.FAULT, Lie.DAMAGED}:
            self.failed[uid].append(self.now())
            self.denied.add(uid)
            body = b"<not-soap" if self.knows(uid) and lie is Lie.DAMAGED else fault("unknown batch")
            return Reply(question, 200, body, self.clock_offset_s)
        self._fail(question, lie)
        batch, whole = self._answer(question.operation, uid), question.operation == "getDispatchBatch"
        self._say(batch)
        if whole:
            self.documents[uid, batch.revision_no] = batch
        xml = batch.xml(whole=whole).encode()
        return Reply(question, 200, envelope(question.operation, packed(xml) if whole else escaped(xml)), self.clock_offset_s)

    def _fail(self, question: Question, lie: Lie | None) -> None:
        if lie in {Lie.SLOW, Lie.REFUSED}:
            self.failed[question.batch_uid].append(self.now())
        if lie is Lie.SLOW:
            self.later(TIME_OUT)
            raise TimedOut(question, "no reply within 30 s")
        if lie is Lie.REFUSED:
            raise HttpRefused(question, "status 503")

    def _answer(self, operation: str, uid: str) -> Batch:
        is_old = self.lies.get((operation, uid)) is Lie.OLD and len(self.revisions[uid]) > 1
        return self.revisions[uid][-2 if is_old else -1]

    def _say(self, batch: Batch) -> None:
        self.denied.discard(batch.batch_uid)
        self.said[batch.batch_uid] = max(self.said.get(batch.batch_uid, (0, 0)), (batch.revision_no, batch.status))
