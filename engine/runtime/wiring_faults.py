"""The faults file of the venue on loopback: what goes wrong there, read from YAML and held to its schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from engine.adapters.venue_server_gateway_faults import StreamFault, StreamRule, WireFault, WireFaults, WireRule
from engine.model.time import format_duration, parse_duration
from engine.ruleset.diagnostics import Finding, has_errors
from engine.ruleset.nodes import Node
from engine.ruleset.schema import check_schema, shipped_schema
from engine.ruleset.source import read_yaml
from engine.runtime.configured import ConfigError

Rule = TypeVar("Rule", WireRule, StreamRule)

SCHEMA = "faults.schema.json"
_MEETS = frozenset({"fault", "method", "path", "symbol", "client_id", "nth", "count", "probability", "from", "until"})
_HEARS = frozenset({"fault", "of", "event", "symbol", "nth", "probability", "from", "until"})
_WANTS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "lost_request": (frozenset(), _MEETS), "lost_reply": (frozenset(), _MEETS), "truncated": (frozenset(), _MEETS),
    "invisible": (frozenset({"hold"}), _MEETS | {"hold", "lost"}),
    "code": (frozenset({"code"}), _MEETS | {"code", "status", "worked"}),
    "http": (frozenset({"status"}), _MEETS | {"status", "worked"}),
    "reject": (frozenset({"code"}), _MEETS | {"code", "status"}),
    "ban": (frozenset(), _MEETS | {"hold"}), "rate": (frozenset(), _MEETS | {"hold"}),
    "clock_skew": (frozenset({"skew"}), _MEETS | {"skew"}), "delay": (frozenset({"hold"}), _MEETS | {"hold"}),
    "duplicate": (frozenset(), _HEARS | {"hold"}), "late": (frozenset(), _HEARS | {"hold"}),
    "reordered": (frozenset(), _HEARS), "silent": (frozenset({"until"}), frozenset({"fault", "of", "from", "until"})),
    "dead_listen_key": (frozenset({"at"}), frozenset({"fault", "at", "told"})),
    "drop_connection": (frozenset({"at"}), frozenset({"fault", "of", "at"})),
}
"""By fault: the keys it needs, and all that mean something for it."""
_REQUEST_WORDS = (
    "method", "path", "symbol", "nth", "count", "probability", "code", "status", "worked", "lost",
)
_STREAM_WORDS = ("event", "symbol", "nth", "probability", "told")
"""Keys that a rule calls by the same name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What a faults file asks for; instants count from the start of the venue (ns) until `starting` moves them."""

    wire: WireFaults = field(default_factory=WireFaults)
    market: tuple[StreamRule, ...] = ()
    """What happens to the streams of the market."""

    def starting(self, at: int) -> Faults:
        """Return the same with instants of a venue that starts at `at` (ns)."""
        return Faults(
            wire=WireFaults(
                requests=tuple(_moved(rule, at) for rule in self.wire.requests), seed=self.wire.seed,
                streams=tuple(_moved(rule, at) for rule in self.wire.streams), banned_for=self.wire.banned_for,
            ),
            market=tuple(_moved(rule, at) for rule in self.market),
        )


def _moved(rule: Rule, at: int) -> Rule:
    return replace(rule, start=rule.start + at, end=rule.end + at if rule.end else 0)


def load_faults(path: Path, *, seed: str) -> Faults:
    """Return what the file at `path` asks for; ConfigError with every mistake in it. `seed` where it names none.

    OSError where it cannot be read.
    """
    faults, findings = read_faults(path.read_bytes(), str(path), seed=seed)
    if has_errors(findings):
        raise ConfigError(tuple(findings))
    return faults


def read_faults(text: bytes, file: str, *, seed: str) -> tuple[Faults, list[Finding]]:
    """Return the faults in a file with the bytes `text`, and all that is wrong with it; none at all after an error."""
    node, findings = read_yaml(text, file)
    if node is None:
        return Faults(), findings
    check_schema(node, shipped_schema(SCHEMA), findings)
    for section in ("requests", "streams"):
        for rule in _items(node, section):
            _check(rule, findings)
    if has_errors(findings):
        return Faults(), findings
    data: Mapping[str, Any] = node.plain()
    streams = data.get("streams", ())
    return Faults(
        wire=WireFaults(
            requests=tuple(_request(rule) for rule in data.get("requests", ())),
            streams=tuple(_stream(rule) for rule in streams if rule.get("of") != "market"),
            seed=data.get("seed", seed),
            banned_for=parse_duration(data["banned_for"]) if "banned_for" in data else WireFaults().banned_for,
        ),
        market=tuple(_stream(rule) for rule in streams if rule.get("of") == "market"),
    ), findings


def _items(node: Node, section: str) -> list[Node]:
    found = node.get(section)
    return [item for item in found.items if item.kind == "map"] if found is not None else []


def _check(rule: Node, findings: list[Finding]) -> None:
    """Say which keys a fault misses, which mean nothing for it, and which instants cannot be."""
    fault = rule.get("fault")
    known = None if fault is None else _WANTS.get(fault.text)
    if fault is None or known is None:
        return
    needed, meant = known
    for word in sorted(needed - rule.entries.keys()):
        findings.append(fault.finding("faults-key", f"{fault.text} needs {word}", f"add `{word}:`"))
    for word, key, _ in rule.pairs():
        if word not in meant and any(word in every for _, every in _WANTS.values()):
            findings.append(key.finding("faults-key", f"{word} means nothing for {fault.text}", "remove it"))
    if rule.get("count") is not None and rule.get("nth") is None:
        findings.append(rule.key("count").finding("faults-key", "count without nth", "say from which on: add `nth: 1`"))
    start, end = rule.get("from"), rule.get("until")
    try:
        first = parse_duration(start.text) if start is not None else 0
        if end is not None and parse_duration(end.text) <= first:
            findings.append(end.finding(
                "faults-span", f"it ends at {format_duration(parse_duration(end.text))}, before it begins",
                "write an `until` that is later than `from`",
            ))
    except ValueError:
        return  # the schema has said so


def _instants(data: Mapping[str, Any]) -> dict[str, Any]:
    start = data.get("at", data.get("from", "0s"))
    return {"start": parse_duration(start), "end": parse_duration(data["until"]) if "until" in data else 0}


def _request(data: Mapping[str, Any]) -> WireRule:
    hold = _signed(data["skew"]) if "skew" in data else parse_duration(data.get("hold", "0s"))
    plain = {name: data[name] for name in _REQUEST_WORDS if name in data} | _instants(data)
    return WireRule(kind=WireFault(data["fault"]), client_prefix=data.get("client_id", ""), hold=hold, **plain)


def _stream(data: Mapping[str, Any]) -> StreamRule:
    plain = {name: data[name] for name in _STREAM_WORDS if name in data} | _instants(data)
    if "hold" in data:
        plain["hold"] = parse_duration(data["hold"])
    return StreamRule(kind=StreamFault(data["fault"]), **plain)


def _signed(text: str) -> int:
    return -parse_duration(text[1:]) if text.startswith("-") else parse_duration(text)
