"""Where two sets of grips differ, against asking every single instant; and what became of episodes."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from engine.model.restraints import NONE, Level, Restraint, Scope
from engine.policy.join import join_all
from engine.workbench.diff_episodes import Became, episode_changes
from engine.workbench.diff_spans import Way, compare, compare_scopes, covers, total, way
from engine.workbench.timeline import EpisodeSpan, Grip

BEGIN, END = 0, 24
RESTRAINTS = st.builds(
    Restraint,
    level=st.sampled_from([Level.NORMAL, Level.NORMAL, Level.ENTRIES_PAUSED, Level.HALTED]),
    size_mult=st.sampled_from([1.0, 0.5]),
    max_notional_usd=st.sampled_from([None, None, Decimal(100)]),
    deny=st.sampled_from([frozenset(), frozenset({"A"}), frozenset({"A", "B"})]),
)
SCOPES = st.builds(
    Scope, venue=st.sampled_from(["", "", "v", "w"]), symbol=st.sampled_from(["", "", "A", "B"]),
    intent=st.sampled_from(["", "", "entry"]),
)


@st.composite
def grips(draw: st.DrawFn) -> Grip:
    begin = draw(st.integers(BEGIN - 3, END))
    return Grip(
        begin=begin, end=draw(st.integers(begin, END + 3)), restraint=draw(RESTRAINTS), scope=draw(SCOPES),
        because=draw(st.sampled_from(["firing", "latched"])),
    )


SIDES = st.lists(grips(), max_size=5)


def at(held: list[Grip], instant: int) -> Restraint:
    return join_all(grip.restraint for grip in held if grip.begin <= instant < grip.end)


@given(SIDES, SIDES)
def test_stretches_say_of_every_instant_what_the_two_joins_say(base: list[Grip], head: list[Grip]) -> None:
    found = compare(base, head, BEGIN, END)

    for instant in range(BEGIN, END):
        told = [one for one in found if one.begin <= instant < one.end]
        before, after = at(base, instant), at(head, instant)
        if before == after:
            assert told == []
        else:
            (one,) = told
            assert (one.base, one.head, one.way) == (before, after, way(before, after))
    assert all(one.begin < one.end for one in found)
    assert sum(total(found, one) for one in Way) == sum(one.length for one in found)


@given(SIDES, SIDES)
def test_turning_the_sides_round_turns_stricter_into_looser(base: list[Grip], head: list[Grip]) -> None:
    turned = {Way.STRICTER: Way.LOOSER, Way.LOOSER: Way.STRICTER, Way.INCOMPARABLE: Way.INCOMPARABLE}

    there, back = compare(base, head, BEGIN, END), compare(head, base, BEGIN, END)

    assert [(one.begin, one.end, turned[one.way]) for one in there] == [(one.begin, one.end, one.way) for one in back]


@given(RESTRAINTS, RESTRAINTS)
def test_only_what_forbids_all_that_the_other_does_is_stricter(base: Restraint, head: Restraint) -> None:
    found = way(base, head)

    assert (found is None) == (base == head)
    assert (found is Way.STRICTER) == (head != base and head.join(base) == head)
    assert way(base, base.join(head)) in (None, Way.STRICTER) and way(head, NONE) in (None, Way.LOOSER)


@given(SIDES, SIDES)
def test_the_policy_is_looser_for_an_order_just_where_some_scope_that_covers_it_says_so(
    base: list[Grip], head: list[Grip]
) -> None:
    """Every order there is, every instant: asked one by one, and read off the scopes."""
    found, whole = compare_scopes(base, head, BEGIN, END)

    assert whole
    orders = [Scope(venue=v, symbol=s, intent=i) for v in "vwx" for s in "ABC" for i in ("entry", "exit")]
    for order in orders:
        sides = [[grip for grip in side if covers(grip.scope, order)] for side in (base, head)]
        for one in compare(sides[0], sides[1], BEGIN, END):
            assert any(
                covers(scope.scope, order) and span.begin <= one.begin and one.end <= span.end
                for scope in found for span in scope.stretches
            )


def test_stretches_name_what_held_on_either_side() -> None:
    halted = Restraint(level=Level.HALTED)
    base = [
        Grip(begin=0, end=5, restraint=halted, scope=Scope(), because="firing"),
        Grip(begin=2, end=9, restraint=halted, scope=Scope(), because="latched"),
    ]

    (one,) = compare(base, [], BEGIN, END)

    assert (one.begin, one.end, one.base_because, one.head_because) == (0, 9, ("firing", "latched"), ())


def span(begin: int, end: int, *, number: int = 1, still: bool = False) -> EpisodeSpan:
    return EpisodeSpan(number=number, begin=begin, end=end, open=still, action="")


def test_an_episode_that_overlaps_is_the_same_one() -> None:
    found = episode_changes([span(0, 5), span(8, 9), span(20, 24)], [span(1, 5), span(20, 24, number=2), span(30, 31)])

    assert [one.became for one in found] == [Became.MOVED, Became.REMOVED, Became.ADDED]
    assert [one.at for one in found] == [0, 8, 30]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5)), max_size=6))
def test_the_same_episodes_are_no_change(pairs: list[tuple[int, int]]) -> None:
    spans = [span(begin, begin + length) for begin, length in pairs]

    assert episode_changes(spans, [span(one.begin, one.end, number=7) for one in reversed(spans)]) == ()


@given(st.lists(st.integers(0, 8), max_size=6), st.lists(st.integers(0, 8), max_size=6))
def test_every_episode_of_either_side_is_kept_or_told_once(base: list[int], head: list[int]) -> None:
    ours, theirs = ([span(10 * begin, 10 * begin + 4) for begin in set(side)] for side in (base, head))

    found = episode_changes(ours, theirs)

    assert {one.base for one in found if one.base} == set(ours) - set(theirs)
    assert {one.head for one in found if one.head} == set(theirs) - set(ours)
