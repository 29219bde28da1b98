"""What the live bench found, as tables. Durations in ms or s as named; p50 and p99 by nearest rank."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.bench.live_venue import UP, Post

Spans = dict[str, list[int]]


def rank(values: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile; not a number where there are no values."""
    if not values:
        return float("nan")
    return sorted(values)[max(0, -(-len(values) * share // 1).__int__() - 1)]


def show(found: dict[str, Any]) -> None:
    """Print all of it."""
    begin, end = (", ".join(f"{value:.1f}" for value in load[:2]) for load in found["load"])
    print(f"\nlive orders: venue and engine on loopback, two processes, {os.cpu_count()} cores; load {begin} before, "
          f"{end} after; ccxt unmodified, journal synced, venue's rate limits lifted, ladder of three take-profits on")
    marks = Marked(found["marks"]["rows"])
    _entries(found, marks)
    _processor(found)
    _halts(found, marks)
    _bursts(found["bursts"], found["marks"]["commits"])
    _kills(found["kills"])
    memory = {name: kib / 1024 for name, kib in found["memory"].items()}
    print(f"  memory: {memory['peak']:.0f} MiB at the peak of {found['lived']:.0f} s (stamps of the bench included), "
          f"{memory['after']:.0f} MiB at its end; {memory['idle']:.0f} MiB of a live engine that has nothing to do")
    print(f"  answers of the venue to all orders, by HTTP status: {dict(found['answered'])}")


class Marked:
    """The engine's stamps, by what they are about."""

    def __init__(self, rows: Sequence[tuple[int, str, str]]) -> None:
        self.triggers: dict[str, list[int]] = {}
        """By symbol: when a quote above the trigger was handed to the queue."""
        self.decided: dict[str, int] = {}
        self.kept: dict[str, int] = {}
        self.gate: dict[str, int] = {}
        self.withheld: dict[str, int] = {}
        self.accepted: dict[str, int] = {}
        self.latched: list[int] = []
        told = {"decided": self.decided, "kept": self.kept, "gate": self.gate, "withheld": self.withheld,
                "accepted": self.accepted}
        for at, kind, key in rows:
            if kind == "quote":
                symbol, bid = key.split()
                if float(bid) > UP - 0.001:
                    self.triggers.setdefault(symbol, []).append(at)
            elif kind == "latched":
                self.latched.append(at)
            elif kind in told:
                # An order is accepted twice, by the reply and on the stream: the first counts.
                told[kind].setdefault(key, at)


def _row(name: str, spans: Sequence[float], unit: float = 1e6, word: str = "ms") -> None:
    print(f"  {name:74} {len(spans):>5} {rank(spans, 0.5) / unit:>9.2f} {rank(spans, 0.99) / unit:>9.2f} "
          f"{max(spans, default=float('nan')) / unit:>9.2f} {word}")


def _entries(found: dict[str, Any], marks: Marked) -> None:
    posts: list[Post] = found["posts"]
    begin, end = found["span"]
    entries = [post for post in posts if post.entry and begin <= post.arrived <= end and post.status == 200]
    spans: Spans = {"whole": [], "decided": [], "kept": [], "adapter": [], "carried": [], "stop": [], "told": []}
    for post in entries:
        mine = post.client_id
        trigger = max(at for at in marks.triggers[post.symbol] if at < post.arrived)
        spans["whole"].append(post.arrived - trigger)
        spans["decided"].append(marks.decided[mine] - trigger)
        spans["kept"].append(marks.kept[mine] - marks.decided[mine])
        spans["adapter"].append(marks.gate[mine] - marks.kept[mine])
        spans["carried"].append(post.arrived - marks.gate[mine])
        stop = next(
            one for one in posts
            if one.stop and one.symbol == post.symbol and one.arrived > post.arrived and one.status == 200
        )
        spans["stop"].append(stop.done - post.done)
        spans["told"].append(marks.accepted[stop.client_id] - post.done)
    print(f"  {'':74} {'count':>5} {'p50':>9} {'p99':>9} {'most':>9}")
    _row("event -> wire: quote handed to the engine's queue until the venue has the POST", spans["whole"])
    _row("  of it: queue, and the step up to the order", spans["decided"])
    _row("  of it: journal synced", spans["kept"])
    _row("  of it: rest of the step's deeds, adapter, until ccxt is called", spans["adapter"])
    _row("  of it: ccxt, HTTP, loopback, the venue's reading", spans["carried"])
    _row("fill -> stop accepted: the venue's fill until its yes to the stop", spans["stop"])
    _row("fill -> stop acknowledged: until the engine has heard that yes", spans["told"])
    _row("journal commits that are synced, of all parts", [took for _, took in found["marks"]["commits"]])
    print(f"    {found['again']} triggers had to be told again after 4 s; they count from then")


def _processor(found: dict[str, Any]) -> None:
    """Tell who held the engine's core, less what an engine with the same market and no story holds it."""
    begin, end = (int(at // 1e9) for at in found["span"])
    idle = int(found["idle"] // 1e9)
    samples = {int(second): Counter(one) for second, one in found["marks"]["samples"].items()}
    work: Counter[str] = Counter()
    rest: Counter[str] = Counter()
    for second, one in samples.items():
        if begin <= second <= end:
            work.update(one)
        elif idle < second < begin:
            rest.update(one)
    orders = sum(found["span"][0] <= post.arrived <= found["span"][1] for post in found["posts"])
    span, quiet = found["span"][1] - found["span"][0], found["span"][0] - found["idle"]
    before, between, after = found["used"]
    spent, background = after - between, (between - before) * span / quiet
    print(f"  processor of the engine per order: {orders} orders in {span / 1e9:.0f} s; shares of {sum(work.values())} "
          "samples; a library's time counts for whoever called it; what the same market takes untraded is taken off")
    whole = 0.0
    for owner in sorted(work, key=lambda name: -work[name]):
        share = spent * work[owner] / sum(work.values()) - background * rest[owner] / max(1, sum(rest.values()))
        whole += share
        print(f"    {owner:56} {share / orders * 1e3:>7.2f} ms")
    print(f"    {'all':56} {whole / orders * 1e3:>7.2f} ms; untraded: {background / span * 1e11:.0f} % of a core")
    # What loads ccxt at the start is no part of an order.
    hot = [(name, count) for name, count in found["marks"]["hot"] if not name.endswith("make_exchange")]
    print("    where our own code is oftenest, all parts, with what it calls outside of ours, samples: "
          + "; ".join(f"{name} {count}" for name, count in hot[:8]))


def _halts(found: dict[str, Any], marks: Marked) -> None:
    silent: list[float] = []
    latch: list[float] = []
    lag: list[float] = []
    after, arrived_after, entries = 0, 0, 0
    for sent, lifted in found["halts"]:
        latched = min(at for at in marks.latched if at >= sent)
        latch.append(latched - sent)
        here = [post for post in found["posts"] if post.entry and sent - 1_000_000_000 < post.arrived < lifted]
        entries += len(here)
        silent.append(max([post.arrived - sent for post in here if post.arrived > sent], default=0))
        after += sum(marks.gate[post.client_id] > latched for post in here)
        arrived_after += sum(post.arrived > latched for post in here)
        lag.append(max([post.arrived - latched for post in here if post.arrived > latched], default=0))
    _row("halt -> latched: halt written to the socket until the core has decided", latch)
    _row("halt -> wire silent: until the last entry reached the venue (0: none did)", silent)
    _row("  of it: behind the latch, of entries that ccxt had before it", lag)
    print(f"    {entries} entries in {len(silent)} rounds of 20 triggers 4 ms apart, halted after the 11th; "
          f"given to ccxt after the latch: {after} (must be 0); under way at the latch: {arrived_after}; "
          f"withheld at the wire: {len(marks.withheld)}")


def _bursts(bursts: Sequence[dict[str, float]], commits: Sequence[tuple[int, int]]) -> None:
    print("  throughput: symbols triggered in one instant (1 entry, 1 stop, 3 take-profits each); who is busy, in % of "
          "the time")
    for one in bursts:
        ends = one["began"] + one["seconds"] * 1e9
        syncs = [took for at, took in commits if one["began"] <= at <= ends]
        busy = {name: one[name] / one["seconds"] * 100 for name in ("engine", "venue")}
        print(f"    {one['at once']:>4.0f} at once: {one['orders']:>4.0f} orders in {one['seconds']:>6.2f} s = "
              f"{one['orders'] / one['seconds']:>5.0f} orders/s; engine's core {busy['engine']:>3.0f} %, "
              f"{one['engine'] / max(1, one['orders']) * 1e3:.1f} ms an order; waiting in {len(syncs)} syncs of the "
              f"journal {sum(syncs) / one['seconds'] / 1e7:>3.0f} %; venue's core {busy['venue']:>3.0f} %")


def _kills(kills: Sequence[dict[str, float]]) -> None:
    print("  SIGKILL when the venue has filled an entry and the reply is not out; started again at once")
    for name, what in (
        ("begun", "kill -> the new process has its modules, ccxt apart"), ("stop", "kill -> stop accepted"),
        ("agreed", "kill -> account reconciled, entries not forbidden for it"),
    ):
        _row(f"  {what}", [one[name] for one in kills], 1.0, "s")
