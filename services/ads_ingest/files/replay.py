"""`ads-ingest replay`: an archived day played again, so that a plant can test its controller on what CAISO really said.

The service itself follows an archive in place of CAISO: what was received by a time of that day is there at the time that it is
mapped to, and every time in it is mapped alike, shifted to now and as much faster as was asked for. Its messages are of the
environment `simulator`, which no gateway of a real plant accepts, and on topics of their own.
"""

import random
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import msgspec
import typer
from prometheus_client import CollectorRegistry

from ads_ingest.accounts import Account
from ads_ingest.files.archive import ArchivedDocument, archived
from ads_ingest.meters import Meters
from ads_ingest.service import Loop, run_together, upstreams_of
from ads_ingest.settings import PREFIX, AdsSettings
from ads_ingest.translate import Sender
from ads_ingest.wiring import Shared, wire_known, wire_streams
from caiso.ads import NotADocument, UnknownUid, parse_saved
from caiso.ads.records import BatchHeader, DispatchBatch, DispatchBatchList, Question, TrajectoryBatch, TrajectoryBatchList
from dotbus.contracts.messages import Environment
from dotbus.contracts.topics import Topics
from dotbus.runtime.ingest import Ingest
from dotbus.runtime.installation import Installation
from dotbus.runtime.installation_file import load_installation
from dotbus.runtime.logs import configure_logs, get_logger
from dotbus.runtime.mistakes import ConfigurationRefused, Mistake
from dotbus.runtime.presence import Identity
from dotbus.runtime.process import load_or_exit, run_until_stopped
from dotbus.runtime.setting_values import MB
from dotbus.runtime.settings import BusSettings, ServiceSettings, load_settings

SERVICE: Final = "ads_ingest"
TOPIC_ROOT: Final = "replay/v1"
POLL_S: Final = 10.0
RECHECK_S: Final = 30.0
FASTEST_POLL_S: Final = 0.2
MAX_BYTES: Final = 512 * MB

T = TypeVar("T")


@dataclass(frozen=True)
class Timeline:
    """Maps the times of an archive to those at which they are played.

    Attributes:
        begin: the first time that is played.
        at: when that is.
        speed: seconds of the archive in one second.
    """

    begin: datetime
    at: datetime
    speed: float

    def mapped(self, time: datetime) -> datetime:
        """When a time is played."""
        return self.at + (time - self.begin) / self.speed

    def shifted(self, record: T) -> T:
        """A record with every time in it mapped."""
        return self._shifted(record)  # type: ignore[no-any-return]

    def _shifted(self, value: Any) -> Any:  # noqa: ANN401  # whatever a record may hold
        match value:
            case datetime():
                return self.mapped(value)
            case tuple():
                return tuple(self._shifted(each) for each in value)
            case msgspec.Struct():
                fields = {name: getattr(value, name) for name in value.__struct_fields__}
                return msgspec.structs.replace(value, **{name: self._shifted(each) for name, each in fields.items()})
            case _:
                return value


@dataclass
class ArchivedAds:
    """Answers as ADS did: of what was received by now, and of each batch the revision that was the newest then.

    Attributes:
        documents: in the order in which they came.
        timeline: when each is played.
        clock: the wall clock.
    """

    documents: Sequence[ArchivedDocument]
    timeline: Timeline
    clock: Callable[[], datetime]
    clock_offset_s: float | None = 0.0
    clock_offset_said_s: float | None = 0.0
    _played: int = 0
    _dispatches: dict[str, DispatchBatch] = field(default_factory=dict)
    _trajectories: dict[str, TrajectoryBatch] = field(default_factory=dict)

    def get_dispatch_batches_since_uid(self, batch_uid: str) -> DispatchBatchList:
        """As `AdsClient`."""
        self._play()
        return DispatchBatchList(tuple(batch.header for batch in _since(self._dispatches, batch_uid)))

    def get_dispatch_batch(self, batch_uid: str) -> DispatchBatch:
        """As `AdsClient`.

        Raises:
            UnknownUid: it is not in the archive, or not yet.
        """
        if batch_uid not in self._dispatches:
            raise UnknownUid(Question("getDispatchBatch", batch_uid), "it is not in the archive")
        return self._dispatches[batch_uid]

    def get_batch_header(self, batch_uid: str) -> BatchHeader:
        """As `AdsClient`.

        Raises:
            UnknownUid: it is not in the archive, or not yet.
        """
        self._play()
        return self.get_dispatch_batch(batch_uid).header

    def is_new_traj_data(self, batch_uid: str) -> bool:
        """As `AdsClient`."""
        self._play()
        return bool(_since(self._trajectories, batch_uid))

    def get_trajectory_data(self, batch_uid: str) -> TrajectoryBatchList:
        """As `AdsClient`."""
        return TrajectoryBatchList(tuple(_since(self._trajectories, batch_uid)))

    def validate_dispatch_batch(self, batch_uid: str) -> None:
        """CAISO is told nothing."""

    def _play(self) -> None:
        now = self.clock()
        while self._played < len(self.documents) and self.timeline.mapped(self.documents[self._played].received_at) <= now:
            self._take(self.documents[self._played])
            self._played += 1

    def _take(self, document: ArchivedDocument) -> None:
        try:
            saved = parse_saved(document.read(), MAX_BYTES)
        except (NotADocument, OSError, EOFError) as error:
            get_logger("replay").warning("an archived document cannot be played", file=str(document.path), cause=str(error))
            return
        for batch in saved.dispatches:
            self._dispatches[batch.header.batch_uid] = self.timeline.shifted(batch)
        for trajectory in saved.trajectories.batches:
            self._trajectories[trajectory.header.batch_uid] = self.timeline.shifted(trajectory)


def _since(known: dict[str, T], uid: str) -> list[T]:
    uids = list(known)
    return list(known.values())[uids.index(uid) + 1 if uid in known else 0 :]


def documents_of(folder: Path, begin: datetime | None, end: datetime | None) -> list[ArchivedDocument]:
    """The documents of an archive in a time, those of the archives of several accounts in it among them.

    Raises:
        ConfigurationRefused: there are none.
    """
    try:
        found = [*archived(folder), *(each for part in folder.iterdir() if part.is_dir() for each in archived(part))]
    except OSError as error:
        raise ConfigurationRefused([Mistake(str(folder), "", f"is no archive: {error.strerror}")]) from error
    wanted = [each for each in found if (not begin or each.received_at >= begin) and (not end or each.received_at <= end)]
    if not wanted:
        span = f"; it has {_span(found)}" if found else ""
        raise ConfigurationRefused([Mistake(str(folder), "", f"has no documents of that time{span}")])
    return sorted(wanted, key=lambda each: (each.received_at, each.path.name))


def _span(found: Iterable[ArchivedDocument]) -> str:
    times = sorted(each.received_at for each in found)
    return f"{times[0]:%Y-%m-%dT%H:%M:%SZ} to {times[-1]:%Y-%m-%dT%H:%M:%SZ}"


def installation_of(config: Path, topic_root: str) -> Installation:
    """The installation that a replay is for: the plants of a file, simulated, under topics of their own.

    Raises:
        ConfigurationRefused: the file is wrong, or the topics are a real plant's.
    """
    installation = load_installation(config)
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
    """All that a replay is told."""

    installation: Installation
    documents: Sequence[ArchivedDocument]
    begin: datetime
    end: datetime
    speed: float
    service: ServiceSettings
    bus: BusSettings


def run(replay: Replay, stop: threading.Event, clock: Callable[[], datetime]) -> None:
    """Play it, until its end or until told to stop."""
    timeline = Timeline(replay.begin, clock(), replay.speed)
    ads = ArchivedAds(replay.documents, timeline, clock)
    identity = Identity(SERVICE, replay.service.instance, Environment.SIMULATOR, clock())
    ends_in_s = (timeline.mapped(replay.end) - clock()).total_seconds()
    get_logger("replay").info(
        "playing", documents=len(replay.documents), topics=replay.installation.topic_root, ends_in_s=ends_in_s
    )
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
        account = Account("", settings)
        (streams,) = wire_streams([(account, ads)], wire_known([account], shared), shared)
        loops = [Loop(streams, settings.poll_s, chance=random.random, turned=ingest.turned, clock=clock)]
        end = threading.Timer(max(0.0, ends_in_s), stop.set)
        end.daemon = True
        with ingest.serving(replay.service, lambda: False):
            end.start()
            run_together(loops, stop)
        end.cancel()


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
        end: Annotated[str | None, typer.Option("--to", help="The same; else the end of the archive.")] = None,
        speed: Annotated[float, typer.Option(min=0.1, max=3600, help="How much faster than it was.")] = 1.0,
        archive: Annotated[Path, typer.Option(help="The archive of an ads_ingest.")] = Path("var/ads_ingest/archive"),
        topic_root: Annotated[str, typer.Option(help="Every topic begins with this.")] = TOPIC_ROOT,
    ) -> None:
        """Play an archived time again, as a simulation. To test a controller on what CAISO really said."""
        told = load_or_exit(lambda: _told(begin, end, speed, archive, topic_root))
        configure_logs(SERVICE, told.service.instance, told.service.log_format, told.service.log_level)
        raise typer.Exit(run_until_stopped(lambda stop: run(told, stop, clock)))


def _told(begin: str | None, end: str | None, speed: float, archive: Path, topic_root: str) -> Replay:
    service = load_settings(ServiceSettings, PREFIX)
    bus = load_settings(BusSettings, f"{PREFIX}MQTT_")
    installation = installation_of(service.config, topic_root)
    first, last = _time(begin, "--from"), _time(end, "--to")
    documents = documents_of(archive, first, last)
    named = service.model_copy(update={"instance": f"{service.instance}-replay"})
    return Replay(
        installation,
        documents,
        first or documents[0].received_at,
        last or documents[-1].received_at + timedelta(minutes=10),
        speed,
        named,
        bus,
    )


def _time(text: str | None, option: str) -> datetime | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationRefused(
            [Mistake("command line", option, f"{text!r} is no time such as 2026-03-01T00:00Z")]
        ) from error
    if time.tzinfo is None:
        raise ConfigurationRefused([Mistake("command line", option, f"{text!r} names no zone: end it with Z, or -08:00")])
    return time
