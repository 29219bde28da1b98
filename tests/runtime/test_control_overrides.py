"""Overrides on the wire: what each request becomes, and what is said of one that makes no sense."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.model.codec import decode, encode
from engine.model.events import Command
from engine.model.override_commands import (
    DenyCommand,
    EndMaintenanceCommand,
    MaintenanceCommand,
    RestrictCommand,
    UndenyCommand,
    UnrestrictCommand,
    UnwaiveCommand,
    WaiveCommand,
)
from engine.model.restraints import EVERYTHING, Level, Restraint, Scope
from engine.model.time import HOUR, MINUTE, parse_instant
from engine.runtime.control_overrides import OVERRIDE_VERBS
from engine.runtime.control_protocol import BadRequest, to_command

PAUSED = Restraint(level=Level.ENTRIES_PAUSED)
ASKED: list[tuple[dict[str, Any], Command]] = [
    ({"verb": "restrict"}, RestrictCommand(actor="ann", scope=EVERYTHING, restraint=PAUSED)),
    (
        {"verb": "restrict", "symbol": "A", "venue": "v", "intent": "scalp", "level": "REDUCE_ONLY", "size_mult": "0.5",
         "mute": ["entry", "SCALP"], "max_notional_usd": "99.50", "maker_off": True, "ttl": "5m", "reason": "r"},
        RestrictCommand(
            actor="ann", scope=Scope(symbol="A", venue="v", intent="SCALP"), maker_off=True, ttl=5 * MINUTE, reason="r",
            restraint=Restraint(
                level=Level.REDUCE_ONLY, size_mult=0.5, mute=frozenset({"ENTRY", "SCALP"}),
                max_notional_usd=Decimal("99.50"),
            ),
        ),
    ),
    ({"verb": "restrict", "size_mult": 0}, RestrictCommand(
        actor="ann", scope=EVERYTHING, restraint=Restraint(size_mult=0.0))),
    ({"verb": "restrict", "symbol": "A", "maker_off": True}, RestrictCommand(
        actor="ann", scope=Scope(symbol="A"), restraint=Restraint(), maker_off=True)),
    ({"verb": "unrestrict"}, UnrestrictCommand(actor="ann")),
    ({"verb": "unrestrict", "which": 3}, UnrestrictCommand(actor="ann", which="3")),
    ({"verb": "deny", "symbol": "A"}, DenyCommand(actor="ann", symbol="A")),
    ({"verb": "deny", "symbol": "A", "ttl": "1d"}, DenyCommand(actor="ann", symbol="A", ttl=24 * HOUR)),
    ({"verb": "undeny", "symbol": "A"}, UndenyCommand(actor="ann", symbol="A")),
    (
        {"verb": "waive", "rule": "guard.x/a,b", "for": "4h", "reason": "known"},
        WaiveCommand(actor="ann", rule="guard.x/a,b", lasts=4 * HOUR, reason="known"),
    ),
    ({"verb": "unwaive", "rule": "--all"}, UnwaiveCommand(actor="ann", rule="--all")),
    ({"verb": "maintenance", "for": "30m"}, MaintenanceCommand(actor="ann", lasts=30 * MINUTE)),
    (
        {"verb": "maintenance", "until": "2026-03-02T22:00:00+01:00", "reason": "r"},
        MaintenanceCommand(actor="ann", until=parse_instant("2026-03-02T21:00:00Z"), reason="r"),
    ),
    ({"verb": "maintenance", "end": True}, EndMaintenanceCommand(actor="ann")),
]


def test_each_request_becomes_its_command_and_outlives_the_journal() -> None:
    for request, command in ASKED:
        made = to_command(request, "ann")
        assert made == command
        assert decode(Command, encode(command)) == command
    assert {request["verb"] for request, _ in ASKED} == set(OVERRIDE_VERBS)


@pytest.mark.parametrize("verb", ["restrict", "unrestrict", "deny", "undeny"])
def test_what_only_forbids_more_has_no_word_that_must_be_there_but_its_symbol(verb: str) -> None:
    symbol = {"symbol": "A"} if verb.endswith("deny") else {}
    assert to_command({"verb": verb, **symbol}, "ann")


@pytest.mark.parametrize(
    ("words", "said", "fix"),
    [
        ("restrict level=halt", "there is no level 'halt'", "did you mean halted?"),
        ("restrict level=normal", "there is no level 'normal'", "entries_paused, reduce_only, halted"),
        ("restrict size_mult=1", "cuts nothing", "from 0 to less than 1"),
        ("restrict size_mult=0.99999999999999999999", "cuts nothing", "less than 1"),
        ("restrict size_mult=-0.1", "cuts nothing", "from 0"),
        ("restrict size_mult=nan", "size_mult is a number, not 'nan'", "send"),
        ("restrict size_mult=1e-99999", "size_mult is a number", "send"),
        ("restrict max_notional_usd=-1", "no order is worth -1 USD", "0 USD or more"),
        ("restrict max_notional_usd=much", "max_notional_usd is a number, not 'much'", "send"),
        ("restrict intent=SCLAP", "there is no intent 'SCLAP'", "did you mean SCALP?"),
        ("restrict intent=STOP", "STOP protects what is open", "ENTRY, SCALP, HEDGE"),
        ("restrict ttl=soon", "'soon' is not a duration", "leave ttl out for no end"),
        ("restrict ttl=0s", "0s is no time at all", "leave ttl out for no end"),
        ("restrict ttl=400d", "longer than 366d", "leave ttl out"),
        ("restrict tll=5m", "does not take 'tll'", "did you mean 'ttl'?"),
        ("deny", "needs a text under 'symbol'", "send"),
        ("undeny", "needs a text under 'symbol'", "send"),
        ("waive rule=guard.x for=30m", "needs a reason", "--reason TEXT"),
        ("waive rule=guard.x reason=r", "needs a text under 'for'", "send"),
        ("waive rule=guard.x for=5h reason=r", "waive lasts at most 4h, not 5h", "at most 4h"),
        ("waive rule=guard.x for=241m reason=r", "at most 4h, not 241m", "at most 4h"),
        ("waive rule=guard.x for=long reason=r", "'long' is not a duration", "30m"),
        ("waive for=1h reason=r", "needs a text under 'rule'", "send"),
        ("unwaive", "needs a text under 'rule'", "send"),
        ("maintenance", "is told neither", "--until"),
        ("maintenance for=30m until=2026-03-02T21:00:00Z", "not for and until", "give one of"),
        ("maintenance for=5h", "maintenance lasts at most 4h, not 5h", "at most 4h"),
        ("maintenance until=2026-03-02T21:00:00", "has no time zone", "with its zone"),
        ("maintenance until=tomorrow", "'tomorrow' is no instant", "with its zone"),
        ("maintenance until=1969-01-01T00:00:00Z", "is before all time", "with its zone"),
    ],
)
def test_what_makes_no_sense_is_told_with_what_would(words: str, said: str, fix: str) -> None:
    verb, *pairs = words.split()
    request = {"verb": verb, **dict(pair.split("=", 1) for pair in pairs)}
    with pytest.raises(BadRequest) as wrong:
        to_command(request, "ann")
    assert said in wrong.value.what and fix in wrong.value.fix, (wrong.value.what, wrong.value.fix)


@pytest.mark.parametrize("verb", ["deny", "restrict"])
def test_a_symbol_is_one_word(verb: str) -> None:
    """`engine undeny BTC USDT`, as the answer would name it, could not be typed."""
    with pytest.raises(BadRequest, match="a symbol is one word, not 'BTC USDT'"):
        to_command({"verb": verb, "symbol": "BTC USDT"}, "ann")
    assert "BTCUSDT" in str(to_command({"verb": verb, "symbol": " BTCUSDT "}, "ann"))


@pytest.mark.parametrize(
    "request_",
    [
        {"verb": "restrict", "mute": "SCALP"}, {"verb": "restrict", "mute": [1]},
        {"verb": "restrict", "mute": ["EXIT"]}, {"verb": "restrict", "maker_off": "yes"},
        {"verb": "restrict", "size_mult": True}, {"verb": "restrict", "size_mult": [0.5]},
        {"verb": "restrict", "symbol": 5.5}, {"verb": "maintenance", "end": "x"},
        {"verb": "deny", "symbol": "A\nB"}, {"verb": "deny", "symbol": "x" * 3000}, {"verb": "deny", "symbol": "  "},
    ],
)
def test_a_word_of_another_kind_is_refused(request_: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        to_command(request_, "ann")
