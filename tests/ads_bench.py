"""Both streams of ads_ingest on a bench: an ADS in memory, the real outbox on disk, and a clock to turn."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ads_fake import Batch, FakeAds, Trouble
from ads_replies import fault

from ads_ingest.batches.alarms import ClockSteps, DispatchAlarms, Silence
from ads_ingest.batches.listing import Listing
from ads_ingest.batches.outages import Followed, Outages
from ads_ingest.batches.passed_over import PassedOver
from ads_ingest.batches.validations import Validations
from ads_ingest.batches.views import View, Views
from ads_ingest.caiso import UntilStop
from ads_ingest.dispatch import DispatchStream
from ads_ingest.dispatch_changes import DispatchChanges
from ads_ingest.files.archive import Archive
from ads_ingest.files.latest import DocumentFiles
from ads_ingest.known.from_batches import VALID_FOR_LEAST, known_dots, known_instructions, known_trajectories
from ads_ingest.publishing import Publisher, UnassignedResources
from ads_ingest.quarantine import QuarantineLog
from ads_ingest.settings import AdsPace
from ads_ingest.taking_over import take_over
from ads_ingest.trajectory import TrajectoryStream
from ads_ingest.translate import Sender
from ads_ingest.wiring import open_batches
from caiso.ads import AdsClient, Source
from caiso.ads.errors import AdsFailure, TimedOut
from caiso.ads.records import Question
from dotbus.contracts.codec import decode_as
from dotbus.contracts.messages import Dispatch, Dot, Instructions, Trajectory, UpstreamGap
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.outbox.outbox import Outbox
from dotbus.runtime.quarantine import Quarantine

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RECHECK = timedelta(seconds=30)
PACE = AdsPace(poll_s=10.0, recheck_s=RECHECK.total_seconds())
INSTALLATION = Installation.model_validate(
    {"environment": "simulator", "plant": [{"name": "north", "resource": [{"id": "R1"}, {"id": "R2"}]}]}
)


class Bench:
    """Both streams, an ADS to talk to and a clock to turn."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.installation = INSTALLATION
        self.ads = FakeAds()
        self.source: Source = self.ads
        self.now = T0
        self.monotonic_s = 0.0
        self.max_reply_bytes = 10**6
        self.told_to_stop = threading.Event()
        self.start()

    def start(self) -> None:
        """A process begins: with what is on disk, and nothing else."""
        self.outbox = Outbox(self.folder / "outbox.sqlite", max_age_s=1e9, max_bytes=10**9)
        self.quarantine = Quarantine(self.folder / "quarantine", 10**6)
        clocks = {"clock": lambda: self.now, "monotonic_s": lambda: self.monotonic_s}
        client = AdsClient(self.source, max_bytes=self.max_reply_bytes, **clocks)  # type: ignore[arg-type]
        caiso = UntilStop(client, self.told_to_stop.is_set)
        sender, unassigned = Sender(self.installation, "ads_ingest/test"), UnassignedResources()
        kept, topics, files = (
            take_over(self.outbox, sender, self.now),
            self.installation.topics,
            DocumentFiles(self.folder / "latest", Archive(self.folder / "archive", timedelta(days=2), 10**6)),
        )
        self.commits = 0
        self.of_dispatches, self.of_trajectories = Silence(self.now), Silence(self.now)
        told = {"committed": self.count_commit, "unassigned": unassigned}
        dots = known_dots(sender, kept)
        batches = open_batches(PACE, self.installation, VALID_FOR_LEAST, lambda: 0.0)
        publisher = Publisher(  # type: ignore[misc]
            self.outbox,
            dots,
            topics,
            "dispatch",
            instructions=known_instructions(sender, kept),
            **told,  # type: ignore[arg-type]
        )
        views = Views(View(batches, dots.sees, dots.formerly.update))
        self.dispatch = DispatchStream(
            caiso,
            publisher,
            validations=Validations(caiso, enabled=True),
            quarantine_log=QuarantineLog(self.quarantine),
            files=files,
            batches=batches,
            changes=DispatchChanges(caiso, publisher, sender, batches=batches, views=views, clock=lambda: self.now),
            clock=lambda: self.now,
            clock_steps=ClockSteps(lambda: self.now, lambda: self.monotonic_s),
            listing=Listing(
                caiso,
                batches,
                PassedOver(batches, publisher.named, RECHECK),
                clock=lambda: self.now,
                silence=self.of_dispatches,
            ),
            alarms=DispatchAlarms(self.of_dispatches, 20 * MINUTE, self.outages(sender, "ads_dispatch", "dispatch batches")),
        )
        self.trajectory = TrajectoryStream(
            caiso,
            Publisher(self.outbox, known_trajectories(sender, kept), topics, "trajectory", **told),  # type: ignore[arg-type]
            sender,
            quarantine_log=QuarantineLog(self.quarantine),
            files=files,
            clock=lambda: self.now,
            clock_steps=ClockSteps(lambda: self.now, lambda: self.monotonic_s),
            silence=self.of_trajectories,
            of_dispatches=self.of_dispatches,
            outages=self.outages(sender, "ads_trajectory", "trajectories"),
        )

    def outages(self, sender: Sender, upstream: str, batches: str) -> Outages:
        followed = Followed(upstream, None, batches)
        clocks = {"monotonic_s": lambda: self.monotonic_s}
        return Outages(followed, self.outbox, sender, committed=self.count_commit, **clocks)

    def count_commit(self) -> None:
        self.commits += 1

    def restart(self) -> None:
        """The process dies and another begins."""
        self.outbox.close()
        self.start()

    def later(self, by: timedelta) -> None:
        """Time goes on."""
        self.now += by
        self.monotonic_s += by.total_seconds()

    def set_clock(self, by: timedelta) -> None:
        """Somebody sets the wall clock."""
        self.now += by

    def round(self, later: timedelta = timedelta(0)) -> list[AdsFailure]:
        """One round of the dispatch stream, some time later. Returns what could not be had, in it or before."""
        self.later(later)
        return list(self.dispatch.round().missing)

    def reasons(self, resource: str = "R1") -> tuple[str, ...]:
        """What the state of a resource says against itself."""
        return self.dot(resource).reasons

    def dispatches(self) -> list[Dispatch]:
        """Every dispatch event that was kept, in its order."""
        return [decode_as(event.payload, Dispatch) for event in self.outbox.events_of("dispatch/")]

    def gaps(self) -> list[UpstreamGap]:
        """Every outage that was kept, in its order."""
        return [decode_as(event.payload, UpstreamGap) for event in self.outbox.events_of("gap/")]

    def dots(self, resource: str = "R1", plant: str = "north") -> list[tuple[str, float]]:
        """Batch and megawatts of each DOT in a resource's state."""
        return [(interval.batch_uid, interval.dot_mw) for interval in self.dot(resource, plant).intervals]

    def dot(self, resource: str = "R1", plant: str = "north") -> Dot:
        """The state of a resource."""
        return decode_as(self.outbox.states()[self.installation.topics.dot(plant, resource)], Dot)

    def instructions(self, resource: str = "R1", plant: str = "north") -> Instructions:
        """What else is instructed to a resource."""
        return decode_as(self.outbox.states()[self.installation.topics.instructions(plant, resource)], Instructions)

    def curve(self, resource: str = "R1") -> Trajectory:
        """The trajectory state of a resource."""
        return decode_as(self.outbox.states()[self.installation.topics.trajectory("north", resource)], Trajectory)


def batch(n: int, *, at: datetime = T0, **dots_mw: float) -> Batch:
    return Batch(f"B{n}", at, dots_mw or {"R1": float(n), "R2": -float(n)})


def timed_out(question: Question) -> Trouble:
    return TimedOut(question, "no reply")


def damaged(_question: Question) -> Trouble:
    return b"<not-soap"


def faulted(_question: Question) -> Trouble:
    return fault("something is wrong")


def trajectory(uid: str, received_min: float, *points: tuple[float, float]) -> tuple[str, str]:
    dops = "".join(
        f"<trajectoryDop dopUID='{uid}-{n}'><resourceId>R1</resourceId><dop>{mw}</dop>"
        f"<targetTime>{(T0 + minute * MINUTE).isoformat()}</targetTime><sequenceNumber>{n}</sequenceNumber></trajectoryDop>"
        for n, (minute, mw) in enumerate(points, 1)
    )
    received = (T0 + received_min * MINUTE).isoformat()
    header = f"<batchReceived>{received}</batchReceived>"
    return uid, f"<trajectoryBatch batchUID='{uid}'>{header}<dopList>{dops}</dopList></trajectoryBatch>"
