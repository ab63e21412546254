"""A day that the historian keeps is played as one of the archive: the same batches, revisions and points at the same times."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from ads_bench import INSTALLATION, MINUTE, T0, Bench, batch, trajectory
from ads_fake import Batch
from historian_database import OWNER, READERS, WRITER, Addresses, fill, make_roles, prepared
from listening import Listener
from real_mosquitto import Mosquitto
from real_postgres import Postgres, query
from simulator_client import EXAMPLE

from ads_ingest.replaying.from_historian import kept_by_historian
from ads_ingest.replaying.played_ads import ONLY, Kept, PlayedAds, Span, Timeline, kept_in_archive
from ads_ingest.settings import HistorianSettings
from ads_ingest.translate import Sender, translate_dispatch, translate_trajectory
from caiso.ads import Unreachable, parse_saved
from dotbus.contracts.codec import decode
from dotbus.contracts.messages import Dispatch, Environment, TrajectoryBatch
from dotbus.contracts.topics import Subject, Topics
from dotbus.runtime.settings.mistakes import ConfigurationRefused

pytestmark = pytest.mark.integration

SAMPLES = Path(__file__).parents[2] / "fixtures/ads"
LATER = T0 + timedelta(days=100)
SIMULATOR = Environment.SIMULATOR
WHOLE = Span()
replace = msgspec.structs.replace
Event = Dispatch | TrajectoryBatch


def numbered(events: list[Event]) -> list[Event]:
    return [replace(event, stream="of-this-test", seq=seq) for seq, event in enumerate(events, 1)]


def events_of(bench: Bench) -> list[Event]:
    """What was said on a day."""
    said = [decode(kept.payload) for kept in bench.outbox.between(1, 10**6, 10**6)]
    return [event for event in said if isinstance(event, Dispatch | TrajectoryBatch)]


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Bench]:
    """Segments, what the schema does not have, a text that nobody can read, a resource left out, a cancel, a trajectory."""
    (tmp_path / "bench").mkdir()
    bench = Bench(tmp_path / "bench")
    segments = "<instructionDetail><segNo>{}</segNo><serviceType>{}</serviceType><mw>{}</mw></instructionDetail>"
    first = batch(1)
    first.detail = segments.format(1, "SCHD", 4.0) + segments.format(2, "SUPP", -3.0)
    first.told, first.head = "<mustFollow>Y</mustFollow><dot>about five</dot>", "<dispatchMode>0</dispatchMode><new>1</new>"
    award = Batch("C1", T0 + 60 * MINUTE, {"R2": 7.0}, batch_type=3, instruction_type=6)
    bench.ads.batches = [first, award]
    bench.round()
    bench.ads.batches.append(batch(2, at=T0 + 5 * MINUTE))
    bench.ads.trajectories = [trajectory("T1", 5, (10, 1.0), (15, 2.0))]
    bench.round(5 * MINUTE)
    bench.trajectory.round()
    bench.ads.batches[-1].revision_no, bench.ads.batches[-1].dots_mw = 2, {"R1": 9.0}
    bench.round(MINUTE)
    bench.ads.batches[-1].revision_no, bench.ads.batches[-1].status = 3, 4
    bench.round(MINUTE)
    with closing(bench.outbox):
        yield bench


class Played:
    """A day that is played, and what it says at a time of it."""

    def __init__(self, kept: list[Kept]) -> None:
        self.now = LATER
        self.ads = PlayedAds(kept, Timeline(T0, LATER, 1.0), lambda: self.now)

    def says(self, at: timedelta) -> tuple[object, ...]:
        """Every record, but for what only a document has."""
        self.now = LATER + at
        listed = self.ads.get_dispatch_batches_since_uid("-1").headers
        batches = [self.ads.get_dispatch_batch(header.batch_uid) for header in listed]
        curves = self.ads.get_trajectory_data("-1").batches if self.ads.is_new_traj_data("-1") else ()
        return [(each.header, each.instructions) for each in batches], curves


def settings(address: str, **own: object) -> HistorianSettings:
    return HistorianSettings(database_url=address, **own)


def kept(address: str, span: Span = WHOLE, environment: Environment = SIMULATOR) -> list[Kept]:
    return list(kept_by_historian(settings(address), environment, span))


def test_at_every_time_it_says_what_the_archive_says(day: Bench, database: str) -> None:
    with prepared(database) as historian:
        fill(historian, *events_of(day))
    archived = Played(list(kept_in_archive(day.folder / "archive", Span())[ONLY]))
    stored = Played(kept(database))
    for minute in range(10):
        assert stored.says(minute * MINUTE) == archived.says(minute * MINUTE), f"after {minute} minutes"
    assert stored.says(timedelta(hours=1))[1], "there was a trajectory to compare"


@pytest.mark.parametrize("name", ["sample-dispatch-batch.xml", "sample-trajectory-data.xml"])
def test_caisos_own_samples_come_back_whole(name: str, database: str) -> None:
    saved, sender = parse_saved((SAMPLES / name).read_bytes(), 10**6), Sender(INSTALLATION, "ads_ingest/test")
    events: list[Event] = [event for each in saved.dispatches for event in translate_dispatch(each, sender, T0)]
    events += [event for each in saved.trajectories.batches for event in translate_trajectory(each, sender, T0)]
    with prepared(database) as historian:
        fill(historian, *numbered(events))
    found = [each.read() for each in kept(database)]
    batches = [batch for each in found for batch in each.dispatches]
    assert [replace(each, instructions=sorted(each.instructions, key=str)) for each in batches] == [
        replace(each, instructions=sorted(each.instructions, key=str), xml=b"") for each in saved.dispatches
    ]
    curves = [curve for each in found for curve in each.trajectories.batches]
    assert len(curves) == len(saved.trajectories.batches)
    for curve, sample in zip(curves, saved.trajectories.batches, strict=True):
        assert (curve.header, sorted(curve.dops, key=str)) == (sample.header, sorted(sample.dops, key=str))
        assert sorted(curve.compliance, key=str) == sorted(sample.compliance, key=str)


def test_what_two_accounts_were_told_of_one_revision_is_one_and_what_is_older_by_then_is_left_out(
    day: Bench, database: str
) -> None:
    of_two = [event for event in events_of(day) if isinstance(event, Dispatch) and event.batch.batch_uid == "B2"]
    first, second = (event for event in of_two if event.batch.revision_no == 1)
    late = [replace(first, time=T0 + 2 * MINUTE), *of_two[2:], replace(second, time=T0 + 9 * MINUTE)]
    with prepared(database) as historian:
        fill(historian, *numbered([replace(first, time=T0), replace(second, time=T0 + MINUTE)]))
        (one,) = kept(database)
        assert one.received_at == T0
        assert {each.resource_id for each in one.read().dispatches[0].instructions} == {"R1", "R2"}
    other = new_of(database)
    with prepared(other) as historian:
        fill(historian, *numbered(late))
    assert [each.read().dispatches[0].header.revision_no for each in kept(other)] == [1, 2, 3]


def new_of(address: str) -> str:
    """Another empty database of the same server."""
    name = f"{address.rpartition('/')[2]}_2"
    query(address, f'CREATE DATABASE "{name}"')
    return f"{address.rpartition('/')[0]}/{name}"


def test_only_the_time_and_the_caiso_that_were_asked_for_are_played(day: Bench, database: str) -> None:
    with prepared(database) as historian:
        fill(historian, *events_of(day))
    assert len(kept(database, Span(T0 + 6 * MINUTE, T0 + 6 * MINUTE))) == 1
    with pytest.raises(
        ConfigurationRefused, match=r"of simulator of that time; it has 2026-03-01T12:00:00Z to 2026-03-01T12:07"
    ):
        kept(database, Span(LATER))
    with pytest.raises(
        ConfigurationRefused, match=r"it has those of simulator, which `environment` in dotbus.toml does not name"
    ):
        kept(database, environment=Environment.PRODUCTION)


def test_whoever_may_read_the_database_may_play_it(day: Bench, postgres: Postgres, tmp_path: Path, database: str) -> None:
    at: Addresses = make_roles(postgres, database, tmp_path)
    with prepared(at.historian, owner=OWNER, writer=WRITER, reader=READERS) as historian:
        fill(historian, *events_of(day))
    assert Played(kept(at.reader.replace("postgresql:", "postgresql+psycopg2:"))).says(MINUTE)[0]


def test_a_database_that_does_not_answer_is_told_before_and_waited_for_meanwhile(
    day: Bench, postgres: Postgres, database: str
) -> None:
    with prepared(database) as historian:
        fill(historian, *events_of(day))
    played = Played(kept(database))
    postgres.kill()
    try:
        with pytest.raises(Unreachable, match="the historian's database"):
            played.says(MINUTE)
        with pytest.raises(ConfigurationRefused, match="HISTORIAN_DATABASE_URL: the historian's database"):
            kept(database)
    finally:
        postgres.start()
    assert played.says(MINUTE)[0]


def test_a_day_of_the_historian_is_played_as_a_simulation_into_topics_of_its_own(
    day: Bench, database: str, broker: Mosquitto
) -> None:
    with prepared(database) as historian:
        fill(historian, *events_of(day))
    listener = Listener(broker.port, (Subject.DISPATCH, Subject.TRAJECTORY_BATCH), Topics("replay/v1"))
    environment = {
        **os.environ,
        "ADS_INGEST_CONFIG": str(EXAMPLE),
        "ADS_INGEST_MQTT_PORT": str(broker.port),
        "ADS_INGEST_INSTANCE": "test",
        "HISTORIAN_DATABASE_URL": database,
    }
    command = [sys.executable, "-m", "ads_ingest", "replay", "--historian", "--speed", "120"]

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *more], env=environment, capture_output=True, text=True, timeout=90, check=False)

    try:
        ended = run("--from", "2026-03-01T12:00Z", "--to", "2026-03-01T12:17Z")
        assert ended.returncode == 0, ended.stderr
        played = [event for event in listener.of(Dispatch) if event.instructions]
        assert {event.batch.batch_uid for event in played} == {"C1", "B1", "B2"}
        assert {event.environment for event in played} == {SIMULATOR}
        assert [event.batch.batch_uid for event in listener.of(TrajectoryBatch)] == ["T1"]
    finally:
        listener.bus.stop()
    refused = run("--archive", "somewhere")
    assert (refused.returncode, "--archive are both given; keep one" in refused.stderr) == (2, True)
