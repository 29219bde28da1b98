"""What befalls the engine in the middle of a test: `{at: 5m, do: restart, for: 2m}`."""

from __future__ import annotations

from collections.abc import Mapping

from engine.model.samples import SignalSpec
from engine.model.time import format_duration
from engine.ruleset.diagnostics import Finding
from engine.ruleset.nodes import Node
from engine.ruleset.testcase_expect import read_at, read_words
from engine.ruleset.testcase_series import read_name
from engine.ruleset.testcase_spec import Deed, Expectation, Labels, TestEvent

_OWN_KEYS: Mapping[Deed, tuple[str, ...]] = {
    Deed.RELOAD: (), Deed.RESTART: ("for",), Deed.REARM: ("refused", "why"), Deed.BOUNDARY: (),
    Deed.CLOCK_BACK: ("by",), Deed.DROP: ("signal",),
}
_NEEDED: Mapping[Deed, tuple[str, str]] = {
    Deed.CLOCK_BACK: ("by", "by: 30s"), Deed.DROP: ("signal", "signal: and the name of one that the rule reads"),
}


def read_events(node: Node | None, reads: Mapping[str, SignalSpec], findings: list[Finding]) -> tuple[TestEvent, ...]:
    """Return the events at `node` in order of time; `reads` are the signals that the rule reads."""
    found: list[TestEvent] = []
    for item in node.items if node is not None else ():
        do = item.get("do")
        if item.kind != "map" or do is None or do.text not in {deed.value for deed in Deed}:
            continue
        found.append(_event(item, Deed(do.text), reads, findings))
    return tuple(sorted(found, key=lambda event: event.at))


def _event(node: Node, deed: Deed, reads: Mapping[str, SignalSpec], findings: list[Finding]) -> TestEvent:
    for name, key, _ in node.pairs():
        if name not in ("at", "do", *_OWN_KEYS[deed]) and any(name in keys for keys in _OWN_KEYS.values()):
            takes = ", ".join(_OWN_KEYS[deed]) or "nothing else"
            findings.append(key.finding("test-event", f"`{deed}` has no `{name}`; it takes {takes}", "remove it"))
    needed = _NEEDED.get(deed)
    if needed is not None and node.get(needed[0]) is None:
        findings.append(node.finding("test-event", f"`{deed}` does not say `{needed[0]}`", f"add {needed[1]}"))
    by, refused = node.get("by"), node.get("refused")
    if by is not None and by.kind == "str" and not read_at(by, 1):
        findings.append(by.finding("test-event", "a clock that goes back by nothing does not go back", "write by: 30s"))
    signal, labels = _dropped(node.get("signal"), reads, findings) if deed is Deed.DROP else ("", ())
    return TestEvent(
        at=read_at(node.get("at")), do=deed, place=node.place, lasts=read_at(node.get("for")), by=read_at(by),
        signal=signal, labels=labels, refused=refused is not None and refused.scalar is True,
        why=read_words(node.get("why")),
    )


def _dropped(node: Node | None, reads: Mapping[str, SignalSpec], findings: list[Finding]) -> tuple[str, Labels]:
    if node is None or node.kind != "str":
        return "", ()
    named = read_name(node.text, node, reads, findings)
    if named is None:
        return "", ()
    spec, labels = named
    if spec.order_scope:
        findings.append(node.finding(
            "test-event", f"{spec.name} belongs to the order: it cannot be dropped", "leave it out of `order:`",
        ))
    return spec.name, labels


def check_downtime(
    events: tuple[TestEvent, ...], expect: tuple[tuple[Node, Expectation], ...], findings: list[Finding]
) -> None:
    """Say which expectations and events fall into a time in which the engine is down: nobody could meet them."""
    for down in events:
        if not down.lasts:
            continue
        back = down.at + down.lasts
        for node, wanted in expect:
            if down.at < wanted.at < back:
                findings.append(node.finding(
                    "test-event", f"nothing runs here: the engine is down until {format_duration(back)}",
                    f"expect it at {format_duration(back)}, or before the restart",
                ))
