"""Several ADS accounts in one process: one known state, one event for each news, and what fails of one is not the other's."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import trustme
from ads_bench import INSTALLATION, MINUTE, RECHECK, T0, damaged, timed_out, trajectory
from ads_two_accounts import NAMES, Two

from ads_ingest.accounts import load_accounts, load_configuration
from ads_ingest.service import Loop, run_together, upstreams_of
from dotbus.contracts.codec import decode_as
from dotbus.contracts.messages import Upstream, UpstreamGap
from dotbus.runtime.settings.mistakes import ConfigurationRefused

TOPICS = INSTALLATION.topics


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


@pytest.mark.parametrize("left", [("east",), ("",)])
def test_of_a_resource_whose_account_is_configured_no_more_nobody_says_anything(two: Two, left: tuple[str, ...]) -> None:
    """Whether the accounts' file has one account less or the environment names the only one: its batch names others, too."""
    two.both(1, east={"R1": 1.0}, west={"R2": 2.0})
    two.round()
    heard_at = two.dot("R2").heard_at
    two.restart(left)
    for _ in range(2):
        two.round(MINUTE)
        two.both(1, 2, east={"R1": 1.5}, west={"R2": 2.5})
    two.both(2, east={"R1": 3.0}, west={"R2": 4.0})
    two.round(MINUTE)
    state = two.dot("R2")
    assert (two.dots("R2"), state.withdrawn, state.reasons) == ([("B1", 2.0)], (), ("source_failing",))
    assert state.heard_at == heard_at, "it grows old where it is read"
    assert (two.dots("R1"), two.dot("R1").reasons) == ([("B1", 1.5), ("B2", 3.0)], ())
    assert two.told("R2") == [("B1", 1, [2.0])]
    two.restart()
    two.round(MINUTE)
    assert (two.dots("R2"), two.dot("R2").reasons, two.dot("R2").heard_at) == ([("B1", 2.5), ("B2", 4.0)], (), two.now)
    assert sorted(two.told("R2")) == [("B1", 1, [2.0]), ("B1", 2, [2.5]), ("B2", 1, [4.0])]


def test_a_resource_that_another_account_sees_goes_on_when_one_is_configured_no_more(two: Two) -> None:
    two.both(1, east={"R1": 1.0}, west={"R1": 1.0, "R2": 2.0})
    two.round()
    two.restart(("east",))
    two.both(1, 2, east={"R1": 1.5}, west={})
    two.round(MINUTE)
    assert (two.dots("R1"), two.dot("R1").reasons, two.dot("R1").heard_at) == ([("B1", 1.5)], (), two.now)
    two.both(1, 3, east={}, west={})
    two.round(MINUTE)
    assert (two.dots("R1"), two.dot("R1").reasons) == ([], ()), "its word alone counts"


def test_a_resource_that_no_account_sees_any_more_is_heard_again_by_one_that_is_named_it(two: Two) -> None:
    two.both(1, east={"R1": 1.0}, west={"R2": 2.0})
    two.round()
    two.restart(("east",))
    two.round(MINUTE)
    two.both(2, east={"R1": 3.0, "R2": 4.0}, west={})
    two.round(MINUTE)
    assert (two.dots("R2"), two.dot("R2").reasons) == ([("B1", 2.0), ("B2", 4.0)], ("incomplete",)), "B1 was another's"
    two.round(4 * MINUTE)
    assert (two.dot("R2").reasons, two.dot("R2").heard_at) == ((), two.now)


ORDERS = [("east", "west"), ("west", "east")]


@pytest.mark.parametrize("order", ORDERS)
def test_what_one_account_sees_no_more_is_told_and_held_as_the_other_is_told_it(two: Two, order: tuple[str, ...]) -> None:
    two.both(1, east={"R1": 1.0}, west={"R1": 1.0, "R2": 2.0})
    two.round()
    two.both(2, east={"R1": 3.0}, west={"R2": 4.0})
    two.both(1, 2, east={"R1": 1.5}, west={"R2": 2.5})
    two.round(RECHECK, order[:1])
    two.round(names=order[1:])
    for _ in range(3):
        assert (two.dots("R1"), two.dot("R1").reasons) == ([("B1", 1.5), ("B2", 3.0)], ())
        assert (two.dots("R2"), two.dot("R2").reasons) == ([("B1", 2.5), ("B2", 4.0)], ())
        two.round(RECHECK)
    two.restart()
    two.round(RECHECK)
    assert (two.dots("R1"), two.dot("R1").reasons, two.dot("R1").withdrawn) == ([("B1", 1.5), ("B2", 3.0)], (), ())
    assert sorted(two.told("R1")) == [("B1", 1, [1.0]), ("B1", 2, [1.5]), ("B2", 1, [3.0])]
    assert sorted(two.told("R2")) == [("B1", 1, [2.0]), ("B1", 2, [2.5]), ("B2", 1, [4.0])]


def test_an_account_that_sees_a_resource_no_more_does_not_vouch_for_it(two: Two) -> None:
    two.both(1, east={"R1": 1.0}, west={"R1": 1.0, "R2": 2.0})
    two.round()
    two.both(2, east={"R1": 3.0}, west={"R2": 4.0})
    two.round(RECHECK)
    heard_at = two.now
    two.ads["east"].troubles["getDispatchBatchesSinceUID", None] = timed_out
    two.round(RECHECK)
    two.round(RECHECK)
    assert (two.dot("R1").reasons, two.dot("R1").heard_at) == (("source_failing",), heard_at)


def test_an_account_does_not_vouch_for_a_batch_that_only_another_was_told_of(two: Two) -> None:
    """It sees the resource, as far as anybody knows, and CAISO has left the whole batch out of its list."""
    two.both(1, east={"R1": 1.0}, west={"R1": 1.0})
    two.round()
    two.ads["east"].batches.append(two.batch(2, R1=3.0))
    two.round(RECHECK)
    heard_at = two.now
    two.ads["east"].troubles["getDispatchBatchesSinceUID", None] = timed_out
    two.round(RECHECK)
    assert (two.dots("R1"), two.dot("R1").heard_at) == ([("B1", 1.0), ("B2", 3.0)], heard_at)


@pytest.mark.parametrize("order", ORDERS)
def test_what_caiso_revises_away_goes_once_every_account_that_sees_it_was_given_that(two: Two, order: tuple[str, ...]) -> None:
    two.both(1, east={"R1": 1.0, "R2": 2.0}, west={"R1": 1.0, "R2": 2.0})
    two.round()
    two.both(1, 2, east={"R2": 5.0}, west={"R2": 5.0})
    two.round(RECHECK, order[:1])
    assert (two.dots("R1"), two.dot("R1").reasons) == ([("B1", 1.0)], ("incomplete",))
    two.round(names=order[1:])
    two.round(RECHECK)
    assert (two.dots("R1"), two.dot("R1").reasons, two.dots("R2")) == ([], (), [("B1", 5.0)])
    assert [batch.revision_no for batch in two.dot("R1").withdrawn] == [2]
    two.restart()
    two.round(RECHECK)
    assert (two.dots("R1"), two.dot("R1").reasons) == ([], ())
    assert two.told("R1") == [("B1", 1, [1.0]), ("B1", 2, [])]
    assert two.events().count("dispatch/B1/2.1/R1/unnamed") == 1


def test_a_resource_that_a_batch_names_no_more_in_the_same_revision_was_taken_from_the_accounts_view(two: Two) -> None:
    two.restart(("east",))
    two.both(1, east={"R1": 1.0, "R2": 2.0}, west={})
    two.round()
    two.both(1, east={"R1": 1.0}, west={})
    two.restart(("east",))
    two.round(RECHECK)
    for _ in range(2):
        assert (two.dots("R2"), two.dot("R2").withdrawn, two.dot("R2").reasons) == ([("B1", 2.0)], (), ("source_failing",))
        assert two.dot("R2").heard_at == T0
        two.restart(("east",))
        two.round(RECHECK)
    assert two.told("R2") == [("B1", 1, [2.0])]
    assert (two.dots("R1"), two.dot("R1").reasons) == ([("B1", 1.0)], ())
    two.both(2, east={"R1": 3.0, "R2": 4.0}, west={})
    two.round(5 * MINUTE)
    assert (two.dots("R2")[-1], two.dot("R2").reasons) == (("B2", 4.0), ())


def test_a_cancel_that_names_a_resource_to_one_account_only_holds_and_is_told_as_that_is_told_it(two: Two) -> None:
    two.both(1, east={"R1": 1.0}, west={"R1": 1.0, "R2": 2.0})
    two.round()
    two.both(1, 2, east={"R1": 1.0}, west={"R2": 2.0})
    for ads in two.ads.values():
        ads.batches[0].status = 4
    for name in ("west", "east"):
        two.round(RECHECK, (name,))
        assert two.dots("R1") == two.dots("R2") == []
    assert two.told("R1") == [("B1", 1, [1.0]), ("B1", 2, [1.0])]


def test_a_revision_that_one_account_cannot_read_takes_nothing_from_what_the_other_was_given(two: Two) -> None:
    two.both(1, east={"R1": 1.0}, west={"R1": 1.0})
    two.round()
    two.both(1, 2, east={"R1": 5.0}, west={"R1": 5.0})
    two.ads["west"].troubles["getDispatchBatch", "B1"] = damaged
    for _ in range(4):
        two.round(RECHECK)
    assert (two.dots("R1"), two.dot("R1").withdrawn) == ([("B1", 5.0)], ())


def test_a_header_that_one_account_is_told_late_takes_nothing_from_a_higher_revision_of_the_other(two: Two) -> None:
    two.both(1, 2, east={"R1": 5.0}, west={"R1": 5.0})
    late = two.batch(1, 1, R1=5.0)
    late.status = 0
    two.ads["west"].batches = [late]
    for _ in range(2):
        two.round(RECHECK)
        assert (two.dots("R1"), two.dot("R1").withdrawn) == ([("B1", 5.0)], ())


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
