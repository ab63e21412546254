"""Forking: a second world from one, and a key that is the same for worlds with the same future.

Only what can change is copied (`LIVE`, dictionaries, lists and sets); messages, maps and all other frozen things are shared.
"""

import threading
from collections.abc import Callable, Hashable
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from types import FunctionType, MethodType
from typing import Any

import msgspec

LIVE: set[type] = set()
"""The classes whose instances change. Each file of the model adds its own and the product's that it drives."""
CONSTANT = frozenset(
    {
        *("installation", "topics", "map", "begin", "source", "topic", "taken", "count"),
        *("_log", "_map", "_topics", "_sender", "_files", "_quarantine_log", "_validations", "_unassigned", "_clock", "_wall"),
        *(
            "_of_headers",
            "_of_news",
            "_of_all",
            "_of_documents",
            "_of_whether_new",
            "_of_data",
        ),  # an answer of the model takes no time
        *("_silence", "_of_trajectories", "_of_dispatches", "_alarms", "_outages", "_whole", "_passed_over", "lock"),
        *(
            "_wakes",
            "_windows",
            "_sources",
            "_of_topic",
            "shown",
            "_spots",
            "_pattern",
            "_judged_read",
            "last_read",
            "_places",
            "_questions",
            "_upstreams",
            "written_at_s",
        ),
    }
)
"""Attributes that are the same in every world of one exploration, or that say nothing beside the rest."""
_AS_IS = (str, int, float, bool, bytes, datetime, timedelta, Enum, type(None))


def fork(thing: Any, made: dict[int, Any] | None = None) -> Any:
    """A copy that lives its own life."""
    made = {} if made is None else made
    kind = type(thing)
    if kind in _PLAIN:
        return _PLAIN[kind](thing, made)
    if kind not in LIVE:
        return thing
    if (known := made.get(id(thing))) is not None:
        return known
    made[id(thing)] = copy = object.__new__(kind)
    for name, value in thing.__dict__.items():
        copy.__dict__[name] = value if isinstance(value, _AS_IS) else fork(value, made)
    return copy


_PLAIN: dict[type, Callable[[Any, dict[int, Any]], Any]] = {
    dict: lambda thing, made: {name: fork(value, made) for name, value in thing.items()},
    list: lambda thing, made: [fork(value, made) for value in thing],
    set: lambda thing, _made: set(thing),
    bytearray: lambda thing, _made: bytearray(thing),
    MethodType: lambda thing, made: MethodType(thing.__func__, fork(thing.__self__, made)),  # else it is of the first world
}


def key_of(thing: Any) -> int:
    """A number that tells worlds apart. That two different ones share it is as good as impossible at 64 bits."""
    return hash(_frozen(thing, set()))


def _frozen(thing: Any, seen: set[int]) -> Hashable:
    kind = type(thing)
    if isinstance(thing, _AS_IS):
        return thing
    if kind is dict:
        return tuple((name, _frozen(value, seen)) for name, value in thing.items())
    if kind in (list, tuple):
        return tuple(_frozen(value, seen) for value in thing)
    if kind in LIVE:
        if id(thing) in seen:
            return None
        seen.add(id(thing))
        return tuple((name, _frozen(value, seen)) for name, value in thing.__dict__.items() if name not in CONSTANT)
    return _frozen_value(thing, seen)


def _frozen_value(thing: Any, seen: set[int]) -> Hashable:
    """What never changes: by its content, in whatever it may be wrapped."""
    if isinstance(thing, set | frozenset | bytearray):
        return frozenset(thing) if isinstance(thing, set | frozenset) else bytes(thing)
    if isinstance(thing, FunctionType | MethodType | type(threading.Lock())):
        return None
    if isinstance(thing, Exception):
        return str(thing)
    if type(thing).__hash__ is object.__hash__:
        raise TypeError(f"a {type(thing)} in a world: is it live or constant?")
    try:
        return hash(thing)  # messages and statements, but for those with a dictionary in them
    except TypeError:
        pass
    if isinstance(thing, msgspec.Struct):
        return tuple(_frozen(getattr(thing, name), seen) for name in thing.__struct_fields__)
    if is_dataclass(thing):
        return tuple(_frozen(getattr(thing, field.name), seen) for field in fields(thing) if field.compare)
    raise TypeError(f"a {type(thing)} in a world: is it live or constant?")
