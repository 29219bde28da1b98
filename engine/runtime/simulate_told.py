"""What the operator was told is in force: the measure for what leaves afterwards.

Kept from the commands and their answers alone. What tightens binds from its answer on; what
loosens counts from when it was asked for, because nobody knows what became of a command over
which the engine died. All times are ns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.model.effects import CommandAnswered, PlaceOrder
from engine.model.events import Command, SetFlagCommand, UnsetFlagCommand
from engine.model.flags import FlagValue
from engine.model.orders import Intent
from engine.model.override_commands import (
    DenyCommand,
    EndMaintenanceCommand,
    MaintenanceCommand,
    RestrictCommand,
    UndenyCommand,
    UnrestrictCommand,
    UnwaiveCommand,
    WaiveCommand,
)
from engine.model.overrides import ALL, Restriction, Waiver
from engine.model.restraints import EVERYTHING, Level, Restraint, Scope
from engine.policy.overrides import Overrides

MAINTENANCE = "maintenance"
Lease = tuple[str, object]
"""What sort of override, and which."""
FEATURES: Mapping[str, tuple[FlagValue, Intent]] = {
    "EVENT_BREAKOUT_ENABLED": (False, Intent.ENTRY), "EVENT_BREAKOUT_DRY_RUN": (True, Intent.ENTRY),
    "SCALP_ENABLED": (False, Intent.SCALP), "FUNDING_GUARD_ENABLED": (False, Intent.HEDGE),
}
"""Flag -> the value that switches a feature off, and which orders it begins something with."""
SLACK = 1.01
"""A cap in USD is worked out at another price than the order's limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An override as it was asked for; `until` 0 for no end of its own."""

    scope: Scope
    restraint: Restraint
    maker_off: bool
    until: int
    what: str


class Told:
    """See the module. `size_usd` is what an entry is worth."""

    def __init__(self, size_usd: float) -> None:
        self._size = size_usd
        self._held: dict[Lease, Asked] = {}
        self._flags: dict[str, tuple[FlagValue | None, int]] = {}
        """Value, None while nobody knows what became of a command about it, and when it ends."""
        self._waived: dict[str, int] = {}
        self.next_end: int | None = None
        """When the next override ends by itself."""

    # -- commands ------------------------------------------------------------------------------------

    def asked(self, command: Command) -> None:
        """The operator's `command` is about to be taken: what it may loosen binds no more."""
        match command:
            case UnrestrictCommand():
                self._drop("restrict", lambda one: command.which in (ALL, one.scope.symbol))
            case UndenyCommand():
                self._held.pop(("deny", command.symbol), None)
            case EndMaintenanceCommand():
                self._held.pop((MAINTENANCE, ""), None)
            case SetFlagCommand() | UnsetFlagCommand():
                self._flags[command.name] = (None, 0)
            case _:
                return
        self._reckon()

    def answered(self, command: Command, at: int, answer: CommandAnswered | None) -> str:
        """The operator was told of `command` at `at`; return what must not have been accepted, empty for nothing."""
        if isinstance(command, UnsetFlagCommand):
            self._flags.pop(command.name, None)
        if answer is None or not answer.accepted:
            return ""
        wrong = ""
        match command:
            case RestrictCommand():
                key = ("restrict", (command.scope, command.restraint, command.maker_off))
                self._hold(key, Asked(
                    scope=command.scope, restraint=command.restraint, maker_off=command.maker_off,
                    until=at + command.ttl if command.ttl else 0, what="a restriction",
                ))
            case DenyCommand():
                restraint = Restraint(deny=frozenset({command.symbol}))
                self._hold(("deny", command.symbol), Asked(
                    scope=Scope(symbol=command.symbol), restraint=restraint, maker_off=False,
                    until=at + command.ttl if command.ttl else 0, what=f"the denial of {command.symbol}",
                ))
            case MaintenanceCommand():
                self._held[MAINTENANCE, ""] = Asked(
                    scope=EVERYTHING, restraint=Restraint(level=Level.ENTRIES_PAUSED), maker_off=False,
                    until=command.until or at + command.lasts, what="the maintenance",
                )
            case WaiveCommand():
                self._waived[command.rule] = at + command.lasts
                wrong = command.rule if never_waived(command.rule) else ""
            case UnwaiveCommand():
                self._waived.pop(command.rule, None)
            case SetFlagCommand():
                self._flags[command.name] = (command.value, at + command.ttl if command.ttl else 0)
            case _:
                return ""
        self._reckon()
        return wrong

    def _hold(self, key: Lease, asked: Asked) -> None:
        """Keep the longer one of the same."""
        known = self._held.get(key)
        if known is not None and (not known.until or 0 < asked.until <= known.until):
            return
        self._held[key] = asked

    def _drop(self, kind: str, which: object) -> None:
        assert callable(which)
        self._held = {key: one for key, one in self._held.items() if key[0] != kind or not which(one)}

    def _reckon(self) -> None:
        ends = [one.until for one in self._held.values()] + [until for _, until in self._flags.values()]
        self.next_end = min((one for one in (*ends, *self._waived.values()) if one), default=None)

    # -- what it means for an order --------------------------------------------------------------------

    def flag(self, name: str, otherwise: FlagValue) -> FlagValue | None:
        """Return what the operator set `name` to, or `otherwise`; None while that is not known."""
        return self._flags[name][0] if name in self._flags else otherwise

    def waives(self, rule: str, at: int) -> bool:
        """Whether `rule` is waived at `at`."""
        return at <= self._waived.get(rule, 0)

    def waives_any(self, at: int) -> bool:
        """Whether any waiver holds at `at`."""
        return any(at <= until for until in self._waived.values())

    def forbids(self, order: PlaceOrder, at: int) -> str:
        """Return which override `order`, which adds, must not have left under; empty for none."""
        labels = {
            "account": order.account, "venue": order.venue, "symbol": order.symbol, "intent": order.intent.value,
        }
        for one in self._held.values():
            if (not one.until or at < one.until) and one.scope.matches(**labels):
                why = self._against(one, order)
                if why:
                    return f"{one.what} ({why})"
        return ""

    def _against(self, one: Asked, order: PlaceOrder) -> str:
        restraint, worth = one.restraint, float((order.quantity or 0) * order.reference_price)
        if restraint.level > (Level.ENTRIES_PAUSED if order.intent is Intent.HEDGE else Level.NORMAL):
            return restraint.level.word
        if order.intent.value in restraint.mute or order.symbol in restraint.deny:
            return "muted" if order.intent.value in restraint.mute else "denied"
        if restraint.max_notional_usd is not None and worth > float(restraint.max_notional_usd) * SLACK:
            return f"at most {restraint.max_notional_usd} USD, not {worth:.0f}"
        if order.intent is Intent.ENTRY and worth > self._size * restraint.size_mult * SLACK:
            return f"size x{restraint.size_mult:g}, not {worth:.0f} USD"
        return "no makers" if one.maker_off and order.post_only else ""

    def switched_off(self, order: PlaceOrder, at: int) -> str:
        """Return the flag that switched off what `order` begins, empty for none."""
        for name, (off, intent) in FEATURES.items():
            value, until = self._flags.get(name, (None, 0))
            if intent is order.intent and value == off and value is not None and (not until or at < until):
                return name
        return ""

    # -- and that it ends ------------------------------------------------------------------------------

    def outlived(self, overrides: Overrides, operator_flags: frozenset[str], at: int) -> list[str]:
        """Return what is still in force at `at` though its time was over before; what ended is forgotten."""
        left: list[str] = []
        for key, one in list(self._held.items()):
            if 0 < one.until < at:
                del self._held[key]
                if _is_there(overrides, key):
                    left.append(one.what)
        for rule, until in list(self._waived.items()):
            if until < at:
                del self._waived[rule]
                left += [f"the waiver of {rule}"] if _waiver_of(overrides, rule) is not None else []
        for name, (_, until) in list(self._flags.items()):
            if 0 < until < at:
                del self._flags[name]
                left += [f"the operator's {name}"] if name in operator_flags else []
        self._reckon()
        return left


def never_waived(rule: str) -> bool:
    """Whether no waiver may be taken for `rule`: stops, orders of unknown fate, and what is no rule."""
    return rule.startswith(("guard.stops", "guard.orders", "engine", "operator:")) or rule == "floor"


def _is_there(overrides: Overrides, key: Lease) -> bool:
    kind, which = key
    if kind == "deny":
        return which in overrides.denials
    if kind == MAINTENANCE:
        return overrides.maintenance is not None
    return any(_same(one, which) for one in overrides.restrictions.values())


def _same(one: Restriction, which: object) -> bool:
    return (one.scope, one.restraint, one.maker_off) == which


def _waiver_of(overrides: Overrides, rule: str) -> Waiver | None:
    return overrides.waivers.get(rule)
