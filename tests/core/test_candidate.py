"""A candidate set in shadow decides nothing, and says truly what it would have done."""

from __future__ import annotations

import json
from collections.abc import Mapping

from engine.core.candidate import Candidate
from engine.core.checkpoint import dump_state, load_state
from engine.core.report import status
from engine.core.state import State
from engine.model.codec import canonical
from engine.model.effects import Effect, OrderRefused, RuleMoved
from engine.model.time import MINUTE
from engine.ruleset.ruling import Ruling
from engine.signals.catalogue import unwired_signals
from tests.core.kit import ORACLE, Core, Drive
from tests.core.rulings import edited

DEPEG, FILTERS = "rules/guards/depeg.yaml", "rules/entries/filters.yaml"
TIGHT = {DEPEG: ("pct(abs(peg_usdt_usd - 1)) >= DEPEG_THRESHOLD_PCT\n", "pct(abs(peg_usdt_usd - 1)) >= 0.2\n")}


def beside(state: State, ruling: Ruling) -> None:
    """Put `ruling` in shadow beside the live one."""
    unwired = unwired_signals(ruling.catalogue, state.producers)
    state.candidate = Candidate(ruling, state.snapshot, state.flags.values, unwired, state.at)


def demo(ruling: Ruling | None, until: int = 132_878) -> Drive:
    """Run the demo, with `ruling` in shadow from the start."""
    def prepare(state: State) -> None:
        if ruling is not None:
            beside(state, ruling)

    return Drive({}, prepare=prepare).until(until)


def moved(effects: list[Effect]) -> Mapping[str, int]:
    """Return how often each rule moved."""
    counts: dict[str, int] = {}
    for effect in effects:
        if isinstance(effect, RuleMoved):
            counts[effect.rule] = counts.get(effect.rule, 0) + 1
    return counts


def test_a_run_with_a_candidate_decides_byte_for_byte_what_it_decides_without() -> None:
    """The whole demo: a cutback, a mute, refusals, a drop, a depeg, the daily boundary."""
    plain, beside_it = demo(None), demo(edited(TIGHT))
    assert beside_it.heard == plain.heard
    assert beside_it.state.policy.in_force == plain.state.policy.in_force


def test_a_candidate_that_is_the_live_set_differs_nowhere() -> None:
    """It sits through the same moves, and every order is judged alike."""
    drive = demo(edited({}))
    candidate = drive.state.candidate
    assert candidate is not None
    found = candidate.found.dump()
    assert set(found["spent"]) == {"same"} and not found["refused_more"] and not found["let_more"]
    assert found["moves"] == moved(drive.effects)


def test_a_stricter_candidate_is_told_as_stricter_for_as_long_as_it_would_have_been() -> None:
    core = Core(lambda state: beside(state, edited(TIGHT)))
    at = core.calm()
    for _ in range(10):
        at += MINUTE
        core.peg(at, 0.9975)
        core.fine_quotes(at)
    candidate = core.state.candidate
    assert candidate is not None and not core.state.book.latches()
    assert [latch.name for latch in candidate.book.latches()] == [f"{ORACLE}/1"]
    shown = status(core.state)
    assert shown["line"] == "MAY TRADE" and shown["candidate"]["level"] == "halted"
    candidate.account(core.begin + at)
    # True from the first minute on, it fires after three windows: from the fourth minute to the tenth.
    assert candidate.found.spent["stricter"] == 6 * MINUTE
    assert set(candidate.found.spent) == {"same", "stricter"}


def test_orders_that_only_the_candidate_refuses_are_counted_by_its_reason() -> None:
    """Spread, chase and slippage filters as the demo meets them, against ones that refuse everything or nothing."""
    narrow = edited({FILTERS: ("ENTRY_MAX_SPREAD_BPS\n", "ENTRY_MAX_SPREAD_BPS / 50\n")})
    drive = demo(narrow)
    candidate = drive.state.candidate
    assert candidate is not None
    assert candidate.found.refused_more["entry.spread"] > 0 and not candidate.found.let_more
    refused = [one for one in drive.effects if isinstance(one, OrderRefused) and one.reason == "entry.spread"]
    assert len(refused) == drive.state.tally.skips["entry.spread"]


def test_a_candidate_survives_a_checkpoint() -> None:
    ruling = edited(TIGHT)
    whole, cut = demo(ruling, 90_000), demo(ruling, 60_000)
    payload = json.loads(cut.payload())
    again = Drive({})
    beside(again.state, ruling)
    load_state(again.state, payload["core"])
    assert canonical(dump_state(again.state)) == canonical(payload["core"])
    resumed = Drive({}, canonical(payload), prepare=lambda state: beside(state, ruling)).until(90_000)
    assert canonical(dump_state(resumed.state)) == canonical(dump_state(whole.state))
