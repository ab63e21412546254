"""`dotbus check`: every mistake of a configuration at once, in the file, its map, the services' variables and between them."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ads_ingest.settings import AdsSettings
from ads_ingest.settings import load_configuration as load_ads_ingest
from dotbus.runtime.installation import Installation
from dotbus.runtime.installation_file import InstallationFile, read_installation
from dotbus.runtime.mistakes import Collector, Mistake
from dotbus.runtime.settings import load_settings
from historian.settings import load_configuration as load_historian
from lmp_ingest.settings import OasisSettings
from lmp_ingest.settings import load_configuration as load_lmp_ingest
from modbus_gateway.register_map import RegisterMap, draft_map
from modbus_gateway.settings import load_configuration as load_modbus_gateway

ADS_INGEST, LMP_INGEST = "ADS_INGEST_", "LMP_INGEST_"
SERVICES: Mapping[str, Callable[[], object]] = {
    ADS_INGEST: load_ads_ingest,
    LMP_INGEST: load_lmp_ingest,
    "MODBUS_GATEWAY_": load_modbus_gateway,
    "HISTORIAN_": load_historian,
}


@dataclass(frozen=True)
class _Asked:
    """How often something is asked for, and for how long its last answer counts."""

    what: str
    every_s: float
    told_by: str
    limit: str
    counts_for_s: float


def check_configuration(config: Path) -> None:
    """Check the file, its register map, each service of which at least one variable is set, and how they fit together.

    Raises:
        ConfigurationRefused: with every mistake, each once.
    """
    collector = Collector()
    file = collector.load(lambda: read_installation(config))
    collector.add(file.mistakes if file else ())
    named = {prefix for prefix in SERVICES if any(name.startswith(prefix) for name in os.environ)}
    with _told(config, named):
        for prefix in SERVICES:
            if prefix in named:
                collector.load(SERVICES[prefix])
        if file:
            register_map, mistakes = draft_map(file)
            collector.add([*mistakes, *file.untold(_never_fresh(file, register_map, named))])
    collector.finish()


def load_with_map(config: Path) -> tuple[Installation, RegisterMap]:
    """The file and its register map, for those who read registers.

    Raises:
        ConfigurationRefused: with every mistake of both.
    """
    file = read_installation(config)
    register_map, mistakes = draft_map(file)
    collector = Collector()
    collector.add([*file.mistakes, *mistakes])
    collector.finish()
    return file.installation, register_map


@contextmanager
def _told(config: Path, prefixes: set[str]) -> Iterator[None]:
    """Services that are told no file of their own are checked with this one."""
    added = [name for prefix in prefixes if (name := f"{prefix}CONFIG") not in os.environ]
    os.environ.update(dict.fromkeys(added, str(config)))
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def _never_fresh(file: InstallationFile, register_map: RegisterMap, named: set[str]) -> Iterator[Mistake]:
    """What is asked for more rarely than its answer counts would be stale before each next one."""
    for asked in _asked(file.installation, register_map, named):
        if asked.every_s >= asked.counts_for_s:
            reason = f"is {asked.counts_for_s:g} s, but {asked.what} only every {asked.every_s:g} s ({asked.told_by})"
            yield Mistake(file.where, asked.limit, f"{reason}: values would be stale in between")


def _asked(installation: Installation, register_map: RegisterMap, named: set[str]) -> Iterator[_Asked]:
    judging = installation.modbus
    ads = Collector().load(lambda: load_settings(AdsSettings, ADS_INGEST)) if ADS_INGEST in named else None
    if ads and register_map.members:
        yield _Asked("ADS is asked", ads.poll_s, "ADS_INGEST_POLL_S", "modbus.stale_after_s", judging.stale_after_s)
    lmp = Collector().load(lambda: load_settings(OasisSettings, LMP_INGEST)) if LMP_INGEST in named else None
    if lmp:
        limit = ("modbus.price_stale_after_s", judging.price_stale_after_s)
        for market in dict.fromkeys(price.market for price in register_map.prices):
            every_s = lmp.pace.every[market].total_seconds()
            yield _Asked(f"{market} is asked for", every_s, f"LMP_INGEST_{market}_EVERY_S", *limit)
            if market == "DAM":
                idle_s = lmp.pace.day_ahead_idle.total_seconds()
                yield _Asked("DAM is asked for", idle_s, "LMP_INGEST_DAM_IDLE_EVERY_S", *limit)
