"""What we already took from one side of a book, so that two orders cannot eat the same offer.

The record knows nothing of us: after our fill it still shows the size we took. Our share is
remembered until the market itself says something new about the level (another size, or the
touch moved past it), or until no real book would have stood still for so long.
"""

from __future__ import annotations

from decimal import Decimal

from engine.model.codec import Data, decimal_text

Touch = tuple[float, float]
"""(price, size) of the best level."""


class Taken:
    """Our share of one side. `bids` is true for the side that our sells eat."""

    __slots__ = ("_levels", "_lifetime", "_touch", "beyond", "bids", "until")

    def __init__(self, *, bids: bool, lifetime: int) -> None:
        self.bids = bids
        self._lifetime = lifetime
        self._levels: dict[float, tuple[Decimal, float]] = {}
        self._touch: Touch = (0.0, 0.0)
        self.beyond = Decimal(0)
        """What we took beyond the displayed levels, base."""
        self.until = 0
        """When all is forgotten (ns); 0 while there is nothing to forget."""

    def at(self, price: float, shown: float) -> Decimal:
        """Return what we took at `price` of the `shown` size; 0 once the market shows another size."""
        taken, size = self._levels.get(price, (Decimal(0), shown))
        return taken if size == shown else Decimal(0)

    def add(self, price: float, shown: float, quantity: Decimal, now: int) -> None:
        """Remember `quantity` taken at `price`, where the market shows `shown`."""
        self._levels[price] = (self.at(price, shown) + quantity, shown)
        self.until = now + self._lifetime

    def add_beyond(self, quantity: Decimal, touch: Touch, now: int) -> None:
        """Remember `quantity` taken beyond all displayed levels while the best one was `touch`."""
        self.beyond += quantity
        self._touch = touch
        self.until = now + self._lifetime

    def see_touch(self, touch: Touch, now: int) -> None:
        """Forget what the market has replaced, now that its best level is `touch`."""
        if now >= self.until:
            self._forget()
            return
        best, size = touch
        for price, (_, shown) in tuple(self._levels.items()):
            passed = price > best if self.bids else price < best
            if passed or (price == best and shown != size):
                del self._levels[price]
        if touch != self._touch:
            self.beyond = Decimal(0)
        if not self._levels and not self.beyond:
            self.until = 0

    def _forget(self) -> None:
        self._levels.clear()
        self.beyond = Decimal(0)
        self.until = 0

    def dump(self) -> Data:
        """Return all that is remembered as JSON data."""
        return {
            "levels": [[price, decimal_text(taken), shown] for price, (taken, shown) in sorted(self._levels.items())],
            "touch": list(self._touch), "beyond": decimal_text(self.beyond), "until": self.until,
        }

    def load(self, data: Data) -> None:
        """Become what `dump` saw."""
        self._levels = {float(price): (Decimal(taken), float(shown)) for price, taken, shown in data["levels"]}
        self._touch = (float(data["touch"][0]), float(data["touch"][1]))
        self.beyond, self.until = Decimal(data["beyond"]), data["until"]
