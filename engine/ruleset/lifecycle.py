"""How long a rule's condition has held, and what that makes the rule.

Doubt is not falsehood: while a condition is unknown a climb goes on, a firing rule keeps
firing and nothing clears; but only a known truth fires. Time arrives as an argument, so
a replay climbs at the very instants the live run did.

A condition is read as one of four: TRUE; UNKNOWN; WAIT, known false while `clear_expr`
is not known true; CLEAR, known false and, where there is a `clear_expr`, that known true.
In every cell the first timer that is due moves the rule; a state without a timer is where
it goes at once, and where nothing is due it stays. This is `TABLE` in words:

| state    | TRUE                          | UNKNOWN                 | WAIT              | CLEAR                     |
| -------- | ----------------------------- | ----------------------- | ----------------- | ------------------------- |
| inactive | for: firing, else pending     | doubt: held             | -                 | -                         |
| pending  | for: firing                   | doubt: held             | inactive          | inactive                  |
| firing   | -                             | -                       | clearing          | clear: cooldown; clearing |
| clearing | firing                        | firing                  | -                 | clear: cooldown           |
| cooldown | for: firing, lockout: pending | lockout and doubt: held | lockout: inactive | lockout: inactive         |
| held     | for: firing, known: pending   | -                       | known: inactive   | known: inactive           |

The timers:
- *for* runs from the first known-true, through doubt, until a known false; with no `for`
  it is due at once.
- *doubt* is due `unknown_grace` after the condition, or the oldest input in doubt, ceased
  to be known, and at once while it never was: an input that was silent for long gets no
  new grace when the condition begins to need it.
- *clear* is due `keep_firing_for` after the condition became CLEAR; any other reading
  stops it.
- *known* is due `min_clear` after doubt ended.
- *lockout* is due `cooldown` after the clear, or after the re-arm where a latch was open.
  Without a cooldown, and while a latch is open, cooldown means inactive. A lockout that
  ends in doubt is held, never over: silence ends no restriction. One that still runs when
  doubt ends is cooldown again.

Doubt that has outlasted its grace is remembered (`doubted`) until the truth was known for
`min_clear`, whatever the state: an episode or a lockout that ends before that is held, and
a `ttl` that ends before that leaves the doubt. So to have fired, too, never restrains less.

`on_unknown: ignore` never holds; `hold` keeps what was, so it holds only while there
never was an answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from engine.ruleset.spec import OnUnknown


class State(StrEnum):
    """Where a rule instance stands."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    CLEARING = "clearing"
    COOLDOWN = "cooldown"
    HELD = "held"


class Reading(StrEnum):
    """What the condition is now."""

    TRUE = "true"
    UNKNOWN = "unknown"
    WAIT = "wait"
    CLEAR = "clear"


class Timer(StrEnum):
    """What may run in a cell."""

    FOR = "for"
    DOUBT = "doubt"
    DOUBT_AFTER_LOCKOUT = "doubt_after_lockout"
    CLEAR = "clear"
    KNOWN = "known"
    LOCKOUT = "lockout"


IN_EPISODE = frozenset({State.FIRING, State.CLEARING})
"""The states of an episode that has not ended."""

Cell = tuple[tuple[Timer | None, State], ...]
"""What happens in one cell: the first timer that is due decides; None is always due and comes last."""

_S, _T = State, Timer
_END: Cell = ((_T.CLEAR, _S.COOLDOWN), (None, _S.CLEARING))
_LOCKED: Cell = ((_T.LOCKOUT, _S.INACTIVE), (None, _S.COOLDOWN))
_KNOWN: Cell = ((_T.KNOWN, _S.INACTIVE), (None, _S.HELD))

TABLE: dict[tuple[State, Reading], Cell] = {
    (_S.INACTIVE, Reading.TRUE): ((_T.FOR, _S.FIRING), (None, _S.PENDING)),
    (_S.INACTIVE, Reading.UNKNOWN): ((_T.DOUBT, _S.HELD), (None, _S.INACTIVE)),
    (_S.INACTIVE, Reading.WAIT): ((None, _S.INACTIVE),),
    (_S.INACTIVE, Reading.CLEAR): ((None, _S.INACTIVE),),
    (_S.PENDING, Reading.TRUE): ((_T.FOR, _S.FIRING), (None, _S.PENDING)),
    (_S.PENDING, Reading.UNKNOWN): ((_T.DOUBT, _S.HELD), (None, _S.PENDING)),
    (_S.PENDING, Reading.WAIT): ((None, _S.INACTIVE),),
    (_S.PENDING, Reading.CLEAR): ((None, _S.INACTIVE),),
    (_S.FIRING, Reading.TRUE): ((None, _S.FIRING),),
    (_S.FIRING, Reading.UNKNOWN): ((None, _S.FIRING),),
    (_S.FIRING, Reading.WAIT): ((None, _S.CLEARING),),
    (_S.FIRING, Reading.CLEAR): _END,
    (_S.CLEARING, Reading.TRUE): ((None, _S.FIRING),),
    (_S.CLEARING, Reading.UNKNOWN): ((None, _S.FIRING),),
    (_S.CLEARING, Reading.WAIT): ((None, _S.CLEARING),),
    (_S.CLEARING, Reading.CLEAR): _END,
    (_S.COOLDOWN, Reading.TRUE): ((_T.FOR, _S.FIRING), (_T.LOCKOUT, _S.PENDING), (None, _S.COOLDOWN)),
    (_S.COOLDOWN, Reading.UNKNOWN): ((_T.DOUBT_AFTER_LOCKOUT, _S.HELD), (None, _S.COOLDOWN)),
    (_S.COOLDOWN, Reading.WAIT): _LOCKED,
    (_S.COOLDOWN, Reading.CLEAR): _LOCKED,
    (_S.HELD, Reading.TRUE): ((_T.FOR, _S.FIRING), (_T.KNOWN, _S.PENDING), (None, _S.HELD)),
    (_S.HELD, Reading.UNKNOWN): ((None, _S.HELD),),
    (_S.HELD, Reading.WAIT): _KNOWN,
    (_S.HELD, Reading.CLEAR): _KNOWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """A rule's durations with its flags resolved, in ns."""

    hold_for: int = 0
    keep_firing_for: int = 0
    cooldown: int = 0
    unknown_grace: int = 0
    min_clear: int = 0
    ttl: int = 0
    on_unknown: OnUnknown = OnUnknown.RESTRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where an instance stands and since when each of its clocks runs (ns; None for not running)."""

    state: State = State.INACTIVE
    since: int = 0
    reading: Reading = Reading.UNKNOWN
    answered: bool = False
    """Whether the condition was ever known."""
    unknown_since: int | None = None
    known_since: int | None = None
    true_since: int | None = None
    true_until: int | None = None
    """The last instant at which the condition was known true, once it no longer is."""
    clear_since: int | None = None
    locked_until: int | None = None
    doubted: bool = False
    """Whether doubt outlasted its grace and, when last looked at, was not yet over for `min_clear`."""


def advance(  # noqa: PLR0913 - the three last are the circumstances of one look
    before: Standing, reading: Reading, timing: Timing, at: int, *,
    latched: bool = False, doubted_since: int | None = None,
) -> Standing:
    """Return where an instance stands at `at` (ns), its condition being `reading`. Pure.

    `latched` says that a latch of the instance is open: then the lockout waits for the
    re-arm. `doubted_since` is since when the oldest of the inputs in doubt has been so.
    """
    now = clocks(before, reading, at, doubted_since)
    state = before.state
    for timer, target in TABLE[before.state, reading]:
        if timer is None or _is_due(now, timer, timing, at):
            state = target
            break
    if state is State.FIRING and before.state not in IN_EPISODE:
        # A new episode: its own end, or its own re-arm, says when the next lockout runs.
        now = replace(now, locked_until=None)
    if state is State.COOLDOWN and before.state is not State.COOLDOWN:
        locked_until = None if latched else now.locked_until or at + timing.cooldown
        now = replace(now, locked_until=locked_until)
        if locked_until is None or locked_until <= at:
            state = State.INACTIVE
    elif state in (State.INACTIVE, State.PENDING) and now.locked_until is not None and now.locked_until > at:
        # Doubt, or a switch, came in between: the lockout has run on beneath it.
        state = State.COOLDOWN
    doubted = _doubted(before, now, timing, at)
    if doubted and state in (State.INACTIVE, State.PENDING):
        # Firing, or a lockout, stood in for doubt that is not over yet.
        state = State.HELD
    if doubted is not now.doubted:
        now = replace(now, doubted=doubted)
    return now if state is before.state else replace(now, state=state, since=at)


def _doubted(before: Standing, now: Standing, timing: Timing, at: int) -> bool:
    """Return whether doubt outlasted its grace by `at` and has not been over for `min_clear` since."""
    # Doubt that comes back in the very instant in which it would have been over was never over.
    was = before.doubted and not _is_due(before, Timer.KNOWN, timing, at - 1)
    outlasted = was or any(_is_due(one, Timer.DOUBT, timing, at) for one in (before, now))
    return outlasted and not _is_due(now, Timer.KNOWN, timing, at)


def rearmed(before: Standing, timing: Timing, at: int) -> Standing:
    """Return the standing after the last open latch was re-armed at `at` (ns): the lockout runs from now."""
    if not timing.cooldown:
        return before
    now = replace(before, locked_until=at + timing.cooldown)
    # At once, and not when something it reads next changes: what moves a rule is its condition and time.
    return replace(now, state=State.COOLDOWN, since=at) if before.state in (State.INACTIVE, State.PENDING) else now


def stopped(before: Standing, at: int) -> Standing:
    """Return the standing of a rule that was switched off at `at` (ns). Only its lockout is remembered."""
    return Standing(state=State.INACTIVE, since=at, locked_until=before.locked_until)


def clocks(before: Standing, reading: Reading, at: int, doubted_since: int | None = None) -> Standing:
    """Return `before` with every clock started or stopped as `reading` wants."""
    if reading is before.reading and (before.unknown_since is not None or before.known_since is not None):
        return before
    known = reading is not Reading.UNKNOWN
    was_true = before.reading is Reading.TRUE
    is_true = reading is Reading.TRUE
    true_since = before.true_since
    if is_true:
        true_since = at if true_since is None else true_since
    elif known:
        true_since = None
    return replace(
        before,
        reading=reading,
        answered=before.answered or known,
        unknown_since=None if known else _kept(before.unknown_since, at if doubted_since is None else doubted_since),
        known_since=_kept(before.known_since, at) if known else None,
        true_since=true_since,
        true_until=None if is_true else (at if was_true else before.true_until),
        clear_since=at if reading is Reading.CLEAR else None,
    )


def _kept(since: int | None, at: int) -> int:
    return at if since is None else since


def due_at(standing: Standing, timer: Timer, timing: Timing) -> int | None:
    """Return when `timer` is due (ns), 0 for at once and None for never, its clock not running."""
    match timer:
        case Timer.FOR:
            return None if standing.true_since is None else standing.true_since + timing.hold_for
        case Timer.DOUBT:
            return _doubt_due(standing, timing)
        case Timer.DOUBT_AFTER_LOCKOUT:
            doubt = _doubt_due(standing, timing)
            return None if doubt is None else max(doubt, standing.locked_until or 0)
        case Timer.CLEAR:
            return None if standing.clear_since is None else standing.clear_since + timing.keep_firing_for
        case Timer.KNOWN:
            return None if standing.known_since is None else standing.known_since + timing.min_clear
        case Timer.LOCKOUT:
            return standing.locked_until or 0


def _doubt_due(standing: Standing, timing: Timing) -> int | None:
    if standing.unknown_since is None or timing.on_unknown is OnUnknown.IGNORE:
        return None
    if not standing.answered:
        return 0
    return None if timing.on_unknown is OnUnknown.HOLD else standing.unknown_since + timing.unknown_grace


def _is_due(standing: Standing, timer: Timer, timing: Timing, at: int) -> bool:
    due = due_at(standing, timer, timing)
    return due is not None and due <= at


def next_due(standing: Standing, timing: Timing, at: int) -> int | None:
    """Return the first instant after `at` at which time alone moves the instance or its grip, or None."""
    soonest: int | None = None
    for timer, _ in TABLE[standing.state, standing.reading]:
        if timer is not None:
            soonest = _sooner(soonest, due_at(standing, timer, timing), at)
    if timing.ttl and standing.true_until is not None and standing.state in _EPISODE_GRIPS:
        soonest = _sooner(soonest, standing.true_until + timing.ttl, at)
        soonest = _sooner(soonest, _doubt_due(standing, timing), at)
        if standing.doubted:
            soonest = _sooner(soonest, due_at(standing, Timer.KNOWN, timing), at)
    return soonest


def _sooner(soonest: int | None, due: int | None, at: int) -> int | None:
    if due is None or due <= at:
        return soonest
    return due if soonest is None or due < soonest else soonest


class Grip(StrEnum):
    """What an instance restrains for: its episode, its doubt, its lockout, or nothing."""

    NONE = ""
    FIRING = "firing"
    HELD = "held"
    COOLDOWN = "cooldown"


_EPISODE_GRIPS = {
    State.FIRING: Grip.FIRING, State.CLEARING: Grip.FIRING, State.COOLDOWN: Grip.COOLDOWN,
}


def grip(standing: Standing, timing: Timing, at: int) -> Grip:
    """Return why the instance restrains at `at`.

    A `ttl` ends by contract what an episode and its lockout impose, counted from the last
    known-true. Doubt is not bound by that contract: where it has outlasted the grace it
    restrains for itself, so that a gap in the data never weakens what is in force.
    """
    if standing.state is State.HELD:
        return Grip.HELD
    held = _EPISODE_GRIPS.get(standing.state)
    if held is None:
        return Grip.NONE
    ended = timing.ttl and standing.true_until is not None and standing.true_until + timing.ttl <= at
    if not ended:
        return held
    lasts = standing.doubted and not _is_due(standing, Timer.KNOWN, timing, at)
    return Grip.HELD if lasts or _is_due(standing, Timer.DOUBT, timing, at) else Grip.NONE
