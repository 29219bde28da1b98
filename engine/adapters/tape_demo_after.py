"""The second half of the demo: what needs a venue that fails, or an operator who types, is shown here.

The operator re-arms, FDUSD breaks, scalps earn a maker grant and are then rejected, a market
of dust, a crowd of listings that are gone at once, a typing error, an order of unknown fate
with too much at stake, a hedge that the venue will not take, a funding feed that falls
silent, a coin whose stops vanish and that turns out to be a fraud, and another break of the
peg. Minutes count from the start of the story.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from engine.adapters.tape_demo_shapes import (
    DEEP,
    DOWNFALL,
    DUSTY,
    LATE_STEADY,
    LATER_STEADY,
    PLAIN,
    RISE_THEN_STOP,
    RUNAWAY,
    SIDEWAYS,
    listed,
)
from engine.adapters.tape_market_model import Coin
from engine.model.events import Command, RearmCommand, SetFlagCommand, UnsetFlagCommand
from engine.model.flags import FlagValue
from engine.model.market import FundingRate
from engine.model.orders import Intent
from engine.model.override_commands import WaiveCommand
from engine.model.time import HOUR, MINUTE, SECOND
from engine.ports.feed import TAPE_ACTOR, Spoken, TapeEvent, Trouble

REARM, FDUSD_BREAKS, SCALPS, DUST, CROWD, TYPO = 453.0, 466.0, 511.0, 513.0, 516.0, 526.0
STAKE, SPIKE, STOPS, FRAUD, SWITCH, DEAD_FROM, MINUTES = 531.0, 541.0, 574.0, 588.5, 591.5, 601.0, 610.0
"""When each chapter begins."""
REJECTED_FROM, REJECTED_TO = 520.5, 525.0
"""Minutes in which the venue rejects scalps; BTC falls meanwhile, so that there are some."""
CALM, DEAR = 0.0001, 0.0075

BTC_PATH = (
    (465, 20), (513.2, 20), (513.7, -10), (514.6, 20), (515.2, -12), (516.0, 20), (516.5, -12), (517.4, 20),
    (518.0, -12), (518.8, 20), (519.3, -12), (520.2, 20), (525.2, -210), (535, -190),
)
"""Dips that come back, and then one that does not."""
PEG_USDT = ((591, 0.9997), (593, 0.9962), (594, 0.9935), (597, 0.9900), (598, 0.9950), (599, 0.9985), (600, 0.9997))
PEG_FDUSD = ((0, 1.0), (465, 1.0), (466, 0.9930), (472, 0.9900), (475, 0.9990), (476, 1.0))
CROWD_NAMES = (
    "ACEA", "BOLT", "CRAB", "DOVE", "ELKA", "FROG", "GULL", "HARE", "IBEX", "JAYA", "KIWI", "LYNX", "MOLE", "NEWT",
)

COINS: tuple[Coin, ...] = (
    listed("DUSTUSDT", (0.35, 6), DUST, (RISE_THEN_STOP, DUSTY), DUST + 45),
    *(listed(f"{name}USDT", (1.0, 5), CROWD, (RUNAWAY, PLAIN), CROWD + 4) for name in CROWD_NAMES),
    listed("HOLDUSDT", (2.9, 4), TYPO, (SIDEWAYS, DEEP), TYPO + 60),
    listed("LOSTUSDT", (1.6, 5), STAKE, (LATE_STEADY, DEEP), STAKE + 40),
    listed("NEXTUSDT", (0.77, 5), STAKE, (LATER_STEADY, DEEP), STAKE + 40),
    listed("MENDUSDT", (4.1, 4), STOPS, (DOWNFALL, DEEP), DEAD_FROM),
)

NEWS = (
    (DUST, "Paper Exchange Will List Dust (DUST)", ("DUSTUSDT",)),
    (CROWD, "Paper Exchange Opens a Zone for Small Coins", tuple(f"{name}USDT" for name in CROWD_NAMES)),
    (TYPO, "Paper Exchange Will List Hold (HOLD)", ("HOLDUSDT",)),
    (STAKE, "Paper Exchange Will List Lost (LOST)", ("LOSTUSDT",)),
    (STAKE + 0.02, "Paper Exchange Will List Next (NEXT)", ("NEXTUSDT",)),
    (STOPS, "Paper Exchange Will List Mend (MEND)", ("MENDUSDT",)),
)

CHAPTERS = (
    ("the operator re-arms, an hour of caution goes on", REARM), ("FDUSD breaks", FDUSD_BREAKS),
    ("scalps are tried", SCALPS), ("DUST is listed, in a market of dust", DUST),
    ("a crowd is listed and runs away", CROWD), ("HOLD is listed; a zero too many is typed", TYPO),
    ("an order is lost, and too much is at stake", STAKE), ("holding HOLD gets dear, then nobody tells", SPIKE),
    ("MEND is listed; its stops vanish", STOPS), ("MEND was a fraud", FRAUD),
    ("USDT breaks, with another quote to go to", SWITCH), ("market data stops for good", DEAD_FROM),
)


def troubles(instant: Callable[[float], int]) -> tuple[Trouble, ...]:
    """Return what goes wrong at the venue."""

    def trouble(kind: str, start: float, seconds: float, **of: str | Intent | int) -> Trouble:
        begin = instant(start)
        return Trouble(kind=kind, start=begin, end=begin + round(seconds * SECOND), **of)  # type: ignore[arg-type]

    mend: dict[str, str | Intent | int] = {"symbol": "MENDUSDT", "intent": Intent.STOP}
    return (
        trouble("reject", REJECTED_FROM, (REJECTED_TO - REJECTED_FROM) * 60, intent=Intent.SCALP),
        trouble("lost_order", STAKE + 5, 45, symbol="LOSTUSDT", intent=Intent.ENTRY),
        trouble("query", STAKE + 5, 105),
        trouble("reject", SPIKE, 240, intent=Intent.HEDGE),
        # For half a minute no stop of MEND arrives; twice more one that stood vanishes, and its successor is lost.
        # The strategy's own are lost for longer than the validator's, which are called /validator/.
        trouble("lost_order", STOPS, 75, **mend),
        trouble("lost_order", STOPS + 75 / 60, 10, **mend, purpose="/stop/"),
        trouble("vanished", STOPS + 85 / 60, 40, **mend, purpose="/stop/", delay=120 * SECOND),
        trouble("lost_order", STOPS + 190 / 60, 45, **mend, purpose="/stop/"),
        trouble("vanished", STOPS + 235 / 60, 40, **mend, purpose="/stop/", delay=120 * SECOND),
        trouble("lost_order", STOPS + 350 / 60, 45, **mend, purpose="/stop/"),
    )


def spoken(instant: Callable[[float], int]) -> tuple[Spoken, ...]:
    """Return what the operator types."""

    def flag(minute: float, name: str, value: FlagValue, reason: str) -> tuple[float, Command]:
        return minute, SetFlagCommand(actor=TAPE_ACTOR, name=name, value=value, reason=reason, ttl=0)

    def default(minute: float, name: str) -> tuple[float, Command]:
        return minute, UnsetFlagCommand(actor=TAPE_ACTOR, name=name)

    waived = WaiveCommand(
        actor=TAPE_ACTOR, rule="mute.scalp", lasts=HOUR, reason="the dear fills were of other coins than BTC",
    )
    typed: tuple[tuple[float, Command], ...] = (
        (REARM, RearmCommand(actor=TAPE_ACTOR, latch="--cleared")),
        flag(SCALPS, "SCALP_ENABLED", True, "small returns while nothing is listed"),
        flag(SCALPS + 0.01, "MAKER_GATE_ENABLED", True, "scalps may earn their place in the book"),
        flag(SCALPS + 0.02, "MAKER_GATE_SYMBOLS", "BTCUSDT", "where the book is deep"),
        flag(SCALPS + 0.03, "MAKER_GATE_MIN_SAMPLES", 4, "a story has minutes where a day has hours"),
        flag(SCALPS + 0.04, "WATCH_TRADES_SHARE_PCT", 50, "to be told sooner"),
        flag(SCALPS + 0.05, "SLIPPAGE_MIN_FILLS", 12, "to judge a symbol sooner"),
        (SCALPS + 0.06, waived),
        flag(TYPO + 0.2, "EVENT_BREAKOUT_SIZE_USD", 30_000, "3,000, with a zero too many"),
        default(REJECTED_TO, "SCALP_ENABLED"),
        flag(TYPO + 2, "EVENT_BREAKOUT_SIZE_USD", 9_000, "as much as the books of now bear"),
        flag(TYPO + 2.1, "FUNDING_HEDGE_RATIO", 1, "what is left of a trimmed position is hedged"),
        default(STOPS - 2, "EVENT_BREAKOUT_SIZE_USD"),
        flag(SWITCH, "DEPEG_SWITCH_QUOTE", True, "there are markets in other quotes now"),
    )
    return tuple(
        Spoken(at=instant(minute), command=command) for minute, command in sorted(typed, key=lambda one: one[0])
    )


def funding(instant: Callable[[float], int]) -> Iterator[tuple[int, TapeEvent]]:
    """Yield what the venue says that HOLD will pay next, once a minute, until it says nothing more."""
    for at in range(instant(TYPO - 2.0) + 3 * SECOND, instant(SPIKE + 6), MINUTE):
        rate = DEAR if at >= instant(SPIKE - 1.0) else CALM
        yield at, FundingRate("paper", "HOLDUSDT", rate, 8 * HOUR, at, at)
