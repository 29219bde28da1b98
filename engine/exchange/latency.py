"""How long a message travels: drawn from a hash of the client id, so that every run draws alike."""

from __future__ import annotations

from hashlib import blake2b

from engine.exchange.settings import Span


def travel(span: Span, *, seed: str, client_id: str, leg: str) -> int:
    """Return how long the `leg` (order, cancel, answer, trigger) of `client_id` takes, in ns, evenly from `span`."""
    drawn = int.from_bytes(blake2b(f"{seed}|{leg}|{client_id}".encode(), digest_size=8).digest())
    return span.low + drawn % (span.high - span.low + 1)
