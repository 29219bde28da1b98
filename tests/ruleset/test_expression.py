"""Expressions: what is let through, what it is turned into, and that nothing else is."""

from __future__ import annotations

import ast
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.samples import InputRef
from engine.model.time import HOUR, MINUTE, SECOND
from engine.ruleset import allowlist
from engine.ruleset.binding import Role, Setting, World
from engine.ruleset.diagnostics import Finding, Severity
from engine.ruleset.expression import parse_expression
from engine.ruleset.polarity import escapes
from engine.ruleset.source import read_yaml
from engine.ruleset.spec import Expression, RuleKind
from tests.ruleset.rules_text import codes
from tests.ruleset.world import CATALOGUE, FLAGS

WORLD = World(catalogue=CATALOGUE, flags=FLAGS)
ALL_LABELS = ("account", "venue", "symbol", "liquidity")
ALLOWED = (
    ast.Compare, ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.IfExp, ast.Constant, ast.Name, ast.Call, ast.Load,
    ast.And, ast.Or,
    ast.Not, ast.USub, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq,
)


def parse(
    text: str, *, kind: RuleKind = RuleKind.WATCH, role: Role = Role.EXPR, by: tuple[str, ...] = ALL_LABELS
) -> tuple[Expression | None, list[Finding]]:
    """Return what becomes of one expression, written as a literal block so that its text is the file's."""
    node, found = read_yaml(("e: |-\n" + "".join(f"  {line}\n" for line in text.split("\n"))).encode(), "f.yaml")
    assert node is not None and not found, found
    value = node.get("e")
    assert value is not None
    findings: list[Finding] = []
    return parse_expression(value, WORLD, Setting(kind=kind, role=role, by=by), findings), findings


def good(text: str, **more: RuleKind) -> Expression:
    expression, findings = parse(text, **more)  # type: ignore[arg-type]
    assert expression is not None and not findings, findings
    return expression


@pytest.mark.parametrize(
    ("text", "tree", "reads"),
    [
        ("health_measured >= 2", "i0 >= 2.0", ["value"]),
        ("1 < health_measured < 2", "1.0 < i0 and i0 < 2.0", ["value"]),
        ("health_measured > 1 or not health_measured > 0", "i0 > 1.0 or not i0 > 0.0", ["value"]),
        ("pct(abs(peg_usdt_usd - 1)) >= DEPEG_THRESHOLD_PCT / 2",
         "pct(abs(i0 - 1.0)) >= DEPEG_THRESHOLD_PCT / 2.0", ["value"]),
        ("daily_loss_pct > -(-3)", "i0 > 3.0", ["value"]),
        ("-daily_loss_pct < +3", "-i0 < 3.0", ["value"]),
        ("(spread_bps if health_measured > 1 else 5) > 5", "(i1 if i0 > 1.0 else 5.0) > 5.0", ["value", "value"]),
        ("absent(peg_usdt_usd) or age(peg_usdt_usd) > 5 or not fresh(peg_usdt_usd, '2s')", "i0 or i1 > 5.0 or (not i2)",
         ["absent", "age", "fresh"]),
        ("venue_state != 'open'", "i0 != 'open'", ["value"]),
        ("is_trading and DEPEG_GUARD_ENABLED", "i0 and DEPEG_GUARD_ENABLED", ["value"]),
        ("DEPEG_EXIT_RISK == 'dry_run' and health_measured > 1",
         "DEPEG_EXIT_RISK == 'dry_run' and i0 > 1.0", ["value"]),
        ("min(health_measured, 1, 2) > max(0.5, health_measured)", "min(i0, 1.0, 2.0) > max(0.5, i0)", ["value"]),
        ("held(health_measured >= 1, '5m') or health_measured >= 2", "h0 or i0 >= 2.0", ["value"]),
        ("health_measured\n  >= 2 and\n(health_measured\n < 3)", "i0 >= 2.0 and i0 < 3.0", ["value"]),
    ],
)
def test_what_is_allowed_becomes_slots_floats_and_pairs(text: str, tree: str, reads: list[str]) -> None:
    expression = good(text)

    assert ast.unparse(expression.tree) == tree
    assert [ref.reads for ref in expression.inputs] == reads


def test_a_window_with_labels_becomes_one_input_however_often_it_is_read() -> None:
    expression = good(
        'count_over(fill_ms, "6h", liquidity="taker") >= SLIPPAGE_MIN_FILLS'
        ' and quantile_over(0.5, fill_ms, "6h", liquidity="taker") > 5'
        ' and count_over(fill_ms, "6h", liquidity="taker") < 100',
    )

    taker = (("liquidity", "taker"),)
    assert expression.inputs == (
        InputRef(reads="count_over", signal="fill_ms", labels=taker, window=6 * HOUR),
        InputRef(reads="quantile_over", signal="fill_ms", labels=taker, window=6 * HOUR, quantile=0.5),
    )
    assert expression.flags == ("SLIPPAGE_MIN_FILLS",)


def test_label_arguments_stand_in_the_order_of_the_catalogue() -> None:
    expression = good('value(mid_price, symbol="X", venue="paper") > 1')

    assert expression.inputs[0].labels == (("venue", "paper"), ("symbol", "X"))


def test_a_held_condition_has_inputs_of_its_own() -> None:
    expression = good('health_measured >= 2 or held(peg_usdt_usd < 0.99 and health_measured >= 1, "90s")')

    held = expression.held[0]
    assert held.duration == 90 * SECOND
    assert [ref.signal for ref in held.condition.inputs] == ["peg_usdt_usd", "health_measured"]
    assert ast.unparse(held.condition.tree) == "i0 < 0.99 and i1 >= 1.0"


def test_coverage_fresh_and_windows_carry_their_numbers() -> None:
    assert good('avg_over(health_measured, "5m", coverage=0.5) > 1').inputs == (
        InputRef(reads="avg_over", signal="health_measured", window=5 * MINUTE, coverage=0.5),
    )
    assert good('fresh(health_measured, "250ms")').inputs[0].max_age == 250_000_000


UNITS = [
    ("spread_bps > daily_loss_pct", "unit-mismatch"), ("spread_bps > TAKER_SLIPPAGE_LIMIT_BPS", ""),
    ("spread_bps * 2 > TAKER_SLIPPAGE_LIMIT_BPS", ""), ("2 * spread_bps > TAKER_SLIPPAGE_LIMIT_BPS", ""),
    ("peg_usdt_usd * spread_bps > TAKER_SLIPPAGE_LIMIT_BPS", ""), ("spread_bps / 3 > TAKER_SLIPPAGE_LIMIT_BPS", ""),
    ("spread_bps / TAKER_SLIPPAGE_LIMIT_BPS > 2", ""), (
        "pct(spread_bps / TAKER_SLIPPAGE_LIMIT_BPS) > DEPEG_THRESHOLD_PCT", "",
    ),
    ("spread_bps / TAKER_SLIPPAGE_LIMIT_BPS > DEPEG_THRESHOLD_PCT", "unit-mismatch"),
    ("spread_bps / daily_loss_pct > 2", "unit-mismatch"), ("spread_bps * spread_bps > 2", "unit-mismatch"),
    ("2 / spread_bps > 2", "unit-mismatch"), ("spread_bps + daily_loss_pct > 2", "unit-mismatch"),
    ("spread_bps + 1 > 2", ""), ("max(spread_bps, daily_loss_pct) > 2", "unit-mismatch"),
    ("age(peg_usdt_usd) > WS_DISCONNECT_ALERT_SEC", ""), ("age(peg_usdt_usd) > SLIPPAGE_MIN_FILLS", "unit-mismatch"),
    ("bps(peg_usdt_usd - 1) > TAKER_SLIPPAGE_LIMIT_BPS", ""), (
        "bps(peg_usdt_usd - 1) > DEPEG_THRESHOLD_PCT", "unit-mismatch",
    ),
    ("pct(spread_bps) > 2", "unit-conversion"), ("(peg_usdt_usd - 1) * 100 > 0.5", "unit-restated"),
    ("100 * (peg_usdt_usd - 1) > 0.5", "unit-restated"), ("(peg_usdt_usd - 1) / 0.01 > 0.5", "unit-restated"),
    ("(peg_usdt_usd - 1) * 10000 > 50", "unit-restated"), ("peg_usdt_usd > DEPEG_THRESHOLD_PCT / 100", "unit-restated"),
    ("daily_loss_pct * 100 > TAKER_SLIPPAGE_LIMIT_BPS", "unit-restated"), ("spread_bps / 100 > 5", "unit-restated"),
    ("age(peg_usdt_usd) * 1000 > 5", "unit-restated"), ("equity_usd * 100 > 5", ""),
    ("count_over(fill_ms, '1h') / count_over(fill_slippage_bps, '1h') > 0.5", ""),
    ("sum_over(fill_slippage_bps, '1h') / count_over(fill_ms, '1h') > TAKER_SLIPPAGE_LIMIT_BPS", ""),
    ("rate_over(feed_messages, '1m') < 3", ""), (
        "rate_over(feed_messages, '1m') < SLIPPAGE_MIN_FILLS", "unit-mismatch",
    ),
    ("increase_over(feed_messages, '1m') < SLIPPAGE_MIN_FILLS", ""),
]


@pytest.mark.parametrize(("text", "code"), UNITS)
def test_units_meet_only_their_own(text: str, code: str) -> None:
    expression, findings = parse(text)

    assert [one.code for one in findings] == ([code] if code else [])
    assert (expression is None) is bool(code)


def test_a_restated_unit_is_told_what_to_write() -> None:
    _, findings = parse("abs(peg_usdt_usd - 1) * 100 >= DEPEG_THRESHOLD_PCT")
    assert findings[0].fix == "write pct(abs(peg_usdt_usd - 1))"
    _, findings = parse("10000 * ((peg_usdt_usd - 1)) >= TAKER_SLIPPAGE_LIMIT_BPS")
    assert findings[0].fix == "write bps(peg_usdt_usd - 1)"


def test_every_mistake_of_an_expression_has_its_own_caret() -> None:
    text = "helth_measured > 1 or spread_bps > DAILY_LOSS_LIMIT_PCT\n  or NO_FLAG > 1 and avg_ovr(fill_ms, '5m') > 2"
    _, findings = parse(text)

    found = [(one.line - 2, one.column - 3, one.code) for one in sorted(findings)]
    lines = text.split("\n")
    assert found == [
        (0, lines[0].index("helth"), "expr-unknown-signal"), (0, lines[0].index("DAILY"), "unit-mismatch"),
        (1, lines[1].index("NO_FLAG"), "expr-unknown-flag"), (1, lines[1].index("avg_ovr"), "expr-unknown-function"),
    ]


def test_labels_are_bound_by_the_rule_the_call_or_the_order() -> None:
    assert [one.code for one in parse("spread_bps > 5", by=("venue",))[1]] == ["expr-unbound-label"]
    assert not parse("spread_bps > 5", by=("symbol", "venue"))[1]
    assert not parse('value(spread_bps, symbol="X") > 5', by=("venue",))[1]
    assert not parse("spread_bps > 5 and order_side == 'buy'", kind=RuleKind.ENTRY, by=())[1]
    assert [one.code for one in parse("order_side == 'buy'", kind=RuleKind.GUARD)[1]] == ["expr-order-signal"]
    assert parse("count_over(fill_ms, '5m') > 5", kind=RuleKind.ENTRY, by=())[1][0].fix.endswith('liquidity="..."')


@pytest.mark.parametrize(
    "text",
    [
        "-" * 400 + "1 > health_measured", "not " * 400 + "is_trading", "(" * 400 + "1" + ")" * 400,
        " + ".join(["health_measured"] * 200) + " > 1", " and ".join(["is_trading"] * 300), "x" * 3000,
        "abs(" * 60 + "1" + ")" * 60, "1 if is_trading else " * 90 + "1", "'" + "a" * 1990 + "'", "1" * 1999,
    ],
)
def test_an_expression_that_is_a_bomb_is_refused(text: str) -> None:
    """Checked from deep inside a stack too: no input may end in a RecursionError."""
    def deep(levels: int) -> list[Finding]:
        return parse(text)[1] if levels == 0 else deep(levels - 1)

    findings = deep(min(200, sys.getrecursionlimit() // 5))

    assert findings and findings[0].severity is Severity.ERROR


WORDS = [
    "health_measured", "spread_bps", "peg_usdt_usd", "feed_messages", "venue_state", "is_trading", "order_side",
    "nobody",
    "DEPEG_THRESHOLD_PCT", "DEPEG_GUARD_ENABLED", "DEPEG_EXIT_RISK", "NOBODY", "1", "0", "0.5", "1e3", "100", "'5m'",
    "'open'",
    "avg_over", "count_over", "quantile_over", "held", "absent", "age", "fresh", "value", "abs",
    "min", "pct", "bps", "(", ")",
    "(",    ")", ",", "+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!=", "and", "or", "not",
    "if", "else", "=", "venue",
    "coverage",
]
SIGNS = st.text("abi_.0123456789 \n\t()[]{}<>=!&|^~%*+-/,:;'\"#\\$@`?éﬁ\u202e", max_size=80)


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join), SIGNS))
def test_no_text_raises_and_what_is_let_through_holds_only_allowed_nodes(text: str) -> None:
    problems_only, problems = allowlist.parse(text)
    assert (problems_only is None) is bool(problems)
    assert all(0 <= one.offset <= len(text) for one in problems)
    if any(char in text for char in "\u202e\t") or text != text.strip():
        return
    expression, findings = parse(text)
    if expression is None:
        assert any(one.severity is Severity.ERROR for one in findings)
        return
    for part in (expression, *(held.condition for held in expression.held)):
        for node in ast.walk(part.tree):
            assert isinstance(node, ALLOWED), text
            if isinstance(node, ast.Name):
                assert node.id in FLAGS or node.id[:1] in "ih" or node.id in ("abs", "min", "max", "pct", "bps")
            if isinstance(node, ast.Constant):
                assert isinstance(node.value, float | str)
        list(escapes(part, FLAGS))


PUSHES = [
    ("absent(health_measured)", [1]), ("not absent(health_measured)", [-1]), ("fresh(health_measured, '5s')", [-1]),
    ("not fresh(health_measured, '5s')", [1]), ("age(health_measured) > 5", [1]), ("age(health_measured) < 5", [-1]),
    ("5 < age(health_measured)", [1]), ("5 >= age(health_measured)", [-1]), ("not age(health_measured) < 5", [1]),
    ("age(health_measured) - age(peg_usdt_usd) > 5", [1, -1]), ("-age(health_measured) > -5", [-1]),
    ("2 * age(health_measured) > 5", [1]), ("age(health_measured) * -2 > 5", [-1]), (
        "age(health_measured) / 2 > 5", [1],
    ),
    ("age(health_measured) == 5", [0]), ("abs(age(health_measured)) > 5", [0]),
    ("max(age(health_measured), 5) > 6", [1]), ("age(health_measured) / age(peg_usdt_usd) > 5", [0, 0]),
    ("age(health_measured) / WS_DISCONNECT_ALERT_SEC > 5", [1]), ("held(absent(health_measured), '5m')", [1]),
    ("not held(not fresh(health_measured, '5s') and absent(peg_usdt_usd), '5m')", [-1, -1]),
    ("(age(health_measured) if is_trading else 5) > 6", [1]), ("(1 if absent(health_measured) else 0) > 0", [0]),
    ("5 < age(health_measured) < 9", [1, -1]), ("absent(health_measured) and health_measured > 1 or is_trading", [1]),
]


@pytest.mark.parametrize(("text", "pushes"), PUSHES)
def test_which_way_silence_pushes_is_followed_through_everything(text: str, pushes: list[int]) -> None:
    assert [escape.push for escape in escapes(good(text), FLAGS)] == pushes


@pytest.mark.parametrize(("text", "pushes"), PUSHES)
def test_doubt_may_restrain_and_never_clears_grants_releases_or_acts(text: str, pushes: list[int]) -> None:
    """One table for all: silence must push a restraint up and a clearing or a grant down."""
    by = "[symbol]" if "is_trading" in text else None
    quoted = f'"{text}"'

    def polarity(**changes: str | None) -> bool:
        return any(code.startswith("polarity") for code in codes(**{"by": by, **changes}))

    releases = any(push <= 0 for push in pushes)
    grants = any(push >= 0 for push in pushes)
    assert polarity(expr=quoted) is releases
    assert polarity(expr=quoted, kind="entry", restrain=None, by=None) is (releases and "held" not in text)
    assert polarity(expr=quoted, action="{exit_risk: true}")
    assert polarity(clear_expr=quoted) is grants
    assert polarity(allow_expr=quoted, kind="maker_gate", restrain=None, expr=None) is grants
    assert not polarity(expr=quoted, kind="watch", restrain=None, notify="{to: digest, text: x}")
