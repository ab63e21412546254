"""Settings of alarms: ALARMS_* in the environment, and its part of what every service reads."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from alarms.out.secrets import read_secrets
from dotbus.runtime.settings.configuration import ServiceConfiguration, load_service_configuration
from dotbus.runtime.settings.values import Days, Folder, Megabytes

PREFIX = "ALARMS_"


class AlarmsSettings(BaseSettings):
    """Where alarms are kept.

    Attributes:
        state_dir: the outbox: the alarms as they are, and their events.
        secrets_dir: the files of those who are told by e-mail and webhook.
        outbox_max_age_days: how long an event can be sent again; `outbox_max_mb` the same by size.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    state_dir: Folder = Path("var/alarms")
    secrets_dir: Folder | None = None
    outbox_max_age_days: Days = 14.0
    outbox_max_mb: Megabytes = 256.0


Configuration = ServiceConfiguration[AlarmsSettings]


def load_configuration() -> Configuration:
    """Read and check it all.

    Raises:
        ConfigurationRefused: with every mistake of every part.
    """
    return load_service_configuration(
        PREFIX,
        AlarmsSettings,
        checks_together=[lambda told, _file: read_secrets(told.installation.alarms, told.own.secrets_dir)],
    )
