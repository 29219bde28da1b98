"""Three evaluators, one answer: generated code, simpleeval with Kleene's logic, and the oracle."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from engine.model.samples import Status
from engine.ruleset import kleene
from engine.ruleset.kleene import Value
from engine.ruleset.program import Program, lay_out, template
from engine.ruleset.trace import Evaluator
from tests.ruleset.generated import FLAGS, Case, Generator, node_kinds
from tests.ruleset.notation import CATALOGUE, expression, rule
from tests.ruleset.oracle import verdict

CASES = 4_000
ANY_RULE = rule("a > 0")
EVERY_KIND = {
    "Compare", "BoolOp", "UnaryOp", "BinOp", "IfExp", "Constant", "Name", "And", "Or", "Not", "USub", "Add", "Sub",
    "Mult", "Div", "Lt", "LtE", "Gt", "GtE", "Eq", "NotEq", "Call abs", "Call min", "Call max", "Call pct", "Call bps",
}


def letter(value: Value) -> str:
    return "u" if isinstance(value, kleene.Unknown) else "t" if value is True else "f"


def program_of(case: Case) -> Program:
    return lay_out(replace(ANY_RULE, expr=case.expression))


def by_generated_code(case: Case) -> str:
    """Return what the hot path says, or `-` where it hands the question on."""
    program = program_of(case)
    if any(case.statuses[ref.signal] for ref in program.refs):
        return "-"
    function = template(program.main, CATALOGUE, case.flags).bind(range(len(program.refs)), [])
    try:
        answer = function([case.values[ref.signal] for ref in program.refs])
    except ZeroDivisionError:
        return "-"
    assert answer is True or answer is False
    return "t" if answer else "f"


def by_simpleeval(case: Case) -> str:
    return letter(evaluated(case)[0])


def evaluated(case: Case) -> tuple[Value, bool]:
    """Return the value, and whether any sub-expression was unknown."""
    program = program_of(case)
    inputs: list[Value] = [
        kleene.doubt(case.statuses[ref.signal], ref.signal) if case.statuses[ref.signal] else case.values[ref.signal]
        for ref in program.refs
    ]
    evaluator = Evaluator(program.main, case.flags)
    value = evaluator.value(inputs, [])
    return value, any(isinstance(part, kleene.Unknown) for part in evaluator.seen.values())


def test_all_three_agree_on_generated_expressions() -> None:
    """Including missing, stale and invalid inputs, zero divisors, overflow, and values on the threshold."""
    answers: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    fast = 0
    for seed in range(CASES):
        case = Generator(seed).case()
        wanted = verdict(case.expression.tree, case.believed(), case.flags)
        context = (case.expression.text, case.values, case.statuses)
        value, doubted = evaluated(case)
        assert letter(value) == wanted, context
        quick = by_generated_code(case)
        # It hands the question on only where there is doubt, or a divisor next to zero.
        assert quick in (wanted, "-"), context
        assert quick == wanted or doubted or "/" in case.expression.text, context
        fast += quick != "-"
        answers[wanted] += 1
        kinds.update(node_kinds(case.expression.tree).keys())

    shares = {word: answers[word] / CASES for word in "tfu"}
    print(f"{CASES} cases: true {shares['t']:.0%}, false {shares['f']:.0%}, unknown {shares['u']:.0%}; "
          f"the generated function answered {fast / CASES:.0%}")
    assert min(shares.values()) >= 0.2, shares
    assert fast > CASES / 4
    assert set(kinds) >= EVERY_KIND
    assert min(kinds[kind] for kind in EVERY_KIND) >= CASES / 200, kinds


@pytest.mark.parametrize(
    ("text", "value", "answer"),
    [
        ("a >= 0.5", 0.5, "t"), ("a >= 0.5", 0.5 - 0.9e-9, "t"), ("a >= 0.5", 0.5 - 1.1e-9, "f"),
        ("a < 0.5", 0.5 - 0.9e-9, "f"), ("a < 0.5", 0.5 - 1.1e-9, "t"),
        ("a <= 0.5", 0.5 + 0.9e-9, "t"), ("a <= 0.5", 0.5 + 1.1e-9, "f"),
        ("a > 0.5", 0.5 + 0.9e-9, "f"), ("a > 0.5", 0.5 + 1.1e-9, "t"),
        ("0.5 <= a", 0.5 - 0.9e-9, "t"), ("0.5 > a", 0.5 - 0.9e-9, "f"),
        ("a == 1000000", 1_000_000.0009, "t"), ("a == 1000000", 1_000_000.0011, "f"),
        ("a != 1000000", 1_000_000.0009, "f"),
        ("a >= LIMIT", 0.5 - 0.9e-9, "t"), ("a >= LIMIT / 2", 0.25 - 0.9e-9, "t"),
        ("pct(abs(a - 1)) >= LIMIT", 1.005, "t"), ("pct(abs(a - 1)) >= LIMIT", 0.995, "t"),
        ("pct(abs(a - 1)) >= LIMIT", 1.00499, "f"),
        ("a / ZERO > 1", 1.0, "u"), ("a / (a - a) > 1", 1.0, "u"), ("1 / 0 > a", 1.0, "u"),
        ("a > 0 or a / 0 > 1", 1.0, "t"), ("a < 0 and a / 0 > 1", 1.0, "f"), ("a / 0 > 1 and a < 0", 1.0, "f"),
        ("a * HUGE * HUGE > 1", 1.0, "u"), ("a * HUGE * HUGE > 1", 0.0, "f"), ("1 / (a * HUGE * HUGE) < 1", 1.0, "u"),
        ("min(a * HUGE * HUGE, 1) > 0", 1.0, "u"), ("a / TINY > 1", 1.0, "u"),
        ("(a > 0) == (a > -1)", 1.0, "t"), ("(1 if a > 0 else 1) == 1", 1.0, "t"),
    ],
)
def test_the_hard_places(text: str, value: float, answer: str) -> None:
    """Thresholds are inclusive to one part in 1e9; what is not finite is not known."""
    case = Case(expression(text), {"a": value}, {"a": Status.OK}, dict(FLAGS))

    assert verdict(case.expression.tree, case.believed(), case.flags) == answer
    assert by_simpleeval(case) == answer
    assert by_generated_code(case) in ((answer,) if answer != "u" else ("-",)) or "/" in text


def test_a_choice_in_doubt_is_known_where_both_branches_agree() -> None:
    case = Case(expression("(1 if a > 0 else 1) == 1"), {"a": 1.0}, {"a": Status.STALE}, {})

    assert by_simpleeval(case) == verdict(case.expression.tree, {}, {}) == "t"


def test_degrading_an_input_never_turns_an_answer_round() -> None:
    """Kleene's law: less information gives the same answer or none."""
    turned = 0
    for seed in range(1_500):
        case = Generator(seed).case()
        full = verdict(case.expression.tree, {f"i{n}": case.values[ref.signal] for n, ref in
                                              enumerate(case.expression.inputs)}, case.flags)
        degraded = by_simpleeval(case)
        if full != "u":
            assert degraded in (full, "u"), case.expression.text
            turned += degraded == "u"
    assert turned > 100
