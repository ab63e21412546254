"""Where things run, and secrets: each service's environment variables.

Every service has its prefix (`ADS_INGEST_`, `HISTORIAN_`, ...) and the same names for the same things below it.
"""

import os
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from dotbus.runtime.settings.addresses import is_this_machine
from dotbus.runtime.settings.mistakes import ConfigurationRefused, Mistake, mistakes_of, nearest
from dotbus.runtime.settings.values import (
    MB,
    AuthorityFile,
    Days,
    Folder,
    Megabytes,
    Port,
    ReadableFile,
    SecretFile,
    read_secret,
)

_LEAST_BEGINNING: Final = 2
S = TypeVar("S", bound=BaseSettings)
_NEAR: Final = 0.85
"""How like a setting's name a variable must be to be taken for a slip of the pen. Others may be somebody else's: Kubernetes
gives every container HISTORIAN_SERVICE_HOST when a service is called so."""


class BusSettings(BaseSettings):
    """The broker, and who we are there: PREFIX_MQTT_HOST and so on. Secrets may come from a file: PASSWORD_FILE.

    A setting is held against those that are declared before it.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    host: str = "127.0.0.1"
    port: Port = 1883
    protocol: Literal["5", "3.1.1"] = "5"
    username: str | None = None
    password: SecretStr | None = None
    password_file: SecretFile | None = None
    ca_file: Annotated[AuthorityFile | None, Field(validate_default=True)] = None
    key_file: ReadableFile | None = None
    certificate_file: Annotated[ReadableFile | None, Field(validate_default=True)] = None
    keepalive_s: Annotated[int, Field(ge=5, le=3600)] = 15

    @field_validator("password", "password_file")
    @classmethod
    def _one_password_of_somebody(cls, password: object, others: ValidationInfo) -> object:
        if password and "username" in others.data and not others.data["username"]:
            raise ValueError("needs a username, too")
        if password and others.data.get("password"):
            raise ValueError("and the password itself are both given; keep one")
        return password

    @field_validator("ca_file")
    @classmethod
    def _tls_to_another_machine(cls, file: Path | None, others: ValidationInfo) -> Path | None:
        host = others.data["host"]
        if file is None and not is_this_machine(host):
            raise ValueError(f"is missing: {host} is not this machine, so the connection must be TLS")
        return file

    @field_validator("certificate_file")
    @classmethod
    def _pair(cls, file: Path | None, others: ValidationInfo) -> Path | None:
        key = others.data.get("key_file")
        if file is None and key:
            raise ValueError("is missing: a key_file is given")
        if file and "ca_file" in others.data and not others.data["ca_file"]:
            raise ValueError("is for TLS only: give ca_file, too")
        if file and "key_file" in others.data:
            _load_pair(file, key)
        return file

    def read_password(self) -> str | None:
        """The password from where it is kept, None when there is none."""
        return read_secret(self.password_file, self.password)


class ConfigSettings(BaseSettings):
    """Where the installation's file is: PREFIX_CONFIG."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    config: Path = Path("config/dotbus.toml")


class ServiceSettings(ConfigSettings):
    """What every service needs to know besides its own settings: PREFIX_CONFIG, PREFIX_INSTANCE, ...

    Attributes:
        metrics_token_file: what whoever asks for metrics must say; without it everyone is told who reaches the port.
    """

    instance: Annotated[str, Field(min_length=1)] = Field(default_factory=socket.gethostname)
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    health_host: str = "127.0.0.1"
    health_port: Port | None = None
    metrics_token_file: SecretFile | None = None

    def read_metrics_token(self) -> str | None:
        """The token from where it is kept, None when none is asked for."""
        return read_secret(self.metrics_token_file, None)


class KeepingSettings(BaseSettings):
    """Where an ingest keeps what must not be lost, and how much of it: PREFIX_STATE_DIR, ...

    Attributes:
        state_dir: the outbox and the quarantine.
        outbox_max_age_days: how long a published event can be sent again; `outbox_max_mb` the same by size.
        quarantine_max_mb: how much of the replies that were refused is kept.
    """

    state_dir: Folder
    outbox_max_age_days: Days
    outbox_max_mb: Megabytes
    quarantine_max_mb: Megabytes = 100.0

    @property
    def quarantine_max_bytes(self) -> int:
        """The bound on the quarantine in bytes."""
        return int(self.quarantine_max_mb * MB)


def load_settings(kind: type[S], prefix: str, **given: Any) -> S:  # noqa: ANN401  # each as its field
    """Settings of one kind from the environment variables that begin with `prefix`. An empty variable is as good as none.

    What is `given` counts before a variable.

    Raises:
        ConfigurationRefused: with every variable that is missing or wrong.
    """
    try:
        return kind(_env_prefix=prefix, _env_ignore_empty=True, **given)
    except ValidationError as error:
        mistakes = mistakes_of(error, "environment", kind)
        named = [Mistake(mistake.where, (prefix + mistake.key).upper(), mistake.reason) for mistake in mistakes]
        raise ConfigurationRefused(named) from None  # pydantic's own text has the values


def check_names(prefix: str, own: type[BaseSettings], others: Sequence[str] = ()) -> None:
    """Whether a variable of a service is a slip of the pen: it would be passed over, and the setting stay what it is.

    Args:
        prefix: of its variables.
        own: its own settings.
        others: longer prefixes, of another process that has a file of variables together with this one.

    Raises:
        ConfigurationRefused: with every variable that is none of the service's and very like one.
    """
    names = [name for kind in (ServiceSettings, own) for name in kind.model_fields]
    known = [name.upper() for name in (*names, *(f"mqtt_{name}" for name in BusSettings.model_fields))]
    ours = [name for name in os.environ if name.upper().startswith(prefix) and not name.upper().startswith(tuple(others))]
    given = {name: name.upper().removeprefix(prefix) for name in ours}
    meant = {name: _meant(rest, known) for name, rest in given.items() if rest not in known}
    mistakes = [
        Mistake("environment", name, f"is no setting; did you mean {prefix}{like}?") for name, like in meant.items() if like
    ]
    if mistakes:
        raise ConfigurationRefused(mistakes)


def _meant(name: str, known: Sequence[str]) -> str | None:
    """The setting that a name is a slip of, or the beginning of; None when it is like none."""
    begun = (one for one in known if len(name) >= _LEAST_BEGINNING and one.startswith(name))
    return nearest(name, known, _NEAR) or next(begun, None)


def _load_pair(certificate: Path, key: Path | None) -> None:
    try:
        # Without this word for a passphrase OpenSSL would ask for one at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, OSError) as error:
        raise ValueError("and its key are no PEM, do not belong together, or the key has a passphrase") from error
