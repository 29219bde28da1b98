"""Rule sets and histories drawn together: what is heard lies around what rules compare with.

A history is recorded by the snapshot that records for the engine, from samples, losses,
silences, producers that come and go, gaps, re-arms and daily boundaries.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from engine.model.flags import FlagKind, FlagSpec
from engine.model.history import HistoryHeader, MarkKind, Record
from engine.model.restraints import Level, Restraint
from engine.model.samples import SignalKind, Status, Unit
from engine.model.time import HOUR, SECOND, parse_instant
from engine.ruleset.reading import timed_signals
from engine.ruleset.ruling import Ruling
from engine.ruleset.spec import Enforcement, Latching, OnUnknown, RuleKind, RuleSet, RuleSpec
from engine.signals.catalogue import Catalogue
from engine.signals.recorded import RecordedSnapshot, Recorder
from engine.workbench.history_memory import MemoryHistory
from tests.ruleset.notation import rule, signal

BEGIN = parse_instant("2026-01-05T23:59:00Z")
"""A minute before midnight: a history of some minutes lies in two days."""

CATALOGUE = Catalogue([
    signal("a", max_age=7 * SECOND, producer="feed.market", resolution=0.25),
    signal("b", max_age=60 * SECOND, producer="feed.market", low=-5.0, high=5.0, resolution=0.25),
    signal("open_now", unit=Unit.BOOL, max_age=20 * SECOND, producer="feed.market"),
    signal("phase", unit=Unit.ENUM, values=("calm", "wild", "odd"), kind=SignalKind.STATE, max_age=30 * SECOND,
           producer="feed.market"),
    signal("mood", unit=Unit.ENUM, values=("wild", "dull"), max_age=60 * SECOND, producer="feed.market"),
    signal("spread", ("venue", "symbol"), max_age=9 * SECOND, producer="feed.market", resolution=0.25),
    signal("depth", ("venue", "symbol"), max_age=60 * SECOND, producer="feed.market", resolution=0.25),
    signal("hits", ("venue",), kind=SignalKind.COUNTER, low=0.0, max_age=0, producer="feed.market", resolution=1.0),
    signal("fills", ("venue", "symbol"), kind=SignalKind.EVENT, max_age=25 * SECOND, producer="feed.oracle",
           resolution=0.25),
    signal("news", kind=SignalKind.EVENT, max_age=0, producer="feed.announcements", resolution=1.0),
])
FLAGS = {
    "LIMIT": FlagSpec(name="LIMIT", kind=FlagKind.NUMBER, default=2.0, unit=Unit.NONE, summary="a limit"),
    "WAIT": FlagSpec(name="WAIT", kind=FlagKind.NUMBER, default=3.0, unit=Unit.NONE, summary="a wait"),
    "ON": FlagSpec(name="ON", kind=FlagKind.BOOL, default=True, unit=Unit.BOOL, summary="a switch"),
}
LABELS = (("paper", "AUSDT"), ("paper", "BUSDT"), ("other", "AUSDT"))
HALTED, HALF = Restraint(level=Level.HALTED), Restraint(size_mult=0.5)


@dataclass(slots=True)
class Drawn:
    """A ruling and a history that belong together."""

    ruling: Ruling
    history: MemoryHistory


def _reading(draw: Random, names: tuple[str, ...]) -> str:
    name = draw.choice(names)
    window = draw.choice((4, 10, 30))
    if name in ("fills", "news"):
        return draw.choice((
            f"count_over({name}, {window})", f"sum_over({name}, {window})", f"avg_over({name}, {window})",
            f"rate_over({name}, {window})", f"increase_over({name}, {window})", name,
        ))
    if name == "hits":
        return draw.choice((f"increase_over(hits, {window})", f"rate_over(hits, {window})", "hits", "age(hits)",
                            f"max_over(hits, {window})"))
    return draw.choice((
        name, name, name, name, f"avg_over({name}, {window})", f"sum_over({name}, {window})",
        f"min_over({name}, {window})", f"max_over({name}, {window})", f"count_over({name}, {window})",
        f"quantile_over(0.5, {name}, {window})", f"increase_over({name}, {window})", f"age({name})",
    ))


def _condition(draw: Random, names: tuple[str, ...], depth: int) -> str:
    pick = draw.random()
    if depth and pick < 0.3:
        word = draw.choice((" and ", " or "))
        return "(" + word.join(_condition(draw, names, depth - 1) for _ in range(2)) + ")"
    if depth and pick < 0.4:
        return f"(not {_condition(draw, names, depth - 1)})"
    if depth and pick < 0.5:
        return f"held({_condition(draw, names, depth - 1)}, {draw.choice((2, 6, 15))})"
    if depth and pick < 0.55:
        parts = [_condition(draw, names, 0) for _ in range(3)]
        return f"({parts[0]} if {parts[1]} else {parts[2]})"
    if pick < 0.65:
        return draw.choice((
            f"absent({draw.choice(names)})", f"fresh({draw.choice(names)}, 5)", "open_now", "phase == 'wild'",
            "phase != mood", "mood == 'wild'",
        ))
    left = _reading(draw, names)
    if draw.random() < 0.3:
        other = _reading(draw, names)
        left = draw.choice((
            f"abs({left})", f"({left} - {other})", f"({left} / {other})", f"max({left}, {other})", f"pct({left})",
            f"-{left}",
        ))
    right = draw.choice(("1", "2", "0", "LIMIT", "2.5", "LIMIT / 2", _reading(draw, names)))
    return f"{left} {draw.choice(('>=', '>', '<', '<=', '==', '!='))} {right}"


def draw_rule(draw: Random, number: int) -> RuleSpec:
    """Return a rule of any kind that has a lifecycle."""
    by, names = draw.choice((
        ((), ("a", "b", "news")), ((), ("a", "b")), (("venue", "symbol"), ("spread", "depth", "a")),
        (("venue", "symbol"), ("spread", "fills", "b")), (("venue",), ("hits", "a")), (("symbol",), ("spread", "b")),
        (("venue", "symbol"), ("fills",)),
    ))
    if by == ("symbol",):
        by = ("venue", "symbol")
    text = _condition(draw, names, 2)
    if by and not any(name in text for name in ("spread", "depth", "hits", "fills")):
        text = f"({text} or {names[0]} > 2)"
    kind = draw.choice((RuleKind.GUARD, RuleKind.GUARD, RuleKind.KILL, RuleKind.CUTBACK, RuleKind.WATCH,
                        RuleKind.MAKER_GATE))
    fields: dict[str, Any] = {
        "id": f"{kind.value}.r{number}", "kind": kind, "by": by,
        "restrain": HALF if kind is RuleKind.CUTBACK else HALTED,
        "unknown_grace": draw.choice((0, 2, 8)), "min_clear": draw.choice((0, 0, 3)),
    }
    if kind is not RuleKind.MAKER_GATE:
        fields.update(
            hold_for=draw.choice((0, 0, 3, 10)), keep_firing_for=draw.choice((0, 0, 4)),
            cooldown=draw.choice((0, 0, 12)), latch=draw.choice((Latching.NONE, Latching.MANUAL, Latching.BOUNDARY)),
            on_unknown=draw.choice((OnUnknown.RESTRICT, OnUnknown.RESTRICT, *OnUnknown)),
            enforcement=draw.choice((Enforcement.ENFORCE, Enforcement.ENFORCE, Enforcement.SHADOW)),
            enabled=draw.choice((True, True, True, "ON")),
        )
        if draw.random() < 0.2:
            fields.update(hold_for="WAIT", hold_for_unit=SECOND)
        if kind is RuleKind.CUTBACK:
            fields.update(ttl=draw.choice((0, 6)), unknown_cutback=HALTED)
        if draw.random() < 0.4:
            fields["clear_expr"] = _condition(draw, names, 1)
    else:
        fields["valid_for"] = 5
    return rule(text, **fields)


@dataclass
class _Tape:
    """Something that happens, on its way into a history."""

    draw: Random
    every: bool
    pauses: bool
    kept: list[Record] = field(default_factory=list)
    at: int = BEGIN

    def record(self, rules: tuple[RuleSpec, ...], steps: int) -> None:
        """Let `steps` things happen."""
        recorder = Recorder(self.kept.append, timed_signals(rules) if not self.every else frozenset(CATALOGUE.specs))
        self.snapshot = RecordedSnapshot(CATALOGUE, recorder)
        self._settle()
        for _ in range(steps):
            pace = self.draw.choice((0, 0, SECOND // 2, SECOND, SECOND, 3 * SECOND, 11 * SECOND))
            if self.pauses and self.draw.random() < 0.005:
                pace = HOUR
            self._wait(self.at + pace)
            self._happen(rules)

    def _wait(self, until: int) -> None:
        while (due := self.snapshot.next_due()) is not None and due <= until:
            self.at = max(self.at, due)
            self.snapshot.fire(self.at)
            self._settle()
        self.at = until

    def _settle(self) -> None:
        self.snapshot.take_new_labels()
        self.snapshot.take_changed()
        assert self.snapshot.settled()

    def _happen(self, rules: tuple[RuleSpec, ...]) -> None:
        draw, snapshot = self.draw, self.snapshot
        pick = draw.random()
        if pick < 0.08:
            snapshot.set_producer(draw.choice(("feed.oracle", "feed.announcements")), draw.random() < 0.6, self.at)
        elif pick < 0.14:
            name, labels = self._series()
            snapshot.degrade(snapshot.base(name, labels), draw.choice((Status.MISSING, Status.INVALID)), self.at)
        elif pick < 0.18:
            one = draw.choice(rules)
            of = "/" + ",".join(draw.choice(LABELS)[:len(one.by)]) if one.by else ""
            data = {"latch": f"{one.id}{of}/{draw.choice((1, 2))}", "actor": "ann"}
            snapshot.note(self.at, MarkKind.REARM, data)
        elif pick < 0.20:
            # A boundary is crossed before an event of its instant is taken, never after.
            self._wait(self.at + 1)
            snapshot.note(self.at, MarkKind.BOUNDARY, {"day": "2026-01-06"})
        elif pick < 0.21:
            snapshot.note(self.at, MarkKind.FLAG, {"name": "ON", "value": draw.random() < 0.5, "layer": "operator"})
        elif pick < 0.213:
            snapshot.note(self.at, MarkKind.FLAG, {"name": "LIMIT", "value": 1.0, "layer": "operator"})
        elif pick < 0.22:
            until = self.at + 20 * SECOND
            snapshot.note(self.at, MarkKind.GAP, {"until": until})
            self.at = until
        else:
            for _ in range(draw.choice((1, 1, 2, 3))):
                self._sample()
        self._settle()

    def _series(self) -> tuple[str, tuple[str, ...]]:
        spec = self.draw.choice(list(CATALOGUE.specs.values()))
        return spec.name, self.draw.choice(LABELS)[:len(spec.labels)]

    def _sample(self) -> None:
        name, labels = self._series()
        spec = CATALOGUE.specs[name]
        value: float | bool | str = self.draw.choice((0.0, 1.0, 1.0, 2.0, 2.0, 2.5, 3.0, 7.0))
        if spec.unit is Unit.BOOL:
            value = self.draw.random() < 0.5
        elif spec.unit is Unit.ENUM:
            value = self.draw.choice(spec.values)
        elif spec.kind is SignalKind.COUNTER:
            value = float((self.at - BEGIN) // SECOND // 3) if self.draw.random() < 0.9 else 0.0
        self.snapshot.put_named(name, labels, value, self.at, self.at)


def world_of(rules: tuple[RuleSpec, ...], records: list[Record], complete: tuple[str, ...] | None = None) -> Drawn:
    """Return `rules` and `records` as a ruling and a history; every sample of the signals `complete` is there."""
    ruling = Ruling(
        rules=RuleSet(rules=rules, digest="d", files=("rules/test.yaml",)), catalogue=CATALOGUE, flag_specs=FLAGS,
        flag_file={}, flag_environment={},
    )
    header = HistoryHeader(
        name="drawn", first_at=BEGIN, last_at=max((one.at for one in records), default=BEGIN),
        producers=("feed.announcements", "feed.market", "feed.oracle"),
        complete=tuple(CATALOGUE.specs) if complete is None else complete, decimated=(),
        catalogue_digest=CATALOGUE.digest, rules_digest="d", has_rearms=True, signals=tuple(CATALOGUE.specs.values()),
    )
    return Drawn(ruling, MemoryHistory(header, records))


def draw_world(draw: Random, *, rules: int, steps: int, pauses: bool = True) -> Drawn:
    """Return a ruling of some rules and a history that exercises them; with `pauses` nothing happens for hours."""
    specs = tuple(sorted((draw_rule(draw, number) for number in range(rules)), key=lambda one: one.id))
    tape = _Tape(draw, every=draw.random() < 0.8, pauses=pauses)
    tape.record(specs, steps)
    return world_of(specs, tape.kept, None if tape.every else tuple(sorted(timed_signals(specs))))
