"""The broker's access list, judged topic by topic with another matcher (paho's) than the one that serves it."""

import pytest
from paho.mqtt.client import topic_matches_sub

from dotbus.contracts.alarms import INSTALLATION
from dotbus.contracts.topics import Subject, Topics
from launcher.setup.broker_users import BrokerUser, access_list, broker_users

PLANTS = ("sierra", "delta")
INGESTS = {"ads_ingest", "lmp_ingest"}
READERS_OF_ALL = {"console", "console_page"}

# Who may publish each subject, and who must receive it. A plant alone speaks for its resources: no gateway of all plants does.
WRITERS = {
    Subject.DISPATCH: {"ads_ingest"},
    Subject.TRAJECTORY_BATCH: {"ads_ingest"},
    Subject.DOT: {"ads_ingest"},
    Subject.TRAJECTORY: {"ads_ingest"},
    Subject.INSTRUCTIONS: {"ads_ingest"},
    Subject.RESPOND: {"plant-sierra", "console_page"},  # for whoever has signed in at the page and may
    Subject.RESPOND_REPLY: {"ads_ingest"},
    Subject.RESPONSE: {"ads_ingest"},
    Subject.TELEMETRY: {"plant-sierra"},
    Subject.WRITE: {"plant-sierra"},
    Subject.PRICES: {"lmp_ingest"},
    Subject.LMP: {"lmp_ingest"},
}
OF_ALARMS = {
    *(Subject.ALARM_STATE, Subject.ALARM, Subject.ALARM_SUMMARY, Subject.ALARM_COMMAND, Subject.ALARM_COMMAND_REPLY),
}
READERS = {
    Subject.DISPATCH: {"historian", "plant-sierra"},
    Subject.TRAJECTORY_BATCH: {"historian", "plant-sierra"},
    Subject.DOT: {"modbus_gateway", "alarms", "plant-sierra"},
    Subject.TRAJECTORY: {"modbus_gateway", "plant-sierra"},
    Subject.INSTRUCTIONS: {"modbus_gateway", "alarms", "plant-sierra"},
    Subject.RESPOND: {"ads_ingest", "plant-sierra"},
    Subject.RESPOND_REPLY: {"plant-sierra"},
    Subject.RESPONSE: {"historian", "plant-sierra", "ads_ingest"},  # what another instance answered is not answered again
    Subject.TELEMETRY: {"historian", "modbus_gateway", "alarms", "plant-sierra"},
    Subject.WRITE: {"historian", "plant-sierra"},
    Subject.PRICES: {"historian", "plant-sierra", "plant-delta"},
    Subject.LMP: {"modbus_gateway", "plant-sierra", "plant-delta"},
}


@pytest.fixture(params=["dotbus/v1", "site/7/dotbus"])
def topics(request: pytest.FixtureRequest) -> Topics:
    return Topics(request.param)


def topic_of(topics: Topics, subject: Subject) -> str:
    of_plant = {
        Subject.DISPATCH: topics.dispatch,
        Subject.TRAJECTORY_BATCH: topics.trajectory_batch,
        Subject.DOT: topics.dot,
        Subject.TRAJECTORY: topics.trajectory,
        Subject.INSTRUCTIONS: topics.instructions,
        Subject.RESPONSE: topics.response,
        Subject.WRITE: topics.write,
    }
    of_answers = {Subject.RESPOND: topics.respond, Subject.RESPOND_REPLY: topics.respond_reply}
    if subject in of_answers:
        return of_answers[subject]("sierra", "SIERRA/2 SOLAR#1", "accept")
    if subject is Subject.TELEMETRY:
        return topics.telemetry("sierra", "SIERRA/2 SOLAR#1", "tank/level +1")
    if subject in of_plant:
        return of_plant[subject]("sierra", "SIERRA/2 SOLAR#1")
    return topics.prices("RTM") if subject is Subject.PRICES else topics.lmp("RTM", "TH_NP15+GEN")


def users(topics: Topics) -> list[BrokerUser]:
    return broker_users(topics, PLANTS)


def writers(topics: Topics, topic: str) -> set[str]:
    return {user.name for user in users(topics) if any(topic_matches_sub(one, topic) for one in user.writes)}


def readers(topics: Topics, topic: str) -> set[str]:
    return {user.name for user in users(topics) if any(topic_matches_sub(one, topic) for one in user.reads)}


@pytest.mark.parametrize("subject", sorted(WRITERS))
def test_each_subject_is_published_by_its_ingest_and_received_by_who_needs_it(topics: Topics, subject: Subject):
    topic = topic_of(topics, subject)

    assert writers(topics, topic) == WRITERS[subject]
    assert readers(topics, topic) == READERS[subject] | READERS_OF_ALL


def test_every_subject_is_judged_here():
    assert set(Subject) == set(WRITERS) | OF_ALARMS | {
        *(Subject.SERVICE, Subject.STREAM, Subject.GAP, Subject.REPLAY, Subject.REPLAY_REPLY),
        *(Subject.BACKFILL, Subject.BACKFILL_REPLY, Subject.RELOAD, Subject.RELOAD_REPLY),
    }


@pytest.mark.parametrize("service", ["ads_ingest", "lmp_ingest", "modbus_gateway", "historian", "alarms"])
def test_a_service_alone_says_how_it_is_and_all_who_judge_by_it_hear(topics: Topics, service: str):
    topic = topics.service(service, "main")

    assert writers(topics, topic) == {service}
    itself = {service} & INGESTS
    judges = {"modbus_gateway", "historian", "alarms", "plant-sierra", "plant-delta"}
    assert readers(topics, topic) == judges | READERS_OF_ALL | itself


@pytest.mark.parametrize("ingest", sorted(INGESTS | {"alarms"}))
def test_a_source_alone_says_how_far_its_stream_goes_and_reads_it_again(topics: Topics, ingest: str):
    topic = topics.stream(ingest, "main")

    assert writers(topics, topic) == {ingest}
    assert readers(topics, topic) == {ingest, "historian"} | READERS_OF_ALL


def test_an_ingest_alone_says_what_it_could_not_have_and_the_historian_hears(topics: Topics):
    for service in ("ads_ingest", "lmp_ingest", "modbus_gateway", "historian", "alarms"):
        topic = topics.gap(service, "main")
        assert writers(topics, topic) == {service} & INGESTS
        assert readers(topics, topic) == {"historian", "alarms"} | READERS_OF_ALL


def test_a_plants_own_gateway_says_how_it_is_under_the_plants_name_only(topics: Topics):
    assert writers(topics, topics.service("modbus_gateway", "sierra")) == {"modbus_gateway", "plant-sierra"}
    assert writers(topics, topics.service("ads_ingest", "sierra")) == {"ads_ingest"}


@pytest.mark.parametrize("ingest", sorted(INGESTS | {"alarms"}))
def test_the_historian_asks_for_a_replay_and_the_source_that_is_asked_answers(topics: Topics, ingest: str):
    request, reply = topics.replay(ingest, "main"), topics.replay_reply(ingest, "main")

    assert writers(topics, request) == {"historian"}
    assert readers(topics, request) - READERS_OF_ALL - {"historian"} == {ingest}
    assert writers(topics, reply) == {ingest}
    assert "historian" in readers(topics, reply)


def test_lmp_ingest_alone_is_asked_for_the_past_by_its_own_and_the_historians_command_line_and_answers_it(topics: Topics):
    asks = {topics.backfill("lmp_ingest", "main"): {"lmp_ingest", "historian"}}
    for topic, of_it in (asks | {topics.backfill_reply("lmp_ingest", "main"): {"lmp_ingest"}}).items():
        assert writers(topics, topic) == of_it
        assert readers(topics, topic) - READERS_OF_ALL - {"historian"} == {"lmp_ingest"}
    assert writers(topics, topics.backfill("ads_ingest", "main")) == set()


def test_a_gateway_is_told_to_read_its_file_again_by_its_own_user_alone(topics: Topics):
    for say in (topics.reload, topics.reload_reply):
        for instance, users_of_it in (("main", {"modbus_gateway"}), ("sierra", {"modbus_gateway", "plant-sierra"})):
            topic = say("modbus_gateway", instance)
            assert writers(topics, topic) == users_of_it
            assert readers(topics, topic) - READERS_OF_ALL - {"historian"} == users_of_it
        assert writers(topics, say("ads_ingest", "main")) == set()


def test_a_plant_sees_nothing_of_another_plant(topics: Topics):
    for topic in (topics.dot("delta", "D1"), topics.dispatch("delta", "D1"), topics.dispatch("sierra2", "S1")):
        assert "plant-sierra" not in readers(topics, topic)


def test_a_plant_answers_for_its_own_resources_only_and_so_does_who_has_signed_in_at_the_page(topics: Topics):
    for action in ("accept", "decline", "partial"):
        command, reply = topics.respond("delta", "D1", action), topics.respond_reply("delta", "D1", action)
        assert writers(topics, command) == {"plant-delta", "console_page"}
        assert writers(topics, reply) == writers(topics, f"{reply}/screen-1") == {"ads_ingest"}
        assert readers(topics, reply) == readers(topics, f"{reply}/screen-1") == {"plant-delta"} | READERS_OF_ALL
        assert readers(topics, command) == {"ads_ingest", "plant-delta"} | READERS_OF_ALL


def test_a_plant_says_telemetry_and_writes_of_its_own_resources_only(topics: Topics):
    for topic in (topics.telemetry("delta", "D1", "actual_mw"), topics.write("delta", "D1")):
        assert writers(topics, topic) == {"plant-delta"}
        assert "plant-sierra" not in readers(topics, topic)


def test_a_plants_own_gateway_numbers_its_events_and_sends_them_again_as_itself_only(topics: Topics):
    own = (topics.stream("modbus_gateway", "sierra"), topics.replay_reply("modbus_gateway", "sierra"))
    for topic in own:
        assert writers(topics, topic) == {"plant-sierra"}
    for topic in (topics.stream("modbus_gateway", "sierra"), topics.replay("modbus_gateway", "sierra")):
        assert readers(topics, topic) == {"plant-sierra", "historian"} | READERS_OF_ALL
    assert writers(topics, topics.replay("modbus_gateway", "sierra")) == {"historian"}


def test_the_service_of_alarms_alone_says_how_they_are_and_the_historian_keeps_what_happened(topics: Topics):
    alarm = ("sierra", "SIERRA/2 SOLAR#1", "dot-stale")
    for topic in (topics.alarm_state(*alarm), topics.alarm(*alarm), topics.alarm_summary("sierra")):
        assert writers(topics, topic) == {"alarms"}
    assert readers(topics, topics.alarm_state(*alarm)) == {"alarms", "plant-sierra"} | READERS_OF_ALL
    assert readers(topics, topics.alarm(*alarm)) == {"historian", "plant-sierra"} | READERS_OF_ALL
    assert readers(topics, topics.alarm_summary("sierra")) == {"modbus_gateway", "alarms", "plant-sierra"} | READERS_OF_ALL


def test_a_plant_acknowledges_its_own_alarms_the_console_all_and_nobody_else_any(topics: Topics):
    own = topics.alarm_command("sierra", "S1", "dot-stale", "acknowledge")
    general = topics.alarm_command(INSTALLATION, "ads_ingest/main", "service-down", "acknowledge")
    assert writers(topics, own) == {"plant-sierra", "console", "console_page"}
    assert writers(topics, general) == {"console", "console_page"}
    assert readers(topics, own) == {"alarms", "plant-sierra"} | READERS_OF_ALL
    for reply in (f"{own}/reply", f"{own}/reply/screen-1"):
        assert writers(topics, reply) == {"alarms"}
        assert readers(topics, reply) == {"plant-sierra"} | READERS_OF_ALL


def test_a_plant_hears_the_alarms_of_no_plant_and_none_of_another(topics: Topics):
    of_none = topics.alarm_state(INSTALLATION, "ads_ingest/main", "service-down")
    assert readers(topics, of_none) == {"alarms", "plant-sierra", "plant-delta"} | READERS_OF_ALL
    assert "plant-sierra" not in readers(topics, topics.alarm_state("delta", "D1", "dot-stale"))


def test_nobody_may_publish_what_is_not_ours_nor_everything(topics: Topics):
    for topic in ("$SYS/broker/uptime", "other/v1/plant/sierra/S1/dot", f"{topics.root}/plant/sierra/S1/unknown"):
        assert writers(topics, topic) == set()
    assert [one for user in users(topics) for one in user.writes if one.endswith("#")] == ["replay/v1/#"], "which is no plant's"


def test_nobody_but_the_user_of_replays_says_anything_there_and_it_says_nothing_elsewhere(topics: Topics):
    (replay,) = (user for user in users(topics) if user.name == "replay")

    assert writers(topics, "replay/v1/plant/sierra/S1/dot") == {"replay"}
    assert all(one.startswith("replay/v1/") for one in (*replay.writes, *replay.reads))


def test_where_replays_are_the_installations_own_topics_they_have_no_user():
    assert "replay" not in {user.name for user in users(Topics("replay/v1"))}


def test_the_text_says_what_the_users_may_and_nothing_else(topics: Topics):
    said: dict[str, set[tuple[str, str]]] = {}
    for line in access_list(users(topics)).splitlines():
        match line.split(" ", 2):
            case ["user", name]:
                said[name] = set()
            case ["topic", access, topic]:
                said[list(said)[-1]].add((access, topic))
            case rest:
                assert rest == [""], f"not understood: {line}"

    assert said == {
        user.name: {("write", one) for one in user.writes} | {("read", one) for one in user.reads} for user in users(topics)
    }
