"""The status table says what an operator must see at a glance."""

from datetime import timedelta
from io import StringIO

import msgspec
import pytest
from rich.console import Console

from dotbus.contracts.codec import encode
from dotbus.testing import samples
from dotbus.testing.bus import FakeBus
from launcher.status import Statuses, status_table

NOW = samples.AT + timedelta(seconds=2)


def printed(*statuses) -> str:
    console = Console(file=StringIO(), width=200)
    console.print(status_table(list(statuses), NOW))
    return console.file.getvalue()


def changed(**changes):
    return msgspec.structs.replace(samples.service_status(), **changes)


def test_a_service_that_is_well_is_online_with_the_age_of_its_last_answer():
    text = printed(samples.service_status())
    for expected in ("ads_ingest", "online", "ads", "5 s ago", "1 to 2", "212 d", "24 h"):
        assert expected in text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"online": False}, "offline"),
        ({"time": NOW - timedelta(seconds=60)}, "silent for 60 s"),
        (
            {"upstreams": (msgspec.structs.replace(samples.service_status().upstreams[0], ok=False, failures_in_a_row=7),)},
            "degraded",
        ),
    ],
)
def test_a_service_that_is_not_well_says_so(changes: dict, expected: str):
    assert expected in printed(changed(**changes))


def test_what_is_no_status_is_passed_over():
    statuses, bus = Statuses(), FakeBus()
    bus.subscribe(["#"], statuses.on_delivery)
    bus.deliver("t", b"{}")
    bus.deliver("t", encode(samples.service_status()))
    assert [status.instance for status in statuses.snapshot()] == ["a"]
    assert bus.acknowledged == ["t", "t"]
