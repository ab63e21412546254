"""Several ADS accounts in one process: one known state, one event for each news, and what fails of one is not the other's."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import trustme
from ads_bench import INSTALLATION, MINUTE, RECHECK, T0, timed_out, trajectory
from ads_fake import Batch, FakeAds
from prometheus_client import CollectorRegistry

from ads_ingest.accounts import Account, load_accounts, load_configuration
from ads_ingest.meters import Meters
from ads_ingest.service import Loop, run_together, upstreams_of
from ads_ingest.settings import AdsSettings
from ads_ingest.translate import Sender
from ads_ingest.wiring import Shared, wire_known, wire_streams
from caiso.ads import AdsClient
from dotbus.contracts.codec import decode_as
from dotbus.contracts.messages import Dot, Upstream, UpstreamGap
from dotbus.runtime.mistakes import ConfigurationRefused
from dotbus.runtime.outbox import Outbox
from dotbus.runtime.quarantine import Quarantine

TOPICS = INSTALLATION.topics
NAMES = ("east", "west")


class Two:
    """Two accounts, an ADS for each, and a clock to turn."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        authority.issue_cert("client").private_key_and_cert_chain_pem.write_to_path(str(folder / "client.pem"))
        self.folder = folder
        self.settings = AdsSettings(
            url="https://ads.example/ADS/APIWebService/v8",
            certificate_file=folder / "client.pem",
            ca_file=folder / "ca.pem",
            state_dir=folder,
        )
        self.ads = {name: FakeAds() for name in NAMES}
        self.now = T0
        self.start()

    def start(self) -> None:
        self.outbox = Outbox(self.folder / "outbox.sqlite", max_age_s=1e9, max_bytes=10**9)
        shared = Shared(
            self.outbox,
            Sender(INSTALLATION, "ads_ingest/test"),
            Quarantine(self.folder / "quarantine", 10**6),
            Meters(CollectorRegistry(), lambda: 1.0),
            lambda: self.now,
            lambda: None,
            monotonic_s=lambda: 0.0 + (self.now - T0).total_seconds(),
        )
        asked = [(Account(name, self.settings), AdsClient(self.ads[name])) for name in NAMES]
        known = wire_known([account for account, _caiso in asked], shared)
        self.streams = dict(zip(NAMES, wire_streams(asked, known, shared), strict=True))

    def restart(self) -> None:
        self.outbox.close()
        for ads in self.ads.values():
            ads.asked.clear()
        self.start()

    def round(self, later: timedelta = timedelta(0), names: tuple[str, ...] = NAMES) -> None:
        self.now += later
        for name in names:
            for stream in self.streams[name]:
                stream.follow()

    def upstreams(self) -> list[Upstream]:
        return [stream.health.snapshot() for of_account in self.streams.values() for stream in of_account]

    def batch(self, number: int, revision: int = 1, **dots_mw: float) -> Batch:
        return Batch(f"B{number}", T0, dots_mw, revision)

    def dot(self, resource: str) -> Dot:
        return decode_as(self.outbox.states()[TOPICS.dot("north", resource)], Dot)

    def dots(self, resource: str) -> list[tuple[str, float]]:
        return [(interval.batch_uid, interval.dot_mw) for interval in self.dot(resource).intervals]

    def events(self) -> list[str]:
        return [msgspec.json.decode(event.payload)["id"] for event in self.outbox.between(1, 10**6, 10**6)]


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    made = Two(tmp_path)
    yield made
    made.outbox.close()


def test_a_batch_of_both_accounts_takes_nothing_from_the_resources_that_one_does_not_see(two: Two) -> None:
    two.ads["east"].batches = [two.batch(1, R1=1.0)]
    two.ads["west"].batches = [two.batch(1, R2=2.0)]
    for _ in range(3):
        two.round(RECHECK)
        assert (two.dots("R1"), two.dots("R2")) == ([("B1", 1.0)], [("B1", 2.0)])
    assert sorted(two.events()) == ["dispatch/B1/1.1/R1", "dispatch/B1/1.1/R2"]
    two.ads["west"].batches = [two.batch(1, 2)]
    two.round(RECHECK)
    assert (two.dots("R1"), two.dots("R2")) == ([("B1", 1.0)], []), "a revision that leaves its own out takes those"


def test_a_resource_that_both_see_is_one_and_its_news_one_event(two: Two) -> None:
    for ads in two.ads.values():
        ads.batches = [two.batch(1, R1=1.0)]
        ads.trajectories = [trajectory("T1", 0, (5, 1.0))]
    two.round()
    assert two.dots("R1") == [("B1", 1.0)]
    assert two.events() == ["dispatch/B1/1.1/R1", "trajectory/T1/R1"]
    assert two.outbox.cursors() == {
        f"{kind}/{name}": uid for name in NAMES for kind, uid in (("dispatch", "B1"), ("trajectory", "T1"))
    }


def test_the_highest_revision_counts_whichever_account_was_told_of_it(two: Two) -> None:
    two.ads["east"].batches, two.ads["west"].batches = [two.batch(1, 2, R1=5.0)], [two.batch(1, 1, R1=40.0)]
    for _ in range(3):
        two.round(RECHECK)
        assert two.dots("R1") == [("B1", 5.0)]


def test_when_one_account_is_not_answered_only_its_own_resources_say_so(two: Two) -> None:
    two.ads["east"].batches = [two.batch(1, R1=1.0)]
    two.ads["west"].batches = [two.batch(1, R2=2.0)]
    two.round()
    two.ads["east"].troubles["getDispatchBatchesSinceUID", None] = timed_out
    two.round(RECHECK)
    assert (two.dot("R1").reasons, two.dot("R2").reasons) == (("source_failing",), ())
    assert (two.dot("R1").heard_at, two.dot("R2").heard_at) == (T0, two.now)
    two.ads["east"].troubles.clear()
    two.round(RECHECK)
    assert (two.dot("R1").reasons, two.dot("R1").heard_at) == ((), two.now)


def test_a_resource_that_both_see_is_well_while_one_of_them_is_answered(two: Two) -> None:
    for ads in two.ads.values():
        ads.batches = [two.batch(1, R1=1.0)]
    two.round()
    two.ads["west"].troubles["getDispatchBatchesSinceUID", None] = timed_out
    two.round(RECHECK)
    two.round(RECHECK)
    assert (two.dot("R1").reasons, two.dot("R1").heard_at) == ((), two.now)


def test_an_account_that_was_away_too_long_is_told_after_a_restart_though_the_other_was_answered(two: Two) -> None:
    two.round()
    two.ads["east"].troubles["getDispatchBatchesSinceUID", None] = timed_out
    for _ in range(30):
        two.round(timedelta(hours=1))
    two.restart()
    two.ads["east"].troubles.clear()
    for _ in range(2):
        two.round(MINUTE)
    (gap,) = two.outbox.events_of("gap/")
    said = decode_as(gap.payload, UpstreamGap)
    assert (said.upstream, said.account, said.missing_from) == ("ads_dispatch", "east", T0)
    complaints = {upstream.name: upstream.complaints for upstream in two.upstreams()}
    assert [name for name, told in complaints.items() if said.detail in told] == ["ads_dispatch/east"]


def test_a_batch_that_one_account_cannot_have_speaks_against_its_own_resources(two: Two) -> None:
    two.ads["east"].batches, two.ads["west"].batches = [two.batch(1, R1=1.0)], [two.batch(1, R2=2.0)]
    two.round()
    two.ads["east"].batches.append(two.batch(2, R1=3.0))
    two.ads["east"].troubles["getDispatchBatch", "B2"] = timed_out
    two.round(MINUTE)
    assert (two.dot("R1").reasons, two.dot("R2").reasons) == (("incomplete",), ())


def test_after_a_restart_each_account_is_asked_for_the_batches_of_its_own_resources(two: Two) -> None:
    two.ads["east"].batches, two.ads["west"].batches = [two.batch(1, R1=1.0)], [two.batch(2, R2=2.0)]
    two.round()
    two.restart()
    two.round(RECHECK)
    asked = {name: {q.batch_uid for q in ads.asked if q.operation == "getBatchHeader"} for name, ads in two.ads.items()}
    assert asked == {"east": {"B1"}, "west": {"B2"}}
    assert (two.dot("R1").reasons, two.dot("R2").reasons) == ((), ())


def test_a_cancel_by_header_alone_is_told_to_the_accounts_own_resources(two: Two) -> None:
    two.ads["east"].batches, two.ads["west"].batches = [two.batch(1, R1=1.0)], [two.batch(1, R2=2.0)]
    two.round()
    cancelled = two.batch(3, R1=9.0)
    cancelled.status = 4
    two.ads["east"].batches.append(cancelled)
    two.ads["east"].troubles["getDispatchBatch", "B3"] = timed_out
    two.round(MINUTE)
    assert [batch.batch_uid for batch in two.dot("R1").withdrawn] == ["B3"]
    assert two.dot("R2").withdrawn == ()


def test_of_a_configured_resource_that_no_account_has_seen_nothing_is_said_before_all_were_answered(two: Two) -> None:
    two.ads["west"].troubles["getDispatchBatchesSinceUID", None] = timed_out
    two.round()
    assert TOPICS.dot("north", "R1") not in two.outbox.states()
    two.ads["west"].troubles.clear()
    two.round(MINUTE)
    assert two.dots("R1") == []


def test_each_account_has_its_own_latest_files_and_archive(two: Two) -> None:
    for name, resource in (("east", "R1"), ("west", "R2")):
        two.ads[name].batches = [two.batch(1, **{resource: 1.0})]
    two.round()
    for name, resource in (("east", b"R1"), ("west", b"R2")):
        assert resource in (two.folder / "latest" / name / "dispatch-batch.xml").read_bytes()
        assert (two.folder / "archive" / name).is_dir()


def test_the_status_has_each_account_and_one_upstream_of_each_kind_that_is_well_while_one_is(two: Two) -> None:
    two.ads["east"].troubles["getDispatchBatchesSinceUID", None] = timed_out
    two.round()
    loops = [Loop(two.streams[name], 10, chance=lambda: 0.5, clock=lambda: two.now) for name in NAMES]
    upstreams = {upstream.name: upstream for upstream in upstreams_of(loops)}
    assert list(upstreams)[:2] == ["ads_dispatch", "ads_trajectory"]
    assert {name: upstream.ok for name, upstream in upstreams.items()} == {
        "ads_dispatch": True,
        "ads_trajectory": True,
        "ads_dispatch/east": False,
        "ads_trajectory/east": True,
        "ads_dispatch/west": True,
        "ads_trajectory/west": True,
    }
    assert upstreams["ads_dispatch"].last_error == upstreams["ads_dispatch/east"].last_error


def test_of_one_account_the_upstreams_are_what_they_always_were() -> None:
    loop = Loop([], 10, chance=lambda: 0.5, clock=lambda: T0)
    loop.upstreams = lambda: [Upstream(name="ads_dispatch", ok=True)]  # type: ignore[method-assign]
    assert [upstream.name for upstream in upstreams_of([loop])] == ["ads_dispatch"]
    loop.upstreams = lambda: [Upstream(name="ads_dispatch/east", ok=True)]  # type: ignore[method-assign]
    told = [upstream.name for upstream in upstreams_of([loop])]
    assert told == ["ads_dispatch", "ads_dispatch/east"], "of one that has a name, as of several"


def test_a_loop_that_ends_with_a_fault_ends_the_others_and_is_told() -> None:
    class Broken(Loop):
        def run(self, _stop: threading.Event) -> None:
            raise ZeroDivisionError

    stop = threading.Event()
    good, broken = (kind([], 1, chance=lambda: 0.5, clock=lambda: T0) for kind in (Loop, Broken))
    good._due_s = [1e6]
    with pytest.raises(ZeroDivisionError):
        run_together([good, broken], stop)
    assert stop.is_set()


ACCOUNTS = """
[[account]]
name = "east"
certificate_file = "east.pem"
[[account]]
name = "west"
certificate_file = "west.pem"
url = "https://other.example/ADS/APIWebService/v7"
validate_batches = true
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    for name in NAMES:
        authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(str(tmp_path / f"{name}.pem"))
    path = tmp_path / "accounts.toml"
    path.write_text(ACCOUNTS)
    monkeypatch.setenv("ADS_INGEST_ACCOUNTS_FILE", str(path))
    monkeypatch.setenv("ADS_INGEST_URL", "https://ads.example/ADS/APIWebService/v8")
    monkeypatch.setenv("ADS_INGEST_CA_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("ADS_INGEST_STATE_DIR", str(tmp_path))
    return path


def test_what_an_account_leaves_out_is_as_the_environment_says(file: Path) -> None:
    east, west = load_accounts()
    assert (east.name, east.settings.url, east.settings.validate_batches) == (
        "east",
        "https://ads.example/ADS/APIWebService/v8",
        False,
    )
    assert (west.settings.url, west.settings.validate_batches) == ("https://other.example/ADS/APIWebService/v7", True)
    assert west.settings.certificate_file == file.parent / "west.pem"


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ('name = "west"', "", "account[1].name: is missing"),
        ('name = "west"', 'name = "east"', "account[1].name: 'east' is given twice"),
        ('name = "west"', 'name = "a/b"', "account[1].name: must be letters"),
        ("west.pem", "none.pem", "account[1].certificate_file: must name a file that can be read"),
        ('certificate_file = "west.pem"', "", "account[1].certificate_file: is missing"),
        ("validate_batches", "validate_batch", "account[1].validate_batch: is no key of this table; did you mean"),
        ("validate_batches = true", "poll_s = 0", "account[1].poll_s: "),
        ("https://other", "http://other", "account[1].url: must be a web address that begins with https://"),
        ("[[account]]", "[[acount]]", "account: must be a list of tables"),
        ("[[account]]", "x = [[account]]", "is not TOML"),
    ],
)
def test_each_mistake_in_the_file_is_told_with_its_place(file: Path, old: str, new: str, mistake: str) -> None:
    file.write_text(ACCOUNTS.replace(old, new))
    with pytest.raises(ConfigurationRefused) as refused:
        load_accounts()
    assert any(mistake in str(each) for each in refused.value.mistakes), refused.value.mistakes


def test_a_certificate_of_the_environment_beside_the_file_is_a_mistake(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADS_INGEST_CERTIFICATE_FILE", str(file.parent / "east.pem"))
    with pytest.raises(ConfigurationRefused, match="ADS_INGEST_CERTIFICATE_FILE: is of one account"):
        load_accounts()


def test_each_account_speaks_for_the_installation_s_environment(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "dotbus.toml"
    config.write_text('environment = "production"\n[[plant]]\nname = "p"\n[[plant.resource]]\nid = "R"\n')
    monkeypatch.setenv("ADS_INGEST_CONFIG", str(config))
    assert [account.name for account in load_configuration().accounts] == list(NAMES)
    file.write_text(ACCOUNTS.replace("https://other.example", "https://adssta.caiso.com:447"))
    with pytest.raises(ConfigurationRefused, match="url of account west: adssta"):
        load_configuration()
