"""What `dotbus check` ends with and prints, and that whoever does not answer keeps nobody waiting."""

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from dotbus.runtime.installation.file import read_installation
from launcher.setup.online.answers import Answer, CheckReport, FoundMistake, Inquiry, Whom
from launcher.setup.online.asking import ask_all
from launcher.setup.online.caiso import unknown_nodes
from launcher.setup.online.report import lines_of, status_of

EXAMPLE = Path(__file__).parents[4] / "config/dotbus.example.toml"
GOOD = Answer(whom=Whom.DATABASE, asked="database", good=True, said="is let in")
BAD = msgspec.structs.replace(GOOD, good=False, said="is away")
MISTAKE = FoundMistake(where="dotbus.toml", key="plant[0].name", line=7, whose="plant sierra", reason="is wrong")


def report(*, well: bool = True, **said: object) -> CheckReport:
    return CheckReport(well=well, config="dotbus.toml", environment="simulator", plants=("sierra",), **said)


@pytest.mark.parametrize(
    ("found", "status"),
    [
        (report(), 0),
        (report(moved=False), 0),
        (report(moved=True), 3),
        (report(well=False, answers=(GOOD, BAD)), 1),
        (report(well=False, answers=(BAD,), moved=True), 1),
        (CheckReport(well=False, config="dotbus.toml", mistakes=(MISTAKE,)), 2),
    ],
)
def test_the_status_is_that_of_the_worst_that_was_found(found: CheckReport, status: int):
    assert status_of(found) == status


def test_a_mistake_that_an_answer_shows_has_file_key_reason_line_and_whose_it_is():
    answer = msgspec.structs.replace(BAD, mistakes=(MISTAKE,))
    *_, (text, is_bad) = lines_of(report(well=False, answers=(answer,)))
    assert text == "database: is away\n  dotbus.toml: plant[0].name: is wrong (line 7, plant sierra)"
    assert is_bad


def test_who_does_not_answer_is_told_and_keeps_nobody_waiting_and_what_it_said_before_counts():
    never = threading.Event()

    def half() -> Iterator[Answer]:
        yield GOOD
        never.wait()

    hung = Inquiry(Whom.CAISO, "OASIS", half)
    begun = ask_all([hung, Inquiry(Whom.DATABASE, "database", lambda: [BAD])], within_s=0.2)
    never.set()
    assert begun == [GOOD, Answer(whom=Whom.CAISO, asked="OASIS", good=False, said="no answer within 0.2 s"), BAD]


def test_all_are_asked_at_once():
    both = threading.Barrier(2, timeout=10)

    def ask() -> list[Answer]:
        both.wait()
        return [GOOD]

    assert ask_all([Inquiry(Whom.DATABASE, str(number), ask) for number in range(2)], within_s=20) == [GOOD, GOOD]


def test_a_fault_of_our_own_is_no_answer():
    def fails() -> list[Answer]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ask_all([Inquiry(Whom.DATABASE, "database", fails)], within_s=10)


def test_each_place_that_names_a_node_which_caiso_does_not_know_is_told_with_line_plant_and_resource():
    file = read_installation(EXAMPLE)
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    hydro, price = file.located(unknown_nodes(file, {"BAYSHOR2_1_N001"}))
    assert (hydro.key, price.key) == ("plant[1].resource[0].node", "prices.nodes[0]")
    assert hydro.line == lines.index('node = "CATALYST_7_N002"') + 1
    assert hydro.whose == "plant delta, resource DELTA_6_HYDRO1"
    assert price.line == lines.index('nodes = ["TH_NP15_GEN-APND"]') + 1
    assert price.reason == "TH_NP15_GEN-APND is on none of CAISO's lists of nodes"


def test_a_name_that_is_near_is_asked_for():
    file = read_installation(EXAMPLE)
    mistakes = list(unknown_nodes(file, ["TH_NP15_GEN-APN"]))
    assert mistakes[-1].reason.endswith(": is TH_NP15_GEN-APN meant?")
