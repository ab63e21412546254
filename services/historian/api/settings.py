"""Settings of the API: HISTORIAN_API_DATABASE_URL and so on, and its part of what every service reads. It knows no broker."""

import re
import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from dotbus.runtime.installation.file import read_installation
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.settings.addresses import is_this_machine
from dotbus.runtime.settings.mistakes import Collector
from dotbus.runtime.settings.settings import ConfigSettings, ServiceSettings, check_names, load_settings
from dotbus.runtime.settings.values import Port, ReadableFile, SecretFile, read_secret
from historian.settings import API_PREFIX, Name, require_one_password, require_postgresql
from historian.tables import SCHEMA

_BEYOND = "is beyond this machine: name HISTORIAN_API_CERTIFICATE_FILE, and HISTORIAN_API_KEY_FILE unless that holds both"

_ORIGIN: Final = re.compile(r"https?://([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:]+\])(:[1-9][0-9]{0,4})?")
_OF_ITSELF: Final = {"http": ":80", "https": ":443"}
_NO_ORIGIN: Final = (
    "is no origin as a browser says one: https://HOST or https://HOST:PORT in small letters, without a slash at its end and"
    " without the port that it has of itself; each is named, and none stands for all"
)


class ApiSettings(BaseSettings):
    """The database, where the API listens, and what it allows. A setting is held against those declared before it.

    Attributes:
        database_url: postgresql://USER@HOST:PORT/DATABASE, of a user who may read and nothing else.
        database_password_file: holds the password, in place of one in the address.
        database_schema: where the tables are.
        connections: to the database; so many questions are answered at once, and the others wait.
        statement_timeout_s: a statement that takes longer is cancelled, and what is made of its rows is ended after that time.
        stream_timeout_s: the same of one whose rows are streamed.
        certificate_file: of the server, PEM; with it the API speaks TLS and nothing else.
        key_file: its key, where the certificate's file does not hold it.
        host: where it listens; beyond this machine only with a certificate.
        port: likewise.
        without_keys: everybody who reaches it may ask for everything; on this machine only.
        cors_origins: pages of these origins (https://HOST, separated by commas) may ask from a browser.
        range_max_days: how long a range of time may be asked for at once.
        requests_per_s: how often one key may ask, in the mean; who was silent for 10 s may ask as often at once.
        streams: that are read at once, each with a connection of its own beside the others.
        streams_each: that one key may read at once.
        processes: that serve together, for as many cores; every limit is one of all of them.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    database_url: SecretStr
    database_password_file: SecretFile | None = None
    database_schema: Name = SCHEMA
    connections: Annotated[int, Field(ge=1, le=200)] = 8
    statement_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 30.0
    stream_timeout_s: Annotated[float, Field(gt=0, le=86400)] = 600.0
    certificate_file: ReadableFile | None = None
    key_file: ReadableFile | None = None
    host: Annotated[str, Field(min_length=1, validate_default=True)] = "127.0.0.1"
    port: Port = 8090
    without_keys: Annotated[bool, Field(validate_default=True)] = False
    cors_origins: str = ""
    range_max_days: Annotated[int, Field(ge=1, le=36500)] = 400
    requests_per_s: Annotated[float, Field(gt=0, le=100_000)] = 20.0
    streams: Annotated[int, Field(ge=1, le=200)] = 4
    streams_each: Annotated[int, Field(ge=1, le=200)] = 2
    processes: Annotated[int, Field(ge=1, le=64)] = 1

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, url: SecretStr) -> SecretStr:
        return require_postgresql(url)

    @field_validator("database_password_file")
    @classmethod
    def _only_one_password(cls, file: SecretFile | None, others: ValidationInfo) -> SecretFile | None:
        return require_one_password(file, others.data.get("database_url"))

    @field_validator("host")
    @classmethod
    def _speaks_tls_beyond_this_machine(cls, host: str, others: ValidationInfo) -> str:
        if not is_this_machine(host) and "certificate_file" in others.data and others.data["certificate_file"] is None:
            raise ValueError(_BEYOND)
        return host

    @field_validator("without_keys")
    @classmethod
    def _knows_who_asks_from_beyond(cls, without_keys: bool, others: ValidationInfo) -> bool:  # noqa: FBT001  # a setting
        if without_keys and not is_this_machine(str(others.data.get("host", "127.0.0.1"))):
            raise ValueError("is for this machine only: with a HISTORIAN_API_HOST beyond it, make keys")
        return without_keys

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: str) -> str:
        for one in filter(None, map(str.strip, origins.split(","))):
            if not _ORIGIN.fullmatch(one) or one.endswith(_OF_ITSELF[one.partition(":")[0]]):
                raise ValueError(f"{one!r} {_NO_ORIGIN}")
        return origins

    @field_validator("processes")
    @classmethod
    def _has_a_connection_each_and_one_port(cls, processes: int, others: ValidationInfo) -> int:
        if processes > others.data.get("connections", processes):
            raise ValueError("is more than HISTORIAN_API_CONNECTIONS, of which each process needs one")
        if processes > 1 and not hasattr(socket, "SO_REUSEPORT"):
            raise ValueError("is 1 on this system, where processes cannot listen on one port together")
        return processes

    def part(self, number: int) -> "ApiSettings":
        """The settings of one of the processes, counted from 0: its part of the connections to the database."""
        connections, more = divmod(self.connections, self.processes)
        return self.model_copy(update={"connections": connections + (number < more)})

    @property
    def origins(self) -> tuple[str, ...]:
        """Whose pages may ask."""
        return tuple(origin for one in self.cors_origins.split(",") if (origin := one.strip()))

    @property
    def longest_range(self) -> timedelta:
        """How much may be asked for at once."""
        return timedelta(days=self.range_max_days)

    def read_database_password(self) -> str | None:
        """The password from its file; None when there is no file."""
        return read_secret(self.database_password_file)


@dataclass(frozen=True)
class ApiConfiguration:
    """All that the API is told."""

    service: ServiceSettings
    own: ApiSettings
    installation: Installation


def load_api_configuration() -> ApiConfiguration:
    """Read and check it all.

    Raises:
        ConfigurationRefused: with every mistake of every part.
    """
    collector = Collector()
    service = collector.load(lambda: load_settings(ServiceSettings, API_PREFIX))
    own = collector.load(lambda: load_settings(ApiSettings, API_PREFIX))
    collector.load(lambda: check_names(API_PREFIX, ApiSettings))
    file = collector.load(lambda: read_installation(load_settings(ConfigSettings, API_PREFIX).config))
    if file:
        collector.add(file.mistakes)
    collector.finish()
    if service is None or own is None or file is None:
        raise RuntimeError("a part of the configuration was refused without a reason")
    return ApiConfiguration(service, own, file.installation)
