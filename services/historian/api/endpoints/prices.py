"""/v1/prices: prices of nodes."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from dotbus.runtime.installation.toml_values import Market
from historian.api.endpoints.nodes import require_nodes
from historian.api.exchange.documented import pages_of
from historian.api.exchange.exchange import Ask
from historian.api.exchange.parameters import RangeParameters, Text
from historian.api.questions.prices import MEAN_COLUMNS, RAW_COLUMNS, Component, PricesWanted, Resolution, prices
from historian.api.request.times import instant_of, range_of

router = APIRouter(tags=["prices"])


class PricesAsked(RangeParameters):
    """What may be said."""

    node: Annotated[
        tuple[Text, ...], Query(max_length=100, description="Names of nodes, each as a `node=` of its own; all if none.")
    ] = ()
    market: Annotated[Market, Query(description="Which market.")] = Market.RTM
    component: Annotated[
        tuple[Component, ...], Query(max_length=5, description="Which parts of the price; all if none is said.")
    ] = ()
    resolution: Annotated[
        Resolution, Query(description="Interval by interval, or the mean of each hour or trade date that starts in the range.")
    ] = Resolution.RAW
    as_of: Annotated[
        Text | None,
        Query(description="As OASIS had told by then, which leaves out prices of files; as it is known now if not said."),
    ] = None


@router.get("/v1/prices", responses=pages_of(RAW_COLUMNS, MEAN_COLUMNS), response_class=Response)
async def get_prices(asked: Annotated[PricesAsked, Query()], ask: Ask) -> Response:
    """Prices of a market, by node and time: as they are known now, or were at a moment."""
    clock = ask.clock(asked.tz)
    wanted = PricesWanted(
        environment=ask.environment,
        market=str(asked.market),
        nodes=tuple(dict.fromkeys(asked.node)),
        times=range_of(asked.start, asked.end, clock, ask.context.settings.longest_range),
        resolution=asked.resolution,
        components=tuple(dict.fromkeys(asked.component)) or tuple(Component),
        as_of=instant_of("as_of", asked.as_of, clock) if asked.as_of else None,
    )
    await require_nodes(ask, wanted.nodes)
    return await ask.answer(prices(wanted), asked)
