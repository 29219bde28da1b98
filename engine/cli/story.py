"""What of the effects is a story, and in which words: one decision, one line."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from engine.model.codec import decimal_text
from engine.model.effects import (
    AskVenue,
    BoundaryCrossed,
    CancelOrder,
    CommandAnswered,
    Effect,
    FillBooked,
    FlagChanged,
    HealthChanged,
    IncomeBooked,
    InternalFault,
    LatchCleared,
    LatchSet,
    MakerShadowed,
    Notify,
    OrderRefused,
    PlaceOrder,
    PlanMade,
    PolicyChanged,
    PositionAdopted,
    ReloadFailed,
    RuleMoved,
    RulingChanged,
    TargetOpened,
)
from engine.model.nightly import OffendersJudged, RiskMeasured
from engine.model.orders import Intent
from engine.model.overrides import OverrideBegan, OverrideEnded
from engine.model.reports import IncomeKind


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the story: when, who, its state, why, and what it does."""

    at: int
    who: str
    state: str
    why: str
    effect: str
    colour: str
    wait_s: float
    again: str = ""
    """What a repetition for the same `who`, `state` and `effect` is counted as; empty if each is told."""


_ARGUMENTS = re.compile(r",[^()]*\)")
"""The window and labels of a function: in a story its name and its signal say enough."""
_BY_RULE = "allowed what the rule lets through, asked "
_TRAILED = "trailed"
_STATE_COLOURS = {
    "firing": "red", "held": "yellow", "pending": "yellow", "clearing": "cyan", "cooldown": "cyan", "inactive": "green",
}


def told(effect: Effect) -> Line | str | None:
    """Return the line that tells `effect`, the word it is counted under, or None where another effect tells it."""
    return _TELLERS[type(effect)](effect)


def _moved(effect: RuleMoved) -> Line:
    read = ", ".join(f"{_ARGUMENTS.sub(')', name)} = {value}" for name, value in effect.inputs)
    # Doubt already names what it is about; what is known of the rest would only hide it.
    why = effect.why if not read or effect.why.startswith("unknown") else f"{effect.why}: {read}"
    colour = _STATE_COLOURS.get(effect.after, "yellow")
    return Line(effect.at, effect.instance, f"{effect.before} > {effect.after}", why, effect.restrains, colour, 0.5)


def _latch_set(effect: LatchSet) -> Line:
    boundary = " or the daily boundary" if effect.mode == "boundary" else ""
    why = f"stays until `engine rearm {effect.number}`{boundary}"
    return Line(effect.at, effect.latch, f"latch {effect.number} set", why, effect.restrains, "red", 0.8)


def _latch_cleared(effect: LatchCleared) -> Line:
    why = f"{effect.actor}: {effect.why}"
    return Line(effect.at, effect.latch, f"latch {effect.number} ended", why, "", "green", 0.8)


def _policy(effect: PolicyChanged) -> Line:
    parts = [f"level {effect.level}"]
    if effect.size_mult < 1:
        parts.append(f"size x{effect.size_mult:g}")
    if effect.max_notional_usd is not None:
        parts.append(f"at most {decimal_text(effect.max_notional_usd)} USD")
    for what, names in (("mute", effect.mute), ("deny", effect.deny), ("deny quotes", effect.deny_quotes)):
        if names:
            parts.append(f"{what} {', '.join(names)}")
    why = "by " + ", ".join(effect.binding) if effect.binding else "nothing restrains"
    free = effect.level == "normal" and len(parts) == 1
    colour = "green" if free else "red" if effect.level == "halted" else "yellow"
    return Line(effect.at, "policy", "stricter" if effect.stricter else "looser", why, ", ".join(parts), colour, 0.4)


def _placed(effect: PlaceOrder) -> Line | str:
    if effect.intent is Intent.STOP:
        return "stops placed or moved"
    if effect.intent is Intent.TAKE_PROFIT:
        return "take-profits placed or moved"
    size = "all" if effect.quantity is None else decimal_text(effect.quantity)
    price = effect.limit_price or effect.trigger_price
    at_price = f" at {decimal_text(price)}" if price is not None else f" near {_short(effect.reference_price)}"
    what = f"{effect.side.value} {size} {effect.symbol} {effect.kind.value}{at_price}"
    colour = "cyan" if effect.intent in (Intent.ENTRY, Intent.SCALP) else "blue"
    return Line(effect.at, f"order {effect.client_id}", effect.intent.value, effect.purpose, what, colour, 0.25)


def _refused(effect: OrderRefused) -> Line:
    who = effect.rules[0] if effect.rules else f"refused {effect.reason}"
    wish = f"no {effect.intent.value.lower()} of {effect.symbol}"
    state = "refused" if effect.reason == who else f"refused ({effect.reason})"
    why = effect.detail.removeprefix(f"{who}: {_BY_RULE}")
    return Line(effect.at, who, state, why, wish, "yellow", 0.25, again="refusals of the same kind")


def _planned(effect: PlanMade) -> Line:
    who = f"{effect.strategy} {effect.symbol}"
    again = "further rises of a stop" if effect.state == _TRAILED else ""
    return Line(effect.at, who, effect.state, effect.text, "", "cyan", 0.3, again=again)


def _filled(effect: FillBooked) -> Line:
    fill = effect.fill
    cost = f", {effect.slippage_bps:+.1f} bps from the decision" if effect.decided_price > 0 else ""
    what = f"{fill.side.value} {decimal_text(fill.quantity)} {fill.symbol} at {decimal_text(fill.price)}"
    why = f"{effect.purpose or 'not ours'}, {fill.liquidity.value}{cost}"
    left = f"{what}; position {decimal_text(effect.position)}"
    return Line(effect.at, f"fill {fill.client_id}", fill.intent.value, why, left, "cyan", 0.25)


def _income(effect: IncomeBooked) -> Line | str:
    entry = effect.entry
    if entry.kind is not IncomeKind.FUNDING:
        return "movements of the balance"
    why = f"{entry.symbol}: {decimal_text(entry.amount)} {entry.asset}"
    return Line(effect.at, "funding", entry.kind.value, why, "", "cyan", 0.1)


def _adopted(effect: PositionAdopted) -> Line:
    what = f"{effect.symbol}: {decimal_text(effect.counted)} counted, {decimal_text(effect.quantity)} at the venue"
    return Line(effect.at, "position adopted", effect.venue, effect.why, what, "red", 0.5)


def _target(effect: TargetOpened) -> Line:
    goal = "flat" if effect.quantity == 0 else decimal_text(effect.quantity)
    how = ", dry run: nothing is sent" if effect.dry_run else ", reduce-only"
    what = f"{effect.symbol} to {goal}" + ("" if effect.kind == "hedge_ratio" else how)
    return Line(effect.at, effect.name, effect.kind, "the episode opened", what, "red", 0.4)


def _notified(effect: Notify) -> Line | str:
    if effect.to == "digest":
        return "notes for the digest"
    if not effect.told:
        return "notes for the journal"
    return Line(effect.at, f"{effect.to} to a person", "sent", effect.text, "", "yellow", 0.4)


def _flag(effect: FlagChanged) -> Line:
    why = f"{effect.before} > {effect.after}" + (f": {effect.reason}" if effect.reason else "")
    return Line(effect.at, effect.name, f"by {effect.actor}" if effect.actor else effect.layer, why, "", "cyan", 0.4)


def _answered(effect: CommandAnswered) -> Line:
    done = "done" if effect.accepted else "refused"
    return Line(effect.at, f"engine {effect.verb}", done, effect.text, "", "cyan" if effect.accepted else "red", 0.4)


def _risk(effect: RiskMeasured) -> Line | None:
    if not effect.held:
        return None
    why = f"{effect.confidence_pct:g} % of {len(effect.results)} days, {effect.quantile}"
    what = f"{decimal_text(effect.var_usd)} USD at risk in {len(effect.held)} positions"
    return Line(effect.at, "value at risk", "measured", why, what, "blue", 0.3)


def _offenders(effect: OffendersJudged) -> Line | None:
    if not effect.offences:
        return None
    why = "; ".join(f"{one.symbol}: {one.reason}" for one in effect.offences)
    return Line(effect.at, "denylist", "refresh", why, "for conf/event_denylist.txt of a live run", "yellow", 0.3)


def _laid(_: OverrideBegan) -> None:
    # The answer to the command tells it.
    return None


def _taken_off(effect: OverrideEnded) -> Line | None:
    if effect.actor != "engine" or effect.kind in ("waiver", "maintenance"):
        # Whoever ended it was answered, and of these two people are told in any case.
        return None
    return Line(effect.at, effect.name, f"{effect.kind} ends", effect.why, "", "cyan", 0.4)


def _boundary(effect: BoundaryCrossed) -> Line:
    why = "a new day: boundary latches end, the loss counts anew"
    return Line(effect.at, "daily boundary", effect.day, why, "", "cyan", 0.5)


def _ruling(effect: RulingChanged) -> Line:
    changed = f"{effect.changed[0]}" if effect.changed else "nothing that decides"
    more = f" (and {len(effect.changed) - 1} more)" if len(effect.changed) > 1 else ""
    who = f"; acknowledged by {effect.acknowledged_by}" if effect.acknowledged_by else ""
    kept = f"{effect.carried} rule instances carried, {effect.begun} new"
    left = f"; latches without a rule: {', '.join(effect.orphaned)}" if effect.orphaned else ""
    return Line(
        effect.at, f"reload by {effect.actor}", f"generation {effect.generation}", changed + more + who, kept + left,
        "cyan", 0.5,
    )


def _reload_failed(effect: ReloadFailed) -> Line:
    return Line(effect.at, "engine.reload_failed", "refused", effect.what, "what was in force stays", "red", 0.5)


def _fault(effect: InternalFault) -> Line:
    return Line(effect.at, "internal fault", "halted", effect.what, "level halted", "red", 1.0)


def _health(_: HealthChanged) -> str:
    # What degrades or halts stands in the story already, as the rule that says so.
    return "changes of health"


def _cancelled(_: CancelOrder) -> str:
    return "cancels"


def _asked(_: AskVenue) -> str:
    return "questions to the venue"


def _shadowed(_: MakerShadowed) -> str:
    return "maker orders that were only followed"


def _short(price: Decimal) -> str:
    return f"{price:.6g}"


_TELLERS: dict[type, Callable[[Any], Line | str | None]] = {
    RuleMoved: _moved,
    LatchSet: _latch_set,
    LatchCleared: _latch_cleared,
    PolicyChanged: _policy,
    PlaceOrder: _placed,
    CancelOrder: _cancelled,
    OrderRefused: _refused,
    PlanMade: _planned,
    TargetOpened: _target,
    Notify: _notified,
    FlagChanged: _flag,
    CommandAnswered: _answered,
    OverrideBegan: _laid, OverrideEnded: _taken_off,
    BoundaryCrossed: _boundary, RiskMeasured: _risk, OffendersJudged: _offenders,
    RulingChanged: _ruling,
    ReloadFailed: _reload_failed,
    HealthChanged: _health, InternalFault: _fault,
    AskVenue: _asked,
    FillBooked: _filled,
    IncomeBooked: _income,
    PositionAdopted: _adopted,
    MakerShadowed: _shadowed,
}
