"""The sections `live` and `execution` of `conf/engine.yaml`: where real orders go, and how doubt is resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from engine.model.terms import ExecutionTerms, Foreign
from engine.model.time import DAY, MS, format_duration, parse_duration
from engine.ruleset.diagnostics import Finding
from engine.ruleset.nodes import Node

URL = "ENGINE_VENUE_URL"
"""In the environment: an endpoint that wins over the file's."""
_DURATIONS = (
    "first_lookup", "longest_lookup", "absent_grace", "in_flight", "reconcile_every", "reconcile_idle",
    "reconcile_stale", "income_every", "hedge_quote_age",
)
_SHORTEST, _LONGEST = 10 * MS, DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSettings:
    """The one real venue of this engine. Keys are named here and stand elsewhere."""

    venue: str = "binanceusdm"
    """Its name in every noun, label and `--venue`."""
    exchange: str = "binanceusdm"
    """Its name in ccxt."""
    endpoint: str = "production"
    """production, demo, or an address such as http://127.0.0.1:8900."""
    key_env: str = "BINANCE_API_KEY"
    secret_env: str = "BINANCE_API_SECRET"  # the name of a variable, not a secret
    key_file: str = ""
    """A file that only its owner may read, with `key` and `secret`; empty for the environment."""
    symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT")
    """What is watched from the start, empty for all; what is announced, held or ordered is watched too."""
    peg_pairs: tuple[str, ...] = ("USDCUSDT", "FDUSDUSDT")
    """Stablecoins on the venue's spot market whose prices tell what the quote currency is worth."""
    announcements: bool = True
    """Whether the venue's list of announcements is polled."""
    announcement_stream: bool = False
    """Whether the venue's push of announcements is listened to beside it; needs the key of a production account."""

    @property
    def own_endpoint(self) -> bool:
        """Whether the venue is at an address of one's own, such as the one on loopback."""
        return self.endpoint not in ("production", "demo")

    def at(self, environment: Mapping[str, str]) -> LiveSettings:
        """Return the settings with the endpoint that the environment names, where it names one."""
        url = environment.get(URL, "").strip()
        return replace(self, endpoint=url.rstrip("/")) if url else self


def read_live(node: Node | None) -> LiveSettings:
    """Return the `live` section; the schema has seen to its types."""
    if node is None:
        return LiveSettings()
    data = node.plain()
    lists = {word: tuple(data[word]) for word in ("symbols", "peg_pairs") if word in data}
    rest = {word: value for word, value in data.items() if word not in lists}
    return replace(LiveSettings(), **{**rest, **lists})


def read_execution(node: Node | None, findings: list[Finding]) -> ExecutionTerms:
    """Return the `execution` section; what is wrong with a duration is added to `findings`."""
    terms = ExecutionTerms()
    if node is None:
        return terms
    data = node.plain()
    given: dict[str, Any] = {
        word: Foreign(data[word]) for word in ("foreign_orders", "foreign_positions") if word in data
    }
    given |= {"hedge_symbol": data["hedge_symbol"]} if "hedge_symbol" in data else {}
    waits = {word: _duration(node.get(word), findings) for word in _DURATIONS}
    given |= {word: wait for word, wait in waits.items() if wait is not None}
    terms = replace(terms, **given)
    if terms.first_lookup > terms.longest_lookup:
        findings.append((node.get("first_lookup") or node).finding(
            "settings-span", f"first_lookup is longer than longest_lookup, {format_duration(terms.longest_lookup)}",
            "write the shorter one first",
        ))
    return terms


def _duration(node: Node | None, findings: list[Finding]) -> int | None:
    if node is None:
        return None
    try:
        wait = parse_duration(node.text)
    except ValueError as error:
        findings.append(node.finding("settings-duration", str(error), "write a duration such as 15s"))
        return None
    if not _SHORTEST <= wait <= _LONGEST:
        what = f"{node.text} is not from {format_duration(_SHORTEST)} to {format_duration(_LONGEST)}"
        findings.append(node.finding("settings-duration", what, "write a duration such as 15s"))
        return None
    return wait
