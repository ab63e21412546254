"""Recorded replies of CAISO's OASIS: given byte for byte to the queries that they answered.

The exact query of a recording is not known to the minute. One that would have been answered with exactly the recorded intervals
under the recorded name is taken for it. See recordings/README.md for the list.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from importlib.resources import files

from simulators.oasis.calendar import PACIFIC
from simulators.oasis.files import Reply, zip_of
from simulators.oasis.queries import read_time

_FOLDER = "recordings"


@dataclass(frozen=True)
class Recording:
    """A recorded reply, and what was asked.

    The recorded rows begin with the interval at `first` and end with the one at `last`. `dates` are the Pacific dates in its
    name. `stamp` is given for a CSV file that was recorded without its zip.
    """

    file: str
    queryname: str
    market: str
    version: str
    nodes: frozenset[str]
    first: datetime
    last: datetime
    interval: timedelta
    dates: tuple[str, str]
    csv: bool = True
    open_end: bool = False
    member: str | None = None
    stamp: datetime | None = None

    def answers(self, parameters: Mapping[str, str]) -> bool:
        """Whether this is the reply to a query."""
        asked = (parameters.get("queryname"), parameters.get("market_run_id"), parameters.get("version"))
        if asked != (self.queryname, self.market, self.version):
            return False
        if frozenset(parameters.get("node", "").split(",")) - {""} != self.nodes or "grp_type" in parameters:
            return False
        return (parameters.get("resultformat") == "6") == self.csv and self._spans(parameters)

    def _spans(self, parameters: Mapping[str, str]) -> bool:
        start, end = (read_time(parameters.get(name, "")) for name in ("startdatetime", "enddatetime"))
        if start is None or end is None or (_pacific(start), _pacific(end)) != self.dates:
            return False
        ends_there = self.last < end and (self.open_end or end <= self.last + self.interval)
        return self.first - self.interval < start <= self.first and ends_there

    @cached_property
    def reply(self) -> Reply:
        """The recorded bytes."""
        content = (files("simulators") / _FOLDER / self.file).read_bytes()
        if self.member is None or self.stamp is None:
            return Reply(self.file.removeprefix("singlezip_"), content)
        return Reply(self.member.replace(".csv", "_csv.zip"), zip_of({self.member: content}, self.stamp))


def _pacific(at: datetime) -> str:
    return f"{at.astimezone(PACIFIC):%Y%m%d}"


def recorded_reply(parameters: Mapping[str, str]) -> Reply | None:
    """The recorded reply to a query, None when there is none."""
    return next((recording.reply for recording in RECORDINGS if recording.answers(parameters)), None)


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


_HOUR, _QUARTER = timedelta(hours=1), timedelta(minutes=15)

RECORDINGS = (
    Recording(
        file="singlezip_20240311_20240312_PRC_LMP_DAM_20240312_22_14_34_v1_csv.zip",
        queryname="PRC_LMP",
        market="DAM",
        version="1",
        nodes=frozenset({"BAYSHOR2_1_N001"}),
        first=_utc("2024-03-12T06:00"),
        last=_utc("2024-03-13T06:00"),
        interval=_HOUR,
        dates=("20240311", "20240312"),
    ),
    Recording(
        file="singlezip_20240312_20240316_PRC_LMP_DAM_20240313_13_40_38_v1_csv.zip",
        queryname="PRC_LMP",
        market="DAM",
        version="1",
        nodes=frozenset({"BAYSHOR2_1_N001"}),
        first=_utc("2024-03-12T21:00"),
        last=_utc("2024-03-15T06:00"),
        interval=_HOUR,
        dates=("20240312", "20240316"),
        open_end=True,
    ),
    Recording(
        file="singlezip_20240412_20240420_PRC_LMP_DAM_20240418_14_20_28_v1_csv.zip",
        queryname="PRC_LMP",
        market="DAM",
        version="1",
        nodes=frozenset({"CATALYST_7_N002", "EMBRCDR_2_N104", "STATIN-L_7_N001"}),
        first=_utc("2024-04-12T22:00"),
        last=_utc("2024-04-20T06:00"),
        interval=_HOUR,
        dates=("20240412", "20240420"),
        open_end=True,
    ),
    Recording(
        file="singlezip_20240312_20240314_PRC_HASP_LMP_HASP_20240313_12_09_29_v1_csv.zip",
        queryname="PRC_HASP_LMP",
        market="HASP",
        version="1",
        nodes=frozenset({"BAYSHOR2_1_N001"}),
        first=_utc("2024-03-12T19:15"),
        last=_utc("2024-03-13T20:45"),
        interval=_QUARTER,
        dates=("20240312", "20240314"),
        open_end=True,
    ),
    Recording(
        file="singlezip_20160519_20160520_ENE_SLRS_DAM_20160519_17_07_07_v1_xml.zip",
        queryname="ENE_SLRS",
        market="DAM",
        version="1",
        nodes=frozenset(),
        first=_utc("2016-05-20T02:00"),
        last=_utc("2016-05-20T06:00"),
        interval=_HOUR,
        dates=("20160519", "20160520"),
        csv=False,
        open_end=True,
    ),
    Recording(
        file="20230917_20230919_PRC_RTPD_LMP_RTPD_20230921_11_49_39_v2.csv",
        queryname="PRC_RTPD_LMP",
        market="RTPD",
        version="2",
        nodes=frozenset({"CAS_PP_GNODE7"}),
        first=_utc("2023-09-18T00:00"),
        last=_utc("2023-09-19T23:45"),
        interval=_QUARTER,
        dates=("20230917", "20230919"),
        member="20230917_20230919_PRC_RTPD_LMP_RTPD_20230921_11_49_39_v2.csv",
        stamp=_utc("2023-09-21T18:49:39"),
    ),
    Recording(
        file="prc_intvl_lmp_rtm_v1_20250901_he02_TH_NP15.csv",
        queryname="PRC_INTVL_LMP",
        market="RTM",
        version="1",
        nodes=frozenset({"TH_NP15_GEN-APND"}),
        first=_utc("2025-09-01T08:00"),
        last=_utc("2025-09-01T08:55"),
        interval=timedelta(minutes=5),
        dates=("20250901", "20250901"),
        member="20250901_20250901_PRC_INTVL_LMP_RTM_20250901_03_00_00_v1.csv",
        stamp=_utc("2025-09-01T10:00"),
    ),
)
"""Every recording. A reply recorded as a bare CSV file is put into a zip; where its own name is not known it is given one."""
