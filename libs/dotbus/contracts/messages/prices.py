"""What power is worth: prices of many nodes as events, and of one node as a state."""

from typing import Annotated, Final

import msgspec

from dotbus.contracts.messages.envelope import CaisoState, Event, Seq, Utc

MAX_NODES: Final = 100_000
"""How many nodes one message may name: six times as many as CAISO has."""
Chunk = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
Nodes = Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_NODES)]
Column = Annotated[tuple[float | None, ...], msgspec.Meta(max_length=MAX_NODES)]
"""A price of each node, in USD/MWh."""


class Prices(Event, frozen=True, kw_only=True, tag="prices"):
    """Prices of many nodes for one interval of one market, as columns: entry i of each belongs to `nodes[i]`.

    Attributes:
        market: DAM, HASP, RTPD or RTM.
        market_seq: counts the market's events from 1 without gaps within `stream`; null from a source of before this field.
        interval_start: the start of the interval.
        interval_end: its end.
        fetched_at: when OASIS was asked for them, which then said so. It tells revisions of one interval apart: CAISO corrects
            prices without saying so.
        chunk: which part this is of a reply that is too large for one message, from 1.
        chunks: how many parts there are.
        nodes: the pricing nodes by CAISO's names.
        lmp_usd_per_mwh: the locational marginal price of each node.
        energy_usd_per_mwh: its energy component.
        congestion_usd_per_mwh: its congestion component.
        loss_usd_per_mwh: its loss component.
        ghg_usd_per_mwh: its greenhouse gas component.
    """

    market: str
    market_seq: Seq | None = None
    interval_start: Utc
    interval_end: Utc
    fetched_at: Utc
    chunk: Chunk = 1
    chunks: Chunk = 1
    nodes: Nodes
    lmp_usd_per_mwh: Column
    energy_usd_per_mwh: Column
    congestion_usd_per_mwh: Column
    loss_usd_per_mwh: Column
    ghg_usd_per_mwh: Column


class NodePrice(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One node's price in one interval, with its components.

    Attributes:
        interval_start: the start of the interval.
        interval_end: its end.
        fetched_at: when OASIS was asked for it, which then said so.
        lmp_usd_per_mwh: the locational marginal price.
        energy_usd_per_mwh: its energy component.
        congestion_usd_per_mwh: its congestion component.
        loss_usd_per_mwh: its loss component.
        ghg_usd_per_mwh: its greenhouse gas component.
    """

    interval_start: Utc
    interval_end: Utc
    fetched_at: Utc
    lmp_usd_per_mwh: float | None = None
    energy_usd_per_mwh: float | None = None
    congestion_usd_per_mwh: float | None = None
    loss_usd_per_mwh: float | None = None
    ghg_usd_per_mwh: float | None = None


MOST_PRICES_AHEAD: Final = 1000
"""What one state holds of a node: two days of hours, or three of five-minute intervals."""


class Lmp(CaisoState, frozen=True, kw_only=True, tag="lmp"):
    """One node's prices: the latest published, the active (its interval covers `time`) and all published ahead.

    Readers with a clock take the active price from `active` and `ahead`, so that it turns with the interval.

    Attributes:
        market: DAM, HASP, RTPD or RTM.
        node: the pricing node by CAISO's name.
        published: the price of the latest interval that OASIS has.
        active: the price of the interval that covers `time`.
        ahead: the prices of later intervals.
    """

    market: str
    node: str
    published: NodePrice | None
    active: NodePrice | None
    ahead: Annotated[tuple[NodePrice, ...], msgspec.Meta(max_length=MOST_PRICES_AHEAD)] = ()
