"""`engine rules why-not`: why a rule fires or does not, how far it is from it, and what would have to change."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from engine.cli.past import asked_instant, past_of, tape_of
from engine.cli.rules_snapshot import read_snapshot
from engine.cli.shared import FINE, Failure, add_shared, home, print_json, state_dir
from engine.cli.text import columns, instant, span
from engine.cli.tracing import timer_lines
from engine.core.state import State
from engine.ruleset.suggest import fix_for
from engine.runtime.configured import ConfigError
from engine.runtime.offline import last_state
from engine.runtime.rules_config import rules_config
from engine.runtime.wiring_journal import read_journal
from engine.signals.catalogue import Catalogue
from engine.workbench.evaluate_snapshot import moment_book
from engine.workbench.snapshot_file import ACCOUNT, ORDER_LABELS, read_moment
from engine.workbench.why_not import Scene, why_not


def add_verb(verbs: Any) -> None:
    """Add `why-not` to the verbs of `engine rules`."""
    parser = verbs.add_parser(
        "why-not", help="Why a rule fires or does not: readings, margins, timers, and what would have to change.",
        description="Looks at the last checkpoint of a run, at its past (--at), or at a snapshot file.",
    )
    parser.add_argument("what", metavar="RULE", help="a rule, or rule[label]")
    parser.add_argument("--snapshot", metavar="FILE", help="look at this moment instead of a run; - reads stdin")
    parser.add_argument("--at", metavar="TIME", help="the run as of then: an instant, 23:25, or +1h20m")
    parser.add_argument("--tape", metavar="FILE", help="with --at, the tape that the run was on, where it is not found")
    parser.add_argument(
        "--order", nargs="+", metavar="NAME=VALUE", help="the order at hand, such as symbol=X notional_usd=6000"
    )
    add_shared(parser)
    parser.set_defaults(verb=_run)


def _run(args: argparse.Namespace) -> int:
    if args.snapshot and (args.at or args.tape or args.order):
        raise Failure("--at, --tape and --order are about a run", "write the order into the snapshot")
    scene = _of_snapshot(args.snapshot) if args.snapshot else _of_run(args)
    rule, label = args.what.split("[")[0], "[" in args.what
    found = why_not(scene, rule, args.what if label else None)
    if not found:
        _unknown(scene, rule, args.what)
    if args.format == "json":
        print_json({"at": scene.at, "rule": rule, "answers": found})
        return FINE
    for answer in found:
        print("\n".join([*answer_lines(answer), ""]))
    return FINE


def _unknown(scene: Scene, rule: str, what: str) -> None:
    ids = [spec.id for spec in scene.book.rules.rules]
    if rule in ids:
        there = [one.name for one in scene.book.of_rule(rule)] or [rule]
        raise Failure(f"{rule} has no instance {what}", fix_for(what, there))
    raise Failure(f"there is no rule {rule!r}", fix_for(rule, ids))


def _of_snapshot(name: str) -> Scene:
    config = rules_config(home())
    if not config.usable or config.catalogue is None or config.rules is None:
        raise ConfigError(config.findings)
    moment, findings = read_moment(read_snapshot(name), name, config.catalogue, config.flag_specs)
    if moment is None:
        raise ConfigError(findings)
    book, snapshot = moment_book(moment, config.rules, config.catalogue)
    return Scene(
        book=book, snapshot=snapshot, flags=moment.flags, at=moment.at, order=moment.order,
        order_labels=moment.order_labels,
    )


def _of_run(args: argparse.Namespace) -> Scene:
    state, at = _state(args)
    order, labels = _order(args.order, state.snapshot.catalogue) if args.order else (None, {"account": state.account})
    return Scene(
        book=state.book, snapshot=state.snapshot, flags=state.flags.values, at=at, order=order, order_labels=labels
    )


def _state(args: argparse.Namespace) -> tuple[State, int]:
    where: Path = state_dir(args)
    reader = read_journal(where)
    try:
        at = asked_instant(reader, args.at)
        if at is None:
            last = last_state(reader, home())
            if last is None:
                raise Failure(f"the run in {where} has no checkpoint yet", "ask with --at, or wait for the first one")
            return last[0], last[0].at
        tape = tape_of(reader, args.tape)
        past = past_of(reader, home(), at, tape)
        if past is None:
            raise Failure(str(tape), "or leave --at out, for the last checkpoint")
        return past.state, at
    finally:
        reader.close()


def _order(words: Iterable[str], catalogue: Catalogue) -> tuple[dict[str, float | str], dict[str, str]]:
    """Return the order's signals and labels that NAME=VALUE words say; an `order_` in front may be left out."""
    known = {name: spec for name, spec in catalogue.specs.items() if spec.order_scope}
    order: dict[str, float | str] = {}
    labels = {"account": ACCOUNT}
    for word in words:
        name, equals, value = word.partition("=")
        full = name if name in known else f"order_{name}"
        if not equals or (full not in known and name not in ORDER_LABELS):
            short = [one.removeprefix("order_") for one in known]
            raise Failure(f"an order has no {word!r}", fix_for(name, [*ORDER_LABELS, *short]))
        if name in ORDER_LABELS:
            labels[name] = value
        if full in known:
            order[full] = value if known[full].values else _number(word, value)
    return order, labels


def _number(word: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise Failure(f"{word}: {value!r} is no number", "write NAME=NUMBER") from None


def answer_lines(answer: Mapping[str, Any]) -> list[str]:
    """Return one answer as text."""
    since = f" since {instant(answer['since'])}" if answer.get("since") else ""
    out = [f"{answer['instance']}  {answer['state']}{since}: {answer['why']}", f"  {answer['summary']}"]
    if not answer["guarding"]:
        out.append(f"  not guarding: {answer['why_not']}")
    rows = [(one["name"], one["text"], _age(one)) for one in answer["inputs"]]
    out += ["  reads", *columns(rows, indent="    ")] if rows else []
    for condition in answer["conditions"]:
        out += [f"  {condition['role']}", *_condition(condition)]
    timers = timer_lines(answer, indent="    ")
    out += ["  runs", *timers] if timers else []
    if answer["restrains"]:
        out.append(f"  restrains  {answer['restrains']}")
    return [*out, f"  rule  {answer['source']}, {answer['runbook']}"]


def _age(row: Mapping[str, Any]) -> str:
    if row.get("age_s") is None:
        return f"never heard, from {row['producer']}" if "producer" in row else ""
    old = f"heard {span(round(row['age_s'] * 1e9))} ago"
    return old + (f", stale after {span(round(row['max_age_s'] * 1e9))}" if row["max_age_s"] else "")


def _condition(condition: Mapping[str, Any]) -> list[str]:
    out: list[str] = []
    for part in condition["parts"]:
        indent = "    " + "  " * part["depth"]
        out.append(f"{indent}{part['text']}  {part['truth']}{_apart(part)}")
        told: set[str] = set()
        for change in part["changes"]:
            # The smallest is what was asked for; the others are in the JSON.
            if change["makes"] not in told:
                told.add(change["makes"])
                out.append(f"{indent}  {change['makes']} with {change['text']}")
        out += [f"{indent}  {none}" for none in part["none"]]
    return out


def _apart(part: Mapping[str, Any]) -> str:
    sides = part.get("sides")
    if not sides or any(isinstance(side, bool | str) or side is None for side in sides):
        return ""
    margin = "" if part["margin"] is None else f", {part['margin']:.2%} apart"
    return f": {' against '.join(f'{side:.6g}' for side in sides)}{margin}"
