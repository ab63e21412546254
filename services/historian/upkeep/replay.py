"""Gaps and replay on the command line: what of each stream is missing, and asking its source for it by hand.

A running historian asks by itself; by hand one asks for what it believes to have, such as after a table was restored.
"""

import queue
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Annotated, NoReturn

import typer

from dotbus.contracts.codec import UndecodableMessage, decode_as, encode
from dotbus.contracts.messages import ReplayReply, ReplayRequest
from dotbus.contracts.topics import Topics
from dotbus.runtime.logs import configure_logs
from dotbus.runtime.mqtt.by_hand import NotReached, connected
from dotbus.runtime.mqtt.messages import BusError, Delivery, Outgoing
from dotbus.runtime.outbox.sequence import Range
from dotbus.runtime.presence import Identity
from dotbus.runtime.process import EXIT_FAILED
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.settings import BusSettings
from historian.settings import Configuration
from historian.upkeep.asking import Load, Open, asking
from historian.upkeep.streams import Account, count, missing_since, read_accounts, shown
from historian.upkeep.upstream_gaps import read_upstream_gaps
from historian.write.reading.events import MAX_SEQ
from historian.write.sequences.gaps import requests_of

ANSWER_WITHIN_S = 60.0

Seq = Annotated[int | None, typer.Argument(min=1, max=MAX_SEQ)]


class NotAnswered(Exception):
    """The broker or the source did not answer; the message says which, and what to look at."""


def add_replay_commands(app: typer.Typer, load: Load, open_database: Open) -> None:
    """The commands `gaps` and `replay`."""

    @app.command()
    def gaps() -> None:
        """Tell what is missing or lost. Of each stream: how much came, what did not, since when; then what no source had."""
        with asking(load, open_database) as (_, database), database.transaction() as connection:
            accounts = read_accounts(connection)
            since = missing_since(connection, accounts)
            of_upstreams = read_upstream_gaps(connection)
        for account in accounts:
            typer.echo(account_line(account, since.get(account.origin_no)))
        for line in of_upstreams:
            typer.echo(line)
        if not accounts:
            typer.echo("no source has sent anything yet")

    @app.command()
    def replay(
        source: Annotated[str, typer.Argument(help="SERVICE/INSTANCE, as `historian gaps` names it.")],
        first: Seq = None,
        last: Seq = None,
        stream: Annotated[
            str | None, typer.Option(help="Which of its streams; needed with numbers when it has several.")
        ] = None,
        within_s: Annotated[float, typer.Option(min=1, max=3600, help="How long to wait for the answer.")] = ANSWER_WITHIN_S,
    ) -> None:
        """Ask a source to send events again. FIRST to LAST, or else all that is missing of it."""
        with asking(load, open_database) as (configuration, database):
            with database.transaction() as connection:
                accounts = [a for a in read_accounts(connection, source) if stream in (None, a.stream.stream)]
            wanted = _wanted(source, accounts, first, last)
            replies = _ask(configuration, source, wanted, within_s)
        for reply in replies:
            typer.echo(reply_line(reply))


def account_line(account: Account, since: datetime | None) -> str:
    """What is told of one stream."""
    told = f"{account.stream.source}, {account.stream.environment}, stream {account.stream.stream}: {account.received} received"
    missing = f"{account.missing_count} missing"
    if account.missing:
        missing += f" ({shown(account.missing)})" + (f" since {since:%Y-%m-%dT%H:%M:%SZ}" if since else "")
    lost = f"{account.lost} lost" + (f" since {account.lost_since:%Y-%m-%dT%H:%M:%SZ}" if account.lost_since else "")
    return f"{told}, {missing}, {lost}"


def reply_line(reply: ReplayReply) -> str:
    """What a source answered."""
    lost = f"; it has {count(reply.lost)} of them no more ({shown(reply.lost)})" if reply.lost else ""
    return f"stream {reply.stream}: {reply.sent} sent again{lost}" + (f"; {reply.detail}" if reply.detail else "")


def _wanted(
    source: str, accounts: Sequence[Account], first: int | None, last: int | None
) -> list[tuple[Account, tuple[Range, ...]]]:
    """Which ranges to ask for, by stream, or the end of the command."""
    if not accounts:
        _fail(f"nothing is known of {source}, or not of that stream; `historian gaps` tells which there are")
    if first is not None and last is not None and last < first:
        _fail(f"{first} to {last} is no range: LAST is below FIRST")
    if first is not None:
        speaking = [account for account in accounts if account.heard_at] or list(accounts)
        if len(speaking) != 1:
            _fail(f"{source} has several streams; name one with --stream")
        return [(speaking[0], ((first, first if last is None else last),))]
    wanted = [(account, account.missing) for account in accounts if account.missing]
    if not wanted:
        typer.echo(f"nothing is missing of {source}")
        raise typer.Exit
    return wanted


def _ask(
    configuration: Configuration, source: str, wanted: Sequence[tuple[Account, tuple[Range, ...]]], within_s: float
) -> list[ReplayReply]:
    settings, topics = configuration.service, configuration.installation.topics
    configure_logs("historian", settings.instance, "console", "error")
    identity = Identity("historian", settings.instance, configuration.installation.environment, utc_now())
    requests = [
        request_for(identity, account.stream.stream, part, utc_now())
        for account, ranges in wanted
        for part in requests_of(ranges)
    ]
    typer.echo(f"asking {source}, waiting up to {within_s:.0f} s", err=True)
    try:
        return ask_again(configuration.bus, topics, source, requests, within_s)
    except NotAnswered as failure:
        _fail(str(failure))


def request_for(identity: Identity, stream: str, ranges: Sequence[Range], now: datetime) -> ReplayRequest:
    """One request for ranges of a stream."""
    return ReplayRequest(
        environment=identity.environment,
        source=identity.source,
        time=now,
        stream=stream,
        first_seq=ranges[0][0],
        last_seq=ranges[-1][1],
        ranges=tuple(ranges),
    )


def ask_again(
    settings: BusSettings, topics: Topics, source: str, requests: Sequence[ReplayRequest], within_s: float
) -> list[ReplayReply]:
    """Ask a source, and wait for its answer to each request.

    Raises:
        NotAnswered: the broker is not there or refuses, or the source did not answer in time.
    """
    service, _, instance = source.partition("/")
    replies: queue.Queue[ReplayReply] = queue.Queue()

    def take(delivery: Delivery) -> None:
        with suppress(UndecodableMessage):  # the running historian keeps it as a dead letter
            replies.put(decode_as(delivery.payload, ReplayReply))

    try:
        with connected(settings, "historian", {topics.replay_reply(service, instance): take}, utc_now) as bus:
            bus.publish([Outgoing(topics.replay(service, instance), encode(request)) for request in requests])
            return _collect(replies, requests, source, time.monotonic() + within_s)
    except (NotReached, BusError) as failure:
        raise NotAnswered(str(failure)) from failure


def _collect(
    replies: "queue.Queue[ReplayReply]", requests: Sequence[ReplayRequest], source: str, deadline: float
) -> list[ReplayReply]:
    waiting = {(request.stream, request.first_seq, request.last_seq) for request in requests}
    answers = []
    while waiting:
        try:
            reply = replies.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty as silent:
            raise NotAnswered(f"{source} did not answer in time: does it run, and is this its name?") from silent
        key = (reply.stream, reply.first_seq, reply.last_seq)
        if key in waiting:
            waiting.remove(key)
            answers.append(reply)
    return answers


def _fail(reason: str) -> NoReturn:
    typer.echo(reason, err=True)
    raise typer.Exit(EXIT_FAILED)
