"""lmp_ingest asks the simulator's OASIS over HTTP: prices, recordings, every fault on demand, a restart."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import pytest
import requests
from oasis_recordings import recorded
from prometheus_client import CollectorRegistry
from simulator_client import Clock, Keys, simulating

from caiso.oasis import Market, Question
from dotbus.contracts.codec import decode_as
from dotbus.contracts.messages import Environment, Lmp, NodePrice, Prices, Upstream
from dotbus.runtime.ingest import open_outbox, open_quarantine
from dotbus.runtime.installation.installation import Installation
from lmp_ingest.caiso import Caiso
from lmp_ingest.meters import Meters
from lmp_ingest.service import Loop
from lmp_ingest.settings import OasisSettings
from lmp_ingest.translate import Sender
from lmp_ingest.wiring import wire_loop

BEGIN = datetime(2026, 9, 1, 20, 2, 30, tzinfo=UTC)  # 13:02:30 in California: tomorrow's day-ahead prices are out
NODES = ("BAYSHOR2_1_N001", "TH_NP15_GEN-APND")
INSTALLATION = """
environment = "simulator"
[[plant]]
name = "sierra"
[[plant.resource]]
id = "R1"
node = "BAYSHOR2_1_N001"
[prices]
markets = ["RTM", "RTPD", "HASP", "DAM"]
nodes = ["TH_NP15_GEN-APND"]
"""


@dataclass
class Scene:
    """The simulator, a clock that it shares with us, and the settings to ask it by."""

    clock: Clock
    admin: str
    url: str
    folder: Path

    def settings(self, **more: object) -> OasisSettings:
        usual = {"url": self.url, "timeout_s": 30.0, "max_reply_mb": 1.0, "max_unpacked_mb": 8.0}
        return OasisSettings(state_dir=self.folder / "state", **usual | more)

    def order(self, fault: str, times: int = 1) -> None:
        order = {"service": "oasis", "fault": fault, "times": times}
        requests.post(f"{self.admin}/faults", json=order, timeout=20).raise_for_status()

    def truth(self, market: Market, node: str, start: datetime, end: datetime) -> list[dict[str, object]]:
        query = {"market": market.value, "node": node, "start": start.isoformat(), "end": end.isoformat()}
        reply = requests.get(f"{self.admin}/prices", params=query, timeout=20)
        reply.raise_for_status()
        prices: list[dict[str, object]] = reply.json()
        return prices


@pytest.fixture
def scene(tmp_path: Path, keys: Keys) -> Iterator[Scene]:
    config = tmp_path / "dotbus.toml"
    config.write_text(INSTALLATION)
    clock = Clock(BEGIN)
    with simulating(keys, config, clock, hold_s=30.0, oversized_mb=3) as addresses:
        yield Scene(clock, addresses.admin, addresses.oasis, tmp_path)


class Run:
    """One process of lmp_ingest, without the bus."""

    def __init__(
        self, scene: Scene, markets: tuple[Market, ...] = tuple(Market), nodes: tuple[str, ...] = NODES[1:], **settings: object
    ) -> None:
        self.scene = scene
        self.settings = scene.settings(**settings)
        self.outbox = open_outbox(self.settings)
        self.source = self.settings.connection(scene.clock, lambda: scene.clock().timestamp())
        self.installation = Installation.model_validate(
            {
                "environment": "simulator",
                "plant": [{"name": "sierra", "resource": [{"id": "R1", "node": NODES[0]}]}],
                "prices": {"markets": markets, "nodes": nodes},
            }
        )
        self.registry = CollectorRegistry()
        self.loop: Loop = wire_loop(
            self.settings,
            Caiso(self.source, self.settings.bounds, self.settings.versions),
            self.outbox,
            Sender(Environment.SIMULATOR, "lmp_ingest/test"),
            installation=self.installation,
            quarantine=open_quarantine(self.settings),
            meters=Meters(self.registry),
            clock=scene.clock,
            committed=lambda: None,
            chance=lambda: 0.0,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.outbox.close()
        self.source.close()

    def run(self, seconds: float) -> None:
        end = self.scene.clock() + timedelta(seconds=seconds)
        while self.scene.clock() < end:
            self.loop.step()
            self.scene.clock.move(max(self.loop.idle_s(), 0.01))

    def events(self) -> list[Prices]:
        return [decode_as(event.payload, Prices) for event in self.outbox.between(1, 10**9, 10**6)]

    def state(self, market: Market, node: str) -> Lmp | None:
        payload = self.outbox.states().get(self.installation.topics.lmp(market, node))
        return decode_as(payload, Lmp) if payload else None

    def health(self, market: Market) -> Upstream:
        return next(one for one in self.loop.upstreams() if one.name == f"oasis_{market.lower()}")

    def failures(self) -> float:
        metrics = (sample for metric in self.registry.collect() for sample in metric.samples)
        return sum(sample.value for sample in metrics if sample.name == "lmp_ingest_failures_total")

    def quarantined(self) -> list[Path]:
        return sorted((self.settings.state_dir / "quarantine").glob("*"))


def values(price: NodePrice) -> dict[str, object]:
    return {
        "lmp": price.lmp_usd_per_mwh,
        "energy": price.energy_usd_per_mwh,
        "congestion": price.congestion_usd_per_mwh,
        "loss": price.loss_usd_per_mwh,
        "ghg": price.ghg_usd_per_mwh,
    }


def told(events: list[Prices], market: Market, node: str) -> dict[datetime, dict[str, object]]:
    """What events say of one node: the latest of each interval."""
    found = {}
    for event in events:
        if event.market == market and node in event.nodes:
            at = event.nodes.index(node)
            found[event.interval_start] = {
                "lmp": event.lmp_usd_per_mwh[at],
                "energy": event.energy_usd_per_mwh[at],
                "congestion": event.congestion_usd_per_mwh[at],
                "loss": event.loss_usd_per_mwh[at],
                "ghg": event.ghg_usd_per_mwh[at],
            }
    return found


def components(price: dict[str, object]) -> dict[str, object]:
    return {name: price[name] for name in ("lmp", "energy", "congestion", "loss", "ghg")}


def sent(market: Market, truth: dict[str, object]) -> dict[str, object]:
    """What CAISO sends of a price: of RUC the LMP alone."""
    parts = components(truth)
    return parts if market is not Market.RUC else dict.fromkeys(parts) | {"lmp": parts["lmp"]}


def test_within_a_minute_every_market_s_prices_are_those_that_the_simulator_gives(scene: Scene) -> None:
    with Run(scene) as run:
        run.run(40)

        assert run.failures() == 0, "the simulator throttles whoever asks twice within five seconds"
        for market in Market:
            assert run.health(market).ok
            for node in NODES:
                state = run.state(market, node)
                assert state is not None
                assert state.active is not None
                start = state.active.interval_start
                (truth,) = scene.truth(market, node, start, start)
                assert values(state.active) == sent(market, truth)
                events = told(run.events(), market, node)
                span = scene.truth(market, node, min(events), max(events))
                assert {datetime.fromisoformat(str(one["interval_start"])): sent(market, one) for one in span} == events
        day_ahead = run.state(Market.DAM, NODES[0])
        assert day_ahead is not None
        assert day_ahead.published is not None
        assert day_ahead.published.interval_end == datetime(2026, 9, 3, 7, tzinfo=UTC), "the end of tomorrow in California"


def test_an_hour_of_the_five_minute_market_leaves_no_gap_and_no_double(scene: Scene) -> None:
    with Run(scene, (Market.RTM,)) as run:
        run.run(3600)

        starts = sorted(event.interval_start for event in run.events())
        assert starts == [starts[0] + number * timedelta(minutes=5) for number in range(len(starts))]
        assert starts[-1] >= scene.clock() - timedelta(minutes=5)
        assert run.failures() == 0


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("throttle", "asked too often (HTTP status 429)"),
        ("throttle_200", "asked too often (HTTP status 200)"),
        ("not_zip", "not a zip"),
        ("cut", "the reply ends before its end"),
        ("http_503", "HTTP status 503"),
        ("timeout", "no reply within 5 s"),
        ("oversized", "the reply exceeds 1 MB"),
        ("bomb", "no column"),
        ("error_1000", "prices that should be there"),
        ("error_1015", "OASIS error 1015"),
    ],
)
def test_a_fault_publishes_nothing_is_quarantined_and_passes(scene: Scene, fault: str, kind: str) -> None:
    scene.order(fault, times=2)
    timeout_s = 5.0 if fault == "timeout" else 30.0
    with Run(scene, (Market.RTM,), rtm_every_s=300.0, timeout_s=timeout_s) as run:
        run.run(15)
        assert kind in (run.health(Market.RTM).last_error or "")
        assert not run.health(Market.RTM).ok
        assert run.events() == []
        assert run.state(Market.RTM, NODES[0]) is None
        assert len(run.quarantined()) == (0 if fault == "timeout" else 1)

        run.run(2400)
        assert run.health(Market.RTM).ok
        assert run.state(Market.RTM, NODES[0]) is not None
        assert run.failures() == 2
        assert len(run.quarantined()) <= 1, "the same cause twice is kept once"


def test_the_whole_network_is_what_the_simulator_gives_of_every_node_and_only_named_ones_have_a_state(scene: Scene) -> None:
    with Run(scene, (Market.RTM, Market.DAM), nodes=("ALL",)) as run:
        run.run(400)

        assert run.failures() == 0
        for market in (Market.RTM, Market.DAM):
            events = [event for event in run.events() if event.market == market]
            nodes = {node for event in events for node in event.nodes}
            assert nodes > {*NODES, "DLAP_PGAE-APND"}
            for node in nodes:
                said = told(events, market, node)
                span = scene.truth(market, node, min(said), max(said))
                assert {datetime.fromisoformat(str(one["interval_start"])): components(one) for one in span} == said
            state = run.state(market, NODES[0])
            assert state is not None
            assert state.active is not None
        assert len(run.outbox.states()) == 2
        assert run.health(Market.RTM).complaints == ()


def test_an_hour_of_the_whole_network_leaves_no_gap_and_no_double_over_a_restart(scene: Scene) -> None:
    for minutes in (25, 35):
        with Run(scene, (Market.RTM,), nodes=("ALL",)) as run:
            run.run(minutes * 60)
            said = [(event.interval_start, node) for event in run.events() for node in event.nodes]
            starts = sorted({start for start, _ in said})
            assert len(said) == len(set(said))
            assert starts == [starts[0] + number * timedelta(minutes=5) for number in range(len(starts))]
            assert starts[-1] >= scene.clock() - timedelta(minutes=5)
            assert run.failures() == 0


def test_an_unknown_version_stops_its_market_alone(scene: Scene) -> None:
    with Run(scene, (Market.RTM, Market.RTPD), rtm_version=9) as run:
        run.run(60)

        assert "1020" in (run.health(Market.RTM).last_error or "")
        assert run.health(Market.RTPD).ok
        assert run.state(Market.RTPD, NODES[0]) is not None


def test_a_restart_goes_on_where_it_was_and_tells_nothing_twice(scene: Scene) -> None:
    with Run(scene, (Market.RTM,)) as run:
        run.run(60)
        first = {event.id for event in run.events()}
    scene.clock.move(3 * 3600)

    with Run(scene, (Market.RTM,)) as run:
        run.run(60)
        starts = sorted(event.interval_start for event in run.events())
        assert first < {event.id for event in run.events()}
        assert starts == [starts[0] + number * timedelta(minutes=5) for number in range(len(starts))]


def test_a_server_that_is_gone_is_a_failure_and_its_return_a_recovery(scene: Scene) -> None:
    with Run(scene, (Market.RTM,), url="http://127.0.0.1:9/oasisapi") as run:
        run.run(60)
        assert "Connection refused" in (run.health(Market.RTM).last_error or "")
    with Run(scene, (Market.RTM,)) as run:
        run.run(20)
        assert run.health(Market.RTM).ok


def test_a_clock_that_differs_from_caiso_s_is_seen(scene: Scene) -> None:
    with Run(scene, (Market.RTM,)) as run:
        run.run(10)

        assert run.health(Market.RTM).clock_offset_s == pytest.approx(0.5, abs=1.0)


def test_a_recorded_question_is_asked_so_that_the_recorded_bytes_come_back(scene: Scene) -> None:
    """The query's form is what the recording's own asker used."""
    question = Question(
        Market.DAM,
        ("CATALYST_7_N002", "EMBRCDR_2_N104", "STATIN-L_7_N001"),
        datetime(2024, 4, 12, 22, tzinfo=UTC),
        datetime(2024, 4, 20, 22, tzinfo=UTC),
        version=1,
    )
    source = scene.settings().connection(scene.clock)

    reply = source.fetch(question)

    source.close()
    assert reply.status == 200
    assert reply.content == recorded("singlezip_20240412_20240420_PRC_LMP_DAM_20240418_14_20_28_v1_csv.zip")
