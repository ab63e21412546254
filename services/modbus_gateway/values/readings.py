"""Readings: what each thing that cells may be about comes to at one time, each value with its quality. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from typing import Final

from dotbus.contracts.quality import Quality, Reason
from dotbus.judging.arrivals import ADS_INGEST, LMP_INGEST
from dotbus.judging.received import NOT_KNOWN, Received
from dotbus.judging.vouching import hears_caiso
from dotbus.readings.motion import Count, EndsAt
from dotbus.readings.reading import Named, Reading
from dotbus.runtime.installation.modbus import Modbus
from modbus_gateway.map.layouts import MAP_VERSION
from modbus_gateway.map.quantities import DOT_FRESH, QUANTITIES, TRAJECTORY_FRESH, Quantity
from modbus_gateway.values.source_readings import read_sources

HEARTBEAT_CYCLE: Final = 65535
_COUNTING: Final = ("dot_mw", "set_point_mw", "trajectory_mw")
_PRICE_COUNTING: Final = "lmp_active_usd_per_mwh"
_PRICE_PUBLISHED: Final = "lmp_published_usd_per_mwh"
_INSTRUCTED: Final = "instructions_in_force"


def doubted(named: Named, quantity: Quantity, more: Iterable[Reason]) -> Named:
    """With more reasons against a quantity, and with it against everything that its quality speaks of."""
    quality = Quality.of([*named[quantity.name].quality.reasons, *more])
    level, reasons, *flags = quantity.told_by
    told = {level: Reading(quality.level), reasons: Reading(quality.reason_bits)}
    alike = [n for n in named if n == quantity.name or (n in QUANTITIES and QUANTITIES[n].quality == quantity.quality)]
    values = {n: Reading(named[n].value, quality, None if quality.is_bad else named[n].motion) for n in alike}
    untold = {flag: Reading(False) for flag in flags if flag in named and not _is_fresh(flag, quality)}  # noqa: FBT003  # a value
    return {**named, **values, **told, **untold}


def _is_fresh(flag: str, quality: Quality) -> bool:
    """Whether a flag may be 1 beside a quality: of a DOT or trajectory also beyond a limit, of a price only if good."""
    return quality.is_good or (flag in (DOT_FRESH, TRAJECTORY_FRESH) and set(quality.reasons) <= {Reason.OUT_OF_LIMITS})


def read_gateway(received: Received, judging: Modbus, now: datetime, tls_ends_at: EndsAt | None = None) -> Named:
    """Every quantity of the gateway itself."""
    return {
        "map_version": Reading(MAP_VERSION),
        "heartbeat": Reading.moving(Count(HEARTBEAT_CYCLE), now),
        "utc_now": Reading.moving(Count(), now),
        "broker_connected": Reading(received.hears),
        "redundancy_state": Reading(received.redundancy_state if received.hears else NOT_KNOWN),
        "ads_polling_works": Reading(hears_caiso(received, ADS_INGEST, judging.stale_after_s, now)),
        "lmp_works": Reading(hears_caiso(received, LMP_INGEST, judging.price_stale_after_s, now)),
        **read_sources(received, judging, now, tls_ends_at),
    }


def read_plant(resources: Sequence[Named], prices: Sequence[Named]) -> Named:
    """Every quantity of a plant, from those of its resources and their prices."""
    worst = Quality.of(
        chain(
            (why for resource in resources for name in _COUNTING for why in resource[name].quality.reasons),
            (why for price in prices for why in price[_PRICE_COUNTING].quality.reasons),
        )
    )
    return {
        "resource_count": Reading(len(resources)),
        "worst_quality": Reading(worst.level),
        "worst_reasons": Reading(worst.reason_bits),
        "dots_fresh": Reading(_are_all(resources, DOT_FRESH)),
        "trajectories_fresh": Reading(_are_all(resources, TRAJECTORY_FRESH)),
    }


def _are_all(resources: Sequence[Named], flag: str) -> bool:
    """Whether there are resources and a flag of each is 1."""
    return bool(resources) and all(resource[flag].value for resource in resources)


def read_together(resources: Sequence[Named], instructions: Sequence[Named], prices: Sequence[Named]) -> Named:
    """What of a resource is fresh, a bit each. One whose node has no price, or that nothing was said of, has no such bit."""
    said = [(resources, "dot_mw"), (resources, "trajectory_mw"), (prices, _PRICE_PUBLISHED), (instructions, _INSTRUCTED)]
    reasons = {why for parts, name in said for part in parts for why in part[name].quality.reasons}
    is_said = all(Reason.NEVER_RECEIVED not in resource["dot_mw"].quality.reasons for resource in resources)
    flags = [
        _are_all(resources, DOT_FRESH),
        _are_all(resources, TRAJECTORY_FRESH),
        _are_all(prices, "lmp_fresh"),
        _are_all(instructions, "instructions_fresh"),
        is_said and Reason.CLOCK_IN_DOUBT not in reasons,
    ]
    return {"fresh_bits": Reading(sum(1 << bit for bit, is_fresh in enumerate(flags) if is_fresh))}


def counts_for_plant(named: Named) -> tuple[object, ...]:
    """What of a resource, its instructions or a price depends on that is made of them."""
    if _PRICE_COUNTING in named:
        return (*(named[name].quality for name in (_PRICE_COUNTING, _PRICE_PUBLISHED)), named["lmp_fresh"].value)
    if _INSTRUCTED in named:
        return named[_INSTRUCTED].quality, named["instructions_fresh"].value
    return (*(named[name].quality for name in _COUNTING), named[DOT_FRESH].value, named[TRAJECTORY_FRESH].value)
