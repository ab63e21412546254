"""Settings: where the gateway listens and who may connect, from MODBUS_GATEWAY_... variables. The map is in dotbus.toml."""

import ipaddress
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from dotbus.runtime.installation.file import InstallationFile
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.configuration import ServiceConfiguration, load_service_configuration
from dotbus.runtime.settings.mistakes import ConfigurationRefused
from dotbus.runtime.settings.values import Days, Folder, Megabytes, Port, ReadableFile
from modbus_gateway.map.checks.file_facts import FileFacts
from modbus_gateway.map.checks.write_check import never_written, not_of_plant
from modbus_gateway.map.draft import Draft, check_draft
from modbus_gateway.map.register_map import RegisterMap
from modbus_gateway.map.writable import Writables
from modbus_gateway.wire.admission import Limits, Network
from modbus_gateway.wire.certificates import Files, Unusable, load_pair, read_end
from modbus_gateway.wire.tls import Roles

PREFIX: Final = "MODBUS_GATEWAY_"
Names = Annotated[tuple[str, ...], NoDecode]


class GatewaySettings(BaseSettings):
    """Where the server listens, and its limits. `allow_clients` is addresses or CIDR networks, separated by commas.

    Attributes:
        host: to listen on; also for the ports that have no host of their own.
        rtu_port: for RTU frames over TCP; None for none.
        tls_port: for Modbus/TCP Security; None for none. The specification has 802.
        tls_certificate_file: our own as PEM, its key beside it or in `tls_key_file`, not encrypted.
        tls_client_ca_file: the authorities whose certificates are let in.
        tls_read_write_roles: roles that may write, as certificates name them, separated by commas.
        tls_read_only_roles: the same of roles that may read; of use where `tls_other_roles` are refused.
        tls_other_roles: what holds for every other role, and for certificates without one.
        state_dir: where the events of writes wait for the broker; only a gateway whose map takes writes makes it.
        outbox_max_age_days: how long a published one can be sent again; `outbox_max_mb` the same by size.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    host: str = "127.0.0.1"
    port: Port = 5020
    rtu_host: str | None = None
    rtu_port: Port | None = None
    tls_host: str | None = None
    tls_port: Port | None = None
    tls_certificate_file: Annotated[ReadableFile | None, Field(validate_default=True)] = None
    tls_key_file: Annotated[ReadableFile | None, Field(validate_default=True)] = None
    tls_client_ca_file: Annotated[ReadableFile | None, Field(validate_default=True)] = None
    tls_read_write_roles: Names = ()
    tls_read_only_roles: Names = ()
    tls_other_roles: Literal["read-only", "refused"] = "read-only"
    allow_clients: Annotated[tuple[Network, ...], NoDecode] = ()
    max_connections: Annotated[int, Field(ge=1, le=10_000)] = 64
    max_connections_per_address: Annotated[int, Field(ge=1, le=10_000)] = 32
    idle_timeout_s: Annotated[float, Field(gt=0, le=86400)] = 300.0
    render_s: Annotated[float, Field(ge=0.05, le=1.0)] = 0.5
    state_dir: Folder = Path("var/modbus_gateway")
    outbox_max_age_days: Days = 14.0
    outbox_max_mb: Megabytes = 256.0

    @field_validator("tls_certificate_file", "tls_client_ca_file")
    @classmethod
    def _counts_now(cls, file: Path | None, about: ValidationInfo) -> Path | None:
        is_wanted = about.data.get("tls_port") is not None
        if file is None and is_wanted:
            raise ValueError(f"is missing: {PREFIX}TLS_PORT is given")
        if file is not None and not is_wanted and "tls_port" in about.data:
            raise ValueError(f"is for TLS only: give {PREFIX}TLS_PORT, too")
        if file is not None:
            _usable(lambda: read_end(file, (about.field_name or "").removeprefix("tls_"), utc_now()))
        return file

    @field_validator("tls_key_file")
    @classmethod
    def _pair(cls, key: Path | None, others: ValidationInfo) -> Path | None:
        certificate = others.data.get("tls_certificate_file")
        if certificate:
            _usable(lambda: load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificate, key))
        return key

    @field_validator("tls_read_write_roles", "tls_read_only_roles", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        return tuple(_parts(value)) if isinstance(value, str) else value

    @field_validator("tls_read_only_roles")
    @classmethod
    def _one_right_each(cls, roles: tuple[str, ...], others: ValidationInfo) -> tuple[str, ...]:
        if both := set(roles) & set(others.data.get("tls_read_write_roles", ())):
            raise ValueError(f"{', '.join(sorted(both))}: may write by {PREFIX}TLS_READ_WRITE_ROLES, and only read by this")
        return roles

    @field_validator("allow_clients", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = _parts(value)
        wrong = [part for part in parts if not _is_network(part)]
        if wrong:
            raise ValueError(f"{', '.join(wrong)}: no address, nor a network such as 10.20.0.0/24")
        return tuple(map(ipaddress.ip_network, parts))

    @property
    def limits(self) -> Limits:
        """What the server holds its clients to."""
        return Limits(self.allow_clients, self.max_connections, self.idle_timeout_s, self.max_connections_per_address)

    @property
    def tls_files(self) -> Files | None:
        """Where the certificates are, None without TLS."""
        if self.tls_port is None or self.tls_certificate_file is None or self.tls_client_ca_file is None:
            return None
        return Files(self.tls_certificate_file, self.tls_key_file, self.tls_client_ca_file)

    @property
    def roles(self) -> Roles:
        """What clients with a certificate may do."""
        others_may_read = self.tls_other_roles == "read-only"
        return Roles(frozenset(self.tls_read_write_roles), frozenset(self.tls_read_only_roles), others_may_read)


def _parts(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def _usable(check: Callable[[], object]) -> None:
    """As a mistake of the setting that is being looked at."""
    try:
        check()
    except Unusable as unusable:
        raise ValueError(str(unusable)) from unusable


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class Configuration(ServiceConfiguration[GatewaySettings]):
    """All that the gateway is told. `register_map` is what the installation says of registers, as it was checked.

    Attributes:
        writables: what SCADA may write of it.
    """

    register_map: RegisterMap
    writables: Writables


def load_configuration() -> Configuration:
    """Read the environment and dotbus.toml, draft its register map, and check whether it may write what it lets be written.

    Raises:
        ConfigurationRefused: with every mistake of both.
    """
    drafts: list[Draft] = []
    checks = [lambda file: drafts.append(check_draft(file))]
    told = load_service_configuration(PREFIX, GatewaySettings, checks, checks_together=[_check_writes])
    return Configuration(told.service, told.bus, told.own, told.installation, drafts[0].register_map, drafts[0].writables)


def _check_writes(told: ServiceConfiguration[GatewaySettings], file: InstallationFile) -> None:
    """A map that takes writes is one plant's: the broker lets nobody else speak for it."""
    modbus = file.installation.modbus
    if not modbus.writes and not modbus.answers:
        return
    facts, own = FileFacts(file), told.own
    mistakes = list(not_of_plant(facts, told.service.instance))
    mistakes += never_written(facts, own.tls_read_write_roles if own.tls_port is not None else ())
    if modbus.answers and told.bus.protocol != "5":
        mistakes += facts.tell(("modbus",), "answer", f"needs {PREFIX}MQTT_PROTOCOL=5: there is no reply without it")
    if mistakes:
        raise ConfigurationRefused(file.located(mistakes))
