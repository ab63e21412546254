"""Wiring of the streams: who asks CAISO, where it is kept, what is told of failures. Everything but the bus."""

import random
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge

from ads_ingest import dispatch, trajectory
from ads_ingest.accounts import Account
from ads_ingest.batches.alarms import ClockSteps, DispatchAlarms, Silence
from ads_ingest.batches.listing import Listing
from ads_ingest.batches.open_batches import OpenBatches, vouched_for
from ads_ingest.batches.outages import Followed, Outages
from ads_ingest.batches.passed_over import PassedOver
from ads_ingest.batches.validations import Validations
from ads_ingest.batches.views import Sights, View, Views
from ads_ingest.caiso import Ads, UntilStop
from ads_ingest.dispatch import DispatchStream
from ads_ingest.dispatch_changes import DispatchChanges
from ads_ingest.files.archive import Archive
from ads_ingest.files.latest import DocumentFiles
from ads_ingest.known.from_batches import KnownInstructions, known_dots, known_instructions, known_trajectories, valid_for
from ads_ingest.known.state import KnownState
from ads_ingest.publishing import Publisher, UnassignedResources
from ads_ingest.quarantine import QuarantineLog
from ads_ingest.service import FollowedStream, Stream
from ads_ingest.settings import AdsPace, AdsSettings
from ads_ingest.taking_over import take_over
from ads_ingest.trajectory import TrajectoryStream
from ads_ingest.translate import Sender
from caiso.ads import AdsAddress, AdsConnection
from caiso.ads.errors import AdsFailure
from dotbus.contracts.messages import Dot, Trajectory
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.outbox.outbox import Outbox
from dotbus.runtime.quarantine import Quarantine
from dotbus.setpoints.schedules import DotSchedule, TrajectoryCurve

DISPATCH, TRAJECTORY = "ads_dispatch", "ads_trajectory"
"""The upstreams in the service's status."""
SIGHTS_FILE = "accounts.json"


class Meters:
    """The metrics of one process.

    Args:
        registry: where they are found.
        certificate_days_left: asked whenever Prometheus asks; of several certificates the one that ends first.
    """

    def __init__(self, registry: CollectorRegistry, certificate_days_left: Callable[[], float]) -> None:
        self.failures = Counter(
            "ads_ingest_failures", "Questions to CAISO without a usable answer", ["kind"], registry=registry
        )
        certificate = Gauge("ads_ingest_certificate_days_left", "Days until the certificate ends", registry=registry)
        certificate.set_function(certificate_days_left)
        self._no_batch_s = Gauge(
            "ads_ingest_no_batch_seconds", "Since when no new dispatch batch came", ["account"], registry=registry
        )

        self.answers = Counter(
            "ads_ingest_answers",
            "Answers to instructions, asked for or by a rule, by what became of them",
            ["outcome"],
            registry=registry,
        )
        self._answers_waiting = Gauge("ads_ingest_answers_waiting", "Answers that wait for CAISO", registry=registry)

    def watch_answers(self, waiting: Callable[[], float]) -> None:
        """Asked whenever Prometheus asks."""
        self._answers_waiting.set_function(waiting)

    def watch(self, account: str, *, no_batch_s: Callable[[], float]) -> None:
        """One account's: asked whenever Prometheus asks. The only account has an empty name."""
        self._no_batch_s.labels(account).set_function(no_batch_s)


def wire_connection(settings: AdsSettings, clock: Callable[[], datetime]) -> AdsConnection:
    """To both services of CAISO's.

    Raises:
        TlsFileUnusable: the certificate, its key or the CA bundle cannot be used.
    """
    return AdsConnection(
        AdsAddress.of(settings.url, namespace=settings.namespace),
        certificate_file=settings.certificate_file,
        key_file=settings.key_file,
        ca_file=settings.ca_file,
        timeout_s=settings.timeout_s,
        max_reply_bytes=settings.max_reply_bytes,
        clock=clock,
    )


@dataclass(frozen=True)
class Shared:
    """What all accounts have in common.

    Attributes:
        outbox: where everything goes.
        sender: who says it.
        quarantine: where unusable bytes go.
        meters: what is counted.
        clock: the wall clock.
        committed: called when there is something new to deliver.
        monotonic_s: seconds of a clock that nobody sets.
        chance: 0 to 1, for pauses that do not end together.
        is_stopping: whether the process was told to stop: no question begins then.
    """

    outbox: Outbox
    sender: Sender
    quarantine: Quarantine
    meters: Meters
    clock: Callable[[], datetime]
    committed: Callable[[], None]
    monotonic_s: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random
    is_stopping: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class _KnownStates:
    """Those of one account."""

    dots: KnownState[DotSchedule, Dot]
    instructions: KnownInstructions
    trajectories: KnownState[TrajectoryCurve, Trajectory]


@dataclass(frozen=True)
class KnownToAccounts:
    """What is known together and by each account.

    Attributes:
        states: of each account.
        sights: which account sees which resource.
    """

    states: Sequence[_KnownStates]
    sights: Sights

    @property
    def instructions(self) -> list[KnownInstructions]:
        """What is instructed besides five-minute DOTs, as each account knows it."""
        return [own.instructions for own in self.states]

    @property
    def lock(self) -> AbstractContextManager[object]:
        """Held by whoever changes what is known of DOTs and instructions, and until that is kept."""
        return self.states[0].dots.lock


def wire_known(accounts: Sequence[Account], shared: Shared) -> KnownToAccounts:
    """What was known before a restart."""
    sights = Sights(accounts[0].settings.state_dir / SIGHTS_FILE, [account.name for account in accounts])
    return KnownToAccounts(_known_states(accounts, shared, sights), sights)


def wire_streams(
    asked: Sequence[tuple[Account, Ads]], known: KnownToAccounts, shared: Shared
) -> list[tuple[FollowedStream, FollowedStream]]:
    """Of each account dispatch first, because plants act on it, then trajectory.

    Several accounts have one known state, one outbox and one stream of events: what two of them are told is one event, because
    its id is made of batch, revision and resource, and the higher revision counts whoever was told of it.
    """
    unassigned = UnassignedResources()
    views = [_wire_view(account, shared, own, known.sights) for (account, _), own in zip(asked, known.states, strict=True)]
    beside = [Views(view, [one for one in views if one is not view]) for view in views]
    return [
        _wire_account(account, UntilStop(caiso, shared.is_stopping), shared, own, known.sights, of_account, unassigned)
        for (account, caiso), own, of_account in zip(asked, known.states, beside, strict=True)
    ]


def _wire_view(account: Account, shared: Shared, own: _KnownStates, sights: Sights) -> View:
    batches = open_batches(account.settings, shared.sender.installation, own.dots.valid_for, shared.chance)
    return View(batches, own.dots.sees, sights.losing(account.name), account.name)


def _known_states(accounts: Sequence[Account], shared: Shared, sights: Sights) -> list[_KnownStates]:
    kept = take_over(shared.outbox, shared.sender, shared.clock())
    poll_s = max(account.settings.poll_s for account in accounts)
    lasts = valid_for(max(poll_s, *(account.settings.recheck_s for account in accounts)))
    dots, instructions = known_dots(shared.sender, kept, lasts), known_instructions(shared.sender, kept, lasts)
    trajectories = known_trajectories(shared.sender, kept, valid_for(poll_s))
    sees = [sights.of(account.name) for account in accounts], sights.formerly
    of_each = zip(dots.for_accounts(*sees), instructions.for_accounts(*sees), trajectories.for_accounts(*sees), strict=True)
    return [_KnownStates(*known_states) for known_states in of_each]


def _wire_account(
    account: Account,
    caiso: Ads,
    shared: Shared,
    known_states: _KnownStates,
    sights: Sights,
    views: Views,
    unassigned: UnassignedResources,
) -> tuple[FollowedStream, FollowedStream]:
    """Each stream remembers by itself what it told already."""
    settings, clock, topics = account.settings, shared.clock, shared.sender.installation.topics
    archive = Archive(account.folder("archive"), settings.archive_max_age, settings.archive_max_bytes)
    files = DocumentFiles(account.folder("latest"), archive)
    of_dispatches, of_trajectories = Silence(clock()), Silence(clock())
    of_dispatch, of_trajectory = QuarantineLog(shared.quarantine), QuarantineLog(shared.quarantine)
    note_seen = sights.noting(account.name)
    alarm_after = timedelta(minutes=settings.no_batch_alarm_min)

    def outages(upstream: str, batches: str) -> Outages:
        followed = Followed(upstream, account.name or None, batches)
        return Outages(followed, shared.outbox, shared.sender, committed=shared.committed, monotonic_s=shared.monotonic_s)

    dots = Publisher(
        shared.outbox,
        known_states.dots,
        topics,
        account.named(dispatch.CURSOR),
        committed=shared.committed,
        unassigned=unassigned,
        instructions=known_states.instructions,
    )
    batches, recheck = views.own.batches, timedelta(seconds=settings.recheck_s)
    changes = DispatchChanges(caiso, dots, shared.sender, batches=batches, views=views, clock=clock, note_seen=note_seen)
    dispatches = DispatchStream(
        caiso,
        dots,
        validations=Validations(caiso, enabled=settings.validate_batches),
        quarantine_log=of_dispatch,
        files=files,
        batches=batches,
        changes=changes,
        clock=clock,
        clock_steps=ClockSteps(clock, shared.monotonic_s),
        listing=Listing(caiso, batches, PassedOver(batches, dots.named, recheck), clock=clock, silence=of_dispatches),
        alarms=DispatchAlarms(of_dispatches, alarm_after, outages(DISPATCH, "dispatch batches")),
    )
    trajectories = TrajectoryStream(
        caiso,
        Publisher(
            shared.outbox,
            known_states.trajectories,
            topics,
            account.named(trajectory.CURSOR),
            committed=shared.committed,
            unassigned=unassigned,
        ),
        shared.sender,
        quarantine_log=of_trajectory,
        files=files,
        clock=clock,
        clock_steps=ClockSteps(clock, shared.monotonic_s),
        silence=of_trajectories,
        of_dispatches=of_dispatches,
        outages=outages(TRAJECTORY, "trajectories"),
        note_seen=note_seen,
    )
    shared.meters.watch(account.name, no_batch_s=lambda: of_dispatches.lasted(clock()).total_seconds())

    def failed(failure: AdsFailure) -> None:
        shared.meters.failures.labels(failure.kind).inc()

    def follow(name: str, stream: Stream, quarantine_log: QuarantineLog) -> FollowedStream:
        offset = {"clock_offset_s": lambda: caiso.clock_offset_said_s}
        return FollowedStream(account.named(name), stream, quarantine_log, clock=clock, failed=failed, **offset)

    return follow(DISPATCH, dispatches, of_dispatch), follow(TRAJECTORY, trajectories, of_trajectory)


def open_batches(pace: AdsPace, installation: Installation, lasts: timedelta, chance: Callable[[], float]) -> OpenBatches:
    """None yet. What CAISO does not confirm is told before it makes a state stale, here or at a gateway."""
    counts_for = min(lasts, timedelta(seconds=installation.modbus.stale_after_s))
    vouched = vouched_for(timedelta(seconds=pace.confirmed_after_s), counts_for)
    return OpenBatches(timedelta(seconds=pace.recheck_s), vouched, chance)
