"""Timeline: the times of a day of the past as those at which it is played. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


@dataclass(frozen=True)
class Timeline:
    """Maps the times of what is played to those at which it is.

    Attributes:
        begin: the first time that is played.
        at: when that is.
        speed: seconds of that day in one second.
    """

    begin: datetime
    at: datetime
    speed: float

    def mapped(self, time: datetime) -> datetime:
        """When a time is played."""
        return self.at + (time - self.begin) / self.speed

    def shifted(self, record: T) -> T:
        """A record with every time in it mapped."""
        return self._shifted(record)  # type: ignore[no-any-return]

    def _shifted(self, value: Any) -> Any:  # noqa: ANN401  # whatever a record may hold
        match value:
            case datetime():
                return self.mapped(value)
            case tuple():
                return tuple(self._shifted(each) for each in value)
            case msgspec.Struct():
                fields = {name: getattr(value, name) for name in value.__struct_fields__}
                return msgspec.structs.replace(value, **{name: self._shifted(each) for name, each in fields.items()})
            case _:
                return value
