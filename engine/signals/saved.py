"""A snapshot's parts as JSON data and back. What can be computed from something else is not stored."""

from __future__ import annotations

from collections.abc import Iterator

from engine.model.codec import Data
from engine.model.samples import InputRef
from engine.signals.series import Heard, Series, Windowed
from engine.signals.slots import NOBODY, Slots


def dump_slots(slots: Slots) -> Data:
    """Return every slot: its key, what it holds, and who cares."""
    return {
        "keys": [[*key[:2], list(key[2]), *key[3:]] for key in slots.keys],
        "values": slots.values[:], "status": [int(status) for status in slots.status],
        "event_at": slots.event_at[:], "received_at": slots.received_at[:],
        "low": slots.low[:], "mark": slots.mark[:], "changed": slots.changed[:],
    }


def bindings(data: Data, slots: Slots) -> Iterator[tuple[InputRef, tuple[str, ...]]]:
    """Yield (ref, labels) of every slot in `data`, in order; ValueError when `slots` holds others there already."""
    for number, (reads, name, labels, window, quantile, coverage, max_age) in enumerate(data["keys"]):
        key = (reads, name, tuple(labels), window, quantile, coverage, max_age)
        known = slots.by_key.get(key)
        if known is None and len(slots.keys) == number:
            yield InputRef(
                reads=reads, signal=name, window=window, quantile=quantile, coverage=coverage, max_age=max_age
            ), tuple(labels)
            known = slots.by_key.get(key)
        if known != number:
            raise ValueError(f"the checkpoint has {reads} of {name}{list(labels)} in slot {number}, not in {known}")
    if len(slots.keys) != len(data["keys"]):
        raise ValueError(f"the checkpoint has {len(data['keys'])} slots, the rules bound {len(slots.keys)}")


def load_slots(slots: Slots, data: Data) -> None:
    """Fill the slots in place: others hold the lists."""
    slots.values[:] = data["values"]
    slots.status[:] = data["status"]
    slots.event_at[:] = data["event_at"]
    slots.received_at[:] = data["received_at"]
    slots.low[:] = data["low"]
    for slot, mark in enumerate(data["mark"]):
        # What these rules bound stays bound, though nobody had bound it when the checkpoint was made.
        slots.mark[slot] = 0 if mark == NOBODY and slots.mark[slot] != NOBODY else mark
    slots.changed[:] = data["changed"]


def dump_series(slots: Slots) -> Data:
    """Return [slot, own, life, counting, early] of every series."""
    return [
        [series.slot, series.own, series.life, series.counting, _early(series)]
        for series in slots.series
        if series is not None
    ]


def _early(series: Series) -> Data:
    if series.early is None:
        return None
    return [[heard.at, heard.value, heard.rise, heard.status] for heard in series.early]


def load_series(slots: Slots, data: Data) -> None:
    """Give every series its own part back."""
    for slot, own, life, counting, early in data:
        series = slots.series[slot]
        if series is None:
            raise ValueError(f"the checkpoint has a series in slot {slot}")
        series.own, series.life, series.counting = own, life, counting
        series.early = None if early is None else [Heard(*fields) for fields in early]
        slots.follows[slot] = series if series.needed() else None


def dump_windows(windows: list[tuple[Series, Windowed]]) -> Data:
    """Return the samples and spells of every window, in the order they were made."""
    return [
        {
            "base": series.slot, "span": held.window.span, "flavour": held.flavour, "window": held.window.dump(),
            "coverage": None if held.coverage is None else held.coverage.dump(),
        }
        for series, held in windows
    ]


def load_windows(windows: list[tuple[Series, Windowed]], data: Data) -> None:
    """Fill the windows, which the bindings made in the same order; ValueError if they did not."""
    if len(windows) != len(data):
        raise ValueError(f"the checkpoint has {len(data)} windows, the rules bound {len(windows)}")
    for (series, held), saved in zip(windows, data, strict=True):
        if (series.slot, held.window.span, held.flavour) != (saved["base"], saved["span"], saved["flavour"]):
            raise ValueError(f"the checkpoint has another window over {series.spec.name}")
        held.window.load(saved["window"])
        if held.coverage is not None:
            held.coverage.load(saved["coverage"])
