"""Ingest: what every ingest has around its loop. The outbox, who delivers it, who says how it goes, and whom probes ask."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge

from dotbus.contracts.messages import Backfill, OutboxSpan, ServiceStatus, Upstream
from dotbus.contracts.quality import CLOCK_DOUBT_S
from dotbus.contracts.topics import Topics
from dotbus.runtime.logs import get_logger
from dotbus.runtime.metrics import serving_health
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.outbox.courier import Courier
from dotbus.runtime.outbox.outbox import Outbox
from dotbus.runtime.presence import Identity, Presence
from dotbus.runtime.quarantine import Quarantine
from dotbus.runtime.settings.settings import BusSettings, KeepingSettings, ServiceSettings
from dotbus.runtime.settings.values import MB
from dotbus.runtime.starting import keeping

_DAY_S = 86400.0


class OutboxSettings(Protocol):
    """Where an outbox is, and how much of it is kept."""

    @property
    def state_dir(self) -> Path:
        """Its folder."""
        ...

    @property
    def outbox_max_age_days(self) -> float:
        """How long a published event can be sent again."""
        ...

    @property
    def outbox_max_mb(self) -> float:
        """The same by size."""
        ...


def open_outbox(settings: OutboxSettings, setting: str = "STATE_DIR") -> Outbox:
    """The outbox of a service.

    Args:
        settings: of the service.
        setting: what its folder's setting is called, for the message.

    Raises:
        OutboxInUse: another process has it.
        CannotStart: its folder cannot be written, or it is damaged.
    """
    with keeping(settings.state_dir, setting):
        return Outbox(
            settings.state_dir / "outbox.sqlite",
            max_age_s=settings.outbox_max_age_days * _DAY_S,
            max_bytes=int(settings.outbox_max_mb * MB),
        )


def open_quarantine(settings: KeepingSettings) -> Quarantine:
    """Where an ingest keeps raw replies that it could not use."""
    return Quarantine(settings.state_dir / "quarantine", settings.quarantine_max_bytes)


class IngestMeters:
    """The metrics that every ingest has.

    Args:
        registry: where they are found.
        service: the first word of their names.
    """

    def __init__(self, registry: CollectorRegistry, service: str) -> None:
        def gauge(name: str, meaning: str, *labels: str) -> Gauge:
            return Gauge(f"{service}_{name}", meaning, labels, registry=registry)

        self.published = Counter(f"{service}_events_published", "Events that the broker acknowledged", registry=registry)
        self._unpublished = gauge("events_unpublished", "Events that wait for the broker")
        self._last_ok = gauge("last_ok_timestamp_seconds", "When CAISO was last heard well", "upstream")
        self._clock_offset = gauge("clock_offset_seconds", "CAISO's clock minus ours", "upstream")

    def note(self, upstreams: Sequence[Upstream], span: OutboxSpan) -> None:
        """After a turn of the loop. What is not known has no sample."""
        self._unpublished.set(span.unpublished)
        for upstream in upstreams:
            if upstream.last_ok_at is not None:
                self._last_ok.labels(upstream.name).set(upstream.last_ok_at.timestamp())
            if upstream.clock_offset_s is not None:
                self._clock_offset.labels(upstream.name).set(upstream.clock_offset_s)


class Ingest:
    """One ingest's way from its outbox to the bus, and what it says of itself.

    Args:
        identity: who speaks.
        topics: of the installation.
        bus: where the broker is.
        keeping: where the outbox and the quarantine are.
        registry: for metrics.
        upstreams: how CAISO is heard now; called from several threads.
        certificate_days_left: at a time, for an ingest that has a certificate.
        backfills: prices of the past that it is asked for, at a time.
        clock: the wall clock.

    Attributes:
        bus: its connection.
        outbox: what the loop commits to; call `courier.wake` afterwards.
        quarantine: for raw replies.
        courier: outbox to bus.

    Raises:
        OutboxInUse: another process has the outbox.
        CannotStart: it cannot be kept where the settings say.
    """

    def __init__(
        self,
        identity: Identity,
        topics: Topics,
        bus: BusSettings,
        keeping: KeepingSettings,
        registry: CollectorRegistry,
        *,
        upstreams: Callable[[], Sequence[Upstream]],
        certificate_days_left: Callable[[datetime], float | None] = lambda _now: None,
        backfills: Callable[[datetime], Sequence[Backfill]] = lambda _now: (),
        clock: Callable[[], datetime],
    ) -> None:
        self._identity = identity
        self._registry = registry
        self._upstreams = upstreams
        self._certificate_days_left = certificate_days_left
        self._backfills = backfills
        self._meters = IngestMeters(registry, identity.service)
        self._clock_in_doubt = False
        self._log = get_logger("ingest")
        self.outbox = open_outbox(keeping)
        self.quarantine = open_quarantine(keeping)
        self.bus = Bus(bus, identity.source, clock=clock, will=identity.will(topics))
        self.courier = Courier(self.bus, self.outbox, topics, identity, clock=clock, published=self._meters.published.inc)
        self._presence = Presence(
            self.bus,
            topics,
            identity,
            self._describe,
            clock=clock,
            ready=lambda: self.courier.settled and self.courier.caught_up,
        )

    def turned(self) -> None:
        """The loop came round: what is known of CAISO may have changed."""
        try:
            self._meters.note(self._upstreams(), self.outbox.span())
        except sqlite3.Error as error:  # the loop says by itself that nothing can be kept
            self._log.debug("the outbox does not say what it holds", cause=str(error))
        self._judge_clock()
        self._presence.poke()

    def _judge_clock(self) -> None:
        offsets_s = {upstream.name: upstream.clock_offset_s or 0.0 for upstream in self._upstreams()}
        doubted = {name: round(offset_s, 1) for name, offset_s in offsets_s.items() if abs(offset_s) > CLOCK_DOUBT_S}
        if doubted and not self._clock_in_doubt:
            self._log.warning(
                "CAISO's clock and ours differ", offsets_s=doubted, next="gateways doubt what we say; set the clock"
            )
        elif self._clock_in_doubt and not doubted:
            self._log.info("CAISO's clock and ours agree again")
        self._clock_in_doubt = bool(doubted)

    @contextmanager
    def serving(self, settings: ServiceSettings, is_late: Callable[[], bool]) -> Iterator[None]:
        """Deliver and say how it goes, meanwhile; afterwards everything is stopped in order and the outbox closed.

        Args:
            settings: where probes ask.
            is_late: whether the loop hangs, so that only a restart can help.
        """

        def health() -> dict[str, object]:
            upstreams = self._upstreams()
            heard = {upstream.name: upstream.last_ok_at is not None for upstream in upstreams}
            return {
                "alive": not is_late() and self.courier.is_alive and self._presence.is_alive,
                "ready": self.bus.connected and all(heard.values()),
                "broker": self.bus.connected,
                "heard": heard,
                "upstreams": {upstream.name: upstream.ok for upstream in upstreams},
                "errors": {upstream.name: upstream.last_error for upstream in upstreams if not upstream.ok},
            }

        with ExitStack() as running:
            running.callback(self.outbox.close)
            self.bus.start()
            running.callback(self.bus.stop)
            self._presence.start()
            running.callback(self._presence.stop)
            self.courier.start()
            running.callback(self.courier.stop)
            running.enter_context(serving_health(settings, self._registry, health))
            yield

    def _describe(self, now: datetime) -> ServiceStatus:
        return self._identity.status(
            now,
            upstreams=self._upstreams(),
            outbox=self.outbox.span(),
            cursors=self.outbox.cursors(),
            certificate_days_left=self._certificate_days_left(now),
            backfills=self._backfills(now),
        )
