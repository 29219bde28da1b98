"""The functions that a rule may call, and what each argument must be."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from engine.model.samples import LABELS, InputRef, SignalKind, SignalSpec, Unit
from engine.model.time import parse_duration
from engine.ruleset.binding import Bound
from engine.ruleset.spec import Expression, HeldRef, Place, RuleKind
from engine.ruleset.suggest import fix_for
from engine.ruleset.units import ANY, BOOL, FREE, Type, UnitError, number, same, signal_type

Bind = Callable[[ast.expr], tuple[ast.expr, Type]]
Nest = Callable[[Bound], Bind]
"""Gives what binds sub-expressions, for this expression or for one inside held(...)."""

_LEVELS = (SignalKind.GAUGE, SignalKind.STATE)
_ALL_EVENT = (SignalKind.EVENT,)
WINDOWS: dict[str, tuple[SignalKind, ...]] = {
    "avg_over": (*_LEVELS, SignalKind.EVENT),
    "min_over": (*_LEVELS, SignalKind.EVENT),
    "max_over": (*_LEVELS, SignalKind.EVENT),
    "quantile_over": (*_LEVELS, SignalKind.EVENT),
    "count_over": (*_LEVELS, SignalKind.EVENT),
    "sum_over": _ALL_EVENT,
    "rate_over": (SignalKind.COUNTER, SignalKind.EVENT),
    "increase_over": (SignalKind.COUNTER, SignalKind.EVENT),
}
"""Which kinds of signal each window function makes sense of."""
_SCALARS = ("abs", "min", "max", "pct", "bps")
_READINGS = ("value", "absent", "age", "fresh")
FUNCTIONS = (*_SCALARS, *_READINGS, *WINDOWS, "held")
_USAGE = {
    "abs": "abs(x)", "min": "min(a, b)", "max": "max(a, b)", "pct": "pct(ratio)", "bps": "bps(ratio)",
    "value": 'value(signal, venue="paper")', "absent": "absent(signal)", "age": "age(signal)",
    "fresh": 'fresh(signal, "2s")', "held": 'held(condition, "5m")',
    "quantile_over": 'quantile_over(0.5, signal, "24h")',
}
_LABEL_VALUE = re.compile(r"[A-Za-z0-9_.:/-]{1,64}", re.ASCII)
_WRONG = ast.Constant(value=0.0)


def usage(name: str) -> str:
    """Return how a function is written."""
    return _USAGE.get(name, f'{name}(signal, "5m")')


def bind_call(bound: Bound, node: ast.Call, nest: Nest) -> tuple[ast.expr, Type]:
    """Return the tree and type of a call; what is wrong with it is said at its place."""
    bind = nest(bound)
    if not isinstance(node.func, ast.Name):
        bound.say(
            node, "expr-node", "only a function can be called", "write a function such as avg_over(signal, \"5m\")",
        )
        return _WRONG, ANY
    name = node.func.id
    if name not in FUNCTIONS:
        _unknown_function(bound, node.func)
        _unknown_names(bound, node)
        return _WRONG, ANY
    starred = next((one for one in node.args if isinstance(one, ast.Starred)), None)
    if starred is not None or any(keyword.arg is None for keyword in node.keywords):
        bound.say(node, "expr-argument", "arguments are written one by one", f"write {usage(name)}")
        return _WRONG, ANY
    if name in _SCALARS:
        return _scalar(bound, node, name, bind)
    if name == "held":
        return _held(bound, node, nest)
    return _reading(bound, node, name)


def _unknown_function(bound: Bound, name: ast.Name) -> None:
    if name.id in bound.world.catalogue.specs:
        fix = f'write value({name.id}, venue="...") to give labels, or {name.id} alone'
    else:
        fix = fix_for(name.id, FUNCTIONS)
    bound.say(name, "expr-unknown-function", f"there is no function {name.id}", fix)


def _unknown_names(bound: Bound, node: ast.Call) -> None:
    """Say which names inside a call that is not known are not known either."""
    known = {*bound.world.catalogue.specs, *bound.world.flags, *FUNCTIONS}
    for name in (one for argument in node.args for one in ast.walk(argument)):
        if isinstance(name, ast.Name) and name.id not in known:
            if name.id.isupper():
                bound.flag(name)
            else:
                bound.signal(name)


def _scalar(bound: Bound, node: ast.Call, name: str, bind: Bind) -> tuple[ast.expr, Type]:
    _no_keywords(bound, node, name)
    wanted = len(node.args) >= 2 if name in ("min", "max") else len(node.args) == 1
    bound_arguments = [bind(argument) for argument in node.args]
    if not wanted:
        count = "two or more values" if name in ("min", "max") else "one value"
        bound.say(node, "expr-argument", f"{name} takes {count}", f"write {usage(name)}")
        return _WRONG, ANY
    result: Type = FREE
    for argument, (_, found) in zip(node.args, bound_arguments, strict=True):
        if found.what == "any":
            result = ANY
        elif found.what != "number":
            bound.say(argument, "expr-type", f"{name} takes numbers, not {found}", f"write {usage(name)}")
            result = ANY
        elif result.what == "number":
            try:
                result = number(same(result.unit, found.unit))
            except UnitError as error:
                bound.say(argument, "unit-mismatch", f"{name} of {error}", error.fix)
                result = ANY
    if name in ("pct", "bps"):
        if result.what == "number" and result.unit not in (None, Unit.RATIO):
            bound.say(node.args[0], "unit-conversion", f"{name} turns a ratio into {name}, but this is in {result}",
                      "take the function away, or give it a ratio")
        result = number(Unit(name))
    call = ast.Call(func=node.func, args=[tree for tree, _ in bound_arguments], keywords=[])
    return ast.copy_location(call, node), result


def _no_keywords(bound: Bound, node: ast.Call, name: str) -> None:
    for keyword in node.keywords:
        bound.say(keyword, "expr-argument", f"{name} has no argument {keyword.arg}", f"write {usage(name)}")


def _held(bound: Bound, node: ast.Call, nest: Nest) -> tuple[ast.expr, Type]:
    _no_keywords(bound, node, "held")
    if bound.setting.kind is RuleKind.ENTRY:
        bound.say(node, "expr-held", "an entry rule is asked once for each order, so nothing can be held in it",
                  'compare a window such as min_over(signal, "5m")')
        return _WRONG, ANY
    if len(node.args) != 2:
        bound.say(node, "expr-argument", "held takes a condition and a duration", f"write {usage('held')}")
        return _WRONG, ANY
    inner = Bound(node=bound.node, world=bound.world, setting=bound.setting, findings=bound.findings)
    condition = node.args[0]
    if any(isinstance(one, ast.Call) and isinstance(one.func, ast.Name) and one.func.id == "held"
           for one in ast.walk(condition)):
        bound.say(condition, "expr-held", "held cannot stand inside held", "hold the whole condition once")
        return _WRONG, ANY
    tree, found = nest(inner)(condition)
    duration = _duration(bound, node.args[1], "held")
    if found.what not in ("bool", "any"):
        bound.say(condition, "expr-type", f"held takes a condition, not {found}", "compare it with a limit")
    if found.what != "bool" or duration is None:
        return _WRONG, ANY
    for flag in inner.flags:
        if flag not in bound.flags:
            bound.flags.append(flag)
    place = Place(bound.node.source.file, *bound.node.spot(0))
    expression = Expression(
        text=ast.unparse(condition), place=place, tree=tree, inputs=tuple(inner.inputs), flags=tuple(inner.flags),
    )
    return bound.hold(node, HeldRef(condition=expression, duration=duration)), BOOL


def _reading(bound: Bound, node: ast.Call, name: str) -> tuple[ast.expr, Type]:
    """Bind a function of a signal: value, absent, age, fresh or a window."""
    count = {"quantile_over": 3, "fresh": 2, "value": 1, "absent": 1, "age": 1}.get(name, 2)
    if len(node.args) != count:
        bound.say(node, "expr-argument", f"{name} takes {count} argument{'s' * (count > 1)} and labels",
                  f"write {usage(name)}")
        return _WRONG, ANY
    arguments = list(node.args)
    quantile = _quantile(bound, arguments.pop(0)) if name == "quantile_over" else 0.0
    target = arguments.pop(0)
    span = _duration(bound, arguments.pop(0), name) if arguments else 0
    if not isinstance(target, ast.Name):
        bound.say(target, "expr-argument", f"{name} takes the name of a signal", f"write {usage(name)}")
        return _WRONG, ANY
    spec = bound.signal(target)
    if spec is None:
        return _WRONG, ANY
    coverage, labels = _keywords(bound, node, name, spec)
    problem = _unfit(name, spec)
    if problem is not None:
        bound.say(target, "expr-window", *problem)
        return _WRONG, ANY
    if quantile is None or span is None or coverage is None or labels is None:
        return _WRONG, ANY
    check_labels(bound, target, spec, labels)
    ref = InputRef(
        reads=name, signal=spec.name, labels=labels, window=span if name in WINDOWS else 0, quantile=quantile,
        coverage=coverage, max_age=span if name == "fresh" else 0,
    )
    return bound.read(node, ref), _result(name, spec)


def _unfit(name: str, spec: SignalSpec) -> tuple[str, str] | None:
    """Return (message, fix) where `name` makes no sense of the signal."""
    if spec.order_scope and name != "value":
        return f"{spec.name} is known only for the order at hand", f"write {spec.name} alone"
    if name not in WINDOWS:
        return None
    if spec.kind not in WINDOWS[name]:
        better = sorted(function for function, kinds in WINDOWS.items() if spec.kind in kinds)
        return f"{name} makes no sense of {spec.name}, a {spec.kind.value}", f"use one of {', '.join(better)}"
    if spec.unit in (Unit.ENUM, Unit.BOOL) and name not in ("count_over", "rate_over"):
        return f"{name} needs numbers, and {spec.name} is a {spec.unit.value}", f"use count_over({spec.name}, ...)"
    return None


def _result(name: str, spec: SignalSpec) -> Type:
    if name == "value":
        return signal_type(spec)
    if name in ("absent", "fresh"):
        return BOOL
    if name == "age":
        return number(Unit.S)
    if name == "count_over" or name == "increase_over" and spec.kind is SignalKind.EVENT:
        return number(Unit.COUNT)
    # A rate is the signal's unit per second, for which there is no word: it compares with plain numbers only.
    return number(Unit.NONE if name == "rate_over" else spec.unit)


def _keywords(
    bound: Bound, node: ast.Call, name: str, spec: SignalSpec
) -> tuple[float | None, tuple[tuple[str, str], ...] | None]:
    """Return the coverage and the labels that were given, None for one that is wrong."""
    coverage: float | None = 0.8
    labels: dict[str, str] | None = {}
    for keyword in node.keywords:
        value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
        if keyword.arg == "coverage" and name in WINDOWS and spec.kind in _LEVELS:
            coverage = float(value) if isinstance(value, int | float) and 0 < value <= 1 else None
            if coverage is None:
                bound.say(
                    keyword.value, "expr-argument", "coverage is a number above 0 and up to 1", "write coverage=0.8",
                )
        elif keyword.arg not in spec.labels:
            _unknown_label(bound, keyword, spec)
            labels = None
        elif not isinstance(value, str) or not _LABEL_VALUE.fullmatch(value):
            bound.say(keyword.value, "expr-label", f"the label {keyword.arg} needs a text",
                      f'write {keyword.arg}="..." with letters, digits and _ . : / -')
            labels = None
        elif labels is not None:
            labels[str(keyword.arg)] = value
    ordered = None if labels is None else tuple((label, labels[label]) for label in spec.labels if label in labels)
    return coverage, ordered


def _unknown_label(bound: Bound, keyword: ast.keyword, spec: SignalSpec) -> None:
    has = f"{spec.name} has the labels {', '.join(spec.labels)}" if spec.labels else f"{spec.name} has no labels"
    known = spec.labels or LABELS
    fix = fix_for(str(keyword.arg), known) if spec.labels else "remove it"
    bound.say(keyword, "expr-unknown-label", f"there is no label {keyword.arg} here: {has}", fix)


def check_labels(bound: Bound, at: ast.expr, spec: SignalSpec, labels: tuple[tuple[str, str], ...]) -> None:
    """Say which labels of `spec` neither an argument nor `by` gives a value."""
    given = [label for label, _ in labels]
    missing = [label for label in spec.labels if label not in given and label not in bound.setting.bound]
    if not missing:
        return
    named = " and ".join(missing)
    if bound.setting.kind is RuleKind.ENTRY:
        fix = f'give it as an argument: {missing[0]}="..."'
    else:
        fix = f"write `by: [{', '.join([*bound.setting.by, *missing])}]`, or give it as an argument"
    bound.say(at, "expr-unbound-label", f"{spec.name} is one signal for each {named}: which is meant?", fix)


def _quantile(bound: Bound, node: ast.expr) -> float | None:
    value = node.value if isinstance(node, ast.Constant) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        bound.say(node, "expr-argument", "a quantile is a number from 0 to 1", f"write {usage('quantile_over')}")
        return None
    return float(value)


def _duration(bound: Bound, node: ast.expr, name: str) -> int | None:
    value = node.value if isinstance(node, ast.Constant) else None
    if not isinstance(value, str):
        bound.say(node, "expr-duration", f"{name} takes a duration in quotes", f"write {usage(name)}")
        return None
    try:
        found = parse_duration(value)
    except ValueError as error:
        bound.say(node, "expr-duration", str(error).split(":")[0], 'write a number and ms, s, m, h or d, such as "90s"')
        return None
    if found <= 0:
        bound.say(node, "expr-duration", "a duration must be longer than nothing", f"write {usage(name)}")
        return None
    return found
