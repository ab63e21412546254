"""What each fault makes of an answer: another page in its place, other content, or something added to its zip."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from simulators.oasis.content import Content
from simulators.oasis.errors import THROTTLE_PAGE, ErrorCode
from simulators.oasis.files import Publisher, Reply, with_member, zip_of
from simulators.oasis.reports import LMP, LOSS

MAINTENANCE_PATH = "/maintenance"
MAINTENANCE_PAGE = b"<html><body>OASIS is down for maintenance.</body></html>"
_BOMB_MB = 200
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Page:
    """What is sent in place of a zip; `location` is where it sends the client instead."""

    status: int
    content: bytes
    location: str | None = None


PAGES: Mapping[str, Page] = MappingProxyType(
    {
        "throttle": Page(429, THROTTLE_PAGE),
        "throttle_200": Page(200, THROTTLE_PAGE),
        "http_302": Page(302, b"<html><body>Moved</body></html>", MAINTENANCE_PATH),
        "http_404": Page(404, b"<html><body><h1>Not Found</h1>The requested URL was not found on this server.</body></html>"),
        "http_503": Page(503, b"<html><body>Service Unavailable</body></html>"),
        "not_zip": Page(200, MAINTENANCE_PAGE),
        "empty_body": Page(200, b""),
    }
)

ERRORS = MappingProxyType({"error_1000": ErrorCode.NO_DATA, "error_1015": ErrorCode.GROUP_ZIP_PROCESSING})
"""The error member in place of prices."""


def _of_the_day_before(content: Content, _publisher: Publisher) -> Content:
    return replace(content, starts=tuple(start - _ONE_DAY for start in content.starts))


def _of_other_nodes(content: Content, publisher: Publisher) -> Content:
    """As many nodes that were not asked for; those that were, when there are no others."""
    others = [node for node in publisher.nodes if node not in content.nodes]
    return replace(content, nodes=tuple(others[: len(content.nodes)]) or content.nodes)


def _of_another_market(content: Content, _publisher: Publisher) -> Content:
    """One of the same intervals and layout, where there is any."""
    other = {"DAM": "RUC", "RUC": "DAM", "HASP": "RTPD", "RTPD": "HASP", "RTM": "RTPD"}[content.report.market]
    return replace(content, report=replace(content.report, market=other))


CONTENTS: Mapping[str, Callable[[Content, Publisher], Content]] = MappingProxyType(
    {
        "wrong_day": _of_the_day_before,
        "wrong_node": _of_other_nodes,
        "wrong_market": _of_another_market,
        "wrong_header": lambda content, _: replace(content, report=replace(content.report, price_column="PRICE")),
        "no_node": lambda content, _: replace(content, nodes=content.nodes[1:]),
        "no_lmp": lambda content, _: replace(content, left_out=frozenset({LMP})),
        "no_loss": lambda content, _: replace(content, left_out=frozenset({LOSS})),
        "nan": lambda content, _: replace(content, lmp_text_of=dict.fromkeys(content.nodes, "NaN")),
        "nan_node": lambda content, _: replace(content, lmp_text_of=dict.fromkeys(content.nodes[:1], "NaN")),
        "blank": lambda content, _: replace(content, lmp_text_of=dict.fromkeys(content.nodes, "")),
        "blank_node": lambda content, _: replace(content, lmp_text_of=dict.fromkeys(content.nodes[:1], "")),
        "doubled_rows": lambda content, _: replace(content, times=2),
        "header_only": lambda content, _: replace(content, times=0),
    }
)
"""Rows that are not those that belong there."""


def _with_stray_member(reply: Reply, now: datetime) -> Reply:
    return with_member(reply, "readme.txt", b"The files of this archive are described in the interface specification.\n", now)


def _bomb(reply: Reply, now: datetime) -> Reply:
    return Reply(reply.filename, zip_of({reply.filename.replace("_csv.zip", ".csv"): bytes(_BOMB_MB * 1_000_000)}, now))


ZIPS: Mapping[str, Callable[[Reply, datetime], Reply]] = MappingProxyType({"stray_member": _with_stray_member, "bomb": _bomb})
"""A zip that is more than the answer."""
