"""`engine status`: what an operator sees at 3 a.m. The worst news first, each with the command that ends it."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.cli.override_lines import override_lines, waived_line
from engine.cli.shadow import shadow_lines
from engine.cli.shared import FINE, Failure, add_shared, called_as, print_json, state_dir, state_flag
from engine.cli.text import PLAIN, Paint, colour_wanted, columns, instant, local, span
from engine.model.events import RunMode
from engine.model.time import SECOND
from engine.runtime.statedir import JOURNAL, TAPE, holder
from engine.runtime.wiring_journal import read_journal

_COLOURS = {"MAY TRADE": "green", "RESTRICTED": "yellow", "HALTED": "red"}
_NONE, _FEW = "none", 5
_ASK = "engine reconcile"
LIVE = "live"
"""What a status names as its tape where the market is real."""
UNRECONCILED = "engine.unreconciled"


def add_parser(subparsers: Any) -> None:
    """Add `status` to `subparsers` of the command line."""
    parser = subparsers.add_parser(
        "status", help="What is restricted, why, and the command that clears it.  Sends nothing."
    )
    add_shared(parser)


def run(args: argparse.Namespace) -> int:
    """Show the status that the journal holds and return the exit code."""
    status = last_status(state_dir(args))
    if args.format == "json":
        print_json(status)
        return FINE
    page = Page(command=called_as(), flags=state_flag(args), paint=Paint(colour_wanted(sys.stdout)))
    for line in render(status, page):
        print(line)
    return FINE


def last_status(where: Path) -> dict[str, Any]:
    """Return the last status that the engine in `where` wrote, and whether one runs there now."""
    if not (where / JOURNAL).exists():
        used = where / TAPE
        hint = f"; the last tape run is in {used}: add --state {used}" if (used / JOURNAL).exists() else ""
        raise Failure(f"no engine has run in {where}", "give the state directory of a run: --state DIR" + hint)
    reader = read_journal(where)
    try:
        status = reader.get_status()
    finally:
        reader.close()
    if status is None:
        raise Failure(f"the run in {where} ended before it wrote a status", "`engine run --resume` goes on with it")
    return {**status, "running": holder(where) is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """How the page is shown: `command` with `flags` is what can be pasted in this place."""

    command: str = "engine"
    flags: str = ""
    paint: Paint = PLAIN

    def pasted(self, command: str) -> str:
        """Return `engine ...` as it can be pasted in this place; what is no such command as it is."""
        words = command.removeprefix("engine ")
        return f"{self.command} {words}{self.flags}" if words != command else command


Status = Mapping[str, Any]
"""The status as the engine journals it."""


def render(status: Status, page: Page) -> list[str]:
    """Return `status` as the lines of the page."""
    lines = _headline(status, page)
    for title, rows in _SECTIONS:
        found = rows(status, page)
        if found:
            lines += ["", page.paint(title, "bold"), *found]
    return [*lines, "", *_footer(status)]


def _headline(status: Status, page: Page) -> list[str]:
    line = str(status["line"])
    since = f" since {instant(status['since'])}" if status.get("since") else ""
    if line == "HALTED" or status.get("running"):
        first = page.paint(line, "bold", _COLOURS.get(line, "yellow"))
    else:
        # What is not running trades nothing, whatever it might have done: only its halts still hold.
        first = page.paint("NOT RUNNING", "bold", "yellow") + f"; it was {line}"
    lines = [f"{first}{_but(status)}{since}: {status['why']}"]
    waived = waived_line(status, page.paint)
    lines += [waived] if waived else []
    if not status.get("running"):
        told = f"No engine is running here; this is what the last one knew at {instant(status['at'])}."
        lines.append(page.paint(told, "yellow"))
    if status.get("tape") == LIVE:
        lines.append(_on_venue(status, page))
    lines += [page.paint(f"{status['asked']} was asked for: {held}", "yellow") for held in status.get("mode_held", ())]
    return lines


def _but(status: Status) -> str:
    """Return for which symbols the verdict does not hold."""
    symbols = status.get("but") or []
    more = f" and {len(symbols) - _FEW} more" if len(symbols) > _FEW else ""
    return f" except {', '.join(symbols[:_FEW])}{more}" if symbols else ""


def _on_venue(status: Status, page: Page) -> str:
    """Return whose money it is, and whether the venue's account is known to be as it is counted here."""
    where = f"{status['mode']} on {status['venue']}"
    if status["mode"] == RunMode.DRY_RUN.value:
        return f"{where}: its market is real, orders go to paper"
    if any(held["rule"] == UNRECONCILED for held in status["restrains"]):
        return page.paint(f"{where}: orders are real; its account is NOT RECONCILED", "red")
    agreed = "account agrees" if status.get("running") else "account agreed then"
    return f"{where}: orders are real; its {agreed} with what is counted here"


def _closing(status: Status, page: Page) -> list[str]:
    """Return what a flatten that goes on has left to close."""
    going = status.get("flattening")
    if not going:
        return []
    left = ", ".join(f"{one['quantity']} {one['symbol']}" for one in going["left"]) or "no position"
    lines = [f"  since {instant(going['since'])} ({going['why']}): {left} and {len(going['orders'])} orders are left"]
    if not status.get("running"):
        lines.append(page.paint("  nobody closes it now: start the engine again on this --state", "red"))
    return lines


def _doubtful(status: Status, page: Page) -> list[str]:
    """Return each order of unknown fate, and why it is in doubt."""
    rows = [
        (
            page.paint(row["client_id"], "red"), row["venue"], row["symbol"], row["intent"],
            f"{row['side']} {row['quantity'] or 'the whole position'}",
            f"{span(max(0, status['at'] - row['sent_at']) // SECOND * SECOND)} old", row.get("reason") or "no reply",
        )
        for row in status.get("live_orders") or () if row["state"] == "unknown"
    ]
    if not rows:
        return []
    return [*columns(rows), f"      ends: when both books and the trades prove it; type: {page.pasted(_ASK)}"]


def restraint_lines(status: Status, page: Page) -> list[str]:
    """Return each thing that restrains, and under it the command that clears it."""
    lines: list[str] = []
    for held in status["restrains"]:
        number_of = f", latch {held['latch']}" if held.get("latch") else ""
        since = f" since {instant(held['since'])}" if held.get("since") else ""
        who = page.paint(held["instance"], "red")
        about = f"{held['about']}: " if held.get("about") else ""
        lines.append(f"  {who}: {about}{held['restraint']} ({held['because']}{number_of}){since}")
        clear = held.get("clear_with") or ""
        ends = held.get("ends") or ""
        told = [f"ends: {ends}"] if ends and ends != clear else []
        told += [f"type: {page.pasted(clear)}"] if clear else []
        lines.append(f"      {'; '.join(told)}")
    return lines


def _positions(status: Status, page: Page) -> list[str]:
    rows = [
        (
            held["symbol"], held["venue"], str(held["quantity"]), f"at {held['average_price']}",
            f"mark {held['mark']:.8g}" if held.get("mark") is not None else "mark unknown",
            f"{held['pnl_usd']:+,.2f} USD" if held.get("pnl_usd") is not None else "PnL unknown",
            f"stop {held['stop']}" if held.get("stop") else "NO STOP",
        )
        for held in status["positions"]
    ]
    return columns(rows, right=frozenset({2})) or [f"  {_NONE}"]


def _loss(status: Status, page: Page) -> list[str]:
    loss = status["daily_loss"]
    used, limit = loss.get("used_pct"), loss.get("limit_pct")
    note = [f"  {loss['baseline_note']}"] if loss.get("baseline_note") else []
    other = loss.get("not_counted")
    note += [f"  not counted: {', '.join(other)}"] if other else []
    if used is None:
        return [f"  unknown of {limit} %", *note]
    share = f" ({100 * used / limit:.0f} % of the limit)" if limit else ""
    lines = [f"  {used:.2f} % of {limit:g} %{share}" if limit else f"  {used:.2f} %"]
    if loss.get("loss_usd") is not None and loss.get("limit_usd"):
        lines.append(f"  {max(0.0, loss['loss_usd']):,.2f} USD of {loss['limit_usd']:,g} USD")
    return [*lines, *note]


def _health(status: Status, page: Page) -> list[str]:
    health = status.get("health")
    if not health:
        return []
    colour = {"OK": "green", "DEGRADED": "yellow"}.get(health["word"], "red")
    lines = [f"  {page.paint(health['word'], colour)}: {health['why']}"]
    for one in status.get("troubles") or ():
        lines.append(f"  {one['part']}, since {instant(one['since'])}, {one['tries']} tries: {one['what']}")
    return lines


def _nearest(status: Status, page: Page) -> list[str]:
    rows = [
        (
            near["instance"], str(near.get("state", "")), f"{100 * near['margin']:.0f} % away",
            ", ".join(f"{name} = {value}" for name, value in near["inputs"].items()),
        )
        for near in status["nearest"]
    ]
    return columns(rows)


def _stale(status: Status, page: Page) -> list[str]:
    found = Counter(item["signal"] for item in status["stale"])
    told = Counter[str]()
    rows: list[tuple[str, ...]] = []
    for item in status["stale"]:
        signal = item["signal"]
        told[signal] += 1
        # A dead feed makes every symbol's signal stale: some of them say so as well as all.
        if told[signal] > _FEW and found[signal] > _FEW + 1:
            rows += [(f"... and {found[signal] - _FEW} more of {signal}",)] if told[signal] == _FEW + 1 else []
            continue
        age = "never seen" if item.get("age_s") is None else f"{span(item['age_s'] * SECOND)} old"
        rows.append((_labelled(signal, item["labels"]), item["status"], age, f"from {item['producer']}"))
    return columns(rows)


def _labelled(name: str, labels: list[str]) -> str:
    return f"{name}[{','.join(labels)}]" if labels else name


def _overrides(status: Status, page: Page) -> list[str]:
    return override_lines(status, page.paint, page.pasted)


def _not_guarding(status: Status, page: Page) -> list[str]:
    return columns([(item["rule"], item["why"]) for item in status["not_guarding"]])


def _reload(status: Status, page: Page) -> list[str]:
    failed = status.get("reload_failed")
    if not failed:
        return []
    return [
        f"engine.reload_failed since {instant(failed['since'])}: generation {status.get('generation')} stays in force",
        f"    {failed['what']}", f"    fix: {failed['fix']}",
    ]


def _shadow(status: Status, page: Page) -> list[str]:
    found = status.get("candidate")
    return [] if not found else shadow_lines(found)


_SECTIONS: tuple[tuple[str, Callable[[Status, Page], list[str]]], ...] = (
    ("Restrains", restraint_lines),
    ("What is on the disk is not what runs", _reload),
    ("Closing", _closing),
    ("Orders in doubt", _doubtful),
    ("Positions", _positions),
    ("Daily loss", _loss),
    ("Health", _health),
    ("Nearest to trip", _nearest),
    ("Doubtful signals", _stale),
    ("Overrides", _overrides),
    ("Not guarding", _not_guarding),
    ("In shadow", _shadow),
)


def _footer(status: Status) -> list[str]:
    orders = status.get("orders") or {}
    where = f"mode {status['mode']}, venue {status.get('venue', 'paper')}, generation {status.get('generation', '-')}"
    pnl = f"PnL {status.get('pnl_usd') or 0:+,.2f} USD"
    rows = [
        ("at", f"{instant(status['at'])}, {where}"),
        ("rules", _code(status)),
        ("orders", f"{orders.get('open', 0)} open, {orders.get('unknown', 0)} unknown; {pnl}"),
    ]
    boundary = status.get("boundary") or {}
    if boundary.get("at"):
        left = span(boundary["at"] - status["at"])
        rows.append(("next day", f"{local(boundary['at'], boundary.get('local') or 'UTC')}, in {left}"))
    return columns(rows)


def _code(status: Status) -> str:
    dirty = ", with uncommitted changes" if status.get("dirty") else ""
    commit = f", commit {str(status['commit'])[:10]}{dirty}" if status.get("commit") else ""
    return f"set {str(status.get('rules_digest', ''))[:12]}{commit}"


