"""The whole configuration of a service: its environment variables and the installation's file, read and checked together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from pydantic_settings import BaseSettings

from dotbus.contracts.messages import Environment
from dotbus.runtime.installation import Installation
from dotbus.runtime.installation_file import InstallationFile, read_installation
from dotbus.runtime.mistakes import Collector, ConfigurationRefused, Mistake
from dotbus.runtime.settings import LOOPBACK, BusSettings, ServiceSettings, load_settings

CAISO_DOMAIN = "caiso.com"
STAGE_SUFFIX = "sta"
"""CAISO's test systems end so: adssta.caiso.com (ADS specification, section 7)."""
S = TypeVar("S", bound=BaseSettings)
Check = Callable[[InstallationFile], object]
"""Whether the installation is what a service needs; raises ConfigurationRefused."""


@dataclass(frozen=True)
class ServiceConfiguration(Generic[S]):
    """All that a service is told. `own` are the settings that only it has."""

    service: ServiceSettings
    bus: BusSettings
    own: S
    installation: Installation


def load_service_configuration(prefix: str, kind: type[S], checks: Sequence[Check] = ()) -> ServiceConfiguration[S]:
    """Read the environment and the installation's file.

    Raises:
        ConfigurationRefused: with every mistake in both.
    """
    collector = Collector()
    service = collector.load(lambda: load_settings(ServiceSettings, prefix))
    bus = collector.load(lambda: load_settings(BusSettings, prefix + "MQTT_"))
    own = collector.load(lambda: load_settings(kind, prefix))
    file = collector.load(lambda: read_installation(service.config)) if service else None
    if file:
        collector.add(file.mistakes)
        for check in checks:
            collector.load(lambda check=check: check(file))  # type: ignore[misc]  # mypy infers no type for a bound default
    collector.finish()
    if service is None or bus is None or own is None or file is None:
        raise RuntimeError("a part of the configuration was refused without a reason")
    return ServiceConfiguration(service, bus, own, file.installation)


def check_environment(url: str, environment: Environment, variable: str) -> None:
    """Whether a CAISO address belongs to the environment that every message will name: test dispatches must not pass for real.

    Raises:
        ConfigurationRefused: CAISO's own host as a simulator, this machine as CAISO, or its stage systems as production.
    """
    host = (urlsplit(url).hostname or "").lower()
    is_caiso = host == CAISO_DOMAIN or host.endswith(f".{CAISO_DOMAIN}")
    is_stage = is_caiso and host.partition(".")[0].endswith(STAGE_SUFFIX)
    if is_caiso and environment is Environment.SIMULATOR:
        reason = "is CAISO's own"
    elif host in LOOPBACK and environment is not Environment.SIMULATOR:
        reason = "is this machine"
    elif is_stage and environment is Environment.PRODUCTION:
        reason = "is one of CAISO's test systems"
    else:
        return
    mistake = Mistake("environment", variable, f"{host} {reason}, but dotbus.toml says environment = {environment}")
    raise ConfigurationRefused([mistake])
