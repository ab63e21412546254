"""Settings of the console: CONSOLE_HOST and so on, and its part of what every service reads."""

from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from console.access.people import Role
from console.access.users import UsersRefused, read_users
from dotbus.runtime.settings.addresses import is_this_machine
from dotbus.runtime.settings.configuration import ServiceConfiguration, load_service_configuration
from dotbus.runtime.settings.values import Port, ReadableFile

PREFIX: Final = "CONSOLE_"
Configuration = ServiceConfiguration["ConsoleSettings"]
_BEYOND = "is beyond this machine"
_NO_TLS = (
    f"{_BEYOND}: name {PREFIX}CERTIFICATE_FILE, and {PREFIX}KEY_FILE unless that holds both; "
    f"or say {PREFIX}WITHOUT_TLS=true: then everybody on the way reads passwords and may change what is shown"
)
_NO_USERS = (
    f"{_BEYOND}: make users (`dotbus users add`) and name their file in {PREFIX}USERS_FILE; "
    f"or say {PREFIX}WITHOUT_USERS=true: then everybody who reaches it sees everything"
)
_BOTH = f"and {PREFIX}WITHOUT_USERS contradict each other; keep one"


def _has_users(path: Path) -> Path:
    try:
        users = read_users(path)
    except UsersRefused as refused:
        raise ValueError(str(refused)) from refused
    if not users:
        raise ValueError("has no user, so nobody could sign in: `dotbus users add` makes one")
    return path


UsersPath = Annotated[Path, AfterValidator(_has_users)]


class ConsoleSettings(BaseSettings):
    """Where the page is served, and to whom. A setting is held against those declared before it.

    Attributes:
        certificate_file: of the server, PEM; with it the console speaks TLS and nothing else.
        key_file: its key, where the certificate's file does not hold it.
        users_file: who may sign in; without it nobody does.
        without_users: whether everybody who reaches it from beyond this machine may look.
        without_tls: whether it may be reached from beyond this machine without a certificate.
        host: where it listens; beyond this machine with users and a certificate.
        port: likewise.
        local_role: without users, what whoever connects from this machine may do. Everyone else may look.
        session_idle_min: a session of which no page is open ends after so long.
        session_hours_most: and any after so long.
        pages_most: how many pages may be open at once.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    certificate_file: ReadableFile | None = None
    key_file: ReadableFile | None = None
    users_file: UsersPath | None = None
    without_users: bool = False
    without_tls: bool = False
    host: Annotated[str, Field(min_length=1, validate_default=True)] = "127.0.0.1"
    port: Port = 8080
    local_role: Role = Role.VIEWER
    session_idle_min: Annotated[float, Field(gt=0, le=1440)] = 60.0
    session_hours_most: Annotated[float, Field(gt=0, le=744)] = 12.0
    pages_most: Annotated[int, Field(ge=1, le=10_000)] = 500

    @field_validator("without_users")
    @classmethod
    def _one_of_two(cls, without_users: bool, others: ValidationInfo) -> bool:  # noqa: FBT001  # a setting
        if without_users and others.data.get("users_file"):
            raise ValueError(_BOTH)
        return without_users

    @field_validator("host")
    @classmethod
    def _knows_who_asks_from_beyond_and_nobody_listens(cls, host: str, others: ValidationInfo) -> str:
        said = others.data
        if is_this_machine(host) or not {"certificate_file", "users_file", "without_users"} <= said.keys():
            return host
        lacks_tls = said["certificate_file"] is None and not said.get("without_tls")
        lacks_users = said["users_file"] is None and not said["without_users"]
        if wrong := [words for lacks, words in ((lacks_tls, _NO_TLS), (lacks_users, _NO_USERS)) if lacks]:
            raise ValueError("; and it ".join(wrong))
        return host


def load_configuration() -> Configuration:
    """Read the environment and dotbus.toml.

    Raises:
        ConfigurationRefused: with every mistake of both.
    """
    return load_service_configuration(PREFIX, ConsoleSettings)
