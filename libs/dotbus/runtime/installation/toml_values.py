"""What the tables of `dotbus.toml` hold: names, numbers, markets."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt


def _no_space_around(name: str) -> str:
    if name != name.strip():
        raise ValueError("begins or ends with a space")
    return name


Name = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_no_space_around)]
NameOrNothing = Annotated[str, Field(max_length=128), AfterValidator(_no_space_around)]
"""A name, or "" where a list leaves a place free."""
SHORT_NODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{name: f"TH_{name}_GEN-APND" for name in ("NP15", "SP15", "ZP26")},
        **{name: f"DLAP_{name}-APND" for name in ("PGAE", "SCE", "SDGE")},
    }
)
"""CAISO's names of the trading hubs and default load areas, by those that everybody says (as `caiso.oasis.SHORT_NAMES`)."""
NodeName = Annotated[Name, AfterValidator(lambda name: SHORT_NODES.get(name.upper(), name))]
"""A pricing node, by CAISO's name or a short one; topics and registers have CAISO's."""
Flag = StrictBool
Whole = StrictInt
Number = Annotated[StrictFloat, Field(allow_inf_nan=False)]
"""Strict, because a text or `true` in place of a number is a slip of the pen."""
Seconds = Annotated[Number, Field(gt=0, le=7 * 86400)]
"""How long something counts; never for ever."""


class Section(BaseModel):
    """A table of the file: frozen, and a key it does not know is a mistake (it is nearly always a misspelt one)."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NodeGroup(StrEnum):
    """Nodes that are asked for together and not by name, by OASIS's grp_type."""

    ALL = "ALL"
    ALL_APNODES = "ALL_APNODES"


class Market(StrEnum):
    """CAISO's market runs whose prices dotbus follows, by OASIS's market_run_id."""

    DAM = "DAM"
    RUC = "RUC"
    HASP = "HASP"
    RTPD = "RTPD"
    RTM = "RTM"
