"""`engine positions` and `engine orders`: what is held and what is under way, as the engine last knew it."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from engine.cli.shared import CHECK_FAILED, FINE, add_shared, print_json, state_dir
from engine.cli.status import last_status
from engine.cli.text import Paint, colour_wanted, columns, instant, span
from engine.model.time import SECOND


def add_parser(subparsers: Any) -> None:
    """Add both commands to `subparsers` of the command line."""
    positions = subparsers.add_parser(
        "positions", help="Every open position and its stop; exit 1 if one has none.  Sends nothing."
    )
    orders = subparsers.add_parser("orders", help="Orders that may still fill, the doubtful first.  Sends nothing.")
    for parser in (positions, orders):
        add_shared(parser)


def run(args: argparse.Namespace) -> int:
    """Show what was asked for and return the exit code."""
    status = last_status(state_dir(args))
    rows = status["positions"] if args.command == "positions" else status["live_orders"]
    if args.format == "json":
        print_json({args.command: rows, "at": status["at"], "running": status["running"]})
    else:
        paint = Paint(colour_wanted(sys.stdout))
        lines = _positions(rows, paint) if args.command == "positions" else _orders(rows, status["at"], paint)
        if not status["running"]:
            lines.insert(0, paint(f"No engine is running here; this is as of {instant(status['at'])}.", "yellow"))
        print("\n".join(lines))
    naked = args.command == "positions" and any(not row["stop"] for row in rows)
    return CHECK_FAILED if naked else FINE


def _positions(rows: list[dict[str, Any]], paint: Paint) -> list[str]:
    if not rows:
        return ["no position is open"]
    cells = [
        (
            row["symbol"], row["venue"], str(row["quantity"]), f"at {row['average_price']}",
            f"mark {row['mark']:.8g}" if row.get("mark") is not None else "mark unknown",
            f"{row['pnl_usd']:+,.2f} USD" if row.get("pnl_usd") is not None else "PnL unknown",
            f"stop {row['stop']}" if row.get("stop") else paint("NO STOP", "red"),
        )
        for row in rows
    ]
    return columns(cells, right=frozenset({2}))


def _orders(rows: list[dict[str, Any]], at: int, paint: Paint) -> list[str]:
    if not rows:
        return ["no order is open"]
    ordered = sorted(rows, key=lambda row: (row["state"] != "unknown", row["sent_at"]))
    cells = [
        (
            row["client_id"], row["symbol"], row["intent"], f"{row['side']} {row['quantity'] or 'the whole position'}",
            row["kind"] + (f" {row['price']}" if row.get("price") else ""),
            paint(row["state"].upper(), "red") if row["state"] == "unknown" else row["state"],
            f"filled {row['filled']}", f"{span(max(0, at - row['sent_at']) // SECOND * SECOND)} old",
            "not ours" if row.get("foreign") else row["purpose"],
            (row.get("reason") or "no reply") if row["state"] == "unknown" else "",
        )
        for row in ordered
    ]
    return columns(cells)
