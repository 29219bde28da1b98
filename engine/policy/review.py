"""The one gate every order passes: a proposal comes out Approved or Refused, with its reason.

Only this module can build an `Approved`, and only an `Approved` can be planned, so an
order nobody checked is a type error. What it decides is the level table, the restraints
for the order at hand, the grants of makers, and the entry rules; what reduces exposure
passes at every level and skips the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from engine.model.instruments import Instrument
from engine.model.orders import PROTECTIVE_INTENTS, Exposure, Intent, OrderKind, Proposal, Side
from engine.model.restraints import InForce, Level, Restraint
from engine.model.truth import Truth
from engine.policy.exposure import largest, reduces_exposure
from engine.policy.join import OrderKey, Policy, binding, join_all
from engine.policy.quotes import quote_left

_SEAL = object()


@dataclass(frozen=True, slots=True)
class Approved:
    """A proposal that may be sent, at the size that is allowed. Built by `review` alone."""

    proposal: Proposal
    policy_version: int
    asked: Decimal | None
    """The quantity before cutbacks; None for a whole position."""
    _seal: object

    def __post_init__(self) -> None:
        if self._seal is not _SEAL:
            raise TypeError("only engine.policy.review.review may approve an order")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A proposal that may not be sent: which limit, what it allows, what was asked, whose rule."""

    proposal: Proposal
    reason: str
    limit: str
    allowed: str
    asked: str
    rules: tuple[str, ...] = ()

    def detail(self) -> str:
        """Return the refusal as one readable phrase."""
        return f"{self.limit}: allowed {self.allowed}, asked {self.asked}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one entry rule said of one order: TRUE refuses, and so does UNKNOWN."""

    rule: str
    truth: Truth
    reasons: tuple[str, ...]
    inputs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What review must know beyond the proposal. The callables ask the rules, and only for orders that need it."""

    policy: Policy
    instrument: Instrument | None
    exposure: Exposure
    unmet: Callable[[OrderKey], tuple[InForce, ...]]
    """Restraints of rules that have no instance for this order yet: they count as unknown."""
    judge: Callable[[dict[str, float | str], dict[str, str]], Sequence[Verdict]]
    maker_granted: Callable[[str, str, str], tuple[bool, tuple[str, ...]]]
    quote_preference: tuple[str, ...] = ()
    """Which quote takes over where one is denied, the most wanted first."""
    elsewhere_usd: Callable[[], Decimal | None] = Decimal
    """What all else of the account may come to beside the order's own symbol; None where nobody can tell."""


def review(proposal: Proposal, now: Circumstances) -> Approved | Refused:
    """Return `proposal` approved at its allowed size, or refused with the first reason that holds."""
    if now.instrument is None:
        return _refuse(proposal, "no_instrument", "metadata", "a known instrument", proposal.symbol)
    broken = _unsound(proposal)
    if broken:
        return _refuse(proposal, "malformed", "shape", "a sound order", broken)
    if reduces_exposure(proposal, now.exposure, now.instrument.kind):
        return _approve_exit(proposal, now, now.instrument)
    if proposal.intent in PROTECTIVE_INTENTS:
        held = f"position {now.exposure.position}"
        return _refuse(proposal, "not_reducing", "exposure", f"only what reduces {held}", _asked(proposal))
    return _review_entry(proposal, now, now.instrument)


def _unsound(proposal: Proposal) -> str:
    numbers = (proposal.quantity, proposal.limit_price, proposal.trigger_price, proposal.reference_price)
    for number in numbers:
        if number is not None and not (number.is_finite() and number > 0):
            return f"a number that is not above zero: {number}"
    if proposal.kind is OrderKind.LIMIT and proposal.limit_price is None:
        return "a limit order without a price"
    if proposal.kind in (OrderKind.STOP_MARKET, OrderKind.TAKE_PROFIT_MARKET) and proposal.trigger_price is None:
        return "a conditional order without a trigger"
    if (proposal.quantity is None) != proposal.close_position:
        return "a quantity is needed, except to close a whole position"
    return ""


def _approve_exit(proposal: Proposal, now: Circumstances, instrument: Instrument) -> Approved | Refused:
    if proposal.quantity is None:
        return Approved(proposal, now.policy.version, None, _SEAL)
    quantity = instrument.floor_quantity(proposal.quantity)
    if quantity <= 0:
        return _refuse(proposal, "below_step", "step", str(instrument.step), _asked(proposal))
    return Approved(replace(proposal, quantity=quantity), now.policy.version, proposal.quantity, _SEAL)


def _review_entry(proposal: Proposal, now: Circumstances, instrument: Instrument) -> Approved | Refused:
    key = (proposal.account, proposal.venue, proposal.symbol, proposal.intent.value)
    unmet = now.unmet(key)
    in_force = (*now.policy.matching(key), *unmet)
    restraint = join_all(item.restraint for item in in_force)
    refusal = _forbidden(proposal, restraint, binding(in_force))
    if refusal is None and instrument.quote in restraint.deny_quotes:
        left = quote_left(now.quote_preference, restraint.deny_quotes)
        allowed = "none, and none is left" if left is None else f"{left}, the next preferred quote"
        refusal = _refuse(proposal, "quote_denied", "deny_quotes", allowed, instrument.quote, binding(in_force))
    if refusal is not None:
        return refusal
    if proposal.post_only:
        granted, why = now.maker_granted(proposal.venue, proposal.symbol, proposal.intent.value)
        if not granted:
            return _refuse(proposal, "maker_denied", "maker gate", "a current grant", ", ".join(why) or "none", why)
    sized = _sized(proposal, instrument, restraint, binding(in_force))
    if isinstance(sized, Refused):
        return sized
    return _judged(sized, proposal, now)


def _forbidden(proposal: Proposal, restraint: Restraint, rules: tuple[str, ...]) -> Refused | None:
    highest = Level.ENTRIES_PAUSED if proposal.intent is Intent.HEDGE else Level.NORMAL
    if restraint.level > highest:
        return _refuse(proposal, "level", "level", f"up to {highest.word}", f"at {restraint.level.word}", rules)
    if proposal.intent.value in restraint.mute:
        return _refuse(proposal, "muted", "mute", "other intents", proposal.intent.value, rules)
    if proposal.symbol in restraint.deny:
        return _refuse(proposal, "denied", "deny", "other symbols", proposal.symbol, rules)
    return None


def _sized(
    proposal: Proposal, instrument: Instrument, restraint: Restraint, rules: tuple[str, ...]
) -> Proposal | Refused:
    if proposal.quantity is None:
        return _refuse(proposal, "malformed", "shape", "a quantity", "a whole position")
    quantity = proposal.quantity * Decimal(str(restraint.size_mult))
    price = proposal.limit_price or proposal.reference_price
    unit = price * instrument.contract_size
    if restraint.max_notional_usd is not None:
        quantity = min(quantity, restraint.max_notional_usd / unit)
    if proposal.at_most is not None:
        quantity = min(quantity, proposal.at_most)
    quantity = instrument.floor_quantity(min(quantity, instrument.max_quantity))
    if quantity < max(instrument.min_quantity, instrument.step):
        return _refuse(proposal, "below_step", "size", f"at least {instrument.min_quantity}", str(quantity), rules)
    if quantity * unit < instrument.min_notional:
        least = f"at least {instrument.min_notional}"
        return _refuse(proposal, "min_notional", "venue minimum", least, str(quantity * unit), rules)
    return replace(proposal, quantity=quantity)


def _judged(sized: Proposal, asked: Proposal, now: Circumstances) -> Approved | Refused:
    assert now.instrument is not None and sized.quantity is not None
    order = bound_facts(sized, sized.quantity, now)
    labels = {
        "account": sized.account, "venue": sized.venue, "symbol": sized.symbol, "intent": sized.intent.value,
    }
    for verdict in now.judge(order, labels):
        if verdict.truth is not Truth.FALSE:
            inputs = ", ".join(f"{name}={value}" for name, value in verdict.inputs)
            what = inputs if verdict.truth is Truth.TRUE else f"unknown ({', '.join(verdict.reasons)}); {inputs}"
            return _refuse(asked, verdict.rule, verdict.rule, "what the rule lets through", what, (verdict.rule,))
    return Approved(sized, now.policy.version, asked.quantity, _SEAL)


def order_facts(
    proposal: Proposal, quantity: Decimal, instrument: Instrument | None
) -> dict[str, float | str]:
    """Return the order-scope signals of `proposal` at `quantity`."""
    price = proposal.limit_price or proposal.reference_price
    size = Decimal(1) if instrument is None else instrument.contract_size
    return {
        "order_notional_usd": float(quantity * price * size), "order_quantity": float(quantity),
        "order_side": proposal.side.value, "order_intent": proposal.intent.value, **dict(proposal.facts),
    }


def bound_facts(proposal: Proposal, quantity: Decimal, now: Circumstances) -> dict[str, float | str]:
    """Return the order-scope signals of `proposal` at `quantity`, with those that depend on what else is open.

    What the account comes to with this order is left out where something else of it has no
    known price: then it is not known, and a rule over it refuses.
    """
    facts = order_facts(proposal, quantity, now.instrument)
    elsewhere = now.elsewhere_usd()
    if elsewhere is None or now.instrument is None:
        return facts
    # At the worse of both prices: an order with a limit may pay up to it.
    unit = max(proposal.reference_price, proposal.limit_price or Decimal(0)) * now.instrument.contract_size
    side = "buys" if proposal.side is Side.BUY else "sells"
    facts["order_exposure_after_usd"] = float(elsewhere + largest(now.exposure, **{side: quantity}) * unit)
    return facts


def _refuse(  # noqa: PLR0913 -- the fields of a refusal, in their order
    proposal: Proposal, reason: str, limit: str, allowed: str, asked: str, rules: tuple[str, ...] = ()
) -> Refused:
    return Refused(proposal=proposal, reason=reason, limit=limit, allowed=allowed, asked=asked, rules=rules)


def _asked(proposal: Proposal) -> str:
    return "the whole position" if proposal.quantity is None else f"{proposal.side.value} {proposal.quantity}"


__all__ = ["Approved", "Circumstances", "Refused", "Verdict", "bound_facts", "order_facts", "review"]
