"""A message becomes rows that say all of it; what is none of ours is refused with its reason."""

import json
from datetime import UTC, datetime

import msgspec
import pytest
from historian.record import Position, Recorded, Refused, Stream, record
from historian.schema import EVENT_TABLES, metadata, service_state
from hypothesis import given
from hypothesis import strategies as st

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import (
    Compliance,
    Dispatch,
    DispatchBatchHeader,
    Dop,
    Instruction,
    InstructionDetail,
    Prices,
    ReplayReply,
    ServiceStatus,
    TrajectoryBatch,
    TrajectoryBatchHeader,
)
from dotbus.contracts.topics import Topics
from dotbus.testing import samples

TOPICS = Topics()
NOW = datetime(2026, 10, 13, 14, 9, 30, tzinfo=UTC)
DISPATCH = TOPICS.dispatch("sierra", "TEST_RESOURCE_1")
TRAJECTORY = TOPICS.trajectory_batch("sierra", "TEST_RESOURCE_1")
PRICES = TOPICS.prices("RTM")
OF_THE_EVENT = {"environment", "source", "stream", "seq", "time", "event_id"}
RENAMED = {"id": "event_id"}
# `version` and `kind` say how to read the message, which was done; a chunk is a matter of transport.
NOT_KEPT = {"version", "chunk", "chunks", "plant_seq", "market_seq"}


def rows_of(message, topic):
    recorded = record(TOPICS, topic, encode(message), NOW)
    assert isinstance(recorded, Recorded)
    return recorded.rows


def only(rows, table):
    return [row.values for row in rows if row.table == table]


def columns(table):
    return set(metadata.tables[table].columns.keys())


@pytest.mark.parametrize(
    ("kind", "table", "renamed", "elsewhere"),
    [
        (Dispatch, "instruction", RENAMED, {"batch", "instructions"}),
        (DispatchBatchHeader, "dispatch_batch", {}, set()),
        (Instruction, "instruction", {"batch_uid": "own_batch_uid"}, {"details"}),
        (InstructionDetail, "instruction_detail", {}, set()),
        (TrajectoryBatch, "dop", RENAMED, {"batch", "dops", "compliance"}),
        (TrajectoryBatch, "compliance", RENAMED, {"batch", "dops", "compliance"}),
        (TrajectoryBatchHeader, "trajectory_batch", {}, set()),
        (Dop, "dop", {}, set()),
        (Compliance, "compliance", {}, set()),
        (Prices, "price", {**RENAMED, "nodes": "node"}, set()),
        (ServiceStatus, "service_state", {}, set()),
    ],
)
def test_every_field_of_a_message_has_its_column(kind, table, renamed, elsewhere):
    kept = {renamed.get(name, name) for name in kind.__struct_fields__} - elsewhere - NOT_KEPT
    assert kept <= columns(table)


@pytest.mark.parametrize(
    ("message", "topic"),
    [(samples.dispatch(), DISPATCH), (samples.trajectory_batch(), TRAJECTORY), (samples.prices(), PRICES)],
)
def test_a_row_fills_every_column_but_the_databases_own(message, topic):
    for row in rows_of(message, topic):
        assert set(row.values) == columns(row.table) - {"recorded_at"}


def test_a_dispatch_says_all_of_itself_in_its_rows():
    message = samples.dispatch()
    rows = rows_of(message, DISPATCH)
    (header,), (instruction,), details = (only(rows, name) for name in ("dispatch_batch", "instruction", "instruction_detail"))
    said = msgspec.structs.asdict(message.batch)
    assert {name: header[name] for name in said} == said
    said = msgspec.structs.asdict(message.instructions[0])
    assert said.pop("details") == message.instructions[0].details
    assert instruction["own_batch_uid"] == said["batch_uid"]
    assert {name: instruction[name] for name in said} == said
    for number, (row, detail) in enumerate(zip(details, message.instructions[0].details, strict=True), 1):
        assert {name: row[name] for name in detail.__struct_fields__} == msgspec.structs.asdict(detail)
        assert (row["position"], row["instruction_uid"]) == (number, instruction["instruction_uid"])


def test_a_trajectory_batch_says_all_of_itself_in_its_rows():
    message = samples.trajectory_batch()
    rows = rows_of(message, TRAJECTORY)
    parts = {"trajectory_batch": (message.batch,), "dop": message.dops, "compliance": message.compliance}
    for table, structs in parts.items():
        for row, struct in zip(only(rows, table), structs, strict=True):
            assert {name: row[name] for name in struct.__struct_fields__} == msgspec.structs.asdict(struct)
            assert row["batch_uid"] == message.batch.batch_uid


def test_each_node_of_a_price_message_is_a_row_with_its_own_prices():
    message = samples.prices()
    first, second = only(rows_of(message, PRICES), "price")
    assert (first["node"], first["lmp_usd_per_mwh"], first["ghg_usd_per_mwh"]) == ("TH_NP15_GEN-APND", 36.96, None)
    assert (second["node"], second["lmp_usd_per_mwh"], second["congestion_usd_per_mwh"]) == ("BAYSHOR2_1_N001", -4.88685, -42.0)
    assert (second["interval_start"], second["fetched_at"]) == (message.interval_start, message.fetched_at)


@pytest.mark.parametrize("table", [table.name for table in EVENT_TABLES])
def test_every_row_says_where_it_came_from(table):
    message = {"price": samples.prices(), "dispatch_batch": samples.dispatch(), "instruction": samples.dispatch()}.get(
        table, samples.dispatch() if table == "instruction_detail" else samples.trajectory_batch()
    )
    topic = {"dispatch": DISPATCH, "prices": PRICES, "trajectory-batch": TRAJECTORY}[json.loads(encode(message))["kind"]]
    row = only(rows_of(message, topic), table)[0]
    said = {RENAMED.get(name, name): getattr(message, name) for name in message.__struct_fields__}
    assert {name: row[name] for name in OF_THE_EVENT} == {name: said[name] for name in OF_THE_EVENT}
    assert row["received_at"] == NOW


def test_a_batch_without_a_revision_is_keyed_by_its_event():
    sample = samples.dispatch()
    message = msgspec.structs.replace(sample, batch=msgspec.structs.replace(sample.batch, revision_no=None))
    rows = rows_of(message, DISPATCH)
    assert {row.values["revision_key"] for row in rows} == {sample.id}
    assert only(rows, "instruction")[0]["revision_no"] is None


def test_what_sources_say_of_themselves_comes_out_whole():
    status, reply = samples.service_status(), samples.replay_reply()
    assert record(TOPICS, TOPICS.service("ads_ingest", "a"), encode(status), NOW) == status
    assert record(TOPICS, TOPICS.replay_reply("ads_ingest", "a"), encode(reply), NOW) == reply
    assert isinstance(reply, ReplayReply)
    assert {"heard_at", "received_at"} <= set(service_state.columns.keys())


@pytest.mark.parametrize(
    ("topic", "message", "reason"),
    [
        ("elsewhere/plant/sierra/R/dispatch", samples.dispatch(), "no topic of ours"),
        (TOPICS.dispatch("delta", "TEST_RESOURCE_1"), samples.dispatch(), "its topic of"),
        (TOPICS.trajectory_batch("sierra", "TEST_RESOURCE_1"), samples.dispatch(), "its topic of"),
        (TOPICS.prices("DAM"), samples.prices(), "its topic of"),
        (TOPICS.service("ads_ingest", "b"), samples.service_status(), "its topic of"),
        (TOPICS.replay_reply("lmp_ingest", "a"), samples.replay_reply(), "its topic of"),
        (TOPICS.dot("sierra", "TEST_RESOURCE_1"), samples.dot(), "not kept here"),
        (PRICES, msgspec.structs.replace(samples.prices(), nodes=("A",)), "one entry for each node"),
        (DISPATCH, msgspec.structs.replace(samples.dispatch(), source="s" * 201), "beyond bounds"),
        (DISPATCH, msgspec.structs.replace(samples.dispatch(), seq=2**63), str(2**63 - 1)),
    ],
)
def test_what_contradicts_its_topic_or_itself_is_refused(topic, message, reason):
    refused = record(TOPICS, topic, encode(message), NOW)
    assert isinstance(refused, Refused)
    assert reason in refused.reason


def test_an_instruction_of_another_resource_is_refused():
    stranger = msgspec.structs.replace(samples.instruction(), resource_id="ANOTHER")
    message = msgspec.structs.replace(samples.dispatch(), instructions=(stranger,))
    refused = record(TOPICS, DISPATCH, encode(message), NOW)
    assert isinstance(refused, Refused)


def test_a_refused_event_keeps_its_place_when_it_can_be_read():
    document = {**json.loads(encode(samples.dispatch())), "version": 9, "seq": 41}
    refused = record(TOPICS, DISPATCH, json.dumps(document).encode(), NOW)
    assert refused == Refused(
        "version 9 of a message; this software speaks version 1",
        Position(Stream("simulator", "ads_ingest/a", samples.STREAM), 41),
    )


@given(st.binary(max_size=60) | st.text(max_size=30).map(lambda text: json.dumps(text).encode()))
def test_arbitrary_bytes_are_refused_and_never_raise(payload):
    assert isinstance(record(TOPICS, DISPATCH, payload, NOW), Refused)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=20))
def test_no_text_of_a_row_holds_what_postgresql_refuses(text):
    instruction = msgspec.structs.replace(samples.instruction(), extra={text: text}, responder=text)
    values = only(rows_of(msgspec.structs.replace(samples.dispatch(), instructions=(instruction,)), DISPATCH), "instruction")[0]
    assert values["responder"] == text.replace("\0", "␀")
    assert "\0" not in "".join([*values["extra"], *values["extra"].values()])
