"""Accounts: each certificate that CAISO knows us by, with its end, and the whole configuration of the service around them.

One account needs no name: the environment says all of it. Several are listed in a file, ADS_INGEST_ACCOUNTS_FILE: a table for
each, whose keys are the variables' names in small letters. What a table leaves out is as the environment says, for all of them.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from pydantic_settings import BaseSettings, SettingsConfigDict

from ads_ingest.settings import PREFIX, AdsLocation, AdsPace, AdsSettings
from caiso.certificate import CertificateUnusable, days_left, read_expiry
from caiso.tls import file_versions
from dotbus.runtime.installation.file import InstallationFile
from dotbus.runtime.logs import get_logger
from dotbus.runtime.settings.configuration import ServiceConfiguration, check_environment, load_service_configuration
from dotbus.runtime.settings.mistakes import Collector, ConfigurationRefused, Mistake, did_you_mean
from dotbus.runtime.settings.settings import load_settings
from dotbus.runtime.settings.values import ReadableFile

_FILES: Final = ("certificate_file", "key_file", "ca_file")
_OWN: Final = ("certificate_file", "key_file")
"""What two accounts cannot share: it is not taken from the environment."""
_KEYS: Final = (
    *AdsLocation.model_fields,
    *AdsPace.model_fields,
    *_FILES,
    *("namespace", "timeout_s", "no_batch_alarm_min", "max_reply_mb", "validate_batches"),
)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
SOON_DAYS = 30.0
"""From here on somebody has to ask CAISO for a new one."""
REMIND_EVERY = timedelta(days=1)


@dataclass(frozen=True)
class Account:
    """One ADS account.

    Attributes:
        name: in the names of its upstreams, of its folders and in the log; empty for the only one.
        settings: what is asked, how and as whom.
    """

    name: str
    settings: AdsSettings

    def named(self, what: str) -> str:
        """The name of something that each account has: an upstream, a cursor."""
        return f"{what}/{self.name}" if self.name else what

    def folder(self, name: str) -> Path:
        """A folder of its own."""
        return self.settings.state_dir / name / self.name if self.name else self.settings.state_dir / name


@dataclass(frozen=True)
class Configuration(ServiceConfiguration[AdsSettings]):
    """All that ads_ingest is told. `own` are the settings of the first account, what is kept among them, which is of all."""

    accounts: tuple[Account, ...] = ()


class _AccountsFile(BaseSettings):
    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    accounts_file: ReadableFile | None = None
    certificate_file: str | None = None
    key_file: str | None = None


def load_configuration() -> Configuration:
    """All that ads_ingest is told.

    Raises:
        ConfigurationRefused: with every mistake in the environment, the accounts' file and the installation's file.
    """
    accounts: list[Account] = []

    def load() -> AdsSettings:
        accounts.extend(load_accounts())
        return accounts[0].settings

    def speak_for_their_environment(file: InstallationFile) -> None:
        _check_environments(accounts, file)

    read = load_service_configuration(PREFIX, AdsSettings, [speak_for_their_environment], load)
    return Configuration(read.service, read.bus, read.own, read.installation, tuple(accounts))


def load_accounts() -> list[Account]:
    """Every account: those of the file, or the one of the environment.

    Raises:
        ConfigurationRefused: with every mistake in them.
    """
    told = load_settings(_AccountsFile, PREFIX)
    if told.accounts_file is None:
        return [Account("", load_settings(AdsSettings, PREFIX))]
    collector, where = Collector(), str(told.accounts_file)
    collector.add(
        Mistake("environment", (PREFIX + key).upper(), f"is of one account; {where} has several, and names the file of each")
        for key in _OWN
        if getattr(told, key)
    )
    tables = _tables(told.accounts_file)
    collector.add(_name_mistakes(tables, where))
    accounts = [
        Account(str(table.get("name")), settings)
        for number, table in enumerate(tables)
        if (settings := collector.load(lambda n=number, t=table: _settings(t, told.accounts_file, n)))  # type: ignore[misc]
    ]
    collector.finish()
    return accounts


def load_paces() -> dict[str, AdsPace]:
    """How often CAISO is asked for each account by its name, whether its files can be used or not.

    Raises:
        ConfigurationRefused: with every mistake in that.
    """
    told = load_settings(_AccountsFile, PREFIX)
    if told.accounts_file is None:
        return {"": load_settings(AdsPace, PREFIX)}
    paces = {}
    for table in _tables(told.accounts_file):
        given = {key: table[key] for key in AdsPace.model_fields if key in table}
        paces[str(table.get("name"))] = load_settings(AdsPace, PREFIX, **given)
    return paces


def _tables(path: Path) -> list[dict[str, Any]]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigurationRefused([Mistake(str(path), "", f"cannot be read: {error.strerror}")]) from error
    except ValueError as error:
        raise ConfigurationRefused([Mistake(str(path), "", f"is not TOML: {error}")]) from error
    others = [
        Mistake(str(path), key, "is no key of this file; it has [[account]] only") for key in document if key != "account"
    ]
    tables = document.get("account")
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise ConfigurationRefused([*others, Mistake(str(path), "account", "must be a list of tables: [[account]]")])
    if others:
        raise ConfigurationRefused(others)
    return tables


def _name_mistakes(tables: list[dict[str, Any]], where: str) -> Iterator[Mistake]:
    names: list[object] = []
    for number, name in enumerate(table.get("name") for table in tables):
        key = f"account[{number}].name"
        if name is None:
            yield Mistake(where, key, "is missing")
        elif not isinstance(name, str) or not _NAME.fullmatch(name):
            yield Mistake(where, key, "must be letters, digits, - _ and . only, at most 40: folders are called so")
        elif name in names:
            yield Mistake(where, key, f"{name!r} is given twice")
        names.append(name)


def _settings(table: dict[str, Any], file: Path, number: int) -> AdsSettings:
    """The settings of one account, its files found from where the accounts' file is."""
    where, at = str(file), f"account[{number}]"
    unknown = [key for key in table if key not in (*_KEYS, "name")]
    mistakes = [Mistake(where, f"{at}.{key}", f"is no key of this table{did_you_mean(key, _KEYS)}") for key in unknown]
    given = {key: value for key, value in table.items() if key in _KEYS}
    given |= {key: file.parent / value for key, value in given.items() if key in _FILES and isinstance(value, str)}
    try:
        settings = load_settings(AdsSettings, PREFIX, **dict.fromkeys(("key_file",)) | given)
    except ConfigurationRefused as refused:
        for mistake in refused.mistakes:
            key = mistake.key.removeprefix(PREFIX).lower()
            is_of_table = key in given or key in _OWN
            mistakes.append(Mistake(where, f"{at}.{key}", mistake.reason) if is_of_table else mistake)
        settings = None
    if "certificate_file" not in given and not any(mistake.key == f"{at}.certificate_file" for mistake in mistakes):
        mistakes.append(Mistake(where, f"{at}.certificate_file", "is missing"))
    if mistakes or settings is None:
        raise ConfigurationRefused(mistakes)
    return settings


def _check_environments(accounts: list[Account], file: InstallationFile) -> None:
    if not file.is_as_given("environment"):
        return
    urls = {account.name: account.settings.url for account in accounts} or {"": load_settings(AdsLocation, PREFIX).url}
    for name, url in urls.items():
        check_environment(url, file.installation.environment, f"{PREFIX}URL" if not name else f"url of account {name}")


class ClientCertificate:
    """Knows when the certificate ends, reads it again when its files were replaced, and reminds of its end daily.

    Args:
        certificate_file: the certificate.
        key_file: its key, None when it is in the same file.

    Raises:
        CertificateUnusable: CAISO cannot be shown it.
    """

    def __init__(self, certificate_file: Path, key_file: Path | None) -> None:
        self._files = (certificate_file, key_file)
        self._versions = file_versions(*self._files)
        self._expires_at = read_expiry(*self._files)
        self._reminded_at: datetime | None = None
        self._complaint: str | None = None
        self._log = get_logger("certificate")

    def days_left(self, now: datetime) -> float:
        """Days until it ends; below zero when it has."""
        return days_left(self._expires_at, now)

    def look(self, now: datetime, not_renewed: str | None) -> None:
        """Look whether it was replaced, and warn if it is time to.

        Args:
            now: the time.
            not_renewed: why what replaced it, or the CA bundle, is not used yet; None when it is.
        """
        self._complain(self._read_again() or not_renewed)
        left = self.days_left(now)
        if left > SOON_DAYS or (self._reminded_at and now - self._reminded_at < REMIND_EVERY):
            return
        self._reminded_at = now
        ends = {"file": str(self._files[0]), "expires_at": self._expires_at.isoformat(), "days_left": round(left, 1)}
        if left > 0:
            self._log.warning("the client certificate ends soon", **ends, next="put a new one in its place")
        else:
            self._log.error("the client certificate has ended; CAISO will refuse it", **ends, next="put a new one in its place")

    def _read_again(self) -> str | None:
        """Returns why what is there cannot be used. The key may be replaced later than the certificate."""
        versions = file_versions(*self._files)
        if versions == self._versions:
            return None
        try:
            self._expires_at = read_expiry(*self._files)
        except CertificateUnusable as error:
            return str(error)
        self._versions, self._reminded_at = versions, None
        self._log.info("the client certificate was renewed", file=str(self._files[0]), expires_at=self._expires_at.isoformat())
        return None

    def _complain(self, complaint: str | None) -> None:
        if complaint and complaint != self._complaint:
            self._log.error("what replaced the certificate or the CA bundle cannot be used; the old one is", cause=complaint)
        self._complaint = complaint
