"""What CAISO told, over HTTP: batches, instructions, DOTs and compliance, from a real PostgreSQL that the historian filled."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import psycopg2
import pytest
from ads_replies import sample
from historian_api import INSTALLATION, Client, asked_here, kept
from historian_parts import replace
from plant_day import FIVE, MINUTE, ONE, TWO, curve, samples_of_caiso, told
from real_postgres import Postgres, new_database

from historian.api.keys.caller import Caller
from historian.api.questions.plants import those_of_plant

pytestmark = pytest.mark.integration

NOON = datetime(2026, 10, 13, 19, 0, tzinfo=UTC)
DAY = {"start": "2026-10-13", "end": "2026-10-14"}
ADS = "{http://ads.caiso.com/api/schema/v6}"


@pytest.fixture(scope="module")
def caiso(postgres: Postgres) -> Iterator[Client]:
    """CAISO's own samples, asked for on their day."""
    with kept(new_database(postgres), *samples_of_caiso(INSTALLATION)) as url, asked_here(url) as client:
        yield client


@pytest.fixture(scope="module")
def client(postgres: Postgres) -> Iterator[Client]:
    """Two resources at noon: one batch is revised, one cancelled, an hourly DOT stands beside, an award is no DOT."""
    events = [
        told(1, NOON, 10.0),
        told(2, NOON + FIVE, 20.0, batch_uid="REVISED"),
        told(3, NOON + FIVE, 21.5, batch_uid="REVISED", revision_no=2, at=NOON),
        told(4, NOON + 2 * FIVE, 30.0, batch_uid="GONE"),
        told(5, NOON + 2 * FIVE, None, batch_uid="GONE", revision_no=2, batch_status=4, at=NOON + MINUTE),
        told(6, NOON, 50.0, batch_type=1, minutes=60),
        told(7, NOON, None, batch_type=3, instruction_type=6, award_mw=4.0, as_type="SR", minutes=60),
        told(8, NOON, 7.0, resource_id=TWO),
        told(9, NOON + FIVE, 8.0, resource_id=TWO),
        curve(10, (NOON, 1.0), at=NOON - MINUTE),
    ]
    with kept(new_database(postgres), *events) as url, asked_here(url, now=NOON + 7 * MINUTE) as asked:
        yield asked


def rows(client: Client, path: str, **parameters: object) -> list[dict]:
    """All rows of an answer of one page."""
    answer = client.ask(path, **parameters)
    assert answer.status_code == 200, answer.text
    assert answer.json()["next"] is None
    return answer.json()["rows"]


def only(found: list[dict], *names: str) -> list[tuple]:
    return [tuple(row[name] for name in names) for row in found]


def text(element: ET.Element, name: str) -> str | None:
    """What an element of CAISO's says, read by the standard library alone."""
    found = element.find(ADS + name)
    return None if found is None or found.text is None else found.text.strip()


def test_every_instruction_of_caiso_s_sample_is_told_with_all_its_segments(caiso: Client):
    document = ET.fromstring(sample("sample-dispatch-batch.xml"))  # CAISO's own, from our fixtures
    expected = {
        each.attrib["instructionUID"]: (
            text(each, "resourceId"),
            float(text(each, "dot")),
            float(text(each, "preGoto")),
            int(text(each, "revisionNumber")),
            text(each, "apiValidatedBy"),
            [
                (int(part.attrib["segNo"]), text(part, "serviceType"), float(text(part, "mw")))
                for part in each.iter(f"{ADS}instructionDetail")
            ],
        )
        for each in document.iter(f"{ADS}instruction")
    }
    found = {
        row["instruction_uid"]: (
            row["resource_id"],
            row["dot_mw"],
            row["pre_goto_mw"],
            row["revision_number"],
            row["api_validated_by"],
            [(part["seg_no"], part["service_type"], part["segment_mw"]) for part in row["details"] or []],
        )
        for row in rows(caiso, "/v1/instructions", start="2006-10-13")
    }
    assert expected
    assert found == expected


def test_caiso_s_sample_batch_is_told_once_for_each_resource(caiso: Client):
    found = rows(caiso, "/v1/dispatch-batches", start="2006-10-13")
    batch = ("DISP-59F16A91-46CA-402B-FFDC-0A090014DA8C", 4, 3, "2006-10-13T14:10:00Z", "2006-10-13T14:55:36Z", 1)
    names = (
        "resource_id",
        "plant",
        "batch_uid",
        "revision_no",
        "batch_status",
        "start_at",
        "batch_received_at",
        "instructions",
    )
    assert sorted(only(found, *names)) == [(ONE, "sierra", *batch), (TWO, "mesa", *batch)]


def test_caiso_s_sample_of_compliance_is_told(caiso: Client):
    found = rows(caiso, "/v1/compliance", start="2006-10-13")
    names = ("resource_id", "start_at", "expected_mwh", "compliance_flag", "configuration_id")
    assert only(found, *names) == [
        (ONE, "2006-10-13T13:55:00Z", 0.0, "Y", f"{ONE}_1x1"),
        (TWO, "2006-10-13T13:55:00Z", 0.0, "N", None),
    ]


def test_caiso_s_sample_of_points_is_a_curve(caiso: Client):
    found = rows(caiso, "/v1/trajectory", resource=ONE, start="2006-10-13")
    assert only(found, "target_at", "dop_mw", "sequence_number") == [("2006-10-13T15:08:00Z", 16.0, 1)]


def test_the_newest_revision_is_told_unless_all_are_asked_for(client: Client):
    batches = rows(client, "/v1/dispatch-batches", resource=ONE, batch="REVISED", revisions="all")
    assert only(batches, "revision_no", "time") == [(1, "2026-10-13T19:03:00Z"), (2, "2026-10-13T19:00:00Z")]
    assert only(rows(client, "/v1/instructions", batch="REVISED"), "revision_no", "dot_mw") == [(2, 21.5)]
    every = rows(client, "/v1/instructions", batch="REVISED", revisions="all")
    assert sorted(only(every, "revision_no", "dot_mw")) == [(1, 20.0), (2, 21.5)]


def test_a_cancelled_batch_is_a_batch_without_instructions_and_its_instruction_is_of_the_past(client: Client):
    (batch,) = rows(client, "/v1/dispatch-batches", batch="GONE")
    assert (batch["batch_status"], batch["instructions"]) == (4, 0)
    assert rows(client, "/v1/instructions", batch="GONE") == []
    assert only(rows(client, "/v1/instructions", batch="GONE", revisions="all"), "dot_mw") == [(30.0,)]


def test_dots_are_those_that_count_of_each_schedule_by_itself(client: Client):
    names = ("schedule", "interval_start", "interval_end", "dot_mw", "standing")
    assert only(rows(client, "/v1/dot", resource=ONE, **DAY), *names) == [
        ("five-minute", "2026-10-13T19:00:00Z", "2026-10-13T19:05:00Z", 10.0, "in force"),
        ("hourly", "2026-10-13T19:00:00Z", "2026-10-13T20:00:00Z", 50.0, "in force"),
        ("five-minute", "2026-10-13T19:05:00Z", "2026-10-13T19:10:00Z", 21.5, "in force"),
    ]
    assert only(rows(client, "/v1/dot", plant="mesa", schedule="hourly", **DAY), *names) == []


DAYS = timedelta(days=1)
LATER = NOON + 40 * DAYS


@pytest.fixture(scope="module")
def reaching(postgres: Postgres) -> Iterator[Client]:
    """What is in force 40 days after noon, whenever it began; and what was over by then."""
    events = [
        told(1, NOON, 50.0, minutes=41 * 24 * 60, batch_type=4, batch_uid="LONG"),
        told(2, NOON, 51.0, minutes=2 * 24 * 60, batch_type=4, batch_uid="OVER"),
        told(3, NOON - 80 * DAYS, 52.0, minutes=200 * 24 * 60, batch_type=4, batch_uid="TOO_LONG_AGO"),
        told(4, LATER - 30 * MINUTE, 53.0, minutes=60, batch_type=1, batch_uid="HOURLY"),
        told(5, LATER - 3 * MINUTE, 54.0, batch_uid="BEGUN"),
        told(6, LATER - 5 * MINUTE, 55.0, batch_uid="ENDED"),
        told(7, LATER + 2 * MINUTE, 56.0, batch_uid="BEGINS"),
        told(8, LATER + FIVE, 57.0, batch_uid="NEXT"),
        told(9, NOON, None, minutes=60 * 24 * 60, batch_type=2, instruction_type=4, batch_uid="START_UP"),
        told(10, NOON, 58.0, minutes=50 * 24 * 60, batch_type=4, batch_uid="CANCELLED"),
        told(11, NOON, None, batch_uid="CANCELLED", batch_type=4, revision_no=2, batch_status=4, at=NOON + MINUTE),
        told(12, LATER + MINUTE, 59.0, start_at=None, at=LATER - DAYS, batch_uid="WITHOUT_START", resource_id=TWO),
    ]
    events[-1] = replace(
        events[-1],
        batch=replace(events[-1].batch, start_at=None),
        instructions=(replace(events[-1].instructions[0], start_at=LATER + MINUTE, end_at=LATER + FIVE),),
    )
    with kept(new_database(postgres), *events) as url, asked_here(url, now=LATER) as client:
        yield client


ABOUT = {"start": LATER.isoformat(), "end": (LATER + FIVE).isoformat()}


def uids(client: Client, path: str, **asked: object) -> set[str]:
    """Batches by name."""
    return {row["batch_uid"] for row in rows(client, path, **ABOUT, **asked)}


def test_what_began_before_a_range_and_is_in_force_in_it_is_of_the_range(reaching: Client):
    of_dots = {"LONG", "HOURLY", "BEGUN", "BEGINS", "WITHOUT_START"}
    assert uids(reaching, "/v1/dot") == of_dots
    assert uids(reaching, "/v1/instructions") == {*of_dots, "START_UP"}
    assert uids(reaching, "/v1/dispatch-batches") == {*of_dots, "START_UP", "CANCELLED"}
    assert uids(reaching, "/v1/instructions", revisions="all") == {*of_dots, "START_UP", "CANCELLED"}


def test_every_revision_of_a_batch_that_reached_into_a_range_is_told_with_it(reaching: Client):
    found = rows(reaching, "/v1/dispatch-batches", **ABOUT, revisions="all", resource=ONE)
    of_it = [row["revision_no"] for row in found if row["batch_uid"] == "CANCELLED"]
    assert of_it == [1, 2]
    assert len(found) == len({(row["batch_uid"], row["revision_no"]) for row in found}), "each once"


def test_of_ranges_side_by_side_each_has_what_starts_in_it_where_that_is_asked_for(reaching: Client):
    assert uids(reaching, "/v1/dot", by="start") == {"BEGINS", "WITHOUT_START"}
    assert uids(reaching, "/v1/instructions", by="start") == {"BEGINS", "WITHOUT_START"}
    assert uids(reaching, "/v1/dispatch-batches", by="start") == {"BEGINS"}


@pytest.mark.parametrize("path", ["/v1/dot", "/v1/instructions", "/v1/dispatch-batches"])
def test_pages_of_what_reaches_into_a_range_are_together_the_whole(reaching: Client, path: str):
    whole, paged, page = rows(reaching, path, **ABOUT), [], {}
    while page is not None:
        answer = reaching.ask(path, limit=1, **ABOUT, **page).json()
        paged += answer["rows"]
        page = {"page": answer["next"]} if answer["next"] else None
    assert paged == whole


def test_the_latest_dot_of_each_resource_says_whether_it_is_in_force_now(client: Client):
    names = ("resource_id", "schedule", "interval_start", "dot_mw", "is_in_force")
    assert only(rows(client, "/v1/dot/latest"), *names) == [
        (ONE, "five-minute", "2026-10-13T19:05:00Z", 21.5, True),
        (ONE, "hourly", "2026-10-13T19:00:00Z", 50.0, True),
        (TWO, "five-minute", "2026-10-13T19:05:00Z", 8.0, True),
    ]


def test_times_are_told_in_california_s_time_where_that_is_asked_for(client: Client):
    (row,) = rows(client, "/v1/instructions", batch="B7", tz="Pacific")
    assert (row["interval_start"], row["award_mw"], row["dot_mw"]) == ("2026-10-13T12:00:00-07:00", 4.0, None)


@pytest.mark.parametrize("path", ["/v1/dot", "/v1/instructions", "/v1/dispatch-batches", "/v1/dot/latest", "/v1/resources"])
def test_pages_together_are_the_whole(client: Client, path: str):
    extra = (
        {} if path in ("/v1/dot/latest", "/v1/resources") else {**DAY, **({"revisions": "all"} if "dot" not in path else {})}
    )
    whole, paged, page = rows(client, path, **extra), [], {}
    while True:
        told = client.ask(path, limit=1, **extra, **page).json()
        paged += told["rows"]
        if told["next"] is None:
            break
        page = {"page": told["next"]}
    assert len(whole) > 1
    assert paged == whole


def test_a_name_that_is_not_known_is_a_problem_with_those_that_are_near(client: Client):
    plant, resource = client.ask("/v1/dot", plant="siera"), client.ask("/v1/set-point", resource="TEST_RESORCE_1")
    assert (plant.status_code, plant.json()["type"], plant.json()["near"]) == (404, "/problems/unknown-plant", ["sierra"])
    assert (resource.status_code, resource.json()["type"]) == (404, "/problems/unknown-resource")
    assert ONE in resource.json()["near"]


def test_a_resource_that_the_installation_does_not_name_can_be_asked_for_when_caiso_told_of_it(database: str):
    with kept(database, told(1, NOON, 3.0, resource_id="STRANGER", plant="unassigned")) as url, asked_here(url) as client:
        assert only(rows(client, "/v1/dot", resource="STRANGER", **DAY), "plant", "dot_mw") == [("unassigned", 3.0)]
        assert only(rows(client, "/v1/dot/latest", plant="unassigned"), "resource_id") == [("STRANGER",)]
        seen = rows(client, "/v1/resources", plant="unassigned")
    assert only(seen, "resource_id", "is_configured", "schedule") == [("STRANGER", False, None)]


def test_the_latest_dots_are_of_every_resource_also_of_those_that_no_plant_claims(database: str):
    messages = [told(1, NOON, 3.0, resource_id="STRANGER", plant="unassigned"), told(2, NOON, 5.0)]
    with kept(database, *messages) as url, asked_here(url) as client:
        found = only(rows(client, "/v1/dot/latest"), "resource_id", "plant", "dot_mw")
    assert found == [("STRANGER", "unassigned", 3.0), (ONE, "sierra", 5.0)]


@pytest.fixture(scope="module")
def moved(postgres: Postgres) -> Iterator[Client]:
    """What the plant sierra had and has not any more, what went on to mesa, and a plant that there is no more."""
    gone = told(1, NOON, 1.0, resource_id="GONE", plant="sierra")
    lent = [
        told(2, NOON, 2.0, resource_id=TWO, plant="sierra"),
        told(3, NOON + FIVE, 3.0, resource_id=TWO, plant="mesa"),
    ]
    closed = told(4, NOON, 4.0, resource_id="OLD", plant="closed")
    of_curve = replace(curve(5, (NOON, 1.0), at=NOON), resource_id="CURVE", plant="sierra")
    with kept(new_database(postgres), gone, *lent, closed, of_curve) as url, asked_here(url, now=NOON + 60 * MINUTE) as client:
        yield client


def key_of(plant: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks has a key of a plant, or one of all."""

    async def caller(*_: object) -> Caller:
        return Caller("somebody", plant)

    monkeypatch.setattr("historian.api.exchange.exchange._caller", caller)


@pytest.mark.parametrize(("key", "asked"), [(None, {"plant": "sierra"}), ("sierra", {}), ("sierra", {"plant": "sierra"})])
def test_the_past_of_a_plant_is_what_it_was_told_then_whatever_the_file_says_today(
    moved: Client, monkeypatch: pytest.MonkeyPatch, key: str | None, asked: dict
):
    key_of(key, monkeypatch)
    told_then = [("GONE", 1.0), (TWO, 2.0)]
    assert only(rows(moved, "/v1/dot", **asked, **DAY), "resource_id", "dot_mw") == told_then
    assert only(rows(moved, "/v1/dot/latest", **asked), "resource_id", "dot_mw") == told_then
    assert only(rows(moved, "/v1/instructions", **asked, **DAY), "resource_id", "dot_mw") == told_then
    assert only(rows(moved, "/v1/dispatch-batches", **asked, **DAY), "resource_id") == [("GONE",), (TWO,)]
    resources = only(rows(moved, "/v1/resources", **asked), "resource_id", "plant", "is_configured")
    assert resources == [
        ("CURVE", "sierra", False), ("GONE", "sierra", False), (ONE, "sierra", True), (TWO, "sierra", False)
    ]  # fmt: skip


def test_a_plant_s_key_may_ask_for_what_its_plant_had_and_sees_of_it_what_was_told_then(
    moved: Client, monkeypatch: pytest.MonkeyPatch
):
    key_of("sierra", monkeypatch)
    assert only(rows(moved, "/v1/dot", resource=["GONE", TWO], **DAY), "dot_mw") == [(1.0,), (2.0,)]
    times = {"start": NOON.isoformat(), "end": (NOON + 2 * FIVE).isoformat(), "known": "now", "step_s": 300}
    assert only(rows(moved, "/v1/set-point", resource=TWO, **times), "dot_mw") == [(2.0,), (None,)]
    assert only(rows(moved, "/v1/trajectory", resource="CURVE", **DAY), "dop_mw") == [(1.0,)]
    key_of("mesa", monkeypatch)
    assert only(rows(moved, "/v1/dot", **DAY), "resource_id", "dot_mw") == [(TWO, 3.0)]
    for path, asked in (
        ("/v1/dot", {"resource": "GONE"}),
        ("/v1/dot", {"plant": "closed"}),
        ("/v1/resources", {"plant": "sierra"}),
    ):
        assert moved.ask(path, **asked).status_code == 404


@pytest.mark.parametrize("key", [None, "closed"])
def test_a_plant_that_has_left_the_file_is_still_asked_for_by_its_name(
    moved: Client, monkeypatch: pytest.MonkeyPatch, key: str | None
):
    key_of(key, monkeypatch)
    assert only(rows(moved, "/v1/dot", plant="closed", **DAY), "resource_id", "dot_mw") == [("OLD", 4.0)]
    assert [one["resource_id"] for one in moved.ask("/v1/plants/closed/days/2026-10-13").json()["resources"]] == ["OLD"]
    assert only(rows(moved, "/v1/resources", plant="closed"), "resource_id", "is_configured") == [("OLD", False)]


def test_the_resources_of_a_plant_are_found_without_everybody_s_batches(database: str):
    """Of 60,000 batches of others, and 20,000 of the plant's own."""
    more = """
        INSERT INTO dispatch_batch
          (event_no, environment, batch_uid, revision_key, resource_id, plant, origin_no, seq, event_id, time, received_at)
        SELECT 1000000 + n, environment, 'M' || n, '1', 'R' || n % 4, CASE n % 4 WHEN 0 THEN 'sierra' ELSE 'mesa' END,
          origin_no, 1000000 + n, 'M' || n, time, received_at
        FROM dispatch_batch, generate_series(1, 80000) AS n"""
    asked = those_of_plant("sierra")
    with kept(database, told(1, NOON, 1.0)) as url, psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SET search_path = dotbus")
        cursor.execute(more)
        cursor.execute("ANALYZE dispatch_batch")
        cursor.execute(asked.sql, dict(asked.parameters))
        assert sorted(cursor.fetchall()) == [("R0",), (ONE,)]
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + asked.sql, dict(asked.parameters))
        ((plan,),) = cursor.fetchall()
    assert plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"] < 50


OF_A_PLANT = ["/v1/dot", "/v1/dot/latest", "/v1/instructions", "/v1/dispatch-batches", "/v1/compliance", "/v1/resources"]


@pytest.fixture
def of_mesa(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks has a key of the plant mesa."""

    async def caller(*_: object) -> Caller:
        return Caller("mesa's", "mesa")

    monkeypatch.setattr("historian.api.exchange.exchange._caller", caller)


@pytest.mark.parametrize("path", OF_A_PLANT)
def test_a_plant_s_key_sees_that_plant_alone(client: Client, of_mesa: None, path: str):
    extra = {} if path in ("/v1/dot/latest", "/v1/resources") else DAY
    assert {row["resource_id"] for row in rows(client, path, **extra)} <= {TWO}


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/v1/dot", {"plant": "sierra"}),
        ("/v1/dot", {"resource": ONE}),
        ("/v1/dot/latest", {"resource": ONE}),
        ("/v1/instructions", {"resource": ONE, "batch": "REVISED"}),
        ("/v1/set-point", {"resource": ONE}),
        ("/v1/trajectory", {"resource": ONE}),
        ("/v1/resources", {"plant": "unassigned"}),
        ("/v1/plants/sierra/days/2026-10-13", {}),
    ],
)
def test_what_is_another_plant_s_is_answered_like_what_does_not_exist(client: Client, of_mesa: None, path: str, asked: dict):
    nothing = {name: "NOBODY'S" if name != "batch" else value for name, value in asked.items()}
    foreign, missing = client.ask(path, **asked), client.ask(path.replace("sierra", "nobody"), **nothing)
    assert (foreign.status_code, foreign.json()["type"]) == (missing.status_code, missing.json()["type"])
    assert foreign.status_code == 404
    assert not {"sierra", ONE} & set(foreign.json().get("near", ()))


def test_a_plant_s_key_sees_nothing_of_another_plant_s_batch(client: Client, of_mesa: None):
    assert rows(client, "/v1/instructions", batch="REVISED", revisions="all") == []
    assert rows(client, "/v1/dispatch-batches", batch="REVISED", revisions="all") == []
    assert only(rows(client, "/v1/plants"), "plant") == [("mesa",)]
