"""What an instruction is by CAISO's two numbers, and how long it is shown."""

from datetime import UTC, datetime, timedelta

import pytest

from dotbus.contracts.instruction_kinds import InstructionKind, Lasting, kind_of, lasting
from dotbus.contracts.instruction_states import Answer, Holding, Standing, Status, answer_to, holding
from dotbus.contracts.messages import DispatchBatchHeader, Instruction

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def header(batch_type: int | None, start_at: datetime | None = T0) -> DispatchBatchHeader:
    return DispatchBatchHeader(batch_uid="B", batch_type=batch_type, start_at=start_at)


def instruction(instruction_type: int | None, **told: object) -> Instruction:
    return Instruction(instruction_uid="I", resource_id="R", instruction_type=instruction_type, **told)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("batch_type", "instruction_type", "expected"),
    [
        (1, 0, "dot"),
        (4, 0, "dot"),
        (4, 1, "minimum"),
        (4, 2, "maximum"),
        (4, 3, "fixed"),
        (2, 4, "start-up"),
        (2, 5, "shut-down"),
        (2, 7, "transition"),
        (0, 7, "transition"),
        (2, None, "commitment"),
        (2, 0, "commitment"),
        (3, 6, "as-award"),
        (5, 6, "as-award"),
        (3, None, "as-award"),
        (10, 6, "flex-ramp-award"),
        (10, None, "flex-ramp-award"),
        (12, 6, "as-test"),
        (12, 0, "as-test"),
        (4, 9, "other"),
        (99, None, "other"),
    ],
)
def test_the_instruction_says_what_it_is_and_its_batch_where_that_alone_tells(
    batch_type: int, instruction_type: int | None, expected: str
) -> None:
    assert kind_of(batch_type, instruction_type) == expected


def test_every_kind_has_a_word_of_one_piece() -> None:
    assert all(kind.value.replace("-", "").isalpha() and kind.value.islower() for kind in InstructionKind)


def test_an_hourly_dot_holds_for_its_interval() -> None:
    times = lasting(header(1), instruction(0, start_at=T0 + 30 * MINUTE))
    assert times == Lasting(T0, T0 + 60 * MINUTE, T0 + 60 * MINUTE)


def test_what_is_no_dot_begins_at_its_own_start_and_lasts_to_its_end() -> None:
    told = instruction(7, start_at=T0 + 15 * MINUTE, end_at=T0 + 45 * MINUTE)
    assert lasting(header(2), told) == Lasting(T0 + 15 * MINUTE, T0 + 45 * MINUTE, T0 + 45 * MINUTE)


@pytest.mark.parametrize(
    ("batch_type", "instruction_type", "minutes"), [(2, 4, 60), (2, 5, 60), (4, 1, 5), (3, 6, 5), (5, 6, 60)]
)
def test_an_end_that_caiso_does_not_name_is_not_made_up_but_the_instruction_is_shown_for_a_while(
    batch_type: int, instruction_type: int, minutes: int
) -> None:
    times = lasting(header(batch_type), instruction(instruction_type))
    assert times == Lasting(T0, None, T0 + minutes * MINUTE)


def test_what_names_no_start_at_all_has_no_times() -> None:
    assert lasting(header(3, None), instruction(6)) is None


def test_a_start_at_the_end_of_all_time_has_no_times() -> None:
    assert lasting(header(2, datetime.max.replace(tzinfo=UTC)), instruction(4)) is None


@pytest.mark.parametrize("batch_type", [2, 3, 5, 10, 12, 99])
@pytest.mark.parametrize(
    ("status", "standing"),
    [
        (None, Standing.IN_FORCE),
        (Status.NEW, Standing.NOT_IN_FORCE),
        (Status.ACTIVE, Standing.IN_FORCE),
        (Status.CLOSED, Standing.IN_FORCE),
        (Status.CANCELLED, Standing.NOT_IN_FORCE),
        (Status.DEFERRED, Standing.NOT_IN_FORCE),
        (Status.TIMED_OUT, Standing.IN_DOUBT),
        (Status.OPERATOR_RESPONSE, Standing.IN_DOUBT),
        (9, Standing.IN_DOUBT),
    ],
)
def test_what_is_no_dot_stands_by_its_status_and_needs_no_megawatts(
    batch_type: int, status: int | None, standing: Standing
) -> None:
    assert holding(batch_type, status, instruction(4)) == Holding(standing)


def test_a_constraint_that_was_declined_is_not_in_force() -> None:
    declined = instruction(2, dot_mw=30.0, accept_status="DECLINE", reason_code=11)
    assert answer_to(4, declined) is Answer.DECLINED
    assert holding(4, 1, declined) == Holding(Standing.NOT_IN_FORCE)
