"""Quality check: a value that may be read although it is bad, at a unit that does not say that it is.

`hold` and `value` put a number where there is none to believe. SCADA can tell only by a register or a flag of the same unit
that says how good the value is.
"""

import re
from collections.abc import Iterable, Sequence

from dotbus.runtime.installation.installation import Resource
from dotbus.runtime.installation.modbus import OnBad, RegisterType
from dotbus.runtime.settings.mistakes import Mistake
from modbus_gateway.map.checks.file_facts import FileFacts
from modbus_gateway.map.form import DoesNotFit, Form, number_shown
from modbus_gateway.map.quantities import EPOCH, FLAG, MW
from modbus_gateway.map.register_map import Cell

_IDENTITY = frozenset(
    {"unit_id", "quantity", "topic", "path", "shows", "service", "instance", "profile"}
    | {"plants", "plant", "resources", "resource", "node", "market", "change", "add"}
)
"""Keys that decide what a unit shows and whose it is."""


Told = frozenset[tuple[str, object]]
"""What a unit tells: each of its quantities, and whose."""


def told_at(cells: Iterable[Cell]) -> Told:
    """What the cells of one unit tell. A flag of a plant tells of each of its resources."""
    return frozenset((cell.quantity.name, subject) for cell in cells for subject in _subjects(cell))


def why_untold(cell: Cell, unit_id: int, told: Told) -> str | None:
    """Why nothing of a unit tells that a cell's value is bad; None when something does.

    Args:
        cell: what shows a number meanwhile, as `may_mislead` says.
        unit_id: where.
        told: all that the unit tells.
    """
    if any((name, subject) in told for name in cell.quantity.told_by for subject in _subjects(cell)):
        return None
    what = "keeps showing its last value" if cell.form.on_bad is OnBad.HOLD else f"shows {cell.form.bad_value:g}"
    return (
        f"{cell.quantity.name} {what} while it is bad, and nothing at unit {unit_id} says so: add a [[modbus.point]] "
        f"{_quality_of(cell)} {_same_as(cell)} there, or choose nan or exception"
    )


def _subjects(cell: Cell) -> list[object]:
    """Whose a cell is, whatever its own stale time: resources, a node's prices, a field of a state or a plant's alarms."""
    about = cell.judged_alike.about
    return [*(member.resource.id for member in about.members)] or [*about.prices] or [*about.fields] or [*about.alarms]


def doubtful_units(facts: FileFacts, mistakes: Sequence[Mistake]) -> frozenset[int] | None:
    """Units of which it is not known what they show, because of other mistakes; None when it may be any.

    Of these nothing is told: what seems to be missing may be what was misspelt.
    """
    modbus = facts.file.installation.modbus
    tables = [(("modbus", "block", i), block.unit_id) for i, block in enumerate(modbus.blocks)]
    tables += [(("modbus", "point", i), point.unit_id) for i, point in enumerate(modbus.points)]
    if not all(facts.file.is_as_given(*at, "unit_id") for at, _ in tables):
        return None
    keys = [mistake.key for mistake in mistakes]
    wrong = {*keys, *(re.sub(r"\[\d+\][^\[]*$", "", key) for key in keys)}  # of a list of tables the list, too
    return frozenset(
        unit_id
        for (section, kind, i), unit_id in tables
        for key in _IDENTITY
        if f"{section}.{kind}[{i}].{key}" in wrong or not facts.file.is_as_given(section, kind, i, key)
    )


def may_mislead(cell: Cell) -> bool:
    """Whether a cell would show a number while its value is bad that could be a good one."""
    if cell.form.on_bad not in (OnBad.HOLD, OnBad.VALUE) or cell.form.type is RegisterType.BIT or not cell.quantity.told_by:
        return False
    if cell.form.on_bad is OnBad.HOLD:
        return True
    try:
        return _is_possible(cell.form.bad_value or 0.0, cell)
    except DoesNotFit:  # told as a mistake of its own
        return False


def _is_possible(bad_value: float, cell: Cell) -> bool:
    """Whether what stands for a bad value could be a good one: megawatts within limits, a time, a flag, any price.

    Compared is what the registers show: a number just outside the limits may be rounded to one within.
    """
    shown, quantity = number_shown(bad_value, cell.form), cell.quantity
    resource = cell.about.members[0].resource if cell.about.members else None
    match quantity.unit:
        case unit if unit == FLAG:
            return shown in {number_shown(flag, cell.form) for flag in (0, 1)}
        case unit if unit == EPOCH:
            return shown > 0
        case unit if unit == MW and quantity.name != "supp_mw" and resource:
            return not _is_outside(shown, resource, cell.form)
    return True


def _is_outside(shown: float, resource: Resource, form: Form) -> bool:
    sign = -1 if form.scale < 0 else 1
    below = resource.pmin_mw is not None and sign * shown < sign * number_shown(resource.pmin_mw, form)
    return below or (resource.pmax_mw is not None and sign * shown > sign * number_shown(resource.pmax_mw, form))


def _quality_of(cell: Cell) -> str:
    return f'{cell.quantity.name} with shows = "quality"' if cell.about.fields else cell.quantity.quality


def _same_as(cell: Cell) -> str:
    if cell.about.fields:
        return f"of {cell.about}"
    if cell.about.alarms:
        return f"of plant {cell.about.alarms[0].plant}"
    whose = (
        f"resource {cell.about}" if cell.about.members else f"node {cell.about.prices[0].node} in {cell.about.prices[0].market}"
    )
    return f"of {whose}"
