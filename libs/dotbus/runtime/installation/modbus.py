"""The `[modbus]` part of `dotbus.toml`: how the gateway judges values, and what stands at which register."""

import re
from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, Field, PlainValidator, ValidationInfo

from dotbus.contracts.messages import Environment
from dotbus.runtime.installation.toml_values import Flag, Market, Name, NameOrNothing, NodeName, Number, Seconds, Section, Whole

UnitId = Annotated[Whole, Field(ge=0, le=255)]


class Addresses(StrEnum):
    """How a file writes addresses: as the protocol does, from 1, or as SCADA packages do, with a first digit for the table."""

    FROM_0 = "0-based"
    FROM_1 = "1-based"
    CLASSIC = "4xxxx"


class SixDigits(int):
    """An address of six digits that begins with 0: a coil's, which TOML has no number for, and is given as text."""


_WRITTEN_MOST: Final = 465536
"""The highest address of all notations: the last holding register of a unit in six digits."""


def _as_written(address: object) -> int:
    if isinstance(address, str) and re.fullmatch(r"0\d{4,5}", address, re.ASCII):
        return SixDigits(address) if len(address) > len("00001") else int(address)
    if not isinstance(address, int) or isinstance(address, bool):
        raise ValueError('must be a number; only one that begins with 0, as coils have in 4xxxx, is a text: "000001"')  # noqa: TRY004
    if not 0 <= address <= _WRITTEN_MOST:
        raise ValueError(f"{address} is no address in any notation")
    return address


Address = Annotated[int, PlainValidator(_as_written)]
"""As the file writes it; see `modbus_gateway.map.addressing`."""


class Profile(StrEnum):
    """The register layouts that come with dotbus, see docs/registers.md."""

    CLASSIC = "classic"
    PLANT = "plant"


class WordOrder(StrEnum):
    """Which 16-bit word of a wider value comes first. BIG is ABCD, LITTLE is CDAB."""

    BIG = "big"
    LITTLE = "little"


class ByteOrder(StrEnum):
    """Which byte of each register comes first. Modbus says BIG; LITTLE is BADC, or DCBA with the words in LITTLE order."""

    BIG = "big"
    LITTLE = "little"


class OnBad(StrEnum):
    """What a register shows while its value's quality is bad."""

    HOLD = "hold"
    VALUE = "value"
    NAN = "nan"
    EXCEPTION = "exception"


class Table(StrEnum):
    """The four tables of a unit. Function 01 reads COIL, 02 DISCRETE, 03 HOLDING and 04 INPUT."""

    HOLDING = "holding"
    INPUT = "input"
    DISCRETE = "discrete"
    COIL = "coil"

    @property
    def has_bits(self) -> bool:
        """Whether each address is one bit, not a register of 16."""
        return self in (Table.DISCRETE, Table.COIL)


class RegisterType(StrEnum):
    """How a value is written: in as many registers as its bits need, a STRING in those it is given, a BIT in no register.

    BOOL is a flag in a whole register, 1 or 0 and nothing else; BITS is a mask of 16 bits.
    """

    FLOAT32 = "float32"
    FLOAT64 = "float64"
    UINT16 = "uint16"
    INT16 = "int16"
    UINT32 = "uint32"
    INT32 = "int32"
    UINT64 = "uint64"
    INT64 = "int64"
    BOOL = "bool"
    BITS = "bits"
    STRING = "string"
    BIT = "bit"


def _with_on_bad(bad_value: float | None, others: ValidationInfo) -> float | None:
    if "on_bad" in others.data and (others.data["on_bad"] is OnBad.VALUE) != (bad_value is not None):
        raise ValueError('goes together with on_bad = "value": give both or neither')
    return bad_value


BadValue = Annotated[Number | None, Field(validate_default=True), AfterValidator(_with_on_bad)]
"""What a register shows in place of a bad value; declared after `on_bad`."""


class StateTopic(StrEnum):
    """Topics whose state a line may name a field of."""

    DOT = "dot"
    TRAJECTORY = "trajectory"
    INSTRUCTIONS = "instructions"
    LMP = "lmp"
    SERVICE = "service"


class Aspect(StrEnum):
    """What a line shows of a field of a state: what it says, how good that is, or why it is less than good."""

    VALUE = "value"
    QUALITY = "quality"
    REASONS = "reasons"


class Line(Section):
    """One value at one address. `quantity` is a name of docs/registers.md.

    In place of it `topic` and `path` name a field of a state as it is said on the bus (`intervals[0].instruction_uid`), and
    `shows` the value of that field, its quality or its reasons. The status of a service is that of its `instance`. A text needs
    `length`, in registers.

    What it is about is named with `plant`, `resource`, or `market` and `node`, whichever the quantity asks for; a price of
    a `resource` is its own node's. What is about a plant may be about some `resources` instead, of one plant or of several.
    `type` is the quantity's own when it is not given. A register shows the value, or `bad_value`, times `scale` plus
    `offset`, which only megawatts and prices take; an integer rounded. What keeps or shows a number while it is bad must
    have its quality at the same unit id. Its own limits count besides those of its resource and of [modbus]: below `min` or
    above `max` (of the value, not of what the register shows) it is out_of_limits, and stale once CAISO has not been heard
    for `stale_after_s`. `unit` is for the reader of the map, where the register's is another one.
    """

    table: Table = Table.HOLDING
    address: Address
    quantity: Name | None = None
    topic: StateTopic | None = None
    path: Name | None = None
    shows: Aspect = Aspect.VALUE
    plant: Name | None = None
    resource: Name | None = None
    resources: Annotated[tuple[Name, ...] | None, Field(min_length=1)] = None
    market: Market = Market.RTM
    node: NodeName | None = None
    service: Name | None = None
    instance: Name | None = None
    type: RegisterType | None = None
    length: Annotated[Whole, Field(ge=1, le=123)] | None = None
    scale: Number = 1.0
    offset: Number = 0.0
    unit: Name | None = None
    least: Annotated[Number | None, Field(alias="min")] = None
    most: Annotated[Number | None, Field(alias="max")] = None
    stale_after_s: Seconds | None = None
    word_order: WordOrder = WordOrder.BIG
    byte_order: ByteOrder = ByteOrder.BIG
    on_bad: OnBad = OnBad.NAN
    bad_value: BadValue = None


class BlockChange(Section):
    """What is otherwise in a block than in its profile: a quantity moves, is written in another way, or is not there.

    It is about the quantity of every resource of the block, or of `resource`. `address` is where it goes; that moves one line.
    With `remove` its registers are reserved. What is not given stays as the profile and the block have it.
    """

    quantity: Name
    resource: Name | None = None
    table: Table | None = None
    remove: Flag = False
    address: Address | None = None
    type: RegisterType | None = None
    scale: Number = 1.0
    offset: Number = 0.0
    unit: Name | None = None
    least: Annotated[Number | None, Field(alias="min")] = None
    most: Annotated[Number | None, Field(alias="max")] = None
    stale_after_s: Seconds | None = None
    word_order: WordOrder | None = None
    byte_order: ByteOrder | None = None
    on_bad: OnBad | None = None
    bad_value: BadValue = None


class Block(Section):
    """A profile laid out at one unit id, from one address on.

    `resources` says which resource has which place; "" leaves a place free, so that taking a resource out moves no other. In
    place of it `plants` names plants, whose resources have their places in the file's order, and without both it is all plants.
    `on_bad` and `word_order` are the profile's own when they are not given. `bad_value` is for megawatts and prices; times,
    flags and counts show "no value" in its place. `lmp_market` chooses the market of the prices, `lmp_node` the node of a
    classic block (without it the first resource's); a plant block shows each resource's own. `tables` are those that it is
    shown in, all four unless given: its registers in holding and input, its bits in discrete and coil. `changes` and
    `additions` are what is otherwise here than in the profile.
    """

    profile: Profile
    unit_id: UnitId
    address: Address = 0
    plants: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    resources: Annotated[tuple[NameOrNothing, ...], Field(min_length=1)] | None = None
    tables: Annotated[tuple[Table, ...], Field(min_length=1)] = tuple(Table)
    word_order: WordOrder | None = None
    byte_order: ByteOrder = ByteOrder.BIG
    on_bad: OnBad | None = None
    bad_value: BadValue = None
    lmp_market: Market = Market.RTM
    lmp_node: NodeName | None = None
    changes: Annotated[tuple[BlockChange, ...], Field(alias="change")] = ()
    additions: Annotated[tuple[Line, ...], Field(alias="add")] = ()


class Point(Line):
    """One value at one address of one unit, for a map that follows no profile."""

    unit_id: UnitId


class Modbus(Section):
    """How the gateway judges values and lays them out.

    A DOT is stale when CAISO has not been heard for `stale_after_s`, a trajectory also when no new one came for
    `trajectory_stale_after_s`, a price when OASIS has not been heard for `price_stale_after_s`. A bad value that
    is held (`on_bad = "hold"`) is shown for `hold_at_most_s`, then "no value". With `clip_set_point` the set-point on the ramp
    stays within pmin_mw and pmax_mw; it is marked out_of_limits all the same. `addresses` says how all addresses of the file
    are written; in "4xxxx" (0, 1, 3 or 4, and 4 or 5 digits more) the first digit of a point's names its table. Unit ids 0 and
    255, which some clients ask where a device has one unit, answer as the unit `alias_of` does.
    """

    addresses: Addresses = Addresses.FROM_0
    accept_environments: Annotated[tuple[Environment, ...], Field(min_length=1)] = (Environment.PRODUCTION,)
    stale_after_s: Seconds = 90.0
    trajectory_stale_after_s: Seconds = 420.0
    price_stale_after_s: Seconds = 900.0
    hold_at_most_s: Seconds = 300.0
    clip_set_point: Flag = False
    alias_of: UnitId | None = None
    blocks: Annotated[tuple[Block, ...], Field(alias="block")] = ()
    points: Annotated[tuple[Point, ...], Field(alias="point")] = ()
