"""/charts/lmp, /charts/plant/{plant}: pages for a browser. They hold nothing of the database: no key is needed for them."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from historian.api.charts.pages import Page, page

router = APIRouter(include_in_schema=False)


@router.get("/charts/lmp", response_class=Response)
async def get_lmp_chart() -> Response:
    """Prices of nodes."""
    return _told(Page.LMP)


@router.get("/charts/plant/{plant}", response_class=Response)
async def get_plant_chart(plant: Annotated[str, Path(max_length=200)]) -> Response:  # noqa: ARG001  # the page reads it in its address
    """What a plant was asked; the same page for every name, also of one that there is not."""
    return _told(Page.PLANT)


def _told(of: Page) -> Response:
    made = page(of)
    headers = {"Content-Security-Policy": made.policy, "Cache-Control": "no-cache"}
    return Response(made.html, media_type="text/html; charset=utf-8", headers=headers)
