"""Whether the gateway's Modbus port answers, and serves every unit of the map: where a gateway is meant to run."""

import os
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from dotbus.runtime.installation.file import InstallationFile
from dotbus.runtime.settings.settings import load_settings
from launcher.places import PREFIX as BY_HAND
from launcher.places import PlacesSettings
from launcher.setup.online.answers import Answer, Inquiry, Whom
from modbus_gateway.map.draft import draft_map
from modbus_gateway.map.register_map import RegisterMap
from modbus_gateway.settings import PREFIX, GatewaySettings
from modbus_gateway.wire.admission import Limits
from modbus_gateway.wire.client import Client, NoAnswer

ANSWER_WITHIN_S: Final = 3.0
_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # where the gateway listens, not we
"""Who listens on every address is asked on this machine's own."""


def ask_modbus(file: InstallationFile, named: Sequence[str]) -> Iterator[Inquiry]:
    """The question for the gateway; none where no variable says that there is one.

    `DOTBUS_MODBUS_HOST` and `_PORT` say where it is reached; without them it is where it listens.

    Args:
        file: its map.
        named: the prefixes of the services that have variables here.

    Raises:
        ConfigurationRefused: with every mistake in the variables.
    """
    place = _place(named)
    if place:
        register_map, _mistakes = draft_map(file)
        limits = load_settings(GatewaySettings, PREFIX).limits if PREFIX in named else Limits()
        yield Inquiry(Whom.MODBUS, _asked(*place), partial(ask, *place, register_map, limits))


def ask(host: str, port: int, register_map: RegisterMap, limits: Limits) -> list[Answer]:
    """Read every value of the map once, and say how many there are; of a gateway that lets us not, whether it is there."""
    try:
        with Client(host, port, ANSWER_WITHIN_S) as client:
            if not limits.allows(client.ours):
                closed = f"is there, and turns us ({client.ours}) away as MODBUS_GATEWAY_ALLOW_CLIENTS says: not read"
                return [_answer(host, port, closed, good=True)]
            many = sum(1 for _ in client.read(register_map))
    except NoAnswer as silent:
        return [_answer(host, port, str(silent), good=False)]
    units = ", ".join(map(str, sorted(register_map.units)))
    said = f"answers; {many} values of unit{'s' if len(register_map.units) > 1 else ''} {units} can be read"
    return [_answer(host, port, said, good=True)]


def _answer(host: str, port: int, said: str, *, good: bool) -> Answer:
    return Answer(whom=Whom.MODBUS, asked=_asked(host, port), good=good, said=said)


def _place(named: Sequence[str]) -> tuple[str, int] | None:
    if any(name.upper().startswith(f"{BY_HAND}MODBUS_") for name in os.environ):
        places = load_settings(PlacesSettings, BY_HAND)
        return places.modbus_host, places.modbus_port
    if PREFIX in named:
        own = load_settings(GatewaySettings, PREFIX)
        return _ANY.get(own.host, own.host), own.port
    return None


def _asked(host: str, port: int) -> str:
    return f"Modbus gateway at {host}:{port}"
