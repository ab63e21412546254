"""Topics are built and read in one place, and any name survives the way through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dotbus.contracts.topics import Subject, Topics, decode_name, encode_name

NAMES = st.text(min_size=1, max_size=40).filter(lambda name: not any("\ud800" <= c <= "\udfff" for c in name))


@given(NAMES)
def test_any_name_makes_one_level_and_comes_back(name: str):
    level = encode_name(name)
    assert not set(level) & set("/+#\x00")
    assert decode_name(level) == name


def test_names_that_operators_know_stay_readable():
    assert encode_name("TH_NP15_GEN-APND") == "TH_NP15_GEN-APND"
    assert encode_name("Sierra Solar 1") == "Sierra Solar 1"
    assert encode_name("A/B+C#D%") == "A%2FB%2BC%23D%25"


@pytest.mark.parametrize("character", ["\x85", "\x7f", "\x9f", "\ufdd0", "\uffff", "\U0001fffe", "\U0010ffff"])
def test_what_a_broker_may_end_a_connection_for_is_encoded(character: str):
    level = encode_name(f"a{character}b")
    assert level.isascii()
    assert decode_name(level) == f"a{character}b"


def test_an_empty_name_is_refused():
    with pytest.raises(ValueError, match="empty"):
        encode_name("")


@pytest.mark.parametrize(
    ("subject", "build"),
    [
        (Subject.DISPATCH, Topics.dispatch),
        (Subject.TRAJECTORY_BATCH, Topics.trajectory_batch),
        (Subject.DOT, Topics.dot),
        (Subject.TRAJECTORY, Topics.trajectory),
        (Subject.INSTRUCTIONS, Topics.instructions),
        (Subject.RESPONSE, Topics.response),
        (Subject.WRITE, Topics.write),
        (Subject.LMP, Topics.lmp),
        (Subject.SERVICE, Topics.service),
        (Subject.STREAM, Topics.stream),
        (Subject.GAP, Topics.gap),
        (Subject.REPLAY, Topics.replay),
        (Subject.REPLAY_REPLY, Topics.replay_reply),
    ],
)
@given(scope=NAMES, name=NAMES)
def test_a_topic_reads_back_as_what_it_was_built_from(subject, build, scope, name):
    address = Topics("a/b").read(build(Topics("a/b"), scope, name))
    assert address is not None
    assert (address.subject, address.scope, address.name) == (subject, scope, name)


@pytest.mark.parametrize(
    ("subject", "build"), [(Subject.RESPOND, Topics.respond), (Subject.RESPOND_REPLY, Topics.respond_reply)]
)
@given(plant=NAMES, resource=NAMES, action=NAMES)
def test_an_answer_to_an_instruction_reads_back_with_its_action(subject, build, plant, resource, action):
    address = Topics("a/b").read(build(Topics("a/b"), plant, resource, action))
    assert address is not None
    assert (address.subject, address.scope, address.name, address.action) == (subject, plant, resource, action)


@pytest.mark.parametrize("topic", ["plant/p/r/command/accept/reply", "plant/p/r/command/decline/reply/screen-1"])
def test_a_reply_topic_is_that_of_its_own_resource_or_one_level_below(topic: str):
    topics = Topics()
    assert topics.is_respond_reply(f"dotbus/v1/{topic}", "p", "r")
    assert not topics.is_respond_reply(f"dotbus/v1/{topic}", "q", "r")
    assert not topics.is_respond_reply(f"dotbus/v1/{topic}", "p", "s")
    assert not topics.is_respond_reply(topic, "p", "r")


@pytest.mark.parametrize(
    "topic", ["", "dot", "command", "command/accept", "command/accept/reply/", "command/accept/reply/a/b", "command/+/reply"]
)
def test_what_is_no_reply_topic_is_none(topic: str):
    assert not Topics().is_respond_reply(f"dotbus/v1/plant/p/r/{topic}", "p", "r")


def test_prices_have_a_market_and_no_name():
    address = Topics().read("dotbus/v1/market/DAM/prices")
    assert address is not None
    assert (address.subject, address.scope, address.name) == (Subject.PRICES, "DAM", None)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "dotbus/v1",
        "dotbus/v1/plant/p/r",
        "dotbus/v1/plant/p/r/service",
        "dotbus/v2/plant/p/r/dot",
        "dotbus/v1/market/m/dot",
    ],
)
def test_a_foreign_topic_reads_as_nothing(topic: str):
    assert Topics().read(topic) is None


@pytest.mark.parametrize("root", ["", "/a", "a/", "a//b", "$SYS", "a/+/b", "a/#"])
def test_a_root_that_mqtt_would_misread_is_refused(root: str):
    with pytest.raises(ValueError, match="topic root"):
        Topics.rooted(root)


def test_a_plants_access_is_one_line():
    topics = Topics()
    for topic in (topics.dot("p", "r"), topics.dispatch("p", "r"), topics.respond_reply("p", "r", "accept")):
        assert topic.startswith("dotbus/v1/plant/p/")


@given(plant=NAMES, resource=NAMES, point=NAMES)
def test_telemetry_reads_back_with_its_point(plant, resource, point):
    address = Topics("a/b").read(Topics("a/b").telemetry(plant, resource, point))
    assert address is not None
    assert (address.subject, address.scope, address.name) == (Subject.TELEMETRY, plant, resource)
    assert address.point == point


@pytest.mark.parametrize(
    ("subject", "build"),
    [(Subject.ALARM_COMMAND, Topics.alarm_command), (Subject.ALARM_COMMAND_REPLY, Topics.alarm_command_reply)],
)
@given(plant=NAMES, about=NAMES, rule=NAMES, action=NAMES)
def test_a_command_to_an_alarm_reads_back_with_its_rule_and_action(subject, build, plant, about, rule, action):
    address = Topics("a/b").read(build(Topics("a/b"), plant, about, rule, action))
    assert address is not None
    read = (address.subject, address.scope, address.name, address.rule, address.action)
    assert read == (subject, plant, about, rule, action)


@given(plant=NAMES, about=NAMES, rule=NAMES)
def test_an_alarm_its_events_and_its_plants_summary_read_back(plant, about, rule):
    topics = Topics("a/b")
    state, event, summary = (
        topics.read(topic)
        for topic in (topics.alarm_state(plant, about, rule), topics.alarm(plant, about, rule), topics.alarm_summary(plant))
    )
    assert (state.subject, state.scope, state.name, state.rule) == (Subject.ALARM_STATE, plant, about, rule)
    assert (event.subject, event.scope, event.name, event.rule) == (Subject.ALARM, plant, about, rule)
    assert (summary.subject, summary.scope) == (Subject.ALARM_SUMMARY, plant)


def test_a_reply_to_a_command_is_that_of_its_own_alarm_or_one_level_below():
    topics = Topics()
    for topic in ("alarm/p/r/dot-stale/command/shelve/reply", "alarm/p/r/dot-stale/command/shelve/reply/screen-1"):
        assert topics.is_alarm_command_reply(f"dotbus/v1/{topic}", "p", "r", "dot-stale")
        assert not topics.is_alarm_command_reply(f"dotbus/v1/{topic}", "q", "r", "dot-stale")
    for other in ("alarm/p/r/dot-stale", "alarm/p/r/dot-stale/command/shelve", "plant/p/r/dot"):
        assert not topics.is_alarm_command_reply(f"dotbus/v1/{other}", "p", "r", "dot-stale")
