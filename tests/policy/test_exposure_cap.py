"""What an order brings all that is at stake to: exact where it is asked, and every order counts for the next."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.instruments import Instrument, MarketKind
from engine.model.orders import Exposure, Intent, OrderKind, Proposal, Side
from engine.model.restraints import EVERYTHING, NONE, InForce, Restraint
from engine.policy.exposure import largest
from engine.policy.join import Policy
from engine.policy.review import Approved, Circumstances, Refused, bound_facts, review

XYZ = Instrument(
    venue="paper", symbol="XYZUSDT", base="XYZ", quote="USDT", kind=MarketKind.PERPETUAL, tick=Decimal("0.01"),
    step=Decimal("0.1"), min_quantity=Decimal("0.1"), max_quantity=Decimal(100_000), min_notional=Decimal(5),
)
BUY = Proposal(
    proposer="test", purpose="p", intent=Intent.ENTRY, venue="paper", symbol="XYZUSDT", side=Side.BUY,
    kind=OrderKind.MARKET, quantity=Decimal(10), reference_price=Decimal(2),
)
SELL = replace(BUY, side=Side.SELL)
NOTHING = Exposure()


def now(
    exposure: Exposure = NOTHING, elsewhere: Decimal | None = Decimal(0), *, restraint: Restraint = NONE
) -> Circumstances:
    """Return a world in which only what a test names is out of the ordinary."""
    in_force = InForce(
        rule="r", instance="r", scope=EVERYTHING, restraint=restraint, because="firing", since=0, ends="",
        clear_with="",
    )
    return Circumstances(
        policy=Policy((in_force,), 1), instrument=XYZ, exposure=exposure, unmet=lambda key: (),
        judge=lambda order, labels: (), maker_granted=lambda *key: (True, ()), elsewhere_usd=lambda: elsewhere,
    )


def after(proposal: Proposal, circumstances: Circumstances) -> float | str | None:
    assert proposal.quantity is not None
    return bound_facts(proposal, proposal.quantity, circumstances).get("order_exposure_after_usd")


@pytest.mark.parametrize(
    ("order", "exposure", "usd"),
    [
        (BUY, Exposure(), 20.0),
        (BUY, Exposure(position=Decimal(5)), 30.0),
        (BUY, Exposure(position=Decimal(5), open_buys=Decimal(3)), 36.0),
        # What offsets is not counted off before it has happened.
        (BUY, Exposure(position=Decimal(5), open_sells=Decimal(5)), 30.0),
        (SELL, Exposure(position=Decimal(-5), open_sells=Decimal(2)), 34.0),
        # A long that a sale turns short: the larger of the two ways it may go.
        (SELL, Exposure(position=Decimal(4)), 12.0),
        (SELL, Exposure(position=Decimal(4), open_buys=Decimal(20)), 48.0),
        (replace(BUY, limit_price=Decimal("2.5")), Exposure(position=Decimal(2)), 30.0),
        (replace(BUY, limit_price=Decimal("1.5")), Exposure(), 20.0),
    ],
)
def test_what_an_order_brings_its_symbol_to(order: Proposal, exposure: Exposure, usd: float) -> None:
    assert after(order, now(exposure)) == usd
    assert after(order, now(exposure, Decimal(1000))) == usd + 1000.0


def test_where_a_price_is_unknown_the_sum_is() -> None:
    assert after(BUY, now(elsewhere=None)) is None


@given(*[st.decimals(min_value=0, max_value=1000, places=1) for _ in range(3)], st.integers(-500, 500))
def test_more_is_never_less(buys: Decimal, sells: Decimal, more: Decimal, position: int) -> None:
    held = Exposure(position=Decimal(position), open_buys=buys, open_sells=sells)
    assert abs(held.position) <= largest(held) <= largest(held, buys=more)
    assert largest(held) <= largest(held, sells=more) <= largest(held) + more


@pytest.mark.parametrize(
    ("asked", "mult", "told"),
    [(Decimal(100), 1.0, 200.0), (Decimal(100), 0.5, 100.0), (Decimal(8), 0.5, 8.0), (Decimal(4), 1.0, 8.0)],
)
def test_rules_judge_the_size_that_is_left_by_cutbacks(asked: Decimal, mult: float, told: float) -> None:
    """So dust is refused whether a strategy asked for it or a cutback made it."""
    seen: list[dict[str, float | str]] = []

    def judge(order: dict[str, float | str], labels: dict[str, str]) -> tuple[()]:
        seen.append(order)
        return ()

    judged = replace(now(restraint=Restraint(size_mult=mult)), judge=judge)
    assert isinstance(review(replace(BUY, quantity=asked), judged), Approved)
    assert seen[0]["order_notional_usd"] == told == seen[0]["order_exposure_after_usd"]


def test_what_is_below_the_venues_own_minimum_is_refused_before_any_rule() -> None:
    verdict = review(replace(BUY, quantity=Decimal(4)), now(restraint=Restraint(size_mult=0.5)))
    assert isinstance(verdict, Refused) and verdict.reason == "min_notional"
