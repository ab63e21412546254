"""What an ingest has around its loop: probes hear when it hangs, and a disk or a broker that fails ends nothing."""

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from real_mosquitto import Mosquitto, free_port
from waiting import eventually

from dotbus.contracts.messages import Environment, Upstream
from dotbus.contracts.topics import Topics
from dotbus.runtime.ingest import Ingest
from dotbus.runtime.outbox.outbox import OutboxInUse
from dotbus.runtime.presence import Identity
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.settings import BusSettings, KeepingSettings, ServiceSettings

pytestmark = pytest.mark.integration

IDENTITY = Identity("ads_ingest", "a", Environment.SIMULATOR, utc_now())
UPSTREAM = Upstream(name="ads_dispatch", ok=True, last_ok_at=IDENTITY.started_at, clock_offset_s=0.5)


def ingest_in(
    folder: Path,
    registry: CollectorRegistry,
    upstreams: Callable[[], Sequence[Upstream]] = lambda: [UPSTREAM],
    port: int | None = None,
) -> Ingest:
    """Its broker is not there unless its port is given."""
    keeping = KeepingSettings(state_dir=folder, outbox_max_age_days=1, outbox_max_mb=1)
    bus = BusSettings(port=port or free_port())
    return Ingest(IDENTITY, Topics(), bus, keeping, registry, upstreams=upstreams, clock=utc_now)


def probe(port: int, address: str = "/health") -> tuple[int, dict[str, object]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{address}", timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def test_a_loop_that_hangs_is_not_alive_and_a_broker_that_is_away_is_no_reason_to_restart(tmp_path: Path) -> None:
    ingest, settings, hangs = ingest_in(tmp_path, CollectorRegistry()), ServiceSettings(health_port=free_port()), []
    with ingest.serving(settings, is_late=lambda: bool(hangs)):
        of_caiso = {"heard": {"ads_dispatch": True}, "upstreams": {"ads_dispatch": True}, "errors": {}}
        told = {"alive": True, "ready": False, "broker": False, **of_caiso}
        assert probe(settings.health_port) == (200, told)
        assert probe(settings.health_port, "/ready") == (503, told)
        hangs.append(True)
        assert probe(settings.health_port)[0] == 503


def test_an_ingest_that_never_heard_caiso_is_alive_and_not_ready_and_says_why(tmp_path: Path, broker: Mosquitto) -> None:
    upstreams = [UPSTREAM, Upstream(name="ads_trajectory", ok=False, last_error="certificate expired", failures_in_a_row=1)]
    ingest = ingest_in(tmp_path, CollectorRegistry(), lambda: upstreams, broker.port)
    settings = ServiceSettings(health_port=free_port())
    with ingest.serving(settings, is_late=lambda: False):
        eventually(lambda: probe(settings.health_port)[1]["broker"])
        status, told = probe(settings.health_port, "/ready")
        assert (status, told["heard"]) == (503, {"ads_dispatch": True, "ads_trajectory": False})
        assert told["errors"] == {"ads_trajectory": "certificate expired"}
        upstreams[1] = msgspec.structs.replace(upstreams[1], ok=True, last_ok_at=IDENTITY.started_at)
        assert probe(settings.health_port, "/ready")[0] == 200
        upstreams[1] = msgspec.structs.replace(upstreams[1], ok=False)
        assert probe(settings.health_port, "/ready")[0] == 200, "an outage of CAISO's ends nobody's start"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_courier_that_died_is_not_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ingest, settings = ingest_in(tmp_path, CollectorRegistry()), ServiceSettings(health_port=free_port())
    monkeypatch.setattr(ingest.courier, "_round", sys.exit)
    with ingest.serving(settings, is_late=lambda: False):
        eventually(lambda: probe(settings.health_port)[0] == 503)


def test_each_turn_is_measured_and_a_disk_that_fails_does_not_end_the_loop(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    ingest = ingest_in(tmp_path, registry)
    ingest.turned()
    assert registry.get_sample_value("ads_ingest_events_unpublished") == 0
    assert registry.get_sample_value("ads_ingest_clock_offset_seconds", {"upstream": "ads_dispatch"}) == 0.5
    ingest.outbox.close()
    ingest.turned()


def test_a_clock_that_differs_from_caiso_s_is_told_once_and_when_it_agrees_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    offsets_s = [0.5, -2.5, -3.0, 0.1, 2.1]
    said = iter([Upstream(name="ads_dispatch", ok=True, clock_offset_s=offset_s) for offset_s in offsets_s for _ in range(2)])
    ingest = ingest_in(tmp_path, CollectorRegistry(), lambda: [next(said)])
    told = []
    for _ in offsets_s:
        ingest.turned()
        output = capsys.readouterr().out
        told.append("differ" if "differ" in output else "agree" if "agree" in output else "")
    assert told == ["", "differ", "", "agree", "differ"]
    ingest.outbox.close()


def test_a_second_instance_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    first = ingest_in(tmp_path, CollectorRegistry())
    with pytest.raises(OutboxInUse, match="own folder"):
        ingest_in(tmp_path, CollectorRegistry())
    first.outbox.close()
