"""What a fill cost beside its fee: the samples that rules about slippage and latency read."""

from __future__ import annotations

from engine.model.fills import Fill
from engine.model.ledger import OrderRecord
from engine.model.samples import Derived
from engine.model.time import MS


def fill_samples(fill: Fill, record: OrderRecord) -> list[Derived]:
    """Return the slippage (bps, signed: positive is worse) and the time to fill (ms) of one execution."""
    labels = (fill.venue, fill.liquidity.value)
    # A maker pays its own price: 0.0 makes that zero, and not the minus zero of a sale.
    samples = [Derived("fill_slippage_bps", labels, fill.slippage_bps() + 0.0, fill.venue_at)]
    left_at = _left_at(fill, record)
    if left_at is not None:
        # The venue's clock may run behind ours; a fill before its order is our error of measurement.
        samples.append(Derived("fill_ms", labels, max(0.0, (fill.venue_at - left_at) / MS), fill.venue_at))
    return samples


def _left_at(fill: Fill, record: OrderRecord) -> int | None:
    # A stop waits for hours on purpose: what was slow or fast about it begins when it triggers.
    if record.conditional:
        return record.triggered_at or None
    return fill.sent_at
