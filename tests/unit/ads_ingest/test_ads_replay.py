"""`ads-ingest replay` says again what an archive holds, at its own pace and time, and never as a real plant."""

from datetime import timedelta
from pathlib import Path

import pytest
from ads_bench import INSTALLATION, MINUTE, T0, Bench, batch, trajectory

from ads_ingest.files.archive import archived
from ads_ingest.replaying.played_ads import (
    ONLY,
    ArchivedPart,
    KeeperAway,
    Kept,
    NotPlayable,
    PlayedAds,
    Span,
    Timeline,
    kept_in_archive,
)
from ads_ingest.replaying.replay import simulated
from caiso.ads import SavedDocument, UnknownUid, Unreachable
from dotbus.contracts.messages import Environment
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.settings.mistakes import ConfigurationRefused

LATER = T0 + timedelta(days=100)
SECOND = timedelta(seconds=1)


@pytest.fixture
def day(bench: Bench) -> Path:
    """An archive: two batches five minutes apart, a revision of the second a minute later, and a trajectory."""
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.batches.append(batch(2, at=T0 + 5 * MINUTE))
    bench.ads.trajectories = [trajectory("T1", 5, (10, 1.0))]
    bench.round(5 * MINUTE)
    bench.trajectory.round()
    bench.ads.batches[1].revision_no, bench.ads.batches[1].dots_mw = 2, {"R1": 9.0}
    bench.round(MINUTE)
    return bench.folder / "archive"


class Played:
    """An archive that is played at a speed, and a clock to turn."""

    def __init__(self, folder: Path, speed: float) -> None:
        self.now = LATER
        self.kept: list[Kept] = list(kept_in_archive(folder, Span())[ONLY])
        self.ads = PlayedAds(self.kept, Timeline(T0, LATER, speed), lambda: self.now)

    def listed(self, uid: str = "-1") -> list[str]:
        return [header.batch_uid for header in self.ads.get_dispatch_batches_since_uid(uid).headers]


def test_what_came_later_comes_later_and_as_much_sooner_as_was_asked_for(day: Path) -> None:
    played = Played(day, speed=60)
    assert played.listed() == ["B1"]
    played.now = LATER + 4.9 * SECOND
    assert played.listed("B1") == []
    assert not played.ads.is_new_traj_data("-1")
    played.now = LATER + 5 * SECOND
    assert played.listed("B1") == ["B2"]
    assert [each.header.batch_uid for each in played.ads.get_trajectory_data("-1").batches] == ["T1"]


def test_a_revision_is_there_from_when_it_came(day: Path) -> None:
    played = Played(day, speed=60)
    played.now = LATER + 5 * SECOND
    assert played.ads.get_batch_header("B2").revision_no == 1
    played.now = LATER + 6 * SECOND
    assert played.ads.get_batch_header("B2").revision_no == 2
    assert [each.dot_mw for each in played.ads.get_dispatch_batch("B2").instructions] == [9.0]


@pytest.mark.parametrize(("speed", "start", "target"), [(1, 5 * MINUTE, 10 * MINUTE), (60, 5 * SECOND, 10 * SECOND)])
def test_every_time_is_shifted_to_now_and_as_much_closer(day: Path, speed: float, start: timedelta, target: timedelta) -> None:
    played = Played(day, speed)
    played.now = LATER + timedelta(hours=1)
    assert played.listed() == ["B1", "B2"]
    assert played.ads.get_batch_header("B2").start_at == LATER + start
    assert played.ads.get_trajectory_data("-1").batches[0].dops[0].target_at == LATER + target


def test_what_is_not_in_the_archive_is_unknown(day: Path) -> None:
    with pytest.raises(UnknownUid):
        Played(day, 1).ads.get_dispatch_batch("B9")


def test_a_document_that_is_damaged_is_passed_over(day: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = next(iter(archived(day))).path
    first.write_bytes(first.read_bytes()[:20])
    played = Played(day, 1)
    played.now = LATER + timedelta(hours=1)
    assert played.listed() == ["B2"]
    assert first.name in capsys.readouterr().out


def test_a_document_with_any_one_byte_damaged_is_read_or_passed_over(day: Path) -> None:
    part = ArchivedPart(next(iter(archived(day))))
    path, whole = part.document.path, part.document.path.read_bytes()
    refused = 0
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            assert part.read().dispatches
        except NotPlayable:
            refused += 1
    assert refused > len(whole) / 2


class Away:
    """Kept by somebody who does not answer."""

    received_at = T0

    def read(self) -> SavedDocument:
        raise KeeperAway("the database is restarted")


def test_while_who_kept_it_does_not_answer_nothing_is_heard_of_caiso_and_then_it_goes_on(day: Path) -> None:
    played = Played(day, 1)
    played.kept.insert(0, Away())
    for _ in range(2):
        with pytest.raises(Unreachable, match="the database is restarted"):
            played.listed()
    played.kept[0] = played.kept[1]
    assert played.listed() == ["B1"]


def test_a_time_without_documents_is_refused_with_what_there_is(day: Path) -> None:
    with pytest.raises(ConfigurationRefused, match="it has 2026-03-01T12:00:00Z to 2026-03-01T12:06:00Z"):
        kept_in_archive(day, Span(LATER))
    with pytest.raises(ConfigurationRefused, match="is no archive"):
        kept_in_archive(day / "none", Span())
    assert len(kept_in_archive(day, Span(T0 + MINUTE, T0 + 5 * MINUTE))[ONLY]) == 2


def test_the_archives_of_several_accounts_are_played_each_by_itself(day: Path) -> None:
    (day.parent / "all").mkdir()
    day.rename(day.parent / "all" / "east")
    west = next(archived(day.parent / "all" / "east"))
    of_west = day.parent / "all" / "west" / west.path.parent.name
    of_west.mkdir(parents=True)
    (of_west / west.path.name).write_bytes(west.path.read_bytes())
    assert {name: len(own) for name, own in kept_in_archive(day.parent / "all", Span()).items()} == {"east": 4, "west": 1}


@pytest.mark.parametrize("text", ["noon", "2026-03-01T00:00"])
def test_a_time_that_is_none_or_has_no_zone_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationRefused, match="--to"):
        Span.told("2026-03-01T00:00Z", text)


REAL = Installation.model_validate({"environment": "production", "plant": [{"name": "north", "resource": [{"id": "R1"}]}]})


def test_a_replay_is_a_simulation_on_topics_of_its_own() -> None:
    installation = simulated(REAL, "replay/v1")
    assert (installation.environment, installation.topic_root) == (Environment.SIMULATOR, "replay/v1")
    assert installation.plant_of("R1") == INSTALLATION.plants[0].name


def test_a_replay_into_production_is_refused() -> None:
    with pytest.raises(ConfigurationRefused, match="are the topics of production"):
        simulated(REAL, "dotbus/v1")
