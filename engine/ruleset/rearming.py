"""Ending a latch: by a new local day, or by hand, which is refused unless its rule is known false or gone."""

from __future__ import annotations

from collections.abc import Mapping

from engine.model.truth import Truth
from engine.ruleset.compiled import CompiledRule
from engine.ruleset.instances import Instance
from engine.ruleset.latches import Key
from engine.ruleset.moves import Moves
from engine.ruleset.spec import Latching
from engine.ruleset.words import inputs_text

CLEARED = "--cleared"


def new_day(moves: Moves, instances: Mapping[Key, Instance], at: int) -> None:
    """End the latches that last until the daily boundary, which is at `at` (ns)."""
    for latch in moves.latches.all():
        if latch.mode is Latching.BOUNDARY:
            instance = instances.get((latch.rule, latch.labels))
            moves.unlatch(latch, instance, at=at, actor="boundary", why="a new local day began")


def rearm(  # noqa: PLR0913 - who asks for what, and all that decides it
    moves: Moves, rules: Mapping[str, CompiledRule], instances: Mapping[Key, Instance], *,
    wanted: str, actor: str, at: int,
) -> tuple[bool, str]:
    """End the latch `wanted` (a number or a name), or with `--cleared` all that may end; (done, what or why not)."""
    open_latches = moves.latches.all()
    if wanted != CLEARED:
        latch = moves.latches.find(wanted)
        if latch is None:
            return False, f"there is no latch {wanted}; open latches: {moves.latches.listing()}"
        open_latches = (latch,)
    elif not open_latches:
        return False, "no latch is open"
    done: list[str] = []
    refused: list[str] = []
    for latch in open_latches:
        instance = instances.get((latch.rule, latch.labels))
        why_not = refusal(moves, rules.get(latch.rule), instance)
        if why_not:
            refused.append(f"{latch.number} ({latch.name}): {why_not}")
            continue
        over = "its rule is gone" if instance is None else f"its condition is false: {_numbers(moves, instance)}"
        moves.unlatch(latch, instance, at=at, actor=actor, why=over)
        done.append(f"{latch.number} ({latch.name})")
    said = [f"re-armed {', '.join(done)}"] if done else []
    if refused:
        said.append(f"still latched: {'; '.join(refused)}")
    return bool(done), "; ".join(said)


def refusal(moves: Moves, compiled: CompiledRule | None, instance: Instance | None) -> str:
    """Return why a latch of this rule may not end now, or an empty string."""
    if compiled is None:
        return ""
    if not compiled.evaluated:
        return f"nobody evaluates its rule ({compiled.why_not()}), so nobody knows whether its condition is over"
    if instance is None:
        return ""
    truth = instance.truth()
    if truth is Truth.TRUE:
        return f"its condition is still true: {_numbers(moves, instance)}"
    if truth is Truth.UNKNOWN:
        return f"its condition is unknown: {_numbers(moves, instance)}"
    return ""


def _numbers(moves: Moves, instance: Instance) -> str:
    flags = "".join(f", {name}={value}" for name, value in instance.compiled.flag_values())
    return inputs_text(instance.input_texts(moves.snapshot)) + flags
