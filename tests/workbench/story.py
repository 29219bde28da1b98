"""Stories for the law of replay: rules with every clock there is, and a market that hurts them.

A story is lived by the real core, fed with real events, woken as the loop wakes it. What
its recorded snapshot told is the history; what it decided is what a replay must find again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from hypothesis import strategies as st

from engine.core.build import build_state
from engine.core.state import State
from engine.core.step import step, wake
from engine.model.effects import Effect
from engine.model.events import Event, Input, RearmCommand, Reload, SetFlagCommand, StopCommand, UnsetFlagCommand
from engine.model.history import HistoryHeader, Mark, MarkKind, Record
from engine.model.market import Announcement, FeedDropped, FeedState, Heartbeat, OraclePrice, Quote
from engine.model.restraints import NONE, Level, Restraint
from engine.model.time import MS, SECOND, parse_instant
from engine.ruleset.load import load_rules
from engine.ruleset.reading import timed_signals
from engine.ruleset.ruling import Ruling
from engine.ruleset.spec import Enforcement, Latching, OnUnknown, RuleKind, RuleSet, RuleSpec
from engine.runtime.history import TapeHistory
from engine.signals.catalogue import Catalogue
from engine.signals.recorded import RecordedSnapshot, Recorder
from engine.signals.snapshot import Snapshot
from tests.core.kit import START
from tests.rules.timelines import shipped

BEGIN = parse_instant("2026-03-02T23:58:30Z")
"""A minute and a half before a daily boundary."""
PRODUCERS = ("feed.announcements", "feed.market", "feed.oracle")
_MARKET = "[venue, symbol]"
EXPRESSIONS: tuple[tuple[str, str, str], ...] = (
    ("spread_bps >= 5", _MARKET, "spread_bps < 3"),
    ("avg_over(spread_bps, '10s') >= 5", _MARKET, ""),
    ("quantile_over(0.5, spread_bps, '15s') >= 5", _MARKET, "spread_bps < 5"),
    ("max_over(mid_price, '10s') - min_over(mid_price, '10s') >= 1", _MARKET, ""),
    ("held(spread_bps >= 5, '6s') and peg_usdt_usd < 0.999", _MARKET, ""),
    ("not fresh(spread_bps, '2s')", _MARKET, ""),
    ("age(feed_messages) >= 4", "[venue]", ""),
    ("increase_over(feed_messages, '10s') < 3", "[venue]", ""),
    ("absent(peg_usdt_usd)", "", ""),
    ("held(peg_usdt_usd < 0.99, '20s')", "", "peg_usdt_usd >= 0.999"),
    ("avg_over(peg_usdt_usd, '1m') < 0.99", "", ""),
    ("pct(abs(peg_usdt_usd - 1)) >= DEPEG_THRESHOLD_PCT", "", "pct(abs(peg_usdt_usd - 1)) < DEPEG_THRESHOLD_PCT / 2"),
    ("count_over(announcements, '30s') >= 2", "", ""),
    ("count_over(announcements, '30s') >= 1 and peg_usdt_usd < 0.99", "", ""),
    ("health_measured >= 1", "", ""),
    ("daily_loss_pct >= 0", "[account]", ""),
)


@cache
def rules() -> tuple[RuleSpec, ...]:
    """Return one plain cutback for each expression, loaded as a file would be."""
    text = "version: 1\nrules:\n"
    for place, (expr, by, clear) in enumerate(EXPRESSIONS):
        keys = {
            "id": f"cutback.r{place:02}", "kind": "cutback", "summary": "a clock", "runbook": "RUNBOOK.md#a",
            "expr": expr, "by": by, "clear_expr": clear, "restrain": "{size_mult: 0.5}",
        }
        lines = [f"{key}: {value}" for key, value in keys.items() if value]
        text += "  - " + "\n    ".join(lines) + "\n"
    config = shipped()
    assert config.catalogue is not None
    loaded = load_rules({"rules/a.yaml": text.encode()}, config.catalogue, config.flag_specs, anchors=None)
    assert loaded.rules is not None, loaded.findings
    return loaded.rules.rules


@st.composite
def rulings(draw: st.DrawFn) -> Ruling:
    """Draw a ruling of some of the expressions, each with a lifecycle of its own."""
    chosen = draw(st.lists(st.sampled_from(rules()), min_size=2, max_size=5, unique_by=lambda spec: spec.id))
    specs = tuple(_dressed(draw, spec) for spec in sorted(chosen, key=lambda spec: spec.id))
    return ruling_of(specs)


def ruling_of(specs: tuple[RuleSpec, ...]) -> Ruling:
    """Return a ruling of `specs` over the shipped signals and flags."""
    digest = ",".join(spec.id for spec in specs)
    return replace(shipped().ruling(), rules=RuleSet(rules=specs, digest=digest, files=()))


def _dressed(draw: st.DrawFn, spec: RuleSpec) -> RuleSpec:
    waits = st.sampled_from((0, 0, 3 * SECOND, 5 * SECOND, 12 * SECOND))
    latch = draw(st.sampled_from((Latching.NONE, Latching.NONE, Latching.MANUAL, Latching.BOUNDARY)))
    pause = Restraint(level=Level.ENTRIES_PAUSED)
    if draw(st.sampled_from((False, False, False, False, True))):
        return replace(spec, kind=RuleKind.MAKER_GATE, restrain=NONE, clear_expr=None, valid_for=10 * SECOND)
    return replace(
        spec, kind=RuleKind.GUARD, latch=latch, hold_for=draw(waits), keep_firing_for=draw(waits),
        cooldown=draw(waits), unknown_grace=draw(waits), min_clear=draw(waits), ttl=draw(waits),
        on_unknown=draw(st.sampled_from((OnUnknown.RESTRICT, OnUnknown.RESTRICT, OnUnknown.HOLD, OnUnknown.IGNORE))),
        enforcement=draw(st.sampled_from((Enforcement.ENFORCE, Enforcement.ENFORCE, Enforcement.SHADOW))),
        restrain=draw(st.sampled_from((pause, Restraint(size_mult=0.5)))),
    )


Happening = tuple[int, Event]
"""(ns since the one before, what)."""


def _quote(venue: str, symbol: str, mid: float, spread: float) -> Quote:
    half = mid * spread / 20_000.0
    return Quote(venue, symbol, mid - half, 5.0, mid + half, 5.0, 0, 0)


_QUOTES = st.builds(
    _quote, st.sampled_from(("paper", "other")), st.sampled_from(("NOVAUSDT", "BTCUSDT")),
    st.sampled_from((100.0, 100.4, 101.5, math.nan)), st.sampled_from((1.0, 1.0, 4.0, 5.0, 9.0)),
)
_PEGS = st.sampled_from((1.0, 1.0, 0.9985, 0.98, 0.994, 11.0, math.nan)).map(
    lambda price: OraclePrice("oracle", "USDT", "USD", price, "1", 0, 0)
)
_HANDS: tuple[Event, ...] = (
    RearmCommand(actor="ann", latch="--cleared"),
    SetFlagCommand(actor="ann", name="DEPEG_THRESHOLD_PCT", value="1.5", reason="try", ttl=20 * SECOND),
    SetFlagCommand(actor="ann", name="DEPEG_THRESHOLD_PCT", value="0.2", reason="try", ttl=0),
    SetFlagCommand(actor="ann", name="HEALTH_DEGRADED_SEC", value="3", reason="try", ttl=0),
    UnsetFlagCommand(actor="ann", name="DEPEG_THRESHOLD_PCT"),
)
_NEWS: tuple[Event, ...] = (
    Heartbeat("feed.announcements", 0), FeedState("feed.announcements", False, "", 0), FeedState("paper", False, "", 0),
    FeedState("paper", True, "", 0), FeedDropped("paper", "NOVAUSDT", "Quote", 2, 0),
    FeedDropped("oracle", "", "OraclePrice", 1, 0), FeedDropped("feed.announcements", "", "Announcement", 1, 0),
)


def _announced(number: int) -> Announcement:
    return Announcement("feed.announcements", str(number), "listing", "a listing", ("NOVAUSDT",), 0, 0)


_STEPS = st.sampled_from((0, 1, 250 * MS, 999 * MS, SECOND, SECOND, SECOND, 2 * SECOND, 5 * SECOND, 40 * SECOND))
happenings = st.lists(
    st.tuples(
        _STEPS,
        st.one_of(
            _QUOTES, _QUOTES, _QUOTES, _PEGS, _PEGS, st.sampled_from(_NEWS), st.integers(1, 9).map(_announced),
            st.sampled_from(_HANDS),
        ),
    ),
    min_size=20, max_size=90,
)


@dataclass(frozen=True)
class Lived:
    """What a story came to: its history, and every effect of it."""

    history: TapeHistory
    effects: Sequence[Effect]
    restrained: Mapping[int, Mapping[str, Restraint]] = field(default_factory=dict)
    """What each instance imposed after everything at an instant (ns), its latches included."""


def reload(ruling: Ruling, to: Ruling) -> Reload:
    """Return the command by which `to` takes over from `ruling`."""
    return Reload(
        actor="ann", base=ruling.digest, ruling=to.digest, source_digest="", changed=(), acknowledged_by="", commit="",
        dirty=False,
    )


def live(
    ruling: Ruling, story: Sequence[Happening], *, also: frozenset[str] = frozenset(), offered: tuple[Ruling, ...] = ()
) -> Lived:
    """Let the core live `story` under `ruling` and return what it left behind, with every sample of `also`.

    `offered` are rulings that a reload in the story may name.
    """
    kept: list[Record] = []
    complete = timed_signals(ruling.rules.rules) | also
    recorder = Recorder(kept.append, complete)

    def fresh(catalogue: Catalogue) -> Snapshot:
        return RecordedSnapshot(catalogue, recorder)

    state = build_state(ruling, PRODUCERS, account="main", floor=NONE, at=BEGIN, fresh=fresh)
    state.offered.update({one.digest: one for one in offered})
    effects: list[Effect] = []
    restrained: dict[int, Mapping[str, Restraint]] = {}
    at, over = BEGIN, StopCommand(actor="engine", reason="over")
    for seq, (wait, event) in enumerate(((0, START), *story, (60 * SECOND, over)), start=1):
        at += wait
        while state.wake_at is not None and state.wake_at < at:
            effects += wake(state, max(state.wake_at, state.at)).effects
            restrained[state.at] = _imposed(state)
        effects += step(state, Input(seq, at, event)).effects
        restrained[at] = _imposed(state)
    state.snapshot.note(at, MarkKind.END, {})
    header = HistoryHeader(
        name="story", first_at=BEGIN, last_at=at, producers=PRODUCERS, complete=tuple(sorted(complete)), decimated=(),
        catalogue_digest=ruling.catalogue.digest, rules_digest=ruling.rules.digest,
        has_rearms=any(isinstance(one, Mark) and one.kind is MarkKind.REARM for one in kept),
        signals=tuple(ruling.catalogue.specs.values()),
    )
    return Lived(TapeHistory(header, kept), effects, restrained)


def _imposed(state: State) -> dict[str, Restraint]:
    found: dict[str, Restraint] = {}
    for one in state.book.restraints():
        found[one.instance] = found.get(one.instance, NONE).join(one.restraint)
    return found
