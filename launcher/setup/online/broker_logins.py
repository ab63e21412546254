"""Who logs in at the broker, and what each says and hears, which is what the broker's access list should let it.

Each service whose variables are set, whoever looks by hand, and the users whose passwords lie beside his: the plants'. Or, with
the folder of `dotbus certificates init`, every user of that.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alarms.settings import PREFIX as ALARMS_VARIABLES
from console.settings import PREFIX as CONSOLE_VARIABLES
from dotbus.runtime.installation.file import InstallationFile
from dotbus.runtime.settings.mistakes import Mistake
from dotbus.runtime.settings.settings import BusSettings, load_settings
from historian.settings import PREFIX as HISTORIAN_VARIABLES
from launcher.places import PREFIX
from launcher.setup.broker_users import (
    ADS_INGEST,
    ALARMS,
    CONSOLE,
    CONSOLE_PAGE,
    HISTORIAN,
    LMP_INGEST,
    MODBUS_GATEWAY,
    REPLAY,
    BrokerUser,
    broker_users,
    plant_user,
)
from launcher.setup.check import ADS_INGEST as ADS_VARIABLES
from launcher.setup.check import LMP_INGEST as LMP_VARIABLES
from launcher.setup.online.answers import FoundMistake, found
from launcher.setup.provision import OPERATOR
from modbus_gateway.settings import PREFIX as GATEWAY_VARIABLES

BUS: Final = "MQTT_"
_USERS: Final = {
    ADS_VARIABLES: ADS_INGEST,
    LMP_VARIABLES: LMP_INGEST,
    GATEWAY_VARIABLES: MODBUS_GATEWAY,
    HISTORIAN_VARIABLES: HISTORIAN,
    ALARMS_VARIABLES: ALARMS,
    CONSOLE_VARIABLES: CONSOLE_PAGE,
    PREFIX: CONSOLE,
}
"""Whose part each service plays at the broker, where the name of its user does not tell."""
_HOMES: Final = {CONSOLE: OPERATOR, CONSOLE_PAGE: CONSOLE}
"""Whose folder of credentials is not called after the user."""


@dataclass(frozen=True)
class Login:
    """One user of the broker, as somebody here logs in.

    Attributes:
        variables: the beginning of those that say so, or the file of the password.
        settings: where the broker is, and who we are there.
        user: what this user says and hears.
        place: where the installation's file names it, a plant's; None where it does not.
    """

    variables: str
    settings: BusSettings
    user: BrokerUser
    place: FoundMistake | None = None

    @property
    def asked(self) -> str:
        """Who is asked as whom."""
        return f"broker at {self.settings.host}:{self.settings.port} as {self.settings.username or 'nobody'}"


def broker_logins(file: InstallationFile, named: Sequence[str], credentials: Path | None = None) -> Iterator[Login]:
    """Everyone whose password is here.

    Args:
        file: its topics and plants.
        named: the prefixes of the services that have variables here.
        credentials: the folder of `dotbus certificates init`, whose users are asked in place of those that services' variables
            name; where the broker is say DOTBUS_MQTT_ variables.

    Raises:
        ConfigurationRefused: with every mistake in the variables of one, and of each password that cannot be read.
    """
    users = _users(file)
    for prefix, user in _USERS.items():
        own = credentials / _HOMES.get(user, user) if credentials else None
        if own and own.is_dir():
            yield Login(f"{own}/mqtt.password", _from(own, user, "mqtt"), users[user])
        elif own is None and (prefix in named or (prefix == PREFIX and asks_by_hand())):
            settings = load_settings(BusSettings, prefix + BUS)
            yield Login(prefix + BUS, settings, users.get(settings.username or "", users[user]))
    places, folder = _places(file), _operators(credentials)
    for name in (*places, REPLAY):
        if folder and name in users and (folder / f"{name}.password").is_file():
            yield Login(f"{folder}/{name}.password", _from(folder, name, name), users[name], places.get(name))


def plants_without_password(file: InstallationFile, credentials: Path | None = None) -> Iterator[FoundMistake]:
    """Plants that the broker cannot know yet: the others' passwords are here."""
    folder, places = _operators(credentials), _places(file)
    files = {user: folder / f"{user}.password" for user in places} if folder else {}
    if any(path.is_file() for path in files.values()):
        for user, path in files.items():
            if not path.is_file():
                said = f"there is no {path}: `dotbus certificates init` makes the plant's user; restart the broker then"
                yield reason_at(places[user], said)


def reason_at(place: FoundMistake, reason: str) -> FoundMistake:
    """A place of the file, with what is wrong there."""
    return FoundMistake(where=place.where, key=place.key, line=place.line, whose=place.whose, reason=reason)


def asks_by_hand() -> bool:
    """Whether variables say how somebody looks at the broker by hand."""
    return any(name.upper().startswith(PREFIX + BUS) for name in os.environ)


def _from(folder: Path, user: str, name: str) -> BusSettings:
    """The broker that is looked at by hand, with the credentials of a part."""
    own: dict[str, object] = {"username": user, "password_file": folder / f"{name}.password"}
    if (authority := folder / "ca.pem").is_file() and load_settings(BusSettings, PREFIX + BUS, **own).ca_file:
        own["ca_file"] = authority
    return load_settings(BusSettings, PREFIX + BUS, **own)


def _operators(credentials: Path | None) -> Path | None:
    """The folder of whoever looks by hand, with the passwords of plants."""
    if credentials:
        return credentials / OPERATOR
    file = load_settings(BusSettings, PREFIX + BUS).password_file if asks_by_hand() else None
    return file.parent if file else None


def _users(file: InstallationFile) -> dict[str, BrokerUser]:
    plants = [plant.name for plant in file.installation.plants]
    return {user.name: user for user in broker_users(file.installation.topics, plants)}


def _places(file: InstallationFile) -> dict[str, FoundMistake]:
    """The place of each plant in the file, by the name of its user."""
    plants = enumerate(file.installation.plants)
    mistakes = {plant_user(plant.name): Mistake(file.where, f"plant[{i}].name", "") for i, plant in plants}
    return dict(zip(mistakes, found(file.located(mistakes.values())), strict=True))
