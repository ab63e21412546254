"""Two patterns overlap exactly when one name matches both."""

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dotbus.runtime.installation.resource_claims import Claims, overlap

PATTERNS = st.text(alphabet="AB*?", min_size=1, max_size=4)
NAMES = ["".join(letters) for length in range(9) for letters in product("AB", repeat=length)]


@given(PATTERNS, PATTERNS)
def test_patterns_overlap_when_a_name_matches_both(one: str, other: str):
    both = (Claims({}, [(one, "p")]), Claims({}, [(other, "q")]))
    assert overlap(one, other) == any(all(claims.plant_of(name) for claims in both) for name in NAMES)


@pytest.mark.parametrize("name", ["A.B", "A+", "(A)", "A|B", "Ä"])
def test_nothing_but_the_two_wildcards_means_anything_in_a_pattern(name: str):
    claims = Claims({}, [(f"{name}*", "p")])
    assert claims.plant_of(f"{name}1") == "p"
    assert claims.plant_of(re.sub(r"\W", "X", name, flags=re.ASCII) + "1") is None
