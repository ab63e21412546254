"""The whole configuration of a service: its environment variables and the installation's file, read and checked together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic_settings import BaseSettings

from dotbus.contracts.messages import Environment
from dotbus.runtime.installation.file import InstallationFile, read_installation
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.settings.addresses import host_of, is_caiso, is_caiso_stage, is_this_machine
from dotbus.runtime.settings.mistakes import Collector, ConfigurationRefused, Mistake
from dotbus.runtime.settings.settings import BusSettings, ConfigSettings, ServiceSettings, check_names, load_settings

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


def load_service_configuration(
    prefix: str,
    kind: type[S],
    checks: Sequence[Check] = (),
    load: Callable[[], S] | None = None,
    others: Sequence[str] = (),
    checks_together: Sequence[Callable[["ServiceConfiguration[S]", InstallationFile], object]] = (),
) -> ServiceConfiguration[S]:
    """Read the environment and the installation's file.

    Args:
        prefix: of the service's variables.
        kind: its own settings.
        checks: whether the installation is what it needs.
        load: its own settings from elsewhere than the environment alone.
        others: longer prefixes that are another process's.
        checks_together: whether the settings and the installation fit each other, where both can be read.

    Raises:
        ConfigurationRefused: with every mistake in both.
    """
    collector = Collector()
    service = collector.load(lambda: load_settings(ServiceSettings, prefix))
    bus = collector.load(lambda: load_settings(BusSettings, prefix + "MQTT_"))
    own = collector.load(load or (lambda: load_settings(kind, prefix)))
    collector.load(lambda: check_names(prefix, kind, others))
    config = load_settings(ConfigSettings, prefix).config
    file = collector.load(lambda: read_installation(config))
    if file:
        collector.add(file.mistakes)
        for check in checks:
            collector.load(lambda check=check: check(file))  # type: ignore[misc]  # mypy infers no type for a bound default
    told = ServiceConfiguration(service, bus, own, file.installation) if service and bus and own and file else None
    if told and file:
        for check_both in checks_together:
            collector.load(lambda check=check_both: check(told, file))  # type: ignore[misc]  # as above
    collector.finish()
    if told is None:
        raise RuntimeError("a part of the configuration was refused without a reason")
    return told


def check_environment(url: str, environment: Environment, variable: str) -> None:
    """Whether a CAISO address belongs to the environment that every message will name: test dispatches must not pass for real.

    Raises:
        ConfigurationRefused: CAISO's own host as a simulator, this machine as CAISO, or its stage systems as production.
    """
    host = host_of(url)
    if is_caiso(host) and environment is Environment.SIMULATOR:
        reason = "is CAISO's own"
    elif is_this_machine(host) and environment is not Environment.SIMULATOR:
        reason = "is this machine"
    elif is_caiso_stage(host) and environment is Environment.PRODUCTION:
        reason = "is one of CAISO's test systems"
    else:
        return
    mistake = Mistake("environment", variable, f"{host} {reason}, but dotbus.toml says environment = {environment}")
    raise ConfigurationRefused([mistake])
