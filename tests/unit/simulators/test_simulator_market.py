"""What the simulated market issues: limits, ramps, times and kinds that a plant may rely on."""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dotbus.runtime.installation.installation import Resource
from simulators.ads.dispatches import Kind
from simulators.ads.market import Market, Order
from simulators.ads.plan import Unit, unit_of
from simulators.ads.records import BatchStatus, BatchType, DispatchBatch, InstructionType, TrajectoryBatch

SOLAR = Unit("SIERRA_2_SOLAR1", variable=True, pmin_mw=0.0, pmax_mw=100.0, ramp_mw_per_min=20.0)
BATTERY = Unit("SIERRA_2_BESS1", variable=False, pmin_mw=-50.0, pmax_mw=50.0, ramp_mw_per_min=50.0)
HYDRO = Unit("DELTA_6_HYDRO1", variable=False, pmin_mw=5.0, pmax_mw=80.0, ramp_mw_per_min=10.0, configurations=("1x1", "2x1"))
UNITS = (SOLAR, BATTERY, HYDRO)
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
UID = re.compile(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}")


def dispatches(market: Market, after: datetime = NOON, span: timedelta = DAY) -> list[DispatchBatch]:
    return [batch for batch in market.issued(after, after + span) if isinstance(batch, DispatchBatch)]


def trajectories(market: Market, after: datetime = NOON, span: timedelta = DAY) -> list[TrajectoryBatch]:
    return [batch for batch in market.issued(after, after + span) if isinstance(batch, TrajectoryBatch)]


def of_type(batches: list[DispatchBatch], batch_type: BatchType) -> list[DispatchBatch]:
    return [batch for batch in batches if batch.batch_type is batch_type]


MARKET = Market(UNITS, 300, 1)
units = st.builds(
    lambda low, span, ramp, variable: Unit("U", variable=variable, pmin_mw=low, pmax_mw=low + span, ramp_mw_per_min=ramp),
    st.floats(-200, 200).map(lambda mw: round(mw, 2)),
    st.floats(0, 500).map(lambda mw: round(mw, 2)),
    st.floats(0.1, 100),
    st.booleans(),
)


@given(unit=units, interval_s=st.sampled_from([15, 60, 300]), seed=st.integers(0, 1000), hours=st.integers(0, 100_000))
@settings(max_examples=60)
def test_dots_keep_limits_and_ramp(unit: Unit, interval_s: int, seed: int, hours: int) -> None:
    begin = NOON + timedelta(hours=hours)
    batches = of_type(
        dispatches(Market((unit,), interval_s, seed), begin, timedelta(seconds=40 * interval_s)), BatchType.FIVE_MINUTE
    )
    dots = [batch.instructions[0].dot_mw or 0.0 for batch in batches]
    assert len(dots) >= 39
    assert all(unit.pmin_mw - 1e-9 <= dot <= unit.pmax_mw + 1e-9 for dot in dots)
    most_mw = unit.ramp_mw_per_min * interval_s / 60 + 0.0101
    assert all(abs(after - before) <= most_mw for before, after in pairwise(dots))


@given(cut=st.lists(st.integers(1, 14_399), min_size=1, max_size=8, unique=True))
@settings(max_examples=20)
def test_asking_in_pieces_gives_the_same_batches_as_asking_at_once(cut: list[int]) -> None:
    market = Market(UNITS, 300, 7)
    moments = [NOON, *(NOON + timedelta(seconds=s) for s in sorted(cut)), NOON + timedelta(hours=4)]
    pieces = [batch for after, until in pairwise(moments) for batch in market.issued(after, until)]
    assert pieces == market.issued(NOON, NOON + timedelta(hours=4))


def test_a_five_minute_batch_comes_every_interval_half_an_interval_before_it_begins() -> None:
    batches = of_type(dispatches(MARKET), BatchType.FIVE_MINUTE)
    assert len(batches) == 288
    for batch in batches:
        assert batch.start_at.timestamp() % 300 == 0
        assert batch.start_at - batch.received_at == timedelta(seconds=150)
        assert [each.resource_id for each in batch.instructions] == [unit.resource_id for unit in UNITS]
        assert all(each.start_at - batch.start_at == timedelta(seconds=150) for each in batch.instructions)


def test_every_uid_is_a_guid_of_caisos_form_unique_and_without_order() -> None:
    batches = MARKET.issued(NOON, NOON + DAY)
    uids = [batch.batch_uid for batch in batches]
    assert len(set(uids)) == len(uids)
    assert all(
        UID.fullmatch(uid.removeprefix("DISP-" if isinstance(batch, DispatchBatch) else "TRAJ-"))
        for uid, batch in zip(uids, batches, strict=True)
    )
    assert uids not in (sorted(uids), sorted(uids, reverse=True))


def test_energy_segments_add_up_to_the_dot() -> None:
    for batch in of_type(dispatches(MARKET), BatchType.FIVE_MINUTE):
        for each in batch.instructions:
            mw_of = {segment.service_type: segment.segment_mw for segment in each.details}
            assert mw_of["SCHD"] + mw_of["SUPP"] == pytest.approx(each.dot_mw, abs=1e-9)


def test_supp_is_never_above_zero_for_a_variable_unit_and_at_times_below_it() -> None:
    supp = [batch.instructions[0].supp_mw for batch in of_type(dispatches(MARKET), BatchType.FIVE_MINUTE)]
    curtailed = [mw for mw in supp if mw is not None and mw < 0]
    assert all(mw is not None and mw <= 0 for mw in supp)
    assert 20 < len(curtailed) < 268


def test_other_batch_types_come_now_and_then() -> None:
    kinds = {kind: len(of_type(dispatches(MARKET), kind)) for kind in BatchType}
    assert kinds.pop(BatchType.FIVE_MINUTE) == 288
    assert kinds.pop(BatchType.COMMITMENT) == 48  # start-up or shut-down, and a transition, in every hour
    assert kinds.pop(BatchType.OUT_OF_SEQUENCE) == 48  # a DOT and a constraint
    assert set(kinds.values()) == {24}


def test_a_few_hours_show_every_type_of_instruction() -> None:
    within = dispatches(MARKET, span=timedelta(hours=4))
    assert {each.instruction_type for batch in within for each in batch.instructions} == set(InstructionType)


def test_the_newest_types_are_left_out_when_they_are_not_wanted() -> None:
    without = dispatches(Market(UNITS, 300, 1, newest_types=False))
    assert not {BatchType.FLEX_RAMP, BatchType.AS_TEST} & {batch.batch_type for batch in without}


CARRY_MEGAWATTS = (
    InstructionType.DOT,
    InstructionType.MIN_CONSTRAINT,
    InstructionType.MAX_CONSTRAINT,
    InstructionType.FIXED_CONSTRAINT,
)


def test_dots_and_constraints_carry_megawatts_and_nothing_else_does() -> None:
    for batch in dispatches(MARKET):
        for each in batch.instructions:
            assert (each.dot_mw is not None) == (each.instruction_type in CARRY_MEGAWATTS)


def constraints(batches: list[DispatchBatch], wanted: bool = True) -> list[DispatchBatch]:  # noqa: FBT001, FBT002
    """Exceptional dispatches that are constraints, or that are none."""
    exceptional = of_type(batches, BatchType.OUT_OF_SEQUENCE)
    return [each for each in exceptional if (each.instructions[0].instruction_type is not InstructionType.DOT) == wanted]


def test_an_exceptional_dispatch_asks_something_else_at_the_time_of_the_five_minute_dot_and_within_limits() -> None:
    batches = dispatches(MARKET)
    normal = {batch.start_at: batch for batch in of_type(batches, BatchType.FIVE_MINUTE)}
    for batch in constraints(batches, wanted=False):
        same = normal[batch.start_at]
        for unit, each, below in zip(UNITS, batch.instructions, same.instructions, strict=True):
            assert each.dot_mw is not None
            assert each.dot_mw != below.dot_mw
            assert unit.pmin_mw <= each.dot_mw <= unit.pmax_mw
        assert [each.start_at for each in batch.instructions] == [each.start_at for each in same.instructions]


def test_a_constraint_is_for_one_unit_and_its_dot_keeps_it() -> None:
    batches = dispatches(MARKET)
    limits = {unit.resource_id: unit for unit in UNITS}
    dot_of = {
        (batch.start_at, each.resource_id): each.dot_mw or 0.0
        for batch in of_type(batches, BatchType.FIVE_MINUTE)
        for each in batch.instructions
    }
    seen = set()
    for batch in constraints(batches):
        (each,) = batch.instructions
        dot_mw, limit_mw = dot_of[batch.start_at, each.resource_id], each.dot_mw or 0.0
        unit = limits[each.resource_id]
        match each.instruction_type:
            case InstructionType.MIN_CONSTRAINT:
                assert unit.pmin_mw <= limit_mw <= dot_mw
            case InstructionType.MAX_CONSTRAINT:
                assert dot_mw <= limit_mw <= unit.pmax_mw
            case _:
                assert limit_mw == dot_mw
        seen.add(each.resource_id)
    assert seen == set(limits)


def test_start_up_and_shut_down_take_turns_and_are_for_units_that_can_be_told_to_run() -> None:
    types = [
        {each.instruction_type for each in batch.instructions}
        for batch in of_type(dispatches(MARKET), BatchType.COMMITMENT)
        if {each.resource_id for each in batch.instructions} == {BATTERY.resource_id, HYDRO.resource_id}
    ]
    assert len(types) == 24
    assert all(one | two == {InstructionType.START_UP, InstructionType.SHUT_DOWN} for one, two in pairwise(types))


def test_a_multi_stage_generator_runs_in_the_configuration_that_it_was_told_to_change_to() -> None:
    batches = dispatches(Market((HYDRO, SOLAR), 300, 1))
    dots = {batch.start_at: batch.instructions[0] for batch in of_type(batches, BatchType.FIVE_MINUTE)}
    transitions = [
        (batch, each)
        for batch in of_type(batches, BatchType.COMMITMENT)
        for each in batch.instructions
        if each.instruction_type is InstructionType.MSG_TRANSITION
    ]
    assert len(transitions) == 24
    for batch, each in transitions[1:-1]:
        before, after = dots[batch.start_at - timedelta(minutes=5)], dots[batch.start_at]
        assert each.resource_id == HYDRO.resource_id
        assert each.transition_from_config_id == before.configuration_id
        assert each.transition_to_config_id == after.configuration_id != before.configuration_id
        assert each.end_at == each.start_at + timedelta(minutes=5)
    assert {dot.configuration_id for dot in dots.values()} == {"1x1", "2x1"}
    solar = {batch.instructions[1].configuration_id for batch in of_type(batches, BatchType.FIVE_MINUTE)}
    assert solar == {None}


def test_an_as_test_calls_for_the_awarded_reserve_on_top_of_the_dot() -> None:
    for batch in of_type(dispatches(MARKET), BatchType.AS_TEST):
        (each,) = batch.instructions
        assert each.resource_id != SOLAR.resource_id
        assert (each.as_type, each.instruction_type) == ("SR", InstructionType.DOT)
        assert sum(part.segment_mw for part in each.details) == pytest.approx(each.dot_mw)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_can_be_ordered_for_the_running_interval(kind: Kind) -> None:
    now = NOON + timedelta(minutes=42, seconds=7)
    market = Market(UNITS, 300, 1)
    batch = market.ordered(Order(kind), now, 0)
    assert batch.received_at == now < batch.expires_at
    assert batch.start_at <= now < batch.start_at + timedelta(seconds=batch.interval_s)
    assert batch.instructions
    assert batch.batch_uid not in {each.batch_uid for each in market.issued(NOON, NOON + DAY)}
    assert batch.batch_uid != market.ordered(Order(kind), now, 1).batch_uid
    assert all(each.instruction_uid.startswith(batch.batch_uid) for each in batch.instructions)


def test_an_order_names_resources_and_megawatts() -> None:
    batch = MARKET.ordered(Order(Kind.MAX_CONSTRAINT, (SOLAR.resource_id, HYDRO.resource_id), 12.5), NOON, 0)
    assert [(each.resource_id, each.dot_mw) for each in batch.instructions] == [
        (SOLAR.resource_id, 12.5),
        (HYDRO.resource_id, 12.5),
    ]
    hourly = MARKET.ordered(Order(Kind.HOURLY, min_accept_mw=3.0), NOON, 0)
    assert {each.min_accept_mw for each in hourly.instructions} == {3.0}


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (Order(Kind.FIVE_MINUTE, ("NOBODY",)), "no resource NOBODY"),
        (Order(Kind.MSG_TRANSITION, (SOLAR.resource_id,)), "multi-stage"),
        (Order(Kind.START_UP, dot_mw=3.0), "no dot_mw"),
        (Order(Kind.FIVE_MINUTE, min_accept_mw=3.0), "no min_accept_mw"),
        (Order(Kind.FIVE_MINUTE, dot_mw=float("nan")), "finite"),
    ],
)
def test_an_order_that_cannot_be_is_refused(order: Order, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        MARKET.ordered(order, NOON, 0)


def test_of_two_dots_for_one_time_the_five_minute_one_is_received_last() -> None:
    batches = dispatches(MARKET)
    for hourly in of_type(batches, BatchType.HOURLY):
        end = hourly.start_at + timedelta(hours=1)
        inside = [each for each in of_type(batches, BatchType.FIVE_MINUTE) if hourly.start_at <= each.start_at < end]
        assert all(each.received_at > hourly.received_at for each in inside)


def test_an_hourly_batch_can_be_answered_for_a_while() -> None:
    hourly = of_type(dispatches(MARKET), BatchType.HOURLY)[0]
    assert hourly.batch_status is BatchStatus.ACTIVE
    assert hourly.expires_at - hourly.received_at == timedelta(minutes=15)
    assert hourly.expires_at < hourly.start_at


def test_trajectory_points_keep_limits_and_pass_through_the_dots() -> None:
    limits = {unit.resource_id: unit for unit in UNITS}
    dot_at = {
        (each.resource_id, each.start_at): each.dot_mw
        for batch in of_type(dispatches(MARKET), BatchType.FIVE_MINUTE)
        for each in batch.instructions
    }
    last_at = {}
    for batch in trajectories(MARKET):
        for dop in batch.dops:
            assert limits[dop.resource_id].pmin_mw <= dop.dop_mw <= limits[dop.resource_id].pmax_mw
            last_at[dop.resource_id, dop.target_at] = dop.dop_mw
    common = dot_at.keys() & last_at.keys()
    assert len(common) > 800
    assert all(last_at[key] == dot_at[key] for key in common)


def test_trajectories_come_with_steps_and_with_and_without_points_and_compliance() -> None:
    batches = trajectories(MARKET)
    kinds = {(bool(batch.dops), bool(batch.compliance)) for batch in batches}
    assert kinds == {(True, True), (True, False), (False, True)}
    assert {each.compliance_flag for batch in batches for each in batch.compliance} == {"Y", "N"}
    stepped = [
        (one, two)
        for batch in batches
        for one, two in pairwise(batch.dops)
        if (one.resource_id, one.target_at) == (two.resource_id, two.target_at)
    ]
    assert any(one.dop_mw < two.dop_mw for one, two in stepped)
    assert all(one.sequence_number < two.sequence_number for one, two in stepped)


def test_another_seed_gives_another_market() -> None:
    one, two = (dispatches(Market(UNITS, 300, seed))[0] for seed in (1, 2))
    assert one.batch_uid != two.batch_uid
    assert [each.dot_mw for each in one.instructions] != [each.dot_mw for each in two.instructions]


def test_limits_that_the_file_leaves_out_are_filled_in() -> None:
    unit = unit_of(Resource(id="A"))
    assert (unit.pmin_mw, unit.pmax_mw, unit.ramp_mw_per_min) == (0.0, 50.0, 5.0)
    assert unit_of(Resource(id="A", pmax_mw=-10.0)).pmin_mw == -10.0
    assert unit_of(Resource(id="A", pmin_mw=60.0)).pmax_mw == 60.0


def test_a_unit_that_only_produces_and_is_not_variable_is_a_multi_stage_generator() -> None:
    assert unit_of(Resource(id="A")).configurations == ("A_1x1", "A_2x1")
    assert unit_of(Resource(id="A", variable=True)).configurations == ()
    assert unit_of(Resource(id="A", pmin_mw=-5.0)).configurations == ()
