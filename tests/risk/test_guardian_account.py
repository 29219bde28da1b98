"""What a real account is worth and lost: what the venue says, whatever is in it before, and what moves it since."""

from __future__ import annotations

from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.answers import AccountReported, IncomeReported
from engine.model.codec import canonical
from engine.model.events import Event, Input
from engine.model.reports import BalanceReport, Income, IncomeKind
from engine.model.time import HOUR, MINUTE, SECOND
from engine.risk.guardian import QUIETEST, Guardian
from tests.risk.test_guardian import T0, Account, named, take

VENUE = "paper"
"""Where the fills of `Account` are made; here it takes real orders."""


class Real:
    """A guardian of an account at a venue. Money in USD; every event comes a minute behind the last."""

    def __init__(self, wallet: str = "5000", *, day_at: int = T0) -> None:
        self.view, self.guardian = Account(), Guardian()
        self.asks = 0
        self.guardian.begin(day_at, (VENUE,))
        self.shown = self.reports(wallet)

    def event(self, event: Event) -> dict[str, float]:
        self.shown = take(self.guardian, self.view, event)
        return self.shown

    def passes(self, length: int = MINUTE) -> None:
        self.view.at += length

    def reports(self, wallet: str, **others: str) -> dict[str, float]:
        """Let the venue answer about the whole account now."""
        self.passes()
        self.asks += 1
        held = {"USDT": wallet, **others}
        balances = tuple(BalanceReport(asset=name, free=Decimal(n), total=Decimal(n)) for name, n in held.items())
        return self.event(AccountReported(
            ask=self.asks, venue=VENUE, positions=(), orders=(), balances=balances, as_of=self.view.at - 100,
            venue_at=self.view.at,
        ))

    def income(self, *entries: Income) -> dict[str, float]:
        """Let the venue tell movements of the balance now."""
        self.passes()
        self.asks += 1
        return self.event(IncomeReported(
            ask=self.asks, venue=VENUE, entries=entries, since=0, venue_at=self.view.at,
        ))

    def moved(
        self, kind: IncomeKind, amount: str, *, ago: int = -SECOND, name: str = "", asset: str = "USDT"
    ) -> Income:
        return Income(
            venue=VENUE, kind=kind, transfer_id=name or f"{kind.value}{amount}", asset=asset, amount=Decimal(amount),
            venue_at=self.view.at - ago,
        )

    def trades(self, signed: str, price: str, fee: str = "0", *, ago: int = 0) -> dict[str, float]:
        """Fill at `price` and quote it; the venue did it `ago` (ns)."""
        self.passes()
        self.view.shows(float(price))
        at, self.view.at = self.view.at, self.view.at - ago
        fill = self.view.fills(signed, price, fee)
        self.view.at = at
        return self.event(fill)

    def lost(self) -> float:
        self.view.at += QUIETEST
        return named(self.guardian.on_timer(self.view.at + HOUR, self.view))["daily_loss_usd"]


def test_before_the_account_was_read_nothing_is_known() -> None:
    """The flag of the paper account says nothing about money."""
    guardian, view = Guardian(), Account()
    guardian.begin(T0, (VENUE,))
    assert take(guardian, view, view.shows(100.0)) == {}
    assert guardian.equity_usd(view) is None and guardian.daily_loss_pct(view) is None


def test_the_equity_is_what_the_venue_says_lies_there() -> None:
    real = Real("5000")
    assert real.shown["equity_usd"] == 5_000.0 and real.shown["daily_loss_usd"] == 0.0
    real.reports("1000", USDC="2000", BNB="3", FDUSD="0")
    assert real.guardian.report(real.view)["not_counted"] == ["BNB"]


def test_fills_count_at_once_and_the_next_answer_does_not_count_them_again() -> None:
    """10 at 100, now 90, and 2 of fees: 102 lost, before and behind each answer that has the fee in it."""
    real = Real("5000")
    real.trades("10", "100", "2")
    real.view.shows(90.0)
    assert real.lost() == pytest.approx(102.0)
    real.reports("4998")
    assert real.lost() == pytest.approx(102.0), "not yet known what else moved the balance"
    real.income()
    assert real.lost() == pytest.approx(102.0)
    real.trades("-10", "90", "1")
    assert real.lost() == pytest.approx(103.0)
    real.reports("4897")
    real.income(real.moved(IncomeKind.FEE, "-1"), real.moved(IncomeKind.REALIZED, "-100"))
    assert real.lost() == pytest.approx(103.0)


def test_funding_counts_once_told_by_either_way() -> None:
    """Told as income, it counts; that the wallet shows it too later changes nothing. Told twice, it counts once."""
    real = Real("5000")
    paid = real.moved(IncomeKind.FUNDING, "-7")
    assert real.income(paid)["daily_loss_usd"] == pytest.approx(7.0)
    assert real.income(paid)["daily_loss_usd"] == pytest.approx(7.0)
    real.reports("4993")
    assert real.income(paid)["daily_loss_usd"] == pytest.approx(7.0)
    real.reports("4990")
    assert real.income()["daily_loss_usd"] == pytest.approx(10.0), "what nobody explains was lost"


@pytest.mark.parametrize(("amount", "order", "again"), list(product(("-2000", "300"), ("income", "report"), (1, 3))))
def test_a_transfer_moves_the_baseline_whoever_tells_it_first(amount: str, order: str, again: int) -> None:
    """Money taken out is no loss and money put in hides none."""
    real = Real("5000")
    real.trades("10", "100")
    real.view.shows(95.0)
    assert real.lost() == pytest.approx(50.0)
    after = str(5_000 + int(amount))
    moved = real.moved(IncomeKind.TRANSFER, amount)
    for _ in range(again):
        if order == "report":
            real.reports(after)
            assert real.lost() == pytest.approx(50.0)
        real.income(moved)
        assert real.lost() == pytest.approx(50.0)
        real.reports(after)
        real.income(moved)
        assert real.lost() == pytest.approx(50.0)
    assert real.shown["equity_usd"] == pytest.approx(4_950.0 + int(amount))


def test_a_transfer_that_is_told_long_behind_the_answer_still_moves_it() -> None:
    """The wallet had it, as an unexplained gap, until the venue's list had it too."""
    real = Real("5000")
    moved = real.moved(IncomeKind.TRANSFER, "-1000", ago=-2 * MINUTE - 1)
    for _ in range(2):
        real.reports("4000")
        real.income()
    assert real.lost() == pytest.approx(1_000.0)
    real.income(moved)
    assert real.lost() == pytest.approx(0.0)


def test_what_is_no_dollar_moves_nothing() -> None:
    real = Real("5000")
    assert real.income(real.moved(IncomeKind.FUNDING, "-7", asset="BNB"))["daily_loss_usd"] == 0.0


def test_an_answer_in_the_middle_of_fills_is_not_believed() -> None:
    """It may lack the fill that we heard of, or hold one that we did not: the next one does."""
    real = Real("5000")
    real.trades("10", "100", "2")
    real.view.at -= MINUTE
    real.reports("5000")
    real.income()
    assert real.lost() == pytest.approx(2.0)


def test_a_fill_from_before_the_day_is_not_of_the_day() -> None:
    """A stop that was filled at 96 while nobody listened: the day began at 95, so 1 of it was won at the stop."""
    real = Real("5000")
    real.trades("10", "100")
    real.view.shows(95.0)
    real.passes()
    day = real.view.at
    real.guardian.on_boundary(day, real.view)
    assert real.lost() == pytest.approx(0.0)
    real.passes(HOUR)
    real.trades("-10", "96", "1", ago=HOUR + 2 * MINUTE)
    assert real.lost() == pytest.approx(0.0)
    real.trades("10", "96", "1")
    assert real.lost() == pytest.approx(1.0)


def test_what_the_baseline_is_from_is_said() -> None:
    """Begun in the middle of a day; a day that began on old prices; one that began on none; and a plain one."""
    real = Real("5000", day_at=T0 - 3 * HOUR)
    assert "first known 3h1m after the day began" in real.guardian.baseline_note()
    real.trades("10", "100")
    real.passes(20 * MINUTE)
    real.guardian.on_boundary(real.view.at, real.view)
    assert "prices from 20m before the day" in real.guardian.baseline_note()
    real.view.quotes.clear()
    assert real.guardian.on_boundary(real.view.at, real.view) == []
    assert "is not known" in real.guardian.baseline_note()
    real.view.shows(100.0)
    assert named(real.guardian.on_boundary(real.view.at, real.view))["session_age_h"] == 0.0
    assert real.guardian.baseline_note() == ""


_MOVES = st.lists(st.tuples(st.sampled_from(["trade", "report", "income", "transfer", "boundary", "cut"]),
                            st.integers(-5, 5).filter(bool)), max_size=20)


@given(_MOVES)
def test_the_loss_is_what_was_lost_whatever_is_told_and_cut(moves: list[tuple[str, int]]) -> None:
    """An honest venue, our own count of what was lost at a flat price, and cuts in between: they agree to the cent."""
    real = Real("5000")
    wallet, paid, owed = Decimal(5_000), Decimal(0), Decimal(0)
    told: list[Income] = []
    for number, (what, amount) in enumerate(moves):
        if what == "trade":
            real.trades(str(amount), "100", "1")
            wallet, paid = wallet - 1, paid + 1
        elif what == "report":
            real.reports(str(wallet))
        elif what == "income":
            told.append(real.moved(IncomeKind.FUNDING, str(amount), name=f"f{number}"))
            wallet, paid = wallet + amount, paid - amount
            real.income(*told)
        elif what == "transfer":
            told.append(real.moved(IncomeKind.TRANSFER, str(100 * amount), name=f"t{number}"))
            wallet += 100 * amount
            real.income(*told)
        elif what == "boundary":
            real.guardian.on_boundary(real.view.at, real.view)
            owed = paid
        else:
            data = real.guardian.dump()
            real.guardian = Guardian()
            real.guardian.load(data)
            assert canonical(real.guardian.dump()) == canonical(data)
    assert real.lost() == pytest.approx(float(paid - owed), abs=0.01)


def test_a_restart_goes_on_with_the_baseline_and_the_account_it_had() -> None:
    real = Real("5000")
    real.trades("10", "100", "5")
    kept = real.guardian.dump()
    real.guardian = Guardian()
    real.guardian.load(kept)
    real.guardian.begin(T0 + 5 * HOUR, (VENUE,))
    assert real.lost() == pytest.approx(5.0)
    samples = real.guardian.on_event(Input(1, real.view.at, real.view.shows(100.0)), real.view)
    assert all(sample.name != "account_fill_usd" for sample in samples)
