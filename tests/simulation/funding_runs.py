"""Recorded payments through the guard: the rule alone over years, and the whole engine over days, a position held.

Years of a whole core's timers take minutes, and none of them is about funding: over a whole file the rates, the cost
and the rule run as the engine runs them, and nothing else does.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from decimal import Decimal
from heapq import merge
from pathlib import Path

from engine.adapters.notifier_print import JournalledNotifier
from engine.core.checkpoint import dump_state, load_state
from engine.core.step import Step, step, wake
from engine.model.codec import Data, canonical
from engine.model.effects import Effect, PlaceOrder, RuleMoved, TargetOpened
from engine.model.events import Event, Input, InstrumentDefined, OrderWithheld, RunMode, Start
from engine.model.fills import Position
from engine.model.flags import FlagValue
from engine.model.instruments import Instrument, MarketKind
from engine.model.ledger import OrdersView
from engine.model.market import FundingRate, Quote
from engine.model.orders import Intent, OrderKind, Proposal, Side
from engine.model.strategy import Strategy
from engine.model.time import MINUTE, MS, SECOND
from engine.model.view import StrategyView
from engine.model.wishes import Wish
from engine.ports.feed import MARKET
from engine.risk.funding import Belief, cost_pct
from engine.ruleset.library import Rules
from engine.runtime.config import load_config
from engine.runtime.gate import PolicyGate
from engine.runtime.perform import Performer
from engine.runtime.wiring import rewire
from engine.signals.funding import Known, follow
from tests.adapters.independent_funding import payments_of
from tests.conftest import ROOT
from tests.shared_data import SHARED

FUNDING = SHARED / "data" / "funding"
RULE = "guard.funding.spike"
_AGE = re.compile(r"(  - name: funding_cost_pct\n(?:    .*\n)*?    max_age: )150s")
VENUE = "paper"


def told(path: Path, symbol: str) -> list[FundingRate]:
    """Return every payment of a recorded file as the feed would tell it: the venue does not say how often."""
    return [
        FundingRate(VENUE, symbol, rate, 0, at * MS, at * MS, paid=True) for at, rate in payments_of(path)
    ]


def fired_alone(payments: Sequence[FundingRate], threshold_pct: float, side: int) -> list[int]:
    """Return when (ms) the shipped rule opened an episode for a position held all the time."""
    text, count = _AGE.subn(r"\g<1>30h", (ROOT / "conf/signals.yaml").read_text())
    assert count == 1
    rules = Rules.load(
        rules={"funding.yaml": (ROOT / "rules/guards/funding.yaml").read_text()}, signals=text,
        flags=(ROOT / "conf/flags.yaml").read_text(), values={"FUNDING_SPIKE_THRESHOLD": threshold_pct},
        at=payments[0].venue_at / SECOND,
    )
    flags = load_config(ROOT, {}).flag_book().values
    belief, known = Belief.from_flags(flags), Known()
    position = Position(account="main", venue=VENUE, symbol="X", quantity=Decimal(side))
    fired: list[int] = []
    for number, event in enumerate(payments):
        known = follow(known, event, event.venue_at)
        cost = cost_pct(position, known, event.venue_at, belief)
        if cost is not None:
            rules.feed("funding_cost_pct", cost, event.venue_at / SECOND, venue=VENUE, symbol="X")
        ends = known.paid_at + known.paid_interval + belief.silent
        if cost is not None and (number + 1 == len(payments) or payments[number + 1].venue_at > ends):
            rules.lost("funding_cost_pct", ends / SECOND, venue=VENUE, symbol="X")
        fired += [
            round(one.at / MS) for one in rules.happened()
            if isinstance(one, RuleMoved) and one.rule == RULE and (one.before, one.after) != ("clearing", "firing")
            and one.after == "firing"
        ]
    return fired


class Holder(Strategy):
    """A strategy that wants one position a symbol, once, with a stop far away: `wants` is symbol -> signed quantity."""

    def __init__(self, wants: dict[str, str]) -> None:
        self._wants = {symbol: Decimal(quantity) for symbol, quantity in wants.items()}
        self._asked: dict[str, int] = {}

    @property
    def name(self) -> str:
        return "holder"

    def interested(self, event: Event) -> bool:
        return type(event) is Quote and event.symbol in self._wants and self._asked.get(event.symbol, 0) < 2

    def on_event(self, item: Input, view: StrategyView, orders: OrdersView) -> Sequence[Wish]:
        wishes: list[Wish] = []
        for symbol, quantity in self._wants.items():
            quote, done = view.quote(VENUE, symbol), self._asked.get(symbol, 0)
            if quote is None:
                continue
            side, price = Side.BUY if quantity > 0 else Side.SELL, Decimal(str(quote.bid))
            held = view.position(VENUE, symbol).quantity
            if done == 0:
                self._asked[symbol] = 1
                wishes.append(Proposal(
                    proposer=self.name, purpose=f"{symbol}/entry", intent=Intent.ENTRY, venue=VENUE, symbol=symbol,
                    side=side, kind=OrderKind.MARKET, quantity=abs(quantity), reference_price=price,
                ))
            elif done == 1 and held:
                self._asked[symbol] = 2
                away = Decimal("0.01") if quantity > 0 else Decimal(100)
                wishes.append(Proposal(
                    proposer=self.name, purpose=f"{symbol}/stop", intent=Intent.STOP, venue=VENUE, symbol=symbol,
                    side=side.opposite, kind=OrderKind.STOP_MARKET, quantity=None, reference_price=price,
                    trigger_price=(price * away).quantize(Decimal("0.01")), close_position=True,
                ))
        return wishes

    def on_refused(self, at: int, proposal: Proposal, reason: str) -> Sequence[Wish]:
        raise AssertionError(f"{proposal.purpose} was refused: {reason}")

    def dump(self) -> Data:
        return dict(self._asked)

    def load(self, data: Data) -> None:
        self._asked = dict(data)


def perpetual(symbol: str) -> Instrument:
    """Return a perpetual that can be had as finely as one likes."""
    return Instrument(
        venue=VENUE, symbol=symbol, base=symbol.removesuffix("USDT"), quote="USDT", kind=MarketKind.PERPETUAL,
        tick=Decimal("0.01"), step=Decimal("0.001"), min_quantity=Decimal("0.001"), max_quantity=Decimal(10**9),
        min_notional=Decimal(5),
    )


def root_of(place: Path, flags: dict[str, FlagValue]) -> Path:
    """Return a configuration with the shipped funding rules and no other: what else restrains has its own tests."""
    shutil.copytree(ROOT / "conf", place / "conf")
    shutil.copy(ROOT / "RUNBOOK.md", place)
    for name in ("guards/funding.yaml", "watch/hedge.yaml"):
        (place / "rules" / name).parent.mkdir(parents=True)
        shutil.copy(ROOT / "rules" / name, place / "rules" / name)
    path = place / "conf/flags.yaml"
    lines = path.read_text().splitlines()
    for name, value in flags.items():
        lines.insert(lines.index(f"  - name: {name}") + 1, f"    value: {value}")
    path.write_text("\n".join(lines) + "\n")
    return place


def quotes(symbol: str, price: float, begin: int, around: Iterable[int]) -> list[tuple[int, Event]]:
    """Return a quote now at `begin`, and every 5 s from half a minute before each of `around` to two minutes after."""
    instants = [begin + step * SECOND for step in range(0, 60, 5)]
    for at in around:
        instants += range(at - 30 * SECOND, at + 2 * MINUTE, 5 * SECOND)
    return [
        (at, Quote(VENUE, symbol, price - 0.01, 10.0**9, price + 0.01, 10.0**9, at, at))
        for at in sorted(set(instants)) if at >= begin
    ]


class Whole:
    """A core and its paper venue on events made by a test, with a position held; killed and resumed at will."""

    def __init__(self, root: Path, wants: dict[str, str], symbols: Sequence[str], begin: int) -> None:
        self.config = load_config(root, {})
        assert self.config.usable, self.config.findings
        self.wants, self.symbols, self.begin = wants, symbols, begin
        self.at, self.seq = begin, 0
        self.effects: list[Effect] = []
        self.heard: list[bytes] = []
        self._make()
        self._take(begin, Start(
            mode=RunMode.DRY_RUN, epoch="kit", rules_digest="", catalogue_digest="", flags_digest="",
            settings_digest="", source_digest="",
        ))
        for symbol in symbols:
            self._take(begin, InstrumentDefined(instrument=perpetual(symbol), venue_at=begin))

    def _make(self) -> None:
        self.state, self.venue = rewire(self.config, frozenset({MARKET}), at=self.begin)
        self.state.strategies = (Holder(self.wants),)
        for symbol in self.symbols:
            self.venue.define(perpetual(symbol))
        self._performer = Performer(PolicyGate(self.state), self.venue, JournalledNotifier(), self._withheld)

    def _withheld(self, event: OrderWithheld) -> None:
        self._take(self.at, event)

    def play(self, events: Iterable[tuple[int, Event]], *, cut_every: int = 0) -> Whole:
        """Take `events` in their order; with `cut_every`, kill the process after each so many and go on from a dump."""
        for number, (at, event) in enumerate(events, start=1):
            self.until(at)
            if isinstance(event, Quote | FundingRate):
                self.venue.on_market(event, at)
            self._take(at, event)
            if cut_every and number % cut_every == 0:
                self.cut()
        return self

    def until(self, at: int) -> None:
        """Let everything happen that is due before `at`."""
        while True:
            woken, due = self.state.wake_at, self.venue.next_due()
            soonest = min((one for one in (woken, due) if one is not None), default=at)
            if soonest >= at:
                return
            if due is not None and due == soonest:
                for reaches_at, answer in self.venue.pop_due(due):
                    self._take(reaches_at, answer)
            else:
                self.at = max(self.at, soonest)
                self._after(wake(self.state, self.at))

    def cut(self) -> None:
        """The process dies; another goes on from what was kept."""
        core, venue = dump_state(self.state), self.venue.dump()
        kept = canonical(core)
        self._make()
        load_state(self.state, core)
        self.venue.load(venue)
        assert canonical(dump_state(self.state)) == kept

    def _take(self, at: int, event: Event) -> None:
        self.at = max(self.at, at)
        self.seq += 1
        self._after(step(self.state, Input(self.seq, self.at, event)))

    def _after(self, made: Step) -> None:
        for effect in made.effects:
            self.effects.append(effect)
            self._performer.perform(effect, self.at)

    # What came of it.

    def held(self, symbol: str) -> Decimal:
        """Return what is held of `symbol`, as the core counts it."""
        return self.state.execution.position("main", VENUE, symbol).quantity

    def fired(self) -> list[int]:
        """Return when (ms) an episode of the guard opened."""
        return [
            one.at // MS for one in self.effects
            if isinstance(one, RuleMoved) and one.rule == RULE and (one.before, one.after) == ("pending", "firing")
        ]

    def targets(self, kind: str) -> list[TargetOpened]:
        """Return the targets that actions opened."""
        return [one for one in self.effects if isinstance(one, TargetOpened) and one.kind == kind]

    def orders(self, intent: Intent) -> list[PlaceOrder]:
        """Return the orders that left."""
        return [one for one in self.effects if isinstance(one, PlaceOrder) and one.intent is intent]


def in_order(*streams: Sequence[tuple[int, Event]]) -> list[tuple[int, Event]]:
    """Return all events by their instants."""
    return list(merge(*(sorted(stream, key=lambda timed: timed[0]) for stream in streams), key=lambda timed: timed[0]))


__all__ = ["FUNDING", "Holder", "Whole", "fired_alone", "in_order", "quotes", "root_of", "told"]
