"""The laws of restraint: order cannot matter, twice is once, and more rules never allow more."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from engine.model.restraints import EVERYTHING, NONE, InForce, Level, Restraint, Scope
from engine.policy.join import Policy, binding, join_all

_WORDS = st.frozensets(st.sampled_from(["SCALP", "ENTRY", "HEDGE"]), max_size=2)
RESTRAINTS = st.builds(
    Restraint,
    level=st.sampled_from(list(Level)),
    size_mult=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    max_notional_usd=st.one_of(st.none(), st.sampled_from([Decimal(10), Decimal(1000)])),
    mute=_WORDS, deny=_WORDS, deny_quotes=_WORDS,
)
SCOPES = st.builds(Scope, venue=st.sampled_from(["", "paper"]), symbol=st.sampled_from(["", "AUSDT", "BUSDT"]))
IN_FORCE = st.builds(
    InForce, rule=st.sampled_from(["a", "b", "c"]), instance=st.sampled_from(["a", "b", "c"]), scope=SCOPES,
    restraint=RESTRAINTS, because=st.just("firing"), since=st.just(0), ends=st.just(""), clear_with=st.just(""),
)
ORDER = ("main", "paper", "AUSDT", "ENTRY")


@given(RESTRAINTS, RESTRAINTS, RESTRAINTS)
def test_joining_is_associative_commutative_and_idempotent(a: Restraint, b: Restraint, c: Restraint) -> None:
    """So the order of rules, files and events cannot matter."""
    assert a.join(b).join(c) == a.join(b.join(c))
    assert a.join(b) == b.join(a)
    assert a.join(a) == a
    assert a.join(NONE) == a


@given(st.lists(IN_FORCE, max_size=6), IN_FORCE)
def test_one_more_restraint_never_allows_more(held: list[InForce], extra: InForce) -> None:
    """Monotone: the joined policy of more rules covers that of fewer, for every order."""
    fewer, more = Policy(tuple(held), 1), Policy((*held, extra), 2)
    assert more.overall.covers(fewer.overall)
    assert more.restraint(ORDER).covers(fewer.restraint(ORDER))


@given(st.permutations(range(5)), st.lists(IN_FORCE, min_size=5, max_size=5))
def test_the_order_of_what_is_in_force_does_not_matter(order: list[int], held: list[InForce]) -> None:
    """Files are read in any order; the policy is the same."""
    shuffled = tuple(held[index] for index in order)
    assert Policy(tuple(held), 1).restraint(ORDER) == Policy(shuffled, 1).restraint(ORDER)
    assert binding(held) == binding(shuffled)


@given(st.lists(IN_FORCE, max_size=6))
def test_without_what_binds_the_level_is_lower(held: list[InForce]) -> None:
    """What status names as binding is what an operator must lift, and lifting it is enough for the level."""
    total = join_all(item.restraint for item in held)
    rest = [item for item in held if item.instance not in binding(held)]
    if total.level > Level.NORMAL:
        assert join_all(item.restraint for item in rest).level < total.level


def test_a_restraint_covers_exactly_its_labels() -> None:
    """A cutback of one symbol leaves the others alone."""
    only_a = InForce(
        rule="r", instance="r[AUSDT]", scope=Scope(symbol="AUSDT"), restraint=Restraint(size_mult=0.5),
        because="firing", since=0, ends="", clear_with="",
    )
    policy = Policy((only_a,), 1)
    assert policy.restraint(ORDER).size_mult == 0.5
    assert policy.restraint(("main", "paper", "BUSDT", "ENTRY")).size_mult == 1.0
    assert Policy((InForce(
        rule="r", instance="r", scope=EVERYTHING, restraint=Restraint(size_mult=0.5), because="firing", since=0,
        ends="", clear_with="",
    ),), 1).restraint(("main", "x", "BUSDT", "SCALP")).size_mult == 0.5
