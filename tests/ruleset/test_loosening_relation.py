"""No pair of answers that can be given is missed: the oracle answers both conditions on every input drawn."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from engine.ruleset.loosening_relation import relate
from engine.ruleset.loosening_side import Side
from engine.ruleset.spec import Expression
from tests.ruleset.edited import Edit, Editor
from tests.ruleset.generated import FLAGS, Case
from tests.ruleset.notation import CATALOGUE, expression, rule
from tests.ruleset.oracle import verdict

EDITS, INPUTS = 300, 20
_LETTERS = {"t": True, "f": False, "u": None}


def side(expr: Expression) -> Side:
    return Side(replace(rule("a > 0"), expr=expr), CATALOGUE, FLAGS)


def pairs(before: Expression, after: Expression) -> frozenset[tuple[bool | None, bool | None]] | None:
    found = relate((side(before), before), (side(after), after))
    return None if found is None else frozenset(found)


def answered(case: Case, expr: Expression) -> bool | None:
    return _LETTERS[verdict(expr.tree, replace_expression(case, expr).believed(), FLAGS)]


def replace_expression(case: Case, expr: Expression) -> Case:
    return replace(case, expression=expr)


@pytest.mark.parametrize("seed", range(6))
def test_every_pair_that_can_be_answered_is_found(seed: int) -> None:
    editor, tally = Editor(seed), Counter[str]()
    for _ in range(EDITS // 6):
        edit = editor.edit()
        found = pairs(edit.before.expression, edit.after)
        if found is None:
            tally["too much"] += 1
            continue
        tally["compared"] += 1
        tally["told apart"] += len(found) < 9
        for case in inputs_for(edit, editor):
            given = answered(case, edit.before.expression), answered(case, edit.after)
            assert given in found, (edit.what, edit.before.expression.text, edit.after.text, case, found)
            tally["differed"] += given[0] is not given[1]
    assert tally["compared"] > EDITS // 8 and tally["told apart"] > EDITS // 24, tally
    assert tally["differed"] > EDITS // 8, tally


def inputs_for(edit: Edit, editor: Editor) -> list[Case]:
    """Return the values the expression was made for, and those of other expressions."""
    others = [editor.case() for _ in range(INPUTS)]
    known = [replace(edit.before, statuses={name: type(status)(0) for name, status in edit.before.statuses.items()})]
    # Of another expression only the values matter; each input once at its own edge.
    return [edit.before, *known, *others]


@pytest.mark.parametrize(("before", "after", "missing"), [
    ("a >= 0.5", "a >= 0.8", {(False, True), (None, True), (True, None)}),
    ("a >= 0.5", "0.3 <= a", {(True, False), (None, True), (True, None)}),
    ("a >= 0.5", "not a < 0.5", {(True, False), (False, True)}),
    ("abs(a - 1) > 0.5", "abs(a - 1) > 0.4", {(True, False)}),
    ("a > b", "b < a", {(True, False), (False, True)}),
    ("a > b", "a > b and c > 1", {(False, True)}),
    ("a > 2 * d", "a > 3 * d", {(False, True)}),
    ("a > b - 1", "a > b - 2", {(True, False)}),
    ("max(a, 0.5) > b", "max(a, 0.7) > b", {(True, False)}),
    ("a / d > 1", "a / d > 2", {(False, True)}),
    ("d / 2 > b", "d / 4 > b", {(False, True)}),
    ("held(a >= 1, 60)", "held(a >= 1, 90)", {(False, True), (False, None)}),
    ("held(a >= 1, 60)", "held(a >= 0.5, 30)", {(True, False), (True, None), (None, False)}),
    ("phase == 'wild'", "phase != 'calm'", {(True, False), (False, True)}),
    ("d > 0", "d > 0.5", {(True, False), (False, True)}),
    ("a > 1 or open_now", "a > 1 or not open_now", set()),
    ("a >= 1 and a <= 2", "1 <= a <= 2", {(True, False), (False, True)}),
])
def test_what_cannot_be_answered_is_known(
    before: str, after: str, missing: set[tuple[bool | None, bool | None]]
) -> None:
    found = pairs(expression(before), expression(after))

    assert found is not None
    assert not found & missing
