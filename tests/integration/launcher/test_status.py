"""`dotbus status` against a real Mosquitto: what it ends with, what it says, and the shape of its JSON."""

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import jsonschema
import msgspec
import pytest
import trustme
from real_mosquitto import Mosquitto, remove_mosquitto, start_mosquitto
from simulator_client import EXAMPLE
from typer.testing import CliRunner
from waiting import eventually

from dotbus.contracts.codec import encode
from dotbus.contracts.topics import Topics
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Outgoing
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.settings import BusSettings
from dotbus.testing import samples
from launcher.commands import app
from launcher.setup.check import SERVICES

pytestmark = pytest.mark.integration
SCHEMA = json.loads((Path(__file__).parents[3] / "schemas/status-report.schema.json").read_text(encoding="utf-8"))
Say = Callable[..., None]


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch):
    for name in list(os.environ):
        if name.startswith(("DOTBUS_", *SERVICES)):
            monkeypatch.delenv(name)


@pytest.fixture
def say(broker: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> Iterator[Say]:
    """Says the status of an instance of ads_ingest, as it is now."""
    monkeypatch.setenv("DOTBUS_MQTT_PORT", str(broker.port))
    bus = Bus(BusSettings(port=broker.port), "services", clock=utc_now)
    bus.start()
    eventually(lambda: bus.connected)

    def said(instance: str, **changes: object) -> None:
        names = {"instance": instance, "source": f"ads_ingest/{instance}"}
        times = {"time": utc_now(), "started_at": utc_now() - timedelta(hours=1)}
        status = msgspec.structs.replace(samples.service_status(), **(names | times | changes))
        bus.publish([Outgoing(Topics().service("ads_ingest", instance), encode(status), retain=True)])

    yield said
    bus.stop()


def status(*options: str) -> tuple[int, str]:
    """Exit status and what was printed."""
    ran = CliRunner().invoke(app, ["status", "--config", str(EXAMPLE), *options])
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
    assert ran.stderr == ""
    return ran.exit_code, ran.stdout


def test_it_ends_with_0_while_all_is_well_and_with_1_and_a_line_when_anything_is_not(say: Say):
    say("a")
    assert status("--once")[0] == 0
    say("b", complaints=("the disk is full",))
    ended, text = status("--once")
    assert (ended, "ads_ingest/b: the disk is full" in text.splitlines()) == (1, True)


def test_its_json_is_as_the_schema_says_with_times_in_utc_and_absent_values_as_null(say: Say):
    say("a", certificate_days_left=None)
    say("b", online=False)
    ended, text = status("--json")
    report = json.loads(text)
    jsonschema.validate(report, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert (ended, report["well"], report["broker"]["complaint"]) == (1, False, None)
    assert [(one["status"]["instance"], one["health"]) for one in report["services"]] == [("a", "online"), ("b", "offline")]
    assert report["services"][0]["status"]["certificate_days_left"] is None
    assert [one["about"] for one in report["complaints"]] == ["ads_ingest/b"]
    assert report["time"].endswith("Z")


def test_an_installation_of_which_nothing_is_heard_is_not_well(broker: Mosquitto, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DOTBUS_MQTT_PORT", str(broker.port))
    ended, text = status("--once")
    assert (ended, text.startswith("No service is heard under dotbus/v1: ")) == (1, True)


def test_a_host_that_is_none_is_told_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    for name, value in {"HOST": "broker.invalid", "PORT": 8883, "CA_FILE": tmp_path / "ca.pem"}.items():
        monkeypatch.setenv(f"DOTBUS_MQTT_{name}", str(value))
    ended, text = status("--once")
    assert ended == 1
    assert text.startswith("the broker at broker.invalid:8883 cannot be reached: ")
    assert "demonstration" not in text


def test_a_broker_that_lets_us_not_in_is_told_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    broker = start_mosquitto(tmp_path, "allow_anonymous false")
    monkeypatch.setenv("DOTBUS_MQTT_PORT", str(broker.port))
    ended, text = status("--once")
    remove_mosquitto(broker)
    assert (ended, text.partition(";")[0]) == (1, f"the broker at 127.0.0.1:{broker.port} refuses us: Not authorized")


def test_a_port_where_no_mqtt_is_spoken_is_told_with_what_to_look_at(monkeypatch: pytest.MonkeyPatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setenv("DOTBUS_MQTT_PORT", str(port))
        hangs_up = threading.Thread(target=lambda: server.accept()[0].close())  # noqa: PLW0108  # it waits in the thread
        hangs_up.start()
        ended, text = status("--once")
        hangs_up.join()
    assert ended == 1
    why = "ends the connection before it lets us in: see that MQTT 5 without TLS is spoken there"
    assert text.startswith(f"the broker at 127.0.0.1:{port} {why}; DOTBUS_MQTT_HOST")
