"""What the account is worth, what of it was lost today, and when nobody can say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.codec import canonical
from engine.model.events import Event, Input, OrderFilled
from engine.model.fills import Fill, Liquidity, Position
from engine.model.flags import FlagValue
from engine.model.instruments import Instrument
from engine.model.market import FundingRate, Heartbeat, Levels, Quote
from engine.model.orders import Intent, Side
from engine.model.restraints import Level
from engine.model.samples import Derived
from engine.model.time import HOUR, MS, SECOND
from engine.risk.guardian import QUIETEST, Guardian

T0 = 1_000 * SECOND


@dataclass
class Account:
    """A view of positions and quotes that the test writes."""

    at: int = T0
    account: str = "main"
    flags: Mapping[str, FlagValue] = field(default_factory=lambda: {"ACCOUNT_EQUITY_USD": 10_000.0})
    held: dict[str, Position] = field(default_factory=dict)
    quotes: dict[str, Quote] = field(default_factory=dict)
    trades: int = 0

    def quote(self, venue: str, symbol: str) -> Quote | None:
        return self.quotes.get(symbol)

    def depth(self, venue: str, symbol: str) -> tuple[Levels, Levels]:
        return (), ()

    def instrument(self, venue: str, symbol: str) -> Instrument | None:
        return None

    def position(self, venue: str, symbol: str) -> Position:
        return self.held.get(symbol, Position(account="main", venue=venue, symbol=symbol))

    def positions(self) -> tuple[Position, ...]:
        return tuple(one for one in self.held.values() if one.quantity != 0)

    def level(self, venue: str, symbol: str, intent: str) -> Level:
        return Level.NORMAL

    def shows(self, mid: float, symbol: str = "A") -> Quote:
        """Put a quote of `symbol` around `mid` in force and return it."""
        self.quotes[symbol] = Quote("paper", symbol, mid - 0.5, 1.0, mid + 0.5, 1.0, self.at, self.at)
        return self.quotes[symbol]

    def fills(self, signed: str, price: str, fee: str = "0", symbol: str = "A") -> OrderFilled:
        """Book an execution and return its event."""
        self.trades += 1
        quantity = Decimal(signed)
        fill = Fill(
            client_id="c", trade_id=str(self.trades), venue="paper", symbol=symbol,
            side=Side.BUY if quantity > 0 else Side.SELL, price=Decimal(price), quantity=abs(quantity),
            fee=Decimal(fee), liquidity=Liquidity.TAKER, reference_price=Decimal(price), intent=Intent.ENTRY,
            venue_at=self.at, sent_at=self.at,
        )
        self.held[symbol] = self.position("paper", symbol).after(fill)
        return OrderFilled(fill=fill, remaining=Decimal(0))


def take(guardian: Guardian, account: Account, event: Event) -> dict[str, float]:
    """Return the samples of `event` by name."""
    return named(guardian.on_event(Input(1, account.at, event), account))


def named(samples: list[Derived]) -> dict[str, float]:
    assert all(sample.labels == ("main",) for sample in samples)
    return {sample.name: float(sample.value) for sample in samples}


def begun() -> tuple[Guardian, Account]:
    """Return a guardian that has seen one event."""
    guardian, account = Guardian(), Account()
    beat = Heartbeat("feed.market", T0)
    assert guardian.interested(beat)
    assert take(guardian, account, beat)["daily_loss_pct"] == 0.0
    return guardian, account


def test_a_flat_account_is_worth_its_start_from_the_first_event_on() -> None:
    """A rule on the daily loss must not wait for a trade to be known."""
    guardian, account = begun()
    assert guardian.equity_usd(account) == 10_000.0
    assert not guardian.interested(Heartbeat("feed.market", T0))
    assert not guardian.interested(account.shows(100.0))


def test_equity_is_cash_less_fees_plus_open_profit_at_mid() -> None:
    """10 bought at 100 with 2 of fees, now 103: 28 up. Half sold at 104 with 1: 20 realised, 15 open."""
    guardian, account = begun()
    account.shows(103.0)
    samples = take(guardian, account, account.fills("10", "100", "2"))
    assert samples["equity_usd"] == pytest.approx(10_028.0)
    assert samples["daily_pnl_usd"] == pytest.approx(28.0)
    assert samples["daily_loss_pct"] == pytest.approx(-0.28)
    assert samples["open_position_usd"] == pytest.approx(1_030.0)
    samples = take(guardian, account, account.fills("-5", "104", "1"))
    assert samples["equity_usd"] == pytest.approx(10_000 + 20 + 15 - 3)


def test_a_loss_is_positive_percent_of_the_baseline() -> None:
    """The limit of 3 % compares with 3, not with -3 or 0.03."""
    guardian, account = begun()
    account.shows(70.0)
    assert take(guardian, account, account.fills("10", "100"))["daily_loss_pct"] == pytest.approx(3.0)


def test_a_position_nobody_quotes_gives_no_sample() -> None:
    """Its value is not known, and a guess could hide the loss that should stop us."""
    guardian, account = begun()
    assert take(guardian, account, account.fills("10", "100")) == {"account_fill_usd": 1_000.0}
    account.at += QUIETEST
    assert guardian.on_timer(account.at, account) == []
    assert guardian.daily_loss_pct(account) is None
    account.at += SECOND
    assert take(guardian, account, account.shows(99.0))["daily_pnl_usd"] == pytest.approx(-10.0)


def test_quotes_sample_at_most_once_a_second_and_silence_every_five() -> None:
    """Quotes come by the hundred; the rules need one now and then, and never none."""
    guardian, account = begun()
    account.shows(100.0)
    take(guardian, account, account.fills("1", "100"))
    account.at += 999 * MS
    assert guardian.interested(account.shows(101.0))
    assert take(guardian, account, account.shows(101.0)) == {}
    account.at += MS
    assert take(guardian, account, account.shows(101.0))["equity_usd"] == pytest.approx(10_001.0)
    assert guardian.next_due() == account.at + QUIETEST
    assert guardian.on_timer(account.at + QUIETEST - 1, account) == []
    assert named(guardian.on_timer(account.at + QUIETEST, account))["equity_usd"] == pytest.approx(10_001.0)
    assert guardian.next_due() == account.at + 2 * QUIETEST


def test_a_new_day_forgives_what_was_lost_before_it() -> None:
    """The baseline is the equity at the boundary, open profit included."""
    guardian, account = begun()
    account.shows(80.0)
    assert take(guardian, account, account.fills("10", "100"))["daily_loss_pct"] == pytest.approx(2.0)
    guardian.on_boundary(account.at, account)
    assert guardian.daily_loss_pct(account) == 0.0
    account.shows(70.0)
    assert guardian.daily_loss_pct(account) == pytest.approx(100 / 9_800 * 100)


def test_a_day_that_begins_without_a_price_takes_the_first_known_equity() -> None:
    """Better a baseline some minutes late than one that is made up."""
    guardian, account = begun()
    take(guardian, account, account.fills("10", "100"))
    guardian.on_boundary(account.at, account)
    account.at += 2 * SECOND
    assert take(guardian, account, account.shows(90.0))["daily_loss_pct"] == 0.0
    account.at += 2 * SECOND
    assert take(guardian, account, account.shows(89.0))["daily_pnl_usd"] == pytest.approx(-10.0)


def test_money_put_in_is_not_won() -> None:
    """A transfer moves the baseline with it."""
    guardian, account = begun()
    account.shows(90.0)
    take(guardian, account, account.fills("10", "100"))
    account.flags = {"ACCOUNT_EQUITY_USD": 15_000.0}
    account.at += QUIETEST
    samples = named(guardian.on_timer(account.at, account))
    assert samples["equity_usd"] == pytest.approx(14_900.0)
    assert samples["daily_pnl_usd"] == pytest.approx(-100.0)


@pytest.mark.parametrize(("held", "rate", "lost"), [("10", 0.003, 3.0), ("-10", 0.003, -3.0), ("10", -0.02, -20.0)])
def test_funding_that_was_paid_is_lost_and_what_is_only_predicted_is_not(held: str, rate: float, lost: float) -> None:
    """Longs pay a positive rate on what they hold at the mid, shorts receive it; once a payment."""
    guardian, account = begun()
    account.shows(100.0)
    take(guardian, account, account.fills(held, "100"))
    account.at += 8 * HOUR
    told = FundingRate("paper", "A", rate, 8 * HOUR, account.at, account.at)
    assert not guardian.interested(told) and guardian.interested(replace(told, paid=True))
    assert not guardian.interested(replace(told, symbol="B", paid=True))
    assert take(guardian, account, replace(told, paid=True))["daily_loss_usd"] == pytest.approx(lost)
    account.at += SECOND
    assert take(guardian, account, account.shows(100.0))["daily_loss_usd"] == pytest.approx(lost)


def test_funding_of_before_the_position_is_not_paid_by_it() -> None:
    guardian, account = begun()
    account.shows(100.0)
    take(guardian, account, account.fills("10", "100"))
    late = FundingRate("paper", "A", 0.01, 8 * HOUR, account.at - 1, account.at, paid=True)
    assert take(guardian, account, late)["daily_loss_usd"] == 0.0


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["quote", "fill", "timer", "boundary"]), st.sampled_from(["A", "B"]),
        st.integers(min_value=-5, max_value=5).filter(bool), st.integers(min_value=90, max_value=110),
        st.integers(min_value=0, max_value=4_000),
    ),
    max_size=25,
)


@given(_STEPS, st.integers(min_value=0, max_value=25))
def test_a_cut_changes_nothing_that_follows(steps: list[tuple[str, str, int, int, int]], cut: int) -> None:
    """Whoever resumes from a checkpoint gets the very samples of the uncut run."""
    assert _played(steps, cut=cut) == _played(steps, cut=-1)


def _played(steps: list[tuple[str, str, int, int, int]], *, cut: int) -> list[object]:
    guardian, account = begun()
    made: list[object] = []
    for number, (what, symbol, signed, price, after) in enumerate(steps):
        if number == cut:
            data = guardian.dump()
            guardian = Guardian()
            guardian.load(data)
            assert canonical(guardian.dump()) == canonical(data)
        account.at += after * MS
        if what == "quote":
            quote = account.shows(float(price), symbol)
            made.append(guardian.interested(quote) and guardian.on_event(Input(1, account.at, quote), account))
        elif what == "fill":
            fill = account.fills(str(signed), str(price), "0.1", symbol)
            made.append(guardian.on_event(Input(1, account.at, fill), account))
        elif what == "timer":
            made.append(guardian.on_timer(account.at, account))
        else:
            guardian.on_boundary(account.at, account)
        made.append(guardian.next_due())
    return made
