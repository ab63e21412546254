"""Places: where the parts of a running installation are reached, as DOTBUS_* variables tell it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from dotbus.runtime.settings.values import Port, SecretFile, read_secret

PREFIX = "DOTBUS_"
_EXAMPLE = Path(__file__).parent.parent / "config/dotbus.example.toml"
DEFAULT_CONFIG = _EXAMPLE if _EXAMPLE.is_file() else Path("dotbus.toml")
"""In a checkout the example, which needs no preparation; installed without one, the file that is here."""
ConfigFile = Annotated[Path, typer.Option(envvar="DOTBUS_CONFIG", help="What the installation is.", readable=False)]


@dataclass(frozen=True)
class Places:
    """Where the parts of a running installation are reached."""

    modbus_host: str
    modbus_port: int
    database_url: str
    database_password: str | None
    simulator_url: str


class PlacesSettings(BaseSettings):
    """The same as a user tells it: DOTBUS_MODBUS_HOST and so on."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    modbus_host: str = "127.0.0.1"
    modbus_port: Port = 5020
    database_url: str = "postgresql+psycopg2://reader@127.0.0.1/dotbus"
    database_password_file: SecretFile | None = None
    database_password: SecretStr | None = None
    simulator_url: str = "http://127.0.0.1:8449"

    @property
    def places(self) -> Places:
        """With the password from its file, or as given; None when the address has it."""
        password = read_secret(self.database_password_file, self.database_password)
        return Places(self.modbus_host, self.modbus_port, self.database_url, password, self.simulator_url)
