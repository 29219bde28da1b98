"""Columns answer as the evaluator that explains decisions: row by row, with the same reasons for doubt."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.samples import Status, Unit
from engine.ruleset import kleene
from engine.ruleset.intervals import input_interval
from engine.ruleset.program import Condition
from engine.ruleset.trace import Evaluator
from engine.workbench.fast_kleene import (
    BY_ZERO,
    FIRST_INPUT,
    NOT_FINITE,
    Column,
    Frame,
    evaluate,
    nature_of,
    truth,
)
from tests.ruleset.generated import DEGRADED, Case, Generator
from tests.ruleset.notation import CATALOGUE

WORDS = {"calm": 0, "wild": 1}


def rows_of(case: Case, draw: Random) -> list[tuple[dict[str, Any], dict[str, Status]]]:
    """Return the case itself, and rows beside it: other values, other doubts."""
    found = [(dict(case.values), dict(case.statuses))]
    for _ in range(12):
        values, statuses = dict(case.values), dict(case.statuses)
        for name in values:
            spec = CATALOGUE.specs[name]
            if draw.random() < 0.4:
                statuses[name] = draw.choice((Status.OK, Status.OK, *DEGRADED))
            if draw.random() < 0.4:
                if spec.unit is Unit.BOOL:
                    values[name] = draw.random() < 0.5
                elif spec.unit is Unit.ENUM:
                    values[name] = draw.choice(spec.values)
                else:
                    values[name] = min(max(draw.choice((0.0, 1.0, 0.5, -2.5, 3.0, 1e15)), spec.low), spec.high)
        found.append((values, statuses))
    return found


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1 << 32))
def test_columns_agree_with_the_evaluator(seed: int) -> None:
    generator, draw = Generator(seed), Random(seed)
    for _ in range(25):
        case = generator.case()
        expression = case.expression
        rows = rows_of(case, draw)
        own = {name: case.flags[name] for name in expression.flags}
        places = {f"i{place}": place for place in range(len(expression.inputs))}
        evaluator = Evaluator(Condition(expression=expression, inputs=places, held={}), own)
        columns, ranges = {}, {}
        for place, ref in enumerate(expression.inputs):
            spec = CATALOGUE.specs[ref.signal]
            values = [row[0][ref.signal] for row in rows]
            doubt = np.array([(row[1][ref.signal] is not Status.OK) << (FIRST_INPUT + place) for row in rows], np.int64)
            if spec.unit is Unit.ENUM:
                columns[f"i{place}"] = Column(np.array([WORDS[value] for value in values]), doubt, word=True)
                continue
            kind = bool if spec.unit is Unit.BOOL else np.float64
            columns[f"i{place}"] = Column(np.array(values, kind), doubt)
            if spec.unit is not Unit.BOOL:
                ranges[f"i{place}"] = input_interval(ref, spec)
        frame = Frame(columns, nature_of(expression.tree, own, ranges), dict(WORDS))
        answers, reasons = truth(evaluate(expression.tree, frame), len(rows))
        for number, (heard, statuses) in enumerate(rows):
            given_inputs = [
                kleene.Unknown((f"i{place}",)) if statuses[ref.signal] else heard[ref.signal]
                for place, ref in enumerate(expression.inputs)
            ]
            wanted = evaluator.value(given_inputs, [])
            told = {0: False, 1: True}.get(int(answers[number]))
            assert told == (None if isinstance(wanted, kleene.Unknown) else wanted), expression.text
            bits = 0 if reasons is None else int(reasons[number])
            assert bits_of(wanted) == bits, expression.text


def bits_of(value: kleene.Value) -> int:
    """Return the reasons of a doubt as columns keep them."""
    bits = 0
    for reason in value.reasons if isinstance(value, kleene.Unknown) else ():
        if reason.startswith("i"):
            bits |= 1 << (FIRST_INPUT + int(reason[1:]))
        else:
            bits |= {kleene.DIVISION_BY_ZERO: BY_ZERO, kleene.NOT_FINITE: NOT_FINITE}[reason]
    return bits
