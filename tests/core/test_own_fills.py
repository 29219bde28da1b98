"""What our own orders tell about a symbol, through the whole core: cut back, kept out, told, switched, survived."""

from __future__ import annotations

from decimal import Decimal

from engine.core.checkpoint import dump_state, load_state
from engine.core.orders import dispatch
from engine.core.settle import settle
from engine.model.effects import Effect, Notify, OrderRefused, PlaceOrder
from engine.model.events import SetFlagCommand
from engine.model.orders import Intent, OrderKind, Proposal, Side
from engine.model.samples import Derived
from engine.runtime.wiring import rewire
from tests.core.kit import config
from tests.core.test_quotes import PRODUCERS, T0, World


def trading() -> World:
    """Return a core to which nothing is wrong, past its warm-up."""
    world = World()
    world.minutes(12)
    return world


def entry(world: World, symbol: str = "XYZUSDT", intent: Intent = Intent.ENTRY) -> Effect:
    """Return what becomes of an entry of 100 in `symbol`."""
    out: list[Effect] = []
    world.seq += 1
    proposal = Proposal(
        proposer="test", purpose=f"{symbol}/{world.seq}", intent=intent, venue="paper", symbol=symbol, side=Side.BUY,
        kind=OrderKind.MARKET, quantity=Decimal(100), reference_price=Decimal(1),
        facts=(("order_late_chase_bps", 0.0), ("order_expected_slippage_bps", 1.0)),
    )
    dispatch(world.state, world.at, [proposal], out)
    return next(one for one in out if isinstance(one, PlaceOrder | OrderRefused))


def size(world: World, symbol: str = "XYZUSDT", intent: Intent = Intent.ENTRY) -> Decimal | None:
    placed = entry(world, symbol, intent)
    assert isinstance(placed, PlaceOrder), placed
    return placed.quantity


def told(world: World, name: str, labels: tuple[str, ...], values: list[float]) -> list[Effect]:
    out: list[Effect] = []
    settle(world.state, world.at, [Derived(name, labels, value, world.at) for value in values], out)
    return out


def flag(world: World, name: str, value: float | bool) -> None:
    world.take(SetFlagCommand(actor="ann", name=name, value=value, reason="a test", ttl=0))


def test_a_dear_symbol_is_cut_back_alone_and_the_flag_moves_the_cut_at_once() -> None:
    world = trading()
    assert size(world) == 100

    told(world, "symbol_slippage_bps", ("paper", "XYZUSDT", "taker"), [12.0] * 20)
    assert size(world) == 50
    flag(world, "AUTO_CUTBACK_SIZE_MULT", 0.25)
    assert size(world) == 25
    in_force = [one for one in world.state.policy.in_force if one.rule == "cutback.slippage.symbol"]
    assert [(one.scope.symbol, one.restraint.size_mult) for one in in_force] == [("XYZUSDT", 0.25)]
    assert "30m after it was last true" in in_force[0].ends
    flag(world, "AUTO_CUTBACK_TTL_MIN", 45)
    (longer,) = [one for one in world.state.policy.in_force if one.rule == "cutback.slippage.symbol"]
    assert "45m after it was last true" in longer.ends
    flag(world, "AUTO_CUTBACK_ENABLED", value=False)
    assert size(world) == 100


def test_misses_cut_their_own_intent_and_the_first_order_of_another_is_whole() -> None:
    world = trading()
    told(world, "entry_missed", ("paper", "XYZUSDT", "SCALP"), [1.0] * 10)

    assert size(world, intent=Intent.SCALP) == 50 and size(world) == 100


def test_events_that_come_late_are_entered_smaller_and_scalps_are_not() -> None:
    world = trading()
    told(world, "event_bo_skip_late", ("ENTRY",), [1.0] * 4 + [0.0] * 6)

    assert size(world) == 50 and size(world, intent=Intent.SCALP) == 100


def test_a_symbol_in_quarantine_is_not_entered_until_the_block_is_over_and_a_restart_keeps_it() -> None:
    world = trading()
    flag(world, "QUARANTINE_BLOCK_MIN", 5)
    effects = told(world, "stop_repaired", ("paper", "XYZUSDT"), [1.0] * 3)
    assert [one.to for one in effects if isinstance(one, Notify)] == ["alert"]

    refused = entry(world)
    assert isinstance(refused, OrderRefused)
    assert (refused.reason, refused.rules) == ("muted", ("mute.quarantine[paper,XYZUSDT]",))
    assert isinstance(entry(world, intent=Intent.SCALP), OrderRefused)
    world.minutes(2)
    again = rewire(config(), PRODUCERS, at=T0)[0]
    load_state(again, dump_state(world.state))
    world.state = again
    assert isinstance(entry(world), OrderRefused)
    world.minutes(5)
    assert size(world) == 100


def test_each_refusal_is_counted_by_its_reason() -> None:
    world = trading()
    told(world, "stop_repaired", ("paper", "XYZUSDT"), [1.0] * 3)
    entry(world)
    entry(world, intent=Intent.SCALP)

    heard = world.state.snapshot.labels_of("order_refusals")
    assert set(heard) == {("paper", "XYZUSDT", "ENTRY", "muted"), ("paper", "XYZUSDT", "SCALP", "muted")}


def test_a_notice_for_the_journal_is_told_to_nobody_and_is_no_message() -> None:
    world = trading()
    before, out = world.state.tally.notifications, list[Effect]()
    dispatch(world.state, world.at, [Notify(at=world.at, to="journal", rule="r", text="t")], out)
    dispatch(world.state, world.at, [Notify(at=world.at, to="digest", rule="r", text="t")], out)

    assert len(out) == 2 and world.state.tally.notifications == before + 1
