"""How intents are executed is set by a list; every mistake in it is told with its place and a fix."""

from __future__ import annotations

import pytest

from engine.model.orders import Intent
from engine.model.terms import Route, Style
from engine.model.time import MS, SECOND
from engine.runtime.settings import Settings, read_settings


def routing(text: str) -> bytes:
    return f"version: 1\nrouting:\n{text}".encode()


def test_every_key_of_a_route_is_read_and_the_rest_are_defaults() -> None:
    settings, findings = read_settings(routing(
        "  - {intent: ENTRY, style: capped, cap_bps: 12.5}\n"
        "  - {intent: SCALP, symbol: BTCUSDT, style: maker, cap_bps: 8, reprice_after: 500ms, reprices: 3, timeout: 9s,"
        " then: give_up}\n"
        "  - {intent: SCALP, style: maker, then: market}\n"
        "  - {intent: EXIT}\n"
    ), "e", None)
    assert findings == []
    assert settings.execution.routes == (
        Route(intent=Intent.ENTRY, style=Style.CAPPED, cap_bps=12.5),
        Route(intent=Intent.SCALP, symbol="BTCUSDT", style=Style.MAKER, cap_bps=8.0, reprice_after=500 * MS, reprices=3,
              timeout=9 * SECOND, then=None),
        Route(intent=Intent.SCALP, style=Style.MAKER, then=Style.MARKET),
        Route(intent=Intent.EXIT),
    )
    assert settings.execution.route(Intent.SCALP, "BTCUSDT").cap_bps == 8.0
    assert settings.execution.route(Intent.SCALP, "ETHUSDT").then is Style.MARKET
    assert settings.execution.route(Intent.HEDGE, "ETHUSDT").style is Style.MARKET


def test_without_routes_everything_goes_at_market() -> None:
    for text in (b"version: 1\n", b"version: 1\nrouting: []\n"):
        settings, findings = read_settings(text, "e", None)
        assert findings == [] and settings == Settings() and settings.execution.routes == ()


def test_routes_decide_so_they_are_part_of_what_decides() -> None:
    """A run that goes on with other routes would not be the same run."""
    capped, _ = read_settings(routing("  - {intent: ENTRY, style: capped}\n"), "e", None)
    assert capped.digest != Settings().digest
    assert b'"style":"capped"' in capped.deciding()


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("  - {style: capped}\n", 3, "intent"),
        ("  - {intent: STOP}\n", 3, "STOP"),
        ("  - {intent: FLATTEN, style: market}\n", 3, "FLATTEN"),
        ("  - {intent: ENTRY, style: iceberg}\n", 3, "iceberg"),
        ("  - {intent: ENTRY, style: capped, cap_bps: -1}\n", 3, "-1"),
        ("  - {intent: ENTRY, style: capped, cap_bps: .nan}\n", 3, "nan"),
        ("  - {intent: ENTRY, style: capped, cap: 3}\n", 3, "cap"),
        ("  - {intent: ENTRY, style: maker, timeout: 2}\n", 3, "2"),
        ("  - {intent: ENTRY, style: maker, timeout: 2h}\n", 3, "1h"),
        ("  - {intent: ENTRY, style: maker, timeout: 1s}\n", 3, "never follow"),
        ("  - {intent: ENTRY, style: maker, then: maker}\n", 3, "maker"),
        ("  - intent: ENTRY\n    timeout: 5s\n", 4, "timeout says nothing where style is market"),
        ("  - intent: ENTRY\n    cap_bps: 5\n", 4, "cap_bps says nothing where style is market"),
        ("  - {intent: ENTRY, style: maker, then: market, cap_bps: 5}\n", 3, "cap_bps"),
        ("  - {intent: ENTRY}\n  - {intent: ENTRY, style: capped}\n", 4, "ENTRY has a route already"),
        ("  - {intent: ENTRY, symbol: A1}\n  - {intent: ENTRY, symbol: A1}\n", 4, "ENTRY on A1 has a route already"),
        ("  - 3\n", 3, ""),
        ("  intent: ENTRY\n", 3, ""),
    ],
)
def test_a_mistake_is_told_with_its_place_and_a_fix(text: str, line: int, said: str) -> None:
    """And nothing of a file with a mistake is used."""
    settings, findings = read_settings(routing(text), "e", None)
    assert settings == Settings()
    assert findings and any(said.lower() in f"{one.message} {one.fix}".lower() for one in findings)
    assert all(one.fix for one in findings) and {one.line for one in findings} == {line}
