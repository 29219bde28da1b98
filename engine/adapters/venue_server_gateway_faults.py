"""What goes wrong on the wire to the venue, as data: rules over requests and over the private stream.

A rule meets a request by method, path, symbol, beginning of the client id and a window of time;
of those it meets it takes the `nth`, or each with a probability drawn from the seed. Counting
is part of the gateway's state, so that a gateway that was loaded goes on as the uncut one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import blake2b

from engine.model.time import MS, SECOND


class WireFault(StrEnum):
    """What can happen to a request."""

    LOST_REQUEST = "lost_request"
    """It never arrives; the connection closes."""
    LOST_REPLY = "lost_reply"
    """It is done; the connection closes without a reply."""
    INVISIBLE = "invisible"
    """The order is taken, and for `hold` no lookup, list or stream shows it; the reply comes unless `lost`."""
    CODE = "code"
    """It is done if `worked`, and answered with `code` all the same: -1007 and its like."""
    HTTP = "http"
    """It is done if `worked`, and answered with `status` and a page of HTML."""
    TRUNCATED = "truncated"
    """It is done, and half of the body is sent."""
    REJECT = "reject"
    """It is not done, and answered with `code`."""
    BAN = "ban"
    """It is not done; its address is banned for `hold` (418)."""
    RATE = "rate"
    """It is not done: 429, to be tried again after `hold`."""
    CLOCK_SKEW = "clock_skew"
    """The venue's clock is `hold` ahead (negative: behind) for this request."""
    DELAY = "delay"
    """It is done at once; the reply comes `hold` later."""


class StreamFault(StrEnum):
    """What can happen to a message of the private stream."""

    DUPLICATE = "duplicate"
    """It comes again, `hold` later."""
    LATE = "late"
    """It comes `hold` later; the others do not wait for it."""
    REORDERED = "reordered"
    """It comes after the message behind it."""
    SILENT = "silent"
    """From `start` to `end` nothing is said, though pings are answered."""
    DEAD_LISTEN_KEY = "dead_listen_key"
    """At `start` every listen key dies; nobody is told unless `told`."""
    DROP_CONNECTION = "drop_connection"
    """At `start` every private connection is cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WireRule:
    """One fault of requests. Empty and 0 match everything; `start` and `end` in ns, `end` not included, 0 for ever."""

    kind: WireFault
    method: str = ""
    path: str = ""
    symbol: str = ""
    client_prefix: str = ""
    nth: int = 0
    """The nth of the requests that match (from 1); 0 for each of them."""
    count: int = 1
    """With `nth`: how many in a row."""
    probability: float = 1.0
    start: int = 0
    end: int = 0
    hold: int = 0
    code: int = -1007
    status: int = 0
    """HTTP status; 0 for the one that belongs to `code`, or 503."""
    worked: bool = True
    lost: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"{self.probability} is no probability")
        if self.nth < 0 or self.count < 1:
            raise ValueError("nth counts from 1, and count is at least 1")
        if self.hold < 0 and self.kind is not WireFault.CLOCK_SKEW:
            raise ValueError(f"hold of {self.hold} ns: only a clock can be behind")


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRule:
    """One fault of the private stream; `event` is a type such as ORDER_TRADE_UPDATE, empty for every type."""

    kind: StreamFault
    event: str = ""
    symbol: str = ""
    nth: int = 0
    probability: float = 1.0
    start: int = 0
    end: int = 0
    hold: int = 50 * MS
    told: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"{self.probability} is no probability")
        if self.nth < 0 or self.hold < 0:
            raise ValueError("nth and hold are not negative")
        if self.kind is StreamFault.SILENT and self.end <= self.start:
            raise ValueError("a silence ends after it began")

    @property
    def timed(self) -> bool:
        """Whether it happens at `start` and not to messages."""
        return self.kind in (StreamFault.DEAD_LISTEN_KEY, StreamFault.DROP_CONNECTION)


@dataclass(frozen=True, slots=True, kw_only=True)
class WireFaults:
    """All that goes wrong on the wire. Of the rules that meet a request the first one happens."""

    requests: tuple[WireRule, ...] = ()
    streams: tuple[StreamRule, ...] = ()
    seed: str = "0"
    banned_for: int = 120 * SECOND
    """How long a ban lasts whose rule does not say."""

    def drawn(self, what: str) -> float:
        """Return a number from 0 to 1 that belongs to `what` in every run of this seed."""
        raw = blake2b(f"{self.seed}|{what}".encode(), digest_size=8).digest()
        return int.from_bytes(raw) / 2**64


NO_WIRE_FAULTS = WireFaults()


class Happenings:
    """Which fault happens now; counts how often each rule was met."""

    def __init__(self, faults: WireFaults) -> None:
        self.faults = faults
        self._met: dict[str, int] = {}

    def add(self, rule: WireRule | StreamRule) -> None:
        """Have one more rule, behind all others."""
        faults = self.faults
        self.faults = (
            replace(faults, requests=(*faults.requests, rule)) if isinstance(rule, WireRule)
            else replace(faults, streams=(*faults.streams, rule))
        )

    def _meets(self, name: str, rule: WireRule | StreamRule) -> bool:
        met = self._met[name] = self._met.get(name, 0) + 1
        count = rule.count if isinstance(rule, WireRule) else 1
        if rule.nth and not rule.nth <= met < rule.nth + count:
            return False
        return rule.probability >= 1 or self.faults.drawn(f"{name}|{met}") < rule.probability

    def of_request(self, asked: tuple[str, str, str, str], at: int) -> WireRule | None:
        """Return the fault of a request (method, path, symbol, client id) at `at` (ns), None for none."""
        method, path, symbol, client_id = asked
        for place, rule in enumerate(self.faults.requests):
            if (
                rule.method in ("", method) and rule.path in ("", path) and rule.symbol in ("", symbol)
                and client_id.startswith(rule.client_prefix) and rule.start <= at and (not rule.end or at < rule.end)
                and self._meets(f"r{place}", rule)
            ):
                return rule
        return None

    def of_message(self, event: str, symbol: str, at: int) -> StreamRule | None:
        """Return the fault of a message that would be sent at `at` (ns), None for none."""
        for place, rule in enumerate(self.faults.streams):
            if (
                not rule.timed and rule.event in ("", event) and rule.symbol in ("", symbol) and rule.start <= at
                and (not rule.end or at < rule.end) and self._meets(f"s{place}", rule)
            ):
                return rule
        return None

    def dump(self) -> dict[str, int]:
        """Return how often each rule was met."""
        return dict(sorted(self._met.items()))

    def load(self, data: dict[str, int]) -> None:
        """Become what `dump` saw."""
        self._met = dict(data)
