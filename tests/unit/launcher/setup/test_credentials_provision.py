import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dotbus.contracts.messages import Environment
from dotbus.runtime.installation.file import load_installation
from dotbus.runtime.installation.installation import Installation
from launcher.setup.authority import LEAF_LIFE, Authority
from launcher.setup.broker_users import is_hash_of
from launcher.setup.credentials import CredentialRefused, describe_pem
from launcher.setup.provision import FOLDERS, MEASURED, CaisoCredentials, OtherEnvironment, Provision

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
EXAMPLE = load_installation(Path(__file__).parents[4] / "config" / "dotbus.example.toml")


def provision(
    folder: Path, installation: Installation = EXAMPLE, now: datetime = NOW, ads: bytes | None = None, **options: object
) -> set[str]:
    made = Provision(folder, **options)  # type: ignore[arg-type]
    made.run(installation, CaisoCredentials(ads), now)
    return {str(path.relative_to(folder)) for path in made.changed}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_first_run_makes_everything_and_the_second_nothing(tmp_path: Path):
    assert provision(tmp_path)
    first = contents(tmp_path)

    assert provision(tmp_path, now=NOW + timedelta(days=100)) == set()
    assert contents(tmp_path) == first


def test_only_the_authoritys_certificate_is_readable_by_others(tmp_path: Path):
    provision(tmp_path)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*") if path.is_file()}

    assert {name for name, mode in modes.items() if mode != 0o400} == {"ca.pem"}
    assert modes["ca.pem"] == 0o444


def test_no_folder_but_the_authoritys_holds_the_key_that_signs(tmp_path: Path):
    provision(tmp_path)
    signing_key = Authority.load((tmp_path / "authority" / "authority.pem").read_bytes()).issued.key

    assert [name for name, content in contents(tmp_path).items() if signing_key in content] == ["authority/authority.pem"]


def test_a_service_holds_no_other_services_password(tmp_path: Path):
    provision(tmp_path)
    held = contents(tmp_path)
    passwords = {
        name: content for name, content in held.items() if name.endswith(".password") and not name.startswith("postgres/")
    }

    for name, password in passwords.items():
        holders = {other.split("/")[0] for other, content in held.items() if content.strip() == password}
        assert holders - {"postgres"} == {name.split("/")[0]}
    assert len(set(passwords.values())) == len(passwords), "each password is its own"


def test_prometheus_knows_each_services_token_and_no_service_that_of_another(tmp_path: Path):
    provision(tmp_path)
    held = contents(tmp_path)
    tokens = {name.split("/")[0]: content for name, content in held.items() if name.endswith("/metrics.token")}

    assert set(tokens) == set(MEASURED)
    assert len(set(tokens.values())) == len(tokens)
    for service, token in tokens.items():
        holders = {name for name, content in held.items() if content == token}
        assert holders == {f"prometheus/{service}.token", f"{service}/metrics.token"}


def test_certificates_near_their_end_are_renewed_and_passwords_are_kept(tmp_path: Path):
    provision(tmp_path)
    before = contents(tmp_path)

    renewed = provision(tmp_path, now=NOW + LEAF_LIFE - timedelta(days=29))

    serve = ("mosquitto", "postgres", "historian_api", "console", "simulator", "prometheus", "grafana")
    clients = {f"{folder}/client.pem" for folder in ("ads_ingest", "prometheus", "grafana", "operator")}
    assert renewed == {*(f"{folder}/server.pem" for folder in serve), *clients}
    after = contents(tmp_path)
    assert {name for name in before if before[name] != after[name]} == renewed


def test_a_new_authority_signs_everything_anew_and_is_known_everywhere(tmp_path: Path):
    provision(tmp_path)

    renewed = provision(tmp_path, now=NOW + timedelta(days=3650 - 29))

    authority = Authority.load((tmp_path / "authority" / "authority.pem").read_bytes())
    assert {f"{folder}/ca.pem" for folder in FOLDERS} <= renewed
    assert {(tmp_path / folder / "ca.pem").read_bytes() for folder in FOLDERS} == {authority.issued.certificate}
    for name in ("mosquitto", "postgres", "simulator"):
        (facts,) = describe_pem((tmp_path / name / "server.pem").read_bytes())
        assert facts.has_key
        assert name in facts.names


def test_a_cut_first_run_is_completed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        patch.setattr(Provision, "_database", lambda _self: (_ for _ in ()).throw(OSError("cut")))
        with pytest.raises(OSError, match="cut"):
            provision(tmp_path)
    kept = contents(tmp_path)

    provision(tmp_path)

    after = contents(tmp_path)
    assert "postgres/superuser.password" in after
    assert {name: after[name] for name in kept} == kept


def test_another_name_of_the_broker_renews_its_certificate_alone(tmp_path: Path):
    provision(tmp_path)

    assert provision(tmp_path, broker_names=["broker.example.com", "10.1.2.3"]) == {"mosquitto/server.pem"}
    (facts,) = describe_pem((tmp_path / "mosquitto" / "server.pem").read_bytes())
    assert {"broker.example.com", "10.1.2.3", "mosquitto", "127.0.0.1"} <= set(facts.names)


def test_another_name_of_the_api_renews_its_certificate_alone(tmp_path: Path):
    provision(tmp_path)

    assert provision(tmp_path, api_names=["api.example.com"]) == {"historian_api/server.pem"}
    (facts,) = describe_pem((tmp_path / "historian_api" / "server.pem").read_bytes())
    assert {"api.example.com", "historian-api", "127.0.0.1"} <= set(facts.names)


def test_the_brokers_password_file_holds_the_services_passwords(tmp_path: Path):
    provision(tmp_path)
    lines = dict(line.split(":", 1) for line in (tmp_path / "mosquitto" / "passwords").read_text().splitlines())
    homes = {
        "console": "operator/mqtt.password",
        "console_page": "console/mqtt.password",
        "replay": "operator/replay.password",
    } | {f"plant-{plant.name}": f"operator/plant-{plant.name}.password" for plant in EXAMPLE.plants}

    for user, hashed in lines.items():
        password = (tmp_path / homes.get(user, f"{user}/mqtt.password")).read_text()
        assert is_hash_of(hashed, password), user
    assert {"ads_ingest", "lmp_ingest", "modbus_gateway", "historian", "alarms", *homes} == set(lines)


def test_a_password_whose_file_was_deleted_is_changed_for_that_user_alone(tmp_path: Path):
    provision(tmp_path)
    (tmp_path / "historian" / "mqtt.password").unlink()
    before = (tmp_path / "mosquitto" / "passwords").read_text().splitlines()

    assert provision(tmp_path) == {"historian/mqtt.password", "mosquitto/passwords"}
    after = (tmp_path / "mosquitto" / "passwords").read_text().splitlines()
    assert [line.split(":")[0] for old, line in zip(before, after, strict=True) if old != line] == ["historian"]


def test_a_given_ads_certificate_replaces_the_simulators_and_stays(tmp_path: Path):
    provision(tmp_path)
    given = Authority.create(NOW).issue_client("participant", NOW).pem

    assert provision(tmp_path, ads=given) == {"ads_ingest/client.pem"}
    assert (tmp_path / "ads_ingest" / "client.pem").read_bytes() == given
    with pytest.raises(CredentialRefused):
        provision(tmp_path, ads=b"environment = 'production'")
    assert (tmp_path / "ads_ingest" / "client.pem").read_bytes() == given


def test_a_real_installation_never_offers_the_simulators_certificate_to_caiso(tmp_path: Path):
    provision(tmp_path)
    production = EXAMPLE.model_copy(update={"environment": "production"})

    provision(tmp_path, production)

    assert not (tmp_path / "ads_ingest" / "client.pem").exists()


def test_a_plant_does_not_become_a_simulation_because_nobody_named_its_configuration(tmp_path: Path):
    plant = EXAMPLE.model_copy(update={"environment": Environment.PRODUCTION})
    given = Authority.create(NOW).issue_client("participant", NOW).pem
    provision(tmp_path, plant, ads=given)
    before = contents(tmp_path)

    with pytest.raises(OtherEnvironment, match="of a plant in production, and this configuration is a simulation"):
        provision(tmp_path)

    assert contents(tmp_path) == before
    provision(tmp_path, may_become_simulated=True)
    assert contents(tmp_path)["ads_ingest/client.pem"] != given


def test_a_simulation_may_become_a_plant_and_a_stage_production(tmp_path: Path):
    for environment in (Environment.SIMULATOR, Environment.STAGE, Environment.PRODUCTION):
        provision(tmp_path, EXAMPLE.model_copy(update={"environment": environment}))
