"""Both streams of two ADS accounts in one ingest: an ADS in memory for each, the real outbox on disk, and a clock to turn."""

from datetime import timedelta
from pathlib import Path

import msgspec
import trustme
from ads_bench import INSTALLATION, T0
from ads_fake import Batch, FakeAds
from prometheus_client import CollectorRegistry

from ads_ingest.accounts import Account
from ads_ingest.settings import AdsSettings
from ads_ingest.translate import Sender
from ads_ingest.wiring import Meters, Shared, wire_known, wire_streams
from caiso.ads import AdsClient
from dotbus.contracts.codec import decode_as
from dotbus.contracts.messages import Dispatch, Dot, Upstream
from dotbus.runtime.outbox.outbox import Outbox
from dotbus.runtime.quarantine import Quarantine

TOPICS = INSTALLATION.topics
NAMES = ("east", "west")


class Two:
    """Two accounts, an ADS for each, and a clock to turn."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        authority.issue_cert("client").private_key_and_cert_chain_pem.write_to_path(str(folder / "client.pem"))
        self.folder = folder
        self.settings = AdsSettings(
            url="https://ads.example/ADS/APIWebService/v8",
            certificate_file=folder / "client.pem",
            ca_file=folder / "ca.pem",
            state_dir=folder,
        )
        self.ads = {name: FakeAds() for name in NAMES}
        self.now = T0
        self.start()

    def start(self, names: tuple[str, ...] = NAMES) -> None:
        """With these accounts; an empty name is that of the only one, which the environment names. Its ADS is east's."""
        self.outbox = Outbox(self.folder / "outbox.sqlite", max_age_s=1e9, max_bytes=10**9)
        shared = Shared(
            self.outbox,
            Sender(INSTALLATION, "ads_ingest/test"),
            Quarantine(self.folder / "quarantine", 10**6),
            Meters(CollectorRegistry(), lambda: 1.0),
            lambda: self.now,
            lambda: None,
            monotonic_s=lambda: 0.0 + (self.now - T0).total_seconds(),
        )
        asked = [(Account(name, self.settings), AdsClient(self.ads[name or "east"])) for name in names]
        known = wire_known([account for account, _caiso in asked], shared)
        self.streams = dict(zip(names, wire_streams(asked, known, shared), strict=True))

    def restart(self, names: tuple[str, ...] = NAMES) -> None:
        self.outbox.close()
        for ads in self.ads.values():
            ads.asked.clear()
        self.start(names)

    def round(self, later: timedelta = timedelta(0), names: tuple[str, ...] | None = None) -> None:
        self.now += later
        for name in names or tuple(self.streams):
            for stream in self.streams[name]:
                stream.follow()

    def upstreams(self) -> list[Upstream]:
        return [stream.health.snapshot() for of_account in self.streams.values() for stream in of_account]

    def batch(self, number: int, revision: int = 1, **dots_mw: float) -> Batch:
        return Batch(f"B{number}", T0, dots_mw, revision)

    def topic(self, resource: str) -> str:
        return TOPICS.dot("north", resource)

    def dot(self, resource: str) -> Dot:
        return decode_as(self.outbox.states()[self.topic(resource)], Dot)

    def dots(self, resource: str) -> list[tuple[str, float]]:
        return [(interval.batch_uid, interval.dot_mw) for interval in self.dot(resource).intervals]

    def both(self, number: int, revision: int = 1, *, east: dict[str, float], west: dict[str, float]) -> None:
        """CAISO gives a batch, or a revision of it: to each account what that sees of it."""
        for name, dots_mw in (("east", east), ("west", west)):
            batches = self.ads[name].batches
            given = {batch.batch_uid: batch for batch in batches} | {f"B{number}": self.batch(number, revision, **dots_mw)}
            batches[:] = given.values()

    def told(self, resource: str) -> list[tuple[str, int | None, list[float | None]]]:
        """Of each event that a resource had its batch, revision and megawatts."""
        events = [decode_as(kept.payload, Dispatch) for kept in self.outbox.events_of("dispatch/")]
        return [
            (event.batch.batch_uid, event.batch.revision_no, [each.dot_mw for each in event.instructions])
            for event in events
            if event.resource_id == resource
        ]

    def events(self) -> list[str]:
        return [msgspec.json.decode(event.payload)["id"] for event in self.outbox.between(1, 10**6, 10**6)]
