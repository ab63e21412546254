"""docs/data.md is true of a real database: every column of every view, and every question with its answer."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from historian_database import fill, prepared
from historian_parts import NOW
from real_postgres import Postgres, new_database, query
from sqlalchemy.dialects import postgresql

from dotbus.testing import samples
from historian.tables.questions import QUESTIONS
from historian.tables.views import VIEWS

pytestmark = pytest.mark.integration

DOCUMENT = (Path(__file__).parents[4] / "docs/data.md").read_text(encoding="utf-8")
AT = samples.AT
UID = f"{samples.BATCH_UID}-I0"
COLUMNS = """
    SELECT c.relname, a.attname, format_type(a.atttypid, NULL), col_description(c.oid, a.attnum)
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
    WHERE c.relnamespace = 'dotbus'::regnamespace AND c.relkind = 'v'"""


def find_by_name(url: str) -> None:
    """Views are found by their names alone, as `10-roles.sh` has it."""
    query(url, f'ALTER DATABASE "{url.rpartition("/")[2]}" SET search_path = dotbus')


@pytest.fixture(scope="module")
def filled(postgres: Postgres) -> str:
    """A database with the samples, a correction of a price, a partial answer, a gap and a loss."""
    url = new_database(postgres)
    with prepared(url) as database:
        find_by_name(url)
        fill(database, samples.dispatch(), samples.trajectory_batch(), samples.prices(), samples.service_status())
        fill(database, msgspec.structs.replace(samples.answered(), seq=6))
        fill(database, samples.telemetry(), delivered(), samples.written())
        later = {"fetched_at": AT, "lmp_usd_per_mwh": (41.0, -4.0)}
        fill(database, msgspec.structs.replace(samples.prices(), id="corrected", seq=7, **later))
        fill(database, partly_accepted())
    query(url, "UPDATE source_sequence SET lost = '{[5,5]}' WHERE received @> 1::bigint")
    query(
        url,
        "INSERT INTO lost_events (origin_no, first_seq, last_seq, reason, noticed_at) "
        f"SELECT origin_no, 5, 5, 'gone', '{NOW.isoformat()}' FROM origin WHERE source = 'ads_ingest/a'",
    )
    return url


def partly_accepted():
    """The next interval: 30 MW instructed, 20 of them accepted."""
    sample, start = samples.dispatch(), AT + timedelta(minutes=5)
    answer = {"accept_status": "PARTIAL", "accept_dot_mw": 20.0, "opr_accept_status": None, "opr_accept_dot_mw": None}
    times = {"start_at": start + timedelta(seconds=150), "end_at": start + timedelta(seconds=300)}
    batch = msgspec.structs.replace(sample.batch, batch_uid="NEXT", start_at=start)
    instruction = msgspec.structs.replace(samples.instruction(), instruction_uid="NEXT-I0", dot_mw=30.0, **answer, **times)
    return msgspec.structs.replace(sample, id="next", seq=4, batch=batch, instructions=(instruction,))


def delivered():
    """Three megawatts beyond the DOT, a minute before the sample, which is not good."""
    said = {"time": AT + timedelta(seconds=60), "value": 15.0, "quality": 192, "reasons": ()}
    return msgspec.structs.replace(samples.telemetry(), **said)


def documented() -> dict[str, str]:
    """The queries as they stand in the document, by their title."""
    return dict(re.findall(r"^### ([^\n]+)\n\n[^`]+?(?:`[^`]+`[^`]*?)*```sql\n(.*?)```", DOCUMENT, re.MULTILINE | re.DOTALL))


def test_the_views_of_a_database_are_those_of_the_document(filled: str):
    shown = {(view.name, column.name): (_type(column.kind), column.comment) for view in VIEWS for column in view.columns}
    assert {(row[0], row[1]): (row[2].removeprefix("dotbus."), row[3]) for row in query(filled, COLUMNS)} == shown


def _type(kind: sa.types.TypeEngine) -> str:
    return str(kind.compile(dialect=postgresql.dialect())).lower()


def test_every_question_stands_in_the_document():
    assert list(documented()) == [question.title for question in QUESTIONS]


def utc(hour: int, minute: int, second: int = 0) -> datetime:
    return datetime(2026, 10, 13, hour, minute, second, tzinfo=UTC)


ANSWERS = {
    "The DOTs of a resource": [
        (utc(14, 10), utc(14, 12, 30), 12.0, "in force", 4),
        (utc(14, 15), utc(14, 17, 30), 20.0, "in force", 4),
    ],
    "The DOT in force at a time": [(12.0, utc(14, 10), utc(14, 15))],
    "Curtailment": [
        (utc(14, 10), 12.0, 12.0, 0.0, 13.0, 1.0, pytest.approx(1 / 12)),
        (utc(14, 15), 20.0, None, None, 13.0, 1.0, pytest.approx(1 / 12)),
    ],
    "How far actual power was from the DOT": [
        (utc(14, 10), 12.0, pytest.approx(3 * 60.4 / 3600), Decimal("60.4"), Decimal(300)),
    ],
    "Who wrote what": [
        (
            AT + timedelta(seconds=179),
            *("available_mw", 40.0, 400.0, "MW", 3, "refused", "limits", samples.written().detail),
            *("CN=scada-1,O=Sierra", "10.20.0.5"),
        )
    ],
    "The price of a node over a day": [(utc(14, 10), 41.0, 37.5, 0.0, -0.54, None)],
    "What a price was known to be at a time": [(utc(14, 10), 36.96, utc(14, 9))],
    "What was instructed against what was accepted": [
        (utc(14, 10), UID, 12.0, "ACCEPT", 12.0, "ACCEPT", 12.0, "in force", 12.0),
        (utc(14, 15), "NEXT-I0", 30.0, "PARTIAL", 20.0, None, None, "in force", 20.0),
    ],
    "Who answered": [
        (
            utc(14, 10, 1),
            "TEST_RESOURCE_1",
            f"{samples.HOURLY_UID}-I0",
            *("partial", 6.0, 13, "plant operator", None, "taken", None, "CAISO has taken the answer"),
        )
    ],
    "The DOT in each five minutes of a trade day": [
        (8, 3, datetime(2026, 10, 13, 7, 10), 12.0, "in force"),  # noqa: DTZ001  # what clocks there show
        (8, 4, datetime(2026, 10, 13, 7, 15), 20.0, "in force"),  # noqa: DTZ001
    ],
    "Energy and money of a trade day": [(8, pytest.approx(32 / 12), pytest.approx(12.0 * 41.0 / 12), 2, 1, 0)],
    "Instructions by kind and day": [(date(2026, 10, 13), 0, 2, 2, 0)],
    "Prices of a trade day by the hour": [(8, datetime(2026, 10, 13, 7, 0), 41.0, 37.5, 0.0, -0.54, 5.0)],  # noqa: DTZ001
    "One day against another": [(8, 41.0, None, None)],
    "A month by day and hour": [(date(2026, 10, 13), 8, 41.0)],
    "The mean price by weekday and hour": [],
    "The duration curve of a month": [(share, 41.0) for share in (0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1)],
    "Day-ahead against real time": [(8, None, 41.0, None)],
    "Prices below zero": [(date(2026, 10, 13), Decimal(5), -4.0)],
    "What was corrected afterwards": [(utc(14, 10), 2, 36.96, 41.0, AT)],
    "Is a month of prices whole": [
        (date(2026, 10, day), 24, 0, pytest.approx(5 / 60) if day == 13 else None) for day in range(1, 32)
    ],
    "Lost events": [("simulator", "ads_ingest/a", samples.STREAM, 5, 5, "gone", NOW, None)],
}


@pytest.mark.parametrize("title", ANSWERS)
def test_a_question_is_answered_as_what_was_said_wants_it(filled: str, title: str):
    assert query(filled, documented()[title]) == ANSWERS[title]


def test_the_set_point_is_on_the_ramp_between_the_targets(filled: str):
    rows = query(filled, documented()["The set-point minute by minute"])
    assert [row[1] for row in rows] == pytest.approx([12, 12, 12, 12.8, 14.4, 16, 17.6, 19.2, 20, 20])
    assert {row[4:] for row in rows} == {(True, "in force")}
    steepest = query(filled, documented()["The steepest ramps of a trade day"])
    assert [row[2] for row in steepest] == pytest.approx([1.6] * 5 + [0.0] * 5)


@pytest.mark.parametrize(("age_s", "quality"), [(10, 64), (100, 0)], ids=["vouched for", "past its valid_until"])
def test_the_last_word_on_a_point_is_as_good_as_it_is_fresh(database: str, age_s: int, quality: int):
    time = datetime.now(UTC) - timedelta(seconds=age_s)
    said = msgspec.structs.replace(samples.telemetry(), time=time, valid_until=time + timedelta(seconds=90))
    with prepared(database) as opened:
        find_by_name(database)
        fill(opened, said)
    (row,) = query(database, documented()["What a plant said of its points"])
    assert row[:5] == ("actual_mw", 48.2, "MW", quality, ["out_of_limits"])


def test_an_instruction_that_a_batch_names_twice_has_no_parts(database: str):
    event, one = samples.dispatch(), samples.instruction()
    again = msgspec.structs.replace(one, revision_number=(one.revision_number or 0) + 1)
    with prepared(database) as opened:
        find_by_name(database)
        fill(opened, msgspec.structs.replace(event, instructions=(one, again)))
    assert [row[4:] for row in query(database, documented()["Curtailment"])] == [(None, None, None)]


@pytest.mark.parametrize(
    "other",
    [{"batch_received_at": None, "batch_sent_at": None}, {"batch_received_at": AT, "binding_flag": "N"}],
    ids=["an older curve that does not say when CAISO had it", "an advisory one"],
)
def test_what_was_expected_is_the_curve_that_the_bus_holds(database: str, other: dict[str, object]):
    curve = samples.trajectory_batch()
    received = msgspec.structs.replace(curve.batch, batch_received_at=AT - timedelta(minutes=1))
    header = msgspec.structs.replace(curve.batch, batch_uid="OTHER", **other)
    dops = tuple(msgspec.structs.replace(dop, dop_mw=99.0) for dop in curve.dops)
    told = {"id": "other", "seq": curve.seq + 1, "time": AT - timedelta(minutes=3)}
    with prepared(database) as opened:
        find_by_name(database)
        fill(opened, samples.dispatch(), msgspec.structs.replace(curve, batch=received))
        fill(opened, msgspec.structs.replace(curve, batch=header, dops=dops, **told))
    assert [row[2] for row in query(database, documented()["Curtailment"])] == [12.0]


def test_gaps_are_what_neither_came_nor_is_lost(filled: str):
    rows = {row[1]: row[3:] for row in query(filled, documented()["Gaps"])}
    assert [str(part) for part in rows["lmp_ingest/a"]] == ["2", "{[1,3),[4,7)}", "{}"]
    assert [str(part) for part in rows["ads_ingest/a"]] == ["4", "{[3,4)}", "{[5,6)}"]


def test_a_batch_is_told_with_every_revision(filled: str):
    (row,) = query(filled, documented()["Every revision of a batch"])
    assert row[:6] == (4, 3, "TEST_RESOURCE_1", UID, 12.0, AT - timedelta(seconds=120))


def test_a_service_tells_since_when_it_said_the_same(filled: str):
    (row,) = query(filled, documented()["When a service was away"])
    assert row[:4] == ("ads_ingest/a", AT, NOW, True)
    assert row[4][0]["name"] == "ads_dispatch"
