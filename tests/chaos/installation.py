"""The installation that chaos comes over: several plants, many nodes, short intervals."""

from collections.abc import Mapping
from pathlib import Path

PLANTS = {"sierra": ("SOLAR", 3), "delta": ("HYDRO", 3), "mesa": ("BATTERY", 2)}
"""Name, kind and number of resources of each plant."""
NODES = 200
MARKET = "RTM"
INTERVAL_S = 3
HISTORIANS = ("historian_a", "historian_b")
SHARE_GROUP = "historians"
GRACE_S = 5.0


def resources() -> tuple[str, ...]:
    """Every configured resource."""
    return tuple(f"{plant.upper()}_{kind}{number}" for plant, (kind, count) in PLANTS.items() for number in range(count))


def nodes() -> tuple[str, ...]:
    """Every node that prices are asked of. The simulator calls its extra ones so."""
    return tuple(f"SIM{index:05d}_7_N001" for index in range(NODES))


def config() -> str:
    """dotbus.toml."""
    lines = ['environment = "simulator"']
    for plant, (kind, count) in PLANTS.items():
        lines += ["[[plant]]", f'name = "{plant}"']
        for number in range(count):
            lines += ["[[plant.resource]]", f'id = "{plant.upper()}_{kind}{number}"', "pmin_mw = 0.0", "pmax_mw = 90.0"]
            lines += ["ramp_mw_per_min = 60.0", f"variable = {str(kind == 'SOLAR').lower()}"]
    listed = ", ".join(f'"{node}"' for node in nodes())
    return "\n".join([*lines, "[prices]", f'markets = ["{MARKET}"]', f"nodes = [{listed}]"]) + "\n"


def settings(folder: Path, ports: Mapping[str, int], database_url: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The environment of each service, but for its broker.

    Args:
        folder: of everything.
        ports: where the simulator's ads and oasis are.
        database_url: by historian.
    """
    credentials = folder / "credentials" / "ads_ingest"
    own = {
        "ads_ingest": {
            "URL": f"https://127.0.0.1:{ports['ads']}/ADS/APIWebService/v7",
            "CERTIFICATE_FILE": str(credentials / "client.pem"),
            "CA_FILE": str(credentials / "ca.pem"),
            "POLL_S": "0.3",
            "RECHECK_S": "3",
            "TIMEOUT_S": "5",
            "STATE_DIR": str(folder / "ads_ingest"),
        },
        "lmp_ingest": {
            "URL": f"http://127.0.0.1:{ports['oasis']}/oasisapi",
            "SPACING_S": "0.2",
            "RTM_EVERY_S": "1",
            "CORRECTIONS_EVERY_S": "3",
            "CORRECTIONS_BACK_H": "1",
            "LOOKBACK_H": "1",
            "TIMEOUT_S": "5",
            "STATE_DIR": str(folder / "lmp_ingest"),
        },
    }
    for historian in HISTORIANS:
        own[historian] = {
            "DATABASE_URL": database_url[historian],
            "SHARE_GROUP": SHARE_GROUP,
            "REPLAY_GRACE_S": str(GRACE_S),
        }
    shared = {"CONFIG": str(folder / "dotbus.toml"), "LOG_FORMAT": "json"}
    return {
        name: {f"{prefix_of(name)}_{key}": text for key, text in {**shared, "INSTANCE": instance_of(name), **more}.items()}
        for name, more in own.items()
    }


def instance_of(name: str) -> str:
    """Which instance of its service a part is."""
    return name[-1] if name in HISTORIANS else "a"


def prefix_of(name: str) -> str:
    """What the variables of a part begin with."""
    return module_of(name).upper()


def module_of(name: str) -> str:
    """What Python runs of a part."""
    return "historian" if name in HISTORIANS else name


def simulator_settings(folder: Path, ports: Mapping[str, int], seed: int) -> dict[str, str]:
    """The environment of the simulator."""
    server = folder / "credentials" / "simulator"
    given = {
        "CONFIG": str(folder / "dotbus.toml"),
        "ADS_PORT": str(ports["ads"]),
        "OASIS_PORT": str(ports["oasis"]),
        "ADMIN_PORT": str(ports["admin"]),
        "INTERVAL_S": str(INTERVAL_S),
        "OASIS_SPACING_S": "0",
        "EXTRA_NODES": str(NODES),
        "CERTIFICATE": str(server / "server.pem"),
        "KEY": str(server / "server.pem"),
        "CLIENT_CA": str(server / "ca.pem"),
        "SEED": str(seed),
    }
    return {f"SIMULATOR_{key}": text for key, text in given.items()}
