"""What CAISO instructs besides five-minute DOTs, as a state: constraints, commitments, awards, tests, and the answers."""

import msgspec

from dotbus.contracts.messages.dispatch import WithdrawnBatch
from dotbus.contracts.messages.envelope import CaisoState, Int32, NonEmpty, Utc


class InstructionAnswer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What was answered to an instruction, and until when it can be.

    Attributes:
        answer: none, accepted, partly accepted, declined, or unclear where nobody can read it; the operator's word counts
            before the participant's. Later versions may know more words.
        is_open: whether CAISO takes answers to it, until `open_until`.
        open_until: when CAISO ends the time for answers (batchExpires); null when it takes none, or does not say.
        min_accept_mw: the least that may be accepted (minAccept).
        hourly_threshold_mw: the threshold of accepting and declining (hourlyMwThreshold).
        accept_dot_mw: what the participant accepted (acceptDot).
        accept_status: how the participant answered, in CAISO's word (acceptStatus).
        responder: who answered (responder).
        reason_code: why it was declined or accepted in part: 10 to 16 (reasonCode).
        opr_accept_dot_mw: what CAISO's operator accepted (oprAcceptDot).
        opr_accept_status: how CAISO's operator answered (oprAcceptStatus).
        opr_responder: the operator who answered (oprResponder).
        opr_reason_code: the operator's reason, 10 to 16 (oprReasonCode).
    """

    answer: NonEmpty
    is_open: bool = False
    open_until: Utc | None = None
    min_accept_mw: float | None = None
    hourly_threshold_mw: float | None = None
    accept_dot_mw: float | None = None
    accept_status: str | None = None
    responder: str | None = None
    reason_code: Int32 | None = None
    opr_accept_dot_mw: float | None = None
    opr_accept_status: str | None = None
    opr_responder: str | None = None
    opr_reason_code: Int32 | None = None


class KnownInstruction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One instruction in the newest revision of its batch.

    Attributes:
        what: dot (hourly or exceptional), minimum, maximum or fixed (a constraint), start-up, shut-down, transition (of a
            multi-stage generator), commitment (neither start-up nor shut-down), as-award, flex-ramp-award, as-test, or other.
            Later versions may know more words; read one that is not known as other.
        standing: in force, in doubt (CAISO has not decided, or not so that it can be read), or not in force (not sent yet,
            deferred, declined, timed out, cancelled by itself).
        start_at: from when it holds.
        end_at: until when; null when CAISO does not say.
        instructed_mw: the DOT, the limit or the award as CAISO instructed it.
        standing_mw: the megawatts that it stands with: all, or those accepted; null when it is not in force or nobody can say.
        min_mw: the least that a constraint allows; null when it is none or is not in force.
        max_mw: the most that a constraint allows; null when it is none or is not in force.
        as_type: the ancillary service of an award or test: RU, RD, SR, NR and others of CAISO's.
        award_mw: the megawatts awarded (awardMW).
        cleared_mw: all megawatts that were cleared for an ancillary service (clearedMW).
        self_sched_mw: the megawatts that were scheduled by oneself (selfSchedMW).
        configuration_id: the configuration of a multi-stage generator that it is for.
        transition_from_config_id: the configuration that a transition leaves.
        transition_to_config_id: the configuration that a transition leads to.
        bid_delay_min: minutes to synchronise, of a start-up (bidDelay).
        oos_energy_code: the energy code of an exceptional dispatch.
        rmr_test_requestor: who asked for a reliability must-run test.
        answer: what was answered, of an instruction that can be answered or was.
        instruction_uid: the instruction, over all batches.
        instruction_type: CAISO's number of what it is (instructionType).
        revision_number: the instruction's own revision.
        status_code: the instruction's own status, as `batch_status`.
        batch_uid: the batch that said it.
        batch_type: 0 five-minute, 1 hourly pre-dispatch, 2 commitment, 3 ancillary service awards, 4 out of sequence, 5 hourly
            ancillary service awards, 10 flex ramp awards, 12 ancillary service test, and others of CAISO's.
        batch_status: 0 new, 1 active, 2 timed out, 3 closed, 5 operator response, 6 deferred.
        revision_no: the revision of the batch.
        batch_received_at: when ADS received the batch; null when CAISO does not say.
        batch_expires_at: when the batch leaves its status (batchExpires).
        batch_until: when the last is over that any revision of the batch instructed this resource, as far as that is known.
        told_at: when the source first said this revision.
    """

    what: NonEmpty
    standing: NonEmpty
    start_at: Utc
    end_at: Utc | None = None
    instructed_mw: float | None = None
    standing_mw: float | None = None
    min_mw: float | None = None
    max_mw: float | None = None
    as_type: str | None = None
    award_mw: float | None = None
    cleared_mw: float | None = None
    self_sched_mw: float | None = None
    configuration_id: str | None = None
    transition_from_config_id: str | None = None
    transition_to_config_id: str | None = None
    bid_delay_min: Int32 | None = None
    oos_energy_code: str | None = None
    rmr_test_requestor: str | None = None
    answer: InstructionAnswer | None = None
    instruction_uid: str
    instruction_type: Int32 | None = None
    revision_number: Int32 | None = None
    status_code: Int32 | None = None
    batch_uid: str
    batch_type: Int32 | None = None
    batch_status: Int32 | None = None
    revision_no: Int32 | None = None
    batch_received_at: Utc | None = None
    batch_expires_at: Utc | None = None
    batch_until: Utc
    told_at: Utc


class Instructions(CaisoState, frozen=True, kw_only=True, tag="instructions"):
    """What CAISO instructs one resource besides five-minute DOTs, in force and ahead, in the order of their starts.

    Exceptional dispatches, commitments, transitions, awards and tests, and hourly DOTs with what was answered to them. Advisory
    batches are left out, and cancelled ones named in `withdrawn`. `heard_at` is as of a `dot` state.

    Attributes:
        plant: the plant that claims the resource, or `unassigned`.
        resource_id: the resource by CAISO's Master File name.
        received_at: when the newest of them came here.
        instructions: what is in force or ahead; each says by its `standing` which.
        withdrawn: batches that hold no more; they tell a reader of several sources that another one is behind.
    """

    plant: str
    resource_id: str
    received_at: Utc | None = None
    instructions: tuple[KnownInstruction, ...]
    withdrawn: tuple[WithdrawnBatch, ...] = ()
