"""What protects less needs somebody's leave for exactly this change; what protects more never asks."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from engine.core.build import build_state
from engine.model.codec import Data, canonical
from engine.model.time import MS, SECOND, parse_instant
from engine.ruleset.loosening import Direction
from engine.ruleset.ruling import pair_digest
from engine.runtime.acks import Acks, entry, read_acks
from engine.runtime.blast import Running, imagine
from engine.runtime.candidate import Asked, Candidate, Refused, prepare
from engine.runtime.config import FLAGS, SETTINGS, SIGNALS, STRATEGIES, Config, config_from_source, load_config
from engine.runtime.provenance import Provenance
from engine.runtime.settings import ReloadSettings
from engine.runtime.tested import Passed
from tests.runtime.reload_kit import NEW, OLD, ROOT, make_root, rule, write_rules

AT = parse_instant("2026-01-05T14:00:00Z")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_root(tmp_path / "root")


def candidate(root: Path, base: Config, asked: Asked | None = None) -> Candidate:
    found = prepare(root, {}, base, asked or Asked())
    assert isinstance(found, Candidate), found
    return found


def refused(root: Path, base: Config, asked: Asked | None = None) -> Refused:
    found = prepare(root, {}, base, asked or Asked())
    assert isinstance(found, Refused), found
    return found


def test_tightening_asks_nobody(root: Path) -> None:
    base = load_config(root, {})
    write_rules(root, NEW)
    found = candidate(root, base)
    assert not found.same and found.ack is None and found.digest == load_config(root, {}).ruling().digest
    assert {one.direction for one in found.changes} == {Direction.STRICTER}
    assert len(found.what_changed) == 3 and all("x0.5 -> size x0.4" in line for line in found.what_changed)
    assert list(found.timings) == ["read", "load", "compare", "test", "imagine", "git"]


def test_what_was_made_can_be_made_again_from_its_source(root: Path) -> None:
    """What the journal and the last good file keep is enough: no disk, the same decisions."""
    base = load_config(root, {})
    write_rules(root, NEW)
    found = candidate(root, base)
    again = config_from_source(root, found.source)
    assert again.usable and again.ruling().digest == found.digest
    assert again.settings == base.settings and again.provenance == found.provenance == Provenance()


def test_nothing_changed_is_the_same_and_layout_is_too(root: Path) -> None:
    base = load_config(root, {})
    assert candidate(root, base).same
    path = root / "rules" / "a.yaml"
    path.write_text("# a word about it\n" + path.read_text())
    found = candidate(root, base)
    assert found.same and found.changes == () and found.source != base.blobs.source


def test_loosening_needs_leave_for_exactly_this_change(root: Path) -> None:
    write_rules(root, NEW)
    base = load_config(root, {})
    write_rules(root, OLD)
    found = refused(root, base)
    pair = pair_digest(base.ruling().digest, load_config(root, {}).ruling().digest)
    assert found.pair == pair and found.command == f"engine reload --allow-loosening {pair}"
    assert "nobody acknowledged it" in found.reason and "cutback.a" in found.reason and found.changes
    let = candidate(root, base, Asked(allow=pair, actor="ann", at=AT))
    assert let.ack is not None and (let.ack.by, let.ack.at, let.ack.pair) == ("ann", AT, pair)
    # One edit more is another change, whoever acknowledged the one before.
    (root / "rules" / "a.yaml").write_text(rule("a", 0.9))
    other = refused(root, base, Asked(allow=pair, actor="ann", at=AT))
    assert pair in other.reason and other.pair not in ("", pair)


def test_an_acknowledgement_in_the_file_is_enough(root: Path) -> None:
    write_rules(root, NEW)
    base = load_config(root, {})
    write_rules(root, OLD)
    pair = refused(root, base).pair
    acks, found = read_acks(f"version: 1\nacks:\n{entry(pair, 'bob', 'reviewed', AT)}".encode(), "acks.yaml")
    assert not found
    let = candidate(root, base, Asked(acks=acks))
    assert let.ack is not None and let.ack.by == "bob"
    assert refused(root, base, Asked(acks=Acks())).pair == pair


def test_removing_too_much_asks_for_more_than_the_file(root: Path) -> None:
    """Three of four rules gone at once: the file of acknowledgements no longer does, a person does."""
    (root / "rules" / "d.yaml").write_text(rule("d", OLD))
    base = load_config(root, {})
    for name in ("a", "b", "deep/c"):
        (root / "rules" / f"{name}.yaml").unlink()
    pair = refused(root, base).pair
    acks, _ = read_acks(f"version: 1\nacks:\n{entry(pair, 'bob', 'reviewed', AT)}".encode(), "acks.yaml")
    found = refused(root, base, Asked(acks=acks))
    assert "bob is not enough" in found.reason and "removes 3 of the 4 rules" in found.reason and found.command
    assert found.blast is not None and found.blast.removed == ("cutback.a", "cutback.b", "cutback.deep_c")
    assert candidate(root, base, Asked(acks=acks, allow=pair, actor="ann")).ack is not None
    wide = ReloadSettings(max_blast_radius=0.8)
    assert candidate(root, base, Asked(acks=acks, settings=wide)).ack is not None
    few = ReloadSettings(blast_minimum=4)
    assert candidate(root, base, Asked(acks=acks, settings=few)).ack is not None


def running(config: Config, health: float | None = None) -> Running:
    """Return what an engine under `config` knows, with `health_measured` as its only sample."""
    begun = AT - 60 * SECOND
    state = build_state(config.ruling(), frozenset(), account="main", floor=config.settings.floor, at=begun)
    # Long enough for the doubt of the start to end.
    for at in range(begun, AT + 1, SECOND):
        if health is None:
            break
        state.snapshot.put_named("health_measured", (), health, at, at)
        state.book.on_changed(at, state.snapshot.take_changed())
        state.book.fire(at)
    dumps: list[Data] = [state.snapshot.dump(), state.book.dump(), state.flags.dump()]
    snapshot, book, flags = json.loads(canonical(dumps))
    return Running(at=AT, snapshot=snapshot, book=book, flags=flags, producers=state.producers)


def test_what_would_be_lifted_and_tightened_at_once_is_told(root: Path) -> None:
    base = load_config(root, {})
    now = running(base, health=2)
    write_rules(root, NEW)
    found = candidate(root, base, Asked(running=now))
    assert found.blast is not None and found.blast.in_force == 3
    assert found.blast.lifted == () and len(found.blast.tightened) == 3
    told = replace(now, in_force=imagine(now, base.ruling(), base.ruling())[0])
    assert candidate(root, base, Asked(running=told)).blast == found.blast
    back = load_config(root, {})
    write_rules(root, OLD)
    lifted = refused(root, back, Asked(running=running(back, health=2)))
    assert lifted.blast is not None and len(lifted.blast.lifted) == 3 and lifted.blast.tightened == ()
    acks, _ = read_acks(f"version: 1\nacks:\n{entry(lifted.pair, 'bob', 'ok', AT)}".encode(), "acks.yaml")
    hot = Asked(running=running(back, health=2), acks=acks)
    assert "lifts 3 of the 3 restraints" in refused(root, back, hot).reason
    calm = candidate(root, back, Asked(running=running(back, health=0), acks=acks))
    assert calm.blast is not None and calm.blast.lifted == () and calm.ack is not None


def test_the_same_rules_lift_nothing_whatever_is_known(root: Path) -> None:
    for health in (None, 0, 2, 3):
        base = load_config(root, {})
        found = candidate(root, base, Asked(running=running(base, health=health)))
        assert found.same and found.blast is not None
        assert found.blast.lifted == found.blast.tightened == found.blast.removed == ()


TESTED = """    tests:
      - name: bad health cuts
        step: 1m
        series: {health_measured: "0 2 2 0"}
        expect:
          - {at: 1m, state: firing, restrain: {size_mult: SIZE}}
"""


def test_a_failing_test_keeps_the_set_out(root: Path) -> None:
    base = load_config(root, {})
    path = root / "rules" / "a.yaml"
    path.write_text(rule("a", NEW, extra=TESTED.replace("SIZE", "0.4")))
    passed = Passed()
    assert candidate(root, base, Asked(passed=passed)).timings["test"] > 0
    path.write_text(rule("a", NEW, extra=TESTED.replace("SIZE", "0.3")))
    found = refused(root, base, Asked(passed=passed))
    assert [one.code for one in found.findings] == ["test-failed"] and not found.command
    assert found.findings[0].file == "rules/a.yaml" and "bad health cuts" in found.reason


def test_what_passed_is_not_run_again_until_something_it_depends_on_changes(root: Path) -> None:
    path = root / "rules" / "a.yaml"
    text = rule("a", OLD, extra=TESTED.replace("SIZE", "0.5"))
    path.write_text(text)
    passed = Passed()

    def ran() -> int:
        config = load_config(root, {})
        assert config.usable, config.findings
        return passed.run(config.ruling(), 10**10).ran

    assert [ran(), ran()] == [1, 0]
    path.write_text("# a line more\n" + text)
    (root / "rules" / "b.yaml").write_text(rule("b", NEW))
    assert ran() == 0
    path.write_text(text.replace("0 2 2 0", "0 2 3 0"))
    assert [ran(), ran()] == [1, 0]
    signals = (root / SIGNALS).read_text()
    lines = signals.splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if "health_measured" in line)
    (root / SIGNALS).write_text("# moved down\n" + signals)
    assert ran() == 0
    age = next(number for number in range(at, at + 12) if "max_age" in lines[number])
    lines[age] = lines[age].replace("max_age: ", "max_age: 1")
    (root / SIGNALS).write_text("".join(lines))
    assert [ran(), ran()] == [1, 0]


def test_without_time_for_tests_only_a_tightening_gets_through(root: Path) -> None:
    path = root / "rules" / "a.yaml"
    path.write_text(rule("a", OLD, extra=TESTED.replace("SIZE", "0.5")))
    base = load_config(root, {})
    hasty = ReloadSettings(test_budget=0)
    path.write_text(rule("a", NEW, extra=TESTED.replace("SIZE", "0.4")))
    told = candidate(root, base, Asked(settings=hasty)).warnings
    assert "test-budget" in {one.code for one in told}
    path.write_text(rule("a", 0.9, extra=TESTED.replace("SIZE", "0.9")))
    assert "no time" in refused(root, base, Asked(settings=hasty)).reason


def guard(level: str, grace: str) -> str:
    return rule("g", OLD).replace("cutback", "guard").replace("{size_mult: 0.5}", f"{{level: {level}}}").replace(
        "    restrain", f"    unknown_grace: {grace}\n    restrain"
    )


def test_missing_tests_are_a_warning_for_a_tightening_and_an_error_for_a_loosening(root: Path) -> None:
    path = root / "rules" / "g.yaml"
    path.write_text(guard("entries_paused", "5s"))
    base = load_config(root, {})
    path.write_text(guard("halted", "5s"))
    tight = candidate(root, base)
    assert "test-missing" in {one.code for one in tight.warnings}
    path.write_text(guard("normal", "5s").replace("{level: normal}", "{size_mult: 0.5}"))
    found = refused(root, base)
    assert "test-missing" in {one.code for one in found.findings} and not found.command


def test_settings_hold_for_a_whole_run(root: Path) -> None:
    """Edited settings are told and not taken up; broken ones are told too, before the next start trips over them."""
    base = load_config(root, {})
    text = (root / SETTINGS).read_text()
    (root / SETTINGS).write_text(text.replace("account: main", "account: other"))
    found = candidate(root, base)
    assert found.config.settings.account == "main" and found.same
    assert config_from_source(root, found.source).settings.account == "main"
    assert "settings-restart" in {one.code for one in found.warnings}
    (root / SETTINGS).write_text("version: 1\nengine: {acount: x}\n")
    assert "no key `acount`" in refused(root, base).reason


def test_strategies_hold_for_a_whole_run(root: Path) -> None:
    base = load_config(root, {})
    (root / STRATEGIES).write_text("version: 1\nstrategies: [{name: scalp}]\n")
    found = candidate(root, base)
    assert found.config.strategies == base.strategies and found.same
    assert "strategies-restart" in {one.code for one in found.warnings}
    (root / STRATEGIES).write_text("version: 1\nstrategies: [{nmae: scalp}]\n")
    assert "the key `name` is missing" in refused(root, base).reason
    (root / STRATEGIES).unlink()
    assert f"{STRATEGIES} is gone" in refused(root, base).reason


def test_a_flag_and_a_denial_go_through_the_same_door(root: Path) -> None:
    base = load_config(root, {})
    (root / "conf" / "event_denylist.txt").write_text("ABCUSDT reason=thin\n")
    denied = candidate(root, base)
    assert [one.symbol for one in denied.ruling.denylist] == ["ABCUSDT"] and denied.what_changed
    (root / "conf" / "event_denylist.txt").write_text("")
    assert refused(root, denied.config).command
    flags = (root / FLAGS).read_text()
    assert "DEPEG_GUARD_ENABLED" in flags
    (root / FLAGS).write_text(flags + "\n  BROKEN")
    assert refused(root, base).findings[0].file == FLAGS


def test_a_flag_whose_part_is_planned_warns_or_is_not_taken(root: Path) -> None:
    base = load_config(root, {})
    path = root / FLAGS
    text = path.read_text()
    path.write_text(text.replace("  - name: TELEGRAM_ENABLED\n", "  - name: TELEGRAM_ENABLED\n    value: true\n"))
    # Nobody can say which way such a flag protects more, so somebody has to have seen the change.
    found = candidate(root, base, Asked(allow=refused(root, base).pair))
    assert [one.code for one in found.warnings if "TELEGRAM_ENABLED is true" in one.message] == ["flag-planned"]
    # Known already: a reload of something else says it no more.
    again = candidate(root, found.config)
    assert not [one for one in again.warnings if one.code == "flag-planned"]
    path.write_text(text.replace("  - name: DEX_EXEC_ENABLED\n", "  - name: DEX_EXEC_ENABLED\n    value: true\n"))
    no = refused(root, base)
    assert "DEX_EXEC_ENABLED cannot be true" in no.reason and not no.pair, no.reason


def test_git_may_take_long_and_is_not_waited_for_long(root: Path) -> None:
    """A commit is for people: a checkout that cannot be asked must not keep a rule from taking over."""
    (root / ".git").write_text("gitdir: nowhere\n")
    base = load_config(root, {})
    write_rules(root, NEW)
    began = time.monotonic()
    found = candidate(root, base)
    assert found.provenance == Provenance() and time.monotonic() - began < 5


def test_the_shipped_set_is_a_candidate_of_itself() -> None:
    base = load_config(ROOT, {})
    settings = replace(base.settings.reload, max_quiesce=100 * MS, unsafe_modes="warn")
    found = candidate(ROOT, base, Asked(settings=settings))
    assert found.same and found.changes == ()
