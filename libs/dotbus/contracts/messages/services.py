"""What services say of themselves, and what they ask of each other: status, streams, gaps, replays."""

from typing import Annotated, Final

import msgspec

from dotbus.contracts.messages.envelope import Command, Count, Event, NonEmpty, Seq, State, Utc
from dotbus.contracts.messages.history import Backfill, Name

MAX_RANGES: Final = 10_000
"""How many ranges one replay request or reply may name."""
SeqRange = tuple[Seq, Seq]
"""First and last number, both included."""
SeqRanges = Annotated[tuple[SeqRange, ...], msgspec.Meta(max_length=MAX_RANGES)]


class Missing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What of an upstream is missing and still asked for.

    Attributes:
        start: since when.
        end: until when.
        names: of what: nodes by CAISO's names, or a group of them; nothing of the others is said.
    """

    start: Utc
    end: Utc
    names: tuple[str, ...]


class Upstream(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How a service hears what it depends on (CAISO, the database).

    Attributes:
        name: what it depends on: ads_dispatch, ads_trajectory, oasis_rtm and so on for each market, database. Of an ingest with
            several accounts there is ads_dispatch/ACCOUNT of each besides.
        ok: whether it answered when it was last asked.
        last_ok_at: when it was last asked and answered.
        last_error: why it did not, the last time that it did not.
        last_error_at: when that was.
        failures_in_a_row: how often it did not answer since it last did.
        clock_offset_s: CAISO's clock minus ours at the time of this message, by the Date of its last reply; None while CAISO
            has not said one, and then nobody knows whether they agree.
        complaints: what is wrong now with a part of it, in words for a person (a node without a price, a day that is missing);
            `ok` and the rest of it are not in doubt for that.
        missing: what of it is missing and still asked for: prices that must have been published by now.
    """

    name: str
    ok: bool
    last_ok_at: Utc | None = None
    last_error: str | None = None
    last_error_at: Utc | None = None
    failures_in_a_row: Count = 0
    clock_offset_s: float | None = None
    complaints: tuple[str, ...] = ()
    missing: tuple[Missing, ...] = ()


class OutboxSpan(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The events of its stream that a source can still send again.

    Attributes:
        stream: the stream that the source numbers its events in now.
        first_seq: the oldest that is kept, null while there is none.
        last_seq: the last number that was given, null before the first.
        unpublished: how many wait for the broker: always the newest.
    """

    stream: str
    first_seq: Seq | None
    last_seq: Seq | None
    unpublished: Count


class ServiceStatus(State, frozen=True, kw_only=True, tag="service"):
    """Whether a service instance is there and hears its upstreams. Its last will says `online: false`.

    It is to be believed on the topic of its own `source` only.

    Attributes:
        service: ads_ingest, lmp_ingest, modbus_gateway, historian or alarms.
        instance: the instance's configured name.
        online: whether it is there.
        started_at: when its process started.
        software_version: of dotbus.
        upstreams: how it hears what it depends on.
        outbox: which events it can send again; null from services that publish none, and in a last will.
        cursors: where it is with CAISO, by name.
        certificate_days_left: how long its client certificate is valid, null without one.
        backfills: prices of the past that lmp_ingest is asked for, and how far it is; those that ended within a day included.
        map_hashes: of a gateway, the map_hash of each unit that it serves, by the unit's id.
        redundancy: of a gateway, `active` or `standby` among those of its environment that serve the same; null while it does
            not know, or does not hear the bus in time. Of a service of alarms, `standby` where another one keeps them.
        complaints: what is wrong now with the service itself, in words for a person; what it does is not in doubt for that.
    """

    service: str
    instance: str
    online: bool
    started_at: Utc
    software_version: str
    upstreams: tuple[Upstream, ...] = ()
    outbox: OutboxSpan | None = None
    cursors: dict[str, str] = msgspec.field(default_factory=dict)
    certificate_days_left: float | None = None
    backfills: tuple[Backfill, ...] = ()
    complaints: tuple[str, ...] = ()
    map_hashes: dict[str, Count] = msgspec.field(default_factory=dict)
    redundancy: str | None = None


class StreamState(State, frozen=True, kw_only=True, tag="stream"):
    """The stream that a source numbers its events in now, and how far it goes.

    It is said before the events that it covers, and no last will replaces it. A source that finds more here than its outbox
    has knows that the outbox is older than what was published, and begins another stream.

    Attributes:
        stream: the stream.
        last_seq: no higher number of it was published.
    """

    stream: NonEmpty
    last_seq: Count


class UpstreamGap(Event, frozen=True, kw_only=True, tag="gap"):
    """What a source could not have of its upstream, and will not have any more.

    ADS was not heard for longer than it keeps batches (24 hours); or OASIS has had no prices of a time for long, or keeps none
    so old, and they are given up. Nothing else tells of it, because no event was made that had a number. It is to be believed
    on the topic of its own `source` only.

    Attributes:
        upstream: what is missing, by its name in the source's status; of several accounts without the account's.
        account: whose; null where there is only one.
        missing_from: since when; of ADS when it was heard last before.
        missing_until: until when; of ADS a day before it was heard again.
        detail: the same in words for a person.
    """

    upstream: NonEmpty
    account: NonEmpty | None = None
    missing_from: Utc
    missing_until: Utc
    detail: str


class ReplayRequest(Command, frozen=True, kw_only=True, tag="replay"):
    """Send events of a stream again, on their own topics: all from `first_seq` to `last_seq`, or of these only `ranges`.

    Attributes:
        stream: the stream.
        first_seq: the first number that is asked for.
        last_seq: the last number that is asked for.
        ranges: first and last number of each range, ascending without overlap; the first begins at `first_seq`, the last ends
            at `last_seq`. A source of before this field sends what lies between them as well. Without any, all is asked for.
        numbers_taken: whether whoever asks has other events under numbers of the stream: the source's outbox is older than what
            was published from it. If the stream still goes on, the source begins another and sends all that it has kept of it
            again there, because what is missing cannot be seen in the old one. One of before this field sends what is asked.

    Raises:
        ValueError: a range is empty, or they do not stand so.
    """

    stream: str
    first_seq: Seq
    last_seq: Seq
    ranges: SeqRanges = ()
    numbers_taken: bool = False

    def __post_init__(self) -> None:
        """What the types cannot say."""
        if self.last_seq < self.first_seq:
            raise ValueError("`last_seq` is below `first_seq`")
        before = 0
        for first, last in self.ranges:
            if not before < first <= last:
                raise ValueError("`ranges` must ascend without overlap, and none may be empty")
            before = last
        if self.ranges and (self.ranges[0][0], before) != (self.first_seq, self.last_seq):
            raise ValueError("`ranges` must begin at `first_seq` and end at `last_seq`")

    @property
    def wanted(self) -> tuple[SeqRange, ...]:
        """What is asked for, as ranges."""
        return self.ranges or ((self.first_seq, self.last_seq),)


class ReplayReply(Command, frozen=True, kw_only=True, tag="replay-reply"):
    """What a replay could send. A source of before `ranges` and `lost` says neither.

    What was neither sent nor is lost may be asked for later: its number is not given yet, or the broker refused it.

    Attributes:
        stream: the request's.
        first_seq: the request's.
        last_seq: the request's.
        ranges: the request's.
        sent: how many events were sent.
        lost: what was asked for and what this source has no more, so that it need not be asked for again: the first 10,000
            ranges of it.
        oldest_seq: the oldest that is kept of the stream; null when none is, or when the stream is none of this source's.
        detail: the same in words for a person.
    """

    stream: str
    first_seq: Seq
    last_seq: Seq
    ranges: SeqRanges = ()
    sent: Count
    lost: SeqRanges = ()
    oldest_seq: Seq | None
    detail: str


class ReloadRequest(Command, frozen=True, kw_only=True, tag="reload"):
    """Read the installation's file again, and serve the register map in it from now on.

    Attributes:
        request_id: chosen by the sender, for the reply.
    """

    request_id: Name


class ReloadReply(Command, frozen=True, kw_only=True, tag="reload-reply"):
    """Whether what is in the file is in force now.

    Attributes:
        request_id: the request's; null when it could not be read.
        outcome: taken or refused. Refused has changed nothing: what was in force still is.
        detail: the same in words for a person.
        changes: each address at which registers say something else than before, or in another form, and each unit's map_hash.
        mistakes: every mistake in the file, each with its place.
    """

    request_id: NonEmpty | None
    outcome: NonEmpty
    detail: str
    changes: tuple[str, ...] = ()
    mistakes: tuple[str, ...] = ()
