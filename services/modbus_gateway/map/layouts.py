"""Layouts: where each quantity stands in a profile. Addresses count from the start of the block."""

from dataclasses import dataclass
from typing import Final

from dotbus.runtime.installation.modbus import OnBad, Profile, Table, WordOrder

MAP_VERSION: Final = 1
"""Version of the plant profile. Quantities may be added where registers are reserved; none moves within a version."""

CLASSIC_RESOURCES: Final = 10
"""How many DOPs fit below the first SUPP register."""


@dataclass(frozen=True)
class Slot:
    """A quantity's place. `resource` None means that it is not about one resource of the block but about all, or none.

    `on_bad` is this place's own where a number in place of a bad value would mislead: in place of `hold` and `value`.
    """

    address: int
    quantity: str
    table: Table = Table.HOLDING
    resource: int | None = None
    on_bad: OnBad | None = None


@dataclass(frozen=True)
class Layout:
    """A profile laid out for a number of resources.

    Attributes:
        lengths: how many registers and bits the block owns. What no slot names is reserved: 0xFFFF, and 0 for a bit.
    """

    slots: tuple[Slot, ...]
    lengths: dict[Table, int]
    word_order: WordOrder
    on_bad: OnBad


# The map of this project's predecessors, register for register. None of its flags tells that an interval is over: what holds
# for an interval only shows no value then, and not the last one.
_CLASSIC_SHARED: Final = (
    Slot(0x32, "lmp_published_usd_per_mwh"),
    Slot(0x34, "lmp_active_usd_per_mwh", on_bad=OnBad.NAN),
    Slot(0, "ads_polling_works", Table.DISCRETE),
    Slot(2, "trajectories_fresh", Table.DISCRETE),
    Slot(3, "dots_fresh", Table.DISCRETE),
    Slot(4, "clocks_agree", Table.DISCRETE),
    Slot(5, "lmp_fresh", Table.DISCRETE),
)
_CLASSIC_DOP: Final = 0x00
_CLASSIC_SUPP: Final = 0x14

PLANT_STRIDE: Final = 100
"""Registers of the header, and of each resource after it: one request of at most 125 reads a whole one."""

PLANT_HEADER: Final = {
    0: "map_version",
    1: "heartbeat",
    2: "utc_now",
    4: "resource_count",
    5: "broker_connected",
    6: "ads_polling_works",
    7: "lmp_works",
    8: "worst_quality",
    9: "worst_reasons",
    10: "map_hash",
    12: "redundancy_state",
    20: "ads_ingests_online",
    21: "ads_ingests_hearing",
    22: "ads_ingests_failing",
    23: "ads_ingests_worst",
    24: "lmp_ingests_online",
    25: "lmp_ingests_hearing",
    26: "lmp_ingests_failing",
    27: "lmp_ingests_worst",
    28: "clocks_agree",
    29: "ads_certificate_days_left",
    30: "tls_certificate_days_left",
    32: "broker_since",
    34: "dots_fresh",
    35: "trajectories_fresh",
    36: "alarms_quality",
    37: "alarms_reasons",
    38: "alarms_unacknowledged",
    39: "alarms_active",
    40: "alarms_critical_unacknowledged",
    41: "alarms_critical_active",
    42: "alarms_high_unacknowledged",
    43: "alarms_high_active",
    44: "alarms_medium_unacknowledged",
    45: "alarms_medium_active",
    46: "alarms_low_unacknowledged",
    47: "alarms_low_active",
    48: "alarms_shelved",
    49: "alarms_suppressed",
    50: "newest_alarm_code",
    51: "newest_alarm_age_s",
    52: "newest_alarm_raised",
    54: "alarms_raised_in_10_min",
    55: "alarm_flood",
    56: "alarms_age_s",
    57: "alarms_fresh",
}

PLANT_RESOURCE: Final = {
    0: "dot_quality",
    1: "dot_reasons",
    2: "dot_mw",
    4: "dot_start",
    6: "dot_end",
    8: "dot_target",
    10: "supp_mw",
    12: "must_follow",
    13: "dot_age_s",
    14: "dot_changes_in_s",
    15: "dot_target_in_s",
    16: "dot_batch_type",
    17: "fresh_bits",
    18: "dot_revision",
    20: "set_point_quality",
    21: "set_point_reasons",
    22: "set_point_mw",
    24: "previous_dot_start",
    26: "previous_dot_quality",
    27: "previous_dot_reasons",
    28: "next_dot_quality",
    29: "next_dot_reasons",
    30: "previous_dot_mw",
    32: "previous_dot_target",
    34: "next_dot_mw",
    36: "next_dot_start",
    38: "next_dot_target",
    40: "hourly_dot_quality",
    41: "hourly_dot_reasons",
    42: "hourly_dot_mw",
    44: "hourly_dot_start",
    46: "hourly_dot_end",
    48: "previous_dot_end",
    50: "trajectory_quality",
    51: "trajectory_reasons",
    52: "trajectory_mw",
    54: "latest_dop_mw",
    56: "latest_dop_target",
    58: "trajectory_age_s",
    59: "latest_dop_quality",
    60: "latest_dop_reasons",
    61: "instructions_quality",
    62: "instructions_reasons",
    63: "instructions_in_force",
    64: "instructions_ahead",
    65: "instructions_to_answer",
    66: "answer_closes_in_s",
    67: "instruction_changes",
    68: "next_commitment",
    69: "next_commitment_in_s",
    70: "lmp_active_quality",
    71: "lmp_active_reasons",
    72: "lmp_active_usd_per_mwh",
    74: "lmp_active_start",
    76: "lmp_published_usd_per_mwh",
    78: "lmp_published_start",
    80: "lmp_published_quality",
    81: "lmp_published_reasons",
    82: "lmp_age_s",
    83: "commitment_quality",
    84: "commitment_reasons",
    85: "commitment",
    86: "commitment_start",
    88: "constraint_quality",
    89: "constraint_reasons",
    90: "constraint_minimum_mw",
    92: "constraint_maximum_mw",
    94: "as_award_quality",
    95: "as_award_reasons",
    96: "regulation_up_award_mw",
    98: "regulation_down_award_mw",
}


def lay_out(profile: Profile, resources: int) -> Layout:
    """The profile for so many resources. For the classic profile there must be no more than `CLASSIC_RESOURCES`."""
    return _classic(resources) if profile is Profile.CLASSIC else _plant(resources)


def _classic(resources: int) -> Layout:
    dops = [Slot(_CLASSIC_DOP + 2 * i, "latest_dop_mw", resource=i) for i in range(resources)]
    supps = [Slot(_CLASSIC_SUPP + 2 * i, "supp_mw", resource=i, on_bad=OnBad.NAN) for i in range(resources)]
    lengths = {Table.HOLDING: 0x40, Table.DISCRETE: 16}
    return Layout((*dops, *supps, *_CLASSIC_SHARED), lengths, WordOrder.LITTLE, OnBad.HOLD)


def _plant(resources: int) -> Layout:
    header = [Slot(address, quantity) for address, quantity in PLANT_HEADER.items()]
    blocks = [
        Slot(PLANT_STRIDE * (i + 1) + address, quantity, resource=i)
        for i in range(resources)
        for address, quantity in PLANT_RESOURCE.items()
    ]
    return Layout((*header, *blocks), {Table.HOLDING: PLANT_STRIDE * (resources + 1)}, WordOrder.BIG, OnBad.NAN)
