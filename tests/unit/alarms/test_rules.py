"""What each rule that ships says of what is known: it holds, it does not, or nobody can know."""

from datetime import timedelta

import pytest
from alarms_world import CONFIG, START, TOPICS, World
from msgspec.structs import replace

from alarms.rules.own import Disk
from alarms.states.observed import AlarmKey
from dotbus.contracts.messages import InstructionAnswer, Upstream
from dotbus.testing import samples

BROKER_LOST = AlarmKey("installation", "alarms/main", "broker-lost")
ADS_DOWN = AlarmKey("installation", "ads_ingest/a", "service-down")


@pytest.fixture
def world() -> World:
    """All is well."""
    world = World()
    world.connect()
    world.ads_ingest()
    world.dot()
    return world


def test_while_all_is_well_nothing_holds(world: World):
    world.actual(40.0)
    assert [one for one in world.observed() if one.holds] == []


def test_a_dot_is_stale_once_caiso_was_not_heard_for_longer_than_it_counts(world: World):
    world.passes(89)
    world.ads_ingest()
    assert world.of("dot-stale").holds is False
    world.passes(2)
    world.ads_ingest()
    stale = world.of("dot-stale")
    assert (stale.holds, stale.because, stale.unit) == (True, None, "s")
    assert stale.text == "the DOT of S1 is stale: CAISO was last heard 91 s ago"


def test_a_resource_that_never_had_a_dot_is_not_stale():
    world = World()
    world.connect()
    world.passes(3600)
    assert world.of("dot-stale").holds is False


def test_what_follows_from_a_lost_broker_says_so(world: World):
    world.disconnect()
    world.passes(120)
    assert world.of("broker-lost", "alarms/main").holds
    stale, down = world.of("dot-stale"), world.of("service-down", "ads_ingest/a")
    assert (stale.holds, stale.because) == (True, BROKER_LOST)
    assert (down.holds, down.because) == (None, BROKER_LOST)


def test_what_follows_from_every_ads_ingest_that_is_down_says_so_and_from_one_of_two_does_not(world: World):
    world.ads_ingest(online=False)
    assert world.of("service-down", "ads_ingest/a").holds
    assert world.of("dot-stale").because == ADS_DOWN
    other = replace(samples.service_status(), time=world.now, source="ads_ingest/b", instance="b")
    world.say(TOPICS.service("ads_ingest", "b"), other)
    assert world.of("dot-stale").because is None


def test_a_rule_that_is_out_of_service_is_no_cause():
    world = World("[alarms.broker_lost]\nenabled = false\n")
    world.connect()
    world.ads_ingest()
    world.dot()
    world.disconnect()
    world.passes(120)
    assert (world.of("dot-stale").holds, world.of("dot-stale").because) == (True, None)


@pytest.mark.parametrize(("dot_mw", "holds", "threshold"), [(100.0, False, 0.0), (100.1, True, 100.0), (-0.5, True, 0.0)])
def test_a_dot_outside_of_the_resources_limits(world: World, dot_mw, holds, threshold):
    world.dot(dot_mw)
    found = world.of("dot-out-of-limits")
    assert (found.holds, found.value, found.threshold) == (holds, dot_mw, threshold)


def test_the_deviation_is_looked_at_near_the_intervals_end_and_nobody_knows_before(world: World):
    world.dot(40.0, minutes=5)
    world.actual(60.0)
    assert world.of("dot-deviation").holds is None, "it may be on its ramp"
    world.passes(211)
    world.dot(40.0, minutes=5)
    world.ads_ingest()
    world.actual(46.0)
    found = world.of("dot-deviation")
    assert (found.holds, found.value, found.threshold, found.unit) == (True, 6.0, 5.0, "MW")
    world.actual(44.5)
    assert world.of("dot-deviation").holds is False
    world.active.add(found.key)
    assert world.of("dot-deviation").holds is True, "back within the band, and not by the deadband"
    world.actual(44.0)
    assert world.of("dot-deviation").holds is False


@pytest.mark.parametrize(("value", "quality"), [(None, 0), (90.0, 64)])
def test_without_a_good_measurement_nobody_knows_the_deviation(world: World, value: float | None, quality: int):
    world.passes(240)
    world.dot(40.0, minutes=5)
    world.actual(value, quality)
    assert world.of("dot-deviation").holds is None


def test_a_variable_resource_that_need_not_follow_deviates_from_nothing():
    free = World(config=CONFIG.replace('id = "S1"', 'id = "S1"\nvariable = true'))
    free.connect()
    free.ads_ingest()
    free.passes(240)
    free.dot(40.0, minutes=5, must_follow=False)
    free.actual(90.0)
    assert free.of("dot-deviation").holds is False
    free.dot(40.0, minutes=5, must_follow=True)
    assert free.of("dot-deviation").holds is True


def test_an_instruction_is_unanswered_near_the_end_of_its_window_and_not_after(world: World):
    instructions = samples.instructions()
    answer = InstructionAnswer(answer="none", is_open=True, open_until=START + timedelta(minutes=10))
    one = replace(
        instructions.instructions[0], answer=answer, batch_until=START + timedelta(hours=2), told_at=START, start_at=START
    )

    def say(known) -> None:
        state = replace(
            instructions,
            plant="sierra",
            resource_id="S1",
            time=world.now,
            heard_at=world.now,
            instructions=(known,),
            withdrawn=(),
        )
        world.say(TOPICS.instructions("sierra", "S1"), state)

    say(one)
    assert world.of("instruction-unanswered").holds is False
    world.passes(301)
    world.ads_ingest()
    say(one)
    found = world.of("instruction-unanswered")
    assert (found.holds, found.value) == (True, 299.0)
    assert one.instruction_uid in found.text
    say(replace(one, answer=replace(answer, answer="accepted")))
    assert world.of("instruction-unanswered").holds is False
    say(one)
    world.passes(300)
    assert world.of("instruction-unanswered").holds is False


def test_a_service_is_down_when_it_says_so_or_says_nothing_for_three_heartbeats(world: World):
    world.passes(15)
    assert world.of("service-down", "ads_ingest/a").holds is False
    world.passes(0.1)
    assert world.of("service-down", "ads_ingest/a").holds is True
    world.ads_ingest()
    assert world.of("service-down", "ads_ingest/a").holds is False


def test_silence_is_counted_from_the_connection_on(world: World):
    world.disconnect()
    world.passes(3600)
    world.connect()
    world.passes(14)
    assert world.of("service-down", "ads_ingest/a").holds is False


def test_a_service_that_is_expected_is_down_though_nobody_heard_of_it():
    world = World('[alarms.service_down]\nexpected = ["historian/main"]\n')
    world.connect()
    assert world.of("service-down", "historian/main").holds is None
    world.passes(16)
    assert world.of("service-down", "historian/main").holds is True


def test_a_service_whose_status_was_cleared_is_looked_at_no_more(world: World):
    world.say(TOPICS.service("ads_ingest", "a"), b"")
    assert [one for one in world.observed() if one.key.about == "ads_ingest/a"] == []


def test_the_farther_of_a_services_clocks_counts(world: World):
    world.ads_ingest(upstreams=(Upstream(name="ads_dispatch", ok=True, clock_offset_s=-3.5),))
    found = world.of("clock-wrong", "ads_ingest/a")
    assert (found.holds, found.value, found.threshold) == (True, 3.5, 2.0)
    assert "CAISO (ads_dispatch)" in found.text


def test_a_clock_that_differs_from_ours_is_wrong_too(world: World):
    world.ads_ingest(time=world.now + timedelta(seconds=30), upstreams=())
    assert world.of("clock-wrong", "ads_ingest/a").holds is True


@pytest.mark.parametrize(("days", "holds"), [(21.0, False), (20.9, True), (-1.0, True)])
def test_a_certificate_that_ends_soon(world: World, days, holds):
    world.ads_ingest(certificate_days_left=days)
    assert world.of("certificate-expiring", "ads_ingest/a").holds is holds


def test_a_gap_is_told_for_some_hours(world: World):
    gap = replace(samples.upstream_gap(), source="ads_ingest/a", time=world.now)
    world.say(TOPICS.gap("ads_ingest", "a"), gap)
    assert world.of("upstream-gap", "ads_ingest/a").holds is True
    world.passes(8 * 3600)
    assert world.of("upstream-gap", "ads_ingest/a").holds is False


@pytest.mark.parametrize(("free", "was", "holds"), [(10, False, False), (9, False, True), (11, True, True), (12, True, False)])
def test_a_disk_with_little_room(world: World, free, was, holds):
    world.disk = Disk(free, 100)
    if was:
        world.active.add(world.of("disk-filling", "alarms/main").key)
    assert world.of("disk-filling", "alarms/main").holds is holds


def test_a_disk_that_does_not_answer_is_not_known(world: World):
    world.disk = None
    assert world.of("disk-filling", "alarms/main").holds is None


def test_nobody_else_speaks_for_a_source_or_of_another_environment(world: World):
    status = replace(samples.service_status(), source="lmp_ingest/x", online=False)
    world.say(TOPICS.service("ads_ingest", "z"), status)
    assert set(world.heard.services) == {"ads_ingest/a"}
    world.say(TOPICS.service("ads_ingest", "a"), b"nonsense")
    assert world.of("service-down", "ads_ingest/a").holds is False
