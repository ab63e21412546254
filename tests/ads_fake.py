"""An ADS web service in memory, for tests of the loop: bytes as from the real one, and failures where they are wanted."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from ads_replies import envelope, escaped, fault, packed

from caiso.ads.records import Question, Reply

Trouble = Exception | bytes


@dataclass
class Batch:
    """A dispatch batch of one DOT for each resource.

    Attributes:
        detail: XML of the segments of each instruction.
        told: more XML of each instruction.
        head: more XML of the header.
        also: XML of more instructions.
    """

    batch_uid: str
    start_at: datetime
    dots_mw: dict[str, float]
    revision_no: int | None = 1
    status: int | None = 1
    batch_type: int = 0
    detail: str = ""
    told: str = ""
    head: str = ""
    also: str = ""
    instruction_type: int = 0

    def xml(self, *, whole: bool) -> str:
        """The document, with its instructions or without."""
        inside = "".join(
            f"<instruction instructionUID='{self.batch_uid}-{resource}'><resourceId>{resource}</resourceId>"
            f"<instructionType>{self.instruction_type}</instructionType><dot>{dot_mw}</dot>"
            f"<revisionNumber>{self.revision_no or 0}</revisionNumber>"
            f"{self._element('statusCode')}{self.told}<detail>{self.detail}</detail></instruction>"
            for resource, dot_mw in self.dots_mw.items()
        )
        return (
            f"<DispatchBatch batchUID='{self.batch_uid}'>{self._element('batchStatus')}"
            f"<batchType>{self.batch_type}</batchType>{self.head}"
            f"<batchReceived>{self.start_at.isoformat()}</batchReceived><startTime>{self.start_at.isoformat()}</startTime>"
            f"{'' if self.revision_no is None else f'<revisionNo>{self.revision_no}</revisionNo>'}"
            f"{f'<instructions>{inside}{self.also}</instructions>' if whole else ''}</DispatchBatch>"
        )

    def _element(self, name: str) -> str:
        """The status, where there is one."""
        return "" if self.status is None else f"<{name}>{self.status}</{name}>"


@dataclass
class FakeAds:
    """Answers questions from its lists.

    Attributes:
        batches: dispatch batches in the order in which they came.
        trajectories: (uid, trajectoryBatch XML) in the order in which they came.
        troubles: for an operation, or an operation and UID, what to do instead of answering; None as the key's UID means any.
        asked: every question, in order.
        on_question: what happens while it answers one.
        clock_offset_s: its clock minus the ingest's.
    """

    batches: list[Batch] = field(default_factory=list)
    trajectories: list[tuple[str, str]] = field(default_factory=list)
    troubles: dict[tuple[str, str | None], Callable[[Question], Trouble]] = field(default_factory=dict)
    asked: list[Question] = field(default_factory=list)
    on_question: Callable[[Question], None] = lambda _question: None
    clock_offset_s: float = 0.0
    validated: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def fetch(self, question: Question) -> Reply:
        """As the source does."""
        self.asked.append(question)
        self.on_question(question)
        for key in ((question.operation, question.batch_uid), (question.operation, None)):
            if key in self.troubles:
                trouble = self.troubles[key](question)
                if isinstance(trouble, Exception):
                    raise trouble
                return Reply(question, 200, trouble)
        return Reply(question, 200, getattr(self, f"_{question.operation}")(question.batch_uid), self.clock_offset_s)

    def operations(self) -> list[str]:
        """What was asked, in order."""
        return [question.operation for question in self.asked]

    def _getDispatchBatchesSinceUID(self, uid: str) -> bytes:  # noqa: N802
        known = [batch.batch_uid for batch in self.batches]
        if uid not in {"-1", *known}:
            return fault("unknown batch")
        since = self.batches if uid == "-1" else self.batches[known.index(uid) + 1 :]
        listed = "".join(batch.xml(whole=False) for batch in since)
        xml = f"<APIDispatchResponse><dispatchBatchList>{listed}</dispatchBatchList></APIDispatchResponse>"
        return envelope("getDispatchBatchesSinceUID", escaped(xml.encode()))

    def _getDispatchBatch(self, uid: str) -> bytes:  # noqa: N802
        found = self._find(uid)
        return envelope("getDispatchBatch", packed(found.xml(whole=True).encode())) if found else fault("unknown batch")

    def _getBatchHeader(self, uid: str) -> bytes:  # noqa: N802
        found = self._find(uid)
        return envelope("getBatchHeader", escaped(found.xml(whole=False).encode())) if found else fault("unknown batch")

    def _validateDispatchBatch(self, uid: str) -> bytes:  # noqa: N802
        self.validated[uid] += 1
        return b"<E:Envelope xmlns:E='e'><E:Body><validateDispatchBatchResponse/></E:Body></E:Envelope>"

    def _isNewTrajData(self, uid: str) -> bytes:  # noqa: N802
        return (
            envelope("isNewTrajData", "true" if self._since(uid) else "false") if self._knows(uid) else fault("unknown batch")
        )

    def _getTrajectoryData(self, uid: str) -> bytes:  # noqa: N802
        listed = "".join(xml for _uid, xml in self._since(uid))
        xml = f"<APITrajectoryResponse><trajectoryBatchList>{listed}</trajectoryBatchList></APITrajectoryResponse>"
        return envelope("getTrajectoryData", packed(xml.encode())) if self._knows(uid) else fault("unknown batch")

    def _knows(self, uid: str) -> bool:
        return uid == "-1" or uid in [known for known, _xml in self.trajectories]

    def _since(self, uid: str) -> list[tuple[str, str]]:
        known = [each for each, _xml in self.trajectories]
        return self.trajectories if uid not in known else self.trajectories[known.index(uid) + 1 :]

    def _find(self, uid: str) -> Batch | None:
        return next((batch for batch in self.batches if batch.batch_uid == uid), None)
