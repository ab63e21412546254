"""Paths: a field of a state as a quantity, by the classes of the messages. Pure.

A path is the names of fields with a point between them, and the number of an entry behind the name of a list, from 0:
`intervals[0].dot_mw`. A name may also be a key of a table of texts (`cursors.ads`).
"""

import re
from functools import cache
from typing import Final

import msgspec
from msgspec import inspect

from dotbus.contracts.messages import Dot, Instructions, Lmp, ServiceStatus, Trajectory
from dotbus.runtime.installation.modbus import Aspect, Line, RegisterType, StateTopic
from dotbus.runtime.settings.mistakes import did_you_mean
from modbus_gateway.map.quantities import (
    EPOCH,
    FLAG,
    LEVEL,
    MW,
    NEVER_BAD,
    QUANTITIES,
    REASONS,
    TEXT,
    USD_PER_MWH,
    Quantity,
    Scope,
)

Step = str | int
MESSAGES: Final[dict[StateTopic, type[msgspec.Struct]]] = {
    StateTopic.DOT: Dot,
    StateTopic.TRAJECTORY: Trajectory,
    StateTopic.INSTRUCTIONS: Instructions,
    StateTopic.LMP: Lmp,
    StateTopic.SERVICE: ServiceStatus,
}
_STEP: Final = re.compile(r"(?:^|\.)([A-Za-z_][\w-]*)|\[(\d{1,4})\]")
_UNITS: Final = {"_mw": MW, "_usd_per_mwh": USD_PER_MWH, "_s": "s", "_days_left": "days", "_min": "min"}
_WRITTEN_AS: Final[dict[type[inspect.Type], tuple[RegisterType, str]]] = {
    inspect.BoolType: (RegisterType.UINT16, FLAG),
    inspect.DateTimeType: (RegisterType.UINT32, EPOCH),
    inspect.StrType: (RegisterType.STRING, TEXT),
    inspect.EnumType: (RegisterType.STRING, TEXT),
    inspect.LiteralType: (RegisterType.STRING, TEXT),
}
_INT32_MOST: Final = 2**31 - 1


def quantity_of(line: Line) -> Quantity | str:
    """The quantity that a line names, or why it names none."""
    if line.topic is None or line.path is None:
        known = QUANTITIES.get(line.quantity or "")
        return known or f"{line.quantity!r} is no quantity{did_you_mean(line.quantity or '', QUANTITIES)}"
    return field_quantity(line.topic, line.path, line.shows)


def is_known(line: Line) -> bool:
    """Whether a line names something that can be shown."""
    return not isinstance(quantity_of(line), str)


@cache
def field_quantity(topic: StateTopic, path: str, shows: Aspect = Aspect.VALUE) -> Quantity | str:
    """A field of a state as a quantity, or why it is none."""
    steps = steps_of(path)
    found = _leaf(steps, inspect.type_info(MESSAGES[topic])) if steps else f"{path!r} is no path, such as intervals[0].dot_mw"
    if isinstance(found, str):
        return found
    name, told = f"{topic}.{path}", f"{topic}.{path}_quality"
    match shows:
        case Aspect.QUALITY:
            return Quantity(told, Scope.STATE, RegisterType.UINT16, LEVEL, NEVER_BAD, f"Quality of {path}")
        case Aspect.REASONS:
            reasons = told.replace("_quality", "_reasons")
            return Quantity(reasons, Scope.STATE, RegisterType.UINT16, REASONS, NEVER_BAD, "Why it is less than good")
    kind, unit = found
    return Quantity(name, Scope.STATE, kind, unit, told, f"{path} as the {topic} state says it")


@cache
def steps_of(path: str) -> tuple[Step, ...]:
    """The names and numbers of a path; none when it is no path."""
    steps: list[Step] = []
    end = 0
    if path.startswith((".", "[")):
        return ()
    for found in _STEP.finditer(path):
        if found.start() != end:
            return ()
        steps.append(found[1] if found[1] is not None else int(found[2]))
        end = found.end()
    return tuple(steps) if end == len(path) else ()


def _leaf(steps: tuple[Step, ...], kind: inspect.Type) -> tuple[RegisterType, str] | str:
    """The type and the unit of what a path ends at."""
    at = kind
    for i, step in enumerate(steps):
        inner = _inner(step, at)
        if isinstance(inner, str):
            return inner
        at = inner
        if i == len(steps) - 1:
            return _written_as(str(step), at)
    return "is empty"


def _inner(step: Step, kind: inspect.Type) -> inspect.Type | str:
    match kind, step:
        case inspect.StructType(), str():
            names = {field.encode_name: _plain(field.type) for field in kind.fields}
            return names.get(step) or f"{step!r} is no field of {kind.cls.__name__}{did_you_mean(step, names)}"
        case inspect.VarTupleType(), int():
            return _plain(kind.item_type)
        case inspect.DictType(), str():
            return _plain(kind.value_type)
        case inspect.VarTupleType(), _:
            return f"{step!r} is looked for in a list: choose an entry, such as [0]"
    return f"{step!r} is looked for in what has nothing within"


def _plain(kind: inspect.Type) -> inspect.Type:
    """Without "or null" and without what says only which numbers are allowed."""
    if isinstance(kind, inspect.UnionType):
        return _plain(next(one for one in kind.types if not isinstance(one, inspect.NoneType)))
    return _plain(kind.type) if isinstance(kind, inspect.Metadata) else kind


def _written_as(name: str, kind: inspect.Type) -> tuple[RegisterType, str] | str:
    unit = next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), "")
    if isinstance(kind, inspect.VarTupleType) and name == "reasons":
        return RegisterType.BITS, REASONS
    if isinstance(kind, inspect.IntType):
        return RegisterType.INT32 if kind.le is not None and kind.le <= _INT32_MOST else RegisterType.INT64, unit
    if isinstance(kind, inspect.LiteralType) and all(isinstance(value, int) for value in kind.values):
        return RegisterType.INT32, unit
    if isinstance(kind, inspect.FloatType):
        return RegisterType.FLOAT32, unit
    return _WRITTEN_AS.get(type(kind)) or f"{name} holds more than one value: go on to one of them"
