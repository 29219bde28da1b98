"""What is allowed and probably not meant. A lint is a warning, unless it is certain to lose protection."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from engine.model.samples import InputRef, SignalKind, Unit
from engine.model.time import format_duration
from engine.ruleset.allowlist import offset_of
from engine.ruleset.binding import World
from engine.ruleset.diagnostics import Finding, Severity
from engine.ruleset.nodes import Node
from engine.ruleset.parse import Parsed
from engine.ruleset.reading import flags_of, inputs_of, signals_of
from engine.ruleset.regions import Region, Space, both
from engine.ruleset.spec import RESTRAINING, Expression, Latching, OnUnknown, RuleKind, RuleSpec

_EVIDENCE = ("avg_over", "min_over", "max_over", "quantile_over")


def lint(parsed: Sequence[Parsed], world: World, findings: list[Finding]) -> None:
    """Add the lints of all rules that could be read."""
    seen: dict[str, RuleSpec] = {}
    for one in sorted(parsed, key=lambda rule: rule.rule_id):
        if one.spec is None:
            continue
        _Lint(one.spec, one.node, world, findings).run()
        said = _spelled(one.spec)
        first = seen.setdefault(said, one.spec)
        if first is not one.spec:
            _expression_node(one.spec, one.node, findings, first)


def unused(specs: Sequence[RuleSpec], world: World, *, flags_file: str, signals_file: str) -> tuple[Finding, ...]:
    """Return the flags and signals that no rule reads, for information: strategies and people may use them."""
    flags = {name for spec in specs for name in flags_of(spec)}
    signals = {name for spec in specs for name in signals_of(spec.expr, spec.clear_expr)}
    found = [
        _info(flags_file, flag.line, "lint-unused-flag", f"no rule reads the flag {name}")
        for name, flag in world.flags.items() if name not in flags
    ]
    found += [
        _info(signals_file, signal.line, "lint-unused-signal", f"no rule reads the signal {name}")
        for name, signal in world.catalogue.specs.items() if name not in signals
    ]
    return tuple(sorted(found))


def _info(file: str, line: int, code: str, message: str) -> Finding:
    return Finding(
        file=file, line=max(line, 1), column=1, code=code, severity=Severity.INFO, message=message,
        fix="remove it if nothing else needs it",
    )


def _spelled(spec: RuleSpec) -> str:
    inputs = "|".join(repr(ref) for ref in spec.expr.inputs)
    held = "|".join(f"{one.condition.text}/{one.duration}" for one in spec.expr.held)
    return f"{spec.kind is RuleKind.MAKER_GATE} {ast.unparse(spec.expr.tree)} {inputs} {held} {spec.by}"


def _expression_node(spec: RuleSpec, node: Node, findings: list[Finding], first: RuleSpec) -> None:
    at = node.get("allow_expr" if spec.kind is RuleKind.MAKER_GATE else "expr")
    if at is not None:
        findings.append(at.finding(
            "lint-duplicate-expression", f"{first.id} asks the same, in {first.place}",
            "let one rule do both, or say in a comment why there are two", severity=Severity.WARNING,
        ))


class _Lint:
    """The lints of one rule."""

    def __init__(self, spec: RuleSpec, node: Node, world: World, findings: list[Finding]) -> None:
        self._spec = spec
        self._node = node
        self._world = world
        self._findings = findings
        self._key = "allow_expr" if spec.kind is RuleKind.MAKER_GATE else "expr"

    def run(self) -> None:
        self._lint_regions()
        self._lint_evidence()
        self._lint_equality()
        self._lint_times()
        self._lint_noise()
        self._lint_care()

    def _say(
        self, key: str, *words: str, part: ast.expr | None = None, severity: Severity = Severity.WARNING
    ) -> None:
        """Add a finding at the value of `key`, else at the rule; `words` are its code, message and fix."""
        code, message, fix = words
        at = self._node.get(key)
        if at is None:
            self._findings.append(self._node.key("id").finding(code, message, fix, severity=severity))
            return
        offset = offset_of(at.text, part) if part is not None else None
        self._findings.append(at.finding(code, message, fix, severity=severity, offset=offset))

    def _lint_regions(self) -> None:
        """Find conditions that cannot hold or cannot fail, and clearing that cannot come."""
        spec, world = self._spec, self._world
        space = Space(spec.expr, world.catalogue, world.flags)
        holds, fails = space.region(spec.expr.tree), space.region(spec.expr.tree, holds=False)
        if holds == ():
            self._never(spec)
        elif fails == ():
            grants = spec.kind is RuleKind.MAKER_GATE
            code = "lint-always-true" if spec.expr.inputs or spec.expr.held else "lint-constant"
            self._say(
                self._key, code, "this always holds" + (", so it always grants" if grants else ""),
                "compare with a limit that can be on either side of the signal",
                severity=Severity.ERROR if grants and not spec.expr.flags else Severity.WARNING,
            )
        else:
            self._lint_parts(spec.expr, self._key, space)
        if spec.clear_expr is not None:
            clear_space = Space(spec.clear_expr, world.catalogue, world.flags)
            self._lint_parts(spec.clear_expr, "clear_expr", clear_space)
            self._lint_clear(holds, fails, clear_space.region(spec.clear_expr.tree))

    def _never(self, spec: RuleSpec) -> None:
        protects = spec.kind in RESTRAINING or spec.kind is RuleKind.ENTRY
        does = {RuleKind.MAKER_GATE: "grants", RuleKind.WATCH: "tells anything"}.get(spec.kind, "fires")
        defaults = " with the flags' defaults" if spec.expr.flags else ""
        self._say(
            self._key, "lint-never-fires", f"this can never hold{defaults}, so the rule never {does}",
            "compare with a limit that the signal can pass",
            severity=Severity.ERROR if protects and not spec.expr.flags else Severity.WARNING,
        )

    def _lint_parts(self, expression: Expression, key: str, space: Space) -> None:
        """Find single comparisons in a larger condition that are decided whatever is measured."""
        if not isinstance(expression.tree, ast.BoolOp | ast.UnaryOp):
            return
        for part in ast.walk(expression.tree):
            if isinstance(part, ast.Compare):
                never, always = space.region(part) == (), space.region(part, holds=False) == ()
                if never or always:
                    self._say(
                        key, "lint-threshold-range",
                        f"this part {'never' if never else 'always'} holds: the limit is outside what can be measured",
                        "compare with a limit inside the range of the catalogue", part=part,
                    )

    def _lint_clear(self, holds: Region | None, fails: Region | None, clears: Region | None) -> None:
        if holds is None or fails is None or clears is None:
            return
        if not both(fails, clears):
            self._say(
                "clear_expr", "lint-never-clears", "this never holds while `expr` does not, so the rule never clears",
                "let it hold on the far side of the limit of `expr`",
            )
        elif any(box.keys() == left.keys() for left in holds for right in clears for box in both((left,), (right,))
                 if left.keys() == right.keys()):
            self._say(
                "clear_expr", "lint-clear-overlap", "`expr` and `clear_expr` can hold at once; then `expr` wins",
                "leave a gap between the two limits",
            )

    def _lint_evidence(self) -> None:
        inputs = inputs_of(self._spec.expr)
        counted = {(ref.signal, ref.labels) for ref in inputs if ref.reads == "count_over"}
        for ref in inputs:
            signal = self._world.catalogue.specs[ref.signal]
            if ref.reads in _EVIDENCE and signal.kind is SignalKind.EVENT and (ref.signal, ref.labels) not in counted:
                labels = "".join(f', {name}="{value}"' for name, value in ref.labels)
                window = format_duration(ref.window)
                self._say(
                    self._key, "lint-evidence", f"{ref.reads}({ref.signal}) of one sample would be enough",
                    f'begin with count_over({ref.signal}, "{window}"{labels}) >= N and',
                )
                return

    def _lint_equality(self) -> None:
        spec = self._spec
        for node in ast.walk(spec.expr.tree):
            if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
                measured = [self._gauge(side, spec.expr) for side in (node.left, node.comparators[0])]
                if any(measured):
                    self._say(
                        self._key, "lint-equality", "a measured number is hardly ever equal to a limit",
                        "compare with < <= > or >=", part=node,
                    )

    def _gauge(self, node: ast.expr, expression: Expression) -> bool:
        """Whether `node` reads a number that is measured and not counted."""
        for name in (one.id for one in ast.walk(node) if isinstance(one, ast.Name)):
            ref: InputRef | None = expression.inputs[int(name[1:])] if name[:1] == "i" and name[1:].isdigit() else None
            if ref is not None and ref.reads != "count_over":
                spec = self._world.catalogue.specs[ref.signal]
                if spec.kind is SignalKind.GAUGE and spec.unit not in (Unit.COUNT, Unit.ENUM, Unit.BOOL):
                    return True
        return False

    def _lint_times(self) -> None:
        spec = self._spec
        refs = inputs_of(spec.expr)
        period = self._world.catalogue.specs[refs[0].signal].period if refs else 0
        wait = spec.hold_for
        if isinstance(wait, str):
            flag = self._world.flags.get(wait)
            wait = round(float(flag.default) * spec.hold_for_unit) if flag is not None else 0
        if 0 < wait < 2 * period and any(ref.reads == "value" for ref in refs):
            self._say(
                "for", "lint-for-short",
                f"{format_duration(wait)} is less than two periods of {refs[0].signal} ({format_duration(period)}): one"
                " sample may be all there is", f"write at least {format_duration(2 * period)}, or leave `for` out",
            )

    def _lint_noise(self) -> None:
        spec = self._spec
        if spec.kind not in RESTRAINING or spec.latch is not Latching.NONE:
            return
        if spec.clear_expr is not None or spec.keep_firing_for or spec.cooldown or spec.ttl:
            return
        for ref in inputs_of(spec.expr):
            signal = self._world.catalogue.specs[ref.signal]
            if ref.reads == "value" and signal.kind is SignalKind.GAUGE and signal.unit not in (Unit.ENUM, Unit.BOOL):
                self._say(
                    self._key, "lint-no-clear",
                    f"{ref.signal} is noisy, and the rule clears at the very limit at which it fires",
                    "add `clear_expr` with a limit further off, or `keep_firing_for`",
                )
                return

    def _lint_care(self) -> None:
        spec = self._spec
        if spec.kind in (RuleKind.KILL, RuleKind.GUARD) and not spec.tests:
            self._say(
                "", "lint-no-tests", f"a {spec.kind.value} without a test",
                "add `tests:` that show it pending, firing, clearing, in doubt",
            )
        if spec.on_unknown is not OnUnknown.RESTRICT:
            self._say(
                "on_unknown", "lint-on-unknown",
                f"in doubt this rule does less than restrain ({spec.on_unknown.value})",
                "write restrict unless the reason still holds",
            )
