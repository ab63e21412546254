"""Oddities: what is odd about prices, and what is missing, on standard error: each kind with its count and the first few."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import typer

from caiso.oasis import COLUMNS, Component, Group, Market, Prices, due, missing, unpriced
from lmp_ingest.commands.spans import Span

_TOLD: Final = 5
_PARTS: Final = {Component.ENERGY: "energy", Component.CONGESTION: "congestion", Component.LOSS: "loss"}
"""What every price is made of but that of RUC, which is the LMP alone. GHG is not everywhere, nor at all times."""


def tell_oddities(prices: Prices) -> None:
    """What was left out, or is odd, on standard error: each kind with its count and the first few."""
    unreadable = [f"{place}: {text}" for place, text in prices.unreadable.items()]
    kinds: tuple[tuple[str, str, Sequence[object]], ...] = (
        ("bad_rows", "rows that cannot be believed, left out", prices.bad_rows),
        ("contradictions", "prices that were told twice and differently, left out", prices.contradictions),
        ("unreadable", "values that are no number or blank, left out", unreadable),
        ("doubts", "prices that are not the sum of their components", prices.doubts),
    )
    for name, what, some in kinds:
        if count := prices.counts.get(name, 0):
            typer.echo(f"{count:,} {what}: {'; '.join(map(str, some[:_TOLD]))}", err=True)
    for component, what in _PARTS.items() if prices.market is not Market.RUC else ():
        if count := prices.table[COLUMNS[component]].null_count:
            typer.echo(f"{count:,} prices without their {what}", err=True)
    for stray in prices.strays:
        typer.echo(f"passed over: {stray}", err=True)


def tell_missing(prices: Prices, nodes: Sequence[str] | Group, span: Span, now: datetime) -> bool:
    """Tell what was asked for, must be there, and is not. Returns whether there is no such thing.

    Of a group the nodes are those that CAISO names. Of the newest prices the newest interval alone must be there.
    """
    names = prices.named[0] if isinstance(nodes, Group) else tuple(nodes)
    starts = [max(prices.named[1])] if span.is_latest else due(prices, span.start, span.end, now)
    unknown = [name for name in unpriced(prices, names) if name not in prices.named[0]]
    lacking = missing(prices, [name for name in names if name not in unknown], starts)
    for name in unknown:
        typer.echo(f"no price of {name}: is the name right?", err=True)
    for name, without in list(lacking.items())[:_TOLD]:
        shown = ", ".join(f"{at:%Y-%m-%dT%H:%MZ}" for at in without[:_TOLD])
        more = ", ..." if len(without) > _TOLD else ""
        typer.echo(f"missing {len(without):,} of {len(starts):,} prices of {name}: {shown}{more}", err=True)
    if others := list(lacking.values())[_TOLD:]:
        typer.echo(f"missing {sum(map(len, others)):,} prices of {len(others):,} other nodes", err=True)
    return not unknown and not lacking
