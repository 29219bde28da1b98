"""`engine explain`: why, with every value that was read, from the journal of the run.

Asked for a rule it tells what the rule did and why; for an order, how it came to be and
what became of it; for nothing, why the level is what it is. `--at` asks for a past instant.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from typing import Any

from engine.cli.shared import FINE, Failure, add_shared, home, print_json, state_dir
from engine.cli.text import Paint, columns, instant
from engine.cli.tracing import trace_lines
from engine.model.time import parse_instant
from engine.ports.journal import About, JournalError, JournalledEffect, JournalReader
from engine.runtime.offline import last_state
from engine.runtime.wiring_journal import read_journal

Record = dict[str, Any]
"""An effect or an input as the journal has it: its fields, with `n` or `seq` beside them."""

_PLACE = ("at", "n", "seq", "type")
LAST = 12
"""How many of a rule's decisions are told."""


def add_parser(subparsers: Any) -> None:
    """Add `explain` to `subparsers` of the command line."""
    parser = subparsers.add_parser(
        "explain", help="Why a rule, an order or the level is what it is.  Sends nothing.",
        description="Reads the journal without disturbing the engine.",
    )
    named = "a rule, rule[label], client id or symbol"
    parser.add_argument("what", nargs="?", default="", metavar="RULE|DECISION", help=named)
    parser.add_argument("--at", metavar="TIME", help="as of then, such as 2026-03-02T23:25:00Z (default: now)")
    add_shared(parser)


def run(args: argparse.Namespace) -> int:
    """Explain what `args` name and return the exit code."""
    until = _instant(args.at)
    reader = read_journal(state_dir(args))
    try:
        found = explained(reader, args.what, until)
    finally:
        reader.close()
    if args.format == "json":
        print_json(found)
        return FINE
    for line in lines(found):
        print(line)
    return FINE


def _instant(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_instant(text)
    except ValueError as error:
        raise Failure(f"--at {text}: {error}", "write a date and a time, such as 2026-03-02T23:25:00Z") from None


def explained(reader: JournalReader, what: str, until: int | None) -> dict[str, Any]:
    """Return all that the journal knows of `what`, as of `until` (ns); Failure if it knows nothing."""
    told = _run_of(reader)
    policy = _effects(reader.effects_about(About(kind="PolicyChanged", until=until, newest=1)))
    rule = what.split("[")[0].split("/")[0]
    if not what:
        return {"what": "level", **told, "policy": policy, "decisions": _binding(reader, policy, until)}
    about_rule = _effects(reader.effects_about(About(rule=rule, until=until, newest=8 * LAST)))
    decisions = _of_instance([record for record in about_rule if record["type"] != "PolicyChanged"], what)
    try:
        rules, standing = _standing(reader, what) if until is None else ([], [])
    except JournalError:
        # What the journal recorded is still worth telling where its checkpoint cannot be read.
        rules, standing = [], []
    if decisions or rules:
        found = {"what": what, "rules": rules, "standing": standing, "policy": policy}
        return {**found, **told, "decisions": decisions[-LAST:]}
    about = About(client_id=what, until=until)
    orders = _effects(reader.effects_about(about))
    if not orders:
        about = About(symbol=what, until=until, newest=4 * LAST)
        orders = _effects(reader.effects_about(about))
    answers = [_record(item.payload, seq=item.seq, at=item.at) for item in reader.inputs_about(about)]
    if not orders and not answers:
        raise Failure(
            f"the journal knows no rule, order or symbol {what!r}" + (" until then" if until else ""),
            "give a rule's id as in rules/, a client id, a symbol, or nothing at all for the level",
        )
    then = policy
    if orders:
        then = _effects(reader.effects_about(About(kind="PolicyChanged", until=orders[0]["at"], newest=1)))
    return {"what": what, **told, "policy": then, "decisions": orders, "answers": answers}


def _run_of(reader: JournalReader) -> dict[str, Any]:
    status: Mapping[str, Any] = reader.get_status() or {}
    return {name: status.get(name) for name in ("rules_digest", "commit", "dirty", "generation")}


def _binding(reader: JournalReader, policy: list[Record], until: int | None) -> list[Record]:
    """Return the last move of each rule that makes the policy what it is."""
    moves: list[Record] = []
    for instance in policy[-1]["binding"] if policy else ():
        rule = str(instance).split("[")[0]
        about = _effects(reader.effects_about(About(rule=rule, until=until, newest=8 * LAST)))
        moves += _of_instance([record for record in about if record["type"] == "RuleMoved"], instance)[-1:]
    return moves


def _standing(reader: JournalReader, what: str) -> tuple[list[Record], list[Record]]:
    """Return the rule, and how it stood at the newest checkpoint with the value of every part of its expression."""
    last = last_state(reader, home())
    if last is None:
        return [], []
    state = last[0]
    instance = what.split("/")[0] if "[" in what else None
    rule = what.split("[")[0].split("/")[0]
    rules: list[Record] = [
        {
            "id": spec.id, "kind": spec.kind.value, "summary": spec.summary, "expr": " ".join(spec.expr.text.split()),
            "source": f"{spec.place.file}:{spec.place.line}", "runbook": spec.runbook,
        }
        for spec in state.book.rules.rules
        if spec.id == rule
    ]
    return rules, [{"at": state.at, **found} for found in state.book.explain(state.at, rule, instance)]


def _of_instance(records: list[Record], what: str) -> list[Record]:
    if "[" not in what:
        return records
    instance = what.split("/")[0]
    return [record for record in records if str(record.get("instance", record.get("latch", what))).startswith(instance)]


def _effects(items: Iterable[JournalledEffect]) -> list[Record]:
    return [_record(item.payload, n=item.n, seq=item.seq) for item in items]


def _record(payload: bytes, **place: int) -> Record:
    data = json.loads(payload)
    return {**place, **data} if isinstance(data, dict) else {**place, "data": data}


def lines(found: Mapping[str, Any], paint: Paint | None = None) -> list[str]:
    """Return what `explained` found as text."""
    paint = paint or Paint(enabled=False)
    out = [paint(_title(found), "bold")]
    for rule in found.get("rules") or ():
        out += columns([(key, rule[key]) for key in ("summary", "kind", "expr", "source", "runbook")])
    for record in found["decisions"]:
        out += ["", *_told(record, paint)]
    for record in found.get("standing") or ():
        out += ["", *_stands(record, paint)]
    for record in found.get("answers") or ():
        out.append(f"  {instant(record['at'])}  input {record['seq']}: {record.get('type')}{_short(record)}")
    if found["policy"]:
        policy = found["policy"][-1]
        by = ", ".join(policy["binding"]) or "nothing"
        out += ["", f"policy then: level {policy['level']}, size x{policy['size_mult']:g}, by {by}"]
    return [*out, _origin(found)]


def _title(found: Mapping[str, Any]) -> str:
    if found["what"] != "level":
        return str(found["what"])
    return "why the level is what it is" if found["decisions"] else "nothing restrains"


def _told(record: Record, paint: Paint) -> list[str]:
    kind = record.get("type")
    head = f"{instant(record['at'])}  decision {record['n']}"
    if kind == "RuleMoved":
        return _moved(record, head, paint)
    told = {key: value for key, value in sorted(record.items()) if key not in _PLACE and value not in ("", None, [])}
    body = [(key, _word(value)) for key, value in told.items()]
    return [f"{head}  {kind}", *columns(body, indent="      ")]


def _moved(record: Record, head: str, paint: Paint) -> list[str]:
    rows = [("why", record["why"])]
    rows += [(f"read {name}", value) for name, value in record["inputs"]]
    if record["restrains"]:
        rows.append(("restrains", record["restrains"]))
    if record["episode"]:
        rows.append(("episode", str(record["episode"])))
    rows.append(("rule", record["source"]))
    moved = paint(f"{record['instance']}: {record['before']} > {record['after']}", "yellow")
    return [f"{head}  {moved}", *columns(rows, indent="      ")]


def _stands(record: Record, paint: Paint) -> list[str]:
    head = f"{instant(record['at'])}  {paint(record['instance'], 'bold')} stands {record['state']}, {record['truth']}"
    lines = [head + (f": {', '.join(record['reasons'])}" if record["reasons"] else "")]
    lines += trace_lines(record["trace"], indent="      ")
    if record.get("clear_trace"):
        lines += ["      clears when", *trace_lines(record["clear_trace"], indent="      ")]
    if not record["guarding"]:
        lines.append(f"      not guarding: {record['why_not']}")
    return [*lines, f"      rule  {record['source']}"]


def _short(record: Record) -> str:
    fill = record.get("fill") or record
    names = ("client_id", "price", "quantity", "liquidity", "reason", "remaining")
    words = [f"{name} {_word(fill[name])}" for name in names if fill.get(name) not in (None, "")]
    return "  " + ", ".join(words) if words else ""


def _word(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_word(item) for item in value)
    return json.dumps(value) if isinstance(value, dict | bool) else str(value)


def _origin(found: Mapping[str, Any]) -> str:
    dirty = " with uncommitted changes" if found.get("dirty") else ""
    commit = f", commit {str(found['commit'])[:10]}{dirty}" if found.get("commit") else ""
    return f"rule set {str(found.get('rules_digest') or 'unknown')[:12]}{commit}"
