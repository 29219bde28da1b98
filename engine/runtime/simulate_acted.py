"""What the actions of rules did: trims, exits and hedges, judged from the wire and the venue's trades.

An action is one target, worked out once. What is sent toward it may neither pass it nor add,
and what a hedge filled is held only while what it stands against is. Quantities in base.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from engine.exchange.exchange import SimulatedExchange
from engine.model.effects import PlaceOrder, TargetOpened
from engine.model.flags import FlagValue
from engine.model.orders import Intent

TRIM, EXIT, HEDGE = "trim_pct", "exit_risk", "hedge_ratio"
ON_ITS_WAY = 2_000_000_000
"""An order that is not at the venue this long (ns) after it was sent never will be."""
_UNWANTED = ((TRIM, "FUNDING_TRIM_PCT"), (EXIT, "DEPEG_EXIT_RISK"), (HEDGE, "FUNDING_HEDGE_RATIO"))
"""What each sort of target is of, and the flag that says whether there are any."""
Key = tuple[str, str]
"""(venue, symbol)."""


@dataclass(slots=True)
class _Toward:
    """The targets of one symbol since it was last flat, and what was sent toward them."""

    tightest: Decimal
    trimmed: Decimal | None
    """The most that its trims were to take away, None where something else was to close it too."""
    opened_at: int
    sent: list[tuple[str, Decimal, int]] = field(default_factory=list)


class Acted:
    """See the module. `flag` says what the operator wants of a flag now."""

    def __init__(self, exchange: SimulatedExchange, flag: Callable[[str], FlagValue | None]) -> None:
        self._exchange, self._flag = exchange, flag
        self._toward: dict[Key, _Toward] = {}
        self._names: set[str] = set()
        self._hedged: dict[str, Key] = {}
        """Of each hedge: what it stands against."""
        self._wanted = Decimal(0)
        self._largest = Decimal(0)
        self._market: Key | None = None
        """Where hedges are held."""
        self._hedge_orders: dict[str, tuple[str, Decimal, int]] = {}
        """client id -> (purpose, signed quantity, when it was sent)."""
        self._over: set[str] = set()
        """Orders of which the venue told that nothing (more) comes of them."""
        self._counted = 0
        self._filled: dict[str, Decimal] = {}

    def begun(self, opened: Iterable[TargetOpened]) -> None:
        """Another process goes on from the targets that are in the journal."""
        known = [one for one in opened if one.name + one.kind + one.symbol not in self._names]
        for one in known:
            self.opened(one)

    def opened(self, target: TargetOpened) -> str:
        """Hear of a target; return what is wrong with it, empty for nothing."""
        name = target.name + target.kind + target.symbol
        again, wrong = name in self._names, ""
        self._names.add(name)
        for kind, flag in _UNWANTED:
            # What was worked out while the flag said so goes on; nothing new is.
            if target.kind == kind and not again and str(self._flag(flag)) in ("0", "0.0", "false"):
                wrong = f"{target.name} acts on {target.symbol} though {flag} is {self._flag(flag)}"
        wished = self._flag("DEPEG_EXIT_RISK")
        if target.kind == EXIT and wished is not None and target.dry_run != (wished == "dry_run"):
            wrong = f"{target.name} closes {target.symbol} though DEPEG_EXIT_RISK is {wished}"
        if target.kind == HEDGE:
            if not again:
                self._open_hedge(target)
            return wrong
        if target.dry_run or again:
            return wrong
        key = (target.venue, target.symbol)
        share = self._share(target)
        toward = self._toward.get(key)
        if toward is None:
            self._toward[key] = _Toward(abs(target.quantity), share, target.at)
        else:
            toward.tightest, toward.opened_at = min(toward.tightest, abs(target.quantity)), target.at
            both = share is not None and toward.trimmed is not None
            toward.trimmed = (toward.trimmed or Decimal(0)) + (share or Decimal(0)) if both else None
        return wrong

    def _share(self, target: TargetOpened) -> Decimal | None:
        pct = Decimal(str(self._flag("FUNDING_TRIM_PCT") or 0))
        if target.kind != TRIM or not 0 < pct < 100:
            return None
        return abs(target.quantity) * pct / (100 - pct)

    def _open_hedge(self, target: TargetOpened) -> None:
        venue, _, symbol = target.name.split("/")[1].partition(",")
        self._hedged[target.name] = (venue, symbol)
        self._market = (target.venue, target.symbol)
        self._wanted += abs(target.quantity)
        self._largest = max(self._largest, abs(target.quantity))

    # -- the wire --------------------------------------------------------------------------------------

    def reducing(self, order: PlaceOrder, at: int) -> str:
        """Judge an order of a target, or one that takes a hedge back; return what is wrong with it."""
        key = (order.venue, order.symbol)
        if "/hedge/" in order.purpose and order.quantity is not None and order.intent is Intent.EXIT:
            self._hedge_orders[order.client_id] = (order.purpose, order.side.sign * order.quantity, at)
        toward = self._toward.get(key)
        if toward is None or "/target/" not in order.purpose or order.quantity is None:
            return ""
        on_the_way = Decimal(0)
        working = {one.order.client_id: one for one in self._exchange.open_orders()}
        done = self._fills(client_id for client_id, _, _ in toward.sent)
        for client_id, quantity, sent_at in toward.sent:
            if client_id in working or self._may_arrive(client_id, done, at - sent_at):
                on_the_way += quantity - done.get(client_id, Decimal(0))
        toward.sent.append((order.client_id, order.quantity, at))
        left = abs(self._exchange.position(*key).quantity) - on_the_way - order.quantity
        step = self._step(key)
        if toward.trimmed is None or left >= toward.tightest - step:
            # What is to be nothing cannot be passed: it only reduces.
            return ""
        taken = sum(done.values(), Decimal(0)) + on_the_way + order.quantity
        if taken <= toward.trimmed + step:
            # Something else closed the rest meanwhile.
            return ""
        return f"leaves {left} {order.symbol} where {toward.tightest} was to be left; it took {taken} in all"

    def hedging(self, order: PlaceOrder, at: int) -> str:
        """Judge an order that opens a hedge; return what is wrong with it."""
        assert order.quantity is not None
        same = [one for one, (purpose, _, _) in self._hedge_orders.items() if purpose == order.purpose]
        opens = [one for one, (purpose, _, _) in self._hedge_orders.items() if "/back/" not in purpose]
        self._hedge_orders[order.client_id] = (order.purpose, order.side.sign * order.quantity, at)
        step = self._step((order.venue, order.symbol))
        once, total = self._come_to(same, at) + order.quantity, self._come_to(opens, at) + order.quantity
        if once > self._largest + step:
            return f"makes {once} for one hedge, the largest was to be {self._largest}"
        if total > self._wanted + step * len(self._hedged):
            return f"makes {total} in all, {self._wanted} was to be hedged"
        return ""

    def _come_to(self, client_ids: list[str], at: int) -> Decimal:
        """Return what these orders filled, and may fill."""
        done, total = self._fills(client_ids), Decimal(0)
        working = {one.order.client_id for one in self._exchange.open_orders()}
        for client_id in client_ids:
            _, quantity, sent_at = self._hedge_orders[client_id]
            filled = done.get(client_id, Decimal(0))
            under_way = client_id in working or self._may_arrive(client_id, done, at - sent_at)
            total += abs(quantity) if under_way else filled
        return total

    def _may_arrive(self, client_id: str, done: dict[str, Decimal], ago: int) -> bool:
        return client_id not in done and client_id not in self._over and ago <= ON_ITS_WAY

    def over(self, client_id: str) -> None:
        """Hear from the venue that an order was refused, or taken back."""
        self._over.add(client_id)

    def _step(self, key: Key) -> Decimal:
        desk = self._exchange.desk(*key)
        return Decimal(0) if desk is None or desk.instrument is None else desk.instrument.step

    def _fills(self, client_ids: Iterable[str]) -> dict[str, Decimal]:
        """Return what each order filled at the venue."""
        trades = self._exchange.trades()
        for fill in trades[self._counted:]:
            self._filled[fill.client_id] = self._filled.get(fill.client_id, Decimal(0)) + fill.quantity
        self._counted = len(trades)
        return {one: self._filled[one] for one in client_ids if one in self._filled}

    # -- what is so ------------------------------------------------------------------------------------

    def look(self, at: int) -> None:
        """Forget the targets of what is flat."""
        for key in [key for key, one in self._toward.items() if at - one.opened_at > 60 * ON_ITS_WAY]:
            if not self._exchange.position(*key).quantity:
                del self._toward[key]

    def naked(self) -> Decimal:
        """Return how much hedge there is while nothing is held that it stands against: signed, 0 for none."""
        if self._market is None or not self._hedge_orders:
            return Decimal(0)
        held = self._exchange.position(*self._market).quantity
        if not held or any(self._exchange.position(*key).quantity for key in self._hedged.values()):
            return Decimal(0)
        done = self._fills(self._hedge_orders)
        net = sum(
            (filled if self._hedge_orders[one][1] > 0 else -filled for one, filled in done.items()), Decimal(0)
        )
        if net * held <= 0:
            return Decimal(0)
        return min(net, held) if held > 0 else max(net, held)
