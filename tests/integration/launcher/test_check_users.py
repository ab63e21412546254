"""`dotbus check --online` asks the broker and the database as each user, with a real Mosquitto and a real PostgreSQL.

The broker is as it is deployed. What it keeps is what services said; nothing that runs notices that it is asked.
"""

import os
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import msgspec
import pytest
from deployed_broker import CONFIG, Broker, deployed
from historian_database import API_PASSWORD, HISTORIAN_PASSWORD, READER_PASSWORD, Addresses, make_roles, opened
from historian_parts import NOW
from real_mosquitto import free_port
from real_postgres import Postgres, new_database, query
from typer.testing import CliRunner
from waiting import eventually

from dotbus.contracts.topics import Subject, Topics
from dotbus.runtime.installation.file import load_installation
from historian.migrations import Roles, bring_up_to_date
from launcher.commands import app
from launcher.setup.authority import Authority
from launcher.setup.broker_users import broker_users, plant_user
from launcher.setup.check import SERVICES
from launcher.setup.online.answers import Answer, CheckReport

pytestmark = pytest.mark.integration
EXAMPLE = load_installation(CONFIG)
TOPICS: Topics = EXAMPLE.topics
USERS = [user.name for user in broker_users(TOPICS, [plant.name for plant in EXAMPLE.plants])]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """With the last word of an ingest, as it is kept where something runs."""
    with deployed(tmp_path_factory.mktemp("deployed")) as started:
        with started.client("ads_ingest") as ingest:
            for topic in (TOPICS.service("ads_ingest", "main"), TOPICS.dot("sierra", "SIERRA_2_SOLAR1")):
                sent = ingest.paho.publish(topic, b"{}", qos=1, retain=True)
                sent.wait_for_publish(10)
        yield started


@pytest.fixture
def users(postgres: Postgres, tmp_path: Path) -> Addresses:
    """Of a database with roles, and with the tables of this version."""
    at = without_tables(postgres, tmp_path)
    with opened(at.historian, owner="dotbus_owner", writer="dotbus_writer") as tables:
        bring_up_to_date(tables, Roles("dotbus_reader"), NOW)
    return at


def without_tables(postgres: Postgres, tmp_path: Path) -> Addresses:
    """With roles alone."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    return make_roles(postgres, new_database(postgres), folder)


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("DOTBUS_", *SERVICES)):
            monkeypatch.delenv(name)


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def set_all(**values: object) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, str(value))

    return set_all


def check(*arguments: str, config: Path = CONFIG) -> tuple[int, CheckReport]:
    """Exit status and report."""
    ran = CliRunner().invoke(app, ["check", "--online", "--json", "--config", str(config), *arguments])
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
    return ran.exit_code, msgspec.json.decode(ran.stdout, type=CheckReport)


def as_whom(report: CheckReport) -> dict[str, Answer]:
    return {answer.asked.rpartition(" ")[2]: answer for answer in report.answers}


def at_broker(broker: Broker) -> dict[str, object]:
    credentials = {"DOTBUS_CREDENTIALS_DIR": broker.credentials}
    return credentials | {"DOTBUS_MQTT_PORT": broker.port, "DOTBUS_MQTT_CA_FILE": broker.credentials / "operator" / "ca.pem"}


def test_each_user_that_was_made_is_let_in_and_may_say_and_hear_what_is_its_own(broker: Broker, variables: Callable[..., None]):
    variables(**at_broker(broker))
    with broker.client("console") as listener:
        listener.subscribe("#")
        status, report = check("--ask", "broker")
        received = {topic for topic in listener.received if not topic.startswith("$SYS")}
    assert status == 0, report
    assert set(as_whom(report)) == set(USERS)
    assert all("may publish all that it says" in answer.said for answer in report.answers)
    assert received == {TOPICS.service("ads_ingest", "main"), TOPICS.dot("sierra", "SIERRA_2_SOLAR1")}, "nobody heard of it"
    assert listener.connected == ["Success"], "nobody was put out"


@contextmanager
def without(broker: Broker, rights: dict[str, str]) -> Iterator[None]:
    """The broker's access list without one right of each of these users."""
    file = broker.credentials / "mosquitto" / "acl"
    before = text = file.read_text()
    for user, right in rights.items():
        head, entry = text.split(f"user {user}\n")
        assert right in entry.split("\nuser ")[0]
        text = f"{head}user {user}\n{entry.replace(right, '', 1)}"
    change(file, text)
    broker.read_again()
    try:
        yield
    finally:
        change(file, before)
        broker.read_again()


def change(file: Path, text: str) -> None:
    """In place, as a container that has the file sees it."""
    file.chmod(0o600)
    file.write_text(text)


def test_a_right_that_the_access_list_lacks_is_named_with_its_topic(broker: Broker, variables: Callable[..., None]):
    variables(**at_broker(broker))
    says, hears = TOPICS.every(Subject.DISPATCH), TOPICS.every(Subject.DOT)
    with without(broker, {"ads_ingest": f"topic write {says}\n", "modbus_gateway": f"topic read {hears}\n"}):
        with broker.client("ads_ingest") as ingest:
            topic = TOPICS.dispatch("sierra", "S1")
            eventually(lambda: ingest.publish([topic]) == {topic: "Not authorized"})
        status, report = check("--ask", "broker")
    answers = as_whom(report)
    assert status == 1
    assert {user for user, answer in answers.items() if not answer.good} == {"ads_ingest", "modbus_gateway"}
    assert f"may not publish on {says}: see that the broker's access list" in answers["ads_ingest"].said
    assert f"is not given what the broker keeps on {hears}" in answers["modbus_gateway"].said


def test_a_services_own_password_that_is_wrong_is_told_with_the_variables_that_say_it(
    broker: Broker, variables: Callable[..., None], tmp_path: Path
):
    (tmp_path / "mqtt.password").write_text("not-this-one")
    own = {"HOST": "127.0.0.1", "PORT": broker.port, "CA_FILE": broker.credentials / "operator" / "ca.pem"}
    variables(**{f"ALARMS_MQTT_{name}": value for name, value in own.items()}, ALARMS_STATE_DIR=tmp_path)
    variables(ALARMS_MQTT_USERNAME="alarms", ALARMS_MQTT_PASSWORD_FILE=broker.credentials / "alarms" / "mqtt.password")
    assert check()[0] == 0
    variables(ALARMS_MQTT_PASSWORD_FILE=tmp_path / "mqtt.password")
    status, report = check()
    assert status == 1
    (answer,) = report.answers
    assert answer.asked == f"broker at 127.0.0.1:{broker.port} as alarms"
    assert answer.said.startswith("refuses us: Not authorized; see that user and password (ALARMS_MQTT_) are ")


def test_a_plants_user_that_is_refused_and_one_that_was_never_made_are_told_with_the_plants_line(
    broker: Broker, variables: Callable[..., None], tmp_path: Path
):
    for name in ("mqtt", plant_user("sierra")):
        text = (broker.credentials / "operator" / f"{name}.password").read_text() if name == "mqtt" else "not-this-one"
        (tmp_path / f"{name}.password").write_text(text)
    variables(DOTBUS_MQTT_PORT=broker.port, DOTBUS_MQTT_CA_FILE=broker.credentials / "operator" / "ca.pem")
    variables(DOTBUS_MQTT_USERNAME="console", DOTBUS_MQTT_PASSWORD_FILE=tmp_path / "mqtt.password")
    status, report = check("--ask", "broker")
    lines = CONFIG.read_text(encoding="utf-8").splitlines()
    wrong = {mistake.key: mistake.line for answer in report.answers for mistake in answer.mistakes}
    assert status == 1
    assert wrong == {f"plant[{i}].name": lines.index(f'name = "{name}"') + 1 for i, name in enumerate(("sierra", "delta"))}
    assert as_whom(report)["console"].good


@contextmanager
def tls_of(pem: Path) -> Iterator[int]:
    """The port of a server that speaks TLS with a certificate, and nothing more."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        ended: list[bool] = []

        def serve() -> None:
            while not ended:
                try:
                    connection, _ = server.accept()
                    with closing(context.wrap_socket(connection, server_side=True)):
                        pass
                except OSError:
                    pass

        thread = Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            ended.append(True)
            thread.join()


# paho leaves a socket whose handshake failed to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_broker_whose_certificate_names_another_host_is_told_as_that(
    broker: Broker, variables: Callable[..., None], tmp_path: Path
):
    authority = Authority.load((broker.credentials / "authority" / "authority.pem").read_bytes())
    (tmp_path / "elsewhere.pem").write_bytes(authority.issue_server(("elsewhere",), datetime.now(UTC)).pem)
    variables(**at_broker(broker))
    with tls_of(tmp_path / "elsewhere.pem") as port:
        variables(DOTBUS_MQTT_PORT=port)
        status, report = check("--ask", "broker")
    assert status == 1
    for answer in report.answers:
        assert "its certificate is not to be trusted: IP address mismatch" in answer.said
        assert "and that its certificate names 127.0.0.1" in answer.said


def test_a_broker_that_is_away_is_told_as_that(broker: Broker, variables: Callable[..., None]):
    variables(**at_broker(broker) | {"DOTBUS_MQTT_PORT": free_port()})
    status, report = check("--ask", "broker")
    assert status == 1
    assert all("cannot be reached: Connection refused; see that the broker runs" in answer.said for answer in report.answers)


def of_historian(at: Addresses) -> dict[str, object]:
    roles = {"OWNER_ROLE": "dotbus_owner", "WRITER_ROLE": "dotbus_writer", "READER_ROLE": "dotbus_reader"}
    told = {f"HISTORIAN_{name}": role for name, role in roles.items()}
    api = {"HISTORIAN_API_DATABASE_URL": at.api, "DOTBUS_DATABASE_URL": at.reader}
    return {"HISTORIAN_DATABASE_URL": at.historian, **told, **api}


def test_the_historian_the_api_and_a_reader_are_let_in_each_by_its_own_variables(
    users: Addresses, variables: Callable[..., None]
):
    variables(**of_historian(users))
    status, report = check("--ask", "database")
    assert status == 0, report
    answers = as_whom(report)
    assert set(answers) == {"historian", "historian_api", "reader"}
    assert "dotbus_writer may add rows and delete none" in answers["historian"].said
    assert "historian_api may read every table and view" in answers["historian_api"].said
    assert query(users.superuser, "SELECT count(*) FROM dotbus.service_state") == [(0,)]


def test_users_of_the_database_are_those_of_the_folder_of_credentials_where_one_is_named(
    postgres: Postgres, variables: Callable[..., None], tmp_path: Path
):
    at = without_tables(postgres, tmp_path)
    passwords = {"historian": HISTORIAN_PASSWORD, "historian_api": API_PASSWORD, "operator": READER_PASSWORD}
    for home, password in passwords.items():
        (tmp_path / home).mkdir()
        (tmp_path / home / "database.password").write_text(password)
    variables(DOTBUS_CREDENTIALS_DIR=tmp_path, DOTBUS_DATABASE_URL=at.reader.replace(READER_PASSWORD, "none"))
    status, report = check("--ask", "database")
    assert status == 0, report
    assert set(as_whom(report)) == {"historian", "historian_api", "reader"}
    assert all("there are no tables yet" in answer.said for answer in report.answers)


def test_a_wrong_password_and_a_role_that_is_missing_are_told_and_nothing_of_the_password(
    users: Addresses, variables: Callable[..., None]
):
    wrong = users.api.replace("of-the-api", "not-this-one")
    variables(**of_historian(users) | {"HISTORIAN_API_DATABASE_URL": wrong, "HISTORIAN_WRITER_ROLE": "nobody_made_it"})
    status, report = check("--ask", "database")
    answers = as_whom(report)
    assert status == 1
    assert "there is no role nobody_made_it: run deploy/postgres/10-roles.sh" in answers["historian"].said
    assert 'password authentication failed for user "historian_api"' in answers["historian_api"].said
    assert "not-this-one" not in msgspec.json.encode(report).decode()
    assert answers["reader"].good


def test_a_reader_who_may_not_read_is_told(users: Addresses, variables: Callable[..., None]):
    query(users.superuser, "REVOKE SELECT ON dotbus.instruction FROM dotbus_reader")
    variables(DOTBUS_DATABASE_URL=users.reader)
    status, report = check("--ask", "database")
    assert status == 1
    assert "reader may not read instruction" in report.answers[0].said


def test_tables_of_a_later_version_and_a_database_that_is_away_are_told(
    users: Addresses, postgres: Postgres, variables: Callable[..., None]
):
    query(users.superuser, "UPDATE dotbus.alembic_version SET version_num = '9999'")
    away = users.api.replace(f":{postgres.port}/", f":{free_port()}/")
    variables(**of_historian(users) | {"HISTORIAN_API_DATABASE_URL": away})
    status, report = check("--ask", "database")
    answers = as_whom(report)
    assert status == 1
    assert "the tables are of revision 9999, of a later version of dotbus" in answers["historian"].said
    assert "see that the database runs, and that host and port are right" in answers["historian_api"].said


def test_a_mistake_in_the_file_is_told_with_its_line_and_nobody_is_asked(tmp_path: Path, variables: Callable[..., None]):
    variables(DOTBUS_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    config = tmp_path / "dotbus.toml"
    config.write_text(CONFIG.read_text(encoding="utf-8").replace("pmax_mw = 50.0", "pmax_mw = -60.0"), encoding="utf-8")
    status, report = check(config=config)
    (mistake,) = report.mistakes
    assert (status, report.answers) == (2, ())
    assert (mistake.key, mistake.whose) == ("plant[0].resource[1].pmax_mw", "plant sierra, resource SIERRA_2_BESS1")
    assert mistake.line == config.read_text().splitlines().index("pmax_mw = -60.0") + 1


def test_a_gateway_that_is_meant_to_run_and_does_not_answer_is_told(variables: Callable[..., None]):
    variables(DOTBUS_MODBUS_PORT=free_port())
    status, report = check()
    assert status == 1
    assert "no Modbus connection to 127.0.0.1:" in report.answers[0].said
