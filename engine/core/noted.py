"""What happens beside the signals, as history keeps it: flags, re-arms, orders, fills.

A snapshot that nobody records hears it and forgets it. Nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from engine.core.state import State
from engine.model.codec import Data
from engine.model.effects import Effect, FlagChanged, LatchCleared
from engine.model.fills import Fill
from engine.model.history import MarkKind
from engine.model.orders import PROTECTIVE_INTENTS, Proposal
from engine.model.samples import SignalSpec
from engine.policy.exposure import reduces_exposure
from engine.policy.review import Approved, Circumstances, Refused, bound_facts, order_facts
from engine.signals.catalogue import Catalogue

_BY_ITSELF = frozenset({"no_instrument", "malformed", "not_reducing"})
"""Refusals in which no rule had a say."""


def note_flags(state: State, at: int, changes: Iterable[FlagChanged]) -> None:
    """Note the values that flags have now."""
    for change in changes:
        value = state.flags.values.get(change.name)
        if value is not None:
            data = {"name": change.name, "value": value, "layer": change.layer}
            state.snapshot.note(at, MarkKind.FLAG, data)


def note_rearms(state: State, at: int, effects: Iterable[Effect]) -> None:
    """Note which latches a person ended."""
    for effect in effects:
        if isinstance(effect, LatchCleared):
            state.snapshot.note(at, MarkKind.REARM, {"latch": effect.latch, "actor": effect.actor})


def told_reload(state: State, before: Catalogue) -> Data:
    """Return a reload as its mark says it; `before` are the signals as they were until then."""
    after = state.snapshot.catalogue
    names = sorted({*before.specs, *after.specs}) if before.digest != after.digest else []
    changed = [name for name in names if _judged(before.get(name)) != _judged(after.get(name))]
    return {"generation": state.generation, "digest": state.ruling.digest, "signals": changed}


def _judged(spec: SignalSpec | None) -> SignalSpec | None:
    """Return what of a signal says which samples are believed, and for how long."""
    return None if spec is None else replace(spec, summary="", line=0, decimate=0, period=0)


def told_fill(fill: Fill) -> Data:
    """Return a fill as its mark says it."""
    return {
        "venue": fill.venue, "symbol": fill.symbol, "intent": fill.intent.value, "side": fill.side.value,
        "notional_usd": float(fill.price * fill.quantity), "liquidity": fill.liquidity.value,
    }


def told_proposal(proposal: Proposal, verdict: Approved | Refused, now: Circumstances) -> Data:
    """Return a reviewed proposal as its mark says it: what was asked, and what came of it."""
    refused = isinstance(verdict, Refused)
    # What is no sound order has no size that could be told.
    unsound = isinstance(verdict, Refused) and verdict.reason == "malformed"
    asked = Decimal(0) if unsound else _asked(proposal, now)
    facts = {"order_notional_usd": 0.0} if unsound else bound_facts(proposal, asked, now)
    return {
        "account": proposal.account, "venue": proposal.venue, "symbol": proposal.symbol,
        "quote": "" if now.instrument is None else now.instrument.quote, "intent": proposal.intent.value,
        "side": proposal.side.value, "post_only": proposal.post_only, "notional_usd": facts["order_notional_usd"],
        "order": facts, "by_rules": _by_rules(proposal, verdict, now),
        "outcome": "refused" if refused else "approved",
        "allowed_usd": 0.0 if isinstance(verdict, Refused) else _allowed(verdict, asked, now),
        "reason": verdict.reason if isinstance(verdict, Refused) else "",
        "rules": list(verdict.rules) if isinstance(verdict, Refused) else [],
    }


def _asked(proposal: Proposal, now: Circumstances) -> Decimal:
    """Return the quantity that was asked for; of a whole position what it is."""
    return abs(now.exposure.position) if proposal.quantity is None else proposal.quantity


def _allowed(approved: Approved, asked: Decimal, now: Circumstances) -> float:
    proposal = approved.proposal
    quantity = asked if proposal.quantity is None else proposal.quantity
    return float(order_facts(proposal, quantity, now.instrument)["order_notional_usd"])


def _by_rules(proposal: Proposal, verdict: Approved | Refused, now: Circumstances) -> bool:
    if isinstance(verdict, Refused):
        return verdict.reason not in _BY_ITSELF
    if now.instrument is None or proposal.intent in PROTECTIVE_INTENTS:
        return False
    return not reduces_exposure(proposal, now.exposure, now.instrument.kind)
