"""`engine explain`: why, with every value that was read, from the journal of the run.

Asked for a rule it tells what the rule did and why; for an order, how it came to be and
what became of it; for nothing, why the level is what it is. `--at` asks for a past instant.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from engine.cli.past import asked_instant, past_of, tape_of
from engine.cli.shared import FINE, Failure, add_shared, home, print_json, state_dir
from engine.cli.text import Paint, columns, instant
from engine.cli.tracing import timer_lines, trace_lines
from engine.core.report import status
from engine.core.state import State
from engine.model.events import Reload
from engine.ports.journal import About, JournalError, JournalledEffect, JournalReader
from engine.ruleset.suggest import nearest
from engine.runtime.configured import FIRST, config_of, journalled_config
from engine.runtime.offline import last_state
from engine.runtime.saved import commands_after
from engine.runtime.wiring_journal import read_journal

Record = dict[str, Any]
"""An effect or an input as the journal has it: its fields, with `n` or `seq` beside them."""

_PLACE = ("at", "n", "seq", "type")
_BUILT_IN = ("engine.", "operator:", "floor", "denylist")
"""How the names begin of what restrains and is no rule."""
_LAID = ("OverrideBegan", "OverrideEnded")
LAST = 12
"""How many of a rule's decisions are told."""


def add_parser(subparsers: Any) -> None:
    """Add `explain` to `subparsers` of the command line."""
    parser = subparsers.add_parser(
        "explain", help="Why a rule, an order or the level is what it is.  Sends nothing.",
        description="Reads the journal without disturbing the engine.",
    )
    named = "a rule, rule[label], a decision's number, a client id or a symbol"
    parser.add_argument("what", nargs="?", default="", metavar="RULE|DECISION", help=named)
    when = "as of then: 2026-03-02T23:25:00Z, 23:25, or +1h20m from the run's beginning (default: the last checkpoint)"
    parser.add_argument("--at", metavar="TIME", help=when)
    parser.add_argument("--tape", metavar="FILE", help="with --at, the tape that the run was on, where it is not found")
    add_shared(parser)


def run(args: argparse.Namespace) -> int:
    """Explain what `args` name and return the exit code."""
    reader = read_journal(state_dir(args))
    try:
        found = explained(reader, args.what, asked_instant(reader, args.at), args.tape)
    finally:
        reader.close()
    if args.format == "json":
        print_json(found)
        return FINE
    for line in lines(found):
        print(line)
    return FINE


def explained(reader: JournalReader, what: str, until: int | None, tape: str | None = None) -> dict[str, Any]:
    """Return all that is known of `what`, as of `until` (ns); Failure if nothing is.

    Rules and the level are shown as they stood at `until` itself, the run being taken again
    on its tape; without the tape there is what the journal holds, and `past` says why.
    """
    told = _run_of(reader)
    policy = _effects(reader.effects_about(About(kind="PolicyChanged", until=until, newest=1)))
    rule = what.split("[")[0].split("/")[0]
    if not what:
        found = {"what": "level", **told, "policy": policy, "decisions": _binding(reader, policy, until)}
        if until is None:
            return found
        past, state = _then(reader, until, tape)
        return {**found, "past": past, "restrains": [] if state is None else status(state)["restrains"]}
    about_rule = _effects(reader.effects_about(About(rule=rule, until=until, newest=8 * LAST)))
    decisions = _of_instance([record for record in about_rule if record["type"] != "PolicyChanged"], what)
    if until is not None and _is_rule(reader, rule):
        past, state = _then(reader, until, tape)
        told = {**told, "past": past}
        rules, standing = ([], []) if state is None else _standing(state, what, until)
    else:
        rules, standing = _at_checkpoint(reader, what) if until is None else ([], [])
    if decisions or rules or "past" in told:
        found = {"what": what, "rules": rules, "standing": standing, "policy": policy}
        return {**found, **told, "decisions": decisions[-LAST:], "cut": len(decisions) > LAST}
    about = About(client_id=what, until=until)
    orders = _decision(reader, what, until) or _effects(reader.effects_about(about))
    if not orders:
        about = About(symbol=what, until=until, newest=4 * LAST)
        orders = _effects(reader.effects_about(about))
        told["cut"] = len(orders) == about.newest
    answers = [_record(item.payload, seq=item.seq, at=item.at) for item in reader.inputs_about(about)]
    if not orders and not answers:
        return {**_nothing(reader, what, until), "policy": policy, **told}
    then = policy
    if orders:
        then = _effects(reader.effects_about(About(kind="PolicyChanged", until=orders[0]["at"], newest=1)))
    return {"what": what, **told, "policy": then, "decisions": orders, "answers": answers}


def _decision(reader: JournalReader, what: str, until: int | None) -> list[Record]:
    """Return the decision of the number `what`, an empty list if it is no number of one."""
    if not (what.isascii() and what.isdecimal() and 0 < int(what) <= reader.tail().effect_n):
        return []
    found = _effects(islice(reader.effects_after(int(what) - 1), 1))
    return [one for one in found if until is None or one["at"] <= until]


def _nothing(reader: JournalReader, what: str, until: int | None) -> Record:
    """Return what can be said of a built-in name that decided nothing; Failure for a name that nobody knows."""
    if what.startswith(_BUILT_IN):
        laid = [one for kind in _LAID for one in _effects(reader.effects_about(About(kind=kind, until=until)))]
        decisions = sorted((one for one in laid if one["name"] == what), key=lambda one: one["n"])
        held = [] if until is not None else (reader.get_status() or {}).get("restrains", [])
        now = [one for one in held if one["instance"].split("[")[0] == what.split("[")[0]]
        note = "" if now or decisions else "nothing restrains by that name, and nothing was decided by it"
        return {"what": what, "decisions": decisions[-LAST:], "restrains": now, "note": note}
    rules = journalled_config(reader, home())[1].rules
    near = nearest(what.split("[")[0], [spec.id for spec in rules.rules] if rules is not None else ())
    raise Failure(
        f"the journal knows no rule, order or symbol {what!r}" + (" until then" if until else ""),
        (f"did you mean {near}? Or " if near else "")
        + "give a rule's id as in rules/, a decision's number, a client id, a symbol, or nothing at all for the level",
    )


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


def _then(reader: JournalReader, until: int, given: str | None) -> tuple[Record, State | None]:
    """Return how the past was found, and the state at `until`; None where the tape is not at hand."""
    tape = tape_of(reader, given)
    past = past_of(reader, home(), until, tape)
    if past is None:
        return {"at": until, "exact": False, "why": str(tape)}, None
    return {
        "at": until, "exact": True, "tape": past.tape, "from_seq": past.from_seq, "seq": past.seq,
        "compared": past.compared,
    }, past.state


def _is_rule(reader: JournalReader, rule: str) -> bool:
    """Whether the run began with such a rule, or got it by a reload."""
    sets = [journalled_config(reader, home())[1].rules]
    for _, command in commands_after(reader, FIRST).values():
        if isinstance(command, Reload):
            sets.append(config_of(reader, home(), command.source_digest).rules)
    return any(spec.id == rule for rules in sets if rules is not None for spec in rules.rules)


def _at_checkpoint(reader: JournalReader, what: str) -> tuple[list[Record], list[Record]]:
    try:
        last = last_state(reader, home())
    except JournalError:
        # What the journal recorded is still worth telling where its checkpoint cannot be read.
        return [], []
    return ([], []) if last is None else _standing(last[0], what, last[0].at)


def _standing(state: State, what: str, at: int) -> tuple[list[Record], list[Record]]:
    """Return the rule, and how it stands in `state` with the value of every part of its expression."""
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
    return rules, [{"at": at, **found} for found in state.book.explain(at, rule, instance)]


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
    if found.get("note"):
        out.append(f"  {found['note']}")
    if found.get("cut"):
        out += ["", "earlier decisions are left out; --at TIME tells those up to then"]
    for record in found["decisions"]:
        out += ["", *_told(record, paint)]
    for record in found.get("standing") or ():
        out += ["", *_stands(record, paint)]
    for item in found.get("restrains") or ():
        ends = f", ends {item['ends']}" if item["ends"] else ""
        out.append(f"  {item['instance']}  {item['restraint']}, {item['because']} since {instant(item['since'])}{ends}")
    for record in found.get("answers") or ():
        out.append(f"  {instant(record['at'])}  input {record['seq']}: {record.get('type')}{_short(record)}")
    if found["policy"]:
        policy = found["policy"][-1]
        by = ", ".join(policy["binding"]) or "nothing"
        out += ["", f"policy then: {_policy_words(policy)}, by {by}"]
    return [*out, *_how(found.get("past")), _origin(found)]


def _policy_words(policy: Record) -> str:
    parts = [f"level {policy['level']}", f"size x{policy['size_mult']:g}"]
    if policy["max_notional_usd"] is not None:
        parts.append(f"at most {policy['max_notional_usd']} USD")
    for word in ("mute", "deny", "deny_quotes"):
        if policy[word]:
            parts.append(f"{word.replace('_', ' ')} {', '.join(policy[word])}")
    return ", ".join(parts)


def _how(past: Mapping[str, Any] | None) -> list[str]:
    if past is None:
        return []
    if not past["exact"]:
        return [f"at {instant(past['at'])} only what the journal holds: {past['why']}"]
    begun = f"the checkpoint at input {past['from_seq']}" if past["from_seq"] else "its beginning"
    taken = f"the run was taken again on {past['tape']} from {begun}"
    return [f"as of {instant(past['at'])}: {taken}; {past['compared']} effects are the journal's"]


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
    lines.append(f"      {record['state']} since {instant(record['since'])}")
    lines += trace_lines(record["trace"], indent="      ")
    if record.get("clear_trace"):
        lines += ["      clears when", *trace_lines(record["clear_trace"], indent="      ")]
    restrains = record["restrains"] or "nothing"
    lines.append(f"      restrains  {restrains}")
    lines += timer_lines(record, indent="      ")
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
