"""No override but a waiver allows more, and a waiver never lifts more than it says: for any of them, in any order."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from engine.model.codec import canonical
from engine.model.overrides import LONGEST_LEASE, Term, Waiver
from engine.model.restraints import InForce, Level, Restraint
from engine.policy.join import Policy
from engine.policy.overrides import Overrides, is_protected
from tests.policy.test_join import ORDER, RESTRAINTS, SCOPES

RULES = ["guard.a", "guard.b", "kill.c", "guard.stops.missing", "guard.orders.unknown", "engine.unreconciled"]
INSTANCES = ["", "[x]", "[y]"]


def _force(rule: str, label: str, restraint: Restraint, scope: object) -> InForce:
    return InForce(
        rule=rule, instance=rule + label, scope=scope, restraint=restraint, because="firing", since=0,  # type: ignore[arg-type]
        ends="when the condition clears", clear_with="",
    )


FORCES = st.lists(
    st.builds(_force, st.sampled_from(RULES), st.sampled_from(INSTANCES), RESTRAINTS, SCOPES), max_size=6
)
TERMS = st.builds(
    Term, actor=st.just("ann"), reason=st.just(""), since=st.just(0),
    until=st.sampled_from([0, 10, 20, 30]), waits=st.sampled_from([0, 0, 5, 25]),
)
WAIVERS = st.builds(
    lambda rule, label, until: Waiver(
        rule=rule, instance=rule + label if label else "", kill=rule.startswith("kill."),
        term=Term(actor="ann", reason="r", since=0, until=until),
    ),
    st.sampled_from(RULES), st.sampled_from(INSTANCES), st.sampled_from([10, 20, LONGEST_LEASE]),
)
TIGHTENINGS = st.lists(
    st.one_of(
        st.tuples(st.just("restrict"), SCOPES, RESTRAINTS, TERMS),
        st.tuples(st.just("deny"), st.sampled_from(["AUSDT", "BUSDT"]), TERMS),
        st.tuples(st.just("maintain"), TERMS.map(lambda term: replace(term, until=term.until or 9, waits=0))),
    ),
    max_size=6,
)


def laid(asked: list[tuple[object, ...]], waivers: list[Waiver] = []) -> Overrides:  # noqa: B006 - never changed
    book = Overrides()
    for kind, *rest in asked:
        if kind == "restrict":
            scope, restraint, term = rest
            book.restrict(scope, restraint, maker_off=False, term=term)  # type: ignore[arg-type]
        elif kind == "deny":
            book.deny(*rest)  # type: ignore[arg-type]
        else:
            book.maintain(*rest)  # type: ignore[arg-type]
    for one in waivers:
        book.waive(one)
    return book


@given(FORCES, TIGHTENINGS)
def test_nothing_but_a_waiver_allows_more(forces: list[InForce], asked: list[tuple[object, ...]]) -> None:
    book = laid(asked)
    bare, policy = Policy(tuple(forces), 1), Policy((*book.in_force(), *book.lift(forces)), 2)
    assert policy.overall.covers(bare.overall)
    assert policy.restraint(ORDER).covers(bare.restraint(ORDER))


@given(FORCES, TIGHTENINGS, TIGHTENINGS)
def test_one_more_override_never_shortens_or_weakens_what_is_laid_on(
    forces: list[InForce], first: list[tuple[object, ...]], more: list[tuple[object, ...]]
) -> None:
    """At every later instant: whoever adds to what is there takes nothing of it away."""
    more = [one for one in more if one[0] != "maintain"]
    fewer, both = laid(first), laid([*first, *more])
    for at in (0, 10, 15, 20, 30, 60):
        for book in (fewer, both):
            if at == 15:
                book.begin_waiting(at)
            book.ended(at)
        assert Policy(both.in_force(), 1).restraint(ORDER).covers(Policy(fewer.in_force(), 1).restraint(ORDER)), at


@given(FORCES, st.lists(WAIVERS, max_size=4))
def test_a_waiver_lifts_what_it_names_and_a_kill_to_reduce_only(forces: list[InForce], waivers: list[Waiver]) -> None:
    """Checked against the words of the law, one restraint at a time."""
    left = {id(one): None for one in forces}
    book = laid([], waivers)
    for force in forces:
        kept = book.lift([force])
        left.pop(id(force), None)
        named = [one for one in waivers if one.rule == force.rule and one.instance in ("", force.instance)]
        if not named or is_protected(force.rule):
            assert kept == (force,)
        elif force.rule.startswith("kill."):
            level = min(force.restraint.level, Level.REDUCE_ONLY)
            assert [one.restraint for one in kept] == [replace(force.restraint, level=level)]
            assert [(one.scope, one.instance) for one in kept] == [(force.scope, force.instance)]
        else:
            assert kept == ()
    assert book.lift(forces) == tuple(one for force in forces for one in book.lift([force]))


@given(FORCES, st.lists(WAIVERS, max_size=4))
def test_when_every_waiver_is_over_all_is_as_it_was(forces: list[InForce], waivers: list[Waiver]) -> None:
    book = laid([], waivers)
    assert (book.next_due() is None) is (not waivers)
    while book.next_due() is not None:
        due = book.next_due()
        assert due is not None and not book.ended(due - 1) and book.ended(due)
    assert book.lift(forces) == tuple(forces) and not book.waivers


@given(TIGHTENINGS, st.lists(WAIVERS, max_size=4))
def test_what_is_kept_is_what_was_there(asked: list[tuple[object, ...]], waivers: list[Waiver]) -> None:
    book, other = laid(asked, waivers), Overrides()
    other.load(json.loads(canonical(book.dump())))
    assert canonical(other.dump()) == canonical(book.dump())
    assert other.in_force() == book.in_force() and other.next_due() == book.next_due()
    assert other.waiting == book.waiting


@given(TERMS, TERMS)
def test_the_longer_of_two_terms_is_at_least_as_long_as_both(first: Term, later: Term) -> None:
    both = first.longer(later)
    assert both.since == first.since
    for at in (3, 12, 40):
        ends = [term.begun(at).until or float("inf") for term in (both, first, later)]
        assert ends[0] == max(ends)
        assert (both.ends_at() or float("inf")) >= max(first.ends_at(), later.ends_at())


def test_only_what_begins_with_a_protected_name_is_protected() -> None:
    assert all(map(is_protected, ("guard.stops", "guard.stops.missing", "guard.orders.unknown", "engine.no_rules")))
    assert not any(map(is_protected, ("guard.stopsign", "kill.stops", "guard.order", "engineer.x", "guard.depeg.usdt")))
