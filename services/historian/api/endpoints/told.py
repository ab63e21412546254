"""/v1/dispatch-batches, /v1/instructions, /v1/compliance: what CAISO told, in its own words."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from historian.api.exchange.documented import pages_of
from historian.api.exchange.exchange import Ask, Exchange
from historian.api.exchange.parameters import RangeParameters, SpanAsked, Text
from historian.api.exchange.scope import PlantAsked, ResourcesAsked, whose_of
from historian.api.questions.spans import Span
from historian.api.questions.told import (
    BATCH_COLUMNS,
    COMPLIANCE_COLUMNS,
    INSTRUCTION_COLUMNS,
    Revisions,
    compliance,
    dispatch_batches,
    instructions,
)
from historian.api.request.times import Range, range_of

router = APIRouter(tags=["told by CAISO"])
_REVISIONS = Query(description="The last word on each, or every revision of it.")


class ToldAsked(RangeParameters):
    """What may be said."""

    plant: PlantAsked = None
    resource: ResourcesAsked = ()
    revisions: Annotated[Revisions, _REVISIONS] = Revisions.LATEST

    def times(self, ask: Exchange) -> Range:
        """The range that is asked for."""
        return range_of(self.start, self.end, ask.clock(self.tz), ask.context.settings.longest_range)


class BatchAsked(ToldAsked):
    """What may be said of batches."""

    batch: Annotated[Text | None, Query(description="One batch by CAISO's batchUID, whatever the range is.")] = None
    by: SpanAsked = Span.OVERLAP


@router.get("/v1/dispatch-batches", responses=pages_of(BATCH_COLUMNS), response_class=Response)
async def get_dispatch_batches(asked: Annotated[BatchAsked, Query()], ask: Ask) -> Response:
    """Dispatch batches as each resource sees them: the newest revision, or all."""
    whose = await whose_of(ask, asked.plant, asked.resource)
    question = dispatch_batches(whose, asked.times(ask), asked.revisions, asked.batch, asked.by)
    return await ask.answer(question, asked)


@router.get("/v1/instructions", responses=pages_of(INSTRUCTION_COLUMNS), response_class=Response)
async def get_instructions(asked: Annotated[BatchAsked, Query()], ask: Ask) -> Response:
    """Instructions of every type with their segments: of the newest revision of their batch, or of all."""
    whose = await whose_of(ask, asked.plant, asked.resource)
    question = instructions(whose, asked.times(ask), asked.revisions, asked.batch, asked.by)
    return await ask.answer(question, asked)


@router.get("/v1/compliance", responses=pages_of(COMPLIANCE_COLUMNS), response_class=Response)
async def get_compliance(asked: Annotated[ToldAsked, Query()], ask: Ask) -> Response:
    """Whether resources delivered what was expected of them, in CAISO's words."""
    whose = await whose_of(ask, asked.plant, asked.resource)
    return await ask.answer(compliance(whose, asked.times(ask), asked.revisions), asked)
