"""Each repair of a stop is one event of its symbol, told once, also over a checkpoint."""

from __future__ import annotations

from engine.model.codec import from_data, to_data
from engine.risk.stops_schedule import samples_of
from engine.risk.stops_watch import Watch


def repairs(watch: Watch) -> int:
    return sum(one.name == "stop_repaired" for one in samples_of(watch, 5))


def test_each_repair_is_told_once() -> None:
    watch = Watch(venue="paper", symbol="XYZUSDT", sign=1)
    assert repairs(watch) == 0, "what was never repaired is known not to be, and told nothing of"

    watch.repaired_total += 2
    assert repairs(watch) == 2 and repairs(watch) == 0
    again: Watch = from_data(Watch, to_data(watch))
    again.repaired_total += 1
    told = [one for one in samples_of(again, 6) if one.name == "stop_repaired"]
    assert [(one.labels, one.value, one.event_at) for one in told] == [(("paper", "XYZUSDT"), 1.0, 6)]
