"""From the nodes of a rule file to specs: what the schema cannot say is checked here.

Nothing stops at the first mistake. Where the schema refused a value already, a harmless one
stands in for it, so that the rest of the rule is still checked; a set with any error is
thrown away as a whole by `load`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from engine.model.flags import FlagKind
from engine.ruleset.binding import Role, Setting, World
from engine.ruleset.diagnostics import Finding
from engine.ruleset.durations import check_end, periods_of, read_duration, read_flagged
from engine.ruleset.expression import parse_expression
from engine.ruleset.meaning import check_meaning
from engine.ruleset.nodes import Node
from engine.ruleset.numbers import read_number
from engine.ruleset.reading import signals_of
from engine.ruleset.restraint import read_limits
from engine.ruleset.silences import read_silences
from engine.ruleset.spec import (
    FLAG_NAME,
    Action,
    ByFlag,
    Enforcement,
    Expression,
    Latching,
    Notice,
    OnUnknown,
    RuleKind,
    RuleSpec,
)
from engine.ruleset.suggest import fix_for
from engine.ruleset.testcase import read_test

_Word = TypeVar("_Word", bound=StrEnum)

GRACE_PERIODS = 2
CLEAR_PERIODS = 1
VALID_PERIODS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A rule and the node it was read from. `spec` is None where it has no expression to evaluate."""

    node: Node
    rule_id: str
    spec: RuleSpec | None


def parse_file(root: Node, world: World, findings: list[Finding]) -> list[Parsed]:
    """Return the rules of one file; everything wrong with them goes to `findings`."""
    rules = root.get("rules")
    items = rules.items if rules is not None else []
    return [_Reader(node, world, findings).read() for node in items if node.kind == "map"]


class _Reader:
    """Reads one rule."""

    def __init__(self, node: Node, world: World, findings: list[Finding]) -> None:
        self._node = node
        self._world = world
        self._findings = findings
        self._kind = _choice(node.get("kind"), RuleKind, RuleKind.WATCH)
        self._by = self._words("by")

    def read(self) -> Parsed:
        node, rule_id = self._node, self._text("id")
        gate = self._kind is RuleKind.MAKER_GATE
        expr = self._expression("allow_expr" if gate else "expr", Role.ALLOW if gate else Role.EXPR)
        clear = self._expression("clear_expr", Role.CLEAR)
        if expr is None:
            self._rest(None, None)
            return Parsed(node=node, rule_id=rule_id, spec=None)
        spec = self._rest(expr, clear)
        return Parsed(node=node, rule_id=rule_id, spec=spec)

    def _rest(self, expr: Expression | None, clear: Expression | None) -> RuleSpec | None:
        """Read everything but the expressions; without `expr` only to find what is wrong."""
        node, findings, world = self._node, self._findings, self._world
        periods = periods_of([expr, clear], world.catalogue)
        first, longest = (periods[0] if periods else 0), max(periods, default=0)
        if expr is None:
            first = longest = 1
        hold_for, hold_unit = read_flagged(node.get("for"), world, first, findings)
        cooldown, cooldown_unit = read_flagged(node.get("cooldown"), world, first, findings)
        grace, grace_unit = read_flagged(
            node.get("unknown_grace"), world, longest, findings, default=GRACE_PERIODS * longest,
        )
        min_clear = read_duration(node.get("min_clear"), longest, findings, default=CLEAR_PERIODS * longest)
        valid_for = read_duration(node.get("valid_for"), longest, findings, default=VALID_PERIODS * longest)
        cutback = node.get("unknown_cutback")
        tests = self._tests(expr, clear)
        enabled, notify = self._enabled(), self._notify()
        action, act_flags = self._action()
        keep_firing_for, keep_unit = read_flagged(node.get("keep_firing_for"), world, first, findings)
        ttl, ttl_unit = read_flagged(node.get("ttl"), world, first, findings)
        check_end(node.get("ttl"), world, findings)
        restrain, flags = read_limits(node.get("restrain"), "restrain", world, findings)
        silences = read_silences(node.get("lint"), findings)
        unknown_cutback, doubt_flags = read_limits(cutback, "unknown_cutback", world, findings)
        if expr is None:
            return None
        spec = RuleSpec(
            id=self._text("id"), kind=self._kind, summary=self._text("summary"), runbook=self._text("runbook"),
            place=self._node.place, expr=expr, clear_expr=clear, by=self._by,
            scope_all=self._text("scope") == "all", enabled=enabled,
            enforcement=_choice(node.get("enforcement"), Enforcement, Enforcement.ENFORCE),
            hold_for=hold_for, hold_for_unit=hold_unit, keep_firing_for=keep_firing_for,
            keep_firing_for_unit=keep_unit, cooldown=cooldown, cooldown_unit=cooldown_unit, latch=self._latch(),
            on_unknown=_choice(node.get("on_unknown"), OnUnknown, OnUnknown.RESTRICT),
            on_unknown_reason=self._text("on_unknown_reason"), unknown_grace=grace,
            unknown_grace_unit=grace_unit, min_clear=min_clear, valid_for=valid_for, restrain=restrain,
            unknown_cutback=unknown_cutback if cutback is not None else None, ttl=ttl, ttl_unit=ttl_unit,
            action=action, by_flag=(*flags, *doubt_flags, *act_flags), notify=notify,
            formerly=self._words("formerly"), tests=tests, silences=silences,
        )
        check_meaning(spec, node, world, findings)
        return spec

    def _text(self, key: str) -> str:
        value = self._node.get(key)
        return value.text if value is not None and value.kind == "str" else ""

    def _words(self, key: str) -> tuple[str, ...]:
        value = self._node.get(key)
        return tuple(item.text for item in value.items if item.kind == "str") if value is not None else ()

    def _expression(self, key: str, role: Role) -> Expression | None:
        value = self._node.get(key)
        if value is None:
            return None
        setting = Setting(kind=self._kind, role=role, by=self._by)
        return parse_expression(value, self._world, setting, self._findings)

    def _latch(self) -> Latching:
        implied = Latching.MANUAL if self._kind is RuleKind.KILL else Latching.NONE
        return _choice(self._node.get("latch"), Latching, implied)

    def _enabled(self) -> bool | str:
        value = self._node.get("enabled")
        if value is None or value.kind == "broken":
            return True
        if isinstance(value.scalar, bool):
            return value.scalar
        if value.kind == "str" and FLAG_NAME.fullmatch(value.text):
            self._flag_of(value, FlagKind.BOOL)
        return value.text

    def _flag_of(self, value: Node, kind: FlagKind) -> None:
        spec = self._world.flags.get(value.text)
        if spec is None:
            self._findings.append(value.finding(
                "rule-unknown-flag", f"there is no flag {value.text}",
                fix_for(value.text, self._world.flags, otherwise="declare it in conf/flags.yaml"),
            ))
        elif spec.kind not in (kind, FlagKind.BOOL):
            wanted = "true or false" if kind is FlagKind.BOOL else "false, dry_run or true"
            self._findings.append(value.finding(
                "rule-flag-kind", f"{spec.name} is a {spec.kind.value}, but {wanted} is wanted", "name another flag",
            ))

    def _action(self) -> tuple[Action | None, ByFlag]:
        """Return what an episode starts, and the flags that give its numbers."""
        node = self._node.get("action")
        if node is None or node.kind != "map":
            return None, ()
        exit_risk = node.get("exit_risk")
        word = ""
        if exit_risk is not None:
            word = exit_risk.text.lower() if exit_risk.kind == "bool" else exit_risk.text
            if FLAG_NAME.fullmatch(word):
                self._flag_of(exit_risk, FlagKind.WORD)
        trim, hedge = (
            read_number(node.get(key), key, self._world, self._findings) for key in ("trim_pct", "hedge_ratio")
        )
        named = tuple(
            (f"action.{key}", flag) for key, (_, flag) in (("trim_pct", trim), ("hedge_ratio", hedge)) if flag
        )
        return Action(exit_risk=word, trim_pct=trim[0], hedge_ratio=hedge[0]), named

    def _notify(self) -> Notice | None:
        node = self._node.get("notify")
        if node is None or node.kind != "map":
            return None
        to, text = node.get("to"), node.get("text")
        return Notice(to=to.text if to is not None else "", text=text.text if text is not None else "")

    def _tests(self, expr: Expression | None, clear: Expression | None) -> tuple[object, ...]:
        node = self._node.get("tests")
        if node is None or node.kind != "seq":
            return ()
        catalogue = self._world.catalogue
        reads = {}
        for name in signals_of(expr, clear):
            spec = catalogue.get(name)
            if spec is not None:
                reads[name] = spec
        if expr is None:
            # The rule's signals are not known, so a series that it does not read cannot be told from one it does.
            reads = dict(catalogue.specs)
        return tuple(read_test(item, self._world, reads, self._findings) for item in node.items if item.kind == "map")


def _choice(node: Node | None, choices: type[_Word], default: _Word) -> _Word:
    """Return the member of an enum that is written, or `default`; the schema has said what else may stand there."""
    if node is None or node.text not in {member.value for member in choices}:
        return default
    return choices(node.text)
