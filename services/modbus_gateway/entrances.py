"""Entrances: the ports that settings ask for, and what is spoken at each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from dotbus.readings.motion import EndsAt
from dotbus.runtime.hanging import Hangs, in_time
from dotbus.runtime.starting import CannotStart
from modbus_gateway.metrics import GatewayMetrics
from modbus_gateway.settings import PREFIX, GatewaySettings
from modbus_gateway.wire.certificates import Credentials, Files, Unusable, days_left
from modbus_gateway.wire.connection import Door
from modbus_gateway.wire.rtu import Rtu
from modbus_gateway.wire.tls import LOOKS, Roles, Secured

READ_WITHIN_S: Final = 10.0
"""How long certificates may take to be read before the gateway says that it cannot start."""


@dataclass(frozen=True)
class Entrance:
    """One port, the settings that say where it is, and when the certificate ends that clients are shown there, if any."""

    host: str
    port: int
    door: Door
    certificate_ends_at: EndsAt | None = None
    host_setting: str = f"{PREFIX}HOST"
    port_setting: str = f"{PREFIX}PORT"


def entrances(
    settings: GatewaySettings, wall: Callable[[], datetime], monotonic_s: Callable[[], float], metrics: GatewayMetrics
) -> Iterator[Entrance]:
    """The ports to listen on.

    Raises:
        CannotStart: certificates that cannot be used.
    """
    yield Entrance(settings.host, settings.port, Door(may_write=True))
    if settings.rtu_port is not None:
        door = Door("Modbus RTU over TCP", Rtu, may_write=True)
        yield _own(settings, settings.rtu_host, settings.rtu_port, door, "RTU")
    if settings.tls_port is not None and settings.tls_files is not None:
        secured = _secured(settings.tls_files, settings.roles, wall, monotonic_s)
        _watch(metrics, lambda: secured.credentials, wall)
        door = Door("Modbus/TCP Security", securing=secured)
        entrance = _own(settings, settings.tls_host, settings.tls_port, door, "TLS")
        yield replace(entrance, certificate_ends_at=lambda: secured.credentials.certificate_ends_at)


def _own(settings: GatewaySettings, host: str | None, port: int, door: Door, name: str) -> Entrance:
    setting = f"{PREFIX}{name}_HOST" if host else f"{PREFIX}HOST"
    return Entrance(host or settings.host, port, door, host_setting=setting, port_setting=f"{PREFIX}{name}_PORT")


def _secured(files: Files, roles: Roles, wall: Callable[[], datetime], monotonic_s: Callable[[], float]) -> Secured:
    try:
        return in_time(lambda: Secured(files, roles, wall, monotonic_s), LOOKS, READ_WITHIN_S)
    except Hangs as hangs:
        raise CannotStart(f"{PREFIX}TLS_CERTIFICATE_FILE, {PREFIX}TLS_CLIENT_CA_FILE: cannot be read: {hangs}") from hangs
    except Unusable as unusable:
        raise CannotStart(f"{PREFIX}TLS_{unusable.setting.upper()}: {unusable}") from unusable


def _watch(metrics: GatewayMetrics, credentials: Callable[[], Credentials], wall: Callable[[], datetime]) -> None:
    metrics.watch_certificates(
        {
            "server": lambda: days_left(credentials().certificate_ends_at, wall()),
            "client authority": lambda: days_left(credentials().client_ca_ends_at, wall()),
        }
    )
