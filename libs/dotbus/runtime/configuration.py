"""The whole configuration of a service: its environment variables and the installation's file, read and checked together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic_settings import BaseSettings

from dotbus.runtime.installation import Installation, load_installation
from dotbus.runtime.mistakes import Collector
from dotbus.runtime.settings import BusSettings, ServiceSettings, load_settings

S = TypeVar("S", bound=BaseSettings)
Check = Callable[[S, Installation, Path], None]
"""Whether a service's own settings and the installation (and where its file is) fit; raises ConfigurationRefused."""


@dataclass(frozen=True)
class ServiceConfiguration(Generic[S]):
    """All that a service is told. `own` are the settings that only it has."""

    service: ServiceSettings
    bus: BusSettings
    own: S
    installation: Installation


def load_service_configuration(prefix: str, kind: type[S], checks: Sequence[Check[S]] = ()) -> ServiceConfiguration[S]:
    """Read the environment and the installation's file.

    Raises:
        ConfigurationRefused: with every mistake in both.
    """
    collector = Collector()
    service = collector.load(lambda: load_settings(ServiceSettings, prefix))
    bus = collector.load(lambda: load_settings(BusSettings, prefix + "MQTT_"))
    own = collector.load(lambda: load_settings(kind, prefix))
    installation = collector.load(lambda: load_installation(service.config)) if service else None
    if service and own and installation:
        for check in checks:
            collector.load(lambda check=check: check(own, installation, service.config))  # type: ignore[misc]
    collector.finish()
    if service is None or bus is None or own is None or installation is None:
        raise RuntimeError("a part of the configuration was refused without a reason")
    return ServiceConfiguration(service, bus, own, installation)
