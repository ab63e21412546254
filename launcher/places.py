"""Places: where the parts of a running installation are reached, as DOTBUS_* variables tell it."""

from dataclasses import dataclass

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from dotbus.runtime.settings.values import Port, SecretFile, read_secret

PREFIX = "DOTBUS_"


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
