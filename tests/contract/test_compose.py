"""The compose file: what it promises of secrets, ports and rights, and that it fits the Dockerfile and the credentials."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from dotbus.contracts.topics import Topics
from launcher.setup.broker_users import CONSOLE_PAGE, SERVICES, broker_users
from launcher.setup.provision import FOLDERS, MEASURED, OPERATOR

TOP = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((TOP / "docker-compose.yml").read_text(encoding="utf-8"))
PARTS: dict[str, Any] = COMPOSE["services"]
IMAGE_OF_PROJECT = "${COMPOSE_PROJECT_NAME}-"
OURS = {name: part for name, part in PARTS.items() if part["image"].startswith(IMAGE_OF_PROJECT)}
ONE_SHOTS = {"init", "roles", "cli", "users", "answer", "replay", "seed", "online", "check"}
PUBLISHED = {
    "mosquitto": "127.0.0.1:8883:8883",
    "postgres": "127.0.0.1:5432:5432",
    "modbus-gateway": "127.0.0.1:5020:5020",
    "historian-api": "127.0.0.1:8090:8090",
    "console": "127.0.0.1:8080:8090",
    "prometheus": "127.0.0.1:9090:9090",
    "grafana": "127.0.0.1:3000:3000",
}


def interpolate(text: str, **variables: str) -> str:
    """What Compose makes of ${NAME:-default} and ${NAME:+replacement}, one within the other too."""

    def replace(match: re.Match[str]) -> str:
        name, operator, word = match.groups()
        given = variables.get(name, "")
        return (word if given else "") if operator == "+" else (given or word)

    while (replaced := re.sub(r"\$\{(\w+):([-+])([^{}]*)\}", replace, text)) != text:
        text = replaced
    return text


def volumes_of(part: dict[str, Any]) -> set[str]:
    """The named volumes that a service mounts."""
    sources = [mount["source"] if isinstance(mount, dict) else mount.split(":")[0] for mount in part.get("volumes", ())]
    return {source for source in sources if source in COMPOSE["volumes"]}


@pytest.mark.parametrize("name", sorted(PARTS))
def test_every_container_is_hardened(name: str):
    part = PARTS[name]

    assert part["read_only"] is True
    assert part["cap_drop"] == ["ALL"]
    assert part["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in part
    assert "max-size" in part["logging"]["options"]


def test_only_the_one_shot_runs_as_root_and_it_has_no_network():
    roots = [name for name, part in PARTS.items() if str(part.get("user", "")).startswith("0")]

    assert roots == ["init"]
    assert PARTS["init"]["network_mode"] == "none"
    assert "\nUSER 10001:10001\n" in (TOP / "Dockerfile").read_text(encoding="utf-8")
    assert [name for name, part in PARTS.items() if "cap_add" in part] == ["init"]


def test_the_ports_that_are_published_are_on_loopback_unless_told_otherwise():
    published = {name: [interpolate(port) for port in part["ports"]] for name, part in PARTS.items() if "ports" in part}

    assert published == {name: [port] for name, port in PUBLISHED.items()}
    assert interpolate(PARTS["modbus-gateway"]["ports"][0], DOTBUS_MODBUS_BIND="0.0.0.0") == "0.0.0.0:5020:5020"


def test_each_parts_credentials_are_mounted_by_that_part_alone_and_read_only():
    for name, part in PARTS.items():
        secrets = {volume for volume in volumes_of(part) if volume == "authority" or volume.startswith("credentials-")}
        if name == "init":
            assert secrets == {"authority", *(f"credentials-{one.replace('_', '-')}" for one in FOLDERS if one != "authority")}
            continue
        if name == "users":
            assert secrets == set()
            continue
        if name == "online":
            assert secrets == {f"credentials-{one.replace('_', '-')}" for one in (*MEASURED, OPERATOR)}, (
                "it asks as each of them"
            )
            assert "ports" not in part
            assert all(one["read_only"] for one in part["volumes"])
            continue
        operators = dict.fromkeys(("cli", "answer", "replay", "check"), "operator")
        owner = (operators | {"roles": "postgres", "seed": "historian"}).get(name, name)
        assert secrets == {f"credentials-{owner}"}, name
        (mount,) = (one for one in part["volumes"] if isinstance(one, dict) and one["source"] in secrets)
        assert mount["read_only"] is True
        assert mount["volume"] == {"nocopy": True}, "the image's own files must not fill the volume before `init` does"


def test_the_console_reads_its_users_and_their_command_alone_writes_them():
    mounts = {name: [one for one in part.get("volumes", ()) if "console-users" in str(one)] for name, part in PARTS.items()}

    assert {name for name, found in mounts.items() if found} == {"console", "users"}
    assert mounts["console"][0]["read_only"] is True
    assert mounts["users"] == ["console-users:/var/lib/dotbus"]
    assert PARTS["users"]["network_mode"] == "none"
    file = PARTS["users"]["environment"]["CONSOLE_USERS_FILE"]
    assert interpolate(PARTS["console"]["environment"]["CONSOLE_USERS_FILE"], DOTBUS_CONFIG="/etc/plant.toml") == file


def test_only_the_console_of_a_trial_opens_without_users():
    trial, plant = ((TOP / "deploy/simulator" / name).read_text() for name in ("simulator.env", "no-simulator.env"))

    assert "CONSOLE_WITHOUT_USERS=true" in trial
    assert "CONSOLE_" not in plant
    assert interpolate(PARTS["console"]["environment"]["CONSOLE_USERS_FILE"]) == ""


def test_the_database_is_seeded_by_the_historians_user_and_image_and_no_part_that_runs_is_touched():
    seed, historian = PARTS["seed"], PARTS["historian"]

    assert [seed[name] for name in ("image", "environment")] == [historian[name] for name in ("image", "environment")]
    assert seed["entrypoint"] == ["part", "seed"]
    assert seed["profiles"] == ["cli"]
    assert "depends_on" not in seed, "Compose would build and replace them"


def test_init_fills_every_folder_and_gives_it_to_the_user_of_its_part():
    init = PARTS["init"]
    targets = {mount.split(":")[1] for mount in init["volumes"] if isinstance(mount, str)}
    owners = dict(re.findall(r"--owner (\w+)=(\d+)", init["command"]))

    assert targets == {f"/credentials/{folder}" for folder in FOLDERS}
    assert set(owners) == set(FOLDERS) - {"authority"}
    for folder, owner in owners.items():
        user = PARTS.get(folder.replace("_", "-"), {}).get("user", "10001:10001")
        assert user == f"{owner}:{owner}", folder


def test_the_simulator_runs_unless_a_configuration_is_named():
    simulator = PARTS["simulator"]["extends"]["file"]

    def replicas(path: str) -> int:
        return int(yaml.safe_load((TOP / path).read_text())["services"]["simulator"]["deploy"]["replicas"])

    assert replicas(interpolate(simulator)) == 1
    assert replicas(interpolate(simulator, DOTBUS_CONFIG="/etc/plant.toml")) == 0


def test_a_trial_is_called_after_its_folder_and_a_plant_as_its_env_file_says():
    name = COMPOSE["name"]

    assert interpolate(name, DOTBUS_PROJECT="sierra", PWD="/srv/dotbus") == "sierra"
    assert interpolate(name, PWD="/srv/dotbus") == "dotbus-trial-/srv/dotbus"  # Compose leaves the strokes out
    assert interpolate(name) == "dotbus-trial"


def test_a_plant_without_a_name_or_a_name_without_a_plant_is_refused_as_the_file_is_read():
    """Compose replaces containers before any of ours could refuse; a variable that is missing ends it before that."""
    file = PARTS["init"]["extends"]["file"]
    configured, named = {"DOTBUS_CONFIG": "/etc/plant.toml"}, {"DOTBUS_PROJECT": "sierra"}

    def required(**variables: str) -> list[str]:
        return re.findall(r"\$\{(\w+):\?", (TOP / interpolate(file, **variables)).read_text(encoding="utf-8"))

    assert required() == []
    assert required(**configured, **named) == []
    assert required(**configured) == ["DOTBUS_PROJECT"]
    assert required(**named) == ["DOTBUS_CONFIG"]


def test_images_volumes_and_networks_belong_to_the_installation_and_are_shared_with_no_other():
    assert set(PARTS) - set(OURS) == {"mosquitto", "postgres", "roles", "prometheus", "grafana"}
    assert not any("container_name" in part for part in PARTS.values())
    assert all(not one for one in (*COMPOSE["volumes"].values(), *COMPOSE["networks"].values()))


def test_without_the_simulator_nothing_points_at_it():
    for name in ("ads-ingest", "lmp-ingest"):
        where = PARTS[name]["env_file"][0]["path"]
        assert "simulator:" in (TOP / interpolate(where)).read_text()
        assert "simulator:" not in (TOP / interpolate(where, DOTBUS_CONFIG="/etc/plant.toml")).read_text()
        assert "simulator" not in " ".join(map(str, PARTS[name]["environment"].values()))


def test_every_part_reads_the_configuration_that_is_named():
    for name, part in OURS.items():
        mounts = [one for one in part["volumes"] if isinstance(one, dict) and one["target"] == "/etc/dotbus/dotbus.toml"]
        assert len(mounts) == 1, name
        assert (TOP / interpolate(mounts[0]["source"])).is_file()
        assert interpolate(mounts[0]["source"], DOTBUS_CONFIG="/etc/plant.toml") == "/etc/plant.toml"


def test_every_image_is_built_with_an_extra_that_exists():
    extras = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    built = {name: part["build"]["args"]["PART"] for name, part in OURS.items() if "build" in part}

    assert set(built.values()) == {*(service.replace("_", "-") for service in SERVICES), "console", "simulator", "launcher"}
    assert set(built.values()) <= set(extras)
    assert all(OURS[name]["image"] == IMAGE_OF_PROJECT + part for name, part in built.items())


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_speaks_to_the_broker_as_itself_over_tls(service: str):
    environment, prefix = PARTS[service.replace("_", "-")]["environment"], service.upper()

    assert environment[f"{prefix}_MQTT_USERNAME"] == service
    assert environment[f"{prefix}_MQTT_PORT"] == "8883"
    assert environment[f"{prefix}_MQTT_CA_FILE"] == "/run/dotbus/ca.pem"
    assert environment[f"{prefix}_MQTT_PASSWORD_FILE"] == "/run/dotbus/mqtt.password"
    assert all(key.startswith(prefix) for key in environment)


def test_the_console_reads_at_the_broker_as_a_user_that_may_say_commands_and_nothing_else():
    environment = PARTS["console"]["environment"]

    assert environment["CONSOLE_MQTT_USERNAME"] == CONSOLE_PAGE
    assert environment["CONSOLE_MQTT_CA_FILE"] == "/run/dotbus/ca.pem"
    assert environment["CONSOLE_CERTIFICATE_FILE"] == "/run/dotbus/server.pem"
    assert [user.writes for user in broker_users(Topics(), ["sierra"]) if user.name == CONSOLE_PAGE] == [
        ("dotbus/v1/plant/+/+/command/+", "dotbus/v1/alarm/+/+/+/command/+")
    ]


def test_nobody_starts_before_what_it_needs():
    for name in set(PARTS) - ONE_SHOTS:
        needs = PARTS[name]["depends_on"]
        assert needs["init"] == {"condition": "service_completed_successfully"}
        ended = {other for other, one in needs.items() if one["condition"] == "service_completed_successfully"}
        assert ended == {"init", "roles"} & set(needs)
        assert {needs[other]["condition"] for other in set(needs) - ended} <= {"service_healthy"}
    assert set(PARTS["historian"]["depends_on"]) == {"init", "mosquitto", "postgres", "roles"}
    assert set(PARTS["roles"]["depends_on"]) == {"init", "postgres"}


def test_everything_that_stays_up_is_watched_and_started_again():
    for name in set(PARTS) - ONE_SHOTS:
        assert PARTS[name]["healthcheck"]["test"][0] == "CMD"
        assert PARTS[name]["restart"] == "unless-stopped"
        assert "stop_grace_period" in PARTS[name]


def test_watchers_run_when_asked_for_and_in_a_version_that_was_chosen():
    for name in ("prometheus", "grafana"):
        assert PARTS[name]["profiles"] == ["grafana"]
        assert re.fullmatch(rf"\w+/{name}:v?\d+\.\d+\.\d+", PARTS[name]["image"])
    assert PARTS["grafana"]["networks"] == ["watching"], "it reaches nobody but Prometheus"


def test_the_gateway_and_the_console_share_a_network_neither_with_the_database_nor_with_caiso():
    assert PARTS["modbus-gateway"]["networks"] == PARTS["console"]["networks"] == ["bus"]
    assert PARTS["postgres"]["networks"] == ["database"]
    assert PARTS["simulator"]["networks"] == ["caiso"]


def test_the_broker_listens_with_tls_only_and_lets_nobody_in_unnamed():
    conf = (TOP / "deploy/mosquitto/mosquitto.conf").read_text(encoding="utf-8")
    said = dict(line.split(" ", 1) for line in conf.splitlines() if line and not line.startswith(("#", "log_type")))

    assert re.findall(r"^listener .*", conf, re.MULTILINE) == ["listener 8883"]
    assert said["allow_anonymous"] == "false"
    assert {"certfile", "keyfile", "password_file", "acl_file"} <= set(said)
    assert (said["persistence"], said["autosave_interval"]) == ("true", "1")


def test_the_brokers_queues_are_bounded_by_memory_and_not_by_a_count_that_is_reached_first():
    conf = (TOP / "deploy/mosquitto/mosquitto.conf").read_text(encoding="utf-8")
    (messages,) = re.findall(r"^max_queued_messages (\d+)$", conf, re.MULTILINE)
    (size,) = re.findall(r"^max_queued_bytes (\d+)$", conf, re.MULTILINE)

    assert 0 < int(size) < 1 << 30
    assert int(messages) > int(size) / 100, "no message of ours is shorter than 100 bytes"


def test_every_user_of_broker_and_database_is_asked_by_online_from_the_folder_that_init_made():
    online = PARTS["online"]
    home = online["environment"]["DOTBUS_CREDENTIALS_DIR"]
    targets = {one["target"]: one["source"] for one in online["volumes"]}

    for part in (*MEASURED, OPERATOR):
        assert targets[f"{home}/{part}"] == f"credentials-{part.replace('_', '-')}"
    assert online["entrypoint"] == ["part", "check", "--online"], "so that more can be said behind it"
    assert set(online["networks"]) == {"bus", "database", "caiso"}
    assert "depends_on" in online
    assert set(online["depends_on"]) == {"init"}, "it starts nobody, and tells who is away"


def test_several_accounts_are_asked_by_online_as_ads_ingest_has_them():
    accounts = yaml.safe_load((TOP / "deploy/accounts.yaml").read_text(encoding="utf-8"))["services"]

    assert accounts["online"] == accounts["ads-ingest"]


def test_what_can_be_called_before_anything_runs_builds_its_own_image_and_pulls_none():
    """The first that a plant does is `docker compose run --rm cli check`, and no image of ours is anywhere to be pulled."""
    called = {name for name in ONE_SHOTS & set(OURS) if name != "init"}

    assert called == {"cli", "users", "answer", "replay", "seed", "online", "check"}
    for name in called:
        assert OURS[name]["build"]["context"] == "."
        assert OURS[name].get("pull_policy") in {None, "build"}
    for name in ("cli", "users", "answer", "replay", "seed"):
        assert "depends_on" not in OURS[name], "Compose would start, and build, everything for a word of help"
