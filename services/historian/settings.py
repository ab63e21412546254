"""Settings of the historian: HISTORIAN_DATABASE_URL and so on, and its part of what every service reads."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from dotbus.runtime.settings.configuration import ServiceConfiguration, load_service_configuration
from dotbus.runtime.settings.values import SecretFile, read_secret
from historian.tables import SCHEMA
from historian.upkeep.retention import Retention

PREFIX = "HISTORIAN_"
API_PREFIX = "HISTORIAN_API_"
"""Of the API, a process of its own: what it is told is nothing that this one would pass over."""
Name = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z_][A-Za-z0-9_$-]*$")]
"""A name in the database."""
Days = Annotated[int, Field(ge=1, le=36500)]
_SCHEMES = frozenset({"postgresql", "postgresql+psycopg2", "postgres"})


class HistorianSettings(BaseSettings):
    """The database, how the historian takes what comes, and how long it keeps it.

    Attributes:
        database_url: postgresql://USER@HOST:PORT/DATABASE.
        database_password_file: holds the password, in place of one in the address.
        database_schema: where the tables are.
        owner_role: the role that owns and makes the tables; the user must be a member. Without it the user does so itself.
        writer_role: the role that writes rows; the user must be a member. Without it the user does so itself.
        reader_role: a role that may read every table; granted at each start when it exists.
        share_group: historians of one group divide the events between them (MQTT shared subscription).
        queue_size: deliveries that the broker may send before the first of them is acknowledged.
        waiting_max_bytes: memory that deliveries may take until they are in the database; the broker keeps the rest.
        replay_grace_s: how long an event may be missing before its source is asked for it again.
        keep_dispatch_days, keep_trajectory_days, keep_prices_days, keep_statuses_days, keep_telemetry_days: how long rows are
            kept, by whole months; for ever when not set.
        dead_letters_max_bytes: how much may be kept of what cannot be stored.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    database_url: SecretStr
    database_password_file: SecretFile | None = None
    database_schema: Name = SCHEMA
    owner_role: Name | None = None
    writer_role: Name | None = None
    reader_role: Name | None = None
    share_group: Annotated[str, Field(pattern=r"^[^/+#$\s]+$")] | None = None
    queue_size: Annotated[int, Field(ge=1, le=65535)] = 20_000
    waiting_max_bytes: Annotated[int, Field(ge=1_000_000, le=1_000_000_000)] = 48_000_000
    replay_grace_s: Annotated[float, Field(gt=0, le=3600)] = 5.0
    keep_dispatch_days: Days | None = None
    keep_trajectory_days: Days | None = None
    keep_prices_days: Days | None = None
    keep_statuses_days: Days | None = None
    keep_telemetry_days: Days | None = None
    dead_letters_max_bytes: Annotated[int, Field(ge=1_000_000)] = 1_000_000_000

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, url: SecretStr) -> SecretStr:
        return require_postgresql(url)

    @field_validator("database_password_file")
    @classmethod
    def _only_one_password(cls, file: Path | None, others: ValidationInfo) -> Path | None:
        return require_one_password(file, others.data.get("database_url"))

    @property
    def retention(self) -> Retention:
        """How long what is kept."""
        return Retention(
            self.keep_dispatch_days,
            self.keep_trajectory_days,
            self.keep_prices_days,
            self.keep_statuses_days,
            self.keep_telemetry_days,
        )

    def read_database_password(self) -> str | None:
        """The password from its file; None when there is no file and the address says it or none is needed."""
        return read_secret(self.database_password_file)


def require_postgresql(url: SecretStr) -> SecretStr:
    """An address of PostgreSQL as it was given.

    Raises:
        ValueError: it is none.
    """
    if not _is_address(url.get_secret_value()):
        raise ValueError("is no PostgreSQL address, such as postgresql://user@host/database")
    return url


def require_one_password(file: Path | None, url: SecretStr | None) -> Path | None:
    """The file of a password as it was given.

    Raises:
        ValueError: the address says one, too.
    """
    if file and url and urlsplit(url.get_secret_value()).password:
        raise ValueError("and a password in the address are both given; keep one")
    return file


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in _SCHEMES and parts.port != 0 and len(parts.path) > 1
    except ValueError:  # a port that is no number
        return False


Configuration = ServiceConfiguration[HistorianSettings]


def load_configuration() -> Configuration:
    """Read and check it all.

    Raises:
        ConfigurationRefused: with every mistake of every part.
    """
    return load_service_configuration(PREFIX, HistorianSettings, others=[API_PREFIX])
