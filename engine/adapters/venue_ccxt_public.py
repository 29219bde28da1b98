"""A real venue without a key: what can be traded there is known, and nothing can leave.

For dry runs on a live market. Whoever asks it to trade is refused in the words of any venue.
"""

from __future__ import annotations

import asyncio

from engine.adapters import venue_binance_payloads as payloads
from engine.adapters.venue_binance_reading import PayloadRefused
from engine.adapters.venue_ccxt_checks import EXCHANGE_INFO, errand_of, refusal
from engine.adapters.venue_ccxt_keys import Keys
from engine.adapters.venue_ccxt_terms import CcxtTerms
from engine.adapters.venue_ccxt_wire import Wire, WireTrouble
from engine.model.answers import QueryFailed
from engine.model.effects import AskVenue, CancelOrder, PlaceOrder
from engine.model.events import CancelRejected, InstrumentDefined, OrderRejected
from engine.model.reports import Rejection
from engine.ports.clock import Clock
from engine.ports.venue import Check, Tell, VenueRefused

_WHY = "this run has no key to the venue"


class PublicVenue:
    """A `LiveVenue` that only looks."""

    def __init__(self, terms: CcxtTerms, clock: Clock, tell: Tell) -> None:
        self._terms, self._clock, self._tell = terms.checked(), clock, tell
        # No request of this class is signed; the words satisfy whoever checks that there are some.
        self._wire = Wire(terms, Keys("no-key-at-all", "no-secret-at-all"), clock)

    @property
    def name(self) -> str:
        """The venue's name in every noun."""
        return self._terms.venue

    async def open(self) -> tuple[InstrumentDefined, ...]:
        """Return what can be traded; VenueRefused where the venue cannot be reached or does not know a symbol."""
        # A try before this one that waited in vain for its turn may have left a connection.
        await self._wire.close()
        self._wire.start()
        errand = errand_of(self._terms)
        try:
            await self._wire.measure(errand)
            info = await self._wire.call(EXCHANGE_INFO, {}, errand)
            known = {one.symbol: one for one in payloads.instruments(info, venue=self._terms.venue)}
        except WireTrouble as error:
            await self._wire.close()
            raise refusal(self._terms, error.trouble) from None
        except PayloadRefused as error:
            await self._wire.close()
            raise VenueRefused(f"{self.name} answers what cannot be read: {error}", "check `endpoint`") from None
        missing = [symbol for symbol in self._terms.symbols if symbol not in known]
        if missing:
            await self._wire.close()
            raise VenueRefused(f"{self.name} trades no perpetual {', '.join(missing)}", "correct `live: symbols`")
        return tuple(InstrumentDefined(instrument=one, venue_at=self._clock.now()) for one in known.values())

    async def run(self) -> None:
        """Wait until cancelled: there is no account to listen to."""
        await asyncio.Event().wait()

    def place(self, order: PlaceOrder, at: int) -> None:
        """Refuse it."""
        self._tell(OrderRejected(
            client_id=order.client_id, code="", reason=_WHY, venue_at=at, kind=Rejection.NOT_SENT
        ))

    def cancel(self, order: CancelOrder, at: int) -> None:
        """Refuse it."""
        self._tell(CancelRejected(client_id=order.client_id, reason=_WHY, venue_at=at))

    def ask(self, ask: AskVenue, at: int) -> None:
        """Say that nothing can be told."""
        self._tell(QueryFailed(
            ask=ask.ask, query=ask.query, venue=self.name, reason=_WHY, venue_at=at, symbol=ask.symbol,
            client_id=ask.client_id,
        ))

    async def preflight(self) -> tuple[Check, ...]:
        """Return the one line there is."""
        return (Check(name="key", verdict="fail", what=_WHY, fix="name a key in the environment or a key file"),)

    async def close(self, patience_s: float) -> None:
        """Let go."""
        await self._wire.close()
