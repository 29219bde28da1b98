"""Inline tests of rules: samples over time in a short notation, what befalls the engine, and what must come of it.

Samples (`testcase_series`): `1.0*3 0.98 _*2 stale nan 0.98@late(5s)`. Events (`testcase_events`):
`events: [{at: 5m, do: reload}]`, where `do` is reload, restart (`for: 2m`), rearm (`refused: true`),
boundary, clock_back (`by: 30s`) or drop (`signal: peg_usdt_usd`). `expect` claims things about
single instants; `transitions: [0s held, 1m inactive]` is every change of state there may be.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.model.flag_values import fit
from engine.model.flags import FlagValue
from engine.model.samples import SignalSpec
from engine.model.time import MINUTE
from engine.ruleset.binding import World
from engine.ruleset.diagnostics import Finding
from engine.ruleset.nodes import Node
from engine.ruleset.suggest import fix_for
from engine.ruleset.testcase_events import check_downtime, read_events
from engine.ruleset.testcase_expect import read_at, read_expectation, read_labels, read_transitions
from engine.ruleset.testcase_series import MOST_SAMPLES, read_sample, read_series
from engine.ruleset.testcase_spec import (
    Deed,
    Expectation,
    Gap,
    Late,
    RuleTest,
    TestEvent,
    TestSample,
    TestSeries,
    WantedMove,
)


def read_test(node: Node, world: World, reads: Mapping[str, SignalSpec], findings: list[Finding]) -> RuleTest:
    """Return the test at `node`; `reads` are the signals that its rule reads. What is wrong goes to `findings`."""
    step_node, series_node = node.get("step"), node.get("series")
    name, transitions = node.get("name"), node.get("transitions")
    series = [
        found for key, key_node, value in (series_node.pairs() if series_node is not None else ())
        if (found := read_series(key, key_node, value, reads, findings)) is not None
    ]
    expect_node = node.get("expect")
    expect = tuple(
        (item, read_expectation(item, findings)) for item in (expect_node.items if expect_node is not None else ())
    )
    events = read_events(node.get("events"), reads, findings)
    check_downtime(events, expect, findings)
    if expect_node is None and transitions is None:
        findings.append((name or node).finding(
            "test-no-expectation", "the test expects nothing, so it cannot fail", "add `expect:` or `transitions:`",
        ))
    return RuleTest(
        name=name.text if name is not None else "", place=(name or node).place,
        step=read_at(step_node, MINUTE) or MINUTE, flags=_flags(node.get("flags"), world, findings),
        labels=read_labels(node.get("labels")), series=tuple(series), expect=tuple(wanted for _, wanted in expect),
        order=_order(node.get("order"), reads, world, findings), events=events,
        transitions=read_transitions(transitions, findings) if transitions is not None else None,
    )


def _flags(node: Node | None, world: World, findings: list[Finding]) -> tuple[tuple[str, FlagValue], ...]:
    found: list[tuple[str, FlagValue]] = []
    for name, key, value in node.pairs() if node is not None else ():
        spec = world.flags.get(name)
        if spec is None:
            findings.append(key.finding("test-unknown-flag", f"there is no flag {name}", fix_for(name, world.flags)))
        elif isinstance(value.scalar, bool | int | float | str):
            try:
                found.append((name, fit(spec, value.scalar)))
            except ValueError as error:
                findings.append(value.finding("test-flag", str(error), "write a value that the flag may have"))
    return tuple(found)


def _order(
    node: Node | None, reads: Mapping[str, SignalSpec], world: World, findings: list[Finding]
) -> tuple[tuple[str, float | str], ...] | None:
    if node is None or node.kind != "map":
        return None
    found: list[tuple[str, float | str]] = []
    for name, key, value in node.pairs():
        spec = world.catalogue.get(name)
        if spec is None or not spec.order_scope:
            known = [one for one, its in world.catalogue.specs.items() if its.order_scope]
            findings.append(key.finding("test-order", f"{name} is no signal of an order", fix_for(name, known)))
        elif name not in reads:
            findings.append(key.finding("test-unread-series", f"the rule does not read {name}", "remove it"))
        else:
            sample = read_sample(value.text, spec)
            if isinstance(sample, Gap | Late | bool) or sample is None:
                findings.append(
                    value.finding("test-sample", f"`{value.text}` is no value of {name}", "write a value it may have"),
                )
            else:
                found.append((name, sample))
    return tuple(found)


__all__ = [
    "MOST_SAMPLES", "Deed", "Expectation", "Gap", "Late", "RuleTest", "TestEvent", "TestSample", "TestSeries",
    "WantedMove", "read_test",
]
