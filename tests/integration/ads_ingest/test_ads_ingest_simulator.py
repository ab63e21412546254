"""Both streams against the simulator over mutual TLS, with the real outbox: what is kept is what was sent, whatever fails."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client import CollectorRegistry
from simulator_client import EXAMPLE, Clock, Keys, simulating

from ads_ingest.accounts import Account
from ads_ingest.service import FollowedStream
from ads_ingest.settings import AdsSettings
from ads_ingest.translate import Sender
from ads_ingest.wiring import Meters, Shared, wire_connection, wire_known, wire_streams
from caiso.ads import AdsAddress, AdsClient, AdsConnection
from dotbus.contracts.codec import decode
from dotbus.contracts.messages import AnyMessage, Dispatch, Dot, Instructions, Trajectory, TrajectoryBatch
from dotbus.runtime.ingest import open_outbox, open_quarantine
from dotbus.runtime.installation.file import load_installation
from dotbus.runtime.outbox.outbox import Outbox

RESOURCES = ("SIERRA_2_SOLAR1", "SIERRA_2_BESS1", "DELTA_6_HYDRO1")
INSTALLATION = load_installation(EXAMPLE)
TOPICS = INSTALLATION.topics


@dataclass
class Setup:
    """A simulator, an ingest that follows it, and one clock for both."""

    admin_url: str
    clock: Clock
    settings: AdsSettings
    connection: AdsConnection
    outbox: Outbox
    dispatch: FollowedStream
    trajectory: FollowedStream

    def admin(self, path: str, **order: object) -> Any:
        url = self.admin_url + path
        reply = requests.post(url, json=order, timeout=10) if order else requests.get(url, timeout=10)
        assert reply.ok, reply.text
        return reply.json()

    def fault(self, fault: str, operation: str, times: int = 1) -> None:
        self.admin("/faults", service="ads", fault=fault, operation=operation, times=times)

    def events(self) -> list[AnyMessage]:
        return [decode(event.payload) for event in self.outbox.between(1, 10**6, 10**6)]

    def dot(self, resource: str) -> Dot:
        state = decode(self.outbox.states()[TOPICS.dot(INSTALLATION.plant_of(resource), resource)])
        assert isinstance(state, Dot)
        return state

    def instructions(self, resource: str) -> Instructions:
        state = decode(self.outbox.states()[TOPICS.instructions(INSTALLATION.plant_of(resource), resource)])
        assert isinstance(state, Instructions)
        return state

    def curve(self, resource: str) -> Trajectory:
        state = decode(self.outbox.states()[TOPICS.trajectory(INSTALLATION.plant_of(resource), resource)])
        assert isinstance(state, Trajectory)
        return state

    def quarantined(self) -> list[Path]:
        folder = self.settings.state_dir / "quarantine"
        return sorted(folder.iterdir()) if folder.exists() else []

    def follow(self) -> bool:
        return all([self.dispatch.follow(), self.trajectory.follow()])


def shared_of(settings: AdsSettings, outbox: Outbox, clock: Clock) -> Shared:
    meters, quarantine = Meters(CollectorRegistry(), lambda: 1.0), open_quarantine(settings)
    return Shared(outbox, Sender(INSTALLATION, "ads_ingest/test"), quarantine, meters, clock, lambda: None)


@pytest.fixture
def setup(keys: Keys, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Setup]:
    """As a parameter the length of an interval in seconds, five minutes without."""
    clock = Clock(datetime(2026, 7, 1, 12, 41, tzinfo=UTC))
    with simulating(
        keys, EXAMPLE, clock, history_intervals=3, interval_s=getattr(request, "param", 300), hold_s=30, oversized_mb=4
    ) as at:
        settings = AdsSettings(
            url=at.ads,
            certificate_file=keys.client,
            ca_file=keys.authority,
            timeout_s=3.0,  # a server and a client on a busy machine take a second now and then
            max_reply_mb=2.0,
            validate_batches=True,
            state_dir=tmp_path,
        )
        connection, outbox = wire_connection(settings, clock), open_outbox(settings)
        shared = shared_of(settings, outbox, clock)
        account, client = Account("", settings), AdsClient(connection, max_bytes=settings.max_reply_bytes)
        ((dispatch, trajectory),) = wire_streams([(account, client)], wire_known([account], shared), shared)
        yield Setup(at.admin, clock, settings, connection, outbox, dispatch, trajectory)
        connection.close()
        outbox.close()


def time_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


def assert_kept_equals_sent(setup: Setup) -> None:
    sent = setup.admin("/sent")
    instructions = {
        (batch["batch_uid"], batch["revision_no"], each["instruction_uid"], each["resource_id"], each["dot_mw"])
        for batch in sent["batches"]
        for each in batch["instructions"]
    }
    kept = [event for event in setup.events() if isinstance(event, Dispatch)]
    told = [
        (event.batch.batch_uid, event.batch.revision_no, each.instruction_uid, each.resource_id, each.dot_mw)
        for event in kept
        for each in event.instructions
    ]
    newest = {uid: max(event.batch.revision_no or 0 for event in kept if event.batch.batch_uid == uid) for uid, *_ in told}
    assert {each for each in told if each[1] == newest[each[0]]} == instructions
    assert len(told) == len(set(told)), "nothing is doubled"
    dops = {
        (batch["batch_uid"], each["dop_uid"], each["resource_id"], each["dop_mw"], time_of(each["target_at"]))
        for batch in sent["trajectories"]
        for each in batch["dops"]
    }
    batches = [event for event in setup.events() if isinstance(event, TrajectoryBatch)]
    points = [
        (event.batch.batch_uid, each.dop_uid, event.resource_id, each.dop_mw, each.target_at)
        for event in batches
        for each in event.dops
    ]
    assert set(points) == dops
    assert len(points) == len(dops)


def test_all_that_caiso_has_is_kept_and_stated(setup: Setup) -> None:
    assert setup.follow()
    assert_kept_equals_sent(setup)
    sent = setup.admin("/sent")["batches"]
    for resource in RESOURCES:
        in_force = [
            (time_of(batch["start_at"]), each["dot_mw"], time_of(each["target_at"]), each["supp_mw"])
            for batch in sent
            for each in batch["instructions"]
            if each["resource_id"] == resource
            and batch["batch_type"] == 0
            and time_of(batch["start_at"])
            <= setup.clock.now
            < time_of(batch["start_at"]) + timedelta(seconds=batch["interval_s"])
        ]
        now = [
            (interval.interval_start, interval.dot_mw, interval.target_at, interval.supp_mw)
            for interval in setup.dot(resource).intervals
            if interval.batch_type == 0 and interval.interval_start <= setup.clock.now < interval.interval_end
        ]
        assert now == in_force
        assert len(now) == 1
        assert setup.curve(resource).points
    assert setup.quarantined() == []


def test_what_is_instructed_besides_five_minute_dots_is_stated_while_it_holds(setup: Setup) -> None:
    for _ in range(6):
        assert setup.follow()
        setup.clock.now += timedelta(minutes=5)
    assert setup.follow()
    others = [batch for batch in setup.admin("/sent")["batches"] if batch["batch_type"] != 0]
    assert {batch["batch_type"] for batch in others} >= {1, 2, 4, 5, 10}
    for resource in RESOURCES:
        stated = {known.instruction_uid for known in setup.instructions(resource).instructions}
        uids = {
            each["instruction_uid"]: time_of(batch["start_at"]) + timedelta(seconds=batch["interval_s"])
            for batch in others
            for each in batch["instructions"]
            if each["resource_id"] == resource
        }
        assert {uid for uid, end in uids.items() if end > setup.clock.now} <= stated <= set(uids)
        assert setup.instructions(resource).reasons == ()


def test_as_time_goes_on_each_new_batch_is_kept_once(setup: Setup) -> None:
    for _ in range(6):
        assert setup.follow()
        setup.clock.now += timedelta(minutes=3)
    assert setup.follow()
    assert_kept_equals_sent(setup)


def test_every_batch_is_validated(setup: Setup) -> None:
    setup.follow()
    validated = {each["api_validated_by"] for batch in setup.admin("/sent")["batches"] for each in batch["instructions"]}
    assert validated == {"TEST_John Smith"}


def test_an_emergency_cancel_and_a_revision_reach_the_state(setup: Setup) -> None:
    setup.follow()
    first, second = setup.dot(RESOURCES[0]).intervals[-1], setup.dot(RESOURCES[1]).intervals[-1]
    setup.admin("/revise", batch_uid=second.batch_uid, resource_id=RESOURCES[1], dot_mw=-7.5)
    setup.clock.now += timedelta(seconds=31)
    assert setup.follow()
    assert setup.dot(RESOURCES[1]).intervals[-1].dot_mw == -7.5
    setup.admin("/cancel", batch_uid=first.batch_uid)
    setup.clock.now += timedelta(seconds=31)
    assert setup.follow()
    assert first.batch_uid not in {interval.batch_uid for interval in setup.dot(RESOURCES[0]).intervals}
    assert_kept_equals_sent(setup)


DISPATCH_OPERATIONS = ("getDispatchBatchesSinceUID", "getDispatchBatch")
TRAJECTORY_OPERATIONS = ("isNewTrajData", "getTrajectoryData")
EVERYWHERE = ("soap_fault", "http_500", "timeout", "cut", "malformed", "oversized")
PACKED_ONLY = ("wrong_gzip", "bomb")
IN_PARTS = ("oversized", "getTrajectoryData")
"""Of trajectories those that fit are taken."""
FAULTS = [
    *[(fault, operation) for fault in EVERYWHERE for operation in (*DISPATCH_OPERATIONS, *TRAJECTORY_OPERATIONS)],
    *[(fault, operation) for fault in PACKED_ONLY for operation in ("getDispatchBatch", "getTrajectoryData")],
]
FAULTS.remove(IN_PARTS)


def test_of_a_trajectory_answer_larger_than_the_bound_what_fits_is_kept_and_the_rest_comes_next(setup: Setup) -> None:
    setup.fault(*IN_PARTS)
    assert setup.follow()
    assert setup.follow()
    sent = {batch["batch_uid"] for batch in setup.admin("/sent")["trajectories"]}
    assert {event.batch.batch_uid for event in setup.events() if isinstance(event, TrajectoryBatch)} == sent


@pytest.mark.parametrize(("fault", "operation"), FAULTS)
def test_a_fault_publishes_nothing_wrong_is_in_the_health_and_the_loop_goes_on(
    setup: Setup, fault: str, operation: str
) -> None:
    setup.fault(fault, operation)
    is_of_one_batch = operation == "getDispatchBatch"
    assert setup.follow() == is_of_one_batch
    failing = setup.dispatch if operation in DISPATCH_OPERATIONS else setup.trajectory
    other = setup.trajectory if failing is setup.dispatch else setup.dispatch
    health = failing.health.snapshot()
    assert health.ok == is_of_one_batch
    assert operation in f"{health.last_error} {health.complaints}"
    assert other.health.snapshot().ok
    raw = [path for path in setup.quarantined() if operation in path.name]
    assert len(raw) == (0 if fault == "timeout" else 1)

    setup.clock.move(5)
    assert setup.follow()
    assert failing.health.snapshot().ok
    assert failing.rounds_in_vain == 0
    assert_kept_equals_sent(setup)
    assert {setup.dot(resource).reasons for resource in RESOURCES} == {()}


def test_after_caiso_forgot_its_batches_only_their_resources_are_in_doubt_and_only_while_they_last(
    setup: Setup, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A simulator that was started anew does not know what the old one issued."""
    assert setup.follow()
    with simulating(keys, EXAMPLE, setup.clock, history_intervals=0, interval_s=300) as anew:
        monkeypatch.setattr(setup.connection, "_address", AdsAddress.of(anew.ads))
        forgotten = {interval.batch_uid for resource in RESOURCES for interval in setup.dot(resource).intervals}
        ends_at = max(interval.interval_end for resource in RESOURCES for interval in setup.dot(resource).intervals)
        setup.clock.move(31)
        assert setup.follow()
        assert setup.dispatch.health.snapshot().ok
        assert {setup.dot(resource).reasons for resource in RESOURCES} == {("incomplete",)}
        while setup.clock.now <= ends_at:
            setup.clock.move(30)
            assert setup.follow()
        for resource in RESOURCES:
            dot = setup.dot(resource)
            in_force = [one for one in dot.intervals if one.interval_start <= setup.clock.now < one.interval_end]
            assert dot.reasons == ()
            assert in_force
            assert not forgotten & {one.batch_uid for one in in_force}


def test_an_empty_trajectory_list_is_no_failure_and_the_batches_come_later(setup: Setup) -> None:
    setup.fault("empty_trajectory", "getTrajectoryData")
    assert setup.follow()
    assert all(not setup.curve(resource).points for resource in RESOURCES)
    assert setup.follow()
    assert_kept_equals_sent(setup)


@pytest.mark.parametrize("setup", [1800], indirect=True)
def test_an_outage_longer_than_caiso_remembers_is_survived(setup: Setup) -> None:
    assert setup.follow()
    setup.clock.now += timedelta(hours=30)
    for _ in range(40):
        if setup.follow() and setup.outbox.cursors()["dispatch"] == setup.admin("/sent")["batches"][-1]["batch_uid"]:
            break
    sent = {batch["batch_uid"] for batch in setup.admin("/sent")["batches"] if batch["instructions"]}
    kept = {event.batch.batch_uid for event in setup.events() if isinstance(event, Dispatch)}
    assert sent <= kept
    assert setup.dot(RESOURCES[0]).heard_at == setup.clock.now


def test_caiso_s_clock_is_compared_with_ours(setup: Setup) -> None:
    setup.follow()
    offset_s = setup.dispatch.health.snapshot().clock_offset_s
    assert offset_s is not None
    assert abs(offset_s) < 1.5


def test_a_client_whose_certificate_caiso_does_not_know_is_unreachable(setup: Setup, keys: Keys, tmp_path: Path) -> None:
    stranger = setup.settings.model_copy(update={"certificate_file": keys.stranger, "state_dir": tmp_path / "stranger"})
    connection, outbox = wire_connection(stranger, setup.clock), open_outbox(stranger)
    account, shared = Account("", stranger), shared_of(stranger, outbox, setup.clock)
    ((dispatch, _trajectory),) = wire_streams([(account, AdsClient(connection))], wire_known([account], shared), shared)
    assert not dispatch.follow()
    assert "unreachable" in str(dispatch.health.snapshot().last_error)
    assert outbox.states() == {}
    connection.close()
    outbox.close()
