"""First start: every credential of an installation, in one folder per part, made when missing and else left alone.

Each folder goes to one part only (in compose: a volume that no other service mounts): the broker's and the database's
server certificates, passwords and access list, each service's own passwords, and what an operator needs. A certificate
that ends within 30 days is made anew. A password is made once; delete its file to change it.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from dotbus.contracts.messages import Environment
from dotbus.runtime.installation.installation import Installation
from launcher.setup.authority import Authority
from launcher.setup.broker_users import (
    ADS_INGEST,
    CONSOLE,
    CONSOLE_PAGE,
    HISTORIAN,
    REPLAY,
    SERVICES,
    access_list,
    broker_users,
    password_file,
    plant_user,
)
from launcher.setup.credentials import CredentialRefused, describe_pem, require_key_and_certificate, write_secret

AUTHORITY, BROKER, DATABASE, SIMULATOR, OPERATOR = "authority", "mosquitto", "postgres", "simulator", "operator"
API, PROMETHEUS, GRAFANA = "historian_api", "prometheus", "grafana"
MEASURED = (API, CONSOLE, *SERVICES)
"""Who tells metrics, each to who says its token."""
FOLDERS = (AUTHORITY, BROKER, DATABASE, SIMULATOR, OPERATOR, PROMETHEUS, GRAFANA, *MEASURED)
SECRET, PUBLIC = 0o400, 0o444
READER = "reader"
LOCAL = ("localhost", "127.0.0.1")
_PASSWORD_BYTES = 32


@dataclass(frozen=True)
class CaisoCredentials:
    """What CAISO and its participant agreed on, PEM: the client certificate with its key, and who signs CAISO's servers."""

    certificate: bytes | None = None
    authorities: bytes | None = None


class OtherEnvironment(Exception):
    """A plant that runs must not become a simulation because somebody forgot to name its configuration.

    Args:
        before: the environment that the credentials were made for.
    """

    def __init__(self, before: str) -> None:
        super().__init__(
            f"these credentials are of a plant in {before}, and this configuration is a simulation: name the plant's with "
            "DOTBUS_CONFIG (in .env, so that every command finds it), or say with --may-become-simulated "
            "(DOTBUS_MAY_BECOME_SIMULATED=yes) that the change is meant"
        )


@dataclass
class Provision:
    """Makes the credentials below a folder.

    Args:
        folder: holds one folder per part.
        owners: the user id that shall own a part's files; the others keep ours.
        broker_names: names and addresses by which the broker is reached besides `mosquitto` and this machine.
        api_names: the same of the API, besides `historian-api`.
        console_names: the same of the console, besides `console`.
        may_become_simulated: credentials of a real plant may be made into those of a simulation.
    """

    folder: Path
    owners: Mapping[str, int] = field(default_factory=dict)
    broker_names: Sequence[str] = ()
    api_names: Sequence[str] = ()
    console_names: Sequence[str] = ()
    may_become_simulated: bool = False
    changed: list[Path] = field(default_factory=list, init=False)
    """The files that were made or replaced."""

    def run(self, installation: Installation, caiso: CaisoCredentials | None, now: datetime) -> None:
        """Make what is missing.

        Args:
            installation: its topics and plants become the broker's access list.
            caiso: goes to ads_ingest, which without a certificate gets one that only the simulator takes.
            now: certificates are judged and dated by it.

        Raises:
            CredentialRefused: a part of `caiso` is not usable.
            OtherEnvironment: the credentials are a real plant's, and the installation is a simulation.
            OSError: a folder cannot be written.
            ValueError: the authority that is there is damaged; deleting it makes another.
        """
        for name in FOLDERS:
            (self.folder / name).mkdir(mode=0o755, parents=True, exist_ok=True)
        self._remember(installation.environment)
        authority = self._authority(now)
        for name in FOLDERS:
            self._write(name, "ca.pem", authority.issued.certificate, PUBLIC)
        self._server(authority, BROKER, (BROKER, *LOCAL, *self.broker_names), now)
        self._server(authority, DATABASE, (DATABASE, *LOCAL), now)
        self._server(authority, API, (API.replace("_", "-"), *LOCAL, *self.api_names), now)
        self._server(authority, CONSOLE, (CONSOLE, *LOCAL, *self.console_names), now)
        self._server(authority, SIMULATOR, (SIMULATOR, *LOCAL), now)
        self._ads_client(authority, installation.environment, caiso.certificate if caiso else None, now)
        if caiso and caiso.authorities is not None:
            _require("CAISO's CA", caiso.authorities, describe_pem)
            self._write(ADS_INGEST, "caiso-ca.pem", caiso.authorities, PUBLIC)
        self._broker(installation)
        self._database()
        self._watching(authority, now)

    def _remember(self, environment: Environment) -> None:
        path = self._path(AUTHORITY, "environment")
        before = path.read_text(encoding="utf-8") if path.is_file() else environment
        if before != environment and environment is Environment.SIMULATOR and not self.may_become_simulated:
            raise OtherEnvironment(before)
        self._write(AUTHORITY, "environment", environment.encode())

    def _authority(self, now: datetime) -> Authority:
        path = self._path(AUTHORITY, "authority.pem")
        if path.is_file():
            authority = Authority.load(path.read_bytes())
            if authority.lasts(now):
                return authority
        authority = Authority.create(now)
        self._write(AUTHORITY, "authority.pem", authority.issued.pem)
        return authority

    def _server(self, authority: Authority, name: str, names: Sequence[str], now: datetime) -> None:
        if not _still_good(authority, self._path(name, "server.pem"), now, names):
            self._write(name, "server.pem", authority.issue_server(names, now).pem)

    def _ads_client(self, authority: Authority, environment: Environment, given: bytes | None, now: datetime) -> None:
        path = self._path(ADS_INGEST, "client.pem")
        if given is not None:
            _require("the certificate towards ADS", given, require_key_and_certificate)
            self._write(ADS_INGEST, "client.pem", given)
        elif environment is not Environment.SIMULATOR:
            path.unlink(missing_ok=True)  # the simulator's would only be refused by CAISO, with a less clear word
        else:
            self._client(authority, ADS_INGEST, now)

    def _client(self, authority: Authority, name: str, now: datetime) -> None:
        if not _still_good(authority, self._path(name, "client.pem"), now):
            self._write(name, "client.pem", authority.issue_client(name, now).pem)

    def _broker(self, installation: Installation) -> None:
        plants = [plant.name for plant in installation.plants]
        passwords = {service: self._password(service, "mqtt.password") for service in SERVICES}
        passwords[CONSOLE] = self._password(OPERATOR, "mqtt.password")
        passwords[CONSOLE_PAGE] = self._password(CONSOLE, "mqtt.password")
        passwords[REPLAY] = self._password(OPERATOR, f"{REPLAY}.password")
        for plant in plants:
            passwords[plant_user(plant)] = self._password(OPERATOR, f"{plant_user(plant)}.password")
        known = self._path(BROKER, "passwords")
        before = known.read_text(encoding="utf-8") if known.is_file() else ""
        self._write(BROKER, "passwords", password_file(passwords, before).encode())
        self._write(BROKER, "acl", access_list(broker_users(installation.topics, plants)).encode())

    def _database(self) -> None:
        self._password(DATABASE, "superuser.password")
        for role, home in ((HISTORIAN, HISTORIAN), (API, API), (READER, OPERATOR)):
            password = self._password(home, "database.password")
            self._write(DATABASE, f"{role}.password", password.encode())

    def _watching(self, authority: Authority, now: datetime) -> None:
        """Prometheus may ask every service; who has a certificate of ours may ask it: Grafana, its own check, an operator."""
        for service in MEASURED:
            token = self._password(service, "metrics.token")
            self._write(PROMETHEUS, f"{service}.token", token.encode())
        for name in (PROMETHEUS, GRAFANA):
            self._server(authority, name, (name, *LOCAL), now)
        for name in (PROMETHEUS, GRAFANA, OPERATOR):
            self._client(authority, name, now)
        self._password(GRAFANA, "admin.password")

    def _password(self, name: str, file: str) -> str:
        path = self._path(name, file)
        if path.is_file() and (password := path.read_text(encoding="utf-8").strip()):
            return password
        password = secrets.token_urlsafe(_PASSWORD_BYTES)
        self._write(name, file, password.encode())
        return password

    def _write(self, name: str, file: str, content: bytes, mode: int = SECRET) -> None:
        path = self._path(name, file)
        if write_secret(path, content, mode, self.owners.get(name)):
            self.changed.append(path)

    def _path(self, name: str, file: str) -> Path:
        return self.folder / name / file


def _still_good(authority: Authority, path: Path, now: datetime, names: Sequence[str] = ()) -> bool:
    return path.is_file() and authority.vouches_for(path.read_bytes(), now, names)


def _require(what: str, content: bytes, check: Callable[[bytes], object]) -> None:
    try:
        check(content)
    except CredentialRefused as refused:
        raise CredentialRefused(f"{what} {refused}") from refused
