"""Every cell of the level table, and every way an order can be refused."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import product

import pytest

from engine.model.instruments import Instrument, MarketKind
from engine.model.orders import Exposure, Intent, OrderKind, Proposal, Side
from engine.model.restraints import EVERYTHING, NONE, InForce, Level, Restraint
from engine.model.truth import Truth
from engine.policy.join import Policy
from engine.policy.review import Approved, Circumstances, Refused, Verdict, review

PERPETUAL = Instrument(
    venue="paper", symbol="XYZUSDT", base="XYZ", quote="USDT", kind=MarketKind.PERPETUAL, tick=Decimal("0.01"),
    step=Decimal("0.1"), min_quantity=Decimal("0.1"), max_quantity=Decimal(10_000), min_notional=Decimal(5),
)
SPOT = replace(PERPETUAL, kind=MarketKind.SPOT)
ENTRY = Proposal(
    proposer="test", purpose="p", intent=Intent.ENTRY, venue="paper", symbol="XYZUSDT", side=Side.BUY,
    kind=OrderKind.MARKET, quantity=Decimal(10), reference_price=Decimal(10),
)
EXIT = replace(ENTRY, intent=Intent.EXIT, side=Side.SELL, reduce_only=True)
LONG = Exposure(position=Decimal(10))


def imposed(restraint: Restraint) -> InForce:
    """Return `restraint` as a rule imposes it on everything."""
    return InForce(
        rule="guard.test", instance="guard.test", scope=EVERYTHING, restraint=restraint, because="firing", since=0,
        ends="", clear_with="",
    )


def circumstances(
    restraint: Restraint = NONE, *, exposure: Exposure = LONG, instrument: Instrument | None = PERPETUAL,
    verdicts: tuple[Verdict, ...] = (), granted: bool = True, unmet: tuple[InForce, ...] = (),
) -> Circumstances:
    """Return a world in which only what the test names is out of the ordinary."""
    return Circumstances(
        policy=Policy((imposed(restraint),), 7), instrument=instrument, exposure=exposure,
        unmet=lambda key: unmet, judge=lambda order, labels: verdicts,
        maker_granted=lambda venue, symbol, intent: (granted, ()),
    )


_TABLE = {
    Level.NORMAL: {"entry", "hedge", "unwind", "exit"},
    Level.ENTRIES_PAUSED: {"hedge", "unwind", "exit"},
    Level.REDUCE_ONLY: {"unwind", "exit"},
    Level.HALTED: {"unwind", "exit"},
}
_ORDERS = {
    "entry": ENTRY,
    "hedge": replace(ENTRY, intent=Intent.HEDGE, side=Side.SELL),
    "unwind": replace(EXIT, intent=Intent.HEDGE),
    "exit": EXIT,
}


@pytest.mark.parametrize(("level", "what"), list(product(Level, _ORDERS)), ids=str)
def test_the_level_table_cell_by_cell(level: Level, what: str) -> None:
    """What reduces exposure passes at every level; hedges until entries are paused; entries only at normal."""
    verdict = review(_ORDERS[what], circumstances(Restraint(level=level)))
    assert isinstance(verdict, Approved) is (what in _TABLE[level])
    if isinstance(verdict, Refused):
        assert verdict.reason == "level" and verdict.rules == ("guard.test",)


@pytest.mark.parametrize(
    ("restraint", "reason"),
    [
        (Restraint(mute=frozenset({"ENTRY"})), "muted"),
        (Restraint(deny=frozenset({"XYZUSDT"})), "denied"),
        (Restraint(deny_quotes=frozenset({"USDT"})), "quote_denied"),
        (Restraint(size_mult=0.0), "below_step"),
        (Restraint(max_notional_usd=Decimal(4)), "min_notional"),
    ],
)
def test_each_restraint_refuses_an_entry_and_no_exit(restraint: Restraint, reason: str) -> None:
    """Cutbacks, mutes and denials stop adds; they never hold anybody in a position."""
    refused = review(ENTRY, circumstances(restraint))
    assert isinstance(refused, Refused) and refused.reason == reason
    assert isinstance(review(EXIT, circumstances(restraint)), Approved)


@pytest.mark.parametrize(("denied", "allowed"), [
    ({"USDT"}, "USDC, the next preferred quote"), ({"USDT", "USDC"}, "FDUSD, the next preferred quote"),
    ({"USDT", "USDC", "FDUSD"}, "none, and none is left"),
])
def test_a_denied_quote_says_which_is_left(denied: set[str], allowed: str) -> None:
    now = replace(
        circumstances(Restraint(deny_quotes=frozenset(denied))), quote_preference=("USDT", "USDC", "FDUSD")
    )
    refused = review(ENTRY, now)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.limit, refused.allowed, refused.asked, refused.rules) == (
        "quote_denied", "deny_quotes", allowed, "USDT", ("guard.test",)
    )


def test_a_cutback_shrinks_to_the_step_and_says_what_was_asked() -> None:
    """The size that is left is on the step, never above the share that is allowed."""
    approved = review(replace(ENTRY, quantity=Decimal("10.3")), circumstances(Restraint(size_mult=0.5)))
    assert isinstance(approved, Approved)
    assert (approved.proposal.quantity, approved.asked, approved.policy_version) == (Decimal("5.1"), Decimal("10.3"), 7)


@pytest.mark.parametrize("truth", list(Truth))
def test_an_entry_rule_that_is_true_or_unknown_refuses(truth: Truth) -> None:
    """Doubt about an order is a reason not to send it; an exit is never asked."""
    said = (Verdict(rule="entry.spread", truth=truth, reasons=("stale",), inputs=(("spread_bps", "61"),)),)
    verdict = review(ENTRY, circumstances(verdicts=said))
    assert isinstance(verdict, Approved) is (truth is Truth.FALSE)
    if isinstance(verdict, Refused):
        assert verdict.reason == "entry.spread" and "61" in verdict.detail()
    assert isinstance(review(EXIT, circumstances(verdicts=said)), Approved)


def test_a_maker_needs_a_grant() -> None:
    """Post-only orders are denied unless a gate grants them; nothing else asks the gate."""
    maker = replace(ENTRY, kind=OrderKind.LIMIT, limit_price=Decimal(10), post_only=True)
    refused = review(maker, circumstances(granted=False))
    assert isinstance(refused, Refused) and refused.reason == "maker_denied"
    assert isinstance(review(maker, circumstances(granted=True)), Approved)
    assert isinstance(review(ENTRY, circumstances(granted=False)), Approved)


def test_a_rule_without_an_instance_counts_as_unknown() -> None:
    """A label nobody has seen yet is no reason to trade it unguarded."""
    paused = imposed(Restraint(level=Level.ENTRIES_PAUSED))
    refused = review(ENTRY, circumstances(unmet=(paused,)))
    assert isinstance(refused, Refused) and refused.reason == "level"


_EXPOSURES = [
    # position, open sells, proposal changes, on a perpetual, on spot
    (10, 0, {}, True, True),
    (10, 0, {"reduce_only": False}, False, True),
    (10, 1, {}, False, False),
    (9, 0, {}, False, False),
    (0, 0, {}, False, False),
    (-10, 0, {}, False, False),
    (-10, 0, {"side": Side.BUY}, True, False),
    (10, 0, {"side": Side.BUY}, False, False),
    (10, 5, {"quantity": Decimal(5)}, True, True),
    (10, 0, {"quantity": None, "close_position": True}, True, False),
    (0, 0, {"quantity": None, "close_position": True}, False, False),
    (-10, 0, {"quantity": None, "close_position": True}, False, False),
]


@pytest.mark.parametrize(("position", "sells", "change", "on_perpetual", "on_spot"), _EXPOSURES)
def test_only_what_cannot_raise_or_cross_reduces(
    position: int, sells: int, change: dict[str, object], on_perpetual: bool, on_spot: bool
) -> None:
    """A protective intent that does not reduce is refused: its name gives it no right."""
    wish = replace(EXIT, **change)  # type: ignore[arg-type]
    exposure = Exposure(position=Decimal(position), open_sells=Decimal(sells))
    for instrument, expected in ((PERPETUAL, on_perpetual), (SPOT, on_spot)):
        verdict = review(wish, circumstances(exposure=exposure, instrument=instrument))
        assert isinstance(verdict, Approved) is expected
        if isinstance(verdict, Refused):
            assert verdict.reason == "not_reducing"


@pytest.mark.parametrize(
    "change",
    [
        {"quantity": Decimal("NaN")}, {"quantity": Decimal("Infinity")}, {"quantity": Decimal(0)},
        {"quantity": Decimal(-1)}, {"quantity": None}, {"reference_price": Decimal(0)}, {"kind": OrderKind.LIMIT},
        {"kind": OrderKind.STOP_MARKET}, {"close_position": True},
    ],
)
def test_a_malformed_order_is_refused(change: dict[str, object]) -> None:
    """Whatever a strategy computes, no order without a sound size and price goes out."""
    verdict = review(replace(ENTRY, **change), circumstances())  # type: ignore[arg-type]
    assert isinstance(verdict, Refused) and verdict.reason == "malformed"


def test_without_metadata_nothing_is_sent() -> None:
    """Tick, step and minimum are unknown: any order would be a guess."""
    verdict = review(EXIT, circumstances(instrument=None))
    assert isinstance(verdict, Refused) and verdict.reason == "no_instrument"


def test_nobody_else_can_approve() -> None:
    """An unchecked order is a type error, at run time too."""
    with pytest.raises(TypeError, match="only engine.policy.review"):
        Approved(ENTRY, 1, None, object())
