"""A book's levels as text: exact, canonical, and refused where they are damaged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.codec import canonical, pack_levels, unpack_levels

LEVELS = st.dictionaries(
    st.floats(min_value=0, exclude_min=True, allow_infinity=False),
    st.floats(min_value=-1, allow_infinity=False) | st.just(0.0),
)


@given(LEVELS)
def test_live_levels_come_back_as_they_were(levels: dict[float, float]) -> None:
    assert unpack_levels(pack_levels(levels)) == {price: size for price, size in levels.items() if size > 0}


@given(LEVELS)
def test_the_same_levels_have_one_spelling(levels: dict[float, float]) -> None:
    backwards = dict(reversed(levels.items()))
    assert canonical(pack_levels(backwards)) == canonical(pack_levels(levels))


def test_the_spelling_does_not_depend_on_the_machine() -> None:
    assert pack_levels({2.0: 0.5, 1.0: 3.0}) == {
        "prices": "AAAAAAAA8D8AAAAAAAAAQA==", "sizes": "AAAAAAAACEAAAAAAAADgPw==",
    }


@pytest.mark.parametrize(
    "damaged",
    [
        {"prices": "AAAAAAAA8D8=", "sizes": ""},
        {"prices": "AAAAAAAA8D8=", "sizes": "AAAA"},
        {"prices": "AAAAAAAA8D8=", "sizes": "no base64!"},
    ],
)
def test_damaged_levels_are_refused(damaged: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="multiple|shorter|longer|base64|Only"):
        unpack_levels(damaged)
