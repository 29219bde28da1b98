"""The scalp on small tapes, through the whole core: taking, resting, protected, switched off, cut anywhere."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.model.effects import CancelOrder, Effect, MakerShadowed, OrderRefused, PlaceOrder, PlanMade, PolicyChanged
from engine.model.events import Command, HaltCommand, RunMode, SetFlagCommand
from engine.model.orders import Intent, OrderKind
from engine.model.samples import Status
from engine.ports.feed import Tape
from engine.runtime.config import Config, load_config
from engine.runtime.wiring import Wired, wire
from engine.runtime.wiring_tapes import named_tape
from tests.core.kit import Drive
from tests.strategies.tapes import coin, configuration, dips, write_tape

VENUE, SYMBOL = "paper", "SWINGUSDT"
ALL = 1 << 40
STRATEGIES = "- name: event_breakout\n- name: scalp\n  parameters: {symbols: [SWINGUSDT]}"
ON = {"SCALP_ENABLED": "true"}
GATE_OPEN = {
    "MAKER_GATE_ENABLED": "true", "MAKER_GATE_SYMBOLS": SYMBOL, "MAKER_GATE_MIN_SAMPLES": "3",
    "MAKER_GATE_REVOKE_SAMPLES": "3", "SCALP_MAKER_SHADOW": "false",
}
FOLDER = TemporaryDirectory()
atexit.register(FOLDER.cleanup)


@cache
def tape(minutes: float, shape: str) -> Path:
    place = Path(FOLDER.name) / f"{shape}-{minutes:g}.tape"
    paths = {"dips": dips(minutes), "gate": gated(minutes)}
    return write_tape(place, [coin("SWING", paths[shape])], minutes)


def gated(minutes: float) -> tuple[tuple[float, float], ...]:
    """Dips that go on falling, which fill what rests, then dips that turn at once, then the first sort again."""
    knots: list[tuple[float, float]] = [(0.0, 0.0)]
    at = 3.0
    while at < minutes - 2.0:
        turns = 24.0 <= at < 44.0
        if turns:
            knots += [(at, 0.0), (at + 0.05, -18.0), (at + 0.1, 4.0), (at + 1.0, 0.0)]
        else:
            knots += [(at, 0.0), (at + 0.05, -16.0), (at + 0.4, -20.0), (at + 1.4, 6.0), (at + 1.6, 0.0)]
        at += 3.0
    return tuple(knots)


@cache
def config(flags: tuple[tuple[str, str], ...]) -> Config:
    with TemporaryDirectory() as made:
        found = load_config(configuration(Path(made) / "root", STRATEGIES), dict(flags))
    assert found.usable, found.findings
    return found


def maker(flags: Mapping[str, str]) -> Callable[[Tape], Wired]:
    found = config(tuple(sorted(flags.items())))
    return lambda played: wire(found, played, RunMode.DRY_RUN, at=played.header.first_at)


def drive(
    flags: Mapping[str, str], minutes: float = 20.0, *, shape: str = "dips",
    script: Mapping[int, Command] | None = None, payload: bytes | None = None,
) -> Drive:
    place = str(tape(minutes, shape))
    return Drive(dict(script or {}), payload, made=maker(flags), played=lambda: named_tape(place))


def placed(effects: list[Effect], intent: Intent) -> list[PlaceOrder]:
    return [one for one in effects if isinstance(one, PlaceOrder) and one.intent is intent]


def value(run: Drive, name: str, labels: tuple[str, ...] = ()) -> float:
    """Return what a counter says; it must be known."""
    sample = run.state.snapshot.sample(run.state.snapshot.base(name, labels), run.at)
    assert sample.status is Status.OK and isinstance(sample.value, float), sample
    return sample.value


def test_it_takes_the_dips_each_with_a_stop_at_once_and_ends_flat() -> None:
    run = drive(ON).until(ALL)

    entries, stops = placed(run.effects, Intent.SCALP), placed(run.effects, Intent.STOP)
    assert len(entries) >= 4 and len(stops) == len(entries)
    assert all(one.immediate and one.limit_price is not None for one in entries), "without a grant it takes, with a cap"
    assert all(one.close_position and one.kind is OrderKind.STOP_MARKET for one in stops)
    assert not run.state.look.positions()
    shadows = [one for one in run.effects if isinstance(one, MakerShadowed)]
    assert len(shadows) == len(entries), "what each would have been at rest is followed"
    assert value(run, "scalp_trades_total") == len(entries)


def test_one_position_a_symbol_and_no_entry_while_one_is_open() -> None:
    run = drive(ON).until(ALL)

    entries = [one.purpose for one in placed(run.effects, Intent.SCALP)]
    story = [(one.state, one.text) for one in run.effects if isinstance(one, PlanMade) and one.strategy == "scalp"]
    assert len(set(entries)) == len(entries)
    assert [state for state, _ in story if state in ("entered", "closed")] == ["entered", "closed"] * len(entries)


def test_off_is_off_and_is_the_default() -> None:
    run = drive({}).until(ALL)

    assert placed(run.effects, Intent.SCALP) == []
    assert value(run, "scalp_trades_total") == 0, "known from the start"


def test_switched_off_it_buys_nothing_more_and_guards_what_it_holds() -> None:
    """The flag comes while something is held: the stop stays until the scalp has sold."""
    watched = drive(ON)
    taken = 0
    while not watched.state.look.positions():
        taken += 10
        watched.until(taken)
    off = SetFlagCommand(actor="test", name="SCALP_ENABLED", value="false", reason="enough", ttl=0)
    run = drive(ON, script={taken: off}).until(ALL)

    entries, stops = placed(run.effects, Intent.SCALP), placed(run.effects, Intent.STOP)
    exits = placed(run.effects, Intent.EXIT)
    assert len(entries) == len(stops) == len(exits) == 1
    cancelled = [one for one in run.effects if isinstance(one, CancelOrder) and one.client_id == stops[0].client_id]
    assert not run.state.look.positions() and all(one.at >= exits[0].at for one in cancelled)


def test_halted_it_proposes_nothing() -> None:
    halt = HaltCommand(actor="test", reason="look", source="socket")
    run = drive(ON, script={5: halt}).until(ALL)

    assert placed(run.effects, Intent.SCALP) == []
    assert not [one for one in run.effects if isinstance(one, OrderRefused)], "nothing was asked of policy in vain"
    assert any(isinstance(one, PolicyChanged) and one.level == "halted" for one in run.effects)
    skips = value(run, "scalp_skips_total", ("level",))
    assert 1 <= skips <= 20


def test_what_policy_refuses_is_asked_again_ever_later() -> None:
    """A size above what an entry may be is refused by a rule: some refusals, never one a quote."""
    run = drive({**ON, "SCALP_SIZE_USD": "9000"}).until(ALL)

    refused = [one for one in run.effects if isinstance(one, OrderRefused)]
    assert 2 <= len(refused) <= 20 and {one.reason for one in refused} == {"entry.notional"}
    assert value(run, "scalp_skips_total", ("notional",)) == len(refused)


def test_cut_anywhere_it_goes_on_as_if_nothing_had_been() -> None:
    """Before, while it enters, while it holds, while it leaves, after."""
    whole = drive(ON, 10.0)
    cuts, known = [], -1
    for taken in range(0, 600, 5):
        whole.until(taken)
        orders = len([one for one in whole.effects if isinstance(one, PlaceOrder)])
        if orders != known:
            cuts.append((whole.payload(), len(whole.heard)))
        known = orders
    whole.until(ALL)

    assert len(cuts) >= 5
    for payload, heard in cuts[:: max(1, len(cuts) // 6)]:
        assert drive(ON, 10.0, payload=payload).until(ALL).heard == whole.heard[heard:]


def test_the_gate_of_a_symbol_from_its_shadows_to_real_orders_and_back() -> None:
    """Shadow evidence, a grant, real post-only orders, revoked by those that do not fill, opened again by shadows."""
    run = drive({**ON, **GATE_OPEN}, 130.0, shape="gate").until(ALL)

    entries = placed(run.effects, Intent.SCALP)
    kinds = ["rests" if one.post_only else "takes" for one in entries]
    turns = [kind for kind, before in zip(kinds, ["", *kinds], strict=False) if kind != before]
    assert turns[:3] == ["takes", "rests", "takes"], kinds
    assert "rests" in turns[3:], "the shadows opened it again"
    assert kinds.count("rests") >= 6 and not run.state.look.positions()


def test_the_gate_stays_shut_for_a_symbol_that_is_not_named() -> None:
    run = drive({**ON, **GATE_OPEN, "MAKER_GATE_SYMBOLS": "BTCUSDT"}, 30.0, shape="gate").until(ALL)

    entries = placed(run.effects, Intent.SCALP)
    assert len(entries) >= 5 and not any(one.post_only for one in entries)
    assert len([one for one in run.effects if isinstance(one, MakerShadowed)]) == len(entries)
