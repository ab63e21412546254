"""Played ADS: answers as CAISO's did, from what was kept of a day, in a span of it, at the times that it is played at.

Who kept it, and how, the answers do not know.

An archive has CAISO's own documents, as `files.archive` wrote them, those of each account by themselves.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import msgspec

from ads_ingest.files.archive import ArchivedDocument, archived
from caiso.ads import NotADocument, SavedDocument, UnknownUid, parse_saved
from caiso.ads.errors import Unreachable
from caiso.ads.records import BatchHeader, DispatchBatch, DispatchBatchList, Question, TrajectoryBatch, TrajectoryBatchList
from dotbus.runtime.logs import get_logger
from dotbus.runtime.settings.mistakes import ConfigurationRefused, Mistake
from dotbus.runtime.settings.values import MB

T = TypeVar("T")
MAX_BYTES: Final = 512 * MB
ONLY = ""
"""The name of the account whose documents are not in a folder of its own."""


@dataclass(frozen=True)
class Span:
    """From when to when, both included; None is as far as there is anything."""

    begin: datetime | None = None
    end: datetime | None = None

    def __contains__(self, time: datetime) -> bool:
        return (self.begin is None or time >= self.begin) and (self.end is None or time <= self.end)

    @classmethod
    def told(cls, begin: str | None, end: str | None) -> "Span":
        """As the command line says it.

        Raises:
            ConfigurationRefused: one of the two is no time, or names no zone.
        """
        return cls(_time(begin, "--from"), _time(end, "--to"))

    def nothing_of(self, what: str, times: Sequence[datetime]) -> str:
        """That there is nothing in it, and between which times there is."""
        has = f"; it has {times[0]:%Y-%m-%dT%H:%M:%SZ} to {times[-1]:%Y-%m-%dT%H:%M:%SZ}" if times else ""
        return f"has no {what} of that time{has}"


def _time(text: str | None, option: str) -> datetime | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationRefused(
            [Mistake("command line", option, f"{text!r} is no time such as 2026-03-01T00:00Z")]
        ) from error
    if time.tzinfo is None:
        told = f"{text!r} names no zone: write a time with one, as {time:%Y-%m-%dT%H:%M}Z or with -08:00"
        raise ConfigurationRefused([Mistake("command line", option, told)])
    return time


@dataclass(frozen=True)
class Timeline:
    """Maps the times of what is played to those at which it is.

    Attributes:
        begin: the first time that is played.
        at: when that is.
        speed: seconds of that day in one second.
    """

    begin: datetime
    at: datetime
    speed: float

    def mapped(self, time: datetime) -> datetime:
        """When a time is played."""
        return self.at + (time - self.begin) / self.speed

    def shifted(self, record: T) -> T:
        """A record with every time in it mapped."""
        return self._shifted(record)  # type: ignore[no-any-return]

    def _shifted(self, value: Any) -> Any:  # noqa: ANN401  # whatever a record may hold
        match value:
            case datetime():
                return self.mapped(value)
            case tuple():
                return tuple(self._shifted(each) for each in value)
            case msgspec.Struct():
                fields = {name: getattr(value, name) for name in value.__struct_fields__}
                return msgspec.structs.replace(value, **{name: self._shifted(each) for name, each in fields.items()})
            case _:
                return value


class NotPlayable(Exception):
    """What was kept cannot be read, and never will be; the message says what and why."""


class KeeperAway(Exception):
    """Who kept it does not answer now."""


class Kept(Protocol):
    """Something that CAISO said, as it was kept."""

    @property
    def received_at(self) -> datetime:
        """When it came."""
        ...

    def read(self) -> SavedDocument:
        """What it says.

        Raises:
            NotPlayable: it cannot be read.
            KeeperAway: it cannot be read now.
        """
        ...


@dataclass
class PlayedAds:
    """Answers as ADS did: of what was received by now, and of each batch the revision that was the newest then.

    Where what was kept cannot be had at the moment, nothing was heard of CAISO, and the question is asked again.

    Attributes:
        kept: in the order in which it came.
        timeline: when each is played.
        clock: the wall clock.
    """

    kept: Sequence[Kept]
    timeline: Timeline
    clock: Callable[[], datetime]
    clock_offset_s: float | None = 0.0
    clock_offset_said_s: float | None = 0.0
    _played: int = 0
    _dispatches: dict[str, DispatchBatch] = field(default_factory=dict)
    _trajectories: dict[str, TrajectoryBatch] = field(default_factory=dict)

    def get_dispatch_batches_since_uid(self, batch_uid: str, within_s: float = math.inf) -> DispatchBatchList:  # noqa: ARG002
        """As `AdsClient`, at once."""
        self._play(Question("getDispatchBatchesSinceUID", batch_uid))
        return DispatchBatchList(tuple(batch.header for batch in _since(self._dispatches, batch_uid)))

    def get_dispatch_batch(self, batch_uid: str, within_s: float = math.inf) -> DispatchBatch:  # noqa: ARG002  # at once
        """As `AdsClient`.

        Raises:
            UnknownUid: it was not kept, or is not yet there.
        """
        if batch_uid not in self._dispatches:
            raise UnknownUid(Question("getDispatchBatch", batch_uid), "it was not kept")
        return self._dispatches[batch_uid]

    def get_batch_header(self, batch_uid: str, within_s: float = math.inf) -> BatchHeader:
        """As `AdsClient`.

        Raises:
            UnknownUid: it was not kept, or is not yet there.
        """
        self._play(Question("getBatchHeader", batch_uid))
        return self.get_dispatch_batch(batch_uid, within_s).header

    def is_new_traj_data(self, batch_uid: str, within_s: float = math.inf) -> bool:  # noqa: ARG002  # at once
        """As `AdsClient`."""
        self._play(Question("isNewTrajData", batch_uid))
        return bool(_since(self._trajectories, batch_uid))

    def get_trajectory_data(self, batch_uid: str, within_s: float = math.inf) -> TrajectoryBatchList:  # noqa: ARG002  # at once
        """As `AdsClient`."""
        return TrajectoryBatchList(tuple(_since(self._trajectories, batch_uid)))

    def validate_dispatch_batch(self, batch_uid: str, within_s: float = math.inf) -> None:
        """CAISO is told nothing."""

    def _play(self, question: Question) -> None:
        """Take up what was received by now.

        Raises:
            Unreachable: it cannot be read now.
        """
        now = self.clock()
        while self._played < len(self.kept) and self.timeline.mapped(self.kept[self._played].received_at) <= now:
            try:
                self._take(self.kept[self._played].read())
            except NotPlayable as error:
                get_logger("replay").warning("something of that day cannot be played", cause=str(error))
            except KeeperAway as error:
                raise Unreachable(question, str(error)) from error
            self._played += 1

    def _take(self, saved: SavedDocument) -> None:
        for batch in saved.dispatches:
            self._dispatches[batch.header.batch_uid] = self.timeline.shifted(batch)
        for trajectory in saved.trajectories.batches:
            self._trajectories[trajectory.header.batch_uid] = self.timeline.shifted(trajectory)


def _since(known: dict[str, T], uid: str) -> list[T]:
    uids = list(known)
    return list(known.values())[uids.index(uid) + 1 if uid in known else 0 :]


@dataclass(frozen=True)
class ArchivedPart:
    """One document of an archive."""

    document: ArchivedDocument

    @property
    def received_at(self) -> datetime:
        """When it came."""
        return self.document.received_at

    def read(self) -> SavedDocument:
        """What it says.

        Raises:
            NotPlayable: it is gone, damaged, or no document of ADS.
        """
        try:
            return parse_saved(self.document.read(), MAX_BYTES)
        except (NotADocument, OSError) as error:
            raise NotPlayable(f"{self.document.path}: {error}") from error


def kept_in_archive(folder: Path, span: Span) -> Mapping[str, Sequence[ArchivedPart]]:
    """The documents of an archive in a time, by the account whose they are, in the order in which they came.

    What one account was told says nothing about the resources of another, here as on that day.

    Raises:
        ConfigurationRefused: there are none.
    """
    try:
        found = {ONLY: list(archived(folder))}
        found |= {part.name: list(archived(part)) for part in sorted(folder.iterdir()) if part.is_dir()}
    except OSError as error:
        raise ConfigurationRefused([Mistake(str(folder), "", f"is no archive: {error.strerror}")]) from error
    wanted = {name: [ArchivedPart(each) for each in own if each.received_at in span] for name, own in found.items()}
    if not any(wanted.values()):
        times = sorted(each.received_at for own in found.values() for each in own)
        raise ConfigurationRefused([Mistake(str(folder), "", span.nothing_of("documents", times))])
    return {name: sorted(own, key=_in_order) for name, own in wanted.items() if own}


def _in_order(part: ArchivedPart) -> tuple[datetime, str]:
    return part.received_at, part.document.path.name
