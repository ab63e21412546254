"""The model finds each fault that was mended once it is put back: else its silence would mean nothing."""

import pytest
from model.mutants import MUTANTS

SHORTEST = {
    "1 retracted": 4,
    "2 our fetch": 1,
    "2 no end": 1,
    "3 live is young": 5,
    "3 older after newer": 3,
    "3 older revision": 3,
    "4 clocks agree": 1,
    "4 no step": 2,
    "4 one machine": 3,
    "4 offset": 2,
    "4 waiting": 4,
    "5 spoke last": 6,
    "5 curve spoken last": 5,
    "5 withdrawn": 8,
    "6 does not fit": 0,
    "7 price flag": 2,
    "8 reconnect": 3,
    "9 ramp bridged": 3,
    "9 schedules mixed": 0,
    "10 as the list": 6,
    "11 over is final": 5,
}
"""How many actions the shortest way to each takes. It is found breadth first: a longer one means that the model lost sight."""


def test_every_mutant_is_looked_for():
    assert SHORTEST.keys() == MUTANTS.keys()


@pytest.mark.parametrize("name", MUTANTS)
def test_a_fault_that_is_put_back_is_found(name):
    found = MUTANTS[name].find().found
    assert found, MUTANTS[name].says
    assert len(found[0].trace) <= SHORTEST[name]
