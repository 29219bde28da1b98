"""Cut anywhere, dump to bytes, load into a fresh core and venue, go on: nothing may tell the difference."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from engine.core.checkpoint import VERSION, dump_state, load_state
from engine.model.codec import canonical
from engine.model.effects import Effect, PlaceOrder, RuleMoved
from engine.model.events import Command, HaltCommand, RearmCommand, ResumeCommand, SetFlagCommand, UnsetFlagCommand
from engine.model.time import MINUTE
from tests.core.kit import Drive, demo, fresh

END = 20_000
POINTS = (0, 1, 37, 1_500, 3_007, 4_999, 6_004, 7_500, 9_803, 12_345, 15_000, 19_998)
MOST, STRIDE, BEYOND = 130_000, 500, 1_500
"""The later story is cut at the first of these strides behind each new kind of effect, and goes on for so long."""

SCRIPT: Mapping[int, Command] = {
    3_000: SetFlagCommand(actor="ann", name="ENTRY_MAX_SPREAD_BPS", value="20", reason="thin", ttl=90 * MINUTE),
    5_000: SetFlagCommand(actor="ann", name="SLIPPAGE_MIN_FILLS", value="3", reason="try", ttl=0),
    6_000: HaltCommand(actor="ann", reason="looking", source="socket"),
    6_010: HaltCommand(actor="ann", reason="looking", source="file"),
    6_400: ResumeCommand(actor="ann"),
    9_800: SetFlagCommand(actor="ann", name="DEPEG_THRESHOLD_PCT", value="0.4", reason="nervous", ttl=10 * MINUTE),
    12_000: RearmCommand(actor="ann", latch="--cleared"),
    17_000: UnsetFlagCommand(actor="ann", name="SLIPPAGE_MIN_FILLS"),
    19_999: HaltCommand(actor="ann", reason="bed", source="socket"),
    20_000: ResumeCommand(actor="ann"),
}
"""Commands by the number of market events before them: some cuts fall while they are in force."""


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A place where the run could be cut: its checkpoint, and how many effects there were before."""

    payload: bytes
    effects: int


@dataclass(frozen=True, kw_only=True)
class Uncut:
    """A run nobody cut: its effects, and every place at which another run is begun or compared."""

    heard: list[bytes]
    cuts: dict[int, Cut]
    late: tuple[int, ...]

    def between(self, begin: int, end: int) -> list[bytes]:
        """Return the effects between two places."""
        return self.heard[self.cuts[begin].effects : self.cuts[end].effects]


@pytest.fixture(scope="module")
def uncut() -> Uncut:
    run = Drive(SCRIPT)
    cuts: dict[int, Cut] = {}
    late: list[int] = []
    seen: set[str] = set()
    places = {*POINTS, END, *range(END, MOST, STRIDE)}
    while places:
        place = min(places)
        places.remove(place)
        before = len(run.effects)
        run.until(place)
        new = {kind_of(effect) for effect in run.effects[before:]} - seen
        if place in (*POINTS, END):
            cuts[place] = Cut(payload=run.payload(), effects=len(run.heard))
        elif new or any(place == one + BEYOND for one in late):
            cuts[place] = Cut(payload=run.payload(), effects=len(run.heard))
            if new and place + BEYOND < MOST:
                late.append(place)
                seen |= new
    return Uncut(heard=run.heard, cuts=cuts, late=tuple(late))


def kind_of(effect: Effect) -> str:
    """Return what sort of thing an effect is about: what a checkpoint may lose of one sort it may keep of another."""
    if isinstance(effect, PlaceOrder):
        return f"order {effect.purpose.split('/')[0]}"
    if isinstance(effect, RuleMoved):
        return f"{effect.rule} {effect.after}"
    return type(effect).__name__


@pytest.mark.parametrize("place", POINTS)
def test_a_run_cut_early_goes_on_as_if_nobody_had_cut_it(uncut: Uncut, place: int) -> None:
    """Same effects and byte-equal state at the end of the prefix, whatever was in force at the cut."""
    resumed = Drive(SCRIPT, uncut.cuts[place].payload)
    same(uncut.cuts[place].payload, resumed.payload())
    resumed.until(END)
    assert resumed.heard == uncut.between(place, END)
    same(uncut.cuts[END].payload, resumed.payload())


def test_a_run_cut_where_much_is_open_goes_on_too(uncut: Uncut) -> None:
    """Behind each kind of order, latch, target and notice of the later story: positions, stops and ladders are open."""
    assert len(uncut.late) >= 8
    for place in uncut.late:
        resumed = Drive(SCRIPT, uncut.cuts[place].payload)
        same(uncut.cuts[place].payload, resumed.payload())
        resumed.until(place + BEYOND)
        assert resumed.heard == uncut.between(place, place + BEYOND), place
        same(uncut.cuts[place + BEYOND].payload, resumed.payload())


def test_the_prefix_has_what_could_be_lost(uncut: Uncut) -> None:
    """A cut proves little where nothing happens: there are orders, refusals and commands on both sides of it."""
    kinds = {json.loads(raw)["type"] for raw in uncut.between(0, END)}
    assert kinds >= {"PlaceOrder", "CancelOrder", "OrderRefused", "PlanMade", "FlagChanged", "CommandAnswered"}


def test_a_checkpoint_of_another_version_is_refused() -> None:
    wired = fresh(demo())
    data = {**dump_state(wired.state), "version": VERSION + 1}
    with pytest.raises(ValueError, match=f"version {VERSION + 1} is not {VERSION}"):
        load_state(fresh(demo()).state, data)


def test_a_checkpoint_holds_only_what_json_can_say(uncut: Uncut) -> None:
    """Through bytes and back nothing changes: no set, no tuple that matters, no number that is not finite."""
    payload = uncut.cuts[END].payload
    assert canonical(json.loads(payload)) == payload


def same(wanted: bytes, found: bytes) -> None:
    """Assert that two checkpoints are byte-equal, and say in which part they differ."""
    if wanted != found:
        paths = list(differences(json.loads(wanted), json.loads(found), ""))
        pytest.fail("the checkpoints differ at " + "; ".join(paths[:8]))


def differences(wanted: object, found: object, path: str) -> list[str]:
    """Return where two JSON values differ."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return [
            one for key in sorted({*wanted, *found})
            for one in differences(wanted.get(key), found.get(key), f"{path}.{key}")
        ]
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        return [
            one for place, pair in enumerate(zip(wanted, found, strict=True))
            for one in differences(*pair, f"{path}[{place}]")
        ]
    return [] if wanted == found else [f"{path}: {str(wanted)[:60]} became {str(found)[:60]}"]
