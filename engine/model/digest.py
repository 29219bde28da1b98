"""The digest chain: one hash that stands for every effect so far, in order.

d(n) = SHA-256(d(n-1) followed by the canonical bytes of effect n). Two runs that end on
the same digest decided the same things; the first differing link says where they parted.
"""

from __future__ import annotations

import hashlib

GENESIS = bytes(32)
"""d(0), before the first effect."""


def next_digest(previous: bytes, raw: bytes) -> bytes:
    """Return the link after `previous` (32 bytes) for an effect with the canonical bytes `raw`."""
    return hashlib.sha256(previous + raw).digest()
