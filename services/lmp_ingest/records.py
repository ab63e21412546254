"""CAISO's words as records: what was asked, what came, and the rows in it. Nothing of dotbus's messages yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from dotbus.runtime.installation.toml_values import Market


@dataclass(frozen=True)
class Question:
    """One request: the prices of some nodes in one market, `start` inclusive, `end` exclusive, whole minutes."""

    market: Market
    nodes: tuple[str, ...]
    start: datetime
    end: datetime

    def __str__(self) -> str:
        return f"{self.market} {self.start:%Y-%m-%dT%H:%MZ} to {self.end:%Y-%m-%dT%H:%MZ} of {', '.join(self.nodes)}"


@dataclass(frozen=True)
class Reply:
    """What an HTTP request brought. CAISO may have looked as early as at `asked_at`."""

    status: int
    content: bytes
    asked_at: datetime
    received_at: datetime


class Component(StrEnum):
    """What a row prices, by LMP_TYPE (CSV)."""

    LMP = "LMP"
    ENERGY = "MCE"
    CONGESTION = "MCC"
    LOSS = "MCL"
    GHG = "MGHG"


BY_LMP_TYPE: Mapping[str, Component] = MappingProxyType({component.value: component for component in Component})
BY_DATA_ITEM: Mapping[str, Component] = MappingProxyType(
    {
        "LMP_PRC": Component.LMP,
        "LMP_ENE_PRC": Component.ENERGY,
        "LMP_CONG_PRC": Component.CONGESTION,
        "LMP_LOSS_PRC": Component.LOSS,
        "LMP_GHG_PRC": Component.GHG,
    }
)
"""The same in XML."""


class PriceRow(NamedTuple):
    """One component of one node's price in one interval.

    An empty value is None. So is one that is no number: `unreadable` is what stood there. `report` is the name of the report
    that it came in, as XML says it; None in a table, which names none.
    """

    market: str
    node: str
    interval_start: datetime
    interval_end: datetime
    component: Component
    usd_per_mwh: float | None
    unreadable: str | None = None
    report: str | None = None


class BadRow(NamedTuple):
    """A row that cannot be believed, and what can be read of what it is about; what cannot is None.

    `cause` and `where` are the same words whenever the same row comes again: `where` is the row's own text, or its place.
    """

    cause: str
    where: str
    node: str | None = None
    interval_start: datetime | None = None
    interval_end: datetime | None = None

    def __str__(self) -> str:
        return f"{self.cause}: {self.where}"


class ReportRow(NamedTuple):
    """One REPORT_DATA of any XML report, with its REPORT_ITEM's header."""

    report: str
    market: str
    unit: str
    item: str
    resource: str
    interval_start: datetime
    interval_end: datetime
    value: float | None
    unreadable: str | None = None
