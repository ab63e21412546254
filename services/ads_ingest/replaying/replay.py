"""Replay, and `ads-ingest replay`: the service itself follows what was kept of a day in place of CAISO.

What was received by a time of that day is there at the time that it is mapped to, and every time in it is mapped alike, shifted
to now and as much faster as was asked for. Its messages are of the environment `simulator`, which no gateway of a real plant
accepts, and on topics of their own. So a plant can test its controller on what CAISO really said.
"""

import random
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from prometheus_client import CollectorRegistry

from ads_ingest.accounts import Account
from ads_ingest.replaying.played_ads import ONLY, Kept, PlayedAds, Span, Timeline, kept_in_archive
from ads_ingest.service import Loop, run_together, upstreams_of
from ads_ingest.settings import HISTORIAN_PREFIX, PREFIX, AdsSettings, ArchiveSettings, HistorianSettings
from ads_ingest.translate import Sender
from ads_ingest.wiring import Meters, Shared, wire_known, wire_streams
from dotbus.contracts.messages import Environment
from dotbus.contracts.topics import REPLAY_ROOT, Topics
from dotbus.runtime.ingest import Ingest
from dotbus.runtime.installation.file import load_installation
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.logs import configure_logs, get_logger
from dotbus.runtime.presence import Identity
from dotbus.runtime.process import load_or_exit, run_until_stopped
from dotbus.runtime.settings.mistakes import ConfigurationRefused, Mistake
from dotbus.runtime.settings.settings import BusSettings, ServiceSettings, load_settings
from dotbus.runtime.starting import CannotStart, packages_of

SERVICE: Final = "ads_ingest"
POLL_S: Final = 10.0
RECHECK_S: Final = 30.0
FASTEST_POLL_S: Final = 0.2
PLAYED_AFTER: Final = timedelta(minutes=10)
"""How much of the day is played after the last that was kept, where nobody says until when."""
KeptOf = Callable[[Environment, Span], Mapping[str, Sequence[Kept]]]


def simulated(installation: Installation, topic_root: str) -> Installation:
    """The installation that a replay is for: the plants of another one, simulated, under topics of their own.

    Raises:
        ConfigurationRefused: the topics are a real plant's.
    """
    if topic_root == installation.topic_root and installation.environment is not Environment.SIMULATOR:
        told = f"{topic_root} are the topics of {installation.environment}, which a replay must not speak on"
        raise ConfigurationRefused([Mistake("command line", "--topic-root", told)])
    try:
        root = Topics.rooted(topic_root).root
    except ValueError as error:
        raise ConfigurationRefused([Mistake("command line", "--topic-root", str(error))]) from error
    return installation.model_copy(update={"topic_root": root, "environment": Environment.SIMULATOR})


@dataclass(frozen=True)
class Replay:
    """All that a replay is told.

    Attributes:
        installation: whose plants, simulated.
        kept: what is played, by the account that was told it, in the order in which it came.
        span: from when to when of that day.
        speed: seconds of that day in one second.
        service: who says it.
        bus: the broker.
    """

    installation: Installation
    kept: Mapping[str, Sequence[Kept]]
    span: Span
    speed: float
    service: ServiceSettings
    bus: BusSettings

    @property
    def begin(self) -> datetime:
        """The first time that is played."""
        return self.span.begin or min(own[0].received_at for own in self.kept.values())

    @property
    def end(self) -> datetime:
        """The last one."""
        return self.span.end or max(own[-1].received_at for own in self.kept.values()) + PLAYED_AFTER


def run(replay: Replay, stop: threading.Event, clock: Callable[[], datetime]) -> None:
    """Play it, until its end or until told to stop."""
    timeline = Timeline(replay.begin, clock(), replay.speed)
    identity = Identity(SERVICE, replay.service.instance, Environment.SIMULATOR, clock())
    ends_in_s = (timeline.mapped(replay.end) - clock()).total_seconds()
    documents = sum(map(len, replay.kept.values()))
    get_logger("replay").info("playing", documents=documents, topics=replay.installation.topic_root, ends_in_s=ends_in_s)
    with tempfile.TemporaryDirectory(prefix="dotbus-replay-") as folder:
        settings = _settings(Path(folder), replay.speed)
        registry = CollectorRegistry()
        ingest = Ingest(
            identity,
            replay.installation.topics,
            replay.bus,
            settings,
            registry,
            upstreams=lambda: upstreams_of(loops),
            clock=clock,
        )
        meters, sender = Meters(registry, lambda: 0.0), Sender(replay.installation, identity.source)
        shared = Shared(ingest.outbox, sender, ingest.quarantine, meters, clock, ingest.courier.wake)
        asked = [(Account(name, settings), PlayedAds(own, timeline, clock)) for name, own in replay.kept.items()]
        known = wire_known([account for account, _ads in asked], shared)
        loops = [
            Loop(streams, settings.poll_s, chance=random.random, turned=lambda: _turned(ingest, replay), clock=clock)
            for streams in wire_streams(asked, known, shared)
        ]
        end = threading.Timer(max(0.0, ends_in_s), stop.set)
        end.daemon = True
        with ingest.serving(replay.service, lambda: False):
            end.start()
            run_together(loops, stop)
        end.cancel()
        _require_taken(ingest, replay)  # what was said last is answered as the service ends


def _turned(ingest: Ingest, replay: Replay) -> None:
    ingest.turned()
    _require_taken(ingest, replay)


def _require_taken(ingest: Ingest, replay: Replay) -> None:
    """What a refusal ends is a replay alone: nothing is lost with it, and nobody would see a day that plays to no one."""
    if refused := ingest.courier.refused:
        user = repr(replay.bus.username) if replay.bus.username else "a nameless user"
        remedy = f"{user} must be allowed to publish below {replay.installation.topic_root}, as `replay` of an installation is"
        raise CannotStart(f"{refused}: {remedy}")


def _settings(folder: Path, speed: float) -> AdsSettings:
    """Nobody is asked, so there is no address and no certificate."""
    return AdsSettings.model_construct(
        state_dir=folder,
        poll_s=max(FASTEST_POLL_S, POLL_S / speed),
        recheck_s=max(2 * FASTEST_POLL_S, RECHECK_S / speed),
    )


def add_replay_command(app: typer.Typer, clock: Callable[[], datetime]) -> None:
    """The command."""

    @app.command()
    def replay(
        begin: Annotated[str | None, typer.Option("--from", help="With its zone, as 2026-03-01T00:00Z.")] = None,
        end: Annotated[str | None, typer.Option("--to", help="The same; else the end of what was kept.")] = None,
        speed: Annotated[float, typer.Option(min=0.1, max=3600, help="How much faster than it was.")] = 1.0,
        archive: Annotated[Path | None, typer.Option(help="An archive; the one in ADS_INGEST_STATE_DIR unless given.")] = None,
        topic_root: Annotated[str, typer.Option(help="Every topic begins with this.")] = REPLAY_ROOT,
        *,
        historian: Annotated[bool, typer.Option("--historian", help="The database that HISTORIAN_DATABASE_URL names.")] = False,
    ) -> None:
        """Play a time of the past again, as a simulation. To test a controller on what CAISO really said."""
        told = load_or_exit(lambda: _told(Span.told(begin, end), speed, _keeper(archive, historian=historian), topic_root))
        configure_logs(SERVICE, told.service.instance, told.service.log_format, told.service.log_level)
        raise typer.Exit(run_until_stopped(lambda stop: run(told, stop, clock)))


def _keeper(archive: Path | None, *, historian: bool) -> KeptOf:
    """Who kept the day."""
    if historian and archive:
        raise ConfigurationRefused([Mistake("command line", "--historian", "and --archive are both given; keep one")])
    if historian:
        return _of_historian
    folder = archive or load_settings(ArchiveSettings, PREFIX).archive
    return lambda _environment, span: kept_in_archive(folder, span)


def _of_historian(environment: Environment, span: Span) -> Mapping[str, Sequence[Kept]]:
    with packages_of("ads-ingest"):
        from ads_ingest.replaying.from_historian import kept_by_historian  # noqa: PLC0415  # no service needs the driver
    return {ONLY: kept_by_historian(load_settings(HistorianSettings, HISTORIAN_PREFIX), environment, span)}


def _told(span: Span, speed: float, kept_of: KeptOf, topic_root: str) -> Replay:
    service = load_settings(ServiceSettings, PREFIX)
    bus = load_settings(BusSettings, f"{PREFIX}MQTT_")
    installation = load_installation(service.config)
    simulation = simulated(installation, topic_root)
    kept = _named(kept_of(installation.environment, span))
    named = service.model_copy(update={"instance": f"{service.instance}-replay"})
    return Replay(simulation, kept, span, speed, named, bus)


def _named(kept: Mapping[str, Sequence[Kept]]) -> Mapping[str, Sequence[Kept]]:
    """One account needs no name, and of several each does."""
    if len(kept) == 1:
        (own,) = kept.values()
        return {ONLY: own}
    return {name or "archive": own for name, own in kept.items()}
