"""The whole core with a venue that takes real orders: held, reconciled, and flattened to the last stop."""

from __future__ import annotations

from dataclasses import replace

from engine.model.answers import QueryFailed
from engine.model.effects import AskVenue, CancelOrder, FillBooked, PlanMade, PositionAdopted
from engine.model.events import FlattenCommand, OrderFilled
from engine.model.orders import Intent, OrderState
from engine.model.reports import Query
from tests.core.kit import START, Core, Drive

LIVE = replace(START, epoch="live", venues=("paper",))
HOLDING = 2000
"""Market events of the demo tape after which a position is open."""


def test_a_start_asks_the_venue_and_is_reduce_only_until_it_answered() -> None:
    """A failure answers nothing."""
    core = Core()
    effects = core.tell(1, LIVE)
    asks = {effect.query: effect for effect in effects if isinstance(effect, AskVenue)}
    assert set(asks) >= {Query.ACCOUNT, Query.INCOME}
    assert len({ask.ask for ask in asks.values()}) == len(asks) and 0 not in {ask.ask for ask in asks.values()}
    held = {one.instance for one in core.state.policy.in_force}
    assert "engine.unreconciled[paper]" in held
    core.tell(2, QueryFailed(
        ask=asks[Query.ACCOUNT].ask, query=Query.ACCOUNT, venue="paper", reason="503", venue_at=2
    ))
    assert "engine.unreconciled[paper]" in {one.instance for one in core.state.policy.in_force}


def test_a_live_run_trades_is_reconciled_and_is_flattened_through_the_core() -> None:
    """An account that agrees is never taken over, each fill is told once, and flat means without a stop."""
    drive = Drive({0: LIVE, HOLDING: FlattenCommand(actor="test", reason="drill")}).until(HOLDING)
    assert "engine.unreconciled[paper]" not in {one.instance for one in drive.state.policy.in_force}
    (position,) = drive.state.look.positions()
    stops = [record for record in drive.state.execution.all_live() if record.intent is Intent.STOP]
    assert [record.state for record in stops] == [OrderState.OPEN]
    before = len(drive.effects)
    drive.until(HOLDING + 300)
    assert drive.state.look.positions() == ()
    assert drive.state.execution.all_live() == () and drive.wired.venue.open_orders() == ()
    made = drive.effects[before:]
    assert [one.state for one in made if isinstance(one, PlanMade) and one.strategy == "operator"] == [
        "flattening", "flat"]
    # The venue itself ends a stop on the whole position with the position: we took back only what competed.
    assert stops[0].client_id not in {one.client_id for one in made if isinstance(one, CancelOrder)}
    stop = drive.state.execution.order(stops[0].client_id)
    assert stop is not None and stop.state is OrderState.CANCELLED
    told = [one.fill.trade_id for one in drive.effects if isinstance(one, FillBooked)]
    assert len(told) == len(set(told)) > 1
    assert not any(isinstance(one, PositionAdopted) for one in drive.effects)
    assert position.quantity > 0


def test_the_core_counts_a_fill_that_is_told_again_once() -> None:
    """Its samples are what it is told by."""
    drive = Drive({0: LIVE}).until(HOLDING)
    fills = drive.state.tally.fills
    last = [one.fill for one in drive.effects if isinstance(one, FillBooked)][-1]
    drive._take(drive.at, OrderFilled(fill=last, remaining=None))
    assert drive.state.tally.fills == fills
