"""The trouble of one seed on the wire to a venue that speaks Binance's words."""

from __future__ import annotations

from random import Random

from engine.adapters.venue_server_gateway_faults import StreamFault, StreamRule, WireFault, WireFaults, WireRule
from engine.model.time import MS, SECOND
from engine.runtime.simulate_plan import Scene

_HOLDS = {
    WireFault.INVISIBLE: (1 * SECOND, 12 * SECOND), WireFault.DELAY: (100 * MS, 8 * SECOND),
    WireFault.RATE: (1 * SECOND, 10 * SECOND),
}
_STREAM = {
    StreamFault.DUPLICATE: (0, 20 * SECOND), StreamFault.LATE: (100 * MS, 6 * SECOND), StreamFault.REORDERED: (0, 1),
}
_ROOM = 180 * SECOND
"""Before all is calm: a ban or a silence is over by then."""
Span = tuple[int, int]


def wire_faults(seed: int, scene: Scene) -> tuple[WireFaults, tuple[Span, ...]]:
    """Return what goes wrong on the wire, and from when to when (ns) nobody can do anything about it."""
    draw = Random(f"{seed}|wire")
    most = draw.choice((0.0, 0.03, 0.06, 0.1, 0.2))
    if not most:
        return WireFaults(seed=str(seed)), ()
    requests: list[WireRule] = []
    streams: list[StreamRule] = []
    excused: list[Span] = []
    for kind in (*_HOLDS, WireFault.LOST_REQUEST, WireFault.LOST_REPLY, WireFault.CODE, WireFault.HTTP,
                 WireFault.TRUNCATED):
        hold, probability = draw.randint(*_HOLDS.get(kind, (0, 0))), draw.uniform(0.0, most / 3)
        if draw.random() < 0.6:
            worked, lost = draw.random() < 0.5, draw.random() < 0.5
            requests.append(WireRule(
                kind=kind, method=draw.choice(("", "POST", "POST", "GET")), probability=probability, hold=hold,
                worked=worked, lost=lost, start=scene.begins, end=scene.calm_from,
            ))
    for sort, (shortest, longest) in _STREAM.items():
        hold, probability = draw.randint(shortest, longest), draw.uniform(0.0, most)
        if draw.random() < 0.5:
            streams.append(StreamRule(
                kind=sort, probability=probability, hold=hold, start=scene.begins, end=scene.calm_from,
            ))
    for _ in range(draw.choice((0, 0, 1, 2))):
        at, lasts = scene.instant(draw, _ROOM), draw.randrange(5 * SECOND, 120 * SECOND)
        what = draw.choice(("ban", "silent", "key", "drop"))
        if what == "ban":
            requests.insert(0, WireRule(kind=WireFault.BAN, start=at, end=at + 20 * SECOND, nth=1, hold=lasts))
            # The ban begins with the first request behind `at`, which may take its time to come.
            excused.append((at, at + 25 * SECOND + lasts))
        elif what == "silent":
            streams.append(StreamRule(kind=StreamFault.SILENT, start=at, end=at + lasts))
            excused.append((at, at + lasts))
        else:
            kind_then = StreamFault.DEAD_LISTEN_KEY if what == "key" else StreamFault.DROP_CONNECTION
            streams.append(StreamRule(kind=kind_then, start=at, told=draw.random() < 0.5))
    return WireFaults(requests=tuple(requests), streams=tuple(streams), seed=str(seed)), tuple(excused)
