"""What the engine would have made of a listing, told and drawn.

    python -m examples.listing_day.story BARS.parquet --symbol ACXUSDT --picture story.svg

It runs the shipped rules and the shipped strategy on the bars, on the paper venue, and
prints the model, the plan, the skips, the entries, the exits and what came of it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.model.effects import Effect, FillBooked, OrderRefused, PlaceOrder, PlanMade
from engine.model.fills import Liquidity
from engine.model.market import Quote
from engine.model.time import format_second
from engine.runtime.options import RunInfo, RunOptions
from engine.runtime.run import run_engine
from engine.runtime.wiring_tapes import named_tape
from examples.listing_day.bars import Day, Model, read_day, write_tape
from examples.listing_day.picture import draw

ROOT = Path(__file__).resolve().parents[2]


@dataclass(slots=True)
class Story:
    """What a run decided, in order; an `Observer`."""

    plans: list[PlanMade] = field(default_factory=list)
    fills: list[FillBooked] = field(default_factory=list)
    refusals: list[OrderRefused] = field(default_factory=list)
    orders: list[PlaceOrder] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    mids: list[tuple[int, float]] = field(default_factory=list)
    """(instant, mid price) of every quote of the tape."""

    def start(self, info: RunInfo) -> None:
        """Take nothing."""

    def effect(self, effect: Effect) -> float:
        """Keep what the story is made of."""
        if isinstance(effect, PlanMade):
            self.plans.append(effect)
        elif isinstance(effect, FillBooked):
            self.fills.append(effect)
        elif isinstance(effect, OrderRefused):
            self.refusals.append(effect)
        elif isinstance(effect, PlaceOrder):
            self.orders.append(effect)
        return 0.0

    def warn(self, text: str) -> None:
        """Show it."""
        print(f"warning: {text}", file=sys.stderr)

    def progress(self, at: int, events: int) -> None:
        """Take nothing."""

    def finish(self, summary: dict[str, Any]) -> None:
        """Keep the summary."""
        self.summary = summary

    @property
    def bought_usd(self) -> float:
        """Return what the entries cost."""
        return sum(float(one.fill.price * one.fill.quantity) for one in self.fills if one.fill.side.sign > 0)

    @property
    def sold_usd(self) -> float:
        """Return what the exits brought."""
        return sum(float(one.fill.price * one.fill.quantity) for one in self.fills if one.fill.side.sign < 0)

    @property
    def fees_usd(self) -> float:
        """Return all fees."""
        return sum(float(one.fill.fee) for one in self.fills)

    def slippage_usd(self) -> float:
        """Return what takers paid beyond the mid at the instant their order met the book; makers pay none."""
        return sum(
            one.fill.slippage_bps() / 10_000 * float(one.fill.reference_price * one.fill.quantity)
            for one in self.fills if one.fill.liquidity is Liquidity.TAKER
        )


def told(day: Day, model: Model, story: Story) -> list[str]:
    """Return the story as lines."""
    announced = format_second(day.announced)
    lines = [f"{day.symbol}, from one-minute bars of {day.source}; announced {announced}", "modelled:"]
    lines += [f"  {line}" for line in model.lines()]
    for plan in story.plans:
        lines.append(f"{_clock(plan.at)}  {plan.strategy:15} {plan.state:14} {plan.text}")
    reasons = Counter(one.reason for one in story.refusals)
    lines.append("skips: " + (", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items())) or "none"))
    gross = story.sold_usd - story.bought_usd
    lines += [
        f"bought {story.bought_usd:,.2f} USD, sold {story.sold_usd:,.2f} USD: {gross:+,.2f}; "
        f"fees {story.fees_usd:,.2f}; result {gross - story.fees_usd:+,.2f} USD",
        f"of that, slippage beyond the mid when an order met the book: {story.slippage_usd():,.2f} USD",
    ]
    return lines


def _clock(at: int) -> str:
    return format_second(at)[11:19]


def play(day: Day, model: Model, folder: Path) -> Story:
    """Return the story of a run over the day, in a fresh state under `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    tape = folder / "day.tape.gz"
    write_tape(day, model, tape)
    story = Story()
    run_engine(RunOptions(root=ROOT, tape=str(tape), state_dir=folder / "state"), story)
    for at, event in named_tape(str(tape)).events():
        if isinstance(event, Quote) and event.symbol == day.symbol:
            story.mids.append((at, (event.bid + event.ask) / 2))
    return story


def main(argv: list[str] | None = None) -> int:
    """Play, tell and draw; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bars", type=Path, help="parquet with one-minute bars and the instant of the announcement")
    parser.add_argument("--symbol", default="ACXUSDT")
    parser.add_argument("--spread-bps", type=float, default=Model.__dataclass_fields__["spread_bps"].default)
    parser.add_argument("--level-usd", type=float, default=Model.__dataclass_fields__["level_usd"].default)
    parser.add_argument("--read-s", type=float, default=Model.__dataclass_fields__["read_s"].default)
    parser.add_argument("--picture", type=Path, help="where to write an SVG")
    args = parser.parse_args(argv)
    model = Model(spread_bps=args.spread_bps, level_usd=args.level_usd, read_s=args.read_s)
    try:
        day = read_day(args.bars, args.symbol)
    except (OSError, ValueError) as error:
        print(f"{args.bars}: {error}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        story = play(day, model, Path(folder))
    print("\n".join(told(day, model, story)))
    if args.picture is not None:
        args.picture.write_text(draw(day, model, story), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
