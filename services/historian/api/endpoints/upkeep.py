"""/v1/gaps and /v1/health: what is missing, and how services are."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from historian.api.exchange.documented import pages_of
from historian.api.exchange.exchange import Ask
from historian.api.exchange.parameters import PageParameters
from historian.api.questions.upkeep import GAP_COLUMNS, HEALTH_COLUMNS, gaps, health

router = APIRouter(tags=["upkeep"])


@router.get("/v1/gaps", responses=pages_of(GAP_COLUMNS), response_class=Response)
async def get_gaps(asked: Annotated[PageParameters, Query()], ask: Ask) -> Response:
    """What is missing: what CAISO has no more, what a source has no more, and what has not come yet."""
    return await ask.answer(gaps(ask.environment, ask.caller.plant), asked)


@router.get("/v1/health", responses=pages_of(HEALTH_COLUMNS), response_class=Response)
async def get_health(asked: Annotated[PageParameters, Query()], ask: Ask) -> Response:
    """How each service is: what it said last of itself, and how long ago."""
    now = ask.context.clock()
    return await ask.answer(health(ask.environment, ask.caller.plant, now), asked)
