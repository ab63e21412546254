"""The status table says what an operator must see at a glance."""

import threading
from datetime import timedelta
from io import StringIO

import msgspec
import pytest
from rich.console import Console

from dotbus.contracts.codec import encode
from dotbus.contracts.topics import Topics
from dotbus.testing import samples
from dotbus.testing.bus import FakeBus
from launcher.look.status import Statuses, status_table, watch

NOW = samples.AT + timedelta(seconds=2)


def printed(*statuses, columns: int = 200) -> str:
    console = Console(file=StringIO(), width=columns)
    console.print(status_table(list(statuses), NOW))
    return console.file.getvalue()


def changed(**changes):
    return msgspec.structs.replace(samples.service_status(), **changes)


def test_a_service_that_is_well_is_online_with_the_age_of_its_last_answer():
    text = printed(samples.service_status())
    for expected in ("ads_ingest/a", "online", "ads", "5 s ago", " 2 ", "212 d", "24 h"):
        assert expected in text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"online": False}, "offline"),
        ({"time": NOW - timedelta(seconds=60)}, "silent 60 s"),
        (
            {"upstreams": (msgspec.structs.replace(samples.service_status().upstreams[0], ok=False, failures_in_a_row=7),)},
            "degraded",
        ),
    ],
)
def test_a_service_that_is_not_well_says_so(changes: dict, expected: str):
    assert expected in printed(changed(**changes))


def test_what_is_wrong_is_told_in_full_below_the_table():
    cause = "HTTPSConnectionPool(host='adsws.prod.caiso.com', port=443): certificate verify failed"
    upstream = msgspec.structs.replace(
        samples.service_status().upstreams[0], name="ads_dispatch", ok=False, last_error=cause, failures_in_a_row=7
    )
    outbox = msgspec.structs.replace(samples.service_status().outbox, unpublished=12)
    text = printed(changed(upstreams=(upstream,), outbox=outbox), columns=80)
    assert f"ads_ingest/a ads_dispatch: {cause} (7 times)" in " ".join(text.split())
    assert "ads_ingest/a: 12 events wait for the broker" in text


def test_what_is_wrong_with_a_part_of_an_upstream_is_told_though_the_upstream_answers():
    complaint = "CAISO gives no price for TYPO: is the name right?"
    upstream = msgspec.structs.replace(samples.service_status().upstreams[0], complaints=(complaint,))
    text = printed(changed(upstreams=(upstream,)))
    assert "degraded" in text
    assert complaint in text
    assert "time-out" not in text, "that is over"


def test_eighty_columns_are_enough():
    """An ordinary installation: no word is cut or broken."""
    upstream = samples.service_status().upstreams[0]
    names = {
        "ads_ingest": ("ads_dispatch", "ads_trajectory"),
        "lmp_ingest": ("oasis_dam", "oasis_rtpd"),
        "modbus_gateway": ("ads_ingest", "lmp_ingest"),
    }
    statuses = [
        changed(
            service=service,
            source=f"{service}/main",
            upstreams=tuple(msgspec.structs.replace(upstream, name=name) for name in upstreams),
        )
        for service, upstreams in names.items()
    ]
    text = printed(*statuses, columns=80)
    assert len(text.splitlines()) == 2 + 6 + 1
    assert all(len(line.rstrip()) <= 80 for line in text.splitlines())
    for expected in ("modbus_gateway/main", "ads_trajectory", "5 s ago", "cert", "212 d"):
        assert expected in text


@pytest.fixture
def bus():
    return FakeBus()


@pytest.fixture
def statuses(bus: FakeBus):
    statuses = Statuses(Topics())
    bus.subscribe(["#"], statuses.on_delivery)
    return statuses


def test_what_is_no_status_is_passed_over(bus: FakeBus, statuses: Statuses):
    topic = Topics().service("ads_ingest", "a")
    bus.deliver(topic, b"{}")
    bus.deliver("elsewhere", encode(samples.service_status()))
    bus.deliver(topic, encode(samples.service_status()))
    assert [status.instance for status in statuses.snapshot()] == ["a"]
    assert bus.acknowledged == [topic, "elsewhere", topic]


@pytest.mark.parametrize("changes", [{"instance": "b"}, {"service": "lmp_ingest"}, {"source": "ads_ingest/b"}])
def test_a_service_is_believed_about_itself_only_on_its_own_topic(bus: FakeBus, statuses: Statuses, changes: dict):
    bus.deliver(Topics().service("ads_ingest", "a"), encode(changed(**changes)))
    assert statuses.snapshot() == []


def test_a_status_that_was_deleted_is_shown_no_more(bus: FakeBus, statuses: Statuses):
    topic = Topics().service("ads_ingest", "a")
    bus.deliver(topic, b"")
    bus.deliver(topic, encode(samples.service_status()))
    bus.deliver(topic, b"")
    assert statuses.snapshot() == []


@pytest.mark.parametrize(("said", "reached", "expected"), [(True, True, "ads_ingest/a"), (False, False, "under dotbus/v1")])
def test_once_is_well_only_when_a_service_was_heard(*, said: bool, reached: bool, expected: str):
    console, bus, topics = Console(file=StringIO(), width=200), FakeBus(), Topics()

    class Settling(threading.Event):
        """While it is waited for, a service is heard, or none."""

        def wait(self, timeout: float | None = None) -> bool:
            if said:
                bus.deliver(topics.service("ads_ingest", "a"), encode(samples.service_status()))
            return super().wait(timeout)

    assert watch(bus, topics, console, Settling(), once=True, settle_s=0) is reached
    assert expected in console.file.getvalue()
