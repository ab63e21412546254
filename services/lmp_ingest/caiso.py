"""CAISO: the one question that the loop asks, with its typed answer. Every failure is an `OasisFailure`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from lmp_ingest.answer import require_answer, without_bad_rows
from lmp_ingest.faults import NO_DATA, ErrorReply, Incomplete, NoData, OasisFailure, meaning_of_no_data
from lmp_ingest.parse import Row, parse_reply
from lmp_ingest.records import PriceRow, Question, Reply
from lmp_ingest.translate import Assembled, assemble
from lmp_ingest.unpack import Bounds


class Source(Protocol):
    """Where replies come from."""

    @property
    def clock_offset_said_s(self) -> float | None:
        """CAISO's clock minus ours at this moment, as its last reply said; None before one did."""
        ...

    def fetch(self, question: Question) -> Reply:
        """The reply to a question."""
        ...


@dataclass(frozen=True)
class Answer:
    """The prices in a reply, none when they are not published yet, and the reply's bytes for whoever doubts them.

    What it says counts as of when it was asked for.
    """

    assembled: Assembled
    content: bytes
    asked_at: datetime
    received_at: datetime


class Caiso:
    """The OASIS web service (interface specification, section 2.1).

    Args:
        source: asks.
        bounds: how much a reply may unpack to.
    """

    def __init__(self, source: Source, bounds: Bounds) -> None:
        self._source = source
        self._bounds = bounds

    @property
    def clock_offset_said_s(self) -> float | None:
        """CAISO's clock minus ours at this moment, as its last reply said; None before one did."""
        return self._source.clock_offset_said_s

    def fetch_prices(self, question: Question, *, was_given: bool = False) -> Answer:
        """The prices that a question asks for, as far as they are published.

        Args:
            question: what is asked for.
            was_given: whether CAISO gave any of it before.

        Raises:
            OasisFailure: see `faults`.
        """
        reply = self._source.fetch(question)
        try:
            rows, bad = require_answer(self._rows(question, reply, was_given=was_given), question)
            assembled = without_bad_rows(assemble(rows, reply.asked_at), bad, question)
            _require_price(rows, assembled)
        except OasisFailure as failure:
            failure.content = reply.content
            raise
        return Answer(assembled, reply.content, reply.asked_at, reply.received_at)

    def _rows(self, question: Question, reply: Reply, *, was_given: bool) -> list[Row]:
        """None while OASIS says that there is no data, and there need not be."""
        try:
            return parse_reply(reply.status, reply.content, self._bounds)
        except ErrorReply as error:
            if error.code != NO_DATA:
                raise
        meaning = meaning_of_no_data(question.market, question.start, reply.received_at, was_given=was_given)
        if meaning is not NoData.NOT_YET:
            raise ErrorReply(NO_DATA, f"no data: {meaning}", meaning.remedy)
        return []


def _require_price(rows: Sequence[PriceRow], assembled: Assembled) -> None:
    """Rows without a single LMP are no answer, and not "not yet" either."""
    if rows and not assembled.prices:
        left_out = (*assembled.bad_rows, *assembled.unreadable, *assembled.contradictions)
        raise Incomplete("rows without an LMP that can be used", where=left_out[0] if left_out else str(rows[0].component))
