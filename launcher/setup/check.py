"""`dotbus check`: every mistake of a configuration at once, in the file, its map, the services' variables and between them."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ads_ingest.accounts import load_configuration as load_ads_ingest
from ads_ingest.accounts import load_paces
from alarms.settings import PREFIX as ALARMS
from alarms.settings import load_configuration as load_alarms
from caiso.oasis import REPORTS, Market
from console.settings import PREFIX as CONSOLE
from console.settings import load_configuration as load_console
from dotbus.runtime.installation.file import InstallationFile, read_installation
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.installation.toml_values import NodeGroup
from dotbus.runtime.settings.mistakes import Collector, ConfigurationRefused, Mistake, key_of
from dotbus.runtime.settings.settings import load_settings
from historian.api.settings import load_api_configuration
from historian.settings import API_PREFIX
from historian.settings import PREFIX as HISTORIAN
from historian.settings import load_configuration as load_historian
from lmp_ingest.settings import OasisPace
from lmp_ingest.settings import load_configuration as load_lmp_ingest
from modbus_gateway.map.draft import draft_map
from modbus_gateway.map.register_map import RegisterMap
from modbus_gateway.settings import PREFIX as MODBUS_GATEWAY
from modbus_gateway.settings import load_configuration as load_modbus_gateway

ADS_INGEST, LMP_INGEST = "ADS_INGEST_", "LMP_INGEST_"
SERVICES: Mapping[str, Callable[[], object]] = {
    ADS_INGEST: load_ads_ingest,
    LMP_INGEST: load_lmp_ingest,
    MODBUS_GATEWAY: load_modbus_gateway,
    HISTORIAN: load_historian,
    CONSOLE: load_console,
    API_PREFIX: load_api_configuration,
    ALARMS: load_alarms,
}
_STALE_AFTER: Final = ("modbus", "stale_after_s")
_PRICE_STALE_AFTER: Final = ("modbus", "price_stale_after_s")


@dataclass(frozen=True)
class _Asked:
    """How often something is asked for, by which variable, and where the file says for how long its last answer counts."""

    what: str
    every_s: float
    told_by: str
    limit: tuple[str, str]


def named_services() -> list[str]:
    """The prefixes of the services of which a variable is set. Of prefixes that begin alike the longer one is meant."""
    meant = {max((one for one in SERVICES if name.upper().startswith(one)), key=len, default="") for name in os.environ}
    return [prefix for prefix in SERVICES if prefix in meant]


def check_configuration(config: Path) -> InstallationFile:
    """Check the file, its register map, each service of which at least one variable is set, and how they fit together.

    Returns what the file says, which has no mistakes.

    Raises:
        ConfigurationRefused: with every mistake, each once.
    """
    collector = Collector()
    file = collector.load(lambda: read_installation(config))
    named = named_services()
    if file:
        register_map, mistakes = draft_map(file)
        collector.add([*file.mistakes, *mistakes, *file.located(_never_fresh(file, register_map, named))])
    with _reading(config, named):
        for prefix in named:
            collector.load(SERVICES[prefix])
    collector.finish()
    if file is None:
        raise RuntimeError("the file was refused without a reason")
    return file


def what_a_group_is(installation: Installation) -> str | None:
    """What asking for a whole group of nodes means, as a line for people; None where all nodes are named."""
    prices = installation.prices
    if prices.group is None:
        return None
    many = "every node that CAISO prices, about 16,600" if prices.group is NodeGroup.ALL else "every aggregated node"
    said = f"events of all of them ({', '.join(prices.markets)}), states of the {len(installation.price_nodes)} that are named"
    return f"[prices] {prices.group} is {many}: {said}; what it costs is in services/lmp_ingest/README.md"


@contextmanager
def _reading(config: Path, prefixes: list[str]) -> Iterator[None]:
    """Services that are told no file of their own, or this one by another path, are checked with this one."""
    before = {name: os.environ.get(name) for prefix in prefixes for name in [f"{prefix}CONFIG"]}
    ours = [name for name, told in before.items() if not told or Path(told).absolute() == config.absolute()]
    os.environ.update(dict.fromkeys(ours, str(config)))
    try:
        yield
    finally:
        for name in ours:
            del os.environ[name]
        os.environ.update({name: told for name, told in before.items() if told is not None})


def _never_fresh(file: InstallationFile, register_map: RegisterMap, named: list[str]) -> Iterator[Mistake]:
    """What is asked for more rarely than its answer counts would be stale before each next one."""
    judging = file.installation.modbus
    counts_for_s = {_STALE_AFTER: judging.stale_after_s, _PRICE_STALE_AFTER: judging.price_stale_after_s}
    for asked in (*_ads_asked(register_map, named, judging.stale_after_s), *_oasis_asked(register_map, named)):
        if asked.every_s >= counts_for_s[asked.limit] and file.is_as_given(*asked.limit):
            told = f"is {counts_for_s[asked.limit]:g} s, but {asked.what} only every {asked.every_s:g} s ({asked.told_by})"
            yield Mistake(file.where, key_of(asked.limit), f"{told}: values would be stale in between")


def _ads_asked(register_map: RegisterMap, named: list[str], counts_for_s: float) -> Iterator[_Asked]:
    """What is new, and whether a batch still holds: a state is as old as the older of the two answers."""
    with suppress(ConfigurationRefused):  # the service itself tells it
        if ADS_INGEST in named and register_map.members:
            for account, pace in load_paces().items():
                poll, recheck = (_told_by(account, key) for key in ("poll_s", "recheck_s"))
                yield _Asked("ADS is asked", pace.poll_s, poll, _STALE_AFTER)
                if pace.poll_s < counts_for_s:  # else it follows from that
                    told_by = f"{recheck} + 2 * {poll}"
                    yield _Asked("ADS tells whether a batch still holds", pace.confirmed_after_s, told_by, _STALE_AFTER)


def _told_by(account: str, key: str) -> str:
    return f"{key} of account {account}" if account else f"{ADS_INGEST}{key.upper()}"


def _oasis_asked(register_map: RegisterMap, named: list[str]) -> Iterator[_Asked]:
    with suppress(ConfigurationRefused):  # the service itself tells it
        pace = load_settings(OasisPace, LMP_INGEST).pace
        for market in dict.fromkeys(price.market for price in register_map.prices if LMP_INGEST in named):
            every_s = pace.every[Market(market)].total_seconds()
            yield _Asked(f"{market} is asked for", every_s, f"LMP_INGEST_{market}_EVERY_S", _PRICE_STALE_AFTER)
            if REPORTS[Market(market)].is_daily:
                idle_s = pace.day_ahead_idle.total_seconds()
                yield _Asked(f"{market} is asked for", idle_s, "LMP_INGEST_DAM_IDLE_EVERY_S", _PRICE_STALE_AFTER)
