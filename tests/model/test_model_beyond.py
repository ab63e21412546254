"""Beyond the exhaustive depth: long ways through everything that may happen, drawn by Hypothesis, the same ones each time."""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from model.actions import ALL
from model.forking import fork
from model.world import World

EXAMPLES = int(os.environ.get("DOTBUS_MODEL_EXAMPLES", "60"))
STEPS = int(os.environ.get("DOTBUS_MODEL_STEPS", "25"))
BEGUN = World.begun()


class AnyWorld(RuleBasedStateMachine):
    """One thing after the other, any that may happen."""

    @initialize()
    def begin(self) -> None:
        self.world = fork(BEGUN)
        self.trace: list[str] = []

    @rule(which=st.integers(0, 10_000))
    def happen(self, which: int) -> None:
        possible = [name for name, action in ALL.items() if action.may(self.world)]
        name = possible[which % len(possible)]
        self.trace.append(name)
        violations = ALL[name].happen(self.world)
        assert not violations, "\n".join([*map(str, dict.fromkeys(violations)), *self.trace])


TestAnyWorld = AnyWorld.TestCase
TestAnyWorld.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
