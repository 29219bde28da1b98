"""Nothing urgent is lost, nothing old is read for new, and every loss is told."""

from __future__ import annotations

from engine.model.events import HaltCommand
from engine.model.market import FeedDropped, MarketEvent, Quote, Trade
from engine.runtime.queue import TwoLaneQueue

HALT = HaltCommand(actor="op", reason="", source="socket")


def quote(symbol: str, bid: float) -> Quote:
    """Return a quote that only differs by what a test looks at."""
    return Quote("paper", symbol, bid, 1.0, bid + 1, 1.0, 0, 0)


def trade(number: int) -> Trade:
    """Return the trade with this id."""
    return Trade("paper", "A", 1.0, 1.0, True, str(number), 0, 0)


def drain(queue: TwoLaneQueue) -> list[object]:
    """Take everything."""
    taken: list[object] = []
    while (event := queue.take(received_at=9)) is not None:
        taken.append(event)
    return taken


def test_commands_go_before_the_market_in_their_own_order() -> None:
    """A halt does not queue behind a thousand quotes."""
    queue = TwoLaneQueue(market_bound=10)
    queue.put_market(quote("A", 1))
    queue.put_urgent(HALT)
    assert drain(queue) == [HALT, quote("A", 1)]


def test_only_the_newest_quote_of_a_symbol_waits_and_keeps_its_place() -> None:
    """A symbol that quotes a thousand times a second must not starve itself or others."""
    queue = TwoLaneQueue(market_bound=10)
    for event in (quote("A", 1), quote("B", 5), quote("A", 2)):
        assert queue.put_market(event)
    assert drain(queue) == [quote("A", 2), quote("B", 5)]
    assert queue.losses["paper", "A", "Quote"].conflated == 1


def test_trades_are_never_conflated() -> None:
    """Two trades are two facts."""
    queue = TwoLaneQueue(market_bound=10)
    queue.put_market(trade(1))
    queue.put_market(trade(2))
    assert drain(queue) == [trade(1), trade(2)]


def test_a_full_lane_drops_the_newest_counts_it_and_tells() -> None:
    """A signal whose samples were dropped must not look fresh by luck."""
    queue = TwoLaneQueue(market_bound=2)
    events: list[MarketEvent] = [trade(number) for number in range(5)]
    assert [queue.put_market(event) for event in events] == [True, True, False, False, False]
    told = FeedDropped(venue="paper", symbol="A", stream="Trade", count=3, received_at=9)
    assert drain(queue) == [told, *events[:2]]
    assert len(queue) == 0


def test_the_urgent_lane_has_no_bound() -> None:
    """Commands and fills are few, and losing one loses money."""
    queue = TwoLaneQueue(market_bound=1)
    for _ in range(1000):
        queue.put_urgent(HALT)
    assert len(drain(queue)) == 1000
