"""What the commands about prices of the past ask for, and how they tell what came."""

from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from dotbus.contracts.messages import Backfill, Missing, ServiceStatus, Upstream
from dotbus.runtime.backfills.asking import is_whole, summary
from dotbus.runtime.backfills.running import Running
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.mqtt.bus import Bus
from dotbus.testing import samples
from lmp_ingest.commands.history import gap_lines, requests_for

BEGIN, END = datetime(2026, 11, 1, 7, tzinfo=UTC), datetime(2026, 11, 6, 8, tzinfo=UTC)
INSTALLATION = Installation.model_validate({"environment": "simulator", "plant": [{"name": "p"}]})


def status(**missing: list[Missing]) -> ServiceStatus:
    """A service that lacks something of some markets."""
    upstreams = tuple(Upstream(name=name, ok=True, missing=tuple(some)) for name, some in missing.items())
    said = samples.service_status()
    return ServiceStatus(
        environment=said.environment,
        source="lmp_ingest/a",
        time=said.time,
        service="lmp_ingest",
        instance="a",
        online=True,
        started_at=said.started_at,
        software_version="1",
        upstreams=upstreams,
        cursors={"RTM": BEGIN.isoformat()},
    )


def running() -> Running:
    return Running(INSTALLATION, "a", "lmp-ingest", lambda: END, cast(Bus, None))


def gap(*names: str, start: datetime = BEGIN) -> Missing:
    return Missing(start=start, end=END, names=names)


def test_what_many_tracks_lack_of_one_time_is_one_request_a_market() -> None:
    tracks = [gap(*(f"N{track:02}{node}" for node in range(10))) for track in range(12)]
    asked = requests_for(running(), status(oasis_rtm=tracks, oasis_rtpd=tracks))

    assert [(one.market, len(one.nodes), one.start, one.end) for one in asked] == [
        (market, 120, BEGIN, END) for market in ("RTM", "RTPD")
    ]
    assert len({one.request_id for one in asked}) == 2


def test_a_group_is_asked_for_alone_and_more_names_than_one_request_may_have_are_several() -> None:
    many = gap(*(f"N{number:04}" for number in range(1_001)))
    asked = requests_for(running(), status(oasis_rtm=[gap("ALL"), many, gap("N1", start=BEGIN + timedelta(hours=1))]))

    assert [(len(one.nodes), one.nodes[0]) for one in asked] == [
        (1, "ALL"),
        (500, "N0000"),
        (500, "N0500"),
        (1, "N1000"),
        (1, "N1"),
    ]


def test_a_gap_is_told_with_its_market_time_and_the_first_of_its_nodes() -> None:
    lines = list(gap_lines(status(oasis_rtm=[gap(*(f"N{number}" for number in range(12)))], oasis_dam=[])))

    assert lines == [
        "RTM: complete until 2026-11-01T07:00Z",
        "RTM: missing 2026-11-01T07:00Z to 2026-11-06T08:00Z of N0, N1, N2, N3, N4, N5, N6, N7, N8, N9 and 2 more",
        "DAM: no price yet",
    ]


@pytest.mark.parametrize(
    ("changes", "whole", "told"),
    [
        ({"missing": ()}, True, "719 prices in 1 request"),
        ({}, False, "missing: 2026-09-03T08:00Z to 2026-09-03T09:00Z"),
        ({"missing": (), "unpriced": ("BAD",)}, False, "no price at all: BAD; is the name right?"),
        ({"missing": (), "unpublished": ((BEGIN, END),)}, True, "not published yet: 2026-11-01T07:00Z to 2026-11-06T08:00Z"),
        ({"missing": (), "unpublished": ((BEGIN, END),), "unpriced": ("N1",)}, False, "no price at all: N1"),
        ({"missing": (), "unpublished": ((BEGIN, END),), "unpriced": ("N1",), "prices": 0}, True, "0 prices in 1 request"),
        ({"requests": 3, "missing": ()}, False, "1 request"),
        (
            {"requests_failed": 1, "detail": "HTTP status 503"},
            False,
            "1 requests brought nothing, the last because HTTP status 503",
        ),
        ({"requests": 3, "missing": (), "detail": "stopped on request"}, False, "stopped on request"),
    ],
)
def test_what_came_is_told_and_only_all_of_it_is_whole(changes: dict[str, object], whole: bool, told: str) -> None:  # noqa: FBT001  # what is expected
    known = {name: getattr(samples.backfill(), name) for name in Backfill.__struct_fields__}
    one = Backfill(**known | changes)

    assert is_whole(one) is whole
    assert told in "\n".join(summary(one))
