"""What earlier versions kept is in the views of this one as it was said, and nothing of it is doubled when it comes again."""

from datetime import timedelta

import historian_before
import msgspec
import pytest
from historian_parts import ADS, NOW, arrival, counts, dispatch, letters, named, ready, received, replace, stored
from real_postgres import query

from dotbus.testing import samples
from historian.migrations import Roles, bring_up_to_date
from historian.write.sequences.accounts import Accounts
from historian.write.storing.store import Store

pytestmark = pytest.mark.integration

NEVER = 2**63 - 1
PUBLIC_TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
SECOND = replace(dispatch(21, revision_no=1, dot_mw=40.0, resource_id="SECOND", instruction_uid="S-I0"), plant="delta")


def resent(event, seq, **changes):
    """The same batch in a later revision or with another status."""
    batch = replace(event.batch, **changes)
    status = "-" if batch.batch_status is None else batch.batch_status
    number = f"{batch.revision_no}.{status}"
    return replace(
        event,
        id=f"dispatch/{batch.batch_uid}/{number}/{event.resource_id}",
        seq=seq,
        time=event.time + timedelta(hours=seq),
        batch=batch,
    )


def dispatches_before():
    """Two resources, two revisions of which the second leaves one out, a cancel that names no instruction, no revision."""
    first, second = resent(dispatch(20), 20), resent(SECOND, 21)
    revised = resent(replace(first, instructions=(replace(first.instructions[0], dot_mw=13.5),)), 22, revision_no=2)
    other = resent(dispatch(23, batch_uid="OTHER"), 23)
    cancelled = replace(resent(other, 24, batch_status=4), instructions=())
    unnumbered = dispatch(25, batch_uid="UNNUMBERED", revision_no=None)
    timeless = dispatch(26, batch_uid="TIMELESS", start_at=None, end_at=None)
    later = NOW + timedelta(days=3)
    timeless = replace(timeless, time=later, batch=replace(timeless.batch, start_at=None))
    return [first, second, revised, other, cancelled, unnumbered, timeless]


def curves_before():
    curve = samples.trajectory_batch()
    only_compliance = replace(
        curve, id="t2", seq=31, batch=replace(curve.batch, batch_uid="T2"), dops=(), compliance=curve.compliance
    )
    second = replace(curve, id="t3", seq=32, resource_id="SECOND", plant="delta", compliance=())
    empty = replace(
        curve, id="trajectory/T4/TEST_RESOURCE_1", seq=33, batch=replace(curve.batch, batch_uid="T4"), dops=(), compliance=()
    )
    return [curve, only_compliance, second, empty]


def prices_before():
    sample = samples.prices()
    corrected = replace(
        sample, id="later", seq=41, fetched_at=sample.fetched_at + timedelta(days=3), lmp_usd_per_mwh=(40.0, None)
    )
    chunk = replace(sample, id="chunk", seq=42, nodes=("Z", "A"), chunk=2)
    ancient = replace(sample, id="ancient", seq=43, interval_start=NOW.replace(year=1990))
    return [sample, corrected, chunk, ancient]


@pytest.fixture(params=["0001", "0002"])
def before(request, database):
    """A database of an earlier version, with everything in it that it can hold."""
    historian_before.make_tables(database, request.param)
    historian_before.write(database, [*dispatches_before(), *curves_before(), *prices_before()], NOW)
    historian_before.write_status(database, samples.service_status(), NOW)
    query(
        database,
        f"""
        INSERT INTO dead_letter (topic, payload, digest, reason, seen, received_at)
        VALUES ('t', 'abc', sha256('t\\000abc'::bytea), 'why', 3, now());
        INSERT INTO source_sequence (environment, source, stream, received, lost)
        VALUES (
          '{ADS.environment}', '{ADS.source}', '{ADS.stream}', '[[1, 3], [7, 9], [{NEVER}, {NEVER}]]', '[[4, 5], [9, 9]]'
        );
        INSERT INTO lost_events (environment, source, stream, first_seq, last_seq, reason, noticed_at)
        VALUES ('{ADS.environment}', '{ADS.source}', '{ADS.stream}', 4, 5, 'gone', now()),
          ('{ADS.environment}', '{ADS.source}', '{ADS.stream}', 9, 9, 'gone', now()),
          ('{ADS.environment}', '{ADS.source}', '{ADS.stream}', {NEVER}, {NEVER}, 'gone', now())""",
    )
    return database


@pytest.fixture
def migrated(before):
    with ready(before) as opened_database:
        yield opened_database


def said(event, struct, without=()):
    """What a view must show of a part of an event."""
    values = {name: value for name, value in msgspec.structs.asdict(struct).items() if name not in without}
    of_event = {"seq": event.seq, "event_id": event.id, "source": event.source, "stream": event.stream, "time": event.time}
    return {**values, **of_event, "resource_id": event.resource_id, "plant": event.plant, "batch_uid": event.batch.batch_uid}


def shown(url, view, order, expected):
    """What it does show, of the same columns."""
    rows = named(url, f"SELECT * FROM {view} ORDER BY {order}")
    return [{name: row[name] for name in one} for row, one in zip(rows, expected, strict=True)]


def test_every_instruction_of_before_is_in_the_views_as_it_was_said(before, migrated):
    expected = [said(event, each, ("details",)) for event in dispatches_before() for each in event.instructions]
    assert shown(before, "instruction_history", "seq", expected) == expected
    details = [detail for event in dispatches_before() for each in event.instructions for detail in each.details]
    assert counts(before)["instruction_detail"] == len(details)


def test_every_curve_of_before_is_in_the_views_as_it_was_said(before, migrated):
    dops = [said(event, dop) for event in curves_before() for dop in event.dops]
    assert shown(before, "dop_history", "seq, dop_uid", dops) == dops
    records = [said(event, record) for event in curves_before() for record in event.compliance]
    assert shown(before, "compliance_history", "seq, compliance_uid", records) == records


def test_every_price_of_before_is_in_the_views_as_it_was_said(before, migrated):
    columns = ("lmp", "energy", "congestion", "loss", "ghg")
    expected = {
        (
            event.seq,
            event.fetched_at,
            event.interval_start,
            node,
            *(getattr(event, f"{name}_usd_per_mwh")[place] for name in columns),
        )
        for event in prices_before()
        for place, node in enumerate(event.nodes)
    }
    names = ", ".join(f"{name}_usd_per_mwh" for name in columns)
    found = stored(before, f"SELECT seq, fetched_at, interval_start, node, {names} FROM price_history")
    assert (set(found), len(found)) == (expected, len(expected))
    latest = stored(before, f"SELECT node, lmp_usd_per_mwh FROM price_latest WHERE interval_start = '{samples.AT}' ORDER BY 1")
    assert latest == [("A", -4.88685), ("BAYSHOR2_1_N001", None), ("TH_NP15_GEN-APND", 40.0), ("Z", 36.96)]


def test_what_counts_is_what_counted_before(before):
    kept = "batch_uid, resource_id, dot_mw"
    first = query(before, f"SELECT {kept} FROM public.instruction_latest ORDER BY 1, 2")
    has_dots = query(before, "SELECT to_regclass('public.dot_latest') IS NOT NULL")[0][0]
    dots = query(before, f"SELECT {kept} FROM public.dot_latest ORDER BY 1, 2") if has_dots else None
    with ready(before):
        assert stored(before, f"SELECT {kept} FROM instruction_latest ORDER BY 1, 2") == first
        assert dots in (None, stored(before, f"SELECT {kept} FROM dot_latest ORDER BY 1, 2"))
    assert first == [
        ("BATCH", "TEST_RESOURCE_1", 13.5),
        ("TIMELESS", "TEST_RESOURCE_1", 12.0),
        ("UNNUMBERED", "TEST_RESOURCE_1", 12.0),
    ]


def test_what_was_known_beside_the_events_is_known_still(before, migrated):
    assert received(before) == (f"{{[1,4),[7,10),[{NEVER - 1},{NEVER})}}", "{[4,6)}")
    lost = stored(before, "SELECT first_seq, last_seq, reason, found_at IS NOT NULL FROM lost_events ORDER BY id")
    assert lost == [(4, 5, "gone", False), (9, 9, "gone", True), (NEVER - 1, NEVER - 1, "gone", True)]
    assert stored(before, "SELECT kind, payload::text, payload_bytes, seen FROM dead_letter") == [
        ("refused", "\\x616263", 3, 3)
    ]
    assert stored(before, "SELECT source, cursors ->> 'dispatch' FROM service_state") == [("ads_ingest/a", samples.BATCH_UID)]
    assert query(before, PUBLIC_TABLES) == [(0,)]
    assert stored(before, "SELECT count(*) FROM pg_namespace WHERE nspname = 'dotbus_before'") == [(0,)]


def test_what_comes_again_after_the_migration_is_passed_over_and_what_is_new_is_stored(before, migrated):
    store, once = Store(migrated), counts(before)
    events = [*dispatches_before(), *curves_before(), *prices_before()]
    again = store.write([arrival(event) for event in events], NOW)
    assert (again.events, len(again.repeats), again.rejections) == (0, len(events), [])
    assert counts(before) == once
    news = [dispatch(101, batch_uid="NEW"), replace(samples.prices(), id="new", seq=102, interval_start=NOW)]
    assert store.write([arrival(event) for event in news], NOW).events == 2
    assert Accounts(migrated).give_up(ADS, [(NEVER - 3, NEVER - 2)], "gone", NOW) != ()
    assert letters(before)[1:] == []


def test_a_second_start_changes_nothing(before, migrated):
    once = counts(before)
    assert bring_up_to_date(migrated, Roles(), NOW) == ()
    assert counts(before) == once
