"""Quality adds up to the worst of its reasons."""

from hypothesis import given
from hypothesis import strategies as st

from dotbus.contracts.quality import BIT_OF, GOOD, LEVEL_OF, Level, Quality, Reason


def test_no_reason_is_good():
    assert Quality.of([]) == GOOD
    assert GOOD.is_good


def test_every_reason_has_a_level_below_good_and_a_bit_of_its_own():
    assert set(LEVEL_OF) == set(Reason) == set(BIT_OF)
    assert all(level < Level.GOOD for level in LEVEL_OF.values())
    assert len(set(BIT_OF.values())) == len(Reason) <= 16


@given(st.lists(st.sampled_from(Reason)))
def test_quality_is_the_worst_of_its_reasons_and_names_each_once(reasons: list[Reason]):
    quality = Quality.of(reasons)
    assert quality.level == min([LEVEL_OF[reason] for reason in reasons], default=Level.GOOD)
    assert set(quality.reasons) == set(reasons)
    assert quality.reason_bits.bit_count() == len(set(reasons))


def test_levels_are_the_numbers_that_opc_gives_them():
    assert (Level.GOOD, Level.UNCERTAIN, Level.BAD) == (192, 64, 0)
