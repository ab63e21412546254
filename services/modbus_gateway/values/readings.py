"""Readings: everything that the cells of a map may ask for, read once at one time, each value with its quality. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import Final, Self

from dotbus.contracts.quality import Quality, Reason
from dotbus.contracts.topics import Topics
from dotbus.runtime.installation.modbus import Modbus
from modbus_gateway.map.layouts import MAP_VERSION
from modbus_gateway.map.quantities import QUANTITIES, TRAJECTORY_FRESH, Quantity, Scope
from modbus_gateway.map.register_map import About, Cell, PriceAt, RegisterMap, StateField
from modbus_gateway.state.arrivals import ADS_INGEST, LMP_INGEST
from modbus_gateway.state.judge import hears_caiso
from modbus_gateway.state.received import Received
from modbus_gateway.values.field_readings import read_field
from modbus_gateway.values.price_readings import read_price
from modbus_gateway.values.reading import Named, Reading, against
from modbus_gateway.values.resource_readings import read_resource

HEARTBEAT_CYCLE: Final = 65535


@dataclass(frozen=True)
class Readings:
    """What is read at one time.

    Attributes:
        hold_until: when the first of it is no longer true: an interval turns, or something grows stale. None when nothing does.
    """

    gateway: Named
    hashes: Mapping[int, int]
    resources: Mapping[str, Named]
    prices: Mapping[PriceAt, Named]
    fields: Mapping[StateField, Named]
    hold_until: datetime | None

    @classmethod
    def at(cls, now: datetime, register_map: RegisterMap, received: Received, topics: Topics) -> Self:
        """What a map's cells may ask for at a time."""
        judging = register_map.judging
        resources = {m.key: read_resource(m, received, topics, judging, now) for m in register_map.members}
        prices = {price: read_price(price, received, topics, judging, now) for price in register_map.prices}
        fields = {field: read_field(field, received, topics, judging, now) for field in register_map.fields}
        turns = chain.from_iterable(read.turns for read in chain(resources.values(), prices.values(), fields.values()))
        return cls(
            read_gateway(received, judging, now),
            register_map.hashes,
            {name: read.named for name, read in resources.items()},
            {price: read.named for price, read in prices.items()},
            {field: read.named for field, read in fields.items()},
            min((turn for turn in turns if turn and turn > now), default=None),
        )

    def as_shown(self, cells: Iterable[Cell]) -> Self:
        """The readings as the registers of one unit can show them.

        Where a value does not fit into its own, or keeps not the limits of its own point, that speaks against it and against
        what tells its quality at the unit.
        """
        resources, prices, fields = dict(self.resources), dict(self.prices), dict(self.fields)
        doubted = [(cell, reasons) for cell in cells if (reasons := self._against(cell))]
        for cell, reasons in doubted:
            for about in dict.fromkeys((cell.about, cell.judged_alike.about)):
                if cell.quantity.scope is Scope.STATE:
                    field = about.fields[0]
                    fields[field] = _doubted(fields[field], cell.quantity, reasons)
                elif cell.quantity.scope is Scope.PRICE:
                    price = about.prices[0]
                    prices[price] = _doubted(prices[price], cell.quantity, reasons)
                else:
                    key = about.members[0].key
                    resources[key] = _doubted(resources[key], cell.quantity, reasons)
        return replace(self, resources=resources, prices=prices, fields=fields) if doubted else self

    def _against(self, cell: Cell) -> frozenset[Reason]:
        """What speaks against a value where a cell shows it, beyond what does anywhere."""
        reading = self.of(cell)
        if not cell.has_stale_time:
            return against(reading, cell)
        return against(reading, cell).union(set(reading.quality.reasons) - set(self.of(cell.judged_alike).quality.reasons))

    def of(self, cell: Cell) -> Reading:
        """What a cell shows."""
        name, about = cell.quantity.name, cell.about
        match cell.quantity.scope:
            case Scope.RESOURCE:  # most are
                return self.resources[about.members[0].key][name]
            case Scope.GATEWAY:
                return self.gateway[name]
            case Scope.UNIT:
                return Reading(None if about.unit_id is None else self.hashes[about.unit_id])
            case Scope.PLANT:
                return self._plant(about)[name]
            case Scope.STATE:
                return self.fields[about.fields[0]][name]
            case Scope.PRICE:
                return self.prices[about.prices[0]][name]

    def _plant(self, about: About) -> Named:
        return read_plant(
            [self.resources[member.key] for member in about.members], [self.prices[price] for price in about.prices]
        )


def _doubted(named: Named, quantity: Quantity, more: Iterable[Reason]) -> Named:
    """With more reasons against a quantity, and with it against everything that its quality speaks of."""
    quality = Quality.of([*named[quantity.name].quality.reasons, *more])
    level, reasons, *flags = quantity.told_by
    told = {level: Reading(quality.level), reasons: Reading(quality.reason_bits)}
    alike = [n for n in named if n == quantity.name or (n in QUANTITIES and QUANTITIES[n].quality == quantity.quality)]
    values = {n: Reading(named[n].value, quality) for n in alike}
    untold = {flag: Reading(False) for flag in flags if flag in named and not _is_fresh(flag, quality)}  # noqa: FBT003  # a value
    return {**named, **values, **told, **untold}


def _is_fresh(flag: str, quality: Quality) -> bool:
    """Whether a flag may be 1 beside a quality: of a trajectory also beyond a limit, of a price only where it is good."""
    return quality.is_good or (flag == TRAJECTORY_FRESH and set(quality.reasons) <= {Reason.OUT_OF_LIMITS})


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
            *(resource[name].quality for resource in resources for name in ("dot_mw", "set_point_mw", "trajectory_mw")),
            *(price["lmp_active_usd_per_mwh"].quality for price in prices),
        ]
    )
    return {
        "resource_count": Reading(len(resources)),
        "worst_quality": Reading(worst.level),
        "worst_reasons": Reading(worst.reason_bits),
        "trajectories_fresh": Reading(bool(resources) and all(resource["trajectory_fresh"].value for resource in resources)),
    }


def _worst(qualities: Iterable[Quality]) -> Quality:
    return Quality.of(reason for quality in qualities for reason in quality.reasons)
