"""`held(condition, d)`: doubt does not break the run, but only known-true time completes it."""

from __future__ import annotations

import pytest

from engine.ruleset.held import HeldClock
from engine.ruleset.kleene import Unknown, Value

U = Unknown(("stale(a)",))


@pytest.mark.parametrize(
    ("name", "steps", "answers"),
    [
        ("known from the start", [(0, True), (9, True), (10, True)], "f f t"),
        ("a known false starts anew", [(0, True), (8, False), (9, True), (18, True), (19, True)], "f f f f t"),
        ("never known is not known", [(0, U), (100, U)], "u u"),
        ("it cannot have held for longer than it was not false", [(0, False), (1, U), (10, U), (11, U)], "f f f u"),
        ("doubt in between does not reset", [(0, True), (6, U), (8, True), (10, True), (11, True), (12, True)],
         "f f f u u t"),
        ("in doubt it is never true", [(0, True), (10, True), (11, U), (12, True)], "f t u t"),
        ("after doubt the first known false is false", [(0, False), (1, U), (20, U), (21, False)], "f f u f"),
        ("first known true after start-up doubt begins there", [(0, U), (5, True), (14, True), (15, True)], "u f f t"),
    ],
)
def test_runs(name: str, steps: list[tuple[int, Value]], answers: str) -> None:
    clock = HeldClock()
    given = [clock.step(condition, 10, at) for at, condition in steps]
    said = ["u" if isinstance(value, Unknown) else "t" if value else "f" for value in given]
    assert said == answers.split(), name


def test_due_is_when_time_alone_changes_the_answer() -> None:
    clock = HeldClock()
    clock.step(True, 10, 0)
    assert clock.due(10, 0) == 10
    clock.step(U, 10, 6)
    assert clock.due(10, 6) == 10
    clock.step(True, 10, 8)
    assert (clock.due(10, 8), clock.due(10, 10)) == (10, 12)
    clock.step(True, 10, 12)
    assert clock.due(10, 12) is None
    clock.step(False, 10, 13)
    assert clock.due(10, 13) is None


@pytest.mark.parametrize("steps", [[], [(0, U)], [(0, True)], [(0, True), (6, U)], [(0, True), (6, U), (8, True)],
                                   [(0, True), (10, True)], [(0, False)]])
def test_a_loaded_clock_goes_on(steps: list[tuple[int, Value]]) -> None:
    clock, other = HeldClock(), HeldClock()
    for at, condition in steps:
        clock.step(condition, 10, at)
    other.load(clock.dump())
    assert other.value == clock.value
    for at, condition in ((11, True), (12, U), (13, True), (30, True)):
        assert other.step(condition, 10, at) == clock.step(condition, 10, at)
        assert other.due(10, at) == clock.due(10, at)
