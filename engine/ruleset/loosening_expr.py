"""Whether a changed condition restrains, refuses or grants more or less than before.

Of a condition that restrains, truth may take the place of falsehood, and doubt too. Doubt in
the place of truth loosens: it neither fires nor latches. Truth in the place of doubt loosens
as well, unless it fires at once and for no less long: what waits for its `for` restrains
nothing, where doubt would have.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.model.time import format_duration
from engine.ruleset.changes import Direction, Judged
from engine.ruleset.loosening_relation import Pair, Pairs, relate
from engine.ruleset.loosening_side import Difference, Side, spelled
from engine.ruleset.spec import RESTRAINING, Expression, Latching, OnUnknown, RuleKind

_UNTRIED: Judged = (Direction.INCOMPARABLE, "the two conditions are too different to be compared")
_WORDS = {True: "true", False: "false", None: "unknown"}
_LOST: tuple[Pair, ...] = ((True, False), (None, False), (True, None))
_GAINED: tuple[Pair, ...] = ((False, True), (False, None))
_DOUBT_ENDED: Pair = (None, True)
_REFUSED_NO_MORE: tuple[Pair, ...] = ((True, False), (None, False))
_GRANTED_MORE: tuple[Pair, ...] = ((False, True), (None, True))
_GRANTED_LESS: tuple[Pair, ...] = ((True, False), (True, None))


def compare_conditions(old: Side, new: Side) -> Iterator[Difference]:
    """Yield what changed about `expr` (`allow_expr` of a gate) and `clear_expr`, by the files or through flags."""
    gate = new.spec.kind is RuleKind.MAKER_GATE
    before, after = old.spec.expr, new.spec.expr
    alike = old.spec.kind is new.spec.kind or {old.spec.kind, new.spec.kind} <= RESTRAINING
    pairs = relate((old, before), (new, after))
    judged = _condition(old, new, pairs) if alike else _other_kind(before, after)
    if spelled(before) != spelled(after) or judged[0] is not Direction.NEUTRAL:
        yield ("allow_expr" if gate else "expr"), _text(old, before), _text(new, after), judged
    yield from _clear(old, new)


def _other_kind(before: Expression, after: Expression) -> Judged:
    if spelled(before) == spelled(after):
        return Direction.NEUTRAL, "the kind says what its truth does"
    return Direction.INCOMPARABLE, "its truth does something else than before"


def _text(side: Side, expression: Expression) -> str:
    """Return an expression with the values of the flags it reads."""
    text = " ".join(expression.text.split())
    flags = ", ".join(f"{name}={side.flag_value(name)}" for name in expression.flags)
    return f"{text} with {flags}" if flags else text


def _condition(old: Side, new: Side, pairs: Pairs | None) -> Judged:
    kind = new.spec.kind
    if kind is RuleKind.WATCH:
        return Direction.NEUTRAL, "it only tells"
    if pairs is None:
        return _UNTRIED
    if kind is RuleKind.ENTRY:
        return _refusing(pairs)
    return _granting(old, new, pairs) if kind is RuleKind.MAKER_GATE else _restraining(old, new, pairs)


def _refusing(pairs: Pairs) -> Judged:
    """An entry refuses what is true and what is unknown."""
    return _weighed(pairs, _REFUSED_NO_MORE, _GAINED, (Direction.STRICTER, "it refuses whatever it refused, and more"))


def _weighed(pairs: Pairs, lost: tuple[Pair, ...], gained: tuple[Pair, ...], stricter: Judged) -> Judged:
    """Judge by the pairs that take protection away and those that add to it."""
    less, more = _first(pairs, lost), _first(pairs, gained)
    if less is not None and more is not None:
        return Direction.INCOMPARABLE, f"{_told(pairs, less)}; but {_told(pairs, more)}"
    if less is not None:
        return Direction.LOOSER, _told(pairs, less)
    if more is None:
        return Direction.NEUTRAL, "both always come to the same"
    return stricter[0], f"{stricter[1]}: {_told(pairs, more)}"


def _first(pairs: Pairs, wanted: tuple[Pair, ...]) -> Pair | None:
    return next((pair for pair in wanted if pair in pairs), None)


def _told(pairs: Pairs, pair: Pair) -> str:
    return f"{_WORDS[pair[0]]} before and {_WORDS[pair[1]]} now where {pairs[pair]}"


def _restraining(old: Side, new: Side, pairs: Pairs) -> Judged:
    judged = _weighed(pairs, _LOST, _GAINED, (Direction.STRICTER, "it is true wherever it was, and more often"))
    if judged[0] in (Direction.LOOSER, Direction.INCOMPARABLE):
        return judged
    if _DOUBT_ENDED in pairs:
        slow = _slower_than_doubt(new)
        if slow:
            return Direction.INCOMPARABLE, f"{_told(pairs, _DOUBT_ENDED)}: {slow}"
        judged = (Direction.STRICTER, f"it fires where it was in doubt: {_told(pairs, _DOUBT_ENDED)}")
    if judged[0] is Direction.STRICTER and not new.compiled.restraint.covers(new.compiled.doubted()):
        return Direction.INCOMPARABLE, f"{judged[1]}; but firing restrains less than doubt (see unknown_cutback)"
    if judged[0] is Direction.NEUTRAL and old.inputs() == new.inputs():
        return judged
    return _noticed(old, new) or judged


def _slower_than_doubt(new: Side) -> str:
    """Return why truth restrains less than the doubt whose place it takes, or an empty string."""
    timing, compiled = new.compiled.timing, new.compiled
    if timing.hold_for:
        return f"doubt restrained after its grace, truth only after {format_duration(timing.hold_for)}"
    if timing.ttl:
        return "doubt restrained as long as it lasted, truth has a ttl"
    if compiled.latching is not Latching.MANUAL and timing.keep_firing_for < timing.min_clear:
        return f"doubt ended {format_duration(timing.min_clear)} after it was over (min_clear), truth sooner"
    return ""


def _noticed(old: Side, new: Side) -> Judged | None:
    """Doubt runs since the oldest of all inputs was lost: an input less, and it may begin later; one more, sooner."""
    timing = new.compiled.timing
    if new.doubt_may_replace_a_lockout():
        return Direction.INCOMPARABLE, "doubt may come sooner, and a lockout that turns into doubt restrains less"
    gone = sorted({ref.signal for ref in old.inputs() - new.inputs()})
    if not gone or not timing.unknown_grace or timing.on_unknown in (OnUnknown.IGNORE, OnUnknown.HOLD):
        return None
    return Direction.INCOMPARABLE, f"it no longer reads {', '.join(gone)} as it did, so doubt may be noticed later"


def _granting(old: Side, new: Side, pairs: Pairs) -> Judged:
    judged = _weighed(
        pairs, _GRANTED_MORE, _GRANTED_LESS, (Direction.STRICTER, "it grants nothing that it did not grant"),
    )
    if judged[0] in (Direction.LOOSER, Direction.INCOMPARABLE):
        return judged
    if not new.inputs() <= old.inputs():
        return Direction.INCOMPARABLE, "it reads more, and whatever it reads renews a grant"
    timed = old.spec.expr.held or new.spec.expr.held or any(ref.reads != "value" for ref in old.inputs())
    if judged[0] is Direction.STRICTER and timed:
        return Direction.INCOMPARABLE, f"{judged[1]}; but time alone may make it true later, which renews a grant"
    return judged


def _clear(old: Side, new: Side) -> Iterator[Difference]:
    before, after = old.spec.clear_expr, new.spec.clear_expr
    if before is None and after is None:
        return
    judged = _cleared(old, new, before, after)
    if spelled(before) != spelled(after) or judged[0] is not Direction.NEUTRAL:
        yield "clear_expr", _text(old, before) if before else "", _text(new, after) if after else "", judged


def _cleared(old: Side, new: Side, before: Expression | None, after: Expression | None) -> Judged:
    if after is None or before is None:
        judged: Judged = (Direction.LOOSER, "it clears as soon as its condition is false") if after is None else (
            Direction.STRICTER, "its condition being false no longer clears it alone",
        )
    else:
        pairs = relate((old, before), (new, after))
        judged = _UNTRIED if pairs is None else _weighed(
            pairs, _GRANTED_MORE, _GRANTED_LESS, (Direction.STRICTER, "it clears later, or as it did"),
        )
    if new.spec.kind not in RESTRAINING:
        return Direction.NEUTRAL, "it only tells"
    if judged[0] is Direction.STRICTER and not new.compiled.restraint.covers(new.compiled.doubted()):
        return Direction.INCOMPARABLE, f"{judged[1]}; but firing restrains less than doubt (see unknown_cutback)"
    if judged[0] in (Direction.LOOSER, Direction.INCOMPARABLE) or old.inputs() == new.inputs():
        return judged
    return _noticed(old, new) or judged
