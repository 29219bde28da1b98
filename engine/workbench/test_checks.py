"""What a test claims against what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.model.restraints import EVERYTHING, NONE, Restraint
from engine.model.time import DAY, HOUR, MINUTE, MS, SECOND
from engine.model.truth import Truth
from engine.ruleset.evaluate import RuleView
from engine.ruleset.spec import Action, Place, RuleKind, RuleSpec
from engine.ruleset.testcase import Expectation, RuleTest, WantedMove
from engine.ruleset.words import restraint_words
from engine.workbench.test_play import Moved, Play

_TRUTHS = {Truth.TRUE: "true", Truth.FALSE: "false", Truth.UNKNOWN: "unknown"}
_SCOPE = ("account", "venue", "symbol", "intent")
NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """One thing that was not as expected, where it is written and how long after the first sample."""

    place: Place
    at: int
    what: str
    expected: str
    actual: str

    def __str__(self) -> str:
        return f"{self.place}: at {when(self.at)}: {self.what}: expected {self.expected}, got {self.actual}"


_UNITS = (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", MS))


def when(at: int) -> str:
    """Return a time as rules write it, so that it can be pasted: a whole number of the largest unit that divides it."""
    for unit, size in _UNITS:
        if at and at % size == 0:
            return f"{at // size}{unit}"
    return "0s"


class Checks:
    """Compares, and keeps what is not as expected in `mismatches`."""

    def __init__(self, spec: RuleSpec, test: RuleTest, play: Play) -> None:
        self._spec, self._test, self._play = spec, test, play
        self.mismatches: list[Mismatch] = []

    def check(self, wanted: Expectation, at: int) -> None:
        """Check one expectation; `at` is what the clock says."""
        if self._spec.kind is RuleKind.ENTRY:
            self._check_entry(wanted, at)
            return
        labels = dict(wanted.labels)
        instance = self._play.instance(labels)
        view = next((one for one in self._play.book.views(self._play.snapshot.now) if one.instance == instance), None)
        if view is None or view.state == "no instance":
            self._miss(wanted, "instance", "one", "none: no sample came for its labels")
            return
        self._check_view(wanted, view)
        if wanted.granted is not None:
            order = {name: labels.get(name, self._play.label(name)) for name in ("venue", "symbol", "intent")}
            granted, _ = self._play.book.maker_granted(at, **order)
            self._compare(wanted, "granted", _yes(wanted.granted), str(granted).lower())
        if wanted.restrain is not None:
            self._check_restraint(wanted, wanted.restrain, view.instance)
        if wanted.scope is not None:
            self._check_scope(wanted, wanted.scope, view.instance)
        if wanted.action is not None:
            self._check_action(wanted, wanted.action, view.instance)
        self._check_why(wanted, (_TRUTHS[view.truth], *view.reasons, *view.inputs.values()))

    def _check_view(self, wanted: Expectation, view: RuleView) -> None:
        self._compare(wanted, "state", wanted.state, view.state)
        self._compare(wanted, "truth", wanted.truth, _TRUTHS[view.truth])
        self._compare(wanted, "latched", _yes(wanted.latched), str(view.latched).lower())
        self._compare(wanted, "evaluated", _yes(wanted.evaluated), str(view.guarding).lower())

    def _check_entry(self, wanted: Expectation, at: int) -> None:
        asked = dict(wanted.labels)
        labels = {name: asked.get(name, self._play.label(name)) for name in _SCOPE}
        verdicts = self._play.book.judge_entry(at, dict(self._test.order or ()), labels)
        self._compare(wanted, "evaluated", _yes(wanted.evaluated), str(bool(verdicts)).lower())
        for verdict in verdicts:
            truth = _TRUTHS[verdict.truth]
            self._compare(wanted, "truth", wanted.truth, truth)
            self._compare(wanted, "refused", _yes(wanted.refused), str(verdict.truth is not Truth.FALSE).lower())
            self._check_why(wanted, (truth, *verdict.reasons, *(text for _, text in verdict.inputs)))

    def _check_restraint(self, wanted: Expectation, restraint: Restraint, instance: str) -> None:
        total = NONE
        for one in self._play.book.restraints():
            if one.rule == self._spec.id and one.instance == instance:
                total = total.join(one.restraint)
        fields = wanted.restrain_fields
        agrees = all(getattr(total, name) == getattr(restraint, name) for name in fields) if fields else total == NONE
        if not agrees:
            self._miss(wanted, "restrain", _words(restraint), _words(total))

    def _check_scope(self, wanted: Expectation, scope: tuple[tuple[str, str], ...], instance: str) -> None:
        found = [one.scope for one in self._play.book.restraints() if one.instance == instance]
        covered = [{name: getattr(one, name) for name in _SCOPE if getattr(one, name)} for one in found]
        if not found or any(one != dict(scope) for one in covered):
            told = ["all" if one == EVERYTHING else _pairs(labels) for one, labels in zip(found, covered, strict=True)]
            self._miss(wanted, "scope", _pairs(dict(scope)) or "all", ", ".join(dict.fromkeys(told)) or NOTHING)

    def _check_action(self, wanted: Expectation, action: Action, instance: str) -> None:
        """Compare with the action of the newest episode, its flag resolved; one that does nothing is none."""
        started = [one.action for one in self._play.episodes if one.instance == instance]
        actual = _resolved(started[-1], self._play.flags) if started and started[-1] is not None else {}
        expected = _resolved(action, {})
        agrees = all(actual.get(name) == value for name, value in expected.items()) if expected else not actual
        if not agrees:
            self._miss(wanted, "action", _pairs(expected) or "none", _pairs(actual) or "none")

    def check_moves(self) -> None:
        """Compare every change of state with the list of `transitions`: it must be all of them, in order."""
        if self._test.transitions is None:
            return
        left = list(self._play.moved)
        for wanted in self._test.transitions:
            instance = self._play.instance(dict(wanted.labels))
            found = left[0] if left else None
            if found is None or (found.at, found.instance, found.to) != (wanted.at, instance, wanted.to):
                self._unmoved(wanted, instance, found)
                return
            left.pop(0)
            for word in wanted.why:
                if not any(word in text for text in found.why):
                    self._move(wanted.place, wanted.at, word, ", ".join(found.why))
        for extra in left:
            self._move(self._test.place, extra.at, "no change", _told(extra))

    def _unmoved(self, wanted: WantedMove, instance: str, found: Moved | None) -> None:
        expected = f"{when(wanted.at)} {wanted.to}" + (f" of {instance}" if wanted.labels else "")
        self._move(wanted.place, wanted.at, expected, "no change any more" if found is None else _told(found))

    def _move(self, place: Place, at: int, expected: str, actual: str) -> None:
        self.mismatches.append(Mismatch(place=place, at=at, what="transitions", expected=expected, actual=actual))

    def check_rearmings(self) -> None:
        """Compare what came of each re-arm with what its event claims."""
        for one in self._play.rearmings:
            event = one.event
            if one.done is event.refused:
                expected = "refused" if event.refused else "done"
                self.mismatches.append(
                    Mismatch(place=event.place, at=event.at, what="rearm", expected=expected, actual=one.said),
                )
            for word in event.why:
                if word not in one.said:
                    self.mismatches.append(
                        Mismatch(place=event.place, at=event.at, what="why", expected=word, actual=one.said),
                    )

    def _check_why(self, wanted: Expectation, told: tuple[str, ...]) -> None:
        for word in wanted.why:
            if not any(word in text for text in told):
                self._miss(wanted, "why", word, ", ".join(dict.fromkeys(told)))

    def _compare(self, wanted: Expectation, what: str, expected: str | None, actual: str) -> None:
        if expected is not None and expected != actual:
            self._miss(wanted, what, expected, actual)

    def _miss(self, wanted: Expectation, what: str, expected: str, actual: str) -> None:
        self.mismatches.append(Mismatch(place=wanted.place, at=wanted.at, what=what, expected=expected, actual=actual))


def _yes(value: bool | None) -> str | None:
    return None if value is None else str(value).lower()


def _words(restraint: Restraint) -> str:
    return restraint_words(restraint) if restraint != NONE else "none"


def _told(moved: Moved) -> str:
    return f"{when(moved.at)} {moved.to} of {moved.instance}"


def _pairs(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in values.items())


def _resolved(action: Action, flags: Mapping[str, object]) -> dict[str, object]:
    """Return what an action does, without what it does not."""
    word = str(flags.get(action.exit_risk, action.exit_risk)).lower()
    found: dict[str, object] = {"exit_risk": word} if word not in ("", "false") else {}
    if action.trim_pct is not None:
        found["trim_pct"] = action.trim_pct
    if action.hedge_ratio is not None:
        found["hedge_ratio"] = action.hedge_ratio
    return found
