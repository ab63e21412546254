"""`dotbus check`: every mistake of a configuration at once, in the file, its register map and the services' variables."""

from collections.abc import Callable, Mapping
from pathlib import Path

from ads_ingest.settings import load_configuration as load_ads_ingest
from dotbus.runtime.installation import load_installation
from dotbus.runtime.mistakes import Collector, ConfigurationRefused, Mistake
from historian.settings import load_configuration as load_historian
from lmp_ingest.settings import load_configuration as load_lmp_ingest
from modbus_gateway.register_map import read_map
from modbus_gateway.settings import load_configuration as load_modbus_gateway

SERVICES: Mapping[str, Callable[[], object]] = {
    "ADS_INGEST_": load_ads_ingest,
    "LMP_INGEST_": load_lmp_ingest,
    "MODBUS_GATEWAY_": load_modbus_gateway,
    "HISTORIAN_": load_historian,
}


def check_configuration(config: Path, environment: Mapping[str, str]) -> None:
    """Check the file, its register map, and each service of which at least one variable is set.

    Raises:
        ConfigurationRefused: with every mistake, each once.
    """
    collector = Collector()
    installation = collector.load(lambda: load_installation(config))
    if installation:
        collector.load(lambda: read_map(installation, str(config)))
    for prefix, load in SERVICES.items():
        if any(name.startswith(prefix) for name in environment):
            collector.load(load)
    mistakes: list[Mistake] = list(dict.fromkeys(collector.mistakes))
    if mistakes:
        raise ConfigurationRefused(mistakes)
