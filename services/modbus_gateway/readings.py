"""Readings: what every quantity says at one time, each with its quality. Pure.

Values come from `judge` (may the state be believed) and `setpoint` (what it asks for now); what speaks against a single value
only, an interval that is over or a limit, is added here.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from dotbus.contracts.messages import Dot, DotInterval, Lmp, NodePrice, Trajectory
from dotbus.contracts.quality import Quality, Reason
from dotbus.contracts.topics import Topics
from dotbus.runtime.installation import Resource
from dotbus.runtime.installation_modbus import Modbus
from modbus_gateway.judge import Judged, hears_caiso, judge
from modbus_gateway.layouts import MAP_VERSION
from modbus_gateway.quantities import Scope
from modbus_gateway.reading import Reading
from modbus_gateway.received import ADS_INGEST, LMP_INGEST, Received, oasis_upstream
from modbus_gateway.register_map import About, Cell, Member, PriceAt, RegisterMap
from modbus_gateway.setpoint import clipped, in_force, must_follow, next_dot, previous_dot, ramp_now, trajectory_now, within

AGE_MOST_S: Final = 65534
HEARTBEAT_CYCLE: Final = 65535
RAMP_TOLERANCE: Final = 1e-6

Named = Mapping[str, Reading]


class Readings:
    """Everything that the cells of a map may ask for, read once at one time."""

    def __init__(self, register_map: RegisterMap, received: Received, topics: Topics, now: datetime) -> None:
        judging = register_map.judging
        self._gateway = read_gateway(received, judging, now)
        self._resources = {m.resource.id: read_resource(m, received, topics, judging, now) for m in register_map.members}
        self._prices = {(p.market, p.node): read_price(p, received, topics, judging, now) for p in register_map.prices}

    def of(self, cell: Cell) -> Reading:
        """What a cell shows."""
        name, about = cell.quantity.name, cell.about
        match cell.quantity.scope:
            case Scope.GATEWAY:
                return self._gateway[name]
            case Scope.PLANT:
                return self._plant(about)[name]
            case Scope.RESOURCE:
                return self._resources[about.members[0].resource.id][name]
            case Scope.PRICE:
                return self._prices[about.prices[0].market, about.prices[0].node][name]

    def _plant(self, about: About) -> Named:
        resources = [self._resources[member.resource.id] for member in about.members]
        return read_plant(resources, [self._prices[price.market, price.node] for price in about.prices])


def read_gateway(received: Received, judging: Modbus, now: datetime) -> Named:
    """Every quantity of the gateway itself."""
    return {
        "map_version": Reading(MAP_VERSION),
        "heartbeat": Reading(int(now.timestamp()) % HEARTBEAT_CYCLE),
        "utc_now": Reading(int(now.timestamp())),
        "broker_connected": Reading(received.connected),
        "ads_polling_works": Reading(hears_caiso(received, ADS_INGEST, judging.stale_after_s, now)),
        "lmp_works": Reading(hears_caiso(received, LMP_INGEST, judging.price_stale_after_s, now)),
    }


def read_plant(resources: Sequence[Named], prices: Sequence[Named]) -> Named:
    """Every quantity of a plant, from those of its resources and their prices."""
    worst = _worst(
        [
            *(resource[name].quality for resource in resources for name in ("dot_mw", "trajectory_mw")),
            *(price["lmp_active_usd_per_mwh"].quality for price in prices),
        ]
    )
    trajectories = [resource for resource in resources if resource["latest_dop_mw"].value is not None]
    return {
        "resource_count": Reading(len(resources)),
        "worst_quality": Reading(worst.level),
        "worst_reasons": Reading(worst.reason_bits),
        "trajectories_fresh": Reading(bool(trajectories) and all(t["trajectory_fresh"].value for t in trajectories)),
    }


def read_resource(member: Member, received: Received, topics: Topics, judging: Modbus, now: datetime) -> Named:
    """Every quantity of a resource."""
    names = member.plant, member.resource.id
    dots = judge(received, topics.dot(*names), Dot, judging.stale_after_s, now)
    trajectory = judge(received, topics.trajectory(*names), Trajectory, judging.stale_after_s, now)
    return {
        **_read_dot(dots, member.resource, now),
        **_read_set_point(dots, member.resource, now, clip=judging.clip_set_point),
        **_read_neighbours(dots, member.resource, now),
        **_read_trajectory(trajectory, member.resource, judging.trajectory_stale_after_s, now),
    }


def read_price(price: PriceAt, received: Received, topics: Topics, judging: Modbus, now: datetime) -> Named:
    """Every quantity of a node's price."""
    judged = judge(received, topics.lmp(price.market, price.node), Lmp, judging.price_stale_after_s, now)
    lmp = judged.message
    published = lmp.published if lmp else None
    active = _active_price(lmp, now) if lmp else None
    return {
        **_read_node_price("lmp_published", published, judged.quality(*_long_over(published, judging, now))),
        **_read_node_price("lmp_active", active, judged.quality(*_expired(lmp, active))),
        "lmp_market_works": Reading(
            hears_caiso(received, LMP_INGEST, judging.price_stale_after_s, now, oasis_upstream(price.market))
        ),
        "lmp_age_s": _age(judged.age_s),
    }


def _read_dot(dots: Judged[Dot], resource: Resource, now: datetime) -> Named:
    dot = in_force(_intervals(dots), now)
    quality = dots.quality(*_expired(dots.message, dot), *_outside(dot.dot_mw if dot else None, resource))
    follow = must_follow(dot, variable=resource.variable) if dot else None
    return {
        **_described("dot", quality),
        "dot_mw": Reading(dot.dot_mw if dot else None, quality),
        "dot_start": Reading.of_time(dot.interval_start if dot else None, quality),
        "dot_end": Reading.of_time(dot.interval_end if dot else None, quality),
        "dot_target": Reading.of_time(dot.target_at if dot else None, quality),
        "supp_mw": Reading(dot.supp_mw if dot else None, quality),
        "must_follow": Reading(follow, quality),
        "dot_age_s": _age(dots.age_s),
    }


def _read_set_point(dots: Judged[Dot], resource: Resource, now: datetime, *, clip: bool) -> Named:
    ramp = ramp_now(_intervals(dots), now)
    if ramp is None:
        quality = dots.quality(*_expired(dots.message, ramp))
        return {**_described("set_point", quality), "set_point_mw": Reading(None, quality)}
    limit = resource.ramp_mw_per_min
    too_steep = limit is not None and abs(ramp.slope_mw_per_min) > limit * (1 + RAMP_TOLERANCE)
    quality = dots.quality(*_outside(ramp.set_point_mw, resource), *([Reason.OUT_OF_LIMITS] if too_steep else []))
    value_mw = clipped(ramp.set_point_mw, resource.pmin_mw, resource.pmax_mw) if clip else ramp.set_point_mw
    return {**_described("set_point", quality), "set_point_mw": Reading(value_mw, quality)}


def _read_neighbours(dots: Judged[Dot], resource: Resource, now: datetime) -> Named:
    before, after = previous_dot(_intervals(dots), now), next_dot(_intervals(dots), now)
    before_quality = dots.quality(*_outside(before.dot_mw if before else None, resource))
    after_quality = dots.quality(*_outside(after.dot_mw if after else None, resource))
    return {
        "previous_dot_mw": Reading(before.dot_mw if before else None, before_quality),
        "previous_dot_target": Reading.of_time(before.target_at if before else None, before_quality),
        "next_dot_mw": Reading(after.dot_mw if after else None, after_quality),
        "next_dot_start": Reading.of_time(after.interval_start if after else None, after_quality),
        "next_dot_target": Reading.of_time(after.target_at if after else None, after_quality),
    }


def _read_trajectory(trajectory: Judged[Trajectory], resource: Resource, stale_after_s: float, now: datetime) -> Named:
    message = trajectory.message
    value_mw = trajectory_now(message.points, now) if message else None
    latest = message.latest if message else None
    age_s = _since_newest_batch(trajectory, now)
    old = [Reason.STALE] if message and (age_s is None or abs(age_s) > stale_after_s) else []
    quality = trajectory.quality(*old, *_expired(message, value_mw), *_outside(value_mw, resource))
    latest_quality = trajectory.quality(*old, *_outside(latest.dop_mw if latest else None, resource))
    return {
        **_described("trajectory", quality),
        "trajectory_mw": Reading(value_mw, quality),
        "trajectory_age_s": _age(age_s),
        "trajectory_fresh": Reading(not latest_quality.is_bad),
        "latest_dop_mw": Reading(latest.dop_mw if latest else None, latest_quality),
        "latest_dop_target": Reading.of_time(latest.target_at if latest else None, latest_quality),
    }


def _since_newest_batch(trajectory: Judged[Trajectory], now: datetime) -> float | None:
    if trajectory.message is None or trajectory.message.received_at is None or trajectory.said_at is None:
        return None
    return (now - min(trajectory.message.received_at, trajectory.said_at)).total_seconds()


def _read_node_price(name: str, price: NodePrice | None, quality: Quality) -> Named:
    return {
        **_described(name, quality),
        f"{name}_usd_per_mwh": Reading(price.lmp_usd_per_mwh if price else None, quality),
        f"{name}_start": Reading.of_time(price.interval_start if price else None, quality),
    }


def _active_price(lmp: Lmp, now: datetime) -> NodePrice | None:
    """The price whose interval covers now, by our clock, so that it turns with the interval; a correction wins."""
    known = [price for price in (lmp.active, lmp.published, *lmp.ahead) if price]
    covering = [price for price in known if price.interval_start <= now < price.interval_end]
    return max(covering, key=lambda price: price.fetched_at, default=None)


def _long_over(published: NodePrice | None, judging: Modbus, now: datetime) -> list[Reason]:
    """A price after which none came although OASIS answers."""
    over_s = (now - published.interval_end).total_seconds() if published else 0.0
    return [Reason.STALE] if over_s > judging.price_stale_after_s else []


def _described(name: str, quality: Quality) -> Named:
    return {f"{name}_quality": Reading(quality.level), f"{name}_reasons": Reading(quality.reason_bits)}


def _intervals(dots: Judged[Dot]) -> tuple[DotInterval, ...]:
    return dots.message.intervals if dots.message else ()


def _expired(message: object | None, found: object | None) -> list[Reason]:
    """A state that was said but holds nothing for now; one that was never said has its own reason."""
    return [Reason.EXPIRED] if message is not None and found is None else []


def _outside(value_mw: float | None, resource: Resource) -> list[Reason]:
    inside = value_mw is None or within(value_mw, resource.pmin_mw, resource.pmax_mw)
    return [] if inside else [Reason.OUT_OF_LIMITS]


def _age(age_s: float | None) -> Reading:
    return Reading(None if age_s is None else min(max(int(age_s), 0), AGE_MOST_S))


def _worst(qualities: Iterable[Quality]) -> Quality:
    return Quality.of(reason for quality in qualities for reason in quality.reasons)
