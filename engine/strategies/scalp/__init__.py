"""Scalp: buys a small dip below the recent average of the microprice, sells when the price is back.

    strategy    which event concerns which symbol; the only class others use
    terms       its section of conf/strategies.yaml
    watching    one symbol: the average, the dip, what is open
    trading     one scalp from its entry to its end

Long only, one position a symbol. As a taker it earns less than its fees on a calm book: that
is what maker orders, and the evidence before them, are for.
"""

from engine.strategies.scalp.strategy import Scalp
from engine.strategies.scalp.terms import make_terms


def make(section: dict[str, object]) -> Scalp:
    """Return the strategy of its section of `conf/strategies.yaml`; ValueError where that is wrong."""
    return Scalp(make_terms(section))


__all__ = ["Scalp", "make"]
