"""The wire to a venue: one ccxt exchange, one queue, one clock offset, and for each request one clear end.

ccxt signs and carries; what came back is read here from the status and the body and not from the
class of an exception. ccxt's own limiter and its retries are off: a request is sent once, except
that one refused for its timestamp is sent once more after the offset was measured anew.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from engine.adapters.venue_binance_codes import Cause, Outcome, Trouble, judged
from engine.adapters.venue_ccxt_errors import MARK, trouble_in, trouble_of
from engine.adapters.venue_ccxt_keys import Keys
from engine.adapters.venue_ccxt_lanes import Lanes, TurnMissed
from engine.adapters.venue_ccxt_rate import Cost, RateLedger, RateLimits, SendLane, pause_of
from engine.adapters.venue_ccxt_terms import DEMO, CcxtTerms
from engine.model.codec import Data
from engine.ports.clock import Clock
from engine.ports.venue import VenueRefused

_MS = 1_000_000
LIGHT = Cost(weight=1)
_quiet = logging.getLogger(f"{__name__}.ccxt")
_quiet.disabled = True
"""ccxt writes headers and signed bodies into its debug log: that log goes nowhere."""


class WireTrouble(Exception):
    """A request that did not simply succeed; `trouble` says how."""

    def __init__(self, trouble: Trouble) -> None:
        self.trouble = trouble
        super().__init__(trouble.text)


class Withheld(Exception):
    """At the moment of sending there was a reason not to; nothing left."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One request of ccxt's own naming and what it costs."""

    method: str
    cost: Cost = LIGHT


def _always() -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """How a request may go: its lane, its patience (ns), and what is asked at the very moment of sending."""

    lane: SendLane
    patience: int
    gate: Callable[[], str] = _always


@dataclass(slots=True)
class _Crossing:
    """What is known of the request that runs in this task."""

    sent: bool = False


_crossing: ContextVar[_Crossing | None] = ContextVar("_crossing", default=None)
SERVER_TIME = Endpoint(method="fapiPublicGetTime")


class Wire:
    """Carries requests. Made before the loop runs; `start` needs ccxt."""

    def __init__(self, terms: CcxtTerms, keys: Keys, clock: Clock) -> None:
        self.terms = terms
        self.keys = keys
        self.clock = clock
        self.offset = 0
        """Our wall clock minus the venue's, in ns."""
        self.lanes = Lanes(RateLedger(RateLimits(share=terms.rate_share)), clock)
        self.exchange: Any = None
        self._time = SERVER_TIME if terms.binance_futures else Endpoint(method="fetch_time")

    def start(self) -> None:
        """Make the exchange. VenueRefused where ccxt is missing or does not know it."""
        self.exchange = make_exchange(self.terms, self.keys, self.clock, self._heard)

    def limit(self, limits: RateLimits) -> None:
        """Take over the venue's own limits; what was spent before is forgotten."""
        self.lanes.ledger = RateLedger(limits)

    def venue_ms(self, at: int) -> int:
        """Return our instant (ns) as the venue's clock would show it, in ms."""
        return (at - self.offset) // _MS

    async def call(self, endpoint: Endpoint, params: Mapping[str, Data] | tuple[Data, ...], errand: Errand) -> Data:
        """Send one request and return the whole answer. Raises WireTrouble, Withheld or TurnMissed.

        A cancellation goes through as it is: whoever waits for an order's reply tells that it is uncertain.
        """
        try:
            return await self._send(endpoint, params, errand)
        except WireTrouble as first:
            if judged(first.trouble, "query").outcome is not Outcome.CLOCK:
                raise
            refused = first
        try:
            await self.measure(replace(errand, gate=_always))
        except (WireTrouble, Withheld, TurnMissed):
            # The request itself was refused for good: what became of the question for the time changes nothing.
            raise refused from None
        return await self._send(endpoint, params, errand)

    async def measure(self, errand: Errand) -> int:
        """Measure the clocks' offset and return it (ns, ours minus the venue's). Raises as `call` does."""
        asked = self.clock.now()
        answer = await self._send(self._time, {}, errand)
        heard = self.clock.now()
        value = answer.get("serverTime") if isinstance(answer, dict) else answer
        text = str(value)
        if not (text.isascii() and text.isdigit() and len(text) == 13):
            raise WireTrouble(Trouble(cause=Cause.BAD_BODY, text="the answer is no time"))
        offset, doubt = (asked + heard) // 2 - int(text) * _MS, (heard - asked) // 2 + _MS
        if abs(offset - self.offset) > doubt:
            # What a slow reply still allows is kept: half of its way there and back is not known.
            self.offset = offset
        self.exchange.options["timeDifference"] = self.offset // _MS
        return self.offset

    async def _send(self, endpoint: Endpoint, params: Mapping[str, Data] | tuple[Data, ...], errand: Errand) -> Data:
        if self.exchange is None:
            raise WireTrouble(Trouble(cause=Cause.NOT_SENT, text="the venue is not open"))
        await self.lanes.turn(errand.lane, endpoint.cost, errand.patience)
        why = errand.gate()
        if why:
            raise Withheld(why)
        crossing = _Crossing()
        mark = _crossing.set(crossing)
        try:
            method = getattr(self.exchange, endpoint.method)
            return await (method(*params) if isinstance(params, tuple) else method(dict(params)))
        except Exception as error:
            raise WireTrouble(self._understood(error, crossing)) from None
        finally:
            _crossing.reset(mark)

    def _understood(self, error: BaseException, crossing: _Crossing) -> Trouble:
        trouble = trouble_of(error)
        if not crossing.sent:
            trouble = Trouble(cause=Cause.NOT_SENT, text=trouble.text)
        if judged(trouble, "query").outcome is Outcome.LIMITED:
            # The reply's handler froze the lanes already; here it is only told.
            wait = max(self.lanes.ledger.frozen_until - self.clock.monotonic(), 0)
            trouble = replace(trouble, retry_at=self.clock.now() + wait)
        return replace(trouble, text=self.keys.scrubbed(trouble.text))

    def _heard(self, status: int, headers: Mapping[str, str], trouble: Trouble | None) -> None:
        self.lanes.ledger.heard(headers, self.clock.monotonic())
        if trouble is not None and (status in (418, 429) or trouble.code == -1003):
            self.lanes.freeze(pause_of(status, headers, trouble.text, self.clock.now() - self.offset))

    async def close(self) -> None:
        """Let go of the exchange and its connections."""
        self.lanes.end()
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            await exchange.close()


Heard = Callable[[int, Mapping[str, str], Trouble | None], None]


def make_exchange(terms: CcxtTerms, keys: Keys, clock: Clock, heard: Heard) -> Any:
    """Return ccxt's exchange, wired to us. VenueRefused where ccxt is missing or knows no such exchange."""
    try:
        parent = getattr(importlib.import_module(f"ccxt.async_support.{terms.exchange}"), terms.exchange)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.startswith("ccxt."):
            raise VenueRefused(f"ccxt knows no exchange {terms.exchange!r}", "write binanceusdm, or another") from None
        raise VenueRefused(f"a live venue needs {error.name}, which is not installed", "pip install .[live]") from None
    api_key, secret = keys.reveal()
    exchange = type("Wired", (parent,), _overrides(clock, heard, terms))({
        "apiKey": api_key, "secret": secret, "enableRateLimit": False, "timeout": terms.timeout_ms,
        "options": {"recvWindow": terms.recv_window_ms, "timeDifference": 0, "fetchCurrencies": False,
                    "adjustForTimeDifference": False, "maxRetriesOnFailure": 0,
                    "warnOnFetchOpenOrdersWithoutSymbol": False, **_spot_alone(terms)},
    })
    exchange.logger = _quiet
    if terms.endpoint == DEMO:
        exchange.enable_demo_trading(True)
    elif terms.loopback:
        exchange.urls["api"] = _pointed(exchange.urls["api"], terms.endpoint.rstrip("/"))
        # The pause at the end lets TLS connections close; there are none on the machine itself.
        exchange.timeout_on_exit = 0 if terms.endpoint.startswith("http:") else exchange.timeout_on_exit
    if exchange.enableRateLimit or exchange.options.get("maxRetriesOnFailure") != 0:
        # A second sending of an order may fill twice: client ids are no idempotency keys.
        raise VenueRefused("ccxt would retry or delay requests by itself", "use the version of ccxt that is locked")
    return exchange


def _spot_alone(terms: CcxtTerms) -> dict[str, Any]:
    """Return what keeps ccxt's one class of Binance from also loading futures and margins, which need other rights."""
    return {"fetchMargins": False, "fetchMarkets": {"types": ["spot"]}} if terms.exchange == "binance" else {}


def _pointed(urls: Any, origin: str) -> Any:
    """Return ccxt's table of URLs with every scheme and host replaced, paths kept."""
    if isinstance(urls, dict):
        return {name: _pointed(inner, origin) for name, inner in urls.items()}
    scheme, _, rest = urls.partition("://")
    own = "ws" + origin.removeprefix("http") if scheme.startswith("ws") else origin
    return own + "/" + rest.partition("/")[2]


def _overrides(clock: Clock, heard: Heard, terms: CcxtTerms) -> dict[str, Any]:
    table = "linear" if terms.binance_futures else "spot"

    def milliseconds(self: Any) -> int:
        return clock.now() // _MS

    def get_exceptions_by_url(self: Any, url: object, kind: str) -> Any:
        # ccxt chooses its table by the URL's beginning, which another host does not have.
        return self.exceptions.get(table, {}).get(kind, {})

    async def fetch(self: Any, *request: Any, **more: Any) -> Any:
        crossing = _crossing.get()
        if crossing is not None:
            crossing.sent = True
        return await super(type(self), self).fetch(*request, **more)

    def handle_errors(self: Any, *reply: Any) -> Any:
        status, _, _, _, headers, body, response = reply[:7]
        trouble = trouble_in(status, body or "", response)
        heard(status, headers or {}, trouble)
        try:
            found = super(type(self), self).handle_errors(*reply)
        except Exception as error:
            setattr(error, MARK, trouble)
            raise
        if trouble is not None:
            raise WireTrouble(trouble)
        return found

    own: dict[str, Any] = {"milliseconds": milliseconds, "fetch": fetch}
    if terms.binance:
        own |= {"handle_errors": handle_errors, "get_exceptions_by_url": get_exceptions_by_url}
    return own
