"""At the daily boundary: what is at risk and who offends is told once, from what the core kept, over a restart too."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from engine.core.checkpoint import dump_state, load_state
from engine.model.answers import AccountReported
from engine.model.codec import canonical, encode
from engine.model.effects import Effect, PlaceOrder
from engine.model.events import InstrumentDefined, OrderFilled, SetFlagCommand, Start
from engine.model.fills import Fill, Liquidity
from engine.model.instruments import Instrument, MarketKind
from engine.model.market import Bar, Quote
from engine.model.nightly import OffendersJudged, RiskMeasured
from engine.model.orders import Intent, OrderKind, Side
from engine.model.restraints import Level
from engine.model.samples import Status
from engine.model.time import DAY, MINUTE, SECOND
from tests.core.kit import START, Core, demo, fresh

KEY = ("paper", "PINEUSDT")
PINE = Instrument(
    venue="paper", symbol="PINEUSDT", base="PINE", quote="USDT", kind=MarketKind.PERPETUAL, tick=Decimal("0.01"),
    step=Decimal("0.1"), min_quantity=Decimal("0.1"), max_quantity=Decimal(100_000), min_notional=Decimal(5),
)


def core_with_days(*moves: float) -> Core:
    """Return a core that was told a daily bar for each of `moves` (percent), the last of yesterday, at about 100."""
    core = Core()
    core.tell(SECOND, InstrumentDefined(instrument=PINE, venue_at=0))
    today = core.begin // DAY
    close = 100.0
    for number in range(len(moves) + 1):
        day = today - len(moves) - 1 + number
        if number:
            close *= 1 + moves[number - 1] / 100
        core.tell(SECOND, Bar(*KEY, close, close, close, close, 1.0, DAY, day * DAY, (day + 1) * DAY))
    core.tell(SECOND, Quote(*KEY, 100.0, 50.0, 100.0, 50.0, core.begin, core.begin))
    return core


def buy(core: Core, at: int, quantity: str, price: str = "100", name: str = "x") -> list[Effect]:
    """Have an order on its way and take its fill."""
    now = core.begin + at
    order = PlaceOrder(
        at=now, client_id=f"c-{name}", account=core.state.account, venue=KEY[0], symbol=KEY[1], side=Side.BUY,
        kind=OrderKind.MARKET, intent=Intent.ENTRY, quantity=Decimal(quantity), limit_price=None, trigger_price=None,
        reference_price=Decimal(100), reduce_only=False, close_position=False, post_only=False, purpose=f"p-{name}",
        policy_version=0,
    )
    core.state.execution.remember(now, order)
    fill = Fill(
        client_id=f"c-{name}", trade_id=f"t-{name}", venue=KEY[0], symbol=KEY[1], side=Side.BUY, intent=Intent.ENTRY,
        price=Decimal(price), quantity=Decimal(quantity), fee=Decimal(0), liquidity=Liquidity.TAKER,
        reference_price=Decimal(100), venue_at=now, sent_at=now,
    )
    return core.tell(at, OrderFilled(fill=fill, remaining=Decimal(0)))


def at_risk(core: Core) -> float:
    """Return the signal, which must be known."""
    snapshot = core.state.snapshot
    sample = snapshot.sample(snapshot.base("var_usd", (core.state.account,)), core.state.at)
    assert sample.status is Status.OK
    return float(sample.value)


def night(core: Core) -> list[Effect]:
    """Wake the core at its next boundary."""
    return core.wake(core.state.boundary_at - core.begin)


def only(effects: list[Effect], kind: type) -> list[Effect]:
    """Return those of one kind."""
    return [one for one in effects if isinstance(one, kind)]


def test_a_flat_account_risks_nothing_from_its_first_instant_on() -> None:
    assert at_risk(Core()) == 0.0


def test_a_fill_is_measured_at_once_and_too_much_pauses_entries() -> None:
    core = core_with_days(*[-1.0] * 39, -12.0)
    core.calm()
    buy(core, 10 * MINUTE, "50")
    assert at_risk(core) == 600.0
    assert not [one for one in core.state.policy.in_force if one.rule == "guard.var"]
    buy(core, 11 * MINUTE, "50", name="y")
    assert at_risk(core) == 1200.0
    held = [one for one in core.state.policy.in_force if one.rule == "guard.var"]
    assert [one.restraint.level for one in held] == [Level.ENTRIES_PAUSED]


def test_what_is_at_risk_follows_the_price_when_the_account_answers() -> None:
    core = core_with_days(*[-1.0] * 39, -12.0)
    buy(core, 10 * MINUTE, "50")
    now = core.begin + 11 * MINUTE
    core.tell(11 * MINUTE, Quote(*KEY, 80.0, 50.0, 80.0, 50.0, now, now))
    assert at_risk(core) == 600.0
    # An answer to nobody's question: nothing of it is believed, and the price is looked at.
    answer = AccountReported(ask=9_999, venue="paper", positions=(), orders=(), balances=(), as_of=now, venue_at=now)
    core.tell(12 * MINUTE, answer)
    assert at_risk(core) == 480.0


def test_the_night_tells_everything_the_number_is_made_of() -> None:
    core = core_with_days(*[-1.0] * 39, -12.0)
    buy(core, 10 * MINUTE, "50")
    effects = night(core)
    (told,) = only(effects, RiskMeasured)
    assert isinstance(told, RiskMeasured)
    assert (told.var_usd, told.unknown_usd, told.confidence_pct) == (Decimal(600), Decimal(0), 99.0)
    assert told.quantile == "loss 40 of 40 in rising order, not interpolated"
    assert [(one.symbol, one.notional_usd, one.returns, one.basis) for one in told.held] == [
        ("PINEUSDT", Decimal(5000), 40, "history"),
    ]
    assert len(told.results) == 40
    assert [one.usd for one in told.results[-2:]] == [Decimal(-50), Decimal(-600)]
    assert encode(told)
    (judged,) = only(effects, OffendersJudged)
    assert isinstance(judged, OffendersJudged)
    assert (judged.day, judged.offences) == (core.state.boundary_day, ())


def test_a_symbol_without_a_history_says_what_it_was_taken_to_lose() -> None:
    core = core_with_days(-1.0, -2.0)
    buy(core, 10 * MINUTE, "10")
    (told,) = only(night(core), RiskMeasured)
    assert isinstance(told, RiskMeasured)
    assert (told.var_usd, told.unknown_usd, told.results) == (Decimal(200), Decimal(200), ())
    assert told.held[0].basis == "taken to lose 20 % on any day"
    assert told.quantile == "no position has a history of its own"


def test_a_night_with_the_refresh_off_judges_and_tells_nobody() -> None:
    core = Core()
    off = SetFlagCommand(actor="ann", name="DENYLIST_REFRESH_ENABLED", value=False, reason="by hand", ttl=0)
    core.tell(SECOND, off)
    effects = night(core)
    assert only(effects, OffendersJudged) == []
    assert len(only(effects, RiskMeasured)) == 1


@pytest.mark.parametrize("restarts", [False, True])
def test_counts_and_closes_of_the_days_are_kept_over_a_restart(restarts: bool) -> None:
    core = core_with_days(*[-1.0] * 39, -12.0)
    for name, value in (("DENYLIST_MIN_FILLS", 1), ("DENYLIST_DAYS", 1), ("DENYLIST_SLIPPAGE_BPS", 5)):
        core.tell(SECOND, SetFlagCommand(actor="ann", name=name, value=str(value), reason="a test", ttl=0))
    buy(core, 10 * MINUTE, "50", price="101")
    if restarts:
        kept = json.loads(canonical(dump_state(core.state)))
        core.state = fresh(demo()).state
        load_state(core.state, kept)
        assert dump_state(core.state) == kept
        again = Start(**{name: getattr(START, name) for name in Start.__dataclass_fields__} | {"epoch": "two"})
        core.tell(11 * MINUTE, again)
        assert at_risk(core) == 600.0
    effects = night(core)
    (told,) = only(effects, RiskMeasured)
    (judged,) = only(effects, OffendersJudged)
    assert isinstance(told, RiskMeasured)
    assert isinstance(judged, OffendersJudged)
    assert told.var_usd == Decimal(600)
    assert [(one.symbol, one.reason) for one in judged.offences] == [
        ("PINEUSDT", "1 bad days of 5, last: slippage 100.0 bps over 1 fills"),
    ]
