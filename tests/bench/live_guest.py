"""The engine of the live bench as whoever started it sees it: a process, its control socket, its stamps."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.runtime.control_protocol import LONGEST_REPLY, write_line
from engine.runtime.socket_path import short_address
from engine.runtime.statedir import SOCKET
from tests.bench.live_venue import BenchVenue, environment, until
from tests.live.house import house


@dataclass(kw_only=True)
class Engine:
    """A live engine in a process of its own, and what it wrote down."""

    process: asyncio.subprocess.Process
    state: Path
    marks: Path
    found: dict[str, Any] = field(default_factory=dict)

    def now_rows(self) -> list[tuple[int, str, str]]:
        """Return the stamps that were written at once."""
        path = self.marks.with_suffix(".now")
        lines = path.read_text().splitlines() if path.exists() else []
        return [tuple(json.loads(line)) for line in lines if line.endswith("]")]

    async def heard(self, symbols: Iterable[str], since: int) -> None:
        """Wait until a listing of `symbols` came that was told after `since` (ns); it is polled every second."""
        name = " ".join(symbols)
        await until(
            lambda: any(at > since and (kind, key) == ("announced", name) for at, kind, key in self.now_rows()), 20,
            f"the listing of {name[:40]}",
        )

    async def ask(self, verb: str, **words: str) -> tuple[int, Any]:
        """Send one verb over the control socket; return the instant it was written (ns), and the reply."""
        with short_address(self.state / SOCKET) as address:
            reader, writer = await asyncio.open_unix_connection(address, limit=LONGEST_REPLY)
        line = write_line({"verb": verb, **words})
        sent = time.time_ns()
        writer.write(line)
        await writer.drain()
        reply = json.loads(await reader.readline())
        writer.close()
        if not reply.get("ok", True):
            raise AssertionError(f"{verb}: {reply}")
        return sent, reply

    def processor_s(self) -> float:
        """Return the processor time of the process so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def stop(self) -> None:
        """End it as an operator does, and read its stamps."""
        began = self.processor_s()
        self.process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.process.wait(), 30)
        except TimeoutError:
            # It tells on stderr where it is.
            self.process.send_signal(signal.SIGUSR1)
            await asyncio.sleep(1.0)
            raise AssertionError(f"it does not end; {self.processor_s() - began:.1f} s of work meanwhile") from None
        self.found = json.loads(self.marks.read_text())


async def started(venue: BenchVenue, state: Path, name: str) -> Engine:
    """Start an engine on `state`; its stamps are called `name`."""
    marks = state.parent / f"{name}.json"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.live_engine", str(state), str(marks),
        cwd=house(state.parent / "house"), env=environment(venue),
    )
    venue.guests.append(process)
    return Engine(process=process, state=state, marks=marks)
