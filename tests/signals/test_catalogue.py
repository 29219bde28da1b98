"""What may stand in the catalogue."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.model.samples import SignalKind, Unit
from engine.model.time import SECOND
from engine.signals.catalogue import Catalogue, problems
from tests.signals.world import CATALOGUE, COUNTER, EVENT, GAUGE, WORD, spec


@pytest.mark.parametrize(
    ("key", "broken"),
    [
        ("labels", replace(GAUGE, labels=("vneue",))), ("labels", replace(GAUGE, labels=("venue", "venue"))),
        ("labels", replace(GAUGE, order_scope=True, max_age=0, period=0)),
        ("unit", replace(WORD, values=())), ("values", replace(GAUGE, values=("a",))),
        ("values", replace(WORD, values=("a", "a"))), ("unit", replace(COUNTER, unit=Unit.BOOL, low=-1e15)),
        ("range", replace(GAUGE, low=1.0, high=1.0)), ("range", replace(GAUGE, high=2e15)),
        ("range", replace(GAUGE, low=float("nan"))), ("range", replace(WORD, low=0.0)),
        ("resolution", replace(GAUGE, resolution=0.0)), ("resolution", replace(GAUGE, resolution=0.3)),
        ("resolution", replace(GAUGE, resolution=1e7)), ("period", replace(GAUGE, period=-1)),
        ("max_age", replace(GAUGE, max_age=0)), ("max_age", replace(COUNTER, max_age=1)),
        ("max_age", replace(GAUGE, period=10 * SECOND)),
        ("max_age", spec("order_x", SignalKind.GAUGE, order_scope=True, max_age=5)),
    ],
)
def test_a_signal_that_cannot_be_is_refused_by_key(key: str, broken: object) -> None:
    assert key in [about for about, _ in problems(broken)]  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=key):
        Catalogue([broken])  # type: ignore[list-item]


def test_a_name_stands_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        Catalogue([GAUGE, GAUGE])


def test_the_digest_is_of_what_the_signals_say_and_not_of_how_they_are_written() -> None:
    """Two files that mean the same are the same catalogue, whatever their order and lines."""
    one, other = Catalogue([GAUGE, EVENT]), Catalogue([replace(EVENT, line=9), GAUGE])

    assert one.digest == other.digest
    assert one.digest != Catalogue([GAUGE, replace(EVENT, resolution=0.1)]).digest
    assert list(one.specs) == ["event", "gauge"]


def test_the_nearest_names_are_offered() -> None:
    assert CATALOGUE.nearest("guage")[0] == "gauge"
    assert CATALOGUE.nearest("zzzz") == ()
    assert CATALOGUE.get("guage") is None
