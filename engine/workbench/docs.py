"""The reference of all rules, flags and signals, as one Markdown page made from what runs.

Nothing here is written by hand, so nothing here can be out of date: a check compares the
page on the disk with this one, byte by byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from engine.model.flags import FlagSpec, FlagValue
from engine.model.restraints import Restraint
from engine.model.samples import LARGEST, SignalSpec
from engine.model.time import format_duration
from engine.ruleset.numbers import Given, under
from engine.ruleset.program import lay_out
from engine.ruleset.reading import flags_beside
from engine.ruleset.ruling import Ruling
from engine.ruleset.spec import Action, Enforcement, Latching, OnUnknown, RuleKind, RuleSpec
from engine.ruleset.words import restraint_words
from engine.workbench.amounts import flag_text

_FLAG_NAME = re.compile(r"\b[A-Z][A-Z0-9_]*\b")
_GROUPS: Mapping[RuleKind, tuple[str, str]] = {
    RuleKind.KILL: ("Kills", "True ends trading until a person, or the daily boundary, lets it begin again."),
    RuleKind.GUARD: ("Guards", "True restrains while it lasts."),
    RuleKind.CUTBACK: ("Cutbacks", "True makes entries smaller."),
    RuleKind.MUTE: ("Mutes", "True forbids some intents or symbols."),
    RuleKind.ENTRY: ("Filters on entries", "Asked once an order that adds exposure; true, or not known, refuses it."),
    RuleKind.MAKER_GATE: ("Maker gates", "Known true grants maker orders; anything else does not."),
    RuleKind.WATCH: ("Watches", "True tells somebody and restrains nothing."),
}
_LATCHES = {
    Latching.NONE: "none: what ends the condition ends the restraint",
    Latching.BOUNDARY: "until the daily boundary, or `engine rearm`",
    Latching.MANUAL: "until `engine rearm`, which is refused while the rule is not known false",
}


def reference(ruling: Ruling, up: str = "../") -> str:
    """Return the page. `up` leads from where it stands to the root of the project."""
    page = _Page(ruling, up)
    return "\n".join([*page.head(), *page.rules(), *page.flags(), *page.signals()]).rstrip() + "\n"


class _Page:
    """The parts of the page; flags are as the files set them, and never anybody's environment."""

    def __init__(self, ruling: Ruling, up: str) -> None:
        self._ruling, self._up = ruling, up
        self._values: dict[str, FlagValue] = {
            name: ruling.flag_file.get(name, spec.default) for name, spec in ruling.flag_specs.items()
        }
        self._readers: dict[str, list[str]] = {}
        for rule in ruling.rules.rules:
            for name in sorted(_names_of(rule)):
                self._readers.setdefault(name, []).append(rule.id)

    def head(self) -> Iterator[str]:
        """Yield what the page is."""
        rules = self._ruling.rules
        yield "# Rules, flags and signals"
        yield ""
        yield "Made from `rules/` and `conf/` by `engine rules docs --output docs/rules.md`; do not edit it here."
        yield f"{len(rules.rules)} rules in {len(rules.files)} files, {len(self._values)} flags, " + (
            f"{len(self._ruling.catalogue.specs)} signals. Flags are shown as the files set them."
        )
        yield ""

    def rules(self) -> Iterator[str]:
        """Yield every rule, by kind and then by id."""
        for kind, (title, meaning) in _GROUPS.items():
            found = [rule for rule in self._ruling.rules.rules if rule.kind is kind]
            if not found:
                continue
            yield from (f"## {title}", "", meaning, "")
            for rule in found:
                yield from self._rule(rule)

    def _rule(self, rule: RuleSpec) -> Iterator[str]:
        yield from (f"### `{rule.id}`", "", f"{rule.summary}.", "")
        word = {RuleKind.MAKER_GATE: "Grants when", RuleKind.ENTRY: "Refuses when"}.get(rule.kind, "When")
        for name, text in ((word, self._condition(rule.expr.text)), *self._told(rule)):
            if text:
                yield f"- **{name}** {text}"
        page, _, anchor = rule.runbook.partition("#")
        place = f"[{rule.place.file}:{rule.place.line}]({self._up}{rule.place.file}#L{rule.place.line})"
        yield f"- **Source** {place}; [runbook]({self._up}{page}#{anchor})"
        yield ""

    def _told(self, rule: RuleSpec) -> Iterator[tuple[str, str]]:
        """Yield (what, in words) of everything a rule says beside its condition; empty words are left out."""
        if rule.clear_expr is not None:
            yield "Clears when", self._condition(rule.clear_expr.text)
        yield "For each", ", ".join(rule.by) + ("; its effect covers everything" if rule.scope_all else "")
        if isinstance(rule.enabled, str) or not rule.enabled:
            yield "Enabled", self._flag(rule.enabled) if isinstance(rule.enabled, str) else "no"
        if rule.enforcement is not Enforcement.ENFORCE:
            shadow = "shadow: evaluated and reported, restrains nothing"
            yield "Enforcement", shadow if rule.enforcement is Enforcement.SHADOW else "off: not evaluated"
        if rule.kind is RuleKind.ENTRY:
            return
        yield "Must last", self._duration(rule.hold_for, rule.hold_for_unit)
        given = under(rule, self._values)
        yield "Restrains", self._restraint(rule, "restrain", given.restrain)
        if rule.action is not None:
            yield "Does", ", ".join(self._action(rule, given.action or Action()))
        goes_on = self._duration(rule.keep_firing_for, rule.keep_firing_for_unit)
        yield "Goes on", f"{goes_on} after it cleared" if goes_on else ""
        ends = self._duration(rule.ttl, rule.ttl_unit)
        yield "Ends", f"{ends} after it was last known true" if ends else ""
        if rule.kind not in (RuleKind.MAKER_GATE, RuleKind.WATCH):
            killed = rule.kind is RuleKind.KILL and rule.latch is Latching.NONE
            yield "Latch", _LATCHES[Latching.MANUAL if killed else rule.latch]
            cooldown = self._duration(rule.cooldown, rule.cooldown_unit)
            after = "its re-arm" if rule.latch is not Latching.NONE or killed else "it cleared"
            yield "Locks out", f"{cooldown} after {after}, restraining all the while" if cooldown else ""
        yield "In doubt", self._in_doubt(rule, given)
        if rule.notify is not None:
            yield "Tells", f"{rule.notify.to}: “{rule.notify.text}”"
        yield "Formerly", ", ".join(f"`{name}`" for name in rule.formerly)

    def _condition(self, text: str) -> str:
        """Return a condition as code, each flag with what it is worth behind it."""
        named = _FLAG_NAME.sub(lambda match: self._worth(match[0]), " ".join(text.split()))
        return f"`{named}`"

    def _worth(self, name: str) -> str:
        spec = self._ruling.flag_specs.get(name)
        return name if spec is None else f"{name} ({flag_text(spec, self._values[name])})"

    def _flag(self, name: str) -> str:
        return f"`{self._worth(name)}`"

    def _duration(self, value: int | str, worth: int) -> str:
        if not isinstance(value, str):
            return format_duration(value) if value else ""
        number = self._values[value]
        if isinstance(number, bool | str):
            return self._flag(value)
        whole = format_duration(round(number * worth))
        shown = flag_text(self._ruling.flag_specs[value], number)
        return self._flag(value) if shown == whole else f"{self._flag(value)}, which is {whole}"

    def _restraint(self, rule: RuleSpec, part: str, resolved: Restraint) -> str:
        """Return a restraint in words, each number that a flag gives with its flag behind."""
        named = [flag for path, flag in rule.by_flag if path.partition(".")[0] == part]
        by = f" (by {', '.join(f'`{flag}`' for flag in named)})" if named else ""
        return f"{restraint_words(resolved)}{by}"

    def _action(self, rule: RuleSpec, resolved: Action) -> Iterator[str]:
        named = {path: f" ({self._flag(flag)})" for path, flag in rule.by_flag}
        written = rule.action or Action()
        if written.exit_risk:
            name = written.exit_risk
            what = self._flag(name) if name in self._values else f"`{name}`"
            yield f"closes what is open ({what})" if name != "false" else "closes nothing"
        if written.trim_pct is not None:
            yield f"sells {resolved.trim_pct or 0:g} % of what is open{named.get('action.trim_pct', '')}"
        if written.hedge_ratio is not None:
            yield f"hedges {resolved.hedge_ratio or 0:g} of what is open{named.get('action.hedge_ratio', '')}"

    def _in_doubt(self, rule: RuleSpec, given: Given) -> str:
        lasts = self._duration(rule.unknown_grace, rule.unknown_grace_unit)
        grace = f" for {lasts}" if lasts else ""
        known = f", until it has been known for {format_duration(rule.min_clear)}" if rule.min_clear else ""
        why = f" ({rule.on_unknown_reason})" if rule.on_unknown_reason else ""
        if rule.kind is RuleKind.MAKER_GATE:
            return f"grants nothing; a grant lapses {format_duration(rule.valid_for)} after it was last known true"
        if rule.kind is RuleKind.WATCH:
            return ""
        if rule.on_unknown is OnUnknown.IGNORE:
            return f"restrains nothing{why}"
        if rule.on_unknown is OnUnknown.HOLD:
            return f"stays as it was{why}"
        if rule.on_unknown is OnUnknown.CUTBACK and given.unknown_cutback is not None:
            cut = self._restraint(rule, "unknown_cutback", given.unknown_cutback)
            return f"{cut} once it was not known{grace}{known}{why}"
        return f"restrains all the same once it was not known{grace}{known}; nothing latches and no action begins"

    def flags(self) -> Iterator[str]:
        """Yield the table of flags, in the order of the file."""
        yield from ("## Flags", "")
        names = ("flag", "value", "may be", "protects more", "rules that read it", "what it is")
        rows = [self._flag_row(spec) for spec in sorted(self._ruling.flag_specs.values(), key=lambda one: one.line)]
        yield from _table(names, rows)

    def _flag_row(self, spec: FlagSpec) -> tuple[str, ...]:
        value, default = (flag_text(spec, one) for one in (self._values[spec.name], spec.default))
        shown = value if value == default else f"{value} (default {default})"
        if spec.low is not None or spec.high is not None:
            may = " to ".join("" if end is None else f"{end:,.10g}" for end in (spec.low, spec.high))
            may += ", whole" if spec.whole else ""
        else:
            may = ", ".join(spec.words) or ("true, false" if isinstance(spec.default, bool) else "")
        return f"`{spec.name}`", shown, may, spec.tightens, self._read_by(spec.name), spec.summary

    def signals(self) -> Iterator[str]:
        """Yield the table of signals, in the order of the file."""
        yield from ("## Signals", "")
        names = (
            "signal", "kind", "unit", "labels", "range", "every", "stale after", "from", "rules that read it",
            "what it is",
        )
        specs = sorted(self._ruling.catalogue.specs.values(), key=lambda one: one.line)
        yield from _table(names, [self._signal_row(spec) for spec in specs])

    def _signal_row(self, spec: SignalSpec) -> tuple[str, ...]:
        kind = "of the order" if spec.order_scope else spec.kind.value
        ends = ["" if abs(end) >= LARGEST else f"{end:,.10g}" for end in (spec.low, spec.high)]
        may = ", ".join(spec.values) or (" to ".join(ends) if any(ends) else "")
        times = (format_duration(span) if span else "" for span in (spec.period, spec.max_age))
        return (
            f"`{spec.name}`", kind, spec.unit.value, ", ".join(spec.labels), may, *times, spec.producer,
            self._read_by(spec.name), spec.summary,
        )

    def _read_by(self, name: str) -> str:
        return ", ".join(f"`{rule}`" for rule in self._readers.get(name, ()))


def _names_of(rule: RuleSpec) -> frozenset[str]:
    """Return the signals and flags that a rule depends on."""
    program = lay_out(rule)
    return frozenset(ref.signal for ref in program.refs) | program.flags | frozenset(flags_beside(rule))


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(names)} |"
    yield f"|{'---|' * len(names)}"
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
    yield ""
