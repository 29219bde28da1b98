"""Where the rest of a rule can be made wrong: its times, its doubt, its latch, what it forbids and does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engine.model.codec import Data
from engine.model.flags import FlagSpec
from engine.model.restraints import Level
from engine.ruleset.spec import RESTRAINING, Latching, OnUnknown, RuleKind, RuleSpec
from engine.workbench.test_checks import when

_LEVELS = [level.word for level in Level]
TIME_HINTS: Mapping[str, str] = {
    "for": "list `transitions:`, with the instant of pending and of firing",
    "keep_firing_for": "expect clearing a step before it ends, and what follows at its end",
    "cooldown": "expect cooldown a step before it ends and inactive at its end (after `do: rearm` where it latches)",
    "unknown_grace": "let a sample stay away, and expect held at the grace's end and not before",
    "min_clear": "let doubt end, and expect held a step before min_clear has passed and inactive then",
    "ttl": "expect the restraint a step before the ttl has passed, and none then, with doubt or clearing in between",
    "valid_for": "expect granted a step before the last sample is too old, and not granted then",
}
"""Which expectation kills a change of a time, by the key of the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChange:
    """One change of keys: name -> new value, None to take it away. `path` says where, from the rule."""

    operator: str
    path: tuple[str, ...]
    before: str
    after: str
    edits: tuple[tuple[str, Data], ...]
    hint: str


def key_changes(spec: RuleSpec, said: Mapping[str, Data], flags: Mapping[str, FlagSpec], step: int) -> Iterator[
    KeyChange
]:
    """Yield every small change of the keys of a rule that is written as `said`; `step` in ns."""
    if isinstance(spec.enabled, str):
        yield KeyChange(
            operator="enabled", path=("enabled",), before=spec.enabled, after="true", edits=(("enabled", True),),
            hint=f"a test with flags: {{{spec.enabled}: false}} that expects evaluated: false and restrain: none",
        )
    if spec.kind is RuleKind.ENTRY:
        return
    yield from _times(spec, said, flags, step)
    if spec.kind is RuleKind.MAKER_GATE:
        return
    if spec.clear_expr is not None:
        yield KeyChange(
            operator="clear_expr", path=("clear_expr",), before=spec.clear_expr.text, after="(none)",
            edits=(("clear_expr", None),),
            hint="after a firing, a sample for which neither expr nor clear_expr holds: expect clearing",
        )
    yield from _doubt(spec)
    if spec.kind in RESTRAINING:
        yield from _latch(spec)
        yield from _restraint("restrain", said, flags)
        yield from _restraint("unknown_cutback", said, flags)
        yield from _scope(spec)
    yield from _action(said, flags)


def _times(
    spec: RuleSpec, said: Mapping[str, Data], flags: Mapping[str, FlagSpec], step: int
) -> Iterator[KeyChange]:
    gate = spec.kind is RuleKind.MAKER_GATE
    values: dict[str, int] = {"valid_for": spec.valid_for} if gate else {
        "for": _flagged(spec.hold_for, spec.hold_for_unit, flags),
        "keep_firing_for": _flagged(spec.keep_firing_for, spec.keep_firing_for_unit, flags),
        "cooldown": _flagged(spec.cooldown, spec.cooldown_unit, flags),
        "unknown_grace": _flagged(spec.unknown_grace, spec.unknown_grace_unit, flags),
        "min_clear": spec.min_clear,
    }
    if spec.on_unknown is OnUnknown.IGNORE:
        # A rule that is never held by doubt has neither the wait before that nor the one after it.
        del values["unknown_grace"], values["min_clear"]
    if spec.ttl:
        values["ttl"] = _flagged(spec.ttl, spec.ttl_unit, flags)
    for key, value in values.items():
        written = said.get(key)
        before = when(value) if written is None else str(written)
        for other in dict.fromkeys((max(value - step, 0), value + step)):
            if other != value:
                after = when(other)
                yield KeyChange(
                    operator=key, path=(key,), before=before, after=after, edits=((key, after),), hint=TIME_HINTS[key],
                )


def _flagged(value: int | str, unit: int, flags: Mapping[str, FlagSpec]) -> int:
    """Return a duration that a flag's default may give, in ns."""
    if not isinstance(value, str):
        return value
    default = flags[value].default
    assert not isinstance(default, bool | str), "the loader lets only numbers be durations"
    return round(default * unit)


def _doubt(spec: RuleSpec) -> Iterator[KeyChange]:
    reason: tuple[str, Data] = ("on_unknown_reason", "a mutant")
    for other in OnUnknown:
        if other is spec.on_unknown or other is OnUnknown.CUTBACK and spec.kind not in RESTRAINING:
            continue
        edits: list[tuple[str, Data]] = [("on_unknown", other.value), reason]
        cut = {"size_mult": 0.9} if other is OnUnknown.CUTBACK else None
        yield KeyChange(
            operator="on_unknown", path=("on_unknown",), before=spec.on_unknown.value, after=other.value,
            edits=(*edits, ("unknown_cutback", cut)),
            hint="let an input stay in doubt for longer than the grace, and expect state: held and its restraint",
        )


def _latch(spec: RuleSpec) -> Iterator[KeyChange]:
    own = Latching.MANUAL if spec.kind is RuleKind.KILL and spec.latch is Latching.NONE else spec.latch
    for other in Latching:
        if other is not own and not (other is Latching.NONE and spec.kind is RuleKind.KILL):
            yield KeyChange(
                operator="latch", path=("latch",), before=own.value, after=other.value,
                edits=(("latch", other.value),),
                hint="expect latched after the condition is over, and once more after `events: [{do: boundary}]`",
            )


def _restraint(key: str, said: Mapping[str, Data], flags: Mapping[str, FlagSpec]) -> Iterator[KeyChange]:
    written = said.get(key)
    if not isinstance(written, dict):
        return
    for name, value in written.items():
        looser: list[Data] = [None]
        if name == "level" and _LEVELS.index(value) > 1:
            looser.append(_LEVELS[_LEVELS.index(value) - 1])
        elif name == "size_mult":
            looser.append(round((_number(value, flags) + 1) / 2, 6))
        elif name == "max_notional_usd":
            looser.append(round(_number(value, flags) * 1.1, 6))
        elif isinstance(value, list) and len(value) > 1:
            looser += [[item for item in value if item != one] for one in value]
        for other in looser:
            rest = {one: its for one, its in written.items() if one != name}
            if other is not None:
                rest[name] = other
            yield KeyChange(
                operator="restraint", path=(key, name), before=f"{name}: {value}",
                after="(none)" if other is None else f"{name}: {other}", edits=((key, rest),),
                hint=f"expect restrain: {{{name}: {value}}} while it fires",
            )


def _scope(spec: RuleSpec) -> Iterator[KeyChange]:
    if spec.by:
        after = "(none)" if spec.scope_all else "all"
        yield KeyChange(
            operator="scope", path=("scope",), before="all" if spec.scope_all else "(none)", after=after,
            edits=(("scope", None if spec.scope_all else "all"),),
            hint="expect scope: all" if spec.scope_all else "expect scope: {" + ", ".join(
                f"{name}: ..." for name in spec.by
            ) + "}",
        )


def _action(said: Mapping[str, Data], flags: Mapping[str, FlagSpec]) -> Iterator[KeyChange]:
    written = said.get("action")
    if not isinstance(written, dict):
        return
    for name, value in written.items():
        rest = {one: its for one, its in written.items() if one != name}
        yield KeyChange(
            operator="action", path=("action", name), before=f"{name}: {value}", after="(none)",
            edits=(("action", rest or None),), hint=f"expect action: {{{name}: ...}} at the firing",
        )
        if name == "exit_risk":
            for other in (True, "dry_run", False):
                if other != value:
                    yield KeyChange(
                        operator="action", path=("action", name), before=f"{name}: {value}",
                        after=f"{name}: {str(other).lower()}", edits=(("action", {**written, name: other}),),
                        hint="expect action: {exit_risk: ...} at the firing, under each value that its flag may have",
                    )
        else:
            number = _number(value, flags)
            # A flag at 0 starts nothing: what must be seen then is that nothing starts.
            for share in (round(number * 0.9, 9), round(number * 1.1, 9)) if number else (0.1,):
                yield KeyChange(
                    operator="action", path=("action", name), before=f"{name}: {value}", after=f"{name}: {share}",
                    edits=(("action", {**written, name: share}),),
                    hint=f"expect action: {{{name}: {number:g}}} at the firing" if number
                    else "expect action: none at the firing",
                )


def _number(value: Data, flags: Mapping[str, FlagSpec]) -> float:
    """Return a number that a flag's default may give."""
    number = flags[value].default if isinstance(value, str) else value
    assert isinstance(number, int | float), "the loader lets only numbers be numbers"
    return float(number)
