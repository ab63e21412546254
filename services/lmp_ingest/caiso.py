"""CAISO: the one question that the loop asks, with its typed answer. Every failure is an `OasisFailure`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from caiso.oasis import (
    Bounds,
    ErrorReply,
    Incomplete,
    Market,
    NoData,
    OasisFailure,
    Question,
    Remedy,
    Reply,
    has_no_data,
    meaning_of_no_data,
    parse_reply,
)
from lmp_ingest.known.answer import without_bad_rows
from lmp_ingest.known.price_block import PriceBlock, block_of, nothing


class Source(Protocol):
    """Where replies come from."""

    @property
    def clock_offset_said_s(self) -> float | None:
        """CAISO's clock minus ours at this moment, as its last reply said; None before one did."""
        ...

    def fetch(self, question: Question, /) -> Reply:
        """The reply to a question."""
        ...


@dataclass(frozen=True)
class Answer:
    """The prices in a reply, none when they are not published yet, and the reply's bytes for whoever doubts them.

    What it says counts as of when it was asked for.
    """

    block: PriceBlock
    content: bytes
    asked_at: datetime
    received_at: datetime


class Caiso:
    """The OASIS web service (interface specification, section 2.1).

    Args:
        source: asks.
        bounds: how much a reply may unpack to.
        versions: of each market's report; what is not named is the usual one.
        begin: waits until a request may begin. The loop waits by the wall clock, which somebody may set; this is held against a
            clock that nobody sets.
    """

    def __init__(
        self,
        source: Source,
        bounds: Bounds,
        versions: Mapping[Market, int] | None = None,
        begin: Callable[[], None] = lambda: None,
    ) -> None:
        self._source = source
        self._bounds = bounds
        self._versions = versions or {}
        self._begin = begin

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
            OasisFailure: see `caiso.oasis.errors`.
        """
        self._begin()
        reply = self._source.fetch(replace(question, version=self._versions.get(question.market)))
        try:
            block = self._block(question, reply, was_given=was_given)
        except OasisFailure as failure:
            failure.content = reply.content
            raise
        return Answer(block, reply.content, reply.asked_at, reply.received_at)

    def _block(self, question: Question, reply: Reply, *, was_given: bool) -> PriceBlock:
        """Nothing while OASIS says that there is no data, and there need not be."""
        try:
            prices = parse_reply(reply.status, reply.content, question, self._bounds)
        except ErrorReply as error:
            if not has_no_data(error):
                raise
            meaning = meaning_of_no_data(question.market, question.start, reply.received_at, was_given=was_given)
            if meaning is not NoData.NOT_YET:
                raise ErrorReply(error.code, f"no data: {meaning}", _remedy(meaning)) from error
            return nothing(question.market, reply.asked_at)
        block = without_bad_rows(block_of(prices, reply.asked_at), prices.bad_rows, question)
        if not block.priced:
            raise Incomplete("rows without an LMP that can be used", where=block.bad_rows[0])
        return block


def _remedy(meaning: NoData) -> Remedy:
    """What was there once may be there again soon; what never was is asked for rarely."""
    return Remedy.RETRY if meaning is NoData.DENIED else Remedy.GIVE_UP
