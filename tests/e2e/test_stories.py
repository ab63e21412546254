"""Stories of a plant: what an operator must be able to rely on, with every part real and some of them killed."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from plant_stack import RESOURCES, SERVICES, PlantStack
from real_mosquitto import Mosquitto, remove_mosquitto, start_mosquitto
from real_postgres import Postgres, new_database
from waiting import eventually

from dotbus.contracts.quality import BIT_OF, Reason
from dotbus.contracts.schedules import Schedule
from dotbus.runtime.schedule import utc_now
from launcher.look.comparison import dot_in_force, moments_around

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    broker = start_mosquitto(tmp_path_factory.mktemp("broker"))
    yield broker
    remove_mosquitto(broker)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, broker: Mosquitto, postgres: Postgres) -> Iterator[PlantStack]:
    stack = PlantStack(tmp_path_factory.mktemp("stack"), broker, new_database(postgres))
    yield stack
    stack.stop()


@pytest.fixture
def stack(installation: PlantStack) -> PlantStack:
    """Everything at work, whatever the story before has killed."""
    installation.start_missing()
    installation.wait_until_good()
    return installation


def reasons(stack: PlantStack, quantity: str = "dot_reasons") -> set[Reason]:
    bits = int(stack.value(quantity) or 0)
    return {reason for reason in Reason if bits >> BIT_OF[reason] & 1}


def test_when_caiso_falls_silent_the_registers_stop_looking_fresh_and_come_back_by_themselves(stack: PlantStack):
    eventually(lambda: stack.value("ads_polling_works", unit_id=1) == 1)
    stack.kill("simulator")
    eventually(lambda: Reason.SOURCE_FAILING in reasons(stack))
    eventually(lambda: stack.value("ads_polling_works", unit_id=1) == 0)
    eventually(lambda: stack.value("dot_quality") == 0 and stack.shown()["dot_mw"].value is None, within_s=30)
    assert reasons(stack) & {Reason.STALE, Reason.EXPIRED}
    failures = [
        line for line in stack.log("ads_ingest").splitlines() if '"level": "error"' in line or '"level": "warning"' in line
    ]
    assert 1 <= len(failures) <= 3, "an outage is logged when it begins, not with every try"
    stack.start("simulator")
    stack.wait_until_good()


def test_when_the_ingest_dies_its_registers_say_so_at_once(stack: PlantStack):
    stack.kill("ads_ingest")
    eventually(lambda: Reason.SOURCE_OFFLINE in reasons(stack), within_s=30)
    eventually(lambda: stack.value("dot_quality") == 0, within_s=30)
    assert stack.value("lmp_active_quality") == 192, "prices come from another source and go on"
    stack.start("ads_ingest")
    stack.wait_until_good()


def test_when_the_broker_dies_registers_go_bad_and_everything_comes_back(stack: PlantStack, broker: Mosquitto):
    broker.kill()
    eventually(lambda: Reason.BROKER_LOST in reasons(stack))
    eventually(lambda: stack.value("dot_quality") == 0, within_s=30)
    broker.start()
    stack.wait_until_good(within_s=90)


def test_killing_anything_at_any_moment_loses_no_dispatch_and_doubles_none(stack: PlantStack, broker: Mosquitto):
    for victims in (("ads_ingest",), ("historian",), ("ads_ingest", "historian"), ("modbus_gateway", "historian")):
        seen = len(stack.sent().batches)
        for victim in victims:
            stack.kill(victim)
        eventually(lambda seen=seen: len(stack.sent().batches) > seen, within_s=30, every_s=0.2)
        broker.kill()
        stack.start(*victims)
        broker.start()
    last = stack.sent()
    eventually(lambda: missing(stack) == [], within_s=90, every_s=1.0)
    assert doubled(stack) == []
    assert {batch.batch_uid for batch in last.batches} <= {batch.batch_uid for batch in stack.sent().batches}
    assert lost_events(stack) == 0


def missing(stack: PlantStack) -> list[str]:
    """What the simulator sent some time ago and the database does not hold as it was sent."""
    sent = stack.sent()
    settled = [batch for batch in sent.batches if batch.batch_type == 0][:-3]
    dots = [each for batch in settled for each in batch.instructions if each.dot_mw is not None]
    stored = dict(query(stack, "SELECT instruction_uid, dot_mw FROM dotbus.instruction_latest"))
    absent = [each.instruction_uid for each in dots if stored.get(each.instruction_uid) != each.dot_mw]
    dops = [dop for trajectory in sent.trajectories[:-3] for dop in trajectory.dops]
    return absent + [dop.dop_uid for dop in dops if stack.rows.dop_mw(dop.dop_uid) != dop.dop_mw]


def query(stack: PlantStack, text: str) -> list:
    with stack.rows._engine.connect() as connection:
        return list(connection.execute(sa.text(text)))


def doubled(stack: PlantStack) -> list:
    return query(
        stack,
        "SELECT instruction_uid, revision_key, count(*) FROM dotbus.instruction_history GROUP BY 1, 2 HAVING count(*) > 1 "
        "UNION ALL SELECT dop_uid, '', count(*) FROM dotbus.dop_history GROUP BY 1 HAVING count(*) > 1",
    )


def shows_what_is_in_force(stack: PlantStack, resource: str) -> bool:
    shown = stack.shown(resource)
    moments = moments_around(utc_now(), 1.5)
    dot = dot_in_force(stack.sent(), resource, Schedule.FIVE_MINUTE, shown["dot_start"].at, moments)
    return dot is not None and shown["dot_mw"].value == pytest.approx(dot.dot_mw, rel=1e-6)


def lost_events(stack: PlantStack) -> int:
    return query(stack, "SELECT count(*) FROM dotbus.lost_events")[0][0]


def cancelled_early(stack: PlantStack) -> bool:
    """Cancel the DOT that just came into force. Whether it left its register before its interval was over."""
    begun = {stack.value("dot_start"), None}
    eventually(lambda: stack.value("dot_start") not in begun, within_s=30, every_s=0.1)
    shown = stack.shown()
    start, end = shown["dot_start"].at, shown["dot_end"].at
    batch = next(b for b in stack.sent().batches if b.batch_type == 0 and b.start_at == start)
    stack.ask_simulator("/cancel", batch_uid=batch.batch_uid)
    eventually(lambda: stack.shown()["dot_start"].at != start, within_s=30, every_s=0.1)
    left_at = utc_now()
    cancelled = f"SELECT 1 FROM dotbus.dispatch_batch WHERE batch_uid = '{batch.batch_uid}' AND batch_status = 4"
    eventually(lambda: query(stack, cancelled))
    return left_at < end


def test_an_emergency_cancel_takes_the_dot_out_of_the_register_before_its_interval_is_over(stack: PlantStack):
    assert any(cancelled_early(stack) for _ in range(5)), "a busy machine may miss an interval of 6 s, not five of them"


def test_broken_replies_publish_nothing_wrong_and_the_loop_goes_on(stack: PlantStack):
    for fault in ("soap_fault", "http_500", "cut", "malformed", "wrong_gzip"):
        stack.ask_simulator("/faults", service="ads", fault=fault, times=2)
    seen = len(stack.sent().batches)
    eventually(lambda: len(stack.sent().batches) > seen + 3, within_s=40, every_s=0.3)
    stack.wait_until_good()
    eventually(lambda: missing(stack) == [], within_s=40, every_s=0.5)
    for resource in RESOURCES:
        eventually(lambda: shows_what_is_in_force(stack, resource), within_s=20)  # noqa: B023  # called at once


def test_test_dispatches_never_drive_a_plant_that_takes_only_production(stack: PlantStack):
    shown = stack.gateway_accepting("production")
    mask = 1 << BIT_OF[Reason.WRONG_ENVIRONMENT]
    eventually(lambda: int(shown()["dot_reasons"].value or 0) & mask)
    assert stack.value("dot_mw") is not None, "the gateway that accepts the simulator shows it"
    for quantity in ("dot_mw", "set_point_mw", "trajectory_mw", "lmp_active_usd_per_mwh", "latest_dop_mw"):
        assert shown()[quantity].value is None


def test_a_second_instance_on_the_same_state_is_refused_and_the_first_goes_on(stack: PlantStack):
    second = stack.children.start("second", "ads_ingest", environment=stack._settings["ads_ingest"])
    assert second.process.wait(30) == 1
    assert "in use by another process" in second.log.read_text()
    stack.children.running.remove(second)
    second.stop()
    stack.wait_until_good()


def test_every_service_ends_in_order_when_told(stack: PlantStack):
    for name in SERVICES:
        assert stack.end(name) == 0, stack.log(name)
