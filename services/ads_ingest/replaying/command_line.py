"""`ads-ingest replay`: a day played again, so that a plant can test its controller on what CAISO really said."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ads_ingest.replaying.from_archive import ONLY, kept_in_archive
from ads_ingest.replaying.played_ads import Kept, Span
from ads_ingest.replaying.replay import SERVICE, Replay, run, simulated
from ads_ingest.settings import HISTORIAN_PREFIX, PREFIX, ArchiveSettings, HistorianSettings
from dotbus.contracts.messages import Environment
from dotbus.contracts.topics import REPLAY_ROOT
from dotbus.runtime.installation.file import load_installation
from dotbus.runtime.logs import configure_logs
from dotbus.runtime.process import load_or_exit, run_until_stopped
from dotbus.runtime.settings.mistakes import ConfigurationRefused, Mistake
from dotbus.runtime.settings.settings import BusSettings, ServiceSettings, load_settings
from dotbus.runtime.starting import packages_of

KeptOf = Callable[[Environment, Span], Mapping[str, Sequence[Kept]]]


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
