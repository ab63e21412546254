"""The client: one question of any length in as many requests as CAISO allows, at its rate; no failure passes for "no data"."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from oasis_recordings import recorded, zipped

from caiso.oasis import (
    PACIFIC,
    REPORTS,
    ErrorReply,
    Group,
    HttpRefused,
    LocationType,
    Malformed,
    Market,
    OasisClient,
    Question,
    RateLimit,
    Reply,
    due,
    interval_starts,
    midnight,
    missing,
    newest_of,
    split,
    trade_day,
    unpriced,
)
from caiso.oasis.asking.connection import Request

NOW = datetime(2025, 9, 2, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
HEADER = "INTERVALSTARTTIME_GMT,INTERVALENDTIME_GMT,NODE,MARKET_RUN_ID,LMP_TYPE,VALUE\n"
NO_DATA = zipped(a__xml=recorded("error_1000_no_data.xml"))
IN_PROCESSING = zipped(a__xml=recorded("error_1015_groupzip_processing.xml"))


@dataclass
class Oasis:
    """Answers with a price for each node and hour that is asked for; or as told, once for each thing that it is told."""

    instead: list[tuple[int, bytes]] = field(default_factory=list)
    asked: list[Mapping[str, str]] = field(default_factory=list)
    servlets: list[str] = field(default_factory=list)
    pages: dict[str, str] = field(default_factory=dict)

    def fetch(self, request: Request) -> Reply:
        self.asked.append(request.parameters())
        self.servlets.append(request.servlet)
        status, content = self.instead.pop(0) if self.instead else (200, self.content(request))
        return Reply(status, content, NOW, NOW)

    def content(self, request: Request) -> bytes:
        if not isinstance(request, Question):
            return zipped(a__csv=self.pages[request.parameters()["queryname"]].encode())
        names = ("GROUP_1",) if isinstance(request.nodes, Group) else request.nodes
        hours = [request.start + number * HOUR for number in range(max(1, int((request.end - request.start) / HOUR)))]
        rows = "".join(f"{at.isoformat()},{(at + HOUR).isoformat()},{name},DAM,LMP,7\n" for at in hours for name in names)
        return zipped(a__csv=(HEADER + rows).encode())

    def close(self) -> None:
        pass


@dataclass
class Clock:
    now_s: float = 1000.0
    waited_s: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.waited_s.append(seconds)
        self.now_s += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def client(oasis: Oasis, clock: Clock, **more: Any) -> OasisClient:
    limit = RateLimit(5.0, monotonic_s=lambda: clock.now_s, sleep=clock.sleep)
    return OasisClient(oasis, limit, clock=lambda: NOW, **more)


def test_many_nodes_and_days_are_asked_ten_at_a_time_for_thirty_pacific_days_and_come_as_one(clock: Clock) -> None:
    oasis, names = Oasis(), [f"N{number:02}" for number in range(12)]
    start, end = datetime(2025, 3, 1, 8, tzinfo=UTC), datetime(2025, 4, 15, 7, tzinfo=UTC)
    prices = client(oasis, clock).prices(names, Market.DAM, start, end)
    assert [(each["startdatetime"], each["enddatetime"], each["node"].count(",") + 1) for each in oasis.asked] == [
        ("20250301T08:00-0000", "20250331T07:00-0000", 10),
        ("20250301T08:00-0000", "20250331T07:00-0000", 2),
        ("20250331T07:00-0000", "20250415T07:00-0000", 10),
        ("20250331T07:00-0000", "20250415T07:00-0000", 2),
    ]
    assert prices is not None
    assert len(prices) == 12 * (end - start) / HOUR
    starts = prices.table["interval_start"].to_pylist()
    assert starts == sorted(starts)


def test_the_whole_network_is_asked_by_trade_day_and_by_hour(clock: Clock) -> None:
    start = datetime(2025, 11, 1, 7, tzinfo=UTC)
    days = list(split(Question(Market.DAM, Group.ALL, start, start + timedelta(days=2))))
    assert [(trade_day(each.start).day, (each.end - each.start) / HOUR) for each in days] == [(1, 24), (2, 25)]
    autumn = midnight(date(2025, 11, 2))
    of_25_hours, _next = split(Question(Market.DAM, Group.ALL, autumn, autumn + 49 * HOUR))
    assert (of_25_hours.end - of_25_hours.start) / HOUR == 25
    hours = list(split(Question(Market.RTM, Group.ALL, start + HOUR / 2, start + 2 * HOUR)))
    assert [(each.start, each.end) for each in hours] == [(start, start + HOUR), (start + HOUR, start + 2 * HOUR)]
    assert "node" not in hours[0].parameters()
    assert hours[0].parameters()["grp_type"] == "ALL"


@pytest.mark.parametrize("market", list(Market))
@pytest.mark.parametrize("minutes", [0, 1, 55, 61, 1439])
def test_of_a_group_whole_days_and_hours_are_asked_for_since_caiso_answers_no_less(market: Market, minutes: int) -> None:
    start = datetime(2025, 11, 2, 5, 17, tzinfo=UTC)  # of the day before the long one
    asked = list(split(Question(market, Group.ALL, start, start + timedelta(minutes=minutes))))
    for each in asked:
        day = trade_day(each.start)
        is_daily = REPORTS[market].is_daily
        assert (each.start, each.end) == (
            (midnight(day), midnight(day + 24 * HOUR)) if is_daily else (each.start, each.start + HOUR)
        )
        assert each.start.minute == 0
    starts = interval_starts(start, start + timedelta(minutes=minutes), REPORTS[market].interval)
    assert all(any(each.start <= at < each.end for each in asked) for at in starts)
    assert bool(asked) == bool(starts)


def test_of_whole_hours_and_days_what_was_not_asked_for_is_cut_off(clock: Clock) -> None:
    oasis, start = Oasis(), midnight(date(2025, 9, 1))
    prices = client(oasis, clock).prices(Group.ALL, Market.DAM, start + 5 * HOUR / 2, start + 9 * HOUR / 2)
    assert oasis.asked[0]["startdatetime"] == "20250901T07:00-0000"
    assert prices is not None
    assert [row["interval_start"] for row in prices.rows()] == [start + 3 * HOUR, start + 4 * HOUR]
    assert prices.named == (("GROUP_1",), (start + 3 * HOUR, start + 4 * HOUR))


def test_what_is_odd_outside_of_what_was_asked_for_is_cut_off_as_well(clock: Clock) -> None:
    start = midnight(date(2025, 9, 1))
    rows = [row(start + number * HOUR, name, price) for number in range(3) for name, price in (("A", "7"), ("B", "NaN"))]
    twice = [row(start + number * HOUR, "C", price) for number in range(3) for price in ("7", "8")]
    long = [row(start + number * HOUR, "D", "7", hours=2) for number in range(3)]
    oasis = Oasis([(200, zipped(a__csv=(HEADER + "".join(rows + twice + long)).encode()))])
    prices = client(oasis, clock).prices(Group.ALL, Market.DAM, start + HOUR, start + 2 * HOUR)
    assert prices is not None
    assert prices.counts == {"bad_rows": 1, "contradictions": 1, "doubts": 0, "unreadable": 1}
    assert (len(prices), list(map(str, prices.unreadable))) == (1, ["B at 2025-09-01T08:00Z"])


def test_times_of_any_zone_are_those_times(clock: Clock) -> None:
    """From 1:00 to 1:00 of the long night is an hour."""
    first = datetime(2025, 11, 2, 1, tzinfo=PACIFIC)
    oasis = Oasis()
    client(oasis, clock).prices(["N1"], Market.DAM, first, first.replace(fold=1))
    assert (oasis.asked[0]["startdatetime"], oasis.asked[0]["enddatetime"]) == ("20251102T08:00-0000", "20251102T09:00-0000")
    client(oasis, clock).prices(["N1"], Market.DAM, NOW - HOUR * 2.5, NOW - HOUR * 1.5)
    assert oasis.asked[1]["startdatetime"] == "20250902T18:00-0000", "the first interval that begins then or after"


def test_a_time_without_its_zone_is_nobodys_time(clock: Clock) -> None:
    with pytest.raises(ValueError, match="without its zone"):
        client(Oasis(), clock).prices(["N1"], Market.DAM, NOW.replace(tzinfo=None), NOW)


@pytest.mark.parametrize("names", [[], [""], ["N1,N2"], ["N1", "N 2"], ["N1", "ALL"], "NP15", "ALL"])
def test_names_that_are_none_are_refused_before_anybody_is_asked(clock: Clock, names: list[str]) -> None:
    oasis = Oasis()
    with pytest.raises(ValueError, match="node"):
        client(oasis, clock).prices(names, Market.DAM, NOW - HOUR, NOW)
    assert oasis.asked == []


def row(at: datetime, name: str, price: str = "7", market: str = "DAM", hours: float = 1) -> str:
    return f"{at.isoformat()},{(at + hours * HOUR).isoformat()},{name},{market},LMP,{price}\n"


@pytest.mark.parametrize("not_yet", [0, 1])
def test_the_newest_of_a_group_is_its_newest_hour_or_day_that_has_prices(clock: Clock, not_yet: int) -> None:
    oasis = Oasis([(200, NO_DATA)] * not_yet)
    prices = client(oasis, clock).newest(Group.ALL, Market.DAM)
    assert prices is not None
    assert [each["startdatetime"] for each in oasis.asked] == ["20250903T07:00-0000", "20250902T07:00-0000"][: not_yet + 1]
    assert len(prices) == 24
    assert [row["interval_start"].day for row in newest_of(prices).rows()] == [4 - not_yet]


def test_the_newest_of_named_nodes_is_looked_for_in_one_request(clock: Clock) -> None:
    oasis = Oasis()
    client(oasis, clock).newest(["N1"], Market.DAM)
    (asked,) = oasis.asked
    assert (asked["startdatetime"], asked["enddatetime"]) == ("20250902T07:00-0000", "20250904T07:00-0000")


def test_nodes_of_which_oasis_has_no_data_cost_nobody_elses_prices_in_whatever_request_they_are(clock: Clock) -> None:
    oasis, names = Oasis(), [f"N{number:02}" for number in range(11)]
    real = oasis.fetch
    oasis.fetch = lambda asked: real(asked) if asked.nodes != ("N10",) else Reply(200, NO_DATA, NOW, NOW)  # type: ignore[attr-defined, method-assign]
    prices = client(oasis, clock).prices(names, Market.DAM, NOW - 40 * HOUR, NOW - 38 * HOUR)
    assert prices is not None
    assert unpriced(prices, names) == ("N10",)


def test_what_is_missing_is_named_by_node_and_interval(clock: Clock) -> None:
    start = midnight(date(2025, 9, 1))
    rows = [row(start + number * HOUR, "A") for number in range(4)] + [row(start + HOUR, "B")]
    oasis = Oasis([(200, zipped(a__csv=(HEADER + "".join(rows)).encode()))])
    prices = client(oasis, clock).prices(["A", "B", "C"], Market.DAM, start, start + 6 * HOUR)
    assert prices is not None
    hours = [start + number * HOUR for number in range(6)]
    assert due(prices, start, start + 6 * HOUR, now=NOW) == hours
    assert due(prices, start, start + 6 * HOUR, now=start - 50 * HOUR) == hours[:4]
    assert missing(prices, ["A", "B", "C"], hours[:3]) == {"B": (hours[0], hours[2]), "C": tuple(hours[:3])}


def test_requests_begin_five_seconds_apart_and_the_first_as_if_one_had_just_been_made(clock: Clock) -> None:
    oasis = Oasis()
    asking = client(oasis, clock)
    asking.prices(["N1"], Market.DAM, NOW - 70 * 24 * HOUR, NOW)
    assert (clock.waited_s, len(oasis.asked)) == ([5.0] * 3, 3)
    clock.now_s += 60
    asking.prices(["N1"], Market.DAM, NOW - HOUR, NOW)
    assert len(clock.waited_s) == 3, "what was long ago delays nothing"


def test_short_names_are_those_that_everybody_says(clock: Clock) -> None:
    oasis = Oasis()
    client(oasis, clock).prices(["np15", "SCE", "N1", "NP15"], Market.DAM, NOW - HOUR, NOW)
    assert oasis.asked[0]["node"] == "TH_NP15_GEN-APND,DLAP_SCE-APND,N1"


@pytest.mark.parametrize(
    "failure", [(503, b""), (429, b""), (200, IN_PROCESSING), (200, b"PK\x03\x04")], ids=["503", "429", "1015", "cut"]
)
def test_what_may_pass_is_asked_again_later_and_later_and_then_raised(clock: Clock, failure: tuple[int, bytes]) -> None:
    oasis = Oasis([failure] * 2)
    assert client(oasis, clock).prices(["N1"], Market.DAM, NOW - HOUR, NOW) is not None
    assert len(oasis.asked) == 3
    assert min(clock.waited_s[1:]) >= 10.0
    with pytest.raises(Exception, match=r"503|often|1015|zip"):
        client(Oasis([failure] * 9), clock, tries=3).prices(["N1"], Market.DAM, NOW - HOUR, NOW)


@pytest.mark.parametrize("failure", [(404, b""), (302, b"")])
def test_what_will_not_pass_is_raised_at_once(clock: Clock, failure: tuple[int, bytes]) -> None:
    oasis = Oasis([failure])
    with pytest.raises(HttpRefused):
        client(oasis, clock).prices(["N1"], Market.DAM, NOW - HOUR, NOW)
    assert len(oasis.asked) == 1


def test_no_data_is_none_while_it_need_not_be_there_yet_and_an_error_where_it_should_be(clock: Clock) -> None:
    no_data = [(200, NO_DATA)]
    ahead = NOW + timedelta(days=1)
    assert client(Oasis(list(no_data)), clock).prices(["N1"], Market.DAM, ahead, ahead + HOUR) is None
    with pytest.raises(ErrorReply, match="is a node's name wrong"):
        client(Oasis(list(no_data)), clock).prices(["TYPO"], Market.DAM, NOW - 48 * HOUR, NOW)
    with pytest.raises(ErrorReply, match="older than OASIS keeps"):
        client(Oasis(list(no_data)), clock).prices(["N1"], Market.DAM, NOW - 2000 * 24 * HOUR, NOW - 1999 * 24 * HOUR)


def test_a_failure_in_the_middle_is_raised_and_no_part_passes_for_the_whole(clock: Clock) -> None:
    oasis = Oasis()
    real = oasis.fetch

    def fails_later(request: Request) -> Reply:
        oasis.instead = [(404, b"")] if len(oasis.asked) == 1 else []
        return real(request)

    oasis.fetch = fails_later  # type: ignore[method-assign]
    with pytest.raises(HttpRefused):
        client(oasis, clock).prices(["N1"], Market.DAM, NOW - 40 * 24 * HOUR, NOW)


def test_the_current_report_is_asked_by_its_own_name_and_answered_by_what_is_current(clock: Clock) -> None:
    oasis = Oasis()
    oasis.instead = [(200, zipped(a__csv=(HEADER + rtm(NOW - timedelta(minutes=10))).encode()))]
    prices = client(oasis, clock).current(["N1"])
    assert prices is not None
    assert len(prices) == 1
    assert (oasis.asked[0]["queryname"], oasis.asked[0]["node"]) == ("PRC_CURR_LMP", "N1")
    assert "market_run_id" not in oasis.asked[0]


def test_the_current_report_knows_no_other_group_than_all() -> None:
    with pytest.raises(ValueError, match="no ALL_APNODES"):
        client(Oasis(), Clock()).current(Group.APNODES)
    assert Question(Market.RTM, Group.ALL, NOW, NOW, is_current=True).parameters()["node"] == "ALL"


def test_of_what_is_current_no_data_is_an_error_and_never_not_yet(clock: Clock) -> None:
    with pytest.raises(ErrorReply, match=r"is a node's name wrong\? \(PRC_CURR_LMP of TYPO\)"):
        client(Oasis([(200, NO_DATA)]), clock).current(["TYPO"])


def test_each_pause_is_told_with_its_cause_and_length(clock: Clock) -> None:
    told: list[tuple[str, float]] = []
    oasis = Oasis([(429, b""), (503, b""), (200, IN_PROCESSING)])
    asking = client(oasis, clock, paused=lambda failure, pause_s: told.append((failure.cause, pause_s)))
    asking.prices(["N1"], Market.DAM, NOW - HOUR, NOW)
    assert [pause_s for _, pause_s in told] == [10.0, 20.0, 30.0]
    assert [cause[:12] for cause, _ in told] == ["asked too of", "HTTP status ", "OASIS error "]


def rtm(at: datetime) -> str:
    return f"{at.isoformat()},{(at + timedelta(minutes=5)).isoformat()},N1,RTM,LMP,7\n"


def test_a_group_download_asks_groupzip_by_the_group_s_name() -> None:
    question = Question(Market.RTM, Group.ALL, NOW, NOW + HOUR, as_group=True)
    assert question.servlet == "GroupZip"
    assert question.parameters()["groupid"] == "RTM_LMP_GRP"
    assert "queryname" not in question.parameters()


def test_locations_are_those_of_both_lists_with_their_types(clock: Clock) -> None:
    oasis = Oasis()
    oasis.pages = {
        "ATL_APNODE": "APNODE_ID,APNODE_TYPE\nTH_NP15_GEN-APND,TH\nDLAP_SCE-APND,DPZ\nELAP_PACE-APND,DEPZ\n",
        "ATL_PNODE": "PNODE_ID,PNODE_TYPE,DESCRIPTION\nBAYSHOR2_1_N001,PR,x\n",
    }
    found = client(oasis, clock).locations()
    assert [(each.name, each.type, each.caiso_type) for each in found] == [
        ("BAYSHOR2_1_N001", LocationType.NODE, "PR"),
        ("DLAP_SCE-APND", LocationType.LOAD_AREA, "DPZ"),
        ("ELAP_PACE-APND", LocationType.AGGREGATE, "DEPZ"),
        ("TH_NP15_GEN-APND", LocationType.HUB, "TH"),
    ]
    oasis.pages["ATL_PNODE"] = "NAME\nx\n"
    with pytest.raises(Malformed, match="no column PNODE_ID"):
        client(oasis, clock, tries=1).locations()
