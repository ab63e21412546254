"""Writing: who asks, and what becomes of what is written."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from modbus_gateway.wire.images.image import Refusal


@dataclass(frozen=True)
class Client:
    """Who asks.

    Attributes:
        address: where the connection comes from.
        subject: of its certificate, None without TLS.
        role: that its certificate names, None where it names none.
        may_write: whether it may write at all by its role. What it may write, and from where one may that has no
            certificate, is for `Writing` to say.
        certificate_ends_at: None without TLS.
    """

    address: str
    subject: str | None = None
    role: str | None = None
    may_write: bool = False
    certificate_ends_at: datetime | None = None


class Writing(Protocol):
    """Takes what clients write, or refuses it. A refusal has written nothing, not even a part.

    A client that may not write is told FUNCTION: to it that is no function of this server, as Modbus/TCP Security has it.
    """

    @property
    def is_offered(self) -> bool:
        """Whether the map has anything writable at all. Where it has not, no function that writes is one of this server."""
        ...

    def write_registers(self, unit_id: int, address: int, words: bytes, client: Client) -> Refusal | None:
        """Holding registers from an address on, two bytes each, the high one first."""
        ...

    def write_bits(self, unit_id: int, address: int, bits: tuple[bool, ...], client: Client) -> Refusal | None:
        """Coils from an address on."""
        ...


class NothingWritable:
    """A map without a writable point."""

    is_offered: Final = False

    def write_registers(self, _unit_id: int, _address: int, _words: bytes, _client: Client) -> Refusal | None:
        """There is none."""
        return Refusal.ADDRESS

    def write_bits(self, _unit_id: int, _address: int, _bits: tuple[bool, ...], _client: Client) -> Refusal | None:
        """There is none."""
        return Refusal.ADDRESS
