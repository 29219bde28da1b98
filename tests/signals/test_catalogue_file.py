"""conf/signals.yaml: what ships is sound, and every mistake is named at its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.samples import SignalKind, Unit
from engine.model.time import SECOND
from engine.ruleset.catalogue_file import read_catalogue
from engine.ruleset.diagnostics import Severity

SHIPPED = (Path(__file__).parents[2] / "conf" / "signals.yaml").read_bytes()
GOOD = """version: 1
signals:
  - name: peg_usdt_usd
    kind: gauge
    unit: ratio
    summary: what one USDT is worth
    range: {low: 0, high: 10}
    period: 60s
    max_age: 150s
    producer: feed.oracle
"""


def test_the_shipped_catalogue_is_sound() -> None:
    catalogue, findings = read_catalogue(SHIPPED, "conf/signals.yaml")

    assert findings == ()
    assert catalogue is not None
    assert {name for name, one in catalogue.specs.items() if one.order_scope} == {
        "order_notional_usd", "order_late_chase_bps", "order_expected_slippage_bps", "order_side", "order_intent",
        "order_quantity", "order_exposure_after_usd",
    }
    assert catalogue.specs["health_measured"].kind is SignalKind.STATE
    assert catalogue.specs["spread_bps"].max_age == 10 * SECOND
    assert {name for name, one in catalogue.specs.items() if one.derived_from_policy} == {"risk_depeg_active"}


def test_a_signal_is_read_whole() -> None:
    catalogue, findings = read_catalogue(GOOD.encode(), "s.yaml")
    assert catalogue is not None and findings == ()
    one = catalogue.specs["peg_usdt_usd"]

    assert (one.unit, one.low, one.high, one.period, one.max_age, one.producer, one.line, one.resolution) == (
        Unit.RATIO, 0.0, 10.0, 60 * SECOND, 150 * SECOND, "feed.oracle", 3, 1e-9,
    )


@pytest.mark.parametrize(
    ("change", "place", "code"),
    [
        (("unit: ratio", "unit: percent"), (5, 11), "schema-choice"),
        (("kind: gauge", "knd: gauge"), (3, 5), "schema-unknown-key"),
        (("period: 60s", "period: 60"), (8, 13), "schema-type"),
        (("period: 60s", "period: 1 minute"), (8, 13), "schema-pattern"),
        (("max_age: 150s", "max_age: 30s"), (9, 5), "signal-max-age"),
        (("    max_age: 150s\n", ""), (3, 5), "signal-max-age"),
        (("low: 0, high: 10", "low: 10, high: 0"), (7, 5), "signal-range"),
        (("range: {low: 0, high: 10}", "range: {low: .nan}"), (7, 18), None),
        (("    producer: feed.oracle", "    producer: oracle"), (10, 15), "schema-pattern"),
        (("kind: gauge", "kind: counter"), (9, 5), "signal-max-age"),
        (("range: {", "labels: [venue, venue]\n    range: {"), (7, 13), "schema-size"),
        (("unit: ratio", "unit: enum"), (5, 5), "signal-unit"),
        (("version: 1", "version: 2"), (1, 10), "schema-choice"),
        (("signals:", "signals: []\nx:"), (2, 10), "schema-size"),
        (("period: 60s", "period: 999d"), (8, 13), "signal-duration"),
    ],
)
def test_a_mistake_is_named_at_its_place(
    change: tuple[str, str], place: tuple[int, int], code: str | None
) -> None:
    catalogue, findings = read_catalogue(GOOD.replace(*change).encode(), "s.yaml")

    assert catalogue is None
    assert all(one.fix and one.file == "s.yaml" for one in findings)
    assert place in [(one.line, one.column) for one in findings], findings
    if code is not None:
        assert code in [one.code for one in findings], findings


def test_all_mistakes_are_told_at_once() -> None:
    broken = GOOD.replace("60s", "60").replace("ratio", "ratoi") + GOOD.split("signals:\n")[1].replace("150s", "1s")
    _, findings = read_catalogue(broken.encode(), "s.yaml")

    assert [one.code for one in findings] == ["schema-choice", "schema-type", "signal-duplicate", "signal-max-age"]
    assert "did you mean ratio?" in findings[0].fix


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(GOOD)), st.integers(0, 30), st.text(max_size=12))
def test_no_damage_to_the_file_is_an_exception(start: int, length: int, instead: str) -> None:
    text = GOOD[:start] + instead + GOOD[start + length:]
    catalogue, findings = read_catalogue(text.encode(errors="replace"), "s.yaml")

    assert (catalogue is None) == any(one.severity is Severity.ERROR for one in findings)
