"""A Binance-compatible venue without a wire: a request in, a reply out, and what the private stream says meanwhile.

Sans-IO: HTTP, sockets and clocks are its driver's. The same requests at the same instants
give the same bytes. The order of one request: what goes wrong before it arrives, the weight,
the key and the signature, then the deed, then what goes wrong with the reply.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from engine.adapters.venue_server_gateway_codes import STATUS, Refused
from engine.adapters.venue_server_gateway_door import Door, GatewayTerms, Request
from engine.adapters.venue_server_gateway_faults import (
    NO_WIRE_FAULTS,
    Happenings,
    StreamRule,
    WireFault,
    WireFaults,
    WireRule,
)
from engine.adapters.venue_server_gateway_keys import Listeners, UserMessage
from engine.adapters.venue_server_gateway_market import Market
from engine.adapters.venue_server_gateway_office import Office, wire_settings
from engine.adapters.venue_server_gateway_payloads import money
from engine.adapters.venue_server_gateway_routes import ROUTES, Access, Route
from engine.exchange.exchange import SimulatedExchange
from engine.exchange.settings import ExchangeSettings
from engine.model.codec import Data
from engine.model.events import InstrumentDefined
from engine.model.market import MarketEvent
from engine.model.time import SECOND

__all__ = ["Gateway", "GatewayTerms", "Reply", "Request", "UserMessage", "WireFaults", "opened", "wire_settings"]
VERSION = 1
_PAGE = "<html>\r\n<head><title>{0}</title></head>\r\n<body><center><h1>{0}</h1></center></body>\r\n</html>\r\n"
_PAGES = {403: "403 Forbidden", 500: "500 Internal Server Error", 502: "502 Bad Gateway",
          503: "503 Service Unavailable", 504: "504 Gateway Time-out"}
_DOES_NOT_ARRIVE = frozenset({WireFault.LOST_REQUEST, WireFault.REJECT, WireFault.BAN, WireFault.RATE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is answered: JSON data, or text that is no JSON.

    `lost` closes the connection without a word; `delay` (ns) is how long it takes; `cut` sends
    only so many bytes of the body.
    """

    status: int
    body: Data
    headers: tuple[tuple[str, str], ...] = ()
    lost: bool = False
    delay: int = 0
    cut: int = 0


def opened(
    settings: ExchangeSettings, terms: GatewayTerms, faults: WireFaults = NO_WIRE_FAULTS,
) -> Gateway:
    """Return a gateway over an exchange of its own on `settings`, whose latencies are the wire's and not its own."""
    return Gateway(SimulatedExchange(wire_settings(settings)), terms, faults)


class Gateway:
    """One customer's venue. All instants in ns; they never go back."""

    def __init__(
        self, exchange: SimulatedExchange, terms: GatewayTerms, faults: WireFaults = NO_WIRE_FAULTS,
    ) -> None:
        """`exchange` answers at once (`wire_settings`): ValueError for one that travels."""
        if exchange.settings.order_travel.high or exchange.settings.answer_travel.high:
            raise ValueError("the exchange behind a gateway answers at once: make it with wire_settings")
        self._exchange = exchange
        self._faults = faults
        self._happenings = Happenings(faults)
        self.listeners = Listeners(self._happenings, life=terms.listen_key_life, seed=terms.seed)
        self.office = Office(exchange, terms, self.listeners.say)
        self.market = Market(self.office)
        self._door = Door(terms)

    def handle(self, request: Request, at: int) -> Reply:
        """Answer `request`, which arrives at `at`."""
        self.office.run(at)
        client_id = next((request.get(name) for name in _OURS if request.get(name)), "")
        asked = (request.method, request.path, request.get("symbol"), client_id)
        rule = self._happenings.of_request(asked, at)
        if rule is None:
            return self._answer(request, at, at, None)
        return self._with(rule, request, at)

    def _with(self, rule: WireRule, request: Request, at: int) -> Reply:
        if rule.kind in _DOES_NOT_ARRIVE or (rule.kind in _MAY_WORK and not rule.worked):
            return self._stopped(rule, request, at)
        ahead = rule.hold if rule.kind is WireFault.CLOCK_SKEW else 0
        hidden = rule.hold if rule.kind is WireFault.INVISIBLE else None
        reply = self._answer(request, at, at + ahead, hidden)
        if rule.kind is WireFault.LOST_REPLY or rule.lost:
            return replace(reply, lost=True)
        if rule.kind is WireFault.DELAY:
            return replace(reply, delay=rule.hold)
        if rule.kind is WireFault.TRUNCATED:
            return replace(reply, cut=max(1, len(json.dumps(reply.body, separators=(",", ":"))) // 2))
        return self._stopped(rule, request, at) if rule.kind in _MAY_WORK else reply

    def _stopped(self, rule: WireRule, request: Request, at: int) -> Reply:
        """Return the reply that stands instead of the deed's own."""
        if rule.kind is WireFault.LOST_REQUEST:
            return Reply(status=0, body={}, lost=True)
        if rule.kind is WireFault.HTTP:
            status = rule.status or 503
            page = _PAGE.format(_PAGES.get(status, str(status)))
            return Reply(status=status, body=page, headers=(("Content-Type", "text/html"),))
        if rule.kind is WireFault.BAN:
            self._door.ban(request.remote, rule.hold or self._faults.banned_for, at)
            return self._refused(self._door.banned(request.remote), request, at)
        if rule.kind is WireFault.RATE:
            wait = max(1, -(-rule.hold // SECOND))
            refused = Refused(-1003, str(self._door.terms.weight_limit))
            return Reply(status=429, body=refused.body, headers=(("Retry-After", str(wait)),))
        own = STATUS.get(rule.code, 503 if rule.kind is WireFault.CODE else 400)
        refused = Refused(rule.code, "fault", status=rule.status or own)
        return self._refused(refused, request, at)

    def _answer(self, request: Request, at: int, clock: int, hidden: int | None) -> Reply:
        """Do what is asked at `at`; `clock` is what the venue believes the time is."""
        try:
            body = self._done(request, at, clock, hidden)
        except Refused as refused:
            return self._refused(refused, request, at)
        return Reply(status=200, body=body, headers=self._door.headers(request.remote, at))

    def _done(self, request: Request, at: int, clock: int, hidden: int | None) -> Data:
        route: Route | None = ROUTES.get((request.method, request.path))
        if route is None:
            self._door.weigh(request, 1, at)
            raise Refused(-5000, request.path, request.method)
        visitor = self._door.weigh(request, route.weight_of(request), at)
        if route.access is Access.SIGNED:
            self._door.check(request, clock)
        elif route.access is Access.KEY:
            self._door.know(request)
        if route.order:
            self._door.count_order(visitor, at)
        if route.places is not None:
            return route.places(self, request, at, hidden)
        return route.answers(self, request, clock if route.clock else at)

    def _refused(self, refused: Refused, request: Request, at: int) -> Reply:
        headers = self._door.headers(request.remote, at)
        if refused.status in (418, 429):
            headers = (*headers, ("Retry-After", str(self._door.retry_after(refused, request.remote, at))))
        return Reply(status=refused.status, body=refused.body, headers=headers)

    def on_market(self, event: MarketEvent | InstrumentDefined, at: int) -> None:
        """Take in what happened in the market at `at`; what was due before happens before."""
        due = self._exchange.next_due()
        if due is not None and due <= at:
            self.office.run(at)
        self._exchange.on_market(event, at)

    def next_due(self) -> int | None:
        """Return when something next happens here, None for never."""
        trade, said = self._exchange.next_due(), self.listeners.next_due()
        return trade if said is None or (trade is not None and trade < said) else said

    def advance(self, at: int) -> list[UserMessage]:
        """Let everything up to `at` happen; return what goes out on the private streams, in order."""
        self.office.run(at)
        return self.listeners.take(at)

    @property
    def faults(self) -> WireFaults:
        """All that goes wrong, with what was added since."""
        return self._happenings.faults

    def add_fault(self, rule: WireRule | StreamRule) -> None:
        """Have one more rule from now on, behind all others."""
        self._happenings.add(rule)
        if isinstance(rule, StreamRule) and rule.timed:
            self.listeners.plan(rule)

    def knows_key(self, key: str, at: int) -> bool:
        """Whether the listen key lives at `at`."""
        return self.listeners.knows(key, at)

    def mark(self, symbol: str) -> tuple[str, str] | None:
        """Return the mark price and the funding rate of a futures symbol as text, None without a market."""
        desk = self._exchange.desk(self._door.terms.venue, symbol)
        mark = None if desk is None else desk.mark()
        return None if desk is None or mark is None else (money(mark), self.market.rate(desk))

    def dump(self) -> Data:
        """Return the whole state as canonical JSON data. Terms and faults are the maker's to keep."""
        return {
            "version": VERSION, "office": self.office.dump(), "listeners": self.listeners.dump(),
            "door": self._door.dump(), "met": self._happenings.dump(),
        }

    def load(self, data: Data) -> None:
        """Become what `dump` saw; what follows is byte-equal to the uncut one's. ValueError on another version."""
        if data.get("version") != VERSION:
            raise ValueError(f"gateway state of version {data.get('version')!r}, this is {VERSION}")
        self.office.load(data["office"])
        self.listeners.load(data["listeners"])
        self._door.load(data["door"])
        self._happenings.load(data["met"])


_MAY_WORK = frozenset({WireFault.CODE, WireFault.HTTP})
_OURS = ("newClientOrderId", "clientAlgoId", "origClientOrderId")
