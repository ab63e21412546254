"""The example of several ADS accounts: it loads as the container that mounts it would load it."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from ads_ingest.accounts import load_accounts

TOP = Path(__file__).parents[2]
EXAMPLE = TOP / "config" / "accounts.example.toml"
NAMES = ("sierra", "delta")


def part(path: str) -> dict[str, Any]:
    said: dict[str, Any] = yaml.safe_load((TOP / path).read_text(encoding="utf-8"))["services"]["ads-ingest"]
    return said


ADDED = part("deploy/accounts.yaml")


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the accounts, and the container's environment with that in place of where it mounts it."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    for name in NAMES:
        authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(str(tmp_path / f"{name}.pem"))
    (tmp_path / "accounts.toml").write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    (mount,) = ADDED["volumes"]
    for name in [name for name in os.environ if name.startswith("ADS_INGEST_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ADS_INGEST_URL", "https://adsws.prod.caiso.com/ADS/APIWebService/v8")
    for name, value in (part("docker-compose.yml")["environment"] | ADDED["environment"]).items():
        monkeypatch.setenv(name, value.replace(mount["target"], str(tmp_path)))
    monkeypatch.setenv("ADS_INGEST_CA_FILE", str(tmp_path / "ca.pem"))
    return tmp_path


def test_the_example_loads_with_the_environment_that_the_compose_file_gives(mounted: Path) -> None:
    accounts = load_accounts()
    assert [account.name for account in accounts] == list(NAMES)
    assert [account.settings.certificate_file for account in accounts] == [mounted / f"{name}.pem" for name in NAMES]
    assert [account.settings.validate_batches for account in accounts] == [False, False], "a copy tells CAISO nothing"
    assert {str(account.settings.url) for account in accounts} == {"https://adsws.prod.caiso.com/ADS/APIWebService/v8"}


def test_the_accounts_are_mounted_read_only_and_their_folder_must_be_named() -> None:
    (mount,) = ADDED["volumes"]
    assert mount["read_only"] is True
    assert mount["bind"] == {"create_host_path": False}
    assert re.match(r"\$\{DOTBUS_ADS_ACCOUNTS:\?", mount["source"])


def test_the_guide_names_the_files_and_the_variables_of_the_example() -> None:
    guide = (TOP / "docs" / "deployment.md").read_text(encoding="utf-8")
    assert "COMPOSE_FILE=docker-compose.yml:deploy/accounts.yaml" in guide
    assert "config/accounts.example.toml" in guide
    assert "DOTBUS_ADS_ACCOUNTS=" in guide
