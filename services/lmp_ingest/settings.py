"""Settings of lmp_ingest: LMP_INGEST_* in the environment, and the installation's file."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from caiso.oasis import CAISO_SPACING_S, Bounds, Market, OasisConnection
from dotbus.contracts.messages import Environment
from dotbus.runtime.installation.file import InstallationFile
from dotbus.runtime.settings.addresses import host_of, is_caiso, is_this_machine, web_address
from dotbus.runtime.settings.configuration import ServiceConfiguration, load_service_configuration
from dotbus.runtime.settings.mistakes import ConfigurationRefused, Mistake
from dotbus.runtime.settings.settings import KeepingSettings, load_settings
from dotbus.runtime.settings.values import MB, AuthorityFile, Days, Folder, Megabytes
from lmp_ingest.planning.track import MOST_BY_NAME, Pace

PREFIX = "LMP_INGEST_"

Period = Annotated[float, Field(ge=0.1, le=86400)]
Version = Annotated[int, Field(ge=1, le=99)]


class OasisAddress(BaseSettings):
    """Where OASIS is.

    Attributes:
        url: the address that ends before /SingleZip.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    url: Annotated[str, AfterValidator(lambda url: web_address(url, "http", "https"))] = "https://oasis.caiso.com/oasisapi"

    @property
    def is_private(self) -> bool:
        """Whether nobody on the way can change the prices: TLS, or this machine."""
        return self.url.lower().startswith("https:") or is_this_machine(host_of(self.url))


class OasisPace(BaseSettings):
    """How often OASIS is asked for prices.

    Attributes:
        dam_every_s, ruc_every_s, hasp_every_s, rtpd_every_s, rtm_every_s: between two questions for the same nodes.
        dam_idle_every_s: the same day-ahead and of RUC, while none of its prices is due.
        awaited_every_s: the same while the next price of a real-time market is due and not yet here.
        corrections_every_s: how often the last `corrections_back_h` hours are read again, for what CAISO corrected.
        corrections_far_every_s: how often the last `corrections_far_back_days` days are.
        lookback_h: the longest outage that is bridged.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    dam_every_s: Period = 300.0
    ruc_every_s: Period = 300.0
    dam_idle_every_s: Period = 600.0
    hasp_every_s: Period = 120.0
    rtpd_every_s: Period = 60.0
    rtm_every_s: Period = 30.0
    awaited_every_s: Period = 6.0
    corrections_every_s: Period = 3600.0
    corrections_back_h: Annotated[float, Field(ge=1, le=24 * 28)] = 24.0
    corrections_far_every_s: Period = 86400.0
    corrections_far_back_days: Annotated[float, Field(ge=1, le=28)] = 7.0
    lookback_h: Annotated[float, Field(ge=1, le=24 * 28)] = 48.0

    @property
    def pace(self) -> Pace:
        """How often each market is asked."""
        every_s = {
            Market.DAM: self.dam_every_s,
            Market.RUC: self.ruc_every_s,
            Market.HASP: self.hasp_every_s,
            Market.RTPD: self.rtpd_every_s,
            Market.RTM: self.rtm_every_s,
        }
        return Pace(
            every={market: timedelta(seconds=seconds) for market, seconds in every_s.items()},
            day_ahead_idle=timedelta(seconds=self.dam_idle_every_s),
            awaited_every=timedelta(seconds=self.awaited_every_s),
            wide_every=timedelta(seconds=self.corrections_every_s),
            wide_back=timedelta(hours=self.corrections_back_h),
            far_every=timedelta(seconds=self.corrections_far_every_s),
            far_back=timedelta(days=self.corrections_far_back_days),
            lookback=timedelta(hours=max(self.lookback_h, self.corrections_back_h)),
        )


class OasisSettings(OasisAddress, OasisPace, KeepingSettings):
    """Where OASIS is, how often to ask, how much to take, and where to keep what it said.

    Attributes:
        ca_file: trust these CAs (PEM) in place of the public ones.
        spacing_s: from the start of one request to the start of the next, over all markets.
        timeout_s: the most that one request may take.
        max_reply_mb: the most that one reply may be; `max_unpacked_mb` the same after unpacking.
        dam_version, ruc_version, hasp_version, rtpd_version, rtm_version: of each report, see
            docs/decisions/0004-oasis-report-versions.md.
        most_nodes_by_name: more nodes than so many are asked for as the whole network, of which the others are passed over.
        nodes_per_event: the most nodes in one prices message.
        refresh_s: how often a price that does not change is said again, so that its age shows that CAISO was heard.
        state_dir: the outbox and the quarantine.
    """

    ca_file: AuthorityFile | None = None
    spacing_s: Annotated[float, Field(ge=0, le=300)] = 6.0
    timeout_s: Annotated[float, Field(ge=0.5, le=600)] = 60.0
    max_reply_mb: Megabytes = 64.0
    max_unpacked_mb: Megabytes = 256.0
    dam_version: Version = 12
    ruc_version: Version = 1
    hasp_version: Version = 3
    rtpd_version: Version = 3
    rtm_version: Version = 3
    most_nodes_by_name: Annotated[int, Field(ge=10, le=10_000)] = MOST_BY_NAME
    nodes_per_event: Annotated[int, Field(ge=1, le=1000)] = 100
    refresh_s: Annotated[float, Field(ge=1, le=600)] = 45.0
    state_dir: Folder = Path("var/lmp_ingest")
    outbox_max_age_days: Days = 9.0
    outbox_max_mb: Megabytes = 512.0

    @field_validator("spacing_s")
    @classmethod
    def _is_allowed(cls, spacing_s: float, others: ValidationInfo) -> float:
        if "url" in others.data and is_caiso(host_of(others.data["url"])) and spacing_s < CAISO_SPACING_S:
            raise ValueError(f"{spacing_s:g} is less than the {CAISO_SPACING_S:g} s that CAISO allows")
        return spacing_s

    @property
    def versions(self) -> dict[Market, int]:
        """The version of each market's report."""
        return {
            Market.DAM: self.dam_version,
            Market.RUC: self.ruc_version,
            Market.HASP: self.hasp_version,
            Market.RTPD: self.rtpd_version,
            Market.RTM: self.rtm_version,
        }

    def connection(self, clock: Callable[[], datetime], monotonic_s: Callable[[], float] = time.monotonic) -> OasisConnection:
        """To OASIS.

        Raises:
            TlsFileUnusable: the CA bundle cannot be used.
        """
        return OasisConnection(
            self.url,
            ca_file=self.ca_file,
            user_agent=f"dotbus/{version('dotbus')}",
            timeout_s=self.timeout_s,
            max_reply_bytes=self.max_reply_bytes,
            clock=clock,
            monotonic_s=monotonic_s,
        )

    @property
    def bounds(self) -> Bounds:
        """How much a reply may unpack to."""
        return Bounds(total_bytes=int(self.max_unpacked_mb * MB))

    @property
    def max_reply_bytes(self) -> int:
        """The bound on a reply in bytes."""
        return int(self.max_reply_mb * MB)


Configuration = ServiceConfiguration[OasisSettings]


def load_configuration() -> Configuration:
    """All that lmp_ingest is told.

    Raises:
        ConfigurationRefused: with every mistake in the environment and the installation's file.
    """
    return load_service_configuration(PREFIX, OasisSettings, (_require_trust, _require_nodes))


def _require_trust(file: InstallationFile) -> None:
    oasis = load_settings(OasisAddress, PREFIX)
    is_simulated = file.installation.environment is Environment.SIMULATOR
    if file.is_as_given("environment") and not oasis.is_private and not is_simulated:
        reason = f"{host_of(oasis.url)} is neither asked by HTTPS nor this machine; only a simulator may be asked so"
        raise ConfigurationRefused([Mistake("environment", f"{PREFIX}URL", reason)])


def _require_nodes(file: InstallationFile) -> None:
    wanted, markets, nodes = file.installation, ("prices", "markets"), ("prices", "nodes")
    no_market = not wanted.prices.markets and file.is_as_given(*markets)
    of_resources = file.is_as_given("plant", None, "resource", None, "node")
    no_node = not (wanted.price_nodes or wanted.prices.group) and of_resources and file.is_as_given(*nodes)
    if no_market or no_node:
        reason = "names no node or no market, so there is nothing to ask for"
        raise ConfigurationRefused(file.located([Mistake(file.where, "prices", reason)]))
