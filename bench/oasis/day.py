"""Writes the reply of OASIS for the whole network, in the shape that was measured on real ones.

Day-ahead (PRC_LMP version 12) is a day of 24 hours, five-minute (PRC_INTVL_LMP version 3) an hour of twelve intervals. Each
has a member for each component, and rows by node, not by time. Prices have five decimals and add up: LMP = MCE+MCC+MCL+MGHG.
"""

import random
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

NODES = 16_600
BEGIN = datetime(2026, 7, 1, 7)  # noqa: DTZ001  # midnight of 1 July in California, as UTC
ITEMS = {"LMP": "LMP_PRC", "MCC": "LMP_CONG_PRC", "MCE": "LMP_ENE_PRC", "MCL": "LMP_LOSS_PRC", "MGHG": "LMP_GHG_PRC"}
_PRICED = 100_000
_SELLING_GHG = 7
Units = list[dict[str, int]]
"""By interval the components of a node, in hundred-thousandths of a dollar."""


@dataclass(frozen=True)
class Shape:
    """A report as it is laid out.

    Attributes:
        file_name: of a member, but for its component.
        header: its first line.
        row: its other lines.
        interval: of each price, and `count` how many there are of a node.
    """

    file_name: str
    header: str
    row: str
    interval: timedelta
    count: int


_TIMES = "INTERVALSTARTTIME_GMT,INTERVALENDTIME_GMT,OPR_DT,OPR_HR,"
_NAMES = "NODE_ID_XML,NODE_ID,NODE,MARKET_RUN_ID,LMP_TYPE,XML_DATA_ITEM,PNODE_RESMRID,GRP_TYPE,POS,"
SHAPES: Mapping[str, Shape] = {
    "DAM": Shape(
        "20260701_20260701_PRC_LMP_DAM_{}_v12.csv",
        f"{_TIMES}OPR_INTERVAL,{_NAMES}MW,GROUP\n",
        "{span},2026-07-01,{number},0,{node},{node},{node},DAM,{kind},{item},{node},ALL,1,{price},{group}\n",
        timedelta(hours=1),
        24,
    ),
    "RTM": Shape(
        "20260701_20260701_PRC_INTVL_LMP_RTM_{}_v3.csv",
        f"{_TIMES}{_NAMES}VALUE,OPR_INTERVAL,GROUP\n",
        "{span},2026-07-01,01,{node},{node},{node},RTM,{kind},{item},{node},ALL,1,{price},{number},{group}\n",
        timedelta(minutes=5),
        12,
    ),
}
"""By market; columns as in FACTS of real replies."""


def write_reply(market: str, path: Path, nodes: int = NODES) -> None:
    """Write the zip of a whole network's reply."""
    shape, chance = SHAPES[market], random.Random(1)
    energy = [chance.randrange(-500_000, 9_000_000) for _ in range(shape.count)]
    order = chance.sample(range(shape.count), shape.count)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for kind in ITEMS:
            with archive.open(shape.file_name.format(kind), "w") as member:
                _write_member(member, shape, kind, energy, order, nodes)


def _write_member(member: IO[bytes], shape: Shape, kind: str, energy: list[int], order: list[int], nodes: int) -> None:
    member.write(shape.header.encode())
    for number in range(nodes):
        node, units = f"NODE{number // 100:03d}_{number % 9 + 1}_N{number:05d}", _units(number, energy)
        said = {"kind": kind, "item": ITEMS[kind], "node": node, "group": number + 1}
        rows = (shape.row.format(span=_span(shape, i), number=i + 1, price=_price(units[i][kind]), **said) for i in order)
        member.write("".join(rows).encode())


def _units(number: int, energy: list[int]) -> Units:
    chance, sells = random.Random(1_000_003 + number), number % _SELLING_GHG == 0
    found = []
    for mce in energy:
        parts = {"MCE": mce, "MCC": chance.randrange(-300_000, 300_000), "MCL": chance.randrange(-200_000, 100_000)}
        parts["MGHG"] = chance.randrange(50_000) if sells else 0
        found.append({**parts, "LMP": sum(parts.values())})
    return found


def _span(shape: Shape, at: int) -> str:
    start = BEGIN + at * shape.interval
    return f"{start:%Y-%m-%dT%H:%M:%S}-00:00,{start + shape.interval:%Y-%m-%dT%H:%M:%S}-00:00"


def _price(units: int) -> str:
    return f"{units / _PRICED:.5f}".rstrip("0").rstrip(".")
