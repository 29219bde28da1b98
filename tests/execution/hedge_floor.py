"""A floor on which a position is hedged in another market, and the episodes that ask for it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from engine.execution.hedge_open import PROPOSER
from engine.model.effects import Notify, PlaceOrder, TargetOpened
from engine.model.fills import Fill
from engine.model.market import Levels, Quote
from engine.model.orders import Intent, OrderKind, OrderState, Proposal, Side
from engine.model.restraints import Scope
from engine.model.terms import ExecutionTerms
from engine.model.time import SECOND
from engine.model.truth import Truth
from engine.policy.review import Approved, Refused
from engine.ruleset.latches import Episode
from engine.ruleset.spec import Action
from tests.execution.floor import Floor
from tests.execution.kit import ENTRY, XYZ

BTC = replace(XYZ, symbol="BTCUSDT", base="BTC", step=Decimal("0.5"), min_quantity=Decimal("0.5"))
RULE = "guard.funding.spike"


def episode(number: int = 1, symbol: str = "XYZUSDT", *, ratio: float = 0.5, trim: float | None = 50.0) -> Episode:
    """Return an episode that asks for a hedge of `ratio` of what a trim of `trim` per cent leaves."""
    labels = (("venue", "paper"), ("symbol", symbol))
    return Episode(
        rule=RULE, instance=f"{RULE}[paper,{symbol}]", labels=labels, number=number,
        name=f"{RULE}/paper,{symbol}/{number}", at=0, action=Action(trim_pct=trim, hedge_ratio=ratio),
        scope=Scope(venue="paper", symbol=symbol),
    )


class HedgeFloor(Floor):
    """Prices are 2 everywhere. `truth` is what the conditions of all open episodes are, `over` those that ended."""

    def __init__(self) -> None:
        self.truth = Truth.TRUE
        self.over: set[tuple[str, int]] = set()
        self.version = 0
        self.refuses = ""
        """Hedges are refused by policy for this reason, while it is not empty."""
        self.books: dict[str, tuple[Levels, Levels]] = {}
        """(bids, asks) by symbol, where more than nothing is known of them."""
        self.proposed: list[Proposal] = []
        super().__init__(ExecutionTerms())
        self.flags = {"FUNDING_HEDGE_STOP_PCT": 5.0}
        for symbol in ("BTCUSDT", "ABCUSDT"):
            self.instruments["paper", symbol] = replace(BTC if symbol == "BTCUSDT" else XYZ, symbol=symbol)
        self.fresh()

    def fresh(self) -> None:
        """Let every market be quoted now."""
        for _, symbol in self.instruments:
            self.quotes["paper", symbol] = Quote("paper", symbol, 1.99, 1.0, 2.01, 1.0, self.at, self.at)

    def truths(self, rule: str, labels: tuple[str, ...], number: int) -> Truth | None:
        return None if (labels[1], number) in self.over else self.truth

    def depth(self, venue: str, symbol: str) -> tuple[Levels, Levels]:
        return self.books.get(symbol, ((), ()))

    def reviewed(self, proposal: Proposal) -> Approved | Refused:
        self.proposed.append(proposal)
        if self.refuses and proposal.intent is Intent.HEDGE:
            return Refused(proposal=proposal, reason=self.refuses, limit="", allowed="", asked="")
        return super().reviewed(proposal)

    def _converge(self) -> None:
        self.fresh()
        hedges = self.execution.hedges
        if hedges.wants_look(self.version):
            self.dispatch(hedges.step(self.at, self, self.truths, self.version))
        super()._converge()

    def buy(self, quantity: str, symbol: str = "XYZUSDT", side: Side = Side.BUY) -> None:
        """Hold `quantity` of `symbol`, as a strategy would."""
        purpose = f"{symbol}/{side}/{quantity}/{self.at}"
        wish = replace(ENTRY, symbol=symbol, side=side, quantity=Decimal(quantity), purpose=purpose)
        self.dispatch([wish])
        self.run(SECOND)

    def sell_off(self, symbol: str = "XYZUSDT") -> None:
        """Close all that is held of `symbol`."""
        held = self.held(symbol)
        if held:
            side = Side.SELL if held > 0 else Side.BUY
            self.dispatch([replace(
                ENTRY, symbol=symbol, side=side, quantity=abs(held), purpose=f"off/{symbol}/{self.at}",
                intent=Intent.EXIT, reduce_only=True,
            )])
        self.run(SECOND)

    def spike(self, one: Episode) -> list[TargetOpened | Notify]:
        """Let an episode open, as the core does it."""
        self.fresh()
        opened = self.execution.hedges.open(self.at, one, self)
        self._converge()
        return opened

    def end(self, number: int = 1, symbol: str = "XYZUSDT") -> None:
        """Let an episode be over."""
        self.over.add((symbol, number))
        self.version += 1
        self._converge()

    def hedge_orders(self) -> list[PlaceOrder]:
        """Return every order that was to open a hedge."""
        return [order for order in self.made(PlaceOrder) if order.intent is Intent.HEDGE]

    def hedge_fills(self) -> list[Fill]:
        """Return what the venue executed of them."""
        ids = {order.client_id for order in self.hedge_orders()}
        return [fill for fill in self.venue.trades if fill.client_id in ids]

    def btc(self) -> Decimal:
        """Return what the venue holds of BTC."""
        return self.venue.held.get("BTCUSDT", Decimal(0))

    def stops(self) -> list[PlaceOrder]:
        """Return the stops of hedges that the venue holds."""
        return [
            held.order for held in self.venue.orders.values()
            if held.order.kind is OrderKind.STOP_MARKET and held.state is OrderState.OPEN
        ]


__all__ = ["BTC", "PROPOSER", "RULE", "HedgeFloor", "episode"]
