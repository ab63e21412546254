"""Settings of a replay: where the archive is, and the historian's own variables, HISTORIAN_DATABASE_URL and so on."""

from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from dotbus.runtime.settings.values import SecretFile, read_secret

PREFIX: Final = "HISTORIAN_"
_SCHEMES: Final = {"postgresql", "postgresql+psycopg2", "postgres"}


class ArchiveSettings(BaseSettings):
    """Where the service keeps its state, of which the archive is a part."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    state_dir: Path = Path("var/ads_ingest")

    @property
    def archive(self) -> Path:
        """CAISO's documents as they came."""
        return self.state_dir / "archive"


class HistorianSettings(BaseSettings):
    """Where the historian's database is. A user who may read it is enough.

    Attributes:
        database_url: postgresql://USER@HOST:PORT/DATABASE.
        database_password_file: holds the password, in place of one in the address.
        database_schema: where the tables are.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    database_url: SecretStr
    database_password_file: SecretFile | None = None
    database_schema: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_$-]{0,62}$")] = "dotbus"

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, url: SecretStr) -> SecretStr:
        if url.get_secret_value().partition("://")[0] not in _SCHEMES:
            raise ValueError("is no PostgreSQL address, such as postgresql://user@host/database")
        return url

    @property
    def address(self) -> str:
        """As libpq reads it, which knows no name of a driver."""
        return "postgresql://" + self.database_url.get_secret_value().partition("://")[2]

    def read_database_password(self) -> str | None:
        """The password from its file; None when the address says it or none is needed."""
        return read_secret(self.database_password_file)
