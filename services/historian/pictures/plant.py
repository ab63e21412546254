"""The picture of a plant: what one of its resources was asked, and when that was in doubt."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from historian.api.request.times import Clock, Zone, range_of
from historian.pictures.asked import Api, Asked, at_in_words, stretch
from historian.pictures.lines import Row, doubts, from_start, last_of, missing, steps, through
from historian.pictures.picture import Panel, Picture

MOMENTS: Final = 1500
"""Of a set-point: more than a picture is wide."""


def of_resource(api: Api, asked: Asked, plant: str, resource: str | None, known: str, now: datetime) -> Picture:
    """DOT, set-point and trajectory of a resource, and the price of its node below them."""
    one = _resource(api.resources(plant), plant, resource)
    name = one["resource_id"]
    told = api.dot(name, plant=plant, schedule=one["schedule"] or "five-minute", **asked.said)
    dots = from_start(told, range_of(asked.start, asked.end, Clock(now, Zone(asked.zone)), timedelta.max).start)
    step_s = _step_s(dots)
    # What a gateway will know nobody knows: then ends now.
    moments, curve = (
        [row for row in ask(name, known=known, step_s=step_s, **asked.said) if known != "then" or row["time"] <= now]
        for ask in (api.set_point, api.trajectory)
    )
    power = [
        through("Set-point", moments, "set_point_mw"),
        steps("DOT", dots, "dot_mw"),
        through("Trajectory", curve, "trajectory_mw"),
    ]
    panels = [Panel("MW", power, list(doubts(moments, timedelta(seconds=step_s))))]
    if one["node"] is not None:
        prices = api.prices(one["node"], **asked.said)
        panels.append(Panel("USD/MWh", [steps(f"Price of\n{one['node']}", prices, "lmp_usd_per_mwh")]))
    as_known = "was known at each moment" if known == "then" else "is known now"
    notes = [f"{asked.note} The set-point every {step_s} s, as it {as_known}.", _dot_note(dots, asked)]
    return Picture(f"{plant}: {name}", panels, notes, asked.info)


def _resource(of_plant: Sequence[Row], plant: str, name: str | None) -> Row:
    one = next((row for row in of_plant if name in {None, row["resource_id"]}), None)
    if one is None:
        names = ", ".join(row["resource_id"] for row in of_plant) or "none"
        raise ValueError(f"{plant} has no resource {name or ''}; it has: {names}")
    return one


def _step_s(dots: list[Row]) -> int:
    """From moment to moment: a minute, or more where a picture could not show it."""
    if not dots:
        return 60
    length: timedelta = dots[-1]["interval_end"] - dots[0]["interval_start"]
    return max(60, 60 * round(length / timedelta(minutes=1) / MOMENTS))


def _dot_note(dots: list[Row], asked: Asked) -> str:
    if not dots:
        return "CAISO told no DOT for this range."
    start, end = dots[0]["interval_start"], dots[-1]["interval_end"]
    gone, received = missing(dots, "dot_mw", start, end), last_of(dots, "batch_received_at")
    return f"DOTs {stretch(start, end, gone, asked)}; CAISO's last batch is of {at_in_words(received, asked)}."
