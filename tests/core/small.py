"""A small core: a few rules over one spread, and orders asked for by hand. No tape, no strategy, no venue."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache

from engine.core.build import build_state
from engine.core.checkpoint import dump_state, load_state
from engine.core.orders import dispatch
from engine.core.state import State
from engine.core.step import step, wake
from engine.model.codec import canonical, encode
from engine.model.effects import CommandAnswered, Effect, Notify, OrderRefused, PlaceOrder
from engine.model.events import Command, Event, Input, InstrumentDefined, OrderAccepted, OrderFilled
from engine.model.fills import Fill, Liquidity
from engine.model.instruments import Instrument, MarketKind
from engine.model.market import Quote
from engine.model.orders import Intent, OrderKind, Proposal, Side
from engine.model.restraints import NONE
from engine.model.terms import ExecutionTerms, Route, Style
from engine.model.time import SECOND
from engine.ruleset.ruling import Ruling
from engine.runtime.config import DENYLIST, config_from_source
from tests.conftest import ROOT
from tests.core.kit import START, config

A, B = "AUSDT", "BUSDT"
VENUE = "paper"
T0 = 1_772_480_000_000_000_000
CALM, WIDE = 1.0, 99.0
"""Spreads in bps: of a calm market, and of one in which every rule of its symbol fires."""
RULES = """
version: 1
rules:
  - id: guard.wide
    kind: guard
    summary: The spread is wide
    runbook: RUNBOOK.md#feed-lost
    by: [venue, symbol]
    expr: spread_bps >= 50
    restrain: {level: reduce_only}
  - id: guard.latched
    kind: guard
    summary: The spread was wide
    runbook: RUNBOOK.md#feed-lost
    by: [venue, symbol]
    expr: spread_bps >= 50
    latch: manual
    restrain: {max_notional_usd: 100}
  - id: guard.stops.wide
    kind: guard
    summary: Stands for the stops
    runbook: RUNBOOK.md#feed-lost
    by: [venue, symbol]
    expr: spread_bps >= 50
    restrain: {level: entries_paused}
  - id: kill.wide
    kind: kill
    summary: Stands for a kill
    runbook: RUNBOOK.md#feed-lost
    by: [venue, symbol]
    expr: spread_bps >= 50
    restrain: {level: halted, size_mult: 0.5}
  - id: cutback.wide
    kind: cutback
    summary: Smaller for a while
    runbook: RUNBOOK.md#feed-lost
    by: [venue, symbol]
    expr: spread_bps >= 50
    ttl: 30m
    keep_firing_for: 30m
    restrain: {size_mult: 0.25}
  - id: entry.small
    kind: entry
    summary: No large orders
    runbook: RUNBOOK.md#feed-lost
    expr: order_notional_usd > 1000
  - id: watch.wide
    kind: watch
    summary: Told
    runbook: RUNBOOK.md#feed-lost
    by: [venue, symbol]
    expr: spread_bps >= 50
    notify: {to: digest, text: "wide"}
  - id: maker.calm
    kind: maker_gate
    summary: Makers while it is calm
    runbook: RUNBOOK.md#feed-lost
    by: [venue, symbol]
    allow_expr: spread_bps < 50
"""


@cache
def ruling(rules: str = RULES, denied: str = "") -> Ruling:
    """Return the shipped signals and flags with `rules` in place of the shipped ones, and a denylist."""
    source = json.loads(config().blobs.source)
    source["files"] = {name: text for name, text in source["files"].items() if not name.startswith("rules/")}
    source["files"]["rules/small.yaml"] = rules
    source["files"][DENYLIST] = denied
    made = config_from_source(ROOT, canonical(source))
    assert made.usable, made.findings
    return made.ruling()


def instrument(symbol: str) -> Instrument:
    """Return a contract with coarse steps."""
    return Instrument(
        venue=VENUE, symbol=symbol, base=symbol[:-4], quote="USDT", kind=MarketKind.PERPETUAL, tick=Decimal("0.01"),
        step=Decimal("0.01"), min_quantity=Decimal("0.01"), max_quantity=Decimal(100_000), min_notional=Decimal(1),
    )


class Small:
    """One core; instants are ns after T0 and never go back."""

    def __init__(self, rules: str = RULES) -> None:
        self.state: State = self._made(rules)
        self._rules = rules
        self.seq = 0
        self.at = 0
        self.heard: list[bytes] = []
        self.tell(START)
        for symbol in (A, B):
            self.tell(InstrumentDefined(instrument=instrument(symbol), venue_at=T0))

    @staticmethod
    def _made(rules: str) -> State:
        spoken = ("feed.market", "feed.oracle", "feed.announcements", "venue")
        terms = ExecutionTerms(routes=(Route(intent=Intent.ENTRY, style=Style.MAKER),))
        return build_state(ruling(rules), spoken, account="main", floor=NONE, at=T0, terms=terms)

    def tell(self, event: Event, at: int | None = None) -> list[Effect]:
        """Take `event` and return its effects."""
        self.at = self.at if at is None else at
        self.seq += 1
        made = list(step(self.state, Input(self.seq, T0 + self.at, event)).effects)
        self.heard += [encode(effect) for effect in made]
        return made

    def wake(self, at: int) -> list[Effect]:
        """Let time pass until `at`; return what it led to."""
        self.at = at
        made = list(wake(self.state, T0 + at).effects)
        self.heard += [encode(effect) for effect in made]
        return made

    def spread(self, bps: float, *symbols: str, at: int | None = None) -> list[Effect]:
        """Quote `symbols` (both where none is said) at 100 with this spread; return the effects."""
        half, made = bps / 200.0, []
        for symbol in symbols or (A, B):
            now = T0 + (self.at if at is None else at)
            made += self.tell(Quote(VENUE, symbol, 100.0 - half, 10.0, 100.0 + half, 10.0, now, now), at)
        return made

    def fill(self, symbol: str, quantity: int) -> None:
        """Buy so much at 100 by a new order that fills at once."""
        self.order(symbol, usd=quantity * 100)
        order = next(one for one in reversed(self.state.execution.all_live()) if one.symbol == symbol)
        fill = Fill(
            client_id=order.client_id, trade_id=f"t{self.seq}", venue=VENUE, symbol=symbol, side=Side.BUY,
            price=Decimal(100), quantity=Decimal(quantity), fee=Decimal(0), liquidity=Liquidity.TAKER,
            reference_price=Decimal(100), intent=order.intent, venue_at=T0 + self.at, sent_at=T0 + self.at,
        )
        self.tell(OrderFilled(fill=fill, remaining=Decimal(0)))

    def calm_again(self) -> None:
        """Let the market be calm for long enough that no doubt is left after a silence."""
        for _ in range(3):
            self.spread(CALM, at=self.at + SECOND)

    def said(self, command: Command, at: int | None = None) -> CommandAnswered:
        """Give a command and return its answer; the canonical state must survive it."""
        (answer,) = [one for one in self.tell(command, at) if isinstance(one, CommandAnswered)]
        return answer

    def order(self, symbol: str = A, *, intent: Intent = Intent.ENTRY, usd: int = 500, maker: bool = False) -> str:
        """Ask for an entry and return why it was refused, or its notional where it left."""
        out: list[Effect] = []
        wish = Proposal(
            proposer="test", purpose=f"{symbol}/{self.seq}/{len(self.heard)}", intent=intent, venue=VENUE,
            symbol=symbol, side=Side.BUY, kind=OrderKind.LIMIT, quantity=Decimal(usd) / 100,
            reference_price=Decimal(100), limit_price=Decimal(100), post_only=maker,
        )
        dispatch(self.state, self.state.at, (wish,), out)
        self.heard += [encode(effect) for effect in out]
        refused = next((one for one in out if isinstance(one, OrderRefused)), None)
        if refused is not None:
            return refused.reason
        placed = next(one for one in out if isinstance(one, PlaceOrder))
        assert placed.quantity is not None
        return str((placed.quantity * 100).quantize(Decimal(1)))

    def rest(self, symbol: str) -> str:
        """Let an entry rest at the touch, as makers do who are granted it, and return its client id."""
        out: list[Effect] = []
        wish = Proposal(
            proposer="test", purpose=f"{symbol}/{self.seq}/rests", intent=Intent.ENTRY, venue=VENUE, symbol=symbol,
            side=Side.BUY, kind=OrderKind.MARKET, quantity=Decimal(1), reference_price=Decimal(100),
        )
        dispatch(self.state, self.state.at, (wish,), out)
        placed = next(one for one in out if isinstance(one, PlaceOrder))
        assert placed.post_only
        self.tell(OrderAccepted(client_id=placed.client_id, venue_order_id="v", venue_at=T0 + self.at))
        return placed.client_id

    def resumed(self) -> Small:
        """Return another core that was loaded from what this one keeps, in bytes."""
        other = Small.__new__(Small)
        other.state, other._rules = self._made(self._rules), self._rules
        kept = canonical(dump_state(self.state))
        load_state(other.state, json.loads(kept))
        assert canonical(dump_state(other.state)) == kept
        other.seq, other.at, other.heard = self.seq, self.at, list(self.heard)
        return other


def told(effects: list[Effect]) -> list[str]:
    """Return what people were told."""
    return [one.text for one in effects if isinstance(one, Notify)]
