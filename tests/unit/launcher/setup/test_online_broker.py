"""What each user of the broker may is judged by what it was refused, and by what it was not given while others were."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from dotbus.contracts.topics import Subject
from dotbus.runtime.installation.file import read_installation
from dotbus.runtime.settings.settings import BusSettings
from dotbus.testing.bus import FakeBus
from launcher.setup.broker_users import broker_users, plant_user
from launcher.setup.online.answers import Answer
from launcher.setup.online.broker import Visitor, visit
from launcher.setup.online.broker_judging import Seen, is_made_up, judge, topic_of
from launcher.setup.online.broker_logins import Login, broker_logins, plants_without_password

EXAMPLE = Path(__file__).parents[4] / "config/dotbus.example.toml"
FILE = read_installation(EXAMPLE)
TOPICS = FILE.installation.topics
USERS = {user.name: user for user in broker_users(TOPICS, [plant.name for plant in FILE.installation.plants])}
DOT = TOPICS.dot("sierra", "SIERRA_2_SOLAR1")


def login(name: str, **settings: object) -> Login:
    return Login(f"{name.upper()}_MQTT_", BusSettings(username=name, password="p", **settings), USERS[name])


def judged(*seen: Seen) -> list[Answer]:
    return list(judge(seen))


def test_a_user_who_is_let_in_and_refused_nothing_is_good_and_what_nothing_shows_is_told():
    (answer,) = judged(Seen(login("modbus_gateway"), heard=frozenset({DOT}), not_said={}))
    assert answer.good
    assert answer.asked == "broker at 127.0.0.1:1883 as modbus_gateway"
    many = len(USERS["modbus_gateway"].reads)
    assert f"hears 1 of {many} kinds of topics, and on the other {many - 1} the broker keeps nothing" in answer.said


def test_what_others_are_given_and_a_user_is_not_shows_the_filter_that_its_rights_lack():
    gateway = Seen(login("modbus_gateway"), heard=frozenset({TOPICS.service("ads_ingest", "a")}), not_said={})
    console = Seen(login("console"), heard=frozenset({DOT, TOPICS.service("ads_ingest", "a")}), not_said={})
    broken, good = judged(gateway, console)
    assert not broken.good
    assert f"is not given what the broker keeps on {TOPICS.every(Subject.DOT)}: see that" in broken.said
    assert good.good


def test_nobody_is_measured_by_what_another_broker_keeps():
    gateway = Seen(login("modbus_gateway"), not_said={})
    elsewhere = Seen(login("console", port=2883), heard=frozenset({DOT}), not_said={})
    assert all(answer.good for answer in judged(gateway, elsewhere))


def test_a_topic_and_a_filter_that_the_broker_refuses_are_named():
    topic, heard = topic_of(TOPICS.every(Subject.DISPATCH)), TOPICS.every(Subject.RESPOND)
    seen = Seen(login("ads_ingest"), not_heard={heard: "Not authorized"}, not_said={topic: "Not authorized"})
    (answer,) = judged(seen)
    assert not answer.good
    assert f"may not publish on {TOPICS.every(Subject.DISPATCH)}; may not subscribe to {heard}" in answer.said


@pytest.mark.parametrize(
    ("away", "hint"),
    [
        ("refuses us: Not authorized", "see that user and password (HISTORIAN_MQTT_) are those of the broker's password file"),
        ("cannot be reached: its certificate is not to be trusted: Hostname mismatch", "that its certificate names 127.0.0.1"),
        ("cannot be reached: Connection refused", "see that the broker runs, and that host and port are right"),
    ],
)
def test_why_a_user_is_not_let_in_is_told_with_what_to_do(away: str, hint: str):
    (answer,) = judged(Seen(login("historian"), away=away))
    assert not answer.good
    assert answer.said.startswith(f"{away}; ")
    assert hint in answer.said


def test_the_names_of_topics_on_which_leave_is_asked_are_nobodys():
    for user in USERS.values():
        for name in user.writes:
            topic = topic_of(name)
            assert not {"+", "#"} & set(topic)
            assert is_made_up(topic) == bool({"+", "#"} & set(name))


class PassingOn(FakeBus):
    """A broker that passes on at once what it should hold, to everybody."""

    everybody: Sequence["PassingOn"] = ()

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def ask_leave(self, topics: Sequence[str], timeout_s: float = 10.0) -> dict[str, str]:  # noqa: ARG002  # as the real bus
        self.asked += topics
        for one in self.everybody:
            for topic in topics:
                one.deliver(topic, b"")
        return {}


def visited(buses: dict[str, FakeBus]) -> list[Answer]:
    visitors = [Visitor(login(name), bus) for name, bus in buses.items()]  # type: ignore[arg-type]
    return judged(*visit(visitors, TOPICS, quiet_for_s=0.0))


def test_every_user_asks_for_leave_on_all_that_it_says_and_publishes_nothing():
    buses = {name: FakeBus() for name in USERS}
    buses["ads_ingest"].forbidden = {topic_of(TOPICS.every(Subject.DOT))}
    answers = {answer.asked.rpartition(" ")[2]: answer for answer in visited(buses)}
    assert {name for name, answer in answers.items() if not answer.good} == {"ads_ingest"}
    assert TOPICS.every(Subject.DOT) in answers["ads_ingest"].said
    assert not any(bus.published or bus.connected for bus in buses.values())


def test_a_broker_that_passes_on_what_it_should_hold_is_asked_once_by_each_and_on_topics_that_everybody_passes_over():
    buses = {name: PassingOn() for name in USERS}
    for bus in buses.values():
        bus.everybody = tuple(buses.values())
    answers = visited(dict(buses))
    assert all("passes on at once what it should hold" in answer.said for answer in answers)
    asked = [topic for bus in buses.values() for topic in bus.asked]
    subjects = {address.subject for topic in asked if (address := TOPICS.read(topic))}
    assert subjects <= {Subject.SERVICE, Subject.TELEMETRY, Subject.ALARM_COMMAND}
    assert all(is_made_up(topic) for topic in asked)


def test_in_mqtt_3_it_is_told_that_what_a_user_may_publish_cannot_be_asked():
    bus = FakeBus()
    (seen,) = visit([Visitor(login("console", protocol="3.1.1"), bus)], TOPICS, quiet_for_s=0.0)
    (answer,) = judged(seen)
    assert answer.good
    assert "cannot be asked in MQTT 3.1.1" in answer.said


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of whoever looks by hand."""
    for name in ("mqtt", plant_user("sierra"), "replay"):
        (tmp_path / f"{name}.password").write_text("secret")
    monkeypatch.setenv("DOTBUS_MQTT_USERNAME", "console")
    monkeypatch.setenv("DOTBUS_MQTT_PASSWORD_FILE", str(tmp_path / "mqtt.password"))
    return tmp_path


def test_the_users_whose_passwords_lie_beside_the_consoles_are_asked_too(secrets: Path):
    logins = list(broker_logins(FILE, []))
    assert [one.settings.username for one in logins] == ["console", plant_user("sierra"), "replay"]
    assert logins[1].settings.password_file == secrets / f"{plant_user('sierra')}.password"
    assert [one.user for one in logins] == [USERS["console"], USERS[plant_user("sierra")], USERS["replay"]]


@pytest.mark.usefixtures("secrets")
def test_a_plant_whose_password_is_missing_beside_the_others_is_told_with_its_line():
    (mistake,) = plants_without_password(FILE)
    line = next(i for i, text in enumerate(EXAMPLE.read_text().splitlines(), 1) if text == 'name = "delta"')
    assert (mistake.key, mistake.line) == ("plant[1].name", line)
    assert "`dotbus certificates init` makes the plant's user" in mistake.reason


@pytest.mark.usefixtures("secrets")
def test_what_is_wrong_with_a_plants_user_is_told_with_the_plants_line():
    plant = list(broker_logins(FILE, []))[1]
    (answer,) = judged(Seen(plant, away="refuses us: Not authorized"))
    (mistake,) = answer.mistakes
    assert mistake.key == "plant[0].name"
    assert mistake.line is not None


def test_who_logs_in_by_another_name_is_measured_by_what_that_user_says_and_hears(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MODBUS_GATEWAY_MQTT_USERNAME", plant_user("sierra"))
    (gateway,) = broker_logins(FILE, ["MODBUS_GATEWAY_"])
    assert gateway.user == USERS[plant_user("sierra")]
    monkeypatch.delenv("MODBUS_GATEWAY_MQTT_USERNAME")
    (gateway,) = broker_logins(FILE, ["MODBUS_GATEWAY_"])
    assert gateway.user == USERS["modbus_gateway"]


def test_what_is_given_is_acknowledged_so_that_the_rest_comes_too():
    bus = FakeBus()
    bus.start()
    visitor = Visitor(login("console"), bus)  # type: ignore[arg-type]
    bus.deliver(DOT, b"{}", retained=True)
    assert visitor.seen().heard == {DOT}
    assert bus.acknowledged == [DOT]
