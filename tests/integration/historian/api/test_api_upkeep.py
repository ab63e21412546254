"""Gaps and health over HTTP, as the historian keeps them."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from historian_api import NP15, asked_here, kept, prices_of
from historian_database import OWNER, READERS, WRITER, fill, make_roles, prepared
from historian_parts import IN_SCHEMA, dispatch
from real_postgres import Postgres, query

from dotbus.testing import samples
from historian.api.keys.store import make_key

pytestmark = pytest.mark.integration

HOUR = datetime(2026, 10, 13, 14, 0, tzinfo=UTC)


def test_what_is_missing_lost_and_not_to_be_had_is_told_in_one_answer(database: str):
    events = [dispatch(seq, batch_uid=f"B{seq}") for seq in (2, 3, 7)]  # the sample of a gap has number 4
    with kept(database, *events, samples.upstream_gap()) as url, asked_here(url) as client:
        lost = (
            "INSERT INTO lost_events (origin_no, first_seq, last_seq, reason, noticed_at) SELECT origin_no, 1, 1, 'gone', now()"
        )
        query(url + IN_SCHEMA, f"{lost} FROM origin WHERE source = 'ads_ingest/a' LIMIT 1")
        query(url + IN_SCHEMA, "UPDATE source_sequence SET lost = '{[1,1]}' WHERE received @> 7::bigint")
        told = client.ask("/v1/gaps").json()["rows"]

    assert [(row["kind"], row["number"], row["last_number"]) for row in told if row["kind"] != "upstream"] == [
        ("lost", 1, 1),
        ("missing", 5, 6),
    ]
    assert [row["upstream"] for row in told if row["kind"] == "upstream"] == [samples.upstream_gap().upstream]
    assert all(row["missing_from"] is not None for row in told)


def test_health_tells_what_each_service_said_last_and_how_long_ago(database: str):
    with kept(database, samples.service_status()) as url:
        heard = query(url + IN_SCHEMA, "SELECT heard_at FROM service_state")[0][0]
        with asked_here(url, now=heard.replace(second=0) if heard.second else heard) as client:
            (row,) = client.ask("/v1/health").json()["rows"]

    status = samples.service_status()
    assert (row["source"], row["online"]) == (f"{status.service}/{status.instance}", True)
    assert row["age_s"] == pytest.approx(-heard.second, abs=1)
    assert isinstance(row["upstreams"], list | dict)


def test_a_plants_key_sees_the_gaps_of_prices_and_nothing_of_accounts_or_other_plants(
    postgres: Postgres, database: str, tmp_path: Path
):
    at = make_roles(postgres, database, tmp_path)
    gateway = [
        msgspec.structs.replace(
            samples.service_status(), service="modbus_gateway", instance=plant, source=f"modbus_gateway/{plant}"
        )
        for plant in ("sierra_1", "mesa", "sierra-1")
    ]
    with prepared(at.historian, owner=OWNER, writer=WRITER, reader=READERS) as owned:
        fill(owned, dispatch(5), *prices_of(HOUR, [1.0], first_seq=4), *gateway)
        with owned.transaction(as_owner=True) as connection:
            keys = {plant: make_key(connection, str(plant), plant) for plant in ("sierra_1", None)}
        with asked_here(at.api, without_keys=False) as client:
            gaps, health, nodes = (
                {
                    plant: [row["source" if path != "/v1/nodes" else "node"] for row in answer.json()["rows"]]
                    for plant, key in keys.items()
                    if (answer := client.ask(path, headers={"Authorization": f"Bearer {key}"}))
                }
                for path in ("/v1/gaps", "/v1/health", "/v1/nodes")
            )

    assert (set(gaps["sierra_1"]), set(gaps[None])) == ({"lmp_ingest/a"}, {"ads_ingest/a", "lmp_ingest/a"})
    assert (health["sierra_1"], health[None]) == (
        ["modbus_gateway/sierra_1"],
        ["modbus_gateway/mesa", "modbus_gateway/sierra-1", "modbus_gateway/sierra_1"],
    )
    assert nodes["sierra_1"] == nodes[None] == [NP15]
