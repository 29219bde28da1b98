"""Functions over the samples of the last so many nanoseconds, kept incrementally and evicted exactly.

A sample received at t is inside while t is in (at - span, at]. Sums are integers in units
of the signal's resolution, so the answer depends on what is inside and not on the path that
led there. The quantile is exact too: the values stand sorted in one list. A log histogram
would insert in a third of the time but answers within 1 %, and a rule that compares a
median with a limit must not turn on that; our own fills, which is what quantiles are asked
of, come a few thousand a day, where the list costs about a microsecond.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from typing import Literal

from engine.model.codec import Data
from engine.model.samples import SignalKind, Status
from engine.model.time import SECOND

WINDOW_READS = (
    "avg_over", "min_over", "max_over", "sum_over", "count_over", "rate_over", "increase_over", "quantile_over",
)
"""What an InputRef may read that needs a window."""

Flavour = Literal["levels", "increments"]
"""What a window holds: the samples themselves or, for a counter that is asked how much it rose, each rise."""


class Scale:
    """From a float to integer units of a resolution and back."""

    __slots__ = ("_factor", "_fine")

    def __init__(self, resolution: float) -> None:
        self._fine = resolution <= 1
        self._factor = round(1 / resolution) if self._fine else round(resolution)

    def units(self, value: float) -> int:
        """Return `value` in whole units, the nearest."""
        return round(value * self._factor) if self._fine else round(value / self._factor)

    def value(self, units: int, divisor: int = 1) -> float:
        """Return `units` / `divisor` as the nearest float."""
        return units / (self._factor * divisor) if self._fine else units * self._factor / divisor


class Window:
    """The samples within one span. `add`, `hole` and `evict` take times that never go back."""

    __slots__ = ("_highs", "_holes", "_lows", "_ordered", "_samples", "_scale", "_total", "span")

    def __init__(self, span: int, scale: Scale) -> None:
        self.span = span
        self._scale = scale
        self._samples: deque[tuple[int, int]] = deque()
        self._total = 0
        self._lows: deque[tuple[int, int]] | None = None
        self._highs: deque[tuple[int, int]] | None = None
        self._ordered: list[int] | None = None
        self._holes: deque[tuple[int, int]] = deque()
        """(at, status) of samples that were lost or broken: while one is inside, nothing over events is known."""

    def want(self, reads: str) -> None:
        """Keep from now on what `reads` needs beyond sum and count, for the samples already inside too."""
        if reads == "min_over" and self._lows is None:
            self._lows = deque()
            for sample in self._samples:
                self._push_low(self._lows, sample)
        elif reads == "max_over" and self._highs is None:
            self._highs = deque()
            for sample in self._samples:
                self._push_high(self._highs, sample)
        elif reads == "quantile_over" and self._ordered is None:
            self._ordered = sorted(units for _, units in self._samples)

    def add(self, at: int, value: float) -> None:
        """Take a sample in."""
        units = self._scale.units(value)
        sample = (at, units)
        self._samples.append(sample)
        self._total += units
        if self._lows is not None:
            self._push_low(self._lows, sample)
        if self._highs is not None:
            self._push_high(self._highs, sample)
        if self._ordered is not None:
            insort(self._ordered, units)

    def hole(self, at: int, status: int) -> None:
        """Note that a sample was lost or broken at `at`."""
        self._holes.append((at, status))

    def evict(self, at: int) -> None:
        """Drop everything outside (at - span, at]."""
        cut = at - self.span
        samples = self._samples
        while samples and samples[0][0] <= cut:
            units = samples.popleft()[1]
            self._total -= units
            if self._ordered is not None:
                del self._ordered[bisect_left(self._ordered, units)]
        for extremes in (self._lows, self._highs, self._holes):
            while extremes and extremes[0][0] <= cut:
                extremes.popleft()

    def first_leaves(self) -> int | None:
        """Return when the oldest sample or hole leaves, or None."""
        held = [queue[0][0] for queue in (self._samples, self._holes) if queue]
        return min(held) + self.span if held else None

    def torn(self) -> int:
        """Return the status of the newest hole inside, or 0."""
        return self._holes[-1][1] if self._holes else 0

    def ask(self, reads: str, quantile: float, kind: SignalKind) -> tuple[float, int]:
        """Return (value, status) of one function; the value means something only where the status is 0."""
        count = len(self._samples)
        if reads == "count_over":
            return float(count), 0
        if reads == "sum_over":
            return self._scale.value(self._total), 0
        if reads in ("rate_over", "increase_over"):
            return self._rise(reads, kind)
        if not count:
            return 0.0, int(Status.NO_SAMPLES)
        if reads == "avg_over":
            return self._scale.value(self._total, count), 0
        if reads == "min_over" and self._lows:
            return self._scale.value(self._lows[0][1]), 0
        if reads == "max_over" and self._highs:
            return self._scale.value(self._highs[0][1]), 0
        if reads == "quantile_over" and self._ordered:
            return self._quantile(self._ordered, quantile), 0
        raise ValueError(f"{reads!r} is no window function that was asked for")

    def _rise(self, reads: str, kind: SignalKind) -> tuple[float, int]:
        """Counters: what they rose. Events: how many. Gauges: last less first. A rate is that per second."""
        per_second = reads == "rate_over"
        if kind is SignalKind.EVENT:
            count = len(self._samples)
            return (count * SECOND / self.span if per_second else float(count)), 0
        if kind is SignalKind.COUNTER:
            units = self._total
        elif self._samples:
            units = self._samples[-1][1] - self._samples[0][1]
        else:
            return 0.0, int(Status.NO_SAMPLES)
        return (self._scale.value(units * SECOND, self.span) if per_second else self._scale.value(units)), 0

    def _quantile(self, ordered: list[int], quantile: float) -> float:
        """Linear between the two nearest ranks, as numpy and pandas do by default."""
        place = quantile * (len(ordered) - 1)
        below = min(int(place), len(ordered) - 1)
        low = self._scale.value(ordered[below])
        if below + 1 >= len(ordered) or place == below:
            return low
        return low + (self._scale.value(ordered[below + 1]) - low) * (place - below)

    @staticmethod
    def _push_low(lows: deque[tuple[int, int]], sample: tuple[int, int]) -> None:
        while lows and lows[-1][1] >= sample[1]:
            lows.pop()
        lows.append(sample)

    @staticmethod
    def _push_high(highs: deque[tuple[int, int]], sample: tuple[int, int]) -> None:
        while highs and highs[-1][1] <= sample[1]:
            highs.pop()
        highs.append(sample)

    def dump(self) -> Data:
        """Return the samples and holes as JSON data; all else is computed from them."""
        return {
            "at": [at for at, _ in self._samples], "units": [units for _, units in self._samples],
            "holes": [list(hole) for hole in self._holes],
        }

    def load(self, data: Data) -> None:
        """Become what `dump` saw, with the functions this window was asked to keep."""
        self._samples = deque(zip(data["at"], data["units"], strict=True))
        self._total = sum(data["units"])
        self._holes = deque((at, status) for at, status in data["holes"])
        kept = [("min_over", self._lows), ("max_over", self._highs), ("quantile_over", self._ordered)]
        self._lows = self._highs = self._ordered = None
        for reads, before in kept:
            if before is not None:
                self.want(reads)
