"""What rules say to people, and what nobody can make them say."""

from __future__ import annotations

from decimal import Decimal

import pytest

from engine.model.restraints import NONE, Level, Restraint
from engine.ruleset.kleene import Unknown, Value
from engine.ruleset.words import fill_in, input_text, printable, restraint_words
from tests.ruleset.notation import World, rule

VALUES: dict[str, Value] = {
    "peg": 0.97123456, "gone": Unknown(("missing(gone)",)), "on": True, "symbol": "BTC\x1b[31m\n{peg}", "count": 3.0,
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("at {peg}", "at 0.971235"), ("at {peg:.4f}", "at 0.9712"), ("at {peg:.0%}", "at 97%"), ("{count:.0f}", "3"),
        ("{gone} {gone:.2f} {nothing}", "? ? ?"), ("{on}", "true"),
        ("{symbol}", "BTC\\x1b[31m\\n{peg}"), ("tab\there", "tab\\there"),
        ("{peg.real} {peg!r} {0} {} {{peg}}", "{peg.real} {peg!r} {0} {} {0.971235}"),
        ("{peg:>99999999}", "0.971235"), ("{peg:.999999f}", "0.971235"), ("{on:.2f}", "true"),
        ("\u202eevil", "\\u202eevil"),
    ],
)
def test_messages_substitute_and_do_nothing_else(template: str, text: str) -> None:
    assert fill_in(template, VALUES) == text


def test_printable_keeps_what_people_write() -> None:
    assert printable("größer als 5 µs") == "größer als 5 µs"


def test_inputs_say_when_they_cannot_be_believed() -> None:
    assert input_text(0.97, 0, heard=True) == "0.97"
    assert input_text(0.97, 1, heard=True) == "0.97 (stale)"
    assert input_text(0.0, 2, heard=False) == "missing"


def test_restraints_in_words() -> None:
    assert restraint_words(NONE) == ""
    total = Restraint(
        level=Level.REDUCE_ONLY, size_mult=0.5, max_notional_usd=Decimal("1000.0"), mute=frozenset({"SCALP", "EVENT"})
    )
    assert restraint_words(total) == "level reduce_only, size x0.5, at most 1000 USD, mute EVENT, SCALP"


@pytest.mark.parametrize(
    ("expr", "values", "margin"),
    [
        ("a >= 10", {"a": 5.0}, 0.5), ("a >= 10", {"a": 10.0}, 0.0), ("a <= 10", {"a": 20.0}, 0.5),
        ("a >= 10 and b >= 10", {"a": 9.0, "b": 2.0}, 0.8), ("a >= 10 or b >= 10", {"a": 9.0, "b": 2.0}, 0.1),
        ("not (a < 10)", {"a": 5.0}, 0.5), ("a >= 10 and b >= 10", {"a": 9.0}, None),
        ("a >= 10 or b >= 10", {"a": 9.0}, 0.1), ("a > 0", {"a": 0.0}, 0.0), ("open_now", {"open_now": False}, 1.0),
        ("a >= 10", {"a": -1e9}, 1.0), ("(a if b > 0 else 0) > 8", {"a": 4.0, "b": 1.0}, 0.5),
    ],
)
def test_the_margin_is_how_far_a_rule_is_from_tripping(
    expr: str, values: dict[str, float | bool], margin: float | None
) -> None:
    world = World(rule(expr))
    world.put(0, **values)
    found = world.book.views(0)[0].margin
    assert found == (None if margin is None else pytest.approx(margin, abs=1e-6))
