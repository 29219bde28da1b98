"""The state as data and back. Versioned; what it does not know it refuses."""

from __future__ import annotations

from dataclasses import asdict

from engine.core.asking import dump_strategies, load_strategies
from engine.core.candidate import Candidate
from engine.core.state import UNKNOWN, OperatorHalt, ReloadFault, State, Tally
from engine.model.codec import Data, from_data, to_data
from engine.model.events import RunMode
from engine.model.instruments import Instrument
from engine.policy.join import Policy
from engine.ruleset.evaluate import RuleBook
from engine.signals.catalogue import unwired_signals
from engine.signals.reduce import Reducers, ReducerSettings

VERSION = 5


def dump_state(state: State) -> Data:
    """Return all of `state` as canonical JSON data; `load_state` makes the same state of it."""
    return {
        "version": VERSION,
        "mode": state.mode.value, "asked": state.asked.value, "mode_held": list(state.mode_held),
        "unguarded": list(state.unguarded), "unguarded_by": list(state.unguarded_by),
        "unguarded_since": state.unguarded_since,
        "session": state.session.dump(), "seq": state.seq, "at": state.at, "wake_at": state.wake_at,
        "ruling": state.ruling.digest, "generation": state.generation,
        "reload_fault": None if state.reload_fault is None else asdict(state.reload_fault),
        "candidate": None if state.candidate is None else state.candidate.dump(),
        "boundary_at": state.boundary_at, "boundary_day": state.boundary_day,
        "level_changed_at": state.level_changed_at, "policy_version": state.policy.version,
        "health": state.health,
        "halts": [asdict(halt) for halt in state.halts.values()],
        "faults": [[what, since] for what, since in state.faults.items()],
        "instruments": [to_data(item) for _, item in sorted(state.look.instruments.items())],
        "tally": state.tally.dump(),
        "flags": state.flags.dump(), "snapshot": state.snapshot.dump(), "reducers": state.reducers.dump(),
        "book": state.book.dump(), "guardian": state.guardian.dump(), "execution": state.execution.dump(),
        "funding": state.funding.dump(),
        "strategies": dump_strategies(state), "broken": sorted(state.broken),
        "overrides": state.overrides.dump(),
        "stops": state.stops.dump(), "router": state.router.dump(), "prices": state.prices.dump(),
        "offenders": state.offenders.dump(),
    }


def load_state(state: State, data: Data) -> None:
    """Make `state`, freshly built from the same ruling, what `dump_state` saw.

    Raises ValueError when the checkpoint is of another version.
    """
    if data.get("version") != VERSION:
        raise ValueError(f"checkpoint version {data.get('version')!r} is not {VERSION}")
    if data["ruling"] != state.ruling.digest:
        raise ValueError(f"the checkpoint is of ruling {data['ruling'][:12]}, not of {state.ruling.digest[:12]}")
    state.generation = data["generation"]
    state.reload_fault = None if data["reload_fault"] is None else ReloadFault(**data["reload_fault"])
    state.mode, state.asked = RunMode(data["mode"]), RunMode(data["asked"])
    state.mode_held = tuple(data["mode_held"])
    # A checkpoint from before these were kept is of a run that would not have begun without its guards.
    state.unguarded = tuple(data.get("unguarded", ()))
    state.unguarded_by = tuple(data.get("unguarded_by", ()))
    state.unguarded_since = data.get("unguarded_since", 0)
    state.session.load(data["session"])
    state.seq, state.at, state.wake_at = data["seq"], data["at"], data["wake_at"]
    state.boundary_at, state.boundary_day = data["boundary_at"], data["boundary_day"]
    state.level_changed_at = data["level_changed_at"]
    state.health = data["health"]
    state.halts = {item["source"]: OperatorHalt(**item) for item in data["halts"]}
    state.faults = dict(data["faults"])
    state.tally = Tally.load(data["tally"])
    for item in data["instruments"]:
        instrument: Instrument = from_data(Instrument, item)
        state.look.instruments[instrument.venue, instrument.symbol] = instrument
    state.flags.load(data["flags"])
    state.look.of(state)
    state.look.at = state.at
    _load_known(state, data)
    state.guardian.load(data["guardian"])
    state.execution.load(data["execution"])
    if "funding" in data:
        state.funding.load(data["funding"])
    state.broken = set(data["broken"])
    load_strategies(state, data["strategies"])
    state.overrides.load(data["overrides"])
    state.stops.load(data["stops"])
    state.router.load(data["router"])
    state.prices.load(data["prices"])
    state.offenders.load(data["offenders"])
    state.held = (*state.execution.holds(), *state.stops.holds())
    state.watch_denials()
    state.stirred, state.others_due = True, UNKNOWN
    # The join is a function of what was just loaded, so it is made again rather than stored.
    state.policy = Policy(state.in_force(), data["policy_version"])
    state.book_version = state.book.version
    if data["candidate"] is None:
        state.candidate = None
    elif state.candidate is not None:
        state.candidate.load(data["candidate"], state.policy, state.standing(), state.overrides)


def _load_known(state: State, data: Data) -> None:
    """Load what is known, then bind the rules to it: after a reload slots stand in the order they were bound in."""
    catalogue, flags = state.ruling.catalogue, state.flags.values
    snapshot = state.snapshot = state.fresh(catalogue)
    snapshot.load(data["snapshot"])
    state.reducers = Reducers(snapshot, ReducerSettings.from_flags(flags))
    state.reducers.load(data["reducers"])
    unwired = unwired_signals(catalogue, state.producers)
    state.book = RuleBook(state.ruling.rules, catalogue, snapshot, flags, unwired=unwired, at=state.at)
    if state.candidate is not None:
        state.candidate = Candidate(state.candidate.ruling, snapshot, flags, unwired, state.at)
    state.book.load(data["book"])
