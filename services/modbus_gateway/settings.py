"""Settings: where the gateway listens and who may connect, from MODBUS_GATEWAY_... variables. The map is in dotbus.toml."""

import ipaddress
from typing import Annotated, Final

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from dotbus.runtime.settings.configuration import ServiceConfiguration, load_service_configuration
from dotbus.runtime.settings.values import Port
from modbus_gateway.map.draft import check_map
from modbus_gateway.wire.admission import Limits, Network

PREFIX: Final = "MODBUS_GATEWAY_"


class GatewaySettings(BaseSettings):
    """Where the server listens, and its limits. `allow_clients` is addresses or CIDR networks, separated by commas."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    host: str = "127.0.0.1"
    port: Port = 5020
    allow_clients: Annotated[tuple[Network, ...], NoDecode] = ()
    max_connections: Annotated[int, Field(ge=1, le=10_000)] = 64
    max_connections_per_address: Annotated[int, Field(ge=1, le=10_000)] = 32
    idle_timeout_s: Annotated[float, Field(gt=0, le=86400)] = 300.0
    render_s: Annotated[float, Field(ge=0.05, le=1.0)] = 0.5

    @field_validator("allow_clients", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = [part.strip() for part in value.split(",") if part.strip()]
        wrong = [part for part in parts if not _is_network(part)]
        if wrong:
            raise ValueError(f"{', '.join(wrong)}: no address, nor a network such as 10.20.0.0/24")
        return tuple(map(ipaddress.ip_network, parts))

    @property
    def limits(self) -> Limits:
        """What the server holds its clients to."""
        return Limits(self.allow_clients, self.max_connections, self.idle_timeout_s, self.max_connections_per_address)


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


Configuration = ServiceConfiguration[GatewaySettings]


def load_configuration() -> Configuration:
    """Read the environment and dotbus.toml, and check its register map.

    Raises:
        ConfigurationRefused: with every mistake of both.
    """
    return load_service_configuration(PREFIX, GatewaySettings, [check_map])
