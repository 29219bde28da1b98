"""What a market order would pay, as far as the book tells."""

from __future__ import annotations

from engine.model.market import Levels


def expected_slippage_bps(levels: Levels, quantity: float, mid: float) -> float | None:
    """Return how far from `mid` the average price of taking `quantity` (base) is, in bps, positive is worse.

    `levels` is the side that is taken, best first. None where the levels known do not hold
    enough: what lies behind them is not ours to guess.
    """
    if quantity <= 0.0 or mid <= 0.0:
        return None
    left, paid = quantity, 0.0
    for price, size in levels:
        taken = min(left, size)
        paid += taken * price
        left -= taken
        if left <= quantity * 1e-12:
            return abs(paid / quantity - mid) / mid * 10_000.0
    return None
