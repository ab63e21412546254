"""docs/alarms.md says what the code says: every rule with its code, priority, delays and limits, and every state."""

import re
from pathlib import Path

import pytest

from dotbus.contracts.alarms import CODE_OF, AlarmRule, AlarmState
from dotbus.runtime.installation.alarms import Alarms, Rule
from dotbus.runtime.installation.file import understand_installation

TEXT = (Path(__file__).parents[2] / "docs/alarms.md").read_text(encoding="utf-8")
ROWS = {
    cells[0].strip("`"): cells
    for cells in ([cell.strip() for cell in row[1:-1].split("|")] for row in re.findall(r"^\| `.*\|$", TEXT, re.MULTILINE))
}


def test_every_state_and_every_rule_has_its_row():
    assert set(ROWS) == {*AlarmState, *AlarmRule}


@pytest.mark.parametrize("rule", AlarmRule)
def test_a_rules_row_has_what_ships(rule: AlarmRule):
    _, code, _, priority, delays, _, limits = ROWS[rule]
    ships = getattr(Alarms(), rule.replace("-", "_"))
    own = {name: getattr(ships, name) for name in type(ships).model_fields if name not in Rule.model_fields}
    assert int(code) == CODE_OF[rule]
    assert priority == ships.priority
    assert delays == f"{ships.on_delay_s:g} s / {ships.off_delay_s:g} s"
    assert limits == ", ".join(f"`{name}`" if value == () else f"`{name}` {value:g}" for name, value in own.items())


def test_no_two_rules_have_one_code():
    assert set(CODE_OF) == set(AlarmRule)
    assert len(set(CODE_OF.values())) == len(CODE_OF)


@pytest.mark.parametrize("example", re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL))
def test_its_examples_are_what_can_be_said(example: str):
    file = understand_installation('environment = "simulator"\n' + example, Path("dotbus.toml"))
    assert file.mistakes == ()
