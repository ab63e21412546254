"""Prices of the past: what lmp_ingest is asked to have of CAISO, and how far it is with it."""

from typing import Annotated, Final

import msgspec

from dotbus.contracts.messages.envelope import Command, Count, NonEmpty, Utc

MOST_NODES: Final = 500
"""How many nodes one backfill may name."""
TAKEN: Final = "taken"
REFUSED: Final = "refused"
"""The outcomes of a request."""
LONGEST_NAME: Final = 100
"""Characters of a name or an id: CAISO's nodes have half as many at most."""
Span = tuple[Utc, Utc]
"""From the first, inclusive, to the second."""
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_NAME)]


class BackfillRequest(Command, frozen=True, kw_only=True, tag="backfill"):
    """Ask CAISO for prices of the past, and say them as any others; or stop doing so.

    Attributes:
        request_id: chosen by the sender. Of one that is running already the same id asks for nothing more.
        market: DAM, RUC, HASP, RTPD or RTM.
        nodes: by CAISO's names; or ALL or ALL_APNODES alone, for every node or every aggregated one.
        start: of the first interval.
        end: of the last one.
        cancel: whether it is to be stopped. What came of it by then stays.
    """

    request_id: Name
    market: Name
    nodes: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1, max_length=MOST_NODES)]
    start: Utc
    end: Utc
    cancel: bool = False


class BackfillReply(Command, frozen=True, kw_only=True, tag="backfill-reply"):
    """Whether a backfill was taken; how far it is then stands in the service's status.

    Attributes:
        request_id: the request's; null when it could not be read.
        outcome: taken or refused.
        detail: the same in words for a person.
    """

    request_id: NonEmpty | None
    outcome: NonEmpty
    detail: str


class Backfill(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How far a backfill is. It survives a restart, and is done while nothing else is to be asked of CAISO.

    Attributes:
        request_id: tells it from others.
        market: as it was asked for.
        nodes: the same.
        start: the same.
        end: the same; not later than what CAISO can have published by then.
        requested_at: when it was asked for.
        requests: how many requests to CAISO it takes.
        requests_done: how many of them are done, those that brought nothing included.
        requests_failed: how many of these brought nothing because CAISO refused them or answered nothing that can be used.
        prices: how many prices came of it, a node's of an interval each.
        most_nodes: of a group, the most nodes that any interval had a price of.
        missing: times of which prices of some of the nodes did not come, of what was asked for already. Of a group
            nobody named the nodes: missing is an interval that had less than nine tenths of `most_nodes` by then.
        unpublished: times that OASIS had no price of when it was asked, and may publish later: they are not missing.
        unpriced: of the nodes that were named, those of which no price came yet.
        ended_at: when the last request was done, or it was stopped; null while it goes on.
        detail: what stands in its way, or stood in the end, in words for a person; empty when nothing does.
    """

    request_id: NonEmpty
    market: NonEmpty
    nodes: tuple[NonEmpty, ...]
    start: Utc
    end: Utc
    requested_at: Utc
    requests: Count
    requests_done: Count = 0
    requests_failed: Count = 0
    prices: Count = 0
    most_nodes: Count = 0
    missing: tuple[Span, ...] = ()
    unpublished: tuple[Span, ...] = ()
    unpriced: tuple[NonEmpty, ...] = ()
    ended_at: Utc | None = None
    detail: str = ""
