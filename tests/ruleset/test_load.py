"""Whole sets: ids, the digest, and files that are cut or mixed up at random."""

from __future__ import annotations

import random
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.ruleset.catalogue_file import read_catalogue
from engine.ruleset.diagnostics import Severity, format_text, has_errors, settle
from engine.ruleset.flags_file import read_flags
from tests.ruleset.rules_text import file_of, rule
from tests.ruleset.world import load

DEPEG = """version: 1
rules:
  - id: guard.depeg.usdt
    kind: guard
    summary: USDT has left its peg
    runbook: RUNBOOK.md#usdt-wobbly
    enabled: DEPEG_GUARD_ENABLED
    expr: pct(abs(peg_usdt_usd - 1)) >= DEPEG_THRESHOLD_PCT
    clear_expr: pct(abs(peg_usdt_usd - 1)) < DEPEG_THRESHOLD_PCT / 2
    for: DEPEG_CONFIRM_WINDOWS
    latch: manual
    cooldown: DEPEG_ACTION_COOLDOWN_MIN
    restrain: {level: halted}
    action: {exit_risk: DEPEG_EXIT_RISK}
    notify: {to: page, text: "USDT at {peg_usdt_usd:.4f}: trading halted"}
    tests:
      - name: one
        series: {peg_usdt_usd: "1*3"}
        expect: [{at: 2m, state: inactive}]
"""


def test_an_id_is_taken_across_files() -> None:
    loaded = load({"b.yaml": file_of(rule(expr="health_measured > 1")).encode(), "a.yaml": file_of(rule()).encode()})

    assert [(one.file, one.line, one.code) for one in loaded.findings] == [("b.yaml", 3, "rule-duplicate-id")]
    assert "a.yaml:3:9" in loaded.findings[0].message


def test_the_digest_is_of_what_is_said_and_not_of_how() -> None:
    """Layout, order, file, comments and tests decide nothing; numbers and expressions have one spelling."""
    first, second = rule(id="a"), rule(id="b", expr="health_measured > 1")
    base = load({"x.yaml": file_of(first, second).encode()}).rules
    assert base is not None
    respelled = rule(id="b", expr='"(health_measured)  >1.0"', restrain="\n      size_mult: 5e-1  # half",
                     tests='\n      - {name: a, series: {health_measured: 2}, expect: [{at: 0s, truth: "true"}]}')
    for files in (
        {"x.yaml": file_of(second, first)}, {"z.yaml": file_of(first), "a.yaml": file_of(second)},
        {"x.yaml": "# hello\n" + file_of(first, respelled)},
    ):
        again = load({name: text.encode() for name, text in files.items()}).rules
        assert again is not None and again.digest == base.digest
        assert [one.id for one in again.rules] == ["a", "b"]
    for changed in (rule(id="b", expr="health_measured > 1.5"), rule(id="b", expr="health_measured > 1", ttl="5m"),
                    rule(id="b", expr="health_measured > 1", restrain="{size_mult: 0.4}")):
        other = load(file_of(first, changed)).rules
        assert other is not None and other.digest != base.digest


def test_a_warning_lets_the_set_through_and_an_error_stops_all_of_it() -> None:
    assert load(file_of(rule(), rule(id="b", expr="peg_usdt_usd < 0.9"))).rules is not None
    assert load({"good.yaml": file_of(rule()).encode(), "bad.yaml": b"version: 1\nrules: 5\n"}).rules is None


def test_without_a_runbook_anchors_are_not_checked() -> None:
    text = file_of(rule(runbook="RUNBOOK.md#nowhere"))

    assert [one.code for one in load(text).findings] == ["lint-runbook-anchor"]
    assert not load(text, anchors=None).findings


def test_no_files_are_no_rules_and_no_error() -> None:
    loaded = load({})

    assert loaded.rules is not None and not loaded.rules.rules


def test_the_design_s_own_example_is_good() -> None:
    loaded = load(DEPEG)

    assert loaded.rules is not None and not loaded.findings


MUTATIONS = st.lists(st.tuples(
    st.integers(0, len(DEPEG) - 1), st.sampled_from([*list("\n\t :-#[]{}'\"|>&*!%@`,0_.\x00\u202eé"), ""]),
),
                     min_size=1, max_size=4)


@settings(max_examples=300, deadline=None)
@given(MUTATIONS)
def test_a_mutilated_file_never_raises(changes: list[tuple[int, str]]) -> None:
    """Half a rule file is what an editor saves while somebody thinks."""
    text = DEPEG
    for place, char in changes:
        text = text[:place] + char + text[place + 1:]
    loaded = load(text)

    assert (loaded.rules is None) is any(one.severity is Severity.ERROR for one in loaded.findings)
    format_text(loaded.findings)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_file_whose_lines_are_shuffled_or_cut_never_raises(seed: int) -> None:
    draw = random.Random(seed)
    lines = DEPEG.splitlines()[2:]
    for _ in range(draw.randint(1, 4)):
        place = draw.randrange(len(lines))
        action = draw.choice(["drop", "swap", "indent", "value"])
        if action == "drop":
            del lines[place]
        elif action == "swap":
            lines.insert(draw.randrange(len(lines)), lines.pop(place))
        elif action == "indent":
            lines[place] = " " * draw.randint(0, 8) + lines[place].strip()
        else:
            key = lines[place].partition(":")[0]
            lines[place] = key + ": " + draw.choice(
                ["5", "true", "[a]", "{a: b}", "~", "''", "x y", "90s", "[[]]", "{level: x}"],
            )
    loaded = load("version: 1\nrules:\n" + "\n".join(lines) + "\n")

    assert loaded.rules is not None or loaded.findings


CONF = {name: (Path(__file__).parents[2] / "conf" / name).read_text(encoding="utf-8")
        for name in ("flags.yaml", "signals.yaml")}
VALUES = ["5", "-1", "true", "~", "''", "[]", "{}", "[[1]]", "{a: 1}", ".nan", "-.inf", "1e999", "9" * 30, "yes", "*a",
          "&a 1", "!!str 1", "12:30", "{low: 1, high: 0}", "[a, a]", "-0.0", "'5 m'", "999999999d", "[disable]",
          "[{snooze: 5, until: [], reason: {}}]"]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(CONF)))
def test_flags_and_signals_that_are_cut_or_mixed_up_never_raise(seed: int, name: str) -> None:
    draw = random.Random(seed)
    lines = CONF[name].splitlines()
    begin = draw.randrange(7, len(lines))
    lines = [*lines[:7], *lines[begin:begin + 40]]
    for _ in range(draw.randint(1, 5)):
        place = draw.randrange(len(lines))
        lines[place] = draw.choice((
            lines[draw.randrange(len(lines))], lines[place].partition(":")[0] + ": " + draw.choice(VALUES),
            " " * draw.randint(0, 8) + lines[place].strip(), lines[place][:draw.randrange(len(lines[place]) + 1)],
        ))
    text = "\n".join(lines).encode()
    if name == "flags.yaml":
        format_text(settle(read_flags(text, name).findings))
    else:
        catalogue, found = read_catalogue(text, name)
        assert (catalogue is None) is has_errors(found)
