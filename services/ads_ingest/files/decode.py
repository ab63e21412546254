"""`ads-ingest decode`: saved documents of ADS as the messages that they become on the bus, one a line.

For whoever wants to see what dotbus makes of a document: one from the archive or the quarantine, or of another client. Nothing
is asked of CAISO and nothing is published.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from ads_ingest.translate import Sender, translate_dispatch, translate_trajectory
from caiso.ads import NotADocument, parse_saved
from dotbus.contracts.codec import encode
from dotbus.contracts.messages import Dispatch, Environment, TrajectoryBatch
from dotbus.runtime.installation.file import load_installation
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.process import EXIT_FAILED, load_or_exit
from dotbus.runtime.settings.values import MB

STREAM: Final = "decode"
SOURCE: Final = "ads_ingest/decode"
MAX_BYTES: Final = 64 * MB
"""Of a file, and of what it unpacks to: as much as `ads_ingest` takes from CAISO unless it is told otherwise."""

Files = Annotated[list[Path], typer.Argument(help="Saved documents: XML, gzip, Base64 of either or a SOAP reply; - is input.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        envvar="ADS_INGEST_CONFIG",
        help="dotbus.toml, for plants and topics. Without: every resource is unassigned.",
        readable=False,
    ),
]


def add_decode_command(app: typer.Typer, clock: Callable[[], datetime]) -> None:
    """The command."""

    @app.command()
    def decode(files: Files, config: ConfigFile = None) -> None:
        """Print what saved ADS documents say, as messages. JSON, one a line: {"topic": ..., "payload": {...}}."""
        installation = load_or_exit(lambda: load_installation(config)) if config else _nowhere()
        decoder = Decoder(installation, clock())
        failed = [file for file in files if not _decoded(decoder, file)]
        if failed:
            raise typer.Exit(EXIT_FAILED)


class Decoder:
    """Documents to lines.

    Args:
        installation: whose plants and topics.
        now: the time that messages are made at.
    """

    def __init__(self, installation: Installation, now: datetime) -> None:
        self._sender = Sender(installation, SOURCE)
        self._now = now
        self._seq = 0

    def lines(self, content: bytes) -> tuple[list[str], list[str]]:
        """Messages as JSON, and what of the document none is made of.

        Raises:
            NotADocument: there is nothing of ADS in it.
        """
        saved = parse_saved(content, MAX_BYTES)
        events: list[Dispatch | TrajectoryBatch] = []
        notes = [*(problem for batch in saved.dispatches for problem in batch.problems), *saved.trajectories.problems]
        for batch in saved.dispatches:
            events += translate_dispatch(batch, self._sender, self._now)
            if not batch.instructions:
                notes.append(f"batch {batch.header.batch_uid} has no instruction, so that no resource is told of it")
        for record in saved.trajectories.batches:
            events += translate_trajectory(record, self._sender, self._now)
        return list(self._written(events)), notes

    def _written(self, events: Sequence[Dispatch | TrajectoryBatch]) -> Iterator[str]:
        topics = self._sender.installation.topics
        for event in events:
            self._seq += 1
            topic = topics.dispatch if isinstance(event, Dispatch) else topics.trajectory_batch
            payload = encode(msgspec.structs.replace(event, stream=STREAM, seq=self._seq)).decode()
            yield f'{{"topic": {json.dumps(topic(event.plant, event.resource_id))}, "payload": {payload}}}'


def _decoded(decoder: Decoder, file: Path) -> bool:
    try:
        content = _beginning(file)
    except OSError as error:
        typer.echo(f"{file}: cannot be read: {error.strerror}", err=True)
        return False
    if len(content) > MAX_BYTES:
        typer.echo(f"{file}: is larger than {MAX_BYTES / MB:g} MB, which no document of ADS is", err=True)
        return False
    try:
        lines, notes = decoder.lines(content)
    except NotADocument as error:
        typer.echo(f"{file}: {error}", err=True)
        return False
    for line in lines:
        typer.echo(line)
    for note in notes:
        typer.echo(f"{file}: {note}", err=True)
    return True


def _beginning(file: Path) -> bytes:
    """As much as may be, and a byte more."""
    if str(file) == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    with file.open("rb") as opened:
        return opened.read(MAX_BYTES + 1)


def _nowhere() -> Installation:
    """An installation without a plant of anybody's."""
    plant = {"name": "none", "resource": [{"id": "none"}]}
    return Installation.model_validate({"environment": Environment.SIMULATOR, "plant": [plant]})
