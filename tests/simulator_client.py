"""A simulator under test: its keys, a clock that tests turn, and clients that trust nothing but those keys."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import requests
import trustme
import zeep

from dotbus.runtime.installation.file import load_installation
from simulators.server import Addresses, running
from simulators.settings import SimulatorSettings

EXAMPLE = Path(__file__).parents[1] / "config" / "dotbus.example.toml"


@dataclass
class Clock:
    """A clock that stands until it is turned."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        """Turn it."""
        self.now += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Keys:
    """PEM files: the authority's certificate, and keys with certificates of the server and of clients."""

    authority: Path
    server: Path
    client: Path
    guest: Path
    sierra: Path
    stranger: Path

    @classmethod
    def made_in(cls, folder: Path) -> Self:
        authority, elsewhere = trustme.CA(), trustme.CA()
        made = {
            "server": authority.issue_cert("127.0.0.1"),
            "client": authority.issue_cert("client@dotbus.test", common_name="TEST_John Smith"),
            "guest": authority.issue_cert("guest@dotbus.test", common_name="guest"),
            "sierra": authority.issue_cert("sierra@dotbus.test", common_name="sierra"),
            "stranger": elsewhere.issue_cert("stranger@dotbus.test", common_name="TEST_John Smith"),
        }
        authority.cert_pem.write_to_path(folder / "authority.pem")
        for name, certificate in made.items():
            certificate.private_key_and_cert_chain_pem.write_to_path(folder / f"{name}.pem")
        return cls(folder / "authority.pem", **{name: folder / f"{name}.pem" for name in made})


@contextmanager
def simulating(keys: Keys, config: Path, clock: Callable[[], datetime], **settings: Any) -> Iterator[Addresses]:
    """A simulator of an installation, on free ports."""
    chosen = SimulatorSettings(
        config=config,
        certificate=keys.server,
        key=keys.server,
        client_ca=keys.authority,
        ads_port=0,
        oasis_port=0,
        admin_port=0,
        **settings,
    )
    with running(chosen, load_installation(config), clock) as addresses:
        yield addresses


@contextmanager
def tls_session(keys: Keys, certificate: Path | None) -> Iterator[requests.Session]:
    """A session that presents a certificate. What the environment says of proxies and authorities does not count."""
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(keys.authority)
        session.cert = str(certificate) if certificate else None
        yield session


def soap_client(address: str, session: requests.Session) -> Any:
    """The operations of a service, from its WSDL."""
    transport = zeep.Transport(session=session, timeout=10, operation_timeout=10)  # type: ignore[no-untyped-call]
    return zeep.Client(f"{address}?wsdl", transport=transport).service  # type: ignore[no-untyped-call]
