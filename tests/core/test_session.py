"""What a session may do: nothing before it is warm, nothing more once it is to be dry, never more than its caps."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from engine.core.checkpoint import dump_state, load_state
from engine.core.orders import dispatch
from engine.core.report import status
from engine.model.codec import canonical
from engine.model.effects import Effect, OrderRefused, PlaceOrder
from engine.model.events import (
    InstrumentDefined,
    OrderUncertain,
    RunMode,
    SetFlagCommand,
    UnsetFlagCommand,
)
from engine.model.instruments import Instrument, MarketKind
from engine.model.market import Quote
from engine.model.orders import Intent, OrderKind, Proposal, Side
from engine.model.restraints import Level
from engine.model.time import MINUTE, SECOND
from tests.core.kit import START, Core, answers, demo, fresh, moves

XYZ = Instrument(
    venue="paper", symbol="XYZUSDT", base="XYZ", quote="USDT", kind=MarketKind.PERPETUAL, tick=Decimal("0.01"),
    step=Decimal("0.1"), min_quantity=Decimal("0.1"), max_quantity=Decimal(100_000), min_notional=Decimal(5),
)
ENTRY = Proposal(
    proposer="test", purpose="1", intent=Intent.ENTRY, venue="paper", symbol="XYZUSDT", side=Side.BUY,
    kind=OrderKind.MARKET, quantity=Decimal(2), reference_price=Decimal(100),
    facts=(("order_late_chase_bps", 0.0), ("order_expected_slippage_bps", 1.0)),
)
DRY = SetFlagCommand(actor="ann", name="ENGINE_DRY_RUN", value=True, reason="", ttl=0)


def flag(name: str, value: float | bool, ttl: int = 0) -> SetFlagCommand:
    return SetFlagCommand(actor="ann", name=name, value=value, reason="a test", ttl=ttl)


def session(mode: RunMode, **flags: float | bool) -> Core:
    """Return a core whose session of `mode` began at 0 s, and that knows the instrument."""
    core = Core()
    core.tell(0, flag("ENGINE_DRY_RUN", False))
    for name, value in flags.items():
        core.tell(0, flag(name, value))
    core.tell(0, replace(START, mode=mode, asked=RunMode.FULL_LIVE, held=("a reason",)))
    core.tell(0, InstrumentDefined(instrument=XYZ, venue_at=0))
    return core


def wish(core: Core, at: int, *proposals: Proposal) -> list[Effect]:
    """Let a strategy wish for `proposals` in one step."""
    out: list[Effect] = []
    dispatch(core.state, core.begin + at, proposals, out)
    return out


def reasons(effects: list[Effect]) -> list[str]:
    return [one.reason for one in effects if isinstance(one, OrderRefused)]


def placed(effects: list[Effect]) -> list[PlaceOrder]:
    return [one for one in effects if isinstance(one, PlaceOrder)]


# Warm-up.


def test_the_warm_up_ends_to_the_instant_and_a_new_start_begins_it_anew() -> None:
    core = session(RunMode.DRY_RUN, WARMUP_SEC=90)
    assert core.state.wake_at is not None
    core.fine(SECOND, 89 * SECOND)
    assert core.state.policy.overall.level >= Level.ENTRIES_PAUSED
    found = moves(core.wake(91 * SECOND), "guard.warmup")
    assert found == [(core.begin + 90 * SECOND, "inactive")]

    again = core.tell(5 * MINUTE, START)
    assert moves(again, "guard.warmup") == [(core.begin + 5 * MINUTE, "firing")]
    assert moves(core.wake(7 * MINUTE), "guard.warmup") == [(core.begin + 5 * MINUTE + 90 * SECOND, "inactive")]


def test_the_end_of_the_warm_up_moves_with_its_flag() -> None:
    core = session(RunMode.DRY_RUN)
    core.tell(20 * SECOND, flag("WARMUP_SEC", 30))
    assert moves(core.wake(40 * SECOND), "guard.warmup") == [(core.begin + 30 * SECOND, "inactive")]


def test_a_warm_up_goes_on_where_a_checkpoint_left_it() -> None:
    core = session(RunMode.LIMITED_LIVE)
    core.wake(40 * SECOND)
    taken = canonical(dump_state(core.state))
    other = fresh(demo()).state
    load_state(other, dump_state(core.state))
    assert canonical(dump_state(other)) == taken
    core.state = other
    assert moves(core.wake(2 * MINUTE), "guard.warmup") == [(core.begin + MINUTE, "inactive")]
    assert (other.asked, other.mode_held) == (RunMode.FULL_LIVE, ("a reason",))


def test_the_warm_up_of_every_start_counts_as_no_restriction() -> None:
    """Nor does a warm-up that is longer than start-up doubt may last."""
    core = session(RunMode.DRY_RUN, WARMUP_SEC=600)
    core.fine(2 * SECOND, 11 * MINUTE)
    tally = core.state.tally
    assert tally.warm_at == core.begin + 10 * MINUTE and set(tally.in_level) <= {"normal"}
    core.tell(11 * MINUTE + SECOND, START)
    assert tally.warm_at == 0
    core.fine(11 * MINUTE + 2 * SECOND, 22 * MINUTE)
    assert tally.warm_at == core.begin + 21 * MINUTE + SECOND and set(tally.in_level) <= {"normal"}


# The switch.


@pytest.mark.parametrize("mode", [RunMode.LIMITED_LIVE, RunMode.FULL_LIVE])
def test_a_session_that_is_to_be_dry_begins_nothing_more_and_guards_what_it_has(mode: RunMode) -> None:
    core = session(mode, LIMITED_LIVE_MAX_NOTIONAL_USD=1000)
    at = core.calm() + SECOND
    assert placed(wish(core, at, ENTRY))

    effects = core.tell(at + 1, DRY)
    held = next(one for one in core.state.policy.in_force if one.rule == "engine.dry_run")
    assert (held.restraint.level, held.since) == (Level.REDUCE_ONLY, core.begin + at + 1)
    assert held.clear_with == "engine flag unset ENGINE_DRY_RUN"
    assert [type(one).__name__ for one in effects].count("CancelOrder") == 1, "a working entry is taken back"
    assert reasons(wish(core, at + 2, replace(ENTRY, purpose="2"))) == ["level"]
    shown = status(core.state)
    assert (shown["line"], shown["mode"], shown["asked"]) == ("RESTRICTED", mode.value, "full-live")
    assert "ENGINE_DRY_RUN is on" in shown["why"]
    exit_ = replace(ENTRY, purpose="3", intent=Intent.EXIT, side=Side.SELL, reduce_only=True)
    assert reasons(wish(core, at + 2, exit_)) == ["not_reducing"], "the level itself lets exits through"

    assert answers(core.tell(at + 3, UnsetFlagCommand(actor="ann", name="ENGINE_DRY_RUN")))[0].accepted
    core.tell(at + 3, flag("ENGINE_DRY_RUN", False))
    assert not [one for one in core.state.policy.in_force if one.rule == "engine.dry_run"]


def stopped(core: Core) -> int | None:
    return core.state.session.stopped_at


def test_the_switch_ends_with_its_time() -> None:
    core = session(RunMode.LIMITED_LIVE)
    core.tell(5 * SECOND, UnsetFlagCommand(actor="ann", name="ENGINE_DRY_RUN"))
    assert stopped(core) == core.begin + 5 * SECOND, "its default is on"
    core.tell(6 * SECOND, flag("ENGINE_DRY_RUN", False, ttl=10 * SECOND))
    assert stopped(core) is None
    core.wake(20 * SECOND)
    assert stopped(core) == core.begin + 16 * SECOND
    assert any(one.rule == "engine.dry_run" and not one.clear_with for one in core.state.policy.in_force)


def test_paper_is_not_held_by_a_switch_that_says_paper() -> None:
    core = Core()
    at = core.calm()
    core.tell(at + 1, flag("ENGINE_DRY_RUN", False))
    core.tell(at + 2, DRY)
    assert core.level() is Level.NORMAL and core.state.session.stopped_at is None


def test_a_strategy_that_rehearses_does_not_stop_the_session() -> None:
    core = session(RunMode.LIMITED_LIVE)
    core.tell(SECOND, flag("EVENT_BREAKOUT_DRY_RUN", True))
    assert core.state.session.stopped_at is None and core.state.mode is RunMode.LIMITED_LIVE


# The caps.


def test_a_limited_session_makes_entries_small_and_others_do_not() -> None:
    for mode, quantity in ((RunMode.LIMITED_LIVE, Decimal("1")), (RunMode.DRY_RUN, Decimal(2))):
        core = session(mode, LIMITED_LIVE_MAX_NOTIONAL_USD=100)
        at = core.calm() + SECOND
        assert [one.quantity for one in placed(wish(core, at, ENTRY))] == [quantity], mode


def test_two_orders_of_one_step_count_for_each_other() -> None:
    core = session(RunMode.DRY_RUN, ENTRY_MAX_EXPOSURE_USD=500)
    at = core.calm() + SECOND
    made = wish(core, at, *(replace(ENTRY, purpose=str(number)) for number in range(4)))
    assert len(placed(made)) == 2 and reasons(made) == ["entry.exposure"] * 2
    # What of one of them became is not known: it may still fill.
    core.tell(at + 1, OrderUncertain(
        client_id=placed(made)[0].client_id, reason="timeout", venue_at=core.begin + at + 1,
    ))
    assert reasons(wish(core, at + 2, replace(ENTRY, purpose="later"))) == ["entry.exposure"]
    small = replace(ENTRY, purpose="small", quantity=Decimal("0.9"))
    assert placed(wish(core, at + 2, small))


def test_what_is_open_elsewhere_counts_too() -> None:
    core = session(RunMode.LIMITED_LIVE, LIMITED_LIVE_MAX_NOTIONAL_USD=1000)
    core.tell(0, InstrumentDefined(instrument=replace(XYZ, symbol="ABCUSDT", base="ABC"), venue_at=0))
    at = core.calm() + SECOND
    # A hedge is let through at any sum and counts for the entry behind it: with 200 it is 500, the last that may be.
    hedge = replace(
        ENTRY, symbol="ABCUSDT", purpose="hedge", intent=Intent.HEDGE, side=Side.SELL, reference_price=Decimal(60),
        quantity=Decimal(5), kind=OrderKind.LIMIT, limit_price=Decimal(60),
    )
    core.tell(at, Quote("paper", "ABCUSDT", 59.99, 10.0, 60.01, 10.0, core.begin + at, core.begin + at))
    assert len(placed(wish(core, at, hedge))) == 1
    assert reasons(wish(core, at, replace(ENTRY, quantity=Decimal("2.1")))) == ["limited.exposure"]
    assert placed(wish(core, at, ENTRY))


def test_what_is_held_at_a_price_nobody_knows_lets_nothing_be_added() -> None:
    core = session(RunMode.DRY_RUN)
    at = core.calm() + SECOND
    unknown = replace(ENTRY, symbol="ABCUSDT", purpose="market", reference_price=Decimal(60))
    core.state.execution.remember(core.begin + at, PlaceOrder(
        at=core.begin + at, client_id="rb-old-1", purpose="market", account="main", venue="paper",
        symbol="ABCUSDT", side=unknown.side, kind=unknown.kind, intent=unknown.intent, quantity=unknown.quantity,
        limit_price=None, trigger_price=None, reduce_only=False, close_position=False, policy_version=1,
        reference_price=Decimal(0), post_only=False,
    ))
    assert reasons(wish(core, at, ENTRY)) == ["entry.exposure"]


@pytest.mark.parametrize(("mode", "capped"), [(RunMode.LIMITED_LIVE, True), (RunMode.FULL_LIVE, False)])
def test_the_caps_of_a_mode_are_told_and_are_no_restriction(mode: RunMode, capped: bool) -> None:
    core = session(mode)
    core.calm()
    shown = status(core.state)
    if capped:
        assert shown["line"] == "MAY TRADE" and "limited.notional" in shown["why"], shown["why"]
        (cap,) = shown["restrains"]
        assert (cap["rule"], cap["ends"]) == ("limited.notional", 'when run_mode == "limited-live" no longer holds')
        assert shown["daily_loss"]["limit_usd"] == 50, "the first limit that a day of this mode reaches"
    else:
        assert (shown["line"], shown["why"], shown["restrains"]) == ("MAY TRADE", "nothing restrains", [])
        assert shown["daily_loss"]["limit_usd"] == 300


def test_a_process_without_some_guard_keeps_what_is_open_and_begins_nothing() -> None:
    core = session(RunMode.LIMITED_LIVE)
    at = core.calm() + SECOND
    lost = "stop validator is disabled by STOP_VALIDATOR_ENABLED: engine flag unset STOP_VALIDATOR_ENABLED"
    core.tell(at, replace(START, mode=RunMode.LIMITED_LIVE, epoch="next", unguarded=(lost,)))
    held = next(one for one in core.state.policy.in_force if one.rule == "engine.unguarded")
    assert (held.restraint.level, held.since) == (Level.REDUCE_ONLY, core.begin + at)
    assert lost in held.ends and "at the next start" in held.ends
    assert "level" in reasons(wish(core, at + 1, ENTRY))
    other = Core()
    load_state(other.state, dump_state(core.state))
    assert other.state.unguarded == (lost,) and other.state.unguarded_since == core.begin + at

    core.tell(at + 2, replace(START, mode=RunMode.LIMITED_LIVE, epoch="third"))
    assert not [one for one in core.state.policy.in_force if one.rule == "engine.unguarded"]
