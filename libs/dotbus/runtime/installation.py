"""What this installation is: `dotbus.toml`, the plants, their resources, the prices wanted and the register map.

Where things run and their secrets are not here but in each service's environment, see `dotbus.runtime.settings`.
"""

import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

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


class Table(StrEnum):
    """The two tables of a unit. Function codes 03 and 04 read HOLDING, 01 and 02 read DISCRETE."""

    HOLDING = "holding"
    DISCRETE = "discrete"


class RegisterType(StrEnum):
    """How a value is written: 32-bit types take two registers, BIT one discrete input."""

    FLOAT32 = "float32"
    UINT16 = "uint16"
    INT16 = "int16"
    UINT32 = "uint32"
    INT32 = "int32"
    BIT = "bit"


class Block(_Section):
    """A profile laid out at one unit id, from one address on. `plants` none means all, in the file's order.

    `on_bad` and `word_order` are the profile's own when they are not given. `bad_value` is for megawatts and prices; times,
    flags and counts show "no value" in its place. `lmp_market` chooses the market of the prices, `lmp_node` the node of a
    classic block (without it the first resource's); a plant block shows each resource's own.
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
        _refuse_half_a_value(self.on_bad, self.bad_value)
        return self


class Point(_Section):
    """One value at one address, for a map that follows no profile. `quantity` is a name of docs/registers.md.

    What it is about is named with `plant`, `resource`, or `market` and `node`, whichever the quantity asks for; a price of a
    `resource` is its own node's. `type` is the quantity's own when it is not given; an integer shows the value times
    `scale`, rounded.
    """

    unit_id: Annotated[int, Field(ge=0, le=255)]
    table: Table = Table.HOLDING
    address: Annotated[int, Field(ge=0, le=65535)]
    quantity: Name
    plant: Name | None = None
    resource: Name | None = None
    market: Market = Market.RTM
    node: Name | None = None
    type: RegisterType | None = None
    scale: Annotated[float, Field(allow_inf_nan=False)] = 1.0
    word_order: WordOrder = WordOrder.BIG
    on_bad: OnBad = OnBad.NAN
    bad_value: Annotated[float, Field(allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _value_named(self) -> Self:
        _refuse_half_a_value(self.on_bad, self.bad_value)
        return self


def _refuse_half_a_value(on_bad: OnBad | None, bad_value: float | None) -> None:
    if (on_bad is OnBad.VALUE) != (bad_value is not None):
        raise ValueError('on_bad = "value" and bad_value go together: give both or neither')


class Modbus(_Section):
    """How the gateway judges values and lays them out.

    A DOT is stale when CAISO has not been heard for `stale_after_s`, a trajectory also when no new one came for
    `trajectory_stale_after_s`, a price when OASIS has not been heard for `price_stale_after_s`. With `clip_set_point` the
    set-point on the ramp stays within pmin_mw and pmax_mw; it is marked out_of_limits all the same.
    """

    accept_environments: Annotated[tuple[Environment, ...], Field(min_length=1)] = (Environment.PRODUCTION,)
    stale_after_s: Annotated[float, Field(gt=0)] = 90.0
    trajectory_stale_after_s: Annotated[float, Field(gt=0)] = 420.0
    price_stale_after_s: Annotated[float, Field(gt=0)] = 900.0
    clip_set_point: bool = False
    blocks: Annotated[tuple[Block, ...], Field(alias="block")] = ()
    points: Annotated[tuple[Point, ...], Field(alias="point")] = ()


class Installation(_Section):
    """The whole of `dotbus.toml`. The register map is checked where it is laid out, by modbus_gateway.register_map."""

    environment: Environment
    topic_root: str = DEFAULT_ROOT
    plants: Annotated[tuple[Plant, ...], Field(alias="plant", min_length=1)]
    prices: Prices = Prices()
    modbus: Modbus = Modbus()

    @model_validator(mode="after")
    def _names_fit_together(self) -> Self:
        problems = self._plant_problems()
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
