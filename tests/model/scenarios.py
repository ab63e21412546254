"""Scenarios: parts of all that may happen that belong together, so that each can be explored deeper than all of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model.actions import ALL, BROKER, CAISO, GATEWAY, Action, of_ingest, passing
from model.world import World


@dataclass(frozen=True)
class Scenario:
    """A beginning, and what may happen from there.

    Attributes:
        ads: the ADS ingests there are.
        oasis: whether there is one of OASIS.
        depth: how many actions the tests explore; more by hand, see docs/proof.md.
    """

    name: str
    about: str
    actions: Mapping[str, Action]
    depth: int
    ads: Sequence[str] = ("a", "b")
    oasis: bool = False

    def begin(self) -> World:
        """The world that it begins with."""
        return World.begun(ads=self.ads, oasis=("a",) if self.oasis else ())


def _some(of: Mapping[str, Action], *words: str) -> dict[str, Action]:
    """The actions whose names hold one of these words."""
    return {name: action for name, action in of.items() if any(word in name for word in words)}


_A, _B, _P = of_ingest("a"), of_ingest("b"), of_ingest("p")
_DISPATCH = _some(CAISO, "DOT", "5 MW")
_MOVES = ("line is held", "line is let go", "comes first")

SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("everything", "all that may happen", ALL, 2, oasis=True),
        Scenario(
            "dispatch",
            "batches are sent, revised, cancelled, garbled; two ingests hear and say it at different times, late, in any order",
            {
                **passing(10),
                **passing(60),
                **_DISPATCH,
                **_some(CAISO, "garbles"),
                **_some(_A, "asks", "hears", *_MOVES),
                **_some(_B, "asks", *_MOVES),
            },
            3,
        ),
        Scenario(
            "one line",
            "one ingest; what it says is held, comes again, overtakes, or is lost with its connection",
            {
                **passing(10),
                **passing(100),
                **_some(_DISPATCH, "revises", "after the next", "cancels the DOT in force"),
                **_some(_A, "asks", "loses", "first packet", "older revision", *_MOVES),
                **_some(GATEWAY, "line", "last packet"),
                **_some(BROKER, "DOT states come again"),
            },
            3,
            ads=("a",),
        ),
        Scenario(
            "killing",
            "any part is killed and started, the broker with all it had, with old states or with nothing",
            {
                **passing(60),
                **_some(_DISPATCH, "5 MW", "revises"),
                **_some(_A, "killed", "starts"),
                **_some(_B, "asks", "killed"),
                **_some(GATEWAY, "killed", "starts", "connect"),
                **_some(BROKER, "broker"),
            },
            3,
        ),
        Scenario(
            "clocks",
            "any clock is wrong or set, at any time, also while the gateway's event loop is held up",
            {
                **passing(10),
                **passing(60),
                **_some(_DISPATCH, "5 MW"),
                **_some(_A, "asks", "beats", "hears", "clock"),
                **_some(GATEWAY, "killed", "starts", "clock", "held up", "goes on"),
            },
            3,
            ads=("a",),
        ),
        Scenario(
            "curves",
            "trajectories of two resources are drawn, retracted, forgotten and grow old; one ingest is heard late",
            {
                **passing(60),
                **passing(240),
                **_some(CAISO, "curve"),
                **_some(_A, "asks", "disk", "killed", "starts"),
                **_some(_B, "disk", "line is", "first packet"),
                **_some(GATEWAY, "killed", "starts"),
                **_some(BROKER, "first curves"),
            },
            3,
        ),
        Scenario(
            "prices",
            "prices are published, corrected, given away and garbled; OASIS, its ingest or the line falls silent",
            {
                **passing(60),
                **passing(900),
                **_some(CAISO, "OASIS", "price"),
                **_some(_P, "asks", "hears", "killed", "starts", *_MOVES),
                **_some(GATEWAY, "loses", "connects"),
                **_some(BROKER, "first prices"),
            },
            2,
            ads=("a",),
            oasis=True,
        ),
    )
}
