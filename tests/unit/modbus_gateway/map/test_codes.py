"""Numbers that stand for words are told as words, and no other is."""

import pytest

from modbus_gateway.map.codes import in_words
from modbus_gateway.map.quantities import QUANTITIES


@pytest.mark.parametrize(
    ("name", "number", "words"),
    [
        ("commitment", 2, "2 shut-down"),
        ("next_commitment", 9, "9"),
        ("dot_schedule", 3, "3 both"),
        ("dot_batch_type", 0, "0 five-minute"),
        ("fresh_bits", 0b10001, "DOT, clocks"),
        ("fresh_bits", 0, "none"),
        ("dot_mw", 1, None),
        ("dot_changes_in_s", 2, None),
        ("instructions_ahead", 2, None),
    ],
)
def test_a_code_is_told_in_words_and_a_number_is_not(name, number, words):
    assert in_words(number, QUANTITIES[name].unit) == words
