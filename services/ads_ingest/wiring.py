"""Wiring of the two streams: who asks CAISO, where it is kept, what is told of failures. Everything but the bus."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from ads_ingest import dispatch, trajectory
from ads_ingest.archive import Archive
from ads_ingest.board import dot_board, trajectory_board, valid_for
from ads_ingest.clock_steps import ClockSteps
from ads_ingest.dispatch import DispatchStream
from ads_ingest.evidence import Evidence
from ads_ingest.files import DocumentFiles
from ads_ingest.instruction_board import instruction_board
from ads_ingest.keeping import Keeper, Strangers, take_over
from ads_ingest.meters import Meters
from ads_ingest.open_batches import OpenBatches, vouched_for
from ads_ingest.receipts import Receipts
from ads_ingest.service import FollowedStream, Stream
from ads_ingest.settings import AdsPace, AdsSettings
from ads_ingest.silence import Silence
from ads_ingest.trajectory import TrajectoryStream
from ads_ingest.translate import Sender
from caiso.ads import AdsAddress, AdsClient, AdsConnection
from caiso.ads.errors import AdsFailure
from dotbus.runtime.installation import Installation
from dotbus.runtime.outbox import Outbox
from dotbus.runtime.quarantine import Quarantine

DISPATCH, TRAJECTORY = "ads_dispatch", "ads_trajectory"
"""The upstreams in the service's status."""


def wire_connection(settings: AdsSettings, clock: Callable[[], datetime]) -> AdsConnection:
    """To both services of CAISO's.

    Raises:
        ssl.SSLError, OSError: the certificate, its key or the CA bundle cannot be used.
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


def wire_streams(
    settings: AdsSettings,
    caiso: AdsClient,
    outbox: Outbox,
    sender: Sender,
    *,
    quarantine: Quarantine,
    meters: Meters,
    clock: Callable[[], datetime],
    committed: Callable[[], None],
    monotonic_s: Callable[[], float] = time.monotonic,
) -> tuple[FollowedStream, FollowedStream]:
    """Dispatch first, because plants act on it, then trajectory. Each remembers by itself what it told already."""
    kept, topics, strangers = take_over(outbox, sender, clock()), sender.installation.topics, Strangers()
    archive = Archive(settings.state_dir / "archive", settings.archive_max_age, settings.archive_max_bytes)
    files = DocumentFiles(settings.state_dir / "latest", archive)
    of_dispatches, of_trajectories = Silence(clock()), Silence(clock())
    of_dispatch, of_trajectory = Evidence(quarantine), Evidence(quarantine)
    lasts = valid_for(max(settings.poll_s, settings.recheck_s))
    dots = Keeper(
        outbox,
        dot_board(sender, kept, lasts),
        topics,
        dispatch.CURSOR,
        committed=committed,
        strangers=strangers,
        instructions=instruction_board(sender, kept, lasts),
    )
    dispatches = DispatchStream(
        caiso,
        dots,
        sender,
        receipts=Receipts(caiso, enabled=settings.validate_batches),
        evidence=of_dispatch,
        files=files,
        batches=open_batches(settings, sender.installation, lasts),
        clock=clock,
        clock_steps=ClockSteps(clock, monotonic_s),
        silence=of_dispatches,
        of_trajectories=of_trajectories,
        alarm_after=timedelta(minutes=settings.no_batch_alarm_min),
    )
    board = trajectory_board(sender, kept, valid_for(settings.poll_s))
    trajectories = TrajectoryStream(
        caiso,
        Keeper(outbox, board, topics, trajectory.CURSOR, committed=committed, strangers=strangers),
        sender,
        evidence=of_trajectory,
        files=files,
        clock=clock,
        clock_steps=ClockSteps(clock, monotonic_s),
        silence=of_trajectories,
        of_dispatches=of_dispatches,
    )

    meters.no_batch_s.set_function(lambda: of_dispatches.lasted(clock()).total_seconds())

    def failed(failure: AdsFailure) -> None:
        meters.failures.labels(failure.kind).inc()

    def follow(name: str, stream: Stream, evidence: Evidence) -> FollowedStream:
        return FollowedStream(name, stream, evidence, clock=clock, clock_offset_s=lambda: caiso.clock_offset_s, failed=failed)

    return follow(DISPATCH, dispatches, of_dispatch), follow(TRAJECTORY, trajectories, of_trajectory)


def open_batches(pace: AdsPace, installation: Installation, lasts: timedelta) -> OpenBatches:
    """None yet. What CAISO does not confirm is told before it makes a state stale, here or at a gateway."""
    counts_for = min(lasts, timedelta(seconds=installation.modbus.stale_after_s))
    vouched = vouched_for(timedelta(seconds=pace.confirmed_after_s), counts_for)
    return OpenBatches(timedelta(seconds=pace.recheck_s), vouched)
