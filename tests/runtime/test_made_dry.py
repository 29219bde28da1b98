"""A session that an operator made dry is one with money still: the next process guards what is open at the venue."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.adapters.journal_memory import MemoryJournal
from engine.model.events import RunMode
from engine.model.run_mode import DRY_RUN_FLAG
from engine.model.time import SECOND
from engine.runtime.live import missed_guards, stopped_by_hand
from engine.runtime.options import RunError
from engine.runtime.recover import begin_or_recover
from tests.core.kit import config, heading
from tests.core.test_session import ENTRY, session, wish

HEADER = heading()


def test_a_session_that_was_made_dry_by_hand_goes_on_with_what_it_holds() -> None:
    run = begin_or_recover(MemoryJournal(), config(), HEADER.producers, 5)
    run.state.flags.set_operator(5, DRY_RUN_FLAG, False, reason="money", actor="ann")
    run.seq, run.state.mode = 3, RunMode.LIMITED_LIVE
    assert stopped_by_hand(run) == ""
    run.state.flags.set_operator(6, DRY_RUN_FLAG, True, reason="", actor="ann")
    assert "engine flag unset ENGINE_DRY_RUN" in stopped_by_hand(run)
    run.state.mode = RunMode.DRY_RUN
    assert stopped_by_hand(run) == "", "a run on paper has nothing at a venue"
    run.seq, run.state.mode = 0, RunMode.LIMITED_LIVE
    assert stopped_by_hand(run) == "", "nor has one that never ran"


def test_a_start_without_a_guard_is_refused_unless_something_is_open() -> None:
    run = begin_or_recover(MemoryJournal(), config(), HEADER.producers, 5)
    assert missed_guards(RunMode.LIMITED_LIVE, run.config, run) == ()
    run.state.flags.set_operator(5, "STOP_VALIDATOR_ENABLED", False, reason="a drill", actor="ann")
    assert missed_guards(RunMode.DRY_RUN, run.config, run) == ()
    with pytest.raises(RunError) as refused:
        missed_guards(RunMode.LIMITED_LIVE, run.config, run)
    assert "stop validator is disabled by STOP_VALIDATOR_ENABLED" in refused.value.what

    core = session(RunMode.LIMITED_LIVE, STOP_VALIDATOR_ENABLED=False)
    wish(core, core.calm() + SECOND, ENTRY)
    assert core.state.execution.all_live(), "an entry is under way"
    missed = missed_guards(RunMode.LIMITED_LIVE, run.config, replace(run, state=core.state))
    fix = "engine flag unset STOP_VALIDATOR_ENABLED"
    lines = {one.line(): one.key for one in missed}
    assert lines[f"stop validator is disabled by STOP_VALIDATOR_ENABLED: {fix}"] == "STOP_VALIDATOR_ENABLED"
