"""What a fill cost beside its fee: the samples that rules about slippage and latency read.

Two prices tell two stories. Against the market that the order met, a fill says what the
book was like; against the price at the decision, it says what all of it cost us: the way
there, the waiting, the book. The second is the one that a strategy pays.
"""

from __future__ import annotations

from dataclasses import replace

from engine.model.fills import Fill
from engine.model.ledger import OrderRecord
from engine.model.orders import ENTRY_INTENTS, OrderState
from engine.model.samples import Derived
from engine.model.time import MS

_OURS = frozenset({OrderState.WITHHELD, OrderState.ABANDONED})


def fill_samples(fill: Fill, record: OrderRecord) -> list[Derived]:
    """Return the slippages (bps, signed: positive is worse) and the time to fill (ms) of one execution."""
    labels = (fill.venue, fill.liquidity.value)
    decided = replace(fill, reference_price=record.reference_price)
    # A real venue does not say what market the order met: then the decision's price has to do.
    met = fill if fill.reference_price > 0 else decided
    samples = []
    if met.reference_price > 0:
        # A maker pays its own price: 0.0 makes that zero, and not the minus zero of a sale.
        worse = met.slippage_bps() + 0.0
        samples.append(Derived("fill_slippage_bps", labels, worse, fill.venue_at))
        samples.append(Derived("symbol_slippage_bps", (fill.venue, fill.symbol, labels[1]), worse, fill.venue_at))
    if decided.reference_price > 0:
        # The intent is the record's: a venue does not know why an order was sent.
        order = (fill.venue, fill.symbol, record.intent.value)
        samples.append(Derived("exec_slippage_bps", order, decided.slippage_bps() + 0.0, fill.venue_at))
    left_at = _left_at(fill, record)
    if left_at is not None:
        # The venue's clock may run behind ours; a fill before its order is our error of measurement.
        samples.append(Derived("fill_ms", labels, max(0.0, (fill.venue_at - left_at) / MS), fill.venue_at))
    return samples


def missed_samples(before: OrderState, record: OrderRecord, at: int) -> tuple[Derived, ...]:
    """Return whether an entry order that is just over came to nothing: 1 for a miss, 0 for any fill.

    `before` is how it stood until now; there is no sample of one that is not over, or was
    before. What we took back or held back ourselves says nothing about the market, and what
    becomes of a maker order is told by `maker_fill`.
    """
    if before.final or record.live or record.intent not in ENTRY_INTENTS or record.post_only or record.foreign:
        return ()
    if record.filled <= 0 and (record.cancel_asked or record.state in _OURS):
        return ()
    missed = 0.0 if record.filled > 0 else 1.0
    return (Derived("entry_missed", (record.venue, record.symbol, record.intent.value), missed, at),)


def _left_at(fill: Fill, record: OrderRecord) -> int | None:
    # A stop waits for hours on purpose: what was slow or fast about it begins when it triggers.
    if record.conditional:
        return record.triggered_at or None
    return fill.sent_at or record.sent_at or None
