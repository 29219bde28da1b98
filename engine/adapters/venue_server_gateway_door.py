"""Who may come in: keys, signatures, clocks, and the weight of what was asked, as Binance counts it.

Too much weight in a minute is answered with 429 until the minute ends. Who goes on asking all
the same is banned (418): two minutes, then longer each time, up to three days.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from engine.adapters.venue_server_gateway_codes import Refused
from engine.model.codec import Data
from engine.model.time import HOUR, MINUTE, MS, SECOND

DAY = 24 * HOUR
_AHEAD = 1000
"""How many ms a request may come from the future."""
_LONGEST_WINDOW = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayTerms:
    """What the venue knows of its one customer, and how much it lets through."""

    api_key: str
    secret: str
    venue: str = "binanceusdm"
    """The venue's name in the tape's and the exchange's nouns, for what trades as futures."""
    spot_venue: str = "binance"
    symbols: tuple[str, ...] = ()
    """Only these are offered; empty for all that the exchange knows."""
    listen_key_life: int = 60 * MINUTE
    weight_limit: int = 2400
    """Request weight a minute."""
    order_limit_10s: int = 300
    order_limit_1m: int = 1200
    patience: int = 10
    """How many requests after a 429, in the same minute, are answered with 429 before a ban."""
    bans: tuple[int, ...] = (2 * MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, DAY, 3 * DAY)
    """How long each ban lasts (ns); the last one again and again."""
    max_orders: int = 200
    """Open orders a symbol, without conditional ones."""
    may_trade: bool = True
    may_withdraw: bool = False
    ip_bound: bool = True
    child_keeps_id: bool = True
    """Whether the market order of a triggered conditional order carries its client id, or one of its own."""
    seed: str = "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it came. `params` are decoded, in order, without the signature."""

    method: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    signed_text: str = ""
    """The exact text that was signed: everything before `&signature=`."""
    signature: str = ""
    api_key: str = ""
    remote: str = "127.0.0.1"

    def get(self, name: str, otherwise: str = "") -> str:
        """Return the parameter `name`."""
        return next((value for key, value in self.params if key == name), otherwise)

    def need(self, name: str) -> str:
        """Return the parameter `name`; refused where it is missing or empty."""
        value = self.get(name)
        if not value:
            raise Refused(-1102, name)
        return value


@dataclass(slots=True)
class Visitor:
    """What one address asked for lately."""

    minute: int = 0
    weight: int = 0
    over: int = 0
    """Requests in this minute since the first 429."""
    banned_until: int = 0
    bans: int = 0
    tens: int = 0
    orders_10s: int = 0
    orders_minute: int = 0
    orders_1m: int = 0


@dataclass(slots=True)
class Door:
    """Lets requests in, or says why not."""

    terms: GatewayTerms
    visitors: dict[str, Visitor] = field(default_factory=dict)

    def weigh(self, request: Request, weight: int, at: int) -> Visitor:
        """Count `weight` for the request's address; refused while it is banned or over its limit."""
        visitor = self.visitors.setdefault(request.remote, Visitor())
        if at < visitor.banned_until:
            raise self._banned(visitor)
        minute = at // MINUTE
        if minute != visitor.minute:
            visitor.minute, visitor.weight, visitor.over = minute, 0, 0
        visitor.weight += weight
        if visitor.weight > self.terms.weight_limit:
            visitor.over += 1
            if visitor.over > self.terms.patience:
                ladder = self.terms.bans
                self.ban(request.remote, ladder[min(visitor.bans, len(ladder) - 1)], at)
                raise self._banned(visitor)
            raise Refused(-1003, str(self.terms.weight_limit))
        return visitor

    def ban(self, remote: str, hold: int, at: int) -> None:
        """Ban an address for `hold` ns."""
        visitor = self.visitors.setdefault(remote, Visitor())
        visitor.bans += 1
        visitor.banned_until = at + hold
        visitor.over = 0

    @staticmethod
    def _banned(visitor: Visitor) -> Refused:
        until = visitor.banned_until // MS
        return Refused(-1003, status=418, text=(
            f"Way too much request weight used; IP banned until {until}. "
            "Please use the websocket for live updates to avoid bans."))

    def banned(self, remote: str) -> Refused:
        """Return the refusal of a banned address."""
        return self._banned(self.visitors[remote])

    def count_order(self, visitor: Visitor, at: int) -> None:
        """Count an order; refused over the limit of ten seconds or of a minute."""
        tens, minute = at // (10 * SECOND), at // MINUTE
        if tens != visitor.tens:
            visitor.tens, visitor.orders_10s = tens, 0
        if minute != visitor.orders_minute:
            visitor.orders_minute, visitor.orders_1m = minute, 0
        if visitor.orders_10s >= self.terms.order_limit_10s:
            raise Refused(-1015, str(self.terms.order_limit_10s), "TEN_SECONDS")
        if visitor.orders_1m >= self.terms.order_limit_1m:
            raise Refused(-1015, str(self.terms.order_limit_1m), "MINUTE")
        visitor.orders_10s += 1
        visitor.orders_1m += 1

    def know(self, request: Request) -> None:
        """Refuse a key that is none, is not the customer's, or may not do this."""
        if not request.api_key or not request.api_key.isascii() or not request.api_key.isprintable():
            raise Refused(-2014)
        mine = hmac.compare_digest(request.api_key.encode(), self.terms.api_key.encode())
        if not mine or (request.path.startswith("/fapi/") and not self.terms.may_trade):
            raise Refused(-2015)

    def check(self, request: Request, at: int) -> None:
        """Refuse what is not signed by the customer for this moment; `at` is the venue's clock (ns)."""
        self.know(request)
        stamp, window = request.get("timestamp"), request.get("recvWindow", "5000")
        if not _whole(stamp):
            raise Refused(-1102, "timestamp")
        if not _whole(window):
            raise Refused(-1102, "recvWindow")
        if int(window) > _LONGEST_WINDOW:
            raise Refused(-1131)
        if not request.signature:
            raise Refused(-1102, "signature")
        wanted = hmac.new(self.terms.secret.encode(), request.signed_text.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted.encode(), request.signature.encode()):
            raise Refused(-1022)
        now = at // MS
        if not int(stamp) < now + _AHEAD or now - int(stamp) > int(window):
            raise Refused(-1021)

    def headers(self, remote: str, at: int) -> tuple[tuple[str, str], ...]:
        """Return what the address has used, as Binance tells it with every reply."""
        visitor = self.visitors.get(remote, Visitor())
        told = [("X-MBX-USED-WEIGHT-1M", str(visitor.weight if visitor.minute == at // MINUTE else 0))]
        if visitor.orders_minute == at // MINUTE:
            tens = visitor.orders_10s if visitor.tens == at // (10 * SECOND) else 0
            told += [("X-MBX-ORDER-COUNT-10S", str(tens)), ("X-MBX-ORDER-COUNT-1M", str(visitor.orders_1m))]
        return tuple(told)

    def retry_after(self, refused: Refused, remote: str, at: int) -> int:
        """Return the seconds to wait after a 429 or 418, at least 1."""
        visitor = self.visitors.get(remote, Visitor())
        until = visitor.banned_until if refused.status == 418 else (at // MINUTE + 1) * MINUTE
        if refused.code == -1015 and "TEN_SECONDS" in refused.text:
            until = (at // (10 * SECOND) + 1) * 10 * SECOND
        return max(1, -(-(until - at) // SECOND))

    def dump(self) -> Data:
        """Return what every address asked for as JSON data."""
        return {
            remote: [getattr(visitor, name) for name in Visitor.__slots__]
            for remote, visitor in sorted(self.visitors.items())
        }

    def load(self, data: Data) -> None:
        """Become what `dump` saw."""
        self.visitors = {remote: Visitor(*values) for remote, values in data.items()}


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 16
