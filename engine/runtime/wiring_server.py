"""The venue on loopback, put together: an exchange, the gateway before it, a tape behind it, and a port.

Names the `venue_server` adapters for the rest of the shell. Needs aiohttp, which a run on
tapes does not; so whoever serves nothing must not import it.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.adapters.clock_system import SystemClock
from engine.adapters.venue_server import ServerOptions, VenueServer
from engine.adapters.venue_server_gateway import GatewayTerms, opened
from engine.adapters.venue_server_tape import Pace
from engine.exchange.settings import ExchangeSettings
from engine.ports.clock import Clock
from engine.ports.feed import Tape
from engine.runtime.options import RunError
from engine.runtime.wiring_faults import Faults, load_faults
from engine.runtime.wiring_tapes import named_tape

__all__ = ["KEY", "SECRET", "ServeOptions", "Served", "VenueServer", "made_server", "serve"]

KEY, SECRET = "loopback-key", "loopback-secret"
"""What signs requests here. No secret: the venue is reached from this machine only, and holds nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What `engine venue serve` was asked for."""

    port: int = 0
    seed: str = "0"
    tape: str = "demo"
    faults: Path | None = None
    speed: float = 1.0
    skip: int = 0
    """Where the tape begins, in ns from its first event; what lies before is history."""
    wait: bool = False
    loop: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The venue as it is told once it listens."""

    url: str
    tape: str
    symbols: tuple[str, ...]
    rules: int
    """How many rules of faults are in force."""


def made_server(options: ServeOptions, *, clock: Clock | None = None) -> VenueServer:
    """Return the venue, not listening yet; TapeError, ConfigError or OSError for files that cannot be used."""
    faults = Faults() if options.faults is None else load_faults(options.faults, seed=options.seed)
    return server_of(named_tape(options.tape), options, faults, clock=clock or SystemClock())


def server_of(tape: Tape, options: ServeOptions, faults: Faults, *, clock: Clock) -> VenueServer:
    """Return the venue that plays `tape`; the instants of `faults` count from now."""
    moved = faults.starting(clock.now())
    terms = GatewayTerms(api_key=KEY, secret=SECRET, seed=options.seed)
    gateway = opened(ExchangeSettings(seed=options.seed), terms, moved.wire)
    return VenueServer(gateway, clock, ServerOptions(
        port=options.port, tape=tape, wait=options.wait,
        pace=Pace(speed=options.speed, skip=options.skip, loop=options.loop),
        market_faults=moved.market, seed=moved.wire.seed,
    ))


def serve(options: ServeOptions, told: Callable[[Served], None]) -> VenueServer:
    """Serve until SIGINT or SIGTERM; `told` hears once where. Return the venue, closed, with its log.

    RunError for a port that is taken; TapeError for a tape that cannot be read on.
    """
    return asyncio.run(_serve(options, told))


async def _serve(options: ServeOptions, told: Callable[[Served], None]) -> VenueServer:
    server = made_server(options)
    try:
        await server.start()
    except OSError as error:
        raise RunError(
            f"port {options.port} of this machine cannot be taken: {error.strerror or error}",
            "end what uses it, or choose another --port (0 takes any that is free)",
        ) from error
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    waiting = asyncio.create_task(stopped.wait())
    ended = asyncio.create_task(server.ended())
    try:
        told(Served(
            url=server.url, tape=options.tape, symbols=server.symbols,
            rules=server.rules,
        ))
        await asyncio.wait((waiting, ended), return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            ended.result()
    finally:
        waiting.cancel()
        ended.cancel()
        await asyncio.gather(waiting, ended, return_exceptions=True)
        await server.stop()
    return server
