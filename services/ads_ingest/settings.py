"""Settings of ads_ingest: ADS_INGEST_* in the environment, and the installation's file."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from caiso.ads import AdsAddress, UnknownAddress
from caiso.certificate import CertificateUnusable, read_expiry
from dotbus.runtime.settings.addresses import web_address
from dotbus.runtime.settings.settings import KeepingSettings
from dotbus.runtime.settings.values import MB, AuthorityFile, Days, Folder, Megabytes, ReadableFile, SecretFile, read_secret

PREFIX = "ADS_INGEST_"
HISTORIAN_PREFIX: Final = "HISTORIAN_"
_SCHEMES: Final = {"postgresql", "postgresql+psycopg2", "postgres"}


def _names_a_version(url: str) -> str:
    try:
        AdsAddress.of(url)
    except UnknownAddress as error:
        raise ValueError(f"must end as CAISO writes it, in /APIWebService/v8: {error}") from error
    return url


class AdsLocation(BaseSettings):
    """Where ADS is.

    Attributes:
        url: the APIWebService endpoint, HTTPS because CAISO knows us by our certificate.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    url: Annotated[str, AfterValidator(lambda url: web_address(url, "https")), AfterValidator(_names_a_version)]


class AdsPace(BaseSettings):
    """How often ADS is asked.

    Attributes:
        poll_s: from the beginning of a round to that of the next (specification, section 4: 10 s).
        recheck_s: how often a batch whose interval has not ended is asked for its revision; then once more.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    poll_s: Annotated[float, Field(ge=0.1, le=300)] = 10.0
    recheck_s: Annotated[float, Field(ge=0.1, le=300)] = 30.0

    @property
    def confirmed_after_s(self) -> float:
        """When a batch is confirmed again at the latest, should one question for it fail: each may be late by a round."""
        return self.recheck_s + 2 * self.poll_s


class AdsSettings(AdsLocation, AdsPace, KeepingSettings):
    """Where ADS is, who we are there, how often to ask, and where to keep what it said.

    Attributes:
        accounts_file: several ADS accounts, each with what it does not share with the others (`ads_ingest.accounts`).
        namespace: of the request element; CAISO's since 2005.
        certificate_file: the participant's certificate as PEM, its key beside it or in `key_file`, not encrypted.
        ca_file: CAISO's root and issuing CA as PEM; nothing else is trusted.
        timeout_s: the most that one question may take.
        no_batch_alarm_min: how long CAISO may answer without a new dispatch batch before that is told.
        max_reply_mb: the most that one reply, or the document packed in it, may be.
        validate_batches: tell CAISO that a batch was received (validateDispatchBatch). CAISO notes that for the participant,
            whichever of its clients says it, so that a trial beside another client must not.
        state_dir: the outbox, the quarantine, the latest files and the archive.
        archive_max_age_days: how long a document of CAISO's is kept as it came; `archive_max_mb` the same by size.
    """

    accounts_file: ReadableFile | None = None
    namespace: str = "urn-com-caiso-ads-webservices-api"
    key_file: ReadableFile | None = None
    certificate_file: ReadableFile
    ca_file: AuthorityFile
    timeout_s: Annotated[float, Field(ge=0.5, le=300)] = 30.0
    no_batch_alarm_min: Annotated[float, Field(ge=1, le=1440)] = 20.0
    max_reply_mb: Annotated[float, Field(gt=0, le=512)] = 64.0
    validate_batches: bool = False
    state_dir: Folder = Path("var/ads_ingest")
    outbox_max_age_days: Days = 14.0
    outbox_max_mb: Megabytes = 2048.0
    archive_max_age_days: Days = 14.0
    archive_max_mb: Megabytes = 1024.0

    @field_validator("certificate_file")
    @classmethod
    def _is_usable(cls, certificate_file: Path, others: ValidationInfo) -> Path:
        """With its key, which is declared before it."""
        if "key_file" not in others.data:
            return certificate_file
        try:
            read_expiry(certificate_file, others.data["key_file"])
        except CertificateUnusable as error:
            raise ValueError(str(error)) from error
        return certificate_file

    @property
    def max_reply_bytes(self) -> int:
        """The bound on a reply in bytes."""
        return int(self.max_reply_mb * MB)

    @property
    def archive_max_age(self) -> timedelta:
        """The bound on the archive's age."""
        return timedelta(days=self.archive_max_age_days)

    @property
    def archive_max_bytes(self) -> int:
        """The bound on the archive in bytes."""
        return int(self.archive_max_mb * MB)


class ArchiveSettings(BaseSettings):
    """Where the service keeps its state, of which the archive is a part."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    state_dir: Path = Path("var/ads_ingest")

    @property
    def archive(self) -> Path:
        """CAISO's documents as they came."""
        return self.state_dir / "archive"


class HistorianSettings(BaseSettings):
    """Where the historian's database is. A user who may read it is enough.

    Attributes:
        database_url: postgresql://USER@HOST:PORT/DATABASE.
        database_password_file: holds the password, in place of one in the address.
        database_schema: where the tables are.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    database_url: SecretStr
    database_password_file: SecretFile | None = None
    database_schema: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_$-]{0,62}$")] = "dotbus"

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, url: SecretStr) -> SecretStr:
        if url.get_secret_value().partition("://")[0] not in _SCHEMES:
            raise ValueError("is no PostgreSQL address, such as postgresql://user@host/database")
        return url

    @property
    def address(self) -> str:
        """As libpq reads it, which knows no name of a driver."""
        return "postgresql://" + self.database_url.get_secret_value().partition("://")[2]

    def read_database_password(self) -> str | None:
        """The password from its file; None when the address says it or none is needed."""
        return read_secret(self.database_password_file)
