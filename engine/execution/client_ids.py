"""Client ids that are never used twice: not in a run, not after a restart.

Binance keeps an id unique among open orders only, so a used id says nothing about
whether an order exists. The epoch (a nonce journalled at each start) and a counter that is
part of the state make every id new for good.
"""

from __future__ import annotations

import re

LONGEST = 36
_EPOCH = re.compile(r"[A-Za-z0-9_]{1,20}", re.ASCII)


class ClientIds:
    """Hands out `rb-<epoch>-<n>`. `n` goes on counting when a new epoch begins."""

    def __init__(self) -> None:
        self.epoch = ""
        self.issued = 0

    def begin(self, epoch: str) -> None:
        """Issue ids of `epoch` from now on. Raises ValueError where an id could become too long or illegal."""
        if _EPOCH.fullmatch(epoch) is None:
            raise ValueError(f"epoch {epoch!r} is not 1 to 20 letters, digits or _")
        self.epoch = epoch

    def next(self) -> str:
        """Return a new id. Raises ValueError before the first epoch: an id without one could come back."""
        if not self.epoch:
            raise ValueError("no epoch yet: a client id would not be unique over restarts")
        self.issued += 1
        return f"rb-{self.epoch}-{self.issued}"

    def skip(self, client_id: str) -> int:
        """Take an id as issued that this counter did not issue, and return its number."""
        tail = client_id.rsplit("-", 1)[-1]
        self.issued = max(self.issued + 1, int(tail) if tail.isdecimal() else 0)
        return self.issued
