"""Rules for the tests of evaluation, written shortly and parsed by a parser of their own.

Names in lower case are signals of `CATALOGUE`, in UPPER CASE flags. `avg_over(x, 60)` and
its like, `age(x)`, `absent(x)`, `fresh(x, 5)` and `held(condition, 60)` take seconds.
"""

from __future__ import annotations

import ast
import copy
import json
from typing import Any

from engine.model.flags import FlagValue
from engine.model.restraints import Level, Restraint
from engine.model.samples import InputRef, SignalKind, SignalSpec, Status, Unit
from engine.model.time import SECOND
from engine.ruleset.evaluate import RuleBook
from engine.ruleset.spec import Expression, HeldRef, Place, RuleKind, RuleSet, RuleSpec
from engine.signals.catalogue import Catalogue
from engine.signals.snapshot import Snapshot

PLACE = Place("rules/test.yaml", 7, 3)
HALT = Restraint(level=Level.HALTED)
FOREVER = 365 * 86_400 * SECOND


def signal(name: str, labels: tuple[str, ...] = (), **fields: Any) -> SignalSpec:
    given: dict[str, Any] = {
        "kind": SignalKind.GAUGE, "unit": Unit.NONE, "summary": name, "period": SECOND, "max_age": FOREVER,
        "producer": "test", **fields,
    }
    return SignalSpec(name=name, labels=labels, **given)


CATALOGUE = Catalogue(
    [
        signal("a"), signal("b"), signal("c"), signal("d", low=1.0, high=100.0),
        signal("peg", low=0.0, high=10.0, unit=Unit.RATIO),
        signal("open_now", unit=Unit.BOOL), signal("phase", unit=Unit.ENUM, values=("calm", "wild")),
        signal("spread", ("venue", "symbol")), signal("depth", ("venue", "symbol")), signal("loss", ("account",)),
        signal("fills", ("venue", "liquidity"), kind=SignalKind.EVENT),
        signal("order_size", order_scope=True, low=0.0, max_age=0, period=0, producer="policy.review"),
        signal(
            "order_side", order_scope=True, unit=Unit.ENUM, values=("buy", "sell"), max_age=0, period=0,
            producer="policy.review",
        ),
    ]
)

WINDOWS = ("avg_over", "min_over", "max_over", "sum_over", "count_over", "rate_over", "increase_over")


class _Binder(ast.NodeTransformer):
    def __init__(self) -> None:
        self.inputs: list[InputRef] = []
        self.held: list[HeldRef] = []
        self.flags: list[str] = []

    def _input(self, ref: InputRef) -> ast.Name:
        if ref not in self.inputs:
            self.inputs.append(ref)
        return ast.Name(f"i{self.inputs.index(ref)}", ast.Load())

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id.isupper():
            self.flags.append(node.id)
            return node
        return self._input(InputRef(reads="value", signal=node.id))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        assert isinstance(node.func, ast.Name)
        name = node.func.id
        if name == "held":
            seconds = ast.literal_eval(node.args[1])
            self.held.append(HeldRef(condition=expression(ast.unparse(node.args[0])), duration=int(seconds * SECOND)))
            return ast.Name(f"h{len(self.held) - 1}", ast.Load())
        if name == "quantile_over":
            assert isinstance(node.args[1], ast.Name)
            span = int(ast.literal_eval(node.args[2]) * SECOND)
            quantile = float(ast.literal_eval(node.args[0]))
            return self._input(InputRef(reads=name, signal=node.args[1].id, window=span, quantile=quantile))
        if name in (*WINDOWS, "age", "absent", "fresh"):
            assert isinstance(node.args[0], ast.Name)
            labels = tuple((str(word.arg), str(ast.literal_eval(word.value))) for word in node.keywords)
            span = int(ast.literal_eval(node.args[1]) * SECOND) if len(node.args) > 1 else 0
            window, max_age = (span, 0) if name in WINDOWS else (0, span)
            return self._input(
                InputRef(reads=name, signal=node.args[0].id, labels=labels, window=window, max_age=max_age)
            )
        return ast.Call(node.func, [self.visit(one) for one in node.args], [])


def expression(text: str) -> Expression:
    binder = _Binder()
    tree = binder.visit(ast.parse(text, mode="eval").body)
    return Expression(
        text=text, place=PLACE, tree=ast.fix_missing_locations(tree), inputs=tuple(binder.inputs),
        held=tuple(binder.held), flags=tuple(dict.fromkeys(binder.flags)),
    )


def rule(expr: str, **fields: Any) -> RuleSpec:
    """Return a guard that halts; durations among `fields` are seconds."""
    for name in ("hold_for", "keep_firing_for", "cooldown", "unknown_grace", "min_clear", "ttl", "valid_for"):
        if isinstance(fields.get(name), int | float):
            fields[name] = round(fields[name] * SECOND)
    if "clear_expr" in fields:
        fields["clear_expr"] = expression(fields["clear_expr"])
    given: dict[str, Any] = {
        "id": "guard.test", "kind": RuleKind.GUARD, "summary": "a test", "runbook": "RUNBOOK.md#test", "place": PLACE,
        "restrain": HALT, **fields,
    }
    return RuleSpec(expr=expression(expr), **given)


def seconds(number: float) -> int:
    return round(number * SECOND)


class World:
    """A snapshot and a rule book that live through a test; times are seconds."""

    def __init__(
        self, *rules: RuleSpec, flags: dict[str, FlagValue] | None = None, catalogue: Catalogue = CATALOGUE,
        digest: str = "d", **options: Any,
    ) -> None:
        self.catalogue = catalogue
        self.options = {"at": 0, **options}
        self.flags = dict(flags or {})
        self.rules = RuleSet(rules=rules, digest=digest, files=("rules/test.yaml",))
        self.snapshot = Snapshot(catalogue)
        self.book = RuleBook(self.rules, catalogue, self.snapshot, self.flags, **self.options)
        self.moves: list[Any] = []
        self.at = 0

    def put(self, at: float, **values: float | bool | str) -> None:
        """Put samples of signals without labels."""
        self.go(at)
        for name, value in values.items():
            self.snapshot.put_named(name, (), value, self.at, self.at)
        self.settle()

    def hear(self, at: float, name: str, labels: tuple[str, ...], value: float | bool | str) -> None:
        self.go(at)
        self.snapshot.put_named(name, labels, value, self.at, self.at)
        self.settle()

    def lose(self, at: float, *names: str) -> None:
        self.go(at)
        for name in names:
            self.snapshot.degrade(self.snapshot.base(name, ()), Status.MISSING, self.at)
        self.settle()

    def go(self, at: float) -> None:
        """Fire all that is due up to `at`, each at its instant."""
        until = seconds(at)
        while True:
            dues = [due for due in (self.snapshot.next_due(), self.book.next_due()) if due is not None and due <= until]
            if not dues:
                break
            due = max(min(dues), self.at)
            self.at = due
            self.snapshot.fire(due)
            self.settle()
            self.book.fire(due)
            self.moves += self.book.take_moves()
        self.at = max(self.at, until)

    def settle(self) -> None:
        for name, labels in self.snapshot.take_new_labels():
            self.book.on_new_labels(self.at, name, labels)
        changed = self.snapshot.take_changed()
        if changed:
            self.book.on_changed(self.at, changed)
        self.moves += self.book.take_moves()

    def state(self, instance: str = "guard.test") -> str:
        return next(view.state for view in self.book.views(self.at) if view.instance == instance)

    def level(self) -> Level:
        return max((item.restraint.level for item in self.book.restraints()), default=Level.NORMAL)

    def reopened(self) -> World:
        """Return a world that loaded what this one dumps, as after a restart."""
        saved = json.loads(json.dumps([self.snapshot.dump(), self.book.dump()]))
        other = World(*self.rules.rules, flags=self.flags, catalogue=self.catalogue, digest=self.rules.digest,
                      **self.options)
        other.at = self.at
        other.snapshot.load(saved[0])
        other.book.load(saved[1])
        return other

    def reloaded(self, *rules: RuleSpec, digest: str = "another") -> World:
        """Return a world in which `rules` took over, on the same snapshot, from those of this one."""
        other = copy.copy(self)
        other.rules = RuleSet(rules=rules or self.rules.rules, digest=digest, files=("rules/test.yaml",))
        other.book = RuleBook(other.rules, self.catalogue, self.snapshot, self.flags, **{**self.options, "at": self.at})
        other.book.load(json.loads(json.dumps(self.book.dump())))
        other.moves = []
        return other
