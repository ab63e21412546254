"""The `[[automatic_acceptance]]` parts of `dotbus.toml`: which instructions are accepted without anybody asking."""

from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from dotbus.contracts.schedules import BatchType
from dotbus.runtime.installation.toml_values import Flag, Name, Number, Section, Whole


class AcceptanceRule(Section):
    """Accept an open instruction in full, if its DOT lies within limits. A dry run only says what it would have done.

    Attributes:
        name: what the answers are kept under.
        resources: of which; `*` stands for any characters, `?` for one.
        batch_types: CAISO's numbers of the batches. It takes answers to hourly pre-dispatch (1).
        min_mw: the least DOT that is accepted.
        max_mw: the most.
        dry_run: send nothing. To be turned off in so many words.
    """

    name: Name
    resources: Annotated[tuple[Name, ...], Field(min_length=1)]
    batch_types: Annotated[tuple[Whole, ...], Field(min_length=1)] = (int(BatchType.HOURLY),)
    min_mw: Number = 0.0
    max_mw: Number
    dry_run: Flag = True

    @field_validator("max_mw")
    @classmethod
    def _limits_in_order(cls, max_mw: float, others: ValidationInfo) -> float:
        min_mw = others.data.get("min_mw")
        if min_mw is not None and min_mw > max_mw:
            raise ValueError(f"{max_mw} is below min_mw {min_mw}")
        return max_mw

    def is_of(self, resource_id: str) -> bool:
        """Whether it is about a resource."""
        return any(fnmatchcase(resource_id, pattern) for pattern in self.resources)
