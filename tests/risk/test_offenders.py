"""Who misbehaves: what makes a day bad, how many bad days it takes, and that a restart forgets none of it."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest

from engine.model.flags import FlagValue
from engine.model.nightly import Offence
from engine.model.samples import Derived
from engine.model.time import DAY, HOUR
from engine.risk.entropy import Words
from engine.risk.offenders import Offenders
from engine.risk.wanted import DEFAULTS

FLAGS: dict[str, FlagValue] = {
    **DEFAULTS, "DENYLIST_MIN_FILLS": 2.0, "DENYLIST_REPAIRS": 2.0, "DENYLIST_DAYS": 2.0, "DENYLIST_OF_DAYS": 3.0,
}
FIRST = date(2026, 3, 1)
Spoken = list[tuple[tuple[str, str], Words]]


def fill(offenders: Offenders, symbol: str, *bps: float, liquidity: str = "taker") -> None:
    """Let fills of `symbol` have slipped so far."""
    for one in bps:
        offenders.on_fill(symbol, [Derived("fill_slippage_bps", ("paper", liquidity), one, 0)])


def repair(offenders: Offenders, symbol: str, total: float, venue: str = "paper") -> None:
    """Let the validator of `venue` tell that it placed `total` stops again so far."""
    offenders.hear([Derived("stop_validator_repaired_total", (venue, symbol), total, 0)])


def night(offenders: Offenders, number: int, words: Spoken | None = None) -> tuple[Offence, ...]:
    """End day `number` (from 0) and return who offends."""
    begins = (FIRST + timedelta(days=number + 1)).isoformat()
    return offenders.end_day((number + 1) * DAY, begins, words or [], FLAGS)


def test_dear_fills_on_two_of_three_days_make_an_offender() -> None:
    offenders = Offenders()
    fill(offenders, "PINEUSDT", 30.0, 20.0)
    assert night(offenders, 0) == ()
    assert night(offenders, 1) == ()
    fill(offenders, "PINEUSDT", 10.0, 40.5)
    assert night(offenders, 2) == (
        Offence(
            symbol="PINEUSDT", until=3 * DAY + 72 * HOUR,
            reason="2 bad days of 3, last: slippage 25.2 bps over 2 fills",
        ),
    )


def test_a_bad_day_is_forgotten_when_it_is_too_long_ago() -> None:
    offenders = Offenders()
    fill(offenders, "PINEUSDT", 30.0, 30.0)
    night(offenders, 0)
    for number in (1, 2):
        assert night(offenders, number) == ()
    fill(offenders, "PINEUSDT", 30.0, 30.0)
    assert night(offenders, 3) == ()
    fill(offenders, "PINEUSDT", 30.0, 30.0)
    assert [one.symbol for one in night(offenders, 4)] == ["PINEUSDT"]
    # It goes on to offend for as long as two of the last three days were bad.
    assert [one.symbol for one in night(offenders, 5)] == ["PINEUSDT"]
    assert night(offenders, 6) == ()


@pytest.mark.parametrize(
    ("bps", "liquidity"),
    [((30.0,), "taker"), ((20.0, 20.0), "taker"), ((30.0, 30.0, 30.0), "maker"), ((30.0, 30.0), "maker_shadow")],
)
def test_few_fills_cheap_fills_and_what_makers_paid_are_no_offence(bps: tuple[float, ...], liquidity: str) -> None:
    offenders = Offenders()
    for number in range(3):
        fill(offenders, "PINEUSDT", *bps, liquidity=liquidity)
        assert night(offenders, number) == ()


def test_fills_of_two_days_are_not_added_up() -> None:
    offenders = Offenders()
    for number in range(3):
        fill(offenders, "PINEUSDT", 90.0)
        assert night(offenders, number) == ()


def test_repairs_are_counted_by_what_was_new_since_the_day_began_on_every_venue() -> None:
    offenders = Offenders()
    for total in (1.0, 1.0, 2.0):
        repair(offenders, "OAKUSDT", total)
    night(offenders, 0)
    repair(offenders, "OAKUSDT", 2.0)
    repair(offenders, "OAKUSDT", 3.0)
    assert night(offenders, 1) == ()
    repair(offenders, "OAKUSDT", 4.0)
    repair(offenders, "OAKUSDT", 1.0, venue="other")
    assert [one.reason for one in night(offenders, 2)] == ["2 bad days of 3, last: stops repaired 2 times"]


def spoken(count: int, *, seesaw: bool) -> Words:
    """Return the words of `count` minutes, of a machine or of a coin."""
    words, price = Words(), 1000.0
    for minute in range(count):
        price += (1, -1)[minute % 2] if seesaw else (1, -1, 0)[minute * minute // 7 % 3]
        words.hear(minute, price)
    return words


def test_a_painted_tape_is_found_and_a_live_or_short_one_is_not() -> None:
    offenders = Offenders()
    for number in range(2):
        words = [
            (("paper", "ALIVE"), spoken(900, seesaw=False)), (("paper", "PAINTED"), spoken(900, seesaw=True)),
            (("paper", "SHORT"), spoken(302, seesaw=True)),
        ]
        found = night(offenders, number, words)
        assert all(one.count() == 0 for _, one in words), "the next day's words are counted anew"
    assert [(one.symbol, one.reason) for one in found] == [
        ("PAINTED", "2 bad days of 3, last: entropy 0.33 bits a minute over 897 minutes"),
    ]
    assert spoken(303, seesaw=True).count() == 300


def test_two_symptoms_are_one_bad_day_and_both_are_told() -> None:
    offenders = Offenders()
    for number in range(2):
        fill(offenders, "PINEUSDT", 30.0, 30.0)
        repair(offenders, "PINEUSDT", 2.0 + 2 * number)
        found = night(offenders, number)
    assert [one.reason for one in found] == [
        "2 bad days of 3, last: slippage 30.0 bps over 2 fills and stops repaired 2 times",
    ]


def test_a_restart_in_the_middle_of_a_day_forgets_nothing() -> None:
    told = []
    for restarts in (False, True):
        offenders = Offenders()
        for number in range(2):
            fill(offenders, "PINEUSDT", 30.0)
            repair(offenders, "OAKUSDT", 1.0 + 2 * number)
            if restarts:
                kept = json.loads(json.dumps(offenders.dump()))
                offenders = Offenders()
                offenders.load(kept)
            fill(offenders, "PINEUSDT", 30.0)
            repair(offenders, "OAKUSDT", 2.0 + 2 * number)
            found = night(offenders, number)
        told.append((found, offenders.dump()))
    assert told[0] == told[1]
    assert [one.symbol for one in told[0][0]] == ["OAKUSDT", "PINEUSDT"]
