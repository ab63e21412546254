"""What this installation is: `dotbus.toml`, the plants, their resources, the prices wanted and the register map.

Where things run and their secrets are not here but in each service's environment, see `dotbus.runtime.settings`.
"""

import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dotbus.contracts.messages import Environment
from dotbus.contracts.topics import DEFAULT_ROOT, UNASSIGNED, Topics
from dotbus.runtime.mistakes import ConfigurationRefused, Mistake, mistakes_of

Name = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\s].*[^\s]$|^[^\s]$")]
Megawatts = Annotated[float, Field(allow_inf_nan=False)]


class _Section(BaseModel):
    """A table of the file: frozen, and a key it does not know is a mistake (it is nearly always a misspelt one)."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Market(StrEnum):
    """CAISO's market runs whose prices dotbus follows, by OASIS's market_run_id."""

    DAM = "DAM"
    HASP = "HASP"
    RTPD = "RTPD"
    RTM = "RTM"


class Resource(_Section):
    """A generating unit as CAISO's Master File names it. Limits mark a DOT that is outside them; they change nothing."""

    id: Name
    node: Name | None = None
    variable: bool = False
    pmin_mw: Megawatts | None = None
    pmax_mw: Megawatts | None = None
    ramp_mw_per_min: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _limits_in_order(self) -> Self:
        if self.pmin_mw is not None and self.pmax_mw is not None and self.pmin_mw > self.pmax_mw:
            raise ValueError(f"pmin_mw {self.pmin_mw} is above pmax_mw {self.pmax_mw}")
        return self


class Plant(_Section):
    """A site with its own SCADA; the order of its resources is the order of their registers."""

    name: Name
    resources: Annotated[tuple[Resource, ...], Field(alias="resource", min_length=1)]


class Prices(_Section):
    """Which prices to follow: every resource's node, and these besides."""

    markets: tuple[Market, ...] = (Market.DAM, Market.RTPD, Market.RTM)
    nodes: tuple[Name, ...] = ()


class Profile(StrEnum):
    """The register layouts that come with dotbus, see docs/registers.md."""

    CLASSIC = "classic"
    PLANT = "plant"


class WordOrder(StrEnum):
    """Which 16-bit word of a 32-bit value comes first. BIG is ABCD, LITTLE is CDAB."""

    BIG = "big"
    LITTLE = "little"


class OnBad(StrEnum):
    """What a register shows while its value's quality is bad."""

    HOLD = "hold"
    VALUE = "value"
    NAN = "nan"
    EXCEPTION = "exception"


class Block(_Section):
    """A profile laid out at one unit id, from one address on. `plants` none means all, in the file's order.

    `on_bad` and `word_order` are the profile's own when they are not given. `lmp_node` and `lmp_market` choose the price of
    a classic block; elsewhere each resource shows its own node's.
    """

    profile: Profile
    unit_id: Annotated[int, Field(ge=0, le=255)]
    address: Annotated[int, Field(ge=0, le=65535)] = 0
    plants: tuple[Name, ...] = ()
    word_order: WordOrder | None = None
    on_bad: OnBad | None = None
    bad_value: Annotated[float, Field(allow_inf_nan=False)] | None = None
    lmp_market: Market = Market.RTM
    lmp_node: Name | None = None

    @model_validator(mode="after")
    def _value_named(self) -> Self:
        if (self.on_bad is OnBad.VALUE) != (self.bad_value is not None):
            raise ValueError('on_bad = "value" and bad_value go together: give both or neither')
        return self


class Point(_Section):
    """One value at one address, for a map that follows no profile. `quantity` is a name of docs/registers.md."""

    unit_id: Annotated[int, Field(ge=0, le=255)]
    table: Literal["holding", "discrete"] = "holding"
    address: Annotated[int, Field(ge=0, le=65535)]
    quantity: Name
    plant: Name | None = None
    resource: Name | None = None
    market: Market | None = None
    node: Name | None = None
    type: Literal["float32", "uint16", "int16", "uint32", "int32", "bit"] = "float32"
    scale: Annotated[float, Field(allow_inf_nan=False)] = 1.0
    word_order: WordOrder = WordOrder.BIG
    on_bad: OnBad = OnBad.NAN
    bad_value: Annotated[float, Field(allow_inf_nan=False)] | None = None


class Modbus(_Section):
    """How the gateway judges values and lays them out."""

    accept_environments: tuple[Environment, ...] = (Environment.PRODUCTION,)
    stale_after_s: Annotated[float, Field(gt=0)] = 90.0
    trajectory_stale_after_s: Annotated[float, Field(gt=0)] = 420.0
    price_stale_after_s: Annotated[float, Field(gt=0)] = 900.0
    blocks: Annotated[tuple[Block, ...], Field(alias="block")] = ()
    points: Annotated[tuple[Point, ...], Field(alias="point")] = ()


class Installation(_Section):
    """The whole of `dotbus.toml`."""

    environment: Environment
    topic_root: str = DEFAULT_ROOT
    plants: Annotated[tuple[Plant, ...], Field(alias="plant", min_length=1)]
    prices: Prices = Prices()
    modbus: Modbus = Modbus()

    @model_validator(mode="after")
    def _names_fit_together(self) -> Self:
        problems = [*self._plant_problems(), *self._block_problems()]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _plant_problems(self) -> list[str]:
        problems = []
        names = [plant.name for plant in self.plants]
        resources = [resource.id for plant in self.plants for resource in plant.resources]
        problems += [f"plant {name!r} is named twice" for name in _repeated(names)]
        problems += [f"resource {name!r} is named twice" for name in _repeated(resources)]
        if UNASSIGNED in names:
            problems.append(f"{UNASSIGNED!r} is the plant of resources that nobody claims; choose another name")
        try:
            Topics.rooted(self.topic_root)
        except ValueError as error:
            problems.append(str(error))
        return problems

    def _block_problems(self) -> list[str]:
        known = {plant.name for plant in self.plants}
        blocks = enumerate(self.modbus.blocks)
        return [
            f"modbus.block[{i}].plants names {name!r}, which is no plant of this file"
            for i, block in blocks
            for name in block.plants
            if name not in known
        ]

    @property
    def topics(self) -> Topics:
        """The topics of this installation."""
        return Topics(self.topic_root)

    @property
    def price_nodes(self) -> tuple[str, ...]:
        """Every node whose prices are wanted, each once, in the file's order."""
        nodes = [resource.node for plant in self.plants for resource in plant.resources if resource.node]
        return tuple(dict.fromkeys([*nodes, *self.prices.nodes]))

    def plant_of(self, resource_id: str) -> str:
        """The plant that claims a resource, `unassigned` when none does."""
        for plant in self.plants:
            if any(resource.id == resource_id for resource in plant.resources):
                return plant.name
        return UNASSIGNED


def _repeated(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def load_installation(path: Path) -> Installation:
    """Read and check `dotbus.toml`.

    Raises:
        ConfigurationRefused: with every mistake in the file, or why it could not be read.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationRefused([Mistake(str(path), "", f"cannot be read: {error.strerror}")]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationRefused([Mistake(str(path), "", f"is not TOML: {error}")]) from error
    try:
        return Installation.model_validate(document)
    except ValidationError as error:
        raise ConfigurationRefused(mistakes_of(error, str(path))) from error
