"""Automatic acceptance in `dotbus.toml`: nothing unless it is written, nothing sent unless it is written twice."""

from pathlib import Path

import pytest

from dotbus.runtime.installation.answers import AcceptanceRule
from dotbus.runtime.installation.file import load_installation
from dotbus.runtime.settings.mistakes import ConfigurationRefused

HEAD = """
environment = "simulator"
[[plant]]
name = "north"
[[plant.resource]]
id = "R1"
"""


def mistakes(tmp_path: Path, text: str) -> list[tuple[str, str]]:
    file = tmp_path / "dotbus.toml"
    file.write_text(HEAD + text, encoding="utf-8")
    with pytest.raises(ConfigurationRefused) as refusal:
        load_installation(file)
    return [(mistake.key, mistake.reason) for mistake in refusal.value.mistakes]


def test_there_is_no_rule_unless_one_is_written(tmp_path: Path):
    (tmp_path / "dotbus.toml").write_text(HEAD, encoding="utf-8")
    assert load_installation(tmp_path / "dotbus.toml").acceptance_rules == ()


def test_a_rule_is_a_dry_run_for_hourly_pre_dispatch_unless_it_says_else():
    rule = AcceptanceRule.model_validate({"name": "small", "resources": ["R*"], "max_mw": 25.0})
    assert (rule.dry_run, rule.batch_types, rule.min_mw) == (True, (1,), 0.0)


@pytest.mark.parametrize(
    ("pattern", "resource_id", "fits"),
    [("R1", "R1", True), ("R*", "R12", True), ("R?", "R12", False), ("r*", "R1", False), ("*", "ANY THING", True)],
)
def test_a_pattern_stands_for_many_resources(pattern: str, resource_id: str, *, fits: bool):
    rule = AcceptanceRule.model_validate({"name": "small", "resources": [pattern], "max_mw": 25.0})
    assert rule.is_of(resource_id) is fits


@pytest.mark.parametrize(
    ("text", "key", "what"),
    [
        ('name = "a"\nresources = ["R1"]', "automatic_acceptance[0].max_mw", ""),
        ('name = "a"\nmax_mw = 1.0', "automatic_acceptance[0].resources", ""),
        ('name = "a"\nresources = []\nmax_mw = 1.0', "automatic_acceptance[0].resources", ""),
        ('name = "a"\nresources = ["R1"]\nmin_mw = 2.0\nmax_mw = 1.0', "automatic_acceptance[0].max_mw", "below min_mw"),
        ('name = "a"\nresources = ["R1"]\nmax_mw = 1.0\ndryrun = false', "automatic_acceptance[0].dryrun", ""),
        ('name = "a"\nresources = ["R1"]\nmax_mw = 1.0\ndry_run = 0', "automatic_acceptance[0].dry_run", ""),
    ],
)
def test_a_mistake_in_a_rule_is_told_with_its_place(tmp_path: Path, text: str, key: str, what: str):
    ((found, why),) = mistakes(tmp_path, f"[[automatic_acceptance]]\n{text}\n")
    assert found == key
    assert what in why


def test_two_rules_have_two_names(tmp_path: Path):
    rule = '[[automatic_acceptance]]\nname = "a"\nresources = ["R1"]\nmax_mw = 1.0\n'
    ((key, why),) = mistakes(tmp_path, rule + rule)
    assert key == "automatic_acceptance[1].name"
    assert "twice" in why
