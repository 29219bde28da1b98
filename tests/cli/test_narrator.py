"""The story as people read it, to the letter."""

from __future__ import annotations

import io
import typing
from collections import Counter
from dataclasses import replace

import pytest

from engine.cli.narrator import Narrator, report
from engine.cli.story import Line, told
from engine.cli.text import Paint
from engine.model.effects import Effect, PolicyChanged
from engine.model.events import RunMode
from engine.model.orders import Intent
from engine.model.overrides import OverrideBegan
from tests.cli.samples import AT_VENUE, BREAK, INFO, START, STORY, SUMMARY, moved, placed


def narrate(narrator: Narrator, effects: tuple[Effect, ...] = STORY) -> None:
    narrator.start(INFO)
    for effect in effects:
        narrator.effect(effect)
    narrator.finish(SUMMARY)


GOLDEN = """\
Runbook Engine · paper venue, no keys, nothing leaves this machine
  mode   dry-run: orders go to the simulated exchange in this process
  tape   demo, 6h30m of market time from 2026-03-02T18:00:00Z
  rules  10 rules and 27 flags loaded
  state  state/tape
  stop   Ctrl-C ends it in order; touch state/tape/HALT halts it

18:00:00  a quiet evening
18:00:00  guard.depeg.usdt              inactive > held      unknown: missing(peg_usdt_usd)                          => level halted
18:00:00  policy                        stricter             by guard.depeg.usdt                                     => level halted
18:00:01  policy                        looser               nothing restrains                                       => level normal
18:01:00  event_breakout NOVAUSDT       armed                Nova is listed
18:01:00  order rb-1-1                  ENTRY                NOVAUSDT/1/entry                                        => buy 416.6 NOVAUSDT market near 2.40012
18:02:00  entry.late_chase              refused              allowed 500, asked 740                                  => no entry of RUSHUSDT

19:00:00  USDT leaves its peg
19:00:00  guard.depeg.usdt              pending > firing     true for 3m: peg_usdt_usd = 0.989                       => level halted
19:00:00  guard.depeg.usdt/1            latch 1 set          stays until `engine rearm 1`                            => level halted
19:00:00  guard.depeg.usdt/1            exit_risk            the episode opened                                      => PINEUSDT to flat, reduce-only
19:00:00  page to a person              sent                 USDT at 0.9890: trading halted
19:00:00  ENTRY_MAX_SPREAD_BPS          by ada               50 > 40: thin books
19:00:00  engine rearm                  refused              guard.depeg.usdt is not known to be false
19:01:00  guard.depeg.usdt/1            latch 1 ended        ada: known to be false
19:01:00  daily boundary                2026-03-03           a new day: boundary latches end, the loss counts anew
19:01:00  reload by disk                generation 2         looser: guard.depeg.usdt for: 3m -> 4m (and 1 more); acknowledged by ada  => 9 rule instances carried, 1 new; latches without a rule: guard.old/1
19:01:00  engine.reload_failed          refused              rules/x.yaml:3:1: yaml-tab: a tab                       => what was in force stays
19:01:00  internal fault                halted               signals did not settle                                  => level halted

What came of it
  events      120,000 in 3.21 s, 37,383 a second
  decisions   40 changes of a rule, 3 messages to people
  orders      31 sent, 44 fills, 3 refused
  refused by  entry.late_chase 2, entry.spread 1
  slippage    9.9 bps a taker fill on average, 30 of them
  PnL         +12.30 USD on paper, fees paid
  level       halted now; normal 81.2 % of the time
  digest      abababababababab
  not shown   1 cancels, 1 changes of health, 1 stops placed or moved
  latched     1  guard.depeg.usdt/1: level halted since 2026-03-02T19:00:00Z

Go on
  engine status --state state/tape                    what is restricted, and what clears it
  engine explain guard.depeg.usdt --state state/tape  why, with every value it read
  engine rearm 1 --state state/tape                   end the latch, as an operator would

  Or change a rule and run again: in rules/guards/depeg.yaml write `for: 5 windows` in place of
  `for: DEPEG_CONFIRM_WINDOWS`; the halt then comes two minutes later.
"""  # noqa: E501 -- the story as it is printed


def test_the_whole_story_reads_like_this() -> None:
    out = io.StringIO()

    narrate(Narrator(command="engine", out=out))

    assert out.getvalue() == GOLDEN


def test_piped_text_has_no_escape_codes_and_the_same_words_as_coloured_text() -> None:
    plain, coloured = io.StringIO(), io.StringIO()

    narrate(Narrator(out=plain))
    narrate(Narrator(out=coloured, paint=Paint(enabled=True)))

    assert "\x1b" not in plain.getvalue()
    assert "\x1b[" in coloured.getvalue()
    assert len(coloured.getvalue().splitlines()) == len(plain.getvalue().splitlines())


def test_every_kind_of_effect_is_told_or_counted() -> None:
    """An effect nobody told would be a decision nobody saw."""
    samples = {type(effect): effect for effect in (*STORY, *AT_VENUE)}

    assert set(samples) == set(typing.get_args(Effect))
    # What begins an override is told by the answer to the command.
    told_elsewhere = {OverrideBegan}
    assert all(told(effect) is not None for kind, effect in samples.items() if kind not in told_elsewhere)


def test_a_reader_gets_pauses_and_a_pipe_gets_none() -> None:
    def waits(paced: bool) -> list[float]:
        narrator = Narrator(out=io.StringIO(), paced=paced)
        narrator.start(INFO)
        return [narrator.effect(effect) for effect in STORY * 100]

    assert not any(waits(paced=False))
    assert sum(waits(paced=True)) <= 30 + 1e-6
    assert all(wait > 0 for wait in waits(paced=True)[::len(STORY)])


def test_what_the_story_leaves_out_is_counted() -> None:
    out = io.StringIO()
    stops = tuple(placed(START, Intent.STOP, client_id=f"rb-1-{n}") for n in range(7))

    narrate(Narrator(out=out), stops)

    assert "7 stops placed or moved" in out.getvalue()
    assert "rb-1-3" not in out.getvalue()


def test_a_narrow_terminal_shortens_the_reason_and_never_the_rule() -> None:
    out = io.StringIO()
    long = moved(BREAK, "inactive", "firing", why="a reason " + "as long as a winter evening in the far north, " * 3)

    narrate(Narrator(out=out, width=100), (long,))

    line = next(line for line in out.getvalue().splitlines() if "inactive > firing" in line)
    assert "..." in line
    assert "guard.depeg.usdt " in line


def test_a_live_run_does_not_promise_that_nothing_leaves() -> None:
    out = io.StringIO()

    Narrator(out=out).start(replace(INFO, mode=RunMode.FULL_LIVE, venue="binanceusdm"))

    assert "nothing leaves this machine" not in out.getvalue()
    assert "full-live" in out.getvalue()


def test_rules_outside_the_policy_are_named_at_the_start() -> None:
    out = io.StringIO()

    unwired = (("guard.depeg.usdt", "peg_usdt_usd"),)
    Narrator(out=out).start(replace(INFO, unwired=unwired, warnings=("HALT is there",)))

    assert "unwired: guard.depeg.usdt does not guard in this run, nobody feeds peg_usdt_usd" in out.getvalue()
    assert "warning: HALT is there" in out.getvalue()


@pytest.mark.parametrize("summary", [{}, {"latches": [], "skips": {}}, {"latches": None, "normal_share": None}])
def test_a_run_that_did_nothing_is_reported_too(summary: dict[str, object]) -> None:
    out = io.StringIO()
    narrator = Narrator(out=out)
    narrator.start(INFO)

    narrator.finish(summary)

    assert "latched     nothing" in out.getvalue()


def test_a_line_names_time_rule_state_reason_and_effect() -> None:
    found = told(moved(BREAK, "pending", "firing"))

    assert isinstance(found, Line)
    assert (found.at, found.who, found.state, found.effect) == (
        BREAK, "guard.depeg.usdt", "pending > firing", "level halted"
    )


def test_the_report_names_damage_and_who_stopped_the_run() -> None:
    damage = [f"line {line}: the checksum does not fit" for line in range(2, 8)]
    summary = {**SUMMARY, "stopped": "SIGTERM", "damaged": damage, "damaged_count": 6}

    said = "\n".join(report(summary, Counter(), Paint(False)))

    assert "stopped     by SIGTERM, before the tape was over: go on with --resume" in said
    assert "damaged     6 lines of the tape, counted and passed over\n              line 2: the checksum" in said
    assert "line 4" in said
    assert "line 5" not in said


def test_a_halt_that_changes_only_who_restrains_is_not_called_looser() -> None:
    """Typed at 3 a.m. and answered with looser, it would be typed again."""
    halted = PolicyChanged(
        at=START, version=1, level="halted", size_mult=1.0, mute=(), deny=(), deny_quotes=(), max_notional_usd=None,
        binding=("guard.depeg.usdt",), stricter=True,
    )
    by_hand = replace(halted, version=2, binding=("guard.depeg.usdt", "operator:socket"), stricter=False)
    free = replace(halted, version=3, level="normal", binding=(), stricter=False)
    out = io.StringIO()
    narrator = Narrator(out=out)
    for effect in (halted, by_hand, free):
        narrator.effect(effect)

    assert [line.split()[2:4] for line in out.getvalue().splitlines()] == [
        ["stricter", "by"], ["as", "strict"], ["looser", "nothing"],
    ]
