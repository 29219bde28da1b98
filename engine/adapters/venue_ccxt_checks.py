"""What must be right before a venue is used: clock, key, position mode, leverage, filters, stops.

`opened` refuses with what is wrong and what to do; `checklist` says the same as lines and never
raises. What an endpoint cannot tell is a warning, never an ok.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from engine.adapters import venue_binance_payloads as payloads
from engine.adapters.venue_binance_codes import Cause, Trouble
from engine.adapters.venue_binance_reading import PayloadRefused, Reader
from engine.adapters.venue_ccxt_asks import ACCOUNT, POSITIONS, Incomplete
from engine.adapters.venue_ccxt_lanes import TurnMissed
from engine.adapters.venue_ccxt_rate import Cost, RateLimits, SendLane
from engine.adapters.venue_ccxt_terms import DEMO, CcxtTerms, seconds
from engine.adapters.venue_ccxt_wire import Endpoint, Errand, Wire, WireTrouble, Withheld
from engine.model.codec import Data
from engine.model.instruments import Instrument
from engine.ports.venue import Check, VenueRefused

EXCHANGE_INFO = Endpoint(method="fapiPublicGetExchangeInfo")
POSITION_MODE = Endpoint(method="fapiPrivateGetPositionSideDual", cost=Cost(weight=30))
SET_LEVERAGE = Endpoint(method="fapiPrivatePostLeverage")
ACCOUNT_SETTINGS = Endpoint(method="fapiPrivateGetAccountConfig", cost=Cost(weight=5))
ACCOUNT_BEFORE = Endpoint(method="fapiPrivateV2GetAccount", cost=Cost(weight=5))
KEY_RIGHTS = Endpoint(method="sapiGetAccountApiRestrictions")
SYMBOL_SETTINGS = Endpoint(method="fapiPrivateGetSymbolConfig", cost=Cost(weight=5))
_WARN_OFFSET, _WORST_OFFSET = seconds(1), seconds(5)
_SECOND = 1_000_000_000
_BAD_KEY = frozenset({-1002, -1022, -2008, -2014, -2015, -2017})
FAILURES = (WireTrouble, PayloadRefused, TurnMissed, Withheld, Incomplete)


def errand_of(terms: CcxtTerms) -> Errand:
    """Return how the questions of the start and of the checklist go: first, for nothing is guarded until then."""
    return Errand(lane=SendLane.SAFETY, patience=seconds(terms.query_patience_s))


async def opened(wire: Wire) -> dict[str, Instrument]:
    """Prove clock, symbols, key and position mode; return what can be traded by symbol. Raises VenueRefused."""
    try:
        return await _opened(wire)
    except WireTrouble as error:
        raise refusal(wire.terms, error.trouble) from None
    except PayloadRefused as error:
        raise VenueRefused(
            f"{wire.terms.venue} answers what cannot be read: {error}", "check `endpoint`: is this the venue's API?"
        ) from None
    except (TurnMissed, Withheld) as error:
        raise VenueRefused(f"{wire.terms.venue}: {error}", "wait until the venue listens again") from None


async def _opened(wire: Wire) -> dict[str, Instrument]:
    terms, errand = wire.terms, errand_of(wire.terms)
    offset = await wire.measure(errand)
    if abs(offset) > _WORST_OFFSET:
        raise VenueRefused(
            f"this machine's clock is {_said(offset)} of {terms.venue}'s",
            "set the clock (timedatectl set-ntp true, or start chrony) and run again",
        )
    info = await wire.call(EXCHANGE_INFO, {}, errand)
    known = await _known(info, terms.venue)
    wire.limit(limits_of(info, terms.rate_share))
    missing = [symbol for symbol in terms.symbols if symbol not in known]
    if missing:
        raise VenueRefused(
            f"{terms.venue} trades no perpetual {', '.join(missing)}",
            "write the symbol as the venue does, such as BTCUSDT, or take it out of `symbols`",
        )
    # Reading the account is what proves the key.
    payloads.balances(await wire.call(ACCOUNT, {}, errand))
    if await _hedged(wire, errand):
        raise VenueRefused(
            f"the account of {terms.venue} is in hedge mode",
            "switch the position mode to one-way while no order and no position is open",
        )
    wanted = {symbol: known[symbol] for symbol in terms.symbols} if terms.symbols else known
    if terms.leverage is not None:
        for symbol in terms.symbols:
            await wire.call(SET_LEVERAGE, {"symbol": symbol, "leverage": terms.leverage}, errand)
    return wanted


async def _known(info: Data, venue: str) -> dict[str, Instrument]:
    """Return what trades, by symbol; read beside the loop, for there are hundreds of rows."""
    return {one.symbol: one for one in await asyncio.to_thread(payloads.instruments, info, venue=venue)}


async def listed(wire: Wire) -> dict[str, Instrument]:
    """Return what trades now, by symbol, of what may be traded. Raises one of `FAILURES`."""
    terms = wire.terms
    info = await wire.call(EXCHANGE_INFO, {}, Errand(lane=SendLane.DATA, patience=seconds(terms.query_patience_s)))
    known = await _known(info, terms.venue)
    return {symbol: one for symbol, one in known.items() if not terms.symbols or symbol in terms.symbols}


def refusal(terms: CcxtTerms, trouble: Trouble) -> VenueRefused:
    """Return why a venue cannot be used, from the trouble it made, with what to do."""
    what = f"{terms.venue}: {trouble.text}"
    if trouble.code in _BAD_KEY:
        return VenueRefused(
            f"{terms.venue} refuses the API key (code {trouble.code})",
            "check key and secret, that the key belongs to this endpoint, may trade futures, and may be used from "
            "this address",
        )
    if trouble.code == -1021:
        return VenueRefused(f"{terms.venue} refuses our timestamps", "set this machine's clock and run again")
    if trouble.status in (418, 429) or trouble.code == -1003:
        return VenueRefused(
            f"{terms.venue} bans this address for now: {trouble.text}", "stop every program that uses it, and wait"
        )
    if trouble.cause is Cause.BAD_BODY or "<html" in trouble.text.lower() or "<!doctype" in trouble.text.lower():
        return VenueRefused(what, "something else answers at `endpoint`, such as a proxy or a login page: check it")
    if trouble.cause in (Cause.NOT_SENT, Cause.LOST, Cause.TIMEOUT):
        return VenueRefused(f"{terms.venue} cannot be reached: {trouble.text or trouble.cause.value}",
                            "check the network and `endpoint`; nothing was changed at the venue")
    return VenueRefused(f"{what or 'no reason given'} (code {trouble.code}, HTTP {trouble.status})",
                        "see the venue's list of error codes, and its status page")


def limits_of(info: Data, share: float) -> RateLimits:
    """Return the limits that exchangeInfo states; what it leaves out keeps its usual value."""
    found: dict[tuple[str, str, int], int] = {}
    reader = Reader(info, "exchangeInfo")
    for row in reader.rows("rateLimits") if reader.has("rateLimits") else ():
        every = int(row.positive("intervalNum"))
        found[row.text("rateLimitType"), row.text("interval"), every] = int(row.positive("limit"))
    usual = RateLimits(share=share)
    return RateLimits(
        weight_minute=found.get(("REQUEST_WEIGHT", "MINUTE", 1), usual.weight_minute),
        orders_ten_seconds=found.get(("ORDERS", "SECOND", 10), usual.orders_ten_seconds),
        orders_minute=found.get(("ORDERS", "MINUTE", 1), usual.orders_minute), share=share,
    )


async def _hedged(wire: Wire, errand: Errand) -> bool:
    return Reader(await wire.call(POSITION_MODE, {}, errand), "positionSide").yes("dualSidePosition")


async def checklist(wire: Wire, instruments: Mapping[str, Instrument]) -> tuple[Check, ...]:
    """Return a line for the clock, the key's rights, the position mode, leverage and filters. Never raises."""
    errand = errand_of(wire.terms)
    lines = [await guarded_line("clock offset", wire, lambda: clock_line(wire, errand))]
    lines.append(await guarded_line("key may trade", wire, lambda: _trading(wire, errand)))
    lines += await _rights(wire, errand)
    lines.append(await guarded_line("position mode", wire, lambda: _mode(wire, errand)))
    for symbol in wire.terms.symbols:
        lines.append(await guarded_line(f"leverage {symbol}", wire, partial(_leverage, wire, errand, symbol)))
    lines.append(_filters(wire.terms, instruments))
    return tuple(lines)


async def guarded_line(name: str, wire: Wire, ask: Callable[[], Awaitable[Check]]) -> Check:
    """Return the line that `ask` makes, or a failed one with the reason. Never raises."""
    try:
        return await ask()
    except WireTrouble as error:
        refused = refusal(wire.terms, error.trouble)
        return Check(name=name, verdict="fail", what=refused.what, fix=refused.fix)
    except Exception as error:
        return Check(name=name, verdict="fail", what=wire.keys.scrubbed(str(error)), fix="see the venue's status page")


async def clock_line(wire: Wire, errand: Errand) -> Check:
    """Return how far this machine's clock is from the venue's."""
    offset = await wire.measure(errand)
    verdict = "ok" if abs(offset) <= _WARN_OFFSET else "warn" if abs(offset) <= _WORST_OFFSET else "fail"
    return Check(name="clock offset", verdict=verdict, what=f"this machine is {_said(offset)} of the venue",
                 fix="" if verdict == "ok" else "set the clock: timedatectl set-ntp true")


async def _trading(wire: Wire, errand: Errand) -> Check:
    try:
        account = await wire.call(ACCOUNT_SETTINGS, {}, errand)
    except WireTrouble as error:
        if error.trouble.code in _BAD_KEY:
            raise
        # Where the newer page does not exist, the older one says it too.
        account = await wire.call(ACCOUNT_BEFORE, {}, errand)
    if Reader(account, "account").yes("canTrade"):
        return Check(name="key may trade", verdict="ok", what="the account may trade futures")
    return Check(name="key may trade", verdict="fail", what="the account or the key may not trade futures",
                 fix="enable futures trading for the key on the venue's API page")


async def _rights(wire: Wire, errand: Errand) -> list[Check]:
    """Return whether withdrawals are off and an address is bound; where nobody can tell, that is a warning."""
    names = ("withdrawals off", "address bound")
    try:
        rights = Reader(await wire.call(KEY_RIGHTS, {}, errand), "apiRestrictions")
        withdraws, bound = rights.yes("enableWithdrawals"), rights.yes("ipRestrict")
    except FAILURES:
        why = "the demo venue has no such page" if wire.terms.endpoint == DEMO else "this endpoint does not tell"
        return [Check(name=name, verdict="warn", what=f"cannot be told: {why}",
                      fix="look at the key on the venue's API page") for name in names]
    return [
        Check(name=names[0], verdict="fail" if withdraws else "ok",
              what="the key may withdraw" if withdraws else "the key may not withdraw",
              fix="take the right to withdraw off the key" if withdraws else ""),
        Check(name=names[1], verdict="ok" if bound else "warn",
              what="the key works from listed addresses only" if bound else "the key works from anywhere",
              fix="" if bound else "bind the key to this machine's address"),
    ]


async def _mode(wire: Wire, errand: Errand) -> Check:
    if await _hedged(wire, errand):
        return Check(name="position mode", verdict="fail", what="hedge mode",
                     fix="switch to one-way while nothing is open")
    return Check(name="position mode", verdict="ok", what="one-way")


async def _leverage(wire: Wire, errand: Errand, symbol: str) -> Check:
    name, wanted = f"leverage {symbol}", wire.terms.leverage
    found = await _leverage_of(wire, errand, symbol)
    if found is None:
        return Check(name=name, verdict="warn", what="cannot be told: this endpoint does not tell",
                     fix="set `leverage` so that it is set at the start")
    if wanted is not None and found != wanted:
        return Check(name=name, verdict="fail", what=f"{found}x, and the settings want {wanted}x",
                     fix="start the engine, which sets it, or change `leverage`")
    return Check(name=name, verdict="ok", what=f"{found}x")


async def _leverage_of(wire: Wire, errand: Errand, symbol: str) -> int | None:
    """Return the leverage in force, from the symbol's settings or from its position's row; None untold."""
    for endpoint in (SYMBOL_SETTINGS, POSITIONS):
        try:
            rows = await wire.call(endpoint, {"symbol": symbol}, errand)
        except FAILURES:
            continue
        for row in rows if isinstance(rows, list) else ():
            reader = Reader(row, "symbolConfig")
            if reader.text("symbol", "") == symbol and reader.has("leverage"):
                return int(reader.positive("leverage"))
    return None


def _filters(terms: CcxtTerms, instruments: Mapping[str, Instrument]) -> Check:
    missing = [symbol for symbol in terms.symbols if symbol not in instruments]
    if missing or not instruments:
        return Check(name="filters", verdict="fail", what=f"unknown for {', '.join(missing) or 'every symbol'}",
                     fix="check `symbols` and that the venue can be reached")
    return Check(name="filters", verdict="ok", what=f"tick, step and minimum known for {len(instruments)} symbols")


def _said(offset: int) -> str:
    return f"{abs(offset) / _SECOND:.3f} s {'ahead' if offset > 0 else 'behind'}"
