"""`engine simulate`: random hours under faults and crashes, held to the laws; a seed that fails can be run again."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping
from typing import Any

from engine.cli.shared import CHECK_FAILED, FINE, Failure, add_shared, called_as, home, print_json
from engine.runtime.simulate import Asked, Outcome, Total, simulate
from engine.runtime.simulate_broken import BREAKS

_PROGRESS_S = 5.0


def add_parser(subparsers: Any) -> None:
    """Add `simulate` to `subparsers` of the command line."""
    parser = subparsers.add_parser(
        "simulate", help="Run random hours under faults and crashes and check the laws.  Sends nothing.",
        description="Each seed is one simulated hour: a random market, a venue with faults, an engine that is killed "
        "and started again. Whatever the engine does is held against what is really so at the venue.",
        epilog="breaks: " + "; ".join(f"{one.name} ({one.oracle}): {one.what}" for one in BREAKS.values()),
    )
    option = parser.add_argument
    option("--seeds", type=int, default=200, metavar="N", help="how many seeds (default: 200)")
    option("--from", dest="first", type=int, default=0, metavar="S", help="the first of them (default: 0)")
    option("--seed", type=int, metavar="S", help="only this one")
    option("--trace", action="store_true", help="print every message, decision and answer of the seed")
    option("--minutes", type=int, default=60, metavar="M", help="how long each story is (default: 60)")
    option("--jobs", type=int, default=os.cpu_count() or 1, metavar="J", help="processes (default: one a core)")
    option("--venue", default="paper", metavar="NAME", help="the simulated venue (default: paper)")
    option("--break", dest="fault", default="", metavar="NAME", help="an engine that is broken on purpose; see below")
    add_shared(parser)


def run(args: argparse.Namespace) -> int:
    """Simulate as `args` say; 1 where a law was broken."""
    if args.seeds < 1 or args.jobs < 1 or args.first < 0 or (args.seed is not None and args.seed < 0):
        raise Failure("seeds, --from, --seed and --jobs are not below 0, and there is at least one seed and one job",
                      "write engine simulate --seeds 200")
    if args.trace and args.seed is None:
        raise Failure("--trace prints one seed", "name it with --seed S")
    seeds = range(args.first, args.first + args.seeds) if args.seed is None else [args.seed]
    asked = Asked(
        root=home(), environment=dict(os.environ), minutes=args.minutes, venue=args.venue, fault=args.fault,
        trace=args.trace,
    )
    teller = _Teller(args, len(seeds))
    total = simulate(asked, seeds, args.jobs, teller.outcome)
    teller.total(total)
    return CHECK_FAILED if total.failed else FINE


def _data(outcome: Outcome) -> dict[str, Any]:
    return {
        "seed": outcome.seed, "digest": outcome.digest, "events": outcome.events, "orders": outcome.orders,
        "fills": outcome.fills, "crashes": outcome.crashes, "boundaries": outcome.boundaries, "pages": outcome.pages,
        "worst_unprotected_s": outcome.worst_unprotected / 1e9, "worst_flat_s": outcome.worst_flat / 1e9,
        "faults": dict(outcome.faults),
        "violations": [
            {"oracle": one.oracle, "at_s": (one.at - outcome.begins) / 1e9, "what": one.what, "lines": list(one.lines)}
            for one in outcome.violations
        ],
    }


class _Teller:
    """Prints what comes of each seed, and of all."""

    def __init__(self, args: argparse.Namespace, seeds: int) -> None:
        self._args, self._seeds = args, seeds
        self._began = self._told_at = time.monotonic()
        self._done = 0
        self._json = args.format == "json"

    def outcome(self, outcome: Outcome) -> None:
        """Tell of one seed: always when it failed, else now and then."""
        self._done += 1
        if self._json:
            if outcome.violations or self._seeds == 1:
                print_json(_data(outcome))
            return
        if self._args.trace:
            print("\n".join(outcome.trace))
        for found in outcome.violations:
            print(f"\nseed {outcome.seed}  {found.oracle}  at {(found.at - outcome.begins) / 1e9:.3f} s: {found.what}")
            print("\n".join(f"    {line[:400]}" for line in found.lines))
        if outcome.violations:
            print(f"  again: {self._again(outcome.seed)}    digest {outcome.digest[:16]}\n", flush=True)
        if self._seeds == 1:
            print(f"seed {outcome.seed}: digest {outcome.digest}")
        elif time.monotonic() - self._told_at >= _PROGRESS_S:
            self._told_at = time.monotonic()
            print(f"{self._done} of {self._seeds} seeds, {self._told_at - self._began:.0f} s", flush=True)

    def _again(self, seed: int) -> str:
        args = self._args
        more = [f"--seed {seed} --trace"]
        more += [f"--minutes {args.minutes}"] if args.minutes != 60 else []
        more += [f"--venue {args.venue}"] if args.venue != "paper" else []
        more += [f"--break {args.fault}"] if args.fault else []
        return f"{called_as()} simulate {' '.join(more)}"

    def total(self, total: Total) -> None:
        """Tell of all seeds."""
        seconds = time.monotonic() - self._began
        if self._json:
            print_json({
                "seeds": total.seeds, "hours": total.minutes / 60, "seconds": round(seconds, 3), "events": total.events,
                "orders": total.orders, "fills": total.fills, "crashes": total.crashes,
                "boundaries": total.boundaries, "pages": total.pages, "faults": dict(total.faults),
                "worst_unprotected_s": total.worst_unprotected / 1e9, "worst_flat_s": total.worst_flat / 1e9,
                "violations": dict(total.violations), "failed": total.failed,
            })
            return
        print(
            f"{total.seeds} seeds, {total.minutes / 60:g} simulated hours in {seconds:.1f} s: {total.events:,} events, "
            f"{total.orders:,} orders, {total.fills:,} fills, {total.crashes:,} crashes, "
            f"{total.boundaries:,} boundaries"
        )
        print(f"faults met: {_counts(total.faults)}")
        print(
            f"longest without a stop {total.worst_unprotected / 1e9:.1f} s, longest until flat "
            f"{total.worst_flat / 1e9:.1f} s, {total.pages:,} pages"
        )
        if total.failed:
            print(f"BROKEN: {_counts(total.violations)} in {len(total.failed)} seeds: {_few(total.failed)}")
        else:
            print("every law held")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())) or "none"


def _few(seeds: list[int]) -> str:
    return ", ".join(map(str, seeds[:12])) + (" ..." if len(seeds) > 12 else "")
