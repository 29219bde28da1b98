"""The value of every flag, from four layers, and what an operator may make of it.

Operator over environment over file over default. A value never comes in unchecked: kind,
bounds and unit are those of `conf/flags.yaml`, whoever sets it. Nothing here reads an
environment or a clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from engine.model.codec import Data, canonical, to_data
from engine.model.effects import FlagChanged
from engine.model.flag_values import fit, flag_text, loosens, nearest_flags, planned_note, unknown_flag, with_unit
from engine.model.flags import Flag, FlagSpec, FlagValue, Layer
from engine.model.time import format_duration, format_second


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A value in the operator layer; `until` is ns, 0 for no end, or for one that is not known while it `waits`."""

    value: FlagValue
    reason: str
    actor: str
    until: int
    waits: int = 0
    """How long (ns) it holds from when the run goes on, 0 once that is known: it was set while no engine ran."""


Answer = tuple[bool, str, list[FlagChanged]]
"""(accepted, what was done or why not, the changes of resolved values)."""


class FlagBook:
    """All flags of a run. `values` is the resolved value of each, a new mapping after every change."""

    def __init__(
        self,
        specs: Iterable[FlagSpec],
        *,
        file: Mapping[str, FlagValue] | None = None,
        environment: Mapping[str, FlagValue] | None = None,
    ) -> None:
        """Take the declared flags and the two layers read from outside; ValueError for a value that does not fit."""
        self.specs: Mapping[str, FlagSpec] = MappingProxyType({spec.name: spec for spec in sorted(specs, key=_name)})
        self._file = self._checked(file or {})
        self._environment = self._checked(environment or {})
        self._operator: dict[str, Override] = {}
        self.waiting = False
        """Whether the time of some operator value has not begun, because no engine ran when it was set."""
        self.values: Mapping[str, FlagValue] = {}
        self._resolve()
        self.base = canonical({
            "specs": [_deciding(spec) for spec in self.specs.values()],
            "values": {name: to_data(value) for name, value in self.values.items()},
        })
        self.digest = hashlib.sha256(self.base).hexdigest()
        """Which flags a run started with: declarations and resolved values below the operator's layer."""

    def flag(self, name: str) -> Flag:
        """Return the value in force and the layer that set it; KeyError for a flag that is not declared."""
        override = self._operator.get(name)
        if override is not None:
            return Flag(
                name=name, value=override.value, layer=Layer.OPERATOR, reason=override.reason, actor=override.actor,
                until=override.until, waits=override.waits,
            )
        return Flag(name=name, value=self.values[name], layer=self._base_layer(name))

    def flags(self) -> tuple[Flag, ...]:
        """Return every flag in force, in the order of the names."""
        return tuple(self.flag(name) for name in self.specs)

    def overrides(self) -> tuple[Flag, ...]:
        """Return the flags that an operator set, in the order of the names."""
        return tuple(self.flag(name) for name in self.specs if name in self._operator)

    def layers(self, name: str) -> tuple[tuple[Layer, FlagValue], ...]:
        """Return what each layer says of `name`, strongest first: what masks what. KeyError if not declared."""
        found: list[tuple[Layer, FlagValue]] = []
        if name in self._operator:
            found.append((Layer.OPERATOR, self._operator[name].value))
        if name in self._environment:
            found.append((Layer.ENVIRONMENT, self._environment[name]))
        if name in self._file:
            found.append((Layer.FILE, self._file[name]))
        found.append((Layer.DEFAULT, _checked_default(self.specs[name])))
        return tuple(found)

    def nearest(self, name: str) -> tuple[str, ...]:
        """Return at most three flags that `name` may have meant, best first."""
        return nearest_flags(name, self.specs)

    def set_operator(  # noqa: PLR0913 -- an order of an operator with its reason and its end
        self, at: int, name: str, value: FlagValue, *, reason: str, actor: str, until: int = 0, waits: int = 0
    ) -> Answer:
        """Put `value` (text is read as the flag's kind) over every other layer until `until` (ns, 0 for good).

        With `waits` it ends that long (ns) after `begin_waiting`, and not before. Refused, with
        the reason: an undeclared name, a value that does not fit, an end that is past, and a value
        that protects less without a reason.
        """
        spec = self.specs.get(name)
        if spec is None:
            return False, unknown_flag(name, self.specs), []
        try:
            wanted = fit(spec, value)
        except ValueError as error:
            return False, str(error), []
        if until and until <= at:
            return False, f"{name}: the end {format_second(until)} is not in the future", []
        before = self.values[name]
        if loosens(spec, before, wanted) and not reason.strip():
            told = f"{flag_text(before)} to {flag_text(wanted)}"
            return False, f"{name}: from {told} protects less; say why with --reason", []
        self._operator[name] = Override(value=wanted, reason=reason, actor=actor, until=until, waits=waits)
        self.waiting = self._waits()
        changes = self._changed(at, name, before, actor, reason)
        ends = f" until {format_second(until)}" if until else ""
        if waits:
            ends = f" until {format_duration(waits)} after the run goes on"
        was = "unchanged" if not changes else f"was {flag_text(before)}"
        told = f"{name} is {with_unit(spec, wanted)}{ends} ({was}); `engine flag unset {name}` ends it"
        note = planned_note(spec, wanted)
        return True, f"{told}; {note}" if note else told, changes

    def unset_operator(self, at: int, name: str, *, actor: str) -> Answer:
        """Take the operator's layer off `name`, so that the layers below show again."""
        spec = self.specs.get(name)
        if spec is None:
            return False, unknown_flag(name, self.specs), []
        if name not in self._operator:
            layer = self._base_layer(name)
            return False, f"{name} has no operator value; {flag_text(self.values[name])} is from {layer.value}", []
        before = self.values[name]
        del self._operator[name]
        self.waiting = self._waits()
        changes = self._changed(at, name, before, actor, "unset")
        now = with_unit(spec, self.values[name])
        return True, f"{name} is {now} again, from {self._base_layer(name).value} (was {flag_text(before)})", changes

    def next_due(self) -> int | None:
        """Return when the first operator value ends (ns), or None."""
        if not self._operator:
            # Asked at every event, and most runs never have an operator value.
            return None
        return min((override.until for override in self._operator.values() if override.until), default=None)

    def begin_waiting(self, at: int) -> None:
        """Let the time of the values run from `at` on that were set while no engine ran."""
        self._operator = {
            name: replace(one, until=at + one.waits, waits=0) if one.waits else one
            for name, one in self._operator.items()
        }
        self.waiting = False

    def fire(self, at: int) -> list[FlagChanged]:
        """End the operator values that are due up to `at`; return what that changed."""
        if not self._operator:
            return []
        due = sorted((override.until, name) for name, override in self._operator.items() if 0 < override.until <= at)
        changes: list[FlagChanged] = []
        for _, name in due:
            before = self.values[name]
            del self._operator[name]
            changes += self._changed(at, name, before, "engine", "its time ended")
        return changes

    def loosens(self, name: str, before: FlagValue, after: FlagValue) -> bool:
        """Whether `after` protects less than `before`; KeyError for a flag that is not declared."""
        return loosens(self.specs[name], before, after)

    def dump(self) -> Data:
        """Return the operator layer; the layers below come from the files and the environment."""
        return {name: to_data(override) for name, override in sorted(self._operator.items())}

    def load(self, data: Data) -> tuple[str, ...]:
        """Restore the operator layer; return a sentence for each value that no longer fits and was left out."""
        self._operator, lost = {}, []
        for name, kept in sorted(data.items()):
            spec = self.specs.get(name)
            try:
                if spec is None:
                    raise ValueError(unknown_flag(name, self.specs))
                self._operator[name] = Override(**{**kept, "value": fit(spec, kept["value"])})
            except ValueError as error:
                lost.append(f"operator value of {name} left out: {error}")
        self.waiting = self._waits()
        self._resolve()
        return tuple(lost)

    def _waits(self) -> bool:
        return any(override.waits for override in self._operator.values())

    def _changed(self, at: int, name: str, before: FlagValue, actor: str, reason: str) -> list[FlagChanged]:
        self._resolve()
        after = self.values[name]
        if after == before:
            return []
        layer = self.flag(name).layer.value
        return [
            FlagChanged(
                at=at, name=name, before=flag_text(before), after=flag_text(after), layer=layer, actor=actor,
                reason=reason,
            )
        ]

    def _resolve(self) -> None:
        self.values = MappingProxyType({name: self.layers(name)[0][1] for name in self.specs})

    def _base_layer(self, name: str) -> Layer:
        return next(layer for layer, _ in self.layers(name) if layer is not Layer.OPERATOR)

    def _checked(self, layer: Mapping[str, FlagValue]) -> dict[str, FlagValue]:
        checked: dict[str, FlagValue] = {}
        for name, value in layer.items():
            spec = self.specs.get(name)
            if spec is None:
                raise ValueError(unknown_flag(name, self.specs))
            checked[name] = fit(spec, value)
        return checked


def _name(spec: FlagSpec) -> str:
    return spec.name


def _checked_default(spec: FlagSpec) -> FlagValue:
    return fit(spec, spec.default)


def _deciding(spec: FlagSpec) -> Data:
    """Return what of `spec` can change a decision: not its place, not its prose."""
    return {key: item for key, item in to_data(spec).items() if key not in ("line", "summary", "group")}
