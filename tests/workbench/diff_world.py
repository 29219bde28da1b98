"""Small rule sets and made-up timelines, to compare one with another."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from engine.model.restraints import EVERYTHING, Level, Restraint
from engine.model.time import HOUR, MINUTE, parse_instant
from engine.ruleset.load import load_rules
from engine.ruleset.loosening import compare
from engine.ruleset.ruling import Denied, Ruling
from engine.runtime.config import load_config
from engine.workbench.diff import Compared, Setting, diff
from engine.workbench.diff_report import Range, Report, RuleDiff, SideInfo
from engine.workbench.timeline import EpisodeSpan, Grip, InstanceTimeline, Judgement, Timeline, Transition

ROOT = Path(__file__).resolve().parents[2]
BEGIN = parse_instant("2026-03-02T18:00:00Z")
END = BEGIN + 6 * HOUR
HALTED = Restraint(level=Level.HALTED)
PEG = """  - id: guard.peg
    kind: guard
    summary: the peg is gone
    runbook: RUNBOOK.md#usdt-wobbly
    expr: pct(abs(peg_usdt_usd - 1)) >= 0.5
    restrain: {level: halted}
    tests:
      - name: fires
        step: 60s
        series: {peg_usdt_usd: "1*3 0.9*3"}
        expect:
          - {at: 4m, state: firing}
"""


@cache
def _world() -> Ruling:
    return load_config(ROOT, {}).ruling()


def ruling(*rules: str, denied: tuple[Denied, ...] = ()) -> Ruling:
    """Return a ruling of `rules`, each the YAML of one item of a list; signals and flags are the shipped ones."""
    world = _world()
    files = {f"rules/{number:03}.yaml": f"version: 1\nrules:\n{rule}".encode() for number, rule in enumerate(rules)}
    loaded = load_rules(files, world.catalogue, world.flag_specs)
    assert loaded.rules is not None, "\n".join(map(str, loaded.findings))
    return replace(world, rules=loaded.rules, denylist=denied)


def minutes(count: float) -> int:
    """Return the instant `count` minutes after the beginning (ns)."""
    return BEGIN + round(count * MINUTE)


def grip(begin: float, end: float, restraint: Restraint = HALTED, because: str = "firing") -> Grip:
    return Grip(begin=minutes(begin), end=minutes(end), restraint=restraint, scope=EVERYTHING, because=because)


def lived(
    rule: str = "guard.peg", *spans: tuple[float, float], restraint: Restraint = HALTED, shadow: bool = False,
    labels: tuple[str, ...] = (), known: bool = True,
) -> InstanceTimeline:
    """Return an instance that fired and restrained in each of `spans` (minutes)."""
    moves: list[Transition] = []
    for begin, end in spans:
        moves.append(Transition(
            at=minutes(begin), before="inactive", after="firing", why="true", inputs=(("peg_usdt_usd", "0.97"),),
        ))
        moves.append(Transition(at=minutes(end), before="firing", after="inactive", why="false"))
    return InstanceTimeline(
        rule=rule, instance=f"{rule}[{','.join(labels)}]" if labels else rule, labels=labels, transitions=tuple(moves),
        grips=tuple(grip(begin, end, restraint) for begin, end in spans),
        episodes=tuple(
            EpisodeSpan(number=number, begin=minutes(begin), end=minutes(end), open=False, action="")
            for number, (begin, end) in enumerate(spans, start=1)
        ),
        known=END - BEGIN if known else 0, unknown=0 if known else END - BEGIN, ever_true=bool(spans),
        ever_false=known, shadow=shadow,
    )


def timeline(
    *instances: InstanceTimeline, judgements: tuple[Judgement, ...] = (), latches: tuple[str, ...] = (),
    not_replayable: dict[str, str] | None = None,
) -> Timeline:
    return Timeline(
        begin=BEGIN, end=END, instances={one.instance: one for one in instances}, judgements=judgements,
        open_latches=latches, not_replayable=not_replayable or {}, rows=1_000,
    )


def judgement(index: int, allowed: float, *refused_by: str, asked: float = 1_000.0) -> Judgement:
    return Judgement(
        index=index, at=minutes(index), symbol="BTCUSDT", intent="event_entry", notional_usd=asked,
        allowed_usd=allowed, refused_by=refused_by,
    )


def compared(name: str, decides: Ruling, did: Timeline) -> Compared:
    info = SideInfo(name=name, commit="", digest=decides.digest, rules=len(decides.rules.rules))
    return Compared(info=info, ruling=decides, timeline=did)


def report(base: tuple[Ruling, Timeline], head: tuple[Ruling, Timeline]) -> Report:
    """Return what the comparison of two sides over six made-up hours says."""
    known = Range(
        name="made up", begin=BEGIN, end=END, records=1_000, symbols=("BTCUSDT",), rearm="never", exact=True,
        asked="--tape made-up",
    )
    setting = Setting(range=known, coverage=(), changes=compare(base[0], head[0]))
    return diff(compared("base", *base), compared("head", *head), setting)


def rule(found: Report, name: str = "guard.peg") -> RuleDiff:
    return next(one for one in found.rules if one.id == name)
