"""OASIS's lists of nodes: ATL_PNODE and ATL_APNODE (interface specification 4.3.5, section 4).

Their columns are those of replies that others have published; no reply was recorded here.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from simulators.oasis.calendar import PACIFIC
from simulators.oasis.content import is_aggregate
from simulators.oasis.errors import ErrorCode, QueryRefused
from simulators.oasis.files import Reply, zip_of
from simulators.oasis.queries import read_time

LISTS = ("ATL_PNODE", "ATL_APNODE")
_KEPT = timedelta(days=3650)


def list_reply(parameters: Mapping[str, str], nodes: Sequence[str], now: datetime) -> Reply:
    """The list that a request asks for.

    Raises:
        QueryRefused: with the error that OASIS answers with.
    """
    start, name = read_time(parameters.get("startdatetime", "")), parameters["queryname"]
    if start is None or read_time(parameters.get("enddatetime", "")) is None:
        raise QueryRefused(ErrorCode.INVALID_DATETIME)
    if parameters.get("version") != "1":
        raise QueryRefused(ErrorCode.VERSION_INVALID)
    if parameters.get("resultformat") != "6":
        raise QueryRefused(ErrorCode.INVALID_PARAMETERS)
    prefix, lists_aggregates = name.removeprefix("ATL_"), name == "ATL_APNODE"
    header = f"{prefix}_ID,{prefix}_TYPE,DESCRIPTION,COMMENTS,EFF_START_DT_GMT,EFF_END_DT_GMT\n"
    since, until = (at.strftime("%Y-%m-%dT%H:%M:%S-00:00") for at in (start - _KEPT, start + _KEPT))
    rows = [f"{node},{_type_of(node)},,,{since},{until}\n" for node in nodes if is_aggregate(node) is lists_aggregates]
    stamped = f"{start.astimezone(PACIFIC):%Y%m%d}_{name}_N_N_v1"
    return Reply(f"{stamped}_csv.zip", zip_of({f"{stamped}.csv": "".join([header, *rows]).encode()}, now))


def _type_of(node: str) -> str:
    for beginning, kind in (("TH_", "TH"), ("DLAP_", "DPZ"), ("ELAP_", "DEPZ")):
        if node.startswith(beginning):
            return kind
    return "AG" if is_aggregate(node) else "PR"
