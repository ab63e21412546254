"""The parts of `[modbus]` about writing: what SCADA may write, how it confirms it, and where it answers instructions."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Final

from pydantic import Field, PlainValidator

from dotbus.runtime.installation.modbus import Address, ByteOrder, Modbus, RegisterType, Table, UnitId, WordOrder
from dotbus.runtime.installation.toml_values import Flag, Name, Number, Seconds, Section, Whole

PLACES_MOST: Final = 20
"""Of instructions at a unit; each takes ten registers."""


def _as_network(network: object) -> IPv4Network | IPv6Network:
    if not isinstance(network, str):
        raise ValueError('must be a text: an address, or a network such as "10.20.0.0/24"')  # noqa: TRY004  # pydantic's way
    try:
        return ip_network(network)
    except ValueError as error:
        raise ValueError(f"{network!r} is no address, nor a network such as 10.20.0.0/24") from error


Networks = tuple[Annotated[IPv4Network | IPv6Network, PlainValidator(_as_network)], ...]
"""From where a client may write that proves nothing else."""


class Writable(Section):
    """Something that SCADA writes, at an address of a unit.

    Who may: a client with a certificate whose role may write at all (`MODBUS_GATEWAY_TLS_READ_WRITE_ROLES`), and is among
    `roles` where these are given; a client without one from the networks of `allow_from`, which are `allow_writes_from` of
    [modbus] unless given. What names `roles` and no `allow_from` takes nothing from a client without a certificate.
    """

    unit_id: UnitId
    table: Table = Table.HOLDING
    address: Address
    roles: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    allow_from: Annotated[Networks, Field(min_length=1)] | None = None


class Write(Writable):
    """A point of a resource that SCADA writes: it becomes telemetry of that name on the bus.

    The register holds the value times `scale` plus `offset`, as those that are read do; `type` is float32 unless given, and
    bool for points that are on or off. Below `min` or above `max` a value is refused. With `quality` the register (or coil)
    behind the value says how good it is. With `commit` it is taken when the unit's `[[modbus.commit]]` is written. The value
    is stale once it was not written for `expires_after_s`.
    """

    resource: Name
    point: Name
    type: RegisterType | None = None
    scale: Number = 1.0
    offset: Number = 0.0
    unit: Name | None = None
    least: Annotated[Number | None, Field(alias="min")] = None
    most: Annotated[Number | None, Field(alias="max")] = None
    word_order: WordOrder = WordOrder.BIG
    byte_order: ByteOrder = ByteOrder.BIG
    quality: Flag = False
    commit: Flag = False
    expires_after_s: Seconds | None = None


class Commit(Writable):
    """The registers by which a unit's writes are confirmed and watched: docs/registers.md has their layout.

    What is written to points with `commit` waits for the sequence number, `commit_within_s` at the most. All points of the unit
    are stale once nobody wrote to it for `watchdog_s`.
    """

    commit_within_s: Annotated[Seconds, Field(le=3600)] = 30.0
    watchdog_s: Seconds | None = None


class Answer(Writable):
    """The registers at which SCADA reads and answers the open instructions to a resource: docs/registers.md has their layout.

    `places` is how many instructions it lists. A reply that is not there after `reply_within_s` is waited for no more.
    """

    resource: Name
    places: Annotated[Whole, Field(ge=1, le=PLACES_MOST)] = 4
    reply_within_s: Annotated[Seconds, Field(le=300)] = 60.0


class WritableModbus(Modbus):
    """The whole of `[modbus]`. From `allow_writes_from` clients without a certificate may write; from nowhere unless given."""

    allow_writes_from: Networks = ()
    writes: Annotated[tuple[Write, ...], Field(alias="write")] = ()
    commits: Annotated[tuple[Commit, ...], Field(alias="commit")] = ()
    answers: Annotated[tuple[Answer, ...], Field(alias="answer")] = ()

    @property
    def writable(self) -> tuple[tuple[str, int, Writable], ...]:
        """All that SCADA may write: by which key of the file, the how manieth, and what."""
        lists: tuple[tuple[str, Iterable[Writable]], ...] = (
            ("write", self.writes),
            ("commit", self.commits),
            ("answer", self.answers),
        )
        return tuple((key, i, one) for key, ones in lists for i, one in enumerate(ones))


def is_within(address: str, networks: Networks) -> bool:
    """Whether an address is in any of some networks; one that is none is in none."""
    try:
        known = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = None if isinstance(known, IPv4Address) else known.ipv4_mapped
    return any((mapped or known) in network for network in networks)
