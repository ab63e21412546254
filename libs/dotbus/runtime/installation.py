"""What this installation is: `dotbus.toml`, the plants, their resources, the prices wanted and the register map.

Where things run and their secrets are not here but in each service's environment, see `dotbus.runtime.settings`.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from dotbus.contracts.messages import Environment
from dotbus.contracts.topics import DEFAULT_ROOT, UNASSIGNED, Topics


def _no_space_around(name: str) -> str:
    if name != name.strip():
        raise ValueError("begins or ends with a space")
    return name


Name = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_no_space_around)]
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

    @field_validator("pmax_mw")
    @classmethod
    def _limits_in_order(cls, pmax_mw: float | None, others: ValidationInfo) -> float | None:
        pmin_mw = others.data.get("pmin_mw")
        if pmin_mw is not None and pmax_mw is not None and pmin_mw > pmax_mw:
            raise ValueError(f"{pmax_mw} is below pmin_mw {pmin_mw}")
        return pmax_mw


class Plant(_Section):
    """A site with its own SCADA; the order of its resources is the order of their registers."""

    name: Name
    resources: Annotated[tuple[Resource, ...], Field(alias="resource", min_length=1)]

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        if name == UNASSIGNED:
            raise ValueError(f"{UNASSIGNED!r} is the plant of resources that nobody claims; choose another name")
        return name


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


def _with_on_bad(bad_value: float | None, others: ValidationInfo) -> float | None:
    if "on_bad" in others.data and (others.data["on_bad"] is OnBad.VALUE) != (bad_value is not None):
        raise ValueError('goes together with on_bad = "value": give both or neither')
    return bad_value


BadValue = Annotated[float | None, Field(allow_inf_nan=False, validate_default=True), AfterValidator(_with_on_bad)]
"""What a register shows in place of a bad value; declared after `on_bad`."""


class Block(_Section):
    """A profile laid out at one unit id, from one address on. Without `plants` it is all of them, in the file's order.

    `on_bad` and `word_order` are the profile's own when they are not given. `bad_value` is for megawatts and prices; times,
    flags and counts show "no value" in its place. `lmp_market` chooses the market of the prices, `lmp_node` the node of a
    classic block (without it the first resource's); a plant block shows each resource's own.
    """

    profile: Profile
    unit_id: Annotated[int, Field(ge=0, le=255)]
    address: Annotated[int, Field(ge=0, le=65535)] = 0
    plants: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    word_order: WordOrder | None = None
    on_bad: OnBad | None = None
    bad_value: BadValue = None
    lmp_market: Market = Market.RTM
    lmp_node: Name | None = None


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
    bad_value: BadValue = None


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
    """The whole of `dotbus.toml`.

    Names that are given twice are found by `dotbus.runtime.installation_file`; the register map is checked where it is laid
    out, by `modbus_gateway.register_map`.
    """

    environment: Environment
    topic_root: str = DEFAULT_ROOT
    plants: Annotated[tuple[Plant, ...], Field(alias="plant", min_length=1)]
    prices: Prices = Prices()
    modbus: Modbus = Modbus()

    @field_validator("topic_root")
    @classmethod
    def _is_root(cls, topic_root: str) -> str:
        return Topics.rooted(topic_root).root

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
