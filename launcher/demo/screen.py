"""What the demonstration tells: what runs where, what to try, and each DOT as it comes to a register."""

import os
import shutil
import sys
import threading
import time
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.text import Text

from dotbus.contracts.quality import BIT_OF
from dotbus.contracts.schedules import Schedule
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.installation.modbus import Block
from dotbus.runtime.schedule import utc_now
from launcher.demo.demo import CONSOLE_PASSWORD, Demo
from launcher.look.registers import GatewaySilent, Registers, Shown
from launcher.look.rows import DatabaseSilent, Rows
from launcher.setup.broker_users import CONSOLE
from modbus_gateway.map.register_map import RegisterMap

PAUSE_S = 0.5
SOON_S = 30.0
"""Two intervals of the demonstration; who starts none of the usual resources is not kept waiting for longer."""


def await_first_dot(demo: Demo, installation: Installation, stop: threading.Event, within_s: float = SOON_S) -> None:
    """Wait until the database has a DOT of the first resource, so that what is told to try shows something; not for ever.

    Raises:
        ChildFailed: a part ended.
    """
    resource = next(resource for plant in installation.plants for resource in plant.resources)
    ends_s = time.monotonic() + within_s
    with closing(Rows(demo.database.reader_url)) as rows:
        while time.monotonic() < ends_s and not stop.wait(PAUSE_S):
            demo.children.check()
            with suppress(DatabaseSilent):  # the historian makes the tables at this moment
                if rows.dot_points(resource.id, Schedule.FIVE_MINUTE):
                    return


def introduce(demo: Demo, installation: Installation, console: Console) -> None:
    """Say what runs where."""
    ports = demo.ports
    console.rule("dotbus demonstration", align="left")
    for line in (
        f"Open         http://127.0.0.1:{ports.console}/ in a browser: every plant, live",
        "",
        f"CAISO ADS    https://127.0.0.1:{ports.ads}/ADS/APIWebService/v7 (simulated, client certificate)",
        f"CAISO OASIS  http://127.0.0.1:{ports.oasis}/oasisapi (simulated)",
        f"MQTT 3.1.1   127.0.0.1:{ports.broker}, user {CONSOLE}, password {CONSOLE_PASSWORD}, {installation.topic_root}/#",
        f"Modbus TCP   127.0.0.1:{ports.modbus}, {_units(installation)}",
        f"PostgreSQL   {demo.database.reader_url}, user reader, no password",
        f"HTTP API     http://127.0.0.1:{ports.api}/v1/openapi.json, no key",
        f"Charts       http://127.0.0.1:{ports.api}/charts/lmp and .../charts/plant/{installation.plants[0].name}",
        f"Files, logs  {demo.folder}",
        "",
    ):
        console.print(Text(line), soft_wrap=True)


def suggest(demo: Demo, installation: Installation, console: Console) -> None:
    """Say what to try."""
    commands = _commands(demo, installation, _short(Path(sys.executable).parent))
    for line in ("Try in another terminal:", *(f"  {command}" for command in commands), ""):
        console.print(Text(line), soft_wrap=True)


def _units(installation: Installation) -> str:
    blocks, points = installation.modbus.blocks, installation.modbus.points
    units = [f"unit {block.unit_id} {block.profile} ({_plants(block, installation)})" for block in blocks]
    return ", ".join([*units, *(f"unit {unit_id} points" for unit_id in dict.fromkeys(point.unit_id for point in points))])


def _plants(block: Block, installation: Installation) -> str:
    named = block.plants or tuple(dict.fromkeys(installation.plant_of(name) for name in block.resources or () if name))
    return "all plants" if len(named) in (0, len(installation.plants)) else ", ".join(named)


def _short(path: Path) -> str:
    """As seen from here, when that is shorter to type."""
    return min(str(path), os.path.relpath(path), key=len)


def _commands(demo: Demo, installation: Installation, scripts: str) -> list[str]:
    broker, topic = demo.ports.broker, f"{installation.topic_root}/plant/+/+/dot"
    subscribe = (
        f"mosquitto_sub -p {broker} -u {CONSOLE} -P {CONSOLE_PASSWORD} -v -t '{topic}'"
        if shutil.which("mosquitto_sub")
        else f"{scripts}/amqtt_sub --url mqtt://{CONSOLE}:{CONSOLE_PASSWORD}@127.0.0.1:{broker} -t '{topic}'"
    )
    psql = "psql" if shutil.which("psql") else _short(Path(demo.database.psql))
    resource_id = next(resource.id for plant in installation.plants for resource in plant.resources)
    query = (
        f"SELECT target_at, schedule, dot_mw FROM dotbus.dot_latest WHERE resource_id = '{resource_id}' "  # noqa: S608  # is shown, not run
        "AND schedule = 'five-minute' ORDER BY interval_start DESC LIMIT 9"
    )
    month_ago = f"{utc_now() - timedelta(days=30):%Y-%m-%d}"
    dotbus = f"env $(cat {demo.variables_of('dotbus')}) {scripts}/dotbus"
    as_lmp_ingest = f"env $(cat {demo.variables_of('lmp_ingest')}) {scripts}/lmp-ingest"
    return [
        subscribe,
        f"curl 'http://127.0.0.1:{demo.ports.api}/v1/dot/latest'",
        *(f"{dotbus} {command}" for command in ("status --once", "alarms", "registers")),
        f'{psql} "{demo.database.reader_url}" -c "{query}"',
        f"{as_lmp_ingest} backfill --market DAM --from {month_ago} --node NP15",
    ]


def tell_dots(demo: Demo, register_map: RegisterMap, console: Console, stop: threading.Event) -> None:
    """A line for each DOT as it comes to a register, until told to stop.

    Raises:
        ChildFailed: a part ended.
    """
    shows_dots = any(cell.quantity.name == "dot_start" for span in register_map.spans for cell in span.cells)
    what = "Each DOT as it arrives at a register." if shows_dots else "This map shows no dot_start, so no DOT is told here."
    console.print(Text(f"{what} Ctrl-C ends everything."), soft_wrap=True)
    registers, told = Registers("127.0.0.1", demo.ports.modbus, register_map), dict[str, float]()
    while not stop.wait(PAUSE_S):
        demo.children.check()
        try:
            shown = {(entry.resource_id, entry.quantity): entry for entry in registers.read()}
        except GatewaySilent:
            continue
        for member in register_map.members:
            of_resource = {name: entry for (its, name), entry in shown.items() if its == member.resource.id}
            start = of_resource.get("dot_start")
            if start and start.value is not None and told.get(member.resource.id) != start.value:
                told[member.resource.id] = start.value
                console.print(_dot_line(of_resource), soft_wrap=True)
    registers.close()


def _dot_line(shown: dict[str, Shown]) -> Text:
    """What a map shows of the DOT in force; not every map shows all of it."""
    start, end, dot, quality = (shown.get(name) for name in ("dot_start", "dot_end", "dot_mw", "dot_quality"))
    words = [f"{entry.at:%H:%M:%S}" for entry in (start, end) if entry and entry.at]
    line = f"{' to '.join(words)} UTC  {start.resource_id if start else '':<18}"
    if dot:
        number = "no value" if dot.value is None else f"{dot.value:.2f} MW"
        line += f" {number:>10}  unit {dot.unit_id} register {40001 + dot.cell.address}"
    if quality and quality.value is not None:
        line += f"  quality {quality.value:.0f}"
    return Text(line + _why(shown.get("dot_reasons")))


def _why(reasons: Shown | None) -> str:
    names = [reason for reason, bit in BIT_OF.items() if reasons and reasons.value and int(reasons.value) >> bit & 1]
    return f" ({', '.join(names)})" if names else ""
