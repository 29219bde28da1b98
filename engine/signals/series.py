"""What hangs on one signal with one set of labels, beside its last sample."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.model.samples import SignalKind, SignalSpec, Status, Unit
from engine.signals.coverage import Coverage
from engine.signals.windows import Flavour, Window

Value = float | bool | str


def blank(spec: SignalSpec) -> Value:
    """Return a value of the right type for a slot that has none yet, so that no reader meets a wrong type."""
    if spec.unit is Unit.ENUM:
        return spec.values[0]
    return False if spec.unit is Unit.BOOL else 0.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One slot as people are shown it. `age` is ns since the last good sample, None before the first."""

    name: str
    labels: tuple[str, ...]
    reads: str
    value: Value
    """Means something only where `status` is OK."""
    status: Status
    age: int | None
    producer: str


@dataclass(frozen=True, slots=True)
class Heard:
    """One sample as windows need it: `rise` is by how much a counter rose, None where that is not known."""

    at: int
    value: Value
    rise: float | None
    status: int = 0
    """Not 0: the sample was lost or broken, and there is no value."""


@dataclass(frozen=True, slots=True)
class Result:
    """One function over a window and the slot it goes to. `need` is the known ns that a gauge must have."""

    slot: int
    reads: str
    quantile: float
    need: int


@dataclass(slots=True)
class Windowed:
    """A window, what is asked of it, and how well its gauge was known."""

    ident: int
    """Its name to the timers: negative, so that it is no slot."""
    flavour: Flavour
    window: Window
    coverage: Coverage | None
    results: list[Result] = field(default_factory=list)

    def take(self, heard: Heard) -> None:
        """Let the window have one sample, or the hole that its loss leaves."""
        if heard.status:
            self.window.hole(heard.at, heard.status)
        elif self.flavour == "increments":
            if heard.rise is not None:
                self.window.add(heard.at, heard.rise)
        else:
            self.window.add(heard.at, 0.0 if isinstance(heard.value, str) else heard.value)

    def next_change(self, at: int) -> int | None:
        """Return when an answer next changes by itself, or None."""
        first = self.window.first_leaves()
        if self.coverage is None:
            return first
        dues = [] if first is None else [first]
        for need in dict.fromkeys(result.need for result in self.results):
            due = self.coverage.turns_over(at, need)
            if due is not None:
                dues.append(due)
        return min(dues) if dues else None


@dataclass(slots=True)
class Series:
    """Followers of one base slot: slots and windows that change when its sample does."""

    slot: int
    spec: SignalSpec
    rises: bool = field(init=False)
    """It is a counter."""
    happens: bool = field(init=False)
    """It is an event."""
    own: int = int(Status.MISSING)
    """Events: the standing of the last sample, whatever its producer did since."""
    life: int = 0
    """Events: 0 while the producer is up, else the status its silence gives."""
    counting: bool = False
    """Counters: whether there is a value that the next rise can be counted from."""
    early: list[Heard] | None = field(default_factory=list)
    """Samples since the labels were first heard, for windows that are bound because of them; then None."""
    ages: list[int] = field(default_factory=list)
    fresh: list[int] = field(default_factory=list)
    absent: list[int] = field(default_factory=list)
    windows: list[Windowed] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rises = self.spec.kind is SignalKind.COUNTER
        self.happens = self.spec.kind is SignalKind.EVENT

    def needed(self) -> bool:
        """Whether a new sample concerns more than the base slot."""
        if self.early is not None or self.rises or self.happens:
            return True
        return bool(self.ages or self.fresh or self.absent or self.windows)
