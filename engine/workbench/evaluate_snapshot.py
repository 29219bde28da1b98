"""`engine rules eval`: what each rule says of one moment, and what it would come to if the moment lasted.

The rules run as they do in the engine, on a snapshot that was filled through the same
door. What differs is told apart: `now` is where a rule stands right after it first saw the
moment, `if_held` where it stands once its condition has stayed as it is until every timer
of it (for, grace, held) has run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from engine.model.codec import Data, decimal_text
from engine.model.flags import FlagSpec
from engine.model.restraints import NONE, InForce, Level, Restraint
from engine.model.samples import SignalKind, Status
from engine.model.truth import Truth
from engine.policy.join import Policy, binding, join_all
from engine.ruleset.compiled import CompiledRule
from engine.ruleset.diagnostics import Finding, format_text
from engine.ruleset.entries import Entries
from engine.ruleset.evaluate import RuleBook, RuleView
from engine.ruleset.spec import RuleKind, RuleSet, RuleSpec
from engine.signals.catalogue import Catalogue
from engine.signals.snapshot import Snapshot
from engine.workbench.snapshot_file import ORDER_LABELS, Moment, read_moment

MOST_TIMERS = 10_000
"""A rule whose condition does not change comes to rest after a few; more is a fault of ours."""


class SnapshotError(ValueError):
    """All that is wrong with a snapshot document."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__(format_text(self.findings))


def evaluate_snapshot(
    document: Mapping[str, Any], rules: RuleSet, catalogue: Catalogue, flags: Mapping[str, FlagSpec]
) -> dict[str, Data]:
    """Return what `rules` make of a snapshot document as JSON data; SnapshotError lists what is wrong with it."""
    text = json.dumps(document, ensure_ascii=False, indent=1).encode()
    moment, findings = read_moment(text, "<snapshot>", catalogue, flags)
    if moment is None:
        raise SnapshotError(findings)
    return evaluate_moment(moment, rules, catalogue)


def evaluate_moment(moment: Moment, rules: RuleSet, catalogue: Catalogue) -> dict[str, Data]:
    """Return what `rules` make of a checked moment as JSON data: the rules in order of their ids, then the policy."""
    snapshot = _filled(moment, rules, catalogue)
    answers = [_answer(moment, rule, rules, snapshot) for rule in rules.rules]
    in_force = tuple(item for answer in answers for item in answer.in_force)
    rows = [row for answer in answers for row in answer.rows]
    return {"rules": rows, "policy": _policy(moment, in_force, rows)}


def moment_book(moment: Moment, rules: RuleSet, catalogue: Catalogue) -> tuple[RuleBook, Snapshot]:
    """Return all of `rules` as they stand right after they first saw a checked moment, and what they read."""
    snapshot = _filled(moment, rules, catalogue)
    return _book(rules, moment, snapshot, moment.at), snapshot


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one rule says: a row an instance, and what it has in force once its condition has held."""

    rows: tuple[dict[str, Data], ...]
    in_force: tuple[InForce, ...] = ()


def _filled(moment: Moment, rules: RuleSet, catalogue: Catalogue) -> Snapshot:
    """Return a snapshot that lived through the moment's samples, with everything bound that `rules` read."""
    snapshot = Snapshot(catalogue)
    begin = min((at for heard in moment.signals for at, _ in heard.samples), default=moment.at)
    _book(rules, moment, snapshot, begin)
    told = {(heard.name, heard.labels) for heard in moment.signals}
    for spec in catalogue.specs.values():
        if spec.kind is SignalKind.EVENT and spec.producer:
            snapshot.set_producer(spec.producer, True, begin)
    samples = [(at, heard, value) for heard in moment.signals for at, value in heard.samples]
    for at, heard, value in sorted(samples, key=lambda one: one[0]):
        _ring(snapshot, at)
        snapshot.put_named(heard.name, heard.labels, value, at, at)
    _ring(snapshot, moment.at)
    for spec in catalogue.specs.values():
        if spec.kind is SignalKind.EVENT and spec.producer:
            snapshot.set_producer(spec.producer, True, moment.at)
    for slot, name, labels in snapshot.series():
        # An event that is not in the file is not an event that did not happen: its windows are in doubt.
        if catalogue.specs[name].kind is SignalKind.EVENT and (name, labels) not in told:
            snapshot.degrade(slot, Status.MISSING, moment.at)
    return snapshot


def _ring(snapshot: Snapshot, at: int) -> None:
    due = snapshot.next_due()
    while due is not None and due <= at:
        snapshot.fire(due)
        due = snapshot.next_due()


def _book(rules: RuleSet, moment: Moment, snapshot: Snapshot, at: int) -> RuleBook:
    """Return a book over `snapshot` with the instances that the moment's labels and order ask for."""
    book = RuleBook(rules, snapshot.catalogue, snapshot, moment.flags, at=at)
    for heard in moment.signals:
        book.on_new_labels(at, heard.name, heard.labels)
    if moment.order is not None:
        book.judge_entry(at, moment.order, moment.order_labels)
    return book


def _answer(moment: Moment, rule: RuleSpec, rules: RuleSet, snapshot: Snapshot) -> _Answer:
    """Run one rule alone, so that only its own timers run until its condition has held."""
    if rule.kind is RuleKind.ENTRY:
        return _Answer((_entry_row(moment, rule, snapshot),))
    book = _book(replace(rules, rules=(rule,)), moment, snapshot, moment.at)
    rows = [_row(view, book, moment.at) for view in book.views(moment.at)]
    _hold(book, moment.at)
    held = book.restraints()
    for row, view in zip(rows, book.views(moment.at), strict=True):
        row["if_held"] = _standing(view, held)
    unmet = () if moment.order is None else book.unmet(**_order_labels(moment))
    return _Answer(tuple(rows), (*held, *unmet))


def _hold(book: RuleBook, at: int) -> None:
    """Let time pass for the rule and for nothing else until no timer of it is left."""
    for _ in range(MOST_TIMERS):
        due = book.next_due()
        if due is None:
            return
        at = max(at, due)
        book.fire(at)
    raise RuntimeError("a rule whose condition does not change never came to rest")


def _row(view: RuleView, book: RuleBook, at: int) -> dict[str, Data]:
    traced: dict[str, Data] = next(iter(book.explain(at, view.id, view.instance)), {})
    row: dict[str, Data] = {
        "id": view.id, "instance": view.instance, "kind": view.kind, "truth": _truth(view.truth),
        "reasons": list(view.reasons), "inputs": dict(view.inputs), "trace": traced.get("trace", []),
        "guarding": view.guarding, "why_not": view.why_not, "source": view.source,
        "now": _standing(view, book.restraints()), "if_held": {},
    }
    if not traced:
        row["reasons"] = [view.why_not or "nothing in the snapshot has the labels of this rule, so it has no instance"]
    return row


def _entry_row(moment: Moment, rule: RuleSpec, snapshot: Snapshot) -> dict[str, Data]:
    """An entry rule has no state: it is asked once an order, and what is not known refuses."""
    compiled = CompiledRule(rule, snapshot.catalogue, frozenset())
    compiled.resolve(moment.flags)
    entries = Entries([compiled], snapshot)
    order = moment.order or {}
    inputs, texts = entries.inputs(compiled, order, moment.order_labels)
    main, places = compiled.program.main, compiled.program.names
    names = {name: places[place] for name, place in main.inputs.items()}
    names |= {name: compiled.program.held[place].text for name, place in main.held.items()}
    evaluator = compiled.evaluator(len(compiled.program.held))
    verdict = next(iter(entries.judge(order, moment.order_labels)), None)
    truth = Truth.UNKNOWN if verdict is None else verdict.truth
    state = "off" if verdict is None else "passes" if truth is Truth.FALSE else "refuses"
    if verdict is not None and moment.order is None:
        state = "no order"
    standing = {"state": state, "restrain": restraint_data(NONE)}
    return {
        "id": rule.id, "instance": rule.id, "kind": rule.kind.value, "truth": _truth(truth),
        "reasons": [compiled.why_not()] if verdict is None else list(verdict.reasons),
        "inputs": dict(zip(places, texts, strict=True)),
        "trace": evaluator.trace(inputs, entries.no_held(compiled), names),
        "guarding": verdict is not None, "why_not": compiled.why_not(), "source": compiled.source,
        "now": standing, "if_held": standing,
    }


def _policy(moment: Moment, in_force: tuple[InForce, ...], rows: list[dict[str, Data]]) -> dict[str, Data]:
    """Return the join of all that holds once conditions have held, and what of it meets the order, if there is one."""
    policy = Policy(in_force, 0)
    found: dict[str, Data] = {**restraint_data(policy.overall), "binding": list(binding(in_force))}
    if moment.order is None:
        return found
    labels = _order_labels(moment)
    key = (labels["account"], labels["venue"], labels["symbol"], labels["intent"])
    restraint = policy.restraint(key)
    refused_by = [row["id"] for row in rows if row["if_held"]["state"] == "refuses"]
    highest = Level.ENTRIES_PAUSED if labels["intent"] == "HEDGE" else Level.NORMAL
    muted = labels["intent"] in restraint.mute or labels["symbol"] in restraint.deny
    found["order"] = {
        **restraint_data(restraint), "binding": list(binding(policy.matching(key))), "refused_by": refused_by,
        "may_enter": restraint.level <= highest and not muted and not refused_by,
    }
    return found


def _order_labels(moment: Moment) -> dict[str, str]:
    return {name: moment.order_labels.get(name, "") for name in ORDER_LABELS}


def _standing(view: RuleView, in_force: Iterable[InForce]) -> dict[str, Data]:
    imposed = join_all(item.restraint for item in in_force if item.instance == view.instance)
    return {"state": view.state, "restrain": restraint_data(imposed)}


def restraint_data(restraint: Restraint) -> dict[str, Data]:
    """Return a restraint as JSON data, with every field whether or not it restrains."""
    cap = restraint.max_notional_usd
    return {
        "level": restraint.level.word, "size_mult": restraint.size_mult,
        "max_notional_usd": None if cap is None else decimal_text(cap), "mute": sorted(restraint.mute),
        "deny": sorted(restraint.deny), "deny_quotes": sorted(restraint.deny_quotes),
    }


def _truth(truth: Truth) -> str:
    return truth.name.lower()
