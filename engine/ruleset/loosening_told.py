"""What a rule does and tells when it fires: actions, notices, words."""

from __future__ import annotations

from collections.abc import Iterator

from engine.ruleset.changes import Direction, Judged
from engine.ruleset.loosening_side import Difference, Side
from engine.ruleset.spec import Action, RuleSpec

_EXITS = ("", "false", "dry_run", "true")
_URGENT = ("", "journal", "digest", "alert", "page")
_WORDS = ("summary", "runbook", "on_unknown_reason")


def action_changes(old: Side, new: Side) -> Iterator[Difference]:
    """Yield what changed about the actions of an episode."""
    before, after = old.compiled.action or Action(), new.compiled.action or Action()
    was, now = _exit(old, before), _exit(new, after)
    if was != now or before.exit_risk != after.exit_risk:
        rise = _EXITS.index(now) - _EXITS.index(was)
        yield "action", f"exit_risk: {before.exit_risk or '-'} ({was or 'none'})", (
            f"exit_risk: {after.exit_risk or '-'} ({now or 'none'})"
        ), _more(rise, "risk is closed when it fires", "less risk is closed when it fires")
    trims = (before.trim_pct or 0.0, after.trim_pct or 0.0)
    if trims[0] != trims[1]:
        yield "action", f"trim_pct: {trims[0]:g}", f"trim_pct: {trims[1]:g}", _more(
            trims[1] - trims[0], "more is closed when it fires", "less is closed when it fires",
        )
    hedges = (before.hedge_ratio or 0.0, after.hedge_ratio or 0.0)
    if hedges[0] != hedges[1]:
        yield "action", f"hedge_ratio: {hedges[0]:g}", f"hedge_ratio: {hedges[1]:g}", (
            (Direction.LOOSER, "less is hedged when it fires") if hedges[1] < hedges[0]
            else (Direction.INCOMPARABLE, "more is hedged when it fires, and a hedge is a trade")
        )


def _exit(side: Side, action: Action) -> str:
    word = action.exit_risk
    value = side.flags.get(word, "") if word.isupper() else word
    text = str(value).lower()
    return text if text in _EXITS else ""


def _more(rise: float, more: str, less: str) -> Judged:
    if rise == 0:
        return Direction.NEUTRAL, "it comes to the same"
    return (Direction.STRICTER, more) if rise > 0 else (Direction.LOOSER, less)


def notice_changes(old: Side, new: Side) -> Iterator[Difference]:
    """Yield what changed about whom a firing tells."""
    before, after = old.spec.notify, new.spec.notify
    was, now = before.to if before is not None else "", after.to if after is not None else ""
    if was != now:
        less = _URGENT.index(now) < _URGENT.index(was) if {was, now} <= set(_URGENT) else True
        yield "notify", was or "nobody", now or "nobody", (
            (Direction.INCOMPARABLE, "it restrains as before, but a firing is told less urgently") if less
            else (Direction.NEUTRAL, "it restrains as before, and a firing is told more urgently")
        )
    elif before is not None and after is not None and before.text != after.text:
        yield "notify", before.text, after.text, (Direction.NEUTRAL, "only the words of the message")


def wording_changes(old: RuleSpec, new: RuleSpec) -> Iterator[Difference]:
    """Yield what changed about words alone."""
    for name in _WORDS:
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield name, before, after, (Direction.NEUTRAL, "only words")
    if old.formerly != new.formerly and old.id == new.id:
        yield "formerly", ", ".join(old.formerly), ", ".join(new.formerly), (
            Direction.NEUTRAL, "only whose state and latches it takes over",
        )


def silence_changes(old: RuleSpec, new: RuleSpec) -> Iterator[Difference]:
    """Yield what changed about the lints that the rule silences: nothing in a run, but what a review is told."""
    before, after = _silences(old), _silences(new)
    for lint in sorted({*before, *after}):
        was, now = before.get(lint), after.get(lint)
        if was == now:
            continue
        if now is None:
            judged: Judged = (Direction.STRICTER, "the lint speaks again")
        elif was is None or was and (not now or now > was):
            judged = (Direction.LOOSER, "a lint is silenced that spoke, or for longer: what it would say goes unseen")
        else:
            judged = (Direction.STRICTER, "the lint speaks again sooner")
        yield f"lint {lint}", _until(was), _until(now), judged


def _silences(spec: RuleSpec) -> dict[str, str]:
    """Return until which day each lint is silent, empty for good; of several the longest."""
    found: dict[str, str] = {}
    for one in spec.silences:
        known = found.get(one.lint, one.until)
        found[one.lint] = "" if "" in (known, one.until) else max(known, one.until)
    return found


def _until(day: str | None) -> str:
    if day is None:
        return ""
    return f"silent until {day}" if day else "silent for good"
