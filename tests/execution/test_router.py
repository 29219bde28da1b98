"""The style of an order: by intent and symbol, never beyond its cap, never crossing, and urgent things at market."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.execution.router_price import capped, touch
from engine.model.instruments import Instrument
from engine.model.market import Quote
from engine.model.orders import Intent, OrderKind, OrderState, Proposal, Side
from engine.model.reports import Rejection
from engine.model.restraints import Level
from engine.model.terms import Route, Style
from engine.model.time import MS, SECOND
from tests.execution.kit import ENTRY, EXIT, STOP, XYZ
from tests.execution.router_kit import SYMBOL, Bench

MAKER = Route(
    intent=Intent.ENTRY, style=Style.MAKER, cap_bps=100.0, reprice_after=2 * SECOND, reprices=2, timeout=20 * SECOND,
    then=Style.CAPPED,
)


def shape(bench: Bench) -> tuple[str, str, bool, bool]:
    """Return kind, limit, post-only and immediate of the last order."""
    order = bench.last
    return order.kind.value, str(order.limit_price), order.post_only, order.immediate


def resting(route: Route = MAKER, proposal: Proposal = ENTRY) -> Bench:
    """Return a bench with one maker order that the venue holds."""
    bench = Bench(route)
    bench.want(proposal)
    bench.accept()
    return bench


@pytest.mark.parametrize(
    ("route", "granted", "proposal", "expected"),
    [
        (None, True, ENTRY, ("market", "None", False, False)),
        (replace(MAKER, style=Style.MARKET), True, ENTRY, ("market", "None", False, False)),
        (replace(MAKER, style=Style.CAPPED), True, ENTRY, ("limit", "2.02", False, True)),
        (MAKER, True, ENTRY, ("limit", "1.99", True, False)),
        (MAKER, False, ENTRY, ("limit", "2.02", False, True)),
        (replace(MAKER, then=Style.MARKET), False, ENTRY, ("market", "None", False, False)),
        (replace(MAKER, then=None), False, ENTRY, ("limit", "2.02", False, True)),
        (replace(MAKER, symbol="OTHERUSDT"), True, ENTRY, ("market", "None", False, False)),
        (replace(MAKER, symbol=SYMBOL), True, replace(ENTRY, side=Side.SELL), ("limit", "2.01", True, False)),
        (replace(MAKER, style=Style.CAPPED), True, replace(ENTRY, side=Side.SELL), ("limit", "1.98", False, True)),
        (MAKER, True, replace(ENTRY, intent=Intent.SCALP), ("market", "None", False, False)),
    ],
)
def test_the_route_of_the_intent_decides(
    route: Route | None, granted: bool, proposal: Proposal, expected: tuple[str, str, bool, bool]
) -> None:
    """A maker without a grant takes with a cap, whatever the rest of its route says of giving up."""
    bench = Bench(*([] if route is None else [route]))
    bench.granted_now = granted
    bench.want(proposal)
    assert shape(bench) == expected


@pytest.mark.parametrize("intent", [Intent.STOP, Intent.FLATTEN])
@pytest.mark.parametrize("style", list(Style))
def test_what_protects_does_not_haggle(intent: Intent, style: Style) -> None:
    """Whatever somebody wrote into the settings."""
    bench = Bench(replace(MAKER, intent=intent, style=style))
    proposal = replace(EXIT, intent=intent)
    assert bench.router.route(bench.at, proposal, bench.desk, bench.granted) == proposal


@pytest.mark.parametrize(
    "proposal",
    [
        STOP,
        replace(ENTRY, kind=OrderKind.LIMIT, limit_price=Decimal(2)),
        replace(ENTRY, replaces="rb-t1-9"),
        replace(ENTRY, reference_price=Decimal("NaN")),
        replace(ENTRY, venue="elsewhere"),
    ],
)
def test_only_what_is_open_is_routed(proposal: Proposal) -> None:
    """An order with prices of its own says how it wants to be executed; one that is unsound is for review."""
    bench = Bench(replace(MAKER, intent=proposal.intent))
    assert bench.router.route(bench.at, proposal, bench.desk, bench.granted) is proposal


@pytest.mark.parametrize(
    ("bid", "ask"),
    [(2.01, 2.01), (2.02, 2.01), (float("nan"), 2.01), (1.99, float("nan")), (0.0, 2.01), (1.99, float("inf"))],
)
def test_nothing_is_posted_at_an_unsound_touch(bid: float, ask: float) -> None:
    bench = Bench(MAKER)
    bench.quote(bid, ask)
    bench.want(ENTRY)
    assert shape(bench) == ("limit", "2.02", False, True)


def test_nothing_is_posted_at_an_old_touch() -> None:
    """The market may be on the other side of it by now."""
    bench = Bench(MAKER)
    bench.wait(2 * SECOND + 1)
    bench.want(ENTRY)
    assert bench.last.immediate and not bench.last.post_only


@given(
    reference=st.decimals("0.0001", "100000", places=6), cap=st.floats(0, 20_000, allow_nan=False),
    tick=st.sampled_from(["0.0001", "0.01", "0.5", "7"]), side=st.sampled_from(Side),
)
def test_a_cap_is_never_exceeded(reference: Decimal, cap: float, tick: str, side: Side) -> None:
    """On the tick, above zero, and never worse than reference and cap allow."""
    instrument = replace(XYZ, tick=Decimal(tick))
    price = capped(reference, side, cap, instrument)
    room = reference * Decimal(str(cap)) / 10_000
    if price is None:
        assert side is Side.BUY and reference + room < instrument.tick
        return
    assert price > 0 and price % instrument.tick == 0
    assert price <= reference + room if side is Side.BUY else price >= reference - room


@given(bid=st.integers(1, 10**7), spread=st.integers(1, 10**4), tick=st.sampled_from(["0.001", "0.01", "0.05"]))
def test_a_post_never_crosses(bid: int, spread: int, tick: str) -> None:
    """Even where the quote is off the tick."""
    quote = Quote("paper", SYMBOL, bid / 1000, 1.0, (bid + spread) / 1000, 1.0, 0, 0)
    instrument: Instrument = replace(XYZ, tick=Decimal(tick))
    buying, selling = touch(quote, Side.BUY, instrument), touch(quote, Side.SELL, instrument)
    assert buying is None or buying < Decimal(str(quote.ask))
    assert selling is not None and selling > Decimal(str(quote.bid))


def test_an_order_follows_the_touch_once_the_old_one_is_gone() -> None:
    """Nothing is sent before the end of the old one is proven; what it filled is not asked for again."""
    bench = resting()
    first = bench.last
    bench.quote(2.00, 2.02)
    bench.wait(SECOND)
    bench.quote(2.00, 2.02)
    assert bench.cancelled == []
    bench.wait(SECOND)
    assert [one.client_id for one in bench.cancelled] == [first.client_id]
    bench.fill("4", "6")
    bench.quote(2.00, 2.02)
    assert bench.placed == [first]
    bench.end("6")
    assert shape(bench) == ("limit", "2.0", True, False)
    assert bench.last.quantity == 6 and bench.last.purpose == first.purpose
    assert bench.last.reference_price == first.reference_price
    bench.accept()
    bench.fill("6", "0", price="2.00")
    progress = bench.desk.execution.progress("test", "entry")
    assert (progress.filled, progress.live, progress.ended) == (Decimal(10), Decimal(0), True)
    assert progress.average_price == Decimal("1.996")
    assert bench.router.next_due() is None and bench.router.dump()["makers"] == []


def test_a_touch_that_comes_back_restarts_the_wait() -> None:
    bench = resting()
    bench.quote(2.00, 2.02)
    bench.wait(1900 * MS)
    bench.quote(1.99, 2.01)
    bench.wait(100 * MS)
    bench.quote(2.00, 2.02)
    bench.wait(1900 * MS)
    bench.quote(2.00, 2.02)
    assert bench.cancelled == []
    bench.wait(100 * MS)
    assert len(bench.cancelled) == 1


def test_a_fill_that_is_not_seen_yet_holds_the_rest_back() -> None:
    """The venue's end says that 7 were bought; until all 7 are here nobody knows it for certain."""
    bench = resting()
    bench.wait(20 * SECOND)
    bench.end("3")
    assert len(bench.placed) == 1
    bench.fill("4", "6", order=bench.placed[0])
    assert len(bench.placed) == 1
    bench.fill("3", "3", order=bench.placed[0])
    assert bench.last.quantity == 3 and bench.last.immediate


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        (Style.CAPPED, ("limit", "2.02", False, True)), (Style.MARKET, ("market", "None", False, False)), (None, None),
    ],
)
def test_what_comes_after_the_timeout(then: Style | None, expected: tuple[str, str, bool, bool] | None) -> None:
    """The cap is counted from the decision, not from where the market went meanwhile."""
    bench = resting(replace(MAKER, then=then, reprices=0))
    bench.quote(2.10, 2.12)
    bench.wait(20 * SECOND)
    bench.fill("2", "8")
    bench.end("8")
    if expected is None:
        assert len(bench.placed) == 1
        assert [line.state for line in bench.said] == ["given_up"] and bench.said[0].text.startswith("8 for entry")
    else:
        assert shape(bench) == expected and bench.last.quantity == 8
    assert bench.router.dump()["makers"] == []


def test_a_revoked_grant_ends_the_resting() -> None:
    """At the next look: a lease nobody renews is no permission."""
    bench = resting()
    bench.granted_now = False
    bench.quote(1.99, 2.01)
    assert len(bench.cancelled) == 1
    bench.end("10")
    assert bench.last.immediate and not bench.last.post_only


def test_would_take_is_evidence_and_a_reprice() -> None:
    """Not an error: it is posted again where the touch is now, as often as it may follow, and then it takes."""
    bench = Bench(MAKER)
    bench.want(ENTRY)
    for bid in (1.98, 1.97):
        bench.quote(bid, bid + 0.02)
        bench.reject(Rejection.WOULD_TAKE)
        assert bench.last.post_only and bench.last.limit_price == Decimal(str(bid))
    bench.reject(Rejection.WOULD_TAKE)
    assert len(bench.placed) == 4 and bench.last.immediate
    took = [sample.value for sample in bench.samples if sample.name == "maker_would_take"]
    assert took == [1.0, 1.0, 1.0]


def test_an_order_that_expires_at_once_would_have_taken() -> None:
    """Some venues accept a post-only order first."""
    bench = resting()
    bench.end("10", reason="expired")
    assert len(bench.placed) == 2 and bench.last.post_only
    assert [one.value for one in bench.samples if one.name == "maker_would_take"] == [0.0]


@pytest.mark.parametrize("how", ["rejected", "withheld", "cancelled"])
def test_what_others_end_is_not_sent_again(how: str) -> None:
    """A venue that refuses, a policy that became stricter, a person at the venue: the rest is given up, aloud."""
    bench = Bench(MAKER)
    order = bench.want(ENTRY)
    assert order is not None
    if how == "rejected":
        bench.reject(Rejection.MARGIN)
    elif how == "cancelled":
        bench.accept()
        bench.end("10")
    else:
        bench.desk.event("withheld", order)
        bench.wait(20 * SECOND)
    assert len(bench.placed) == 1 and [line.state for line in bench.said] == ["given_up"]


def test_a_proposer_who_takes_it_back_is_obeyed_though_it_was_on_its_way_back_already() -> None:
    """The router wanted to send the rest elsewhere; the strategy wants none of it any more."""
    bench = resting()
    bench.wait(20 * SECOND)
    assert len(bench.cancelled) == 1
    bench.dispatch([bench.desk.wish_cancel(bench.last)])
    assert len(bench.cancelled) == 1
    bench.end("10")
    assert len(bench.placed) == 1


def test_a_late_order_that_is_cancelled_again_goes_on() -> None:
    """That the desk repeats a cancel is nobody's change of mind."""
    bench = resting()
    bench.wait(20 * SECOND)
    wish = replace(bench.desk.wish_cancel(bench.last), again=True)
    bench.dispatch([wish])
    bench.end("10")
    assert len(bench.placed) == 2


def test_nothing_is_sent_while_the_fate_is_unknown() -> None:
    """Not at the timeout, not when the touch runs away; once it is known to rest, it is taken back first."""
    bench = Bench(MAKER)
    order = bench.want(ENTRY)
    assert order is not None
    bench.desk.event("uncertain", order)
    for _ in range(30):
        bench.wait(SECOND)
        bench.quote(2.10, 2.12)
    assert len(bench.placed) == 1 and bench.desk.state(order) is OrderState.UNKNOWN
    bench.end("10")
    assert len(bench.placed) == 2 and bench.last.immediate


def test_a_stricter_level_leaves_a_working_order_where_it_is() -> None:
    """Entries paused lets working orders stay; to move one would lose it."""
    bench = resting()
    bench.desk.level_now = Level.ENTRIES_PAUSED
    bench.quote(2.00, 2.02)
    bench.wait(5 * SECOND)
    bench.quote(2.00, 2.02)
    assert bench.cancelled == []


def test_a_continuation_that_policy_refuses_is_given_up() -> None:
    bench = resting()
    bench.wait(20 * SECOND)
    bench.refuses = True
    bench.end("10")
    assert [line.state for line in bench.said] == ["given_up"] and "policy refused" in bench.said[0].text
    assert bench.router.dump()["makers"] == []


def test_a_rest_below_the_venues_minimum_is_given_up() -> None:
    """Two of the instrument's XYZ are worth less than the five that the venue asks for."""
    bench = resting()
    bench.wait(20 * SECOND)
    bench.fill("8", "2")
    bench.end("2")
    assert [one.reason for one in bench.refused] == ["min_notional"]
    assert [line.state for line in bench.said] == ["given_up"]


def test_the_chase_goes_on_while_an_order_rests() -> None:
    """A rule about late entries must see how late it is now."""
    bench = resting(MAKER, replace(ENTRY, facts=(("order_late_chase_bps", 100.0), ("other", 1.0))))
    bench.wait(19 * SECOND)
    bench.quote(2.03, 2.05)
    bench.wait(SECOND)
    bench.end("10")
    assert dict(bench.asked[-1].facts) == {"order_late_chase_bps": pytest.approx(300.0), "other": 1.0}


def test_a_state_that_was_kept_goes_on_alike() -> None:
    """In every phase of an order's life."""
    whole, cut = Bench(MAKER), Bench(MAKER)
    for bench in (whole, cut):
        def checkpoint(one: Bench = bench) -> None:
            if one is cut:
                one.cut()

        bench.want(ENTRY)
        checkpoint()
        bench.accept()
        bench.quote(2.00, 2.02)
        checkpoint()
        bench.wait(2 * SECOND)
        checkpoint()
        bench.fill("4", "6")
        checkpoint()
        bench.end("6")
        checkpoint()
        bench.accept()
        bench.wait(20 * SECOND)
        checkpoint()
        bench.end("6")
    assert whole.placed == cut.placed and len(cut.placed) == 3
    assert whole.cancelled == cut.cancelled


def outcomes(bench: Bench) -> list[tuple[tuple[str, ...], float]]:
    """Return what the gate's evidence has heard of real makers."""
    return [(one.labels, float(one.value)) for one in bench.samples if one.name == "maker_fill"]


def test_what_came_of_resting_is_told_once() -> None:
    """Filled whole, through however many orders, is 1; whatever ends before that is 0."""
    bench = resting()
    bench.quote(2.00, 2.02)
    bench.wait(2 * SECOND)
    bench.fill("4", "6")
    bench.end("6")
    bench.accept()
    assert outcomes(bench) == []
    bench.fill("6", "0")
    bench.accept(bench.placed[-1])
    assert outcomes(bench) == [(("paper", SYMBOL, "ENTRY"), 1.0)]


@pytest.mark.parametrize("how", ["timeout", "revoked", "would_take"])
def test_resting_that_ended_first_is_no_fill(how: str) -> None:
    bench = resting(replace(MAKER, reprices=0))
    if how == "would_take":
        bench = Bench(replace(MAKER, reprices=0))
        bench.want(ENTRY)
        bench.reject(Rejection.WOULD_TAKE)
    else:
        bench.granted_now = how == "timeout"
        bench.wait(20 * SECOND)
        bench.fill("4", "6")
        bench.end("6")
    bench.fill("6", "0")
    assert [value for _, value in outcomes(bench)] == [0.0]


def test_what_somebody_else_takes_back_says_nothing_of_makers() -> None:
    bench = resting()
    bench.dispatch([bench.desk.wish_cancel(bench.last)])
    bench.end("10")
    assert outcomes(bench) == []
