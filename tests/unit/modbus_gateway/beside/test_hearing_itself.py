"""What a gateway hears of the gateways, itself among them, beside whatever else of it listens."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import Environment
from dotbus.contracts.quality import HEARTBEAT_S
from dotbus.contracts.topics import Topics
from dotbus.runtime.outbox.courier import Courier
from dotbus.runtime.outbox.outbox import Outbox
from dotbus.runtime.presence import Identity
from dotbus.testing.bus import FakeBus
from modbus_gateway.beside.echo import HOLDS_FOR_S
from modbus_gateway.beside.gateways import Gateways

LOOKS_EVERY_S = 0.5
TOPICS = Topics()
STARTED = datetime(2026, 1, 1, tzinfo=UTC)
IDENTITY = Identity("modbus_gateway", "sierra", Environment.SIMULATOR, STARTED)


@pytest.mark.parametrize("outbox_first", [True, False])
def test_a_gateway_with_an_outbox_hears_its_own_heartbeat_as_one_without(tmp_path: Path, outbox_first: bool):  # noqa: FBT001  # both orders
    bus, shown, now_s = FakeBus(), [], 0.0
    outbox = Outbox(tmp_path / "outbox.sqlite", max_age_s=3600, max_bytes=10**9)
    if outbox_first:
        Courier(bus, outbox, TOPICS, IDENTITY, clock=lambda: STARTED)
    gateways = Gateways(
        bus,
        TOPICS,
        IDENTITY,
        lambda: None,
        lambda _state, until_s: shown.append(now_s <= until_s),
        lambda: None,
        in_turn=lambda act: act(),
        monotonic_s=lambda: now_s,
        clock=lambda: STARTED,
    )
    if not outbox_first:
        Courier(bus, outbox, TOPICS, IDENTITY, clock=lambda: STARTED)
    bus.start()
    while now_s <= 2 * HOLDS_FOR_S:
        status = IDENTITY.status(STARTED + timedelta(seconds=now_s))
        gateways.saying(status)
        bus.deliver(TOPICS.service("modbus_gateway", "sierra"), encode(status))
        for _ in range(int(HEARTBEAT_S / LOOKS_EVERY_S)):
            gateways.look_round()
            now_s += LOOKS_EVERY_S
    gateways.look_round()
    outbox.close()
    assert all(shown)
