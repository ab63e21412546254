"""CAISO's Open Access Same-time Information System (OASIS), its prices, as a client library."""

from caiso.oasis.asking.client import Answer, OasisClient, Source
from caiso.oasis.asking.connection import CAISO_URL, OasisConnection, Reply
from caiso.oasis.asking.cuts import newest_of, within
from caiso.oasis.asking.missing import due, missing, unpriced
from caiso.oasis.asking.questions import Group, Nodes, Question, split
from caiso.oasis.asking.rate_limit import CAISO_SPACING_S, RateLimit
from caiso.oasis.calendar import PACIFIC, floor, interval_starts, midnight, trade_day, trade_days
from caiso.oasis.errors import (
    CutShort,
    ErrorReply,
    HttpRefused,
    Incomplete,
    Malformed,
    OasisFailure,
    Oversized,
    Remedy,
    Throttled,
    TimedOut,
    Unreachable,
    has_no_data,
)
from caiso.oasis.locations import DLAPS, HUBS, SHORT_NAMES, Location, LocationType, is_name, named
from caiso.oasis.prices import COLUMNS, SCHEMA, Place, Prices
from caiso.oasis.reading.columns import BadRow
from caiso.oasis.reading.reply import parse_reply
from caiso.oasis.reading.saved import parse_saved
from caiso.oasis.reading.unpack import Bounds
from caiso.oasis.reports import (
    MAX_NODES,
    REPORTS,
    RETENTION,
    Component,
    Market,
    NoData,
    Report,
    due_by,
    meaning_of_no_data,
    newest_from,
    window_end,
)

__all__ = [
    "CAISO_SPACING_S",
    "CAISO_URL",
    "COLUMNS",
    "DLAPS",
    "HUBS",
    "MAX_NODES",
    "PACIFIC",
    "REPORTS",
    "RETENTION",
    "SCHEMA",
    "SHORT_NAMES",
    "Answer",
    "BadRow",
    "Bounds",
    "Component",
    "CutShort",
    "ErrorReply",
    "Group",
    "HttpRefused",
    "Incomplete",
    "Location",
    "LocationType",
    "Malformed",
    "Market",
    "NoData",
    "Nodes",
    "OasisClient",
    "OasisConnection",
    "OasisFailure",
    "Oversized",
    "Place",
    "Prices",
    "Question",
    "RateLimit",
    "Remedy",
    "Reply",
    "Report",
    "Source",
    "Throttled",
    "TimedOut",
    "Unreachable",
    "due",
    "due_by",
    "floor",
    "has_no_data",
    "interval_starts",
    "is_name",
    "meaning_of_no_data",
    "midnight",
    "missing",
    "named",
    "newest_from",
    "newest_of",
    "parse_reply",
    "parse_saved",
    "split",
    "trade_day",
    "trade_days",
    "unpriced",
    "window_end",
    "within",
]
