"""A snapshot under another catalogue: what both lists mean alike goes on, the rest is not known any more.

A signal goes on when everything a sample's meaning depends on is the same. Another range or
another max_age changes only whether it is believed; where that cannot be told from what
is kept, it is not believed until the next sample.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.model.codec import Data
from engine.model.samples import SignalKind, SignalSpec, Status, Unit
from engine.signals.catalogue import Catalogue
from engine.signals.snapshot import Snapshot

Fresh = Callable[[Catalogue], Snapshot]
_AGEING = (SignalKind.GAUGE, SignalKind.STATE)


def transplant(old: Snapshot, catalogue: Catalogue, at: int, *, fresh: Fresh = Snapshot) -> Snapshot:
    """Return a snapshot over `catalogue` that holds what `old` knows at `at` (ns); nobody is bound to it yet."""
    kept = frozenset(
        name for name, spec in catalogue.specs.items()
        if (before := old.catalogue.get(name)) is not None and _means_the_same(before, spec)
    )
    made = fresh(catalogue)
    made.load(_without(old.dump(), kept))
    for slot, name, _ in made.series():
        made.reread(slot)
        if not made.status[slot]:
            _judge_again(made, slot, catalogue.specs[name], at)
    return made


def _means_the_same(before: SignalSpec, after: SignalSpec) -> bool:
    def meaning(spec: SignalSpec) -> tuple[object, ...]:
        return (spec.kind, spec.unit, spec.labels, spec.values, spec.producer, spec.resolution, spec.order_scope)

    return meaning(before) == meaning(after)


def _judge_again(made: Snapshot, slot: int, spec: SignalSpec, at: int) -> None:
    """Let a believed sample meet the new range and the new max_age."""
    value = made.values[slot]
    if spec.unit not in (Unit.BOOL, Unit.ENUM) and not spec.low <= float(value) <= spec.high:
        made.degrade(slot, Status.INVALID, at)
    elif spec.kind in _AGEING and spec.max_age and made.received_at[slot] + spec.max_age <= at:
        made.degrade(slot, Status.STALE, at)


def _without(data: Data, kept: frozenset[str]) -> Data:
    """Return the dump `data` with the signals in `kept` alone, every slot and window under its new number."""
    slots = data["slots"]
    staying = [number for number, key in enumerate(slots["keys"]) if key[1] in kept]
    place = {number: new for new, number in enumerate(staying)}
    windows = [number for number, window in enumerate(data["windows"]) if window["base"] in place]
    ident = {-1 - number: -1 - new for new, number in enumerate(windows)} | place
    moved = {name: [column[number] for number in staying] for name, column in slots.items() if name != "changed"}
    moved["changed"] = [place[number] for number in slots["changed"] if number in place]
    firsts = data["firsts"]
    return {
        "now": data["now"], "unwired": [name for name in data["unwired"] if name in kept], "slots": moved,
        "series": [[place[slot], *rest] for slot, *rest in data["series"] if slot in place],
        "windows": [
            {**data["windows"][number], "base": place[data["windows"][number]["base"]]} for number in windows
        ],
        "producers": data["producers"],
        "timers": [[ident[one], due] for one, due in data["timers"] if one in ident],
        "firsts": {
            "seen": [[name, seen] for name, seen in firsts["seen"] if name in kept],
            "untold": [[name, labels] for name, labels in firsts["untold"] if name in kept],
            "young": [place[slot] for slot in firsts["young"] if slot in place],
        },
    }
