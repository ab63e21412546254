"""A reload: taken or refused as a whole, told to whoever asked, and said in the status until one is taken."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_story import at, installation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dotbus.contracts.codec import decode_as, encode
from dotbus.contracts.messages import Environment, ReloadReply, ReloadRequest
from dotbus.runtime.hanging import HANG_MOST
from dotbus.runtime.installation.file import load_installation, read_installation
from dotbus.runtime.presence import Identity
from dotbus.runtime.settings.mistakes import ConfigurationRefused
from dotbus.testing.bus import FakeBus
from modbus_gateway.map.draft import draft, read_map
from modbus_gateway.map.register_map import RegisterMap
from modbus_gateway.map.writable import Writables
from modbus_gateway.reloading import reading
from modbus_gateway.reloading.reading import LOOKS_MOST, read_again
from modbus_gateway.reloading.reloads import MOST_WAITING, Outcome, Reloads
from modbus_gateway.reloading.requests import RequestsOnBus

FILE = """
environment = "production"
[[plant]]
name = "sierra"
[[plant.resource]]
id = "SOLAR"
[[modbus.point]]
unit_id = 20
address = 0
quantity = "dot_mw"
resource = "SOLAR"
"""
LONGER = FILE + "".join(FILE[FILE.index("[[modbus.point]]") :].replace("20", str(unit)) for unit in (21, 22))


class Story:
    """A gateway's reloads, with a file that the test writes."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "dotbus.toml"
        self.file.write_text(FILE)
        self.installation = load_installation(self.file)
        self.served = [read_map(self.installation)]
        self.writables = read_installed(self.file)
        self.meanwhile: list[str] = []
        self.outcomes: list[Outcome] = []
        self.reads = 0
        self.reloads = Reloads(self.served[0], self._read, self._change, clock=lambda: at(0))

    def _read(self) -> RegisterMap:
        self.reads += 1
        return read_again(self.file, self.installation, self.writables, self._pause)

    def _pause(self, _seconds: float) -> None:
        """Between two looks at the file somebody goes on with writing it."""
        if self.meanwhile:
            self.file.write_text(self.meanwhile.pop(0))

    async def _change(self, register_map: RegisterMap) -> None:
        self.served.append(register_map)

    def write(self, old: str, new: str) -> None:
        text = self.file.read_text()
        assert old in text
        self.file.write_text(text.replace(old, new))

    def reload(self) -> Outcome:
        async def asked() -> None:
            self.reloads.ask(self.outcomes.append)
            await self.reloads.settled()

        asyncio.run(asked())
        return self.outcomes[-1]


def read_installed(file: Path) -> Writables:
    """What SCADA may write by a file."""
    return draft(read_installation(file)).writables


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


def test_a_changed_file_is_in_force_and_its_changes_are_told_in_the_words_of_the_map(story: Story):
    story.write("address = 0", "address = 8")
    outcome = story.reload()
    assert outcome.outcome == "taken"
    assert "unit 20, holding 0: dot_mw SOLAR float32 big nan (now at 8) -> nothing" in outcome.changes
    assert "ports" in outcome.detail
    assert story.served[-1].spans[0].start == 8
    assert story.reload().changes == (f"unit 20: map_hash {story.served[-1].hashes[20]}, nothing moves",)


def test_a_file_with_mistakes_changes_nothing_and_each_of_them_is_told(story: Story):
    story.write('quantity = "dot_mw"', 'quantity = "dot_gw"\nmin = 5\nmax = 1')
    outcome = story.reload()
    assert outcome.outcome == "refused"
    assert "stays" in outcome.detail
    assert any("dot_gw" in one and "line" in one for one in outcome.mistakes)
    assert len(story.served) == 1


def test_a_refused_file_is_a_complaint_until_one_is_taken(story: Story):
    story.write("unit_id = 20", "unit_id = 999")
    story.reload()
    (complaint,) = story.reloads.complaints
    assert "unit_id" in complaint
    assert "2026-10-13T12:00:00Z" in complaint
    story.write("unit_id = 999", "unit_id = 21")
    story.reload()
    assert story.reloads.complaints == ()


@pytest.mark.parametrize("file", ["nonsense = [", None])
def test_a_file_that_cannot_be_read_changes_nothing(story: Story, file: str | None):
    if file is None:
        story.file.unlink()
    else:
        story.file.write_text(file)
    assert story.reload().outcome == "refused"
    assert len(story.served) == 1


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('environment = "production"', 'environment = "stage"', "environment"),
        ('environment = "production"', 'environment = "production"\ntopic_root = "other/v1"', "topic_root"),
    ],
)
def test_what_takes_a_restart_is_refused_and_said(story: Story, old: str, new: str, key: str):
    story.write(old, new)
    outcome = story.reload()
    assert outcome.outcome == "refused"
    assert any(key in one and "restart" in one for one in outcome.mistakes)


def test_whatever_fails_changes_nothing_and_is_told(story: Story):
    def fail() -> RegisterMap:
        raise ZeroDivisionError("of the test")

    story.reloads._read = fail  # type: ignore[method-assign,assignment]
    outcome = story.reload()
    assert outcome.outcome == "refused"
    assert "of the test" in outcome.mistakes[0]


def test_who_asks_while_one_goes_on_is_told_of_the_next_and_all_of_them_of_one(story: Story):
    async def asked() -> None:
        story.reloads.ask(story.outcomes.append)
        await asyncio.sleep(0)
        for _ in range(MOST_WAITING + 5):
            story.reloads.ask(story.outcomes.append)
        await story.reloads.settled()

    asyncio.run(asked())
    assert len(story.outcomes) == MOST_WAITING + 1
    assert story.reads == 2


class OnBus(Story):
    """The same, asked over a bus."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.bus = FakeBus()
        self.topics = installation().topics
        self.identity = Identity("modbus_gateway", "main", Environment.PRODUCTION, at(0))

    def ask(self, payload: bytes, *, retained: bool = False) -> list[ReloadReply]:
        async def asked() -> None:
            loop = asyncio.get_running_loop()
            RequestsOnBus(self.bus, self.reloads, self.topics, self.identity, clock=lambda: at(1), loop=loop)
            self.bus.start()
            self.bus.deliver(self.topics.reload("modbus_gateway", "main"), payload, retained=retained)
            await asyncio.sleep(0)
            await self.reloads.settled()
            await loop.shutdown_default_executor()

        asyncio.run(asked())
        topic = self.topics.reload_reply("modbus_gateway", "main")
        assert all(one.topic == topic and not one.retain for one in self.bus.published)
        return [decode_as(one.payload, ReloadReply) for one in self.bus.published]


def request(environment: Environment = Environment.PRODUCTION) -> bytes:
    return encode(ReloadRequest(environment=environment, source="dotbus/here", time=at(0), request_id="7"))


def test_who_asks_over_the_bus_is_told_what_came_of_it(tmp_path: Path):
    told = OnBus(tmp_path)
    told.write("address = 0", "address = 8")
    (reply,) = told.ask(request())
    assert (reply.request_id, reply.outcome, len(reply.changes)) == ("7", "taken", 5)
    assert len(told.served) == 2


def test_who_asks_over_the_bus_is_told_every_mistake(tmp_path: Path):
    told = OnBus(tmp_path)
    told.write("unit_id = 20", "unit_id = 999\nscale = 0")
    (reply,) = told.ask(request())
    assert reply.outcome == "refused"
    assert len(reply.mistakes) == 2


@pytest.mark.parametrize(
    ("payload", "retained", "why"),
    [
        (b"{", False, "not understood"),
        (request(), True, "retained"),
        (request(Environment.STAGE), False, "stage"),
    ],
)
def test_a_request_that_is_none_of_ours_is_refused_with_why(tmp_path: Path, payload: bytes, retained: bool, why: str):  # noqa: FBT001
    told = OnBus(tmp_path)
    (reply,) = told.ask(payload, retained=retained)
    assert reply.outcome == "refused"
    assert why in reply.detail
    assert told.reads == 0


def test_a_hangup_reads_the_file_again_and_answers_nobody(tmp_path: Path):
    told = OnBus(tmp_path)

    async def hangup() -> None:
        loop = asyncio.get_running_loop()
        requests = RequestsOnBus(told.bus, told.reloads, told.topics, told.identity, clock=lambda: at(1), loop=loop)
        requests.on_hangup()
        await asyncio.sleep(0)
        await told.reloads.settled()

    asyncio.run(hangup())
    assert told.reads == 1
    assert not told.bus.published


def test_refused_is_what_a_configuration_is_that_a_service_would_not_start_with(story: Story):
    story.write('id = "SOLAR"', 'name = "SOLAR"')
    with pytest.raises(ConfigurationRefused):
        read_again(story.file, story.installation, story.writables, lambda _seconds: None)


def test_what_scada_may_write_takes_a_restart(story: Story):
    story.write("[[modbus.point]]", '[modbus]\nallow_writes_from = ["192.0.2.0/24"]\n[[modbus.point]]')
    with pytest.raises(ConfigurationRefused, match="restart") as refused:
        read_again(story.file, story.installation, story.writables, lambda _seconds: None)
    assert [mistake.key for mistake in refused.value.mistakes] == ["modbus.allow_writes_from"]


WRITTEN = """
[modbus]
addresses = "1-based"
allow_writes_from = ["192.0.2.0/24"]
[[modbus.write]]
unit_id = 20
address = 101
resource = "SOLAR"
point = "actual_mw"
expires_after_s = 30
[[modbus.answer]]
unit_id = 20
address = 201
resource = "SOLAR"
"""
OTHER_PLANT = (
    '[[plant]]\nname = "delta"\n[[plant.resource]]\nid = "SOLAR"\n[[plant]]\nname = "sierra"\n[[plant.resource]]\nid = "X"'
)
OWN_PLANT = '[[plant]]\nname = "sierra"\n[[plant.resource]]\nid = "SOLAR"'


@pytest.fixture
def written(tmp_path: Path) -> Story:
    """A gateway whose map takes writes."""
    story = Story(tmp_path)
    story.file.write_text(f"{FILE.replace('address = 0', 'address = 1')}{WRITTEN}")
    story.installation, story.writables = load_installation(story.file), read_installed(story.file)
    return story


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        ("address = 101", "address = 103", ["modbus.write"]),
        ("expires_after_s = 30", "expires_after_s = 31", ["modbus.write"]),
        ("address = 201", "address = 301", ["modbus.answer"]),
        ('addresses = "1-based"', 'addresses = "0-based"', ["modbus.write", "modbus.answer"]),
        (OWN_PLANT, OTHER_PLANT, ["modbus.write", "modbus.answer"]),
    ],
)
def test_whatever_key_makes_that_something_else_is_written_takes_a_restart(written: Story, old: str, new: str, keys: list[str]):
    written.write(old, new)
    outcome = written.reload()
    assert outcome.outcome == "refused"
    assert [key for key in ("modbus.write", "modbus.answer") if any(key in one for one in outcome.mistakes)] == keys


def test_the_same_that_is_written_in_other_words_is_taken(written: Story):
    text = written.file.read_text().replace('addresses = "1-based"', 'addresses = "0-based"')
    written.file.write_text(text.replace("address = 101", "address = 100").replace("address = 201", "address = 200"))
    assert written.reload().outcome == "taken"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, len(LONGER)), max_size=LOOKS_MOST - 2).map(sorted))
def test_a_file_that_is_being_written_is_taken_whole_or_not_at_all(tmp_path: Path, cuts: list[int]):
    story = Story(tmp_path)
    story.meanwhile = [LONGER[:cut] for cut in dict.fromkeys(cuts)] + [LONGER]
    story.reload()
    assert [one.by_unit.keys() for one in story.served[1:]] in ([], [{20}], [{20, 21, 22}])


def test_a_file_that_never_comes_to_rest_is_refused(story: Story):
    story.meanwhile = [f"{FILE}# {number}" for number in range(2 * LOOKS_MOST)]
    outcome = story.reload()
    assert outcome.outcome == "refused"
    assert "being written" in outcome.mistakes[0]


@pytest.fixture
def hanging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Story, Path]]:
    """A story whose file can be made to hang, as on a mount whose server is gone; and where it then is."""
    monkeypatch.setattr(reading, "READ_WITHIN_S", 0.01)
    story, aside = Story(tmp_path), tmp_path / "aside"
    os.mkfifo(aside)
    yield story, aside
    os.close(os.open(aside, os.O_RDWR | os.O_NONBLOCK))  # whoever waits for it goes on


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no file that hangs")
def test_a_file_that_hangs_is_refused_and_does_not_keep_the_next_from_being_taken(hanging: tuple[Story, Path], tmp_path: Path):
    story, aside = hanging
    text = story.file.read_text()
    story.file.unlink()
    story.file.symlink_to(aside)
    outcome = story.reload()
    assert outcome.outcome == "refused"
    assert "nothing came within" in outcome.mistakes[0]
    assert "nothing came within" in story.reloads.complaints[0]
    story.file.unlink()
    story.file.write_text(text.replace("address = 0", "address = 4"))
    assert story.reload().outcome == "taken"
    assert story.reloads.complaints == ()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no file that hangs")
def test_attempts_that_hang_take_no_more_than_so_many_threads(hanging: tuple[Story, Path]):
    story, aside = hanging
    story.file.unlink()
    story.file.symlink_to(aside)
    for _ in range(HANG_MOST):
        assert "nothing came within" in story.reload().mistakes[0]
    assert "attempts before hang still" in story.reload().mistakes[0]
