"""Reads a reply as gridstatus does, from the bytes to its table of prices, and tells what that took. Needs gridstatus alone.

    python bench/oasis/gridstatus_read.py DAM|RTPD|RTM FILE TIMES

Its own functions ask and read; what they ask over the network is answered here, by the same bytes at once.
"""

import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
from gridstatus import CAISO
from gridstatus.caiso import caiso
from told import tell

BEGIN = pd.Timestamp("2026-07-01", tz="US/Pacific")


def main(market: str, content: bytes, times: int) -> None:
    """Measure and tell."""
    reply = SimpleNamespace(status_code=200, content=content, headers={"Content-Disposition": "inline; filename=r_csv.zip;"})
    caiso.requests = SimpleNamespace(get=lambda *_args, **_named: reply)
    iso = CAISO()
    of_hour = {"date": BEGIN, "end": BEGIN + pd.Timedelta(hours=1)}

    def read() -> tuple[int, float]:
        if market == "DAM":
            frame = iso.get_lmp_day_ahead_hourly("2026-07-01", sleep=0)
        elif market == "RTPD":
            frame = iso.get_lmp_real_time_15_min(**of_hour, sleep=0)
        else:
            frame = iso.get_lmp_real_time_5_min(**of_hour, sleep=0)
        return len(frame), frame["LMP"].sum()

    tell(read, times)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]).read_bytes(), int(sys.argv[3]))
