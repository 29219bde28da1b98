"""The wire of the real client in virtual time: a request leaves, arrives, is answered, and the answer travels back.

The client's own code runs unchanged; where it would wait for the network it hands out what it
waits for, and whoever keeps the time drives it on. No event loop, no socket, no ccxt.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from urllib.parse import urlencode

from engine.adapters.venue_binance_codes import Cause, Outcome, Trouble, judged
from engine.adapters.venue_ccxt_errors import trouble_in
from engine.adapters.venue_ccxt_keys import Keys
from engine.adapters.venue_ccxt_lanes import TurnMissed
from engine.adapters.venue_ccxt_terms import CcxtTerms
from engine.adapters.venue_ccxt_wire import Endpoint, Errand, Wire, WireTrouble, Withheld
from engine.adapters.venue_server_gateway import Reply, Request
from engine.adapters.venue_server_gateway_routes import ROUTES, Access
from engine.model.codec import Data


class VirtualClock:
    """The instant that its driver says it is, wall and monotonic alike (ns)."""

    def __init__(self) -> None:
        self.at = 0

    def now(self) -> int:
        """Return the instant."""
        return self.at

    def monotonic(self) -> int:
        """Return the instant."""
        return self.at


@dataclass(frozen=True, slots=True)
class Crossing:
    """A request that leaves now; awaiting it gives the reply, or None where none came in time."""

    request: Request

    def __await__(self) -> Generator[Crossing, Reply | None, Reply | None]:
        """Hand the request out and come back with the reply."""
        return (yield self)


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing to do before `until` (ns)."""

    until: int

    def __await__(self) -> Generator[Pause, None, None]:
        """Hand the wish out and come back at the instant."""
        yield self


def _name_of(method: str, path: str, access: Access) -> str:
    """Return ccxt's name of a futures path, such as fapiPrivateV3GetPositionRisk."""
    _, kind, version, *rest = path.split("/")
    side = "Public" if access is Access.PUBLIC else "Private"
    number = "" if version == "v1" else version.upper()
    words = "".join(word[0].upper() + word[1:] for word in rest)
    return f"{kind}{side}{number}{method.capitalize()}{words}"


PATHS = {_name_of(*route, known.access): (route, known.access) for route, known in ROUTES.items()}
"""ccxt's name of a request -> ((method, path), who may ask)."""


class VirtualWire(Wire):
    """Carries requests to whoever drives it. Signs as the real client does; limits itself by the same ledger."""

    def __init__(self, terms: CcxtTerms, keys: Keys, clock: VirtualClock) -> None:
        super().__init__(terms, keys, clock)
        # All that the clock's measuring touches of ccxt.
        self.exchange = SimpleNamespace(options={})
        self._api_key, secret = keys.reveal()
        self._secret = secret.encode()

    async def _send(self, endpoint: Endpoint, params: Mapping[str, Data] | tuple[Data, ...], errand: Errand) -> Data:
        ledger, clock = self.lanes.ledger, self.clock
        deadline = clock.monotonic() + errand.patience
        while (wait := ledger.wait(endpoint.cost, errand.lane, clock.monotonic())) > 0:
            if clock.monotonic() + wait > deadline:
                raise TurnMissed(wait)
            await Pause(clock.monotonic() + wait)
        ledger.spend(endpoint.cost, clock.monotonic())
        why = errand.gate()
        if why:
            raise Withheld(why)
        if isinstance(params, tuple):
            raise TypeError(f"{endpoint.method} with arguments by place is ccxt's own, not the venue's")
        return self._read(await Crossing(self._request(endpoint, params)))

    def _request(self, endpoint: Endpoint, params: Mapping[str, Data]) -> Request:
        (method, path), access = PATHS[endpoint.method]
        words = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in params.items()}
        if access is Access.SIGNED:
            words |= {"timestamp": str(self.venue_ms(self.clock.now())), "recvWindow": str(self.terms.recv_window_ms)}
        text = urlencode(words)
        signature = ""
        if access is Access.SIGNED:
            signature = hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()
        return Request(
            method=method, path=path, params=tuple(words.items()), signed_text=text, signature=signature,
            api_key=self._api_key if access is not Access.PUBLIC else "",
        )

    def _read(self, reply: Reply | None) -> Data:
        if reply is None:
            raise WireTrouble(Trouble(cause=Cause.TIMEOUT, text="no reply in time"))
        if reply.lost:
            raise WireTrouble(Trouble(cause=Cause.LOST, text="the connection closed without a reply"))
        page, body = isinstance(reply.body, str), reply.body
        text = ""
        if reply.cut or reply.status >= 400:
            text = str(body) if page else json.dumps(body, separators=(",", ":"))
            body = None if page or reply.cut else body
            text = text[:reply.cut] if reply.cut else text
        trouble = trouble_in(reply.status, text, body)
        self._heard(reply.status, dict(reply.headers), trouble)
        if trouble is not None:
            if judged(trouble, "query").outcome is Outcome.LIMITED:
                trouble = replace(trouble, retry_at=self.lanes.ledger.frozen_until)
            raise WireTrouble(trouble)
        return body
