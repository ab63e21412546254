"""The simulator's settings: how fast its market moves, where it listens, whom it lets in."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, FilePath, ValidationError, field_validator

from dotbus.runtime.settings.mistakes import ConfigurationRefused, mistakes_of
from simulators.ads.clients import rights_named

Port = Annotated[int, Field(ge=0, le=65535)]


class SimulatorSettings(BaseModel):
    """Every setting. A port of 0 takes any that is free."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    config: Path
    certificate: FilePath
    key: FilePath
    client_ca: FilePath
    host: str = "127.0.0.1"
    ads_port: Port = 8447
    oasis_port: Port = 8448
    admin_port: Port = 8449
    interval_s: Annotated[int, Field(ge=2, le=3600)] = 300
    history_intervals: Annotated[int, Field(ge=0, le=100_000)] = 2
    oasis_spacing_s: Annotated[float, Field(ge=0)] = 5.0
    group_delay_s: Annotated[float, Field(ge=0)] = 30.0
    extra_nodes: Annotated[int, Field(ge=0, le=50_000)] = 0
    surprises: bool = True
    read_only: tuple[str, ...] = ()
    sees: tuple[str, ...] = ()
    hold_s: Annotated[float, Field(gt=0)] = 120.0
    oversized_mb: Annotated[int, Field(ge=1, le=4096)] = 100
    seed: int = 1

    @field_validator("sees")
    @classmethod
    def _names_clients(cls, sees: tuple[str, ...]) -> tuple[str, ...]:
        rights_named(sees, ())
        return sees


def checked_settings(**given: object) -> SimulatorSettings:
    """Settings from the command line and the environment.

    Raises:
        ConfigurationRefused: with every one that is wrong.
    """
    try:
        return SimulatorSettings.model_validate(given)
    except ValidationError as error:
        raise ConfigurationRefused(mistakes_of(error, "option", SimulatorSettings)) from error
