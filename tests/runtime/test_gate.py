"""At the wire the policy is asked again: what adds exposure stays after a restraint, what reduces it always leaves."""

from __future__ import annotations

from decimal import Decimal
from itertools import product

import pytest

from engine.model.effects import PlaceOrder
from engine.model.orders import ENTRY_INTENTS, Intent, OrderKind, Side
from engine.model.restraints import EVERYTHING, InForce, Level, Restraint
from engine.policy.join import Policy
from engine.runtime.gate import PolicyGate
from tests.core.kit import demo, fresh

ADDS = (*sorted(ENTRY_INTENTS), Intent.HEDGE)
REDUCES = tuple(intent for intent in Intent if intent not in ADDS)


def order(intent: Intent, version: int, quantity: str = "10") -> PlaceOrder:
    return PlaceOrder(
        at=1, client_id="rb-g-1", account="main", venue="paper", symbol="NOVAUSDT", side=Side.BUY,
        kind=OrderKind.MARKET, intent=intent, quantity=Decimal(quantity), limit_price=None, trigger_price=None,
        reference_price=Decimal(2), reduce_only=intent in REDUCES, close_position=False, post_only=False, purpose="x",
        policy_version=version,
    )


def held_by(restraint: Restraint) -> tuple[PolicyGate, int]:
    """Return a gate under `restraint`, and the version of the policy before it."""
    state = fresh(demo()).state
    for instrument in demo().header.instruments:
        state.look.instruments[instrument.venue, instrument.symbol] = instrument
    before = state.policy.version
    item = InForce(
        rule="r", instance="r", scope=EVERYTHING, restraint=restraint, because="firing", since=0, ends="", clear_with=""
    )
    state.policy = Policy((item,), before + 1)
    return PolicyGate(state), before


@pytest.mark.parametrize(("level", "intent"), list(product(Level, Intent)))
def test_the_level_table_holds_at_the_wire(level: Level, intent: Intent) -> None:
    gate, before = held_by(Restraint(level=level))
    highest = Level.ENTRIES_PAUSED if intent is Intent.HEDGE else Level.NORMAL
    assert bool(gate(order(intent, before))) is (intent in ADDS and level > highest)


@pytest.mark.parametrize(
    "restraint",
    [
        Restraint(mute=frozenset({"ENTRY"})), Restraint(deny=frozenset({"NOVAUSDT"})),
        Restraint(deny_quotes=frozenset({"USDT"})), Restraint(max_notional_usd=Decimal("19.99")),
    ],
)
def test_every_restraint_that_came_meanwhile_withholds_an_entry_and_no_exit(restraint: Restraint) -> None:
    gate, before = held_by(restraint)
    assert gate(order(Intent.ENTRY, before)) != ""
    assert [gate(order(intent, before)) for intent in REDUCES] == [""] * len(REDUCES)


def test_what_was_approved_under_the_policy_in_force_leaves() -> None:
    gate, before = held_by(Restraint(level=Level.HALTED))
    assert gate(order(Intent.ENTRY, before + 1)) == "", "review saw this very policy: it had its reasons"


def test_a_closed_gate_lets_only_exits_leave() -> None:
    gate, before = held_by(Restraint())
    gate.close("the engine is stopping")
    assert {gate(order(intent, before + 1)) for intent in ADDS} == {"the engine is stopping"}
    assert {gate(order(intent, before + 1)) for intent in REDUCES} == {""}
