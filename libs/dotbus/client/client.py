"""Client: a function for every question of the API, whose answer is a frame."""

import os
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from importlib.util import find_spec
from typing import Any, Final, Literal, TypeAlias, cast
from urllib.parse import quote
from zoneinfo import ZoneInfo

from requests import Response

from dotbus.client.asking import ARROW, JSON, Asking, Said, Several, asking_of_environment, json_of, require_words
from dotbus.client.columns import PACIFIC, UTC, kinds_of, typed_document
from dotbus.client.errors import AnswerCut
from dotbus.client.frames import ArrowTable, Frame, Into, of_arrow, of_rows, preferred

PAGE_ROWS: Final = 10_000
"""Rows of a page of JSON: the most that the API gives at once."""

Names: TypeAlias = str | Sequence[str]
Time: TypeAlias = str | date | datetime
"""ISO 8601 with Z or an offset, a datetime with its zone, a trade date, today, yesterday, tomorrow or now."""
Zone: TypeAlias = Literal["UTC", "Pacific"]
Market: TypeAlias = Literal["DAM", "RUC", "HASP", "RTPD", "RTM"]
Component: TypeAlias = Literal["lmp", "energy", "congestion", "loss", "ghg"]
Schedule: TypeAlias = Literal["five-minute", "hourly"]
Revisions: TypeAlias = Literal["latest", "all"]
By: TypeAlias = Literal["overlap", "start"]
"""Which intervals are of a range: those that have a part in it, or those that start in it alone."""


class Client:
    """Asks one API.

    What is not given is as the environment says at each question: DOTBUS_API_URL (port 8090 of this machine if not said),
    DOTBUS_API_KEY or DOTBUS_API_KEY_FILE, and DOTBUS_API_CA_FILE.

    Every question raises `NoAnswer`, of one of its sorts, when it is not answered. A range is from `start` up to `end`, which
    does not belong to it; without `end` it goes to the end of the trade date of `start`. Times are answered in UTC, or in
    Pacific time with `tz="Pacific"`, which also says how a time without a zone is meant.

    Args:
        url: where the API is.
        key: what `historian api keys make` gave.
        ca_file: certificates to trust in place of the system's, PEM.
        into: what answers become; pandas where it is installed, else polars, else a list of dictionaries.
        use_arrow: ask for Arrow in place of pages of JSON; where pyarrow is installed, if not said.
        asking: in place of all about where and how.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        key: str | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        into: Into | str | None = None,
        use_arrow: bool | None = None,
        asking: Asking | None = None,
    ) -> None:
        self._given = url, key, os.fspath(ca_file) if ca_file is not None else None
        self._into = Into(into) if into else None
        self._use_arrow = bool(find_spec("pyarrow")) if use_arrow is None else use_arrow
        self._told = asking

    def prices(
        self,
        node: Names | None = None,
        *,
        market: Market = "RTM",
        component: Component | Sequence[Component] | None = None,
        start: Time = "today",
        end: Time | None = None,
        resolution: Literal["raw", "hour", "day"] = "raw",
        as_of: Time | None = None,
        tz: Zone | None = None,
    ) -> Frame:
        """Prices of nodes (all, if none is named) in USD/MWh, as they are known now or were known at a moment (`as_of`).

        They come by node and time; by Arrow those of all nodes come in the order in which they are stored, which is soonest.
        """
        several = {"node": Several.of("node", node), "component": Several.of("component", component)}
        said = {**several, "market": market, "resolution": resolution, "as_of": as_of}
        columns = ("interval_start",) if resolution == "raw" else ("covered_s",)
        return self._frame("/v1/prices", {**said, "start": start, "end": end, "tz": tz}, columns)

    def nodes(self, name: str | None = None) -> Frame:
        """Nodes of which prices are kept; those whose name holds a text, if one is given."""
        return self._frame("/v1/nodes", {"name": name})

    def plants(self) -> Frame:
        """Plants, as far as the key may see them."""
        return self._frame("/v1/plants", {})

    def resources(self, plant: str | None = None) -> Frame:
        """Resources, with the node, the limits and the schedule of each."""
        return self._frame("/v1/resources", {"plant": plant})

    def dispatch_batches(
        self,
        resource: Names | None = None,
        *,
        plant: str | None = None,
        start: Time = "today",
        end: Time | None = None,
        revisions: Revisions = "latest",
        batch: str | None = None,
        by: By | None = None,
        tz: Zone | None = None,
    ) -> Frame:
        """Dispatch batches as each resource sees them: the newest revision, or all; one by its batchUID, of whatever time."""
        said = {"resource": Several.of("resource", resource), "plant": plant, "revisions": revisions, "batch": batch}
        return self._frame("/v1/dispatch-batches", {**said, "start": start, "end": end, "by": by, "tz": tz})

    def instructions(
        self,
        resource: Names | None = None,
        *,
        plant: str | None = None,
        start: Time = "today",
        end: Time | None = None,
        revisions: Revisions = "latest",
        batch: str | None = None,
        by: By | None = None,
        tz: Zone | None = None,
    ) -> Frame:
        """Instructions of every type with their segments: of the newest revision of their batch, or of all."""
        said = {"resource": Several.of("resource", resource), "plant": plant, "revisions": revisions, "batch": batch}
        return self._frame("/v1/instructions", {**said, "start": start, "end": end, "by": by, "tz": tz})

    def dot_latest(
        self,
        resource: Names | None = None,
        *,
        plant: str | None = None,
        schedule: Schedule | None = None,
        tz: Zone | None = None,
    ) -> Frame:
        """Of each resource the DOT with the latest start, and whether it is in force now."""
        return self._frame(
            "/v1/dot/latest", {"resource": Several.of("resource", resource), "plant": plant, "schedule": schedule, "tz": tz}
        )

    def dot(
        self,
        resource: Names | None = None,
        *,
        plant: str | None = None,
        schedule: Schedule | None = None,
        start: Time = "today",
        end: Time | None = None,
        by: By | None = None,
        tz: Zone | None = None,
    ) -> Frame:
        """The DOTs that count, interval by interval; with those that began before the range and are in force in it."""
        said = {"resource": Several.of("resource", resource), "plant": plant, "schedule": schedule}
        return self._frame("/v1/dot", {**said, "start": start, "end": end, "by": by, "tz": tz})

    def trajectory(
        self,
        resource: str,
        *,
        start: Time = "today",
        end: Time | None = None,
        step_s: int | None = None,
        known: Literal["then", "now"] = "then",
        tz: Zone | None = None,
    ) -> Frame:
        """The points of a resource's trajectory; with `step_s` its value at each moment, with its quality."""
        columns = ("dop_mw",) if step_s is None else ("trajectory_mw",)
        said = {"resource": resource, "start": start, "end": end, "step_s": step_s, "known": known, "tz": tz}
        return self._frame("/v1/trajectory", said, columns, is_calculated=step_s is not None)

    def set_point(
        self,
        resource: str,
        *,
        start: Time = "today",
        end: Time | None = None,
        step_s: int = 60,
        known: Literal["then", "now"] = "then",
        tz: Zone | None = None,
    ) -> Frame:
        """The set-point of a resource at each moment beside its DOT, as a gateway knew it then or as it is known now.

        What is in doubt is absent, and `reasons` say why.
        """
        said = {"resource": resource, "start": start, "end": end, "step_s": step_s, "known": known, "tz": tz}
        return self._frame("/v1/set-point", said, is_calculated=True)

    def compliance(
        self,
        resource: Names | None = None,
        *,
        plant: str | None = None,
        start: Time = "today",
        end: Time | None = None,
        revisions: Revisions = "latest",
        tz: Zone | None = None,
    ) -> Frame:
        """Whether resources delivered what was expected of them, in CAISO's words."""
        said = {"resource": Several.of("resource", resource), "plant": plant, "revisions": revisions}
        return self._frame("/v1/compliance", {**said, "start": start, "end": end, "tz": tz})

    def gaps(self, *, tz: Zone | None = None) -> Frame:
        """What is missing, and why."""
        return self._frame("/v1/gaps", {"tz": tz})

    def health(self, *, tz: Zone | None = None) -> Frame:
        """How each service is: what it said last of itself, and how long ago."""
        return self._frame("/v1/health", {"tz": tz})

    def day(self, plant: str, date: date | str = "today", *, tz: Zone | None = None) -> dict[str, Any]:
        """A plant's trade date in few numbers: energy instructed, what it was worth, and when the set-point was in doubt."""
        path = f"/v1/plants/{_segment(plant)}/days/{_segment(str(date))}"
        asking = self._asking
        told = asking.document(path, {"tz": tz})
        typed = typed_document(asking.openapi, "/v1/plants/{plant}/days/{date}", told, _zone(tz))
        return cast("dict[str, Any]", typed)

    @property
    def _asking(self) -> Asking:
        return self._told or asking_of_environment(*self._given)

    def _frame(self, path: str, said: Mapping[str, Said], columns: Sequence[str] = (), *, is_calculated: bool = False) -> Frame:
        require_words(said)
        asking, into = self._asking, self._into or preferred()
        kinds = kinds_of(asking.openapi, path, columns)
        # What is calculated streams for some days at most and pages for any range; of a stream a limit would be the end.
        first, accept = (
            (said, f"{ARROW}, {JSON};q=0.5") if self._use_arrow and not is_calculated else ({**said, "limit": PAGE_ROWS}, JSON)
        )
        with asking.answer(path, first, accept) as response:
            if response.headers["Content-Type"].startswith(ARROW):
                return of_arrow(_table(response), kinds, into)
            page = json_of(response)
        rows = list(page["rows"])
        while page["next"] is not None:
            page = asking.document(path, {**said, "limit": PAGE_ROWS, "page": page["next"]})
            rows += page["rows"]
        return of_rows(rows, kinds, _zone(said.get("tz")), into)


def _table(response: Response) -> ArrowTable:
    import pyarrow as pa  # noqa: PLC0415  # optional

    response.raw.decode_content = True
    try:
        with pa.ipc.open_stream(response.raw) as reader:
            table = reader.read_all()
        response.raw.read()  # what ends the stream may still say that it was cut
    except pa.ArrowException as error:
        raise AnswerCut(f"{response.url} answered with what is no stream of Arrow's: {error}") from error
    return table


def _zone(tz: Said) -> ZoneInfo:
    return PACIFIC if tz == "Pacific" else UTC


def _segment(text: str) -> str:
    return quote(text, safe="")
