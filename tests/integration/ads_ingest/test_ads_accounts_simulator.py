"""Two ADS accounts against the simulator, of which each sees what its certificate may: views and accounts come and go."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
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
from caiso.ads import AdsClient, AdsConnection
from dotbus.contracts.codec import decode_as
from dotbus.contracts.messages import Dispatch, Dot
from dotbus.runtime.ingest import open_outbox, open_quarantine
from dotbus.runtime.installation.file import load_installation

SOLAR, SHARED, HYDRO = "SIERRA_2_SOLAR1", "SIERRA_2_BESS1", "DELTA_6_HYDRO1"
INSTALLATION = load_installation(EXAMPLE)
RECHECK_S = 30.0


@dataclass
class Story:
    """A simulator with two clients, and an ingest that follows as one of them or as both."""

    admin_url: str
    clock: Clock
    settings: dict[str, AdsSettings]

    def __post_init__(self) -> None:
        self.outbox = open_outbox(self.settings["sierra"])
        self.connections: list[AdsConnection] = []
        self.streams: list[FollowedStream] = []

    def start(self, *names: str) -> None:
        """As the accounts' file lists them now."""
        self.stop()
        settings = self.settings["sierra"]
        self.outbox = open_outbox(settings)
        meters, quarantine = Meters(CollectorRegistry(), lambda: 1.0), open_quarantine(settings)
        sender = Sender(INSTALLATION, "ads_ingest/test")
        shared = Shared(self.outbox, sender, quarantine, meters, self.clock, lambda: None)
        accounts = [Account(name, self.settings[name]) for name in names]
        self.connections = [wire_connection(account.settings, self.clock) for account in accounts]
        asked = [(account, AdsClient(each)) for account, each in zip(accounts, self.connections, strict=True)]
        self.streams = [stream for streams in wire_streams(asked, wire_known(accounts, shared), shared) for stream in streams]

    def stop(self) -> None:
        for connection in self.connections:
            connection.close()
        self.outbox.close()

    def follow(self, later_s: float = RECHECK_S) -> None:
        self.clock.move(later_s)
        for stream in self.streams:
            assert stream.follow()

    def admin(self, path: str, **order: object) -> Any:
        url = self.admin_url + path
        reply = requests.post(url, json=order, timeout=10) if order else requests.get(url, timeout=10)
        assert reply.ok, reply.text
        return reply.json()

    def dot(self, resource: str) -> Dot:
        topic = INSTALLATION.topics.dot(INSTALLATION.plant_of(resource), resource)
        return decode_as(self.outbox.states()[topic], Dot)

    def in_force(self, resource: str) -> tuple[str, int | None, float]:
        now = self.clock.now
        five_minute = [each for each in self.dot(resource).intervals if each.batch_type == 0]
        (found,) = [each for each in five_minute if each.interval_start <= now < each.interval_end]
        return found.batch_uid, found.revision_no, found.dot_mw

    def assert_told_once(self) -> None:
        """Every instruction that any account was given, in every revision, is in exactly one event."""
        given = {
            (batch["batch_uid"], batch["revision_no"], batch["batch_status"], each["resource_id"], each["instruction_uid"])
            for name in self.settings
            for batch in (told["batch"] for told in self.admin(f"/told?client={name}"))
            for each in batch["instructions"]
        }
        events = [decode_as(kept.payload, Dispatch) for kept in self.outbox.events_of("dispatch/")]
        told = Counter(
            (event.batch.batch_uid, event.batch.revision_no, event.batch.batch_status, each.resource_id, each.instruction_uid)
            for event in events
            for each in event.instructions
        )
        assert set(told) == given
        assert set(told.values()) == {1}


@pytest.fixture
def story(keys: Keys, tmp_path: Path) -> Iterator[Story]:
    clock = Clock(datetime(2026, 7, 1, 12, 41, tzinfo=UTC))
    sees = ("sierra=SIERRA_*", f"guest={SHARED},DELTA_*")
    with simulating(keys, EXAMPLE, clock, history_intervals=3, sees=sees) as at:
        settings = {
            name: AdsSettings(
                url=at.ads, certificate_file=certificate, ca_file=keys.authority, timeout_s=5.0, state_dir=tmp_path
            )
            for name, certificate in (("sierra", keys.sierra), ("guest", keys.guest))
        }
        made = Story(at.admin, clock, settings)
        yield made
        made.stop()


@pytest.mark.parametrize("names", [("sierra", "guest"), ("guest", "sierra")])
def test_what_caiso_takes_from_the_view_of_one_account_is_told_and_held_by_the_other(
    story: Story, names: tuple[str, str]
) -> None:
    story.start(*names)
    story.follow(0)
    story.assert_told_once()
    batch_uid, revision, _dot_mw = story.in_force(SHARED)
    story.admin("/clients", client="guest", resources=["DELTA_*"])
    story.admin("/revise", batch_uid=batch_uid, resource_id=SHARED, dot_mw=-7.5)
    story.follow()
    story.follow()
    assert story.in_force(SHARED) == (batch_uid, (revision or 0) + 1, -7.5)
    assert (story.dot(SHARED).reasons, story.dot(SHARED).withdrawn) == ((), ())
    story.start(*names)
    for _ in range(12):  # over the next interval
        story.follow()
        assert story.in_force(SHARED)
        assert (story.dot(SHARED).reasons, story.dot(HYDRO).reasons) == ((), ())
    story.assert_told_once()


def test_an_account_that_is_taken_out_of_the_file_and_comes_back_loses_and_withdraws_nothing(story: Story) -> None:
    story.start("sierra", "guest")
    story.follow(0)
    held, heard_at = story.in_force(HYDRO), story.dot(HYDRO).heard_at
    story.start("sierra")
    story.follow()
    story.admin("/revise", batch_uid=story.in_force(SHARED)[0], resource_id=SHARED, dot_mw=-7.5)
    story.follow()
    hydro = story.dot(HYDRO)
    assert (story.in_force(HYDRO), hydro.reasons, hydro.withdrawn, hydro.heard_at) == (held, ("source_failing",), (), heard_at)
    assert (story.in_force(SHARED)[2], story.dot(SHARED).reasons) == (-7.5, ())
    story.start("sierra", "guest")
    story.follow()
    story.follow()
    assert (story.dot(HYDRO).reasons, story.dot(HYDRO).withdrawn, story.in_force(HYDRO)[2]) == ((), (), held[2])
    story.assert_told_once()
