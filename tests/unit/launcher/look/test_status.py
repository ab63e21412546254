"""The status table says what an operator must see at a glance."""

import threading
from datetime import timedelta
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from dotbus.contracts.codec import encode
from dotbus.contracts.topics import Topics
from dotbus.runtime.settings.mistakes import ConfigurationRefused
from dotbus.runtime.settings.settings import BusSettings
from dotbus.testing import samples
from dotbus.testing.bus import FakeBus
from launcher.look.health import BrokerReport, StatusReport, judge
from launcher.look.status import Statuses, Watch, Watched, load_watched, print_report

NOW = samples.AT + timedelta(seconds=2)


def printed(*statuses, columns: int = 200) -> str:
    console = Console(file=StringIO(), width=columns)
    broker = BrokerReport(host="127.0.0.1", port=1883, connected=True)
    print_report(judge(broker, list(statuses), (), "dotbus/v1", NOW), console)
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
    outbox = msgspec.structs.replace(samples.service_status().outbox, unpublished=120)
    text = printed(changed(upstreams=(upstream,), outbox=outbox), columns=80)
    assert f"ads_ingest/a ads_dispatch: {cause} (7 times)" in " ".join(text.split())
    assert "ads_ingest/a: 120 events wait for the broker" in text


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


def once(bus: FakeBus, watched: Watched, stop: threading.Event) -> StatusReport:
    return Watch(bus, BusSettings(), watched, settle_s=0.01).once(stop)


class Settling(threading.Event):
    """While it is waited for, a service is heard."""

    def __init__(self, bus: FakeBus) -> None:
        super().__init__()
        self._bus = bus

    def wait(self, timeout: float | None = None) -> bool:
        self._bus.deliver(Topics().service("ads_ingest", "a"), encode(samples.service_status()))
        return super().wait(timeout)


def test_once_tells_what_the_broker_retains(bus: FakeBus):
    report = once(bus, Watched(Topics()), Settling(bus))
    assert [one.status.source for one in report.services] == ["ads_ingest/a"]
    assert not bus.connected, "it has gone again"


def test_a_broker_that_lets_nobody_in_is_told_with_its_reason_and_where_to_say_which(bus: FakeBus, monkeypatch):
    monkeypatch.setattr(bus, "start", lambda: None)
    bus.complaint = bus.why_away = "the broker at h:1 cannot be reached: Connection refused"
    (complaint,) = once(bus, Watched(Topics()), threading.Event()).complaints
    assert str(complaint).startswith("the broker at h:1 cannot be reached: Connection refused; DOTBUS_MQTT_HOST, ")


def test_topics_that_the_broker_lets_nobody_hear_are_told(bus: FakeBus):
    bus.refused_filters = {"dotbus/v1/service/+/+": "Not authorized"}
    report = once(bus, Watched(Topics()), threading.Event())
    assert "does not let None hear dotbus/v1/service/+/+ (Not authorized)" in str(report.complaints[0])


@pytest.mark.parametrize(
    "mistake", ["[modbus]\nstale_after_s = -1", "[[modbus.block]]\nunit_id = 1000", "colour = 1\nenvironment = 2"]
)
def test_where_topics_are_is_known_whatever_else_is_wrong_with_the_file(tmp_path: Path, mistake: str):
    file = tmp_path / "dotbus.toml"
    file.write_text(f'topic_root = "elsewhere/v1"\n{mistake}')
    assert load_watched(file).topics.root == "elsewhere/v1"


@pytest.mark.parametrize("text", ['topic_root = "a/+"', "topic_root = 1", "topic_root ="])
def test_a_root_of_topics_that_is_wrong_is_refused_and_no_other_stands_in_for_it(tmp_path: Path, text: str):
    file = tmp_path / "dotbus.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationRefused, match=r"topic_root|not TOML"):
        load_watched(file)


def test_whom_the_file_expects_is_known_also_beside_mistakes(tmp_path: Path):
    file = tmp_path / "dotbus.toml"
    file.write_text('colour = 1\n[alarms.service_down]\nexpected = ["historian/main"]\n')
    assert load_watched(file).expected == ("historian/main",)
