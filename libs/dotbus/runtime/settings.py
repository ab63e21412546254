"""Where things run, and secrets: each service's environment variables.

Every service has its prefix (`ADS_INGEST_`, `HISTORIAN_`, ...) and the same names for the same things below it.
"""

import socket
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from dotbus.runtime.mistakes import ConfigurationRefused, Mistake, mistakes_of

S = TypeVar("S", bound=BaseSettings)
Port = Annotated[int, Field(ge=1, le=65535)]
MB = 1024 * 1024
Megabytes = Annotated[float, Field(gt=0, le=65536)]
LOCALHOST = "127.0.0.1"
LOOPBACK = frozenset({"localhost", LOCALHOST, "::1"})


class BusSettings(BaseSettings):
    """The broker, and who we are there: PREFIX_MQTT_HOST and so on. Secrets may come from a file: PASSWORD_FILE."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    host: str = LOCALHOST
    port: Port = 1883
    protocol: Literal["5", "3.1.1"] = "5"
    username: str | None = None
    password: SecretStr | None = None
    password_file: Path | None = None
    ca_file: Annotated[Path | None, Field(validate_default=True)] = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    keepalive_s: Annotated[int, Field(ge=5, le=3600)] = 15

    @field_validator("password_file", "ca_file", "certificate_file", "key_file")
    @classmethod
    def _is_there(cls, file: Path | None) -> Path | None:
        if file and not file.is_file():
            raise ValueError(f"{file} is not there")
        return file

    @field_validator("password_file")
    @classmethod
    def _only_one_password(cls, file: Path | None, others: ValidationInfo) -> Path | None:
        if file and others.data.get("password"):
            raise ValueError("and the password itself are both given; keep one")
        return file

    @field_validator("ca_file")
    @classmethod
    def _tls_to_another_machine(cls, file: Path | None, others: ValidationInfo) -> Path | None:
        host = others.data.get("host", LOCALHOST)
        if file is None and host not in LOOPBACK:
            raise ValueError(f"is missing: {host} is not this machine, so the connection must be TLS")
        return file

    def read_password(self) -> str | None:
        """The password from where it is kept, None when there is none."""
        if self.password_file:
            return self.password_file.read_text(encoding="utf-8").strip()
        return self.password.get_secret_value() if self.password else None


class ServiceSettings(BaseSettings):
    """What every service needs to know besides its own settings: PREFIX_CONFIG, PREFIX_INSTANCE, ..."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    config: Path = Path("config/dotbus.toml")
    instance: Annotated[str, Field(min_length=1)] = Field(default_factory=socket.gethostname)
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    health_host: str = LOCALHOST
    health_port: Port | None = None


class KeepingSettings(BaseSettings):
    """Where an ingest keeps what must not be lost, and how much of it: PREFIX_STATE_DIR, ...

    Attributes:
        state_dir: the outbox and the quarantine.
        outbox_max_age_days: how long a published event can be sent again; `outbox_max_mb` the same by size.
        quarantine_max_mb: how much of the replies that were refused is kept.
    """

    state_dir: Path
    outbox_max_age_days: Annotated[float, Field(ge=1)]
    outbox_max_mb: Megabytes
    quarantine_max_mb: Megabytes = 100.0

    @property
    def outbox_max_bytes(self) -> int:
        """The bound on the outbox in bytes."""
        return int(self.outbox_max_mb * MB)

    @property
    def quarantine_max_bytes(self) -> int:
        """The bound on the quarantine in bytes."""
        return int(self.quarantine_max_mb * MB)


def load_settings(kind: type[S], prefix: str) -> S:
    """Settings of one kind from the environment variables that begin with `prefix`.

    Raises:
        ConfigurationRefused: with every variable that is missing or wrong.
    """
    try:
        return kind(_env_prefix=prefix)
    except ValidationError as error:
        raise ConfigurationRefused(
            [_named(mistake.key, mistake.reason, prefix) for mistake in mistakes_of(error, "", kind)]
        ) from error


def _named(key: str, reason: str, prefix: str) -> Mistake:
    return Mistake("environment", (prefix + key).upper(), reason)
