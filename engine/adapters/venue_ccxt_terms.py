"""How a real venue is to be used: which one, where, what may be traded, and how patiently."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from engine.ports.venue import VenueRefused

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_MS = 1_000_000
_SECOND = 1_000_000_000
PRODUCTION, DEMO = "production", "demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class CcxtTerms:
    """Settings of one venue. `endpoint` is production, demo, or a URL such as http://127.0.0.1:8000."""

    venue: str = "binanceusdm"
    """The venue's name in every noun."""
    exchange: str = "binanceusdm"
    """The exchange's name in ccxt."""
    endpoint: str = PRODUCTION
    symbols: tuple[str, ...] = ()
    """What may be traded, such as BTCUSDT; empty for every perpetual."""
    leverage: int | None = None
    """Set on every symbol at the start; None leaves it as it is."""
    listen: bool = True
    """Whether the account's stream is listened to; without it fills come from questions alone."""
    working_type: str = "MARK_PRICE"
    timeout_ms: int = 5_000
    recv_window_ms: int = 5_000
    rate_share: float = 0.8
    """Which part of the venue's limits is ours: other programs may use the same address."""
    silence_s: float = 300.0
    """How long the stream may tell nothing, with orders or positions open, before it is changed for a new one."""
    told_within_s: float = 5.0
    """How long the stream may lag behind what a REST answer said before it is taken for dead."""
    keep_key_every_s: float = 1200.0
    rotate_key_after_s: float = 2700.0
    """Before the key's hour is over, and long before the venue cuts a connection of a day."""
    filters_every_s: float = 600.0
    """How often it is read anew what is listed and with which filters: both change while a run lasts."""
    entry_patience_s: float = 2.0
    """How long an order that adds risk may wait for its turn: later its price is another one."""
    order_patience_s: float = 10.0
    query_patience_s: float = 30.0

    @property
    def binance_futures(self) -> bool:
        """Whether Binance's own words of USD-M futures are spoken, and not ccxt's common ones."""
        return self.exchange == "binanceusdm"

    @property
    def binance(self) -> bool:
        """Whether codes and bodies are Binance's."""
        return self.exchange in ("binanceusdm", "binance")

    @property
    def loopback(self) -> bool:
        """Whether the endpoint is a URL of its own."""
        return self.endpoint not in (PRODUCTION, DEMO)

    @property
    def stream_origin(self) -> str:
        """Where the private stream is, without path."""
        if self.endpoint == PRODUCTION:
            return "wss://fstream.binance.com"
        if self.endpoint == DEMO:
            return "wss://fstream.binancefuture.com"
        return "ws" + self.endpoint.removeprefix("http")

    def checked(self) -> CcxtTerms:
        """Return these terms; VenueRefused where they cannot hold."""
        if self.loopback:
            url = urlsplit(self.endpoint)
            if url.scheme not in ("http", "https") or not url.hostname or url.query or url.path not in ("", "/"):
                raise VenueRefused(
                    f"endpoint {self.endpoint!r} is neither production, demo nor a URL",
                    "write production, demo or http://127.0.0.1:PORT",
                )
            if url.scheme == "http" and url.hostname not in _LOOPBACK:
                raise VenueRefused(
                    f"endpoint {self.endpoint!r} would send signed orders in the clear", "use https for another machine"
                )
        if not 0 < self.rate_share <= 1:
            raise VenueRefused(f"rate_share {self.rate_share} is not in 0 to 1", "0.8 leaves room for other programs")
        if not 100 <= self.timeout_ms <= 60_000 or not 100 <= self.recv_window_ms <= 60_000:
            raise VenueRefused("timeout and recv_window must be 100 ms to 60 s", "5000 is a good value for both")
        return self


def seconds(value: float) -> int:
    """Return seconds as ns."""
    return int(value * _SECOND)


def to_ms(at: int) -> int:
    """Return an instant in ns as whole ms."""
    return at // _MS
