"""Quantities: everything that a register can show, by name. The one list behind the profiles, the points and their docs.

What is not in it is a field of a state, see `paths`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dotbus.runtime.installation.modbus import RegisterType

F32, U16, U32, TXT = RegisterType.FLOAT32, RegisterType.UINT16, RegisterType.UINT32, RegisterType.STRING


class Scope(StrEnum):
    """What a quantity is about."""

    GATEWAY = "gateway"
    UNIT = "unit"
    PLANT = "plant"
    RESOURCE = "resource"
    PRICE = "price"
    TOGETHER = "resource and its price"
    STATE = "state"
    ALARMS = "plant's alarms"


@dataclass(frozen=True)
class Quantity:
    """One thing that can be shown.

    Attributes:
        type: how a register writes it when nothing else is asked for.
        unit: of its number, or what the number means.
        quality: the quantity that tells its quality; `NEVER_BAD` for what is not read from a state that may be stale.
    """

    name: str
    scope: Scope
    type: RegisterType
    unit: str
    quality: str
    meaning: str

    @property
    def is_flag(self) -> bool:
        """Whether it is 1 or 0, so that a discrete input can show it too."""
        return self.unit == FLAG

    @property
    def follows_schedule(self) -> bool:
        """Whether it is of the DOTs of the schedule that its resource follows, whichever that is."""
        return {self.quality, self.name.replace("_reasons", "_quality")} & _OF_THE_SCHEDULE != set()

    @property
    def is_instructed(self) -> bool:
        """Whether it is read from a resource's instructions, and not from its DOTs and trajectory."""
        return self.name in _INSTRUCTED

    @property
    def needs_instructions(self) -> bool:
        """Whether it is read from them, be it with others."""
        return self.is_instructed or self.scope is Scope.TOGETHER

    @property
    def is_measured(self) -> bool:
        """Whether it is megawatts, a price or another measured number: what `bad_value` may stand for."""
        return self.type is F32

    @property
    def told_by(self) -> tuple[str, ...]:
        """The quantities each of which tells that its value is bad: its quality, the reasons for that, and some flags."""
        if self.quality == NEVER_BAD:
            return ()
        return (self.quality, self.quality.replace("_quality", "_reasons"), *_FLAGS.get(self.quality, ()))


FLAG: Final = "1 or 0"
MW: Final = "MW"
USD_PER_MWH: Final = "$/MWh"
EPOCH: Final = "s since 1970 UTC"
LEVEL: Final = "192, 64 or 0"
REASONS: Final = "bit mask"
TEXT: Final = "text"
SCHEDULE: Final = "1 five-minute, 2 hourly, 3 both"
BATCH_TYPE: Final = "batchType"
FRESH: Final = "1 DOT, 2 trajectory, 4 price, 8 instructions, 16 clocks"
COMMITMENT: Final = "1 start-up, 2 shut-down, 3 other"
ALARM: Final = "alarm code"
NEVER_BAD: Final = ""
MUST_FOLLOW: Final = "must_follow"
DOT_FRESH: Final = "dot_fresh"
TRAJECTORY_FRESH: Final = "trajectory_fresh"
_OF_THE_SCHEDULE: Final = {"dot_quality", "set_point_quality", "previous_dot_quality", "next_dot_quality"}
_FLAGS: Final = {
    "dot_quality": (DOT_FRESH, "dots_fresh"),
    "latest_dop_quality": (TRAJECTORY_FRESH, "trajectories_fresh"),
    "lmp_published_quality": ("lmp_fresh",),
    "alarms_quality": ("alarms_fresh",),
}
"""Flags that are 0 whenever values of that quality are bad."""

# fmt: off
# Each with its type, its unit, the quantity that tells its quality ("": it is never bad itself), and what it means.
_GATEWAY = (
    ("map_version", U16, "", "", "Version of the plant profile's layout"),
    ("heartbeat", U16, "s", "", "Counts each second from 0 to 65534 and begins again; stands still when the gateway does"),
    ("utc_now", U32, EPOCH, "", "The gateway's clock"),
    ("broker_connected", U16, FLAG, "", "1 while the gateway is connected to the broker, and hears itself there within 5 s"),
    ("ads_polling_works", U16, FLAG, "", "1 while CAISO answered an online ADS ingest in stale_after_s, and our clocks agree"),
    ("lmp_works", U16, FLAG, "", "1 while OASIS answered an online LMP ingest on all in price_stale_after_s; clocks agree"),
    ("redundancy_state", U16, "", "", "Beside others of the same map: 1 active, read this one; 2 standby; 0 not known, behind"),
)
_SOURCES = (
    ("broker_since", U32, EPOCH, "", "Since when broker_connected is as it is; no value before the first connection"),
    ("clocks_agree", U16, FLAG, "", "1 while an ingest is online and the clocks of all that are agree with CAISO's and ours"),
    ("ads_ingests_online", U16, "", "", "How many instances of the ADS ingest are online, by what they said within 15 s"),
    ("ads_ingests_hearing", U16, "", "", "How many of them CAISO answers on all that they ask for, and whose clocks agree"),
    ("ads_ingests_failing", U16, "", "", "How many of them it does not"),
    ("ads_ingests_worst", U16, LEVEL, "", "The worst instance known: 0 is offline or silent, 64 not answered"),
    ("lmp_ingests_online", U16, "", "", "How many instances of the LMP ingest are online, by what they said within 15 s"),
    ("lmp_ingests_hearing", U16, "", "", "How many of them OASIS answers on all that they ask for, and whose clocks agree"),
    ("lmp_ingests_failing", U16, "", "", "How many of them it does not"),
    ("lmp_ingests_worst", U16, LEVEL, "", "The worst instance known: 0 is offline or silent, 64 not answered"),
    ("ads_certificate_days_left", U16, "d", "", "Of the ADS ingests' certificates the first to end; no value if none is told"),
    ("tls_certificate_days_left", U16, "d", "", "Of the certificate that clients are shown; no value without TLS"),
)
_UNIT = (
    ("map_hash", U32, "", "", "Changes when this unit's map does: what stands where, whose it is, how it is written"),
)
_PLANT = (
    ("resource_count", U16, "", "", "Number of resources"),
    ("worst_quality", U16, LEVEL, "", "The worst of the DOT, set-point, trajectory and active price quality of its resources"),
    ("worst_reasons", U16, REASONS, "", "Every reason behind these"),
    ("dots_fresh", U16, FLAG, "", "1 while the DOT of every resource is fresh, see dot_fresh"),
    ("trajectories_fresh", U16, FLAG, "", "1 while the trajectory of every resource is fresh, see trajectory_fresh"),
)
_ALARMS = (
    ("alarms_quality", U16, LEVEL, "", "Quality of what the service of alarms says in all: bad once it vouches no longer"),
    ("alarms_reasons", U16, REASONS, "", "Why it is less than good"),
    ("alarms_fresh", U16, FLAG, "", "1 while nothing speaks against it"),
    ("alarms_age_s", U16, "s", "", "Since the service of alarms said it; 65534 stands for longer, too"),
    ("alarms_unacknowledged", U16, "", "alarms_quality", "How many nobody has acknowledged, be what they tell over or not"),
    ("alarms_active", U16, "", "alarms_quality", "How many tell of what holds now, neither shelved nor suppressed"),
    ("alarms_critical_unacknowledged", U16, "", "alarms_quality", "Of alarms_unacknowledged those of critical priority"),
    ("alarms_critical_active", U16, "", "alarms_quality", "Of alarms_active those of critical priority"),
    ("alarms_high_unacknowledged", U16, "", "alarms_quality", "Of alarms_unacknowledged those of high priority"),
    ("alarms_high_active", U16, "", "alarms_quality", "Of alarms_active those of high priority"),
    ("alarms_medium_unacknowledged", U16, "", "alarms_quality", "Of alarms_unacknowledged those of medium priority"),
    ("alarms_medium_active", U16, "", "alarms_quality", "Of alarms_active those of medium priority"),
    ("alarms_low_unacknowledged", U16, "", "alarms_quality", "Of alarms_unacknowledged those of low priority"),
    ("alarms_low_active", U16, "", "alarms_quality", "Of alarms_active those of low priority"),
    ("alarms_shelved", U16, "", "alarms_quality", "How many somebody put away for a time"),
    ("alarms_suppressed", U16, "", "alarms_quality", "How many another alarm tells of already"),
    ("newest_alarm_code", U16, ALARM, "alarms_quality", "What was raised last and is unacknowledged or active, if any"),
    ("newest_alarm_age_s", U16, "s", "alarms_quality", "Since it was raised; 65534 stands for longer, too"),
    ("newest_alarm_raised", U32, EPOCH, "alarms_quality", "When it was raised"),
    ("alarms_raised_in_10_min", U16, "", "alarms_quality", "How many were raised in the last 10 minutes"),
    ("alarm_flood", U16, FLAG, "alarms_quality", "1 while those are more than an operator can act on"),
)
_RESOURCE = (
    ("dot_quality", U16, LEVEL, "", "Quality of the DOT in force and of all that belongs to it"),
    ("dot_reasons", U16, REASONS, "", "Why it is less than good"),
    ("dot_mw", F32, MW, "dot_quality", "The DOT in force of the schedule that the resource follows: its interval covers now"),
    ("dot_start", U32, EPOCH, "dot_quality", "Start of its interval"),
    ("dot_end", U32, EPOCH, "dot_quality", "End of its interval"),
    ("dot_target", U32, EPOCH, "dot_quality", "When it is to be reached: the middle of its interval"),
    ("supp_mw", F32, MW, "dot_quality", "Supplemental energy (SUPP) segment of the DOT in force; no value when there is none"),
    (MUST_FOLLOW, U16, FLAG, "dot_quality", "1 unless the resource is variable, then as CAISO says; no value if it does not"),
    ("dot_age_s", U16, "s", "", "Since CAISO was last heard about dispatches; 65534 stands for longer, too"),
    (DOT_FRESH, U16, FLAG, "", "1 while a DOT is in force and nothing but a limit of the resource speaks against it"),
    ("dot_changes_in_s", U16, "s", "", "Until what it asks changes or ends, by what CAISO said; no value while dot_mw is bad"),
    ("dot_target_in_s", U16, "s", "", "Until its target, 0 once that is past; no value while dot_mw is bad"),
    ("dot_batch_type", U16, BATCH_TYPE, "", "0 five-minute, 1 hourly, 4 exceptional; no value while dot_mw is bad"),
    ("dot_schedule", U16, SCHEDULE, "", "Which schedule it is of; no value while dot_mw is bad"),
    ("dot_revision", U32, "", "", "Revision of its batch, if CAISO numbers it; no value while dot_mw is bad"),
    ("set_point_quality", U16, LEVEL, "", "Quality of the set-point"),
    ("set_point_reasons", U16, REASONS, "", "Why it is less than good"),
    ("set_point_mw", F32, MW, "set_point_quality", "The set-point now, on the ramp through the target times of the DOTs"),
    ("previous_dot_quality", U16, LEVEL, "", "Quality of the previous DOT and of all that belongs to it"),
    ("previous_dot_reasons", U16, REASONS, "", "Why it is less than good"),
    ("previous_dot_mw", F32, MW, "previous_dot_quality", "The DOT whose interval ended last"),
    ("previous_dot_start", U32, EPOCH, "previous_dot_quality", "Start of its interval"),
    ("previous_dot_end", U32, EPOCH, "previous_dot_quality", "End of its interval"),
    ("previous_dot_target", U32, EPOCH, "previous_dot_quality", "Its target time"),
    ("next_dot_quality", U16, LEVEL, "", "Quality of the next DOT and of all that belongs to it"),
    ("next_dot_reasons", U16, REASONS, "", "Why it is less than good"),
    ("next_dot_mw", F32, MW, "next_dot_quality", "The DOT whose interval begins next; no value until CAISO sends it"),
    ("next_dot_start", U32, EPOCH, "next_dot_quality", "Start of its interval"),
    ("next_dot_target", U32, EPOCH, "next_dot_quality", "Its target time"),
    ("hourly_dot_quality", U16, LEVEL, "", "Quality of the hourly DOT in force, whether the resource follows it or not"),
    ("hourly_dot_reasons", U16, REASONS, "", "Why it is less than good"),
    ("hourly_dot_mw", F32, MW, "hourly_dot_quality", "The hourly DOT in force"),
    ("hourly_dot_start", U32, EPOCH, "hourly_dot_quality", "Start of its interval"),
    ("hourly_dot_end", U32, EPOCH, "hourly_dot_quality", "End of its interval"),
    ("five_minute_dot_quality", U16, LEVEL, "", "Quality of the five-minute DOT in force, whether that is followed or not"),
    ("five_minute_dot_reasons", U16, REASONS, "", "Why it is less than good"),
    ("five_minute_dot_mw", F32, MW, "five_minute_dot_quality", "The five-minute DOT in force"),
    ("five_minute_dot_start", U32, EPOCH, "five_minute_dot_quality", "Start of its interval"),
    ("five_minute_dot_end", U32, EPOCH, "five_minute_dot_quality", "End of its interval"),
    ("trajectory_quality", U16, LEVEL, "", "Quality of the trajectory now"),
    ("trajectory_reasons", U16, REASONS, "", "Why it is less than good"),
    ("trajectory_mw", F32, MW, "trajectory_quality", "The trajectory now: linear between DOPs, ended after the last target"),
    ("trajectory_age_s", U16, "s", "", "Since CAISO had the newest trajectory batch; 65534 stands for longer, too"),
    (TRAJECTORY_FRESH, U16, FLAG, "", "1 while nothing but a limit of the resource speaks against its trajectory"),
    ("latest_dop_quality", U16, LEVEL, "", "Quality of the latest DOP"),
    ("latest_dop_reasons", U16, REASONS, "", "Why it is less than good"),
    ("latest_dop_mw", F32, MW, "latest_dop_quality", "The last DOP of the newest trajectory batch, whatever its target time"),
    ("latest_dop_target", U32, EPOCH, "latest_dop_quality", "Its target time"),
)
_INSTRUCTIONS = (
    ("instructions_quality", U16, LEVEL, "", "Quality of the counts of instructions, and of the state that they are in"),
    ("instructions_reasons", U16, REASONS, "", "Why it is less than good"),
    ("instructions_fresh", U16, FLAG, "", "1 while nothing speaks against the state of its instructions as a whole"),
    ("instructions_in_force", U16, "", "instructions_quality", "How many are in force or in doubt, but for five-minute DOTs"),
    ("instructions_ahead", U16, "", "instructions_quality", "How many begin later"),
    ("instructions_to_answer", U16, "", "instructions_quality", "How many CAISO takes an answer to that have none"),
    ("answer_closes_in_s", U16, "s", "", "Until the first of these cannot be answered any more; no value without one"),
    ("instruction_changes", U16, "", "", "Counts each new one, or revision of one, from 0 to 65534; after a restart from 0"),
    ("instructions_age_s", U16, "s", "", "Since CAISO was last heard about instructions; 65534 stands for longer, too"),
    ("constraint_quality", U16, LEVEL, "", "Quality of the constraints in force; uncertain where they leave no megawatts"),
    ("constraint_reasons", U16, REASONS, "", "Why it is less than good"),
    ("constraint_minimum_mw", F32, MW, "constraint_quality", "The least that constraints allow, if there are any"),
    ("constraint_maximum_mw", F32, MW, "constraint_quality", "The most that constraints allow, if there are any"),
    ("constraint_fixed_mw", F32, MW, "constraint_quality", "What a fixed constraint asks for, if there is one"),
    ("constraint_end", U32, EPOCH, "constraint_quality", "When the first of them ends; no value if CAISO says no end"),
    ("commitment_quality", U16, LEVEL, "", "Quality of the commitment in force and of the next one"),
    ("commitment_reasons", U16, REASONS, "", "Why it is less than good"),
    ("commitment", U16, COMMITMENT, "commitment_quality", "What began last, for an hour if it has no end; else no value"),
    ("commitment_start", U32, EPOCH, "commitment_quality", "When it began"),
    ("commitment_end", U32, EPOCH, "commitment_quality", "When it ends, if CAISO says so"),
    ("next_commitment", U16, COMMITMENT, "commitment_quality", "What begins next; no value without"),
    ("next_commitment_start", U32, EPOCH, "commitment_quality", "When that is"),
    ("next_commitment_in_s", U16, "s", "", "Until then; no value without one, or while commitment_quality is bad"),
    ("as_award_quality", U16, LEVEL, "", "Quality of the ancillary service awards in force"),
    ("as_award_reasons", U16, REASONS, "", "Why it is less than good"),
    ("regulation_up_award_mw", F32, MW, "as_award_quality", "Award of regulation up (RU) in force; no value without"),
    ("regulation_down_award_mw", F32, MW, "as_award_quality", "Award of regulation down (RD) in force; no value without"),
    ("spinning_award_mw", F32, MW, "as_award_quality", "Award of spinning reserve (SR) in force; no value without"),
    ("non_spinning_award_mw", F32, MW, "as_award_quality", "Award of non-spinning reserve (NR) in force; no value without"),
    ("as_test_quality", U16, LEVEL, "", "Quality of the ancillary service test"),
    ("as_test_reasons", U16, REASONS, "", "Why it is less than good"),
    ("as_test", U16, FLAG, "as_test_quality", "1 while an ancillary service test is in force"),
    ("as_test_mw", F32, MW, "as_test_quality", "Its megawatts"),
    ("as_test_end", U32, EPOCH, "as_test_quality", "When it ends, if CAISO says so"),
    ("transition_quality", U16, LEVEL, "", "Quality of the transitions (multi-stage generator) begun and next"),
    ("transition_reasons", U16, REASONS, "", "Why it is less than good"),
    ("transition_from", TXT, TEXT, "transition_quality", "The configuration that the transition leaves that began last"),
    ("transition_to", TXT, TEXT, "transition_quality", "The configuration that it goes to"),
    ("transition_start", U32, EPOCH, "transition_quality", "When it began"),
    ("next_transition_from", TXT, TEXT, "transition_quality", "The configuration that the next transition leaves"),
    ("next_transition_to", TXT, TEXT, "transition_quality", "The configuration that it goes to"),
    ("next_transition_start", U32, EPOCH, "transition_quality", "When it begins"),
)
_PRICE = (
    ("lmp_published_quality", U16, LEVEL, "", "Quality of the latest published price"),
    ("lmp_published_reasons", U16, REASONS, "", "Why it is less than good"),
    ("lmp_published_usd_per_mwh", F32, USD_PER_MWH, "lmp_published_quality", "Latest published price; interval may be ahead"),
    ("lmp_published_energy_usd_per_mwh", F32, USD_PER_MWH, "lmp_published_quality", "Its energy component, if any"),
    ("lmp_published_congestion_usd_per_mwh", F32, USD_PER_MWH, "lmp_published_quality", "Its congestion component, if any"),
    ("lmp_published_loss_usd_per_mwh", F32, USD_PER_MWH, "lmp_published_quality", "Its loss component, if any"),
    ("lmp_published_ghg_usd_per_mwh", F32, USD_PER_MWH, "lmp_published_quality", "Its greenhouse gas component, if any"),
    ("lmp_published_start", U32, EPOCH, "lmp_published_quality", "Start of its interval"),
    ("lmp_active_quality", U16, LEVEL, "", "Quality of the active price"),
    ("lmp_active_reasons", U16, REASONS, "", "Why it is less than good"),
    ("lmp_active_usd_per_mwh", F32, USD_PER_MWH, "lmp_active_quality", "The active price: its interval covers now"),
    ("lmp_active_energy_usd_per_mwh", F32, USD_PER_MWH, "lmp_active_quality", "Its energy component, if any"),
    ("lmp_active_congestion_usd_per_mwh", F32, USD_PER_MWH, "lmp_active_quality", "Its congestion component, if any"),
    ("lmp_active_loss_usd_per_mwh", F32, USD_PER_MWH, "lmp_active_quality", "Its loss component, if any"),
    ("lmp_active_ghg_usd_per_mwh", F32, USD_PER_MWH, "lmp_active_quality", "Its greenhouse gas component, if any"),
    ("lmp_active_start", U32, EPOCH, "lmp_active_quality", "Start of its interval"),
    ("lmp_market_works", U16, FLAG, "", "1 while an LMP ingest is online, OASIS answers it about this market, clocks agree"),
    ("lmp_fresh", U16, FLAG, "", "1 while that is so, and the latest published price of the node is good"),
    ("lmp_age_s", U16, "s", "", "Since OASIS was last heard; 65534 stands for longer, too"),
)
_TOGETHER = (
    ("fresh_bits", U16, FRESH, "", "Its flags dot_fresh, trajectory_fresh, lmp_fresh and instructions_fresh; clocks agree"),
)
# fmt: on

QUANTITIES: Final = {
    name: Quantity(name, scope, kind, unit, quality, meaning)
    for scope, rows in (
        (Scope.GATEWAY, _GATEWAY),
        (Scope.GATEWAY, _SOURCES),
        (Scope.UNIT, _UNIT),
        (Scope.PLANT, _PLANT),
        (Scope.ALARMS, _ALARMS),
        (Scope.RESOURCE, _RESOURCE),
        (Scope.RESOURCE, _INSTRUCTIONS),
        (Scope.PRICE, _PRICE),
        (Scope.TOGETHER, _TOGETHER),
    )
    for name, kind, unit, quality, meaning in rows
}
_INSTRUCTED: Final = frozenset(name for name, *_ in _INSTRUCTIONS)
