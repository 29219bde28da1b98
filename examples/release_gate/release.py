"""A release that the rules watch: it goes forward in steps, and every step is asked for.

Run it with the Python of the environment that `make run` made:
`.venv/bin/python examples/release_gate/release.py`. The service and its new version are
made up here; put your own metrics in their place.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.model.effects import LatchSet, RuleMoved
from engine.model.restraints import Level
from engine.ruleset import Rules

HERE = Path(__file__).resolve().parent
STEPS = (5.0, 20.0, 40.0, 25.0)
"""How much more of the traffic each step of the release would move, in percent."""
TICK = 10.0


@dataclass(frozen=True)
class Second:
    """What the service measured, and whether each request to the canary failed."""

    at: float
    error_ratio: float
    p95_ms: float
    saturation_pct: float
    canary: tuple[bool, ...]


def service(minutes: int, seed: int = 7) -> Iterator[Second]:
    """Yield a service every ten seconds: fine at first, then its new version begins to fail."""
    chance = random.Random(seed)
    for tick in range(minutes * 6):
        at = tick * TICK
        bad = at >= minutes * 35
        yield Second(
            at=at, error_ratio=chance.uniform(0.004, 0.012) if bad else chance.uniform(0.0, 0.004),
            p95_ms=chance.uniform(300, 500) if bad else chance.uniform(200, 400),
            saturation_pct=chance.uniform(40, 70),
            canary=tuple(chance.random() < (0.12 if bad else 0.002) for _ in range(20)),
        )


def load_gate(at: float = 0.0) -> Rules:
    """Return the rules of this folder."""
    return Rules.load(
        rules={path.name: path.read_bytes() for path in sorted((HERE / "rules").glob("*.yaml"))},
        signals=(HERE / "conf/signals.yaml").read_bytes(), flags=(HERE / "conf/flags.yaml").read_bytes(), at=at,
    )


def release(rules: Rules, story: Iterator[Second]) -> list[str]:
    """Take a release through `story`, asking the rules before every step, and return what happened, a line each."""
    told: list[str] = []
    traffic, steps = 0.0, list(STEPS)
    for second in story:
        for name in ("error_ratio", "p95_ms", "saturation_pct"):
            rules.feed(name, getattr(second, name), second.at)
        rules.alive("feed.canary", second.at)
        for failed in second.canary if traffic else ():
            rules.feed("canary_failed", float(failed), second.at)
        told += [f"{second.at:5.0f}s  {line}" for line in happenings(rules)]
        if rules.restraint().level >= Level.REDUCE_ONLY and traffic:
            told.append(f"{second.at:5.0f}s  rolled back from {traffic:g} %")
            traffic, steps = 0.0, []
        # A step every two minutes, and only where no rule says no.
        if steps and second.at % 120 == 0 and second.at and rules.restraint().level is Level.NORMAL:
            refused = rules.refusals({"step_traffic_pct": steps[0]}, second.at)
            for verdict in refused:
                inputs = ", ".join(f"{name} {text}" for name, text in verdict.inputs)
                told.append(f"{second.at:5.0f}s  {verdict.rule} refuses {steps[0]:g} % more: {inputs}")
            if refused:
                steps[:1] = [steps[0] / 2, steps[0] / 2]
            else:
                traffic += steps.pop(0)
                told.append(f"{second.at:5.0f}s  the new version has {traffic:g} % of the traffic")
    return told


def happenings(rules: Rules) -> Iterator[str]:
    """Yield what the rules did since they were last asked, in words."""
    for effect in rules.happened():
        if isinstance(effect, RuleMoved):
            yield f"{effect.rule}: {effect.before} > {effect.after}, {effect.why}  {effect.restrains}".rstrip()
        elif isinstance(effect, LatchSet):
            yield f"{effect.latch}: stays until somebody re-arms it"


def main() -> None:
    """Print a release that goes wrong, why it ended, and what an operator can do about it."""
    rules = load_gate()
    for line in release(rules, service(minutes=12)):
        print(line)
    print("\nwhy, part by part")
    for part in rules.explain("gate.canary")[0]["trace"]:
        print(f"  {'  ' * part['depth']}{part['text']} = {part['value']}")
    print("\nan operator tightens a limit; it holds from that instant on")
    rules.set_flag("ERROR_LIMIT_PCT", 0.5, 720.0)
    for at in (720.0, 730.0, 740.0):
        rules.feed("error_ratio", 0.008, at)
        rules.alive("feed.canary", at)
    for item in rules.restraints():
        print(f"  {item.instance}: {item.because}, ends {item.ends}")


if __name__ == "__main__":
    main()
