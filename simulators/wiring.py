"""Who needs whom: the settings become three applications that share one ledger, one price model and one list of faults."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.types import ASGIApp

from dotbus.runtime.installation import Installation
from simulators.admin import Admin, admin_app
from simulators.ads.app import AdsEndpoints, ads_app
from simulators.ads.documents import Style
from simulators.ads.ledger import Ledger
from simulators.ads.market import Market
from simulators.ads.operations import ApiService, ResponseService
from simulators.ads.plan import unit_of
from simulators.ads.records import Batch, BatchType, DispatchBatch
from simulators.ads.told import Told
from simulators.faults import DOT_BATCH, TRAJECTORY_BATCH, Faults
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
    """The three applications."""

    ads: ASGIApp
    oasis: ASGIApp
    admin: ASGIApp


def applications(
    settings: SimulatorSettings, installation: Installation, clock: Callable[[], datetime], stopping: asyncio.Event
) -> Applications:
    """Build everything. Replies that hang or never end give up when `stopping` is set."""
    faults, prices = Faults(), CorrectedPrices(PriceModel(settings.seed))
    opened_at = clock() - timedelta(seconds=settings.interval_s) * settings.history_intervals
    units = tuple(unit_of(resource) for plant in installation.plants for resource in plant.resources)
    market = Market(units, settings.interval_s, settings.seed, settings.surprises)
    ledger = Ledger(market, opened_at, lambda batch: faults.take("market", _kind_of(batch)) is not None)
    style = Style(surprises=settings.surprises)
    size = settings.oversized_mb * 1_000_000
    told = Told()
    api = ApiService(ledger, told, {unit.resource_id for unit in units}, style, clock)
    response = ResponseService(ledger, settings.read_only, clock)
    publisher = Publisher(prices, _nodes(installation, settings.extra_nodes))
    limit, groups = RateLimit(settings.oasis_spacing_s), GroupQueue(settings.group_delay_s)
    return Applications(
        ads=ads_app(AdsEndpoints(api, response, style, faults, clock, stopping, settings.hold_s, size)),
        oasis=oasis_app(OasisEndpoints(publisher, clock, limit, groups, faults, stopping, settings.hold_s, size)),
        admin=admin_app(Admin(ledger, told, prices, faults, clock)),
    )


def _kind_of(batch: Batch) -> str:
    """What a batch is to the faults of the market: the DOT of an interval, a trajectory with points, or neither."""
    if isinstance(batch, DispatchBatch):
        return DOT_BATCH if batch.batch_type in (BatchType.FIVE_MINUTE, BatchType.OUT_OF_SEQUENCE) else ""
    return TRAJECTORY_BATCH if batch.dops else ""


def _nodes(installation: Installation, extra: int) -> tuple[str, ...]:
    made = (f"SIM{index:05d}_7_N001" for index in range(extra))
    return tuple(dict.fromkeys((*installation.price_nodes, *WELL_KNOWN_NODES, *made)))
