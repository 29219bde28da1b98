"""A reload takes over what was known, loses no restraint, and is an input like any other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest

from engine.core.checkpoint import dump_state, load_state
from engine.core.report import status
from engine.model.codec import canonical, encode
from engine.model.effects import CommandAnswered, Effect, LatchSet, Notify, ReloadFailed, RulingChanged
from engine.model.events import HaltCommand, RearmCommand, ReloadRefused, SetFlagCommand
from engine.model.restraints import Level
from engine.model.time import MINUTE, SECOND, format_second
from engine.ruleset.ruling import Ruling
from engine.runtime.config import without_rules
from tests.core.kit import ORACLE, Core, Drive, answers, config, fresh, moves
from tests.core.kit import demo as demo_tape
from tests.core.rulings import Edits, denying, edited, offered

DEPEG, SIGNALS, FLAGS = "rules/guards/depeg.yaml", "conf/signals.yaml", "conf/flags.yaml"
UNREAD = """
  - name: moon_phase
    kind: state
    unit: ratio
    summary: nobody reads it
    max_age: 1d
    producer: feed.oracle
    lint: [{disable: lint-unused-signal, reason: a test}]
"""


_OWN = ("policy_version", "version", "source")
"""What a reload of other lines may change: how often the policy was joined, and on which line a rule stands."""


def told_by_rules(effects: Sequence[Effect]) -> list[dict[str, object]]:
    """Return all effects but those that speak of the reload itself; what may differ is left out."""
    told = [json.loads(encode(one)) for one in effects if not isinstance(one, RulingChanged | CommandAnswered)]
    return [{key: item for key, item in one.items() if key not in _OWN} for one in told]


def run(reloads: dict[int, Ruling], until: int) -> Drive:
    """Run the demo with `reloads` after so many market events."""
    drive = Drive({})
    for taken, ruling in sorted(reloads.items()):
        drive.until(taken)
        drive._take(drive.at, offered(drive.state, ruling))
    return drive.until(until)


@cache
def told_plainly(until: int) -> list[dict[str, object]]:
    """Return what the demo tells without any reload."""
    return told_by_rules(run({}, until).effects)


SAME: dict[str, Edits] = {
    "the files as they are": {},
    "one signal more, which nobody reads": {SIGNALS: ("", UNREAD)},
    "a comment": {DEPEG: ("version: 1", "# looked at on Sunday\nversion: 1")},
}


@pytest.mark.parametrize("edits", SAME.values(), ids=SAME)
def test_a_reload_that_decides_the_same_changes_nothing_that_follows(edits: Edits) -> None:
    """Through a cutback, a mute, the drop and the depeg of the demo: timers, episodes and latches are carried."""
    until = 132_878
    plain = told_plainly(until)
    ruling = edited(edits)
    reloaded = run(dict.fromkeys((9000, 40000, 61234, 90000, 110000, 123456), ruling), until)
    assert reloaded.state.generation == 7
    assert told_by_rules(reloaded.effects) == plain


def test_a_run_goes_on_from_a_checkpoint_behind_a_reload_as_if_nobody_had_cut_it() -> None:
    """Slots stand in the order they were bound in, which is not the order a fresh engine would bind them in."""
    more = """
  - id: guard.aaa.first
    kind: watch
    summary: binds before all others
    runbook: RUNBOOK.md#usdt-wobbly
    expr: avg_over(spread_bps, "7m", venue="paper", symbol="PINEUSDT") >= 400
    notify: {to: digest, text: wide}
"""
    ruling = edited({"rules/guards/feed.yaml": ("", more)})
    whole = run({30_000: ruling}, 90_000)
    cut = run({30_000: ruling}, 45_000)
    payload = json.loads(cut.payload())
    again = Drive({})
    again.wired = replace(fresh(demo_tape()), rules=0)
    state = again.wired.state
    swapped = offered(state, ruling)
    again._take(again.at, swapped)
    load_state(state, payload["core"])
    assert canonical(dump_state(state)) == canonical(payload["core"])
    assert whole.state.generation == cut.state.generation == state.generation == 2


def test_a_checkpoint_of_another_ruling_is_refused() -> None:
    cut = run({1_000: edited({DEPEG: ("cooldown: DEPEG_ACTION_COOLDOWN_MIN", "cooldown: 2h")})}, 2_000)
    with pytest.raises(ValueError, match="is of ruling"):
        load_state(fresh(demo_tape()).state, json.loads(cut.payload())["core"])


def test_a_stricter_threshold_is_in_force_with_the_reload_itself() -> None:
    core = Core()
    at = core.calm()
    core.peg(at + SECOND, 0.9985)
    stricter = edited({
        DEPEG: ("pct(abs(peg_usdt_usd - 1)) >= DEPEG_THRESHOLD_PCT\n", "pct(abs(peg_usdt_usd - 1)) >= 0.1\n")
    })
    effects = core.tell(at + 2 * SECOND, offered(core.state, stricter))
    assert moves(effects, ORACLE) == [(core.begin + at + 2 * SECOND, "pending")]
    assert answers(effects)[0].accepted


def halted() -> tuple[Core, int]:
    """Return a core that USDT's depeg has halted and latched, and the instant."""
    core = Core()
    at = core.calm()
    for _ in range(6):
        at += MINUTE
        core.peg(at, 0.97)
        core.quote(at)
    assert core.state.book.latches() and core.level() is Level.HALTED
    return core, at


TOUCHED: dict[str, Edits] = {
    "a longer for": {DEPEG: ("for: DEPEG_CONFIRM_WINDOWS", "for: 3h")},
    "another threshold": {
        DEPEG: ("pct(abs(peg_usdt_usd - 1)) >= DEPEG_THRESHOLD_PCT\n", "pct(abs(peg_usdt_usd - 1)) >= 0.6\n"),
    },
    "no latch any more": {DEPEG: ("latch: manual", "latch: none")},
    "in shadow": {DEPEG: ("enabled: DEPEG_GUARD_ENABLED", "enabled: DEPEG_GUARD_ENABLED\n    enforcement: shadow")},
    "off": {DEPEG: ("enabled: DEPEG_GUARD_ENABLED", "enabled: DEPEG_GUARD_ENABLED\n    enforcement: 'off'")},
    "renamed": {DEPEG: ("id: guard.depeg.usdt\n", "id: guard.peg.usdt\n    formerly: [guard.depeg.usdt]\n")},
    "forgotten": {DEPEG: ("id: guard.depeg.usdt\n", "id: guard.something.new\n")},
    "disabled by its flag": {FLAGS: ("name: DEPEG_GUARD_ENABLED\n", "name: DEPEG_GUARD_ENABLED\n    value: false\n")},
    "another max_age": {SIGNALS: ("max_age: 150s", "max_age: 170s")},
}


@pytest.mark.parametrize("edits", TOUCHED.values(), ids=TOUCHED)
def test_no_reload_ends_what_latched(edits: Edits) -> None:
    core, at = halted()
    before = core.state.book.latches()
    core.tell(at + SECOND, offered(core.state, edited(edits)))
    assert core.level() is Level.HALTED
    after = core.state.book.latches()
    assert [(one.number, one.episode, one.since) for one in after] == [
        (one.number, one.episode, one.since) for one in before
    ]


def test_the_latch_of_a_rule_that_is_gone_is_named_stays_and_ends_by_hand() -> None:
    core, at = halted()
    effects = core.tell(at + SECOND, offered(core.state, edited(TOUCHED["forgotten"])))
    changed = next(one for one in effects if isinstance(one, RulingChanged))
    assert changed.orphaned == ("guard.depeg.usdt/1",)
    core.fine(at + 2 * SECOND, at + 10 * MINUTE)
    assert core.level() is Level.HALTED
    answered = answers(core.tell(at + 11 * MINUTE, RearmCommand(actor="ann", latch="guard.depeg.usdt/1")))
    assert answered[0].accepted, answered


def test_raising_for_never_unfires_and_opens_no_second_episode() -> None:
    core, at = halted()
    effects = core.tell(at + SECOND, offered(core.state, edited(TOUCHED["a longer for"])))
    assert moves(effects, ORACLE) == []
    assert not [one for one in effects if isinstance(one, LatchSet)]
    view = next(one for one in core.state.book.views(core.state.at) if one.instance == ORACLE)
    assert view.state == "firing"


def test_what_operators_set_stays_over_what_the_files_say() -> None:
    core = Core()
    at = core.calm()
    core.tell(at + 1, SetFlagCommand(actor="ann", name="DEPEG_THRESHOLD_PCT", value=0.3, reason="", ttl=0))
    core.tell(at + 2, HaltCommand(actor="ann", reason="", source="socket"))
    file = edited({FLAGS: ("name: DEPEG_THRESHOLD_PCT\n", "name: DEPEG_THRESHOLD_PCT\n    value: 0.4\n")})
    core.tell(at + 3, offered(core.state, file))
    assert core.state.flags.values["DEPEG_THRESHOLD_PCT"] == 0.3
    assert core.level() is Level.HALTED and core.state.halts


def test_a_refused_reload_restrains_nothing_tells_once_shows_and_ends_with_a_good_one() -> None:
    core = Core()
    at = core.calm()
    refused = ReloadRefused(actor="disk", what="rules/x.yaml:3:1: yaml: a tab", fix="use blanks")
    effects = core.tell(at + 1, refused)
    assert [one.what for one in effects if isinstance(one, ReloadFailed)] == [refused.what]
    assert [one.rule for one in effects if isinstance(one, Notify)] == ["engine.reload_failed"]
    assert not answers(effects)[0].accepted
    assert core.level() is Level.NORMAL
    assert status(core.state)["reload_failed"]["what"] == refused.what
    assert not [one for one in core.tell(at + 2, refused) if isinstance(one, Notify | ReloadFailed)]

    state = fresh(demo_tape()).state
    load_state(state, json.loads(canonical(dump_state(core.state))))
    assert state.reload_fault == core.state.reload_fault

    effects = core.tell(at + 3, offered(core.state, edited({})))
    assert status(core.state)["reload_failed"] is None
    assert [one.rule for one in effects if isinstance(one, Notify)] == ["engine.reload_failed"]


def test_a_change_judged_against_another_ruling_is_not_taken() -> None:
    core = Core()
    at = core.calm()
    effects = core.tell(at + 1, offered(core.state, edited(TOUCHED["a longer for"]), base="0" * 64))
    assert not answers(effects)[0].accepted
    assert core.state.generation == 1 and core.level() is Level.NORMAL


def test_a_ruling_that_nobody_offered_is_our_fault_and_halts() -> None:
    core = Core()
    at = core.calm()
    reload = offered(core.state, edited(TOUCHED["a longer for"]))
    core.state.offered.clear()
    assert not answers(core.tell(at + 1, reload))[0].accepted
    assert core.level() is Level.HALTED


def test_a_denied_symbol_is_denied_until_its_line_ends() -> None:
    core = Core()
    at = core.calm()
    until = core.begin + at + 5 * MINUTE
    until -= until % SECOND
    ruling = denying(f"PINEUSDT until={format_second(until)} reason=thin\nOAKUSDT reason=never again\n")
    core.tell(at + SECOND, offered(core.state, ruling))
    assert core.state.policy.overall.deny == {"PINEUSDT", "OAKUSDT"}
    core.fine(at + 2 * SECOND, at + 4 * MINUTE)
    assert core.state.policy.overall.deny == {"PINEUSDT", "OAKUSDT"}
    core.wake(until - core.begin)
    assert core.state.policy.overall.deny == {"OAKUSDT"}
    core.tell(at + 6 * MINUTE, offered(core.state, edited({})))
    assert core.state.policy.overall.deny == frozenset()


def test_a_run_without_rules_lets_nobody_enter_and_ends_with_the_first_good_reload() -> None:
    core = Core()
    at = core.calm()
    nothing = without_rules(config()).ruling()
    core.tell(at + 1, offered(core.state, nothing))
    assert core.level() is Level.ENTRIES_PAUSED
    held = [one for one in core.state.policy.in_force if one.rule == "engine.no_rules"]
    assert held and held[0].ends
    core.tell(at + 2, offered(core.state, edited({})))
    core.fine(at + SECOND, at + 3 * MINUTE)
    assert core.level() is Level.NORMAL
