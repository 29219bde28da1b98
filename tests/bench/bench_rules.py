"""What one evaluation costs, and one event: `python -m tests.bench.bench_rules`.

F1 is the floor of CPython for one call per rule: a generated function over list slots
that are constants in its code, with float literals and `abs` inlined, that knows neither
doubt nor tolerance. Ours are the functions the engine really calls, taken from instances
of a rule book, with ranges as wide as the catalogue's default.
"""

from __future__ import annotations

import ast
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from simpleeval import SimpleEval

from engine.model.samples import Unit
from engine.ruleset.compiled import CompiledRule
from engine.ruleset.evaluate import OWN_CODE, RuleBook
from engine.ruleset.instances import Instance
from engine.ruleset.spec import RuleKind, RuleSet, RuleSpec
from engine.signals.catalogue import Catalogue
from engine.signals.snapshot import Snapshot
from tests.bench.timing import medians, nanoseconds
from tests.ruleset.notation import rule, signal

EXPRESSIONS = (
    "abs(peg_price - 1) * 100 >= threshold and spread_bps < 12",
    "slippage_bps_p50 > 10 or (missing_sl > 0 and age_s > 30)",
    "drawdown_pct >= 5",
    "not kill_switch and open_positions > max_positions",
    "funding_rate * 10000 > 5 or funding_rate * 10000 < -5",
    "(ask - bid) / mid * 10000 > spread_limit_bps",
    "equity < 0.9 * start_equity and daily_pnl < 0",
    "volume_1h > 3 * volume_avg_6h and abs(ret_5m) > 0.01",
    "0.2 <= fill_ratio and fill_ratio <= 0.8",
    "market_state == 'open' and latency_ms_p99 > 250",
    "(margin_used / equity > 0.8 and leverage > 3) or daily_pnl / start_equity < -0.03",
    "spread_bps < 12 and slippage_bps_p50 <= 10 and latency_ms_p99 < 500 and age_s < 60 and missing_sl == 0 "
    "and open_positions < max_positions and not kill_switch and drawdown_pct < 5",
)
VALUES: dict[str, float | bool | str] = {
    "peg_price": 0.987, "threshold": 1.0, "spread_bps": 5.5, "slippage_bps_p50": 7.25, "missing_sl": 1.0,
    "age_s": 31.5, "drawdown_pct": 3.2, "kill_switch": False, "open_positions": 4.0, "max_positions": 8.0,
    "funding_rate": 0.0003, "ask": 100.05, "bid": 99.97, "mid": 100.01, "spread_limit_bps": 6.0, "equity": 9200.0,
    "start_equity": 10000.0, "daily_pnl": -120.0, "volume_1h": 5.0e5, "volume_avg_6h": 2.1e5, "ret_5m": 0.004,
    "fill_ratio": 0.55, "market_state": "open", "latency_ms_p99": 180.0, "margin_used": 4100.0, "leverage": 2.5,
}
NAMES = tuple(VALUES)


def catalogue(labels: tuple[str, ...]) -> Catalogue:
    """Return the signals of the expressions, with ranges of +-1e15."""

    def spec(name: str) -> Any:
        if name == "kill_switch":
            return signal(name, labels, unit=Unit.BOOL)
        if name == "market_state":
            return signal(name, labels, unit=Unit.ENUM, values=("open", "halt"))
        return signal(name, labels)

    return Catalogue([spec(name) for name in NAMES])


def rules(by: tuple[str, ...], chosen: tuple[int, ...] = tuple(range(len(EXPRESSIONS)))) -> tuple[RuleSpec, ...]:
    return tuple(
        rule(EXPRESSIONS[place], id=f"watch.rule{place:02d}", kind=RuleKind.WATCH, by=by) for place in chosen
    )


# The floor, as bench_exprs.py takes it.

_COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_ARITHMETIC = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


def floor_text(node: ast.expr, slots: dict[str, int]) -> str:
    """Return `node` as plain Python: list slots, float literals, inlined abs."""
    match node:
        case ast.BoolOp(op=operator, values=values):
            word = " and " if isinstance(operator, ast.And) else " or "
            return "(" + word.join(floor_text(value, slots) for value in values) + ")"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return f"(not {floor_text(operand, slots)})"
        case ast.UnaryOp(operand=operand):
            return f"(-{floor_text(operand, slots)})"
        case ast.BinOp(left=left, op=operator, right=right):
            return f"({floor_text(left, slots)} {_ARITHMETIC[type(operator)]} {floor_text(right, slots)})"
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            return f"({floor_text(left, slots)} {_COMPARISONS[type(operator)]} {floor_text(right, slots)})"
        case ast.Call(args=[argument]):
            return f"(_t if (_t := {floor_text(argument, slots)}) >= 0.0 else -_t)"
        case ast.Name(id=name):
            return f"d[{slots[name]}]"
        case ast.Constant(value=str() as value):
            return repr(value)
        case ast.Constant(value=int() | float() as value):
            return repr(float(value))
    raise TypeError(type(node).__name__)


def generated(source: str, name: str, space: dict[str, Any]) -> Any:
    exec(compile(source, f"<{name}>", "exec"), space)
    return space[name]


def unrolled(functions: Sequence[Callable[..., object]], argument: object) -> Callable[[], object]:
    """Return a function that calls each of `functions` once with `argument`, without a loop."""
    space: dict[str, Any] = {f"f{place}": function for place, function in enumerate(functions)}
    names = ", ".join(f"{name}={name}" for name in space)
    calls = ", ".join(f"{name}(A)" for name in space)
    return generated(f"def run({names}, A=A):\n return ({calls},)", "run", {**space, "A": argument})  # type: ignore[no-any-return]


def floor() -> Callable[[], object]:
    slots = {name: place for place, name in enumerate(NAMES)}
    functions = [
        generated(f"def r(d): return {floor_text(ast.parse(text, mode='eval').body, slots)}", "r", {})
        for text in EXPRESSIONS
    ]
    return unrolled(functions, list(VALUES.values()))


def peer() -> Callable[[], object]:
    evaluator = SimpleEval(names=dict(VALUES), functions={"abs": abs})
    parsed = [(text, evaluator.parse(text)) for text in EXPRESSIONS]
    return lambda: [evaluator.eval(text, previously_parsed=tree) for text, tree in parsed]


@dataclass(slots=True)
class Filled:
    """A rule book over a snapshot on which every signal has a value."""

    snapshot: Snapshot
    book: RuleBook

    def instances(self) -> list[Instance]:
        return [self.book._instances[key] for key in sorted(self.book._instances)]


def filled(specs: tuple[RuleSpec, ...], labels: tuple[str, ...], symbols: int) -> Filled:
    """Return a book with one instance of every rule for each of `symbols` symbols."""
    listed = catalogue(labels)
    snapshot = Snapshot(listed)
    ruleset = RuleSet(rules=specs, digest="bench", files=())
    book = RuleBook(ruleset, listed, snapshot, {}, at=0, instance_cap=1_000_000)
    for number in range(symbols if labels else 1):
        bound: tuple[str, ...] = (f"S{number}",) if labels else ()
        for name, value in VALUES.items():
            snapshot.put_named(name, bound, value, 1, 1)
    for name, bound in snapshot.take_new_labels():
        book.on_new_labels(1, name, bound)
    book.on_changed(1, snapshot.take_changed())
    book.fire(10**12)
    book.take_moves()
    return Filled(snapshot, book)


def bench_function() -> dict[str, float]:
    """Print and return ns per rule of our function, the floor and pre-parsed simpleeval."""
    world = filled(rules(()), (), 1)
    ours = unrolled([instance.trip for instance in world.instances()], world.snapshot.values)
    many = filled(rules(("symbol",)), ("symbol",), OWN_CODE + 1)
    shared = [instance.trip for instance in many.instances() if instance.labels == (f"S{OWN_CODE}",)]
    candidates = {
        "F1, the floor": floor(), "ours": ours,
        f"ours, beyond {OWN_CODE} instances": unrolled(shared, many.snapshot.values), "simpleeval, pre-parsed": peer(),
    }
    answers = {name: [bool(answer) for answer in run()] for name, run in candidates.items()}  # type: ignore[attr-defined]
    assert len({tuple(answer) for answer in answers.values()}) == 1, answers
    found = {name: value / len(EXPRESSIONS) for name, value in medians(candidates).items()}
    print("\none rule, all inputs known (12 expressions, 26 signals)")
    for name, value in found.items():
        print(f"  {name:32} {nanoseconds(value):>12}   {value / found['F1, the floor']:6.2f} x F1")
    return found


def bench_unknown() -> None:
    """Print what an evaluation costs while an input is not known."""
    world = filled(rules(()), (), 1)
    instance = world.instances()[0]
    evaluator, inputs = instance.compiled.evaluator(0), instance.inputs(world.snapshot)
    found = medians({"Kleene, one rule": lambda: evaluator.value(inputs, ())}, rounds=7)
    print(f"\none rule in doubt (simpleeval with Kleene's logic): {nanoseconds(found['Kleene, one rule'])}")


def bench_events(sizes: tuple[int, ...] = (1_000, 10_000, 100_000)) -> dict[int, float]:
    """Print and return ns of one event on one field of one symbol, by number of instances at 5 a symbol."""
    print("\none changed field of one symbol, dispatched to the rules that read it (5 rules a symbol)")
    worlds = {size: _events(size) for size in sizes}
    timed = medians({str(size): run for size, (run, _, _) in worlds.items()}, rounds=15, target_ms=15.0)
    found = {size: timed[str(size)] / count for size, (_, count, _) in worlds.items()}
    for size, (_, _, affected) in worlds.items():
        print(f"  {size:>9,} instances   {nanoseconds(found[size]):>12} an event   {affected:.2f} instances touched   "
              f"{found[size] / found[sizes[0]]:.2f} x the smallest")
    return found


def _events(size: int) -> tuple[Callable[[], None], int, float]:
    world = filled(rules(("symbol",), (0, 1, 5, 7, 11)), ("symbol",), size // 5)
    snapshot, on_changed = world.snapshot, world.book.on_changed
    drawn = random.Random(1)
    names = [name for name in NAMES if isinstance(VALUES[name], float)]
    events: list[tuple[int, float]] = []
    affected = 0
    for _ in range(2_000):
        name = drawn.choice(names)
        slot = snapshot.base(name, (f"S{drawn.randrange(size // 5)}",))
        # Values move, conditions do not: a transition is not what is measured here.
        events.append((slot, float(VALUES[name]) * drawn.uniform(0.9999, 1.0001)))
        affected += len(world.book._readers.of(slot))

    def run() -> None:
        values = snapshot.values
        for slot, value in events:
            values[slot] = value
            on_changed(10**12, (slot,))

    return run, len(events), affected / len(events)


def bench_nobody() -> float:
    """Print and return ns of telling the book of a slot that no rule reads."""
    world = filled(rules(("symbol",), (0,)), ("symbol",), 10)
    slot = world.snapshot.base("ask", ("S1",))
    on_changed = world.book.on_changed
    found = medians({"nobody": lambda: on_changed(10**12, (slot,)), "empty": lambda: None}, rounds=9)
    print(f"\na changed slot that nobody reads: {nanoseconds(found['nobody'] - found['empty'])}")
    return found["nobody"] - found["empty"]


def bench_load() -> None:
    """Print what making instances costs."""
    listed = catalogue(())
    compiled = CompiledRule(rules(())[0], listed, frozenset())
    once = medians({"compile": lambda: compiled.resolve({})}, rounds=5)["compile"]
    world = filled(rules(("symbol",), (0,)), ("symbol",), 1)
    template = world.instances()[0].compiled.main_template
    ways = {"bind": lambda: template.bind((1, 2, 3), []), "bake": lambda: template.bake((1, 2, 3), [])}
    made = {name: nanoseconds(value) for name, value in medians(ways, rounds=5).items()}
    print(f"\ncompiling a rule: {nanoseconds(once)}, once; an instance's function: {made['bake']} with its own code, "
          f"{made['bind']} sharing it")


def main() -> None:
    print(f"Python {sys.version.split()[0]}; medians of processor time over interleaved rounds; ratios are what counts")
    bench_function()
    bench_unknown()
    bench_nobody()
    bench_events()
    bench_load()


if __name__ == "__main__":
    main()
