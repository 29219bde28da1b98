"""What flags, signals and the denylist of two rulings say beside their rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields

from engine.model.flag_values import bounds_text, flag_text, loosens, with_unit
from engine.model.flags import FlagKind, FlagSpec, FlagValue
from engine.model.samples import SignalSpec
from engine.model.time import format_duration, format_second
from engine.ruleset.changes import Change, Direction, Judged, merged
from engine.ruleset.loosening_side import Side, sides_of
from engine.ruleset.ruling import Denied, Ruling
from engine.ruleset.spec import RESTRAINING, Place, RuleKind

FLAGS, SIGNALS, DENYLIST = "conf/flags.yaml", "conf/signals.yaml", "conf/event_denylist.txt"


def compare_flags(base: Ruling, head: Ruling) -> Iterator[Change]:
    """Yield at most one change a flag; what it does to the rules that read it is said of those rules."""
    before, after = base.flag_values(), head.flag_values()
    for name in sorted({*base.flag_specs, *head.flag_specs}):
        old, new = base.flag_specs.get(name), head.flag_specs.get(name)
        if old is None and new is not None:
            yield _flag(new, "", with_unit(new, after[name]), (Direction.NEUTRAL, "a new flag; nothing read it before"))
        elif old is not None and new is None:
            judged: Judged = (Direction.INCOMPARABLE, "whatever read it, and an operator's value of it, lose it")
            yield _flag(old, with_unit(old, before[name]), "", judged)
        elif old is not None and new is not None:
            parts = list(_flag_parts(old, new, before[name], after[name]))
            if parts:
                same = (old.low, old.high, old.words) == (new.low, new.high, new.words)
                say = with_unit if same else _declared
                texts = (say(old, before[name]), say(new, after[name]))
                yield _flag(new, *texts, merged(parts))


def _flag(spec: FlagSpec, before: str, after: str, judged: Judged) -> Change:
    return Change(
        rule="", what=f"flag {spec.name}", before=before, after=after, direction=judged[0], why=judged[1],
        place=Place(FLAGS, spec.line or 1, 1),
    )


def _declared(spec: FlagSpec, value: FlagValue) -> str:
    bounds = f", {bounds_text(spec)}" if spec.low is not None or spec.high is not None else ""
    return f"{with_unit(spec, value)}{bounds}{', one of ' + ', '.join(spec.words) if spec.words else ''}"


def _flag_parts(old: FlagSpec, new: FlagSpec, before: FlagValue, after: FlagValue) -> Iterator[Judged]:
    kinds = (old.kind, old.unit, old.tightens, old.words) != (new.kind, new.unit, new.tightens, new.words)
    if kinds:
        yield Direction.INCOMPARABLE, "its kind, unit, words or `tightens` changed, so its values cannot be compared"
    if before != after and not kinds:
        told = f"from {flag_text(before)} to {flag_text(after)}"
        if not new.tightens or new.kind is FlagKind.WORD and not new.words:
            yield Direction.INCOMPARABLE, f"{told}: the flag does not say which way protects more"
        elif loosens(new, before, after):
            yield Direction.LOOSER, f"{told} protects less"
        else:
            yield Direction.STRICTER, f"{told} protects more"
    if old.default != new.default and before == after:
        yield Direction.NEUTRAL, "another default, masked by a value; the rules' own tests run on defaults"
    if not kinds:
        yield from _bounds(old, new)
    yield from _unheard_of(old, new, FLAG_KEYS)


def _bounds(old: FlagSpec, new: FlagSpec) -> Iterator[Judged]:
    """Judge what an operator may now set that they could not, and the other way round."""
    if old.whole != new.whole:
        yield Direction.INCOMPARABLE, "whether it must be whole changed, so an operator's value may be dropped"
    for end, loose_way in (("low", "up"), ("high", "down")):
        was, now = getattr(old, end), getattr(new, end)
        if was == now:
            continue
        wider = now is None or was is not None and (now < was if end == "low" else now > was)
        loose_end = new.tightens == loose_way
        if wider and (loose_end or not new.tightens):
            yield Direction.LOOSER, f"an operator may set it looser than before ({end} end)"
        elif wider:
            yield Direction.NEUTRAL, f"an operator may set it tighter than before ({end} end)"
        elif loose_end:
            yield Direction.STRICTER, f"an operator may no longer set it so loose ({end} end)"
        else:
            yield Direction.INCOMPARABLE, f"an operator's tighter value may no longer fit and be dropped ({end} end)"


def masked_edits(base: Ruling, head: Ruling, operator: Mapping[str, FlagValue]) -> tuple[str, ...]:
    """Return a warning for each flag whose value in the file changed while a stronger layer hides it.

    `operator` are the values an operator set, by flag. Such an edit changes nothing now and
    everything once the stronger value ends.
    """
    found: list[str] = []
    for name, spec in sorted(head.flag_specs.items()):
        was, now = _in_file(base, name), _in_file(head, name)
        if was is None or now is None or was == now:
            continue
        if name in operator:
            hides = f"an operator's value {flag_text(operator[name])}"
            ends = f"until `engine flag unset {name}`"
        elif name in head.flag_environment:
            hides = f"the environment's value {flag_text(head.flag_environment[name])}"
            ends = "while the environment sets it"
        else:
            continue
        found.append(
            f"{name}: {FLAGS} now says {with_unit(spec, now)} (was {with_unit(spec, was)}), "
            f"but {hides} is in force {ends}"
        )
    return tuple(found)


def _in_file(ruling: Ruling, name: str) -> FlagValue | None:
    spec = ruling.flag_specs.get(name)
    return ruling.flag_file.get(name, spec.default) if spec is not None else None


def compare_signals(base: Ruling, head: Ruling) -> Iterator[Change]:
    """Yield at most one change a signal."""
    if base.catalogue.digest == head.catalogue.digest:
        return
    readers, before = _readers(head), _readers(base)
    for name in sorted({*base.catalogue.specs, *head.catalogue.specs}):
        old, new = base.catalogue.get(name), head.catalogue.get(name)
        reading = [*readers.get(name, ()), *before.get(name, ())]
        if old is None and new is not None:
            yield _signal(new, "", _about(new), (Direction.NEUTRAL, "a new signal; no rule read it before"))
        elif old is not None and new is None:
            judged: Judged = (
                (Direction.INCOMPARABLE, f"{reading[0].spec.id} read it") if reading
                else (Direction.NEUTRAL, "no rule in force reads it")
            )
            yield _signal(old, _about(old), "", judged)
        elif old is not None and new is not None:
            parts = list(_signal_parts(old, new, reading))
            if parts:
                shown = (_shown(old, new), _shown(new, old))
                if not reading:
                    parts = [(Direction.NEUTRAL, "no rule in force reads it")]
                yield _signal(new, *shown, merged(parts))


def _readers(ruling: Ruling) -> dict[str, list[Side]]:
    """Return the rules in force by the signals they read; a watch only tells, so it does not count."""
    found: dict[str, list[Side]] = {}
    for side in sides_of(ruling).values():
        if side.spec.kind is not RuleKind.WATCH and side.in_force:
            for signal in dict.fromkeys(ref.signal for ref in sorted(side.inputs(), key=repr)):
                found.setdefault(signal, []).append(side)
    return found


def _signal(spec: SignalSpec, before: str, after: str, judged: Judged) -> Change:
    return Change(
        rule="", what=f"signal {spec.name}", before=before, after=after, direction=judged[0], why=judged[1],
        place=Place(SIGNALS, spec.line or 1, 1),
    )


def _about(spec: SignalSpec) -> str:
    return f"{spec.kind.value} in {spec.unit.value}"


_OTHER = ("kind", "unit", "labels", "values", "resolution", "producer", "order_scope", "derived_from_policy")
SHOWN = (*_OTHER, "max_age", "period", "low", "high", "decimate")
DECIDE_NOTHING = ("name", "summary", "line")
FLAG_KEYS = (
    "name", "kind", "default", "unit", "summary", "low", "high", "whole", "words", "tightens", "line", "group",
    "planned",
)


def _unheard_of(old: object, new: object, known: Iterable[str]) -> Iterator[Judged]:
    """Yield that a key differs which nobody taught this module to compare: it must not pass unseen."""
    for one in fields(old):  # type: ignore[arg-type]
        if one.name not in known and getattr(old, one.name) != getattr(new, one.name):
            yield Direction.INCOMPARABLE, f"nothing is known of its key {one.name}"


def _shown(spec: SignalSpec, other: SignalSpec) -> str:
    differing = [name for name in SHOWN if getattr(spec, name) != getattr(other, name)]
    return ", ".join(f"{name}: {_value(spec, name)}" for name in differing)


def _value(spec: SignalSpec, name: str) -> str:
    value = getattr(spec, name)
    if name in ("max_age", "period", "decimate"):
        return format_duration(value) if value else "none"
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _signal_parts(old: SignalSpec, new: SignalSpec, readers: list[Side]) -> Iterator[Judged]:
    yield from _unheard_of(old, new, (*SHOWN, *DECIDE_NOTHING))
    if old.decimate != new.decimate:
        yield Direction.NEUTRAL, "only what history keeps of it"
    for name in _OTHER:
        if getattr(old, name) != getattr(new, name):
            yield Direction.INCOMPARABLE, f"another {name.replace('_', ' ')}: what its readers mean by it changed"
    if old.max_age != new.max_age:
        if new.max_age == 0 or 0 < old.max_age < new.max_age:
            yield Direction.LOOSER, "an old value is believed for longer"
        else:
            yield _degraded(readers, "an old value is believed for less long")
    if new.low < old.low or new.high > old.high:
        yield Direction.LOOSER, "values are believed that were invalid before"
    if new.low > old.low or new.high < old.high:
        yield _degraded(readers, "values are invalid that were believed before")
    if old.period != new.period:
        yield Direction.INCOMPARABLE, (
            "what is late or silent is judged by it; defaults and `windows` of its rules are listed beside them"
        )


def _degraded(readers: list[Side], why: str) -> Judged:
    """Judge what turns truth into doubt: doubt refuses and does not grant, but it neither fires nor latches."""
    waits = next((side for side in readers if side.spec.kind in RESTRAINING), None)
    if waits is None:
        return Direction.STRICTER, why
    return Direction.INCOMPARABLE, f"{why}; in doubt {waits.spec.id} only restrains after its grace"


def compare_denylists(base: tuple[Denied, ...], head: tuple[Denied, ...]) -> Iterator[Change]:
    """Yield what changed about each symbol's denial: the latest end of its lines."""
    was, now = _ends(base), _ends(head)
    for symbol in sorted({*was, *now}):
        old, new = was.get(symbol), now.get(symbol)
        if old is not None and new is not None and old.until == new.until:
            continue
        if new is None:
            judged: Judged = (Direction.LOOSER, "entries in it are no longer denied")
        elif old is None:
            judged = (Direction.STRICTER, "entries in it are denied")
        elif new.until == 0 or 0 < old.until < new.until:
            judged = (Direction.STRICTER, "it is denied for longer")
        else:
            judged = (Direction.LOOSER, "it is denied for less long")
        line = new or old
        yield Change(
            rule="", what=f"denylist {symbol}", before=_until(old), after=_until(new), direction=judged[0],
            why=judged[1], place=Place(DENYLIST, line.line if line is not None else 1, 1),
        )


def _ends(lines: tuple[Denied, ...]) -> dict[str, Denied]:
    found: dict[str, Denied] = {}
    for line in lines:
        known = found.get(line.symbol)
        if known is None or known.until != 0 and (line.until == 0 or line.until > known.until):
            found[line.symbol] = line
    return found


def _until(denied: Denied | None) -> str:
    if denied is None:
        return ""
    return f"until {format_second(denied.until)}" if denied.until else "for good"
