"""Documents made from the code: JSON Schemas, the AsyncAPI document, the topic table. `make docs` writes them.

They are committed, so that a change of the contract shows as a change of a file that people and machines read; a test fails
when code and files differ.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec

from dotbus.contracts.channels import CHANNELS
from dotbus.contracts.codec import encode
from dotbus.contracts.quality import BIT_OF, LEVEL_OF
from dotbus.contracts.topics import DEFAULT_ROOT
from dotbus.runtime.installation.file import load_installation
from dotbus.testing import samples
from historian.api.app import openapi_json
from historian.tables.document import render_database
from launcher.documents.asyncapi import asyncapi_yaml
from launcher.documents.dashboard import render_dashboard
from launcher.documents.fault_table import load_record, render_faults
from launcher.documents.field_table import field_table
from launcher.documents.json_schemas import kind_of, schema_json, summary
from launcher.documents.metrics_table import render_metrics
from launcher.documents.node_red_flow import render_flow
from launcher.documents.shown_files import with_shown_files
from launcher.look.health import StatusReport
from launcher.setup.online.answers import CheckReport
from modbus_gateway.map.documents.register_table import render_markdown

ROOT = Path(__file__).parents[2]
EXAMPLE = "config/dotbus.example.toml"


def documents() -> dict[str, str]:
    """Every generated file, by its path in the repository."""
    makers: dict[str, Callable[[], str]] = {
        "schemas/asyncapi.yaml": asyncapi_yaml,
        "schemas/openapi.json": openapi_json,
        "schemas/check-report.schema.json": lambda: schema_json(CheckReport),
        "schemas/status-report.schema.json": lambda: schema_json(StatusReport),
        "docs/topics.md": topics_markdown,
        "docs/clients.md": lambda: with_shown_files(ROOT / "docs" / "clients.md"),
        "docs/data.md": render_database,
        "docs/metrics.md": render_metrics,
        "deploy/grafana/dashboards/dotbus.json": render_dashboard,
        "docs/examples/node-red/flows.json": render_flow,
        "docs/registers.md": lambda: render_markdown(load_installation(ROOT / EXAMPLE), render_faults(load_record())),
    }
    files = {path: make() for path, make in makers.items()}
    return files | {f"schemas/{kind_of(channel)}.schema.json": schema_json(channel.message) for channel in CHANNELS}


def write_documents(root: Path) -> list[str]:
    """Write every generated file below `root`. Returns the paths of those that changed."""
    changed = []
    for path, content in documents().items():
        file = root / path
        if not file.exists() or file.read_text(encoding="utf-8") != content:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
            changed.append(path)
    return changed


def topics_markdown() -> str:
    """docs/topics.md."""
    return "\n".join([_HEAD, *_topic_table(), _AFTER_TABLE, *_quality_table(), _SAMPLES_HEAD, *_samples()]) + "\n"


def _topic_table() -> list[str]:
    rows = ["| topic | kind | retained | message | said by | says |", "| --- | --- | --- | --- | --- | --- |"]
    for channel in CHANNELS:
        cells = (
            f"`{channel.address}`",
            channel.kind,
            "yes" if channel.retained else "no",
            f"[{channel.message.__name__}](../schemas/{kind_of(channel)}.schema.json)",
            ", ".join(channel.said_by) or "nobody yet",
            channel.says,
        )
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _quality_table() -> list[str]:
    rows = ["| reason | bit | level |", "| --- | --- | --- |"]
    rows += [f"| {reason} | {bit} | {LEVEL_OF[reason].name.lower()} ({LEVEL_OF[reason]}) |" for reason, bit in BIT_OF.items()]
    return rows


def _samples() -> list[str]:
    return [
        f"### {kind_of(channel)}\n\n{summary(channel.message)}\n\n{field_table(channel.message)}\n\n"
        f"```json\n{_pretty(message)}\n```\n"
        for channel in CHANNELS
        for message in samples.every_message()
        if isinstance(message, channel.message)
    ]


def _pretty(message: msgspec.Struct) -> str:
    return msgspec.json.format(encode(message), indent=2).decode()  # type: ignore[arg-type]  # every sample is a message


_HEAD = f"""# Topics

Generated from the code by `make docs`; [asyncapi.yaml](../schemas/asyncapi.yaml) says the same to machines.

Every topic begins with the configured root, `{DEFAULT_ROOT}` unless `topic_root` says otherwise. Messages are JSON at QoS 1.
**Events** are facts: numbered, never retained, kept by the historian. **State** is the last word on one thing: retained.
**Commands** ask a service for something and are answered on their reply topic. A plant's access is one line:
`{DEFAULT_ROOT}/plant/PLANT/#`. A resource that no plant claims is published under plant `unassigned`.

How a program of yours connects, what it has to judge before it believes a number, and such programs in Python, Node.js and
Node-RED that tests run: [clients.md](clients.md).
"""
_AFTER_TABLE = """
- Every message says its `kind` (as the headings below), `version` (1), `environment` (production, stage or simulator),
  `source` (SERVICE/INSTANCE) and `time`.
- Events also say their stable `id`, and `seq`: without gaps within `stream`, so that who subscribes to all of a source can tell
  that it missed one, and ask for it on the source's `replay` topic. The same event may come more than once, and later than
  those after it; its `id` does not change.
- Quantities end in their unit, times are UTC with Z, absent is null, never 0. Readers ignore fields that they do not know.
  An unknown `version` is refused.
- Names are percent-encoded where MQTT forbids a character (`/`, `+`, `#`, `%`, control characters and what is no character,
  such as U+FFFE).

## Is something missing?

Numbers are counted within a `stream`, one outbox of a source. Of each `source` and `stream` remember which numbers came:

| who subscribes to | counts by | in |
| --- | --- | --- |
| all events of a source | `seq` | every event |
| one plant, `plant/PLANT/#` | `plant_seq` | `dispatch` and `trajectory-batch`, counted together |
| the answers of one plant, `plant/PLANT/+/response` | `response_seq` | `response` |
| what is written to one plant, `plant/PLANT/+/write` | `write_seq` | `write` |
| the alarms of one plant, `alarm/PLANT/#` | `alarm_seq` | `alarm` |
| one market, `market/MARKET/prices` | `market_seq` | `prices` |

- Each counts from 1 without gaps. When a number came and one below it did not, that event is missing: it is on its way, or the
  broker lost it. Who began to listen later misses what lies before the first number that came.
- A number that came before is the same event again. `null` is from a source of before these fields, or an event
  that it kept from then: it says nothing about gaps.
- Another `stream` of the same source counts from 1 again. It begins when an outbox is made anew, or was restored from a back-up
  and so is older than what was published; events that had not been published come in it under new numbers and their old `id`.
  Where a historian has other events under numbers of a stream (`numbers_taken`), all that its source kept comes again so.
- What is missing from the end shows with the next event, or in the source's `service` state: `outbox.last_seq` less
  `outbox.unpublished` of `outbox.stream` is published. The `stream` topic says how far a stream goes at the most.
- What CAISO had and no source could have is in no number, because no event of it was made: a `gap` event of the source says
  from when until when. `complaints` in its `service` state say the same for a while.
- Who may ask for a replay (by the access list the historian) names up to 10,000 ranges of `seq`; the reply says what is `lost`.
  A plant's own subscriber has the states, which are whole at any time, and the historian's tables for what it missed.

## Answering an instruction

A plant's user, or the console for whoever has signed in there and may (no other, by the access list), publishes a `respond`
message to `plant/PLANT/RESOURCE/command/accept`, `.../decline` or `.../partial`, not retained. The reply comes on the request's
MQTT 5 response topic, with its correlation data, and on `.../command/ACTION/reply` when it names none.
A response topic is used only if it is that topic or one level below it
(`.../command/accept/reply/screen-1`): the plant's user may read those, and nobody can have a reply written anywhere else.

```
topic=dotbus/v1/plant/sierra/R1/command/accept
mosquitto_rr -h localhost -p 8883 --cafile ca.pem -u plant-sierra -P "$(cat sierra.password)" \\
  -V 5 -q 1 -t $topic -e $topic/reply/screen-1 -m '{"kind": "respond", "version": 1, "environment": "production",
    "source": "shell/1", "time": "'$(date -u +%FT%TZ)'", "batch_uid": "DISP-...", "instruction_uid": "DISP-...-I0",
    "action": "accept", "requested_by": "M. Ortiz"}'
```

- What can be answered, and until when, is in the `instructions` state. Before anything is sent to CAISO it is checked that the
  topic, the plant and the `environment` are right, that the command has not expired, that the instruction is known and its
  window open, that megawatts and reason are such as CAISO takes, and that the same was not answered before. The reply says by
  `refused_by` which of it does not hold.
- `outcome` is `taken` when CAISO accepts the answer, and `refused` when it does not, or was not asked. It is `unknown` when
  CAISO was asked and did not answer: it may have the answer, which is not sent again by itself. The `instructions` state will
  tell.
- What speaks against sending it now and not against the answer (`refused_by` account, busy, outbox, broker, unreachable) may be
  asked for again with another `command_id`.
- The same `command_id` again is answered with what became of the first: after a lost reply it is safe to send a command again.
  Another content under it is refused (`message`): a `command_id` means one command.
- Of several instances of ads_ingest one asks CAISO: an MQTT 5 shared subscription divides the commands, and where one reaches
  two of them the first `sending` event in the broker's order counts. The other's event says `elsewhere`, which no reply does.
- A retained command is refused (`message`): it would come again at each start. So is one that is dated more than a minute
  ahead of the service's clock (`time`).
- A decline names no megawatts: CAISO returns the instruction to its schedule.
- No rule answers what somebody answers (`answered`).
- Who answered is in `requested_by`, as the requester says, and whom a gateway asks for in `asked_by` and `asked_from`. MQTT
  tells a subscriber nothing of the user who published.
- Every command and its result is a `response` event, which the historian keeps in `instruction_response`;
  but for one that could not be read, was retained, or stands under the `command_id` of another: its reply and the log alone
  tell of it.

## Reading the register map again

Who may publish as a gateway's own user sends a `reload` message to `service/modbus_gateway/INSTANCE/reload`, not retained, and
hears on `.../reload/reply`, with its `request_id`, what came of it: `taken`, with each address at which registers say something
else and each unit's map_hash, or `refused`, with every mistake; then nothing has changed. `dotbus reload` does so. Of several
requests that come while one is worked on each is answered, and the file is read once more for all of them.

## Alarms

Each alarm is a state on `alarm/PLANT/ABOUT/RULE`: `ABOUT` is a resource, or SERVICE/INSTANCE (`ads_ingest%2Fmain`) where
`PLANT` is `installation`. What happens to it is an `alarm` event. A plant's user hears its own and those of the installation,
and says `acknowledge`, `shelve` and `unshelve` to its own, on `alarm/PLANT/ABOUT/RULE/command/ACTION`, not retained; the
console and who looks by hand say them to all. The reply comes as to an answer to an instruction: on the request's response
topic, if it is `.../command/ACTION/reply` or one level below it, else on that. `alarm/PLANT/summary` says what one operator has
before him: the plant's alarms and the installation's.

## What a plant says

A plant's user (and no other, by the access list) says what its resources measure on `plant/PLANT/RESOURCE/telemetry/POINT`,
retained, and what was written to them, taken or refused, on `plant/PLANT/RESOURCE/write`. When a point is said, how a reader
judges it, and how a gateway answers instructions for SCADA is in [telemetry.md](telemetry.md).

## Quality

A value that dotbus serves has an OPC quality, good (192), uncertain (64) or bad (0), and every reason for it. How a subscriber
judges a state by itself, with test vectors, is in [quality.md](quality.md).
"""
_SAMPLES_HEAD = """
## Fields and samples

Times are UTC. What a field consists of in turn is in the message's JSON Schema, with the same words.
"""


if __name__ == "__main__":
    for changed_path in write_documents(ROOT):
        print(f"wrote {changed_path}")  # noqa: T201  # a build step says what it did
