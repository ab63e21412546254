"""A connection that the broker ends again and again: somebody else may use our name there."""

import time

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from dotbus.runtime.mqtt.bus import DROPPED_SOON_S, Bus
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.settings import BusSettings

DROPPED = "lets us in and drops us"


def lose(bus: Bus, monkeypatch: pytest.MonkeyPatch, after_s: float) -> None:
    """Let in, and some time later dropped, as paho tells both."""
    begun_s = time.monotonic()
    bus._client.on_connect(bus._client, None, None, ReasonCode(PacketTypes.CONNACK), None)
    with monkeypatch.context() as later:
        later.setattr(time, "monotonic", lambda: begun_s + after_s)
        bus._client.on_disconnect(bus._client, None, None, ReasonCode(PacketTypes.DISCONNECT, "Unspecified error"), None)


def test_a_broker_that_drops_us_soon_and_often_is_told_with_what_may_be_the_cause(monkeypatch, capsys):
    bus = Bus(BusSettings(), "ads_ingest/a", clock=utc_now)
    for told in (0, 0, 1, 1, 1, 2):
        lose(bus, monkeypatch, 2.0)
        assert (capsys.readouterr().out.count(DROPPED) > 0) == (told in {1, 2} and bus._dropped_soon % 3 == 0)
    lose(bus, monkeypatch, DROPPED_SOON_S + 1)
    lose(bus, monkeypatch, 2.0)
    lose(bus, monkeypatch, 2.0)
    assert DROPPED not in capsys.readouterr().out, "lost by chance now and then"
