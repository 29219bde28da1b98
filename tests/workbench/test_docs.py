"""The pages say what runs, and a page that says anything else is found, with its place."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.cli.main import main
from engine.model.flags import FlagKind
from engine.ruleset.ruling import Ruling
from engine.runtime.config import load_config
from engine.workbench.amounts import AMOUNT, Amount, amount_of
from engine.workbench.docs import reference
from engine.workbench.runbook import check_runbook

ROOT = Path(__file__).resolve().parents[2]
CONFIG = load_config(ROOT, {})
RUNBOOK = (ROOT / "RUNBOOK.md").read_text(encoding="utf-8")

Call = Callable[..., tuple[int, str]]


def ruling(**values: float) -> Ruling:
    assert CONFIG.usable, CONFIG.findings
    found = CONFIG.ruling()
    return replace(found, flag_file={**found.flag_file, **values}) if values else found


def codes(page: str, known: Ruling | None = None) -> list[tuple[int, str]]:
    return [(one.line, one.code) for one in check_runbook(page, "RUNBOOK.md", known or ruling())]


def test_the_shipped_pages_say_what_runs() -> None:
    assert codes(RUNBOOK) == []
    assert (ROOT / "docs" / "rules.md").read_text(encoding="utf-8") == reference(ruling())


BOUND_BY_FLAG = re.compile(r"`([A-Z][A-Z0-9_]+)`(?:\s*\(|,\s+)(\d[\d,.]*)")
BOUND_BY_COMMENT = re.compile(r"([\w.,]+(?: \w+|\s\w+)?)<!-- (\S+)(?: ([^>]*?))? -->")


def test_every_flag_that_the_runbook_tells_the_value_of_is_held_to_it() -> None:
    """Each such flag, set to something else in conf, makes exactly the lines wrong that tell it."""
    told = {match[1]: match for match in BOUND_BY_FLAG.finditer(RUNBOOK)}
    assert len(told) >= 14, sorted(told)
    for name, match in told.items():
        spec = ruling().flag_specs[name]
        assert spec.kind is FlagKind.NUMBER
        found = check_runbook(RUNBOOK, "RUNBOOK.md", ruling(**{name: float(spec.default) * 1.1 or 0.1}))
        assert found, name
        assert {one.code for one in found} == {"runbook-drift"}
        assert any(name in one.message for one in found)
        begins = RUNBOOK.count("\n", 0, match.start(2)) + 1
        assert begins in {one.line for one in found}, (name, begins, found)


def test_every_number_that_a_comment_binds_is_held_to_its_rule() -> None:
    """Each of them, written another way, is wrong at its line; without its comment it is bound to nothing."""
    bound = [match for match in BOUND_BY_COMMENT.finditer(RUNBOOK) if not match[0].endswith("<!-- free -->")]
    assert len(bound) >= 10
    for match in bound:
        line = RUNBOOK.count("\n", 0, match.start()) + 1
        other = f"{RUNBOOK[:match.start()]}77 hours{RUNBOOK[match.end(1):]}"
        assert [code for where, code in codes(other) if where in (line, line + 1)] == ["runbook-drift"], match[0]
        bare = RUNBOOK[:match.end(1)] + RUNBOOK[RUNBOOK.index("-->", match.end(1)) + 3:]
        # A share or a count in words is prose when nothing is bound to it.
        if match[1].split()[0].lower() != "half" and not AMOUNT.fullmatch(match[1].split()[-1]):
            assert [code for _, code in codes(bare)] == ["runbook-unbound"], match[0]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("`DEPEG_THRESHOLD_PCT` (0.8 %) is wrong", "runbook-drift"),
        ("`DEPEG_THRESHOLD_PCT` (0.5 bps) is of another unit", "runbook-drift"),
        ("`DEPEG_THRESHOLD_PCT` = 0.51 %", "runbook-drift"),
        ("`HEALTH_HALTED_SEC` (900 ms)", "runbook-drift"),
        ("`DEPEG_THRESHOLD` (0.5 %)", "runbook-unknown"),
        ("after 31 minutes<!-- cutback.slippage ttl --> it ends", "runbook-drift"),
        ("after 30 minutes<!-- cutback.slipage ttl --> it ends", "runbook-unknown"),
        ("after 30 minutes<!-- cutback.slippage tl --> it ends", "runbook-unknown"),
        ("after a while<!-- cutback.slippage ttl --> it ends", "runbook-dangling"),
        ("entries stop for 45 minutes", "runbook-unbound"),
        ("over 3 % nothing is bought", "runbook-unbound"),
        ("at most 2,500 USD each", "runbook-unbound"),
        ("for ten seconds", "runbook-unbound"),
    ],
)
def test_a_number_that_is_not_what_runs_is_found(line: str, code: str) -> None:
    found = check_runbook(f"# A page\n\n{line}\n", "RUNBOOK.md", ruling())

    assert code in {one.code for one in found}, found
    assert {one.line for one in found} == {3}
    assert all(one.fix for one in found)


@pytest.mark.parametrize(
    "text",
    [
        "`DEPEG_THRESHOLD_PCT` (0.5 %)", "`HEALTH_HALTED_SEC` (15 min)", "`HEALTH_HALTED_SEC` (900 s)",
        "`HEALTH_HALTED_SEC`,\n15 min)", "`ENTRY_MAX_NOTIONAL_USD` = 5,000 USD", "`DEPEG_EXIT_RISK`), latched",
        "30 minutes<!-- cutback.slippage ttl --> after", "half<!-- cutback.slippage size_mult --> size",
        "called in 20 minutes<!-- free -->", "half of it, twice as much",
        "once a day, one of two venues, in the 3rd place", "```\nengine flag set X 700 --ttl 1h\n```",
        "see `for: 5 windows` and [the page](https://example.org/5m)", "on 2026-03-02 at 18:00",
        "a minute<!-- peg_usdt_usd period --> at least", "1. first\n2. then\n",
    ],
)
def test_what_is_right_or_no_threshold_raises_no_alarm(text: str) -> None:
    assert check_runbook(f"# A page\n\n{text}\n", "RUNBOOK.md", ruling()) == ()


def test_bare_numbers_count_only_in_the_section_of_a_rule() -> None:
    section = '<a id="{}"></a>\n## A\n\nat 2 it stops\n'

    assert codes(section.format("engine-unhealthy")) == [(4, "runbook-unbound")]
    assert codes(section.format("something-else")) == []


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0.5 %", Amount(0.5, "pct")), ("15 min", Amount(900e9, "time")), ("5,000 USD", Amount(5000, "usd")),
        ("ten seconds", Amount(10e9, "time")), ("500 bps", Amount(500, "bps")), ("an hour", Amount(3600e9, "time")),
        ("half", Amount(0.5)), ("250 ms", Amount(0.25e9, "time")), ("12", Amount(12)),
    ],
)
def test_amounts_are_read_as_people_write_them(text: str, amount: Amount) -> None:
    match = AMOUNT.match(text)

    assert match is not None
    assert amount_of(match).same(amount)


def test_the_page_names_all_there_is_and_follows_a_flag() -> None:
    known = ruling()
    page = reference(known)
    for rule in known.rules.rules:
        assert f"### `{rule.id}`" in page
        assert f"{rule.place.file}#L{rule.place.line}" in page
    for name in (*known.flag_specs, *known.catalogue.specs):
        assert f"| `{name}` |" in page

    assert "DEPEG_THRESHOLD_PCT (0.5 %)" in page
    changed = reference(ruling(DEPEG_THRESHOLD_PCT=0.8))
    assert "DEPEG_THRESHOLD_PCT (0.8 %) / 2" in changed
    assert "| 0.8 % (default 0.5 %) |" in changed


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.chdir(ROOT)

    def run(*words: str) -> tuple[int, str]:
        code = main(["rules", "docs", *words])
        found = capsys.readouterr()
        return code, found.out + found.err

    return run


def test_the_command_checks_the_pages_of_this_project(call: Call) -> None:
    assert call("--check") == (0, "the pages say what runs\n")


def test_a_page_that_differs_is_named_with_its_line(call: Call, tmp_path: Path) -> None:
    page = tmp_path / "rules.md"
    assert call("--output", str(page))[0] == 0
    text = page.read_text(encoding="utf-8")
    assert text == reference(ruling())
    page.write_text(text.replace("0.5 %", "0.4 %", 1), encoding="utf-8")
    line = text[:text.index("0.5 %")].count("\n") + 1

    code, said = call("--check", "--output", str(page))
    assert code == 1
    assert f"{page}:{line}:1: docs-drift: what runs says here: " in said

    code, said = call("--check", "--output", str(page), "--format", "json")
    assert (code, json.loads(said)["line"]) == (1, line)


def test_a_missing_page_is_a_failed_check(call: Call, tmp_path: Path) -> None:
    code, said = call("--check", "--output", str(tmp_path / "none.md"))

    assert code == 1
    assert "is not there" in said
