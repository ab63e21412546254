"""Locations: the nodes that prices are of, by CAISO's names and by the short ones that everybody says.

Source: OASIS interface specification 4.3.5, section 4 (Atlas reports ATL_PNODE and ATL_APNODE) and 6; their columns as replies
that others published have them.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from caiso.oasis.asking.questions import minute
from caiso.oasis.calendar import midnight, trade_day
from caiso.oasis.errors import Incomplete, Malformed, quoted
from caiso.oasis.reading.report_xml import read_error
from caiso.oasis.reading.unpack import Bounds, Member, members_of

HUBS: Final = ("TH_NP15_GEN-APND", "TH_SP15_GEN-APND", "TH_ZP26_GEN-APND")
DLAPS: Final = ("DLAP_PGAE-APND", "DLAP_SCE-APND", "DLAP_SDGE-APND")
SHORT_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {name.split("_")[1].removesuffix("-APND"): name for name in (*HUBS, *DLAPS)}
)
"""The trading hubs NP15, SP15 and ZP26, and the default load areas PGAE, SCE and SDGE."""

_NAME: Final = re.compile(r"[^\s,\x00-\x1f\x7f]+")
"""A comma ends one name in a request and begins the next."""


class LocationType(StrEnum):
    """What a node is."""

    HUB = "trading hub"
    LOAD_AREA = "load area"
    AGGREGATE = "aggregated node"
    NODE = "node"


class Location(NamedTuple):
    """One node.

    Attributes:
        name: that prices are asked for by.
        type: what it is.
        caiso_type: CAISO's own word for that; empty where it has none.
    """

    name: str
    type: LocationType
    caiso_type: str = ""


class LocationList(StrEnum):
    """CAISO's two lists, by their reports."""

    APNODES = "ATL_APNODE"
    PNODES = "ATL_PNODE"

    def request(self, at: datetime) -> "LocationRequest":
        """The question for those of a trade day."""
        return LocationRequest(self, midnight(trade_day(at)))


@dataclass(frozen=True)
class LocationRequest:
    """The question for one list."""

    listing: LocationList
    start: datetime

    @property
    def servlet(self) -> str:
        """The part of the service that is asked."""
        return "SingleZip"

    def parameters(self) -> Mapping[str, str]:
        """As the specification writes them."""
        kind = "APnode_type" if self.listing is LocationList.APNODES else "Pnode_type"
        times = {"startdatetime": minute(self.start), "enddatetime": minute(self.start + timedelta(days=1))}
        return {"queryname": self.listing.value, kind: "ALL", **times, "version": "1", "resultformat": "6"}


def is_name(text: str) -> bool:
    """Whether a text can be the name of a node: a comma would be two of them, and CAISO's have neither spaces nor controls."""
    return _NAME.fullmatch(text) is not None


def named(name: str) -> str:
    """CAISO's name of a node, from that or a short one."""
    return SHORT_NAMES.get(name.upper(), name)


def _type_of(name: str, listing: LocationList) -> LocationType:
    """What a node is, by its name and by the list that has it."""
    if name.startswith("TH_"):
        return LocationType.HUB
    if name.startswith("DLAP_"):
        return LocationType.LOAD_AREA
    return LocationType.AGGREGATE if listing is LocationList.APNODES else LocationType.NODE


def locations_of(status: int, content: bytes, listing: LocationList, bounds: Bounds) -> list[Location]:
    """The nodes that a reply lists, each once, by their names.

    Raises:
        OasisFailure: see `errors`.
    """
    found = {location.name: location for member in members_of(status, content, bounds) for location in _listed(member, listing)}
    if not found:
        raise Incomplete(f"no node in {listing}")
    return sorted(found.values())


def _listed(member: Member, listing: LocationList) -> Iterator[Location]:
    if member.is_xml:
        raise read_error(member)
    prefix = listing.removeprefix("ATL_")
    try:
        lines = csv.DictReader(io.StringIO(member.read().decode("utf-8-sig"), newline=""), strict=True)
        if f"{prefix}_ID" not in (lines.fieldnames or ()):
            raise Malformed(
                f"{member.name}: no column {prefix}_ID in the header {quoted(','.join(lines.fieldnames or ()), 200)}"
            )
        for line in lines:
            if name := (line.get(f"{prefix}_ID") or "").strip():
                yield Location(name, _type_of(name, listing), (line.get(f"{prefix}_TYPE") or "").strip())
    except (UnicodeDecodeError, csv.Error) as error:
        raise Malformed(f"{member.name}: {error}") from error
