"""Who needs whom: the settings become three applications that share one ledger, one price model and one list of faults."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.types import ASGIApp

from dotbus.runtime.installation.installation import Installation
from simulators.admin.ads import AdsAdmin
from simulators.admin.app import admin_app
from simulators.admin.misconduct import Misconduct
from simulators.ads.answers import Answers
from simulators.ads.app import AdsEndpoints, ads_app
from simulators.ads.clients import Clients, rights_named
from simulators.ads.ledger import Ledger
from simulators.ads.market import Market
from simulators.ads.operations import Ads, ApiService
from simulators.ads.plan import unit_of
from simulators.ads.records import Batch, BatchType, DispatchBatch, InstructionType
from simulators.ads.responses import ResponseService
from simulators.ads.told import Told
from simulators.conduct import Conduct
from simulators.faults import DOT_BATCH, TRAJECTORY_BATCH, Asked, Faults
from simulators.oasis.app import GroupQueue, OasisEndpoints, RateLimit, oasis_app
from simulators.oasis.files import Publisher
from simulators.oasis.prices import CorrectedPrices, PriceModel
from simulators.settings import SimulatorSettings

WELL_KNOWN_NODES = (
    *("TH_NP15_GEN-APND", "TH_SP15_GEN-APND", "TH_ZP26_GEN-APND"),
    *("DLAP_PGAE-APND", "DLAP_SCE-APND", "DLAP_SDGE-APND", "DLAP_VEA-APND"),
    *("BAYSHOR2_1_N001", "CATALYST_7_N002", "EMBRCDR_2_N104", "STATIN-L_7_N001", "0096WD_7_N001"),
    *("NP15SLAK_5_N001", "SP15SLAK_5_N001", "ZP26SLAK_5_N001", "MIL1_3_PASGNODE", "CAS_PP_GNODE7"),
)
"""The trading hubs, the load areas and the nodes of the recordings. OASIS knows no others but those that the file names."""


@dataclass(frozen=True)
class Applications:
    """The three applications, and how they behave until they are told otherwise."""

    ads: ASGIApp
    oasis: ASGIApp
    admin: ASGIApp
    conduct: Conduct


def applications(
    settings: SimulatorSettings, installation: Installation, clock: Callable[[], datetime], stopping: asyncio.Event
) -> Applications:
    """Build everything. Replies that hang or never end give up when `stopping` is set."""
    faults, prices = Faults(settings.seed), CorrectedPrices(PriceModel(settings.seed))
    opened_at = clock() - timedelta(seconds=settings.interval_s) * settings.history_intervals
    units = tuple(unit_of(resource) for plant in installation.plants for resource in plant.resources)
    market = Market(units, settings.interval_s, settings.seed, settings.surprises)
    conduct = Conduct()
    ads = Ads(
        ledger=Ledger(market, opened_at, lambda batch: faults.take(Asked("market", _kind_of(batch))) is not None),
        clients=Clients(rights_named(settings.sees, settings.read_only)),
        told=Told(),
        answers=Answers(),
        conduct=conduct,
        resources=tuple(unit.resource_id for unit in units),
        clock=clock,
    )
    size, hold_s, surprises = settings.oversized_mb * 1_000_000, settings.hold_s, settings.surprises
    publisher = Publisher(prices, _nodes(installation, settings.extra_nodes))
    limit, groups = RateLimit(settings.oasis_spacing_s), GroupQueue(settings.group_delay_s)
    services = ApiService(ads), ResponseService(ads)
    own, of_ads = Misconduct(prices, faults, conduct, clock), AdsAdmin(ads, settings.interval_s)
    return Applications(
        ads=ads_app(AdsEndpoints(*services, surprises, faults, clock, stopping, hold_s, size)),
        oasis=oasis_app(OasisEndpoints(publisher, prices, clock, limit, groups, faults, stopping, hold_s, size)),
        admin=admin_app({**own.reads, **of_ads.reads}, {**own.orders, **of_ads.orders}),
        conduct=conduct,
    )


def _kind_of(batch: Batch) -> str:
    """What a batch is to the faults of the market: the DOT of an interval, a trajectory with points, or neither."""
    if isinstance(batch, DispatchBatch):
        is_dot = all(each.instruction_type is InstructionType.DOT for each in batch.instructions)
        return DOT_BATCH if is_dot and batch.batch_type in (BatchType.FIVE_MINUTE, BatchType.OUT_OF_SEQUENCE) else ""
    return TRAJECTORY_BATCH if batch.dops else ""


def _nodes(installation: Installation, extra: int) -> tuple[str, ...]:
    made = (f"SIM{index:05d}_7_N001" for index in range(extra))
    return tuple(dict.fromkeys((*installation.price_nodes, *WELL_KNOWN_NODES, *made)))
