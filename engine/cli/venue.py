"""`engine venue serve`: a Binance-compatible venue on this machine, to try the engine on over real HTTP."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from engine.cli.shared import FINE, Failure, add_shared, called_as, print_json
from engine.model.time import parse_duration


def add_parser(subparsers: Any) -> None:
    """Add `venue` with its verbs to `subparsers` of the command line."""
    venue = subparsers.add_parser("venue", help="A simulated venue over HTTP on this machine.  Sends nothing.")
    verbs = venue.add_subparsers(dest="venue_verb", required=True, metavar="VERB")
    serving = verbs.add_parser(
        "serve", help="Serve a Binance-compatible venue on loopback until it is stopped.",
        description="REST and WebSockets as of Binance USD-M futures, on a market that a tape tells. Only this machine "
        "reaches it; its key and secret are fixed and guard nothing. docs/venue.md says what it can do and what can go "
        "wrong there.",
    )
    option = serving.add_argument
    option("--port", type=_port, default=0, metavar="N", help="where to listen (default: any port that is free)")
    option("--seed", default="0", metavar="S", help="what latencies and faults are drawn from (default: 0)")
    option("--tape", default="demo", metavar="FILE", help="the market: a tape, demo or normal-day (default: demo)")
    option("--faults", metavar="FILE", help="what goes wrong, as YAML; see docs/venue.md")
    option("--speed", type=_speed, default=1.0, metavar="N", help="play the tape N times as fast as it happened")
    option("--from", dest="skip", type=_span, default=0, metavar="D", help="begin so far into the tape, such as 18m")
    option("--wait", action="store_true", help="begin the tape when somebody first listens to the market")
    option("--loop", action="store_true", help="begin the tape again after its end")
    add_shared(serving)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: write a number from 0 to 65535, 0 for any free one")
    return int(text)


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not 0.001 <= speed <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no speed: write how many times as fast, such as 60")
    return speed


def _span(text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def run(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM and return the exit code."""
    try:
        from engine.runtime import wiring_server as wiring
    except ModuleNotFoundError as error:
        raise Failure(
            f"{error.name} is not installed, and serving a venue needs it", "pip install 'runbook-engine[live]'"
        ) from error
    options = wiring.ServeOptions(
        port=args.port, seed=args.seed, tape=args.tape, faults=Path(args.faults) if args.faults else None,
        speed=args.speed, skip=args.skip, wait=args.wait, loop=args.loop,
    )

    def told(served: wiring.Served) -> None:
        environment = {
            "ENGINE_VENUE_URL": served.url, "BINANCE_API_KEY": wiring.KEY, "BINANCE_API_SECRET": wiring.SECRET,
            "ENGINE_DRY_RUN": "false",
        }
        # A state directory of its own: what an engine knows of this venue is wrong of any other.
        command = f"{called_as()} run --mode limited-live --venue binanceusdm --state state/loopback"
        if args.format == "json":
            print_json({
                "url": served.url, "key": wiring.KEY, "secret": wiring.SECRET, "tape": served.tape,
                "speed": args.speed, "symbols": served.symbols, "faults": served.rules, "environment": environment,
                "command": command,
            })
            return
        begins = "begins when somebody listens" if args.wait else "plays now"
        print(f"venue {served.url}  key {wiring.KEY}  secret {wiring.SECRET}", flush=True)
        pace = f"{args.speed:g} times as fast as it happened"
        print(f"  {served.tape} {begins}, {pace}; {served.rules} faults", flush=True)
        print("  " + " ".join(f"{name}={value}" for name, value in environment.items()) + f" {command}", flush=True)

    server = wiring.serve(options, told)
    played = 0 if server.player is None else server.player.shown
    asked = sum(server.log.counts.values())
    if args.format == "json":
        print_json({"requests": asked, "connections": server.hub.opened, "events": played})
    else:
        print(f"venue closed: {asked:,} requests, {server.hub.opened:,} streams, {played:,} market events")
    return FINE
