"""What CAISO expects between the targets: batches of operating points as events, and the curve of them as a state."""

from typing import Annotated, Final

import msgspec

from dotbus.contracts.messages.envelope import CaisoState, Event, Extra, Int32, Seq, Utc


class TrajectoryBatchHeader(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Header of an ADS trajectory batch.

    Attributes:
        batch_uid: CAISO's unique name of the batch (batchUID).
        batch_received_at: when ADS received the batch (batchReceived).
        batch_sent_at: when the batch became active (batchSent).
        binding_flag: whether the DOPs of the batch are binding, Y or N.
        extra: elements that this version does not know, by CAISO's name, as text.
    """

    batch_uid: str
    batch_received_at: Utc | None = None
    batch_sent_at: Utc | None = None
    binding_flag: str | None = None
    extra: Extra = {}


class Dop(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One Dispatch Operating Point as CAISO sent it.

    Attributes:
        dop_uid: CAISO's unique name of the point (dopUID).
        dop_mw: the dispatch operating point (dop).
        target_at: the time that it is for (targetTime).
        sequence_number: the order of two points of one batch at one time.
        configuration_id: the configuration of a multi-stage generator.
        extra: elements that this version does not know, by CAISO's name, as text.
    """

    dop_uid: str
    dop_mw: float | None = None
    target_at: Utc | None = None
    sequence_number: Int32 | None = None
    configuration_id: str | None = None
    extra: Extra = {}


class Compliance(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Whether a resource delivered the energy expected of it in one five-minute interval.

    Attributes:
        compliance_uid: CAISO's unique name of the record (complianceUID).
        start_at: the start of the interval (startTime).
        expected_mwh: the energy that was expected (mwh).
        compliance_flag: whether it was delivered, Y or N (complFlag).
        configuration_id: the configuration of a multi-stage generator.
        extra: elements that this version does not know, by CAISO's name, as text.
    """

    compliance_uid: str
    start_at: Utc | None = None
    expected_mwh: float | None = None
    compliance_flag: str | None = None
    configuration_id: str | None = None
    extra: Extra = {}


class TrajectoryBatch(Event, frozen=True, kw_only=True, tag="trajectory-batch"):
    """One trajectory batch as one resource sees it.

    Attributes:
        plant: the plant that claims the resource, or `unassigned`.
        plant_seq: counts the plant's dispatch and trajectory-batch events together, from 1 without gaps within `stream`; null
            from a source of before this field.
        resource_id: the resource by CAISO's Master File name.
        batch: the batch's header.
        dops: the operating points of the batch for this resource.
        compliance: the compliance records of the batch for this resource.
    """

    plant: str
    plant_seq: Seq | None = None
    resource_id: str
    batch: TrajectoryBatchHeader
    dops: tuple[Dop, ...] = ()
    compliance: tuple[Compliance, ...] = ()


class TrajectoryPoint(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A point of the assembled curve.

    Attributes:
        target_at: the time that it is for.
        dop_mw: the dispatch operating point.
        batch_received_at: when ADS received the batch that said it.
        sequence_number: its order among points at one time.
        batch_uid: the batch that said it.
        configuration_id: the configuration of a multi-stage generator.
    """

    target_at: Utc
    dop_mw: float
    batch_received_at: Utc | None = None
    sequence_number: Int32 | None = None
    batch_uid: str
    configuration_id: str | None = None


MOST_POINTS: Final = 2000
"""What one curve holds: CAISO sends less than a hundred."""


class Trajectory(CaisoState, frozen=True, kw_only=True, tag="trajectory"):
    """The DOP curve of one resource, from the last point past on, ordered as ADS section 6 (sequenceNumber) says.

    Two points at one time are a step. After the target time of the last point the curve has ended. `heard_at` is when CAISO
    was last asked for trajectories, and answered.

    Attributes:
        plant: the plant that claims the resource, or `unassigned`.
        resource_id: the resource by CAISO's Master File name.
        received_at: when the newest batch came here.
        points: the curve.
        latest: the last DOP of the newest batch, which is what the classic register map shows. Its `batch_received_at` is the
            age of the curve: when CAISO had the newest batch.
    """

    plant: str
    resource_id: str
    received_at: Utc | None = None
    points: Annotated[tuple[TrajectoryPoint, ...], msgspec.Meta(max_length=MOST_POINTS)]
    latest: TrajectoryPoint | None = None
