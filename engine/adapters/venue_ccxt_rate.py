"""How many requests may leave: a rolling ledger of what was spent, corrected by what the venue counts itself.

Pure: time is an argument, in ns of a clock that never jumps. The venue's count may be above ours
(another program on the same address, a request before our start); what it has more stays in the
ledger for a minute. Cancels, exits and stops may use the whole share, entries, questions and
data less and less of it, so that a flood of questions never keeps a stop from leaving.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

_SECOND = 1_000_000_000
_MINUTE = 60 * _SECOND
_BANNED_UNTIL = re.compile(r"banned until (\d{13})")
_DEFAULT_PAUSE_S = {429: 60, 418: 120}
"""How long nothing is sent where the venue refused without saying until when."""


class SendLane(IntEnum):
    """Who goes first."""

    SAFETY = 1
    """Cancels, flattening, exits and stops."""
    ENTRY = 2
    QUERY = 3
    DATA = 4


_PART = {SendLane.SAFETY: 1.0, SendLane.ENTRY: 0.9, SendLane.QUERY: 0.7, SendLane.DATA: 0.5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one request takes: `weight` from the address's budget, `orders` from the account's."""

    weight: int = 1
    orders: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """The venue's limits; `share` of each is ours."""

    weight_minute: int = 2400
    orders_ten_seconds: int = 300
    orders_minute: int = 1200
    share: float = 0.8


class _Window:
    """What was spent in the last `span` ns, and what the venue counted beyond it."""

    def __init__(self, span: int, limit: int) -> None:
        self.span, self.limit = span, limit
        self._spent: deque[tuple[int, int]] = deque()
        self._sum = 0
        self._extra, self._extra_until = 0, 0

    def used(self, at: int) -> int:
        while self._spent and at - self._spent[0][0] >= self.span:
            self._sum -= self._spent.popleft()[1]
        if at >= self._extra_until:
            self._extra = 0
        return self._sum + self._extra

    def spend(self, amount: int, at: int) -> None:
        if amount:
            self._spent.append((at, amount))
            self._sum += amount

    def correct(self, counted: int, at: int) -> None:
        more = counted - (self.used(at) - self._extra)
        if more > self._extra or at >= self._extra_until:
            self._extra, self._extra_until = max(more, 0), at + self.span

    def wait(self, amount: int, budget: float, at: int) -> int:
        """Return in how many ns `amount` fits under `budget`; what never fits goes once nothing else is there."""
        used = self.used(at)
        if not amount or used + amount <= budget or not used:
            return 0
        ends = sorted([(sent + self.span, spent) for sent, spent in self._spent] + [(self._extra_until, self._extra)])
        for end, spent in ends:
            used -= spent
            if used + amount <= budget or not used:
                return max(end - at, 1)
        return self.span


class RateLedger:
    """The one ledger of all requests to a venue. Instants are ns of a monotonic clock."""

    def __init__(self, limits: RateLimits) -> None:
        self.limits = limits
        self._weight = _Window(_MINUTE, limits.weight_minute)
        self._tens = _Window(10 * _SECOND, limits.orders_ten_seconds)
        self._minutes = _Window(_MINUTE, limits.orders_minute)
        self.frozen_until = 0

    def wait(self, cost: Cost, lane: SendLane, at: int) -> int:
        """Return how many ns a request must still wait; 0 lets it go now."""
        if at < self.frozen_until:
            return self.frozen_until - at
        part = self.limits.share * _PART[lane]
        return max(
            self._weight.wait(cost.weight, self._weight.limit * part, at),
            self._tens.wait(cost.orders, self._tens.limit * part, at),
            self._minutes.wait(cost.orders, self._minutes.limit * part, at),
        )

    def spend(self, cost: Cost, at: int) -> None:
        """Note that a request leaves at `at`."""
        self._weight.spend(cost.weight, at)
        self._tens.spend(cost.orders, at)
        self._minutes.spend(cost.orders, at)

    def used_weight(self, at: int) -> int:
        """Return what the last minute took, by our count or the venue's, whichever is more."""
        return self._weight.used(at)

    def heard(self, headers: Mapping[str, str], at: int) -> None:
        """Take over what the venue counted itself, from the headers of any reply."""
        for name, text in headers.items():
            window = {
                "x-mbx-used-weight-1m": self._weight, "x-mbx-order-count-10s": self._tens,
                "x-mbx-order-count-1m": self._minutes,
            }.get(name.lower())
            if window is not None and len(text) < 10 and text.isascii() and text.isdigit():
                window.correct(int(text), at)

    def freeze(self, until: int) -> None:
        """Send nothing at all before `until`. A freeze is never shortened."""
        self.frozen_until = max(self.frozen_until, until)


def pause_of(status: int | None, headers: Mapping[str, str], text: str, now: int) -> int:
    """Return how many ns a venue wants silence after it refused for too many requests. `now` is its wall time (ns)."""
    waits = [0]
    for name, value in headers.items():
        if name.lower() == "retry-after" and len(value) < 10 and value.isascii() and value.isdigit():
            waits.append(int(value) * _SECOND)
    stamp = _BANNED_UNTIL.search(text)
    if stamp:
        waits.append(int(stamp[1]) * 1_000_000 - now)
    longest = max(waits)
    return longest if longest > 0 else _DEFAULT_PAUSE_S.get(status or 0, 60) * _SECOND
