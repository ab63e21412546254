"""Problems as RFC 9457 tells them."""

import re

import pytest

from historian.api.problems import Problem, Sort, clipped, unknown


@pytest.mark.parametrize("sort", Sort)
def test_every_sort_has_an_address_of_its_own_that_stays(sort: Sort):
    assert re.fullmatch(r"/problems/[a-z]+(-[a-z]+)*", sort.type)
    assert [one for one in Sort if one.type == sort.type] == [sort]
    assert 400 <= sort.status < 600


def test_sorts_that_have_one_status_are_sorts_of_their_own():
    """An enumeration takes two equal values for one."""
    assert len(Sort) == len({sort.title for sort in Sort}) == 21


def test_an_unknown_name_comes_with_those_near_to_it():
    problem = unknown(Sort.UNKNOWN_NODE, "node", "th_np15_gen-apdn", ["TH_NP15_GEN-APND", "TH_SP15_GEN-APND", "DLAP_SCE-APND"])

    assert problem.document() == {
        "type": "/problems/unknown-node",
        "title": "No price of such a node is kept",
        "status": 404,
        "detail": "node: 'th_np15_gen-apdn' is not known here; did you mean TH_NP15_GEN-APND?",
        "near": ["TH_NP15_GEN-APND", "TH_SP15_GEN-APND"],
    }


def test_a_problem_without_near_names_has_none():
    assert "near" not in Problem(Sort.BAD_TIME, "start: no time").document()


def test_what_somebody_sent_is_repeated_cut_and_without_what_a_terminal_would_act_on():
    assert clipped("\x1b[2J\r\n\u202e") == r"'\x1b[2J\r\n\u202e'"
    assert len(clipped("x" * 10_000)) < 100
