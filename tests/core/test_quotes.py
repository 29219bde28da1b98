"""A broken quote currency: what is refused, what takes its place, and what is told of it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from engine.core.depeg import depeg_active
from engine.core.report import status
from engine.core.state import State
from engine.core.step import step
from engine.model.events import Event, Input, InstrumentDefined, RunMode, SetFlagCommand
from engine.model.instruments import Instrument, MarketKind
from engine.model.market import OraclePrice, Quote
from engine.model.time import MINUTE
from engine.policy.quotes import quote_left
from engine.runtime.wiring import rewire
from tests.core.kit import START, config

T0 = 1_800_000_000 * 10**9
PRODUCERS = ("feed.market", "feed.oracle", "feed.announcements")
XYZ = Instrument(
    venue="paper", symbol="XYZUSDT", base="XYZ", quote="USDT", kind=MarketKind.PERPETUAL, tick=Decimal("0.001"),
    step=Decimal("0.1"), min_quantity=Decimal("0.1"), max_quantity=Decimal(10**6), min_notional=Decimal(5),
)


class World:
    """A core with the shipped rules on a quiet market."""

    def __init__(self, **flags: str) -> None:
        self.state: State = rewire(config(), PRODUCERS, at=T0)[0]
        self.at, self.seq = T0, 0
        self.take(replace(START, mode=RunMode.DRY_RUN))
        for symbol, quote in (("XYZUSDT", "USDT"), ("XYZUSDC", "USDC"), ("OLDUSDT", "USDT")):
            base = symbol.removesuffix(quote)
            self.take(InstrumentDefined(
                instrument=replace(XYZ, symbol=symbol, base=base, quote=quote), venue_at=self.at
            ))
        for name, value in flags.items():
            self.take(SetFlagCommand(actor="t", name=name, value=value, reason="test", ttl=0))

    def take(self, event: Event) -> None:
        self.seq += 1
        step(self.state, Input(self.seq, self.at, event))

    def minutes(self, count: int, **worth: float) -> None:
        """Let so many minutes pass in which each coin is told to be worth that much; 1 where it is not named."""
        for _ in range(count):
            self.minute_of_quotes()
            for asset in ("USDT", "USDC", "FDUSD"):
                price = worth.get(asset, 1.0)
                self.take(OraclePrice("oracle", asset, "USD", price, str(self.seq), self.at, self.at))

    def minute_of_quotes(self) -> None:
        """Let a minute pass in which the market speaks, and nobody of a coin."""
        for _ in range(3):
            self.at += MINUTE // 3
            self.take(Quote("paper", "XYZUSDT", 1.0, 1.0, 1.001, 1.0, self.at, self.at))

    @property
    def told(self) -> tuple[str, list[str], str | None, bool]:
        """(level, denied quotes, the quote that is left, whether a break is active) as the status has it."""
        data = status(self.state)
        return data["level"], data["deny_quotes"], data["quote"], data["risk_depeg_active"]


@pytest.mark.parametrize(
    ("denied", "left"), [((), "USDT"), (("USDT",), "USDC"), (("USDC",), "USDT"), (("USDT", "USDC"), None)]
)
def test_the_first_quote_that_is_not_denied_takes_over(denied: tuple[str, ...], left: str | None) -> None:
    assert quote_left(("USDT", "USDC"), denied) == left


def test_a_break_of_usdt_halts_or_switches_the_quote_as_the_flag_says() -> None:
    halting, switching = World(), World(DEPEG_SWITCH_QUOTE="true")
    for world in (halting, switching):
        world.minutes(4)
        assert world.told == ("normal", [], "USDT", False)
        assert world.state.look.in_quote("XYZUSDT") == "XYZUSDT"
        world.minutes(4, USDT=0.98)

    assert halting.told == ("halted", [], "USDT", True)
    assert switching.told == ("normal", ["USDT"], "USDC", True)
    assert [latch.rule for latch in switching.state.book.latches()] == ["guard.depeg.usdt_quote"]
    assert switching.state.look.in_quote("XYZUSDT") == "XYZUSDC"
    assert switching.state.look.in_quote("OLDUSDT") == "OLDUSDT", "in USDC it is not traded, and policy refuses it"
    assert switching.state.look.in_quote("XYZUSDC") == "XYZUSDC"
    assert switching.state.look.in_quote("NEWUSDT") == "NEWUSDT", "nothing is known of it"


def test_a_break_of_another_coin_denies_it_and_nothing_else() -> None:
    world = World()
    world.minutes(4)
    world.minutes(4, USDC=0.9)
    assert world.told == ("normal", ["USDC"], "USDT", True)


def test_a_mild_stray_pauses_and_is_over_a_window_after_it_ends() -> None:
    world = World()
    world.minutes(4)
    world.minutes(1, USDT=0.9965)
    assert world.told == ("entries_paused", [], "USDT", True)
    world.minutes(2)
    assert world.told == ("normal", [], "USDT", False)
    assert not world.state.book.latches()


def test_doubt_about_a_peg_restrains_and_is_no_break() -> None:
    world = World()
    assert world.told[0] == "halted" and not depeg_active(world.state)
    world.minutes(4)
    assert world.told == ("normal", [], "USDT", False)
    world.minutes(5, USDT=float("inf"))
    assert world.told == ("halted", [], "USDT", False)
    assert not world.state.book.latches()


def test_with_every_quote_denied_none_is_left() -> None:
    world = World(DEPEG_SWITCH_QUOTE="true")
    world.minutes(4)
    world.minutes(4, USDT=0.98, USDC=0.98, FDUSD=0.98)
    assert world.told == ("normal", ["FDUSD", "USDC", "USDT"], None, True)
    assert world.state.look.in_quote("XYZUSDT") == "XYZUSDT"
