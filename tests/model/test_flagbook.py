"""Four layers, one value in force, and no value that does not fit its flag."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.codec import canonical
from engine.model.flag_values import bounds_text, fit, flag_text, loosens, planned_notes, with_unit
from engine.model.flagbook import FlagBook
from engine.model.flags import REFUSES, WARNS, FlagKind, FlagSpec, FlagValue, Layer
from engine.model.samples import Unit

LIMIT = FlagSpec(
    name="LIMIT_PCT", kind=FlagKind.NUMBER, default=3, unit=Unit.PCT, summary="limit", low=0.5, high=10, tightens="down"
)
WAIT = FlagSpec(
    name="WAIT_MINUTES", kind=FlagKind.NUMBER, default=5, unit=Unit.NONE, summary="wait", low=0, high=60, whole=True,
    tightens="up",
)
GUARD = FlagSpec(name="GUARD_ENABLED", kind=FlagKind.BOOL, default=True, unit=Unit.BOOL, summary="g", tightens="on")
TRADE = FlagSpec(name="TRADE_ENABLED", kind=FlagKind.BOOL, default=True, unit=Unit.BOOL, summary="t", tightens="off")
EXIT = FlagSpec(
    name="EXIT_RISK", kind=FlagKind.WORD, default="true", unit=Unit.ENUM, summary="e",
    words=("false", "dry_run", "true"), tightens="up",
)
ZONE = FlagSpec(name="RESET_TZ", kind=FlagKind.WORD, default="UTC", unit=Unit.ENUM, summary="z")
SPECS = (LIMIT, WAIT, GUARD, TRADE, EXIT, ZONE)


def book(**layers: dict[str, FlagValue]) -> FlagBook:
    return FlagBook(SPECS, **layers)


def test_the_strongest_layer_that_speaks_decides() -> None:
    """Operator over environment over file over default; taking one off shows the next."""
    flags = book(file={"LIMIT_PCT": 4}, environment={"LIMIT_PCT": 5})
    assert flags.values["LIMIT_PCT"] == 5.0 and flags.flag("LIMIT_PCT").layer is Layer.ENVIRONMENT
    accepted, text, changes = flags.set_operator(10, "LIMIT_PCT", 2, reason="", actor="ann")
    assert accepted and "was 5" in text
    assert [(one.before, one.after, one.layer) for one in changes] == [("5", "2", "operator")]
    assert flags.layers("LIMIT_PCT") == (
        (Layer.OPERATOR, 2.0), (Layer.ENVIRONMENT, 5.0), (Layer.FILE, 4.0), (Layer.DEFAULT, 3.0),
    )
    assert [one.name for one in flags.overrides()] == ["LIMIT_PCT"]
    accepted, text, changes = flags.unset_operator(11, "LIMIT_PCT", actor="ann")
    assert accepted and "from environment" in text and changes[0].layer == "environment"
    assert flags.unset_operator(12, "LIMIT_PCT", actor="ann")[0] is False


def test_a_value_with_an_end_ends_at_its_instant() -> None:
    """`fire` ends what is due and says so; what is not due stays."""
    flags = book()
    assert flags.next_due() is None
    flags.set_operator(10, "LIMIT_PCT", 2, reason="", actor="ann", until=100)
    flags.set_operator(10, "WAIT_MINUTES", 9, reason="", actor="ann", until=50)
    assert flags.next_due() == 50
    assert flags.fire(49) == []
    assert [(one.at, one.name, one.after, one.actor) for one in flags.fire(50)] == [(50, "WAIT_MINUTES", "5", "engine")]
    assert flags.next_due() == 100
    assert [one.name for one in flags.fire(200)] == ["LIMIT_PCT"] and flags.next_due() is None


def test_the_resolved_values_are_a_new_mapping_after_each_change() -> None:
    """Whoever holds the old one goes on reading one instant."""
    flags = book()
    before = flags.values
    flags.set_operator(1, "LIMIT_PCT", 1, reason="", actor="ann")
    assert before["LIMIT_PCT"] == 3.0 and flags.values["LIMIT_PCT"] == 1.0


def test_setting_the_same_value_is_accepted_and_changes_nothing() -> None:
    flags = book()
    accepted, text, changes = flags.set_operator(1, "LIMIT_PCT", "3%", reason="", actor="ann")
    assert accepted and changes == [] and "unchanged" in text
    assert flags.flag("LIMIT_PCT").layer is Layer.OPERATOR


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LIMIT_PC", 2, "did you mean LIMIT_PCT"),
        ("limit_pct", 2, "did you mean LIMIT_PCT"),
        ("NOTHING_LIKE_IT", 2, "lists them all"),
        ("LIMIT_PCT", 0.4, "at least 0.5 and at most 10 pct"),
        ("LIMIT_PCT", 11, "at most 10"),
        ("LIMIT_PCT", "2bps", "is in pct, not bps"),
        ("LIMIT_PCT", "two", "is a number in pct"),
        ("LIMIT_PCT", "", "is a number in pct"),
        ("LIMIT_PCT", "1_0", "is a number in pct"),
        ("LIMIT_PCT", "nan", "is a number in pct"),
        ("LIMIT_PCT", float("nan"), "finite"),
        ("LIMIT_PCT", float("inf"), "finite"),
        ("LIMIT_PCT", "9" * 400, "finite"),
        ("LIMIT_PCT", True, "is a number in pct, not true"),
        ("WAIT_MINUTES", 2.5, "whole"),
        ("WAIT_MINUTES", "5 s", "is in min, not s"),
        ("GUARD_ENABLED", 1.0, "true or false"),
        ("GUARD_ENABLED", "perhaps", "true or false"),
        ("EXIT_RISK", "dryrun", "did you mean dry_run"),
        ("EXIT_RISK", 1.0, "is one of"),
        ("RESET_TZ", "Mars/Base", "is not a time zone"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_in_words(name: str, value: FlagValue, said: str) -> None:
    """And nothing changes: not the value, not the layer."""
    flags = book()
    accepted, text, changes = flags.set_operator(1, name, value, reason="because", actor="ann")
    assert (accepted, changes) == (False, []) and said in text
    assert flags.overrides() == ()


@pytest.mark.parametrize(
    ("spec", "value", "kept"),
    [
        (LIMIT, "2.5 pct", 2.5), (LIMIT, "2.5%", 2.5), (LIMIT, " 2.5 ", 2.5), (LIMIT, 2, 2.0), (LIMIT, "1e0", 1.0),
        (WAIT, "7 min", 7.0), (WAIT, "-0", 0.0), (GUARD, "off", False), (GUARD, "TRUE", True), (EXIT, True, "true"),
        (EXIT, "dry_run", "dry_run"), (ZONE, "Europe/Berlin", "Europe/Berlin"),
    ],
)
def test_what_people_write_is_read(spec: FlagSpec, value: FlagValue, kept: FlagValue) -> None:
    found = fit(spec, value)
    assert found == kept and type(found) is type(kept)
    assert flag_text(found) != "-0"


@pytest.mark.parametrize(
    ("spec", "before", "after", "looser"),
    [
        (LIMIT, 3.0, 4.0, True), (LIMIT, 3.0, 2.0, False), (LIMIT, 3.0, 3.0, False), (WAIT, 5.0, 4.0, True),
        (WAIT, 5.0, 6.0, False), (GUARD, True, False, True), (GUARD, False, True, False), (TRADE, False, True, True),
        (TRADE, True, False, False), (EXIT, "true", "dry_run", True), (EXIT, "dry_run", "false", True),
        (EXIT, "false", "true", False), (ZONE, "UTC", "Asia/Tokyo", False),
    ],
)
def test_what_protects_less_is_a_loosening(spec: FlagSpec, before: FlagValue, after: FlagValue, looser: bool) -> None:
    """A loosening needs a reason; a tightening never asks for anything."""
    assert loosens(spec, before, after) is looser
    flags = FlagBook([spec], file={spec.name: before})
    accepted, text, _ = flags.set_operator(1, spec.name, after, reason="  ", actor="ann")
    assert accepted is not looser
    assert ("--reason" in text) is looser
    assert flags.set_operator(1, spec.name, after, reason="tested it", actor="ann")[0]


def test_an_end_in_the_past_is_refused() -> None:
    assert book().set_operator(100, "LIMIT_PCT", 1, reason="", actor="ann", until=100)[0] is False


values = st.one_of(
    st.tuples(st.just("LIMIT_PCT"), st.floats(0.5, 10)),
    st.tuples(st.just("WAIT_MINUTES"), st.integers(0, 60).map(float)),
    st.tuples(st.just("GUARD_ENABLED"), st.booleans()), st.tuples(st.just("EXIT_RISK"), st.sampled_from(EXIT.words)),
)


@given(st.lists(st.tuples(values, st.integers(0, 5)), max_size=12), st.integers(1, 200))
def test_a_restored_book_goes_on_like_the_one_that_was_never_cut(
    moves: list[tuple[tuple[str, FlagValue], int]], later: int
) -> None:
    """Dumped and loaded through JSON, it holds, ends and tells the same."""
    uncut = book(file={"LIMIT_PCT": 9})
    for at, ((name, value), ttl) in enumerate(moves):
        uncut.set_operator(at, name, value, reason="r", actor="ann", until=at + ttl * 10 if ttl else 0)
    restored = book(file={"LIMIT_PCT": 9})
    assert restored.load(json.loads(canonical(uncut.dump()))) == ()
    assert (restored.flags(), restored.values, restored.next_due()) == (uncut.flags(), uncut.values, uncut.next_due())
    assert restored.fire(later) == uncut.fire(later)
    assert canonical(restored.dump()) == canonical(uncut.dump())


def test_an_operators_value_that_no_longer_fits_is_left_out_and_told() -> None:
    """The flag's bounds changed, or it is gone, while the value waited in a checkpoint."""
    flags = book()
    flags.set_operator(1, "LIMIT_PCT", 9, reason="r", actor="ann")
    flags.set_operator(1, "WAIT_MINUTES", 9, reason="r", actor="ann")
    narrower = FlagBook([FlagSpec(
        name="LIMIT_PCT", kind=FlagKind.NUMBER, default=3, unit=Unit.PCT, summary="limit", low=0, high=5
    )])
    lost = narrower.load(flags.dump())
    assert len(lost) == 2 and "at most 5" in lost[0] and "no flag WAIT_MINUTES" in lost[1]
    assert narrower.values["LIMIT_PCT"] == 3.0


def test_the_digest_is_of_what_decides_below_the_operator() -> None:
    """Prose and places do not count, bounds and values do, and an override is an input of its own."""
    same = [replace(spec, summary="other", line=7) for spec in reversed(SPECS)]
    assert FlagBook(same).digest == book().digest
    assert book(file={"LIMIT_PCT": 4}).digest == book(environment={"LIMIT_PCT": 4}).digest != book().digest
    flags = book()
    flags.set_operator(1, "LIMIT_PCT", 1, reason="", actor="ann")
    assert flags.digest == book().digest


PLANNED = (
    FlagSpec(name="CHAT_ENABLED", kind=FlagKind.BOOL, default=False, unit=Unit.BOOL, summary="Tell a chat",
             planned=WARNS),
    FlagSpec(name="SWAP_ENABLED", kind=FlagKind.BOOL, default=False, unit=Unit.BOOL, summary="Trade on a chain",
             planned=REFUSES, tightens="off"),
)


def test_what_is_planned_warns_or_cannot_be_switched_on_in_any_layer() -> None:
    """A switch nobody reads must not look as if it had done something."""
    flags = FlagBook(PLANNED, file={"CHAT_ENABLED": True})
    assert planned_notes(flags.specs, flags.values) == (
        "CHAT_ENABLED is true, and nothing comes of it yet: tell a chat is planned",
    )
    accepted, text, changes = flags.set_operator(1, "SWAP_ENABLED", "on", reason="now", actor="ann")
    assert (accepted, changes) == (False, []) and "cannot be true" in text and "leave it at false" in text
    for layer in ("file", "environment"):
        with pytest.raises(ValueError, match="SWAP_ENABLED cannot be true"):
            FlagBook(PLANNED, **{layer: {"SWAP_ENABLED": True}})
        assert FlagBook(PLANNED, **{layer: {"SWAP_ENABLED": False}}).values["SWAP_ENABLED"] is False
    marked = FlagBook([replace(PLANNED[1], planned="")])
    assert marked.set_operator(1, "SWAP_ENABLED", True, reason="r", actor="ann")[0]
    assert "cannot be true" in FlagBook(PLANNED).load(marked.dump())[0]


def test_setting_a_planned_flag_says_that_nothing_comes_of_it() -> None:
    flags = FlagBook(PLANNED)
    accepted, text, _ = flags.set_operator(1, "CHAT_ENABLED", True, reason="", actor="ann")
    assert accepted and "nothing comes of it yet" in text
    assert "nothing comes" not in flags.set_operator(2, "CHAT_ENABLED", False, reason="", actor="ann")[1]
    assert planned_notes(flags.specs, flags.values) == ()


def test_values_are_shown_with_their_unit() -> None:
    assert with_unit(LIMIT, 0.5) == "0.5 pct" and with_unit(WAIT, 5.0) == "5 min" and with_unit(GUARD, True) == "true"
    assert bounds_text(WAIT) == "at least 0 and at most 60 min"


def test_a_layer_from_outside_with_an_undeclared_flag_is_refused() -> None:
    with pytest.raises(ValueError, match="did you mean LIMIT_PCT"):
        book(file={"LIMIT_PTC": 4})
